"""The inverse of the error function. It is computed in f64.

A polynomial of w = -ln(1 - y^2), or of its root (after Giles, 2010), is good to 2^-19.
A step of third order, with erf or its complement as a pair, gives what is left:
x + d + x d^2 + (1 + 4 x^2) d^3 / 3 with d = (y - erf(x)) / erf'(x).
"""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.builder import Expansion, MathBuilder
from tensorc.passes.math.erf import complement_pair, erf_share
from tensorc.passes.math.functions import exp, log, scale

# x / y in w - 5/2 for w up to 5.1, and in sqrt(w) - 4 from 4.84 to 37.2.
ERFINV_NEAR = (
    float.fromhex("0x1.805c5d29f3756p+0"),
    float.fromhex("0x1.f91e8bd5a2baep-3"),
    float.fromhex("-0x1.11c5299e389f9p-8"),
    float.fromhex("-0x1.486767da4972bp-10"),
    float.fromhex("0x1.c9edfec8ad408p-13"),
    float.fromhex("-0x1.4c2f6a36a8715p-18"),
    float.fromhex("-0x1.d14703a850738p-19"),
    float.fromhex("0x1.f10b0974a34dap-22"),
    float.fromhex("0x1.9505446ed9959p-26"),
    float.fromhex("-0x1.252dab4143879p-27"),
)
ERFINV_FAR = (
    float.fromhex("0x1.eb7df5a2b83e3p+1"),
    float.fromhex("0x1.026f4f2120712p+0"),
    float.fromhex("0x1.52ebc98092caap-10"),
    float.fromhex("-0x1.edeef7bd5d5f2p-11"),
    float.fromhex("0x1.0cc616b3b57fep-12"),
    float.fromhex("-0x1.d080af8fecd4dp-16"),
    float.fromhex("0x1.7b953f59ee9f0p-14"),
    float.fromhex("-0x1.4b012d5ab1200p-14"),
    float.fromhex("0x1.2b0f2dd5c46efp-16"),
)
_MIDDLE, _FURTHER = 2.5, 4.0
# Up to here erf is computed, beyond it 1 - erf.
_EDGE = 0.75
# sqrt(pi) / 2 as an unrounded sum.
_SLOPE = (
    float.fromhex("0x1.c5bf891b4ef6bp-1"),
    float.fromhex("-0x1.618f13eb7ca89p-55"),
)


def erfinv(m: MathBuilder, y: Value) -> Value:
    """Return the x whose erf is y: infinite at -1 and 1, NaN beyond."""
    one = m.number(1.0)
    size = m.abs(y)
    # Other arguments are done with at the end.
    inside = m.select_if("olt", size, one, size, m.number(0.5))
    rest = m.sub(one, inside)
    x = m.mul(inside, _first(m, m.mul(rest, m.add(one, inside))))
    square = m.exact_product(x, x)
    is_near = m.compare("olt", inside, m.number(_EDGE))
    slope = m.mul(exp(m, square[0]), m.number(_SLOPE[0]))
    off = m.select(is_near, _of_erf(m, inside, x), _of_rest(m, rest, x))
    d = m.mul(off, slope)
    bend = m.fma(m.number(4.0), square[0], one)
    third = m.mul(m.mul(d, bend), m.number(1 / 3))
    more = m.fma(m.mul(d, d), m.add(x, third), d)
    # What is small is linear; it is scaled for what subnormal numbers lose.
    high, low = m.number(_SLOPE[0]), m.number(_SLOPE[1])
    large = m.mul(inside, m.number(2.0**200))
    linear, lost = m.exact_product(large, high)
    linear = m.add(linear, m.fma(large, low, lost))
    linear = m.mul(linear, m.number(2.0**-200))
    tiny = m.compare("olt", inside, m.number(m.format.negligible))
    x = m.select(tiny, linear, m.add(x, more))
    edge = m.select_if("oeq", size, one, m.number(libm.inf), m.number(libm.nan))
    return m.with_sign_of(m.select_if("olt", size, one, x, edge), y)


def _first(m: MathBuilder, product: Value) -> Value:
    """Return erfinv(y) / y to 2^-19, given 1 - y^2."""
    w = m.neg(log(m, product))
    near_0 = m.polynomial(m.sub(w, m.number(_MIDDLE)), ERFINV_NEAR)
    # Of 1 the logarithm is -0, or a little more.
    root = m.apply(math.Sqrt, m.abs(w))
    far = m.polynomial(m.sub(root, m.number(_FURTHER)), ERFINV_FAR)
    return m.select_if("olt", w, m.number(5.0), near_0, far)


def _of_erf(m: MathBuilder, y: Value, x: Value) -> Value:
    """Return y - erf(x) for small x: erf(x) = x + x P(x^2)."""
    p = erf_share(m, m.exact_product(x, x))
    share, lost = m.fast_sum(m.number(1.0), p)
    high, low = m.exact_product(x, share)
    low = m.fma(x, lost, low)
    return m.sub(m.sub(y, high), low)


def _of_rest(m: MathBuilder, rest: Value, x: Value) -> Value:
    """Return erfc(x) - rest, which is y - erf(x), for large x."""
    both, (high, low) = complement_pair(m, (x, None), m.exact_product(x, x))
    high, low = scale(m, high, both), scale(m, low, both)
    return m.add(m.sub(high, rest), low)


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {math.ErfInv: (erfinv, erfinv, erfinv)}
)
