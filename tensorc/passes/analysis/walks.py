"""In which order a reduction walks its dimensions: as they lie in memory.

Memory of the largest operand decides; dimensions that lie there one behind the other,
and are either kept or reduced, are walked as one.
"""

from dataclasses import dataclass

from tensorc.ir.attributes import Affine, AffineMap
from tensorc.ir.dims import Dim
from tensorc.ir.ops.structured.generics import Generic, Index
from tensorc.passes.analysis.generics import combiners, is_shape_only
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
    op = member.op
    maps = [m for i, m in enumerate(op.maps[: len(op.inputs)]) if _is_read(op, i)]
    along = [[d for d in _dims(m) if d in member.inner] for m in maps]
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
    maps = [m for i, m in enumerate(member.op.maps) if _is_read(member.op, i)]
    return all(_follows(map_, axis.dims[-1], dim) for map_ in maps)


def _is_read(op: Generic, number: int) -> bool:
    """Return whether an operand is read or written, and not there for its extents."""
    return number >= len(op.inputs) or not is_shape_only(op, number)


def _dims(map_: AffineMap) -> list[int]:
    """Return the dimensions of a map as the operand has them, each once."""
    found: dict[int, None] = {}
    for result in map_.results:
        if isinstance(result, Affine):
            found.update((dim, None) for dim, _ in result.terms)
        elif result is not None:
            found[result] = None
    return list(found)


def _follows(map_: AffineMap, first: int, second: int) -> bool:
    """Return whether two dimensions are neighbours in an operand, or both not in it."""
    if first not in map_.results or second not in map_.results:
        return first not in _dims(map_) and second not in _dims(map_)
    return map_.results.index(second) == map_.results.index(first) + 1
