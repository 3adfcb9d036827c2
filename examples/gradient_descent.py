"""Gradient descent on x*x + x + 1, from 20: the smallest function that trains."""

import tensorc as tc

x = tc.shared(20.0, "x")
cost = x * x + x + 1
train = tc.function(inputs=[], outputs=cost, updates=[(x, x - 0.3 * tc.grad(cost, x))])

for _ in range(25):
    print(train())
print("the minimum is at", x.get_value())
