"""The prelude's functions against numpy, in the language."""

import numpy as np
import pytest

from tests.frontend.irgen_helpers import diagnostics, run, value

A = np.arange(6.0).reshape(2, 3) - 2.3
B = np.array([[1.0, 2, -3], [4, 0.5, 6]])

EXPRESSIONS = {
    "abs(x) + sign(y)": lambda x, y: np.abs(x) + np.sign(y),
    "tanh(x) + sigmoid(y)": lambda x, y: np.tanh(x) + 1 / (1 + np.exp(-y)),
    "softplus(x) + log1p(exp(y))": lambda x, y: (
        np.log1p(np.exp(x)) + np.logaddexp(0, y)
    ),
    "expm1(x) * sin(x) + cos(y)": lambda x, y: np.expm1(x) * np.sin(x) + np.cos(y),
    "floor(x) + ceil(y) + round(x)": lambda x, y: np.floor(x) + np.ceil(y) + np.rint(x),
    "round(x + 0.8)": lambda x, y: np.rint(x + 0.8),
    "isnan(0 / (x - x))": lambda x, y: np.isnan(0 / (x - x)),
    "isfinite(x / 0) or x > 0": lambda x, y: np.isfinite(x / 0) | (x > 0),
    "reciprocal(x)": lambda x, y: 1 / x,
    "relu(x) + square(y)": lambda x, y: np.maximum(x, 0) + y * y,
    "x // y": lambda x, y: x // y,
    "x % y - 7 // x": lambda x, y: x % y - 7 // x,
    "abs(x) ** y": lambda x, y: np.abs(x) ** y,
    "2 ** x + abs(y) ** 2.5": lambda x, y: 2**x + np.abs(y) ** 2.5,
    "x ** 3 + x ** -1": lambda x, y: x**3 + 1 / x,
    "prod(x) + prod(y, axis=0)": lambda x, y: x.prod() + y.prod(0),
    "min(y, axis=1, keepdims=true)": lambda x, y: y.min(1, keepdims=True),
    "argmin(y, axis=1)": lambda x, y: y.argmin(1),
    "argmin(y)": lambda x, y: y.argmin(),
    "any(x > 0, axis=0)": lambda x, y: (x > 0).any(0),
    "all(x > 0, axis=1)": lambda x, y: (x > 0).all(1),
    "concatenate((x, y), axis=1)": lambda x, y: np.concatenate((x, y), 1),
    "concatenate([x, 2 * y, x[:1]])": lambda x, y: np.concatenate((x, 2 * y, x[:1])),
    "stack((x, y), axis=-1)": lambda x, y: np.stack((x, y), -1),
    "stack([x[0], y[1]])": lambda x, y: np.stack((x[0], y[1])),
    "split(x, 3, axis=1)[1]": lambda x, y: np.split(x, 3, 1)[1],
    "split(x, (1, 2), axis=-1)[2]": lambda x, y: np.split(x, (1, 2), -1)[2],
    "split(x, (1, -1, 9), axis=1)[1]": lambda x, y: np.split(x, (1, -1, 9), 1)[1],
    "concatenate(split(x, 3, axis=1))": lambda x, y: np.concatenate(np.split(x, 3, 1)),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.parametrize("rows", ["B", "2"])
def test_functions_match_numpy(text, rows):
    with np.errstate(all="ignore"):
        wanted = EXPRESSIONS[text](A, B)
    given = value(text, f"x: f64[{rows}, 3], y: f64[{rows}, 3]", A, B)
    assert given.dtype == np.asarray(wanted).dtype
    assert given.shape == np.shape(wanted)
    np.testing.assert_allclose(given, wanted, rtol=1e-14)


INTEGERS = {
    "i // j": lambda i, j: i // j,
    "i % j": lambda i, j: i % j,
    "abs(i) + sign(j)": lambda i, j: np.abs(i) + np.sign(j),
    "prod(i)": lambda i, j: np.prod(i),
    "min(i)": lambda i, j: i.min(),
    "floor(i) + ceil(i)": lambda i, j: i + i,
    "i ** 2": lambda i, j: i**2,
    "relu(i)": lambda i, j: np.maximum(i, 0),
    "concatenate((i, j))": lambda i, j: np.concatenate((i, j)),
}


@pytest.mark.parametrize("text", INTEGERS)
def test_integers_stay_integers_as_in_numpy(text):
    i, j = np.array([-7, 7, 5, -128], "i1"), np.array([2, -3, 0, -1], "i1")
    with np.errstate(all="ignore"):
        wanted = INTEGERS[text](i, j)
    given = value(text, "i: i8[B], j: i8[B]", i, j)
    assert given.dtype == np.asarray(wanted).dtype
    np.testing.assert_array_equal(given, wanted)


def test_numbers_fold_and_hypers_are_computed_at_run_time():
    text = """
    hyper p = 2.5, n = 7
    fn f(x: f64) = tanh(0.5) * x**p + n // 2 + n % 4 + sign(-p) + floor(p)
    """
    (given,), _ = run(text, "f", 4)
    np.testing.assert_allclose(given, np.tanh(0.5) * 32 + 3 + 3 - 1 + 2)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("i ** j", "TC0190", "`**` of integers with this exponent"),
        ("i ** -1", "TC0302", "integers have no negative powers"),
        ("concatenate(i)", "TC0317", "`concatenate` takes a tuple of tensors"),
        ("concatenate((x, i))", "TC0301", "do not fit one after the other"),
        ("concatenate([])", "TC0301", "needs at least one tensor"),
        ("stack((x, x[0]))", "TC0301", "stack: shapes differ"),
        ("split(x, 2, axis=1)[0]", "TC0301", "an axis of size 3 has no 2 equal parts"),
        ("split(i, 0)[0]", "TC0301", "a positive number of parts, got 0"),
        ("sign(i > 0)", "TC0302", "`sign` is not defined on booleans"),
        (
            "argmin(x, axis=(0, 1))",
            "TC0317",
            "`argmin`: axis must be one integer or none",
        ),
        ("min(x[:, :0], axis=1)", "TC0301", "has no elements"),
    ],
)
def test_messages(text, code, message):
    found = diagnostics(f"fn f(i: i8[B], j: i8[B], x: f64[4, 3]) = {text}")
    assert [(d.code, message in d.message) for d in found] == [(code, True)], found
