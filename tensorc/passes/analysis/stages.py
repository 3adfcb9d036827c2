"""The stages of a group: what runs one after the other on its rows.

A contraction is a stage; so are all members that stand together before, between or
behind contractions, as they share loops.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import is_contraction, roles, tensor_space
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


def _needs(op: Generic) -> list[Value]:
    inside = [v for o in op.body.block.ops for v in o.operands]
    return [*op.operands, *inside]
