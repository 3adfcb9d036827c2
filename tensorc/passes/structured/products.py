"""Lower products: a contraction, and what its operands are copied for."""

from collections.abc import Sequence
from dataclasses import replace

from tensorc.ir.attributes import Affine
from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import FMA_ORDER, SEQUENTIAL
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.shape import Transpose
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.structured.views import (
    Lowering,
    MappedRead,
    Read,
    turned,
    whole,
)


def matmul(low: Lowering, op: MatMul) -> MappedRead:
    """Append a product; f16 and bf16 are added up in f32, and rounded at the end.

    Of a product that is read as (a b)^T alone that is made, as b^T a^T, from the same
    sums: nothing is copied.
    """
    type_ = tensor_of(op.result)
    narrow, wide = type_.element, type_.element.accumulator
    lhs, rhs = (low.converted(low.views[v], wide) for v in (op.lhs, op.rhs))
    type_ = replace(type_, element=wide)
    if op.result in low.turned:
        shape = (*type_.shape[:-2], *reversed(type_.shape[-2:]))
        made = product(low, turned(rhs), turned(lhs), replace(type_, shape=shape))
        return low.converted(turned(made), narrow)
    return low.converted(product(low, lhs, rhs, type_), narrow)


def read_turned(ops: Sequence[Op]) -> set[Value]:
    """Return the products of which all readers put the columns before the rows."""
    found: dict[Value, bool] = {}
    for op in ops:
        for value in op.operands:
            if isinstance(value.op, MatMul):
                found[value] = found.get(value, True) and _turns(op)
    return {value for value, all_turn in found.items() if all_turn}


def _turns(op: Op) -> bool:
    if not isinstance(op, Transpose):
        return False
    rows, columns = len(op.permutation) - 2, len(op.permutation) - 1
    return op.permutation.index(columns) < op.permutation.index(rows)


def product(
    low: Lowering, lhs: MappedRead, rhs: MappedRead, type_: TensorType
) -> MappedRead:
    """Append the product of views, batched over the axes before the last two."""
    lhs, rhs = low.inside(lhs), low.inside(rhs)
    if lhs.base is None:
        lhs = whole(low.materialize(lhs))
    if type_.shape[:-1] == (1,) and rhs.axes == (1, 0):
        # One row by a transposed matrix is that matrix by a column: nothing is copied.
        column = TensorType((type_.shape[1], 1), type_.element)
        (result,) = _contract(low, (rhs, (2, 0)), (lhs, (1, 2)), column)
        return MappedRead(type_, result, (1, 0))
    # Kernels pack columns of the right side from wherever they lie; sums of integers
    # with one column are none, and read it as it is.
    if rhs.base is None or not (_runs_along(rhs) or _has_tiles(type_)):
        rhs = whole(low.materialize(rhs))
    batch = tuple(range(type_.rank - 2))
    m, n, k = type_.rank - 2, type_.rank - 1, type_.rank
    reads = (lhs, (*batch, m, k)), (rhs, (*batch, k, n))
    return whole(_contract(low, *reads, type_)[0])


def _has_tiles(type_: TensorType) -> bool:
    """Return whether a product is made in tiles: one column of integers is not.

    The order of its sums is free, so they go along memory, in vectors.
    """
    return type_.element.is_float or type_.shape[-1] != 1


def _runs_along(view: MappedRead) -> bool:
    """Return whether elements along the last axis of a view are neighbours."""
    last, axis = view.axes[-1] if view.axes else None, view.type.rank - 1
    return last == axis or (isinstance(last, Affine) and last.terms == ((axis, 1),))


def _contract(low: Lowering, lhs: Read, rhs: Read, type_: TensorType) -> list[Value]:
    """Append a contraction over the dimension after those of the result."""
    return contract(low, (lhs, rhs), type_, [type_.rank])


def contract(
    low: Lowering, sides: Sequence[Read], type_: TensorType, terms: Sequence[int]
) -> list[Value]:
    """Append a contraction of two sides over dimensions after those of the result."""
    b = low.b

    def fused(values: list[Value]) -> list[Value]:
        return [b.value(math.Fma, *values)]

    def separate(values: list[Value]) -> list[Value]:
        product = b.value(arith.MulI, values[0], values[1])
        return [b.value(arith.AddI, values[2], product)]

    is_float = type_.element.is_float
    return low.loop(
        list(sides),
        [(type_, tuple(range(type_.rank)), 0.0 if is_float else 0)],
        fused if is_float else separate,
        list(terms),
        FMA_ORDER if _has_tiles(type_) else SEQUENTIAL,
    )
