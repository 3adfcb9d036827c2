"""Cases 1 to 30 of the casebook: arithmetic and types, what NumPy gives bit for bit."""

import warnings

import numpy as np
import pytest

import tensorc as tc
from tests.semantics.running import results, same_bits

SIGNED = ("i1", "i2", "i4", "i8")
INTEGERS = (*SIGNED, "u1", "u2", "u4", "u8")
FLOATS = ("f4", "f8")
INF, NAN = np.inf, np.nan
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -7.0, INF, -INF, NAN)


def pairs(values, dtype):
    """Return arrays in which each value meets each other."""
    x = np.array(values, dtype)
    return np.repeat(x, len(x)), np.tile(x, len(x))


def ends(dtype):
    i = np.iinfo(dtype)
    return np.resize(np.array([i.min, i.max, 0, 1, i.max - 1, i.min + 1], dtype), 19)


# Of every integer type: number and name of the case, the program, its arguments.
OF_INTEGERS = {
    "1 quotients and remainders are floors": (
        lambda x, y: (x // y, x % y),
        lambda t: pairs([-7, -2, 2, 3, 7] if t[0] == "i" else [2, 3, 7, 200], t),
    ),
    "2 the smallest by minus one": (
        lambda x, y: (x // y, x % y),
        lambda t: (ends(t), np.full(19, -1 if t[0] == "i" else 1, t)),
    ),
    "3 by zero": (
        lambda x, y: (x // y, x % y),
        lambda t: (ends(t), np.zeros(19, t)),
    ),
    "4 what wraps": (
        lambda x: (abs(x), -x, x + 1 > x, x - 1 < x),
        lambda t: (ends(t),),
    ),
    "5 unsigned sums and negation": (
        lambda x: (x + x, -x, x * x),
        lambda t: (np.array([100, 200, 255, 0, 1]).astype(t),),
    ),
    "8 through booleans": (
        lambda x: x.astype(bool).astype("int32"),
        lambda t: (ends(t),),
    ),
    "11 sums": (lambda x: (x.sum(), (x > 0).sum()), lambda t: (ends(t),)),
    "12 squares": (lambda x: (x**2, x * x), lambda t: (ends(t),)),
}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype):
    arrays = {n: make(dtype) for n, (_, make) in OF_INTEGERS.items()}
    check({n: f for n, (f, _) in OF_INTEGERS.items()}, arrays)


def check(programs, arrays):
    """Compare programs with NumPy, at -O0 and -O3, contiguous and strided."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = {n: programs[n](*arrays[n]) for n in programs}
    for found in results(programs, arrays):
        for name, expected in wanted.items():
            one = not isinstance(expected, tuple)
            given = (found[name],) if one else found[name]
            for a, b in zip(given, (expected,) if one else expected, strict=True):
                assert same_bits(a, b), (name, a, b)


def special(dtype):
    return (np.array(SPECIAL, dtype),)


# Of f32 and f64: what is exact.
OF_FLOATS = {
    "12 a square is a product": (lambda x: (x**2, x * x), special),
    "14 roots of zeros": (
        lambda x: (np.sqrt(x), 1 / np.sqrt(x)),
        special,
    ),
    "15 nothing is cancelled": (
        lambda x: (x * 0, x - x, x / x, x + 0, x * 0.0 + x),
        special,
    ),
    "16 log of exp overflows": (
        lambda x: (np.log(np.exp(x)), np.sqrt(x * x), np.square(np.sqrt(x))),
        lambda t: (np.array([1000, -1, -INF, 1e30 if t == "f4" else 1e200], t),),
    ),
    "17 exp times exp": (
        lambda x, y: np.exp(x) * np.exp(y),
        lambda t: (np.array([800.0], t), np.array([-800.0], t)),
    ),
    "19 the larger of NaN and one": (
        lambda x, y: (np.maximum(x, y), np.minimum(x, y)),
        lambda t: (np.array([NAN, 1, NAN, 2], t), np.array([1, NAN, NAN, 1], t)),
    ),
    "20 clip": (
        lambda x: (np.clip(x, 3, 1), np.clip(x, 0.25, 2)),
        special,
    ),
    "21 signs": (np.sign, special),
    "22 halves round to even": (
        lambda x: (np.round(x), np.rint(x)),
        lambda t: (np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49], t),),
    ),
    "23 remainders": (
        lambda x, y: (x % y, x // y),
        lambda t: (
            np.array([-1e-20, 1, INF, -7, 7, -0.0], t),
            np.array([3, 0, 2, 3, -3, 3], t),
        ),
    ),
    "24 large whole numbers": (
        lambda x: (np.floor(x), np.ceil(x), np.trunc(x)),
        lambda t: (np.array([1e30, -1e30, 2**31 + 0.5, -0.5, 2**23 + 0.5], t),),
    ),
    "25 subnormal numbers": (
        lambda x: (x * 1, x + 0, x * 0.5),
        lambda t: (np.array([1e-40 if t == "f4" else 1e-310, -1e-40], t),),
    ),
    "26 comparisons with NaN": (
        lambda x, y: (x != x, x >= x, ~(x < y), x >= y, x == x),
        lambda t: pairs(SPECIAL, t),
    ),
    "28 products are not contracted": (
        lambda x, y: (x * y - x * y, x * y + x),
        lambda t: pairs([0.1, 1 / 3, 7.7, -3.3], t),
    ),
    "29 division by a constant": (
        lambda x: (x / 3, x / 10, x / 7.5, x / 4),
        lambda t: (np.linspace(0.1, 99, 64).astype(t),),
    ),
}


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(dtype):
    arrays = {n: make(dtype) for n, (_, make) in OF_FLOATS.items()}
    check({n: f for n, (f, _) in OF_FLOATS.items()}, arrays)


@pytest.mark.parametrize("dtype", FLOATS)
def test_powers_at_the_edges(dtype):
    """Case 13: of 0, 1 and NaN; 12: a power of one half is no square root there."""
    x, y = pairs(SPECIAL, dtype)
    programs = {
        "any": lambda x, y: x**y,
        "zero": lambda x, y: x**0,
        "half": lambda x, y: x**0.5,
        "of one": lambda x, y: 1.0**y,
    }
    with np.errstate(all="ignore"):
        wanted = {n: f(x, y) for n, f in programs.items()}
    for found in results(programs, dict.fromkeys(programs, (x, y))):
        for name, expected in wanted.items():
            given = found[name]
            exact = np.isin(expected, (0, 1, INF, -INF)) | np.isnan(expected)
            assert same_bits(given[exact], expected[exact]), name
            np.testing.assert_allclose(given, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_become_integers_within_their_range(dtype):
    """Case 7: NaN is 0, what is too large the largest. NumPy leaves that open."""
    x = np.array([NAN, INF, -INF, 1e20, -1e20, 2.9, -2.9, 300.0], dtype)
    names = ("i1", "u1", "i4", "u4", "i8", "u8")
    programs = {t: (lambda x, t=t: x.astype(np.dtype(t))) for t in names}
    for found in results(programs, dict.fromkeys(programs, (x,))):
        for name in names:
            limits = np.iinfo(name)
            for given, value in zip(found[name], x, strict=True):
                low, high = float(limits.min), float(limits.max)
                wanted = 0 if np.isnan(value) else np.trunc(value)
                wanted = limits.max if wanted >= high else wanted
                wanted = limits.min if wanted <= low else wanted
                assert int(given) == int(wanted), (name, value)


def test_promotions_are_numpys():
    """Case 9: and 10, a quotient of integers is a float, with a float's derivative."""
    given = {t: np.ones(3, t) for t in ("i1", "i4", "i8", "u8", "f2", "f4", "f8")}
    pairs_ = [("i4", "f4"), ("i8", "u8"), ("i1", "f2"), ("f4", "f8"), ("i8", "i4")]

    def program(a):
        sums = [a[x] + a[y] for x, y in pairs_]
        return [*sums, a["f4"] * 1.5, a["i8"] / a["i4"], a["i1"] * 2, a["f2"] + 1]

    for level in (0, 3):
        with tc.options(optimize=level):
            found = tc.jit(program)(given)
        assert [f.dtype for f in found] == [p.dtype for p in program(given)]
    with tc.options(floatX="float64"):
        n, x = tc.lscalar("n"), tc.dscalar("x")
        slope = tc.function([n, x], tc.grad(x * (n / 2), x))
    assert slope(3, 1.0) == 1.5


def test_half_precision():
    """Case 30, and 11: sums of f16 are made in f32 and rounded once."""
    x = np.array([65504, 32, 0.1, 2049], "f2")
    ones = np.full(4096, 0.1, "f2")
    programs = {
        "too large": lambda x: x[0] + x[1],
        "sum": lambda y: y.sum(),
        "product": lambda x: x * x,
    }
    arrays = {"too large": (x,), "sum": (ones,), "product": (x,)}
    for found in results(programs, arrays):
        assert same_bits(found["too large"], np.float16(np.inf))
        assert same_bits(found["sum"], np.float16(np.sum(ones.astype("f4"))))
        with np.errstate(over="ignore"):
            assert same_bits(found["product"], x * x)


def test_one_plus_exp_is_a_sigmoid_for_one_alone():
    """Case 18: `1 / (exp(x) + c)` of another c stays what it is."""
    x = np.linspace(-3, 3, 13)
    programs = {str(c): (lambda x, c=c: 1 / (np.exp(x) + c)) for c in (1, 2, 1.0001)}
    for found in results(programs, dict.fromkeys(programs, (x,))):
        for name, given in found.items():
            np.testing.assert_allclose(given, 1 / (np.exp(x) + float(name)), rtol=1e-15)


def test_negative_powers_of_integers_are_refused():
    """Case 12: as in NumPy, where the exponent is known."""
    with pytest.raises(tc.TensorcError, match="negative"):
        tc.jit(lambda x: x**-1)(np.arange(3))


def test_integers_and_floats_compare_as_numpy_compares_them():
    """Case 27: beyond 2^53 an integer is rounded to the float it meets."""
    i = np.array([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1])
    f = i.astype("f8")
    check({"27": lambda i, f: (i == f, i < f, i >= f)}, {"27": (i, f)})


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(dtype):
    """Case 6: by the width and more, bits are 0, or the sign to the right."""
    x, n = np.meshgrid(
        ends(dtype), np.array([0, 1, 7, 8, 31, 63, 64, 100]).astype(dtype)
    )
    check({"6": lambda x, n: (x << n, x >> n)}, {"6": (x.ravel(), n.ravel())})
