"""Remove ops whose results nobody uses.

1. Walk each function backwards, regions where their op stands.
2. Keep an op that is not pure, or one of whose results is used by what was kept;
   mark its operands as used. Regions of a removed op go with it.

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

from collections.abc import Iterator

from tensorc.ir.core import Block, Op, Value
from tensorc.ir.opdef import PURE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target


def remove_unused(function: Function) -> None:
    """Remove the unused pure ops of a function, in nested regions too."""
    used: set[Value] = set()
    stack = [_visit(function.body.block)]
    while stack:
        op, kept = next(stack[-1], (None, []))
        if op is None:
            stack.pop()
        elif PURE not in op.traits or any(r in used for r in op.results):
            kept.append(op)
            used.update(op.operands)
            stack.extend(_visit(b) for r in op.regions for b in r.blocks)


def _visit(block: Block) -> Iterator[tuple[Op, list[Op]]]:
    """Yield the ops of a block, last first, and then set it to what was kept."""
    kept: list[Op] = []
    for op in reversed(block.ops):
        yield op, kept
    block.ops = kept[::-1]


def remove_all_unused(module: Module, target: Target) -> Module:
    """Remove the unused pure ops of each function."""
    for function in module.functions:
        remove_unused(function)
    return module


DCE = Pass("dce", Level.TENSOR, Level.TENSOR, remove_all_unused, __doc__)
