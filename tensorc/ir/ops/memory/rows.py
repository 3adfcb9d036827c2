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
      (C2) gives is "values" or "indices"; targets are memory of these.

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
        wanted = {ordering.VALUES: (given.element,), ordering.INDICES: (I64,)}
        fits = wanted.get(gives) == tuple([t.element for t in taken])
        alike = all(t.rank == given.rank for t in taken)
        require(fits and alike, "C2", "{} of {} to {}", gives, operand, targets)
        return ()

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, *targets: Array, gives: str
    ) -> tuple[Array, ...]:
        for target, made in zip(targets, ordering.ordered(operand, gives), strict=True):
            target[...] = made
        return ()
