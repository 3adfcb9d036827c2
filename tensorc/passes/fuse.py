"""Group structured ops into kernels: `tc.group`, the unit of fusion.

Before:
  %1 = "linalg.generic"(…)     exp, at each point of B x 10
  %2 = "linalg.generic"(%1)    sum along the second dimension
After:
  %1:2 = "tc.group"(…) ({ both generics; "tc.yield"(%1, %2) })

A group is a loop over its outer space (rows, say) in which its members run one after
the other; what one member needs of another must lie in the same row.

1. Walk the generics in order. Each has its own outer space: what stands before the
   reduced dimension, or all but the innermost dimension.
2. A generic joins the last group that it depends on if that group's outer space is at
   least as deep as its own and a prefix of its dimensions, if it reads what the group
   makes row by row, and if it is no contraction. Otherwise it opens a group, whose
   attribute `tc.why` says which of these failed.
3. Everything else (checks, constants, reshapes, scatters) stays between the groups.
4. Write each group as an op with an isolated region; it yields what is used outside.
"""

from dataclasses import dataclass, field

from tensorc.ir.attributes import Array
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, clone_op, single_block
from tensorc.ir.dims import Dim
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import Group, Yield
from tensorc.ir.ops.kernels import CheckIndex
from tensorc.ir.ops.structured import Generic
from tensorc.passes.base import Level, Pass
from tensorc.passes.generics import (
    extracts,
    identity_depth,
    is_contraction,
    outer_rank,
    output_dims,
    reads,
    tensor_space,
)
from tensorc.target import Target

WHY = "tc.why"  # on a group: why its first generic joined no group before it


@dataclass
class Kernel:
    """A group in the making: its outer space and its generics."""

    outer: tuple[Dim, ...]
    why: str  # it was opened
    members: list[Generic] = field(default_factory=list)
    made: set[Value] = field(default_factory=set)  # what the generics give

    def add(self, op: Generic) -> None:
        """Append a generic."""
        self.members.append(op)
        self.made.update(op.results)


Unit = Kernel | Op  # a group, or an op that is no kernel


def partition(block: Block) -> list[Unit]:
    """Return the units of a block in an order that respects all uses."""
    units: list[Unit] = []
    where: dict[Value, int] = {}  # the unit that makes a value
    last_check = -1
    for op in block.ops:
        if isinstance(op, Generic):
            after = last_check if extracts(op) else -1
            place = _place(op, units, where, after)
        elif op.results and not _makes_unit(op):
            continue  # sizes and destinations are copied into the groups
        else:
            place = len(units)
            units.append(op)
            last_check = place if isinstance(op, CheckIndex) else last_check
        where.update((r, place) for r in op.results)
    return units


def _makes_unit(op: Op) -> bool:
    # What is a group already stays one.
    return op.name in ("tc.constant", "tc.reshape", "tc.scatter", "tc.group")


def _place(op: Generic, units: list[Unit], where: dict[Value, int], after: int) -> int:
    """Put a generic into a unit and return its number."""
    used = [where[r.value] for r in reads(op) if r.value in where]
    last = max(used, default=-1)
    why = "it reads no kernel's result"
    if 0 <= last < after:
        why = "it reads at places that are checked first"
    elif last >= 0:
        unit = units[last]
        why = f"it reads what a {unit.name} gives" if isinstance(unit, Op) else ""
        if isinstance(unit, Kernel):
            why = _misfit(op, unit)
            if not why:
                unit.add(op)
                return last
    extents = tensor_space(op)
    rank = outer_rank(op)
    kernel = Kernel(tuple(extents[d] for d in output_dims(op)[:rank]), why)
    kernel.add(op)
    units.append(kernel)
    return len(units) - 1


def _misfit(op: Generic, kernel: Kernel) -> str:
    """Return why a generic cannot join a kernel, or ""; the user reads it."""
    depth = len(kernel.outer)
    extents = tensor_space(op)
    dims = output_dims(op)
    outer = tuple(extents[d] for d in dims[:depth])
    if is_contraction(op):
        return "it is a contraction"
    if op.reduction is not None and op.reduction < depth:
        return "it reduces across rows"
    if outer != kernel.outer or depth < outer_rank(op):
        wanted = tuple(extents[d] for d in dims[: max(depth, outer_rank(op))])
        return f"its rows are {_spell(wanted)}, not {_spell(kernel.outer)}"
    rowwise = all(
        identity_depth(read.axes) >= depth
        for read in reads(op)
        if read.value in kernel.made
    )
    return "" if rowwise else "it reads across rows"


def _spell(outer: tuple[Dim, ...]) -> str:
    return " x ".join(map(str, outer)) or "the whole"


def fuse_function(function: Function) -> None:
    """Group the generics of one function in place."""
    old = function.body.block
    units = partition(old)
    new = Block(arguments=old.arguments, parent=function.body)
    builder = Builder(new, constraints_of(function))
    values: dict[Value, Value] = {}
    users = _users(units)
    for number, unit in enumerate(units):
        if isinstance(unit, Kernel):
            used = {v for v, by in users.items() if by - {number}}
            _emit(unit, builder, values, used)
        else:
            new.append(clone_op(unit, values))
    for argument in new.arguments:
        argument.owner = new
    function.body.blocks[:] = [new]


def _users(units: list[Unit]) -> dict[Value, set[int]]:
    """Return for each value the numbers of the units that read it."""
    users: dict[Value, set[int]] = {}
    for number, unit in enumerate(units):
        members: list[Op] = list(unit.members) if isinstance(unit, Kernel) else [unit]
        for member in members:
            for op in member.walk():
                for value in op.operands:
                    users.setdefault(value, set()).add(number)
    return users


def _emit(
    kernel: Kernel,
    builder: Builder,
    values: dict[Value, Value],
    used_elsewhere: set[Value],
) -> None:
    yielded = [
        r for member in kernel.members for r in member.results if r in used_elsewhere
    ]
    inputs: dict[Value, None] = {}
    for member in kernel.members:
        for read in reads(member):
            if read.value not in kernel.made:
                inputs[read.value] = None
    region, block = single_block()
    inner: dict[Value, Value] = {}
    for value in inputs:
        inner[value] = block.add_argument(value.type, value.hint)
    for member in kernel.members:
        _copy(member, block, inner)
    with builder.inside(block):
        builder.create(Yield, *[inner[v] for v in yielded])
    with builder.at(kernel.members[0].location):
        group = builder.create(
            Group,
            *[values.get(v, v) for v in inputs],
            types=[v.type for v in yielded],
            regions=[region],
            outer=len(kernel.outer),
            shapes=Array(()),
        )
    group.attributes[WHY] = kernel.why
    for old, new in zip(yielded, group.results, strict=True):
        new.hint = old.hint
        values[old] = new


def _copy(member: Op, block: Block, values: dict[Value, Value]) -> None:
    """Copy an op into a block after what makes its destinations and sizes."""
    pending = [member]
    while pending:
        op = pending[-1]
        needed = [
            v.op
            for inner in op.walk()
            for v in inner.operands
            if v.op is not None
            and v not in values
            and v.op.parent is member.parent
            and v.op is not op
        ]
        if needed:
            pending.append(needed[-1])
            continue
        pending.pop()
        if not op.results or op.results[0] not in values:
            block.append(clone_op(op, values))


def run(module: Module, target: Target) -> Module:
    """Fuse all functions."""
    for function in module.functions:
        fuse_function(function)
    return module


FUSE = Pass("fuse", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
