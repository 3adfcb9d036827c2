"""The rows of the Theano sheet that speak of whole trainings and of processes."""

import subprocess
import sys

import numpy as np
import pytest

import tensorc as tc
from tests.doors.test_theano_rows import Classifier

BATCH, CLASSES = 20, 3


def columns(rows, seed):
    """Return examples of three classes that no line separates."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, rows)
    centres = np.eye(CLASSES, 8)[labels]
    images = centres + random.normal(size=(rows, 8))
    return {"x": images.astype("float32"), "y": labels}


# 207 rows: ten batches, and seven rows that no batch holds.
TRAIN, VALID, TEST = columns(207, 0), columns(60, 1), columns(40, 2)


def test_S013_functions_are_compiled_independently():
    W = tc.shared(1.0, "W")
    x = tc.dscalar("x")
    product = x * W
    first = tc.function([x], product, updates=[(W, W + 1)], name="f")
    second = tc.function([x], product + W, name="f")
    assert first.emit() != second.emit()
    assert [float(first(3)), float(second(3))] == [3.0, 8.0]
    del first
    assert second(3) == 8.0


def minibatch_models(rate):
    """Return train_model, validate_model and test_model of an index, and W."""
    index, x, y = tc.lscalar("index"), tc.matrix("x"), tc.lvector("y")
    made = Classifier(x, 8, CLASSES)
    cost = made.negative_log_likelihood(y)
    gradients = tc.grad(cost, made.params)
    pairs = zip(made.params, gradients, strict=True)
    updates = [(p, p - rate * g) for p, g in pairs]

    def model(output, data, updates=()):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        shared_x, shared_y = tc.shared(data["x"]), tc.shared(data["y"])
        givens = {x: shared_x[rows], y: shared_y[rows]}
        return tc.function([index], output, updates=updates, givens=givens)

    return (
        model(cost, TRAIN, updates),
        model(made.errors(y), VALID),
        model(made.errors(y), TEST),
        made.W,
    )


def by_hand(epochs, patience, increase, threshold, rate):
    """Train as logistic_sgd.py does: returns epochs, iterations, best, its test, W."""
    train_model, validate_model, test_model, W = minibatch_models(rate)
    n_train, n_valid, n_test = (len(d["y"]) // BATCH for d in (TRAIN, VALID, TEST))
    validation_frequency = min(n_train, patience // 2)
    best_validation_loss, test_score = np.inf, 0.0
    done_looping, epoch = False, 0
    while epoch < epochs and not done_looping:
        epoch += 1
        for minibatch_index in range(n_train):
            train_model(minibatch_index)
            iteration = (epoch - 1) * n_train + minibatch_index
            if (iteration + 1) % validation_frequency == 0:
                loss = np.mean([validate_model(i) for i in range(n_valid)])
                if loss < best_validation_loss:
                    if loss < best_validation_loss * threshold:
                        patience = max(patience, iteration * increase)
                    best_validation_loss = loss
                    test_score = np.mean([test_model(i) for i in range(n_test)])
            if patience <= iteration:
                done_looping = True
                break
    return epoch, best_validation_loss, test_score, W.get_value()


def fitted(epochs, patience, increase, threshold, rate):
    x, y = tc.matrix("x"), tc.lvector("y")
    made = Classifier(x, 8, CLASSES)
    cost = made.negative_log_likelihood(y)
    gradients = tc.grad(cost, made.params)
    pairs = zip(made.params, gradients, strict=True)
    train = tc.function([x, y], cost, updates=[(p, p - rate * g) for p, g in pairs])
    errors = tc.function([x, y], made.errors(y))
    history = tc.fit(
        train,
        tc.data.arrays(TRAIN, VALID, TEST),
        batch=BATCH,
        epochs=epochs,
        validate=errors,
        test=errors,
        stop=tc.patience(patience, increase, threshold),
    )
    best, test = history.best_validation_error, history.test_error
    return len(history.epochs), best, test, made.W.get_value()


@pytest.mark.parametrize(
    ("epochs", "patience", "increase", "threshold"),
    [
        (50, 40, 2, 0.995),  # S018, S033: it stops early
        (3, 5000, 2, 0.995),  # S034: it reaches the last epoch
        (40, 9, 3, 0.9),  # S017: validations within an epoch
    ],
)
def test_S017_S018_S030_to_S034_S04C_fit_is_the_tutorials_loop(
    epochs, patience, increase, threshold
):
    wanted = by_hand(epochs, patience, increase, threshold, 0.3)
    given = fitted(epochs, patience, increase, threshold, 0.3)
    assert given[:3] == pytest.approx(wanted[:3], rel=1e-12)
    np.testing.assert_array_equal(given[3], wanted[3])
    assert 0 < given[1] < 0.6
    assert (given[0] < epochs) == (patience < 5000)


def test_S030_the_rows_behind_the_last_whole_batch_are_left_out():
    seen = tc.shared(0, "seen")
    x, y = tc.matrix("x"), tc.lvector("y")
    counted = tc.function([x, y], x.sum(), updates=[(seen, seen + y.shape[0])])
    tc.fit(counted, TRAIN, batch=BATCH, epochs=2)
    assert seen.get_value() == 2 * 200


@pytest.mark.parametrize("batch", [207, 1, 20], ids=["GD", "SGD", "MSGD"])
def test_S04D_one_function_descends_by_batches_of_any_size(batch):
    x, y = tc.dmatrix("x"), tc.dvector("y")
    w = tc.shared(np.zeros(8), "w")
    loss = tc.mean((x @ w - y) ** 2)
    step = tc.function([x, y], loss, updates=[(w, w - 0.01 * tc.grad(loss, w))])
    images, labels = TRAIN["x"].astype(float), TRAIN["y"].astype(float)
    expected = np.zeros(8)
    for start in range(0, 207, batch):
        part = slice(start, start + batch)
        a, b = images[part], labels[part]
        error = a @ expected - b
        assert step(a, b) == pytest.approx(np.mean(error**2), rel=1e-10)
        expected = expected - 0.01 * 2 * a.T @ error / len(b)
    np.testing.assert_allclose(w.get_value(), expected, rtol=1e-10)


def test_S038_nothing_needs_a_gpu():
    program = """
import sys
sys.modules["pycuda"] = None  # any import of it fails
import tensorc as tc
x = tc.scalar("x")
print(tc.function([x], x * 2)(21))
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("42.0\n", "")


def test_grad_of_grad_in_all_doors(tmp_path):
    path = tmp_path / "cube.tc"
    path.write_text("""
fn f(x: f64[3]) -> f64[3] {
    first = grad(sum(x**3), x)
    return grad(sum(first * x), x)
}
""")
    at = np.array([1.0, -2.0, 0.5])
    x = tc.dvector("x")
    first = tc.grad(tc.sum(x**3), x)
    symbolic = tc.function([x], tc.grad(tc.sum(first * x), x))

    def cost(v):
        return np.sum(v**3)

    @tc.jit
    def traced(v):
        return tc.grad(lambda u: np.sum(tc.grad(cost)(u) * u))(v)

    # The derivative of 3 x**2 * x.
    for f in (tc.load(path).f, symbolic, traced):
        np.testing.assert_allclose(f(at), 9 * at**2, rtol=1e-14)


def test_S0200_a_star_import_gives_the_names_of_the_tutorial():
    names: dict[str, object] = {}
    exec("from tensorc import *", names)
    assert {"function", "shared", "tensor", "grad"} <= names.keys()
    # Theano's had no list, and shadowed `map` and `reduce`.
    assert not {"map", "reduce", "sum", "abs", "max", "min", "all", "any"} & set(names)
    x = names["tensor"]("x", "float32", (None,))
    doubled = names["function"]([x], x * 2)
    assert doubled([1.0, 2.0]).tolist() == [2.0, 4.0]
