"""`tc.step`, `tc.update`, `tc.fit` and `tc.load`."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

RNG = np.random.default_rng(1)
X = RNG.normal(size=(120, 5)).astype("float32")
Y = (X @ RNG.normal(size=(5, 3))).argmax(axis=1)

MODEL = """
hyper lr = 0.5
param W: float[5, 3] = 0
param b: float[3] = 0
fn error(x: float[B, 5], y: int[B]) -> float = mean(argmax(x @ W + b, axis=1) != y)
step train(x: float[B, 5], y: int[B]) -> float {
    cost = mean(cross_entropy(x @ W + b, y))
    W <- W - lr * grad(cost, W)
    b <- b - lr * grad(cost, b)
    return cost
}
"""


def softmax_regression():
    W = tc.shared(np.zeros((5, 3), "float32"), "W")
    b = tc.shared(np.zeros(3, "float32"), "b")

    @tc.jit
    def error(x, y):
        return np.mean(np.argmax(x @ W + b, axis=1) != y, dtype="float32")

    @tc.step
    def train(x, y, lr=0.5):
        cost = np.mean(tc.cross_entropy(x @ W + b, y))
        gradients = tc.grad(cost, (W, b))
        new = [p - lr * g for p, g in zip((W, b), gradients, strict=True)]
        tc.update((W, b), tuple(new))
        return cost

    return W, b, error, train


def test_updates_read_old_values_and_commit_together():
    a, b = tc.shared(1.0, "a"), tc.shared(2.0, "b")

    @tc.step
    def swap():
        before = a + 10 * b
        tc.update((a, b), (b, a))
        return before

    assert swap() == 21
    assert (a.get_value(), b.get_value()) == (2, 1)
    assert swap() == 12


def test_numbers_take_the_type_of_the_memory():
    W = tc.shared(np.zeros(3, "float32"), "W")

    @tc.step
    def fill(x):
        tc.update(W, W * 0 + x)

    assert fill(2.5) is None
    assert W.get_value().tolist() == [2.5] * 3


def test_a_step_within_a_step_belongs_to_it():
    count = tc.shared(0, "count")

    @tc.step
    def tick():
        tc.update(count, count + 1)

    @tc.step
    def train(x):
        product = x * count
        tick()
        return product

    assert train(2) == 0
    assert train(2) == 2
    with pytest.raises(TypeError, match=r"only allowed in a `@tc.step`"):
        tc.jit(lambda x: (tick(), x))(1.0)


def test_after_an_error_no_memory_has_changed():
    W = tc.shared(np.zeros(3), "W")

    @tc.step
    def train(x, i):
        tc.update(W, W + 1)
        return x[tc.arange(i.shape[0]), i]

    with pytest.raises(IndexError):
        train(np.ones((2, 2)), np.array([0, 5]))
    assert W.get_value().tolist() == [0, 0, 0]


WRONG = [
    (lambda W: tc.update(W, np.zeros((3, 1))), ValueError, "the new value of <W"),
    (lambda W: tc.update(W, np.zeros(3, int)), TypeError, "new.astype('float64')"),
    (lambda W: tc.update("W", 2), TypeError, "tc.shared(value, 'W')"),
    (lambda W: tc.update([W], (W,)), TypeError, "the structure (*,), not [*]"),
    (lambda W: (tc.update(W, 1), tc.update(W, 2)), ValueError, "updated twice"),
]


@pytest.mark.parametrize(("body", "error", "words"), WRONG)
def test_wrong_updates_are_told(body, error, words):
    W = tc.shared(np.zeros(3), "W")

    @tc.step
    def train():
        body(W)

    with pytest.raises(error) as caught:
        train()
    assert words in said(caught.value)


def test_fit_trains_as_calls_do():
    W, b, _, train = softmax_regression()
    for _ in range(3):
        for i in range(0, 120, 40):
            train(X[i : i + 40], Y[i : i + 40])
    expected = W.get_value(), b.get_value()
    W, b, _error, train = softmax_regression()
    seen = []
    history = tc.fit(train, {"x": X, "y": Y}, batch=40, epochs=3, callbacks=seen.append)
    np.testing.assert_array_equal(W.get_value(), expected[0])
    np.testing.assert_array_equal(b.get_value(), expected[1])
    assert [record.epoch for record in seen] == [1, 2, 3]
    assert len(history.epochs) == 3
    costs = [record.train_cost for record in history.epochs]
    assert costs[2] < costs[1] < costs[0]


def test_fit_validates_tests_and_stops():
    _, _, error, train = softmax_regression()
    columns = {"x": X, "y": Y}
    data = tc.data.arrays(columns, valid=columns, test=columns)
    history = tc.fit(
        train,
        data,
        batch=30,
        epochs=500,
        validate=error,
        stop=tc.patience(20, increase=1.5),
        shuffle=True,
        seed=3,
        lr=0.1,
    )
    assert history.stopped_early
    assert history.best_validation_error < 0.3
    assert history.test_error is not None
    assert history.is_fraction


def test_the_doors_train_to_the_same_bits(tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(MODEL, encoding="utf-8")
    model = tc.load(path, lr=0.25)
    columns = {"x": X, "y": Y}
    data = tc.data.arrays(columns, valid=columns)
    options = {"batch": 40, "epochs": 2}
    first = tc.fit(model.train, data, validate=model.error, **options)
    W, _b, error, train = softmax_regression()
    second = tc.fit(train, data, validate=error, lr=0.25, **options)
    np.testing.assert_array_equal(model.W.get_value(), W.get_value())
    assert first.best_validation_error == second.best_validation_error
    x, y = tc.matrix("x"), tc.lvector("y")
    V, c = tc.shared(np.zeros((5, 3), "float32")), tc.shared(np.zeros(3, "float32"))
    cost = tc.mean(tc.cross_entropy(x @ V + c, y))
    new = [
        (p, p - 0.25 * g) for p, g in zip((V, c), tc.grad(cost, [V, c]), strict=True)
    ]
    tc.fit(tc.function([x, y], cost, updates=new), data, **options)
    np.testing.assert_array_equal(V.get_value(), W.get_value())


def test_a_file_is_a_python_object(tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(MODEL, encoding="utf-8")
    model = tc.load(str(path))
    assert {"W", "b", "error", "train"} <= set(dir(model))
    assert model.W is model.W
    model.b.set_value([1, 2, 3])
    assert model.error(X, np.full(120, 2)) == 0
    assert model.train(X, Y, lr=0.0) > 0
    total = tc.jit(lambda: model.b.sum())
    assert total() == 6
    with pytest.raises(AttributeError, match="did you mean `error`"):
        _ = model.eror
    with pytest.raises(tc.CompileError, match="lr is a number"):
        tc.load(path, lr=[1])


FIT = {"batch": 40, "epochs": 1}
WRONG_FITS = [
    (lambda f: tc.fit(lambda x: x, {"x": X}, **FIT), TypeError, "@tc.step"),
    (lambda f: tc.fit(f, {"x": X}, **FIT), TypeError, "takes 'y', the data has"),
    (lambda f: tc.fit(f, X, **FIT), TypeError, "a dictionary of columns"),
    (lambda f: tc.fit(f, {"x": X, "y": Y[:9]}, **FIT), ValueError, "differ in length"),
    (lambda f: tc.fit(f, {"x": X, "y": 3}, **FIT), ValueError, "is one number"),
    (
        lambda f: tc.fit(f, {"x": X, "y": Y}, batch="all"),
        TypeError,
        "`batch` is a positive integer",
    ),
    (lambda f: tc.fit(f, {"x": X, "y": Y}, **FIT, stop=3), TypeError, "tc.patience("),
    (lambda f: tc.fit(f, {"x": X, "y": Y}, **FIT, lrr=3), TypeError, "'lrr'"),
    (lambda f: tc.fit(f, {"x": X, "y": Y}, **FIT, callbacks=3), TypeError, "callbacks"),
    (lambda f: tc.fit(f, {"x": X, "y": Y}, batch=999), ValueError, "a batch 999"),
    (lambda f: tc.fit(f, {"x": X, "y": Y}, **FIT, validate=f), ValueError, "valid"),
    (lambda f: tc.patience("long"), TypeError, "`steps` of `patience` is a number"),
    (lambda f: tc.data.mnist("nowhere"), ValueError, "no such directory"),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG_FITS)
def test_wrong_fits_are_told(call, error, words):
    with pytest.raises(error) as caught:
        call(softmax_regression()[3])
    assert words in said(caught.value)
