"""Emit a contraction: tiles of the result in registers, over blocks of the sum.

For rows [first, last) of result[…, m, n] = sum over k of a[…, m, k] * b[…, k, n]:

    for j in columns, in steps of the tile's width:
      for p in k, in steps of 512:
        for i in rows, in steps of the tile's height:  gemm_tile (adds if p > 0)

So a strip of b is fetched once for all rows of a chunk. Rows that are left over take
lower tiles. Order of additions: tensorc.ir.numerics.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import DYNAMIC, GemmTile
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import I1, element_type
from tensorc.passes.analysis.generics import space
from tensorc.passes.loops.accumulate import scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Counter, Point, Storage, Uniform, read, write
from tensorc.passes.loops.rows import tail_mask
from tensorc.passes.loops.rows_state import Rows
from tensorc.passes.schedule.cpu import reads_along_rows, tile_heights, tile_size


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand: memory, where its batch starts, and the strides of two dimensions."""

    memref: Value
    at: Value
    row: Value
    column: Value


@dataclass(frozen=True, slots=True)
class TileSize:
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
    panel = Matrix(rows.panel, k.index(0), k.index(width), k.index(1))
    _copy_rows(k, b, panel, k.dim(extents[inner]), k.index(columns))


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
    size = TileSize(rows_at_once, width, padded)
    product = _Product((a, b, c), (first, last), (left, right), depth, size)
    copied = rows.panel is None and _copies_pay(k, extents, first, last)
    if copied is False:
        _strips(k, product, None)
        return
    memref = scratch(k, element, CONTRACTION_BLOCK * width)
    strip = Matrix(memref, k.index(0), k.index(width), k.index(1))
    if copied is True:
        _strips(k, product, strip)
        return
    with k.when(copied):
        _strips(k, product, strip)
    with k.when(k.op(arith.XOrI, copied, k.constant(1, I1))):
        _strips(k, product, None)


@dataclass(frozen=True, slots=True)
class _Product:
    """A part of a product: rows and columns of c = a b, and the terms of all sums."""

    matrices: tuple[Matrix, Matrix, Matrix]
    rows: tuple[Value, Value]
    columns: tuple[Value, Value]
    depth: Value
    size: TileSize


# A copy of a strip of the right side pays from so many rows, columns and terms on.
# Far rows of a large matrix share sets of the cache and pages; in the copy they lie
# together.
_LEAST = (32, 256, 128)


def _copies_pay(
    k: LoopBuilder, extents: Sequence[Dim], first: Value, last: Value
) -> Value | bool:
    """Return whether strips are to be copied: yes, no, or known at the call."""
    here = (extents[-3], extents[-2], extents[-1])
    pairs = list(zip(here, _LEAST, strict=True))
    if any(isinstance(extent, int) and extent < least for extent, least in pairs):
        return False
    if all(isinstance(extent, int) for extent in here):
        return True
    counts = (k.sub(last, first), k.dim(extents[-2]), k.dim(extents[-1]))
    tests = [
        k.compare("sge", count, k.index(least))
        for count, (_, least) in zip(counts, pairs, strict=True)
        if k.known(count) is None
    ]
    return functools.reduce(lambda x, y: k.op(arith.AndI, x, y), tests)


def _strips(k: LoopBuilder, product: _Product, strip: Matrix | None) -> None:
    """Emit the tiles of a product, strip by strip of its columns."""
    (a, b, c), depth, tile = product.matrices, product.depth, product.size
    left, right = product.columns
    heights = _heights(k, *product.rows, tile.rows)
    with k.loop(left, right, tile.width) as at:
        lanes = k.minimum(k.sub(right, at.index), k.index(tile.width))
        with k.loop(k.index(0), depth, CONTRACTION_BLOCK) as block:
            count = k.minimum(k.sub(depth, block.index), k.index(CONTRACTION_BLOCK))
            origin = Matrix(
                b.memref, _place(k, b, block.index, at.index), b.row, b.column
            )
            if strip is not None:
                _copy_rows(k, origin, strip, count, lanes)
                origin = strip
            for start, stop, height in heights:
                with k.loop(start, stop, height) as row:
                    operands = [
                        *(a.memref, _place(k, a, row.index, block.index)),
                        *(origin.memref, origin.at),
                        *(c.memref, _place(k, c, row.index, at.index)),
                    ]
                    strides = (a.row, a.column, origin.row, c.row)
                    padded = tile.padded or strip is not None
                    size = TileSize(height, tile.width, padded, height == tile.rows)
                    _call(k, operands, strides, (count, lanes), block.index, size)


def _copy_rows(
    k: LoopBuilder, source: Matrix, target: Matrix, count: Value, columns: Value
) -> None:
    """Copy `count` rows to rows as wide as a tile; beyond the columns they are 0."""
    width = k.known(target.row)
    assert width is not None
    there = Storage(source.memref, (k.index(1), source.row, source.column))
    here = Storage(target.memref, (target.row, target.column))
    starts = range(0, width, LANES)
    masks = [tail_mask(k, k.sub(columns, k.index(start))) for start in starts]
    with k.loop(k.index(0), count, 1) as loop:
        for start, mask in zip(starts, masks, strict=True):
            at = Counter(k.index(start))
            given = Point((), mask)
            row = read(k, there, [Uniform(source.at), Uniform(loop.index), at], given)
            taken = Point((), k.mask(min(LANES, width - start)))
            write(k, here, [Uniform(loop.index), at], row, taken)


def _heights(
    k: LoopBuilder, first: Value, last: Value, tallest: int
) -> list[tuple[Value, Value, int]]:
    """Cut rows for tiles: start, stop and height of each kind."""
    found = []
    start = first
    for height in tile_heights(tallest):
        stop = _last_multiple(k, start, last, height)
        if k.known(start) is None or k.known(start) != k.known(stop):
            found.append((start, stop, height))
        start = stop
    return found


def _transposed(
    rows: Rows,
    matrices: tuple[Matrix, Matrix, Matrix],
    limits: tuple[Value, Value],
    columns: int,
    depth: Value,
) -> None:
    """Emit few columns of a product whose left side is transposed: vectors along rows.

    The tile computes the transposed result in scratch, where no lane is idle; its
    elements are then put where they belong.
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
                    size = TileSize(rows_at_once, width, tallest=tall)
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


def _call(
    k: LoopBuilder,
    operands: Sequence[Value],
    strides: tuple[Value, Value, Value, Value],
    counts: tuple[Value, Value],
    term: Value,
    size: TileSize,
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
