"""Operators of bits: NumPy's on booleans, refused for integers, no logical ones."""

import operator

import numpy as np
import pytest

import tensorc as tc

P, Q = np.array([True, True, False, False]), np.array([True, False, True, False])
BINARY = {
    "and": (operator.and_, operator.iand, np.bitwise_and),
    "or": (operator.or_, operator.ior, np.bitwise_or),
    "xor": (operator.xor, operator.ixor, np.bitwise_xor),
}
SHIFTS = {
    "left": (operator.lshift, operator.ilshift, np.left_shift),
    "right": (operator.rshift, operator.irshift, np.right_shift),
}
NOT = (operator.invert, np.invert, np.bitwise_not)
SPELLINGS = [f for row in BINARY.values() for f in row]
ALL = [*SPELLINGS, *(f for row in SHIFTS.values() for f in row)]
NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


# An array on the left of `&=` is not changed by a variable: another refusal.
IN_PLACE = {row[1] for row in (*BINARY.values(), *SHIFTS.values())}


def traced(function, *arrays):
    return tc.jit(lambda *given: function(*given))(*arrays)


def symbolic(function, *arrays):
    variables = [tc.tensor(f"x{i}", str(a.dtype), (4,)) for i, a in enumerate(arrays)]
    return tc.function(variables, function(*variables))(*arrays)


@pytest.mark.parametrize("door", [traced, symbolic])
@pytest.mark.parametrize("function", SPELLINGS)
def test_booleans(door, function):
    expected = function(P.copy(), Q)
    reflected = [] if function in IN_PLACE else [door(lambda y: function(P, y), Q)]
    for given in (door(function, P, Q), door(lambda x: function(x, Q), P), *reflected):
        assert given.dtype == bool
        np.testing.assert_array_equal(given, expected)
    for number in (True, False):
        np.testing.assert_array_equal(
            door(lambda x, n=number: function(x, n), P), function(P.copy(), number)
        )
        np.testing.assert_array_equal(
            door(lambda x, n=number: function(n, x), P), function(number, P.copy())
        )


@pytest.mark.parametrize("door", [traced, symbolic])
@pytest.mark.parametrize("function", NOT)
def test_the_complement(door, function):
    np.testing.assert_array_equal(door(function, P), ~P)
    for dtype in NUMBERS:
        with pytest.raises(TypeError, match=r"`~` of integers is not in this version"):
            door(function, np.ones(4, dtype))
    for dtype in FLOATS:
        with pytest.raises(TypeError, match="the bits of integers and booleans"):
            door(function, np.ones(4, dtype))


@pytest.mark.parametrize("door", [traced, symbolic])
@pytest.mark.parametrize("function", ALL)
def test_numbers_are_refused(door, function):
    message = r"of integers is not in this version, got i8"
    x = np.arange(4, dtype="int8")
    for other in (x, np.int64(1), 1, True, P):
        with pytest.raises(TypeError, match=message):
            door(lambda x, o=other: function(x, o), x)
        if function in IN_PLACE and isinstance(other, np.ndarray | np.generic):
            continue
        with pytest.raises(TypeError, match="is not in this version"):
            door(lambda x, o=other: function(o, x), x)
    for dtype in FLOATS:
        with pytest.raises(TypeError, match="the bits of integers and booleans"):
            door(function, np.ones(4, dtype), np.ones(4, dtype))
    with pytest.raises(TypeError, match="the bits of integers and booleans"):
        door(lambda x: function(x, 1.5), x)


@pytest.mark.parametrize("shift", [f for row in SHIFTS.values() for f in row])
def test_shifts_of_booleans_are_of_numbers(shift):
    with pytest.raises(TypeError, match="is not in this version"):
        traced(shift, P, Q)
