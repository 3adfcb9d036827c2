"""Elements in their order along the last axis, and where others would stand in it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from tensorc.ir.arrays import ordering
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import minimum
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

    Of zeros, which are equal there, -0 stands before 0. The derivative goes with each
    element, of equal ones in their order.

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


@op("tc.topk", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class TopK(Op):
    """The largest elements along the last axis, descending, and their indices, i64.

    Of equal elements the first come first, -0 and 0 are equal, and NaNs are largest.
    The derivative goes with each element.

    Constraints:
      (C1) rank(operand) > 0.
      (C2) operand has a number type.
      (C3) 0 <= count, and the last axis has as many elements.

    Example:
      %1, %2 = "tc.topk"(%0) <{count = 2 : i64}> : (tensor<4x3xf32>) -> (tensor<4x2xf32>, tensor<4x2xi64>)
    """  # noqa: E501

    operand: Value
    count: int
    gives: ClassVar[str] = ordering.LARGEST

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, count: int
    ) -> tuple[TensorType, TensorType]:
        """Give the operand's type and i64, each with so many elements in a row."""
        extent = _in_rows(operand).shape[-1]  # C1 and C2
        message = f"the {count} largest elements of a row of {extent}"
        enough = count >= 0 and ctx.unify(minimum(extent, count), count, message)
        require(enough, "C3", "{} of {}", count, operand)
        shape = (*operand.shape[:-1], count)
        return TensorType(shape, operand.element), TensorType(shape, I64)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, count: int) -> tuple[Array, Array]:
        return ordering.topk(operand, count)


@op("tc.searchsorted", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class SearchSorted(Op):
    """How many elements of a row in ascending order come before each value, i64.

    Side "right" counts those that equal it, "left" does not. The order is that of
    `tc.sort`. A row in no order is halved as one in order: each result is below it or
    as much as its size.

    Constraints:
      (C1) ordered has one axis.
      (C2) ordered and values have one number type.
      (C3) side is "left" or "right".

    Example:
      %2 = "tc.searchsorted"(%0, %1) <{side = "left"}> : (tensor<9xf32>, tensor<4x3xf32>) -> tensor<4x3xi64>
    """  # noqa: E501

    ordered: Value
    values: Value
    side: str

    @staticmethod
    def infer(
        ctx: InferContext, ordered: TensorType, values: TensorType, *, side: str
    ) -> TensorType:
        """Give i64 of the values' shape."""
        require(ordered.rank == 1, "C1", "{}", ordered)
        fits = ordered.element == values.element != I1
        require(fits, "C2", "{} and {}", ordered, values)
        require(side in (ordering.LEFT, ordering.RIGHT), "C3", side)
        return TensorType(values.shape, I64)

    @staticmethod
    def evaluate(ctx: object, ordered: Array, values: Array, *, side: str) -> Array:
        return ordering.search(ordered, values, side)


# Each op that orders rows, and what it gives of them.
ORDERS: Mapping[type[Op], str] = MappingProxyType(
    {cls: cls.gives for cls in (Sort, ArgSort, TopK)}
)
