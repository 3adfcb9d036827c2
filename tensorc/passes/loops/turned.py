"""Sums of transposed matrices in the order of memory.

Flat element a * n + b lies in memory at row b, column a. So the rows of memory are
added to 16 rows of accumulators, row b to row b mod 16: of a column these are the lanes
of a block, from some lane on. Where a block of a column ends its lanes are added, and
the column begins anew. The first block of a column goes on from what the last one of
the column before it left. That is known only once all rows are added; then the first
rows are added again, to the lanes that each column has from the one before it.

    add all rows; the block at the beginning of each column is not complete: forget it
    shift the lanes by a column
    add the first 1024 rows; the block that ends there is complete

The sums of blocks are kept, and combined in a tree at the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.passes.loops.accumulate import (
    bit_mask,
    load_wide,
    store_wide,
    worker_scratch,
)
from tensorc.passes.loops.lanes import Uniform
from tensorc.passes.loops.reduce_state import At, Reduction, Span, sixteens, step_lanes

# A sum of one block: its number, to the sums of a reduction.
LoadBlock = Callable[[Value], None]


def turned_blocks(r: Reduction, at: At, span: Span, columns: Dim) -> LoadBlock:
    """Emit the sums of all blocks of a span; return what loads one of them.

    `columns` is how many columns a span has at most.
    """
    k = r.rows.k
    _, upper = span
    state = _open(r, span, columns)
    _add_rows(r, at, state, state.lanes, state.extent)
    ends = k.compare("eq", upper, k.mul(state.last, k.index(state.extent)))
    with k.when(ends):  # with a column, whose last block ends there
        column = k.sub(state.last, k.index(1))
        _flush(r, state, state.lanes, column, k.sub(state.count, k.index(1)))
    _shift(r, state)
    _add_rows(r, at, state, state.shifted, BLOCK)

    def load(number: Value) -> None:
        for sums, memref in zip(r.sums, state.blocks, strict=True):
            k.do(memory.Store, k.op(memory.Load, memref, number), sums, k.index(0))

    return load


@dataclass(frozen=True, slots=True)
class _Turned:
    """Columns [first, last) of `extent` rows, and memory for them, one per result."""

    extent: int
    first: Value
    last: Value
    begin: Value  # the number of the first block of the span
    count: Value  # of blocks in it
    width: Value  # of a row of accumulators
    spare: Value  # the number of a block that nobody asks for
    lanes: list[Value]
    shifted: list[Value]
    blocks: list[Value]


def _open(r: Reduction, span: Span, columns: Dim) -> _Turned:
    k = r.rows.k
    lower, upper = span
    extent = r.axes[-1].extent
    assert isinstance(extent, int)
    one, rows = k.index(1), k.index(extent)
    width = ceildiv(columns, LANES) * LANES
    most = ceildiv(columns * extent, BLOCK) + 1
    count = k.add(k.sub(upper, lower), k.index(BLOCK - 1))
    elements = [element for _, element in r.starts]
    rooms = [(width * LANES + LANES), (width * LANES + LANES), most + 1]
    found = [[worker_scratch(k, e, room) for e in elements] for room in rooms]
    state = _Turned(
        extent,
        k.floordiv(lower, rows),
        k.add(k.floordiv(k.sub(upper, one), rows), one),
        k.floordiv(lower, k.index(BLOCK)),
        k.floordiv(count, k.index(BLOCK)),
        k.dim(width),
        k.dim(most),
        *found,
    )
    for (start, element), memref in zip(r.starts, state.lanes, strict=True):
        with k.loop(k.index(0), k.dim(width * LANES), LANES) as loop:
            store_wide(k, memref, loop.index, k.constant(start, element, LANES))
    return state


def _add_rows(
    r: Reduction, at: At, state: _Turned, lanes: Sequence[Value], rows: int
) -> None:
    """Add rows of memory to the accumulators; what ends at a row is flushed before."""
    k = r.rows.k
    first, last = r.axes
    with k.loop(k.index(0), k.index(rows), 1) as loop:
        _flush_at(r, state, lanes, loop.index)
        row = k.mul(bit_mask(k, loop.index, LANES - 1), state.width)
        here = k.sub(row, state.first)
        inside = replace(at, indices={**at.indices, last.dims[0]: Uniform(loop.index)})

        def strip(index: Value, mask: Value | None) -> None:
            place = k.add(here, index)
            held = [load_wide(k, m, place) for m in lanes]
            new = step_lanes(r, inside, first, index, mask, held)
            for memref, value in zip(lanes, new, strict=True):
                store_wide(k, memref, place, value)

        sixteens(r, state.first, state.last, False, strip)


def _flush_at(r: Reduction, state: _Turned, lanes: Sequence[Value], row: Value) -> None:
    """Flush the blocks that end before a row: of each so-manieth column."""
    k = r.rows.k
    shared = gcd(state.extent, BLOCK)
    apart = BLOCK // shared
    inverse = pow(state.extent // shared, -1, apart) if apart > 1 else 0
    number = k.floordiv(row, k.index(shared))
    # column * extent + row is a multiple of a block: column = -number * inverse.
    column = k.sub(k.index(0), k.mul(number, k.index(inverse)))
    offset = bit_mask(k, k.sub(column, state.first), apart - 1)
    with (
        k.when(k.compare("eq", bit_mask(k, row, shared - 1), k.index(0))),
        k.loop(k.add(state.first, offset), state.last, apart) as loop,
    ):
        at = k.add(k.mul(loop.index, k.index(state.extent)), row)
        block = k.sub(k.floordiv(at, k.index(BLOCK)), k.add(state.begin, k.index(1)))
        _flush(r, state, lanes, loop.index, block)


def _flush(
    r: Reduction, state: _Turned, lanes: Sequence[Value], column: Value, block: Value
) -> None:
    """Combine the lanes of a column to the sum of a block, and let it begin anew."""
    k = r.rows.k
    starts = [k.constant(start, element) for start, element in r.starts]
    origin = k.sub(column, state.first)
    first = k.mul(column, k.index(state.extent))
    with k.loop(k.index(0), k.index(LANES), 1, starts) as loop:
        lane = bit_mask(k, k.sub(loop.index, first), LANES - 1)
        place = k.add(k.mul(lane, state.width), origin)
        for combine, total, memref, start in zip(
            r.combines, loop.carried, lanes, starts, strict=True
        ):
            value = k.op(memory.Load, memref, place)
            k.do(memory.Store, start, memref, place)
            loop.yields.append(combine.combine(k, total, value))
    inside = k.op(
        arith.AndI,
        k.compare("sge", block, k.index(0)),
        k.compare("slt", block, state.count),
    )
    number = k.select(inside, block, state.spare)
    for total, memref in zip(loop.results, state.blocks, strict=True):
        k.do(memory.Store, total, memref, number)


def _shift(r: Reduction, state: _Turned) -> None:
    """Let each column go on from the lanes of the one before it."""
    k = r.rows.k
    count = k.sub(state.last, state.first)
    with k.loop(k.index(0), k.index(LANES), 1) as loop:
        lane = bit_mask(k, k.add(loop.index, k.index(state.extent)), LANES - 1)
        source, target = (k.mul(n, state.width) for n in (lane, loop.index))
        with k.loop(k.index(0), count, LANES) as strips:
            for old, new in zip(state.lanes, state.shifted, strict=True):
                values = load_wide(k, old, k.add(source, strips.index))
                place = k.add(target, k.add(strips.index, k.index(1)))
                store_wide(k, new, place, values)
