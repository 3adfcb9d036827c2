"""What orders elements, in all doors: values of NumPy, slopes, what is refused."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError

NAN, INF = np.nan, np.inf
X = np.random.default_rng(1).normal(size=(3, 4, 5))
NASTY = np.array([3, NAN, -0.0, 0.0, -INF, 3, INF, -0.0, NAN, -1e-310, 2, 2])

# Ours, and NumPy's.
ONES = {"sort": (tc.sort, np.sort), "argsort": (tc.argsort, np.argsort)}


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ONES)
def test_values_are_numpys_in_all_doors(name, axis, tmp_path):
    ours, numpys = ONES[name]
    want = numpys(X, axis)
    path = tmp_path / "model.tc"
    given = str(axis).lower()
    path.write_text(f"fn f(x: f64[N, 4, M]) = {name}(x, axis={given})\n")
    x = tc.tensor3("x", dtype="float64")
    for got in (
        tc.jit(lambda x: ours(x, axis))(X),
        tc.jit(lambda x: numpys(x, axis=axis))(X),
        tc.function([x], ours(x, axis=axis))(X),
        tc.load(path).f(X),
    ):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", [None, "quicksort", "stable", "mergesort"])
def test_every_kind_keeps_the_order_of_equal_elements(kind):
    want = np.argsort(NASTY, kind="stable")
    for got in (
        tc.jit(lambda x: np.argsort(x, kind=kind))(NASTY),
        tc.jit(lambda x: x.argsort(-1, kind))(NASTY),
        tc.jit(lambda x: np.argsort(x, stable=True))(NASTY),
    ):
        np.testing.assert_array_equal(got, want)
    got = tc.jit(lambda x: np.sort(x, -1, kind))(NASTY)
    np.testing.assert_array_equal(got, NASTY[want])
    assert np.signbit(got[got == 0]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int32", "uint64", "f2", "f4"]
)
def test_every_type_is_sorted(dtype):
    x = (np.random.default_rng(2).normal(size=(4, 3000)) * 40).astype(dtype)
    for strided in (x, x[:, ::-2], x[::-1, 5:], x.T.copy().T):
        got, index = tc.jit(lambda x: (np.sort(x), np.argsort(x)))(strided)
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got, np.sort(strided))
        np.testing.assert_array_equal(index, np.argsort(strided, kind="stable"))


@pytest.mark.parametrize("count", [0, 1, 2, 255, 70_000])
def test_rows_of_any_length(count):
    x = np.random.default_rng(3).integers(-(10**12), 10**12, count)
    f = tc.jit(lambda x: (np.sort(x), np.argsort(x)))
    got, index = f(x)
    np.testing.assert_array_equal(got, np.sort(x))
    np.testing.assert_array_equal(index, np.argsort(x, kind="stable"))
    small = x % 7
    np.testing.assert_array_equal(f(small)[1], np.argsort(small, kind="stable"))


def test_bits_do_not_depend_on_threads():
    x = np.random.default_rng(4).normal(size=(300, 700)).astype("f4")
    f = tc.jit(lambda x: (np.sort(x), np.argsort(x, 0)))
    with tc.options(threads=1):
        one = f(x)
    with tc.options(threads=2):
        two = f(x)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_slope_goes_with_each_element():
    weights = np.arange(12.0)
    x = np.array([3.0, 1.0, 3.0, 2.0, -0.0, 0.0, 5.0, 4.0, 9.0, 8.0, 7.0, 6.0])
    slope = tc.jit(tc.grad(lambda x: (tc.sort(x) * weights).sum()))
    want = np.empty(12)
    want[np.argsort(x, kind="stable")] = weights
    np.testing.assert_array_equal(slope(x), want)
    second = tc.jit(
        tc.grad(lambda x: (tc.grad(lambda y: (tc.sort(y) ** 3).sum())(x) ** 2).sum())
    )
    np.testing.assert_allclose(second(x), 36 * x**3)
    along = tc.jit(tc.grad(lambda x: (tc.sort(x, 1) * X).sum()))
    order, moved = np.argsort(X, 1), np.empty_like(X)
    np.put_along_axis(moved, order, X, 1)
    np.testing.assert_array_equal(along(X), moved)


@pytest.mark.parametrize(("k", "axis"), [(1, -1), (3, 0), (4, 1), (60, None), (0, 2)])
def test_the_largest_are_there_in_all_doors(k, axis, tmp_path):
    flat = X.ravel() if axis is None else X
    at = 0 if axis is None else axis
    order = np.flip(np.argsort(np.flip(flat, at), at, kind="stable"), at)
    index = flat.shape[at] - 1 - np.take(order, range(k), at)
    path = tmp_path / "model.tc"
    text = f"topk(x, {k}, axis={str(axis).lower()})"
    path.write_text(f"fn f(x: f64[N, 4, M]) {{\n  v, i = {text}\n  return v, i\n}}\n")
    x = tc.tensor3("x", dtype="float64")
    for value, place in (
        tc.jit(lambda x: tc.topk(x, k, axis))(X),
        tc.function([x], [*tc.topk(x, k, axis=axis)])(X),
        tc.load(path).f(X),
    ):
        np.testing.assert_array_equal(place, index)
        np.testing.assert_array_equal(value, np.take_along_axis(flat, index, at))


def test_the_slope_of_the_largest_goes_with_them():
    x = np.array([1.0, 5.0, 5.0, NAN, 2.0, 5.0])
    slope = tc.jit(tc.grad(lambda x: (tc.topk(x, 3)[0] * np.array([1.0, 2, 3])).sum()))
    np.testing.assert_array_equal(slope(x), [0, 2, 3, 1, 0, 0])
    second = tc.grad(
        lambda x: (tc.grad(lambda y: (tc.topk(y, 2)[0] ** 3).sum())(x)).sum()
    )
    np.testing.assert_array_equal(tc.jit(second)(x[[0, 1, 4]]), [0, 30, 12])


@pytest.mark.parametrize("side", ["left", "right"])
def test_searches_are_numpys_in_all_doors(side, tmp_path):
    row = np.sort(NASTY)
    values = np.array([[NAN, 0, -0.0], [2.5, -INF, INF], [3, 7, -9]])
    want = np.searchsorted(row, values, side)
    path = tmp_path / "model.tc"
    given = f"searchsorted(a, v, side={side!r})".replace("'", '"')
    path.write_text(f"fn f(a: f64[N], v: f64[M, 3]) = {given}\n")
    a, v = tc.dvector("a"), tc.dmatrix("v")
    for got in (
        tc.jit(lambda a, v: np.searchsorted(a, v, side))(row, values),
        tc.jit(lambda a: np.searchsorted(a, values, side=side))(row),
        tc.jit(lambda v: tc.searchsorted(row, v, side))(values),
        tc.function([a, v], tc.searchsorted(a, v, side))(row, values),
        tc.load(path).f(row, values),
    ):
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, want)
    number = tc.jit(lambda a: np.searchsorted(a, 2.5, side))(row)
    assert number == np.searchsorted(row, 2.5, side)


@pytest.mark.parametrize(
    "types", [("i4", "f4"), ("u1", "i8"), ("bool", "i2"), ("f2", "f8")]
)
def test_a_search_meets_in_a_common_type(types):
    rng = np.random.default_rng(9)
    row = np.sort((rng.random(30) * 9).astype(types[0]))
    values = (rng.random(50) * 9).astype(types[1])
    got = tc.jit(np.searchsorted)(row, values)
    np.testing.assert_array_equal(got, np.searchsorted(row, values))


def test_what_is_refused():
    x = tc.matrix("x", "float64")
    with pytest.raises(TensorcError, match="axis 2 is out of range for rank 2"):
        tc.sort(x, 2)
    with pytest.raises(TensorcError, match="takes no `kind=`"):
        np.sort(x, kind="slow")
    with pytest.raises((TensorcError, AttributeError), match=r"np\.sort"):
        x.sort()
    with pytest.raises(TensorcError, match="a row of 5 has no 6 largest"):
        tc.jit(lambda x: tc.topk(tc.reshape(x, (12, 5)), 6))(X)
    with pytest.raises(TensorcError, match="the 6 largest elements of a row of"):
        tc.jit(lambda x: tc.topk(x, 6))(X)
    with pytest.raises(TensorcError, match="goes through a vector, got"):
        tc.searchsorted(x, 1.0)
    with pytest.raises(TensorcError, match="side"):
        tc.searchsorted(x[0], 1.0, side="middle")
    with pytest.raises(TensorcError, match="takes no `sorter=`"):
        np.searchsorted(x[0], 1.0, sorter=x[0])
