"""NumPy's functions in all types: result types, values and refusals are NumPy's.

All calls of `numpy_table` are made, in both Python doors for the types, compiled for
the values. What is refused that NumPy computes is in `REFUSED`, with the reason.
"""

import dataclasses
import functools
import operator
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tensorc.frontend.python import symbolic_functions
from tests.doors import numpy_table
from tests.doors.numpy_table import INTEGERS, Call
from tests.snippets import ROOT, tables

UFUNCS = numpy_table.ufuncs()
BY_FUNCTION = dict(numpy_table.rows())
ROWS = [*BY_FUNCTION, np.matmul]


def kind(type_: object) -> str:
    """Return "b", "i", "u" or "f" for a type, or for a number without one."""
    if isinstance(type_, str):
        return np.dtype(type_).kind
    return {bool: "b", int: "i", float: "f"}[type(type_)]


@dataclass(frozen=True)
class Refusal:
    """Calls that NumPy computes, and the reason for which they are none here."""

    functions: tuple[str, ...]
    of: Callable[[tuple[object, ...]], bool]
    reason: str
    named: Callable[[str], bool] = lambda name: False

    def holds(self, call: Call) -> bool:
        """Tell whether it is a refusal of this call."""
        mine = call.function.__name__ in self.functions
        return mine and (self.of(call.types) or self.named(call.name))


def _is_number_beyond(types: tuple[object, ...]) -> bool:
    """Tell a number that the type of an array cannot hold."""
    numbers = [n for n in types if type(n) is int]
    limits = [np.iinfo(t) for t in types if t in INTEGERS]
    return any(not i.min <= n <= i.max for n in numbers for i in limits)


def _unknown_powers(types: tuple[object, ...]) -> bool:
    base, exponent = map(kind, types)
    known = not isinstance(types[1], str) or exponent in "bf"
    if known or base == "f" or (base == "b" and exponent == "u"):
        return False
    typed = [t for t in types if isinstance(t, str)]
    return np.result_type(*typed).kind != "f"


REFUSED = (
    Refusal(
        ("power",),
        _unknown_powers,
        "integers to powers that only the call gives are not in this version",
    ),
    Refusal(
        ("mean", "var", "std", "nanmean", "nanvar", "nanstd"),
        lambda types: False,
        "the result is a fraction, which `dtype=` of integers would cut off twice",
        lambda name: any(f"dtype='{t}'" in name for t in ("bool", *INTEGERS)),
    ),
    Refusal(
        ("where",),
        _is_number_beyond,
        "NumPy wraps the number, without a warning",
    ),
    Refusal(
        ("dot", "matmul", "tensordot", "einsum", "convolve", "correlate"),
        lambda types: types == ("bool", "bool"),
        "a sum of products is not one of truth values: cast them",
    ),
)


def reason_of(call: Call) -> str | None:
    """Return why a call is refused, or None for one that must be computed."""
    for refusal in REFUSED:
        if refusal.holds(call):
            return refusal.reason
    return None


def calls_of(function: Callable) -> list[Call]:
    """Return all calls of a function."""
    if function in UFUNCS:
        return numpy_table.calls_of_ufunc(function)
    if function is np.matmul:
        return numpy_table.calls_of_two(function)
    return numpy_table.calls_of_row(function, BY_FUNCTION[function])


def arrays_of(call: Call) -> list[object]:
    """Return the arrays and numbers of a call."""
    if call.function in UFUNCS:
        return numpy_table.arrays_of_ufunc(call.types)
    return numpy_table.arrays_of_row(call)


def computed(call: Call, operands: Iterable[object]) -> list[object] | Exception:
    """Make a call; return what it gives as a list, or why it gives nothing."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = call.make(*operands)
        except (
            TensorcError,
            TypeError,
            ValueError,
            LookupError,
            OverflowError,
        ) as error:
            return error
    return list(result) if isinstance(result, list | tuple) else [result]


# Types


def variables(call: Call) -> list[object]:
    """Return variables of the types of a call, with the shapes of its arrays."""
    return [
        tc.tensor(f"x{i}", str(a.dtype), a.shape) if isinstance(a, np.ndarray) else a
        for i, a in enumerate(arrays_of(call))
    ]


def in_the_door(dtype: np.dtype, call: Call, float_x: str) -> np.dtype:
    """Return NumPy's type of a result, as a door with another default float has it."""
    asked = "float64" in call.types or "'float64'" in call.name
    return np.dtype(float_x) if dtype == np.float64 and not asked else dtype


def difference_of_types(call: Call, float_x: str) -> str:
    """Return what is wrong with the type of a call's result, or nothing."""
    expected = computed(call, arrays_of(call))
    given = computed(call, variables(call))
    if isinstance(expected, Exception):
        # Some values may be refused by NumPy, which a variable has not.
        computes = not isinstance(given, Exception)
        fine = "negative integer powers" in str(expected)
        return f"NumPy: {expected}" if computes and not fine else ""
    if isinstance(given, Exception):
        return "" if reason_of(call) else f"refused: {given}"
    if reason_of(call):
        return "computed, though it is in REFUSED"
    types = [np.asarray(e).dtype for e in expected]
    types = [in_the_door(t, call, float_x) for t in types]
    found = [np.dtype(g.dtype) for g in given]  # type: ignore[attr-defined]
    return "" if types == found else f"{found} for {types}"


@pytest.mark.parametrize("float_x", ["float64", "float32"])
@pytest.mark.parametrize("function", UFUNCS + ROWS, ids=lambda f: f.__name__)
def test_types_and_refusals(function, float_x):
    with tc.options(floatX=float_x):
        found = {c.key: difference_of_types(c, float_x) for c in calls_of(function)}
    assert {k: d for k, d in found.items() if d} == {}


def test_every_refusal_is_met():
    calls = [c for f in UFUNCS + ROWS for c in calls_of(f)]
    for refusal in REFUSED:
        names = {c.function.__name__ for c in calls if refusal.holds(c)}
        assert set(refusal.functions) <= names


# Values

# The largest error in ulp of what is not exact: the bounds of docs/numerics.md, and
# where a function is made of several operations, some more.
BOUNDS = {
    name.strip("`"): (row["largest error in float32"], row["in float64"])
    for row in tables(ROOT / "docs" / "numerics.md", "Functions")
    if "function"
    in row  # the section has tables of composed and of rewritten ones, too
    for name in row["function"].split(", ")
}
COMPOSED = {"power": 3.0, "logaddexp": 4.0, "var": 4.0, "std": 4.0, "norm": 2.0}
COMPOSED |= {"linspace": 2.0, "mean": 1.0, "logspace": 8.0}
COMPOSED |= {"average": 2.0, "cov": 4.0, "corrcoef": 8.0}
COMPOSED |= {"logaddexp2": 4.0, "sinc": 2.0, "deg2rad": 1.0, "rad2deg": 1.0}
COMPOSED |= {"radians": 1.0, "degrees": 1.0}
COMPOSED |= {"nanmean": 1.0, "nanvar": 4.0, "nanstd": 4.0}
HALF = 0.502  # of f16, which is computed in f32


def bound_of(call: Call, dtype: np.dtype) -> float:
    """Return the largest error of a call in ulp: 0 for what is exact."""
    name = call.function.__name__
    if name in COMPOSED:
        return COMPOSED[name]
    if name not in BOUNDS:
        return 0.0
    single, double = (float(b.split()[0]) for b in BOUNDS[name])
    return {2: HALF, 4: single, 8: double}[dtype.itemsize] + 0.001


def exactly(call: Call, operands: list[object], dtype: np.dtype) -> np.ndarray:
    """Return the values of a call in more bits, of operands in the result's type."""
    if call.function.__name__ not in BOUNDS:
        return np.asarray(call.make(*operands))
    wide = [np.asarray(np.asarray(o, dtype), np.longdouble) for o in operands]
    return np.asarray(call.make(*wide))


def agrees(call: Call, given: np.ndarray, operands: list[object], i: int) -> np.ndarray:
    """Tell which elements of a result are as NumPy has them."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result = call.make(*operands)
        several = isinstance(result, list | tuple)
        expected = np.asarray(result[i] if several else result)
        if expected.dtype.kind != "f":
            return (given == expected) | _undefined(call, operands, expected)
        nan = np.isnan(given) & np.isnan(expected)
        sign = np.signbit(given) == np.signbit(expected)
        same = nan | ((given == expected) & (sign | _is_extreme(call)))
        bound = bound_of(call, expected.dtype)
        if bound:
            exact = exactly(call, operands, expected.dtype)
            near = np.asarray(exact, expected.dtype)
            unit = np.spacing(np.abs(_scale(call, near, operands)))
            same |= np.abs(given - exact) <= bound * unit.astype(np.longdouble)
        return same | _undefined(call, operands, expected)


def _is_extreme(call: Call) -> bool:
    """Tell functions of which zero is the result decides: NumPy leaves it open."""
    return call.function.__name__ in (
        *("maximum", "minimum", "fmax", "fmin", "max", "min", "clip"),
        *("sort", "partition", "median"),
    )


def _scale(call: Call, near: np.ndarray, operands: list[object]) -> np.ndarray:
    """Return what an ulp is taken of: the result, or what cancels to it."""
    if call.function is not np.logaddexp:
        return near
    sizes = [np.abs(np.asarray(o, near.dtype)) for o in operands]
    largest = functools.reduce(np.maximum, sizes, np.abs(near))
    return np.where(np.isfinite(near), largest, near)


def _undefined(call: Call, operands: list[object], like: np.ndarray) -> np.ndarray:
    """Tell elements that NumPy leaves open, or docs/numerics.md defines otherwise."""
    name, x = call.function.__name__, np.asarray(operands[0])
    if name == "reciprocal" and x.dtype.kind != "f":
        return np.asarray(x == 0)  # here 0
    if name == "power" and like.dtype == np.float16 and call.types[1] == 0.5:
        return ~(x > 0)  # a square root here, as in NumPy's other types
    if name == "argpartition":  # NumPy leaves the order on both sides open
        return np.ones(like.shape, bool)
    if name == "median":  # the sum of the two in the middle overflows in NumPy
        return np.isinf(like)
    if name in ("nanvar", "nanstd") and "dtype=" in call.name:
        return np.isfinite(like)  # NumPy rounds the mean to the type of the array
    return np.zeros(like.shape, bool)


def differences_of_values(calls: list[Call]) -> dict[str, str]:
    """Compile calls as one function; return what is wrong with their values."""
    operands = {c.key: arrays_of(c) for c in calls}
    calls = [
        c for c in calls if not isinstance(computed(c, operands[c.key]), Exception)
    ]
    given: dict[str, list[object]] = {}

    def traced(arrays):
        found = {}
        for call in calls:
            made = computed(call, [*_merged(operands[call.key], arrays[call.key])])
            if not isinstance(made, Exception):
                found[call.key] = made
        return found

    def _merged(whole, variables):
        return [variables.get(str(i), v) for i, v in enumerate(whole)]

    arrays = {
        key: {str(i): v for i, v in enumerate(o) if isinstance(v, np.ndarray)}
        for key, o in operands.items()
    }
    given = tc.jit(traced)({c.key: arrays[c.key] for c in calls})
    wrong = {}
    for call in calls:
        for i, result in enumerate(given.get(call.key, [])):
            same = agrees(call, result, operands[call.key], i)
            if not np.all(same):
                wrong[call.key] = f"{int(np.sum(~same))} off"
    return wrong


def compiled_differences(calls: list[Call]) -> dict[str, str]:
    """Compile calls without optimising, which changes no bit, some at a time."""
    wrong: dict[str, str] = {}
    with tc.options(optimize=0):
        for i in range(0, len(calls), 64):
            wrong |= differences_of_values(calls[i : i + 64])
    return wrong


def sample(calls: list[Call]) -> list[Call]:
    """Return some of the calls of a function, of all types."""
    step = len(calls) // 7 + 1
    return calls[:: step + (step % 12 == 0)]


def test_values_of_a_sample():
    calls = [c for f in UFUNCS + ROWS for c in sample(calls_of(f))]
    assert len(calls) > 700
    assert compiled_differences(calls) == {}


@pytest.mark.slow
@pytest.mark.parametrize("function", UFUNCS + ROWS, ids=lambda f: f.__name__)
def test_values(function):
    assert compiled_differences(calls_of(function)) == {}


# Other spellings


OPERATORS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "negative": operator.neg,
    "absolute": operator.abs,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "invert": operator.invert,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
    "matmul": operator.matmul,
}
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le)
COMPARISONS = (*COMPARISONS, operator.gt, operator.ge)


def described(result: object) -> object:
    """Return what a call made: the operations, or the class of its error."""
    if isinstance(result, Exception):
        return type(result).__mro__[-4:]
    return [_formula(r.operand) for r in result]  # type: ignore[attr-defined]


def _formula(operand: object, depth: int = 6) -> object:
    """Return the operations by which a variable is made, so far as they matter."""
    value = getattr(operand, "value", operand)
    op = getattr(value, "op", None)
    if op is None or not depth:
        return str(getattr(value, "type", value))
    inner = [_formula(o, depth - 1) for o in op.operands]
    return type(op).__name__, str(value.type), inner


def test_functions_of_the_package_and_operators_are_numpys():
    """tc.X(x) and x + y make the operations that np.X(x) makes."""
    wrong, count = [], 0
    with tc.options(floatX="float64"):
        for ufunc in UFUNCS:
            name = ufunc.__name__
            others = [OPERATORS.get(name), symbolic_functions.function_named(name)]
            for call in numpy_table.calls_of_ufunc(ufunc)[::5]:
                operands = variables(call)
                first = described(computed(call, operands))
                for other in filter(None, others):
                    if other in COMPARISONS and not isinstance(call.types[0], str):
                        continue  # Python turns 2 < x round
                    count += 1
                    again = dataclasses.replace(call, make=other)
                    if described(computed(again, operands)) != first:
                        wrong.append((other, call.key))
    assert count > 1500
    assert wrong == []


METHODS = ("sum", "mean", "prod", "var", "std", "max", "min", "any", "all", "argmax")
METHODS = (*METHODS, "argmin", "ravel", "squeeze", "repeat")


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_functions_of_the_package_are_numpys(name):
    function = getattr(np, name)
    wrong = []
    for call in calls_of(function):
        (x,) = variables(call)
        first = described(computed(call, [x]))
        given = dict(call.options)
        method = functools.partial(getattr(x, name), *call.given, **given)
        of_package = functools.partial(getattr(tc, name), x, *call.given, **given)
        for make in (method, of_package):
            if described(computed(dataclasses.replace(call, make=make), [])) != first:
                wrong.append((make, call.key))
    assert wrong == []
