"""Emit reductions over several dimensions, or down the rows, in the order of memory.

What a member keeps and what it reduces are flat indices each. Its axes are walked as
they lie in memory (`passes/analysis/walks.py`), with accumulators for a piece of what
it keeps in scratch. The elements of a sum are walked in blocks of 1024 of the flat
index: the loop over each axis is clipped to the block.

1. The last axis is reduced: vectors along it. The element with flat index f is in lane
   f mod 16 of its accumulator, so a run that starts elsewhere is read from the element
   that would be in lane 0, under a mask.
2. The last axis is kept: vectors across what is kept. The element with flat index f
   goes to accumulator f mod 16. Rows are long, and accumulators few: the rows of a few
   lanes are added before those of the next ones.
3. Few elements per result: vectors across the last axis that is kept, all elements one
   after the other in registers.
4. Bodies that are not a combination with the accumulator run one by one, in vectors
   across what is kept if the last axis is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, maximum, minimum
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.passes.analysis.members import Member
from tensorc.passes.analysis.walks import Axis, is_turned
from tensorc.passes.loops.accumulate import (
    bit_mask,
    block_tree,
    in_flight,
    load_wide,
    store_wide,
)
from tensorc.passes.loops.lanes import (
    Point,
    Rep,
    Uniform,
    emit_body,
    mask_between,
    tail_mask,
)
from tensorc.passes.loops.reductions.firsts import emit_first, finds_first
from tensorc.passes.loops.reductions.reduce_state import (
    LONG,
    At,
    Reduction,
    Span,
    at_index,
    by_sixteen,
    fill,
    fold_axes,
    make_reduction,
    put_results,
    sixteens,
    step_lanes,
    walk_axes,
    with_scratch,
)
from tensorc.passes.loops.reductions.transposed import open_panels, with_panels
from tensorc.passes.loops.reductions.turned import turned_blocks
from tensorc.passes.loops.rows_state import Rows, arguments_at

AT_ONCE = 4  # rows of a lane that are added while its accumulators are in registers
SHORT = 32  # elements of a run below which the loop over what is kept is the inner one


def emit_reduction(rows: Rows, member: Member) -> None:
    """Emit a member that is no sweep and reduces, at one index of the outer space."""
    r = make_reduction(rows, member)
    k, zero = rows.k, rows.k.index(0)
    at = At(dict(enumerate(rows.outer)), zero, zero, {True: None, False: rows.span})
    few = isinstance(r.total, int) and r.total <= LANES
    if few and r.stores_along:
        walk_axes(k, r.kept_axes[:-1], at, lambda inner: _few(r, inner))
    elif r.in_lanes and not r.combines:
        short = isinstance(r.total, int) and r.total <= 2 * LANES
        find = not short and finds_first(member)
        one = emit_first if find else _one_by_one
        walk_axes(k, r.kept_axes, at, lambda inner: one(r, inner))
    else:
        r = _turned(with_scratch(r), r.total)

        def piece(here: At, count: Value) -> None:
            _reduce(r, here, count)
            _store(r, here)

        _pieces(r, at, piece)


def emit_partial(
    rows: Rows,
    member: Member,
    part: Span,
    size: int,
    number: Value,
    partials: Sequence[Value],
) -> None:
    """Emit a reduction of the elements of a part, which is part `number`.

    The parts are of `size` elements, 1024 x 2^j; the last may be shorter. What each
    result comes to goes to memory.
    """
    r = _turned(with_scratch(make_reduction(rows, member)), size)
    k, zero = rows.k, rows.k.index(0)
    at = At({}, zero, zero, {True: part, False: rows.span})
    first = k.mul(number, k.dim(r.kept))

    def piece(here: At, count: Value) -> None:
        _reduce(r, here, count)
        begin = k.sub(first, here.kept)

        def strip(index: Value, mask: Value | None) -> None:
            for partial, memref in zip(partials, r.sums, strict=True):
                total = load_wide(k, memref, index)
                store_wide(k, partial, k.add(begin, index), total, mask)

        sixteens(r, zero, count, False, strip)

    _pieces(r, at, piece)


def combine_partials(
    rows: Rows, member: Member, parts: Value, partials: Sequence[Value]
) -> None:
    """Combine what `emit_partial` left of so many parts, as if there were one."""
    r = with_scratch(make_reduction(rows, member))
    k, zero = rows.k, rows.k.index(0)
    at = At({}, zero, zero, {True: None, False: rows.span})

    def piece(here: At, count: Value) -> None:
        def part(number: Value) -> None:
            first = k.sub(k.mul(number, k.dim(r.kept)), here.kept)

            def strip(index: Value, mask: Value | None) -> None:
                for partial, memref in zip(partials, r.sums, strict=True):
                    total = load_wide(k, partial, k.add(first, index), mask)
                    store_wide(k, memref, index, total)

            sixteens(r, zero, count, False, strip)

        _trees(r, count, zero, parts, 1, part)
        _store(r, here)

    _pieces(r, at, piece)


def _turned(r: Reduction, size: Dim) -> Reduction:
    """Decide how a sum of so many elements reads memory that runs across its order."""
    if not is_turned(r.member):
        return open_panels(r)
    columns, extent = (axis.extent for axis in r.axes)
    most = floordiv(size, maximum(extent, BLOCK)) + 2
    return replace(r, columns=minimum(columns, most))


def _pieces(r: Reduction, at: At, body: Callable[[At, Value], None]) -> None:
    """Emit a loop over what is kept, as much at a time as there is scratch for."""
    k, zero = r.rows.k, r.rows.k.index(0)
    span = at.spans[False]
    if span is None and isinstance(r.kept, int) and r.kept <= r.width:
        body(at, k.index(r.kept))
        return
    lower, upper = span or (zero, k.dim(r.kept))
    with k.loop(lower, upper, r.width) as loop:
        end = k.minimum(k.add(loop.index, k.index(r.width)), upper)
        spans = {**at.spans, False: (loop.index, end)}
        piece = replace(at, kept=k.sub(zero, loop.index), spans=spans)
        body(piece, k.sub(end, loop.index))


def _reduce(r: Reduction, at: At, count: Value) -> None:
    """Reduce the span to so many sums; those of more than a block go through trees."""
    k = r.rows.k
    lower, upper = at.spans[True] or (k.index(0), k.dim(r.total))
    if r.columns is not None:
        _reduce_turned(r, at, count, (lower, upper))
        return
    if r.panels:
        row = k.floordiv(lower, k.dim(r.axes[-1].extent))
        r = replace(r, begin=(lower, row))
    if not r.is_sum or (isinstance(r.total, int) and r.total <= BLOCK):
        _block(r, at, count, k.minimum(k.sub(upper, lower), k.index(LANES)))
        return

    def block(first: Value) -> None:
        last = k.minimum(k.add(first, k.index(BLOCK)), upper)
        inside = replace(at, spans={**at.spans, True: (first, last)})
        _block(r, inside, count, k.minimum(k.sub(last, first), k.index(LANES)))

    _trees(r, count, lower, upper, BLOCK, block)


def _reduce_turned(r: Reduction, at: At, count: Value, span: Span) -> None:
    """Reduce the span in the order of memory if its columns are long enough."""
    k, extent = r.rows.k, r.axes[-1].extent
    rows = k.dim(extent)
    unknown = not isinstance(extent, int)
    assert r.columns is not None

    def columns() -> None:
        fill(r, r.sums, count)
        load = turned_blocks(r, at, span, r.columns or 0)
        blocks = k.add(k.sub(span[1], span[0]), k.index(BLOCK - 1))
        _trees(r, count, k.index(0), k.floordiv(blocks, k.index(BLOCK)), 1, load)

    if not unknown:
        columns()
        return
    with k.when(k.compare("sge", rows, k.index(BLOCK))):
        columns()
    with k.when(k.compare("slt", rows, k.index(BLOCK))):
        _reduce(replace(r, columns=None), at, count)


def _trees(
    r: Reduction,
    count: Value,
    lower: Value,
    upper: Value,
    step: int,
    block: Callable[[Value], None],
) -> None:
    """Combine what each `block` leaves in the sums, in a tree each, to new sums."""
    k = r.rows.k
    trees = [block_tree(k, c, r.width) for c in r.combines]
    zero, one = k.index(0), k.index(1)
    with k.loop(lower, upper, step, [zero, zero]) as loop:
        number, levels = loop.carried
        block(loop.index)
        with k.loop(zero, count, LANES) as strips:
            for tree, memref in zip(trees, r.sums, strict=True):
                total = load_wide(k, memref, strips.index)
                tree.at(strips.index).push(k, total, number, levels)
        # All trees have as many levels: one more at each power of two.
        full = k.op(arith.ShLI, one, levels)
        opens = k.compare("sge", k.add(number, one), full)
        loop.yields = [
            k.add(number, one),
            k.select(opens, k.add(levels, one), levels),
        ]
    with k.loop(zero, count, LANES) as strips:
        for tree, memref in zip(trees, r.sums, strict=True):
            total = tree.at(strips.index).total(k, *loop.results)
            store_wide(k, memref, strips.index, total)


def _block(r: Reduction, at: At, count: Value, lanes: Value) -> None:
    """Reduce what lies in the span to `sums`; the first `lanes` lanes have elements."""
    k, axes = r.rows.k, r.axes
    fill(r, r.sums, count)
    last = max(i for i, axis in enumerate(axes) if axis.reduced)
    if r.in_lanes:
        # The loops around the last run: what is kept just outside of it is inside.
        depth = max((i for i in range(last) if axes[i].reduced), default=-1) + 1
        fill(r, r.accumulators, k.mul(count, k.index(LANES)))
        walk_axes(
            k, axes[:depth], at, lambda here: _along_lanes(r, here, axes[depth:-1])
        )
        _combine_lanes(r, count)
    elif not r.is_sum:
        row = k.index(0)
        walk_axes(k, axes[: last + 1], at, lambda here: _across(r, here, row))
    elif r.lanes < LANES or sum(axis.reduced for axis in axes) == 1:
        _lanes_in_turn(r, at, count, lanes)
    else:
        fill(r, r.accumulators, k.mul(lanes, k.index(r.width)))

        def one(here: At) -> None:
            lane = bit_mask(k, here.reduced, LANES - 1)
            _across(r, here, k.mul(lane, k.index(r.width)))

        walk_axes(k, axes[: last + 1], at, one)
        _add_lanes(r, count, lanes)


def _lanes_in_turn(r: Reduction, at: At, count: Value, lanes: Value) -> None:
    """Reduce one axis outside of all that is kept, for a few lanes at a time.

    So long rows of memory are read as one, and accumulators stay in the cache.
    """
    k = r.rows.k
    (number,) = (i for i, axis in enumerate(r.axes) if axis.reduced)
    axis = r.axes[number]
    with k.loop(k.index(0), lanes, r.lanes) as turn:
        held = k.minimum(k.sub(lanes, turn.index), k.index(r.lanes))
        fill(r, r.accumulators, k.mul(held, k.index(r.width)))

        def rows(here: At) -> None:
            lower, upper = here.bounds(k, axis)
            short = len(r.member.op.body.block.ops) <= LONG
            for together in (AT_ONCE, 1) if short else (1,):
                step = LANES * together
                left = bit_mask(k, k.sub(upper, lower), step - 1)
                middle = k.sub(upper, left) if together > 1 else upper
                with k.loop(k.add(lower, turn.index), middle, step) as first:
                    end = k.minimum(k.add(first.index, k.index(r.lanes)), middle)
                    with k.loop(first.index, end, 1) as loop:
                        lane = k.sub(loop.index, first.index)
                        row = k.mul(lane, k.index(r.width))
                        others = [
                            at_index(k, axis, Uniform(k.add(loop.index, k.index(by))))
                            for by in range(LANES, step, LANES)
                        ]
                        inside = here.into(k, axis, loop.index)
                        _across(r, inside, row, others)
                lower = middle

        walk_axes(k, r.axes[:number], at, rows)
        _add_lanes(r, count, held)


def _combine_lanes(r: Reduction, count: Value) -> None:
    """Combine the 16 lanes of each result."""
    k = r.rows.k
    with k.loop(k.index(0), count, 1) as loop:
        first = k.mul(loop.index, k.index(LANES))
        for c, sums, lanes in zip(r.combines, r.sums, r.accumulators, strict=True):
            total = c.across(k, load_wide(k, lanes, first))
            k.do(memory.Store, total, sums, loop.index)


def _add_lanes(r: Reduction, count: Value, lanes: Value) -> None:
    """Add so many accumulators to the sums, 16 results at a time."""
    k = r.rows.k
    with k.loop(k.index(0), count, LANES) as strips:
        first = [load_wide(k, m, strips.index) for m in r.sums]
        with k.loop(k.index(0), lanes, 1, first) as loop:
            row = k.add(k.mul(loop.index, k.index(r.width)), strips.index)
            loop.yields = [
                c.combine(k, total, load_wide(k, m, row))
                for c, total, m in zip(
                    r.combines, loop.carried, r.accumulators, strict=True
                )
            ]
        for memref, total in zip(r.sums, loop.results, strict=True):
            store_wide(k, memref, strips.index, total)


def _along_lanes(r: Reduction, at: At, inner: Sequence[Axis]) -> None:
    """Reduce runs of the last axis, one for each index of what is kept inside."""
    r = with_panels(r, at) if r.panels else r
    k, last = r.rows.k, r.axes[-1]
    lower, upper = at.bounds(k, last)
    # Blocks and runs that are multiples of 16 start in lane 0.
    even = isinstance(last.extent, int) and last.extent % LANES == 0
    alone = sum(axis.reduced for axis in r.axes) == 1
    if even or alone or not r.is_sum:
        start, head = lower, None
    else:
        lane = bit_mask(k, k.add(at.reduced, lower), LANES - 1)
        start = k.sub(lower, lane)
        head = mask_between(k, lane, k.sub(upper, start))
    short = isinstance(last.extent, int) and last.extent < SHORT and bool(inner)
    if not short:
        walk_axes(k, inner, at, lambda here: _run(r, here, start, upper, head))
        return

    def step(index: Value, mask: Value | None) -> None:
        def one(here: At) -> None:
            first = k.mul(here.kept, k.index(LANES))
            held = [load_wide(k, m, first) for m in r.accumulators]
            new = step_lanes(r, here, last, index, mask, held)
            for memref, value in zip(r.accumulators, new, strict=True):
                store_wide(k, memref, first, value)

        walk_axes(k, inner, at, one)

    if head is not None:
        step(start, head)
        start = k.minimum(k.add(start, k.index(LANES)), upper)
    sixteens(r, start, upper, even, step)


def _run(r: Reduction, at: At, start: Value, upper: Value, head: Value | None) -> None:
    """Reduce one run of the last axis, the accumulators in registers."""
    k, last = r.rows.k, r.axes[-1]
    even = isinstance(last.extent, int) and last.extent % LANES == 0
    first = k.mul(at.kept, k.index(LANES))
    held = [load_wide(k, m, first) for m in r.accumulators]
    if head is not None:
        held = step_lanes(r, at, last, start, head, held)
        start = k.minimum(k.add(start, k.index(LANES)), upper)

    def step(index: Value, mask: Value | None, lanes: Sequence[Value]) -> list[Value]:
        return step_lanes(r, at, last, index, mask, lanes)

    if not r.is_sum and len(r.member.op.body.block.ops) <= LONG:
        start, held = in_flight(k, r.combines, (start, upper), held, step)
    left = bit_mask(k, k.sub(upper, start), LANES - 1)
    middle = upper if even else k.sub(upper, left)
    with k.loop(start, middle, LANES, held) as loop:
        loop.yields = step(loop.index, None, loop.carried)
    for memref, value in zip(r.accumulators, loop.results, strict=True):
        store_wide(k, memref, first, value)
    if even:
        return
    with k.when(k.compare("slt", middle, upper)):
        held = [load_wide(k, m, first) for m in r.accumulators]
        held = step_lanes(r, at, last, middle, tail_mask(k, left), held)
        for memref, value in zip(r.accumulators, held, strict=True):
            store_wide(k, memref, first, value)


def _across(
    r: Reduction, at: At, row: Value, others: Sequence[dict[int, Rep]] = ()
) -> None:
    """Reduce one element for each result of a piece, to the accumulators at `row`.

    After it come those at other indices of what is reduced.
    """
    k, last = r.rows.k, r.axes[-1]
    after = max(i for i, axis in enumerate(r.axes) if axis.reduced) + 1

    def strips(here: At) -> None:
        first = k.add(row, here.kept)

        def strip(index: Value, mask: Value | None) -> None:
            at_ = k.add(first, index)
            held = [load_wide(k, m, at_) for m in r.accumulators]
            new = step_lanes(r, here, last, index, mask, held)
            for other in others:
                there = replace(here, indices=here.indices | other)
                new = step_lanes(r, there, last, index, mask, new)
            for memref, value in zip(r.accumulators, new, strict=True):
                store_wide(k, memref, at_, value)

        by_sixteen(r, last, here, strip)

    walk_axes(k, r.axes[after:-1], at, strips)


def _few(r: Reduction, at: At) -> None:
    """Reduce few elements per result in registers, 16 results at a time."""
    k, last = r.rows.k, r.kept_axes[-1]
    reduced = [axis for axis in r.axes if axis.reduced]
    ranges = [range(a.extent) for a in reduced if isinstance(a.extent, int)]

    def strip(index: Value, mask: Value | None) -> None:
        totals = [k.constant(start, e, LANES) for start, e in r.starts]
        for found in product(*ranges):
            here = at
            for axis, number in zip(reduced, found, strict=True):
                here = here.into(k, axis, k.index(number))
            totals = step_lanes(r, here, last, index, mask, totals)
        put_results(r, at, last, index, mask, totals)

    by_sixteen(r, last, at, strip)


def _one_by_one(r: Reduction, at: At) -> None:
    """Reduce one element after the other to one result, with any accumulators."""
    k, op = r.rows.k, r.member.op
    reduced = [axis for axis in r.axes if axis.reduced]

    def one(here: At, held: list[Value]) -> list[Value]:
        point = Point(tuple(here.indices[d] for d in range(len(r.member.extents))))
        arguments = arguments_at(r.rows, r.member, point, r.rows.row)
        arguments += [Uniform(v) for v in held]
        given = emit_body(k, op, point, arguments, r.rows.storages)
        return [rep.value for rep in given]

    starts = [k.constant(start, e) for start, e in r.starts]
    totals = fold_axes(k, reduced, at, starts, one)
    put_results(r, at, None, k.index(0), None, totals)


def _store(r: Reduction, at: At) -> None:
    """Store the results of a piece."""
    k, axes = r.rows.k, r.kept_axes

    def scalar(here: At) -> None:
        totals = [k.op(memory.Load, m, here.kept) for m in r.sums]
        put_results(r, here, None, here.kept, None, totals)

    def strips(here: At) -> None:
        def strip(index: Value, mask: Value | None) -> None:
            totals = [load_wide(k, m, k.add(here.kept, index)) for m in r.sums]
            put_results(r, here, axes[-1], index, mask, totals)

        by_sixteen(r, axes[-1], here, strip)

    if r.stores_along:
        walk_axes(k, axes[:-1], at, strips)
    else:
        walk_axes(k, axes, at, scalar)
