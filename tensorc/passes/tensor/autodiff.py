"""Replace each `tc.grad` by the ops that compute the derivative, in reverse mode.

1. Blocks with a `tc.grad` are expanded innermost first, so that an outer derivative
   finds plain ops where an inner one stood: derivatives of any order.
2. Inside the region, still in terms of its block arguments: mark the active ops, those
   on a path from a wrt value to the cost.
3. Walk the active ops backwards. The cotangent of a value is the sum of what its uses
   give, latest use first; the rules of `vjp_rules` turn it into those of the operands.
   A backward op has the location of its forward op.
4. Move all ops of the region to where the `tc.grad` is, with the operands for the
   block arguments. A wrt value with no path to the cost gets zeros.

Before:
  %0 = "tc.grad"(%x) ({
  ^bb0(%w: tensor<f32>):
    %1 = "tc.exp"(%w) : (tensor<f32>) -> tensor<f32>
    "tc.yield"(%1) : (tensor<f32>) -> ()
  }) : (tensor<f32>) -> tensor<f32>
After:
  %0 = "tc.exp"(%x) : (tensor<f32>) -> tensor<f32>
  %1 = "tc.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>
  %2 = "tc.mul"(%1, %0) : (tensor<f32>, tensor<f32>) -> tensor<f32>
"""

from collections.abc import Mapping, Sequence

from tensorc.errors import CompileError, Diagnostic, Location
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Constraints
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import Grad
from tensorc.ir.ops.tensor.elementwise import Add, Cast
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import TensorType
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.tensor.vjp_rules import STEPS, VJP_RULES
from tensorc.target import Target


def expand_gradients(module: Module, target: Target) -> Module:
    """Expand every `tc.grad` of a module; see the steps above."""
    for function in module.functions:
        constraints = constraints_of(function)
        blocks = [
            block
            for op in function.walk()
            for region in op.regions
            for block in region.blocks
            if any(isinstance(o, Grad) for o in block.ops)
        ]
        # `walk` gives a block before those inside it.
        for block in reversed(blocks):
            _expand_block(block, constraints)
    return module


def _expand_block(block: Block, constraints: Constraints) -> None:
    """Expand the derivatives that stand directly in a block."""
    ops, block.ops = block.ops, []
    values: dict[Value, Value] = {}
    for op in ops:
        _replace_operands(op, values)
        if not isinstance(op, Grad):
            block.append(op)
            continue
        inner = op.body.block
        cotangents = _differentiate(inner, constraints, op.location)
        values.update(zip(inner.arguments, op.operands, strict=True))
        for moved in inner.ops:
            _replace_operands(moved, values)
            block.append(moved)
        for result, cotangent in zip(op.results, cotangents, strict=True):
            values[result] = values.get(cotangent, cotangent)


def _replace_operands(op: Op, values: Mapping[Value, Value]) -> None:
    if not values:
        return
    for inner in op.walk():
        inner.operands = [values.get(v, v) for v in inner.operands]


def _differentiate(
    block: Block, constraints: Constraints, location: Location
) -> list[Value]:
    """Append the backward ops to the block of a `tc.grad` and drop its yield.

    Returns the cotangents of the block arguments.
    """
    cost = _cost_of(block, location)
    active = active_ops(block, cost)
    block.ops.pop()
    b = TensorBuilder(Builder(block, constraints, location))
    pending: dict[Value, list[Value]] = {cost: [b.full_like(cost, 1)]}
    for op in reversed(active):
        given = pending.pop(op.results[0], None)
        if given is None:
            continue
        with b.builder.at(op.location):
            cotangents = VJP_RULES[type(op)](b, op, _total(b, given))
            for operand, cotangent in zip(op.operands, cotangents, strict=True):
                if cotangent is not None:
                    given = pending.setdefault(operand, [])
                    given.append(_conform(b, cotangent, operand))
    return [
        _total(b, pending[a]) if a in pending else b.zeros_like(a)
        for a in block.arguments
    ]


def _cost_of(block: Block, location: Location) -> Value:
    values = block.terminator.operands
    types = [v.type for v in values]
    match types:
        case [TensorType(shape=(), element=element)] if element.is_float:
            return values[0]
    got = ", ".join(str(t) for t in types)
    message = f"tc.grad needs a cost that is one float scalar, got {got}"
    raise CompileError(Diagnostic("TC0351", message, location))


def active_ops(block: Block, cost: Value) -> list[Op]:
    """Return the ops on a path from a block argument to the cost, in program order.

    Raises `CompileError` (TC0350) for one that has no derivative.
    """
    varied = set(block.arguments)
    for op in block.ops:
        if not _is_step(op) and any(v in varied for v in op.operands):
            varied.update(op.results)
    useful = {cost}
    active: list[Op] = []
    for op in reversed(block.ops):
        if not any(r in useful and r in varied for r in op.results):
            continue
        if type(op) not in VJP_RULES:
            raise CompileError(_no_derivative(op))
        active.append(op)
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
    if isinstance(op, Cast) or tensor_type(operand).element.is_float:
        return True
    return not any(tensor_type(r).element.is_float for r in op.results)


def _no_derivative(op: Op) -> Diagnostic:
    message = f"unsupported: {op.name} has no derivative; wrap it in stop_gradient"
    return Diagnostic("TC0350", message, op.location)


def _total(b: TensorBuilder, cotangents: Sequence[Value]) -> Value:
    total = cotangents[0]
    for cotangent in cotangents[1:]:
        total = b(Add, total, cotangent)
    return total


def _conform(b: TensorBuilder, cotangent: Value, like: Value) -> Value:
    """Give a cotangent its value's own type, where a guard says that they are equal."""
    if cotangent.type == like.type:
        return cotangent
    shape = tensor_type(like).shape
    return b.broadcast(cotangent, shape, range(len(shape)))


AUTODIFF = Pass("autodiff", Level.TENSOR, Level.TENSOR, expand_gradients, __doc__)
