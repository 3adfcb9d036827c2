"""What `fit` refuses, and what it says to write: functions, options, columns."""

from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

MODEL = """\
param w: f64[2] = 0
hyper lr = 0.1
fn cost(x: f64[B, 2], y: f64[B]) -> f64 = mean((x @ w - y)**2)
step train(x: f64[B, 2], y: f64[B]) -> f64 {
    c = cost(x, y)
    w <- w - lr * grad(c, w)
    return c
}
fit { data = npz("d.npz")  batch = 5  step = train  epochs = 3 }
"""
DATA = {"x": np.ones((20, 2)), "y": np.ones(20)}
W = tc.shared(np.zeros(2), "W")
A, B = tc.dmatrix("x"), tc.dvector("y")
COST = ((A @ W - B) ** 2).mean()


@tc.step
def train(x, y, lr=0.1):
    cost = tc.mean((x @ W - y) ** 2)
    tc.update(W, W - lr * tc.grad(cost, W))
    return cost


@tc.jit
def loss(x, y):
    return tc.mean((x @ W - y) ** 2)


@tc.step
def idle(x, y):
    return tc.mean((x @ W - y) ** 2)


@tc.step
def idle_with_a_number(x, y, lr=0.1):
    return lr * tc.mean((x @ W - y) ** 2)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    np.savez(folder / "d.npz", **DATA)
    (folder / "m.tc").write_text(MODEL)
    return tc.load(folder / "m.tc")


IDLE = {
    "jit": lambda p: loss,
    "step": lambda p: idle,
    "hyper": lambda p: idle_with_a_number,
    "function": lambda p: tc.function([A, B], COST),
    "file": lambda p: p.cost,
}


@pytest.mark.parametrize("name", IDLE)
def test_what_changes_nothing_is_not_trained(name, program):
    before = W.get_value()
    with pytest.raises(TypeError, match=r"test_fit_advice\.py") as caught:
        tc.fit(IDLE[name](program), DATA, batch=5)
    assert "changes no variable" in said(caught.value)
    assert "@tc.step" in said(caught.value)
    assert "tc.update(W, new)" in said(caught.value)
    np.testing.assert_array_equal(W.get_value(), before)


def test_what_changes_nothing_may_validate(program):
    own = tc.data.arrays(DATA, DATA, DATA)
    history = tc.fit(train, own, batch=5, validate=loss, test=idle)
    assert history.best_validation_error is not None
    updates = [(W, W - 0.1 * tc.grad(COST, W))]
    for step in (program.train, tc.function([A, B], COST, updates=updates)):
        assert tc.fit(step, DATA, batch=5).epochs[0].train_cost >= 0


OPTIONS = {
    "epoch": ({"epoch": 3}, "did you mean `epochs=`?"),
    "shufle": ({"shufle": True}, "did you mean `shuffle=`?"),
    "verbose": ({"verbose": 1}, "callbacks=print"),
    "learning_rate": (
        {"learning_rate": 1},
        "'train' takes lr=; fit takes batch, validate, test, epochs",
    ),
    "lrr": ({"lrr": 1}, "did you mean `lr=`?"),
    "validation_data": ({"validation_data": DATA}, "tc.data.arrays(train, valid)"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_unknown_options_are_answered_with_those_of_fit(name):
    given, words = OPTIONS[name]
    with pytest.raises(TypeError) as caught:
        tc.fit(train, DATA, batch=5, **given)
    assert f"neither fit nor 'train' has an option '{name}'" in said(caught.value)
    assert words in said(caught.value)
    assert "x=" not in said(caught.value)


@pytest.mark.parametrize(
    ("given", "words"), [({"batch_size": 5}, "for batch_size="), ({}, "batch=20")]
)
def test_fit_asks_for_a_batch(given, words):
    with pytest.raises(TypeError, match="fit needs batch=") as caught:
        tc.fit(train, DATA, **given)
    assert words in said(caught.value)


def test_columns_of_other_names_are_named():
    renamed = {"X": DATA["x"], "y": DATA["y"]}
    with pytest.raises(TypeError) as caught:
        tc.fit(train, renamed, batch=5)
    assert "'train' takes 'x', the data has 'X', 'y'" in said(caught.value)
    assert "rename columns: `X` -> `x`" in said(caught.value)
    with pytest.raises(TypeError) as caught:
        tc.fit(train, {"x": DATA["x"], "target": DATA["y"]}, batch=5)
    assert "`target` -> `y`" in said(caught.value)


def test_names_that_are_texts_of_a_file_are_not_shown(tmp_path):
    np.savez(tmp_path / "a.npz", X=DATA["x"], y=DATA["y"])
    with pytest.raises(TypeError) as caught:
        tc.fit(train, tc.data.npz(tmp_path / "a.npz"), batch=5)
    assert "the data has 2 columns" in said(caught.value)
    assert "X" not in said(caught.value)


def test_values_of_a_recipe_are_given_to_load(program):
    with pytest.raises(TypeError, match=r"test_fit_advice\.py") as caught:
        program.fit(epochs=2)
    assert f"tc.load('{program.path}', epochs=…)" in said(caught.value)
    assert len(tc.load(program.path, epochs=2).fit().epochs) == 2


@pytest.mark.parametrize("given", [3, "first", True])
def test_a_recipe_is_one_of_the_file(program, given):
    with pytest.raises(TypeError, match="recipe is one of the fits of") as caught:
        program.fit(given)
    assert "program.fits[0]" in said(caught.value)
    (fit,) = program.fits
    with pytest.raises(TypeError, match="recipe is one of the fits of"):
        program.fit(replace(fit, epochs=7))
    assert len(program.fit(fit).epochs) == 3
