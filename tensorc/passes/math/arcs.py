"""Angles of points: arctan and arctan2, arcsin and arccos. All are computed in f64.

With 0 <= y <= x, atan(y / x) = atan(c) + atan(t) where t = (y - c x) / (x + c y), c is
the nearest of 0, 1/2, 1: one division, and a short polynomial of t. y, x and t are
pairs. Coefficients: `tests/passes/remez.py`. Forms for f32 are in `singles`.
"""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math import singles
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair
from tensorc.passes.math.pairs import chosen, negative, pair, quotient, root, total

# (atan(t) / t - 1) / t^2 in t^2 for |t| <= sqrt(5) - 2, to 2^-71.
ARCTAN_TAIL = (
    float.fromhex("-0x1.5555555555555p-2"),
    float.fromhex("0x1.9999999999980p-3"),
    float.fromhex("-0x1.24924924906cbp-3"),
    float.fromhex("0x1.c71c71c4f3287p-4"),
    float.fromhex("-0x1.745d168d0fef8p-4"),
    float.fromhex("0x1.3b138b02e563ap-4"),
    float.fromhex("-0x1.110bff99a8fa9p-4"),
    float.fromhex("0x1.e104543109ba9p-5"),
    float.fromhex("-0x1.a34f2377bc824p-5"),
    float.fromhex("0x1.280fdf68f5cbfp-5"),
)
# Between these quotients the middle c is the nearest one: the next t is as large.
_NEAR, _FAR = libm.sqrt(5) - 2, (libm.sqrt(10) - 1) / 3
# atan(1/2), pi/4, pi/2 and pi as unrounded sums.
_HALF = (float.fromhex("0x1.dac670561bb4fp-2"), float.fromhex("0x1.a2b7f222f65e2p-56"))
_EIGHTH = (
    float.fromhex("0x1.921fb54442d18p-1"),
    float.fromhex("0x1.1a62633145c07p-55"),
)
_QUARTER = (2 * _EIGHTH[0], 2 * _EIGHTH[1])
_TURNED = (4 * _EIGHTH[0], 4 * _EIGHTH[1])


def _below_diagonal(m: MathBuilder, y: Pair, x: Pair) -> Pair:
    """Return atan(y / x) for 0 <= y <= x, x > 0."""
    zero = m.number(0.0)
    is_far = m.compare("ogt", y[0], m.mul(x[0], m.number(_FAR)))
    is_near = m.compare("olt", y[0], m.mul(x[0], m.number(_NEAR)))
    c = m.select(is_far, m.number(1.0), m.select(is_near, zero, m.number(0.5)))
    base = chosen(m, is_near, (zero, zero), pair(m, *_HALF))
    base = chosen(m, is_far, pair(m, *_EIGHTH), base)
    # c is a power of two, or 0.
    above, below = [(m.mul(c, v[0]), m.mul(c, v[1])) for v in (x, y)]
    t, low = quotient(m, total(m, y, negative(m, above)), total(m, x, below))
    z = m.mul(t, t)
    tail = m.mul(m.mul(t, z), m.polynomial(z, ARCTAN_TAIL))
    tail = m.add(m.fma(m.neg(z), low, low), tail)
    high, lost = m.fast_sum(base[0], t)
    return m.fast_sum(high, m.add(lost, m.add(tail, base[1])))


def _angle(m: MathBuilder, y: Pair, x: Pair, is_left: Value | None) -> Value:
    """Return the angle of a point in the first quarter, or turned to the second."""
    is_steep = m.compare("ogt", y[0], x[0])
    low, high = chosen(m, is_steep, x, y), chosen(m, is_steep, y, x)
    angle = _below_diagonal(m, low, high)
    quarter, half = pair(m, *_QUARTER), pair(m, *_TURNED)
    angle = chosen(m, is_steep, total(m, quarter, negative(m, angle)), angle)
    if is_left is not None:
        angle = chosen(m, is_left, total(m, half, negative(m, angle)), angle)
    return m.add(*angle)


def arctan(m: MathBuilder, x: Value) -> Value:
    """Return the angle from -pi/2 to pi/2 whose tangent is x."""
    # From here on it is pi/2: infinity by itself would be NaN.
    most, one, zero = m.number(2.0**60), m.number(1.0), m.number(0.0)
    size = m.abs(x)
    size = m.select_if("ogt", size, most, most, size)
    return m.with_sign_of(_angle(m, (size, zero), (one, zero), None), x)


def _other_side(m: MathBuilder, x: Value) -> Pair:
    """Return sqrt(1 - x^2); NaN where |x| > 1."""
    square, lost = m.exact_product(x, x)
    high, low = m.exact_sum(m.number(1.0), m.neg(square))
    return root(m, m.fast_sum(high, m.sub(low, lost)))


def arcsin(m: MathBuilder, x: Value) -> Value:
    """Return the angle from -pi/2 to pi/2 whose sine is x."""
    size = m.abs(x)
    angle = _angle(m, (size, m.number(0.0)), _other_side(m, size), None)
    return m.with_sign_of(_inside(m, size, angle), x)


def arccos(m: MathBuilder, x: Value) -> Value:
    """Return the angle from 0 to pi whose cosine is x."""
    zero, size = m.number(0.0), m.abs(x)
    is_left = m.compare("olt", x, zero)
    angle = _angle(m, _other_side(m, size), (size, zero), is_left)
    return _inside(m, size, angle)


def _inside(m: MathBuilder, size: Value, angle: Value) -> Value:
    """Return an angle where a side is at most 1, NaN elsewhere."""
    return m.select_if("ole", size, m.number(1.0), angle, m.number(libm.nan))


def arctan2(m: MathBuilder, y: Value, x: Value) -> Value:
    """Return the angle of the point (x, y), from -pi to pi."""
    zero, one = m.number(0.0), m.number(1.0)
    width, height = m.abs(x), m.abs(y)
    largest = m.select_if("ogt", width, height, width, height)
    # A quotient needs no exponents: they are moved so that none overflows, and what is
    # subnormal then is of no account.
    shrink = m.select_if("ogt", largest, m.number(2.0**500), m.number(2.0**-500), one)
    factor = m.select_if(
        "olt", largest, m.number(2.0**-400), m.number(2.0**600), shrink
    )
    infinity = m.number(libm.inf)
    w, h = (
        m.select_if(
            *("oeq", largest, infinity),
            m.select_if("oeq", size, infinity, one, zero),
            m.mul(size, factor),
        )
        for size in (width, height)
    )
    # Of nothing the sign of x alone says which angle.
    w = m.select_if("oeq", largest, zero, one, w)
    is_left = m.compare_integers("slt", m.bits(x), m.integer(0))
    angle = m.with_sign_of(_angle(m, (h, zero), (w, zero), is_left), y)
    return m.select_if("uno", x, y, m.add(x, y), angle)


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.ArcTan: (singles.arctan, singles.arctan, arctan),
        math.ArcSin: (singles.arcsin, singles.arcsin, arcsin),
        math.ArcCos: (singles.arccos, singles.arccos, arccos),
        math.ArcTan2: (arctan2, arctan2, arctan2),
    }
)
