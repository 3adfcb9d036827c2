"""The stages of a group: what runs one after the other on its rows.

A contraction is a stage; so are all members that stand together before, between or
behind contractions, as they share loops.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import (
    is_contraction,
    reads,
    roles,
    tensor_space,
)
from tensorc.passes.analysis.joins import Runs, runs_of
from tensorc.passes.analysis.members import (
    Member,
    assign_levels,
    in_registers,
    make_member,
)


def stages(generics: Sequence[Generic]) -> list[list[Generic]]:
    """Return the members of a group, stage by stage."""
    found: list[list[Generic]] = []
    for op in generics:
        alone = is_contraction(op) or (found and is_contraction(found[-1][0]))
        if alone or not found:
            found.append([op])
        else:
            found[-1].append(op)
    return found


@dataclass(frozen=True)
class Kernel:
    """What policies ask of a group on tensors."""

    outer: list[Dim]  # the extents of the outer space
    members: list[Member]  # the generics with their spaces, in order
    stages: list[list[Member]]
    products: list[Generic]  # the contractions, in order
    given: set[Value]  # what the group yields
    lasting: set[Value]  # what a stage makes and another one reads
    registers: set[Value]  # what the rows of each stage pass on in registers alone
    runs: Runs  # which dimensions are walked as one

    def rows_of(self, op: Generic) -> Dim:
        """Return how many rows of a product are walked as one.

        They are the last loop over rows, and dimensions of the product inside of these.
        """
        extents, last = tensor_space(op), [*self.runs.rows[-1:], ()][0]
        inside = range(len(self.outer), roles(op).row + 1)
        return elements(extents[dim] for dim in (*last, *inside))


def kernel_of(op: KernelGroup) -> Kernel:
    """Return what policies ask of a group on tensors."""
    block = op.body.block
    generics = [o for o in block.ops if isinstance(o, Generic)]
    operands = [v for g in generics for v in g.operands]
    shapes = {v: v.type.shape for v in operands if isinstance(v.type, TensorType)}
    members = [make_member(g, shapes, op.outer) for g in generics]
    member_of: dict[Op, Member] = {m.op: m for m in members}
    parts = [[member_of[g] for g in part] for part in stages(generics)]
    lasting: set[Value] = set()
    registers: set[Value] = set()
    for part in parts:
        makers = {result: m for m in part for result in m.op.results}
        assign_levels(part, makers)
        registers |= in_registers(part, makers)
        if len(parts) > 1:
            others = {
                v for p in parts if p is not part for m in p for v in _needs(m.op)
            }
            lasting |= others & set(makers)
    return Kernel(
        outer=members[0].extents[: op.outer],
        members=members,
        stages=parts,
        products=[g for g in generics if is_contraction(g)],
        given=set(block.terminator.operands),
        lasting=lasting,
        registers=registers,
        runs=runs_of(members, op.outer),
    )


def in_turn(
    parts: Sequence[Sequence[Member]], kinds: Mapping[Value, Hashable]
) -> dict[Value, int]:
    """Return numbers for values that stages pass on; memory for one number holds all.

    `kinds` are equal where memory has one form. One of a kind takes over from another
    that no later stage reads; in the stage that makes it, where all that is read of the
    other in a row is read before it, or in the same lane.
    """
    makers: dict[Value, tuple[int, Member]] = {}
    ends: dict[Value, int] = {}
    for number, part in enumerate(parts):
        for member in part:
            for value in (*member.op.outputs, *member.op.results):
                if value in kinds:
                    makers.setdefault(value, (number, member))
            ends.update(dict.fromkeys((*_needs(member.op), *member.op.results), number))
    found: dict[Value, int] = {}
    holders: list[Value] = []
    for value, (number, maker) in makers.items():
        for slot, before in enumerate(holders):
            free = kinds[before] == kinds[value] and ends[before] <= number
            if free and (
                ends[before] < number or _in_place(parts[number], before, maker)
            ):
                found[value], holders[slot] = slot, value
                break
        else:
            found[value] = len(holders)
            holders.append(value)
    return found


def _in_place(part: Sequence[Member], old: Value, maker: Member) -> bool:
    """Return whether a sweep may write over what members of its stage read."""
    is_before = True
    for member in part:
        if old in (*member.op.outputs, *member.op.results):
            return False
        axes = [read.axes for read in reads(member.op, old)]
        plain = all(along == tuple(range(len(member.extents))) for along in axes)
        same = member.level == maker.level and is_before and member.is_sweep and plain
        if axes and member.level >= maker.level and not same:
            return False
        is_before = is_before and member is not maker
    return maker.is_sweep and not maker.op.reductions


def _needs(op: Generic) -> list[Value]:
    inside = [v for o in op.body.block.ops for v in o.operands]
    return [*op.operands, *inside]
