"""Random counts: a uniform number of 53 bits, sought in a table of probabilities.

The table is made while compiling, so the parameters are known numbers. Its ends are
where less is left out than one draw in 2**80.
"""

import math
from collections.abc import Callable

import numpy as np

from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    constant,
    number,
    number_error,
)
from tensorc.frontend.library.orders.searching import searchsorted
from tensorc.frontend.library.random.numbers import Draw
from tensorc.ir.core import Value
from tensorc.ir.types import F64

_MOST = 1e12  # of what is counted: a table has some 25 standard deviations


def binomial(b: Emitter, key: Value, n: int, p: float, shape: Shape) -> Operand:
    """Draw how many of n events there are that have a probability p, i64."""
    if not (0 <= n <= _MOST and 0 <= p <= 1):
        raise number_error(b, f"binomial: n is {n}, p is {p}")
    if p in (0, 1):
        return _among(b, key, shape, n if p else 0, n if p else 0, lambda k: 0.0)
    chosen, others = math.log(p), math.log1p(-p)

    def logarithm(k: int) -> float:
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        return ways + k * chosen + (n - k) * others

    first, last = _around(n * p, n * p * (1 - p))
    return _among(b, key, shape, first, min(last, n), logarithm)


def poisson(b: Emitter, key: Value, rate: float, shape: Shape) -> Operand:
    """Draw how many events there are where their mean number is a rate, i64."""
    if not 0 <= rate <= _MOST:
        raise number_error(b, f"poisson: the mean is {rate}")
    if rate == 0:
        return _among(b, key, shape, 0, 0, lambda k: 0.0)
    power = math.log(rate)
    first, last = _around(rate, rate)
    return _among(
        b, key, shape, first, last, lambda k: k * power - rate - math.lgamma(k + 1)
    )


def _around(mean: float, variance: float) -> tuple[int, int]:
    far = 12 * math.sqrt(variance) + 60
    return max(0, math.floor(mean - far)), math.ceil(mean + far)


def _among(
    b: Emitter,
    key: Value,
    shape: Shape,
    first: int,
    last: int,
    logarithm: Callable[[int], float],
) -> Operand:
    """Draw integers from first to last by the logarithms of their shares."""
    heights = np.array([logarithm(k) for k in range(first, last + 1)])
    below = np.cumsum(np.exp(heights - heights.max()))
    below /= below[-1]
    # The last share has no end that a number below 1 could reach.
    table = TensorOperand(constant(b, below[:-1], F64))
    found = searchsorted(b, table, Draw(b, key, shape, F64).uniform(), "right")
    return elementwise(b, "add", [found, number(first)])
