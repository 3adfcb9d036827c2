"""Functions of the library against NumPy: values, types, derivatives, what is wrong."""

import math

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.linspace(-2, 3, 12).reshape(3, 4)
Y = np.linspace(0.5, 2, 12).reshape(3, 4)
M = np.linspace(0.5, 2, 20).reshape(4, 5)
S = np.linspace(-1, 1, 24).reshape(2, 3, 4)
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 0.5, -0.5, 1.5, -2.5, 1e30])

# One function of one argument: NumPy's under jit is what NumPy computes.
ONE = {
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "expand_dims two": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(x[None, :, None]),
    "squeeze axis": lambda x: np.squeeze(x[None, :, None], 0),
    "clip": lambda x: np.clip(x, -0.5, 1.5),
    "clip low": lambda x: np.clip(x, 0, None),
    "clip high": lambda x: np.clip(x, None, 1),
    "clip keywords": lambda x: np.clip(x, min=0.25, max=1),
    "var": lambda x: np.var(x),
    "var axis": lambda x: np.var(x, axis=0, ddof=1),
    "var keepdims": lambda x: np.var(x, axis=1, keepdims=True),
    "std": lambda x: np.std(x, axis=1),
    "square": lambda x: np.square(x),
    "reciprocal": lambda x: np.reciprocal(x + 10),
    "ravel": lambda x: np.ravel(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x[None], 0, -1),
    "moveaxis two": lambda x: np.moveaxis(x[None], (0, 1), (-1, 0)),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "tile": lambda x: np.tile(x, 2),
    "tile two": lambda x: np.tile(x, (2, 1, 3)),
    "tile none": lambda x: np.tile(x, 0),
    "repeat": lambda x: np.repeat(x, 3),
    "repeat axis": lambda x: np.repeat(x, 2, axis=0),
    "flip": lambda x: np.flip(x),
    "flip axis": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 5),
    "roll axis": lambda x: np.roll(x, -1, axis=0),
    "roll far": lambda x: np.roll(x, (7, 1), axis=(0, 1)),
    "pad": lambda x: np.pad(x, 1),
    "pad pair": lambda x: np.pad(x, (2, 0), constant_values=1.5),
    "pad pairs": lambda x: np.pad(x, ((1, 0), (0, 2))),
    "outer": lambda x: np.outer(x, x),
    "dot number": lambda x: np.dot(x, x[0, 1]),
    "dot tensors": lambda x: np.dot(x, S.transpose(0, 2, 1)),
    "tensordot": lambda x: np.tensordot(x, M, 1),
    "tensordot none": lambda x: np.tensordot(x, x, 0),
    "tensordot two": lambda x: np.tensordot(x, S, ((0, 1), (1, 2))),
    "tensordot negative": lambda x: np.tensordot(S, x, axes=([-1, 1], [1, 0])),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, M),
    "einsum implicit": lambda x: np.einsum("ij,jk", x, M),
    "einsum batch": lambda x: np.einsum("bij,ij->bi", S, x),
    "einsum sum": lambda x: np.einsum("ij,kl->k", x, M),
    "einsum one": lambda x: np.einsum("ij->ji", x),
    "einsum total": lambda x: np.einsum("ij->", x),
    "einsum product": lambda x: np.einsum("ij,ij->ij", x, x),
    "einsum chain": lambda x: np.einsum("ij,jk,ik,k->i", x, M, x @ M, M[0]),
    "einsum trace": lambda x: np.einsum("ii", x[:, :3]),
    "einsum diagonal": lambda x: np.einsum("iij,j->ji", S[:, :2] * x[0], x[1]),
    "einsum dots": lambda x: np.einsum("...ij,...kj->...k", S, x),
    "einsum ones": lambda x: np.einsum("ij,kj->ik", x[:, :1], x),
    "diagonal": lambda x: np.diagonal(x, 1),
    "diagonal below": lambda x: np.diagonal(S * x, -1, 1, 2),
    "diagonal far": lambda x: np.diagonal(x, 9),
    "diag": lambda x: np.diag(x[0], 2),
    "diag below": lambda x: np.diag(x[0], -1),
    "diagflat": lambda x: np.diagflat(x),
    "trace": lambda x: np.trace(x * x),
    "trace of stacks": lambda x: (S * x).trace(0, -2, -1),
    "kron": lambda x: np.kron(x, x[:2, 0]),
    "cross": lambda x: np.cross(x, x**2, axis=0),
    "matrix_power": lambda x: np.linalg.matrix_power(x[:, :3], 5),
    "matrix_power 0": lambda x: np.linalg.matrix_power(x[:, :3], 0) * x[0, 0],
    "vander": lambda x: np.vander(x[0]),
    "vander 3": lambda x: np.vander(x[0], 3, increasing=True),
    "meshgrid": lambda x: np.meshgrid(x[0], x[:, 1])[1] * x,
    "rot90": lambda x: np.rot90(x, 3),
    "array_split": lambda x: np.array_split(x, 3, axis=1)[0],
    "repeat each": lambda x: np.repeat(x, [2, 0, 1], axis=0),
    "pad edge": lambda x: np.pad(x, (2, 1), mode="edge"),
    "pad reflect": lambda x: np.pad(x, 5, mode="reflect"),
    "pad symmetric": lambda x: np.pad(x, ((4, 0), (1, 9)), mode="symmetric"),
    "pad wrap": lambda x: np.pad(x, 5, mode="wrap"),
    "pad mean": lambda x: np.pad(x, 1, mode="mean"),
    "pad maximum": lambda x: np.pad(x, 1, mode="maximum", stat_length=2),
    "pad ramp": lambda x: np.pad(x, 3, mode="linear_ramp", end_values=2),
    "convolve": lambda x: np.convolve(x[0], x[:, 0]),
    "convolve same": lambda x: np.convolve(x[:, 0], x[1], "same"),
    "correlate": lambda x: np.correlate(x[0], x[:, 0]),
    "correlate same": lambda x: np.correlate(x[:, 0], x[1], "same"),
    "average": lambda x: np.average(x, 0, x[:, 0] ** 2 + 1),
    "cov": lambda x: np.cov(x) + 0 * x[0, 0],
    "corrcoef": lambda x: np.corrcoef(x[0], x[2] ** 2),
    "nansum": lambda x: np.nansum(np.where(x > 1, np.nan, x), axis=0),
    "nanprod": lambda x: np.nanprod(np.where(x > 1, np.nan, x)),
    "nanmax": lambda x: np.nanmax(np.where(x > 2.2, np.nan, x), axis=1),
    "nanmin": lambda x: np.nanmin(np.where(x < 1, np.nan, x)),
    "nanmean": lambda x: np.nanmean(np.where(x > 1, np.nan, x)),
    "nanvar": lambda x: np.nanvar(np.where(x > 2.2, np.nan, x), axis=0, ddof=1),
    "nanstd": lambda x: np.nanstd(np.where(x > 1, np.nan, x)),
    "nancumsum": lambda x: np.nancumsum(np.where(x > 1, np.nan, x), axis=0),
    "nancumprod": lambda x: np.nancumprod(np.where(x > 1, np.nan, x)),
    "logspace": lambda x: np.logspace(x[0, 0], x[2, 0], 5, base=2.5),
    "linspace": lambda x: np.linspace(x[0, 0], x[2, 3], 7),
    "linspace one": lambda x: np.linspace(x[0, 0], x[2, 3], 1),
    "tril": lambda x: np.tril(x),
    "tril k": lambda x: np.tril(x, 1),
    "triu": lambda x: np.triu(x),
    "triu k": lambda x: np.triu(x, -1),
    "full_like": lambda x: np.full_like(x, 2.5),
    "logaddexp": lambda x: np.logaddexp(x, Y.astype(x.dtype)),
    "norm": lambda x: np.linalg.norm(x),
    "norm axis": lambda x: np.linalg.norm(x, axis=1),
    "trunc": lambda x: np.trunc(x * 2),
    "floor": lambda x: np.floor(x),
    "ceil": lambda x: np.ceil(x),
    "rint": lambda x: np.rint(x),
    "sign": lambda x: np.sign(x),
}
# These are flat, or must not be differentiated by a difference across a jump.
FLAT = {"trunc", "floor", "ceil", "rint", "sign", "full_like"}


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_types_are_numpys(name, dtype):
    x = X.astype(dtype)
    expected = np.asarray(ONE[name](x))
    given = tc.jit(ONE[name])(x)
    assert given.dtype == expected.dtype
    assert given.shape == expected.shape
    tolerance = 2e-6 if "float32" in (dtype, str(expected.dtype)) else 1e-13
    np.testing.assert_allclose(given, expected, rtol=tolerance, atol=tolerance)


INTEGERS = [
    *("clip low", "tile", "repeat axis", "flip", "roll", "pad", "outer", "tril"),
    *("var", "std axis", "trunc", "square", "einsum one", "tensordot none", "norm"),
    *("expand_dims", "squeeze", "swapaxes", "moveaxis", "einsum total", "full_like"),
]


@pytest.mark.parametrize("name", [n for n in INTEGERS if n in ONE])
def test_integers_keep_their_type_where_they_do_in_numpy(name):
    x = np.arange(-5, 7).reshape(3, 4)
    expected = np.asarray(ONE[name](x))
    given = tc.jit(ONE[name])(x)
    assert given.dtype == expected.dtype
    np.testing.assert_allclose(given, expected, rtol=1e-13)


@pytest.mark.parametrize("name", [n for n in ONE if n not in FLAT])
def test_derivatives_are_central_differences(name):
    shape = np.shape(ONE[name](X))
    weights = np.cos(np.arange(math.prod(shape))).reshape(shape)

    def cost(x):
        return np.sum(ONE[name](x) * weights)

    gradient = tc.grad(cost)(X)
    step = 1e-6
    for i in np.ndindex(X.shape):
        up, down = X.copy(), X.copy()
        up[i] += step
        down[i] -= step
        expected = (cost(up) - cost(down)) / (2 * step)
        assert gradient[i] == pytest.approx(expected, rel=2e-6, abs=2e-7), i


SPECIAL = {
    "clip": lambda x: np.clip(x, -1.0, 1.0),
    "trunc": np.trunc,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "sign": np.sign,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "isnan": np.isnan,
    "logical_xor": lambda x: np.logical_xor(x, x > 0),
    "logical_and": lambda x: np.logical_and(x, x > 0),
    "logical_or": lambda x: np.logical_or(x, x > 0),
    "logical_not": np.logical_not,
    "logaddexp": lambda x: np.logaddexp(x, 1.0),
    "logaddexp same": lambda x: np.logaddexp(x, x),
    "flip": np.flip,
    "tril": lambda x: np.tril(np.outer(x, np.ones(10))[:4, :4]),
    "var": lambda x: np.var(x),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_numpys_to_the_sign_of_zero(name):
    with np.errstate(all="ignore"):
        expected = SPECIAL[name](ODD)
    given = tc.jit(SPECIAL[name])(ODD)
    assert given.dtype == expected.dtype
    np.testing.assert_allclose(given, expected, rtol=1e-15)
    if expected.dtype.kind == "f" and name != "logaddexp":
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(
            np.signbit(given)[numbers], np.signbit(expected)[numbers]
        )


EMPTY = [
    *("tile", "repeat", "flip", "flip axis", "roll", "roll axis", "pad", "ravel"),
    *("outer", "tril", "clip", "einsum total", "norm", "square", "moveaxis"),
]


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_gives_nothing(name):
    function = tc.jit(ONE[name])
    function(X)  # one trace for all sizes: the empty one comes later
    x = X[:0] if name != "roll axis" else X[:, :0]
    given, expected = function(x), ONE[name](x)
    assert given.shape == np.shape(expected)
    np.testing.assert_array_equal(given, expected)
    assert tc.jit(ONE[name])(x).shape == np.shape(expected)


def test_variances_of_too_few_elements_are_not_numbers():
    x = np.ones((2, 3))
    given = tc.jit(lambda x: np.var(x, axis=0, ddof=2))(x)
    assert np.isnan(given).all()


def test_logsumexp():
    from_numpy = np.log(np.sum(np.exp(X), axis=1))
    given = tc.jit(lambda x: tc.logsumexp(x, axis=1))(X)
    np.testing.assert_allclose(given, from_numpy, rtol=1e-14)
    total = tc.jit(lambda x: tc.logsumexp(x))
    large = np.array([1e4, 1e4, -np.inf])
    assert total(large) == pytest.approx(1e4 + math.log(2), rel=1e-15)
    assert total(np.full(3, -np.inf)) == -np.inf
    assert total(np.array([np.inf, 1.0])) == np.inf
    slope = tc.grad(lambda x: tc.logsumexp(x))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(slope, 1 / (1 + np.exp([1.0, -1.0])), rtol=1e-14)


def test_xlogy():
    x = np.array([0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 0.0])
    y = np.array([0.0, np.inf, np.nan, -1.0, 3.0, 0.0, 2.0])
    given = tc.jit(tc.xlogy)(x, y)
    expected = [0, 0, np.nan, 0, 2 * math.log(3), -np.inf, 0]
    np.testing.assert_allclose(given, expected, rtol=1e-15)
    by_x, by_y = tc.grad(lambda x, y: tc.sum(tc.xlogy(x, y)), argnums=(0, 1))(
        np.array([0.0, 2.0]), np.array([2.0, 4.0])
    )
    np.testing.assert_allclose(by_x, np.log([2.0, 4.0]), rtol=1e-15)
    np.testing.assert_allclose(by_y, [0.0, 0.5], rtol=1e-15)


def test_logaddexp_splits_its_derivative_where_both_are_equal():
    slope = tc.grad(lambda x: tc.logaddexp(x, 1.0))
    assert slope(1.0) == 0.5
    assert slope(3.0) == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-14)
    assert slope(-1e3) == 0.0


def test_silu():
    np.testing.assert_allclose(
        tc.jit(tc.silu)(X), X / (1 + np.exp(-X)), rtol=1e-14, atol=1e-15
    )


def test_binary_cross_entropy_takes_logits():
    t = np.array([0.0, 1.0, 0.0, 1.0])
    z = np.array([-2.0, 0.5, 800.0, -800.0])
    given = tc.jit(tc.binary_cross_entropy)(z, t)
    expected = [np.log1p(np.exp(-2)), np.log1p(np.exp(-0.5)), 800, 800]
    np.testing.assert_allclose(given, expected, rtol=1e-15)
    slope = tc.grad(lambda z: tc.sum(tc.binary_cross_entropy(z, t)))(z)
    sigmoid = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
    np.testing.assert_allclose(slope, sigmoid - t, atol=1e-15)
    labels = t.astype(bool)
    np.testing.assert_array_equal(tc.jit(tc.binary_cross_entropy)(z, labels), given)


def test_theanos_cross_entropies_take_probabilities():
    p = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    y = np.array([2, 0])
    expected = -np.log([0.7, 0.3])
    by_class = tc.jit(tc.categorical_crossentropy)(p, y)
    np.testing.assert_allclose(by_class, expected, rtol=1e-15)
    by_row = tc.jit(tc.categorical_crossentropy)(p, np.eye(3)[y])
    np.testing.assert_allclose(by_row, expected, rtol=1e-15)
    t = np.array([0.0, 1.0, 0.25])
    given = tc.jit(tc.binary_crossentropy)(p[0], t)
    binary = -t * np.log(p[0]) - (1 - t) * np.log(1 - p[0])
    np.testing.assert_allclose(given, binary, rtol=1e-14)


def test_making():
    for name, arguments in {
        "eye": (3, 4, 1),
        "tri": (3, 4, -1),
    }.items():
        given = getattr(tc, name)(*arguments).eval()
        assert given.dtype == "float32"
        np.testing.assert_array_equal(given, getattr(np, name)(*arguments))
        assert getattr(tc, name)(2, dtype="int8").eval().dtype == "int8"
    np.testing.assert_array_equal(
        tc.linspace(0, 1, 7, dtype="float64").eval(),
        np.linspace(0, 1, 7, dtype="float32"),
    )
    x = tc.dmatrix("x")
    sized = tc.linspace(0.0, 1.0, x.shape[0])
    for n in (0, 1, 2, 5):
        np.testing.assert_allclose(
            sized.eval({x: np.zeros((n, 1))}), np.linspace(0, 1, n), rtol=1e-6
        )
    assert tc.full_like(x, 3).eval({x: X}).tolist() == np.full_like(X, 3).tolist()
    assert tc.full_like(x, 3, dtype="int8").eval({x: X}).dtype == "int8"
    np.testing.assert_array_equal(
        tc.dimshuffle(x, 1, "x", 0).eval({x: X}), X.T[:, None]
    )


def test_sizes_may_be_known_at_the_call():
    x = tc.dmatrix("x")
    for formula, function in (
        (tc.tile(x, (2, 1)), lambda x: np.tile(x, (2, 1))),
        (tc.repeat(x, x.shape[0], axis=1), lambda x: np.repeat(x, len(x), 1)),
        (tc.roll(x, 5, axis=0), lambda x: np.roll(x, 5, 0)),
        (tc.flip(x, 0), lambda x: np.flip(x, 0)),
        (tc.tril(x), np.tril),
        (tc.var(x, ddof=1), lambda x: np.var(x, ddof=1)),
        (tc.einsum("ij,kj->ik", x, x), lambda x: x @ x.T),
    ):
        compiled = tc.function([x], formula)
        for rows in (1, 2, 3):
            np.testing.assert_allclose(
                compiled(X[:rows]), function(X[:rows]), rtol=1e-13
            )


WRONG = {
    "squeeze": (lambda x: tc.squeeze(tc.constant(X), 0), "has size 3, not 1"),
    "expand_dims": (lambda x: tc.expand_dims(x, 4), "axis 4 is out of range"),
    "moveaxis": (lambda x: tc.moveaxis(x, (0, 1), 0), "2 axes cannot go to 1"),
    "tile": (lambda x: tc.tile(x, -1), "the number of times is negative: -1"),
    "repeat": (
        lambda x: tc.repeat(tc.constant(X), (1, 2), 0),
        "repeat: 2 numbers of times for an axis of size",
    ),
    "roll": (lambda x: tc.roll(x, (1, 2), 0), "2 shifts for 1 axes"),
    "pad": (lambda x: tc.pad(x, -1), "a width in"),
    "pad mode": (
        lambda x: np.pad(x, 1, mode="edges"),
        "mode must be 'constant' or 'edge' or",
    ),
    "pad option": (
        lambda x: np.pad(x, 1, mode="edge", end_values=2),
        "pad: mode 'edge' takes no `end_values`",
    ),
    "diagonal": (lambda x: tc.diagonal(x[0]), "diagonal takes a matrix"),
    "diag": (lambda x: tc.diag(x[None]), "diag takes a vector or a matrix"),
    "cross": (lambda x: tc.cross(tc.constant(X), x), "vectors of size 3"),
    "matrix_power": (
        lambda x: tc.matrix_power(tc.constant(X), 2),
        "takes square matrices",
    ),
    "inverse": (lambda x: tc.matrix_power(x[:, :3], -1), "-1 is negative"),
    "vander": (lambda x: tc.vander(x), "vander takes a vector"),
    "rot90": (lambda x: tc.rot90(x, axes=1), "in the plane of two axes"),
    "average": (lambda x: tc.average(x, weights=x[0]), "average: weights f64["),
    "cov": (lambda x: tc.cov(x[None]), "cov takes vectors and matrices"),
    "convolve": (lambda x: tc.convolve(x, x), "convolve takes vectors"),
    "tril": (lambda x: tc.tril(x[0]), "tril takes a matrix"),
    "tensordot": (lambda x: tc.tensordot(tc.constant(X), X, 1), "differ, 4 and 3"),
    "tensordot axes": (lambda x: tc.tensordot(x, x, ((0,), (0, 1))), "as many axes"),
    "tensordot range": (lambda x: tc.tensordot(x, x, ((2,), (0,))), "axis 2 is out"),
    "tensordot twice": (
        lambda x: tc.tensordot(x, x, ((0, 0), (0, 1))),
        "`tensordot`: an axis stands twice in (0, 0)",
    ),
    "einsum twice": (lambda x: tc.einsum("ii->i", tc.constant(X)), "'i' has sizes"),
    "einsum twice in the result": (
        lambda x: tc.einsum("ij->ii", x),
        "'i' stands twice in the result",
    ),
    "einsum dots": (
        lambda x: tc.einsum("...j->j", x),
        "the result has not the axes that `...` stands for",
    ),
    "einsum rank": (lambda x: tc.einsum("ijk->i", x), "names 3 axes of f64"),
    "einsum count": (lambda x: tc.einsum("ij,jk->ik", x), "2 operands, 1 are given"),
    "einsum sign": (lambda x: tc.einsum("i1->i", x), "a label must be one letter"),
    "einsum result": (lambda x: tc.einsum("ij->k", x), "'k' of the result"),
    "einsum spec": (lambda x: tc.einsum(x, "ij"), "einsum takes a text first"),
    "full_like": (lambda x: tc.full_like(x, x[None]), "does not fill"),
    "clip": (lambda x: tc.clip(x, "a"), "must be a variable, number or array"),
    "crossentropy": (
        lambda x: tc.categorical_crossentropy(x, x[0]),
        "integers, one for each row",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_told_at_the_users_line(name):
    function, message = WRONG[name]
    with pytest.raises((TypeError, ValueError)) as caught:
        tc.jit(function)(X)
    assert message in said(caught.value)
    assert "test_library_functions.py" in str(caught.value)
    assert isinstance(caught.value, tc.TensorcError)


def test_the_language_has_them_too(tmp_path):
    path = tmp_path / "f.tc"
    path.write_text("""
fn f(x: f64[B, 4], y: f64[4, 5]) -> f64[B, 5] =
    einsum((clip(x, none, 1), y), "ij,jk->ik")
fn g(x: f64[B, 4]) -> f64[B] = std(x, axis=1) + norm(clip(x, 0), axis=1)
fn h(x: f64[3, 4]) -> f64[5, 4] = pad(flip(roll(x, 1, axis=0), axis=0), (2, 0))[:5, 2:]
""")
    program = tc.load(path)
    np.testing.assert_allclose(program.f(X, M), np.clip(X, None, 1) @ M, rtol=1e-13)
    expected = X.std(axis=1) + np.linalg.norm(np.clip(X, 0, None), axis=1)
    np.testing.assert_allclose(program.g(X), expected, rtol=1e-13)
    moved = np.pad(np.flip(np.roll(X, 1, 0), 0), (2, 0))[:5, 2:]
    np.testing.assert_array_equal(program.h(X), moved)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "std"])
def test_reductions_take_a_dtype(name):
    x = tc.ivector("x")
    given = getattr(tc, name)(x, dtype="float64").eval({x: [1, 2, 4]})
    assert given.dtype == "float64"
    assert given == pytest.approx(getattr(np, name)([1.0, 2.0, 4.0]), rel=1e-15)
    group = tc.group(tc.constant([1, 2, 4]), tc.constant([3]))
    assert tc.sum(group, dtype="float32").eval().dtype == "float32"


def test_erf_erfc_and_gelu():
    x = np.array(
        [-27.5, -4.0, -0.5, -0.0, 0.0, 0.3, 0.8, 2.0, 10.0, 27.0, np.inf, np.nan]
    )
    for name in ("erf", "erfc"):
        expected = np.vectorize(getattr(math, name))(x)
        given = tc.jit(getattr(tc, name))(x)
        assert given.dtype == "float64"
        np.testing.assert_allclose(given, expected, rtol=4e-16, atol=5e-324)
        slope = tc.grad(lambda x, name=name: tc.sum(getattr(tc, name)(x)))(x[:-2])
        sign = 1 if name == "erf" else -1
        bell = sign * 2 / math.sqrt(math.pi) * np.exp(-(x[:-2] ** 2))
        np.testing.assert_allclose(slope, bell, rtol=1e-14)
    assert np.signbit(tc.jit(tc.erf)(x)).tolist()[3:5] == [True, False]
    assert tc.erf(tc.constant(3)).eval().dtype == "float32"
    share = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x[:9]])
    gelu = tc.jit(tc.gelu)(x[:9])
    np.testing.assert_allclose(gelu, x[:9] * share, rtol=1e-12)
    step = 1e-6
    slope = tc.grad(lambda x: tc.sum(tc.gelu(x)))(X)
    up, down = tc.jit(tc.gelu)(X + step), tc.jit(tc.gelu)(X - step)
    np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-8)


METHODS = {
    "argmin": lambda x: x.argmin(axis=1),
    "prod": lambda x: x.prod(axis=0),
    "var": lambda x: x.var(ddof=1),
    "std": lambda x: x.std(axis=1, keepdims=True),
    "clip": lambda x: x.clip(-1, 1),
    "round": lambda x: x.round(),
    "squeeze": lambda x: x[None].squeeze(0),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "repeat": lambda x: x.repeat(2, axis=1),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_numpys(name):
    given = tc.jit(METHODS[name])(X)
    np.testing.assert_allclose(given, METHODS[name](X), rtol=1e-14)
    assert given.dtype == METHODS[name](X).dtype


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        # As many elements, in other shapes.
        (lambda f, x, y: f.tensordot(x, y, 2), [(3, 4), (4, 3)]),
        (lambda f, x, y: f.einsum("ij,ij->", x, y), [(3, 4), (4, 3)]),
        (lambda f, x, y: f.einsum("bij,bjk->bik", x, y), [(2, 3, 4), (4, 2, 3)]),
        (lambda f, x, y: f.split(x, 2)[0] + f.split(y, 2)[0], [(5, 3), (5, 3)]),
        (lambda f, x, y: f.broadcast_to(x, y.shape), [(3, 2), (2, 3)]),
        (lambda f, x, y: f.full_like(x, y), [(3, 2), (2, 3)]),
        # A size that stands in no tensor of the result but is asked for.
        (lambda f, x, y: f.reshape(x, y.shape[0]), [(3, 4), (5, 1)]),
        (lambda f, x, y: f.broadcast_to(x, (2, y.shape[0], 4)), [(3, 4), (5, 1)]),
        # Nothing, in a wrong shape.
        (lambda f, x, y: f.tensordot(x, y, 1), [(0, 4), (0, 4)]),
        (lambda f, x, y: f.einsum("ij,jk->ik", x, y), [(0, 4), (3, 2)]),
        (lambda f, x, y: f.squeeze(x, 0) + f.squeeze(y, 0), [(3, 0), (3, 0)]),
    ],
)
def test_sizes_that_only_the_call_knows_are_compared_one_by_one(function, shapes):
    given = [np.ones(shape) for shape in shapes]
    with pytest.raises(ValueError):  # noqa: PT011
        function(np, *given)
    with pytest.raises(ValueError, match=r"TC050[34]"):
        tc.jit(lambda x, y: function(tc, x, y))(*given)
    x, y = (
        tc.tensor(n, "float64", (None,) * g.ndim)
        for n, g in zip("xy", given, strict=True)
    )
    compiled = tc.function([x, y], function(tc, x, y))
    with pytest.raises(ValueError, match=r"TC050[34]"):
        compiled(*given)


def test_dimshuffle_leaves_out_no_axis_of_another_size():
    x = tc.dmatrix("x")
    compiled = tc.function([x], x.dimshuffle(1))
    assert compiled(np.ones((1, 5))).shape == (5,)
    for shape in ((3, 5), (3, 0), (0, 5)):
        with pytest.raises(ValueError, match="TC0503"):
            compiled(np.ones(shape))


def test_an_einsum_takes_pairs_by_their_labels_alone():
    rng = np.random.default_rng(5)
    for sizes in ((3, 4, 5), (40, 2, 600), (2, 700, 3)):
        i, j, k = sizes
        x, y, z = rng.normal(size=(i, j)), rng.normal(size=(j, k)), rng.normal(size=k)
        given = tc.jit(lambda x, y, z: np.einsum("ij,jk,k->i", x, y, z))(x, y, z)
        wanted = tc.jit(lambda x, y, z: x @ (y @ z))(x, y, z)
        assert np.array_equal(given, wanted), sizes
        inputs = [
            tc.tensor(n, "float64", a.shape)
            for n, a in zip("xyz", (x, y, z), strict=True)
        ]
        known = tc.function(inputs, tc.einsum("ij,jk,k->i", *inputs))
        assert np.array_equal(known(x, y, z), wanted), sizes
