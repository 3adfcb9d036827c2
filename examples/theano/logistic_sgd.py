"""Logistic regression on MNIST by minibatches, in the tutorials' style.

python -m tensorc.theano examples/theano/logistic_sgd.py [epochs] [batch size] [digits]
"""

import gzip
import sys
from pathlib import Path

import numpy
import theano
import theano.tensor as T

DATA = Path(__file__).parent.parent / "data" / "mnist"


def read_idx(name, offset):
    """Return the bytes of a file of MNIST behind its head."""
    with gzip.open(DATA / name) as f:
        return numpy.frombuffer(f.read(), numpy.uint8, offset=offset)


def shared_dataset(x, y):
    """Return images and labels as shared variables; labels are cast to integers."""
    shared_x = theano.shared(numpy.asarray(x, dtype=theano.config.floatX), borrow=True)
    shared_y = theano.shared(numpy.asarray(y, dtype=theano.config.floatX), borrow=True)
    return shared_x, T.cast(shared_y, "int32")


def load_data(limit=None):
    """Return pairs (x, y) for training, validation and test, with pixels in [0, 1).

    `limit` is how many digits of each are taken; all of them without it.
    """
    digits = read_idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx("train-labels-idx1-ubyte.gz", 8)
    test_x = read_idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    test_y = read_idx("t10k-labels-idx1-ubyte.gz", 8)
    parts = [
        (digits[:50000], labels[:50000]),
        (digits[50000:], labels[50000:]),
        (test_x, test_y),
    ]
    return [shared_dataset(x[:limit] / 256, y[:limit]) for x, y in parts]


class LogisticRegression:
    """Classes by a linear function and a softmax."""

    def __init__(self, input, n_in, n_out):
        zeros = numpy.zeros((n_in, n_out), dtype=theano.config.floatX)
        self.W = theano.shared(value=zeros, name="W", borrow=True)
        zeros = numpy.zeros((n_out,), dtype=theano.config.floatX)
        self.b = theano.shared(value=zeros, name="b", borrow=True)
        self.p_y_given_x = T.nnet.softmax(T.dot(input, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]
        self.input = input

    def negative_log_likelihood(self, y):
        """Return the mean over the batch, so that the rate is the same for any size."""
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        """Return the fraction of the batch that is misread."""
        if y.ndim != self.y_pred.ndim:
            raise TypeError("y should have the shape of self.y_pred")
        return T.mean(T.neq(self.y_pred, y))


def fit(models, sizes, n_epochs, patience=5000, increase=2, threshold=0.995):
    """Train with patience; return the best validation error, its test, the epochs."""
    train_model, validate_model, test_model = models
    n_train, n_valid, n_test = sizes
    validation_frequency = min(n_train, patience // 2)
    best_validation_loss, test_score = numpy.inf, 0.0
    epoch, done_looping = 0, False
    while epoch < n_epochs and not done_looping:
        epoch += 1
        for minibatch_index in range(n_train):
            train_model(minibatch_index)
            iteration = (epoch - 1) * n_train + minibatch_index
            if (iteration + 1) % validation_frequency == 0:
                loss = numpy.mean([validate_model(i) for i in range(n_valid)])
                print(f"epoch {epoch}, validation error {loss * 100:f} %")
                if loss < best_validation_loss:
                    if loss < best_validation_loss * threshold:
                        patience = max(patience, iteration * increase)
                    best_validation_loss = loss
                    test_score = numpy.mean([test_model(i) for i in range(n_test)])
            if patience <= iteration:
                done_looping = True
                break
    return best_validation_loss, test_score, epoch


def models_of(cost, errors, updates, datasets, x, y, batch_size):
    """Return the three functions of a minibatch's index, and how many there are."""
    index = T.lscalar("index")
    models, sizes = [], []
    for part, (data_x, data_y) in enumerate(datasets):
        rows = slice(index * batch_size, (index + 1) * batch_size)
        model = theano.function(
            inputs=[index],
            outputs=cost if part == 0 else errors,
            updates=updates if part == 0 else None,
            givens={x: data_x[rows], y: data_y[rows]},
        )
        models.append(model)
        sizes.append(data_x.get_value(borrow=True).shape[0] // batch_size)
    return models, sizes


def sgd_optimization_mnist(n_epochs=1000, batch_size=600, limit=None, rate=0.13):
    """Train the classifier and print what it is worth."""
    datasets = load_data(limit)
    x = T.matrix("x")
    y = T.ivector("y")
    classifier = LogisticRegression(input=x, n_in=28 * 28, n_out=10)
    cost = classifier.negative_log_likelihood(y)
    g_W = T.grad(cost=cost, wrt=classifier.W)
    g_b = T.grad(cost=cost, wrt=classifier.b)
    updates = [
        (classifier.W, classifier.W - rate * g_W),
        (classifier.b, classifier.b - rate * g_b),
    ]
    errors = classifier.errors(y)
    models, sizes = models_of(cost, errors, updates, datasets, x, y, batch_size)
    best, test, epochs = fit(models, sizes, n_epochs)
    print(f"best validation {best * 100:f} %, test {test * 100:f} %, {epochs} epochs")


if __name__ == "__main__":
    sgd_optimization_mnist(*map(int, sys.argv[1:]))
