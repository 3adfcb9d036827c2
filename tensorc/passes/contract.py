"""Emit a contraction: tiles of the result in registers, over blocks of the sum.

For rows [first, last) of result[…, m, n] = sum over k of a[…, m, k] * b[…, k, n]:

    for i in rows, in steps of the tile's height:
      for j in columns, in steps of the tile's width:
        for p in k, in steps of 512:  gemm_tile (adds to the result after the first p)

Rows that are left over take tiles of height 4 and 1. Order: tensorc.ir.numerics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import CONTRACTION_BLOCK
from tensorc.ir.ops import arith, memory
from tensorc.ir.ops.kernels import DYNAMIC, GemmTile
from tensorc.ir.ops.structured import Generic
from tensorc.ir.types import Element, element_type
from tensorc.passes.generics import space
from tensorc.passes.lanes import Storage
from tensorc.passes.loop_builder import LoopBuilder
from tensorc.passes.members import Rows
from tensorc.target import Target


TILE_ROWS = (12, 8, 6, 4, 2, 1)  # each divides a chunk of 48 rows


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand: memory, where its batch starts, and the strides of two dimensions."""

    memref: Value
    at: Value
    row: Value
    column: Value


def tile_size(columns: Dim, element: Element, target: Target) -> tuple[int, int]:
    """Return rows and columns of the tile for so many columns of the result.

    The tile fills the vector registers: of 16 (32 with 512-bit vectors) one holds an
    element of a and as many as the tile is wide hold a row of b.
    """
    registers = 32 if target.vector_bits >= 512 else 16
    lanes = target.vector_bits // element.bits
    narrow = isinstance(columns, int) and columns <= lanes
    vectors = 1 if narrow else registers // 16 + 1
    limit = (registers - vectors - 1) // vectors
    return max(h for h in TILE_ROWS if h <= limit), vectors * lanes


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
    _zero_if_empty(k, depth, c, first, last, columns)
    start = first
    for height in _heights(rows_at_once):
        stop = _last_multiple(k, start, last, height)
        with (
            k.loop(start, stop, height) as row,
            k.loop(k.index(0), columns, width) as at,
        ):
            left = k.minimum(k.sub(columns, at.index), k.index(width))
            with k.loop(k.index(0), depth, CONTRACTION_BLOCK) as block:
                count = k.minimum(k.sub(depth, block.index), k.index(CONTRACTION_BLOCK))
                places = (row.index, at.index, block.index)
                _tile(k, (a, b, c), places, (count, left), (height, width))
        start = stop


def _heights(tallest: int) -> list[int]:
    """Return the tile heights to use, the tallest first; 1 takes what is left."""
    return [h for h in dict.fromkeys((tallest, min(tallest, 4), 1))]


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
    size: tuple[int, int],
) -> None:
    a, b, c = matrices
    i, j, p = places
    strides = [a.row, a.column, b.row, c.row]
    known = [k.known(s) for s in strides]
    given = [s for s, n in zip(strides, known, strict=True) if n is None]
    row, inner, b_row, c_row = (DYNAMIC if n is None else n for n in known)
    k.do(
        GemmTile,
        a.memref,
        _place(k, a, i, p),
        b.memref,
        _place(k, b, p, j),
        c.memref,
        _place(k, c, i, j),
        *counts,
        k.compare("ne", p, k.index(0)),
        *given,
        rows=size[0],
        width=size[1],
        a_strides=(row, inner),
        b_stride=b_row,
        c_stride=c_row,
    )


def _zero_if_empty(
    k: LoopBuilder, depth: Value, c: Matrix, first: Value, last: Value, columns: Value
) -> None:
    """Set the rows to 0 if there is nothing to add."""
    if k.known(depth):
        return
    zero = k.constant(0.0, element_type(c.memref.type))
    nothing = k.compare("eq", depth, k.index(0))
    with (
        k.when(nothing),
        k.loop(first, last, 1) as i,
        k.loop(k.index(0), columns, 1) as j,
    ):
        k.do(memory.Store, zero, c.memref, _place(k, c, i.index, j.index))
