"""LeNet on MNIST, in the tutorials' style.

python -m tensorc.theano examples/theano/convolutional_mlp.py [epochs] [digits] [batch]
"""

import sys

import numpy
import theano
import theano.tensor as T
from logistic_sgd import LogisticRegression, fit, load_data, models_of
from mlp import HiddenLayer
from theano.tensor.nnet import conv2d
from theano.tensor.signal import pool


class LeNetConvPoolLayer:
    """A convolution, the largest of each window, a bias for each channel, tanh."""

    def __init__(self, rng, input, filter_shape, image_shape, poolsize=(2, 2)):
        assert image_shape[1] == filter_shape[1]
        fan_in = numpy.prod(filter_shape[1:])
        fan_out = filter_shape[0] * numpy.prod(filter_shape[2:]) // numpy.prod(poolsize)
        bound = numpy.sqrt(6.0 / (fan_in + fan_out))
        values = rng.uniform(low=-bound, high=bound, size=filter_shape)
        values = numpy.asarray(values, dtype=theano.config.floatX)
        self.W = theano.shared(values, borrow=True)
        zeros = numpy.zeros((filter_shape[0],), dtype=theano.config.floatX)
        self.b = theano.shared(value=zeros, borrow=True)
        conv_out = conv2d(
            input=input,
            filters=self.W,
            filter_shape=filter_shape,
            input_shape=image_shape,
        )
        pooled_out = pool.pool_2d(input=conv_out, ds=poolsize, ignore_border=True)
        self.output = T.tanh(pooled_out + self.b.dimshuffle("x", 0, "x", "x"))
        self.params = [self.W, self.b]


def evaluate_lenet5(
    n_epochs=200, limit=None, batch_size=500, rate=0.1, nkerns=(20, 50)
):
    """Train the network and print what it is worth."""
    rng = numpy.random.RandomState(23455)
    x = T.matrix("x")
    y = T.ivector("y")
    layer0 = LeNetConvPoolLayer(
        rng,
        input=x.reshape((batch_size, 1, 28, 28)),
        image_shape=(batch_size, 1, 28, 28),
        filter_shape=(nkerns[0], 1, 5, 5),
    )
    layer1 = LeNetConvPoolLayer(
        rng,
        input=layer0.output,
        image_shape=(batch_size, nkerns[0], 12, 12),
        filter_shape=(nkerns[1], nkerns[0], 5, 5),
    )
    layer2 = HiddenLayer(rng, layer1.output.flatten(2), nkerns[1] * 4 * 4, 500)
    layer3 = LogisticRegression(layer2.output, 500, 10)
    cost = layer3.negative_log_likelihood(y)
    params = layer3.params + layer2.params + layer1.params + layer0.params
    grads = T.grad(cost, params)
    updates = [(p, p - rate * g) for p, g in zip(params, grads, strict=True)]
    models, sizes = models_of(
        cost, layer3.errors(y), updates, load_data(limit), x, y, batch_size
    )
    best, test, epochs = fit(models, sizes, n_epochs, patience=10000)
    print(f"best validation {best * 100:f} %, test {test * 100:f} %, {epochs} epochs")


if __name__ == "__main__":
    evaluate_lenet5(*map(int, sys.argv[1:]))
