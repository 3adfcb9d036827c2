"""Methods of variables, which are rows of the registry: parameters, refusals."""

import inspect

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.library.registry.rows import BY_NAME, FUNCTIONS
from tensorc.frontend.python.row_functions import method_of
from tensorc.frontend.python.symbolic import compose
from tests.doors import numpy_table

MATRIX = np.array([[3.0, 1.0, 2.0], [0.5, 4.0, -1.0]])
ROWS = [row for row in FUNCTIONS if row.method]


def value(formula, x):
    return formula.eval({x: MATRIX})


# How NumPy's arrays are asked, with arguments by their places and by name.
CALLS = {
    "min alone": lambda x: x.clip(min=1),
    "place and name": lambda x: x.clip(1, max=2),
    "ddof by place": lambda x: x.std(0, None, None, 1),
    "ddof of var by place": lambda x: x.var(1, None, None, 1, True),
    "keepdims by place": lambda x: x.max(1, None, True),
    "keepdims of sums": lambda x: x.sum(0, None, None, True),
    "dtype by place": lambda x: x.mean(0, "float32"),
    "all places": lambda x: x.sum(where=True),
    "indices": lambda x: x.take([0, 2], 1),
    "by axis": lambda x: x.take([1], axis=0),
    "index": lambda x: x.argmin(1, keepdims=True),
    "sizes": lambda x: x.reshape(3, 2),
    "a list of sizes": lambda x: x.reshape([3, -1]),
    "an array of sizes": lambda x: x.reshape(np.array([3, 2])),
    "order": lambda x: x.reshape(3, 2, order="C"),
    "axes": lambda x: x.transpose(1, 0),
    "a tuple of axes": lambda x: x.transpose((1, 0)),
    "no axes": lambda x: x.transpose(),
    "None": lambda x: x.transpose(None),
    "product": lambda x: x.dot(x.T),
    "times": lambda x: x.repeat(2, axis=0),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_method_is_called_as_one_of_numpys_arrays(name):
    x, call = tc.dmatrix("x"), CALLS[name]
    found, expected = value(call(x), x), call(MATRIX)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape


OWN = {
    "names of here": (lambda x: x.clip(low=1, high=2), np.clip(MATRIX, 1, 2)),
    "Theano's rank": (lambda x: x.reshape((3, 2), 2), MATRIX.reshape(3, 2)),
    "pattern": (lambda x: x.dimshuffle(1, "x", 0), MATRIX.T[:, None]),
    "a pattern in one": (lambda x: x.dimshuffle((1, 0)), MATRIX.T),
    "axes left": (lambda x: x.flatten(2), MATRIX),
}


@pytest.mark.parametrize("name", OWN)
def test_a_method_takes_the_names_of_here_and_theanos(name):
    call, expected = OWN[name]
    x = tc.dmatrix("x")
    assert value(call(x), x).tolist() == expected.tolist()


@pytest.mark.parametrize("row", [r for r in ROWS if r.numpy], ids=lambda row: row.name)
def test_a_method_is_numpys_function_of_the_variable(row):
    """With each option that the table of NumPy's functions knows."""
    function = next(f for f, r in numpy_table.rows() if r is row)
    x, calls = tc.dmatrix("x"), numpy_table.calls_of_row(function, row)
    tried = [c for c in calls if c.types == ("float64",)]
    assert tried or len(row.tensors) > 1
    for call in tried:
        own = outcome(getattr(x, row.name), x, call.given, call.options)
        theirs = outcome(function, x, (x, *call.given), call.options)
        np.testing.assert_array_equal(own, theirs, call.name)


def outcome(function, x, given, options):
    """Return the value of a call, or the class of the error for what is refused."""
    try:
        return value(function(*given, **dict(options)), x)
    except tc.TensorcError as error:
        return type(error).__name__


WRONG = {
    "unknown": lambda x, row: getattr(x, row.name)(nonsense=1),
    "too many": lambda x, row: getattr(x, row.name)(*[None] * 8),
}


@pytest.mark.parametrize(
    ("row", "wrong"),
    # Where arguments are sizes one by one, it takes any number of them.
    [(r, w) for r in ROWS for w in WRONG if not (w == "too many" and r.spread)],
    ids=lambda each: getattr(each, "name", each),
)
def test_a_wrong_call_of_a_method_has_a_code_and_a_line(row, wrong):
    with pytest.raises(tc.TensorcError) as caught:
        WRONG[wrong](tc.dmatrix("x"), row)
    assert isinstance(caught.value, TypeError)
    assert caught.value.diagnostics[0].location.file == __file__
    assert "error[TC" in str(caught.value)


REFUSED = {
    "where": (lambda x: x.sum(where=x > 1), "x.sum takes no `where=`", "axis, dtype"),
    "out": (lambda x: x.max(1, x), "x.max takes no `out=`", "axis, keepdims"),
    "dim": (lambda x: x.sum(dim=0), "x.sum takes no `dim=`", "`axis=` for `dim=`"),
    "dtype": (lambda x: x.max(dtype="f4"), "x.max takes no `dtype=`", "x.astype"),
    "order": (lambda x: x.ravel("F"), "x.ravel takes no `order=`", ""),
    "missing": (lambda x: x.dot(), "x.dot needs `b`", ""),
    "twice": (lambda x: x.clip(0, min=1), "x.clip: `a_min` is given twice", ""),
    "both": (
        lambda x: np.clip(x, a_min=1, min=2, a_max=None),
        "`a_min` is given twice, as `min`",
        "",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_method_does_not_take_is_named(name):
    call, message, hint = REFUSED[name]
    with pytest.raises(TypeError) as caught:
        call(tc.dmatrix("x"))
    assert message in str(caught.value)
    assert hint in str(caught.value)


def test_a_row_without_numpys_function_is_a_method_with_its_options():
    """Such as that of the guide to reductions."""
    x = tc.dmatrix("x")
    method = method_of(BY_NAME["logsumexp"], compose)
    found = value(method(x, axis=0, keepdims=True), x)
    assert found == pytest.approx(np.log(np.exp(MATRIX).sum(0, keepdims=True)))
    assert list(inspect.signature(method).parameters) == ["self", "axis", "keepdims"]
