"""A number goes down to where a parabola is least: the second tutorial's first program.

python -m tensorc.theano examples/theano/gradient_descent.py
"""

import numpy as np
import theano
import theano.tensor as T

# Variables have no value; a function of them has, for those that it is given.
A, v = T.matrix("A"), T.vector("v")
u = A.dot(v)
product = theano.function(inputs=[A, v], outputs=[u])
print(product(np.array([[1, 2], [3, 4]]), np.array([5, 6])))

x = theano.shared(20.0, "x")
cost = x * x + x + 1
x_update = x - 0.3 * T.grad(cost, x)
train = theano.function(inputs=[], outputs=cost, updates=[(x, x_update)])
for _ in range(25):
    print(train())
print(x.get_value())
