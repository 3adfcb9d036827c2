"""Parts of the terms of a weight's gradient, which run apart: it has few results.

A part is superblocks, as many as a power of two. What each comes to lies in the arena,
[parts, rows * columns]; the kernel of the group adds it up, in the contract's order.
"""

from dataclasses import replace

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv, elements
from tensorc.ir.numerics import SUPERBLOCK
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import roles, space
from tensorc.passes.loops.accumulate import LEVELS, shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.rows_state import Rows
from tensorc.passes.loops.tiles import (
    Copies,
    Matrix,
    Product,
    Strip,
    TileSize,
    move_rows,
    place,
    stacked,
    zero_if_empty,
)
from tensorc.passes.loops.windows import emit_strips, open_windows, result_of

ADDED = 64  # columns that are added up at a time


def emit_window_parts(
    rows: Rows,
    op: Generic,
    split: int,
    parts: Value,
    ends: tuple[Value, Value],
    size: TileSize,
) -> Dim:
    """Emit parts of `split` terms of a contraction; return how many there are.

    `ends` are the chunks to run, which are parts; each leaves all rows and columns.
    """
    k, (count, columns, depth) = rows.k, _sizes(rows, op)
    zero, all_terms = k.index(0), k.dim(depth)
    product, copy = open_windows(rows, op, [], (zero, k.dim(count)), None, size)
    with k.loop(*ends, 1) as chunk:
        lower = k.mul(chunk.index, k.index(split))
        terms = k.minimum(k.sub(all_terms, lower), k.index(split))
        begun = k.mul(chunk.index, k.dim(count * columns))
        target = Matrix(parts, begun, k.dim(columns), k.index(1))
        part = _moved(k, product, lower)
        a, b, _ = part.matrices
        whole = replace(part, matrices=(a, b, target), depth=terms)
        emit_strips(k, replace(whole, is_short=split <= SUPERBLOCK), copy)
    return ceildiv(depth, split)


def emit_window_sum(
    rows: Rows, op: Generic, split: int, parts: Value, limits: tuple[Value, Value]
) -> None:
    """Emit some rows of a contraction: the sums of its parts."""
    k, (count, columns, depth) = rows.k, _sizes(rows, op)
    c = result_of(rows, op, [])
    span = (k.index(0), k.dim(columns)) if rows.span is None else rows.span
    zero_if_empty(k, k.dim(depth), c, limits, span)
    one, width = k.index(1), k.index(ADDED)
    stack = shared_scratch(k, "parts", element_type(c.memref.type), LEVELS * ADDED)

    def waiting(number: Value) -> Matrix:
        return Matrix(stack, k.mul(number, width), width, one)

    number = k.dim(ceildiv(depth, split))
    some = k.compare("sgt", number, k.index(0))
    with k.when(some), k.loop(*limits, 1) as row, k.loop(*span, ADDED) as column:
        lanes = k.minimum(k.sub(span[1], column.index), width)
        here = k.add(k.mul(row.index, k.dim(columns)), column.index)

        def load(lower: Value, upper: Value, top: Value) -> None:
            part = k.mul(k.floordiv(lower, k.index(SUPERBLOCK)), k.dim(count * columns))
            source = Matrix(parts, k.add(part, here), width, one)
            move_rows(k, source, waiting(top), one, lanes, add=False)

        def add(top: Value) -> None:
            below = waiting(k.sub(top, one))
            move_rows(k, waiting(top), below, one, lanes, add=True)

        stacked(k, k.mul(number, k.index(SUPERBLOCK)), load, add)
        target = replace(c, at=place(k, c, row.index, column.index))
        move_rows(k, waiting(k.index(0)), target, one, lanes, add=False)


def _sizes(rows: Rows, op: Generic) -> tuple[Dim, Dim, Dim]:
    """Return how many rows, columns and terms there are."""
    dims, extents = roles(op), space(op, [rows.shapes[v] for v in op.operands])
    columns = elements(extents[d] for d in dims.columns)
    return extents[dims.row], columns, elements(extents[d] for d in dims.terms)


def _moved(k: LoopBuilder, product: Product, lower: Value) -> Product:
    """Return a product whose term 0 is another one of the whole."""
    (a, b, c), copies = product.matrices, product.copies
    assert copies is not None
    right, left = copies.right, copies.left

    def copy_right(strip: Strip, first: Value, count: Value) -> None:
        right(strip, k.add(first, lower), count)

    def copy_left(
        side: Matrix, rows: tuple[Value, Value], first: Value, count: Value
    ) -> Matrix:
        assert left is not None
        made = left(side, rows, k.add(first, lower), count)
        return replace(made, at=k.add(made.at, lower))

    if left is None:
        a = replace(a, at=place(k, a, k.index(0), lower))
    moved = Copies(copy_right, None if left is None else copy_left)
    return replace(product, matrices=(a, b, c), copies=moved)
