"""A denoising autoencoder on MNIST: pixels are set to 0, and the image is found again.

    python examples/autoencoder.py [epochs]

Vincent, Larochelle, Bengio and Manzagol (2008). The weights are tied: one matrix goes
both ways. Its columns are what the hidden units look for, strokes of a pen.
"""

import sys
from pathlib import Path

import numpy as np

import tensorc as tc

HIDDEN, CORRUPTION, RATE = 500, 0.3, 0.1
DATA = Path(__file__).parent / "data" / "mnist"

rng = tc.random.default_rng(1)
first = np.random.default_rng(1)
bound = 4 * np.sqrt(6 / (784 + HIDDEN))
W = tc.shared(first.uniform(-bound, bound, (784, HIDDEN)).astype("float32"), "W")
b = tc.shared(np.zeros(HIDDEN, "float32"), "b")
c = tc.shared(np.zeros(784, "float32"), "c")


def logits(x):
    """Return an image's pixels before the last sigmoid, by way of the hidden units."""
    return tc.sigmoid(x @ W + b) @ W.T + c


def cost_of(x, seen):
    """Return the cross entropy of the pixels x and those found from what is seen."""
    z = logits(seen)
    return tc.mean(tc.sum(tc.softplus(z) - x * z, axis=1))


@tc.step
def train(x):
    """Set a share of the pixels to 0, and step towards the whole image."""
    kept = rng.bernoulli(1 - CORRUPTION, x.shape)
    cost = cost_of(x, tc.where(kept, x, 0))
    for variable, slope in zip((W, b, c), tc.grad(cost, [W, b, c]), strict=True):
        tc.update(variable, variable - RATE * slope)
    return cost


@tc.jit
def error(x):
    """Return the cost of whole images."""
    return cost_of(x, x)


if __name__ == "__main__":
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    history = tc.fit(
        train, tc.data.mnist(DATA), batch=20, epochs=epochs, validate=error
    )
    for epoch in history.epochs:
        print(f"epoch {epoch.epoch}: cost {epoch.train_cost:.2f}")
