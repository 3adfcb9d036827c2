"""Derivatives forward: from the tangents of a block's arguments to what it yields.

The tangent of a value stands right behind it, at its location.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import CustomGradient
from tensorc.ir.ops.scan import Scan
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.tensor.ad import branch, custom, loop
from tensorc.passes.tensor.ad.activity import Activity, activity_of
from tensorc.passes.tensor.ad.rows import Tangents
from tensorc.passes.tensor.ad.rules import JVP_RULES, conform

RegionRule = Callable[[TensorBuilder, Op, Tangents, Activity], Tangents]

REGION_RULES: Mapping[type[Op], RegionRule] = MappingProxyType(
    {If: branch.forward, Scan: loop.forward, CustomGradient: custom.forward}
)


def tangents_of(b: TensorBuilder, op: Op) -> list[Value]:
    """Put the tangents into the block of a `tc.jvp`, and take its yield away.

    Returns the tangents of what it yielded: zeros where no path leads.
    """
    block = op.regions[0].block
    outs = block.ops.pop().operands
    given = op.operands[len(block.arguments) :]
    tangents: dict[Value, Value] = {
        a: conform(b, t, a) for a, t in zip(block.arguments, given, strict=True)
    }
    _add_tangents(b, block, activity_of(block, outs), tangents)
    return [tangents[v] if v in tangents else b.zeros_like(v) for v in outs]


def _add_tangents(
    b: TensorBuilder, block: Block, activity: Activity, tangents: dict[Value, Value]
) -> None:
    """Rebuild a block with the tangents of its active values in it."""
    active = set(activity.ops)
    ops, block.ops = block.ops, []
    for op in ops:
        block.append(op)
        if op not in active:
            continue
        given = tuple([tangents.get(v) for v in op.operands])
        with b.builder.at(op.location):
            found = _tangents_of_op(b, op, given, activity)
            for result, tangent in zip(op.results, found, strict=True):
                if tangent is not None:
                    tangents[result] = conform(b, tangent, result)


def _tangents_of_op(
    b: TensorBuilder, op: Op, given: Tangents, activity: Activity
) -> Tangents:
    region_rule = REGION_RULES.get(type(op))
    if region_rule is not None:
        return region_rule(b, op, given, activity)
    return JVP_RULES[type(op)](b, op, given)
