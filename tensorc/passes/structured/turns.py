"""Reductions of what lies the other way round: the iteration takes memory's order.

    x.T.max(1):  (d0 kept, d1 reduced), x at (d1, d0)
    x.max(0):    (d0 reduced, d1 kept), x at (d0, d1)

Both are one computation: what is reduced keeps its order, of what is kept that is free.
The first is written as the second, whose vectors go along memory. So are windows, of
which neighbours lie side by side: (d0 kept, d1 reduced), x at 2 * d0 + d1.
"""

from collections.abc import Sequence

from tensorc.ir.attributes import ArrayAttr, MapResult, terms_of
from tensorc.ir.core import Block
from tensorc.ir.ops.structured.generics import Generic, Index
from tensorc.passes.analysis.generics import (
    MOST_APART,
    extracts,
    is_contraction,
    is_overlap,
    is_shape_only,
)


def turn_reductions(block: Block) -> None:
    """Let reductions of rows that lie across memory reduce down its columns."""
    for op in block.ops:
        if isinstance(op, Generic) and op.reductions and not _is_fixed(op):
            order = _order(op)
            if order is not None:
                _turn(op, order)


def _is_fixed(op: Generic) -> bool:
    return is_contraction(op) or is_overlap(op)


def _order(op: Generic) -> list[int] | None:
    """Return the dimensions as memory has them, if each operand lies across the rows.

    Those of the rows that memory has in front of what is reduced stay there.
    """
    dims = op.maps[0].dims
    kept = [d for d in range(dims) if d not in op.reductions]
    if not kept or [*kept, *op.reductions] != [*range(dims)] or extracts(op):
        return None
    inputs = enumerate(op.maps[: len(op.inputs)])
    read = [m.results for i, m in inputs if not is_shape_only(op, i)]
    across = [results for results in read if _meets(results, op.reductions)]
    if not across or not all(_ends_with(results, kept[-1]) for results in across):
        return None
    front = min(_in_front(results, op.reductions) for results in across)
    return [*kept[:front], *op.reductions, *kept[front:]]


def _meets(results: Sequence[MapResult], dims: Sequence[int]) -> bool:
    return any(dim in dims for result in results for dim, _ in terms_of(result))


def _ends_with(results: Sequence[MapResult], dim: int) -> bool:
    """Return whether neighbours along a dimension lie next to each other, or nearly."""
    terms = terms_of(results[-1])
    most = 1 if len(terms) == 1 else MOST_APART
    return any(d == dim and 0 < step <= most for d, step in terms)


def _in_front(results: Sequence[MapResult], reduced: Sequence[int]) -> int:
    """Return how many leading dimensions an operand has before what is reduced."""
    count = 0
    for result in results:
        terms = [dim for dim, _ in terms_of(result)]
        if any(dim in reduced for dim in terms):
            break
        if terms == [count]:
            count += 1
    return count


def _turn(op: Generic, order: Sequence[int]) -> None:
    """Give the dimensions of an iteration another order."""
    axes = [order.index(dim) for dim in range(len(order))]
    maps = [map_.through(map_.dims, axes) for map_ in op.maps]
    kinds = tuple([op.iterator_types.items[dim] for dim in order])
    op.attributes["indexing_maps"] = ArrayAttr(tuple(maps))
    op.attributes["iterator_types"] = ArrayAttr(kinds)
    for inner in op.body.block.ops:
        if isinstance(inner, Index):
            inner.attributes["dim"] = axes[inner.dim]
