"""Exponentials and logarithms: exp, log and what is stable by construction.

Each function is written once for all formats. n ln 2 + r is Cody and Waite's reduction
(1980); sums and products whose rounding errors are kept are Dekker's (1971), so that
no result is further than one unit in the last place from the truth. Coefficients:
`tests/passes/remez.py`.
"""

import math as libm
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import F32, F64
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair


def exp(m: MathBuilder, x: Value) -> Value:
    """Return e^x = 2^n e^r with n = round(x / ln 2)."""
    f = m.format
    # A NaN compares false and passes through.
    low, high = m.number(f.lowest), m.number(f.highest)
    x = m.select_if("ogt", x, high, high, x)
    x = m.select_if("olt", x, low, low, x)
    n, both = exponent(m, x)
    r = m.fma(n, m.number(-f.ln2_high), x)
    r = m.fma(n, m.number(-f.ln2_low), r)
    p = m.polynomial(r, (1.0, 1.0, *f.exp_tail))
    return scale(m, p, both)


def exponent(m: MathBuilder, x: Value) -> Pair:
    """Return n = round(x / ln 2), and n + twice the bias as an integer."""
    f = m.format
    # With twice the bias added, the low bits of `shifted` are n as two biased
    # exponents.
    magic = m.number(f.integers + 2 * f.bias)
    shifted = m.fma(x, m.number(1 / libm.log(2)), magic)
    n = m.sub(shifted, magic)
    return n, m.minus(m.bits(shifted), m.integer(f.bits_of(f.integers)))


def scale(m: MathBuilder, value: Value, both: Value) -> Value:
    """Return value * 2^n, given n plus twice the bias."""
    return m.apply(math.Scale, value, both)


@dataclass(frozen=True, slots=True)
class _Reduced:
    """e^x = 2^n (1 + r + tail), with |r| <= ln(2)/2; `both` is n plus two biases."""

    both: Value
    r: Value
    tail: Value


def _remainder(m: MathBuilder, x: Value, low: Value | None) -> tuple[Value, Pair]:
    """Return n plus two biases, and x (+ low) - n ln 2 as a pair; x is clamped."""
    f = m.format
    n, both = exponent(m, x)
    first = m.fma(n, m.number(-f.ln2_high), x)
    r = m.fma(n, m.number(-f.ln2_low), first)
    lost = m.fma(n, m.number(-f.ln2_low), m.sub(first, r))
    if low is not None:
        r, lost = m.fast_sum(r, m.add(lost, low))
    return both, (r, lost)


def _reduce(m: MathBuilder, x: Value, low: Value | None = None) -> _Reduced:
    """Reduce x (+ low), which lies between the clamps; r's rounding is in the tail."""
    both, (r, lost) = _remainder(m, x, low)
    square = m.mul(r, r)
    return _Reduced(both, r, m.fma(square, m.polynomial(r, m.format.exp_tail), lost))


def _reduce_finely(m: MathBuilder, x: Value, low: Value | None = None) -> _Reduced:
    """Reduce x (+ low) to a fiftieth of a last place: r is r + r^2 / 2 of `_reduce`.

    What only rounds once more, as a sum or a product with it, stays within one unit.
    """
    both, (r, lost) = _remainder(m, x, low)
    half, half_low = m.exact_product(m.mul(r, m.number(0.5)), r)
    high, high_low = m.fast_sum(r, half)
    lost = m.add(m.fma(lost, r, lost), m.add(high_low, half_low))
    rest = m.polynomial(r, [2 * c for c in m.format.exp_rest])
    return _Reduced(both, high, m.fma(m.mul(half, r), rest, lost))


Reduce = Callable[[MathBuilder, Value, Value | None], _Reduced]


def exp_pair(
    m: MathBuilder, x: Value, low: Value | None = None, reduce: Reduce = _reduce
) -> tuple[Value, Pair]:
    """Return n plus two biases, and e^(x + low) / 2^n as a pair."""
    part = reduce(m, x, low)
    high, lost = m.fast_sum(m.number(1.0), part.r)
    return part.both, m.fast_sum(high, m.add(lost, part.tail))


def fine_exp_pair(
    m: MathBuilder, x: Value, low: Value | None = None
) -> tuple[Value, Pair]:
    """Return what `exp_pair` does, good enough to be rounded once more."""
    return exp_pair(m, x, low, _reduce_finely)


def half_expm1(m: MathBuilder, x: Value) -> Pair:
    """Return (e^x - 1) / 2 as a pair, for x between -bias/2 and the upper clamp.

    With s = 2^(n-1) it is (s - 1/2) + s r + s tail.
    """
    part = _reduce_finely(m, x)
    half = m.number(0.5)
    s = m.power_of_two(m.plus(part.both, -m.format.bias - 1))
    less = m.sub(s, half)
    high, lost = m.fast_sum(less, m.mul(s, part.r))
    lost = m.add(lost, m.sub(m.sub(s, less), half))
    return m.fast_sum(high, m.fma(s, part.tail, lost))


def expm1(m: MathBuilder, x: Value) -> Value:
    """Return e^x - 1; x itself where its square is lost, and -1 below."""
    f = m.format
    # Where e^x is lost in the rounding of 1.
    low, high = m.number(-float(f.mantissa + 2)), m.number(f.highest)
    inside = m.select_if("ogt", x, high, high, x)
    inside = m.select_if("olt", x, low, low, inside)
    half, lost = half_expm1(m, inside)
    result = m.add(half, lost)
    result = m.add(result, result)
    tiny = m.number(f.negligible)
    return m.select_if("olt", m.abs(x), tiny, x, result)


def _halves(m: MathBuilder, x: Value, offset: int) -> tuple[Value, Pair]:
    """Return n and w with e^(2x) = 2^n (1 + w) / (1 - w); w as a pair.

    w is the tanh of what n ln 2 / 2 leaves of x. n is given as the last bits of an
    integer, above an offset, with which it is an exponent of the normal range.
    """
    f = m.format
    magic = m.number(f.integers + offset)
    shifted = m.fma(x, m.number(2 / libm.log(2)), magic)
    n = m.sub(shifted, magic)
    first = m.fma(n, m.number(-f.ln2_high / 2), x)
    h = m.fma(n, m.number(-f.ln2_low / 2), first)
    lost = m.fma(n, m.number(-f.ln2_low / 2), m.sub(first, h))
    z = m.mul(h, h)
    tail = m.fma(m.mul(h, z), m.polynomial(z, f.tanh_tail), lost)
    return m.bits(shifted), m.fast_sum(h, tail)


def _quotient(m: MathBuilder, above: Pair, below: Pair) -> Value:
    """Return a quotient of pairs, which is rounded once but for a trifle.

    It is corrected by its remainder.
    """
    inverse = m.div(m.number(1.0), below[0])
    q = m.mul(above[0], inverse)
    minus = m.neg(q)
    rest = m.add(m.fma(minus, below[0], above[0]), m.fma(minus, below[1], above[1]))
    return m.fma(rest, inverse, q)


def tanh(m: MathBuilder, x: Value) -> Value:
    """Return (a + b w) / (b + a w) with a = 2^n - 1 and b = 2^n + 1, and x's sign.

    What the rounding of a and b loses is as good as lost by a alone: the quotient is
    next to 1 then.
    """
    f = m.format
    size = m.abs(x)
    # 1 - tanh x, 2 e^(-2x), is lost in the rounding of 1 from here on.
    most = m.number(10.0 if f.mantissa < 30 else 20.0)
    inside = m.select_if("ogt", size, most, most, size)
    bits, (w, w_low) = _halves(m, inside, f.bias)
    s, one = m.power_of_two(bits), m.number(1.0)
    a, b = m.sub(s, one), m.add(s, one)
    lost = m.sub(m.sub(b, a), m.number(2.0))
    # Where n is 1, b w may be next to -1/2: a less their sum is no number then.
    product, product_low = m.exact_product(b, w)
    above, above_low = m.fast_sum(a, product)
    above_low = m.add(m.add(above_low, lost), m.fma(b, w_low, product_low))
    below, below_low = _fused_sum(m, b, a, w)
    below_low = m.fma(a, w_low, below_low)
    result = _quotient(m, (above, above_low), (below, below_low))
    return m.with_sign_of(result, x)


def _fused_sum(m: MathBuilder, a: Value, b: Value, w: Value) -> Pair:
    """Return a + b w as a pair, for a >= 4 |b w|."""
    total = m.fma(b, w, a)
    return total, m.fma(b, w, m.sub(a, total))


def sigmoid(m: MathBuilder, x: Value) -> Value:
    """Return 2^n (1 + w) / ((2^n + 1) + (2^n - 1) w), with e^x in terms of n and w.

    What w loses is half of a rounding, and is left out.
    """
    f = m.format
    low, high = m.number(f.lowest), m.number(20.0 if f.mantissa < 30 else 40.0)
    x = m.select_if("ogt", x, high, high, x)
    x = m.select_if("olt", x, low, low, x)
    shift = f.bias // 2  # 2^n may be subnormal
    bits, (w, _) = _halves(m, m.mul(x, m.number(0.5)), f.bias + shift)
    s = m.mul(m.power_of_two(bits), m.number(2.0**-shift))
    one = m.number(1.0)
    larger = m.select_if("ogt", s, one, s, one)
    smaller = m.select_if("ogt", s, one, one, s)
    b, lost = m.fast_sum(larger, smaller)
    below, below_low = _fused_sum(m, b, m.sub(s, one), w)
    below_low = m.add(below_low, lost)
    q = _quotient(m, m.fast_sum(one, w), (below, below_low))
    return m.mul(q, s)


def _below_zero(m: MathBuilder, x: Value) -> Value:
    """Return -|x|, clamped where its exponential is 0."""
    low = m.number(m.format.lowest)
    size = m.neg(m.abs(x))
    return m.select_if("olt", size, low, low, size)


def silu(m: MathBuilder, x: Value) -> Value:
    """Return x / (1 + e^-x) as `sigmoid` does, rounded once; -0 at minus infinity."""
    one, zero = m.number(1.0), m.number(0.0)
    # e^x is 0 a little before x e^x is.
    most = m.number(8.0 - m.format.lowest)
    size = m.abs(x)
    size = m.select_if("ogt", size, most, most, size)
    both, (high, low) = fine_exp_pair(m, m.neg(size))
    below, lost = m.fast_sum(one, scale(m, high, both))
    lost = m.add(lost, scale(m, low, both))
    y = m.div(one, below)
    minus = m.neg(y)
    y_low = m.mul(y, m.fma(minus, lost, m.fma(minus, below, one)))
    product, product_low = m.exact_product(high, y)
    product_low = m.add(product_low, m.fma(high, y_low, m.mul(low, y)))
    negative = m.fma(size, product, m.mul(size, product_low))
    positive = m.fma(x, y, m.mul(size, y_low))
    result = m.select_if("olt", x, zero, scale(m, negative, both), positive)
    return m.with_sign_of(result, x)  # of -0 too


def softplus(m: MathBuilder, x: Value) -> Value:
    """Return ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|).

    The logarithm is that of 1 + t with t = e^-|x|, which needs no sum that is rounded,
    or where that is large ln 2 and the logarithm of 1 + t with t = (e^-|x| - 1) / 2.
    """
    f = m.format
    zero, half = m.number(0.0), m.number(0.5)
    both, (high, low) = fine_exp_pair(m, _below_zero(m, x))
    e, e_low = scale(m, high, both), scale(m, low, both)
    less, less_low = m.fast_sum(m.number(-1.0), e)
    is_large = m.compare("ogt", e, m.number(libm.sqrt(2) - 1))
    t = m.select(is_large, m.mul(half, less), e)
    t_low = m.select(is_large, m.mul(half, m.add(less_low, e_low)), e_low)
    # 1 / (1 + t) is 1 - t + t^2 to a digit, and t_low needs no more.
    share = m.fma(t_low, m.fma(t, t, m.neg(t)), t_low)
    high, low = _LOG_PAIRS[f.element](m, t)
    rest = m.add(low, share)
    total, lost = m.fast_sum(m.select(is_large, m.number(f.ln2_high), zero), high)
    rest = m.add(rest, m.add(lost, m.select(is_large, m.number(f.ln2_low), zero)))
    total, lost = m.exact_sum(m.select_if("ogt", x, zero, x, zero), total)
    result = m.add(total, m.add(lost, rest))
    # So far out that e^-x is lost; infinity would be NaN. e is NaN where x is.
    far = m.number(-f.lowest)
    return m.select_if("ogt", x, far, x, result)


def log(m: MathBuilder, x: Value) -> Value:
    """Return ln x = e ln 2 + ln(1 + f) with 1 + f in [sqrt(1/2), sqrt(2))."""
    f = m.format
    normal, extra = normalized(m, x)
    e, t = split(m, normal)
    e = m.sub(e, extra)
    tail = m.fma(e, m.number(f.ln2_low), _LOG_TAILS[f.element](m, t))
    return of_positive(m, x, _log_sum(m, e, t, tail))


def normalized(m: MathBuilder, x: Value) -> Pair:
    """Return x with subnormal numbers scaled into the normal range, and by how much."""
    f = m.format
    shift = f.mantissa + 1
    least = m.number(2.0 ** (1 - f.bias))
    scaled = m.mul(x, m.number(2.0**shift))
    normal = m.select_if("olt", x, least, scaled, x)
    extra = m.select_if("olt", x, least, m.number(float(shift)), m.number(0.0))
    return normal, extra


def split(m: MathBuilder, x: Value) -> Pair:
    """Return e and t with x = 2^e (1 + t), 1 + t in [sqrt(1/2), sqrt(2))."""
    f = m.format
    bits = m.bits(x)
    above = m.minus(bits, m.integer(f.bits_of(libm.sqrt(0.5))))
    exponent = m.shift_right(above, f.mantissa)
    fraction = m.from_bits(m.minus(bits, m.shift_left(exponent, f.mantissa)))
    # Integers of this size become floats by the same magic number as in exp.
    e = m.from_bits(m.plus(exponent, f.bits_of(f.integers)))
    e = m.sub(e, m.number(f.integers))
    return e, m.sub(fraction, m.number(1.0))


def _log_sum(m: MathBuilder, e: Value, t: Value, tail: Value) -> Value:
    """Return e ln 2 + t + tail; what the sum of the first two loses is kept."""
    # e ln 2 is exact in its high part, and 0 or larger than t.
    total, lost = m.fast_sum(m.mul(e, m.number(m.format.ln2_high)), t)
    return m.add(total, m.add(lost, tail))


def of_positive(m: MathBuilder, x: Value, result: Value) -> Value:
    """Return the result, with a logarithm's values at 0, below it and at infinity."""
    zero, infinity = m.number(0.0), m.number(libm.inf)
    result = m.select_if("olt", x, infinity, result, x)
    below = m.select_if("olt", x, zero, m.number(libm.nan), x)
    below = m.select_if("oeq", x, zero, m.number(-libm.inf), below)
    return m.select_if("ogt", x, zero, result, below)


def log1p(m: MathBuilder, x: Value) -> Value:
    """Return ln(1 + x); what 1 + x loses is added as its share, lost / (1 + x)."""
    u, lost = m.exact_sum(m.number(1.0), x)
    result = of_positive(m, u, _log_of_sum(m, u, lost))
    tiny = m.number(m.format.negligible)
    return m.select_if("olt", m.abs(x), tiny, x, result)


def _log_of_sum(m: MathBuilder, u: Value, lost: Value) -> Value:
    """Return ln(u + lost) for a normal u > 0, with lost below its last place."""
    f = m.format
    e, t = split(m, u)
    high, low = _LOG_PAIRS[f.element](m, t)
    low = m.fma(e, m.number(f.ln2_low), m.add(low, m.div(lost, u)))
    return _log_sum(m, e, high, low)


def _log_tail_single(m: MathBuilder, t: Value) -> Value:
    """Return ln(1 + t) - t as t^2 (-1/2 + t P(t))."""
    p = m.polynomial(t, (-0.5, *m.format.log_tail))
    return m.mul(m.mul(t, t), p)


def _log_tail_double(m: MathBuilder, t: Value) -> Value:
    """Return ln(1 + t) - t as s (h + R(s^2)) - h with s = t / (2 + t), h = t^2 / 2.

    It follows from ln(1 + t) = 2 atanh(s) and 2 s = t - s t; one division replaces
    half of the polynomial.
    """
    s = m.div(t, m.add(t, m.number(2.0)))
    z = m.mul(s, s)
    rest = m.mul(z, m.polynomial(z, m.format.log_tail))
    h = m.mul(m.number(0.5), m.mul(t, t))
    return m.fma(s, m.add(h, rest), m.apply(arith.NegF, h))


_LOG_TAILS = {F32: _log_tail_single, F64: _log_tail_double}


def _less_half_square(m: MathBuilder, t: Value) -> tuple[Value, Pair]:
    """Return h = t^2 / 2, and t - h as a pair."""
    half, half_low = m.exact_product(m.mul(t, m.number(0.5)), t)
    high, low = m.fast_sum(t, m.neg(half))
    return half, (high, m.sub(low, half_low))


def _log_pair_single(m: MathBuilder, t: Value) -> Pair:
    """Return ln(1 + t) as t - t^2 / 2 + t^3 P(t), of which only t^3 P is rounded."""
    half, (high, low) = _less_half_square(m, t)
    p = m.polynomial(t, [2 * c for c in m.format.log_tail])
    return high, m.fma(m.mul(half, t), p, low)


def _log_pair_double(m: MathBuilder, t: Value) -> Pair:
    """Return ln(1 + t) as t - h + s (h + R(s^2)), of which only the last is rounded."""
    half, (high, low) = _less_half_square(m, t)
    s = m.div(t, m.add(t, m.number(2.0)))
    z = m.mul(s, s)
    rest = m.mul(z, m.polynomial(z, m.format.log_tail))
    return high, m.fma(s, m.add(half, rest), low)


_LOG_PAIRS = {F32: _log_pair_single, F64: _log_pair_double}


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.Exp: exp,
        math.Log: log,
        math.Log1p: log1p,
        math.Expm1: expm1,
        math.Tanh: tanh,
        math.Sigmoid: sigmoid,
        math.Softplus: softplus,
        math.Silu: silu,
    }
)
