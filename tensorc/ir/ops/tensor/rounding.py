"""Elementwise ops that round, divide to integers, or ask for a sign or a class."""

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.opdef import ELEMENTWISE, EXACT, PURE, InferContext, each, op
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.types import I1, TensorType

_EXACT = (PURE, ELEMENTWISE, EXACT)


class Predicate(Op):
    """A question about each float of a tensor.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "$name"(%0) : (tensor<4xf32>) -> tensor<4xi1>
    """

    levels = AT_TENSOR

    operand: Value

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType) -> TensorType:
        """Give i1 of the operand's shape."""
        ew.require_domain("float", operand.element, "C1")
        return TensorType(operand.shape, I1)


@op("tc.abs", traits=_EXACT)
class Abs(ew.Unary):
    """Absolute value; the smallest integer stays what it is, as in numpy."""

    evaluate = each(np.abs)


@op("tc.sign", traits=_EXACT)
class Sign(ew.Unary):
    """Sign: -1, 0 or 1; NaN of NaN, and 0 of -0.0."""

    evaluate = each(np.sign)


@op("tc.copysign", traits=_EXACT, scalar=math.CopySign)
class CopySign(ew.FloatBinary):
    """The size of lhs with the sign of rhs, also of -0.0 and NaN."""


@op("tc.floor", traits=_EXACT, scalar=math.Floor)
class Floor(ew.FloatUnary):
    """The largest integral float that is not above the operand."""


@op("tc.ceil", traits=_EXACT, scalar=math.Ceil)
class Ceil(ew.FloatUnary):
    """The smallest integral float that is not below the operand."""


@op("tc.round", traits=_EXACT, scalar=math.RoundEven)
class Round(ew.FloatUnary):
    """The nearest integral float, halves to even; round(-0.5) is -0.0."""


@op("tc.isnan", traits=_EXACT, made_of=lambda b, x: b(ew.Compare, x, x, predicate="ne"))
class IsNan(Predicate):
    """Tell NaN from numbers."""


@op(
    "tc.isfinite",
    traits=_EXACT,
    made_of=lambda b, x: b(ew.Compare, b(Abs, x), np.inf, predicate="lt"),
)
class IsFinite(Predicate):
    """Tell finite numbers from infinities and NaN."""


@op(
    "tc.signbit",
    traits=_EXACT,
    made_of=lambda b, x: b(ew.Compare, b(CopySign, 1.0, x), 0.0, predicate="lt"),
)
class SignBit(Predicate):
    """Tell what has a minus sign: -0.0 too, and NaN with one."""


@op("tc.fmod", traits=_EXACT, scalar=(math.RemF, arith.RemSI, arith.RemSI))
class Fmod(ew.Binary):
    """Remainder with the sign of lhs, exact: C's fmod.

    For a zero divisor it is 0 of integers, NaN of floats.
    """


@op("tc.floordiv", traits=_EXACT)
class FloorDiv(ew.Binary):
    """Quotient, rounded down: numpy's `//`.

    Of integers it is 0 for a zero divisor, and the smallest one by -1 is itself. Of
    floats it is (lhs - mod(lhs, rhs)) / rhs: NaN for an infinite lhs.
    """

    evaluate = each(np.floor_divide)


@op("tc.mod", traits=_EXACT)
class Mod(ew.Binary):
    """Remainder of `floordiv`, with the sign of rhs: numpy's `%`.

    Exact before its sign is corrected. Of integers it is 0 for a zero divisor, of
    floats NaN.
    """

    evaluate = each(np.mod)
