"""A network of two layers on MNIST, with one-hot targets; prints cost and error.

python examples/two_layer.py [epochs]
"""

import sys
from pathlib import Path

import numpy as np

import tensorc as tc

BATCH, RATE, PRINT_PERIOD = 500, 0.0004, 50
max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 3

data = tc.data.mnist(Path(__file__).parent / "data" / "mnist")
Xtrain, Xtest = data.train.columns["x"], data.test.columns["x"]
Ytest = data.test.columns["y"]
Ytrain_ind = np.eye(10, dtype="float32")[data.train.columns["y"]]
Ytest_ind = np.eye(10, dtype="float32")[Ytest]

D, M, K = 784, 300, 10
random = np.random.RandomState(0)
W1 = tc.shared((random.randn(D, M) / 28).astype("float32"), "W1")
W2 = tc.shared((random.randn(M, K) / np.sqrt(M)).astype("float32"), "W2")

thX = tc.matrix("X")
thT = tc.matrix("T")
thZ = tc.tanh(thX.dot(W1))
thY = tc.softmax(thZ.dot(W2))
cost = -(thT * tc.log(thY)).sum()
prediction = tc.argmax(thY, axis=1)

updates = [(W, W - RATE * tc.grad(cost, W)) for W in (W1, W2)]
train = tc.function(inputs=[thX, thT], updates=updates)
get_prediction = tc.function(inputs=[thX, thT], outputs=[cost, prediction])

for i in range(max_iter):
    for j in range(len(Xtrain) // BATCH):
        batch = slice(j * BATCH, j * BATCH + BATCH)
        train(Xtrain[batch,], Ytrain_ind[batch,])
        if j % PRINT_PERIOD == 0:
            cost_val, prediction_val = get_prediction(Xtest, Ytest_ind)
            error = np.mean(prediction_val != Ytest)
            print(f"iteration {i}, batch {j}: cost {cost_val:.3f}, error {error:.4f}")
