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
from dataclasses import dataclass, replace
from itertools import product

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import I1, Element, VectorType, element_type
from tensorc.passes.analysis.generics import combiners
from tensorc.passes.analysis.members import Member
from tensorc.passes.analysis.walks import Axis, walk
from tensorc.passes.loops.accumulate import (
    BlockTree,
    Combiner,
    bit_mask,
    block_tree,
    in_flight,
    load_wide,
    nothing,
    scratch,
    store_wide,
)
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import elements
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Uniform,
    emit_body,
    tail_mask,
    widen,
)
from tensorc.passes.loops.rows_state import (
    Rows,
    arguments_at,
    combiners_of,
    put,
    start_value,
)
from tensorc.passes.schedule.cpu import kept_width, lanes_in_turn

SHORT = 32  # elements of a run below which the loop over what is kept is the inner one

LONG = 24  # ops of a body from which on it is not written twice

Span = tuple[Value, Value]


@dataclass(frozen=True, slots=True)
class _Reduction:
    """A member to reduce; `sums` and `accumulators` are memory, one per result."""

    rows: Rows
    member: Member
    combines: tuple[Combiner, ...]  # () if its body has another form
    axes: tuple[Axis, ...]
    total: Dim  # how much is reduced to each result
    kept: Dim
    width: int  # how much of it at a time
    lanes: int  # and in how many lanes at a time
    in_lanes: bool  # the last axis is reduced
    is_sum: bool
    sums: tuple[Value, ...] = ()
    accumulators: tuple[Value, ...] = ()

    @property
    def starts(self) -> list[tuple[float, Element]]:
        """What each result starts from."""
        op = self.member.op
        outputs = enumerate(op.outputs)
        return [(start_value(op, i), element_type(v.type)) for i, v in outputs]

    @property
    def kept_axes(self) -> tuple[Axis, ...]:
        """The axes that are not reduced."""
        return tuple([axis for axis in self.axes if not axis.reduced])


@dataclass(frozen=True, slots=True)
class _At:
    """Where a walk stands: the indices so far, and the flat index of each kind.

    `spans` are the parts of the flat indices to walk, from here on; None for all.
    """

    indices: dict[int, Rep]
    reduced: Value
    kept: Value
    spans: dict[bool, Span | None]

    def bounds(self, k: LoopBuilder, axis: Axis) -> Span:
        """Return the range of an axis that has something of the span."""
        span = self.spans[axis.reduced]
        if span is None:
            return k.index(0), k.dim(axis.extent)
        if axis.below == 1:
            return span
        below = k.dim(axis.below)
        lower, upper = span
        rounded = k.add(upper, k.sub(below, k.index(1)))
        return k.floordiv(lower, below), k.floordiv(rounded, below)

    def into(self, k: LoopBuilder, axis: Axis, index: Value) -> "_At":
        """Return where the walk stands at an index of its next axis."""
        below = k.dim(axis.below)
        base = k.mul(index, below)
        span = self.spans[axis.reduced]
        if span is not None:
            lower, upper = (k.sub(end, base) for end in span)
            span = k.maximum(lower, k.index(0)), k.minimum(upper, below)
        inside = replace(
            self,
            indices=self.indices | at_index(k, axis, Uniform(index)),
            spans={**self.spans, axis.reduced: span},
        )
        if axis.reduced:
            return replace(inside, reduced=k.add(self.reduced, base))
        return replace(inside, kept=k.add(self.kept, base))


def at_index(k: LoopBuilder, axis: Axis, index: Rep) -> dict[int, Rep]:
    """Return the index of each dimension of an axis: the last counts for all."""
    *others, last = axis.dims
    return {**dict.fromkeys(others, Uniform(k.index(0))), last: index}


def emit_reduction(rows: Rows, member: Member) -> None:
    """Emit a member that is no sweep and reduces, at one index of the outer space."""
    r = _reduction(rows, member)
    k, zero = rows.k, rows.k.index(0)
    at = _At(dict(enumerate(rows.outer)), zero, zero, {True: None, False: rows.span})
    few = isinstance(r.total, int) and r.total <= LANES
    if few and r.kept_axes:
        _walk(k, r.kept_axes[:-1], at, lambda inner: _few(r, inner))
        return
    if r.in_lanes and not r.combines:
        _walk(k, r.kept_axes, at, lambda inner: _one_by_one(r, inner))
        return
    r = _with_scratch(r)
    if rows.span is None and isinstance(r.kept, int) and r.kept <= r.width:
        _piece(r, at, k.index(r.kept))
        return
    lower, upper = rows.span or (zero, k.dim(r.kept))
    with k.loop(lower, upper, r.width) as loop:
        end = k.minimum(k.add(loop.index, k.index(r.width)), upper)
        piece = replace(
            at,
            kept=k.sub(zero, loop.index),
            spans={True: None, False: (loop.index, end)},
        )
        _piece(r, piece, k.sub(end, loop.index))


def _reduction(rows: Rows, member: Member) -> _Reduction:
    axes, combines = walk(member), combiners_of(member)
    total = elements(tuple(a.extent for a in axes if a.reduced))
    kept = elements(tuple(a.extent for a in axes if not a.reduced))
    in_lanes, is_sum = axes[-1].reduced, bool(combines) and combines[0].is_sum
    size = sum(element_type(v.type).bytes for v in member.op.outputs)
    in_turn = not in_lanes and sum(axis.reduced for axis in axes) == 1
    lanes = LANES if in_lanes or is_sum else 1
    width = kept_width(kept, size * (1 if in_turn else lanes))
    if in_turn:
        lanes = lanes_in_turn(width * size)
    return _Reduction(
        rows, member, combines, axes, total, kept, width, lanes, in_lanes, is_sum
    )


def _with_scratch(r: _Reduction) -> _Reduction:
    """Give a reduction memory for its results, and for accumulators of 16 lanes."""
    k = r.rows.k
    sums = tuple([scratch(k, e, r.width + LANES) for _, e in r.starts])
    accumulators = sums
    if r.in_lanes or r.is_sum:
        count = r.width * r.lanes + LANES
        accumulators = tuple([scratch(k, e, count) for _, e in r.starts])
    return replace(r, sums=sums, accumulators=accumulators)


def _walk(
    k: LoopBuilder, axes: Sequence[Axis], at: _At, body: Callable[[_At], None]
) -> None:
    """Emit loops over the axes, each within its span, around a body."""
    if not axes:
        body(at)
        return
    first, *others = axes
    with k.loop(*at.bounds(k, first), 1) as loop:
        _walk(k, others, at.into(k, first, loop.index), body)


def _piece(r: _Reduction, at: _At, count: Value) -> None:
    """Reduce for so many results; sums of more than a block go through trees."""
    k = r.rows.k
    if not r.is_sum or (isinstance(r.total, int) and r.total <= BLOCK):
        _block(r, at, count, k.minimum(k.dim(r.total), k.index(LANES)))
        _store(r, at)
        return
    trees = [block_tree(k, c, r.width) for c in r.combines]
    zero, extent = k.index(0), k.dim(r.total)
    with k.loop(zero, extent, BLOCK, [zero, zero]) as loop:
        number, levels = loop.carried
        lower = loop.index
        upper = k.minimum(k.add(lower, k.index(BLOCK)), extent)
        inside = replace(at, spans={**at.spans, True: (lower, upper)})
        _block(r, inside, count, k.minimum(k.sub(upper, lower), k.index(LANES)))
        _push(r, trees, count, number, levels)
        # All trees have as many levels: one more at each power of two.
        full = k.op(arith.ShLI, k.index(1), levels)
        opens = k.compare("sge", k.add(number, k.index(1)), full)
        grown = k.select(opens, k.add(levels, k.index(1)), levels)
        loop.yields = [k.add(number, k.index(1)), grown]
    with k.loop(zero, count, LANES) as strips:
        for tree, memref in zip(trees, r.sums, strict=True):
            total = tree.at(strips.index).total(k, *loop.results)
            store_wide(k, memref, strips.index, total)
    _store(r, at)


def _push(
    r: _Reduction,
    trees: Sequence[BlockTree],
    count: Value,
    number: Value,
    levels: Value,
) -> None:
    """Add the sums of block `number` to the trees."""
    k = r.rows.k
    with k.loop(k.index(0), count, LANES) as strips:
        for tree, memref in zip(trees, r.sums, strict=True):
            total = load_wide(k, memref, strips.index)
            tree.at(strips.index).push(k, total, number, levels)


def _block(r: _Reduction, at: _At, count: Value, lanes: Value) -> None:
    """Reduce what lies in the span to `sums`; the first `lanes` lanes have elements."""
    k, axes = r.rows.k, r.axes
    _fill(r, r.sums, count)
    last = max(i for i, axis in enumerate(axes) if axis.reduced)
    if r.in_lanes:
        # The loops around the last run: what is kept just outside of it is inside.
        depth = max((i for i in range(last) if axes[i].reduced), default=-1) + 1
        _fill(r, r.accumulators, k.mul(count, k.index(LANES)))
        _walk(k, axes[:depth], at, lambda here: _along_lanes(r, here, axes[depth:-1]))
        _combine_lanes(r, count)
    elif not r.is_sum:
        row = k.index(0)
        _walk(k, axes[: last + 1], at, lambda here: _across(r, here, row))
    elif r.lanes < LANES or sum(axis.reduced for axis in axes) == 1:
        _lanes_in_turn(r, at, count, lanes)
    else:
        _fill(r, r.accumulators, k.mul(lanes, k.index(r.width)))

        def one(here: _At) -> None:
            lane = bit_mask(k, here.reduced, LANES - 1)
            _across(r, here, k.mul(lane, k.index(r.width)))

        _walk(k, axes[: last + 1], at, one)
        _add_lanes(r, count, lanes)


def _lanes_in_turn(r: _Reduction, at: _At, count: Value, lanes: Value) -> None:
    """Reduce one axis outside of all that is kept, for a few lanes at a time.

    So long rows of memory are read as one, and accumulators stay in the cache.
    """
    k = r.rows.k
    (number,) = (i for i, axis in enumerate(r.axes) if axis.reduced)
    axis = r.axes[number]
    with k.loop(k.index(0), lanes, r.lanes) as turn:
        held = k.minimum(k.sub(lanes, turn.index), k.index(r.lanes))
        _fill(r, r.accumulators, k.mul(held, k.index(r.width)))

        def rows(here: _At) -> None:
            lower, upper = here.bounds(k, axis)
            with k.loop(k.add(lower, turn.index), upper, LANES) as first:
                end = k.minimum(k.add(first.index, k.index(r.lanes)), upper)
                with k.loop(first.index, end, 1) as loop:
                    lane = k.sub(loop.index, first.index)
                    inside = here.into(k, axis, loop.index)
                    _across(r, inside, k.mul(lane, k.index(r.width)))

        _walk(k, r.axes[:number], at, rows)
        _add_lanes(r, count, held)


def _combine_lanes(r: _Reduction, count: Value) -> None:
    """Combine the 16 lanes of each result."""
    k = r.rows.k
    with k.loop(k.index(0), count, 1) as loop:
        first = k.mul(loop.index, k.index(LANES))
        for c, sums, lanes in zip(r.combines, r.sums, r.accumulators, strict=True):
            total = c.across(k, load_wide(k, lanes, first))
            k.do(memory.Store, total, sums, loop.index)


def _add_lanes(r: _Reduction, count: Value, lanes: Value) -> None:
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


def _fill(r: _Reduction, memories: Sequence[Value], count: Value) -> None:
    """Set so many elements of memory, rounded up to 16, to what results start from."""
    k = r.rows.k
    with k.loop(k.index(0), count, LANES) as loop:
        for (start, element), memref in zip(r.starts, memories, strict=True):
            store_wide(k, memref, loop.index, k.constant(start, element, LANES))


def _along_lanes(r: _Reduction, at: _At, inner: Sequence[Axis]) -> None:
    """Reduce runs of the last axis, one for each index of what is kept inside."""
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
        _walk(k, inner, at, lambda here: _run(r, here, start, upper, head))
        return

    def step(index: Value, mask: Value | None) -> None:
        def one(here: _At) -> None:
            first = k.mul(here.kept, k.index(LANES))
            held = [load_wide(k, m, first) for m in r.accumulators]
            new = _step(r, here, last, index, mask, held)
            for memref, value in zip(r.accumulators, new, strict=True):
                store_wide(k, memref, first, value)

        _walk(k, inner, at, one)

    if head is not None:
        step(start, head)
        start = k.minimum(k.add(start, k.index(LANES)), upper)
    _sixteens(r, start, upper, even, step)


def _run(
    r: _Reduction, at: _At, start: Value, upper: Value, head: Value | None
) -> None:
    """Reduce one run of the last axis, the accumulators in registers."""
    k, last = r.rows.k, r.axes[-1]
    even = isinstance(last.extent, int) and last.extent % LANES == 0
    first = k.mul(at.kept, k.index(LANES))
    held = [load_wide(k, m, first) for m in r.accumulators]
    if head is not None:
        held = _step(r, at, last, start, head, held)
        start = k.minimum(k.add(start, k.index(LANES)), upper)

    def step(index: Value, mask: Value | None, lanes: Sequence[Value]) -> list[Value]:
        return _step(r, at, last, index, mask, lanes)

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
        held = _step(r, at, last, middle, tail_mask(k, left), held)
        for memref, value in zip(r.accumulators, held, strict=True):
            store_wide(k, memref, first, value)


def mask_between(k: LoopBuilder, lower: Value, upper: Value) -> Value:
    """Return the mask of the lanes from lower to upper, where lower <= upper."""
    before, until = (
        k.op(vector.CreateMask, end, types=[VectorType(LANES, I1)])
        for end in (lower, upper)
    )
    return k.op(arith.XOrI, before, until)


def _across(r: _Reduction, at: _At, row: Value) -> None:
    """Reduce one element for each result of a piece, to the accumulators at `row`."""
    k, last = r.rows.k, r.axes[-1]
    after = max(i for i, axis in enumerate(r.axes) if axis.reduced) + 1

    def strips(here: _At) -> None:
        first = k.add(row, here.kept)

        def strip(index: Value, mask: Value | None) -> None:
            at_ = k.add(first, index)
            held = [load_wide(k, m, at_) for m in r.accumulators]
            new = _step(r, here, last, index, mask, held)
            for memref, value in zip(r.accumulators, new, strict=True):
                store_wide(k, memref, at_, value)

        _by_sixteen(r, last, here, strip)

    _walk(k, r.axes[after:-1], at, strips)


def _by_sixteen(
    r: _Reduction,
    axis: Axis,
    at: _At,
    body: Callable[[Value, Value | None], None],
) -> None:
    """Emit a body for 16 indices of an axis at a time; one vector without a loop."""
    k = r.rows.k
    lower, upper = at.bounds(k, axis)
    whole = at.spans[axis.reduced] is None
    known = axis.extent if whole and isinstance(axis.extent, int) else None
    if known is not None and known <= LANES:
        body(lower, None if known == LANES else k.mask(known))
        return
    _sixteens(r, lower, upper, known is not None and known % LANES == 0, body)


def _sixteens(
    r: _Reduction,
    lower: Value,
    upper: Value,
    even: bool,
    body: Callable[[Value, Value | None], None],
) -> None:
    """Emit a loop over 16 indices at a time; what is left is masked.

    A long body is written once, and masked always.
    """
    k = r.rows.k
    if even or len(r.member.op.body.block.ops) > LONG:
        with k.loop(lower, upper, LANES) as loop:
            left = None if even else tail_mask(k, k.sub(upper, loop.index))
            body(loop.index, left)
        return
    count = k.sub(upper, lower)
    left = bit_mask(k, count, LANES - 1)
    middle = k.sub(upper, left)
    with k.loop(lower, middle, LANES) as loop:
        body(loop.index, None)
    with k.when(k.compare("sgt", left, k.index(0))):
        body(middle, tail_mask(k, left))


def _step(
    r: _Reduction,
    at: _At,
    axis: Axis,
    index: Value,
    mask: Value | None,
    held: Sequence[Value],
) -> list[Value]:
    """Reduce 16 neighbours along an axis into the lanes held, where the mask is."""
    k, op = r.rows.k, r.member.op
    indices = at.indices | at_index(k, axis, Counter(index))
    point = Point(tuple(indices[d] for d in range(len(r.member.extents))), mask)
    arguments = arguments_at(r.rows, r.member, point, r.rows.row)
    if r.combines:
        given = emit_body(k, op, point, arguments, r.rows.storages, combiners(op))
        return [
            c.step(k, lanes, rep, mask)
            for c, lanes, rep in zip(r.combines, held, given, strict=True)
        ]
    arguments = [*arguments, *map(Lanes, held)]
    given = emit_body(k, op, point, arguments, r.rows.storages)
    new = [widen(k, rep) for rep in given]
    if mask is None:
        return new
    return [k.select(mask, n, h) for n, h in zip(new, held, strict=True)]


def _few(r: _Reduction, at: _At) -> None:
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
            totals = _step(r, here, last, index, mask, totals)
        _put(r, at, last, index, mask, totals)

    _by_sixteen(r, last, at, strip)


def _one_by_one(r: _Reduction, at: _At) -> None:
    """Reduce one element after the other to one result, with any accumulators."""
    k, op = r.rows.k, r.member.op
    reduced = [axis for axis in r.axes if axis.reduced]

    def nest(axes: Sequence[Axis], here: _At, held: list[Value]) -> list[Value]:
        if axes:
            with k.loop(*here.bounds(k, axes[0]), 1, held) as loop:
                inner = here.into(k, axes[0], loop.index)
                loop.yields = nest(axes[1:], inner, loop.carried)
            return loop.results
        point = Point(tuple(here.indices[d] for d in range(len(r.member.extents))))
        arguments = arguments_at(r.rows, r.member, point, r.rows.row)
        arguments += [Uniform(v) for v in held]
        given = emit_body(k, op, point, arguments, r.rows.storages)
        return [rep.value for rep in given]

    totals = nest(reduced, at, [k.constant(start, e) for start, e in r.starts])
    _put(r, at, None, k.index(0), None, totals)


def _store(r: _Reduction, at: _At) -> None:
    """Store the results of a piece."""
    k, axes = r.rows.k, r.kept_axes
    first = r.member.op.maps[len(r.member.op.inputs)].results

    def scalar(here: _At) -> None:
        totals = [k.op(memory.Load, m, here.kept) for m in r.sums]
        _put(r, here, None, here.kept, None, totals)

    def strips(here: _At) -> None:
        def strip(index: Value, mask: Value | None) -> None:
            totals = [load_wide(k, m, k.add(here.kept, index)) for m in r.sums]
            _put(r, here, axes[-1], index, mask, totals)

        _by_sixteen(r, axes[-1], here, strip)

    if axes and first[-1] == axes[-1].dims[-1]:
        _walk(k, axes[:-1], at, strips)
    else:
        _walk(k, axes, at, scalar)


def _put(
    r: _Reduction,
    at: _At,
    axis: Axis | None,
    index: Value,
    mask: Value | None,
    totals: Sequence[Value],
) -> None:
    """Store one element of each result, or 16 neighbours along an axis."""
    k, op = r.rows.k, r.member.op
    indices = at.indices
    if axis is not None:
        indices = indices | at_index(k, axis, Counter(index))
    outputs = zip(op.outputs, op.maps[len(op.inputs) :], totals, strict=True)
    for number, (output, map_, total) in enumerate(outputs):
        zero = Uniform(k.index(0))
        found = [zero if d is None else indices[d] for d in map_.results]
        value = total
        if r.combines:
            value = nothing(k, r.combines[number], k.dim(r.total), total)
        rep = Uniform(value) if axis is None else Lanes(value)
        put(r.rows, output, found, rep, Point((), mask))
