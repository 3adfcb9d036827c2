"""A perceptron with one hidden layer on MNIST, in the tutorials' style.

python -m tensorc.theano examples/theano/mlp.py [epochs] [digits]
"""

import sys

import numpy
import theano
import theano.tensor as T
from logistic_sgd import LogisticRegression, fit, load_data, models_of


class HiddenLayer:
    """A dense layer; weights are drawn for its activation, if they are not given."""

    def __init__(self, rng, input, n_in, n_out, W=None, b=None, activation=T.tanh):
        self.input = input
        if W is None:
            bound = numpy.sqrt(6.0 / (n_in + n_out))
            values = rng.uniform(low=-bound, high=bound, size=(n_in, n_out))
            if activation == theano.tensor.nnet.sigmoid:
                values *= 4
            values = numpy.asarray(values, dtype=theano.config.floatX)
            W = theano.shared(value=values, name="W", borrow=True)
        if b is None:
            zeros = numpy.zeros((n_out,), dtype=theano.config.floatX)
            b = theano.shared(value=zeros, name="b", borrow=True)
        self.W, self.b = W, b
        linear = T.dot(input, self.W) + self.b
        self.output = linear if activation is None else activation(linear)
        self.params = [self.W, self.b]


class MLP:
    """A hidden layer, and logistic regression on what it gives."""

    def __init__(self, rng, input, n_in, n_hidden, n_out):
        self.hidden = HiddenLayer(rng, input, n_in, n_hidden, activation=T.tanh)
        self.logistic = LogisticRegression(self.hidden.output, n_hidden, n_out)
        weights = self.hidden.W, self.logistic.W
        self.L1 = abs(weights[0]).sum() + abs(weights[1]).sum()
        self.L2_sqr = (weights[0] ** 2).sum() + (weights[1] ** 2).sum()
        self.params = self.hidden.params + self.logistic.params


def train_mlp(n_epochs=1000, limit=None, rate=0.01, L1=0.0, L2=0.0001, batch_size=20):
    """Train the perceptron and print what it is worth."""
    x = T.matrix("x")
    y = T.ivector("y")
    classifier = MLP(numpy.random.RandomState(1234), x, 28 * 28, 500, 10)
    cost = classifier.logistic.negative_log_likelihood(y)
    cost = cost + L1 * classifier.L1 + L2 * classifier.L2_sqr
    gparams = [T.grad(cost, param) for param in classifier.params]
    updates = [
        (param, param - rate * gparam)
        for param, gparam in zip(classifier.params, gparams, strict=True)
    ]
    errors = classifier.logistic.errors(y)
    models, sizes = models_of(cost, errors, updates, load_data(limit), x, y, batch_size)
    best, test, epochs = fit(models, sizes, n_epochs, patience=10000)
    print(f"best validation {best * 100:f} %, test {test * 100:f} %, {epochs} epochs")


if __name__ == "__main__":
    train_mlp(*map(int, sys.argv[1:]))
