"""Powers and remainders of floats, by the math library's means."""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair
from tensorc.passes.math.functions import (
    exp,
    exp_pair,
    log,
    normalized,
    of_positive,
    scale,
    split,
)

# (2 atanh(s)/s - 2 - 2/3 s^2) / s^4 as a series in s^2, to 2^-72.
POW_TAIL = (
    float.fromhex("0x1.9999999999996p-2"),
    float.fromhex("0x1.2492492493036p-2"),
    float.fromhex("0x1.c71c71c58049ap-3"),
    float.fromhex("0x1.745d1832616fbp-3"),
    float.fromhex("0x1.3b1362b227274p-3"),
    float.fromhex("0x1.1120b635fe7fcp-3"),
    float.fromhex("0x1.de33594f6eb0cp-4"),
    float.fromhex("0x1.eb11e2b0eb0f4p-4"),
)
# 2/3 as an unrounded sum.
TWO_THIRDS = (
    float.fromhex("0x1.5555555555555p-1"),
    float.fromhex("0x1.5555555555555p-55"),
)


def power_of_single(m: MathBuilder, x: Value, y: Value) -> Value:
    """Return x^y in f64, good enough for f32: e^(y ln|x|)."""
    size = exp(m, m.mul(y, log(m, m.abs(x))))
    return _with_special_values(m, x, y, size)


def power(m: MathBuilder, x: Value, y: Value) -> Value:
    """Return x^y in f64: e^(y ln|x|), where the logarithm and the product are pairs."""
    f = m.format
    zero = m.number(0.0)
    a = m.abs(x)
    high, low = _log_pair(m, a)
    high = of_positive(m, a, high)
    product, lost = m.exact_product(y, high)
    lost = m.fma(y, low, lost)
    # Beyond the clamps the small part is of no use, and may be NaN.
    inside = m.compare("olt", m.abs(product), m.number(-f.lowest))
    lost = m.select(inside, lost, zero)
    top, bottom = m.number(f.highest), m.number(f.lowest)
    product = m.select_if("ogt", product, top, top, product)
    product = m.select_if("olt", product, bottom, bottom, product)
    both, (size, _) = exp_pair(m, product, lost)
    return _with_special_values(m, x, y, scale(m, size, both))


def _log_pair(m: MathBuilder, x: Value) -> Pair:
    """Return ln x as a pair good to 2^-64."""
    normal, extra = normalized(m, x)
    e, t = split(m, normal)
    return log_pair(m, m.sub(e, extra), t)


def log_pair(m: MathBuilder, e: Value, t: Value, low: Value | None = None) -> Pair:
    """Return e ln 2 + ln(1 + t + low) to 2^-64, by 2 atanh(s) with s = t / (2 + t).

    1 + t is from sqrt(1/2) to sqrt(2).
    """
    f = m.format
    below, below_low = m.fast_sum(m.number(2.0), t)
    if low is not None:
        below_low = m.add(below_low, low)
    s = m.div(t, below)
    minus = m.neg(s)
    rest = m.fma(minus, below_low, m.fma(minus, below, t))
    s_low = m.div(rest if low is None else m.add(rest, low), below)
    twice = m.add(s, s)
    z, z_low = m.exact_product(s, s)
    z_low = m.fma(twice, s_low, z_low)
    cube, cube_low = m.exact_product(s, z)
    cube_low = m.add(cube_low, m.fma(s, z_low, m.mul(s_low, z)))
    two_thirds = m.number(TWO_THIRDS[0])
    third, third_low = m.exact_product(cube, two_thirds)
    third_low = m.fma(cube, m.number(TWO_THIRDS[1]), third_low)
    third_low = m.fma(cube_low, two_thirds, third_low)
    rest = m.mul(m.mul(cube, z), m.polynomial(z, POW_TAIL))
    total, first = m.fast_sum(m.mul(e, m.number(f.ln2_high)), twice)
    total, second = m.fast_sum(total, third)
    low = m.fma(e, m.number(f.ln2_low), m.add(rest, third_low))
    low = m.add(m.add(first, second), m.add(low, m.add(s_low, s_low)))
    return m.fast_sum(total, low)


def _with_special_values(m: MathBuilder, x: Value, y: Value, size: Value) -> Value:
    """Return |x|^y with the sign of x^y, and what C says of 0, 1, NaN and infinity."""
    zero, one, half = m.number(0.0), m.number(1.0), m.number(0.5)
    size = m.select_if("oeq", m.abs(x), one, one, size)
    is_whole = m.compare("oeq", m.round(y), y)
    halved = m.mul(y, half)
    is_odd = m.both(is_whole, m.compare("une", m.round(halved), halved))
    result = m.with_sign_of(size, m.select(is_odd, x, one))
    real = m.select(is_whole, result, m.number(libm.nan))
    is_below = m.both(
        m.compare("olt", x, zero), m.compare("ogt", x, m.number(-libm.inf))
    )
    result = m.select(is_below, real, result)
    result = m.select_if("oeq", y, zero, one, result)
    return m.select_if("oeq", x, one, one, result)


def remainder(m: MathBuilder, x: Value, y: Value) -> Value:
    """Return x - q y for the integral q of the sign of x / y that is next to it: fmod.

    1. Scale the divisor up by 2^k so that the quotient fits a float's digits.
    2. Take off the nearest multiple, which is exact; what is below 0 gets one back.
    3. Repeat: each time the exponents' distance shrinks by the number of digits. Most
       quotients need one round, the largest some forty.
    """
    f = m.format
    zero, one = m.number(0.0), m.number(1.0)
    a, b = m.abs(x), m.abs(y)
    is_number = m.both(
        m.compare("olt", a, m.number(libm.inf)), m.compare("ogt", b, zero)
    )
    is_long = m.both(is_number, m.compare("oge", a, b))
    rest = m.select(is_long, a, zero)
    divisor = m.select(is_long, b, one)
    exponent = _exponent_of(m, divisor)
    distance = m.minus(_at_least_one(m, rest), exponent)
    # A shift by 5 or 4 divides by less than the number of digits.
    rounds = m.plus(m.shift_right(distance, 5 if f.mantissa > 32 else 4), 1)
    with m.repeat(m.as_index(m.of_lanes("maxsi", rounds)), rest) as loop:
        (left,) = loop.carried
        distance = m.minus(_at_least_one(m, left), exponent)
        k = m.plus(distance, -f.mantissa)
        k = m.integers_if("sgt", k, m.integer(0), k, m.integer(0))
        scaled = scale(m, divisor, m.plus(k, 2 * f.bias))
        q = m.round(m.div(left, scaled))
        left = m.fma(m.neg(q), scaled, left)
        more = m.add(left, scaled)
        loop.yields = [m.select_if("olt", left, m.number(0.0), more, left)]
    result = m.select(is_long, loop.results[0], a)
    # Not a number where either operand is none: compare with itself.
    bad = m.number(libm.nan)
    result = m.select(is_number, result, bad)
    return m.with_sign_of(m.select_if("uno", y, y, y, result), x)


def _exponent_of(m: MathBuilder, x: Value) -> Value:
    """Return the biased exponent of a positive number, below 1 if it is subnormal."""
    f = m.format
    normal, _ = normalized(m, x)
    field = m.shift_right(m.bits(normal), f.mantissa)
    least = m.number(2.0 ** (1 - f.bias))
    below = m.plus(field, -(f.mantissa + 1))
    return m.select_if("olt", x, least, below, field)


def _at_least_one(m: MathBuilder, x: Value) -> Value:
    """Return the biased exponent of a number that is not negative, at least 1."""
    field = m.shift_right(m.bits(x), m.format.mantissa)
    one = m.integer(1)
    return m.integers_if("slt", field, one, one, field)


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.RemF: remainder,
        math.PowF: (power_of_single, power_of_single, power),
    }
)
