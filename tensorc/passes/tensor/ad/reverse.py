"""Derivatives backward: from the cotangents of what a block yields to its arguments'.

The cotangent of a value is the sum of what its uses give, latest use first. A backward
op has the location of its forward op.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.errors import CompileError, Diagnostic, Location
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import CustomGradient
from tensorc.ir.ops.scan import Scan
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import TensorType
from tensorc.passes.tensor.ad import branch, custom, loop
from tensorc.passes.tensor.ad.activity import Activity, activity_of
from tensorc.passes.tensor.ad.rows import Cotangents
from tensorc.passes.tensor.ad.rules import VJP_RULES, conform, total

RegionRule = Callable[[TensorBuilder, Op, Cotangents, Activity], Cotangents]

REGION_RULES: Mapping[type[Op], RegionRule] = MappingProxyType(
    {If: branch.backward, Scan: loop.backward, CustomGradient: custom.backward}
)


def gradient(b: TensorBuilder, op: Op) -> list[Value]:
    """Append the backward ops to the block of a `tc.grad`, whose yield is gone.

    Returns the cotangents of the block arguments.
    """
    block = op.regions[0].block
    cost = _cost_of(block.ops.pop().operands, op.location)
    return cotangents_of(b, block, [cost], [b.full_like(cost, 1)])


def pullback(b: TensorBuilder, op: Op) -> list[Value]:
    """Append the backward ops to the block of a `tc.vjp`, and take its yield away.

    Returns the cotangents of the block arguments.
    """
    block = op.regions[0].block
    outs = block.ops.pop().operands
    return cotangents_of(b, block, outs, op.operands[len(block.arguments) :])


def cotangents_of(
    b: TensorBuilder, block: Block, outs: Sequence[Value], cts: Sequence[Value]
) -> list[Value]:
    """Append the backward ops to a block, given the cotangents of some of its values.

    Returns the cotangents of the block arguments: zeros where no path leads.
    """
    pending: dict[Value, list[Value]] = {}
    for out, ct in zip(outs, cts, strict=True):
        pending.setdefault(out, []).append(conform(b, ct, out))
    activity = activity_of(block, outs)
    for op in reversed(activity.ops):
        found = [pending.pop(r, None) for r in op.results]
        if not any(found):
            continue
        with b.builder.at(op.location):
            given = tuple([None if f is None else total(b, f) for f in found])
            cotangents = _cotangents_of_op(b, op, given, activity)
            for operand, cotangent in zip(op.operands, cotangents, strict=True):
                if cotangent is not None:
                    parts = pending.setdefault(operand, [])
                    parts.append(conform(b, cotangent, operand))
    return [
        total(b, pending[a]) if a in pending else b.zeros_like(a)
        for a in block.arguments
    ]


def _cotangents_of_op(
    b: TensorBuilder, op: Op, given: Cotangents, activity: Activity
) -> Cotangents:
    region_rule = REGION_RULES.get(type(op))
    if region_rule is not None:
        return region_rule(b, op, given, activity)
    return VJP_RULES[type(op)](b, op, given)


def _cost_of(values: Sequence[Value], location: Location) -> Value:
    types = [v.type for v in values]
    match types:
        case [TensorType(shape=(), element=element)] if element.is_float:
            return values[0]
    got = ", ".join(str(t) for t in types)
    message = f"tc.grad needs a cost that is one float scalar, got {got}"
    raise CompileError(Diagnostic("TC0351", message, location))
