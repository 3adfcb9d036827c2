"""A denoising autoencoder on MNIST, in the tutorials' style.

python -m tensorc.theano examples/theano/dA.py [epochs] [digits]
"""

import sys

import numpy
import theano
import theano.tensor as T
from logistic_sgd import load_data
from theano.sandbox.rng_mrg import MRG_RandomStreams


class dA:
    """A layer that learns to make an image out of a corrupted one; weights are tied."""

    def __init__(self, rng, theano_rng, input, n_visible, n_hidden, W=None, bhid=None):
        self.n_visible, self.n_hidden = n_visible, n_hidden
        self.theano_rng = theano_rng
        floatX = theano.config.floatX
        if W is None:
            bound = 4 * numpy.sqrt(6.0 / (n_hidden + n_visible))
            values = rng.uniform(low=-bound, high=bound, size=(n_visible, n_hidden))
            W = theano.shared(numpy.asarray(values, dtype=floatX), "W", borrow=True)
        if bhid is None:
            zeros = numpy.zeros(n_hidden, dtype=floatX)
            bhid = theano.shared(value=zeros, name="b", borrow=True)
        zeros = numpy.zeros(n_visible, dtype=floatX)
        self.b_prime = theano.shared(value=zeros, borrow=True)
        self.W, self.b, self.W_prime = W, bhid, W.T
        self.x = input
        self.params = [self.W, self.b, self.b_prime]

    def get_corrupted_input(self, input, corruption_level):
        """Return the image with a part of its pixels set to 0, drawn by each call."""
        keep = self.theano_rng.binomial(
            size=input.shape, n=1, p=1 - corruption_level, dtype=theano.config.floatX
        )
        return keep * input

    def get_hidden_values(self, input):
        """Return the code of images."""
        return T.nnet.sigmoid(T.dot(input, self.W) + self.b)

    def get_reconstructed_input(self, hidden):
        """Return the images of codes."""
        return T.nnet.sigmoid(T.dot(hidden, self.W_prime) + self.b_prime)

    def get_cost_updates(self, corruption_level, learning_rate):
        """Return the mean cross-entropy of images and their reconstructions; a step."""
        tilde_x = self.get_corrupted_input(self.x, corruption_level)
        y = self.get_hidden_values(tilde_x)
        z = self.get_reconstructed_input(y)
        L = -T.sum(self.x * T.log(z) + (1 - self.x) * T.log(1 - z), axis=1)
        cost = T.mean(L)
        gparams = T.grad(cost, self.params)
        updates = [
            (param, param - learning_rate * gparam)
            for param, gparam in zip(self.params, gparams, strict=True)
        ]
        return cost, updates


def train_dA(n_epochs=15, limit=None, learning_rate=0.1, batch_size=20):
    """Train an autoencoder without noise and one with 30 % of it; print their costs."""
    (train_set_x, _), _, _ = load_data(limit)
    n_train_batches = train_set_x.get_value(borrow=True).shape[0] // batch_size
    for corruption in (0.0, 0.3):
        index = T.lscalar("index")
        x = T.matrix("x")
        rng = numpy.random.RandomState(123)
        theano_rng = MRG_RandomStreams(rng.randint(2**30))
        da = dA(rng, theano_rng, x, n_visible=28 * 28, n_hidden=500)
        cost, updates = da.get_cost_updates(corruption, learning_rate)
        rows = slice(index * batch_size, (index + 1) * batch_size)
        train_da = theano.function(
            [index], cost, updates=updates, givens={x: train_set_x[rows]}
        )
        for epoch in range(n_epochs):
            c = [train_da(batch_index) for batch_index in range(n_train_batches)]
            print(f"corruption {corruption}, epoch {epoch}, cost {numpy.mean(c):f}")


if __name__ == "__main__":
    train_dA(*map(int, sys.argv[1:]))
