"""Elements in their order, and what is made of it: NumPy's options and result types."""

from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    cast,
    strong,
)
from tensorc.frontend.library.reductions import flatten_all, normal_axes
from tensorc.ir.core import Op
from tensorc.ir.ops.tensor.order import ArgSort, Sort
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8


def sort(b: Emitter, x: Operand, axis: int | None = -1) -> Operand:
    """Return the elements in ascending order along an axis; NaNs are last.

    Equal elements keep their order. Without an axis all elements are one row.
    """
    return _in_order(b, Sort, x, axis)


def argsort(b: Emitter, x: Operand, axis: int | None = -1) -> Operand:
    """Return the indices that sort along an axis; equal elements keep their order.

    NaNs are last. Without an axis all elements are one row.
    """
    return _in_order(b, ArgSort, x, axis)


def _in_order(b: Emitter, cls: type[Op], x: Operand, axis: int | None) -> Operand:
    tensor = strong(b, x)
    if axis is None:
        tensor, axis = flatten_all(b, tensor), 0
    element, rank = tensor.type.element, tensor.type.rank
    (at,) = normal_axes(b, axis, rank)
    t = TensorBuilder(b.builder)
    last = [*[i for i in range(rank) if i != at], at]
    back = sorted(range(rank), key=last.__getitem__)
    value = cast(b, tensor.value, I8 if element == I1 else element)
    if at != rank - 1:
        value = t.transpose(value, last)
    made = t(cls, value)
    if at != rank - 1:
        made = t.transpose(made, back)
    return TensorOperand(cast(b, made, element) if cls is Sort else made)
