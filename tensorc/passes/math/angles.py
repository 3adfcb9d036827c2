"""Angles so large that their quarter takes more bits of 2/pi than a few floats hold.

Payne and Hanek (1983): of x = m 2^e the product with 2/pi is needed modulo 4. Bits of
2/pi worth 2^(2-e) or more make multiples of 4, those below 2^-(e+190) are too small.
What lies between is a window of six words of 32 bits, times m a product of integers.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.ops.scalar import arith
from tensorc.passes.math.builder import DOUBLE, MathBuilder, Pair

# 9 zeros, then the bits of 2/pi.
TWO_OVER_PI = int(
    "00517cc1b727220a94fe13abe8fa9a6ee06db14acc9e21c820ff28b1d5ef5de2"
    "b0db92371d2126e9700324977504e8c90e7f0ef58e5894d39f74411afa975da2"
    "4274ce38135a2fbf209cc8eb1cc1a99cfa4e422fc5defc941d8ffc4bffef02cc"
    "07f79788c5ad05368fb69b3f6793e584dba7a31fb34f2ff516ba93dd63f5f2f8"
    "bd9e839cfbc529497535fdafd88fc6ae842b0198",
    16,
)
_WORDS = 37
_WINDOW = 6
_LOW = (1 << 32) - 1
# The biased exponent whose window begins with the first bit, that of 2^45.
_FIRST = DOUBLE.bias + 45
# pi/2 as an unrounded sum.
_HALF_PI = (
    float.fromhex("0x1.921fb54442d18p+0"),
    float.fromhex("0x1.1a62633145c07p-54"),
)


def far_angle(m: MathBuilder, x: Value, exponent: int) -> tuple[Pair, Value]:
    """Return r = x - q pi/2 as a pair with |r| <= pi/4, and q modulo 4.

    x is an f64 of at least 2^45 and below 2^exponent.
    """
    bits = m.bits(x)
    field = m.shift_right(bits, DOUBLE.mantissa)
    window = _window(m, m.plus(field, -_FIRST), exponent - 1 - 45)
    hidden = m.integer(1 << DOUBLE.mantissa)
    digits = m.apply(arith.OrI, m.masked(bits, (1 << DOUBLE.mantissa) - 1), hidden)
    quarter, (high, low) = _fraction(m, _product(m, digits, window))
    half_pi, rest = (m.number(part) for part in _HALF_PI)
    r, lost = m.exact_product(high, half_pi)
    lost = m.add(lost, m.fma(high, rest, m.mul(low, half_pi)))
    return (r, lost), quarter


def _window(m: MathBuilder, start: Value, most: int) -> list[Value]:
    """Return the words of 2/pi from a bit up to `most` on, the highest first.

    Pairs of neighbouring words are chosen by the bits of the word's number, from the
    top: each halves what is left to choose from.
    """
    left = most // 32 + _WINDOW
    shifts = (32 * (_WORDS - 2 - i) for i in range(left))
    words = [m.integer(_signed((TWO_OVER_PI >> s) & (1 << 64) - 1)) for s in shifts]
    number = m.shift_right(start, 5)
    for bit in reversed(range((most // 32).bit_length())):
        is_zero = m.compare_integers("eq", m.masked(number, 1 << bit), m.integer(0))
        kept = min(len(words), (1 << bit) - 1 + _WINDOW)
        words = [
            m.select(is_zero, words[i], words[i + (1 << bit)])
            if i + (1 << bit) < len(words)
            else words[i]
            for i in range(kept)
        ]
    count = m.minus(m.integer(32), m.masked(start, 31))
    return [m.masked(m.apply(arith.ShRSI, w, count), _LOW) for w in words]


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _product(m: MathBuilder, digits: Value, window: Sequence[Value]) -> list[Value]:
    """Return the first four words of 53 bits times a window, modulo 2^192."""
    above, below = m.shift_right(digits, 32), m.masked(digits, _LOW)
    low = [m.times(below, word) for word in window[:5]]
    high = [m.times(above, word) for word in window]
    words: list[Value] = []
    carry = m.integer(0)
    for i in reversed(range(4)):
        parts = (
            *(m.masked(m.shift_right(low[i + 1], 32), _LOW), m.masked(low[i], _LOW)),
            *(m.masked(high[i + 1], _LOW), m.shift_right(high[i + 2], 32)),
        )
        for part in parts:
            carry = m.plus_integer(carry, part)
        words.insert(0, m.masked(carry, _LOW))
        carry = m.shift_right(carry, 32)
    return words


def _fraction(m: MathBuilder, words: Sequence[Value]) -> tuple[Value, Pair]:
    """Return the integer next to words worth 2^-30, 2^-62, … and the rest as a pair."""
    first, second, third, fourth = words
    quarter = m.shift_right(m.plus(first, 1 << 29), 30)
    first = m.minus(first, m.shift_left(quarter, 30))
    a = m.plus_integer(m.shift_left(first, 22), m.shift_right(second, 10))
    b = m.plus_integer(
        m.shift_left(m.masked(second, 0x3FF), 42), m.shift_left(third, 10)
    )
    b = m.plus_integer(b, m.shift_right(fourth, 22))
    c = m.masked(fourth, 0x3FFFFF)
    # As in exp: up to 2^51 of either sign by the magic number, below 2^52 by 2^52.
    signed, unsigned = m.format.integers, 2.0**m.format.mantissa
    scales = ((a, signed, -52), (b, unsigned, -104), (c, unsigned, -126))
    high, low, last = (_float_of(m, *row) for row in scales)
    high, low = m.fast_sum(high, low)
    return quarter, (high, m.add(low, last))


def _float_of(m: MathBuilder, value: Value, magic: float, power: int) -> Value:
    """Return an integer times 2^power."""
    shifted = m.from_bits(m.plus(value, m.format.bits_of(magic)))
    return m.mul(m.sub(shifted, m.number(magic)), m.number(2.0**power))
