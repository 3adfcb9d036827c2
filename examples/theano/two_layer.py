"""A network with one hidden layer on MNIST: the second tutorial's second program.

python -m tensorc.theano examples/theano/two_layer.py [passes] [digits]
"""

import sys

import numpy as np
import theano
import theano.tensor as T
from logistic_sgd import load_data

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 20
limit = int(sys.argv[2]) if len(sys.argv) > 2 else None
batch_sz, lr, print_period = 500, 0.0004, 10

(train_x, train_y), _, (test_x, test_y) = load_data(limit)
Xtrain, Xtest, Ytest = train_x.get_value(), test_x.get_value(), test_y.eval()
Ytrain_ind, Ytest_ind = np.eye(10)[train_y.eval()], np.eye(10)[Ytest]
n_batches = len(Xtrain) // batch_sz
D, M, K = 784, 300, 10

thX = T.matrix("X")
thT = T.matrix("T")
random = np.random.RandomState(0)
floatX = theano.config.floatX
W1 = theano.shared((random.randn(D, M) / np.sqrt(D)).astype(floatX), "W1")
W2 = theano.shared((random.randn(M, K) / np.sqrt(M)).astype(floatX), "W2")

thZ = T.tanh(thX.dot(W1))
thY = T.nnet.softmax(thZ.dot(W2))
cost = -(thT * T.log(thY)).sum()
prediction = T.argmax(thY, axis=1)

update_W1 = W1 - lr * T.grad(cost, W1)
update_W2 = W2 - lr * T.grad(cost, W2)
train = theano.function(inputs=[thX, thT], updates=[(W1, update_W1), (W2, update_W2)])
get_prediction = theano.function(inputs=[thX, thT], outputs=[cost, prediction])

for i in range(max_iter):
    for j in range(n_batches):
        Xbatch = Xtrain[j * batch_sz : (j * batch_sz + batch_sz),]
        Ybatch = Ytrain_ind[j * batch_sz : (j * batch_sz + batch_sz),]
        train(Xbatch, Ybatch)
        if j % print_period == 0:
            cost_val, prediction_val = get_prediction(Xtest, Ytest_ind)
            err = np.mean(prediction_val != Ytest)
            print(f"cost / error at i={i}, j={j}: {cost_val:.3f} / {err:.4f}")
