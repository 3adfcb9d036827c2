"""Arithmetic of pairs: numbers that are the unrounded sum of a large and a small one.

Each result is good to some 2^-100 of it in float64 (Dekker, 1971).
"""

from tensorc.ir.core import Value
from tensorc.ir.ops.scalar import math
from tensorc.passes.math.builder import MathBuilder, Pair


def pair(m: MathBuilder, high: float, low: float = 0.0) -> Pair:
    """Return a constant."""
    return m.number(high), m.number(low)


def total(m: MathBuilder, a: Pair, b: Pair) -> Pair:
    """Return a + b."""
    high, low = m.exact_sum(a[0], b[0])
    return m.fast_sum(high, m.add(low, m.add(a[1], b[1])))


def negative(m: MathBuilder, a: Pair) -> Pair:
    """Return -a."""
    return m.neg(a[0]), m.neg(a[1])


def times(m: MathBuilder, a: Pair, factor: float) -> Pair:
    """Return a times a power of two."""
    high, low = (m.mul(part, m.number(factor)) for part in a)
    return high, low


def product(m: MathBuilder, a: Pair, b: Pair) -> Pair:
    """Return a b."""
    high, low = m.exact_product(a[0], b[0])
    return m.fast_sum(high, m.fma(a[0], b[1], m.fma(a[1], b[0], low)))


def quotient(m: MathBuilder, a: Pair, b: Pair) -> Pair:
    """Return a / b; its low part is NaN where b is 0 or the quotient infinite."""
    high = m.div(a[0], b[0])
    minus = m.neg(high)
    rest = m.add(m.fma(minus, b[0], a[0]), m.fma(minus, b[1], a[1]))
    return m.fast_sum(high, m.div(rest, b[0]))


def root(m: MathBuilder, a: Pair) -> Pair:
    """Return the square root of a finite pair, of 0 too."""
    zero = m.number(0.0)
    high = m.apply(math.Sqrt, a[0])
    rest = m.add(m.fma(m.neg(high), high, a[0]), a[1])
    low = m.div(rest, m.add(high, high))
    return high, m.select_if("oeq", high, zero, zero, low)


def chosen(m: MathBuilder, holds: Value, a: Pair, b: Pair) -> Pair:
    """Return a where a condition holds, b elsewhere."""
    return m.select(holds, a[0], b[0]), m.select(holds, a[1], b[1])
