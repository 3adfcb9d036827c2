"""Softmaxes in all doors: masks, rows without shares, and one power per element."""

import numpy as np
import pytest

import tensorc as tc

INF, NAN = np.inf, np.nan
X = np.array([[1.0, 2.0, 3.0, -INF], [0.5, NAN, -1.0, 1000.0], [4.0, 1.0, 0.0, 2.0]])
MASK = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)


def truth(x, mask, axis=-1):
    """Return the softmax of what counts; 0 elsewhere."""
    with np.errstate(all="ignore"):
        kept = np.where(mask, x, -INF)
        powers = np.exp(kept - kept.max(axis, keepdims=True))
        return np.where(mask, powers / powers.sum(axis, keepdims=True), 0)


def in_file(text, *arguments, tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(text)
    return tc.load(path).f(*arguments)


def test_a_masked_position_gives_0_and_contributes_nothing(tmp_path):
    want = truth(X, MASK)
    assert (want[2] == 0).all()
    traced = tc.jit(lambda x, m: tc.softmax(x, where=m))(X, MASK)
    x, m = tc.dmatrix("x"), tc.matrix("m", dtype="bool")
    symbolic = tc.function([x, m], tc.softmax(x, -1, m))(X, MASK)
    text = "fn f(x: f64[B, N], m: bool[B, N]) -> f64[B, N] = softmax(x, where=m)\n"
    written = in_file(text, X, MASK, tmp_path=tmp_path)
    for got in (traced, symbolic, written):
        np.testing.assert_allclose(got, want, rtol=1e-15)
        assert (got[~MASK] == 0).all()


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
def test_a_mask_is_repeated_along_what_it_has_not(axis):
    rng = np.random.default_rng(1)
    x, mask = rng.standard_normal((5, 70)), rng.random(70) < 0.5
    got = tc.jit(lambda x, m: tc.softmax(x, axis, where=m))(x, mask)
    whole = (0, 1) if axis is None else axis
    want = truth(x, np.broadcast_to(mask, x.shape), whole)
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_logarithms_of_masked_shares():
    for f in (
        lambda x, m: tc.log_softmax(x, where=m),
        lambda x, m: np.log(tc.softmax(x, where=m)),
    ):
        got = tc.jit(f)(X * 400, MASK)
        far = np.where(MASK, X * 400, -INF)
        with np.errstate(all="ignore"):
            rest = far - far.max(1, keepdims=True)
            want = rest - np.log(np.exp(rest).sum(1, keepdims=True))
        np.testing.assert_allclose(got, np.where(MASK, want, -INF), rtol=1e-15)


def test_a_mask_is_of_booleans():
    with pytest.raises(tc.TensorcError, match="where must be booleans, got i64") as e:
        tc.jit(lambda x, m: tc.softmax(x, where=m))(X, MASK.astype(int))
    assert "where=mask != 0" in str(e.value)


def test_a_row_of_minus_infinities_has_no_shares():
    rows = np.array([[-INF, -INF], [-INF, 1.0]])
    assert np.isnan(tc.jit(tc.softmax)(rows)[0]).all()
    np.testing.assert_array_equal(tc.jit(tc.softmax)(rows)[1], [0, 1])
    assert np.isnan(tc.jit(tc.log_softmax)(rows)[0]).all()
    total = tc.jit(lambda x: tc.logsumexp(x, 1))
    np.testing.assert_array_equal(total(rows), [-INF, 1])


SLOPES = {
    "softmax": lambda x, m: tc.softmax(x, 1),
    "masked": lambda x, m: tc.softmax(x, 1, m),
    "log_softmax": lambda x, m: tc.log_softmax(x, 1),
    "logsumexp": lambda x, m: tc.logsumexp(x, 1),
    "exp of log_softmax": lambda x, m: np.exp(tc.log_softmax(x, 1)),
    "down": lambda x, m: tc.softmax(x, 0, m),
}


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_of_both_directions_and_two_orders(name):
    f = SLOPES[name]
    rng = np.random.default_rng(2)
    x, way = rng.standard_normal((2, 3, 5))
    mask = rng.random((3, 5)) < 0.7

    def cost(x, m):
        y = f(x, m)
        return (y * y * y).sum()

    def slope(x, m):
        return tc.grad(lambda x: cost(x, m))(x)

    step = 1e-5
    value = tc.jit(cost)
    ends = [value(x + s * way, mask) for s in (-step, step)]
    got = (tc.jit(slope)(x, mask) * way).sum()
    np.testing.assert_allclose(got, (ends[1] - ends[0]) / (2 * step), rtol=1e-7)
    forward = tc.jit(lambda x, m, v: tc.jvp(lambda x: cost(x, m), (x,), (v,))[1])
    np.testing.assert_allclose(forward(x, mask, way), got, rtol=1e-12)
    slopes = [tc.jit(slope)(x + s * way, mask) for s in (-step, step)]
    second = tc.jit(lambda x, m, v: tc.jvp(lambda x: slope(x, m), (x,), (v,))[1])
    want = (slopes[1] - slopes[0]) / (2 * step)
    np.testing.assert_allclose(second(x, mask, way), want, rtol=1e-6, atol=1e-9)


def test_a_masked_position_has_no_slope():
    def cost(x, m):
        return (tc.softmax(x, where=m) * np.array([1.0, 2.0, 3.0, 4.0])).sum()

    got = tc.jit(lambda x, m: tc.grad(lambda x: cost(x, m))(x))(X, MASK)
    assert np.isfinite(got).all()
    assert (got[~MASK] == 0).all()
    assert (got[0, :2] != 0).all()


ROWS = np.arange(6) % 4
LOSSES = {
    "cross_entropy": lambda z: tc.cross_entropy(z, ROWS).mean(),
    "log_softmax": lambda z: -tc.log_softmax(z)[np.arange(6), ROWS].mean(),
    "log of softmax": lambda z: -np.log(tc.softmax(z))[np.arange(6), ROWS].mean(),
    "logsumexp": lambda z: (tc.logsumexp(z, 1) - z[np.arange(6), ROWS]).mean(),
    "naive": lambda z: (
        -np.log(
            (np.exp(z) / np.exp(z).sum(1, keepdims=True))[np.arange(6), ROWS]
        ).mean()
    ),
    "shares": lambda z: (tc.softmax(z) ** 2).sum(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_slope_take_one_power_per_element(name):
    both = tc.jit(tc.value_and_grad(LOSSES[name]))
    z = np.random.default_rng(3).standard_normal((6, 4))
    value, slope = both(z)
    assert both.emit("structured", z).count('"math.exp"') == 1
    assert np.isfinite(value)
    assert abs(slope.sum(1)).max() < 1e-15


ALONG_ALL = {
    "of all": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "of two axes": lambda x: np.exp(x) / np.exp(x).sum((0, 2), keepdims=True),
    "weighted": lambda x: 2 * np.exp(x) / np.exp(x).sum(),
}


@pytest.mark.parametrize("name", ALONG_ALL)
def test_spellings_along_several_axes_are_stable(name):
    x = np.random.default_rng(5).standard_normal((2, 3, 4))
    naive = ALONG_ALL[name]
    np.testing.assert_allclose(tc.jit(naive)(x), naive(x), rtol=1e-14)
    assert np.isfinite(tc.jit(naive)(x * 1e4)).all()
    log = tc.jit(lambda x: np.log(naive(x)))
    np.testing.assert_allclose(log(x), np.log(naive(x)), rtol=1e-13)
    assert np.isfinite(log(x * 1e4)).all()


NAIVE = {
    "plain": lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    "shifted": lambda x: (
        np.exp(x - x.max(1, keepdims=True))
        / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)
    ),
    "by the inverse": lambda x: np.exp(x) * (1 / np.exp(x).sum(1))[:, None],
    "of logarithms": lambda x: np.exp(tc.log_softmax(x)),
}


@pytest.mark.parametrize("name", NAIVE)
def test_spellings_are_the_op_bit_for_bit(name):
    x = np.random.default_rng(4).standard_normal((7, 33)) * 300
    np.testing.assert_array_equal(tc.jit(NAIVE[name])(x), tc.jit(tc.softmax)(x))
