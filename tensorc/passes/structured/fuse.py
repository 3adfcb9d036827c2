"""Group structured ops into kernels: `tc.group`, the unit of fusion.

Source:
  fn f(x: float[B, 3]) -> float[B, 3] = x - max(x, axis=1)[:, none]
Before:
  func.func @f(%x: f32[B, 3]) -> (f32[B, 3]) {
    %0 = arith.constant {value = 0xFF800000 : f32} : f32
    %1 = tc.size {dim = ["B"]} : index
    %2 = tensor.empty %1 : f32[B]
    %3 = linalg.fill %0, %2 : f32[B]
    %4 = linalg.generic %x, %3 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
    ^bb0(%arg0: f32, %arg1: f32):
      %5 = arith.maximumf %arg1, %arg0 : f32
      linalg.yield %5
    } : f32[B]
    %6 = tc.size {dim = ["B"]} : index
    %7 = tensor.empty %6 : f32[B, 3]
    %8 = linalg.generic %x, %4, %7 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    ^bb0(%arg2: f32, %arg3: f32, %arg4: f32):
      %9 = arith.subf %arg2, %arg3 : f32
      linalg.yield %9
    } : f32[B, 3]
    func.return %8
  }
After:
  func.func @f(%x: f32[B, 3]) -> (f32[B, 3]) {
    %0 = tc.group %x {outer = 1, shapes = []} {
    ^bb0(%x_1: f32[B, 3]):
      %1 = tc.size {dim = ["B"]} : index
      %2 = tensor.empty %1 : f32[B]
      %3 = arith.constant {value = 0xFF800000 : f32} : f32
      %4 = linalg.fill %3, %2 : f32[B]
      %5 = linalg.generic %x_1, %4 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
      ^bb0(%arg0: f32, %arg1: f32):
        %6 = arith.maximumf %arg1, %arg0 : f32
        linalg.yield %6
      } : f32[B]
      %7 = tc.size {dim = ["B"]} : index
      %8 = tensor.empty %7 : f32[B, 3]
      %9 = linalg.generic %x_1, %5, %8 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
      ^bb0(%arg2: f32, %arg3: f32, %arg4: f32):
        %10 = arith.subf %arg2, %arg3 : f32
        linalg.yield %10
      } : f32[B, 3]
      tc.yield %9
    } {tc.why = "it reads no kernel's result"} : f32[B, 3]
    func.return %0
  }

A group is a loop over its outer space (rows, say) in which its members run one after
the other; what one member needs of another must lie in the same row. A contraction is a
stage of its own, which runs on a block of rows; it joins a kernel if that saves memory
(`open_groups`).

0. Reductions of rows that lie across memory become reductions down columns (`turns`).
1. What works row by row on arguments and scalars alone waits until something reads it
   (`order`): it joins its reader and needs no memory. Scalars that need nothing else
   come first.
2. A generic and what waited for it (`_gather`) go to one kernel (`_place`): the last
   that they depend on; or a later one over the same rows of the same matrix; a scalar
   to a later one of scalars. They fit (`misfit`) if the kernel's outer space is at
   least as deep as theirs and a prefix of their dimensions, and if they read what it
   makes row by row. Otherwise they open one, whose `tc.why` says what failed.
3. Everything else (checks, constants, reshapes, scatters, branches, loops) stays between
   the groups; the regions of branches and loops are grouped by themselves.
4. Write each group as an op with an isolated region; it yields what is used outside.
"""  # noqa: E501

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value, clone_op, single_block
from tensorc.ir.dims import Constraints, Dim
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import KernelGroup, Yield
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.indexing import CheckIndex, Scatter
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted
from tensorc.ir.ops.tensor.shape import Reshape
from tensorc.passes.analysis.generics import (
    AGAIN,
    UNREAD,
    WHY,
    extracts,
    identity_depth,
    is_contraction,
    output_dims,
    reads,
    tensor_space,
)
from tensorc.passes.analysis.in_place import (
    NESTS,
    Pair,
    regions_in,
    updates_in,
    updates_of,
)
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.structured.open_groups import (
    MOST_BESIDE,
    OpenGroup,
    Uses,
    long_total,
    misfit,
    needs,
    read_across,
    rows_rank,
)
from tensorc.passes.structured.order import in_order, is_scalar, waiting_in
from tensorc.passes.structured.turns import turn_reductions
from tensorc.target import Target

Unit = OpenGroup | Op  # a group, or an op that is no kernel


@dataclass
class Partition:
    """The units so far, in an order that respects all uses."""

    units: list[Unit] = field(default_factory=list)
    where: dict[Value, int] = field(default_factory=dict)  # the unit that makes a value
    readers: dict[Value, int] = field(default_factory=dict)  # the last kernel over rows
    scalars: dict[Dim | None, int] = field(default_factory=dict)  # by their elements
    last_check: int = -1
    over: Mapping[Value, Value] = field(default_factory=dict)  # replaced, by new value
    join: bool = True  # without it each generic is a kernel of its own
    uses: Uses = field(default_factory=dict)

    def append(self, unit: Unit) -> int:
        """Append a unit and return its number."""
        self.units.append(unit)
        return len(self.units) - 1


def partition(
    block: Block, over: Mapping[Value, Value], join: bool = True
) -> list[Unit]:
    """Return the units of a block in an order that respects all uses.

    `over` gives the arguments that are replaced, by their new values. Without `join`
    each generic is a kernel of its own.
    """
    state = Partition(over=over, join=join, uses=_uses(block))
    waiting = waiting_in(block, set(over.values())) if join else {}
    for op in in_order(block.ops[:-1]):
        if op in waiting or not (isinstance(op, Generic) or _makes_unit(op)):
            continue  # sizes and destinations are copied into the groups
        if isinstance(op, Generic) and not (is_contraction(op) and _is_ready(op)):
            _place(state, [*_gather(needs(op), waiting), op])
            continue
        _place_waiting(state, op, waiting)
        if isinstance(op, Generic):
            _place(state, [op])
            continue
        index = state.append(op)
        state.last_check = index if isinstance(op, CheckIndex) else state.last_check
        state.where.update((r, index) for r in op.results)
    _place_waiting(state, block.terminator, waiting)
    state.append(block.terminator)
    return state.units


def _uses(block: Block) -> dict[Value, set[Op]]:
    found: dict[Value, set[Op]] = {}
    for op in block.ops:
        for value in needs(op) if isinstance(op, Generic) else op.operands:
            found.setdefault(value, set()).add(op)
    return found


def _place_waiting(state: Partition, reader: Op, waiting: dict[Op, int]) -> None:
    """Place what an op waits for: each operand with all that it needs."""
    for operand in reader.operands:
        ops = _gather([operand], waiting)
        if ops:
            _place(state, ops)


def _is_ready(op: Op) -> bool:
    """Return whether nothing that an op reads is made again for it alone."""
    return not any(v.op is not None and AGAIN in v.op.attributes for v in op.operands)


def _makes_unit(op: Op) -> bool:
    return not op.results or isinstance(op, _KEPT)


# What stays between kernels; what is a group already stays one.
_KEPT: tuple[type[Op], ...] = (
    Constant,
    Reshape,
    Scatter,
    *CUMULATIVE,
    *ORDERS,
    SearchSorted,
    KernelGroup,
    CheckIndex,
    *NESTS,
)


def _gather(wanted: Iterable[Value], waiting: dict[Op, int]) -> list[Generic]:
    """Take makers of values, and all that they need, from what waits; in order."""
    pending = list(wanted)
    found: list[tuple[int, Generic]] = []
    while pending:
        op = pending.pop().op
        if isinstance(op, Generic) and op in waiting:
            found.append((waiting.pop(op), op))
            pending.extend(needs(op))
    return [op for _, op in sorted(found, key=lambda pair: pair[0])]


def _place(state: Partition, ops: list[Generic]) -> None:
    """Put generics, the last of which needs all others, into a kernel."""
    made = {r for op in ops for r in op.results}
    needed = {v for op in ops for v in needs(op)} - made
    last = max((state.where.get(v, -1) for v in needed), default=-1)
    checked = any(map(extracts, ops)) and state.last_check > last
    last = state.last_check if checked else last
    why = UNREAD if state.join else "nothing is fused"
    for number in _candidates(state, ops, last):
        unit = state.units[number]
        if isinstance(unit, Op):
            why = f"it reads what a {unit.name} gives"
            continue
        wrong = next(
            filter(None, (misfit(op, unit, made, state.uses) for op in ops)), ""
        )
        if not wrong:
            _join(state, ops, number)
            return
        why = wrong if number == last else why
    why = "it reads at indices that are checked first" if checked else why
    root = ops[-1]
    extents = tensor_space(root)
    depth = rows_rank(root, state.uses)
    outer = tuple(extents[d] for d in output_dims(root)[:depth])
    kernel = OpenGroup(outer, why)
    apart = _misfits(ops, kernel, made)
    if apart:
        rest: dict[Op, int] = {op: number for number, op in enumerate(apart)}
        while rest:
            first, _ = rest.popitem()
            assert isinstance(first, Generic)
            _place(state, [*_gather(needs(first), rest), first])
        placed = set(apart)
        _place(state, [op for op in ops if op not in placed])
        return
    _join(state, ops, state.append(kernel))


def _candidates(state: Partition, ops: Sequence[Generic], last: int) -> list[int]:
    """Return the units that generics may join: the last they need, or later ones."""
    root = ops[-1]
    found = [last] if last >= 0 and state.join else []
    if is_contraction(root) or not state.join:
        return found
    if is_scalar(root.results[0]):
        totals = {long_total(op) for op in ops} - {None} or {None}
        later = [n for t in totals if (n := state.scalars.get(t, -1)) > last]
        found += [n for n in later if _has_room(state.units[n])]
    for value in _rowwise(ops):
        number = state.readers.get(value, -1)
        unit = state.units[number] if number > last else None
        if isinstance(unit, OpenGroup) and _may_share(state, ops, unit):
            found.append(number)
            break
    return found


def _has_room(unit: Unit) -> bool:
    """Return whether scalars may join that need nothing of a kernel.

    It saves them a launch; many small kernels are more often alike than large ones.
    """
    return isinstance(unit, OpenGroup) and unit.size < MOST_BESIDE


def _may_share(state: Partition, ops: Sequence[Generic], kernel: OpenGroup) -> bool:
    """Return whether generics that need nothing of a kernel may share its rows.

    Not those of a product, whose columns may be shared out; sums only with sums; and
    who replaces an argument not with who reads it otherwise (`in_place`).
    """
    sums = bool(ops[-1].reductions)
    if kernel.has_contraction or kernel.reduces != sums:
        return False
    new = {state.over[r] for op in ops for r in op.results if r in state.over}
    old = {state.over[r] for r in kernel.made if r in state.over}
    read = {v for op in ops for v in needs(op)}
    return new.isdisjoint(kernel.read) and old.isdisjoint(read)


def _rowwise(ops: Sequence[Generic]) -> list[Value]:
    """Return the matrices (or more) that generics read by rows of their own."""
    return [
        r.value
        for op in ops
        for r in reads(op)
        if len(r.axes) > 1 and identity_depth(r.axes)
    ]


def _join(state: Partition, ops: Sequence[Generic], number: int) -> None:
    kernel = state.units[number]
    assert isinstance(kernel, OpenGroup)
    kernel.add(ops)
    state.where.update((r, number) for op in ops for r in op.results)
    if kernel.outer:
        state.readers.update((v, number) for v in _rowwise(ops))
    elif is_scalar(ops[-1].results[0]):
        state.scalars[kernel.total] = state.scalars[None] = number


def _misfits(
    ops: Sequence[Generic], kernel: OpenGroup, made: set[Value]
) -> list[Generic]:
    """Return the generics that cannot stand in a new kernel of the last of them.

    These are misfits, what others read across rows, and what such generics need.
    """
    root, depth = ops[-1], len(kernel.outer)
    found: set[Op] = set()
    for op in reversed(ops):
        if op in found or (op is not root and misfit(op, kernel, set(), {})):
            found.add(op)
            found.update(v.op for v in needs(op) if v.op is not None)
        else:
            across = read_across(op, depth, made)
            found.update(v.op for v in across if v.op is not None)
    return [op for op in ops if op in found]


def fuse_function(function: Function, join: bool = True) -> None:
    """Group the generics of one function in place; without `join` each by itself."""
    constraints = constraints_of(function)
    _fuse_region(function.body, updates_of(function), constraints, join)


def _fuse_region(
    region: Region, updates: Sequence[Pair], constraints: Constraints, join: bool
) -> None:
    """Group the generics of a region, and of those inside it by themselves."""
    old = region.block
    for op, inner in regions_in(old):
        _fuse_region(inner, updates_in(op, inner, updates), constraints, join)
    turn_reductions(old)
    units = partition(old, dict(updates), join)
    new = Block(arguments=old.arguments, parent=region)
    builder = Builder(new, constraints)
    values: dict[Value, Value] = {}
    users = _users(units)
    for number, unit in enumerate(units):
        if isinstance(unit, OpenGroup):
            yielded = [v for v in unit.made if users.get(v, set()) - {number}]
            _emit(unit, builder, values, yielded)
        elif isinstance(unit, NESTS):
            # With its regions, which a copy would visit once more for each one around.
            unit.operands = [values.get(v, v) for v in unit.operands]
            new.append(unit)
        else:
            new.append(clone_op(unit, values))
    for argument in new.arguments:
        argument.owner = new
    region.blocks[:] = [new]


def _users(units: list[Unit]) -> dict[Value, set[int]]:
    """Return for each value the numbers of the units that read it."""
    users: dict[Value, set[int]] = {}
    for number, unit in enumerate(units):
        members: list[Op] = (
            list(unit.members) if isinstance(unit, OpenGroup) else [unit]
        )
        for member in members:
            for op in [member] if isinstance(member, NESTS) else member.walk():
                for value in op.operands:
                    users.setdefault(value, set()).add(number)
    return users


def _emit(
    kernel: OpenGroup,
    builder: Builder,
    values: dict[Value, Value],
    yielded: Sequence[Value],
) -> None:
    inputs: dict[Value, None] = {}
    for member in kernel.members:
        for value in needs(member):
            if value not in kernel.made:
                inputs[value] = None
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
            KernelGroup,
            *[values.get(v, v) for v in inputs],
            types=[v.type for v in yielded],
            regions=[region],
            outer=len(kernel.outer),
            shapes=ArrayAttr(()),
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


def separate(module: Module, target: Target) -> Module:
    """Make a kernel of each generic: what `run` does, without fusing.

    For comparisons: the results are the same.
    """
    for function in module.functions:
        fuse_function(function, join=False)
    return module


FUSE = Pass("fuse", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
SEPARATE = Pass(
    "separate", Level.STRUCTURED, Level.STRUCTURED, separate, separate.__doc__
)
