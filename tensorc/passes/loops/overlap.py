"""Emit windows that are added where they overlap (order "overlap" of a generic).

Each row of the destination is computed where it lies, in vectors of 16 neighbours, and
written once. On an axis with steps s between positions and d inside of a window, place
x (counted from the first window's first element) is met by position p and window
element k where x = s * p + d * k. These k are p0, p0 + s/g, … with g = gcd(s, d), and
as they ascend the positions descend by d/g: a loop with bounds, without a test.

Vectors run along the last axis, over places of the same rest mod s: their positions are
neighbours. Of up to 4 rests the vectors are interleaved and stored; of more, the last
axis is walked as the others are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import gcd

from tensorc.ir.attributes import Affine
from tensorc.ir.core import Value
from tensorc.ir.dims import (
    Dim,
    ceildiv,
    floordiv,
    known_at_most,
    maximum,
    minimum,
)
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import MOST_APART
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import Combiner
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Uniform,
    emit_body,
    mask_between,
)
from tensorc.passes.loops.rows_state import Rows, arguments_at, put
from tensorc.passes.loops.shuffles import interleave

WRITTEN = 8  # elements of a window that are written out, a line of code for each


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis of the destination: its dimensions, steps, and extents.

    `low` is how many places lie before the destination's first one.
    """

    window: int
    position: int
    dilation: int
    stride: int
    low: Dim
    size: Dim
    elements: Dim
    positions: Dim

    @property
    def common(self) -> int:
        """The greatest common divisor of both steps."""
        return gcd(self.stride, self.dilation)

    @property
    def period(self) -> int:
        """How far apart the elements of a window are that meet one place."""
        return self.stride // self.common

    @property
    def descent(self) -> int:
        """How far apart the positions are that these belong to."""
        return self.dilation // self.common

    def first(self, rest: int) -> int | None:
        """Return the first element of a window that meets places of a rest."""
        for element in range(self.period):
            if (rest - self.dilation * element) % self.stride == 0:
                exists = not known_at_most(self.elements, element)
                return element if exists else None
        return None

    def whole_windows(self) -> tuple[Dim, Dim] | None:
        """Return between which places all elements of a window are met, if few are.

        None if that is so of no place, or may be.
        """
        few = isinstance(self.elements, int) and 1 < self.elements <= WRITTEN
        if self.stride != 1 or not few:
            return None
        reach = (self.elements - 1) * self.dilation
        first = minimum(maximum(reach - self.low, 0), self.size)
        behind = maximum(minimum(self.positions - self.low, self.size), first)
        return None if first == behind else (first, behind)

    def meets_one(self, first: int, ends: Sequence[Dim]) -> bool:
        """Return whether one element of a window, the first, meets places for certain.

        `ends` are the first and the last of its positions, as far as it meets them.
        """
        exists = known_at_most(first + 1, self.elements)
        alone = known_at_most(self.elements, first + self.period)
        inside = known_at_most(0, ends[0])
        inside = inside and known_at_most(ends[1], self.positions - 1)
        return exists and alone and inside


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk stands on an axis.

    If the rest mod the stride is known, `quotient` is the place divided by the stride,
    and `ends` what it is at first and at last, if that is known, too.
    """

    index: Value
    rest: int = 0
    quotient: Value | None = None
    ends: tuple[Dim, Dim] = (0, 0)
    meets_all: bool = False  # elements of a window, which are few


@dataclass(frozen=True, slots=True)
class _Overlap:
    rows: Rows
    member: Member
    axes: tuple[_Axis, ...]
    element: Element
    combine: Combiner
    indices: dict[int, Rep]  # of the dimensions that are kept, and those walked so far
    places: tuple[_Place, ...] = ()  # on the axes that are walked so far

    def at(self, **changes: object) -> "_Overlap":
        """Return the walk a step further."""
        return replace(self, **changes)  # type: ignore[arg-type]


def emit_overlap(rows: Rows, member: Member) -> None:
    """Emit a member that adds windows, at one index of the outer space."""
    op, k = member.op, rows.k
    (target,) = op.outputs
    kept = [d for d in member.inner if d not in op.reductions]
    shape = rows.shapes[target]
    last = op.body.block.terminator.operands[0].op
    assert last is not None
    element = element_type(target.type)
    found = []
    for result, size in zip(op.maps[-1].results, shape, strict=True):
        if isinstance(result, Affine):
            (window, dilation), (position, stride) = result.terms
            extents = member.extents[window], member.extents[position]
            low = result.constant * -1
            axis = _Axis(window, position, dilation, stride, low, size, *extents)
            found.append(axis)
    combine = Combiner(type(last), element, 0)
    walk = _Overlap(rows, member, tuple(found), element, combine, {})

    def loops(dims: Sequence[int], indices: dict[int, Rep]) -> None:
        if not dims:
            _places(walk.at(indices=indices))
            return
        first, *others = dims
        with k.loop(k.index(0), k.dim(member.extents[first]), 1) as loop:
            loops(others, indices | {first: Uniform(loop.index)})

    loops(kept, dict(enumerate(rows.outer)))


def _places(walk: _Overlap) -> None:
    """Emit loops over all places of the destination."""
    *_, last = walk.axes
    if last.stride > MOST_APART:
        _each_place(walk, lambda here: _one(here))
        return
    k, stride = walk.rows.k, last.stride
    first = floordiv(last.low, stride)
    behind = ceildiv(last.low + last.size, stride)
    count = behind - first
    if isinstance(count, int) and count <= LANES:
        _strip(walk, k.dim(first))
        return
    with k.loop(k.dim(first), k.dim(behind), LANES) as loop:
        _strip(walk, loop.index)


def _each_place(walk: _Overlap, body: Callable[[_Overlap], None], but: int = 0) -> None:
    """Emit loops over the places of all axes, but some of the last ones."""
    k, depth = walk.rows.k, len(walk.places)
    if depth == len(walk.axes) - but:
        body(walk)
        return
    axis = walk.axes[depth]

    def at(place: _Place) -> None:
        _each_place(walk.at(places=(*walk.places, place)), body, but)

    if not 1 < axis.stride <= MOST_APART:
        innermost = depth == len(walk.axes) - but - 1
        whole = axis.whole_windows() if innermost else None
        bounds = [k.index(0), *map(k.dim, whole or ()), k.dim(axis.size)]
        for number, (lower, upper) in enumerate(pairwise(bounds)):
            with k.loop(lower, upper, 1) as loop:
                at(_Place(loop.index, meets_all=number == 1))
        return
    ends = floordiv(axis.low, axis.stride), ceildiv(axis.low + axis.size, axis.stride)
    with k.loop(k.dim(ends[0]), k.dim(ends[1]), 1) as loop:
        for rest in range(axis.stride):
            index = k.mul(loop.index, k.index(axis.stride))
            index = k.sub(k.add(index, k.index(rest)), k.dim(axis.low))
            place = _Place(index, rest, loop.index, (ends[0], ends[1] - 1))
            first, last = (end * axis.stride + rest - axis.low for end in place.ends)
            if known_at_most(0, first) and known_at_most(last, axis.size - 1):
                at(place)
                continue
            inside = k.op(
                arith.AndI,
                k.compare("sge", index, k.index(0)),
                k.compare("slt", index, k.dim(axis.size)),
            )
            with k.when(inside):
                at(place)


def _meeting(
    walk: _Overlap,
    number: int,
    held: list[Value],
    body: Callable[[_Overlap, list[Value]], list[Value]],
) -> list[Value]:
    """Emit loops over the elements that meet a place, axis by axis; ascending."""
    if number == len(walk.places):
        return body(walk, held)
    k, axis, place = walk.rows.k, walk.axes[number], walk.places[number]
    if place.meets_all:
        assert isinstance(axis.elements, int)
        counted = k.add(place.index, k.dim(axis.low))
        for number_ in range(axis.elements):
            there = k.sub(counted, k.index(number_ * axis.dilation))
            each: dict[int, Rep] = {axis.window: Uniform(k.index(number_))}
            each[axis.position] = Uniform(there)
            inside = walk.at(indices=walk.indices | each)
            held = _meeting(inside, number + 1, held, body)
        return held
    held_back = None
    if place.quotient is not None:
        first = axis.first(place.rest)
        if first is None:
            return held
        shift = (place.rest - axis.dilation * first) // axis.stride
        element, position = k.index(first), k.add(place.quotient, k.index(shift))
        if axis.meets_one(first, [end + shift for end in place.ends]):
            met: dict[int, Rep] = {axis.window: Uniform(element)}
            met[axis.position] = Uniform(position)
            return _meeting(walk.at(indices=walk.indices | met), number + 1, held, body)
    else:
        counted = k.add(place.index, k.dim(axis.low))
        element, position, held_back = _first_meeting(k, axis, counted)
    by, down = k.index(axis.period), k.index(axis.descent)
    lower, upper = _turns(k, axis, element, position)
    if held_back is not None:
        upper = k.select(held_back, upper, k.index(0))
    with k.loop(lower, upper, 1, held) as loop:
        here = {
            axis.window: Uniform(k.add(element, k.mul(loop.index, by))),
            axis.position: Uniform(k.sub(position, k.mul(loop.index, down))),
        }
        inside = walk.at(indices=walk.indices | here)
        loop.yields = _meeting(inside, number + 1, loop.carried, body)
    return loop.results


def _first_meeting(
    k: LoopBuilder, axis: _Axis, place: Value
) -> tuple[Value, Value, Value | None]:
    """Return the first element and its position that meet a place.

    The third is whether there are any, None if there always are.
    """
    if axis.stride == 1:
        return k.index(0), place, None
    rest = _rest(k, place, axis.stride)
    any_ = None
    if axis.common > 1:
        off = _rest(k, rest, axis.common)
        any_ = k.compare("eq", off, k.index(0))
    factor = pow(axis.descent, -1, axis.period) if axis.period > 1 else 0
    element = k.mul(k.floordiv(rest, k.index(axis.common)), k.index(factor))
    element = _rest(k, element, axis.period)
    way = k.sub(place, k.mul(element, k.index(axis.dilation)))
    return element, k.floordiv(way, k.index(axis.stride)), any_


def _rest(k: LoopBuilder, value: Value, divisor: int) -> Value:
    """Return what is left of an index, which may be negative, after whole steps."""
    by = k.index(divisor)
    return k.sub(value, k.mul(k.floordiv(value, by), by))


def _turns(
    k: LoopBuilder, axis: _Axis, element: Value, position: Value
) -> tuple[Value, Value]:
    """Return the bounds of the elements from a first one on whose positions exist."""
    zero, one = k.index(0), k.index(1)
    down = k.index(axis.descent)
    over = k.sub(position, k.sub(k.dim(axis.positions), one))
    over = k.add(over, k.sub(down, one))
    lower = k.maximum(k.floordiv(over, down), zero)
    below = k.add(k.floordiv(position, down), one)
    left = k.sub(k.dim(axis.elements), element)
    left = k.add(left, k.index(axis.period - 1))
    return lower, k.minimum(below, k.floordiv(left, k.index(axis.period)))


def _one(walk: _Overlap) -> None:
    """Compute one element of the destination."""
    k = walk.rows.k

    def add(here: _Overlap, held: list[Value]) -> list[Value]:
        value = _element(here, here.indices, None)
        assert isinstance(value, Uniform)
        return [walk.combine.combine(k, held[0], value.value)]

    zero = k.constant(0, walk.element)
    (total,) = _meeting(walk, 0, [zero], add)
    _put(walk, [Uniform(p.index) for p in walk.places], Uniform(total), None)


def _strip(walk: _Overlap, first: Value) -> None:
    """Compute 16 places of each rest along the last axis, from `first` * stride on.

    Which lanes have positions is the same for all rows.
    """
    k = walk.rows.k
    *_, last = walk.axes
    parts = []
    for rest in range(last.stride):
        element = last.first(rest)
        if element is not None:
            shift = (rest - last.dilation * element) // last.stride
            start = k.add(first, k.index(shift))
            parts.append((rest, element, start, _written(walk, element, start)))
    origin = k.sub(k.mul(first, k.index(last.stride)), k.dim(last.low))
    masks = []
    for number in range(last.stride):
        at = k.add(origin, k.index(number * LANES))
        masks.append((at, _between(k, at, last.size)))

    def row(here: _Overlap) -> None:
        zero = k.constant(0, here.element, LANES)
        starts = [zero] * len(parts)

        def add(inside: _Overlap, held: list[Value]) -> list[Value]:
            pairs = zip(parts, held, strict=True)
            return [_along(inside, *part[1:], total) for part, total in pairs]

        sums = _meeting(here, 0, starts, add)
        vectors = [zero] * last.stride
        for (rest, *_), total in zip(parts, sums, strict=True):
            vectors[rest] = total
        before = [Uniform(p.index) for p in here.places]
        pairs = zip(interleave(k, vectors), masks, strict=True)
        for made, (at, mask) in pairs:
            _put(here, [*before, Counter(at)], Lanes(made), mask)

    _each_place(walk, row, but=1)


Written = list[tuple[int, Value, Value | None]] | None


def _written(walk: _Overlap, element: int, start: Value) -> Written:
    """Return the elements that meet a strip, with lane 0's position and the lanes.

    None if they are too many to be written out.
    """
    k, (*_, last) = walk.rows.k, walk.axes
    if not isinstance(last.elements, int) or last.elements > WRITTEN * last.period:
        return None
    found = []
    for turn, number in enumerate(range(element, last.elements, last.period)):
        at = k.sub(start, k.index(turn * last.descent))
        found.append((number, at, _between(k, at, last.positions)))
    return found


def _along(
    walk: _Overlap, element: int, start: Value, written: Written, held: Value
) -> Value:
    """Add what meets 16 places of one rest."""
    k, (*_, last) = walk.rows.k, walk.axes

    def add(number: Value, at: Value, mask: Value | None, total: Value) -> Value:
        here: dict[int, Rep] = {last.window: Uniform(number)}
        here[last.position] = Counter(at)
        value = _element(walk, walk.indices | here, mask)
        return walk.combine.step(k, total, value, mask)

    if written is not None:
        for turn, at, mask in written:
            held = add(k.index(turn), at, mask, held)
        return held
    left = k.sub(k.dim(last.elements), k.index(element))
    left = k.add(left, k.index(last.period - 1))
    turns = k.floordiv(left, k.index(last.period))
    with k.loop(k.index(0), turns, 1, [held]) as loop:
        number = k.add(k.index(element), k.mul(loop.index, k.index(last.period)))
        at = k.sub(start, k.mul(loop.index, k.index(last.descent)))
        mask = _between(k, at, last.positions)
        loop.yields = [add(number, at, mask, loop.carried[0])]
    return loop.results[0]


def _element(walk: _Overlap, indices: dict[int, Rep], mask: Value | None) -> Rep:
    """Return what is added at a point, or at 16."""
    rows, op = walk.rows, walk.member.op
    point = Point(tuple([indices[d] for d in range(len(walk.member.extents))]), mask)
    arguments = arguments_at(rows, walk.member, point, rows.row)
    last = op.body.block.terminator.operands[0].op
    assert last is not None
    return emit_body(rows.k, op, point, arguments, rows.storages, (last,))[0]


def _put(walk: _Overlap, places: Sequence[Rep], value: Rep, mask: Value | None) -> None:
    op = walk.member.op
    kept = len(op.maps[-1].results) - len(walk.axes)
    whole = [*[walk.indices[d] for d in range(kept)], *places]
    put(walk.rows, op.outputs[0], whole, value, Point((), mask))


def _between(k: LoopBuilder, at: Value, extent: Dim) -> Value | None:
    """Return the mask of lanes whose index, from `at` on, is one of an axis.

    None if it is that of all lanes.
    """
    zero, lanes = k.index(0), k.index(LANES)
    lower = k.minimum(k.maximum(k.sub(zero, at), zero), lanes)
    upper = k.maximum(k.minimum(k.sub(k.dim(extent), at), lanes), lower)
    ends = k.known(lower), k.known(upper)
    if None not in ends:
        if ends == (0, LANES):
            return None
        if ends[0] == 0:
            return k.mask(ends[1] or 0)
    return mask_between(k, lower, upper)
