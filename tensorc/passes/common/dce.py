"""Remove ops whose results nobody uses.

1. Walk each function backwards, regions where their op stands.
2. Keep an op that is not pure, or one of whose results is used by what was kept;
   mark its operands as used. Regions of a removed op go with it.
3. Of a `tc.if`, results that nobody uses go, and then what no region uses any more.
   So it is with a `tc.scan`, where what is carried is used if a later step needs it.
4. An op with several results, of which only one is used, gives way to the op that is
   this result alone, with the same bits: a `tc.top1` whose index alone is used is a
   `tc.argmax`.

`take_along_axis` may fail, and is still pure: an unused one is removed, and its error
with it.

Before:
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%1) : (tensor<4xf32>) -> ()
After:
  %0 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%0) : (tensor<4xf32>) -> ()
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from tensorc.ir.branches import keep_captures, keep_results
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.opdef import PURE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor.reductions import ArgMax, Max, Top1
from tensorc.ir.scans import keep_parts, states_of
from tensorc.ir.types import element_type
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target


def remove_unused(function: Function) -> None:
    """Remove the unused pure ops of a function, in nested regions too."""
    _remove([_visit(function.body.block)], set())


def remove_unused_inside(op: If) -> None:
    """Remove the unused pure ops of a branch, all results of which are used."""
    used: set[Value] = set()
    blocks = [_visit(region.block) for region in op.regions]
    _remove([_captured(op, used), *blocks], used)


def _remove(stack: list[Iterator[tuple[Op, list[Op]]]], used: set[Value]) -> None:
    """Go through blocks, and those inside them: the last of the stack is the first."""
    while stack:
        op, kept = next(stack[-1], (None, []))
        if op is None:
            stack.pop()
        elif PURE not in op.traits or any(r in used for r in op.results):
            kept.append(op)
            if isinstance(op, If):
                numbers = [i for i, r in enumerate(op.results) if r in used]
                keep_results(op, numbers)
                stack.append(_captured(op, used))
            elif isinstance(op, Scan):
                _keep_needed(op, used)
                stack.append(_taken(op, used))
            else:
                used.update(op.operands)
            stack.extend(_visit(b) for r in op.regions for b in r.blocks)


def _captured(op: If, used: set[Value]) -> Iterator[tuple[Op, list[Op]]]:
    """Once its regions are done, keep what a branch captures for use; yield nothing."""
    pairs = zip(*(region.block.arguments for region in op.regions), strict=True)
    keep_captures(op, [i for i, pair in enumerate(pairs) if used.intersection(pair)])
    used.update(op.operands)
    yield from ()


def _keep_needed(op: Scan, used: set[Value]) -> None:
    """Drop what a loop carries and stacks that neither a result nor a step needs."""
    block, yields = op.body.block, op.body.block.terminator.operands
    states = {value: i for i, value in enumerate(states_of(op))}
    pending = [v for v, r in zip(yields, op.results, strict=True) if r in used]
    pending += [v for o in block.ops[:-1] if PURE not in o.traits for v in o.operands]
    found = set(pending)
    while pending:
        value = pending.pop()
        needed = [yields[states[value]]] if value in states else []
        if value.op is not None:
            needed = [v for inner in value.op.walk() for v in inner.operands]
        pending += [v for v in needed if v not in found]
        found.update(needed)
    carried = [i for v, i in states.items() if v in found or op.results[i] in used]
    tops = range(op.stacked)
    stacked = [i for i in tops if op.results[op.carried + i] in used]
    others = len(op.operands) - op.carried
    keep_parts(op, carried, stacked, range(others))


def _taken(op: Scan, used: set[Value]) -> Iterator[tuple[Op, list[Op]]]:
    """Once its region is done, keep what a loop is given for use; yield nothing."""
    given = op.body.block.arguments[1 + op.carried :]
    taken = [i for i, value in enumerate(given) if value in used]
    keep_parts(op, range(op.carried), range(op.stacked), taken)
    used.update(op.operands)
    yield from ()


def _visit(block: Block) -> Iterator[tuple[Op, list[Op]]]:
    """Yield the ops of a block, last first, and then set it to what was kept."""
    kept: list[Op] = []
    for op in reversed(block.ops):
        yield op, kept
    block.ops = kept[::-1]


def _part_of_top1(op: Op, index: int) -> type[Op] | None:
    if index == 1:
        return ArgMax
    # The first of equal floats may be -0, where the maximum is +0.
    return None if element_type(op.results[0].type).is_float else Max


# What is one result of an op, with the op's operands and attributes; None: no op is.
_PARTS: Mapping[type[Op], Callable[[Op, int], type[Op] | None]] = MappingProxyType(
    {Top1: _part_of_top1}
)


def narrow(function: Function) -> None:
    """Replace ops of whose results one is used by ops that give no other."""
    blocks = {o.parent: None for o in function.walk() if type(o) in _PARTS}
    if not blocks:
        return
    used = {v for op in function.walk() for v in op.operands}
    replaced: dict[Value, Value] = {}
    for block in blocks:
        assert block is not None
        block.ops = [_narrowed(op, used, replaced) for op in block.ops]
        for op in block.ops:
            op.parent = block
    for op in function.walk():
        op.operands = [replaced.get(v, v) for v in op.operands]


def _narrowed(op: Op, used: set[Value], replaced: dict[Value, Value]) -> Op:
    wanted = [r for r in op.results if r in used]
    if type(op) not in _PARTS or len(wanted) != 1:
        return op
    (old,) = wanted
    cls = _PARTS[type(op)](op, old.index)
    if cls is None:
        return op
    made = cls(op.operands, [old.type], op.attributes, (), op.location)
    made.result.hint = old.hint
    replaced[old] = made.result
    return made


def remove_all_unused(module: Module, target: Target) -> Module:
    """Remove the unused pure ops of each function, and unused results of others."""
    for function in module.functions:
        remove_unused(function)
        narrow(function)
    return module


DCE = Pass("dce", Level.TENSOR, Level.TENSOR, remove_all_unused, __doc__)
