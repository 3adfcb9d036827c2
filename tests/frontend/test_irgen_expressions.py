"""Expressions against numpy: promotion, operators, the prelude, indexing."""

import itertools

import numpy as np
import pytest

from tensorc.frontend.library.operands import F32, promote
from tensorc.ir.types import ELEMENTS, element_of
from tests.frontend.irgen_helpers import call, prepare, program, run, value

DTYPES = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
DTYPES += ["f16", "f32", "f64"]
NUMPY = {d: np.dtype(d.replace("i", "int").replace("u", "uint")) for d in DTYPES[1:9]}
NUMPY |= {d: np.dtype(d.replace("f", "float")) for d in DTYPES[9:]}
NUMPY["bool"] = np.dtype(bool)


def expected_type(*dtypes):
    """Return numpy's type, with f32 where it is f64 without an f64 operand."""
    result = np.result_type(*dtypes)
    return np.dtype("f4") if result == "f8" and "f8" not in dtypes else result


def results_of(formals, expressions):
    """Return the element types of expressions, in one function."""
    body = ", ".join(expressions)
    (f,) = program(f"fn f({formals}) {{ return {body} }}").emit().functions
    return [t.element.dtype for t in f.function_type.results]


@pytest.mark.parametrize("left", DTYPES)
def test_promotion_is_numpys_table(left):
    for right in DTYPES:
        a, b = NUMPY[left], NUMPY[right]
        given = results_of(
            f"a: {left}[2], b: {right}[2]", ["a + b", "a * b", "a / b", "a == b"]
        )
        quotient = expected_type(a, b)
        quotient = quotient if quotient.kind == "f" else np.dtype("f4")
        both = expected_type(a, b)
        assert given == [both, both, quotient, np.dtype(bool)], (left, right)


def test_promotion_keeps_wider_floats():
    elements = [ELEMENTS["f32"], ELEMENTS["i64"]]
    assert promote(elements, ELEMENTS["f64"]) == ELEMENTS["f64"]
    assert promote(elements, F32) == F32
    assert element_of(np.dtype("f2")) == ELEMENTS["f16"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_take_the_type_of_their_partner(dtype):
    own = NUMPY[dtype]
    whole = np.dtype("i8") if dtype == "bool" else own
    real = own if own.kind == "f" else np.dtype("f4")
    given = results_of(
        f"a: {dtype}[2]",
        ["a + 1", "a * 0.5", "2 - a", "a + true", "a / 2", "[1, 2] * a"],
    )
    assert given == [whole, real, whole, own, real, whole]
    if own.kind == "f":
        assert results_of(f"a: {dtype}", ["-a", "sqrt(a)"]) == [own, own]


def test_hypers_and_sizes_are_weak():
    text = """
    hyper lr = 0.5, n = 2, wide = 3
    fn f(x: f16[B], y: f64[B], k: int[B], z: float[n, wide * 2]) {
        return x * lr, y * n, k + n, k * lr, x / B, sum(y) / B, lr * n, B * n + lr
    }
    """
    p = program(text)
    (f,) = p.emit().functions
    names = [str(t.element) for t in f.function_type.results]
    assert names == ["f16", "f64", "i64", "f32", "f16", "f64", "f32", "f32"]
    kinds = [f.argument_info(i).get("tc.name") for i in range(6)]
    assert kinds == ["x", "y", "k", "z", "lr", "n"]
    two = np.array([2, 4])
    outputs, _ = run(p, "f", two, two, two, np.zeros((2, 6)))
    assert [np.sum(o).item() for o in outputs] == [3, 12, 10, 3, 3, 3, 1, 4.5]


def test_reductions_match_numpy():
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, (2, 3, 4)).astype("f8")
    for name, axis, keep in itertools.product(
        ("sum", "mean", "max", "min"),
        (None, 0, 1, -1, (0, 2), (2, 1), (0, 1, 2)),
        (False, True),
    ):
        spelled = "none" if axis is None else str(axis)
        call = f"{name}(x, axis={spelled}, keepdims={str(keep).lower()})"
        given = value(call, "x: f64[A, 3, C]", x)
        wanted = getattr(np, name)(x, axis=axis, keepdims=keep)
        assert given.shape == np.shape(wanted), call
        np.testing.assert_allclose(given, wanted, rtol=1e-15, err_msg=call)
    flags = x > 0
    for name in ("any", "all", "max", "min", "sum", "argmax"):
        given = value(f"{name}(x)", "x: bool[A, 3, C]", flags)
        assert given == getattr(np, name)(flags), name
    small = np.array([100, 100, 100], "i1")
    assert value("sum(x)", "x: i8[B]", small).dtype == np.int64
    assert value("sum(x)", "x: u8[B]", small).dtype == np.uint64
    assert value("mean(x)", "x: i8[B]", small) == np.float32(100)


EXPRESSIONS = {
    "x.T @ y": lambda x, y: x.T @ y,
    "x + y[0]": lambda x, y: x + y[0],
    "-x / (y + 30)": lambda x, y: -x / (y + 30),
    "x**2 + y**3 - x**0": lambda x, y: x**2 + y**3 - 1,
    "(x * x) ** 0.5": lambda x, y: np.sqrt(x * x),
    "(y + 30) ** -2": lambda x, y: 1 / ((y + 30) * (y + 30)),
    "0 <= x < y": lambda x, y: (x >= 0) & (x < y),
    "x > 0 and not y > 0 or x == y": lambda x, y: ((x > 0) & ~(y > 0)) | (x == y),
    "where(x > y, x, 0)": lambda x, y: np.where(x > y, x, 0),
    "maximum(x, 0) - minimum(y, 1)": lambda x, y: np.maximum(x, 0) - np.minimum(y, 1),
    "relu(x)": lambda x, y: np.maximum(x, 0),
    "softmax(x)": lambda x, y: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax(x, axis=0)": lambda x, y: x - np.log(np.exp(x).sum(0)),
    "reshape(x, (-1, 2))": lambda x, y: x.reshape(-1, 2),
    "reshape(x, (2, 3, 2))": lambda x, y: x.reshape(2, 3, 2),
    "flatten(x[none])": lambda x, y: x.reshape(1, -1),
    "transpose(x[none], (2, 0, 1))": lambda x, y: x[None].transpose(2, 0, 1),
    "x[..., none, 0]": lambda x, y: x[..., None, 0],
    "x[:, 1] @ y[:, 0]": lambda x, y: x[:, 1] @ y[:, 0],
    "x @ y[0]": lambda x, y: x @ y[0],
    "x[none, none] @ y.T": lambda x, y: x[None, None] @ y.T,
    "x[range(4), argmax(y, axis=1)]": lambda x, y: x[np.arange(4), y.argmax(1)],
    "x[argmax(y, axis=0), range(3)]": lambda x, y: x[y.argmax(0), np.arange(3)],
    "range(2, 9, 3) + range(5, -1, -2)": lambda x, y: np.array([7, 8, 9]),
    "one_hot(argmax(x, axis=1), 3)": lambda x, y: np.eye(3)[x.argmax(1)],
    "broadcast_to(x[0], (2, 3))": lambda x, y: np.broadcast_to(x[0], (2, 3)),
    "x.shape[0] * x.shape[-1] + sum(x)": lambda x, y: 12 + x.sum(),
    "f32(x) * f64(0.1)": lambda x, y: x.astype("f4") * 0.1,
    "error_rate(x, argmax(y, axis=1))": lambda x, y: (
        x.argmax(1) != y.argmax(1)
    ).mean(),
    "[[1, 2, 3]] * 2 + x": lambda x, y: np.array([[2, 4, 6]]) + x,
    "exp(x) * log(x * x + 1)": lambda x, y: np.exp(x) * np.log(x * x + 1),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_match_numpy(text):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    wanted = EXPRESSIONS[text](x, y)
    given = value(text, "x: f64[4, 3], y: f64[4, 3]", x, y)
    assert given.shape == np.shape(wanted)
    np.testing.assert_allclose(given, wanted, rtol=1e-6, atol=1e-12)


def spelled(cases):
    """Return a list of slices of x as a text, None being left out."""
    parts = [":".join("" if b is None else str(b) for b in case) for case in cases]
    return ", ".join(f"x[{part}]" for part in parts)


def cases_of(limit, steps):
    bounds = [None, *range(-limit, limit + 1)]
    return list(itertools.product(bounds, bounds, steps))


@pytest.mark.parametrize("length", range(6))
def test_slices_of_known_axes(length):
    """Bounds are written out, up to one more than there is."""
    x = np.arange(length)
    cases = cases_of(length + 1, sorted({-length - 1, -2, -1, 1, 2, length + 1}))
    text = f"fn f(x: int[{length}]) {{ return {spelled(cases)} }}"
    outputs, _ = run(text, "f", x)
    for case, given in zip(cases, outputs, strict=True):
        np.testing.assert_array_equal(given, x[slice(*case)], str(case))


@pytest.mark.parametrize("step", [-6, -3, -2, -1, 1, 2, 3, 6])
def test_slices_of_an_unknown_axis(step):
    """Bounds are written out; the axis has a size that is known at the call."""
    cases = cases_of(6, [step])
    f = prepare(f"fn f(x: int[B]) {{ return {spelled(cases)} }}", "f")
    for length in range(6):
        x = np.arange(length)
        outputs, _ = call(f, x)
        for case, given in zip(cases, outputs, strict=True):
            np.testing.assert_array_equal(given, x[slice(*case)], str((length, case)))


def test_slices_with_sizes_as_bounds():
    """Bounds are formulas over sizes whose sign depends on the call."""
    formulas = ["K - 3", "3 - K", "B - K", "K - B", "B - 1", "B - 3", "-B", "K"]
    cases = list(itertools.product(formulas, formulas, (1, -3)))
    f = prepare(f"fn f(x: int[B], k: int[K]) {{ return {spelled(cases)} }}", "f")
    for length, k in itertools.product(range(6), range(7)):
        x = np.arange(length)
        outputs, _ = call(f, x, np.zeros(k, int))
        names = {"B": length, "K": k}
        values = {formula: eval(formula, names) for formula in formulas}
        for (a, b, step), given in zip(cases, outputs, strict=True):
            wanted = x[values[a] : values[b] : step]
            np.testing.assert_array_equal(given, wanted, f"{a}:{b}:{step} {names}")


def test_hypers_bound_slices_and_sizes():
    text = """
    hyper n = 2
    k = 2 * n
    param W: float[k, n + 1] = 1
    fn f(x: float[B, k]) = (x @ W)[n:, :n]
    """
    (given,), _ = run(text, "f", np.ones((5, 4)))
    np.testing.assert_array_equal(given, np.full((3, 2), 4))
    assert program(text, n="3").memories[0].type.shape == (6, 4)


def test_numbers_with_names():
    found = [value(f"{name} + x", "x: f64", 0.0) for name in ("pi", "inf", "nan")]
    assert found[:2] == [np.pi, np.inf]
    assert np.isnan(found[2])
    assert value("2 * pi", "pi: f64", 3.0) == 6  # a name of the file wins
