"""The members of a group, as the row emitter sees them: levels and slots.

1. Members with one inner dimension run together in a *sweep*. Sweeps have even levels;
   what needs a finished reduction, or is a scalar per row, waits for the next level.
2. Values pass from member to member in registers where producer and consumer share a
   sweep, or where a whole row is one vector. Only other uses go through memory: the
   destination if the group gives the value, scratch for one row otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import MapResult
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.generics import combiners, reads, space


@dataclass(eq=False)
class Member:
    """A generic of a group, as the row emitter sees it."""

    op: Generic
    extents: list[Dim]
    outer: int
    level: int = 0

    @property
    def inner(self) -> list[int]:
        """The dimensions inside a row, reduced ones included."""
        return list(range(self.outer, len(self.extents)))

    @property
    def is_scalar(self) -> bool:
        """Return whether the member gives one scalar per row, without a loop."""
        return not self.inner

    @property
    def is_sweep(self) -> bool:
        """Return whether the member is one vector loop along a row."""
        known = not self.op.reductions or combiners(self.op)
        return len(self.inner) == 1 and bool(known)


def make_member(
    op: Generic, shapes: dict[Value, tuple[Dim, ...]], outer: int
) -> Member:
    """Return a generic with its iteration space."""
    return Member(op, space(op, [shapes[v] for v in op.operands]), outer)


def assign_levels(members: Sequence[Member], makers: Mapping[Value, Member]) -> None:
    """Give each member its level: sweeps are even, all others odd.

    `makers` are the members that make what others read: memory, or tensors. Who writes
    a part is not before those that wrote others: what reads the whole is behind all.
    """
    written: dict[Value, int] = {}
    for member in members:
        lowest = 0 if member.is_sweep else 1
        for value in member.op.outputs:
            before = written.get(value, 0)
            lowest = max(lowest, before + (before - lowest) % 2)
        for item in reads(member.op):
            made = makers.get(item.value)
            if made is not None and made is not member:
                lowest = max(lowest, _level_after(made, member, item.axes))
        member.level = lowest
        written.update(dict.fromkeys((*member.op.outputs, *member.op.results), lowest))


def _level_after(made: Member, member: Member, axes: Sequence[MapResult]) -> int:
    if not made.is_sweep:
        return made.level + 1 if member.is_sweep else made.level
    if not member.is_sweep:
        return made.level + 1
    return made.level if _same_lane(made, member, axes) else made.level + 2


def _same_lane(made: Member, member: Member, axes: Sequence[MapResult]) -> bool:
    """Return whether a sweep reads just what another sweep makes in the same lane."""
    elementwise = not made.op.reductions
    same = made.extents[-1] == member.extents[-1]
    return elementwise and same and list(axes) == list(range(len(made.extents)))


def in_registers(
    members: Sequence[Member], makers: Mapping[Value, Member]
) -> set[Value]:
    """Return what all its readers get in registers, so that it needs no memory."""
    found = {v for v, made in makers.items() if not _writes_part(made.op, v)}
    for member in members:
        found.difference_update(member.op.outputs if member.op.results else ())
        for item in reads(member.op):
            made = makers.get(item.value)
            if made is not None and not _in_register(
                made, member, item.axes, item.value
            ):
                found.discard(item.value)
    return found


def _writes_part(op: Generic, value: Value) -> bool:
    """Return whether a generic writes a part of what becomes a value."""
    given = op.results or op.outputs
    first = len(op.inputs)
    return any(
        not map_.is_plain
        for v, map_ in zip(given, op.maps[first:], strict=True)
        if v is value
    )


def _in_register(
    made: Member, member: Member, axes: Sequence[MapResult], value: Value
) -> bool:
    if value not in member.op.inputs or not all(
        m.results == tuple(axes)
        for v, m in zip(member.op.inputs, member.op.maps, strict=False)
        if v is value
    ):
        return False  # an access at computed indices
    if made.is_scalar or (made.is_sweep and made.op.reductions):
        return list(axes) == list(range(made.outer))
    if not (made.is_sweep and member.is_sweep):
        return False
    same_loop = made.level == member.level or _is_inline(made)
    return same_loop and _same_lane(made, member, axes)


def _is_inline(member: Member) -> bool:
    """Return whether a member's last axis fits in one vector."""
    extent = member.extents[-1]
    return isinstance(extent, int) and extent <= LANES
