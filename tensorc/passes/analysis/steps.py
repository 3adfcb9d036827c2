"""Loops whose steps work row by row, so that some rows may go through all steps alone.

That is so if each group of the region has the same rows, and reads what steps change
(what is carried, and what groups make) at its own row only. Sequences and captures stay
as they are, and may be read anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.scans import states_of
from tensorc.passes.analysis.generics import identity_depth, reads, tensor_of
from tensorc.passes.analysis.stages import Kernel, kernel_of


@dataclass(frozen=True)
class Steps:
    """The groups of a step, which all have the same rows, or the same elements.

    `space` has the extents of these; with `by_elements` they are those of all that is
    carried, stacked and made.
    """

    groups: list[KernelGroup]
    kernels: list[Kernel]
    space: Sequence[Dim]
    by_elements: bool


def steps_of(op: Scan) -> Steps | None:
    """Return what a step does if it works row by row, or element by element."""
    ops = op.body.block.ops[:-1]
    groups = [o for o in ops if isinstance(o, KernelGroup)]
    if not groups or len(groups) < len(ops):
        return None
    kernels = [kernel_of(group) for group in groups]
    whole = kernels[0].members[0].extents
    swept = all(k.runs.swept and not k.runs.rows for k in kernels)
    alike = all(m.extents == whole for k in kernels for m in k.members)
    if swept and alike and _is_local(op, groups, whole, whole=True):
        return Steps(groups, kernels, whole, by_elements=True)
    outer = kernels[0].outer
    same = all(k.outer == outer for k in kernels)
    if outer and same and _is_local(op, groups, outer, whole=False):
        return Steps(groups, kernels, outer, by_elements=False)
    return None


def _is_local(
    op: Scan, groups: Sequence[KernelGroup], space: Sequence[Dim], whole: bool
) -> bool:
    """Return whether all that steps change is read and written at its own row."""
    depth = len(space)
    states, yields = states_of(op), op.body.block.terminator.operands
    shapes = [tensor_of(v).shape for v in (*states, *yields)]
    if any(list(s if whole else s[:depth]) != list(space) for s in shapes):
        return False
    changing = {*states, *[r for group in groups for r in group.results]}
    return all(_reads_own(group, changing, depth) for group in groups)


def _reads_own(group: KernelGroup, changing: set[Value], depth: int) -> bool:
    block = group.body.block
    pairs = zip(group.operands, block.arguments, strict=True)
    inside = {argument for outside, argument in pairs if outside in changing}
    for member in block.ops:
        if not isinstance(member, Generic):
            continue
        axes = [r.axes for r in reads(member) if r.value in inside]
        axes += [m.results for m in member.maps[len(member.inputs) :]]
        if any(identity_depth(a) < depth for a in axes):
            return False
    return True


def is_shared(op: Scan, group: KernelGroup, inside: Value) -> bool:
    """Return whether a group reads a value that is the same in all steps."""
    outside = group.operands[group.body.block.arguments.index(inside)]
    taken = 1 + op.carried + op.sliced
    return outside in op.body.block.arguments[taken:]
