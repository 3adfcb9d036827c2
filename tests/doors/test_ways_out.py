"""Ways out that errors name work as they are written, or say what there is instead."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

W = tc.shared(np.ones(3), "W")
RNG = np.random.default_rng(0)


class Model:
    @tc.step
    def fit(self, x):
        tc.update(W, W + tc.sum(x))


TABLE = np.zeros((3, 3))  # made outside of the trace


def stored(x):
    table = TABLE
    i = x.astype("int64")[0]
    table[i, 1] += 1
    return x


def masked(x):
    x[x == 0] = 1
    return x


def masked_by_a_constant(x):
    x[np.array([True, False, True])] = 1
    return x


CASES = {
    "float": (lambda: float(tc.shared(1.0, "b")), "W.get_value()"),
    "numpy": (lambda: W.numpy(), "write W.get_value()"),
    "value": (lambda: W.value, "write W.get_value()"),
    "method": (lambda: Model().fit(np.ones(3)), "tc.step(obj.method)"),
    "added": (lambda: tc.jit(stored)(np.ones(3)), "table = table.at[i, 1].add(v)"),
    "mask": (lambda: tc.jit(masked)(np.ones(3)), "x = np.where(x == 0, 1, x)"),
    "fixed mask": (lambda: tc.jit(masked_by_a_constant)(np.ones(3)), "np.where("),
    "round": (
        lambda: tc.jit(lambda x: round(x, 2))(np.ones(3)),
        "np.round(x, decimals)",
    ),
    "tens": (lambda: tc.jit(lambda x: np.round(x, -1))(np.ones(3, int)), "// 10 * 10"),
    "geomspace": (
        lambda: tc.jit(lambda x: np.geomspace(x[0], x[1], 3))(np.ones(3)),
        "np.exp(np.linspace(np.log(a), np.log(b), n))",
    ),
    **{
        f"{ufunc.__name__}.accumulate": (
            lambda ufunc=ufunc: tc.jit(lambda x: ufunc.accumulate(x))(np.ones(3)),
            f"write {words}(x, axis=0)",
        )
        for ufunc, words in (
            (np.add, "np.cumsum"),
            (np.maximum, "tc.cummax"),
            (np.logaddexp, "tc.logcumsumexp"),
        )
    },
    "fft": (lambda: tc.jit(lambda x: np.fft.fft(x))(np.ones(3)), "no complex numbers"),
    "adam": (lambda: tc.adam, "tc.update(W, W - lr * g)"),
    "nn": (lambda: tc.nn, "tc.relu"),
    "array": (lambda: tc.array, "tc.constant(v)"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_way_out_is_named(name):
    call, words = CASES[name]
    with pytest.raises((TypeError, AttributeError)) as caught:
        call()
    assert words in said(caught.value)


def test_adding_to_a_constant_works_as_it_is_said():
    @tc.jit
    def f(i):
        table = tc.constant(np.zeros((3, 3)))
        return table.at[i[0], 1].add(1)

    assert f(np.array([2])).tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_spellings_of_functions_that_are_not_here():
    x, edges = RNG.normal(size=5), np.sort(RNG.normal(size=4))
    pairs = [
        (lambda x: np.sum(x[:, None] > edges, axis=1), np.searchsorted(edges, x)),
        (lambda x: np.sum(x[:, None] >= edges, axis=1), np.digitize(x, edges)),
        (lambda x: np.log(x + np.sqrt(x * x + 1)), np.arcsinh(x)),
    ]
    for written, wanted in pairs:
        np.testing.assert_allclose(tc.jit(written)(x), wanted, rtol=1e-12)
    big = 1 + np.abs(x)
    found = tc.jit(lambda x: np.log(x + np.sqrt(x * x - 1)))(big)
    np.testing.assert_allclose(found, np.arccosh(big), rtol=1e-12)


def test_runs_and_data_have_short_texts():
    @tc.step
    def train(x):
        tc.update(W, W + 0 * tc.sum(x))
        return tc.sum(x)

    data = tc.data.arrays({"x": np.ones(2000)}, valid={"x": np.ones(10)})
    assert repr(data) == "<Dataset arrays: train 2,000, valid 10>"
    history = tc.fit(train, data, batch=10, epochs=2, validate=train)
    assert len(history) == 2
    text = "<History: 2 epochs, last cost 10, best validation error 10>"
    assert repr(history) == text
