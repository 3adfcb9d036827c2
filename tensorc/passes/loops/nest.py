"""Loops over a part of a flat space: points of several dimensions, row-major.

The bounds are divided once, into the indices of the first and the last point; inside,
each dimension is clipped where all dimensions before it stand at these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, elements, maximum
from tensorc.ir.ops.scalar import arith
from tensorc.passes.loops.builder import LoopBuilder

# They are given the indices of a point (or of all dimensions but the last, and the
# bounds of that), and what is carried; they return what is carried on.
RunBody = Callable[[list[Value], Value, Value, list[Value]], Sequence[Value]]
NestBody = Callable[[list[Value], list[Value]], Sequence[Value]]


def flat_nest(
    k: LoopBuilder,
    extents: Sequence[Dim],
    lower: Value,
    upper: Value,
    body: NestBody,
    carried: Sequence[Value] = (),
) -> list[Value]:
    """Loop over the points [lower, upper) of a flat space; return what comes out.

    `body` is given the indices of a point and what is carried, and returns that anew.
    """

    def run(
        before: list[Value], begin: Value, end: Value, held: list[Value]
    ) -> Sequence[Value]:
        with k.loop(begin, end, 1, held) as loop:
            loop.yields = [*body([*before, loop.index], loop.carried)]
        return loop.results

    return flat_runs(k, extents, lower, upper, run, carried)


def flat_runs(
    k: LoopBuilder,
    extents: Sequence[Dim],
    lower: Value,
    upper: Value,
    body: RunBody,
    carried: Sequence[Value] = (),
) -> list[Value]:
    """Loop over all dimensions but the last one, whose parts are left to `body`.

    So a run along the last dimension may go by vectors. Without dimensions there is one
    point, in a last dimension of extent 1.
    """
    if len(extents) < 2:
        return [*body([], lower, upper, list(carried))]
    first = last = None
    if k.known(lower) != 0:
        first = _Corner(unravel(k, extents, lower))
    if upper is not k.dim(elements(tuple(extents))):
        last = _Corner(unravel(k, extents, k.sub(upper, k.index(1))))
    return _level(k, extents, [], (first, last), body, list(carried))


@dataclass(frozen=True, slots=True)
class _Corner:
    """The indices of the first or the last point of a part.

    `here` is whether the loops so far stand at them; None is true.
    """

    indices: Sequence[Value]
    here: Value | None = None

    def clipped(self, k: LoopBuilder, own: Value, otherwise: Value) -> Value:
        """Return `own` at the corner, `otherwise` elsewhere."""
        return own if self.here is None else k.select(self.here, own, otherwise)

    def at(self, k: LoopBuilder, depth: int, index: Value) -> "_Corner":
        """Return the corner as it is seen inside of the loop of a dimension."""
        same = k.compare("eq", index, self.indices[depth])
        here = same if self.here is None else k.op(arith.AndI, self.here, same)
        return _Corner(self.indices, here)


def unravel(k: LoopBuilder, extents: Sequence[Dim], point: Value) -> list[Value]:
    """Return the index in each dimension of a point of a flat space.

    That of the first dimension may be -1, and then the last point is before the first.
    """
    found = []
    for depth in range(1, len(extents)):
        size = k.dim(maximum(elements(tuple(extents[depth:])), 1))
        index = k.op(arith.FloorDivSI, point, size)
        point = k.sub(point, k.mul(index, size))
        found.append(index)
    return [*found, point]


def _level(
    k: LoopBuilder,
    extents: Sequence[Dim],
    before: list[Value],
    corners: tuple[_Corner | None, _Corner | None],
    body: RunBody,
    carried: list[Value],
) -> list[Value]:
    depth = len(before)
    first, last = corners
    begin, end = k.index(0), k.dim(extents[depth])
    if first is not None:
        begin = first.clipped(k, first.indices[depth], begin)
    if last is not None:
        own = k.add(last.indices[depth], k.index(1))
        end = last.clipped(k, own, end)
    if depth == len(extents) - 1:
        return [*body(before, begin, end, carried)]
    with k.loop(begin, end, 1, carried) as loop:
        here = [*before, loop.index]
        inside = (
            first and first.at(k, depth, loop.index),
            last and last.at(k, depth, loop.index),
        )
        loop.yields = _level(k, extents, here, inside, body, loop.carried)
    return loop.results
