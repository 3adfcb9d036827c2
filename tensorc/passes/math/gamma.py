"""The logarithm of the gamma function and its derivative. Both are computed in f64.

Below 12, a is moved to y = a + 12 by the product P of a, a + 1, … a + 11; ln gamma(y)
is Stirling's series, and everything is a pair: the terms cancel. Next to the zeros of
positive numbers there are polynomials. Negative numbers are reflected:
gamma(-a) gamma(a) = -pi / (a sin(pi a)). Coefficients of polynomials are interpolations
at Chebyshev's points to 2^-62, those of the series Bernoulli's numbers.
"""

import math as libm
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.builder import Expansion, MathBuilder, Pair
from tensorc.passes.math.functions import log, scale, split
from tensorc.passes.math.pairs import (
    chosen,
    negative,
    pair,
    product,
    quotient,
    total,
)
from tensorc.passes.math.powers import log_pair

# ln gamma(1 + z) / z and ln gamma(2 + z) / z, and digamma(z0 + z) / z, for |z| <= 1/5:
# the first coefficients as unrounded sums, and the others.
_NEAR = 0.2
# Where what is added to the first term counts more than what cancels elsewhere.
_NEARER = 0.1
_ONE = (float.fromhex("-0x1.2788cfc6fb619p-1"), float.fromhex("0x1.6cb90701fbfabp-58"))
_TWO = (float.fromhex("0x1.b0ee6072093cep-2"), float.fromhex("0x1.6cb90701fbfabp-58"))
_SLOPE = (
    float.fromhex("0x1.ef72bc8ee38acp-1"),
    float.fromhex("-0x1.3879eb97bf58dp-55"),
)
_AT_ONE = (
    float.fromhex("0x1.a51a6625307d3p-1"),
    float.fromhex("-0x1.9a4d55beab2cep-2"),
    float.fromhex("0x1.151322ac7d840p-2"),
    float.fromhex("-0x1.a8b9c17aa9069p-3"),
    float.fromhex("0x1.5b40cb100efd3p-3"),
    float.fromhex("-0x1.2703a1d9f7f0bp-3"),
    float.fromhex("0x1.010b36acb9187p-3"),
    float.fromhex("-0x1.c806736057706p-4"),
    float.fromhex("0x1.9a01e653a0598p-4"),
    float.fromhex("-0x1.748b5f3c16448p-4"),
    float.fromhex("0x1.556a0ccee525ap-4"),
    float.fromhex("-0x1.3b40636989ea2p-4"),
    float.fromhex("0x1.24b7f4382a9b9p-4"),
    float.fromhex("-0x1.0dc3cdae1f6a5p-4"),
    float.fromhex("0x1.f9b6f1d14991fp-5"),
    float.fromhex("-0x1.1bb8d580d0115p-4"),
    float.fromhex("0x1.0c3734c9d817bp-4"),
)
_AT_TWO = (
    float.fromhex("0x1.4a34cc4a60fa6p-2"),
    float.fromhex("-0x1.13e001a557607p-4"),
    float.fromhex("0x1.51322ac7d8483p-6"),
    float.fromhex("-0x1.e404fc218f5f2p-8"),
    float.fromhex("0x1.7add6eadb6c30p-9"),
    float.fromhex("-0x1.38ac5c2bf8b6cp-10"),
    float.fromhex("0x1.0b36af863946ep-11"),
    float.fromhex("-0x1.d3fd4c777a9d7p-13"),
    float.fromhex("0x1.a127b0f21ca68p-14"),
    float.fromhex("-0x1.78de5b1ae0772p-15"),
    float.fromhex("0x1.580dce32f7873p-16"),
    float.fromhex("-0x1.3cbd132f16a00p-17"),
    float.fromhex("0x1.25981a52c2dc0p-18"),
    float.fromhex("-0x1.1182d52c91bc7p-19"),
    float.fromhex("0x1.00371f1b09783p-20"),
    float.fromhex("-0x1.f6416d8d79451p-22"),
    float.fromhex("0x1.da4e787a8295ep-23"),
)
_AT_ROOT = (
    float.fromhex("-0x1.c563b54aa1a35p-2"),
    float.fromhex("0x1.08b4294d5038ep-2"),
    float.fromhex("-0x1.4fc1317257dbbp-3"),
    float.fromhex("0x1.b9a5b637085bep-4"),
    float.fromhex("-0x1.27baba26180f7p-4"),
    float.fromhex("0x1.8fce02bcf1f1ap-5"),
    float.fromhex("-0x1.0fa7ec3dfd3e7p-5"),
    float.fromhex("0x1.723d5fd371427p-6"),
    float.fromhex("-0x1.f970455409192p-7"),
    float.fromhex("0x1.5959325e870f1p-7"),
    float.fromhex("-0x1.d82cb050331b4p-8"),
    float.fromhex("0x1.4219e166709abp-8"),
    float.fromhex("-0x1.b89e673154044p-9"),
    float.fromhex("0x1.45cdcbc2e656ap-9"),
    float.fromhex("-0x1.bdc454f3ece4bp-10"),
)
# z0, the zero of digamma; ln(2 pi) / 2 - 1/2; pi; as unrounded sums.
_ROOT = (float.fromhex("0x1.762d86356be3fp+0"), float.fromhex("0x1.b86a722197829p-54"))
_CONSTANT = (
    float.fromhex("0x1.acfe390c97d69p-2"),
    float.fromhex("0x1.3494bc9001442p-56"),
)
_PI = (float.fromhex("0x1.921fb54442d18p+1"), float.fromhex("0x1.1a62633145c07p-53"))
# B(2k) for k from 1.
_BERNOULLI = (
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730),
    *(7 / 6, -3617 / 510, 43867 / 798),
)
_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1))
_STIRLING_SLOPE = tuple(-b / (2 * k) for k, b in enumerate(_BERNOULLI, 1))
# (sin t / t - 1) / t^2 and (cos t - 1) / t^2 in t^2: the series, to 2^-68 for t < pi/4.
_SINE = tuple(Fraction((-1) ** k, libm.factorial(2 * k + 1)) for k in range(1, 10))
_COSINE = tuple(Fraction((-1) ** k, libm.factorial(2 * k)) for k in range(1, 10))
# Up to here numbers are moved up by as much. Since (a + i) (a + 11 - i) is
# s + i (11 - i) with s = a (a + 11), the product P is a polynomial of s.
_MOVED = 12.0
_RISING = (0.0, 3628800.0, 966240.0, 97416.0, 4708.0, 110.0, 1.0)
_RISING_SLOPE = tuple(k * c for k, c in enumerate(_RISING))[1:]
# Below it a function is its pole; from the others on gamma's logarithm overflows, and
# all numbers are whole.
_TINY, _MOST, _WHOLE = 2.0**-60, 2.5599833278516387e305, 2.0**52


def _of_pair(m: MathBuilder, x: Pair, coefficients: Sequence[float]) -> Pair:
    """Return a polynomial of a pair by Horner's rule; the last coefficient is exact."""
    *rest, last = coefficients
    found = pair(m, last)
    for c in reversed(rest):
        found = product(m, found, x)
        if c:
            found = total(m, pair(m, c), found)
    return found


def _log(m: MathBuilder, x: Pair) -> Pair:
    """Return ln x of a pair in the normal range."""
    e, t = split(m, x[0])
    magic = m.number(m.format.integers + 2 * m.format.bias)
    minus_e = m.bits(m.sub(magic, e))
    minus_e = m.minus(minus_e, m.integer(m.format.bits_of(m.format.integers)))
    return log_pair(m, e, t, scale(m, x[1], minus_e))


def _moved(m: MathBuilder, a: Value) -> tuple[Value, Pair, Pair]:
    """Return whether a is moved, what it becomes, and s; a is at least 2^-60."""
    zero = m.number(0.0)
    is_low = m.compare("olt", a, m.number(_MOVED))
    y = chosen(m, is_low, m.exact_sum(m.number(_MOVED), a), (a, zero))
    # Of others the product is not used: it must not overflow.
    inside = m.select(is_low, a, m.number(1.0))
    s = product(m, (inside, zero), m.exact_sum(m.number(11.0), inside))
    return is_low, y, s


def _series(m: MathBuilder, y: Value, coefficients: Sequence[float]) -> Value:
    """Return the sum of c(k) / y^(2k) from k = 0, for y >= 12."""
    inverse = m.div(m.number(1.0), y)
    return m.polynomial(m.mul(inverse, inverse), coefficients)


def _wave(m: MathBuilder, z: Pair, series: Sequence[Fraction]) -> Pair:
    """Return 1 + z P(z) for z < 1, of which three terms are pairs."""
    first, second = (
        pair(m, float(c), float(c - Fraction(float(c)))) for c in series[:2]
    )
    rest = m.mul(z[0], m.polynomial(z[0], [float(c) for c in series[2:]]))
    found = total(m, second, (rest, m.number(0.0)))
    found = total(m, first, product(m, z, found))
    return total(m, pair(m, 1.0), product(m, z, found))


def _turn(m: MathBuilder, a: Value) -> tuple[Value, Pair, Pair]:
    """Return r = a - round(a), and |sin(pi a)| and |cos(pi a)| as pairs."""
    r = m.sub(a, m.round(a))
    size = m.abs(r)
    is_far = m.compare("ogt", size, m.number(0.25))
    inner = m.select(is_far, m.sub(m.number(0.5), size), size)
    angle = product(m, (inner, m.number(0.0)), pair(m, *_PI))
    square = product(m, angle, angle)
    sine = product(m, angle, _wave(m, square, _SINE))
    cosine = _wave(m, square, _COSINE)
    return r, chosen(m, is_far, cosine, sine), chosen(m, is_far, sine, cosine)


def _at(
    m: MathBuilder, z: Pair, first: tuple[float, float], others: Sequence[float]
) -> Value:
    """Return z P(z), which is rounded once but for a trifle."""
    high, low = m.exact_product(z[0], m.number(first[0]))
    rest = m.mul(z[0], m.polynomial(z[0], others))
    rest = m.fma(z[0], m.add(rest, m.number(first[1])), low)
    return m.add(high, m.fma(z[1], m.number(first[0]), rest))


def _near_zeros(m: MathBuilder, x: Value, other: Value) -> Value:
    """Return ln gamma(x) next to 1 and 2, something else elsewhere."""
    near, zero = m.number(_NEARER), m.number(0.0)
    for place, first, others in ((1.0, _ONE, _AT_ONE), (2.0, _TWO, _AT_TWO)):
        z = m.sub(x, m.number(place))
        value = _at(m, (z, zero), first, others)
        other = m.select_if("olt", m.abs(z), near, value, other)
    return other


def gammaln(m: MathBuilder, x: Value) -> Value:
    """Return ln |gamma(x)|: infinite at 0 and negative whole numbers."""
    zero, one, infinity = m.number(0.0), m.number(1.0), m.number(libm.inf)
    size, tiny = m.abs(x), m.number(_TINY)
    is_below = m.compare("olt", x, zero)
    a = m.select_if("ogt", size, tiny, size, tiny)
    most = m.number(_MOST)
    a = m.select_if("olt", a, most, a, most)
    is_low, y, s = _moved(m, a)
    ones = (one, zero)
    rising = chosen(m, is_low, _of_pair(m, s, _RISING), ones)
    # ln gamma(y), by (y - 1/2) (ln y - 1) + c + the series.
    minus_one, less = pair(m, -1.0), total(m, y, pair(m, -0.5))
    whole = product(m, less, total(m, _log(m, y), minus_one))
    tail = m.div(_series(m, y[0], _STIRLING), y[0])
    high, low = total(m, whole, pair(m, *_CONSTANT))
    stirling = m.fast_sum(high, m.add(low, tail))
    # What else there is: 1 / P, or pi P / (a sin(pi a)) of which Stirling's is taken.
    _, sine, _ = _turn(m, a)
    is_pole = m.both(is_below, m.compare("oeq", sine[0], zero))
    sine = chosen(m, is_pole, ones, sine)
    side = m.select_if("olt", a, m.number(_WHOLE), a, one)
    above = chosen(m, is_below, product(m, rising, pair(m, *_PI)), ones)
    below = chosen(m, is_below, product(m, (side, zero), sine), rising)
    share = _log(m, quotient(m, above, below))
    stirling = chosen(m, is_below, negative(m, stirling), stirling)
    result = _near_zeros(m, x, m.add(*total(m, stirling, share)))
    result = m.select(is_pole, infinity, result)
    result = m.select_if("olt", size, tiny, m.neg(log(m, size)), result)
    result = m.select_if("olt", x, most, result, infinity)
    # Of minus infinity itself, as SciPy has it.
    is_number = m.compare("ogt", x, m.number(-libm.inf))
    return m.select(is_number, result, x)


def digamma(m: MathBuilder, x: Value) -> Value:
    """Return gamma'(x) / gamma(x): NaN at negative whole numbers, infinite at 0."""
    zero, one = m.number(0.0), m.number(1.0)
    size, tiny = m.abs(x), m.number(_TINY)
    is_below = m.compare("olt", x, zero)
    a = m.select_if("ogt", size, tiny, size, tiny)
    infinity = m.number(libm.inf)
    a = m.select_if("olt", a, infinity, a, one)
    is_low, y, s = _moved(m, a)
    # ln y - 1 / (2 y) - the series.
    inverse = quotient(m, (one, zero), y)
    square = m.mul(inverse[0], inverse[0])
    tail = m.mul(square, _series(m, y[0], _STIRLING_SLOPE))
    half = [m.mul(m.number(-0.5), part) for part in inverse]
    high, low = total(m, _log(m, y), (half[0], half[1]))
    found = m.fast_sum(high, m.add(low, tail))
    # Less P' / P, the sum of 1 / (a + i).
    slope = total(m, (m.add(a, a), zero), pair(m, 11.0))
    slope = product(m, slope, _of_pair(m, s, _RISING_SLOPE))
    sums = quotient(m, slope, _of_pair(m, s, _RISING))
    found = chosen(m, is_low, total(m, found, negative(m, sums)), found)
    # Of negative numbers 1 / a + pi cot(pi a) more.
    r, sine, cosine = _turn(m, a)
    is_pole = m.compare("oeq", sine[0], zero)
    sine = chosen(m, is_pole, (one, zero), sine)
    wave = product(m, quotient(m, cosine, sine), pair(m, *_PI))
    wave = chosen(m, m.compare("olt", r, zero), negative(m, wave), wave)
    more = total(m, wave, quotient(m, (one, zero), (a, zero)))
    result = m.add(*chosen(m, is_below, total(m, found, more), found))
    z = m.fast_sum(m.sub(x, m.number(_ROOT[0])), m.number(-_ROOT[1]))
    near = _at(m, z, _SLOPE, _AT_ROOT)
    result = m.select_if("olt", m.abs(z[0]), m.number(_NEAR), near, result)
    nan = m.number(libm.nan)
    result = m.select(m.both(is_below, is_pole), nan, result)
    result = m.select_if("olt", size, tiny, m.div(m.number(-1.0), x), result)
    far = m.select_if("ogt", x, zero, x, nan)
    return m.select_if("olt", size, infinity, result, far)


EXPANSIONS: Mapping[type[Op], Expansion] = MappingProxyType(
    {
        math.GammaLn: (gammaln, gammaln, gammaln),
        math.Digamma: (digamma, digamma, digamma),
    }
)
