"""Operators of bits, of integers and booleans: as in NumPy, and no logical ones."""

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
        x = np.array([0, 1, 5, np.iinfo(dtype).max], dtype)
        given = door(function, x)
        assert given.dtype == dtype
        np.testing.assert_array_equal(given, ~x)
    for dtype in FLOATS:
        with pytest.raises(TypeError, match="the bits of integers and booleans"):
            door(function, np.ones(4, dtype))


@pytest.mark.parametrize("door", [traced, symbolic])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("function", [f for f in ALL if f not in IN_PLACE])
def test_integers(door, function, dtype):
    x = np.array([-4, -1, 3, 100]).astype(dtype)
    y = np.array([2, 7, 64, -1]).astype(dtype)
    cases = [(lambda a, b: function(a, b), (x, y))]
    cases += [(lambda a: function(a, 3), (x,)), (lambda a: function(3, a), (y,))]
    cases += [(lambda a: function(a, P), (x,))]
    for formula, given in cases:
        result, expected = door(formula, *given), formula(*given)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_shifts_by_the_width_and_by_negative_counts(dtype, level):
    """All bits leave; those of a negative number on the right keep its sign."""
    width = np.iinfo(dtype).bits
    counts = np.array([0, 1, width - 1, width, width + 1, 127, -1, -128]).astype(dtype)
    info = np.iinfo(dtype)
    x = np.repeat(np.array([info.min, 5, info.max], dtype)[:, None], counts.size, 1)
    with tc.options(optimize=level):
        both = tc.jit(lambda a, b: (a << b, a >> b))(x, counts)
    for given, expected in zip(both, (x << counts, x >> counts), strict=True):
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("function", ALL)
def test_floats_are_refused(function):
    x = np.arange(4, dtype="int8")
    for dtype in FLOATS:
        with pytest.raises(TypeError, match="the bits of integers and booleans"):
            traced(function, np.ones(4, dtype), np.ones(4, dtype))
    with pytest.raises(TypeError, match="the bits of integers and booleans"):
        traced(lambda x: function(x, 1.5), x)
    wide = np.arange(4, dtype="uint64")
    with pytest.raises(TypeError, match="no integer type holds both"):
        traced(lambda x, y: function(x, y), x.astype("int64"), wide)


@pytest.mark.parametrize("shift", [np.left_shift, np.right_shift])
def test_shifts_of_booleans_are_of_numbers(shift):
    given, expected = traced(shift, P, Q), shift(P, Q)
    assert given.dtype == expected.dtype == "int8"
    np.testing.assert_array_equal(given, expected)


def test_names_in_a_file(tmp_path):
    text = """
fn f(x: int[N], y: int[N]) -> int[N] {
  kept = bitwise_or(bitwise_and(x, 12), left_shift(x, 2))
  return bitwise_xor(invert(kept), right_shift(y, 1))
}
"""
    path = tmp_path / "bits.tc"
    path.write_text(text)
    x, y = np.arange(-4, 5), np.arange(9) * 7
    given = tc.load(path).f(x, y)
    np.testing.assert_array_equal(given, ~((x & 12) | (x << 2)) ^ (y >> 1))
