"""In which order a reduction walks its dimensions: as they lie in memory.

Memory of the largest operand decides; dimensions that lie there one behind the other,
and are either kept or reduced, are walked as one.
"""

from dataclasses import dataclass

from tensorc.ir.attributes import AffineMap
from tensorc.ir.dims import Dim
from tensorc.ir.ops.structured.generics import Generic, Index
from tensorc.passes.analysis.generics import combiners
from tensorc.passes.analysis.members import Member


@dataclass(frozen=True, slots=True)
class Axis:
    """Dimensions of a member that are walked as one; the last varies fastest.

    `below` is how far apart two neighbours are in the flat index of all that is reduced
    (or of all that is kept).
    """

    dims: tuple[int, ...]
    extent: Dim
    reduced: bool
    below: Dim = 1


def walk(member: Member) -> tuple[Axis, ...]:
    """Return the axes inside a row of a reduction, the outermost in memory first.

    What is reduced keeps its order if it matters; of what is kept the order is free.
    """
    found: list[Axis] = []
    for dim in _order(member):
        axis = Axis((dim,), member.extents[dim], dim in member.op.reductions)
        if (
            found
            and found[-1].reduced == axis.reduced
            and _joins(member, found[-1], dim)
        ):
            before = found.pop()
            dims, extent = (*before.dims, dim), before.extent * axis.extent
            axis = Axis(dims, extent, axis.reduced)
        found.append(axis)
    below: dict[bool, Dim] = {True: 1, False: 1}
    for number, axis in reversed(list(enumerate(found))):
        found[number] = Axis(axis.dims, axis.extent, axis.reduced, below[axis.reduced])
        below[axis.reduced] = below[axis.reduced] * axis.extent
    return tuple(found)


def is_ordered(op: Generic) -> bool:
    """Return whether it matters in which order a reduction meets its elements."""
    return bool(op.order) and not (combiners(op) and not _rounds(op))


def _rounds(op: Generic) -> bool:
    return combiners(op)[0].name in ("arith.addf", "arith.mulf")


def _order(member: Member) -> list[int]:
    """Return the dimensions inside a row as they lie in memory."""
    maps = member.op.maps[: len(member.op.inputs)]
    along = [[d for d in m.results if d in member.inner] for m in maps]
    longest = max(along, key=len, default=[])
    order = [d for d in member.inner if d not in longest] + longest
    if not is_ordered(member.op):
        return order
    ascending = iter(member.op.reductions)
    return [next(ascending) if d in member.op.reductions else d for d in order]


def _joins(member: Member, axis: Axis, dim: int) -> bool:
    """Return whether an axis and the dimension after it are one run in all operands."""
    for op in member.op.body.block.ops:
        if isinstance(op, Index) and op.dim in (*axis.dims, dim):
            return False
    return all(_follows(map_, axis.dims[-1], dim) for map_ in member.op.maps)


def _follows(map_: AffineMap, first: int, second: int) -> bool:
    """Return whether two dimensions are neighbours in an operand, or both not in it."""
    if first not in map_.results or second not in map_.results:
        return first not in map_.results and second not in map_.results
    return map_.results.index(second) == map_.results.index(first) + 1
