"""Minibatches by index: the tutorials' train_model(i)."""

import numpy as np

import tensorc as tc
from tests.doors.test_theano_rows import Classifier


def test_S049_a_slice_by_a_symbolic_index_in_givens():
    train_set_x = tc.shared(np.arange(30.0).reshape(10, 3), "train_set_x")
    x, index, batch_size = tc.dmatrix("x"), tc.lscalar("index"), 2
    data = train_set_x[2 * batch_size : 3 * batch_size]
    f = tc.function([], x * 2, givens={x: data})
    values = train_set_x.get_value()
    np.testing.assert_array_equal(f(), 2 * values[4:6])
    data = train_set_x[index * batch_size : (index + 1) * batch_size]
    f = tc.function([index], x * 2, givens={x: data})
    size = tc.iscalar("size")
    data = train_set_x[2 * size : 3 * size]
    g = tc.function([size], x * 2, givens={x: data})
    for i in range(-7, 8):
        np.testing.assert_array_equal(f(i), 2 * values[i * 2 : (i + 1) * 2])
        np.testing.assert_array_equal(g(i), 2 * values[2 * i : 3 * i])


def test_S015_S016_train_model_takes_the_index_of_a_minibatch():
    random = np.random.RandomState(0)
    images = random.randn(50, 8)
    labels = random.randint(0, 3, 50)
    train_set_x, shared_y = tc.shared(images), tc.shared(labels.astype("float32"))
    train_set_y = tc.cast(shared_y, "int32")
    index, x, y = tc.lscalar("index"), tc.dmatrix("x"), tc.ivector("y")
    made, by_hand = Classifier(x, 8, 3), Classifier(x, 8, 3)
    batch_size = 20
    givens = {
        x: train_set_x[index * batch_size : (index + 1) * batch_size],
        y: train_set_y[index * batch_size : (index + 1) * batch_size],
    }
    cost, gradients = trained(made, y)
    train_model = tc.function([index], cost, updates=gradients, givens=givens)
    test_model = tc.function([index], made.errors(y), givens=givens)
    cost, gradients = trained(by_hand, y)
    train = tc.function([x, y], cost, updates=gradients)
    errors = tc.function([x, y], by_hand.errors(y))
    for _ in range(3):
        for i in range(3):  # the last minibatch has 10 rows
            part = slice(i * batch_size, (i + 1) * batch_size)
            given = images[part], labels[part].astype("int32")
            assert test_model(i) == errors(*given)
            assert train_model(i) == train(*given)
    for a, b in zip(made.params, by_hand.params, strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
        assert a.get_value().any()


def trained(classifier, y):
    """Return the cost and the updates of one step."""
    cost = classifier.negative_log_likelihood(y)
    gradients = tc.grad(cost, classifier.params)
    pairs = zip(classifier.params, gradients, strict=True)
    return cost, [(p, p - tc.cast(0.13 * g, "float32")) for p, g in pairs]
