"""Replace each derivative by the ops that compute it.

1. Blocks with a `tc.grad`, `tc.vjp` or `tc.jvp` are expanded innermost first, so that
   an outer derivative finds plain ops where an inner one stood: derivatives of any
   order.
2. Inside the region, still in terms of its block arguments: mark the active ops, those
   on a path from an argument to what the derivative is of.
3. Backward, for `tc.grad` and `tc.vjp`: walk the active ops from last to first. The
   cotangent of a value is the sum of what its uses give, latest use first; the rules of
   `ad.rules` turn it into those of the operands. Forward, for `tc.jvp`: the tangents of
   a value stand behind it. What is made for an op has its location.
4. Move all ops of the region to where the derivative is, with the operands for the
   block arguments. What has no path is zeros.
5. In branches, derivatives that step 3 has put there are expanded in their turn.
6. At the end each `tc.custom_gradient` becomes its own program.

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
from dataclasses import replace
from types import MappingProxyType

from tensorc.errors import UNKNOWN, CompileError, Label
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Constraints
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import CustomGradient, Grad, Jvp, Vjp
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.dce import remove_unused_inside
from tensorc.passes.tensor.ad import custom
from tensorc.passes.tensor.ad.forward import tangents_of
from tensorc.passes.tensor.ad.reverse import gradient, pullback
from tensorc.passes.tensor.ad.rules import conform
from tensorc.target import Target


def expand_derivatives(module: Module, target: Target) -> Module:
    """Expand every derivative of a module; see the steps above."""
    for function in module.functions:
        constraints = constraints_of(function)
        _expand_inside(function, constraints, DERIVATIVES)
        _expand_inside(function, constraints, PROGRAMS)
    return module


# Appends what is wanted to the first block of an op, whose yield it takes away, and
# returns the values of the op's results.
Expansion = Callable[[TensorBuilder, Op], list[Value]]
Expansions = Mapping[type[Op], Expansion]

DERIVATIVES: Expansions = MappingProxyType(
    {Grad: gradient, Vjp: pullback, Jvp: tangents_of}
)
# What is no derivative, but was needed for those around it.
PROGRAMS: Expansions = MappingProxyType({CustomGradient: custom.program})


def _expand_inside(outer: Op, constraints: Constraints, table: Expansions) -> None:
    """Expand the ops of a table inside an op, innermost first."""
    blocks = [
        block
        for op in outer.walk()
        for region in op.regions
        for block in region.blocks
        if any(type(o) in table for o in block.ops)
    ]
    # `walk` gives a block before those inside it.
    for block in reversed(blocks):
        _expand_block(block, constraints, table)


def _expand_block(block: Block, constraints: Constraints, table: Expansions) -> None:
    """Expand the ops of a table that stand directly in a block."""
    ops, block.ops = block.ops, []
    values: dict[Value, Value] = {}
    for op in ops:
        _replace_operands(op, values)
        if type(op) not in table:
            block.append(op)
            continue
        inner = op.regions[0].block
        b = TensorBuilder(Builder(inner, constraints, op.location))
        found = _expanded(table[type(op)], b, op)
        found = [conform(b, v, r) for v, r in zip(found, op.results, strict=True)]
        values.update(zip(inner.arguments, op.operands, strict=False))
        for moved in inner.ops:
            _replace_operands(moved, values)
            if isinstance(moved, If):  # what is in it may be new
                _expand_inside(moved, constraints, table)
                remove_unused_inside(moved)  # or each order copies more of it
            block.append(moved)
        for result, value in zip(op.results, found, strict=True):
            values[result] = values.get(value, value)


def _expanded(expansion: Expansion, b: TensorBuilder, op: Op) -> list[Value]:
    """Return what a derivative gives; of what has none say where one was asked for."""
    try:
        return expansion(b, op)
    except CompileError as error:
        found, *others = error.diagnostics
        if found.code != "TC0350" or op.location in (found.location, UNKNOWN):
            raise
        asked = Label(op.location, "its derivative is asked for here")
        found = replace(found, labels=(*found.labels, asked))
        raise CompileError(found, *others) from None


def _replace_operands(op: Op, values: Mapping[Value, Value]) -> None:
    if not values:
        return
    for inner in op.walk():
        inner.operands = [values.get(v, v) for v in inner.operands]


AUTODIFF = Pass("autodiff", Level.TENSOR, Level.TENSOR, expand_derivatives, __doc__)
