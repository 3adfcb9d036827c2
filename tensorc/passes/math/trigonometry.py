"""Sine and cosine, computed in f64 for every format.

n pi/2 is taken off in parts, exactly (Cody and Waite, with fused multiply-adds), for
|x| up to 2^45. Beyond that `math_angles` takes over, lane by lane.
"""

import math as libm
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.angles import far_angle
from tensorc.passes.math.builder import Expansion, MathBuilder, MathFunction, Pair
from tensorc.passes.math.pairs import chosen, negative, pair, product, quotient, total

# pi/2 as an unrounded sum of three numbers.
HALF_PI = (
    float.fromhex("0x1.921fb54442d18p+0"),
    float.fromhex("0x1.1a62633145c07p-54"),
    float.fromhex("-0x1.f1976b7ed8fbcp-110"),
)
FARTHEST = 2.0**45
# -1/6 as an unrounded sum.
_SIXTH = (
    float.fromhex("-0x1.5555555555555p-3"),
    float.fromhex("-0x1.5555555555555p-57"),
)

# (sin r - r) / r^3 and (cos r - 1 + r^2/2) / r^4 in r^2 for |r| <= pi/4: for f32 (to
# 2^-28 and 2^-33) and for f64 (to 2^-58 and 2^-64).
SIN_SINGLE = (
    float.fromhex("-0x1.5555458a28d70p-3"),
    float.fromhex("0x1.11075a18b12d7p-7"),
    float.fromhex("-0x1.994c86b51877cp-13"),
)
COS_SINGLE = (
    float.fromhex("0x1.55554aa9b95f8p-5"),
    float.fromhex("-0x1.6c0c8526ca8a7p-10"),
    float.fromhex("0x1.9a00656a795c8p-16"),
)
SIN_DOUBLE = (
    float.fromhex("-0x1.5555555555549p-3"),
    float.fromhex("0x1.111111110f859p-7"),
    float.fromhex("-0x1.a01a019c0d3acp-13"),
    float.fromhex("0x1.71de3573c360fp-19"),
    float.fromhex("-0x1.ae5e6304eb13ap-26"),
    float.fromhex("0x1.5d920aaee17c8p-33"),
)
COS_DOUBLE = (
    float.fromhex("0x1.555555555554cp-5"),
    float.fromhex("-0x1.6c16c16c1515ap-10"),
    float.fromhex("0x1.a01a019cae0dfp-16"),
    float.fromhex("-0x1.27e4f8072905ap-22"),
    float.fromhex("0x1.1ee9e9f269d49p-29"),
    float.fromhex("-0x1.8fad8ecf7049ep-37"),
)


@dataclass(frozen=True, slots=True)
class _Wave:
    """Sine, or cosine, which is a sine of some quarters more, for |x| < 2^exponent.

    Or the tangent, which is the quotient of both.
    """

    quarters: int
    sin_tail: tuple[float, ...]
    cos_tail: tuple[float, ...]
    exponent: int
    is_tangent: bool = False


def _wave(wave: _Wave) -> MathFunction:
    """Return the function x -> sin(x + quarters pi/2) of f64."""

    def function(m: MathBuilder, x: Value) -> Value:
        result = _of_quarter(m, wave, *_reduce(m, x))
        if wave.exponent > 45:
            result = _with_far_lanes(m, wave, x, result)
        if not wave.quarters:
            # Keeps -0 and what is subnormal.
            tiny = m.number(m.format.negligible)
            result = m.select_if("olt", m.abs(x), tiny, x, result)
        infinity, nan = m.number(libm.inf), m.number(libm.nan)
        return m.select_if("olt", m.abs(x), infinity, result, nan)

    return function


# To the precision of f64, and good enough for what an f32 or an f16 has been.
sin = _wave(_Wave(0, SIN_DOUBLE, COS_DOUBLE, 1024))
cos = _wave(_Wave(1, SIN_DOUBLE, COS_DOUBLE, 1024))
sin_of_single = _wave(_Wave(0, SIN_SINGLE, COS_SINGLE, 128))
cos_of_single = _wave(_Wave(1, SIN_SINGLE, COS_SINGLE, 128))
sin_of_half = _wave(_Wave(0, SIN_SINGLE, COS_SINGLE, 16))
tan = _wave(_Wave(0, SIN_DOUBLE, COS_DOUBLE, 1024, is_tangent=True))
tan_of_single = _wave(_Wave(0, SIN_SINGLE, COS_SINGLE, 128, is_tangent=True))
cos_of_half = _wave(_Wave(1, SIN_SINGLE, COS_SINGLE, 16))


def _of_quarter(m: MathBuilder, wave: _Wave, angle: Pair, quarter: Value) -> Value:
    """Return the wave at an angle as a pair, by the quarter that it lies in."""
    r, low = angle
    z = m.mul(r, r)
    if wave.is_tangent:
        return _tangent(m, wave, angle, quarter)
    sine = _sine(m, r, low, z, wave.sin_tail)
    cosine = _cosine(m, r, low, z, wave.cos_tail)
    # Bit 0 of the quarter chooses, bit 1 is the sign.
    quarter, width = m.plus(quarter, wave.quarters), m.format.bits.bits
    odd = m.shift_left(quarter, width - 1)
    result = m.integers_if("slt", odd, m.integer(0), cosine, sine)
    turned = m.shift_left(m.shift_right(quarter, 1), width - 1)
    return m.integers_if("slt", turned, m.integer(0), m.neg(result), result)


def _tangent(m: MathBuilder, wave: _Wave, angle: Pair, quarter: Value) -> Value:
    """Return the quotient of sine and cosine, or of -cosine and sine.

    They are pairs, but for what an f32 has been.
    """
    r, low = angle
    z = m.mul(r, r)
    odd = m.shift_left(quarter, m.format.bits.bits - 1)
    is_odd = m.compare_integers("slt", odd, m.integer(0))
    if wave.exponent <= 128:
        one_sine = _sine(m, r, low, z, wave.sin_tail)
        one_cosine = _cosine(m, r, low, z, wave.cos_tail)
        side = m.select(is_odd, m.neg(one_cosine), one_sine)
        return m.div(side, m.select(is_odd, one_sine, one_cosine))
    slope = m.fma(z, m.number(-0.5), m.number(1.0))
    sine = _fine_sine(m, r, m.mul(low, slope), wave.sin_tail)
    cosine = m.fast_sum(*_cosine_parts(m, r, low, z, wave.cos_tail))
    above = chosen(m, is_odd, negative(m, cosine), sine)
    return m.add(*quotient(m, above, chosen(m, is_odd, sine, cosine)))


def _fine_sine(m: MathBuilder, r: Value, low: Value, tail: tuple[float, ...]) -> Pair:
    """Return sin(r) + low as a pair whose cubic term is rounded to a pair, too."""
    first, *others = tail
    square = m.exact_product(r, r)
    cube = product(m, (r, m.number(0.0)), square)
    third = product(m, cube, pair(m, *_SIXTH))
    left = m.polynomial(square[0], (first - _SIXTH[0], *others))
    return total(m, (r, m.fma(cube[0], left, low)), third)


def _reduce(m: MathBuilder, x: Value) -> tuple[Pair, Value]:
    """Return x - n pi/2 as a pair for |x| up to 2^45, and n in the low bits."""
    magic = m.number(m.format.integers)
    shifted = m.fma(x, m.number(2 / libm.pi), magic)
    n = m.sub(shifted, magic)
    first, second, third = (m.number(-part) for part in HALF_PI)
    near = m.fma(n, first, x)  # exact
    part, rest = m.exact_product(n, second)
    r, low = m.exact_sum(near, part)
    return (r, m.fma(n, third, m.add(low, rest))), m.bits(shifted)


def _with_far_lanes(m: MathBuilder, wave: _Wave, x: Value, result: Value) -> Value:
    """Return a result with the lanes replaced whose |x| is beyond 2^45, but infinity.

    The loop takes one such size after the other, the largest first, as a scalar: if
    there is none, as nearly always, it costs a comparison.
    """
    none, size = m.integer(0), m.abs(x)
    is_far = m.both(
        m.compare("ogt", size, m.number(FARTHEST)),
        m.compare("olt", size, m.number(libm.inf)),
    )
    count = m.of_lanes("add", m.select(is_far, m.integer(1), none))
    waits = m.select(is_far, m.bits(size), none)
    with m.repeat(m.as_index(count), result, waits) as loop:
        result, waits = loop.carried
        largest, one = m.of_lanes("maxsi", waits), m.scalar()
        angle = far_angle(one, one.from_bits(largest), wave.exponent)
        far = m.on_lanes(_of_quarter(one, wave, *angle))
        if not wave.quarters:
            far = m.select_if("olt", x, m.number(0.0), m.neg(far), far)
        # What does not wait has 0, as the largest has once none waits.
        is_own = m.compare_integers("eq", waits, m.on_lanes(largest))
        is_own = m.both(is_own, m.compare_integers("sgt", waits, none))
        loop.yields = [m.select(is_own, far, result), m.select(is_own, none, waits)]
    return loop.results[0]


def _sine(
    m: MathBuilder, r: Value, low: Value, z: Value, tail: tuple[float, ...]
) -> Value:
    """Return sin(r + low) = r + (r^3 P(r^2) + low (1 - r^2 / 2))."""
    slope = m.fma(z, m.number(-0.5), m.number(1.0))
    cubic = m.mul(m.mul(r, z), m.polynomial(z, tail))
    return m.add(r, m.fma(low, slope, cubic))


def _cosine(
    m: MathBuilder, r: Value, low: Value, z: Value, tail: tuple[float, ...]
) -> Value:
    """Return cos(r + low)."""
    return m.add(*_cosine_parts(m, r, low, z, tail))


def _cosine_parts(
    m: MathBuilder, r: Value, low: Value, z: Value, tail: tuple[float, ...]
) -> Pair:
    """Return 1 - r^2 / 2 and r^4 P(r^2) - r low, with what rounding the first lost."""
    half = m.mul(z, m.number(-0.5))
    total, lost = m.fast_sum(m.number(1.0), half)
    # What rounding r^2 lost counts half.
    lost = m.fma(m.fma(r, r, m.neg(z)), m.number(-0.5), lost)
    quartic = m.mul(m.mul(z, z), m.polynomial(z, tail))
    rest = m.add(lost, m.fma(m.neg(r), low, quartic))
    return total, rest


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.Sin: (sin_of_half, sin_of_single, sin),
        math.Tan: (tan_of_single, tan_of_single, tan),
        math.Cos: (cos_of_half, cos_of_single, cos),
    }
)
