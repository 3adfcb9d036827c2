"""Elementwise ops that round, divide to integers, or ask for a sign or a class."""

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import ELEMENTWISE, EXACT, PURE, InferContext, op
from tensorc.ir.ops.tensor.elementwise import Binary, Unary, require_domain
from tensorc.ir.types import I1, TensorType

_EXACT = (PURE, ELEMENTWISE, EXACT)


class Predicate(Op):
    """A question about each float of a tensor."""

    operand: Value

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType) -> TensorType:
        """Give i1 of the operand's shape."""
        require_domain("float", operand.element, "C1")
        return TensorType(operand.shape, I1)


@op("tc.abs", traits=_EXACT, scalar="abs")
class Abs(Unary):
    """Absolute value; the smallest integer stays what it is, as in numpy.

    Constraints:
      (C1) operand has a number type.

    Example:
      %1 = "tc.abs"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.abs(operand)


@op("tc.sign", traits=_EXACT, scalar="sign")
class Sign(Unary):
    """Sign: -1, 0 or 1; NaN of NaN, and 0 of -0.0.

    Constraints:
      (C1) operand has a number type.

    Example:
      %1 = "tc.sign"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.sign(operand)


@op("tc.floor", traits=_EXACT, scalar="floor")
class Floor(Unary):
    """The largest integral float that is not above the operand.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.floor"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.floor(operand)


@op("tc.ceil", traits=_EXACT, scalar="ceil")
class Ceil(Unary):
    """The smallest integral float that is not below the operand.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.ceil"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.ceil(operand)


@op("tc.round", traits=_EXACT, scalar="round")
class Round(Unary):
    """The nearest integral float, halves to even; round(-0.5) is -0.0.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.round"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.rint(operand)


@op("tc.isnan", traits=_EXACT, scalar="isnan")
class IsNan(Predicate):
    """Tell NaN from numbers.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.isnan"(%0) : (tensor<4xf32>) -> tensor<4xi1>
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.isnan(operand)


@op("tc.isfinite", traits=_EXACT, scalar="isfinite")
class IsFinite(Predicate):
    """Tell finite numbers from infinities and NaN.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.isfinite"(%0) : (tensor<4xf32>) -> tensor<4xi1>
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.isfinite(operand)


@op("tc.floordiv", traits=_EXACT, scalar="floordiv")
class FloorDiv(Binary):
    """Quotient, rounded down: numpy's `//`.

    Of integers it is 0 for a zero divisor, and the smallest one by -1 is itself. Of
    floats it is (lhs - mod(lhs, rhs)) / rhs: NaN for an infinite lhs.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.floordiv"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.floor_divide(lhs, rhs)


@op("tc.mod", traits=_EXACT, scalar="mod")
class Mod(Binary):
    """Remainder of `floordiv`, with the sign of rhs: numpy's `%`.

    Exact before its sign is corrected. Of integers it is 0 for a zero divisor, of
    floats NaN.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.mod"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.mod(lhs, rhs)
