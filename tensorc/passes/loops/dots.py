"""Products with one column, in the order of all products (`passes.loops.tiles`).

Of one result the blocks of terms are chains that wait for nothing. A chain of fused
multiply-adds is as slow as each of them is late, so the 16 blocks of a superblock run
side by side, each in a lane: as many terms as a vector has lanes are transposed in
registers, those of the column once for some rows. What is left after whole superblocks,
and terms that are no neighbours in memory, are chains of scalars: 16, four or one.

Of a matrix whose rows fill a vector, and whose terms are few, each row has a lane.

A row of windows that has few terms (a filter for each channel) is computed as these are
read: no strip of them is copied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES, SUPERBLOCK
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import element_type
from tensorc.passes.loops.accumulate import LEVELS, scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.dot_lanes import LaneDots, Side, each_superblock
from tensorc.passes.loops.lanes import Rep, Uniform, widen
from tensorc.passes.loops.shuffles import first_lanes, load_terms, terms_at_once
from tensorc.passes.loops.tiles import Matrix, place, pushed

DIRECT_TERMS = 25  # of a row of windows, all written out: those of 5 x 5
_FEW = 4  # blocks of the last superblock that run side by side
_ROWS = 2  # rows that share what is transposed of the column
_SIDE_BY_SIDE = 2  # vectors of rows: their chains hide how late each step is
_SETS_BYTES = 2048  # after which lines lie in the same sets, or in one of two
_COUNT = SUPERBLOCK // CONTRACTION_BLOCK


@dataclass(frozen=True, slots=True)
class Dots:
    """A product with one column: its operands, rows, terms, and a vector's lanes."""

    matrices: tuple[Matrix, Matrix, Matrix]
    rows: tuple[Value, Value]
    depth: Value
    lanes: int

    def has_runs(self, k: LoopBuilder) -> bool:
        """Return whether terms of both sides are neighbours in memory."""
        a, b, _ = self.matrices
        return k.known(a.column) == k.known(b.row) == 1


def _emit_dots(k: LoopBuilder, dots: Dots) -> None:
    """Emit rows whose chains are blocks of terms."""
    first, last = dots.rows
    at_once = _ROWS if dots.has_runs(k) and k.known(k.sub(last, first)) != 1 else 1
    zero, c = k.index(0), dots.matrices[2]
    element = element_type(c.memref.type)
    parts = scratch(k, element, LEVELS * at_once)
    start = first
    for count in dict.fromkeys((at_once, 1)):
        steps = k.floordiv(k.sub(last, start), k.index(count))
        stop = last if count == 1 else k.add(start, k.mul(steps, k.index(count)))
        with k.loop(start, stop, count) as row:
            rows = [k.add(row.index, k.index(i)) for i in range(count)]
            for i in range(count):  # of no terms
                k.do(memory.Store, k.constant(0.0, element), parts, k.index(i))
            _superblocks(k, dots, rows, parts)
            for i, index in enumerate(rows):
                total = k.op(memory.Load, parts, k.index(i))
                k.do(memory.Store, total, c.memref, place(k, c, index, zero))
        start = stop


def _superblocks(
    k: LoopBuilder, dots: Dots, rows: Sequence[Value], parts: Value
) -> None:
    """Leave the sums of some rows in the first elements of a stack."""
    zero, one, count = k.index(0), k.index(1), k.index(len(rows))

    def put(sums: Sequence[Value], filled: Value) -> None:
        for i, total in enumerate(sums):
            at = k.add(k.mul(filled, count), k.index(i))
            k.do(memory.Store, total, parts, at)

    def add(part: Value) -> None:
        for i in range(len(rows)):
            later = k.add(k.mul(part, count), k.index(i))
            below = k.sub(later, count)
            pair = [k.op(memory.Load, parts, index) for index in (below, later)]
            k.do(memory.Store, k.op(arith.AddF, *pair), parts, below)

    def take(
        number: Value, sums: Sequence[Value], carried: Sequence[Value]
    ) -> list[Value]:
        (filled,) = carried
        put(sums, filled)
        is_there = k.compare("sge", number, zero)
        return [k.select(is_there, pushed(k, number, filled, add), filled)]

    whole = k.floordiv(dots.depth, k.index(SUPERBLOCK))
    filled = zero
    if k.known(whole) != 0 and dots.has_runs(k):
        a, b, _ = dots.matrices
        sides = [Side(a.memref, place(k, a, row, zero)) for row in rows]
        lane_dots = LaneDots(sides, Side(b.memref, place(k, b, zero, zero)), dots.lanes)
        (filled,) = each_superblock(k, lane_dots, whole, [zero], take)
    elif k.known(whole) != 0:
        with k.loop(zero, whole, 1, [zero]) as loop:
            lower = k.mul(loop.index, k.index(SUPERBLOCK))
            sums = [_side_by_side(k, dots, row, lower) for row in rows]
            loop.yields = take(loop.index, sums, loop.carried)
        (filled,) = loop.results
    lower = k.mul(whole, k.index(SUPERBLOCK))
    with k.loop(lower, dots.depth, SUPERBLOCK, [filled]) as rest:  # once, if at all
        put(_partial(k, dots, rows, (lower, dots.depth)), rest.carried[0])
        rest.yields = [pushed(k, whole, rest.carried[0], add)]
    (filled,) = rest.results
    with k.loop(one, filled, 1) as left:
        add(k.sub(filled, left.index))


def _side_by_side(k: LoopBuilder, dots: Dots, row: Value, lower: Value) -> Value:
    """Return the sum of a whole superblock, each block a chain of scalars."""
    length = k.index(CONTRACTION_BLOCK)
    total, *others = _chains(k, dots, row, lower, _COUNT, length)
    for part in others:
        total = k.op(arith.AddF, total, part)
    return total


def _partial(
    k: LoopBuilder, dots: Dots, rows: Sequence[Value], terms: tuple[Value, Value]
) -> list[Value]:
    """Return the sums of what is left for the last superblock."""
    lower, upper = terms
    several = _FEW * CONTRACTION_BLOCK
    groups = k.op(arith.FloorDivSI, k.sub(upper, lower), k.index(several))
    middle = k.add(lower, k.mul(groups, k.index(several)))
    element = element_type(dots.matrices[2].memref.type)
    start = k.constant(-0.0, element)  # changes nothing
    found = []
    for row in rows:
        with k.loop(lower, middle, several, [start]) as loop:
            length = k.index(CONTRACTION_BLOCK)
            (total,) = loop.carried
            for part in _chains(k, dots, row, loop.index, _FEW, length):
                total = k.op(arith.AddF, total, part)
            loop.yields = [total]
        with k.loop(middle, upper, CONTRACTION_BLOCK, loop.results) as rest:
            left = k.sub(upper, rest.index)
            length = k.minimum(left, k.index(CONTRACTION_BLOCK))
            (part,) = _chains(k, dots, row, rest.index, 1, length)
            rest.yields = [k.op(arith.AddF, rest.carried[0], part)]
        found += rest.results
    return found


def _chains(
    k: LoopBuilder, dots: Dots, row: Value, lower: Value, count: int, length: Value
) -> Sequence[Value]:
    """Return the sums of so many neighbouring blocks of a length, from a term on."""
    a, b, c = dots.matrices
    zero = k.index(0)
    first, second = place(k, a, row, lower), place(k, b, lower, zero)
    starts = [k.constant(0.0, element_type(c.memref.type))] * count
    with k.loop(zero, length, 1, starts) as loop:
        for i, total in enumerate(loop.carried):
            term = k.add(loop.index, k.index(i * CONTRACTION_BLOCK))
            left = k.op(memory.Load, a.memref, k.add(first, k.mul(term, a.column)))
            right = k.op(memory.Load, b.memref, k.add(second, k.mul(term, b.row)))
            loop.yields.append(k.op(math.Fma, left, right, total))
    return loop.results


def sum_of_parts(k: LoopBuilder, given: Value, count: Value) -> Value:
    """Return the sum of subtrees of equal depth, but for the last one; 0 of none."""
    element = element_type(given.type)
    zero = k.index(0)
    stack = scratch(k, element, LEVELS)
    k.do(memory.Store, k.constant(0.0, element), stack, zero)

    def add(part: Value) -> None:
        below = k.sub(part, k.index(1))
        pair = [k.op(memory.Load, stack, at) for at in (below, part)]
        k.do(memory.Store, k.op(arith.AddF, *pair), stack, below)

    with k.loop(zero, count, 1, [zero]) as loop:
        (filled,) = loop.carried
        k.do(memory.Store, k.op(memory.Load, given, loop.index), stack, filled)
        loop.yields = [pushed(k, loop.index, filled, add)]
    (filled,) = loop.results
    with k.loop(k.index(1), filled, 1) as left:
        add(k.sub(filled, left.index))
    return k.op(memory.Load, stack, zero)


def emit_column(k: LoopBuilder, dots: Dots, is_dot: bool) -> Value:
    """Emit rows of a product with one column; return the first one that is left.

    A dot product has one row. None are left where blocks go side by side; where each
    row has a lane, none but those of a chunk with fewer rows than lanes.
    """
    first, last = dots.rows
    known = k.known(dots.depth)
    if is_dot or (known or 0) > SUPERBLOCK:
        _emit_dots(k, dots)
        return last
    first = _emit_columns(k, dots)
    if known is None and dots.has_runs(k):
        many = k.compare("sgt", dots.depth, k.index(SUPERBLOCK))
        with k.when(many):
            _emit_dots(k, dots)
        first = k.select(many, last, first)
    return first


def _emit_columns(k: LoopBuilder, dots: Dots) -> Value:
    """Emit rows that have a lane each, and return the first one that is left.

    All are left if there are fewer than lanes, no terms, or more than a superblock, or
    if terms of a row or results are no neighbours. The last rows, where they are no
    whole vector, are computed with some of those before.
    """
    first, last = dots.rows
    a, _, c = dots.matrices
    if not k.known(a.column) == k.known(c.row) == 1 or k.known(dots.depth) == 0:
        return first
    lanes = k.index(dots.lanes)
    count = k.sub(last, first)
    pays = k.compare("sge", count, lanes)
    if k.known(dots.depth) is None:
        some = k.compare("sgt", dots.depth, k.index(0))
        few = k.compare("sle", dots.depth, k.index(SUPERBLOCK))
        pays = k.op(arith.AndI, pays, k.op(arith.AndI, some, few))
    end = k.select(pays, last, first)
    width = dots.lanes * _SIDE_BY_SIDE
    groups = k.floordiv(k.sub(end, first), k.index(width))
    middle = k.add(first, k.mul(groups, k.index(width)))
    # Lines of rows so far apart share a set of a first cache, which has room for few.
    far = k.index(_SETS_BYTES // element_type(c.memref.type).bytes)
    shared = k.compare("eq", a.row, k.mul(k.floordiv(a.row, far), far))
    middle = k.select(shared, first, middle)
    with k.loop(first, middle, width) as row:
        _rows(k, dots, row.index, _SIDE_BY_SIDE)
    with k.loop(middle, end, dots.lanes) as row:
        _rows(k, dots, k.minimum(row.index, k.sub(end, lanes)), 1)
    return end


def _rows(k: LoopBuilder, dots: Dots, row: Value, vectors: int) -> None:
    """Emit the rows of so many vectors, from one on."""
    c, depth, lanes = dots.matrices[2], dots.depth, dots.lanes
    start = k.constant(-0.0, element_type(c.memref.type), lanes)  # changes nothing
    rows = [k.add(row, k.index(i * lanes)) for i in range(vectors)]
    with k.loop(k.index(0), depth, CONTRACTION_BLOCK, [start] * vectors) as block:
        left = k.sub(depth, block.index)
        upper = k.add(block.index, k.minimum(left, k.index(CONTRACTION_BLOCK)))
        parts = _rows_of_block(k, dots, rows, (block.index, upper))
        pairs = zip(block.carried, parts, strict=True)
        block.yields = [k.op(arith.AddF, total, part) for total, part in pairs]
    for index, total in zip(rows, block.results, strict=True):
        at = place(k, c, index, k.index(0))
        k.do(vector.MaskedStore, c.memref, at, k.mask(lanes, lanes), total)


def _rows_of_block(
    k: LoopBuilder, dots: Dots, rows: Sequence[Value], terms: tuple[Value, Value]
) -> list[Value]:
    """Return the sums of a block of terms for some vectors of rows."""
    element = element_type(dots.matrices[2].memref.type)
    step = terms_at_once(dots.lanes, element)
    lower, upper = terms
    whole = k.floordiv(k.sub(upper, lower), k.index(step))
    middle = k.add(lower, k.mul(whole, k.index(step)))
    starts = [k.constant(0.0, element, dots.lanes)] * len(rows)
    with k.loop(lower, middle, step, starts) as loop:
        loop.yields = _fused(k, dots, rows, loop.index, None, loop.carried)
    with k.loop(middle, upper, step, loop.results) as rest:  # once, if at all
        left = k.sub(upper, middle)
        rest.yields = _fused(k, dots, rows, middle, left, rest.carried)
    return rest.results


def _fused(
    k: LoopBuilder,
    dots: Dots,
    rows: Sequence[Value],
    term: Value,
    left: Value | None,
    totals: Sequence[Value],
) -> list[Value]:
    """Add as many terms as are transposed at once, or only so many as are `left`."""
    a, b, _ = dots.matrices
    known = None if left is None else k.known(left)
    found = []
    for row, total in zip(rows, totals, strict=True):
        places = [
            place(k, a, k.add(row, k.index(lane)), term) for lane in range(dots.lanes)
        ]
        for number, x in enumerate(load_terms(k, a.memref, places, left)[:known]):
            here = index = k.add(term, k.index(number))
            if known is None and left is not None:
                last = k.sub(k.add(term, left), k.index(1))
                here = k.minimum(index, last)
            y = k.op(memory.Load, b.memref, place(k, b, here, k.index(0)))
            y = k.op(vector.Broadcast, y, types=[x.type])
            new = k.op(math.Fma, x, y, total)
            if known is None and left is not None:
                new = k.select(k.compare("eq", here, index), new, total)
            total = new
        found.append(total)
    return found


@dataclass(frozen=True, slots=True)
class Sums:
    """A row of a contraction that is computed while its right side is read."""

    left: Matrix
    result: Matrix

    def put(
        self, k: LoopBuilder, column: Value, lanes: Value, found: Iterable[Rep]
    ) -> None:
        """Write the sums of so many columns; `found` is what these are at each term."""
        zero, element = k.index(0), element_type(self.result.memref.type)
        total = k.constant(0.0, element, LANES)
        for number, elements in enumerate(found):
            at = place(k, self.left, zero, k.index(number))
            factor = widen(k, Uniform(k.op(memory.Load, self.left.memref, at)))
            total = k.op(math.Fma, factor, widen(k, elements), total)
        at = place(k, self.result, zero, column)
        mask = first_lanes(k, lanes)
        k.do(vector.MaskedStore, self.result.memref, at, mask, total)
