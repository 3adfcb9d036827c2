"""What is computed while compiling is what the op computes, of all functions.

Exact functions have the op's bits; the others its special values, and else the bounds
of docs/numerics.md, which says too what is refused of plain numbers.
"""

import itertools
import math

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CompileError
from tensorc.frontend.library.elementwise import fold_known
from tensorc.frontend.library.maps import MAPS
from tensorc.frontend.library.operands import number
from tensorc.frontend.python.symbolic_operands import emitter
from tensorc.ir.numerics import same_bits
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.tensor.elementwise import Compare, Unary
from tensorc.ir.ops.tensor.rounding import Predicate

INF, NAN, TINY = math.inf, math.nan, 5e-324
SCALARS = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -7.0, 10.25, 1000.0),
    *(TINY, -TINY, 2.0**-1022, 1e-20, -1e-20, 2.0**53 + 2, 1e308, -1e308, 1.7e308),
    *(INF, -INF, NAN),
)
INTEGERS = (0, 1, -1, 2, -2, 3, -7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
HUGE = (2**63, -(2**63) - 1, 2**64, 10**30)
# Of `**` the exponent decides what is written out; all others have one op.
OPS = {n: s for n, s in MAPS.items() if s.op is not None}
NUMBERS = {n: s for n, s in OPS.items() if s.rule == "number"}
# Those of bits are of integers alone.
OF_FLOATS = [n for n, s in OPS.items() if s.rule != "bits"]


def arity(name):
    return 1 if issubclass(OPS[name].op, Unary | Predicate) else 2


def evaluated(name, operands, dtype="float64"):
    """Return what the op has for 0-d arrays, bit for bit."""
    spec = OPS[name]
    wanted = bool if spec.rule == "logic" else dtype
    arrays = [np.asarray(np.asarray(o), wanted) for o in operands]
    attributes = {"predicate": name} if spec.op is Compare else {}
    with np.errstate(all="ignore"):
        return np.asarray(spec.op.evaluate(None, *arrays, **attributes))


def is_explained(message, result, operands):
    """Tell whether a refusal is one of the three that the page lists."""
    if "division by zero" in message:
        return 0 in operands
    finite = all(map(math.isfinite, operands))
    if "is too large" in message:
        return finite and math.isinf(result)
    no_nan = not any(map(math.isnan, operands))
    return "is not a number" in message and no_nan and not math.isfinite(result)


def agrees(name, folded, expected):
    given = np.asarray(folded, expected.dtype)
    if EXACT in OPS[name].op.traits or not np.isfinite(expected) or expected == 0:
        return same_bits(given, expected)
    with np.errstate(all="ignore"):
        return abs(given - expected) <= 3 * np.spacing(abs(expected))


@pytest.mark.parametrize("name", OF_FLOATS)
def test_numbers_fold_to_what_the_op_computes(name):
    wrong, refused = [], 0
    for operands in itertools.product(SCALARS, repeat=arity(name)):
        expected = evaluated(name, operands)
        try:
            folded = fold_known(emitter(), name, operands)
        except CompileError as error:
            refused += 1
            if not is_explained(error.diagnostics[0].message, expected, operands):
                wrong.append((operands, str(error)))
            continue
        kind = bool if expected.dtype == bool else float
        if type(folded) is not kind or not agrees(name, folded, expected):
            wrong.append((operands, folded, expected))
    assert not wrong
    # An arc is one of few of these numbers.
    assert refused < len(SCALARS) ** arity(name) * 2 / 3


@pytest.mark.parametrize("name", [n for n in NUMBERS if n != "pow"])
def test_integers_fold_exactly(name):
    wrong = []
    for operands in itertools.product(INTEGERS + HUGE, repeat=arity(name)):
        if name in ("floordiv", "mod", "fmod") and operands[1] == 0:
            with pytest.raises(CompileError, match="division by zero"):
                fold_known(emitter(), name, operands)
            continue
        folded = fold_known(emitter(), name, operands)
        # Within 64 bits it is the op's, beyond them no bit is lost.
        if name == "fmod":  # NumPy has it of no objects
            a, b = operands
            expected = abs(a) % abs(b) * (1 if a > 0 else -1)
        else:
            wide = object if name != "sign" else "float64"
            expected = evaluated(name, operands, wide)
        if type(folded) is not int or folded != expected:
            wrong.append((operands, folded, expected))
    assert not wrong


@pytest.mark.parametrize("name", [n for n in NUMBERS if arity(n) == 2])
def test_an_integer_and_a_float_fold_to_a_float(name):
    for i, f in itertools.product((2, 3, -7), (2.5, -0.5, 3.0, NAN)):
        for operands in ((i, f), (f, i)):
            try:
                folded = fold_known(emitter(), name, operands)
            except CompileError:
                assert math.isnan(evaluated(name, operands))
                continue
            assert number(folded).kind == "float", operands
            assert agrees(name, folded, evaluated(name, operands)), operands


@pytest.mark.parametrize("name", [n for n in OF_FLOATS if OPS[n].array is not None])
def test_lists_fold_to_what_the_op_computes(name):
    floats, integers = np.array(SCALARS), np.array(INTEGERS, np.int64)
    for arrays in itertools.product((floats, integers), repeat=arity(name)):
        if OPS[name].rule == "whole" and arrays[0] is integers:
            continue  # they stay what they are
        pair = np.meshgrid(*arrays)
        is_float = OPS[name].rule in ("quotient", "class") or any(
            a is floats for a in arrays
        )
        with np.errstate(all="ignore"):
            folded = OPS[name].array(*pair)
        expected = evaluated(name, pair, "float64" if is_float else "int64")
        assert same_bits(np.asarray(folded), expected)


@pytest.mark.parametrize(
    ("function", "operands", "expected"),
    [
        (tc.maximum, (1.0, NAN), NAN),
        (tc.minimum, (NAN, 1.0), NAN),
        (tc.clip, (NAN, 0.0, 1.0), NAN),
        (tc.clip, (0.5, NAN, 1.0), NAN),
        (tc.maximum, (-0.0, 0.0), 0.0),
        (tc.minimum, (0.0, -0.0), -0.0),
        (tc.maximum, (3, 2.5), 3.0),
        (tc.relu, (NAN,), NAN),
    ],
)
def test_plain_numbers_in_the_python_doors(function, operands, expected):
    assert same_bits(function(*operands).astype("float64").eval(), np.asarray(expected))
    x = tc.dscalar("x")
    typed = tc.function([x], x * 0 + function(*operands))
    assert same_bits(typed(2.0) + np.float64(0), np.asarray(expected) + 0.0)
