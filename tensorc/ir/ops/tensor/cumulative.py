"""What an axis adds up to so far: an element for each, made of those before it too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from tensorc.ir.arrays.cumulation import (
    ADD,
    LARGER,
    LINEAR,
    MULTIPLY,
    SMALLER,
    cumulate,
)
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_STRUCTURED, AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import I1, TensorType


def _along(operand: TensorType, axis: int) -> TensorType:
    """Require numbers along an axis: C1 and C2."""
    require(0 <= axis < operand.rank, "C1", "axis {} of {}", axis, operand)
    require(operand.element != I1, "C2", "{}", operand)
    return operand


class Cumulative(Op):
    """Elements combined with all before them, along one axis.

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) operand has a number type.

    Example:
      %1 = "$name"(%0) <{axis = 1 : i64}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
    """

    levels = AT_TENSOR | AT_STRUCTURED

    operand: Value
    axis: int
    combine: ClassVar[str]

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType, *, axis: int) -> TensorType:
        """Give the operand's type."""
        return _along(operand, axis)  # C1 and C2


@op("tc.cumsum", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class CumSum(Op):
    """Sums of the elements so far: result[i] = operand[0] + … + operand[i].

    Floats are added in ascending order in blocks of 1024, and then to the sum of the
    blocks before, which is added up in ascending order, too. In reverse all is counted
    from the end. Integers wrap.

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) operand has a number type.

    Example:
      %1 = "tc.cumsum"(%0) <{axis = 1 : i64, reverse = false}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
    """  # noqa: E501

    operand: Value
    axis: int
    reverse: bool
    combine: ClassVar[str] = ADD

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axis: int, reverse: bool
    ) -> TensorType:
        """Give the operand's type."""
        return _along(operand, axis)  # C1 and C2

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int, reverse: bool) -> Array:
        return cumulate(ADD, [operand], axis, reverse)


@op("tc.cumprod", traits=(PURE, EXACT))
class CumProd(Cumulative):
    """Products of the elements so far: result[i] = operand[0] * … * operand[i].

    In the order of `tc.cumsum`; integers wrap. The derivative divides by nothing, so it
    is exact at zeros.
    """

    combine = MULTIPLY

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        return cumulate(MULTIPLY, [operand], axis)


@op("tc.cummax", traits=(PURE, EXACT))
class CumMax(Cumulative):
    """The largest of the elements so far; NaN from the first NaN on.

    The derivative goes to the first of equal elements.
    """

    combine = LARGER

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        return cumulate(LARGER, [operand], axis)


@op("tc.cummin", traits=(PURE, EXACT))
class CumMin(Cumulative):
    """The smallest of the elements so far; NaN from the first NaN on.

    The derivative goes to the first of equal elements.
    """

    combine = SMALLER

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        return cumulate(SMALLER, [operand], axis)


@op("tc.recurrence", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class Recurrence(Op):
    """A linear recurrence along an axis, which derivatives of cumulative ops are.

        result[i] = factor[i] * result[i - 1] + operand[i], with one rounding

    It starts with the first operand, and anew where a factor is 0: neither infinity nor
    NaN passes. There are no blocks. In reverse the element before is i + 1.

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) operand has a float type.
      (C3) factor has the type of operand.

    Example:
      %2 = "tc.recurrence"(%0, %1) <{axis = 1 : i64, reverse = false}> : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
    """  # noqa: E501

    factor: Value
    operand: Value
    axis: int
    reverse: bool
    combine: ClassVar[str] = LINEAR

    @staticmethod
    def infer(
        ctx: InferContext,
        factor: TensorType,
        operand: TensorType,
        *,
        axis: int,
        reverse: bool,
    ) -> TensorType:
        """Give the operand's type."""
        require(0 <= axis < operand.rank, "C1", "axis {} of {}", axis, operand)
        require(operand.element.is_float, "C2", "{}", operand)
        require(factor.element == operand.element, "C3", "{} and {}", factor, operand)
        ctx.require_same_shape(factor, operand, "C3")
        return operand

    @staticmethod
    def evaluate(
        ctx: object, factor: Array, operand: Array, *, axis: int, reverse: bool
    ) -> Array:
        return cumulate(LINEAR, [factor, operand], axis, reverse)


# Each op, and how it combines.
CUMULATIVE: Mapping[type[Op], str] = MappingProxyType(
    {cls: cls.combine for cls in (CumSum, CumProd, CumMax, CumMin, Recurrence)}
)
