"""Softmax regression on MNIST, in symbolic variables: the first deep learning tutorial.

python examples/logreg.py [epochs]
"""

import sys
from pathlib import Path

import numpy as np

import tensorc as tc

BATCH, RATE = 600, 0.13
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10

x = tc.matrix("x")
y = tc.lvector("y")
W = tc.shared(np.zeros((784, 10), "float32"), name="W")
b = tc.shared(np.zeros(10, "float32"), name="b")

p_y_given_x = tc.softmax(tc.dot(x, W) + b)
cost = -tc.mean(tc.log(p_y_given_x)[tc.arange(y.shape[0]), y])
error = tc.mean(tc.neq(tc.argmax(p_y_given_x, axis=1), y))
g_W, g_b = tc.grad(cost, [W, b])

updates = [(W, W - RATE * g_W), (b, b - RATE * g_b)]
train = tc.function([x, y], cost, updates=updates, name="train")
validate = tc.function([x, y], error, name="validate")

data = tc.data.mnist(Path(__file__).parent / "data" / "mnist")


def batches(split):
    """Yield the whole batches of a data set, in order."""
    images, labels = split.columns["x"], split.columns["y"]
    for start in range(0, len(labels) - BATCH + 1, BATCH):
        yield images[start : start + BATCH], labels[start : start + BATCH]


for epoch in range(1, epochs + 1):
    costs = [train(*batch) for batch in batches(data.train)]
    errors = [validate(*batch) for batch in batches(data.valid)]
    print(f"epoch {epoch}: cost {np.mean(costs):.6f}, error {np.mean(errors):.4%}")
