"""Where values stand in the order of others: searches, bins, counts."""

from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    cast,
    common_element,
    materialize,
    size_error,
    spell_shape,
    strong,
)
from tensorc.ir.ops.tensor.order import SearchSorted
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8


def searchsorted(b: Emitter, a: Operand, v: Operand, side: str = "left") -> Operand:
    """Return how many elements of a vector in ascending order come before each value.

    Side "right" counts those that equal the value, too. NaNs are last in an order.
    """
    row = strong(b, a)
    if row.type.rank != 1:
        shape = spell_shape(b.shape(row))
        raise size_error(b, f"searchsorted goes through a vector, got {shape}")
    element = common_element(b, [row, v])
    element = I8 if element == I1 else element
    values = materialize(b, v, element)
    t = TensorBuilder(b.builder)
    made = t(SearchSorted, cast(b, row.value, element), values, side=side)
    return TensorOperand(made)
