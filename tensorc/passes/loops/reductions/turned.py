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
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Uniform
from tensorc.passes.loops.reductions.reduce_state import (
    At,
    Reduction,
    Span,
    sixteens,
    step_lanes,
)

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
    ends = k.compare("eq", upper, k.mul(state.last, state.extent))
    with k.when(ends):  # with a column, whose last block ends there
        column = k.sub(state.last, k.index(1))
        _flush(r, state, state.lanes, column, k.sub(state.count, k.index(1)))
    _shift(r, state)
    _add_rows(r, at, state, state.shifted, k.index(BLOCK))

    def load(number: Value) -> None:
        for sums, memref in zip(r.sums, state.blocks, strict=True):
            k.do(memory.Store, k.op(memory.Load, memref, number), sums, k.index(0))

    return load


@dataclass(frozen=True, slots=True)
class _Steps:
    """Where blocks end: at rows that are multiples of `shared`, every `apart` columns.

    Column * extent + row is a multiple of a block where the column is, apart from
    multiples of `apart`, -(row / shared) * inverse. So shared is the common divisor of
    extent and block, apart the rest of the block, and inverse that of the rest of the
    extent.
    """

    shared: Value
    apart: Value
    inverse: Value


def _steps(k: LoopBuilder, extent: Value) -> _Steps:
    known = k.known(extent)
    if known is not None:
        shared = gcd(known, BLOCK)
        apart = BLOCK // shared
        inverse = pow(known // shared, -1, apart) if apart > 1 else 0
        return _Steps(k.index(shared), k.index(apart), k.index(inverse))
    zero, block = k.index(0), k.index(BLOCK)
    lowest = k.op(arith.AndI, extent, k.sub(zero, extent))
    divisor = k.minimum(lowest, block)
    odd = bit_mask(k, k.floordiv(extent, divisor), BLOCK - 1)
    # Of an odd number the square is 1, but for multiples of 8; each round doubles that.
    found = odd
    for _ in range(2):
        rest = k.sub(k.index(2), k.mul(odd, found))
        found = bit_mask(k, k.mul(found, rest), BLOCK - 1)
    return _Steps(divisor, k.floordiv(block, divisor), found)


def _low_bits(k: LoopBuilder, number: Value, power: Value) -> Value:
    """Return a number modulo a power of two."""
    return k.op(arith.AndI, number, k.sub(power, k.index(1)))


@dataclass(frozen=True, slots=True)
class _Turned:
    """Columns [first, last) of `extent` rows, and memory for them, one per result."""

    extent: Value
    steps: _Steps
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
    one, rows = k.index(1), k.dim(extent)
    width = ceildiv(columns, LANES) * LANES
    most = ceildiv(columns * extent, BLOCK) + 1
    count = k.add(k.sub(upper, lower), k.index(BLOCK - 1))
    elements = [element for _, element in r.starts]
    rooms = [(width * LANES + LANES), (width * LANES + LANES), most + 1]
    found = [[worker_scratch(k, e, room) for e in elements] for room in rooms]
    state = _Turned(
        rows,
        _steps(k, rows),
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
    r: Reduction, at: At, state: _Turned, lanes: Sequence[Value], rows: Value
) -> None:
    """Add rows of memory to the accumulators; what ends at a row is flushed before."""
    k = r.rows.k
    first, last = r.axes
    with k.loop(k.index(0), rows, 1) as loop:
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
    """Flush the blocks that end before a row: of every `apart`-th column."""
    k = r.rows.k
    steps = state.steps
    number = k.floordiv(row, steps.shared)
    column = k.sub(k.index(0), k.mul(number, steps.inverse))
    offset = _low_bits(k, k.sub(column, state.first), steps.apart)
    first = k.add(state.first, offset)
    rest = k.add(k.sub(state.last, first), k.sub(steps.apart, k.index(1)))
    here = _low_bits(k, row, steps.shared)
    with (
        k.when(k.compare("eq", here, k.index(0))),
        k.loop(k.index(0), k.floordiv(rest, steps.apart), 1) as loop,
    ):
        found = k.add(first, k.mul(loop.index, steps.apart))
        at = k.add(k.mul(found, state.extent), row)
        block = k.sub(k.floordiv(at, k.index(BLOCK)), k.add(state.begin, k.index(1)))
        _flush(r, state, lanes, found, block)


def _flush(
    r: Reduction, state: _Turned, lanes: Sequence[Value], column: Value, block: Value
) -> None:
    """Combine the lanes of a column to the sum of a block, and let it begin anew."""
    k = r.rows.k
    starts = [k.constant(start, element) for start, element in r.starts]
    origin = k.sub(column, state.first)
    first = k.mul(column, state.extent)
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
        lane = bit_mask(k, k.add(loop.index, state.extent), LANES - 1)
        source, target = (k.mul(n, state.width) for n in (lane, loop.index))
        with k.loop(k.index(0), count, LANES) as strips:
            for old, new in zip(state.lanes, state.shifted, strict=True):
                values = load_wide(k, old, k.add(source, strips.index))
                place = k.add(target, k.add(strips.index, k.index(1)))
                store_wide(k, new, place, values)
