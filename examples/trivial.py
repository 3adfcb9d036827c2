"""Four weights learn to sum to a target: the first of Theano's old tutorials."""

import numpy

import tensorc as tc

x = tc.fvector("x")
target = tc.fscalar("target")

W = tc.shared(numpy.asarray([0.1, 0.25, 0.15, 0.3]), "W")
print("Weights: ", W.get_value())

y = (x * W).sum()
cost = tc.sqr(target - y)
gradients = tc.grad(cost, [W])
W_updated = W - (0.1 * gradients[0])

f = tc.function([x, target], y, updates=[(W, W_updated)])
for _ in range(10):
    print("Output: ", f([1.0, 1.0, 1.0, 1.0], 100.0))
    print("Weights: ", W.get_value())
