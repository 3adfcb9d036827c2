"""What a derivative goes through: the ops on paths from the arguments of a block."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import CustomGradient
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor.elementwise import Cast
from tensorc.ir.tensor_builder import tensor_type
from tensorc.passes.tensor.ad.rules import STEPS, VJP_RULES


@dataclass(frozen=True, slots=True)
class Activity:
    """The ops on a path, in program order, and what is known of values.

    Those in branches are known too, but the ops are only those of the block itself.
    """

    ops: list[Op]
    varied: set[Value]  # depend on an argument
    useful: set[Value]  # are used for one of the values that are asked for

    def has_path(self, value: Value) -> bool:
        """Return whether a value is on a path."""
        return value in self.varied and value in self.useful


def activity_of(block: Block, outs: Iterable[Value]) -> Activity:
    """Return what is on a path from a block argument to one of the values.

    Raises `CompileError` (TC0350) for an op that has no derivative.
    """
    varied, useful = set(block.arguments), set(outs)
    _vary(block, varied)
    return Activity(_use(block, useful, varied), varied, useful)


def _vary(block: Block, varied: set[Value]) -> None:
    """Add the values that depend on those which are in the set."""
    for op in block.ops:
        if isinstance(op, If):
            for region in op.regions:
                inner = region.block
                pairs = zip(inner.arguments, op.captures, strict=True)
                varied.update(a for a, capture in pairs if capture in varied)
                _vary(inner, varied)
                yields = zip(op.results, inner.terminator.operands, strict=True)
                varied.update(r for r, v in yields if v in varied)
        elif not _is_step(op) and any(v in varied for v in op.operands):
            varied.update(op.results)


def _use(block: Block, useful: set[Value], varied: set[Value]) -> list[Op]:
    """Return the ops that lead from `varied` to `useful`, and add what they use."""
    active: list[Op] = []
    for op in reversed(block.ops):
        used = [r for r in op.results if r in useful and r in varied]
        if not used:
            continue
        active.append(op)
        if isinstance(op, If):
            for region in op.regions:
                inner = region.block
                yields = inner.terminator.operands
                useful.update(yields[r.index] for r in used)
                _use(inner, useful, varied)
                pairs = zip(inner.arguments, op.captures, strict=True)
                useful.update(capture for a, capture in pairs if a in useful)
            continue
        has_rule = type(op) in VJP_RULES or isinstance(op, CustomGradient | Scan)
        if not has_rule or _is_index(op, used, varied):
            raise CompileError(_no_derivative(op))
        useful.update(v for v in op.operands if _carries(op, v))
    return active[::-1]


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
    return not any(is_float(r) for r in op.results)


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
