"""Elements in their order, and what is made of it: NumPy's options and result types."""

from collections.abc import Callable

from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    cast,
    size_error,
    strong,
)
from tensorc.frontend.library.reductions import flatten_all, normal_axes
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor.order import ArgSort, Sort, TopK
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8, I64


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


def topk(
    b: Emitter, x: Operand, k: int, axis: int | None = -1
) -> tuple[Operand, Operand]:
    """Return the k largest elements along an axis, descending, and their indices.

    Of equal elements the first come first; NaNs are largest. Without an axis all
    elements are one row.
    """
    tensor, turn = rows_of(b, x, axis)
    extent = b.shape(tensor)[-1]
    if k < 0 or (isinstance(extent, int) and k > extent):
        raise size_error(b, f"topk: a row of {extent} has no {k} largest elements")
    value, index = TensorBuilder(b.builder).results(TopK, tensor.value, count=k)
    element = strong(b, x).type.element
    return TensorOperand(cast(b, turn(value), element)), TensorOperand(turn(index))


def _in_order(b: Emitter, cls: type[Op], x: Operand, axis: int | None) -> Operand:
    tensor, turn = rows_of(b, x, axis)
    made = turn(TensorBuilder(b.builder)(cls, tensor.value))
    return TensorOperand(
        cast(b, made, strong(b, x).type.element if cls is Sort else I64)
    )


def rows_of(
    b: Emitter, x: Operand, axis: int | None
) -> tuple[TensorOperand, Callable[[Value], Value]]:
    """Return numbers with an axis as the last one, and what puts the axis back.

    Without an axis all elements are one row.
    """
    tensor = strong(b, x)
    if axis is None:
        tensor, axis = flatten_all(b, tensor), 0
    rank = tensor.type.rank
    (at,) = normal_axes(b, axis, rank)
    t = TensorBuilder(b.builder)
    element = tensor.type.element
    value = cast(b, tensor.value, I8 if element == I1 else element)
    if at == rank - 1:
        return TensorOperand(value), lambda made: made
    last = [*[i for i in range(rank) if i != at], at]
    back = sorted(range(rank), key=last.__getitem__)
    return TensorOperand(t.transpose(value, last)), lambda made: t.transpose(made, back)
