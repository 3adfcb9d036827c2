"""The members of a group, as the row emitter sees them: levels and places.

1. Members with one inner dimension run together in a *sweep*. Sweeps have even levels;
   what needs a finished reduction, or is a scalar per row, waits for the next level.
2. Values pass from member to member in registers where producer and consumer share a
   sweep, or where a whole row is one vector. Only other uses go through memory: the
   destination if the group gives the value, scratch for one row otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.errors import InternalError
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops import arith
from tensorc.ir.ops.structured import Fill, Generic
from tensorc.ir.types import element_type
from tensorc.passes.accumulate import Combiner, scratch
from tensorc.passes.generics import combiners, is_contraction, reads, space
from tensorc.passes.lanes import Rep, Storage
from tensorc.passes.loop_builder import LoopBuilder
from tensorc.target import Target


@dataclass(eq=False)
class Member:
    """A generic of a group, as the row emitter sees it."""

    op: Generic
    extents: list[Dim]
    outer: int
    level: int = 0

    @property
    def inner(self) -> list[int]:
        """The dimensions inside a row, reduced one included."""
        return list(range(self.outer, len(self.extents)))

    @property
    def combiners(self) -> tuple[Combiner, ...]:
        """How the member reduces to each result, if in a form that vectors know."""
        if self.op.reduction is None:
            return ()
        return tuple(
            Combiner(type(op), element_type(op.result.type), start_value(self.op, i))
            for i, op in enumerate(combiners(self.op))
        )

    @property
    def is_scalar(self) -> bool:
        """Tell whether the member gives one scalar per row, without a loop."""
        return not self.inner

    @property
    def is_sweep(self) -> bool:
        """Tell whether the member is one vector loop along a row."""
        known = self.op.reduction is None or combiners(self.op)
        return len(self.inner) == 1 and bool(known)


def start_value(op: Generic, output: int) -> float:
    """Return the identity that a reduction starts from: the last fill before it."""
    target = op.outputs[output]
    block = op.parent
    assert block is not None
    value: float | None = None
    for other in block.ops:
        if other is op:
            break
        if isinstance(other, Fill) and other.operands[1] is target:
            constant = other.operands[0].op
            assert isinstance(constant, arith.Constant)
            value = constant.value.value
    if value is None:
        raise InternalError(f"a reduction at {op.location} starts from nothing")
    return value


@dataclass
class Rows:
    """The state of emitting one group's rows."""

    k: LoopBuilder
    target: Target
    members: list[Member]
    shapes: dict[Value, tuple[Dim, ...]]
    storages: dict[Value, Storage]
    panel: Value | None  # a copy of a contraction's right side, for its tiles
    private: set[Value]  # memory inside the group, not yet given a place
    row: dict[Value, Rep] = field(default_factory=dict)  # what this row holds
    outer: list[Rep] = field(default_factory=list)
    # The columns to run over, where a chunk has only a part of each row.
    span: tuple[Value, Value] | None = None
    makers: dict[Value, Member] = field(init=False)  # who writes a memory value first

    def __post_init__(self) -> None:
        self.makers = {}
        for member in self.members:
            for output in member.op.outputs:
                self.makers.setdefault(output, member)

    def producer(self, value: Value) -> Member | None:
        """Return the member that writes a memory value, if one does."""
        return self.makers.get(value)


def make_member(
    op: Generic, shapes: dict[Value, tuple[Dim, ...]], outer: int
) -> Member:
    """Return a generic with its iteration space."""
    return Member(op, space(op, [shapes[v] for v in op.operands]), outer)


def assign_levels(members: Sequence[Member], makers: Mapping[Value, Member]) -> None:
    """Give each member its level: sweeps are even, all others odd.

    `makers` are the members that make what others read: memory, or tensors.
    """
    for member in members:
        lowest = 0 if member.is_sweep else 1
        for item in reads(member.op):
            made = makers.get(item.value)
            if made is not None and made is not member:
                lowest = max(lowest, _level_after(made, member, item.axes))
        member.level = lowest


def _level_after(made: Member, member: Member, axes: Sequence[int | None]) -> int:
    if not made.is_sweep:
        return made.level + 1 if member.is_sweep else made.level
    if not member.is_sweep:
        return made.level + 1
    return made.level if _same_lane(made, member, axes) else made.level + 2


def _same_lane(made: Member, member: Member, axes: Sequence[int | None]) -> bool:
    """Tell whether a sweep reads just what another sweep makes in the same lane."""
    elementwise = made.op.reduction is None
    same = made.extents[-1] == member.extents[-1]
    return elementwise and same and list(axes) == list(range(len(made.extents)))


def cut(
    generics: Sequence[Generic],
) -> tuple[list[Generic], Generic | None, list[Generic]]:
    """Return what stands before a group's contraction, that, and what comes after.

    Without a contraction, all come after.
    """
    for number, op in enumerate(generics):
        if is_contraction(op):
            return list(generics[:number]), op, list(generics[number + 1 :])
    return [], None, list(generics)


def in_registers(
    members: Sequence[Member], makers: Mapping[Value, Member]
) -> set[Value]:
    """Return what all its readers get in registers, so that it needs no memory."""
    found = set(makers)
    for member in members:
        for item in reads(member.op):
            made = makers.get(item.value)
            if made is not None and not _in_register(
                made, member, item.axes, item.value
            ):
                found.discard(item.value)
    return found


def place_private(rows: Rows) -> None:
    """Give scratch to the values inside the group that registers cannot pass on."""
    passed = in_registers(rows.members, rows.makers)
    for made in rows.members:
        for output in made.op.outputs:
            if output in rows.private and output not in passed:
                rows.storages[output] = _row_scratch(rows, output, made.outer)


def _in_register(
    made: Member, member: Member, axes: Sequence[int | None], value: Value
) -> bool:
    if value not in member.op.inputs or not all(
        m.results == tuple(axes)
        for v, m in zip(member.op.inputs, member.op.maps, strict=False)
        if v is value
    ):
        return False  # an access at computed places
    if made.is_scalar or (made.is_sweep and made.op.reduction is not None):
        return list(axes) == list(range(made.outer))
    if not (made.is_sweep and member.is_sweep):
        return False
    same_loop = made.level == member.level or _is_inline(made)
    return same_loop and _same_lane(made, member, axes)


def _is_inline(member: Member) -> bool:
    """Tell whether a member's last axis fits in one vector."""
    extent = member.extents[-1]
    return isinstance(extent, int) and extent <= LANES


def _row_scratch(rows: Rows, value: Value, outer: int) -> Storage:
    k = rows.k
    inner = [d for d in rows.shapes[value][outer:] if isinstance(d, int)]
    if len(inner) < len(rows.shapes[value]) - outer:
        # `bufferize` gives memory to what registers cannot pass on.
        raise InternalError("a row of unknown size has no memory", "to-loops")
    count = 1
    strides: list[Value] = []
    for extent in reversed(inner):
        strides.insert(0, k.index(count))
        count *= extent
    padded = max(-(-count // LANES) * LANES, LANES)
    memref = scratch(k, element_type(value.type), padded)
    return Storage(memref, tuple([k.index(0)] * outer + strides))
