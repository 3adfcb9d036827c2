"""Emit a contraction: tiles of the result in registers, over blocks of the sum.

For rows [first, last) of result[…, m, n] = sum over k of a[…, m, k] * b[…, k, n]:

    for j in columns, in steps of the tile's width:
      for p in k, in steps of 512:
        for i in rows, in steps of the tile's height:  gemm_tile (adds if p > 0)

So a strip of b is fetched once for all rows of a chunk. Rows that are left over take
lower tiles. Order of additions: tensorc.ir.numerics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES
from tensorc.ir.ops import arith, memory
from tensorc.ir.ops.kernels import DYNAMIC, GemmTile
from tensorc.ir.ops.structured import Generic
from tensorc.ir.types import element_type
from tensorc.passes.accumulate import scratch
from tensorc.passes.generics import space
from tensorc.passes.lanes import Counter, Point, Rep, Storage, Uniform, read, write
from tensorc.passes.loop_builder import LoopBuilder
from tensorc.passes.members import Rows
from tensorc.passes.tiles import reads_along_rows, tile_heights, tile_size


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand: memory, where its batch starts, and the strides of two dimensions."""

    memref: Value
    at: Value
    row: Value
    column: Value


@dataclass(frozen=True, slots=True)
class Size:
    """A micro-kernel's schedule (see `tc.gemm_tile`)."""

    rows: int
    width: int
    padded: bool = False
    tallest: bool = True


def emit_panel(rows: Rows, op: Generic) -> None:
    """Copy the right side of a contraction to the panel, its rows padded with 0."""
    k = rows.k
    if rows.panel is None:
        return
    extents = space(op, [rows.shapes[v] for v in op.operands])
    n, inner = len(extents) - 2, len(extents) - 1
    value, map_ = op.operands[1], op.maps[1]
    b = _matrix(k, rows.storages[value], map_.results, [], inner, n)
    columns = extents[n]
    assert isinstance(columns, int)
    _, width = tile_size(columns, element_type(b.memref.type), rows.target)
    with k.loop(k.index(0), k.dim(extents[inner]), 1) as loop:
        source = Storage(b.memref, (b.row, b.column))
        target = Storage(rows.panel, (k.index(width), k.index(1)))
        for start in range(0, width, LANES):  # a tile may be wider than our vectors
            places: list[Rep] = [Uniform(loop.index), Counter(k.index(start))]
            given, taken = (max(0, min(n - start, LANES)) for n in (columns, width))
            row = read(k, source, places, Point((), k.mask(given)))
            write(k, target, places, row, Point((), k.mask(taken)))


def emit_contraction(
    rows: Rows, op: Generic, batch: Sequence[Value], first: Value, last: Value
) -> None:
    """Emit rows [first, last) of a contraction at one index of its batch."""
    k = rows.k
    extents = space(op, [rows.shapes[v] for v in op.operands])
    m, n, inner = len(extents) - 3, len(extents) - 2, len(extents) - 1
    axes = [(m, inner), (inner, n), (m, n)]
    a, b, c = (
        _matrix(k, rows.storages[v], map_.results, batch, *pair)
        for v, map_, pair in zip(op.operands, op.maps, axes, strict=True)
    )
    depth, columns = k.dim(extents[inner]), k.dim(extents[n])
    element = element_type(c.memref.type)
    rows_at_once, width = tile_size(extents[n], element, rows.target)
    static = extents[n]
    if isinstance(static, int) and reads_along_rows(op, static):
        _transposed(rows, (a, b, c), (first, last), static, depth)
        return
    left, right = (k.index(0), columns) if rows.span is None else rows.span
    _zero_if_empty(k, depth, c, (first, last), (left, right))
    if rows.panel is not None:
        b = Matrix(rows.panel, k.index(0), k.index(width), k.index(1))
    padded = rows.panel is not None or extents[n] == width
    strips = _strips(k, first, last, rows_at_once)
    with k.loop(left, right, width) as at:
        lanes = k.minimum(k.sub(right, at.index), k.index(width))
        with k.loop(k.index(0), depth, CONTRACTION_BLOCK) as block:
            count = k.minimum(k.sub(depth, block.index), k.index(CONTRACTION_BLOCK))
            for start, stop, height in strips:
                with k.loop(start, stop, height) as row:
                    places = (row.index, at.index, block.index)
                    size = Size(height, width, padded, height == rows_at_once)
                    _tile(k, (a, b, c), places, (count, lanes), size)


def _strips(
    k: LoopBuilder, first: Value, last: Value, tallest: int
) -> list[tuple[Value, Value, int]]:
    """Cut rows into strips for tiles: start, stop and height of each kind."""
    strips = []
    start = first
    for height in tile_heights(tallest):
        stop = _last_multiple(k, start, last, height)
        if k.known(start) is None or k.known(start) != k.known(stop):
            strips.append((start, stop, height))
        start = stop
    return strips


def _transposed(
    rows: Rows,
    matrices: tuple[Matrix, Matrix, Matrix],
    limits: tuple[Value, Value],
    columns: int,
    depth: Value,
) -> None:
    """Emit few columns of a product whose left side is transposed: vectors along rows.

    The tile computes the transposed result in scratch, where no lane is idle; its
    elements are then put into their places.
    """
    k = rows.k
    a, b, c = matrices
    element = element_type(c.memref.type)
    tallest, width = tile_size(None, element, rows.target)
    height = next((h for h in (tallest, tallest - 1) if columns % h == 0), tallest)
    memref = scratch(k, element, columns * width)
    zero = k.index(0)
    buffer = Matrix(memref, zero, k.index(width), k.index(1))
    left = Matrix(b.memref, b.at, b.column, b.row)
    right = Matrix(a.memref, a.at, a.column, a.row)
    first, last = limits
    whole = (zero, k.index(columns))
    _zero_if_empty(k, depth, buffer, whole, (zero, k.index(width)))
    with k.loop(first, last, width) as strip:
        count = k.minimum(k.sub(last, strip.index), k.index(width))
        with k.loop(zero, depth, CONTRACTION_BLOCK) as block:
            terms = k.minimum(k.sub(depth, block.index), k.index(CONTRACTION_BLOCK))
            start = 0
            for rows_at_once in tile_heights(height):
                stop = columns - (columns - start) % rows_at_once
                with k.loop(k.index(start), k.index(stop), rows_at_once) as row:
                    at = _place(k, right, block.index, strip.index)
                    operands = [
                        *(left.memref, _place(k, left, row.index, block.index)),
                        *(right.memref, at),
                        *(memref, _place(k, buffer, row.index, zero)),
                    ]
                    tall = rows_at_once == height
                    size = Size(rows_at_once, width, tallest=tall)
                    strides = (left.row, left.column, right.row, buffer.row)
                    _call(k, operands, strides, (terms, count), block.index, size)
                start = stop
        with k.loop(zero, count, 1) as i, k.loop(zero, k.index(columns), 1) as j:
            value = k.op(memory.Load, memref, _place(k, buffer, j.index, i.index))
            row_index = k.add(strip.index, i.index)
            k.do(memory.Store, value, c.memref, _place(k, c, row_index, j.index))


def _last_multiple(k: LoopBuilder, start: Value, last: Value, height: int) -> Value:
    """Return where the full tiles of that height end."""
    if height == 1:
        return last
    distance = k.sub(last, start)
    known = k.known(distance)
    if known is not None:
        return k.add(start, k.index(known // height * height))
    tiles = k.op(arith.FloorDivSI, distance, k.index(height))
    return k.add(start, k.mul(tiles, k.index(height)))


def _matrix(
    k: LoopBuilder,
    storage: Storage,
    results: tuple[int | None, ...],
    batch: Sequence[Value],
    row: int,
    column: int,
) -> Matrix:
    at, strides = k.index(0), {row: k.index(0), column: k.index(0)}
    for dim, stride in zip(results, storage.strides, strict=True):
        if dim is None:
            continue
        if dim < len(batch):
            at = k.add(at, k.mul(batch[dim], stride))
        else:
            strides[dim] = stride
    return Matrix(storage.memref, at, strides[row], strides[column])


def _place(k: LoopBuilder, matrix: Matrix, row: Value, column: Value) -> Value:
    offset = k.add(k.mul(row, matrix.row), k.mul(column, matrix.column))
    return k.add(matrix.at, offset)


def _tile(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    places: tuple[Value, Value, Value],
    counts: tuple[Value, Value],
    size: Size,
) -> None:
    """Emit the tile at row i, column j and term p of a product."""
    a, b, c = matrices
    i, j, p = places
    operands = [
        *(a.memref, _place(k, a, i, p)),
        *(b.memref, _place(k, b, p, j)),
        *(c.memref, _place(k, c, i, j)),
    ]
    _call(k, operands, (a.row, a.column, b.row, c.row), counts, p, size)


def _call(
    k: LoopBuilder,
    operands: Sequence[Value],
    strides: tuple[Value, Value, Value, Value],
    counts: tuple[Value, Value],
    term: Value,
    size: Size,
) -> None:
    """Append the micro-kernel; what is not the first block of terms is added."""
    # Only the tallest tiles are worth code for their strides alone.
    known = [k.known(s) if size.tallest else None for s in strides]
    given = [s for s, n in zip(strides, known, strict=True) if n is None]
    row, inner, b_row, c_row = (DYNAMIC if n is None else n for n in known)
    k.do(
        GemmTile,
        *operands,
        *counts,
        k.compare("ne", term, k.index(0)),
        *given,
        rows=size.rows,
        width=size.width,
        a_strides=(row, inner),
        b_stride=b_row,
        c_stride=c_row,
        padded=size.padded,
    )


def _zero_if_empty(
    k: LoopBuilder,
    depth: Value,
    c: Matrix,
    rows: tuple[Value, Value],
    columns: tuple[Value, Value],
) -> None:
    """Set a part of the result to 0 if there is nothing to add."""
    if k.known(depth):
        return
    zero = k.constant(0.0, element_type(c.memref.type))
    nothing = k.compare("eq", depth, k.index(0))
    with k.when(nothing), k.loop(*rows, 1) as i, k.loop(*columns, 1) as j:
        k.do(memory.Store, zero, c.memref, _place(k, c, i.index, j.index))
