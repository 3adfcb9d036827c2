"""Cases 67 to 78 of the casebook: what stays finite, how exact it is."""

import numpy as np
import pytest

import tensorc as tc
from tests.semantics.running import LEVELS, same_bits

INF, NAN = np.inf, np.nan
FLOATS = ("f4", "f8")


def compiled(function, *arrays):
    """Return what a function gives at each level; all of them are alike."""
    found = []
    for level in LEVELS:
        with tc.options(optimize=level):
            found.append(tc.jit(function)(*arrays))
    assert same_bits(found[0], found[1])
    return found[0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_logarithm_of_a_softmax_is_finite(dtype):
    """Case 67: also through reshapes and transposes, of constants, and its slope."""
    far = np.array([[1000, -1000, 0], [-1000, 1000, 1000]], dtype)
    spellings = [
        lambda x: np.log(tc.softmax(x)),
        lambda x: np.log(tc.softmax(x).reshape(3, 2)).reshape(2, 3),
        lambda x: np.log(tc.softmax(x).T).T,
        lambda x: np.log(np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)),
        lambda x: np.log(tc.softmax(tc.constant(far))) + x * 0,
    ]
    wanted = far - np.array([[1000], [1000 + np.log(2)]])
    for spelling in spellings:
        given = compiled(spelling, far)
        np.testing.assert_allclose(given, wanted, rtol=1e-6)
        slope = compiled(tc.grad(lambda x, s=spelling: np.sum(s(x)[:, 0])), far)
        assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_of_large_logits(dtype):
    """Case 68: exact for logits up to 10^4; a label out of range is an error."""
    z = np.array([[0, 1e4], [1e4, 0], [5, 5]], dtype)
    y = np.array([0, 0, 1])
    given = compiled(tc.cross_entropy, z, y)
    np.testing.assert_allclose(given, [1e4, 0, np.log(2)], rtol=1e-6)
    smooth = np.array([0.9, 0.1], dtype)
    given = compiled(lambda z: -np.sum(smooth * tc.log_softmax(z), axis=1), z)
    assert np.all(np.isfinite(given))
    with pytest.raises(IndexError):
        tc.jit(tc.cross_entropy)(z, np.array([0, 2, 0]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_of_exponentials_at_infinity(dtype):
    """Case 69."""
    x = np.array([[-INF, -INF], [INF, 1], [0, -INF]], dtype)
    assert same_bits(compiled(lambda x: tc.logsumexp(x, axis=1), x), x[:, 0])
    two = compiled(np.logaddexp, x[:, 0], x[:, 1])
    assert same_bits(two, np.logaddexp(x[:, 0], x[:, 1]))


def ulps(given, truth):
    unit = np.spacing(np.abs(truth).astype(given.dtype)).astype(np.longdouble)
    return np.max(np.abs(given - truth) / unit)


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_near_zero_and_far_out(dtype):
    """Case 70: within 2 ulp; `log(1 + x)` keeps NaN and infinities."""
    x = np.concatenate([np.geomspace(1e-30, 80, 400), -np.geomspace(1e-30, 80, 400)])
    x = x.astype(dtype)
    wide = x.astype(np.longdouble)
    soft = np.where(wide > 0, wide, 0) + np.log1p(np.exp(-np.abs(wide)))
    assert ulps(compiled(tc.softplus, x), soft) <= 2
    above = x[x > -1]
    assert ulps(compiled(np.log1p, above), np.log1p(above.astype(np.longdouble))) <= 2
    assert ulps(compiled(np.expm1, x), np.expm1(wide)) <= 2
    log_sigmoid = compiled(lambda x: np.log(tc.sigmoid(x)), x)
    truth = np.where(wide < 0, wide, 0) - np.log1p(np.exp(-np.abs(wide)))
    assert ulps(log_sigmoid, truth) <= 2
    odd = np.array([NAN, INF, -1, -2, -0.0], dtype)
    with np.errstate(all="ignore"):
        given = compiled(lambda x: np.log(1 + x), odd)
        assert same_bits(given[:4], np.log(1 + odd)[:4])


def test_long_sums_along_any_axis():
    """Case 71: 10^7 times 0.1 in f32 is within 1e-6, however it lies in memory."""
    x = np.full(10**7, 0.1, "f4")
    truth = float(np.float32(0.1)) * 10**7
    sums = [
        compiled(np.sum, x),
        compiled(lambda x: np.sum(x, axis=0)[1], x.reshape(-1, 2)),
        compiled(lambda x: np.sum(x, axis=1)[1], x.reshape(2, -1)),
        compiled(lambda x: np.sum(x.T, axis=1)[1], x.reshape(-1, 2)),
    ]
    for given in sums:
        assert abs(float(given) * (1 if given > 6e5 else 2) / truth - 1) < 1e-6


@pytest.mark.parametrize("dtype", FLOATS)
def test_variances_and_means(dtype):
    """Cases 72, 73, 76: no variance is negative, no mean overflows; a batch of one."""
    x = np.array([1e8, 1e8 + 1, 1e8 + 2], dtype)
    assert compiled(np.var, x) >= 0
    for count, number in ((1024, 0.25), (7, 3.0), (1, 0.1)):  # their sums are exact
        assert compiled(np.var, np.full(count, number, dtype)) == 0
    # A sum of 0.1 is rounded, as in NumPy, and with it the mean.
    alike = compiled(np.var, np.full(1000, 0.1, dtype))
    assert alike <= (8 * np.finfo(dtype).eps * 0.1) ** 2
    large = np.full(65536, 2e35 if dtype == "f4" else 1e307, dtype)
    np.testing.assert_allclose(compiled(np.mean, large), large[0], rtol=1e-6)

    def normalised(x):
        return (x - np.mean(x, 0)) / np.sqrt(np.var(x, 0) + 1e-5)

    row = np.ones((1, 3), dtype)
    assert same_bits(compiled(normalised, row), 0 * row)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 700, 3), (3, 700, 1), (5, 0, 3), (2, 3, 0)]
)
def test_products_are_within_their_bound(dtype, shape):
    """Case 74: matrices, rows, columns and nothing."""
    m, k, n = shape
    rng = np.random.default_rng(k)
    x, y = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    given = compiled(np.matmul, x, y)
    truth = x.astype(np.longdouble) @ y.astype(np.longdouble)
    bound = max(k, 1) * np.finfo(dtype).eps * (np.abs(x).astype("f8") @ np.abs(y))
    assert given.shape == (m, n)
    assert np.all(np.abs(given - truth) <= bound)
    if n:
        assert same_bits(compiled(np.matmul, x, y[:, 0]), given[:, 0])


def test_saturation():
    """Case 77: tanh and sigmoid reach their limits exactly and never pass them."""
    for dtype in FLOATS:
        x = np.concatenate([np.linspace(-50, 50, 999), [INF, -INF, 1e30]]).astype(dtype)
        tanh, sigmoid = compiled(np.tanh, x), compiled(tc.sigmoid, x)
        assert np.max(np.abs(tanh)) == 1
        assert (np.min(sigmoid), np.max(sigmoid)) == (sigmoid[-2], 1)
        assert (sigmoid[-2], sigmoid[-3]) == (0, 1)


@pytest.mark.parametrize("dtype", FLOATS)
def test_adam_by_hand(dtype):
    """Case 78: a slope of 0, the first step's correction, a rate of 0."""
    one = np.ones(3, dtype)

    def adam(w, m, v, g, t, rate):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return w - rate * step

    still = compiled(adam, one, 0 * one, 0 * one, 0 * one, *numbers(dtype, 1, 0.1))
    assert same_bits(still, one)
    first = compiled(adam, one, 0 * one, 0 * one, 5 * one, *numbers(dtype, 1, 0.1))
    np.testing.assert_allclose(first, 0.9, rtol=1e-5)
    none = compiled(adam, one, one, one, one, *numbers(dtype, 3, 0))
    assert same_bits(none, one)


def numbers(dtype, *values):
    return [np.array(v, dtype) for v in values]
