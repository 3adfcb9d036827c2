"""The derivative of digamma as a formula of ops, which has all further derivatives."""

import math

from tensorc.ir.core import Value
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import rounding
from tensorc.ir.ops.tensor import transcendental as fn
from tensorc.ir.tensor_builder import TensorBuilder

# B(2k) for k from 1, of which as many are good to f64 from 12 on.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
_MOVED = 12


def trigamma(b: TensorBuilder, x: Value) -> Value:
    """Return the derivative of digamma: infinite at 0 and negative whole numbers.

    Of z > 0 it is the sum of 1 / (z + i)^2 for i < 12, and the series of z + 12; below
    1/2 it is (pi / sin(pi x))^2 less that of 1 - x.
    """
    one = b.full_like(x, 1)
    is_above = b(ew.Compare, x, b.full_like(x, 0.5), predicate="ge")
    z = b(ew.Select, is_above, x, b(ew.Sub, one, x))
    found = _series(b, b(ew.Add, z, b.full_like(x, _MOVED)))
    for i in range(_MOVED - 1, -1, -1):
        inverse = b(ew.Div, one, b(ew.Add, z, b.full_like(x, i)) if i else z)
        found = b(ew.Add, found, b(ew.Mul, inverse, inverse))
    # The sine of others is not looked at, and must not be 0.
    turned = b(ew.Select, is_above, b.full_like(x, 0.25), x)
    rest = b(ew.Sub, turned, b(rounding.Round, turned))
    pi = b.full_like(x, math.pi)
    wave = b(ew.Div, pi, b(fn.Sin, b(ew.Mul, rest, pi)))
    return b(ew.Select, is_above, found, b(ew.Sub, b(ew.Mul, wave, wave), found))


def _series(b: TensorBuilder, y: Value) -> Value:
    """Return 1/y + 1/(2 y^2) + the sum of B(2k) / y^(2k + 1)."""
    inverse = b(ew.Div, b.full_like(y, 1), y)
    square = b(ew.Mul, inverse, inverse)
    found = b.full_like(y, _BERNOULLI[-1])
    for number in reversed((1.0, *_BERNOULLI[:-1])):
        found = b(ew.Add, b.full_like(y, number), b(ew.Mul, square, found))
    half = b(ew.Mul, square, b.full_like(y, 0.5))
    return b(ew.Add, b(ew.Mul, inverse, found), half)
