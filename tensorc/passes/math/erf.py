"""The error function, its complement and what is made of it: erf, erfc and gelu.

Near 0, erf(x) = x + x P(x^2 - 1/2). Far out, erfc(x) = e^(-x^2) Q(t) / (1 + 2 x) with
t = 8 / (x + 4) - 1: the polynomial is nearly constant and its argument small (after
Shepherd and Laframboise, 1981). x^2 is a pair: its rounding would be multiplied by it.
Each takes from the other what it cannot compute itself: erfc = 1 - erf below 3/4, erf =
1 - erfc above 1. Coefficients: `tests/passes/remez.py`.
"""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.ir.types import F32, F64
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair
from tensorc.passes.math.functions import fine_exp_pair, scale

# erf(x) / x - 1 in x^2 - 1/2, for |x| <= 1; erfc_tail of the fit, for x >= 3/4.
ERF_SINGLE = (
    float.fromhex("-0x1.1ae14db4a5f12p-5"),
    float.fromhex("-0x1.1fd163ab865d9p-2"),
    float.fromhex("0x1.4543666cdc8eap-4"),
    float.fromhex("-0x1.2b8df69881a4ep-6"),
    float.fromhex("0x1.c82b748da561fp-9"),
    float.fromhex("-0x1.286f318f9cdfap-11"),
    float.fromhex("0x1.496a7d7b2957ap-14"),
)
ERF_DOUBLE = (
    float.fromhex("-0x1.1ae14dc34815ap-5"),
    float.fromhex("-0x1.1fd16292151fdp-2"),
    float.fromhex("0x1.454368017b042p-4"),
    float.fromhex("-0x1.2b902b7b2f28dp-6"),
    float.fromhex("0x1.c82aa249df2a9p-9"),
    float.fromhex("-0x1.263991b803121p-11"),
    float.fromhex("0x1.486638bcd68bap-14"),
    float.fromhex("-0x1.429e93e617a1fp-17"),
    float.fromhex("0x1.1ad5ed87f35bdp-20"),
    float.fromhex("-0x1.bf8d2d1510177p-24"),
    float.fromhex("0x1.428f5cbe9d6a7p-27"),
    float.fromhex("-0x1.acba46e9f0df5p-31"),
    float.fromhex("0x1.0579a73ab2eb6p-34"),
)
ERFC_SINGLE = (
    float.fromhex("0x1.3ba5916da3ed0p+0"),
    float.fromhex("0x1.1df1a9538df71p-3"),
    float.fromhex("0x1.f7f641147fee0p-7"),
    float.fromhex("-0x1.16eb284d6840bp-4"),
    float.fromhex("-0x1.9ddd71fdab0c6p-4"),
    float.fromhex("-0x1.800b1d27f6109p-4"),
    float.fromhex("-0x1.0f85cbf35e730p-4"),
    float.fromhex("-0x1.2f1d148645017p-5"),
    float.fromhex("-0x1.0e45794e27674p-6"),
    float.fromhex("-0x1.5d203416d42c5p-8"),
)
ERFC_DOUBLE = (
    float.fromhex("0x1.3ba5916e9fd7fp+0"),
    float.fromhex("0x1.1df1ad154a28dp-3"),
    float.fromhex("0x1.f7f5df66fd75ep-7"),
    float.fromhex("-0x1.16ecefcfa5236p-4"),
    float.fromhex("-0x1.9ddb23c3e8d37p-4"),
    float.fromhex("-0x1.7fee004e16568p-4"),
    float.fromhex("-0x1.0fb06dfe5065ep-4"),
    float.fromhex("-0x1.3079edf5d6df0p-5"),
    float.fromhex("-0x1.096238834109ep-6"),
    float.fromhex("-0x1.49c672c59d8dcp-8"),
    float.fromhex("-0x1.8d4a9c1804abbp-11"),
    float.fromhex("0x1.a1df5e162721ap-13"),
    float.fromhex("0x1.3be072602cd6ep-13"),
    float.fromhex("0x1.99514320c4309p-16"),
    float.fromhex("-0x1.7891b7dec27a9p-17"),
    float.fromhex("-0x1.7ecbc3ca25dd4p-18"),
    float.fromhex("0x1.3db848d41eb5bp-22"),
    float.fromhex("0x1.b5bc9d5d46f93p-21"),
    float.fromhex("0x1.2f11a899baa4ap-24"),
    float.fromhex("-0x1.aa29a341e8521p-24"),
    float.fromhex("-0x1.d6118b0fb1611p-27"),
    float.fromhex("0x1.124d2cc00e382p-27"),
)
# From here on the tail is fitted.
_NEAREST = 0.75
_NEAR = {F32: ERF_SINGLE, F64: ERF_DOUBLE}
_FAR = {F32: ERFC_SINGLE, F64: ERFC_DOUBLE}
# sqrt(1/2) as an unrounded sum.
_ROOT_HALF = {
    F32: (float.fromhex("0x1.6a09e6p-1"), float.fromhex("0x1.9fcef4p-27")),
    F64: (
        float.fromhex("0x1.6a09e667f3bcdp-1"),
        float.fromhex("-0x1.bdd3413b26456p-55"),
    ),
}
# What the first of them loses as a number of the format.
FAR_LOST = {
    F32: float.fromhex("-0x1.24b825f6c3f19p-25"),
    F64: float.fromhex("-0x1.a7736128e24dep-55"),
}
# From here on erfc is 0; its square is where e^-x still has an exponent.
_FARTHEST = {F32: 10.19, F64: 27.3}


def erf(m: MathBuilder, x: Value) -> Value:
    """Return 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    size, one = m.abs(x), m.number(1.0)
    far = m.with_sign_of(m.sub(one, _complement(m, size)), x)
    near = m.fma(x, erf_share(m, m.exact_product(x, x)), x)
    return m.select_if("ogt", size, one, far, near)


def erfc(m: MathBuilder, x: Value) -> Value:
    """Return 1 - erf(x), accurate where it is small."""
    size = m.abs(x)
    tail = _complement(m, size)
    below = m.sub(m.number(2.0), tail)
    far = m.select_if("olt", x, m.number(0.0), below, tail)
    minus = m.neg(x)
    rest, lost = m.fast_sum(m.number(1.0), minus)
    p = erf_share(m, m.exact_product(x, x))
    near = m.add(rest, m.fma(minus, p, lost))
    return m.select_if("olt", size, m.number(_NEAREST), near, far)


def gelu(m: MathBuilder, x: Value) -> Value:
    """Return x P(x) with the normal distribution P(x) = erfc(-x / sqrt(2)) / 2.

    P is a pair, as is y = |x| / sqrt(2), and y^2 = x^2 / 2 is taken of x itself: what
    rounding y loses would be multiplied by x^2. The result is -0 at minus infinity.
    """
    zero, half = m.number(0.0), m.number(0.5)
    edge = libm.sqrt(2)
    most = m.number(_FARTHEST[m.format.element] * edge)
    size = m.abs(x)
    size = m.select_if("ogt", size, most, most, size)
    high, low = _ROOT_HALF[m.format.element]
    y, y_low = m.exact_product(size, m.number(high))
    y_low = m.fma(size, m.number(low), y_low)
    square = m.exact_product(m.mul(half, size), size)
    both, whole = complement_pair(m, (y, y_low), square)
    tail, tail_low = (m.mul(half, part) for part in whole)
    # Far to the left: x times the tail. Elsewhere P is 1 - tail, or near 0 half of
    # 1 + erf(y).
    left = m.fma(size, tail, m.mul(size, tail_low))
    left = scale(m, left, both)
    above, above_low = m.fast_sum(m.number(1.0), m.neg(scale(m, tail, both)))
    above_low = m.sub(above_low, scale(m, tail_low, both))
    near, near_low = _half_of_more(m, x, (y, y_low), square)
    is_near = m.compare("olt", size, m.number(_NEAREST * edge))
    share = m.select(is_near, near, above)
    # Not times x: infinity times 0 would be NaN.
    share_low = m.select(is_near, near_low, above_low)
    share_low = m.mul(share_low, m.select_if("olt", x, zero, m.neg(size), size))
    right = m.fma(x, share, share_low)
    result = m.select(is_near, right, m.select_if("olt", x, zero, left, right))
    return m.with_sign_of(result, x)  # of -0 too


def _half_of_more(m: MathBuilder, sign: Value, y: Pair, square: Pair) -> Pair:
    """Return (1 + erf(y)) / 2 for |y| < 3/4, where y has the sign of a number."""
    half = m.number(0.5)
    factor = m.with_sign_of(half, sign)
    high, low = (m.mul(factor, part) for part in y)
    p = erf_share(m, square)
    total, lost = m.fast_sum(half, high)
    return total, m.add(lost, m.fma(high, p, m.fma(low, p, low)))


def erf_share(m: MathBuilder, square: Pair) -> Value:
    """Return erf(x) / x - 1, given x^2 up to 1 as a pair.

    The middle of the range is where roundings count least: they are multiplied by the
    distance from there.
    """
    z, z_low = square
    u = m.add(m.sub(z, m.number(0.5)), z_low)
    return m.polynomial(u, _NEAR[m.format.element])


def _complement(m: MathBuilder, x: Value) -> Value:
    """Return erfc(x) for x >= 3/4, and no NaN for what lies between 0 and that."""
    most = m.number(_FARTHEST[m.format.element])
    x = m.select_if("ogt", x, most, most, x)
    both, (high, low) = complement_pair(m, (x, None), m.exact_product(x, x))
    return scale(m, m.add(high, low), both)


def complement_pair(
    m: MathBuilder, x: tuple[Value, Value | None], square: Pair
) -> tuple[Value, Pair]:
    """Return n plus two biases and erfc(x) / 2^n as a pair, given x (+ low) and x^2."""
    one = m.number(1.0)
    high, low = x
    a, a_low = m.exact_sum(one, m.add(high, high))
    if low is not None:
        a_low = m.add(a_low, m.add(low, low))
    b, b_low = m.exact_sum(high, m.number(4.0))
    # One division for both 1 / a and 1 / b, whose errors are kept.
    w = m.div(one, m.mul(a, b))
    r, v = m.mul(w, b), m.mul(w, a)
    rest = _lacks(m, r, a, a_low)
    eighth = m.mul(v, m.number(8.0))
    t = m.fma(eighth, _lacks(m, v, b, b_low), m.sub(eighth, one))
    first, *tail = _FAR[m.format.element]
    p, p_low = m.fast_sum(m.number(first), m.mul(t, m.polynomial(t, tail)))
    p_low = m.add(p_low, m.number(FAR_LOST[m.format.element]))
    q, q_low = m.exact_product(r, p)
    q_low = m.fma(r, p_low, m.fma(q, rest, q_low))
    both, (e, e_low) = fine_exp_pair(m, *(m.neg(part) for part in square))
    total, lost = m.exact_product(e, q)
    return both, (total, m.add(lost, m.fma(e, q_low, m.mul(e_low, q))))


def _lacks(m: MathBuilder, inverse: Value, a: Value, low: Value) -> Value:
    """Return what 1 / (a + low) is more than its approximation, as a share of it."""
    minus = m.neg(inverse)
    return m.fma(minus, low, m.fma(minus, a, m.number(1.0)))


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.Erf: erf,
        math.Erfc: erfc,
        math.Gelu: gelu,
    }
)
