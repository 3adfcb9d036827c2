"""`tc.jit`: numbers that Python needs, static values, and what forms depend on."""

import functools
import math
import operator
import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest

import tensorc as tc
from tensorc.api.jit import FEW

CUBE = np.arange(24.0).reshape(2, 3, 4)
TABLE = np.arange(12.0).reshape(3, 4)


def forms(function):
    return len(function.cache_info())


# Each uses the number n as Python does, or as an option that compiling must know. The
# answer is that of the same function with `n` static.
USES = {
    "axis": (lambda x, n: tc.sum(x, axis=n), CUBE, (0, 1, -1)),
    "np axis": (lambda x, n: np.mean(x, axis=n), CUBE, (0, 1, -1)),
    "axis by place": (lambda x, n: x.max(n), CUBE, (0, 1, -1)),
    "axes": (lambda x, n: x.sum(axis=(n, 0)), CUBE, (1, 2)),
    "softmax": (lambda x, n: tc.softmax(x, axis=n), TABLE, (0, 1)),
    "stack": (lambda x, n: tc.stack([x, x], axis=n), TABLE, (0, 1, 2)),
    "concatenate": (lambda x, n: np.concatenate([x, x], axis=n), TABLE, (0, 1)),
    "split": (lambda x, n: tc.split(x, n, axis=1)[-1], TABLE, (1, 2, 4)),
    "roll": (lambda x, n: np.roll(x, n), TABLE, (0, 1, -2)),
    "tril": (lambda x, n: tc.tril(x, k=n), TABLE, (0, 1)),
    "swapaxes": (lambda x, n: x.swapaxes(n, 0), CUBE, (1, 2)),
    "moveaxis": (lambda x, n: np.moveaxis(x, n, 0), CUBE, (1, 2)),
    "expand_dims": (lambda x, n: tc.expand_dims(x, n), TABLE, (0, 2)),
    "transpose": (lambda x, n: x.transpose(n, 0, 1), CUBE, (2,)),
    "dimshuffle": (lambda x, n: x.dimshuffle(n, "x", 0, 1), CUBE, (2,)),
    "flatten": (lambda x, n: x.flatten(n), CUBE, (1, 2)),
    "pad": (lambda x, n: tc.pad(x, n), TABLE, (1, 2)),
    "ddof": (lambda x, n: tc.var(x, ddof=n), TABLE, (0, 1)),
    "keepdims": (lambda x, n: tc.sum(x, axis=0, keepdims=n > 1), TABLE, (1, 2)),
    "step": (lambda x, n: x[:, ::n], TABLE, (1, 2)),
    "range": (lambda x, n: sum((x for _ in range(n)), x), TABLE, (0, 1, 5)),
    "if": (lambda x, n: x if n > 1 else -x, TABLE, (1, 2)),
    "if of zero": (lambda x, n: x if n else -x, TABLE, (0, 2)),
    "not, and": (lambda x, n: x if not n > 1 and n < 1 else -x, TABLE, (0, 1, 2)),
    "if of a formula": (lambda x, n: x if n // 2 % 2 == 1 else -x, TABLE, (0, 2, 4)),
    "while": (lambda x, n: x * _halvings(n), TABLE, (1, 8, 9)),
    "in a list": (lambda x, n: x if n in [1, 2] else -x, TABLE, (1, 3)),
    "in a set": (lambda x, n: x if n in {1, 2} else -x, TABLE, (1, 3)),
    "key": (lambda x, n: {1: x, 2: -x}[n], TABLE, (1, 2)),
    "index of a list": (lambda x, n: [x, -x, x * x][n], TABLE, (0, 1, -1)),
    "list * n": (lambda x, n: sum([x] * n, 0 * x), TABLE, (0, 1, 3)),
    "n * text": (lambda x, n: x * len(n * "ab"), TABLE, (0, 3)),
    "format": (lambda x, n: x if f"{n:03d}" == "001" else -x, TABLE, (1, 2)),
    "str": (lambda x, n: x if str(n) == "1" else -x, TABLE, (1, 2)),
    "int": (lambda x, n: x * int(n / 2), TABLE, (1, 5)),
    "float": (lambda x, n: x * math.sqrt(n), TABLE, (1, 5)),
    "round": (lambda x, n: x * round(n / 3, 1), TABLE, (1, 5)),
    "trunc": (lambda x, n: x * math.trunc(n / 2), TABLE, (1, 5)),
    "np.zeros": (lambda x, n: np.zeros((n, 4)) + x[0], TABLE, (2, 5)),
    "np.arange": (lambda x, n: x[np.arange(n)], TABLE, (2, 3)),
    "nested": (lambda x, n: tc.jit(lambda y, k: y.sum(k))(x, n), TABLE, (0, 1)),
    "nested static": (
        lambda x, n: tc.jit(lambda y, k: y.sum(k), static="k")(x, n),
        TABLE,
        (0, 1),
    ),
    "of a derivative": (
        lambda x, n: tc.grad(lambda y: (y.sum(n) ** 2).sum())(x),
        TABLE,
        (0, 1),
    ),
}


def _halvings(n):
    count = 0
    while n > 1:
        n, count = n // 2, count + 1
    return count


@pytest.mark.parametrize("name", USES)
def test_a_number_that_python_needs_is_known(name):
    function, x, numbers = USES[name]
    free, fixed = tc.jit(function), tc.jit(function, static="n")
    for n in (*numbers, *numbers):
        got, wanted = free(x, n), fixed(x, n)
        np.testing.assert_array_equal(got, wanted)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert 1 <= forms(free) <= len(numbers)
    for n in (*numbers, numbers[0]):  # numbers of NumPy are numbers, too
        for scalar in (np.int64, np.array):
            np.testing.assert_array_equal(free(x, scalar(n)), fixed(x, n))
    assert forms(free) <= 2 * len(numbers)


def test_truth_values_and_floats_of_numpy_are_known():
    @tc.jit
    def chosen(x, flag, slope):
        return x * 2 if flag and slope > 0.5 else x + float(slope)

    for flag in (np.True_, np.False_, np.array(True), True):
        for slope in (np.float32(0.25), np.float64(0.75), np.array(0.5)):
            wanted = chosen.function(TABLE, flag, slope)
            np.testing.assert_array_equal(chosen(TABLE, flag, slope), wanted)


NUMBERS = (3, 0.1, True, np.float32(0.1), np.int8(2), np.array(3), np.True_, 0)


@pytest.mark.parametrize("type_", ["f32", "i64", "u8", "bool_"])
def test_a_typed_number_is_known_as_it_is_converted(type_):
    def asked(x, n: getattr(tc, type_)):
        return (x * 2 if n > 1 else x + 1) if n else x

    def passed_on(x, n: getattr(tc, type_)):
        return tc.where(n != 0, tc.where(n > 1, x * 2, x + 1), x)

    asking, passing = tc.jit(asked), tc.jit(passed_on)
    for n in (*NUMBERS, *NUMBERS[::-1]):
        try:
            wanted = passing(TABLE, n)
        except TypeError:
            with pytest.raises(TypeError):
                asking(TABLE, n)
        else:
            np.testing.assert_array_equal(asking(TABLE, n), wanted)


def test_values_of_arrays_that_nobody_asks_stay_free():
    scaled = tc.jit(lambda x, a: x * a + a)
    for a in (1.5, 2.5, 3.5):
        for given in (np.float64(a), np.array(a)):
            np.testing.assert_array_equal(scaled(TABLE, given), TABLE * a + a)
    assert forms(scaled) == 1


@pytest.mark.parametrize("scalar", [int, np.int64, np.array])
def test_a_size_given_as_minus_1_is_what_is_left(scalar):
    shaped = tc.jit(lambda x, n: (x.reshape(n), np.reshape(x, (2, n)), x.reshape(n, 4)))
    column = tc.jit(lambda x, n: x.reshape((n, 4)) + n)
    for _ in range(2):
        flat, rows, wide = shaped(TABLE, scalar(-1))
        assert (flat.shape, rows.shape, wide.shape) == ((12,), (2, 6), (3, 4))
        np.testing.assert_array_equal(column(TABLE, scalar(-1)), TABLE - 1)
        np.testing.assert_array_equal(column(TABLE, scalar(3)), TABLE + 3)
    with pytest.raises(ValueError, match="sizes do not fit"):
        column(TABLE, scalar(5))


# In the place of an option, a size or an index: `n` is a NumPy scalar or a 0-d array.
OPTIONS = {
    "axis": lambda x, n: x.sum(axis=n),
    "axes": lambda x, n: np.max(x, axis=(n, 0)),
    "keepdims": lambda x, n: np.sum(x, axis=0, keepdims=np.bool_(n)),
    "ddof": lambda x, n: np.var(x, ddof=n),
    "size": lambda x, n: tc.zeros(n) + x[0, 0],
    "shape": lambda x, n: tc.full((n, 4), 2.0) + x[0],
    "an array as shape": lambda x, n: x.reshape(np.array([4, 3])) * n,
    "an array as axes": lambda x, n: x.transpose(np.array([n, 0])) + n,
    "range as axes": lambda x, n: x.transpose(range(n, -1, -1)),
    "arange": lambda x, n: tc.arange(n) + x[0],
    "eye": lambda x, n: x @ tc.eye(n * 4),
    "linspace": lambda x, n: tc.linspace(0.0, 1.0, n * 4) + x,
    "index": lambda x, n: x[n],
    "slice": lambda x, n: x[:n, n:],
    "step": lambda x, n: x[:: n + n],
    "repeat": lambda x, n: np.repeat(x, n + n, axis=n),
    "tile": lambda x, n: np.tile(x, (n, n + n)),
    "split": lambda x, n: np.split(x, n + n, axis=n)[0],
    "pad": lambda x, n: np.pad(x, n, constant_values=n),
    "decimals": lambda x, n: np.round(x, n - n),
    "clip": lambda x, n: np.clip(x, n, n * 4),
    "one_hot": lambda x, n: tc.one_hot(tc.arange(3), n + n + n) @ x,
    "at": lambda x, n: x.at[n].set(n),
    "range": lambda x, n: sum(x for _ in range(n + n)),
    "argnums": lambda x, n: tc.grad(lambda a, b: (a * b).sum(), n)(x, x),
    "several argnums": lambda x, n: tc.grad(lambda a: a.sum(), [n - n])(x)[0],
    "np.zeros": lambda x, n: np.zeros(n) + x,
}


def test_options_take_numbers_of_numpy():
    def of(n):
        return tc.jit(lambda x: {name: use(x, n) for name, use in OPTIONS.items()})

    wanted = of(1)(TABLE)
    for scalar in (np.int64, np.int8, np.array):
        got = of(scalar(1))(TABLE)
        for name, value in wanted.items():
            np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_what_numpy_hides_is_told():
    def made(x):
        return np.zeros(x.astype("int64").sum()) + x

    with pytest.raises(TypeError, match="has no value yet while made is traced"):
        tc.jit(made)(TABLE)


FREE = {
    "formula": lambda x, n: x * n + n,
    "power": lambda x, n: x**n,
    "index": lambda x, n: x[n],
    "slice": lambda x, n: x[:n],
    "size": lambda x, n: tc.zeros((n, 2)) + x[0, 0],
    "reshape": lambda x, n: tc.broadcast_to(x, (n, 3, 4)),
    "where": lambda x, n: np.where(n > 2, x, -x),
    "of size": lambda x, n: tc.zeros(x.shape) + tc.arange(x.shape[1]) + n,
}


@pytest.mark.parametrize("name", FREE)
def test_a_number_in_formulas_is_free(name):
    f = tc.jit(FREE[name])
    for n in (1, 2, 0):
        f(TABLE, n)
    assert forms(f) == 1


def test_a_hundred_learning_rates_are_one_form():
    f = tc.jit(lambda x, axis, lr=0.1, training=False: x.sum(axis) * lr)
    for i in range(100):
        np.testing.assert_array_equal(f(TABLE, 0, i / 8), TABLE.sum(0) * (i / 8))
    assert forms(f) == 1
    for axis in (1, -1, 0, 1):
        np.testing.assert_array_equal(f(TABLE, axis), TABLE.sum(axis) * 0.1)
    assert [about.reason for about in f.cache_info()] == [
        "the first call",
        "axis is 1, was 0",
        "axis is -1, was 1",
    ]
    assert f.cache_info()[1].arguments == (
        "x: f64[_, _], axis: Python int, lr: Python float, training=False, axis is 1"
    )


def test_many_values_are_as_many_forms_and_one_warning():
    f = tc.jit(lambda x, n: x + np.zeros(n).sum())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(100):
            f(1.0, n)
    assert forms(f) == 100
    (text,) = [str(w.message) for w in caught]
    assert f"<lambda> has {FEW} compiled forms already" in text
    assert "n is 16, was 15; each value of n that Python needs" in text


def test_a_condition_asks_no_more_than_whether_it_holds():
    f = tc.jit(lambda x, n: x if n > 50 else -x)
    for n in range(100):
        assert f(1.0, n) == (1 if n > 50 else -1)
    assert [about.arguments for about in f.cache_info()] == [
        "x: Python float, n: Python int, n > 50 is False",
        "x: Python float, n: Python int, n > 50 is True",
    ]


def test_floats_are_compared_to_the_last_bit():
    f = tc.jit(lambda x, by: x if math.copysign(1, by) > 0 else -x)
    for by in (0.0, -0.0, math.nan, float("nan"), 0.0, -0.0, math.nan):
        assert f(1.0, by) == math.copysign(1, by)
    assert forms(f) == 3  # one NaN is the other
    static = tc.jit(lambda x, by: x * math.copysign(1, by), static="by")
    assert [static(1.0, by) for by in (0.0, -0.0)] == [1, -1]
    typed = tc.jit(lambda x, by: x if by[0] is True else -x, static="by")
    assert [typed(1.0, (by,)) for by in (True, 1, 1.0)] == [1, -1, -1]


def test_a_call_with_a_known_number_is_looked_up():
    f = tc.jit(lambda x, axis, by, flag: x.sum(axis) * by if flag else x)
    for axis in (0, 1):
        for by in (1.0, 2.0):
            f(TABLE, axis, by, True)
    assert len(f._known) == 2
    assert forms(f) == 2
    np.testing.assert_array_equal(f(TABLE, 1, 3.0, True), TABLE.sum(1) * 3)
    np.testing.assert_array_equal(f(TABLE, 1, 3.0, False), TABLE)


def test_numbers_of_a_structure_are_known():
    f = tc.jit(lambda p: p["x"].sum(p["at"][0]))
    for axis in (0, 1, 0):
        np.testing.assert_array_equal(f({"x": TABLE, "at": [axis]}), TABLE.sum(axis))
    assert forms(f) == 2
    assert f.cache_info()[1].reason == "p['at'][0] is 1, was 0"


def test_division_by_zero_is_pythons_error():
    f = tc.jit(lambda x, n: x if 10 // n > 2 else -x)
    assert f(1.0, 1) == 1
    with pytest.raises(ZeroDivisionError):
        f(1.0, 0)
    assert f(1.0, 5) == -1


def test_elements_of_arrays_have_no_value():
    for use in (bool, int, float, operator.index):
        f = tc.jit(lambda x, n, use=use: x * use(n[0]))
        for numbers in (np.array([2]), np.array([True, False])):
            with pytest.raises(TypeError, match="no value yet"):
                f(TABLE, numbers)


def test_a_number_is_of_the_call_that_is_traced():
    kept = []
    tc.jit(lambda x, n: kept.append(n) or x)(TABLE, 2)
    with pytest.raises(TypeError, match="no value yet"):
        int(kept[0])
    with pytest.raises(TypeError, match="no value yet"):
        tc.jit(lambda x: x * int(kept[0]))(TABLE)


def test_what_is_asked_may_change():
    # A function that is no function of its arguments alone is traced as it is then.
    asked = iter(["sum", "max", "sum"])

    @tc.jit
    def f(x, n, m):
        return x.sum(n) if next(asked) == "sum" else x.max(m)

    np.testing.assert_array_equal(f(TABLE, 0, 0), TABLE.sum(0))
    np.testing.assert_array_equal(f(TABLE, 1, 0), TABLE.max(0))
    np.testing.assert_array_equal(f(TABLE, 1, 1), TABLE.sum(1))
    np.testing.assert_array_equal(f(TABLE, 1, 5), TABLE.sum(1))
    assert forms(f) == 1


# Static values


@dataclass
class Model:
    W: object
    mode: str = "plain"
    scaled: bool = False
    n: object = field(default=1, metadata={"static": True})


def test_truth_values_texts_and_types_are_static_wherever_they_stand():
    @tc.jit
    def f(model, options, training=False, act="id", dtype=np.float64):
        assert type(model.scaled) is bool
        assert type(options["flags"][0]) is bool
        x = model.W * (2 if model.scaled else 1) * (1 if model.mode == "plain" else -1)
        x = x + 10 if training else x
        return (x if act == "id" else -x).astype(dtype), x * options["flags"][0]

    def wanted(model, options, training=False, act="id", dtype=np.float64):
        return f.function(model, options, training, act, dtype)

    for model in (Model(TABLE), Model(TABLE, "odd"), Model(TABLE, scaled=True)):
        for rest in ({}, {"training": True}, {"act": "neg", "dtype": np.float32}):
            got = f(model, {"flags": [True, "a"]}, **rest)
            expected = wanted(model, {"flags": [True, "a"]}, **rest)
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_array_equal(a, b)
                assert a.dtype == b.dtype
    assert forms(f) == 9
    assert "static argument model.mode: 'odd', was 'plain'" in f.cache_info()[3].reason


def test_fixed_fields_are_told_apart_by_type():
    f = tc.jit(lambda m: m.W if m.n is True else -m.W)
    assert [f(Model(1.0, n=n)) for n in (1, True, 1.0)] == [-1, 1, -1]


def test_defaults_are_static_or_numbers():
    axis = 1
    np.testing.assert_array_equal(
        tc.jit(lambda x, axis=axis: x.sum(axis))(TABLE), TABLE.sum(1)
    )
    f = tc.jit(lambda x, training=False, by=None: x if training else -x * (by or 1))
    for call in (f(TABLE), f(TABLE, False), f(TABLE, False, None)):
        np.testing.assert_array_equal(call, -TABLE)
    np.testing.assert_array_equal(f(TABLE, True), TABLE)
    np.testing.assert_array_equal(f(TABLE, by=2.0), TABLE * -2)
    assert forms(f) == 3


def test_a_flag_in_a_formula_is_two_forms():
    f = tc.jit(lambda x, flag: x * flag)
    for flag in (True, False, True):
        got = f(TABLE, flag)
        np.testing.assert_array_equal(got, TABLE * flag)
        assert got.dtype == (TABLE * flag).dtype
    assert forms(f) == 2
    assert tc.jit(lambda x, flag: x * flag)(TABLE, np.bool_(True)).sum() == 66


class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, x, power=1):
        return x * self.by**power

    def apply(self, x, power=1, negative=False):
        return self(x, power) * (-1 if negative else 1)


LIBRARY = {
    "tc.mean": (tc.mean, (CUBE,), np.mean(CUBE)),
    "tc.mean, axis": (tc.mean, (CUBE, 1), np.mean(CUBE, 1)),
    "np.mean": (np.mean, (CUBE,), np.mean(CUBE)),
    "np.sum": (np.sum, (CUBE,), np.sum(CUBE)),
    "np.sum, axis": (np.sum, (CUBE, 1), np.sum(CUBE, 1)),
    "np.var": (np.var, (CUBE, 1), np.var(CUBE, 1)),
    "np.max": (np.max, (CUBE, (0, 1)), np.max(CUBE, (0, 1))),
    "np.argmax": (np.argmax, (CUBE, 1), np.argmax(CUBE, 1)),
    "np.concatenate": (np.concatenate, ([TABLE, TABLE], 1), np.hstack([TABLE] * 2)),
    "np.stack": (np.stack, ([TABLE, TABLE], 1), np.stack([TABLE, TABLE], 1)),
    "np.where": (np.where, (TABLE > 3, TABLE, 0.0), np.where(TABLE > 3, TABLE, 0)),
    "np.reshape": (np.reshape, (TABLE, (4, 3)), TABLE.reshape(4, 3)),
    "np.transpose": (np.transpose, (TABLE,), TABLE.T),
    "np.clip": (np.clip, (TABLE, 2, 5), np.clip(TABLE, 2, 5)),
    "np.roll": (np.roll, (TABLE, 1), np.roll(TABLE, 1)),
    "np.exp": (np.exp, (TABLE,), np.exp(TABLE)),
    "np.add": (np.add, (TABLE, 1), TABLE + 1),
    "np.matmul": (np.matmul, (TABLE, TABLE.T), TABLE @ TABLE.T),
    "abs": (abs, (-TABLE,), TABLE),
    "max": (max, (1.0, 2.0), 2.0),
    "sum": (sum, ([TABLE, TABLE],), 2 * TABLE),
    "pow": (pow, (TABLE, 2), TABLE**2),
    "operator.add": (operator.add, (TABLE, 1), TABLE + 1),
    "partial": (functools.partial(np.sum, axis=1), (TABLE,), TABLE.sum(1)),
    "partial of ours": (functools.partial(tc.sum, axis=1), (TABLE,), TABLE.sum(1)),
    "object": (Scale(2.0), (TABLE,), TABLE * 2),
    "object, number": (Scale(2.0), (TABLE, 3), TABLE * 8),
    "method": (Scale(2.0).apply, (TABLE,), TABLE * 2),
    "method, flag": (Scale(2.0).apply, (TABLE, 1, True), TABLE * -2),
    "lambda": (lambda x, *, k=2: x * k, (TABLE,), TABLE * 2),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_any_function_is_traced(name):
    function, arguments, wanted = LIBRARY[name]
    f = tc.jit(function)
    for _ in range(2):
        np.testing.assert_allclose(f(*arguments), wanted, rtol=1e-14)
    assert forms(f) == 1


def test_functions_of_the_library_that_choose_an_axis():
    exact = np.exp(TABLE - TABLE.max(1, keepdims=True))
    exact /= exact.sum(1, keepdims=True)
    np.testing.assert_allclose(tc.jit(tc.softmax)(TABLE), exact, rtol=1e-14)
    np.testing.assert_allclose(tc.jit(tc.softmax)(TABLE, 1), exact, rtol=1e-14)


# Derivatives and steps


def product(*factors, power=1, negative=False, **more):
    result = math.prod(factors) ** power
    for value in more.values():
        result = result * value
    return (-result if negative else result).sum()


def test_derivatives_by_any_argument():
    x, y = TABLE + 1, TABLE + 2
    np.testing.assert_array_equal(tc.grad(product)(x, y), y)
    np.testing.assert_array_equal(tc.grad(product, argnums=1)(x, y), x)
    np.testing.assert_array_equal(tc.grad(product)(x, y, negative=True), -y)
    np.testing.assert_array_equal(tc.grad(product)(x, power=2), 2 * x)
    both = tc.grad(product, argnums=(0, -1))(x, k=y)
    np.testing.assert_array_equal(both[0], y)
    np.testing.assert_array_equal(both[1], x)
    value, slope = tc.value_and_grad(product)(x, y)
    assert value == (x * y).sum()
    np.testing.assert_array_equal(slope, y)
    by_name = tc.grad(lambda x, *, scale: (x * scale).sum(), argnums=1)
    np.testing.assert_array_equal(by_name(x, scale=y), x)
    with pytest.raises(ValueError, match="product has no argument 7") as caught:
        tc.grad(product, argnums=7)(x, y)
    assert "it takes (factors[0], factors[1], power, negative)" in str(caught.value)


def test_a_derivative_follows_the_branch_of_its_number():
    slope = tc.grad(lambda x: x * x if x > 0 else -x)
    assert [slope(v) for v in (3.0, -2.0, 5.0)] == [6, -1, 10]


def test_steps_know_numbers_and_flags():
    W = tc.shared(np.zeros(4), "W")

    @tc.step
    def train(x, lr=0.5, repeats=1, training=True, how="sum"):
        for _ in range(repeats):
            x = x * 2
        if training:
            tc.update(W, W - lr * getattr(tc, how)(x, axis=0))
        return x.sum()

    assert train(TABLE) == 132
    np.testing.assert_array_equal(W.get_value(), -TABLE.sum(0))
    assert train(TABLE, 0.25) == 132
    assert train(TABLE, repeats=2, training=False) == 264
    assert train(TABLE, how="mean") == 132
    assert forms(train) == 3
    data = {"x": np.ones((8, 4))}
    for repeats in (1, 2):
        history = tc.fit(train, data, batch=4, epochs=1, lr=0.1, repeats=repeats)
        assert history.epochs[0].train_cost == 16 * 2**repeats


NARROW = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64")
MEETING = {
    "add": lambda x, n: x + n,
    "reflected": lambda x, n: n - x,
    "maximum": lambda x, n: np.maximum(x, n),
    "full_like": lambda x, n: np.full_like(x, n),
    "computed": lambda x, n: x * (n + 0),
}


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", MEETING)
def test_a_number_that_does_not_fit_its_partner_is_refused_as_in_numpy(name, dtype):
    """It would wrap silently: NumPy raises OverflowError."""
    compiled, x = tc.jit(MEETING[name]), np.array([1, 2], dtype)
    limits = np.iinfo(dtype)
    for n in (0, 1, int(limits.min), min(int(limits.max), 2**63 - 1)):
        with np.errstate(over="ignore"):
            wanted = MEETING[name](x, n)
        assert compiled(x, n).tolist() == wanted.tolist()
    assert forms(compiled) == 1
    beyond = [int(limits.min) - 1, int(limits.max) + 1]
    for n in (n for n in beyond if n < 2**63):
        with pytest.raises(tc.TensorcError, match=f"{n} does not fit"):
            compiled(x, n)


def test_a_size_that_does_not_fit_its_partner_is_refused():
    compiled = tc.jit(lambda x: x + x.shape[0])
    assert compiled(np.zeros(255, "uint8"))[0] == 255
    with pytest.raises(tc.TensorcError, match="256 does not fit"):
        compiled(np.zeros(256, "uint8"))
