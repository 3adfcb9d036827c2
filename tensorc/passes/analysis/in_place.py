"""Find the new values that may be written straight into the memory they replace.

    %W1 = tc.group(%W, %gradient)         W - lr * gradient, element by element
    func.return(%W1) {updates %W}         then %W1 needs no memory of its own

A group may write over an argument if nothing can tell the difference:

1. Nothing after the group reads the old value: no other op, no output, no other update.
   To that end, groups that only make new values move to the end of the function.
2. Nothing after the group can fail, so a failed call leaves all memory as it was.
3. In the group, whoever reads the old value reads, for an element, that element alone,
   and is the writer or computes something that the writer needs: at each place the old
   value is read before the new one is written, in whatever loops the group becomes.

So may a `tc.if` that gives the new value, by the first two, if

4. each of its regions gives the old value back, and does nothing; or has an op that
   may write over it; or makes another value, to be copied at its end.

So may a scatter into the argument, or the last of several, if

5. what is put there is no part of the argument, and from the first of them on nothing
   else reads it and nothing can fail. They move to the end, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from tensorc.ir.attributes import identity_map
from tensorc.ir.core import Block, Op, Region, Value
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Empty, Generic
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.indexing import CheckIndex, Scatter
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted
from tensorc.ir.ops.tensor.shape import Reshape
from tensorc.passes.analysis.generics import extracts, reads

NESTS = (If, Scan)  # what has regions of kernels
# What reads its operands, and gives no other name to their memory.
_READERS: tuple[type[Op], ...] = (
    *(KernelGroup, CheckIndex, Scan, Scatter),
    *CUMULATIVE,
    *ORDERS,
    SearchSorted,
)

# What writes its results into memory that it is given.
WRITERS: tuple[type[Op], ...] = (
    *(KernelGroup, If, Scan, Scatter),
    *CUMULATIVE,
    *ORDERS,
    SearchSorted,
)

Pair = tuple[Value, Value]  # a new value, and the argument that it replaces


def updates_of(function: Function) -> list[Pair]:
    """Return the new values that a function gives, and the arguments they replace."""
    block = function.body.block
    found = []
    for number, value in enumerate(block.terminator.operands):
        target = function.result_info(number).get("tc.updates")
        if isinstance(target, int):
            found.append((value, block.arguments[target]))
    return found


def is_used_up(op: Op, base: Value) -> bool:
    """Return whether an op may change an operand in place: nothing else reads it."""
    block = op.parent
    assert block is not None
    uses = sum(v is base for other in block.ops for v in other.operands)
    return uses == 1 and isinstance(base.op, WRITERS)


def regions_in(block: Block) -> list[tuple[Op, Region]]:
    """Return each region of the branches and loops of a block, with its op."""
    return [(op, r) for op in block.ops if isinstance(op, NESTS) for r in op.regions]


def updates_in(op: Op, region: Region, updates: Iterable[Pair]) -> list[Pair]:
    """Return what a region yields as new values, and which of its arguments they are.

    A value that the branch captures twice has two names in it: no such pairs are given.
    There are none in a loop, the next step of which may read what it captures.
    """
    if not isinstance(op, If):
        return []
    yielded = region.block.terminator.operands
    inside = dict(zip(op.captures, region.block.arguments, strict=True))
    return [
        (yielded[value.index], inside[argument])
        for value, argument in updates
        if value.op is op and op.captures.count(argument) == 1
    ]


def sink_updates(block: Block, updates: Sequence[Pair]) -> None:
    """Move what only makes new values of arguments, and cannot fail, to the end.

    In the regions of branches, too.
    """
    for op, region in regions_in(block):
        sink_updates(region.block, updates_in(op, region, updates))
    block.ops[:] = _sunk(block, updates)


def as_sunk(block: Block, updates: Sequence[Pair]) -> Iterator[Op]:
    """Yield the ops of a block, and of regions in it, in the order of `sink_updates`.

    Nothing is moved.
    """
    for op in _sunk(block, updates):
        yield op
        for region in op.regions if isinstance(op, NESTS) else ():
            yield from as_sunk(region.block, updates_in(op, region, updates))


def _sunk(block: Block, updates: Sequence[Pair]) -> list[Op]:
    """Return the ops of a block with what `sink_updates` moves at the end."""
    new_values = {value for value, _ in updates}
    used = {v for op in block.ops[:-1] for v in op.operands}
    chosen = {
        id(each)
        for op in block.ops[:-1]
        if (
            isinstance(op, KernelGroup | Scatter)
            or (isinstance(op, NESTS) and not _can_fail(op))
        )
        and new_values.intersection(op.results)
        and not used.intersection(op.results)
        for each in _chain(op)
    }
    kept = [op for op in block.ops[:-1] if id(op) not in chosen]
    late = [op for op in block.ops[:-1] if id(op) in chosen]
    return [*kept, *late, block.ops[-1]]


def _chain(op: Op) -> list[Op]:
    """Return an op and, if it is a scatter, those that it alone continues."""
    found = [op]
    while isinstance(op, Scatter) and isinstance(op.base.op, Scatter):
        if not is_used_up(op, op.base):
            break
        op = op.base.op
        found.append(op)
    return found


def in_place(block: Block, updates: Sequence[Pair]) -> dict[Value, Value]:
    """Return the new values that may be written into the arguments they replace."""
    found: dict[Value, Value] = {}
    returned = block.terminator.operands
    for value, argument in updates:
        maker = value.op
        if maker is None or value in found or argument in returned:
            continue
        if value.type != argument.type:
            continue
        after = block.ops[block.ops.index(maker) + 1 : -1]
        if any(_may_meet(op, argument) for op in after) or _is_viewed(block, argument):
            continue
        is_last = _MAKERS.get(type(maker))
        if is_last is not None and is_last(maker, value, argument):
            found[value] = argument
    return found


def _may_meet(op: Op, argument: Value) -> bool:
    """Return whether an op reads the argument, or can fail."""
    return argument in op.operands or _can_fail(op)


def _can_fail(op: Op) -> bool:
    if isinstance(op, NESTS):
        return any(_can_fail(o) for r in op.regions for o in r.block.ops)
    return isinstance(op, CheckIndex)


def _is_viewed(block: Block, argument: Value) -> bool:
    """Return whether another name of the memory exists (a reshape).

    Those that a loop has of what it reads end with it.
    """
    for op in block.ops[:-1]:
        if argument not in op.operands or isinstance(op, _READERS):
            continue
        if not isinstance(op, If):
            return True
        pairs = [
            (region.block, inside)
            for region in op.regions
            for outside, inside in zip(op.captures, region.block.arguments, strict=True)
            if outside is argument
        ]
        if any(_is_viewed(inner, inside) for inner, inside in pairs):
            return True
    return False


def _stays_or_changes(op: Op, value: Value, argument: Value) -> bool:
    """Return whether each region leaves an argument as it is, or may write over it (4).

    What a region makes otherwise is copied at its end, unless it is an argument itself
    or the region gives the old value too.
    """
    assert isinstance(op, If)
    if op.captures.count(argument) > 1:
        return False
    for region in op.regions:
        block = region.block
        new = block.terminator.operands[value.index]
        pairs = updates_in(op, region, [(value, argument)])
        old = pairs[0][1] if pairs else None
        if new is old or in_place(block, pairs):
            continue
        if old in block.terminator.operands or _is_argument(new):
            return False
    return True


def _scatters_last(op: Op, value: Value, argument: Value) -> bool:
    """Return whether scatters into an argument may change the argument itself (5)."""
    block, chain = op.parent, _chain(op)
    first = chain[-1]
    assert block is not None
    assert isinstance(first, Scatter)
    if first.base is not argument or argument in first.operands[1:]:
        return False
    begin, end = block.ops.index(first), block.ops.index(op)
    return not any(_may_meet(o, argument) for o in block.ops[begin + 1 : end + 1])


def _is_argument(value: Value) -> bool:
    """Return whether a value is an argument of its block, or one reshaped."""
    while isinstance(value.op, Reshape):
        value = value.op.operand
    return value.op is None


def _writes_last(group: Op, value: Value, argument: Value) -> bool:
    """Return whether the old value is read before the new one is written (3)."""
    assert isinstance(group, KernelGroup)
    inner = group.body.block
    inside = [
        a for o, a in zip(group.operands, inner.arguments, strict=True) if o is argument
    ]
    made = inner.terminator.operands[group.results.index(value)]
    writer = made.op
    if not isinstance(writer, Generic) or not _is_elementwise(writer, made):
        return False
    readers = [
        op
        for op in inner.ops
        if isinstance(op, Generic) and any(r.value in inside for r in reads(op))
    ]
    needed = _needed_by(writer)
    return all(op in needed and _reads_in_step(op, inside) for op in readers)


_MAKERS: Mapping[type[Op], Callable[[Op, Value, Value], bool]] = MappingProxyType(
    {KernelGroup: _writes_last, If: _stays_or_changes, Scatter: _scatters_last}
)


def _is_elementwise(writer: Generic, made: Value) -> bool:
    number = writer.results.index(made)
    target = writer.outputs[number]
    map_ = writer.maps[len(writer.inputs) + number]
    whole = map_.results == identity_map(map_.dims).results
    return not writer.reductions and whole and isinstance(target.op, Empty)


def _reads_in_step(op: Generic, inside: Sequence[Value]) -> bool:
    """Return whether an op reads values at its own place only."""
    if any(e.operands[0] in inside for e in extracts(op)):
        return False
    return all(
        map_.results == tuple(range(len(map_.results)))
        for value, map_ in zip(op.inputs, op.maps, strict=False)
        if value in inside
    )


def _needed_by(writer: Op) -> set[Op]:
    """Return an op and all ops of its block that it needs."""
    found = {writer}
    pending = [writer]
    while pending:
        op = pending.pop()
        for operand in op.operands:
            made = operand.op
            if made is not None and made.parent is op.parent and made not in found:
                found.add(made)
                pending.append(made)
    return found
