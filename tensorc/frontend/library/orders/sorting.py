"""Elements in their order, and what is made of it: NumPy's options and result types."""

from collections.abc import Callable, Sequence

from tensorc.frontend.library import indexing
from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.indexing import SlicePart
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    cast,
    number_error,
    size_error,
    strong,
)
from tensorc.frontend.library.reductions import flatten_all, normal_axes
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor.order import ArgSort, Sort, TopK
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8, I64

MOST_DIFFERENCES = 1000  # of differences: each is an op


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


def partition(
    b: Emitter, x: Operand, kth: int | Sequence[int], axis: int | None = -1
) -> Operand:
    """Return all in order: before the k-th none is larger, behind it none less.

    Which of its elements stand where is otherwise not said by NumPy.
    """
    _require_places(b, x, kth, axis)
    return sort(b, x, axis)


def argpartition(
    b: Emitter, x: Operand, kth: int | Sequence[int], axis: int | None = -1
) -> Operand:
    """Return the indices of `partition`, which are those that sort."""
    _require_places(b, x, kth, axis)
    return argsort(b, x, axis)


def _require_places(
    b: Emitter, x: Operand, kth: int | Sequence[int], axis: int | None
) -> None:
    extent = b.shape(rows_of(b, x, axis)[0])[-1]
    places = (kth,) if isinstance(kth, int) else kth
    if not places:
        raise size_error(b, "kth has no place")
    for place in places:
        if isinstance(extent, int) and not -extent <= place < extent:
            raise size_error(b, f"kth is {place} of {extent} elements")


def diff(b: Emitter, x: Operand, n: int = 1, axis: int = -1) -> Operand:
    """Return each element less the one before it, n times; booleans are compared."""
    if not 0 <= n <= MOST_DIFFERENCES:
        raise number_error(b, f"diff: n is from 0 to {MOST_DIFFERENCES}, got {n}")
    tensor = strong(b, x)
    (at,) = normal_axes(b, axis, tensor.type.rank)
    name = "ne" if tensor.type.element == I1 else "sub"
    before = [SlicePart()] * at
    for _ in range(n):
        high, low = (
            indexing.take(b, tensor, [*before, part])
            for part in (SlicePart(1, None), SlicePart(None, -1))
        )
        tensor = strong(b, elementwise(b, name, [high, low]))
    return tensor
