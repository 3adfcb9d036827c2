"""Wrong uses of the symbolic door: the class, both values, the user's line, a hint."""

import inspect

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

W = tc.shared(np.zeros((784, 10), "float32"), "W")


def vectors():
    return tc.vector("a"), tc.vector("b")


def compiled(x=None):
    x = tc.matrix("x") if x is None else x
    return tc.function([x], x.sum(axis=1), name="rows")


# A wrong use, its class, and what its message must say.
MISTAKES = [
    # Shapes and types in formulas
    (
        lambda: tc.tensor("x", "float32", (3, 784)) @ W @ W,
        ValueError,
        ["10 and 784"],
    ),
    (
        lambda: tc.tensor("x", "float32", (3,)) + tc.tensor("y", "float32", (4,)),
        ValueError,
        ["3 and 4"],
    ),
    (lambda: tc.scalar("a") @ tc.matrix("b"), ValueError, ["got a scalar", "`*`"]),
    (lambda: W.reshape(3, 5), ValueError, ["7840", "15"]),
    (lambda: W.reshape((-1, 7)) + W.reshape((-1, 11)), ValueError, ["multiple of 11"]),
    (lambda: W.sum(axis=2), ValueError, ["axis 2", "rank 2"]),
    (lambda: W.sum(axis=(0, 0)), ValueError, ["twice", "(0, 0)"]),
    (lambda: W.sum(axis=1.0), TypeError, ["axis must be", "got 1.0"]),
    (lambda: W.dimshuffle(0), ValueError, ["axis 1", "size 10"]),
    (lambda: W.dimshuffle(0, 0, "x"), ValueError, ["(0, 0, 'x')"]),
    (lambda: (W > 0) - (W < 0), TypeError, ["booleans", "a != b"]),
    (lambda: W + "one", TypeError, ["'one' (str)"]),
    (lambda: W + None, TypeError, ["None", "x is None"]),
    (lambda: W * np.zeros(10, complex), TypeError, ["complex128", "z.real"]),
    (lambda: W * np.array([{}, 1]), TypeError, ["object"]),
    (lambda: W * [[1, 2], [3]], ValueError, ["not an array"]),
    (lambda: W - [W], TypeError, ["holds variables", "group them"]),
    (
        lambda: W.astype("quaternion"),
        TypeError,
        ["'quaternion' (str)", "float16 to float64"],
    ),
    (lambda: 0 & W < 1, TypeError, ["0 (int)", "(x > 0) & (x < 1)"]),
    (
        lambda: W.get_value().tolist() and tc.exp(W, W),
        TypeError,
        ["exp(x)", "too many"],
    ),
    (lambda: tc.sum(W, axes=1), TypeError, ["'axes'", "axis"]),
    # Indexing
    (lambda: W[784], IndexError, ["784", "axis 0 with size 784"]),
    (lambda: W[0, 0, 0], IndexError, ["3 indices", "f32[784, 10]", "rank 2"]),
    (lambda: W[0.5], IndexError, ["0.5 (float)"]),
    (lambda: W[True], IndexError, ["True (bool)", "where(c, x, y)"]),
    (lambda: W[tc.vector("i")], IndexError, ["f32[i0]", "astype('int64')"]),
    (lambda: W[..., ...], IndexError, ["twice"]),
    (lambda: W[::0], IndexError, ["step", "0"]),
    (lambda: W["a"], IndexError, ["'a' (str)"]),
    (lambda: W.__setitem__(0, 1), TypeError, ["in place", "x.at[i].set(new)"]),
    # No value yet
    (lambda: bool(W.sum() > 0), TypeError, ["neither true nor false", "tc.where"]),
    (lambda: 0 < W.sum() < 1, TypeError, ["neither true nor false"]),
    (lambda: list(tc.vector("v")), TypeError, ["iterated", "<v: f32[v0]>"]),
    (lambda: len(tc.vector("v")), TypeError, ["length", "x.shape[0]"]),
    (lambda: float(W.sum()), TypeError, ["no value yet", ".eval"]),
    (lambda: np.zeros(3)[tc.iscalar("i")], TypeError, ["<i: i32>", "no value"]),
    (lambda: np.asarray(W.sum()), TypeError, ["no value yet"]),
    # Variables and memory
    (lambda: tc.matrix(3), TypeError, ["name", "3 (int)"]),
    (lambda: tc.tensor("x", "float32", (3, -1)), ValueError, ["-1"]),
    (lambda: tc.shared("text"), TypeError, ["'text' (str)"]),
    (lambda: tc.shared(W.sum()), TypeError, ["variable", ".eval"]),
    (lambda: tc.shared(np.zeros(3, complex)), TypeError, ["complex128"]),
    (lambda: W.set_value(np.zeros(3)), ValueError, ["f32[784, 10]", "f32[3]"]),
    (lambda: W.set_value(W.sum()), TypeError, ["updates="]),
    # Derivatives
    (lambda: tc.grad(W, W), TypeError, ["scalar", "f32[784, 10]", ".mean()"]),
    (lambda: tc.grad(W.argmax(), W), TypeError, ["i64", "float"]),
    (lambda: tc.grad(W.sum(), 3), TypeError, ["3 (int)"]),
    (lambda: tc.grad(W.sum(), tc.ivector("i")), TypeError, ["i32[i0]", "float"]),
    (lambda: tc.grad([W.sum()], W), TypeError, ["list", "cost comes first"]),
    (lambda: tc.grad(W.sum(), [W, tc.vector("z")]), ValueError, ["<z: f32[z0]>"]),
    (
        lambda: tc.grad(W.sum(), W, disconnected_inputs="no"),
        ValueError,
        ["'no'", "zeros"],
    ),
    # Functions
    (lambda: tc.function(tc.vector("v"), 1), TypeError, ["list", "brackets"]),
    (lambda: tc.function([3], W), TypeError, ["3 (int)", "tc.matrix"]),
    (lambda: tc.function([W], W), TypeError, ["shared variable", "givens"]),
    (lambda: tc.function([W.sum()], W), TypeError, ["computed", "givens"]),
    (lambda: tc.function([], 3), TypeError, ["3 (int)", "tc.constant"]),
    (lambda: tc.function([], tc.vector("v") * 2), ValueError, ["v, made at", "givens"]),
    (lambda: tc.function([tc.vector("v")], W), ValueError, ["v is not used", "ignore"]),
    (lambda: tc.function([], W, update=[]), TypeError, ["did you mean `updates=`"]),
    (lambda: tc.function([], W, output=W), TypeError, ["did you mean `outputs=`"]),
    (
        lambda: tc.function([], updates=[([W], [W])]),
        TypeError,
        ["list of 1", "group them"],
    ),
    (lambda: tc.function([], updates=(W, W)), TypeError, ["pairs", "updates=[(W"]),
    (lambda: tc.function([], updates=[W]), TypeError, ["pairs"]),
    (
        lambda: tc.function([], updates=[(tc.vector("v"), W)]),
        TypeError,
        ["f32[v0]", "tc.shared"],
    ),
    (lambda: tc.function([], updates=[(W, W), (W, W)]), ValueError, ["twice"]),
    (
        lambda: tc.function([], updates=[(W, W.astype("float64"))]),
        TypeError,
        ["f64[784, 10]", "f32[784, 10]", "astype('float32')"],
    ),
    (
        lambda: tc.function([], updates=[(W, W.T)]),
        ValueError,
        ["f32[784, 10]", "f32[10, 784]"],
    ),
    (lambda: tc.function([], updates=[(W, W.sum())]), ValueError, ["f32[784, 10]"]),
    (lambda: tc.function([], W, givens={"x": W}), TypeError, ["'x' (str)", "itself"]),
    (lambda: tc.function([], W, givens={W: W.sum()}), ValueError, ["f32[784, 10]"]),
    (lambda: tc.function([], W, on_unused_input="no"), ValueError, ["'no'"]),
    # Calls
    (lambda: compiled()(np.zeros(3)), ValueError, ["rank 2", "rank 1", "'x'"]),
    (lambda: compiled()(), TypeError, ["1 input", "0 given", "x is missing"]),
    (lambda: compiled()(1, 2), TypeError, ["1 input", "2 given"]),
    (lambda: compiled()(z=1), TypeError, ["no input 'z'"]),
    (lambda: compiled()(np.zeros((2, 2)), x=1), TypeError, ["'x'", "twice"]),
    (lambda: compiled()(np.zeros((2, 2), complex)), TypeError, ["complex128", "f32"]),
    (lambda: compiled()(np.zeros((2, 2), complex)), TypeError, ["z.real, z.imag"]),
    (lambda: compiled()(np.full((2, 2), None)), TypeError, ["object", "f32", "dtype"]),
    (lambda: compiled()([[1, 2], [3]]), TypeError, ["as an array", "of one length"]),
    (
        lambda: compiled()("abc"),
        TypeError,
        ["str given", "f32", "integers and floats"],
    ),
    (
        lambda: compiled(tc.lmatrix("x"))(np.zeros((2, 2))),
        TypeError,
        ["i64", "f64[2, 2]"],
    ),
]


@pytest.mark.parametrize(
    ("mistake", "error", "words"),
    [pytest.param(*m, id=f"{i}") for i, m in enumerate(MISTAKES)],
)
def test_a_mistake_is_told(mistake, error, words):
    with pytest.raises(error) as caught:
        mistake()
    text = said(caught.value)
    missing = [word for word in words if word not in text]
    assert not missing, text
    assert "#" not in text.replace("# ", ""), "a size shows its number"


def test_the_message_quotes_the_users_line():
    x = tc.tensor("x", "float32", (3, 4))
    line = inspect.currentframe().f_lineno + 2
    with pytest.raises(ValueError, match="4 and 3") as caught:
        x @ x
    text = str(caught.value)
    assert f"test_wrong_symbolic.py:{line}:" in text
    assert "        x @ x" in text
    assert caught.value.diagnostics[0].location.line == line


def test_a_mismatch_that_only_the_whole_shows_is_at_the_line_of_the_op():
    x = tc.matrix("x")
    first = x @ tc.shared(np.zeros((3, 2), "float32"))
    second = x @ tc.shared(np.zeros((4, 2), "float32"))
    line = inspect.currentframe().f_lineno - 1
    with pytest.raises(ValueError, match=r"3|4") as caught:
        tc.function([x], [first, second])
    assert caught.value.diagnostics[0].location.line == line


def test_sizes_that_do_not_fit_at_the_call():
    a, b = vectors()
    f = tc.function([a, b], a + b)
    with pytest.raises(ValueError, match=r"3[\s\S]*2|2[\s\S]*3"):
        f([1, 2, 3], [1, 2])


def test_an_index_out_of_range_at_the_call_changes_nothing():
    p, y = tc.matrix("p"), tc.lvector("y")
    count = tc.shared(0, "count")
    picked = p[tc.arange(y.shape[0]), y]
    f = tc.function([p, y], picked, updates=[(count, count + 1)])
    with pytest.raises(IndexError, match=r"index 5 .*size 2") as caught:
        f(np.zeros((1, 2)), [5])
    assert caught.value.diagnostics[0].location.file == __file__
    assert count.get_value() == 0


def test_an_unknown_name_suggests_another():
    with pytest.raises(AttributeError, match="did you mean `matrix`"):
        tc.matrx  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean `argmax`"):
        W.argmx  # noqa: B018


@pytest.mark.parametrize(
    "value", [np.zeros((2, 2), complex), [[1, 2], [3]], np.ones(3)]
)
def test_a_wrong_call_is_told_at_the_line_of_the_call(value):
    f = compiled()
    line = inspect.currentframe().f_lineno + 2
    with pytest.raises((TypeError, ValueError)) as caught:
        f(value)
    place = caught.value.diagnostics[0].location
    assert (place.file, place.line) == (__file__, line)
    assert "        f(value)" in str(caught.value)
