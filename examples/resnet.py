"""A small residual network on MNIST, with batch normalisation written out.

python examples/resnet.py [epochs]
"""

import sys
from pathlib import Path

import numpy as np

import tensorc as tc

BATCH, RATE, KEPT = 100, 0.1, 0.9
rng = np.random.default_rng(1)
params = []


def param(value, name):
    """Return memory that is learned."""
    params.append(tc.shared(value.astype("float32"), name))
    return params[-1]


class Conv:
    """A convolution without a bias: normalisation follows, which has one."""

    def __init__(self, n_in, n_out, window, stride=1):
        scale = np.sqrt(2 / (n_in * window**2))
        shape = (n_out, n_in, window, window)
        self.W = param(rng.normal(0, scale, shape), "W")
        self.stride = stride

    def __call__(self, x):
        """Return the image under the filters."""
        return tc.conv2d(x, self.W, stride=self.stride, padding="same")


class BatchNorm:
    """Channels with the mean 0 and the variance 1: of a batch, or of those so far."""

    def __init__(self, n):
        self.gain, self.bias = param(np.ones(n), "gain"), param(np.zeros(n), "bias")
        self.mean = tc.shared(np.zeros(n, "float32"), "mean")
        self.var = tc.shared(np.ones(n, "float32"), "var")

    def __call__(self, x, training):
        """Return the channels; in training, keep what the batch has."""
        mean, var = self.mean, self.var
        if training:
            mean, var = np.mean(x, axis=(0, 2, 3)), np.var(x, axis=(0, 2, 3))
            tc.update(self.mean, KEPT * self.mean + (1 - KEPT) * mean)
            tc.update(self.var, KEPT * self.var + (1 - KEPT) * var)
        scale = self.gain / np.sqrt(var + 1e-5)
        shift = self.bias - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class Block:
    """Two convolutions, whose result is added to what went in."""

    def __init__(self, n_in, n_out, stride=1):
        self.first, self.norm1 = Conv(n_in, n_out, 3, stride), BatchNorm(n_out)
        self.second, self.norm2 = Conv(n_out, n_out, 3), BatchNorm(n_out)
        self.way = None if n_in == n_out else Conv(n_in, n_out, 1, stride)

    def __call__(self, x, training):
        """Return the sum."""
        h = tc.relu(self.norm1(self.first(x), training))
        h = self.norm2(self.second(h), training)
        return tc.relu(h + (x if self.way is None else self.way(x)))


stem, norm = Conv(1, 16, 3, stride=2), BatchNorm(16)
blocks = [Block(16, 16), Block(16, 32, stride=2), Block(32, 32)]
W, b = param(np.zeros((32, 10)), "W"), param(np.zeros(10), "b")


def logits(x, training):
    """Return a score per class."""
    h = tc.relu(norm(stem(x.reshape(-1, 1, 28, 28)), training))
    for block in blocks:
        h = block(h, training)
    return tc.global_avg_pool(h) @ W + b


@tc.step
def train(x, y):
    """Take a step downhill."""
    cost = np.mean(tc.cross_entropy(logits(x, training=True), y))
    for p, gradient in zip(params, tc.grad(cost, params), strict=True):
        tc.update(p, p - RATE * gradient)
    return cost


@tc.jit
def error(x, y):
    """Return the fraction of the digits that are misread."""
    wrong = np.argmax(logits(x, training=False), axis=1) != y
    return np.mean(wrong, dtype="float32")


def report(epoch):
    """Print a line per epoch."""
    print(
        f"epoch {epoch.epoch}: cost {epoch.train_cost:.6f}, "
        f"error {epoch.validation_error:.4%}"
    )


if __name__ == "__main__":
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    history = tc.fit(
        train,
        tc.data.mnist(Path(__file__).parent / "data" / "mnist"),
        batch=BATCH,
        epochs=epochs,
        validate=error,
        callbacks=report,
    )
    print(
        f"test error {history.test_error:.4%}, {history.steps_per_second:,.0f} steps/s"
    )
