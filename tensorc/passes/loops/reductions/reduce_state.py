"""The state of emitting a reduction: its axes, memory for it, and walks over both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.numerics import LANES
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import combiners
from tensorc.passes.analysis.members import Member
from tensorc.passes.analysis.walks import Axis, walk
from tensorc.passes.loops.accumulate import (
    Combiner,
    bit_mask,
    nothing,
    scratch,
    store_wide,
)
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Uniform,
    emit_body,
    map_point,
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

LONG = 24  # ops of a body from which on it is not written twice


Span = tuple[Value, Value]


@dataclass(frozen=True, slots=True)
class Reduction:
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
    # Columns of memory that are summed one after the other, at most, if they are.
    columns: Dim | None = None
    # Memory for 16 columns of operands, and where the sum begins: element, row.
    panels: tuple[tuple[int, Value], ...] = ()
    begin: tuple[Value, Value] | None = None

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

    @property
    def stores_along(self) -> bool:
        """Whether results that are neighbours in the walk are so in memory, too."""
        op, axes = self.member.op, self.kept_axes
        last = op.maps[len(op.inputs)].results[-1:]
        return bool(axes) and last == axes[-1].dims[-1:]


@dataclass(frozen=True, slots=True)
class At:
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

    def into(self, k: LoopBuilder, axis: Axis, index: Value) -> "At":
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


def make_reduction(rows: Rows, member: Member) -> Reduction:
    """Return a member as what is to be emitted."""
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
    return Reduction(
        rows, member, combines, axes, total, kept, width, lanes, in_lanes, is_sum
    )


def with_scratch(r: Reduction) -> Reduction:
    """Give a reduction memory for its results, and for accumulators of 16 lanes."""
    k = r.rows.k
    sums = tuple([scratch(k, e, r.width + LANES) for _, e in r.starts])
    accumulators = sums
    if r.in_lanes or r.is_sum:
        count = r.width * r.lanes + LANES
        accumulators = tuple([scratch(k, e, count) for _, e in r.starts])
    return replace(r, sums=sums, accumulators=accumulators)


def walk_axes(
    k: LoopBuilder, axes: Sequence[Axis], at: At, body: Callable[[At], None]
) -> None:
    """Emit loops over the axes, each within its span, around a body."""

    def alone(here: At, _: list[Value]) -> list[Value]:
        body(here)
        return []

    fold_axes(k, axes, at, [], alone)


def fold_axes(
    k: LoopBuilder,
    axes: Sequence[Axis],
    at: At,
    held: list[Value],
    body: Callable[[At, list[Value]], list[Value]],
) -> list[Value]:
    """Emit loops over the axes that carry what the body makes of what is held."""
    if not axes:
        return body(at, held)
    first, *others = axes
    with k.loop(*at.bounds(k, first), 1, held) as loop:
        inner = at.into(k, first, loop.index)
        loop.yields = fold_axes(k, others, inner, loop.carried, body)
    return loop.results


def by_sixteen(
    r: Reduction,
    axis: Axis,
    at: At,
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
    sixteens(r, lower, upper, known is not None and known % LANES == 0, body)


def sixteens(
    r: Reduction,
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


def step_lanes(
    r: Reduction,
    at: At,
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


def fill(r: Reduction, memories: Sequence[Value], count: Value) -> None:
    """Set so many elements of memory, rounded up to 16, to what results start from."""
    k = r.rows.k
    with k.loop(k.index(0), count, LANES) as loop:
        for (start, element), memref in zip(r.starts, memories, strict=True):
            store_wide(k, memref, loop.index, k.constant(start, element, LANES))


def put_results(
    r: Reduction,
    at: At,
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
        whole = [indices.get(d, zero) for d in range(map_.dims)]
        found = map_point(k, map_, whole)
        value = total
        if r.combines:
            value = nothing(k, r.combines[number], k.dim(r.total), total)
        rep = Uniform(value) if axis is None else Lanes(value)
        put(r.rows, output, found, rep, Point((), mask))
        if not r.kept_axes:
            r.rows.row[output] = rep
