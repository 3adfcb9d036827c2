"""Replace each `tc.grad` by the ops that compute the derivative, in reverse mode.

1. Blocks with a `tc.grad` are expanded innermost first, so that an outer derivative
   finds plain ops where an inner one stood: derivatives of any order.
2. Inside the region, still in terms of its block arguments: mark the active ops, those
   on a path from a wrt value to the cost.
3. Walk the active ops backwards. The cotangent of a value is the sum of what its uses
   give, latest use first; the rules of `ad.rules` turn it into those of the operands.
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

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Constraints
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import Grad
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.tensor.ad.reverse import gradient
from tensorc.target import Target


def expand_derivatives(module: Module, target: Target) -> Module:
    """Expand every derivative of a module; see the steps above."""
    for function in module.functions:
        _expand_inside(function, constraints_of(function))
    return module


def _expand_inside(outer: Op, constraints: Constraints) -> None:
    """Expand the derivatives inside an op, innermost first."""
    blocks = [
        block
        for op in outer.walk()
        for region in op.regions
        for block in region.blocks
        if any(type(o) in EXPANSIONS for o in block.ops)
    ]
    # `walk` gives a block before those inside it.
    for block in reversed(blocks):
        _expand_block(block, constraints)


def _expand_block(block: Block, constraints: Constraints) -> None:
    """Expand the derivatives that stand directly in a block."""
    ops, block.ops = block.ops, []
    values: dict[Value, Value] = {}
    for op in ops:
        _replace_operands(op, values)
        if type(op) not in EXPANSIONS:
            block.append(op)
            continue
        inner = op.regions[0].block
        b = TensorBuilder(Builder(inner, constraints, op.location))
        derivatives = EXPANSIONS[type(op)](b, op)
        values.update(zip(inner.arguments, op.operands, strict=False))
        for moved in inner.ops:
            _replace_operands(moved, values)
            block.append(moved)
        for result, derivative in zip(op.results, derivatives, strict=True):
            values[result] = values.get(derivative, derivative)


def _replace_operands(op: Op, values: Mapping[Value, Value]) -> None:
    if not values:
        return
    for inner in op.walk():
        inner.operands = [values.get(v, v) for v in inner.operands]


# What appends the derivative to the block of an op and returns the op's results.
EXPANSIONS: Mapping[type[Op], Callable[[TensorBuilder, Op], list[Value]]] = (
    MappingProxyType({Grad: gradient})
)

AUTODIFF = Pass("autodiff", Level.TENSOR, Level.TENSOR, expand_derivatives, __doc__)
