"""What a derivative goes through: the ops on paths from the arguments of a block."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.tensor.elementwise import Cast
from tensorc.ir.tensor_builder import tensor_type
from tensorc.passes.tensor.ad.rules import STEPS, VJP_RULES


@dataclass(frozen=True, slots=True)
class Activity:
    """The ops on a path, in program order, and the values that depend on arguments."""

    ops: list[Op]
    varied: set[Value]


def activity_of(block: Block, outs: Sequence[Value]) -> Activity:
    """Return what is on a path from a block argument to one of the values.

    Raises `CompileError` (TC0350) for an op that has no derivative.
    """
    varied = set(block.arguments)
    for op in block.ops:
        if not _is_step(op) and any(v in varied for v in op.operands):
            varied.update(op.results)
    useful = set(outs)
    active: list[Op] = []
    for op in reversed(block.ops):
        used = [r for r in op.results if r in useful and r in varied]
        if not used:
            continue
        if type(op) not in VJP_RULES or _is_index(op, used, varied):
            raise CompileError(_no_derivative(op))
        active.append(op)
        useful.update(v for v in op.operands if _carries(op, v))
    return Activity(active[::-1], varied)


def _is_step(op: Op) -> bool:
    """Return whether a result is constant almost everywhere, and meant to be."""
    if isinstance(op, Cast):
        source = tensor_type(op.operand).element
        return source.is_float and not op.element.is_float
    return type(op) in STEPS


def _carries(op: Op, operand: Value) -> bool:
    """Return whether an operand could carry a derivative: not indices and conditions.

    Integers that are cast to floats count, so that an argmax in the cost is found.
    """
    if isinstance(op, Cast) or is_float(operand):
        return True
    return not all(is_float(r) for r in op.results)


def _is_index(op: Op, used: Sequence[Value], varied: set[Value]) -> bool:
    """Return whether floats give integers that are used as numbers."""
    takes_floats = any(is_float(v) for v in op.operands if v in varied)
    return takes_floats and not all(is_float(r) for r in used)


def is_float(value: Value) -> bool:
    """Return whether a tensor has floats, which alone have a derivative."""
    return tensor_type(value).element.is_float


def _no_derivative(op: Op) -> Diagnostic:
    message = f"unsupported: {op.name} has no derivative; wrap it in stop_gradient"
    return Diagnostic("TC0350", message, op.location)
