"""Wrong uses of the tracer: the class, the user's line, the words, the way out."""

import math
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.ones(3)
LEAKED = []


def on_rows_of_a_number(x):
    for row in x.sum():  # here
        x = x + row
    return x


def on_length_of_a_number(x):
    return x / len(x[0])  # here


def on_many_rows(x):
    return sum(tc.zeros(10_001) + x[0])  # here


def on_item(x):
    return x * x[0].item()  # here


EYE, OUTER = np.eye(3), np.zeros(3)  # made outside of the trace


def on_index_of_an_array(x):
    i = x.astype("int64")
    return EYE[i]  # here


def on_storing_in_an_array(x):
    total = OUTER
    total[1:] = x[1:]  # here
    return total


def on_list_of_variables(x):
    return x * [x[0], x[1], x[2]]  # here


def on_math_erf(x):
    return math.erf(x[0])  # here


def on_math_exp(x):
    return math.exp(x[0])  # here


def on_math_fsum(x):
    return math.fsum([x[0], 1.0])  # here


def on_math_gamma(x):
    from math import gamma

    return gamma(x[0])  # here


def on_condition(x):
    if x.sum() > 0:  # here
        return x
    return -x


def on_while(x):
    while x[0] < 3:  # here
        x = x + 1
    return x


def on_float(x):
    return float(x.sum())  # here


def on_int(x):
    return int(x[0])  # here


def on_range(x):
    return sum(range(x.astype("int64").sum()))  # here


def on_assignment(x):
    x[0] = 1  # here
    return x


def on_chained_comparison(x):
    return 0 < x < 1  # here


def on_numpy_det(x):
    return np.linalg.det(x)  # here


def on_unknown_ufunc(x):
    return np.heaviside(x, 1)  # here


def on_reduce(x):
    return np.add.reduce(x)  # here


def on_in_place(x):
    total = OUTER
    total += x  # here
    return total


def on_initial(x):
    return np.sum(x, initial=3)  # here


def on_nonzero(x):
    return np.where(x > 0)  # here


def on_asarray(x):
    return np.asarray(x)  # here


def on_shapes(x):
    return x @ np.ones((3, 4)) + np.ones(5)  # here


def on_axis(x):
    return np.sum(x, axis=2)  # here


def on_update(x):
    tc.update(tc.shared(np.zeros(3), "W"), x)  # here


def on_gradient(x):
    return tc.grad(x, x)  # here


def on_function_gradient(x):
    return tc.grad(lambda v: v * 2)(x)  # here


TRACED = [
    (on_rows_of_a_number, TypeError, "<variable: f64> is a number: it has no rows", ""),
    (on_length_of_a_number, TypeError, "is a number: it has no rows", ""),
    (on_many_rows, TypeError, "for each of 10001 rows", "x.sum(axis=0)"),
    (on_item, TypeError, "no value yet for item()", "is used as a number is"),
    (on_index_of_an_array, TypeError, "no value", "tc.take(EYE, i, axis=0)"),
    (on_storing_in_an_array, TypeError, "no value yet", "u = u.at[i].set(v)"),
    (on_list_of_variables, TypeError, "a list that holds variables", "np.stack("),
    (on_math_erf, TypeError, "no value yet", "of variables it is tc.erf(x)"),
    (on_math_exp, TypeError, "no value yet", "of variables it is np.exp(x)"),
    (on_math_fsum, TypeError, "no value yet", "of variables it is np.sum(x)"),
    (on_math_gamma, TypeError, "no value yet", "it is not in this version"),
    (on_condition, TypeError, "neither true nor false", "tc.where(condition"),
    (on_condition, TypeError, "neither true nor false", "static=('n',)"),
    (on_while, TypeError, "neither true nor false", "tc.where"),
    (on_float, TypeError, "no value yet while on_float is traced", "np.where"),
    (on_int, TypeError, "no value yet while on_int is traced", "x.astype('int64')"),
    (on_range, TypeError, "no value yet while on_range is traced", "static"),
    (on_assignment, TypeError, "cannot be changed in place", "`x = x.at[0].set(1)`"),
    (on_chained_comparison, TypeError, "neither true nor false", "tc.where"),
    (on_numpy_det, TypeError, "np.linalg.det of a variable is not in this", ""),
    (
        on_unknown_ufunc,
        TypeError,
        "np.heaviside of a variable is not",
        "np.where(x < 0",
    ),
    (on_reduce, TypeError, "np.add.reduce of a variable", "np.sum(x, axis=…)"),
    (
        on_in_place,
        TypeError,
        "np.add: a NumPy array cannot take a variable",
        "`a = a + x`",
    ),
    (on_initial, TypeError, "np.sum of a variable takes no `initial=`", "axis"),
    (on_nonzero, TypeError, "np.where of a variable needs `x`", "sizes must not"),
    (
        on_asarray,
        TypeError,
        "no value yet while on_asarray is traced",
        "leave the call",
    ),
    (on_shapes, ValueError, "sizes differ: 4 and 5", ""),
    (on_axis, ValueError, "axis 2 is out of range for rank 1", ""),
    (
        on_update,
        TypeError,
        "is only allowed in a `@tc.step`, which on_update is not",
        "@tc.step",
    ),
    (on_gradient, TypeError, "the cost must be a scalar", "cost.mean()"),
    (on_function_gradient, TypeError, "the cost must be a scalar", "cost.mean()"),
]


@pytest.mark.parametrize(("function", "error", "words", "hint"), TRACED)
def test_what_a_trace_cannot_do_is_told_at_the_line(function, error, words, hint):
    with pytest.raises(error) as caught:
        tc.jit(function)(X)
    text = str(caught.value)
    assert words in said(caught.value)
    assert hint in said(caught.value)
    first = function.__code__.co_firstlineno
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    here = next(i for i in range(first, first + 9) if "# here" in lines[i - 1])
    assert f"{__file__}:{here}:" in text


def identity(x, mode="plain"):
    return x


def keep(x):
    LEAKED.append(x)
    return x


def read_kept(x):
    return x + LEAKED[0]


def typed(x: tc.f32["B", 3], y: tc.f32["B"]):
    return x.sum(axis=1) + y


def use_kept():
    tc.jit(keep)(X)
    tc.jit(read_kept)(X)


def call_typed_within_a_trace():
    inner = tc.jit(typed)
    tc.jit(lambda x: inner(x, x[:, 0]))(np.ones((2, 4), "float32"))


def call_typed_with_another_type():
    inner = tc.jit(typed)
    tc.jit(lambda x: inner(x, x[:, 0]))(np.ones((2, 3)))


CALLS = [
    (lambda: tc.jit(identity)(), TypeError, "identity: missing a required argument"),
    (lambda: tc.jit(identity)(X, 1, 2), TypeError, "too many positional arguments"),
    (lambda: tc.jit(identity)(X, nod=2), TypeError, "unexpected keyword argument"),
    (lambda: tc.jit(identity)("text"), TypeError, "identity returns 'text' (str)"),
    (lambda: tc.jit(identity)(X, {3}), TypeError, "static=('mode',)"),
    (lambda: tc.jit(identity)(object()), TypeError, "which is not an array"),
    (lambda: tc.jit(identity)({"a": [1, 1j]}), TypeError, "argument 'x['a'][1]' of"),
    (lambda: tc.jit(identity)(X * 1j), TypeError, "z.real, z.imag"),
    (
        lambda: tc.jit(identity)(np.array(["a"])),
        TypeError,
        "dtype <U1 is not supported",
    ),
    (
        lambda: tc.jit(identity)(np.array([None])),
        TypeError,
        "dtype object is not supported",
    ),
    (lambda: tc.jit(identity)(np.ma.array(X, mask=X)), TypeError, "x.filled(0)"),
    (lambda: tc.jit(identity)(2**80), TypeError, "1208925819614629174706176"),
    (lambda: tc.jit(identity, static="mod"), TypeError, "did you mean 'mode'?"),
    (lambda: tc.jit(identity, static="mode")(X, []), TypeError, "must be hashable"),
    (lambda: tc.jit(lambda x: "text")(X), TypeError, "returns 'text' (str)"),
    (lambda: tc.jit(3), TypeError, "jit takes a Python function, got 3 (int)"),
    (lambda: tc.jit(tc.matrix("x")), TypeError, "tc.function([x], formula)"),
    (use_kept, ValueError, "which is none of its arguments"),
    (lambda: tc.jit(typed)(np.ones((2, 4)), X), ValueError, "f64[2, 4]: 4, not 3"),
    (lambda: tc.jit(typed)(np.ones((2, 3)), X), ValueError, "B is 2 in argument 'x'"),
    (lambda: tc.jit(typed)(X, X), ValueError, "is f32[B, 3], got f64[3]"),
    (lambda: tc.jit(typed)([X], X), TypeError, "is f32[B, 3], got a list of 1"),
    (lambda: tc.jit(typed)(np.ones((2, 3), int), 1j), TypeError, "complex"),
    (call_typed_within_a_trace, ValueError, "is 8, but 3 * x0 is 6"),
    (call_typed_with_another_type, TypeError, "x.astype('float32')"),
    (lambda: tc.f32["B", 1.5], TypeError, "a size in a type must be"),
    (lambda: tc.f32[..., ...], ValueError, "`...` stands twice"),
    (lambda: tc.update(tc.shared(X, "W"), X), TypeError, "W.set_value(…)"),
    (lambda: tc.grad(identity, "x"), TypeError, "(f, argnums=…), got 'x'"),
    (lambda: tc.grad(identity, argnums=5), ValueError, "identity has no argument 5"),
    (lambda: tc.grad(lambda x: x)(2), TypeError, "write 2.0 for 2"),
    (lambda: tc.grad(lambda x: (x, x))(2.0), TypeError, "has_aux=True"),
    (lambda: tc.grad(lambda x: x, has_aux=True)(2.0), TypeError, "returns a pair"),
    (lambda: tc.value_and_grad(tc.matrix("x")), TypeError, "takes a function"),
    (lambda: tc.grad(tc.scalar("x")), TypeError, "takes (cost, wrt)"),
]


@pytest.mark.parametrize(("call", "error", "words"), CALLS)
def test_wrong_calls_are_told(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in said(caught.value)


def test_sizes_that_do_not_fit_are_told_at_the_call():
    add = tc.jit(lambda x, y: x + y)
    add(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="axis 0 has size 4, 3 expected"):
        add(np.ones(3), np.ones(4))
    pick = tc.jit(lambda x, i: x[tc.arange(i.shape[0]), i])
    with pytest.raises(IndexError, match="index 7 is out of range"):
        pick(np.ones((2, 3)), np.array([0, 7]))


def test_after_an_error_the_next_call_works():
    @tc.jit
    def f(x):
        return x + 1 if x.ndim == 1 else float(x[0, 0])

    with pytest.raises(TypeError):
        f(np.ones((1, 1)))
    assert f(np.ones(1)) == 2
    assert tc.matrix("x").mean().dtype == "float32"


@pytest.mark.parametrize(
    ("index", "outside"), [(3, "3"), (-4, "n - 4"), (0, "0")], ids=str
)
def test_a_known_index_is_checked_where_the_size_is_not_known(index, outside):
    @tc.jit
    def pick(x: tc.f64["m", "n"]):
        return x[:, index]

    x = tc.matrix("x")
    symbolic = tc.function([x], x[:, index])
    for width in range(6):
        data = np.arange(2.0 * width).reshape(2, width)
        if -width <= index < width:
            np.testing.assert_array_equal(pick(data), data[:, index])
            np.testing.assert_array_equal(symbolic(data), data[:, index])
            continue
        # One column is known while compiling, other sizes are checked at the call.
        spelled = index if width == 1 else outside
        words = f"index {spelled} is out of range for axis 1"
        with pytest.raises(IndexError, match=words):
            pick(data)
        with pytest.raises(IndexError, match="is out of range for axis 1"):
            symbolic(data)
