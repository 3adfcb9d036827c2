"""LeNet on MNIST, as the tutorial builds it: layers are objects, the graph is symbolic.

python examples/lenet.py [epochs]
"""

import sys
import time
from pathlib import Path

import numpy as np

import tensorc as tc

BATCH, RATE, KERNELS = 500, 0.1, (20, 50)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 5

rng = np.random.RandomState(23455)


def uniform(shape, fans):
    """Return memory for weights, drawn for a number of inputs and outputs."""
    bound = np.sqrt(6 / fans)
    return tc.shared(rng.uniform(-bound, bound, shape).astype("float32"), "W")


def zeros(*shape):
    """Return memory that begins at 0."""
    return tc.shared(np.zeros(shape, "float32"))


class ConvPoolLayer:
    """A convolution, the largest of each 2x2 window, a bias for each channel, tanh."""

    def __init__(self, x, filter_shape):
        count, channels, height, width = filter_shape
        fan_in = channels * height * width
        self.W = uniform(filter_shape, fan_in + count * height * width // 4)
        self.b = zeros(count)
        # The tutorial's convolution is that of mathematics, which flips its kernels.
        convolved = tc.conv2d(x, self.W, flip=True)
        pooled = tc.max_pool(convolved, 2)
        self.output = tc.tanh(pooled + self.b.dimshuffle("x", 0, "x", "x"))


class HiddenLayer:
    """A dense layer with tanh."""

    def __init__(self, x, n_in, n_out):
        self.W = uniform((n_in, n_out), n_in + n_out)
        self.b = zeros(n_out)
        self.output = tc.tanh(tc.dot(x, self.W) + self.b)


class LogisticRegression:
    """The last layer: classes, their cost and the fraction that is misread."""

    def __init__(self, x, n_in, n_out):
        self.W, self.b = zeros(n_in, n_out), zeros(n_out)
        self.logits = tc.dot(x, self.W) + self.b

    def cost(self, y):
        """Return the mean negative log-likelihood of the labels."""
        return tc.mean(tc.cross_entropy(self.logits, y))

    def errors(self, y):
        """Return the fraction of the examples that are misread."""
        return tc.mean(tc.neq(tc.argmax(self.logits, axis=1), y))


data = tc.data.mnist(Path(__file__).parent / "data" / "mnist")
parts = [(part.columns["x"], part.columns["y"]) for part in (data.train, data.valid)]
(train_x, train_y), (valid_x, valid_y) = [map(tc.shared, part) for part in parts]

index = tc.lscalar("index")
x, y = tc.matrix("x"), tc.lvector("y")
layer0 = ConvPoolLayer(x.reshape((-1, 1, 28, 28)), (KERNELS[0], 1, 5, 5))
layer1 = ConvPoolLayer(layer0.output, (KERNELS[1], KERNELS[0], 5, 5))
layer2 = HiddenLayer(layer1.output.flatten(2), KERNELS[1] * 4 * 4, 500)
layer3 = LogisticRegression(layer2.output, 500, 10)
params = [p for layer in (layer3, layer2, layer1, layer0) for p in (layer.W, layer.b)]

cost = layer3.cost(y)
updates = [
    (p, p - RATE * g) for p, g in zip(params, tc.grad(cost, params), strict=True)
]


def batch_of(xs, ys):
    """Return what makes a function of examples one of a batch's number."""
    rows = slice(index * BATCH, (index + 1) * BATCH)
    return {x: xs[rows], y: ys[rows]}


train = tc.function([index], cost, updates=updates, givens=batch_of(train_x, train_y))
validate = tc.function([index], layer3.errors(y), givens=batch_of(valid_x, valid_y))

start = time.perf_counter()
for epoch in range(1, epochs + 1):
    costs = [train(i) for i in range(len(parts[0][0]) // BATCH)]
    error = np.mean([validate(i) for i in range(len(parts[1][0]) // BATCH)])
    print(f"epoch {epoch}: cost {np.mean(costs):.6f}, validation error {error:.4%}")
print(f"{time.perf_counter() - start:.1f} s")
