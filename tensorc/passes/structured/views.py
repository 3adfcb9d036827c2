"""Lowered tensors as their readers see them, and the state of lowering to structure.

A `View` is a tensor read through a map. `Lowering` appends generics that read views.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tensorc.ir.attributes import AffineMap, Dims, MapResult, Typed, through
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Extract, Index
from tensorc.ir.types import INDEX, Element, TensorType
from tensorc.passes.common.structured_builder import (
    cast,
    empty,
    filled,
    generic,
    scalar,
    size,
)

Axes = tuple[MapResult, ...]


@dataclass(frozen=True, slots=True)
class MappedRead:
    """A tensor that is read through a map: axis i of `base` is read at `axes[i]`.

    These are the results of a map whose dimensions are the tensor's axes: a plain one
    runs over the whole of an axis. Without `base` it is `constant` everywhere. Where
    the map leaves the base, it is `outside`.
    """

    type: TensorType
    base: Value | None
    axes: Axes
    constant: Typed | None = None
    outside: Typed | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether the view is its base, unchanged."""
        return self.base is not None and self == whole(self.base)

    def through(self, type_: TensorType, where: Axes) -> "MappedRead":
        """Return a view of this one, whose axis i is read at `where[i]`."""
        return replace(self, type=type_, axes=compose(self.axes, where))


def whole(base: Value) -> MappedRead:
    """Return the view of a lowered tensor as it is."""
    assert isinstance(base.type, TensorType)
    return MappedRead(base.type, base, tuple(range(base.type.rank)))


def turned(view: MappedRead) -> MappedRead:
    """Return the view whose last two axes are those of another one, swapped."""
    *batch, rows, columns = view.type.shape
    where = (*range(len(batch)), len(batch) + 1, len(batch))
    type_ = replace(view.type, shape=(*batch, columns, rows))
    return view.through(type_, where)


Read = tuple[
    MappedRead, Axes
]  # a view, and the iteration dimension of each of its axes


# The type of a destination, where the iteration writes, and what was there before: a
# number that a reduction starts from, other parts, or nothing.
Write = tuple[TensorType, Axes, float | Value | None]


def _destination(b: Builder, type_: TensorType, start: float | Value | None) -> Value:
    if isinstance(start, Value):
        return start
    return empty(b, type_) if start is None else filled(b, type_, start)


@dataclass
class Checks:
    """The checks of indices so far: each has a result, which is what readers read."""

    made: dict[tuple[Value, Dims, bool], Value] = field(default_factory=dict)
    origins: dict[Value, Value] = field(default_factory=dict)
    newest: dict[Value, Value] = field(default_factory=dict)

    def origin(self, indices: Value) -> Value:
        """Return what was checked first, for the result of a check."""
        return self.origins.get(indices, indices)

    def latest(self, indices: Value) -> Value:
        """Return the result of the last check: indices are copied once."""
        return self.newest.get(self.origin(indices), indices)

    def find(self, indices: Value, size: Dims, from_end: bool) -> Value | None:
        """Return the result of a check that says as much, if there is one."""
        origin = self.origin(indices)
        strict = self.made.get((origin, size, False))
        return strict or self.made.get((origin, size, from_end))

    def inside(self, names: Mapping[Value, Value]) -> "Checks":
        """Return what is known in a region of captures, by their names there.

        The captures of indices that were checked are the results of the last checks.
        """
        known = Checks()
        for origin, extent, from_end in self.made:
            name = names.get(self.latest(origin))
            if name is not None:
                known.made[name, extent, from_end] = name
        return known

    def add(self, indices: Value, size: Dims, from_end: bool, result: Value) -> None:
        """Remember a check."""
        origin = self.origin(indices)
        self.made[origin, size, from_end] = result
        self.origins[result] = origin
        self.newest[origin] = result


# What a softmax is of, its mask if it has one, and the axis; and what it is made of:
# the elements less the largest, powers of e, and their sums.
PowersKey = tuple[MappedRead, MappedRead | None, int]
Powers = tuple[Value, Value, Value]


@dataclass
class Lowering:
    """The state of lowering one function, or one region.

    `powers` are those that softmaxes and their logarithms have in common. `turned` are
    the products of which nothing but their transpose is read.
    """

    b: Builder
    views: dict[Value, MappedRead] = field(default_factory=dict)
    checks: Checks = field(default_factory=Checks)
    entry: list[Op] = field(default_factory=list)
    powers: dict[PowersKey, Powers] = field(default_factory=dict)
    turned: set[Value] = field(default_factory=set)

    def materialize(self, view: MappedRead) -> Value:
        """Return a lowered tensor with the view's elements, copying if need be."""
        if view.is_whole and view.base is not None:
            return view.base
        return self.pointwise([view], view.type, lambda values: values)

    def inside(self, view: MappedRead) -> MappedRead:
        """Return a view that never leaves its base, copied if need be."""
        return view if view.outside is None else whole(self.materialize(view))

    def pointwise(
        self,
        views: Sequence[MappedRead],
        type_: TensorType,
        body: Callable[[list[Value]], Sequence[Value]],
    ) -> Value:
        """Append a generic without reduction that reads views of `type_`'s shape."""
        axes = tuple(range(type_.rank))
        return self.loop([(v, axes) for v in views], [(type_, axes, None)], body)[0]

    def converted(self, view: MappedRead, element: Element) -> MappedRead:
        """Return a view in another element type, computed if that is not its own."""
        if view.type.element == element:
            return view
        type_ = replace(view.type, element=element)
        made = self.pointwise([view], type_, lambda v: [cast(self.b, v[0], element)])
        return whole(made)

    def loop(
        self,
        reads: Sequence[Read],
        writes: Sequence[Write],
        body: Callable[[list[Value]], Sequence[Value]],
        reductions: Sequence[int] = (),
        order: str = "",
        dims: int | None = None,
        sized: Sequence[int] = (),
    ) -> list[Value]:
        """Append a generic: what it reads, and the destinations that it writes.

        The body gets the elements of the reads, then those of the writes if something
        is reduced. Operands of their own give the extents of `sized` dimensions, so
        that what is read may change.
        """
        b = self.b
        count = len(writes[0][1]) + len(reductions) if dims is None else dims
        inputs = [
            (v.base, AffineMap(count, compose(v.axes, axes), v.outside))
            for v, axes in reads
            if v.base is not None
        ]
        outputs = [
            (_destination(b, type_, start), AffineMap(count, axes))
            for type_, axes, start in writes
        ]
        shapes = self._extents(reads, [*inputs, *outputs], count, sized)

        def with_constants(arguments: list[Value]) -> Sequence[Value]:
            given = iter(arguments)
            values = [
                next(given)
                if v.constant is None
                else b.value(arith.Constant, value=v.constant)
                for v, _ in reads
            ]
            accumulators = list(given)[len(shapes) :] if reductions else []
            return body([*values, *accumulators])

        inputs = [*inputs, *shapes]
        return generic(b, inputs, outputs, with_constants, reductions, order)

    def _extents(
        self,
        reads: Sequence[Read],
        operands: Sequence[tuple[Value, AffineMap]],
        count: int,
        sized: Sequence[int],
    ) -> list[tuple[Value, AffineMap]]:
        """Return operands that give the extents that no other operand's axis is."""
        stated = {r for _, map_ in operands for r in map_.results if isinstance(r, int)}
        stated.difference_update(sized)
        found = []
        for view, axes in reads:
            for dim, extent in zip(axes, view.type.shape, strict=True):
                if isinstance(dim, int) and dim not in stated:
                    stated.add(dim)
                    shape = empty(self.b, TensorType((extent,), view.type.element))
                    found.append((shape, AffineMap(count, (dim,))))
        return found

    def index(self, dim: int) -> Value:
        """Append the index along a dimension of the generic that is being built."""
        return self.b.value(Index, dim=dim)

    def read_at(self, base: Value, axes: Axes, computed: Mapping[int, Value]) -> Value:
        """Append the element of a lowered tensor at computed indices.

        Axis i of `base` is read at `axes[i]`, where `computed` gives some dimensions,
        the iteration all others.
        """

        def at(dim: int) -> Value:
            given = computed.get(dim)
            return self.index(dim) if given is None else given

        return self.b.value(Extract, base, *[self._place(a, at) for a in axes])

    def _place(self, result: MapResult, at: Callable[[int], Value]) -> Value:
        b = self.b
        if isinstance(result, int):
            return at(result)
        total: Value | None = None
        for dim, factor in result.terms if result else ():
            value = at(dim)
            if factor != 1:
                value = b.value(arith.MulI, value, scalar(b, factor, INDEX))
            total = value if total is None else b.value(arith.AddI, total, value)
        constant = result.constant if result else 0
        if total is None:
            return size(b, constant)
        return total if constant == 0 else b.value(arith.AddI, total, size(b, constant))


def compose(view: Axes, axes: Axes) -> Axes:
    """Return the axes of a base in terms of an iteration, given those of its view."""
    return tuple([through(a, axes) for a in view])


def without(rank: int, axis: int) -> tuple[int, ...]:
    """Return the axes of a rank but one."""
    return tuple(d for d in range(rank) if d != axis)
