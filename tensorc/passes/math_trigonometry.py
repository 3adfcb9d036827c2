"""Sine and cosine, computed in f64 for every format.

n pi/2 is taken off in parts, exactly (Cody and Waite, with fused multiply-adds), for
|x| up to 2^45; beyond that the result is NaN, not a guess.
"""

import math as libm

from tensorc.ir.core import Value
from tensorc.passes.math_builder import MathBuilder

# pi/2 as an unrounded sum of three numbers.
HALF_PI = (
    float.fromhex("0x1.921fb54442d18p+0"),
    float.fromhex("0x1.1a62633145c07p-54"),
    float.fromhex("-0x1.f1976b7ed8fbcp-110"),
)
FARTHEST = 2.0**45

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


def sin(m: MathBuilder, x: Value) -> Value:
    """Return sin x to the precision of f64."""
    return _wave(m, x, 0, SIN_DOUBLE, COS_DOUBLE)


def cos(m: MathBuilder, x: Value) -> Value:
    """Return cos x to the precision of f64."""
    return _wave(m, x, 1, SIN_DOUBLE, COS_DOUBLE)


def sin_of_single(m: MathBuilder, x: Value) -> Value:
    """Return sin x in f64, good enough for f32."""
    return _wave(m, x, 0, SIN_SINGLE, COS_SINGLE)


def cos_of_single(m: MathBuilder, x: Value) -> Value:
    """Return cos x in f64, good enough for f32."""
    return _wave(m, x, 1, SIN_SINGLE, COS_SINGLE)


def _wave(
    m: MathBuilder,
    x: Value,
    quarters: int,
    sin_tail: tuple[float, ...],
    cos_tail: tuple[float, ...],
) -> Value:
    """Return sin(x + quarters pi/2), by the quarter n that x lies in."""
    magic = m.number(m.format.integers)
    shifted = m.fma(x, m.number(2 / libm.pi), magic)
    n = m.sub(shifted, magic)
    quarter = m.plus(m.bits(shifted), quarters)
    first, second, third = (m.number(-part) for part in HALF_PI)
    near = m.fma(n, first, x)  # exact
    part, rest = m.exact_product(n, second)
    r, low = m.exact_sum(near, part)
    low = m.fma(n, third, m.add(low, rest))
    z = m.mul(r, r)
    sine = _sine(m, r, low, z, sin_tail)
    cosine = _cosine(m, r, low, z, cos_tail)
    # Bit 0 of the quarter chooses, bit 1 is the sign.
    odd = m.shift_left(quarter, m.format.bits.bits - 1)
    result = m.integers_if("slt", odd, m.integer(0), cosine, sine)
    turned = m.shift_left(m.shift_right(quarter, 1), m.format.bits.bits - 1)
    result = m.integers_if("slt", turned, m.integer(0), m.neg(result), result)
    if not quarters:
        # Keeps -0 and what is subnormal.
        tiny = m.number(m.format.negligible)
        result = m.select_if("olt", m.abs(x), tiny, x, result)
    farthest = m.number(FARTHEST)
    return m.select_if("ole", m.abs(x), farthest, result, m.number(libm.nan))


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
    """Return cos(r + low) = 1 - r^2 / 2 + r^4 P(r^2) - r low; 1 - r^2 / 2 is a pair."""
    half = m.mul(z, m.number(-0.5))
    total, lost = m.fast_sum(m.number(1.0), half)
    # What rounding r^2 lost counts half.
    lost = m.fma(m.fma(r, r, m.neg(z)), m.number(-0.5), lost)
    quartic = m.mul(m.mul(z, z), m.polynomial(z, tail))
    rest = m.add(lost, m.fma(m.neg(r), low, quartic))
    return m.add(total, rest)
