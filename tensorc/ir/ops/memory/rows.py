"""What orders rows of memory, and searches in them."""

from tensorc.ir.arrays import ordering
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_BUFFER
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import InferContext, Values, memory, op, require
from tensorc.ir.types import I64, Type


@op("tc.order_into", levels=AT_BUFFER)
class OrderInto(Op):
    """Fill memory with what `tc.sort` and its kin give of rows, along the last axis.

    Constraints:
      (C1) operand is memory of at least one axis.
      (C2) gives is "values", "indices" or "largest", both; targets are memory of these.

    Example:
      "tc.order_into"(%0, %1) <{gives = "values"}> : (memref<4x3xf32>, memref<4x3xf32>) -> ()
    """  # noqa: E501

    operand: Value
    targets: Values
    gives: str

    @staticmethod
    def infer(
        ctx: InferContext, operand: Type, *targets: Type, gives: str
    ) -> tuple[Type, ...]:
        """Give nothing."""
        given, taken = memory(operand, "C1"), [memory(t, "C2") for t in targets]
        require(given.rank > 0, "C1", "{}", operand)
        wanted = {
            ordering.VALUES: (given.element,),
            ordering.INDICES: (I64,),
            ordering.LARGEST: (given.element, I64),
        }
        fits = wanted.get(gives) == tuple([t.element for t in taken])
        alike = all(t.rank == given.rank for t in taken)
        require(fits and alike, "C2", "{} of {} to {}", gives, operand, targets)
        return ()

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, *targets: Array, gives: str
    ) -> tuple[Array, ...]:
        made = ordering.ordered(operand, gives, targets[0].shape[-1])
        for target, values in zip(targets, made, strict=True):
            target[...] = values
        return ()


@op("tc.search_into", levels=AT_BUFFER)
class SearchInto(Op):
    """Fill memory with where values stand in a row: `tc.searchsorted` on memory.

    Constraints:
      (C1) ordered is memory of one axis, and values of its element type.
      (C2) target is memory of i64 of the rank of values.
      (C3) side is "left" or "right".

    Example:
      "tc.search_into"(%0, %1, %2) <{side = "left"}> : (memref<9xf32>, memref<4x3xf32>, memref<4x3xi64>) -> ()
    """  # noqa: E501

    ordered: Value
    values: Value
    target: Value
    side: str

    @staticmethod
    def infer(
        ctx: InferContext, ordered: Type, values: Type, target: Type, *, side: str
    ) -> tuple[Type, ...]:
        """Give nothing."""
        row, given, taken = memory(ordered, "C1"), memory(values, "C1"), memory(target)
        fits = row.rank == 1 and row.element == given.element
        require(fits, "C1", "{} and {}", ordered, values)
        fits = taken.element == I64 and taken.rank == given.rank
        require(fits, "C2", "{} of {}", target, values)
        require(side in (ordering.LEFT, ordering.RIGHT), "C3", side)
        return ()

    @staticmethod
    def evaluate(
        ctx: object, ordered: Array, values: Array, target: Array, *, side: str
    ) -> tuple[Array, ...]:
        target[...] = ordering.search(ordered, values, side)
        return ()
