"""Hyperbolic functions and their inverses, but tanh. All are computed in f64.

They are made of e^x, e^x - 1 and ln(1 + u) as pairs, so that only the last sum rounds.
Forms for f32 are in `singles`.
"""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math import singles
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair
from tensorc.passes.math.functions import (
    fine_exp_pair,
    half_expm1,
    scale,
    split,
)
from tensorc.passes.math.pairs import (
    chosen,
    pair,
    product,
    quotient,
    root,
    times,
    total,
)
from tensorc.passes.math.powers import log_pair

# Beyond it e^-x is lost beside e^x, beyond the other both are infinite.
_FAR, _MOST = 20.0, 711.0
# Beyond it x^2 + 1 is x^2.
_LARGE = 2.0**28


def _half_power(m: MathBuilder, size: Value) -> Value:
    """Return e^x / 2, which overflows a little later than e^x."""
    most = m.number(_MOST)
    size = m.select_if("ogt", size, most, most, size)
    both, power = fine_exp_pair(m, size)
    return scale(m, m.add(*power), m.plus(both, -1))


def _up_to_far(m: MathBuilder, size: Value) -> Value:
    far = m.number(_FAR)
    return m.select_if("ogt", size, far, far, size)


def sinh(m: MathBuilder, x: Value) -> Value:
    """Return (e^x - e^-x) / 2 as h + h / (1 + 2 h) with h = (e^|x| - 1) / 2."""
    size = m.abs(x)
    half = half_expm1(m, _up_to_far(m, size))
    below = total(m, pair(m, 1.0), times(m, half, 2.0))
    near = m.add(*total(m, half, quotient(m, half, below)))
    result = m.select_if("ogt", size, m.number(_FAR), _half_power(m, size), near)
    result = m.select_if("olt", size, m.number(m.format.negligible), size, result)
    return m.with_sign_of(result, x)


def cosh(m: MathBuilder, x: Value) -> Value:
    """Return (e^x + e^-x) / 2."""
    size = m.abs(x)
    both, power = fine_exp_pair(m, _up_to_far(m, size))
    high, low = (scale(m, part, m.plus(both, -1)) for part in power)
    inverse = quotient(m, pair(m, 0.25), (high, low))
    near = m.add(*total(m, (high, low), inverse))
    return m.select_if("ogt", size, m.number(_FAR), _half_power(m, size), near)


def _log_of_more(m: MathBuilder, u: Pair) -> Pair:
    """Return ln(1 + u) for u >= 0, as a pair; u is below 2^60."""
    return log_pair(m, *_reduced(m, u))


def _reduced(m: MathBuilder, u: Pair) -> tuple[Value, Value, Value]:
    """Return e, t and what t lacks, with 1 + u = 2^e (1 + t)."""
    f, zero = m.format, m.number(0.0)
    one, low = total(m, pair(m, 1.0), u)
    e, t = split(m, one)
    magic = m.number(f.integers + 2 * f.bias)
    minus_e = m.minus(m.bits(m.sub(magic, e)), m.integer(f.bits_of(f.integers)))
    is_near = m.compare("olt", one, m.number(libm.sqrt(2)))
    t, low = chosen(m, is_near, u, (t, scale(m, low, minus_e)))
    return m.select(is_near, zero, e), t, low


def _log_of_twice(m: MathBuilder, is_large: Value, x: Value, u: Pair) -> Value:
    """Return ln(2 x) of large x, ln(1 + u) elsewhere."""
    zero, one = m.number(0.0), m.number(1.0)
    e, t, low = _reduced(m, chosen(m, is_large, (zero, zero), u))
    far, far_t = split(m, m.select(is_large, x, one))
    e = m.select(is_large, m.add(far, one), e)
    t, low = chosen(m, is_large, (far_t, zero), (t, low))
    return m.add(*log_pair(m, e, t, low))


def arcsinh(m: MathBuilder, x: Value) -> Value:
    """Return ln(|x| + sqrt(x^2 + 1)), and x's sign: ln(1 + u), accurate near 0."""
    size, large = m.abs(x), m.number(_LARGE)
    is_large = m.compare("ogt", size, large)
    a = m.select(is_large, large, size)
    square = m.exact_product(a, a)
    side = root(m, total(m, pair(m, 1.0), square))
    share = quotient(m, square, total(m, pair(m, 1.0), side))
    u = total(m, (a, m.number(0.0)), share)
    result = _log_of_twice(m, is_large, size, u)
    result = m.select_if("olt", size, m.number(m.format.negligible), size, result)
    return _or_itself(m, size, m.with_sign_of(result, x), x)


def arccosh(m: MathBuilder, x: Value) -> Value:
    """Return ln(x + sqrt(x^2 - 1)): ln(1 + u), u = d + sqrt(d (d + 2)), d = x - 1.

    So it is accurate near 1.
    """
    one, large = m.number(1.0), m.number(_LARGE)
    is_large = m.compare("ogt", x, large)
    a = m.select(is_large, large, x)
    d = m.exact_sum(a, m.number(-1.0))
    d = m.fast_sum(*d)
    u = total(m, d, root(m, product(m, d, total(m, d, pair(m, 2.0)))))
    result = _log_of_twice(m, is_large, x, u)
    result = m.select_if("olt", x, one, m.number(libm.nan), result)
    return _or_itself(m, x, result, x)


def _or_itself(m: MathBuilder, size: Value, result: Value, x: Value) -> Value:
    """Return the result of a finite number, an infinity or NaN itself."""
    return m.select_if("olt", size, m.number(libm.inf), result, x)


def arctanh(m: MathBuilder, x: Value) -> Value:
    """Return ln((1 + x) / (1 - x)) / 2: ln(1 + u) with u = 2 |x| / (1 - |x|)."""
    size, one, zero = m.abs(x), m.number(1.0), m.number(0.0)
    inside = m.select_if("olt", size, one, size, zero)
    below = m.exact_sum(one, m.neg(inside))
    u = quotient(m, (m.add(inside, inside), zero), below)
    log = times(m, _log_of_more(m, u), 0.5)
    result = m.select_if("olt", size, m.number(m.format.negligible), size, m.add(*log))
    edge = m.select_if("oeq", size, one, m.number(libm.inf), m.number(libm.nan))
    return m.with_sign_of(m.select_if("olt", size, one, result, edge), x)


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.Sinh: (singles.sinh, singles.sinh, sinh),
        math.Cosh: (singles.cosh, singles.cosh, cosh),
        math.ArcSinh: (singles.arcsinh, singles.arcsinh, arcsinh),
        math.ArcCosh: (singles.arccosh, singles.arccosh, arccosh),
        math.ArcTanh: (singles.arctanh, singles.arctanh, arctanh),
    }
)
