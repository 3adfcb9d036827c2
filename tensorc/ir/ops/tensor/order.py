"""Elements in their order along the last axis, and where others would stand in it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from tensorc.ir.arrays import ordering
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_STRUCTURED, AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import I1, I64, TensorType


def _in_rows(operand: TensorType) -> TensorType:
    """Require rows of numbers: C1 and C2."""
    require(operand.rank > 0, "C1", "{}", operand)
    require(operand.element != I1, "C2", "{}", operand)
    return operand


@op("tc.sort", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class Sort(Op):
    """Elements in ascending order along the last axis: those at `tc.argsort`.

    The derivative goes with each element.

    Constraints:
      (C1) rank(operand) > 0.
      (C2) operand has a number type.

    Example:
      %1 = "tc.sort"(%0) : (tensor<4x3xf32>) -> tensor<4x3xf32>
    """

    operand: Value
    gives: ClassVar[str] = ordering.VALUES

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType) -> TensorType:
        """Give the operand's type."""
        return _in_rows(operand)  # C1 and C2

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        return ordering.sort(operand)


@op("tc.argsort", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class ArgSort(Op):
    """Indices along the last axis, i64, in ascending order of the elements.

    Equal elements keep their order, -0 and 0 are equal, and NaNs are last, in theirs.

    Constraints:
      (C1) rank(operand) > 0.
      (C2) operand has a number type.

    Example:
      %1 = "tc.argsort"(%0) : (tensor<4x3xf32>) -> tensor<4x3xi64>
    """

    operand: Value
    gives: ClassVar[str] = ordering.INDICES

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType) -> TensorType:
        """Give i64 of the operand's shape."""
        return TensorType(_in_rows(operand).shape, I64)  # C1 and C2

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        return ordering.argsort(operand)


# Each op that orders rows, and what it gives of them.
ORDERS: Mapping[type[Op], str] = MappingProxyType(
    {cls: cls.gives for cls in (Sort, ArgSort)}
)
