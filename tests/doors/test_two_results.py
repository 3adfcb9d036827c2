"""A function with two results in all doors: `top1`, an element and its index."""

import copy
import pickle

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError

X = np.array([[1, 5, 5], [7, -2, np.nan], [-0.0, 0.0, -1]], np.float32)
LOSS = """
param W: float[3] = [0.5, 1, 2]
fn both(x: float[B, 3]) -> (float[B], int[B]) {
    v, i = top1(x * W, axis=1)
    return v, i
}
fn index(x: float[B, 3]) -> int[B] = top1(x, axis=-1)[1]
fn slope(x: float[B, 3]) -> float[3] = grad(sum(top1(x * W, axis=1)[0]), W)
fn whole(x: float[B, 3]) -> (float[1, 1], int[1, 1]) = top1(x, keepdims=true)
step move(x: float[B, 3]) -> int[B] {
    v, i = top1(x * W, axis=1)
    W <- W - 0.5 * grad(sum(v), W)
    return i
}
param best: float[2] = 0
state which: int[2] = 0
step keep(x: float[2, 3]) { best, which <- top1(x, axis=1) }
"""
CALLS = [
    ({"axis": 1}, (3,)),
    ({"axis": -1, "keepdims": True}, (3, 1)),
    ({"axis": 0}, (3,)),
    ({}, ()),
    ({"keepdims": True}, (1, 1)),
]


def wanted(x, axis=None, keepdims=False):
    """Return NumPy's index, and the element there."""
    index = np.argmax(x, axis, keepdims=keepdims)
    if axis is None:
        value = np.reshape(x.reshape(-1)[np.ravel(index)[0]], np.shape(index))
        return value, index
    at = index if keepdims else np.expand_dims(index, axis)
    value = np.take_along_axis(x, at, axis)
    return value if keepdims else np.squeeze(value, axis), index


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint64", "bool"])
@pytest.mark.parametrize(("options", "shape"), CALLS)
@pytest.mark.parametrize("door", ["jit", "function"])
def test_it_gives_numpys_index_and_the_element_there(door, options, shape, dtype):
    given = np.nan_to_num(X) if dtype[0] != "f" else X
    given = abs(given).astype(dtype) if dtype[0] in "ub" else given.astype(dtype)
    if door == "jit":
        call = tc.jit(lambda x: tc.top1(x, **options))
    else:
        x = tc.matrix("x", dtype)
        call = tc.function([x], [*tc.top1(x, **options)])
    value, index = call(given)
    assert (value.shape, index.shape) == (shape, shape)
    assert (value.dtype, index.dtype) == (dtype, np.int64)
    for found, expected in zip((value, index), wanted(given, **options), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_theano_calls_it_max_and_argmax():
    x = tc.fmatrix("x")
    value, index = tc.function([x], [*tc.max_and_argmax(x, 1, keepdims=True)])(X)
    assert index.tolist() == [[1], [2], [0]]
    assert value.shape == (3, 1)


def test_a_program_names_both_or_takes_one(tmp_path):
    path = tmp_path / "both.tc"
    path.write_text(LOSS)
    program = tc.load(str(path))
    value, index = program.both(X)
    assert index.tolist() == [2, 2, 0]
    np.testing.assert_array_equal(value, np.float32([10, np.nan, -0.0]))
    assert program.index(X).tolist() == [1, 2, 0]
    assert program.slope(X[:1]).tolist() == [0, 0, 5]
    assert [a.item() for a in program.whole(X[:1])] == [5, 1]
    assert program.move(X[:1]).tolist() == [2]
    assert program.W.get_value().tolist() == [0.5, 1, -0.5]
    assert program.move(X[:1]).tolist() == [1]
    program.keep(X[[0, 2]])
    assert program.best.get_value().tolist() == [5, 0]
    assert program.which.get_value().tolist() == [1, 0]


def test_both_branches_of_a_program_give_both(tmp_path):
    path = tmp_path / "branch.tc"
    path.write_text(
        """fn f(x: float[B, 3], c: bool) -> (float[B], int[B]) {
        if c { v, i = top1(x, axis=1) } else { v, i = top1(-x, axis=1) }
        return v, i
        }"""
    )
    call = tc.load(str(path)).f
    for chosen, sign in ((True, 1), (False, -1)):
        value, index = call(X[:1], chosen)
        assert value == max(sign * X[0])
        assert index == np.argmax(sign * X[0])


def test_a_derivative_of_the_value_in_both_doors():
    x = tc.dmatrix("x")
    given = np.array([[1.0, 5, 5], [7, -2, 3]])
    slope = tc.grad((tc.top1(x, axis=1)[0] ** 3).sum(), x)
    expected = np.array([[0.0, 75, 0], [147, 0, 0]])
    np.testing.assert_array_equal(tc.function([x], slope)(given), expected)
    second = tc.grad(slope.sum(), x)
    expected = np.array([[0.0, 30, 0], [42, 0, 0]])
    np.testing.assert_array_equal(tc.function([x], second)(given), expected)

    def cost(x):
        value, index = tc.top1(x, axis=1)
        return (value * x[np.arange(2), index]).sum()

    expected = np.array([[0.0, 10, 0], [14, 0, 0]])
    np.testing.assert_array_equal(tc.jit(tc.grad(cost))(given), expected)


def test_derivatives_forward_and_of_the_second_order_in_all_doors(tmp_path):
    """Of the square of the largest: along t it is 2 v t, twice t at its element."""
    path = tmp_path / "forward.tc"
    path.write_text(
        "fn y(x) = top1(x, axis=1)[0]**2\n"
        "fn along(x: f64[2, 3], t: f64[2, 3]) -> f64[2] = jvp(y(x), x, t)\n"
        "fn back(x: f64[2, 3], c: f64[2]) -> f64[2, 3] = vjp(y(x), x, c)\n"
        "fn second(x: f64[1, 3]) -> f64[1, 3, 1, 3] = hessian(sum(y(x)), x)\n"
    )
    program = tc.load(str(path))
    x, t = np.array([[1.0, 5, 5], [7, -2, 3]]), np.array([[9.0, 1, 2], [3, 9, 9]])
    c = np.array([2.0, -1])

    def square(x):
        return tc.top1(x, axis=1)[0] ** 2

    symbol = tc.dmatrix("x")
    wanted = [10.0, 42]
    forward = tc.Rop(square(symbol), symbol, t)
    for found in (
        program.along(x, t),
        tc.jit(lambda x: tc.jvp(square, (x,), (t,))[1])(x),
        tc.function([symbol], forward)(x),
    ):
        assert found.tolist() == wanted
    wanted = [[0, 20, 0], [-14, 0, 0]]
    backward = tc.Lop(square(symbol), symbol, c)
    for found in (program.back(x, c), tc.function([symbol], backward)(x)):
        assert found.tolist() == wanted
    expected = np.zeros((1, 3, 1, 3))
    expected[0, 1, 0, 1] = 2
    found = program.second(x[:1]), tc.hessian(lambda x: square(x).sum())(x[:1])
    for each in found:
        np.testing.assert_array_equal(each, expected)


def test_a_derivative_by_one_result_holds_the_other():
    x = tc.dvector("x")
    value, index = tc.top1(x)
    cost = value**2 * x[index]
    slopes = [tc.grad(cost, value), *tc.grad(cost, [x, value])]
    by_value, by_x, again = tc.function([x], slopes)(np.array([1.0, 3, 2]))
    assert (by_value, again) == (18, 18)
    assert by_x.tolist() == [0, 27, 0]


def test_copies_and_pickles_keep_one_node():
    x = tc.fvector("x")
    pair = tc.top1(x)
    for again in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        value, index = again
        node = value.operand.value.op
        assert node is index.operand.value.op
        assert node is not pair[0].operand.value.op
    (index,) = pickle.loads(pickle.dumps((pair[1],)))
    assert (index.dtype, index.operand.value.index) == ("int64", 1)


def test_a_compiled_function_with_both_is_pickled():
    x = tc.fvector("x")
    call = pickle.loads(pickle.dumps(tc.function([x], [*tc.top1(x * 2)])))
    assert [a.item() for a in call(np.float32([1, 3, 2]))] == [6, 1]


@pytest.mark.parametrize("replaced", [0, 1, (0, 1)])
def test_givens_replace_one_result_and_leave_the_other(replaced):
    x = tc.dvector("x")
    pair = tc.top1(x)
    which = replaced if isinstance(replaced, tuple) else (replaced,)
    givens = {pair[k]: pair[k] * 2 for k in which}
    total = pair[0] + tc.cast(pair[1], "float64")
    found = tc.function([x], [*pair, total], givens=givens)(np.array([1.0, 3, 2]))
    plain = [3.0, 1]
    expected = [v * 2 if k in which else v for k, v in enumerate(plain)]
    assert [a.item() for a in found] == [*expected, sum(expected)]


def test_a_node_is_shown_once_and_its_results_are_told_apart():
    x = tc.fvector("x")
    value, index = tc.top1(x)
    text = tc.debugprint(value + tc.cast(index, "float32"), file="str")
    assert text.count("top1") == 1
    assert "top1[0] f32[]" in text or "= top1[0] f32" in text
    assert "[1]" in text


def test_an_update_of_one_result_and_a_step_of_the_other():
    best = tc.shared(np.float32(0), "best")
    x = tc.fvector("x")
    value, index = tc.top1(x)
    step = tc.function([x], index, updates=[(best, tc.maximum(best, value))])
    assert step(np.float32([1, 3, 2])) == 1
    assert best.get_value() == 3


def test_stages_and_costs_know_both_results():
    x = tc.fmatrix("x")
    call = tc.function([x], [*tc.top1(x, axis=1)])
    assert call.emit("graph").count("tc.top1") == 1
    cost = call.cost(x0=4, x1=3)
    assert (cost.kernels, cost.bytes) == (1, 4 * 3 * 4 + 4 * (4 + 8))
    assert "writes   48 bytes: f32[4], i64[4]" in call.explain(x0=4, x1=3)
    only = tc.function([x], tc.top1(x, axis=1)[1])
    assert "tc.argmax" in only.emit("tensor")


MISTAKES = [
    (lambda x: tc.top1(x, axis=(0, 1)), "axis must be one integer or None"),
    (lambda x: tc.top1(x, axis=2), "axis 2 is out of range for rank 2"),
    (lambda x: tc.top1(x[:, :0], axis=1), "has no elements"),
    (lambda x: x[:, tc.top1(x)[1] :], "computed from arrays"),
    (
        lambda x: tc.grad(lambda x: (tc.top1(x, 1)[1] * x[:, 0]).sum())(x),
        "tc.top1 has no derivative",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), MISTAKES)
def test_what_is_wrong_is_said(wrong, message):
    with pytest.raises((TensorcError, TypeError, ValueError), match=message):
        tc.jit(wrong)(X)
