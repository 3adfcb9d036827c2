"""Medians, quantiles, bins and counts in all doors, and what is refused of them."""

from functools import partial

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 4, 5)) * 9
V = RNG.normal(size=(6, 7))
EDGES = np.sort(RNG.normal(size=6))
COUNTED = RNG.integers(0, 9, 40)
METHODS = ("linear", "lower", "higher", "nearest", "midpoint")
NAN, INF = np.nan, np.inf

CALLS = [
    lambda np, x: np.median(x),
    lambda np, x: np.median(x, axis=(0, 2), keepdims=True),
    lambda np, x: np.percentile(x, 30, axis=1),
    lambda np, x: np.diff(x),
    lambda np, x: np.diff(x, n=2, axis=0),
    lambda np, x: np.diff(x > 0, axis=1),
    lambda np, x: np.digitize(x, EDGES),
    lambda np, x: np.digitize(x, EDGES[::-1], right=True),
    lambda np, x: np.digitize(x, EDGES[:1]),
    # At an edge, which no random number meets.
    lambda np, x: np.digitize(x * 0 + EDGES[2], EDGES),
    lambda np, x: np.digitize(x * 0 + EDGES[2], EDGES, right=True),
    lambda np, x: np.digitize(x * 0 + EDGES[2], EDGES[::-1]),
    lambda np, x: np.digitize(x * 0 + EDGES[2], EDGES[::-1], right=True),
    lambda np, x: np.histogram(x)[0],
    lambda np, x: np.histogram(x, 5, range=(-1, 2))[1],
    lambda np, x: np.histogram(x, EDGES)[0],
    lambda np, x: np.histogram(x, EDGES, density=True)[0],
    lambda np, x: np.partition(x, 1, axis=0)[1],
]


@pytest.mark.parametrize("number", range(len(CALLS)))
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_values_are_numpys(number, dtype):
    call, x = CALLS[number], X.astype(dtype)
    want = call(np, x)
    for package in (np, tc):
        got = tc.jit(lambda x, p=package: call(p, x))(x)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        rtol = 1e-6 if got.itemsize == 4 else 1e-13
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
    v = tc.tensor3("x", dtype=dtype)
    got = tc.function([v], call(tc, v), on_unused_input="ignore")(x)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("edges", [[-1, 0, 0, 2.5], [2.5, 0, 0, -1], [1, 1], [2], []])
def test_values_on_edges_are_in_numpys_bins(edges, right):
    x, bins = np.array([-2, -1, -0.0, 1, 2, 2.5, 3, NAN, INF, -INF]), np.array(edges)
    got = tc.jit(lambda x, e: np.digitize(x, e, right=right))(x, bins)
    np.testing.assert_array_equal(got, np.digitize(x, bins, right=right))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("q", [0, 0.3, 0.5, 1, np.array([0.1, 0.5, 0.9])])
def test_quantiles_are_numpys(method, q):
    for axis in (None, 0, (0, 2), -1):
        f = partial(np.quantile, q=q, axis=axis, method=method, keepdims=True)
        np.testing.assert_allclose(tc.jit(lambda x, f=f: f(x))(X), f(X), rtol=1e-12)
    ties = np.arange(5.0)  # places half way
    f = lambda x: np.quantile(x, [0.125, 0.375, 0.625], method=method)  # noqa: E731
    np.testing.assert_array_equal(tc.jit(f)(ties), f(ties))


def test_a_part_may_be_computed():
    parts = np.array([[0.2, 0.9], [0.5, 1.0]])
    got = tc.jit(lambda x, q: np.quantile(x, q, 1))(X, parts)
    np.testing.assert_allclose(got, np.quantile(X, parts, 1), rtol=1e-12)
    beyond = tc.jit(lambda x, q: tc.quantile(x, q))(X, np.array([NAN, 7.0, -1.0]))
    assert beyond[1:].tolist() == [X.max(), X.min()]


def test_nans_and_infinities():
    f = tc.jit(
        lambda x: (
            tc.median(x),
            tc.quantile(x, 0.2),
            tc.quantile(x, 0.2, method="lower"),
        )
    )
    assert np.isnan(f(np.array([1, NAN, 3, 2.0]))).all()
    assert [float(v) for v in f(np.array([-INF, 1, INF, INF]))] == [INF, -INF, -INF]
    wide = np.array([1.7e308, 1.7e308])
    assert f(wide)[0] == 1.7e308  # NumPy's overflows
    counts = tc.jit(lambda x: tc.histogram(x, np.array([0.0, 1, 2])))
    assert counts(np.array([NAN, INF, 2, 1, 0, -0.0, -1]))[0].tolist() == [2, 2]


def test_a_program_has_them(tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(
        "fn mid(x: f64[N, M]) = median(x, axis=1)\n"
        'fn low(x: f64[N, M]) = quantile(x, 0.3, method="lower")\n'
        "fn high(x: f64[N, M]) = percentile(x, 90, axis=0)\n"
        "fn bins(x: f64[N, M], e: f64[K]) = digitize(x, e)\n"
        "fn counts(x: int[N]) = bincount(x, minlength=9)\n"
        "fn weighed(x: int[N], w: f64[N]) = bincount(x, w, minlength=12)\n"
        "fn shown(x: f64[N, M]) = histogram(x, 4, range=(-1, 1))[0]\n"
        "fn steps(x: f64[N, M]) = diff(x, axis=0)\n"
    )
    program = tc.load(path)
    weights = RNG.normal(size=40)
    pairs = [
        (program.mid(V), np.median(V, 1)),
        (program.low(V), np.quantile(V, 0.3, method="lower")),
        (program.high(V), np.percentile(V, 90, 0)),
        (program.bins(V, EDGES), np.digitize(V, EDGES)),
        (program.counts(COUNTED), np.bincount(COUNTED, minlength=9)),
        (program.weighed(COUNTED, weights), np.bincount(COUNTED, weights, 12)),
        (program.shown(V), np.histogram(V, 4, (-1, 1))[0]),
        (program.steps(V), np.diff(V, axis=0)),
    ]
    for got, want in pairs:
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_slopes_go_to_the_elements_that_are_given():
    x = np.array([5.0, 1, 4, 2])
    slope = tc.jit(tc.grad(lambda x: tc.median(x)))
    np.testing.assert_array_equal(slope(x), [0, 0, 0.5, 0.5])
    np.testing.assert_array_equal(slope(x[:3]), [0, 0, 1])
    slope = tc.jit(tc.grad(lambda x: tc.quantile(x, 0.25)))
    np.testing.assert_allclose(slope(x), [0, 0.25, 0, 0.75])
    slope = tc.jit(tc.grad(lambda w: (tc.bincount(COUNTED, w, minlength=9) ** 2).sum()))
    weights = RNG.normal(size=40)
    want = 2 * np.bincount(COUNTED, weights)[COUNTED]
    np.testing.assert_allclose(slope(weights), want)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda x: np.bincount(x.astype(int)),
            "give one more than the largest value",
        ),
        (lambda x: np.bincount(x, minlength=3), "bincount counts integers"),
        (lambda x: np.unique(x), "write np.sort(x)"),
        (lambda x: tc.quantile(x, 1.2), "q is from 0 to 1, got 1.2"),
        (lambda x: tc.percentile(x, [3, 101.0]), "q is from 0 to 100"),
        (lambda x: tc.quantile(x, 0.5, method="weibull"), "method"),
        (lambda x: tc.quantile(x > 0, 0.5), "nothing stands between booleans"),
        (lambda x: tc.median(x[:0]), "has no elements"),
        (lambda x: tc.histogram(x, 0), "at least 1 bin"),
        (lambda x: tc.histogram(x, 2.5), "a whole number of bins"),
        (lambda x: tc.digitize(x, x[None]), "takes a vector of bins"),
        (lambda x: tc.diff(x, -1), "n is from 0 to 1000"),
    ],
)
def test_what_is_refused_says_what_can_be(call, words):
    with pytest.raises((TensorcError, TypeError)) as caught:
        tc.jit(call)(V[0])
    assert words in str(caught.value)


def test_a_value_beyond_the_bins_is_an_index_error():
    f = tc.jit(lambda x: tc.bincount(x, minlength=5))
    assert f(np.array([4, 4, 0])).tolist() == [1, 0, 0, 0, 2]
    for wrong in (5, -1):
        with pytest.raises(IndexError):
            f(np.array([0, wrong]))
    with pytest.raises(TensorcError, match="has elements along the axis"):
        tc.jit(lambda x: tc.median(x))(np.zeros(0))
