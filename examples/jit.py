"""Ordinary Python, compiled: NumPy functions, derivatives, one program for all sizes.

python examples/jit.py
"""

import numpy as np

import tensorc as tc


@tc.jit
def predict(x, W):
    """Return a score per row: any NumPy function and operator can stand here."""
    return np.tanh(x @ W).sum(axis=1)


def loss(params, x, y):
    """Return the mean squared error of a line; `params` is a dictionary."""
    return np.mean((x * params["slope"] + params["offset"] - y) ** 2)


# The derivative of a function is a function, too; it has the structure of `params`.
slopes = tc.value_and_grad(loss)

x = np.linspace(-1, 1, 50)
y = 3 * x - 0.5
params = {"slope": np.array(0.0), "offset": np.array(0.0)}
for step in range(101):
    value, gradient = slopes(params, x, y)
    params = {name: params[name] - 0.5 * gradient[name] for name in params}
    if step % 25 == 0:
        print(f"step {step}: loss {value:.6f}")
print(f"y = {params['slope']:.3f} x + {params['offset']:.3f}")

print(predict(np.ones((3, 4)), np.ones((4, 2))))
print(predict(np.ones((5, 4)), np.ones((4, 2))).shape, "from the same program")
for made in predict.cache_info():
    print(f"compiled for {made.arguments}: {made.reason}")
