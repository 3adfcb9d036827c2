"""Which dimensions of a kernel are walked as one: those that memory has in a row.

Two neighbouring dimensions join where each operand of each member has them as two
neighbouring whole axes, or has neither. A loop over both goes over the second one
alone, further than its extent, while the index of the first one stays 0: the addresses
are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import MapResult, terms_of
from tensorc.ir.ops.structured.generics import Generic, Index
from tensorc.passes.analysis.generics import is_shape_only, reads
from tensorc.passes.analysis.members import Member


@dataclass(frozen=True, slots=True)
class Runs:
    """The dimensions of a kernel by the loops that walk them, each loop a run of them.

    `rows` are loops over rows. `swept` are the dimensions that vectors walk where all
    members do so alike, element by element, so that a chunk may be a part of a row; ()
    if they do not.
    """

    rows: tuple[tuple[int, ...], ...]
    swept: tuple[int, ...]


def runs_of(members: Sequence[Member], outer: int) -> Runs:
    """Return the runs of members that stand in one kernel with `outer` dimensions."""
    swept = _all_sweep_alike(members)
    found: list[list[int]] = []
    for dim in range(outer + swept):
        if found and all(joins(m.op, dim - 1, dim) for m in members):
            found[-1].append(dim)
        else:
            found.append([dim])
    runs = tuple(map(tuple, found))
    return Runs(runs[:-1], runs[-1]) if swept else Runs(runs, ())


def _all_sweep_alike(members: Sequence[Member]) -> bool:
    """Return whether all members are sweeps of one extent that reduce nothing.

    What one of them makes the others read in the same lane.
    """
    made = {v for m in members for v in (*m.op.outputs, *m.op.results)}
    for member in members:
        whole = tuple(range(len(member.extents)))
        if not member.is_sweep or member.op.reductions:
            return False
        if member.extents[-1] != members[0].extents[-1]:
            return False
        if any(r.axes != whole for r in reads(member.op) if r.value in made):
            return False
    return True


def joins(op: Generic, first: int, second: int) -> bool:
    """Return whether memory has two dimensions in a row in every operand."""
    for inner in op.body.block.ops:
        if isinstance(inner, Index) and inner.dim in (first, second):
            return False
    read = [m for i, m in enumerate(op.maps) if not _states_sizes(op, i)]
    if any(m.outside is not None and _uses(m.results, (first, second)) for m in read):
        return False  # the indices say what is outside
    return all(follows(map_.results, first, second) for map_ in read)


def _uses(axes: Sequence[MapResult], dims: Sequence[int]) -> bool:
    return any(dim in dims for axis in axes for dim, _ in terms_of(axis))


def _states_sizes(op: Generic, number: int) -> bool:
    return number < len(op.inputs) and is_shape_only(op, number)


def follows(axes: Sequence[MapResult], first: int, second: int) -> bool:
    """Return whether two dimensions are neighbours in an operand, or both not in it.

    The second one is the whole of its axis; the first may start anywhere in its own.
    """
    terms = [terms_of(axis) for axis in axes]
    found = [{first, second} & {dim for dim, _ in given} for given in terms]
    at = [number for number, dims in enumerate(found) if dims]
    if not at:
        return True
    if len(at) != 2 or at[1] != at[0] + 1 or axes[at[1]] != second:
        return False
    return (first, 1) in terms[at[0]]
