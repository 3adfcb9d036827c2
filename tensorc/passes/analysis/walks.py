"""In which order a reduction walks its dimensions: as they lie in memory.

Memory of the largest operand decides; dimensions that lie there one behind the other,
and are either kept or reduced, are walked as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import MapResult, terms_of
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, elements, known_at_most
from tensorc.ir.numerics import BLOCK
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.generics import (
    ROUNDING,
    combiners,
    is_contraction,
    is_shape_only,
    reads,
)
from tensorc.passes.analysis.joins import joins
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
            and joins(member.op, found[-1].dims[-1], dim)
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


def extent_of(member: Member, reduced: bool) -> Dim:
    """Return how many elements a member reduces to each result, or keeps."""
    wanted = [d for d in member.inner if (d in member.op.reductions) == reduced]
    return elements(member.extents[dim] for dim in wanted)


def kept_of(members: Sequence[Member], outer: int) -> Dim | None:
    """Return what all members of a kernel keep, if a chunk may have a part of it.

    That is so of one reduction alone, and of several and others that go along the same
    dimension: what one makes the others read there.
    """
    if outer or not any(m.op.reductions and not m.is_sweep for m in members):
        return None
    if any(is_contraction(m.op) for m in members):
        return None
    kept = [[d for d in m.inner if d not in m.op.reductions] for m in members]
    if len(members) == 1:
        return extent_of(members[0], reduced=False) if kept[0] else None
    made = _made(members)
    extents = {
        m.extents[dims[0]] for m, dims in zip(members, kept, strict=True) if dims
    }
    for member, dims in zip(members, kept, strict=True):
        if len(dims) != 1 or len(extents) != 1:
            return None
        if any(r.axes != tuple(dims) for r in reads(member.op) if r.value in made):
            return None  # it may read what another chunk makes
    return extents.pop()


def is_turned(member: Member) -> bool:
    """Return whether a sum goes down the columns of a matrix, each of some blocks.

    Memory has them as rows of the other dimension. Columns may be shorter where their
    extent is unknown.
    """
    axes = walk(member)
    if len(axes) != 2 or not all(a.reduced and len(a.dims) == 1 for a in axes):
        return False
    (column,), (row,) = (axis.dims for axis in axes)
    if known_at_most(axes[1].extent, BLOCK - 1) or not combiners(member.op):
        return False
    if not is_ordered(member.op):
        return False
    read = [m.results for m in member.op.maps[: len(member.op.inputs)]]
    along = [results for results in read if results and results[-1] == column]
    return any(row in results for results in along)


def apart(members: Sequence[Member], outer: int) -> list[Member]:
    """Return the reductions of a kernel if each may run in parts before all else.

    They are combinations, and read nothing that the kernel makes.
    """
    made = _made(members)
    found = [m for m in members if m.op.reductions]
    if outer or not all(combiners(m.op) for m in found):
        return []
    return [] if any(r.value in made for m in found for r in reads(m.op)) else found


def _made(members: Sequence[Member]) -> set[Value]:
    return {v for m in members for v in (*m.op.outputs, *m.op.results)}


def is_ordered(op: Generic) -> bool:
    """Return whether it matters in which order a reduction meets its elements."""
    combining = combiners(op)
    return bool(op.order) and (not combining or isinstance(combining[0], ROUNDING))


def _order(member: Member) -> list[int]:
    """Return the dimensions inside a row as they lie in memory."""
    op = member.op
    maps = [
        m for i, m in enumerate(op.maps[: len(op.inputs)]) if not is_shape_only(op, i)
    ]
    along = [_along(m.results, member.inner) for m in maps]
    longest = max(along, key=len, default=[])
    order = [d for d in member.inner if d not in longest] + longest
    if not is_ordered(member.op):
        return order
    ascending = iter(member.op.reductions)
    return [next(ascending) if d in member.op.reductions else d for d in order]


def _along(axes: Sequence[MapResult], inner: Sequence[int]) -> list[int]:
    """Return the dimensions in the indices of an operand, the largest steps first."""
    found: dict[int, None] = {}
    for axis in axes:
        terms = sorted(terms_of(axis), key=lambda term: -abs(term[1]))
        found.update((dim, None) for dim, _ in terms if dim in inner)
    return list(found)
