"""The error function and its complement: erf and erfc.

Near 0, erf(x) = x + x P(x^2). Far out, erfc(x) = e^(-x^2) Q(t) / (1 + 2 x) with
t = 8 / (x + 4) - 1: the polynomial is nearly constant and its argument small (after
Shepherd and Laframboise, 1981). x^2 is a pair: its rounding would be multiplied by it.
Each takes from the other what it cannot compute itself: erfc = 1 - erf below 3/4, erf =
1 - erfc above 1. Coefficients: `tests/passes/remez.py`.
"""

from tensorc.ir.core import Value
from tensorc.ir.types import F32, F64
from tensorc.passes.math_builder import MathBuilder
from tensorc.passes.math_functions import exp_pair, scale

# erf(x) / x - 1 in x^2, for |x| <= 1; erfc_tail of the fit, for x >= 3/4.
ERF_SINGLE = (
    float.fromhex("0x1.06eba7f2491d8p-3"),
    float.fromhex("-0x1.81273de9a81c5p-2"),
    float.fromhex("0x1.ce2cf74e00d2fp-4"),
    float.fromhex("-0x1.b7f90dd4d7263p-6"),
    float.fromhex("0x1.5405b71deb230p-8"),
    float.fromhex("-0x1.a3f7209dcc608p-11"),
    float.fromhex("0x1.496a7d7b2957ap-14"),
)
ERF_DOUBLE = (
    float.fromhex("0x1.06eba8214db69p-3"),
    float.fromhex("-0x1.812746b0379e6p-2"),
    float.fromhex("0x1.ce2f21a042b20p-4"),
    float.fromhex("-0x1.b82ce312849a1p-6"),
    float.fromhex("0x1.565bcd0db036bp-8"),
    float.fromhex("-0x1.c02db3d8ee4a9p-11"),
    float.fromhex("0x1.f9a321a136c81p-14"),
    float.fromhex("-0x1.f4d1df3aa71a5p-17"),
    float.fromhex("0x1.b9def1aa0a794p-20"),
    float.fromhex("-0x1.5f1d370403b40p-23"),
    float.fromhex("0x1.f7a413ad99478p-27"),
    float.fromhex("-0x1.386ac22afb87fp-30"),
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
_NEAR = {F32: ERF_SINGLE, F64: ERF_DOUBLE}
_FAR = {F32: ERFC_SINGLE, F64: ERFC_DOUBLE}
# From here on erfc is 0; its square is a place where e^-x still has an exponent.
_FARTHEST = {F32: 10.19, F64: 27.3}


def erf(m: MathBuilder, x: Value) -> Value:
    """Return 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    size, one = m.abs(x), m.number(1.0)
    far = m.with_sign_of(m.sub(one, _complement(m, size)), x)
    return m.select_if("ogt", size, one, far, _near(m, x))


def erfc(m: MathBuilder, x: Value) -> Value:
    """Return 1 - erf(x), accurate where it is small."""
    size = m.abs(x)
    tail = _complement(m, size)
    below = m.sub(m.number(2.0), tail)
    far = m.select_if("olt", x, m.number(0.0), below, tail)
    near = m.sub(m.number(1.0), _near(m, x))
    return m.select_if("olt", size, m.number(0.75), near, far)


def _near(m: MathBuilder, x: Value) -> Value:
    """Return erf(x) for |x| <= 1, and anything else beyond."""
    p = m.polynomial(m.mul(x, x), _NEAR[m.format.element])
    return m.fma(x, p, x)


def _complement(m: MathBuilder, x: Value) -> Value:
    """Return erfc(x) for x >= 3/4, and no NaN for what lies between 0 and that."""
    one = m.number(1.0)
    most = m.number(_FARTHEST[m.format.element])
    x = m.select_if("ogt", x, most, most, x)
    a, lost = m.exact_sum(one, m.add(x, x))
    b = m.add(x, m.number(4.0))
    # One division for both 1 / a, whose error is kept, and 1 / b, which needs none.
    w = m.div(one, m.mul(a, b))
    r = m.mul(w, b)
    minus = m.neg(r)
    rest = m.fma(minus, lost, m.fma(minus, a, one))
    t = m.fma(m.mul(w, a), m.number(8.0), m.number(-1.0))
    first, *tail = _FAR[m.format.element]
    p, p_low = m.fast_sum(m.number(first), m.mul(t, m.polynomial(t, tail)))
    q, q_low = m.exact_product(r, p)
    q_low = m.fma(r, p_low, m.fma(q, rest, q_low))
    square, square_low = m.exact_product(x, x)
    both, (high, low) = exp_pair(m, m.neg(square), m.neg(square_low))
    share = m.fma(high, q_low, m.mul(low, q))
    return scale(m, m.fma(high, q, share), both)
