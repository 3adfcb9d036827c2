"""Forms of functions that are good enough for f32: in f64, without pairs.

Errors of 2^-29 and less before the only rounding. Numbers that have been f32 are not
subnormal in f64, and their squares do not overflow. ARCTAN and ARCSIN are
interpolations at Chebyshev's points, to 2^-30 and 2^-31.
"""

import math as libm

from tensorc.ir.core import Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.builder import SINGLE, MathBuilder, MathFunction
from tensorc.passes.math.functions import exponent, of_positive, split

# arctan(t) / t in t^2 up to 1, arcsin(t) / t in t^2 up to 1/4.
ARCTAN = (
    float.fromhex("0x1.ffffffff64898p-1"),
    float.fromhex("-0x1.555553f671b9ap-2"),
    float.fromhex("0x1.999914dc909cfp-3"),
    float.fromhex("-0x1.2488519fa5a60p-3"),
    float.fromhex("0x1.c6533dfc9a77bp-4"),
    float.fromhex("-0x1.6f95036b2d2f5p-4"),
    float.fromhex("0x1.2811fdeff7003p-4"),
    float.fromhex("-0x1.ba035c4e8d652p-5"),
    float.fromhex("0x1.151ab904c9279p-5"),
    float.fromhex("-0x1.0354cc23b8650p-6"),
    float.fromhex("0x1.3625e8d6eefb9p-8"),
    float.fromhex("-0x1.5bcf6e5741041p-11"),
)
ARCSIN = (
    float.fromhex("0x1.ffffffffe1fddp-1"),
    float.fromhex("0x1.55555644ffd27p-3"),
    float.fromhex("0x1.3332974333413p-4"),
    float.fromhex("0x1.6ddd3297735ebp-5"),
    float.fromhex("0x1.ed3310aa58a51p-6"),
    float.fromhex("0x1.93e1363c82c76p-6"),
    float.fromhex("0x1.e5084c0c9e239p-8"),
    float.fromhex("0x1.1ca8ba846c6cbp-5"),
)
# From here on the functions of f32 are infinite.
_MOST = 100.0


def _log_of(m: MathBuilder, t: Value) -> Value:
    """Return ln(1 + t), for 1 + t from sqrt(1/2) to sqrt(2)."""
    return m.mul(t, m.polynomial(t, (1.0, -0.5, *SINGLE.log_tail)))


def logarithm(base: float, two: float) -> MathFunction:
    """Return a logarithm: that of 2 is given, and what turns natural ones into it."""

    def function(m: MathBuilder, x: Value) -> Value:
        e, t = split(m, x)
        part = m.mul(_log_of(m, t), m.number(base))
        return of_positive(m, x, m.fma(e, m.number(two), part))

    return function


def log_of_more(m: MathBuilder, u: Value) -> Value:
    """Return ln(1 + u) for u >= 0."""
    more = m.add(u, m.number(1.0))
    e, t = split(m, more)
    t = m.select_if("olt", more, m.number(libm.sqrt(2)), u, t)
    return m.fma(e, m.number(libm.log(2)), _log_of(m, t))


def _expm1(m: MathBuilder, size: Value) -> Value:
    """Return e^|x| - 1, which is infinite as f32 for large x."""
    most = m.number(_MOST)
    size = m.select_if("ogt", size, most, most, size)
    n, both = exponent(m, size)
    r = m.fma(n, m.number(-libm.log(2)), size)
    less = m.mul(r, m.polynomial(r, (1.0, 0.5, *SINGLE.exp_rest)))
    s = m.power_of_two(m.plus(both, -m.format.bias))
    return m.fma(s, less, m.sub(s, m.number(1.0)))


def sinh(m: MathBuilder, x: Value) -> Value:
    """Return (u + u / (1 + u)) / 2 with u = e^|x| - 1."""
    u = _expm1(m, m.abs(x))
    both = m.add(u, m.div(u, m.add(u, m.number(1.0))))
    return m.with_sign_of(m.mul(both, m.number(0.5)), x)


def cosh(m: MathBuilder, x: Value) -> Value:
    """Return (e^x + e^-x) / 2."""
    power = m.add(_expm1(m, m.abs(x)), m.number(1.0))
    return m.fma(power, m.number(0.5), m.div(m.number(0.5), power))


def arcsinh(m: MathBuilder, x: Value) -> Value:
    """Return ln(1 + u) with u = |x| + x^2 / (1 + sqrt(1 + x^2)), and x's sign."""
    size, one = m.abs(x), m.number(1.0)
    square = m.mul(x, x)
    root = m.apply(math.Sqrt, m.add(square, one))
    result = log_of_more(m, m.add(size, m.div(square, m.add(root, one))))
    result = m.select_if("olt", size, m.number(libm.inf), result, size)
    return m.with_sign_of(result, x)


def arccosh(m: MathBuilder, x: Value) -> Value:
    """Return ln(1 + u) with u = d + sqrt(d (d + 2)), d = x - 1."""
    d = m.sub(x, m.number(1.0))
    root = m.apply(math.Sqrt, m.mul(d, m.add(d, m.number(2.0))))
    result = log_of_more(m, m.add(d, root))
    result = m.select_if("olt", x, m.number(1.0), m.number(libm.nan), result)
    return m.select_if("olt", x, m.number(libm.inf), result, x)


def arctanh(m: MathBuilder, x: Value) -> Value:
    """Return ln(1 + u) / 2 with u = 2 |x| / (1 - |x|), and x's sign."""
    size, one = m.abs(x), m.number(1.0)
    u = m.div(m.add(size, size), m.sub(one, size))
    result = m.mul(log_of_more(m, u), m.number(0.5))
    edge = m.select_if("oeq", size, one, m.number(libm.inf), m.number(libm.nan))
    return m.with_sign_of(m.select_if("olt", size, one, result, edge), x)


def arctan(m: MathBuilder, x: Value) -> Value:
    """Return the angle of |x|, or pi/2 less that of 1 / |x|, and x's sign."""
    size, one, zero = m.abs(x), m.number(1.0), m.number(0.0)
    is_steep = m.compare("ogt", size, one)
    t = m.select(is_steep, m.div(m.number(-1.0), size), size)
    base = m.select(is_steep, m.number(libm.pi / 2), zero)
    return m.with_sign_of(m.fma(t, m.polynomial(m.mul(t, t), ARCTAN), base), x)


def _half_angle(m: MathBuilder, size: Value) -> tuple[Value, Value]:
    """Return whether |x| is below 1/2, and arcsin of it or of sqrt((1 - |x|) / 2)."""
    half = m.number(0.5)
    is_low = m.compare("olt", size, half)
    rest = m.mul(m.sub(m.number(1.0), size), half)
    square = m.select(is_low, m.mul(size, size), rest)
    side = m.select(is_low, size, m.apply(math.Sqrt, rest))
    return is_low, m.mul(side, m.polynomial(square, ARCSIN))


def arcsin(m: MathBuilder, x: Value) -> Value:
    """Return the angle whose sine is x; NaN where |x| > 1, as the root is."""
    is_low, angle = _half_angle(m, m.abs(x))
    far = m.fma(angle, m.number(-2.0), m.number(libm.pi / 2))
    return m.with_sign_of(m.select(is_low, angle, far), x)


def arccos(m: MathBuilder, x: Value) -> Value:
    """Return the angle whose cosine is x; NaN where |x| > 1, as the root is."""
    is_low, angle = _half_angle(m, m.abs(x))
    near = m.sub(m.number(libm.pi / 2), m.with_sign_of(angle, x))
    twice = m.add(angle, angle)
    left = m.sub(m.number(libm.pi), twice)
    far = m.select_if("olt", x, m.number(0.0), left, twice)
    return m.select(is_low, near, far)
