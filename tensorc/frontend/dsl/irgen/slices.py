"""What lies between values: the ops so far by which one depends on others.

1. Which values depend on wrt follows from one walk over the ops so far.
2. Of these ops, those that the results need are copied into a region, whose arguments
   stand for wrt; everything else is read from outside.
"""

from collections.abc import Sequence

from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Region, Value, clone_op
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import TensorType


def _inputs_of(op: Op) -> list[Value]:
    """Return what an op reads, its regions included."""
    if not op.regions:
        return op.operands
    return [v for inner in op.walk() for v in inner.operands]


def smoothly_from(ops: Sequence[Op], source: Value) -> set[Value]:
    """Return the floats that depend on a value through floats."""
    found = {source}
    _spread(ops, found)
    return found


def _spread(ops: Sequence[Op], found: set[Value]) -> None:
    """Add the floats that depend on those found."""
    for op in ops:
        if not any(v in found for v in _inputs_of(op)):
            continue
        if isinstance(op, If):
            found.update(_through_branches(op, found))
        elif not isinstance(op, Size | StopGradient):
            found.update(r for r in op.results if _is_float(r))


def _through_branches(op: If, found: set[Value]) -> list[Value]:
    """Return the results that depend on captures among those found, by a branch."""
    reached: set[Value] = set()
    for region in op.regions:
        block = region.block
        captures = zip(block.arguments, op.operands[1:], strict=True)
        inside = {argument for argument, outer in captures if outer in found}
        _spread(block.ops, inside)
        pairs = zip(op.results, block.terminator.operands, strict=True)
        reached.update(result for result, value in pairs if value in inside)
    return [r for r in op.results if r in reached]


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.element.is_float


def _between(
    ops: Sequence[Op], wrt: Sequence[Value], outs: Sequence[Value]
) -> list[Op]:
    """Return the ops that depend on wrt and that the results need, in order."""
    cut = set(wrt)
    found = set(wrt)
    dependent = []
    for op in ops:
        if any(v in found for v in _inputs_of(op)):
            found.update(op.results)
            dependent.append(op)
    needed = set(outs)
    between = []
    for op in reversed(dependent):
        if any(r in needed and r not in cut for r in op.results):
            needed.update(_inputs_of(op))
            between.append(op)
    return between[::-1]


def slice_between(
    builder: Builder, ops: Sequence[Op], wrt: Sequence[Value], outs: Sequence[Value]
) -> Region:
    """Return a region that computes values from wrt, its arguments, and yields them."""
    types = [w.type for w in wrt]
    with builder.region(types, [w.hint for w in wrt]) as (region, arguments):
        values = dict(zip(wrt, arguments, strict=True))
        for op in _between(ops, wrt, outs):
            outer = {r: values[r] for r in op.results if r in values}
            builder.block.append(clone_op(op, values))
            # An op with several results, one of them in wrt, defines only the others.
            values.update(outer)
        builder.create(Yield, *[values[v] for v in outs])
    return region
