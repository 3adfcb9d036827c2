"""A perceptron with a hidden layer on MNIST, as Python functions: the second tutorial.

python examples/mlp.py [epochs]
"""

import sys
from pathlib import Path

import numpy as np

import tensorc as tc

HIDDEN, BATCH, RATE, L2 = 500, 20, 0.01, 0.0001
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10

rng = np.random.default_rng(1234)
bound = np.sqrt(6 / (784 + HIDDEN))
W1 = tc.shared(rng.uniform(-bound, bound, (784, HIDDEN)).astype("float32"), "W1")
b1 = tc.shared(np.zeros(HIDDEN, "float32"), "b1")
W2 = tc.shared(np.zeros((HIDDEN, 10), "float32"), "W2")
b2 = tc.shared(np.zeros(10, "float32"), "b2")
params = (W1, b1, W2, b2)


@tc.jit
def logits(x):
    """Return a score per class."""
    return np.tanh(x @ W1 + b1) @ W2 + b2


@tc.jit
def error(x, y):
    """Return the fraction of the digits that are misread."""
    return np.mean(np.argmax(logits(x), axis=1) != y, dtype="float32")


@tc.step
def train(x, y):
    """Take a step downhill; what the updates read is the old memory."""
    penalty = np.sum(W1 * W1) + np.sum(W2 * W2)
    cost = np.mean(tc.cross_entropy(logits(x), y)) + L2 * penalty
    for param, gradient in zip(params, tc.grad(cost, params), strict=True):
        tc.update(param, param - RATE * gradient)
    return cost


def report(epoch):
    """Print a line per epoch."""
    print(
        f"epoch {epoch.epoch}: cost {epoch.train_cost:.6f}, "
        f"error {epoch.validation_error:.4%}"
    )


history = tc.fit(
    train,
    tc.data.mnist(Path(__file__).parent / "data" / "mnist"),
    batch=BATCH,
    epochs=epochs,
    validate=error,
    callbacks=report,
)
print(f"test error {history.test_error:.4%}, {history.steps_per_second:,.0f} steps/s")
