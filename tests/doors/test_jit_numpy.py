"""NumPy's functions and operators on the variables of a trace."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend import library, numpy_functions

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


def test_the_table_names_functions_of_the_library():
    known = {*library.PRELUDE, *library.NOT_YET, "ravel", "zeros_like", "ones_like"}
    assert {row.target for row in numpy_functions._ROWS} <= known


def test_options_of_the_table_are_options_of_the_library():
    for row in numpy_functions._ROWS:
        composite = library.PRELUDE.get(row.target)
        if composite is None:
            continue
        parameters = [p.partition("=") for p in row.parameters.split()]
        options = {ours or theirs for theirs, _, ours in parameters}
        assert set(composite.options) <= options, row.function.__name__


def test_numpy_traces_in_the_symbolic_door_too():
    x = tc.dmatrix("x")
    total = np.sum(np.exp(x), axis=0)
    np.testing.assert_allclose(total.eval({x: X}), np.exp(X).sum(axis=0), rtol=1e-14)
