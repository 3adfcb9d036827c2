"""Four weights learn to sum to 100: the training example of the third tutorial.

python -m tensorc.theano examples/theano/trivial.py
"""

import numpy
from theano import *  # noqa: F403  (as the tutorial imports it)

x = tensor.fvector("x")  # noqa: F405
target = tensor.fscalar("target")  # noqa: F405

W = theano.shared(numpy.asarray([0.1, 0.25, 0.15, 0.3]), "W")  # noqa: F405
print("Weights: ", W.get_value())

y = (x * W).sum()
cost = tensor.sqr(target - y)  # noqa: F405
gradients = tensor.grad(cost, [W])  # noqa: F405
W_updated = W - (0.1 * gradients[0])
updates = [(W, W_updated)]

f = function([x, target], y, updates=updates)  # noqa: F405
for i in range(10):
    output = f([1.0, 1.0, 1.0, 1.0], 100.0)
    print("iteration: ", i)
    print("Modified Weights: ", W.get_value())
    print("Output: ", output)
