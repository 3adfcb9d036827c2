"""First and second derivatives far out and at kinks, against 60 digits."""

from collections.abc import Callable
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest

import tensorc as tc

POINTS = (0, 1e-3, 1, 5, 20, 37, 40, 85, 100, 200, 700, 1000)
WIDE = Context(prec=60, Emin=-999999, Emax=999999)


def sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def logistic(z: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Return the sigmoid's own value, slope and curvature."""
    p, q = sigmoid(z), sigmoid(-z)
    return p, p * q, p * q * (q - p)


def tanh(z: Decimal) -> tuple[Decimal, Decimal]:
    y = sigmoid(2 * z) - sigmoid(-2 * z)
    slope = 4 * sigmoid(2 * z) * sigmoid(-2 * z)
    return slope, -2 * y * slope


def silu(z: Decimal) -> tuple[Decimal, Decimal]:
    p, slope, curvature = logistic(z)
    return p + z * slope, 2 * slope + z * curvature


def against(number: float) -> Callable[[Decimal], tuple[Decimal, Decimal]]:
    """Return the derivatives of logaddexp(z, number) by z."""
    return lambda z: logistic(z - Decimal(number))[:2]


FUNCTIONS: dict[str, tuple[Callable, Callable]] = {
    "softplus": (tc.softplus, lambda z: logistic(z)[:2]),
    "sigmoid": (tc.sigmoid, lambda z: logistic(z)[1:]),
    "tanh": (tc.tanh, tanh),
    "silu": (tc.silu, silu),
    "logaddexp(z, 0)": (lambda z: tc.logaddexp(z, 0.0), against(0)),
    "logaddexp(20, z)": (lambda z: tc.logaddexp(20.0, z), against(20)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_far_out(name, dtype):
    function, truth = FUNCTIONS[name]
    slope = tc.grad(lambda z: tc.sum(function(z)))
    curvature = tc.grad(lambda z: tc.sum(slope(z)))
    z = np.array([*POINTS, *[-p for p in POINTS]], dtype)
    with localcontext(WIDE):
        pairs = [truth(Decimal(float(v))) for v in z]
    with np.errstate(over="ignore", under="ignore"):
        wanted = np.array(pairs, float).T.astype(dtype)
    info = np.finfo(dtype)
    # A curvature that is 0 nearby is as accurate as the slope.
    bound = info.eps * (40 * abs(wanted) + 4 * abs(wanted[0])) + 40 * info.tiny
    found = np.array([slope(z), curvature(z)])
    near = (found == wanted) | (abs(found - wanted) <= bound)
    assert near.all(), (z[~near.all(0)], found[~near], wanted[~near])


# Smooth at 0, though they are spelled with kinks: value, slope and curvature there.
SMOOTH: dict[str, tuple[Callable, float, float, float]] = {
    "x |x|^2": (lambda x: x * abs(x) ** 2, 0, 0, 0),
    "|x|^3": (lambda x: abs(x) ** 3, 0, 0, 0),
    "silu": (tc.silu, 0, 0.5, 0.5),
    "gelu": (tc.gelu, 0, 0.5, float(np.sqrt(2 / np.pi))),
    "logaddexp(x, 0)": (lambda x: tc.logaddexp(x, 0.0), np.log(2), 0.5, 0.25),
    "logaddexp(0, x)": (lambda x: tc.logaddexp(0.0, x), np.log(2), 0.5, 0.25),
    "logaddexp(x, -x)": (lambda x: tc.logaddexp(x, -x), np.log(2), 0, 1),
    "tanh": (tc.tanh, 0, 1, 0),
    "logsumexp": (
        lambda x: tc.logsumexp(tc.stack([x, -x, tc.zeros_like(x)]), axis=0),
        np.log(3),
        0,
        2 / 3,
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_are_smooth_at_their_kinks(name):
    function, *wanted = SMOOTH[name]
    slope = tc.grad(lambda x: tc.sum(function(x)))
    curvature = tc.grad(lambda x: tc.sum(slope(x)))
    found = [tc.jit(lambda x: function(x))(np.zeros(2)), slope(np.zeros(2))]
    found.append(curvature(np.zeros(2)))
    expected = np.repeat(np.array(wanted, float)[:, None], 2, 1)
    np.testing.assert_allclose(np.array(found), expected, 1e-14, 1e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
def test_norm_and_spread_of_any_size(dtype, axis):
    """The bits of ordinary sizes scaled: the power of two changes none of them."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((37, 5)).astype(dtype)
    limit = {"float32": 120, "float64": 1000}[dtype]
    cases = {
        "norm": lambda v: tc.norm(v, axis=axis),
        "std": lambda v: tc.std(v, axis=axis),
        "ddof": lambda v: tc.std(v, axis=axis, ddof=1),
    }
    for name, function in cases.items():
        compiled = tc.jit(function)
        plain = np.asarray(compiled(x))
        slope = tc.grad(lambda v, function=function: tc.sum(function(v)))
        for power in (*range(-limit, limit + 1, limit // 5), limit):
            factor = x.dtype.type(2.0**power)
            scaled = np.asarray(compiled(x * factor))
            assert (scaled == plain * factor).all(), (name, power)
            near = np.asarray(slope(x * factor)), np.asarray(slope(x))
            np.testing.assert_allclose(*near, 4 * np.finfo(dtype).eps, 1e-6)


def test_norm_of_ordinary_sizes_is_the_root_of_the_sum_of_squares():
    x = np.random.default_rng(8).standard_normal(1000) * 10.0 ** np.arange(
        -40, 10, 0.05
    )
    for v in (x, x.astype(np.float32)):
        norm, root = (
            tc.jit(f) for f in (lambda v: tc.norm(v), lambda v: tc.sqrt(tc.sum(v * v)))
        )
        assert norm(v) == root(v)


@pytest.mark.parametrize("name", ["norm", "std", "logsumexp"])
def test_infinities_and_nan_stay(name):
    function = tc.jit(lambda v: getattr(tc, name)(v))
    assert np.isnan(function(np.array([1.0, np.nan])))
    infinite = function(np.array([1.0, np.inf]))
    assert np.isnan(infinite) if name == "std" else infinite == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "gelu", "erf"])
def test_slopes_at_the_ends_are_the_limits(name, dtype):
    x = np.array([-np.inf, np.inf, np.nan], dtype)
    slope = tc.grad(lambda x: tc.sum(getattr(tc, name)(x)))(x)
    right = 1.0 if name in ("softplus", "silu", "gelu") else 0.0
    np.testing.assert_array_equal(slope, np.array([0, right, np.nan], dtype))


LARGE = {"float32": 2e35, "float64": 2e305}
AXES = (None, 0, 1, (0, 1))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", LARGE)
def test_a_mean_overflows_only_where_its_value_does(axis, dtype):
    large, most = LARGE[dtype], np.finfo(dtype).max
    mean = tc.jit(lambda x: tc.mean(x, axis=axis))
    # Sums of 1,100 elements have two blocks; columns are summed 16 at a time.
    for shape in ((1100, 20), (20, 1100)):
        found = mean(np.full(shape, large, dtype))
        np.testing.assert_allclose(found, large, rtol=1e-4)
    rows = np.array([[most, most], [most, -most]], dtype)
    with np.errstate(over="ignore"):
        exact = np.asarray(rows.astype(np.longdouble).mean(axis), dtype)
    np.testing.assert_allclose(mean(rows), exact, rtol=1e-6)
    for special in (np.inf, -np.inf, np.nan):
        rows[0, 0] = special
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(mean(rows).ravel()[0], special)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", LARGE)
def test_ordinary_means_are_the_sum_by_the_count(axis, dtype):
    rng = np.random.default_rng(5)
    scales = [-40, -20, 0, 20, 36] if dtype == "float32" else [-300, -200, 0, 200, 300]
    both = tc.jit(lambda x: (tc.mean(x, axis=axis), tc.sum(x, axis=axis)))
    for scale in scales:
        x = (rng.normal(size=(33, 21)) * 10.0**scale).astype(dtype)
        mean, total = both(x)
        count = x.size // total.size
        np.testing.assert_array_equal(mean, total / np.asarray(count, dtype))


@pytest.mark.parametrize("dtype", LARGE)
def test_variances_overflow_only_where_their_value_does(dtype):
    size = float(np.sqrt(LARGE[dtype]))
    x = (np.random.default_rng(6).normal(size=(65_536, 1)) * size).astype(dtype)
    exact = np.var(x.astype(np.longdouble))
    assert exact <= np.finfo(dtype).max < exact * x.size
    variance, deviation = tc.jit(lambda x: (tc.var(x, axis=0), tc.std(x)))(x)
    np.testing.assert_allclose(variance[0], float(exact), rtol=1e-5)
    np.testing.assert_allclose(deviation, float(np.sqrt(exact)), rtol=1e-5)


def test_the_slope_of_a_mean_is_one_by_the_count_where_its_sum_overflows():
    x = np.full((4, 5), 1e38, np.float32)
    slope = tc.grad(lambda x: tc.mean(x))(x)
    np.testing.assert_array_equal(slope, np.full((4, 5), np.float32(1) / 20))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_log_cosh_of_the_largest_numbers(dtype):
    most = float(np.finfo(dtype).max)
    x = np.array([most, -most, 0.7 * most, 2000, -2000, 999, 3, 0], dtype)

    def log_cosh(x):
        return abs(x) + tc.log1p(tc.exp(-2.0 * abs(x)))

    slope = tc.grad(lambda x: tc.sum(log_cosh(x)))
    curvature = tc.grad(lambda x: tc.sum(slope(x)))
    with np.errstate(under="ignore", over="ignore"):
        wanted = np.abs(x) + np.log1p(np.exp(-2.0 * np.abs(x.astype(np.float64))))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(tc.jit(log_cosh)(x), wanted.astype(dtype), rtol=2 * eps)
    np.testing.assert_allclose(slope(x), np.tanh(x.astype(float)), rtol=4 * eps)
    wanted = 1 - np.tanh(x.astype(np.float64)) ** 2
    np.testing.assert_allclose(curvature(x), wanted, rtol=16 * eps, atol=4 * eps)
