"""NumPy's functions and operators on the variables of a trace."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.python import numpy_functions

X = np.linspace(-2, 3, 12).reshape(3, 4)
M = np.linspace(0.5, 2, 12).reshape(4, 3)

CALLS = {
    "exp": lambda x: np.exp(x),
    "log": lambda x: np.log(x * x + 1),
    "sqrt": lambda x: np.sqrt(x * x),
    "maximum": lambda x: np.maximum(x, 0.5),
    "minimum": lambda x: np.minimum(x, X[0]),
    "negative": lambda x: np.negative(x),
    "where": lambda x: np.where(x > 0, x, -1.0),
    "logical": lambda x: np.logical_and(x > 0, np.less(x, 1)),
    "sum": lambda x: np.sum(x, axis=0),
    "sum by position": lambda x: np.sum(x, 0),
    "sum keepdims": lambda x: np.sum(x, axis=1, keepdims=True),
    "sum dtype": lambda x: np.sum(x, dtype="float32"),
    "mean": lambda x: np.mean(x, axis=(0, 1)),
    "max": lambda x: np.max(x, axis=1),
    "amax": lambda x: np.amax(x),
    "min": lambda x: np.min(x, axis=1),
    "any": lambda x: np.any(x > 0, axis=1),
    "all": lambda x: np.all(x > 0),
    "argmax": lambda x: np.argmax(x, axis=1),
    "dot": lambda x: np.dot(x, M),
    "matmul": lambda x: np.matmul(x, M),
    "transpose": lambda x: np.transpose(x),
    "transpose axes": lambda x: np.transpose(x, (1, 0)),
    "reshape": lambda x: np.reshape(x, (2, -1)),
    "ravel": lambda x: np.ravel(x),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "zeros_like": lambda x: np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x),
    "method": lambda x: x.sum(axis=0).reshape(2, 2).T,
    "array @ x": lambda x: M @ x,
    "x @ array": lambda x: x @ M,
    "array - x": lambda x: X - x,
    "array / x": lambda x: X / (x + 10),
    "array > x": lambda x: x < X.T.copy().T,
    "scalar * x": lambda x: np.float64(2.5) * x,
    "power": lambda x: np.power(x, 3),
    "tanh": lambda x: np.tanh(x),
    "concatenate": lambda x: np.concatenate([x, X, x], axis=1),
    "stack": lambda x: np.stack([x, X]),
    "split": lambda x: np.split(x, 2, axis=1)[1],
    "prod": lambda x: np.prod(x, axis=0),
    "abs": lambda x: np.abs(x) + abs(x),
    "isnan": lambda x: np.isnan(x),
    "shape": lambda x: x * np.shape(x)[0] + np.ndim(x),
    "index": lambda x: x[1:, None, ::2],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_give_numpys_values_and_types(name, dtype):
    function = CALLS[name]
    x = X.astype(dtype)
    expected = np.asarray(function(x))
    given = tc.jit(function)(x)
    assert given.dtype == expected.dtype
    tolerance = 1e-5 if "float32" in (dtype, str(expected.dtype)) else 1e-13
    np.testing.assert_allclose(given, expected, rtol=tolerance, atol=tolerance)


def test_numpys_functions_take_the_options_of_their_rows():
    for function, row in numpy_functions.rows().items():
        parameters = [p.partition("=") for p in row.parameters]
        options = {ours or theirs for theirs, _, ours in parameters}
        assert set(row.options) <= options, function.__name__


def test_numpy_traces_in_the_symbolic_door_too():
    x = tc.dmatrix("x")
    total = np.sum(np.exp(x), axis=0)
    np.testing.assert_allclose(total.eval({x: X}), np.exp(X).sum(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.round(x, 0),
        lambda x: np.sum(x, where=True),
        lambda x: np.broadcast_to(x, (2, 3, 4), subok=False),
        lambda x: np.take(x, [1, 0], axis=0, mode="raise"),
        lambda x: np.zeros_like(x, order="K", subok=True),
        lambda x: np.concatenate([x, x], casting="same_kind"),
        lambda x: np.concatenate([x, x], dtype="float32"),
        lambda x: np.einsum("ij,ij->j", x, x, optimize=True),
        lambda x: np.linspace(-1.5, np.max(x), 6, dtype="int64"),
        lambda x: np.argmax(x, keepdims=True),
        lambda x: np.clip(x.astype("int8"), -1000, 1000),
        lambda x: np.clip(np.abs(x).astype("uint8"), -5, 2),
        lambda x: np.power(np.abs(x.astype("int64")), 100),
    ],
)
def test_defaults_of_numpy_are_taken(call):
    expected = np.asarray(call(X))
    given = tc.jit(call)(X)
    assert given.dtype == expected.dtype
    np.testing.assert_allclose(given, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.prod(x, initial=False), "takes no `initial=`"),
        (lambda x: np.max(x, initial=0), "takes no `initial=`"),
        (lambda x: np.sum(x, where=False), "takes no `where=`"),
        (lambda x: np.linspace(x[0, 0], 1, 3, endpoint=False), "no `endpoint=`"),
        (lambda x: np.clip(x, 0, 1, min=0.5), "`min` is given twice"),
        (lambda x: np.mean(x, dtype="int32"), "`dtype` of mean must be a float type"),
        (lambda x: np.float_power(x, 2), "np.float_power of a variable is not"),
        (lambda x: np.ravel(x, order="F"), "takes no `order=`"),
    ],
)
def test_other_options_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        tc.jit(call)(X)


@pytest.mark.parametrize("name", ["uint8", "int16", "uint64", "int64"])
def test_integers_of_the_call_are_compared_exactly(name):
    """Sizes and settings that the type of the array cannot hold do not wrap."""
    x = np.array([0, 1, 255 if name == "uint8" else 256, 44], name)
    k = tc.lscalar("k")
    v = tc.tensor("v", name, (4,))
    big = tc.vector("big")
    less = tc.function([v, k, big], [v < k, v >= k, tc.eq(v, big.shape[0]), k != v])
    for number in (300, -1, 0, 256 + 44):
        given = less(x, number, np.zeros(300, "float32"))
        expected = [x.astype(object) < number, x.astype(object) >= number]
        expected += [x.astype(object) == 300, x.astype(object) != number]
        for one, other in zip(given, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["int32", "float32", "bool"])
@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "full_like", "linspace"])
def test_a_type_means_the_same_in_both_doors(name, dtype):
    """Of a function that makes arrays `dtype` is read alike by np.f and tc.f."""
    given = {"full_like": (2.5,), "linspace": (7.5, 4)}.get(name, ())
    first = 0.5 if name == "linspace" else X
    expected = getattr(np, name)(first, *given, dtype=dtype)
    for module in (np, tc):
        function = getattr(module, name)
        made = tc.jit(lambda x, f=function: f(x, *given, dtype=dtype))(first)
        assert made.dtype == expected.dtype
        np.testing.assert_array_equal(made, expected)
