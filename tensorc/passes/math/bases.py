"""Powers and logarithms to the bases 2 and 10, and roots of cubes and of squares.

All are computed in f64; logarithms for f32 are in `singles`.
"""

import math as libm
from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import arith, math
from tensorc.passes.math import singles
from tensorc.passes.math.builder import Expansion, MathBuilder
from tensorc.passes.math.functions import normalized, of_positive, scale, split
from tensorc.passes.math.pairs import pair, product, root, total
from tensorc.passes.math.powers import log_pair

# ln 2, and what logarithms are multiplied by, as unrounded sums.
_LN2 = (float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56"))
_LOG2_E = (
    float.fromhex("0x1.71547652b82fep+0"),
    float.fromhex("0x1.777d0ffda0d24p-56"),
)
_LOG10_E = (
    float.fromhex("0x1.bcb7b1526e50ep-2"),
    float.fromhex("0x1.95355baaafad3p-57"),
)
_LOG10_2 = (
    float.fromhex("0x1.34413509f79ffp-2"),
    float.fromhex("-0x1.9dc1da994fd21p-59"),
)
# The root of a cube from 1 to 8, to 2^-10: where the iteration begins.
CBRT_START = (
    float.fromhex("0x1.2c992bab78a4ap-1"),
    float.fromhex("0x1.0d668f49e02c3p-1"),
    float.fromhex("-0x1.138a3b92a0645p-3"),
    float.fromhex("0x1.8c433142c4776p-6"),
    float.fromhex("-0x1.2e954e99a306ap-9"),
    float.fromhex("0x1.71ac18fdd7e05p-14"),
)


def exp2(m: MathBuilder, x: Value) -> Value:
    """Return 2^x = 2^n e^p with n = round(x) and p = (x - n) ln 2, a pair."""
    f, one = m.format, m.number(1.0)
    low, high = m.number(-1080.0), m.number(1030.0)
    x = m.select_if("ogt", x, high, high, x)
    x = m.select_if("olt", x, low, low, x)
    magic = m.number(f.integers + 2 * f.bias)
    shifted = m.add(x, magic)
    rest = m.sub(x, m.sub(shifted, magic))
    both = m.minus(m.bits(shifted), m.integer(f.bits_of(f.integers)))
    p, lost = product(m, (rest, m.number(0.0)), pair(m, *_LN2))
    high, low = m.fast_sum(one, p)
    tail = m.fma(m.mul(p, p), m.polynomial(p, f.exp_tail), lost)
    return scale(m, m.add(high, m.add(low, tail)), both)


def _log(base: tuple[float, float], two: tuple[float, float]) -> Expansion:
    """Return a logarithm: that of 2 is given, and what turns natural ones into it."""

    def function(m: MathBuilder, x: Value) -> Value:
        normal, extra = normalized(m, x)
        e, t = split(m, normal)
        part = product(m, log_pair(m, m.number(0.0), t), pair(m, *base))
        whole = product(m, (m.sub(e, extra), m.number(0.0)), pair(m, *two))
        return of_positive(m, x, m.add(*total(m, whole, part)))

    single = singles.logarithm(base[0], two[0])
    return single, single, function


def cbrt(m: MathBuilder, x: Value) -> Value:
    """Return the cube root of x = r 2^(3 q), 1 <= r < 8: 2^q times that of r.

    Halley's iteration triples the digits, twice; the last step is Newton's, whose
    remainder r - y^3 is exact to f64.
    """
    f, zero = m.format, m.number(0.0)
    least = m.number(2.0 ** (1 - f.bias))
    size = m.abs(x)
    is_tiny = m.compare("olt", size, least)
    normal = m.select(is_tiny, m.mul(size, m.number(2.0**54)), size)
    bits = m.bits(normal)
    r, third = _cube(m, bits)
    y = _halley(m, r, _halley(m, r, m.polynomial(r, CBRT_START)))
    square = m.exact_product(y, y)
    cube, lost = product(m, square, (y, zero))
    rest = m.sub(m.sub(r, cube), lost)
    y = m.add(y, m.div(rest, m.mul(m.number(3.0), square[0])))
    power = m.power_of_two(m.plus(third, f.bias - f.bias // 3))
    result = m.mul(y, power)
    result = m.select(is_tiny, m.mul(result, m.number(2.0**-18)), result)
    return _of_cube(m, x, result)


def _cube(m: MathBuilder, bits: Value) -> tuple[Value, Value]:
    """Return r from 1 to 8 and q, of a normal number's bits: r 2^(3 q - bias)."""
    f = m.format
    # The bias is a multiple of 3; 21846 / 2^16 is 1/3 for what has 11 bits.
    field = m.shift_right(bits, f.mantissa)
    third = m.shift_right(m.times(field, m.integer(21846)), 16)
    left = m.minus(field, m.times(third, m.integer(3)))
    digits = m.masked(bits, (1 << f.mantissa) - 1)
    exponent = m.shift_left(m.plus(left, f.bias), f.mantissa)
    return m.from_bits(m.apply(arith.OrI, digits, exponent)), third


def _halley(m: MathBuilder, r: Value, y: Value) -> Value:
    """Return a better root y of the cube r."""
    cube = m.mul(m.mul(y, y), y)
    share = m.div(m.sub(cube, r), m.add(m.add(cube, cube), r))
    return m.fma(m.neg(y), share, y)


def _of_cube(m: MathBuilder, x: Value, root: Value) -> Value:
    """Return a root with the sign of x, or x if it is 0, infinite or NaN."""
    size, infinity = m.abs(x), m.number(libm.inf)
    plain = m.both(
        m.compare("ogt", size, m.number(0.0)), m.compare("olt", size, infinity)
    )
    return m.select(plain, m.with_sign_of(root, x), x)


def cbrt_of_single(m: MathBuilder, x: Value) -> Value:
    """Return the cube root in f64, good enough for f32: one step of Halley's."""
    f, size = m.format, m.abs(x)
    r, third = _cube(m, m.bits(size))
    power = m.power_of_two(m.plus(third, f.bias - f.bias // 3))
    return _of_cube(m, x, m.mul(_halley(m, r, m.polynomial(r, CBRT_START)), power))


def hypot(m: MathBuilder, x: Value, y: Value) -> Value:
    """Return sqrt(x^2 + y^2), of numbers whose exponents are moved to the middle."""
    one, infinity = m.number(1.0), m.number(libm.inf)
    a, b = m.abs(x), m.abs(y)
    is_first = m.compare("ogt", a, b)
    large, small = m.select(is_first, a, b), m.select(is_first, b, a)
    most, least = m.number(2.0**500), m.number(2.0**-500)
    up, down = m.number(2.0**600), m.number(2.0**-600)
    factor = m.select_if("ogt", large, most, down, one)
    factor = m.select_if("olt", large, least, up, factor)
    back = m.select_if("ogt", large, most, up, one)
    back = m.select_if("olt", large, least, down, back)
    large, small = m.mul(large, factor), m.mul(small, factor)
    squares = [m.exact_product(v, v) for v in (large, small)]
    result = m.mul(m.add(*root(m, total(m, *squares))), back)
    is_infinite = m.either(m.compare("oeq", a, infinity), m.compare("oeq", b, infinity))
    return m.select(is_infinite, infinity, result)


def hypot_of_single(m: MathBuilder, x: Value, y: Value) -> Value:
    """Return sqrt(x^2 + y^2) in f64, good enough for f32."""
    infinity = m.number(libm.inf)
    result = m.apply(math.Sqrt, m.fma(x, x, m.mul(y, y)))
    for side in (x, y):
        result = m.select_if("oeq", m.abs(side), infinity, infinity, result)
    return result


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.Exp2: (exp2, exp2, exp2),
        math.Log2: _log(_LOG2_E, (1.0, 0.0)),
        math.Log10: _log(_LOG10_E, _LOG10_2),
        math.Cbrt: (cbrt_of_single, cbrt_of_single, cbrt),
        math.Hypot: (hypot_of_single, hypot_of_single, hypot),
    }
)
