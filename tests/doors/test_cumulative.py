"""What an axis adds up to so far, in all doors: values of NumPy, and slopes."""

import numpy as np
import pytest

import tensorc as tc

INF, NAN = np.inf, np.nan
X = np.random.default_rng(1).normal(size=(3, 4, 5))

# Ours, and NumPy's.
ONES = {
    "cumsum": (tc.cumsum, np.cumsum),
    "cumprod": (tc.cumprod, np.cumprod),
    "cummax": (tc.cummax, lambda x, axis: accumulated(np.maximum, x, axis)),
    "cummin": (tc.cummin, lambda x, axis: accumulated(np.minimum, x, axis)),
    "logcumsumexp": (
        tc.logcumsumexp,
        lambda x, axis: accumulated(np.logaddexp, x, axis),
    ),
}


def accumulated(ufunc, x, axis):
    return ufunc.accumulate(x.ravel() if axis is None else x, axis or 0)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ONES)
def test_values_are_numpys_in_all_doors(name, axis, tmp_path):
    ours, numpys = ONES[name]
    want = numpys(X, axis)
    given = "" if axis is None else f", axis={axis}"
    path = tmp_path / "model.tc"
    path.write_text(f"fn f(x: f64[N, 4, M]) = {name}(x{given})\n")
    x = tc.tensor3("x", dtype="float64")
    for got in (
        tc.jit(lambda x: ours(x, axis))(X),
        tc.function([x], ours(x, axis=axis))(X),
        tc.load(path).f(X),
    ):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_numpys_functions_and_methods_are_these(axis):
    x = X[0]
    for f in (
        lambda x: np.cumsum(x, axis),
        lambda x: x.cumsum(axis),
        lambda x: np.cumprod(x, axis=axis),
        lambda x: x.cumprod(axis=axis),
        lambda x: np.cumsum(x, axis, dtype="float32"),
    ):
        got = tc.jit(f)(x)
        assert got.dtype == f(x).dtype
        np.testing.assert_allclose(got, f(x), rtol=1e-6 if got.itemsize == 4 else 1e-13)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint64"])
def test_integers_have_numpys_types_and_wrap(dtype):
    x = np.random.default_rng(2).integers(0, 100, (4, 30)).astype(dtype)
    for f in (np.cumsum, np.cumprod):
        got, want = tc.jit(lambda x, f=f: f(x, 1))(x), f(x, 1)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    got = tc.jit(lambda x: tc.cummax(x, 1))(x)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, np.maximum.accumulate(x, 1))


def test_half_is_added_up_in_single():
    x = np.full(4096, 0.1, np.float16)
    got = tc.jit(lambda x: np.cumsum(x))(x)
    want = np.cumsum(x.astype(np.float64))
    assert abs(got - want).max() <= np.spacing(np.float16(512)) / 2


def test_the_size_of_an_axis_is_known_at_the_call():
    f = tc.jit(lambda x: (np.cumsum(x, 0), tc.logcumsumexp(x, 0)))
    for n in (0, 1, 2, 1500):
        x = np.random.default_rng(n).normal(size=(n, 3))
        total, log = f(x)
        np.testing.assert_allclose(total, np.cumsum(x, 0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(log, np.logaddexp.accumulate(x, 0), rtol=1e-13)


EDGES = [
    ([0.0, -0.0, 0.0], "cummax", [0, 0, 0]),
    ([2.0, NAN, 3.0], "cummax", [2, NAN, NAN]),
    ([2.0, NAN, 1.0], "cummin", [2, NAN, NAN]),
    ([-INF, 1.0, INF], "cummax", [-INF, 1, INF]),
    ([-INF, -INF, 1.0], "logcumsumexp", [-INF, -INF, 1]),
    ([1.0, INF, 0.0], "logcumsumexp", [1, INF, INF]),
    ([1000.0, 1000.0, -1000.0], "logcumsumexp", [1000, *[1000 + np.log(2)] * 2]),
    ([-1000.0, 1000.0], "logcumsumexp", [-1000, 1000]),
    ([1.0, NAN], "logcumsumexp", [1, NAN]),
]


@pytest.mark.parametrize(("x", "name", "want"), EDGES)
def test_edges(x, name, want):
    got = tc.jit(ONES[name][0])(np.array(x))
    np.testing.assert_allclose(got, want, rtol=1e-15)


SLOPES = [
    ("cumprod", [2.0, 0.0, 3.0], [1, 8, 0]),
    ("cumprod", [0.0, 0.0, 3.0], [1, 0, 0]),
    ("cumsum", [1.0, 2.0, 3.0], [3, 2, 1]),
    ("cummax", [1.0, 3.0, 2.0, 3.0, 4.0], [1, 3, 0, 0, 1]),
    ("cummax", [-INF, -INF, 0.0], [2, 0, 1]),
    ("cummin", [1.0, 1.0, 0.0, NAN, 2.0], [2, 0, 1, 2, 0]),
    ("logcumsumexp", [-INF, -INF], [0, 0]),
    ("logcumsumexp", [-INF, 1.0], [0, 1]),
    ("logcumsumexp", [5.0, 5.0], [1.5, 0.5]),
]


@pytest.mark.parametrize(("name", "x", "want"), SLOPES)
def test_slopes_at_zeros_ties_and_infinities(name, x, want):
    ours = ONES[name][0]
    x = np.array(x)
    got = tc.jit(tc.grad(lambda x: ours(x).sum()))(x)
    np.testing.assert_allclose(got, want, rtol=1e-15)
    rows = [
        tc.jit(lambda x, v: tc.jvp(ours, (x,), (v,))[1])(x, row).sum()
        for row in np.eye(len(x))
    ]
    np.testing.assert_allclose(rows, want, rtol=1e-15)


def test_an_infinite_slope_stays_in_its_run():
    x, weight = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, INF])
    for ours in (tc.cummax, lambda x: -tc.cummin(-x)):
        got = tc.jit(tc.grad(lambda x, ours=ours: (ours(x) * weight).sum()))(x)
        np.testing.assert_array_equal(got, weight)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ONES)
def test_slopes_of_both_directions_and_two_orders(name, axis):
    ours = ONES[name][0]
    x, way = np.random.default_rng(3).standard_normal((2, 4, 6))
    x[1, 2] = 0

    def cost(x):
        y = ours(x, axis)
        return (y * y * y).sum()

    slope = tc.grad(cost)
    step = 1e-5
    ends = [tc.jit(cost)(x + s * way) for s in (-step, step)]
    got = (tc.jit(slope)(x) * way).sum()
    np.testing.assert_allclose(got, (ends[1] - ends[0]) / (2 * step), rtol=1e-7)
    forward = tc.jit(lambda x, v: tc.jvp(cost, (x,), (v,))[1])(x, way)
    np.testing.assert_allclose(forward, got, rtol=1e-12)
    slopes = [tc.jit(slope)(x + s * way) for s in (-step, step)]
    second = tc.jit(lambda x, v: tc.jvp(slope, (x,), (v,))[1])(x, way)
    want = (slopes[1] - slopes[0]) / (2 * step)
    np.testing.assert_allclose(second, want, rtol=1e-5, atol=1e-6)


def test_reverse_is_spelled_by_flips():
    x = X[0]
    got = tc.jit(lambda x: np.cumsum(x[:, ::-1], 1)[:, ::-1])(x)
    np.testing.assert_allclose(got, np.cumsum(x[:, ::-1], 1)[:, ::-1], rtol=1e-13)


def test_several_axes_are_refused():
    with pytest.raises(tc.TensorcError, match="join them first"):
        tc.jit(lambda x: tc.cumsum(x, (0, 1)))(X)


def test_threads_and_levels_give_the_same_bits():
    rng = np.random.default_rng(4)
    for shape, axis in (((70, 3000), 1), ((3000, 70), 0), ((9, 1500, 5), 1)):
        x = rng.normal(size=shape).astype("float32")
        found = []
        for level, threads in ((3, 1), (3, 4), (0, 2)):
            with tc.options(optimize=level, threads=threads):
                found.append(tc.jit(lambda x, a=axis: np.cumsum(x, a))(x).tobytes())
        assert len(set(found)) == 1
