"""The partial derivatives of elementwise ops, in one table for both directions.

A row is given an op `y = f(x, …)` and a value `ct`, and returns `ct * df/dx` for each
operand. If `ct` is the cotangent of the result, these are the cotangents of the
operands. If it is the tangent of one operand, that operand's part is what it adds to
the tangent of the result. What happens at ties and edges is the table of
docs/numerics.md.
"""

import math
from collections.abc import Mapping

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import rounding
from tensorc.ir.ops.tensor import transcendental as fn
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.tensor.ad.gamma import trigamma
from tensorc.passes.tensor.ad.rows import Cotangents, Row, rule, table


def _div(b: TensorBuilder, op: ew.Div, ct: Value) -> Cotangents:
    share = b(ew.Div, ct, op.rhs)
    return share, b(ew.Neg, b(ew.Mul, share, op.result))


def _maximum(b: TensorBuilder, op: ew.Maximum, ct: Value) -> Cotangents:
    """Give it to the larger; half to each at a tie, whole to both with a NaN."""
    return _extremum(b, op.lhs, op.rhs, ct)


def _minimum(b: TensorBuilder, op: ew.Minimum, ct: Value) -> Cotangents:
    """Give it to the smaller; half to each at a tie, whole to both with a NaN."""
    return _extremum(b, op.rhs, op.lhs, ct)


def _extremum(b: TensorBuilder, lhs: Value, rhs: Value, ct: Value) -> Cotangents:
    """Give the cotangent to the first if lhs > rhs, half to each at a tie.

    With a NaN both get it whole, so that it is seen.
    """
    zero = b.zeros_like(ct)
    half = b(ew.Mul, ct, b.full_like(ct, 0.5))
    tie = b(ew.Compare, lhs, rhs, predicate="eq")
    to_lhs = b(ew.Select, b(ew.Compare, lhs, rhs, predicate="lt"), zero, ct)
    to_rhs = b(ew.Select, b(ew.Compare, lhs, rhs, predicate="gt"), zero, ct)
    return b(ew.Select, tie, half, to_lhs), b(ew.Select, tie, half, to_rhs)


def _sqrt(b: TensorBuilder, op: ew.Sqrt, ct: Value) -> Cotangents:
    return (b(ew.Div, b(ew.Mul, ct, b.full_like(ct, 0.5)), op.result),)


def _tanh(b: TensorBuilder, op: fn.Tanh, ct: Value) -> Cotangents:
    """Give 1 - y^2 as e^(-2|x|) (1 + |y|)^2, which does not cancel far out.

    |x| by a choice: either way it is the same function, so there is no kink at 0.
    """
    x, y = op.operand, op.result
    positive = b(ew.Compare, x, b.zeros_like(x), predicate="ge")
    size = b(ew.Select, positive, x, b(ew.Neg, x))
    near = b(ew.Add, b.full_like(y, 1), b(ew.Select, positive, y, b(ew.Neg, y)))
    decay = b(ew.Exp, b(ew.Neg, b(ew.Add, size, size)))
    return (b(ew.Mul, ct, b(ew.Mul, decay, b(ew.Mul, near, near))),)


def _sigmoid(b: TensorBuilder, op: fn.Sigmoid, ct: Value) -> Cotangents:
    """Give y (1 - y), where 1 - y is the function at -x: it does not cancel."""
    rest = b(fn.Sigmoid, b(ew.Neg, op.operand))
    return (b(ew.Mul, ct, b(ew.Mul, op.result, rest)),)


def _log1p(b: TensorBuilder, op: fn.Log1p, ct: Value) -> Cotangents:
    return (b(ew.Div, ct, b(ew.Add, b.full_like(ct, 1), op.operand)),)


def _erf(b: TensorBuilder, op: fn.Erf | fn.Erfc, ct: Value) -> Cotangents:
    """Give 2 / sqrt(pi) e^(-x^2), with the other sign for the complement."""
    x, sign = op.operand, 1 if isinstance(op, fn.Erf) else -1
    slope = b(ew.Exp, b(ew.Neg, b(ew.Mul, x, x)))
    factor = b.full_like(ct, sign * 2 / math.sqrt(math.pi))
    return (b(ew.Mul, ct, b(ew.Mul, factor, slope)),)


def _erfinv(b: TensorBuilder, op: fn.ErfInv, ct: Value) -> Cotangents:
    """Give sqrt(pi) / 2 e^(x^2)."""
    power = b(ew.Exp, b(ew.Mul, op.result, op.result))
    slope = b(ew.Mul, power, b.full_like(ct, math.sqrt(math.pi) / 2))
    return (b(ew.Mul, ct, slope),)


def _digamma(b: TensorBuilder, op: fn.Digamma, ct: Value) -> Cotangents:
    """Give trigamma(x), the sum of 1 / (x + i)^2, as a formula of other ops."""
    return (b(ew.Mul, ct, trigamma(b, op.operand)),)


def _over(b: TensorBuilder, ct: Value, *factors: Value) -> Cotangents:
    """Give the cotangent divided by a product."""
    below = factors[0]
    for factor in factors[1:]:
        below = b(ew.Mul, below, factor)
    return (b(ew.Div, ct, below),)


def _beside_one(b: TensorBuilder, x: Value) -> tuple[Value, Value]:
    """Return 1 - x and 1 + x, whose product is 1 - x^2 without cancelling."""
    one = b.full_like(x, 1)
    return b(ew.Sub, one, x), b(ew.Add, one, x)


def _tan(b: TensorBuilder, op: fn.Tan, ct: Value) -> Cotangents:
    square = b(ew.Mul, op.result, op.result)
    return (b(ew.Mul, ct, b(ew.Add, b.full_like(ct, 1), square)),)


def _arcsin(b: TensorBuilder, op: fn.ArcSin, ct: Value) -> Cotangents:
    less, more = _beside_one(b, op.operand)
    return _over(b, ct, b(ew.Sqrt, b(ew.Mul, less, more)))


def _arccos(b: TensorBuilder, op: fn.ArcCos, ct: Value) -> Cotangents:
    less, more = _beside_one(b, op.operand)
    return _over(b, b(ew.Neg, ct), b(ew.Sqrt, b(ew.Mul, less, more)))


def _arctan(b: TensorBuilder, op: fn.ArcTan, ct: Value) -> Cotangents:
    square = b(ew.Mul, op.operand, op.operand)
    return _over(b, ct, b(ew.Add, b.full_like(ct, 1), square))


def _arcsinh(b: TensorBuilder, op: fn.ArcSinh, ct: Value) -> Cotangents:
    return _over(b, ct, b(fn.Hypot, b.full_like(ct, 1), op.operand))


def _arccosh(b: TensorBuilder, op: fn.ArcCosh, ct: Value) -> Cotangents:
    """Divide by two roots: x^2 - 1 would overflow."""
    one = b.full_like(ct, 1)
    sides = (b(ew.Sub, op.operand, one), b(ew.Add, op.operand, one))
    return _over(b, ct, *(b(ew.Sqrt, side) for side in sides))


def _log2(b: TensorBuilder, op: fn.Log2, ct: Value) -> Cotangents:
    return _over(b, ct, op.operand, b.full_like(ct, math.log(2)))


def _log10(b: TensorBuilder, op: fn.Log10, ct: Value) -> Cotangents:
    return _over(b, ct, op.operand, b.full_like(ct, math.log(10)))


def _exp2(b: TensorBuilder, op: fn.Exp2, ct: Value) -> Cotangents:
    slope = b(ew.Mul, op.result, b.full_like(ct, math.log(2)))
    return (b(ew.Mul, ct, slope),)


def _cbrt(b: TensorBuilder, op: fn.Cbrt, ct: Value) -> Cotangents:
    return _over(b, ct, op.result, op.result, b.full_like(ct, 3))


def _distance(b: TensorBuilder, length: Value) -> Value:
    """Return a length to divide by: 1 for 0, where derivatives are 0."""
    is_zero = b(ew.Compare, length, b.zeros_like(length), predicate="eq")
    return b(ew.Select, is_zero, b.full_like(length, 1), length)


def _hypot(b: TensorBuilder, op: fn.Hypot, ct: Value) -> Cotangents:
    length = _distance(b, op.result)
    shares = (b(ew.Div, side, length) for side in (op.lhs, op.rhs))
    to_lhs, to_rhs = (b(ew.Mul, ct, share) for share in shares)
    return to_lhs, to_rhs


def _arctan2(b: TensorBuilder, op: fn.ArcTan2, ct: Value) -> Cotangents:
    """Give x / r^2 to the height y and -y / r^2 to the width x, in two divisions."""
    length = _distance(b, b(fn.Hypot, op.lhs, op.rhs))
    shares = (b(ew.Div, side, length) for side in (op.rhs, op.lhs))
    to_lhs, to_rhs = (b(ew.Mul, ct, b(ew.Div, share, length)) for share in shares)
    return to_lhs, b(ew.Neg, to_rhs)


def _silu(b: TensorBuilder, op: fn.Silu, ct: Value) -> Cotangents:
    """Give s(x) + x s(x) s(-x), with the sigmoid s: neither cancels."""
    x = op.operand
    # Infinity times 0 would be NaN.
    finite = b(ew.Select, b(rounding.IsFinite, x), op.result, b.zeros_like(x))
    slope = b(ew.Add, b(fn.Sigmoid, x), b(ew.Mul, finite, b(fn.Sigmoid, b(ew.Neg, x))))
    return (b(ew.Mul, ct, slope),)


def _gelu(b: TensorBuilder, op: fn.Gelu, ct: Value) -> Cotangents:
    """Give P(x) + x p(x), with the normal distribution P and its density p."""
    x = op.operand

    def times(value: Value, factor: float) -> Value:
        return b(ew.Mul, value, b.full_like(ct, factor))

    share = times(b(fn.Erfc, times(x, -math.sqrt(0.5))), 0.5)
    # Infinity times 0 would be NaN.
    finite = b(ew.Select, b(rounding.IsFinite, x), x, b.zeros_like(x))
    bell = b(ew.Exp, b(ew.Mul, finite, times(finite, -0.5)))
    slope = b(ew.Add, share, b(ew.Mul, finite, times(bell, math.sqrt(0.5 / math.pi))))
    return (b(ew.Mul, ct, slope),)


def _pow(b: TensorBuilder, op: fn.Pow, ct: Value) -> Cotangents:
    """Give y x^(y-1) and x^y ln x; 0 to a base whose power is constant, y = 0.

    The exponent gets 0 where x = 0 and x^y does not depend on it, y >= 0.
    """
    zero, one = b.zeros_like(ct), b.full_like(ct, 1)
    no_power = b(ew.Compare, op.rhs, zero, predicate="eq")
    # The power that is not taken must not be infinite: 0 * inf is NaN one order on.
    less = b(ew.Select, no_power, one, b(ew.Sub, op.rhs, one))
    to_base = b(ew.Mul, ct, b(ew.Mul, op.rhs, b(fn.Pow, op.lhs, less)))
    is_zero = b(ew.Compare, op.lhs, zero, predicate="eq")
    constant = b(ew.And, is_zero, b(ew.Compare, op.rhs, zero, predicate="ge"))
    log = b(ew.Log, b(ew.Select, constant, one, op.lhs))
    to_exponent = b(ew.Mul, ct, b(ew.Mul, op.result, log))
    to_base = b(ew.Select, no_power, zero, to_base)
    return to_base, b(ew.Select, constant, zero, to_exponent)


def _abs(b: TensorBuilder, op: rounding.Abs, ct: Value) -> Cotangents:
    return (b(ew.Mul, ct, b(rounding.Sign, op.operand)),)


def _mod(b: TensorBuilder, op: rounding.Mod, ct: Value) -> Cotangents:
    return ct, b(ew.Neg, b(ew.Mul, ct, b(rounding.FloorDiv, op.lhs, op.rhs)))


def _fmod(b: TensorBuilder, op: rounding.Fmod, ct: Value) -> Cotangents:
    """Give 1, and minus the whole part of the quotient: (x - fmod(x, y)) / y."""
    whole = b(ew.Div, b(ew.Sub, op.lhs, op.result), op.rhs)
    return ct, b(ew.Neg, b(ew.Mul, ct, whole))


def _copysign(b: TensorBuilder, op: rounding.CopySign, ct: Value) -> Cotangents:
    sign = b(rounding.CopySign, b.full_like(ct, 1), op.rhs)
    return b(ew.Mul, ct, b(ew.Mul, b(rounding.Sign, op.lhs), sign)), None


PARTIALS: Mapping[type[Op], Row] = table(
    rule(ew.Add, lambda b, op, ct: (ct, ct)),
    rule(ew.Sub, lambda b, op, ct: (ct, b(ew.Neg, ct))),
    rule(ew.Mul, lambda b, op, ct: (b(ew.Mul, ct, op.rhs), b(ew.Mul, ct, op.lhs))),
    rule(ew.Div, _div),
    rule(ew.Maximum, _maximum),
    rule(ew.Minimum, _minimum),
    rule(ew.Neg, lambda b, op, ct: (b(ew.Neg, ct),)),
    rule(ew.Exp, lambda b, op, ct: (b(ew.Mul, ct, op.result),)),
    rule(ew.Log, lambda b, op, ct: (b(ew.Div, ct, op.operand),)),
    rule(ew.Sqrt, _sqrt),
    rule(fn.Tanh, _tanh),
    rule(fn.Sigmoid, _sigmoid),
    rule(fn.Softplus, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Sigmoid, op.operand)),)),
    rule(fn.Silu, _silu),
    rule(fn.Gelu, _gelu),
    rule(fn.Log1p, _log1p),
    rule(fn.Erf, _erf),
    rule(fn.Erfc, _erf),
    rule(fn.ErfInv, _erfinv),
    rule(fn.GammaLn, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Digamma, op.operand)),)),
    rule(fn.Digamma, _digamma),
    rule(fn.Expm1, lambda b, op, ct: (b(ew.Mul, ct, b(ew.Exp, op.operand)),)),
    rule(fn.Sin, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Cos, op.operand)),)),
    rule(fn.Cos, lambda b, op, ct: (b(ew.Neg, b(ew.Mul, ct, b(fn.Sin, op.operand))),)),
    rule(fn.Tan, _tan),
    rule(fn.ArcSin, _arcsin),
    rule(fn.ArcCos, _arccos),
    rule(fn.ArcTan, _arctan),
    rule(fn.ArcTan2, _arctan2),
    rule(fn.Sinh, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Cosh, op.operand)),)),
    rule(fn.Cosh, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Sinh, op.operand)),)),
    rule(fn.ArcSinh, _arcsinh),
    rule(fn.ArcCosh, _arccosh),
    rule(fn.ArcTanh, lambda b, op, ct: _over(b, ct, *_beside_one(b, op.operand))),
    rule(fn.Exp2, _exp2),
    rule(fn.Log2, _log2),
    rule(fn.Log10, _log10),
    rule(fn.Cbrt, _cbrt),
    rule(fn.Hypot, _hypot),
    rule(fn.Pow, _pow),
    rule(rounding.Mod, _mod),
    rule(rounding.Fmod, _fmod),
    rule(rounding.CopySign, _copysign),
    rule(rounding.Abs, _abs),
)
