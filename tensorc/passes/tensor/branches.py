"""Simplify branches: what is known of a `tc.if` before it runs.

1. A condition that is a constant keeps one region, whose ops take the op's place. One
   that is a negation exchanges the regions.
2. Inside a region the condition is a constant, and so is what else is one outside.
3. A result for which both regions yield the same capture is that capture.
4. Two branches on one condition become one, where the second stands, unless something
   between them needs the first. So the forward part of a derivative meets the program's
   own. What the second captures of the first is what the region of that yields.

Nothing moves out of a region that runs only sometimes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tensorc.ir.branches import NEGATED, is_copied
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value, clone_op
from tensorc.ir.dims import Constraints
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import If
from tensorc.ir.ops.tensor.elementwise import Not
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I1
from tensorc.passes.common.rewriter import splat_of


def simplify_branches(function: Function, join: bool = True) -> bool:
    """Simplify the branches of a function in place; return whether any changed.

    Without `join` branches on one condition stay apart.
    """
    if not any(isinstance(op, If) for op in function.walk()):
        return False
    state = _Choice(constraints_of(function))
    state.block(function.body.block)
    blocks = [b for op in function.walk() for r in op.regions for b in r.blocks]
    # What is inside comes first: to join branches gives their regions other blocks.
    joined = [_join_branches(block) for block in reversed(blocks)] if join else []
    return state.changed or any(joined)


@dataclass
class _Choice:
    """The values that others took the place of, and whether anything changed."""

    constraints: Constraints
    values: dict[Value, Value] = field(default_factory=dict)
    changed: bool = False

    def block(self, block: Block) -> None:
        ops, block.ops = block.ops, []
        self.append(block, ops)

    def append(self, block: Block, ops: Sequence[Op]) -> None:
        """Append ops to a block, or what they are simplified to."""
        for op in ops:
            op.operands = [self.values.get(v, v) for v in op.operands]
            if isinstance(op, If):
                chosen = splat_of(op.condition)
                if chosen is not None:
                    self.inline(block, op, op.then if chosen else op.otherwise)
                    continue
                self.exchange(op)
                self.insert_constants(op)
            block.append(op)
            for inner in (b for region in op.regions for b in region.blocks):
                self.block(inner)
            if isinstance(op, If):
                self.take_captures(op)

    def inline(self, block: Block, op: If, region: Region) -> None:
        """Put the ops of a region in the place of the branch."""
        inner = region.block
        self.replace(inner.arguments, op.captures)
        self.append(block, inner.ops[:-1])
        yielded = [self.values.get(v, v) for v in inner.terminator.operands]
        self.replace(op.results, yielded)

    def replace(self, old: Sequence[Value], new: Sequence[Value]) -> None:
        self.values.update(zip(old, new, strict=True))
        self.changed = True

    def exchange(self, op: If) -> None:
        """Branch on what a condition is the negation of."""
        made = op.condition.op
        if isinstance(made, Not):
            op.operands[0] = made.operand
            op.regions.reverse()
            if op.attributes.pop(NEGATED, None) is None:
                op.attributes[NEGATED] = True
            self.changed = True

    def insert_constants(self, op: If) -> None:
        """Let regions have the constants that they capture for themselves."""
        used = {v for o in op.walk() for v in o.operands}
        for region, holds in zip(op.regions, (True, False), strict=True):
            front = Block(parent=region)
            b = TensorBuilder(Builder(front, self.constraints, op.location))
            for value, argument in zip(
                op.captures, region.block.arguments, strict=True
            ):
                made = self.constant(b, op, value, holds)
                if made is not None and argument in used:
                    self.replace([argument], [made])
            for added in front.ops:
                added.parent = region.block
            region.block.ops[:0] = front.ops

    def constant(
        self, b: TensorBuilder, op: If, value: Value, holds: bool
    ) -> Value | None:
        """Append what is known of a capture; None if it is no constant."""
        if value is op.condition:
            return b.scalar(holds, I1)
        number = splat_of(value)
        if number is not None:
            scalar = b.constant(np.asarray(number))
            return b.everywhere(scalar, tensor_type(value).shape)
        if value.op is not None and is_copied(value.op):
            return b.builder.block.append(clone_op(value.op, {})).result
        return None

    def take_captures(self, op: If) -> None:
        """Replace results for which both regions yield the same capture."""
        yields = [region.block.terminator.operands for region in op.regions]
        blocks = [region.block for region in op.regions]
        for result, then, otherwise in zip(op.results, *yields, strict=True):
            same = then.index == otherwise.index and then.type == result.type
            if same and [then.owner, otherwise.owner] == blocks:
                self.replace([result], [op.captures[then.index]])


def _join_branches(block: Block) -> bool:
    """Put branches of a block on one condition together; return whether any were."""
    waiting: dict[Value, If] = {}  # by condition; nothing needed them so far
    gone: set[Op] = set()
    for op in block.ops:
        first = waiting.get(op.condition) if isinstance(op, If) else None
        used = {v for inner in op.walk() for v in inner.operands}
        needed = [c for c, early in waiting.items() if used.intersection(early.results)]
        for condition in needed:
            if waiting[condition] is not first:
                del waiting[condition]
        if isinstance(op, If):
            if first is not None:
                _put_before(first, op)
                gone.add(first)
            waiting[op.condition] = op
    block.ops = [op for op in block.ops if op not in gone]
    return bool(gone)


def _put_before(first: If, second: If) -> None:
    """Let a branch do what an earlier one on its condition does, before its own."""
    both = (*first.captures, *second.captures)
    captures = [v for v in dict.fromkeys(both) if v not in first.results]
    for early, late in zip(first.regions, second.regions, strict=True):
        block = Block(parent=late)
        known = {v: block.add_argument(v.type, v.hint) for v in captures}
        given: list[Value] = []
        for op, inner in ((first, early.block), (second, late.block)):
            inside = [known[v] for v in op.captures]
            _rename(inner.ops, dict(zip(inner.arguments, inside, strict=True)))
            given += inner.terminator.operands
            known.update(zip(first.results, given, strict=False))
            for moved in inner.ops[:-1]:
                block.append(moved)
        late.block.terminator.operands = given
        block.append(late.block.terminator)
        late.blocks[:] = [block]
    second.operands = [second.condition, *captures]
    second.results = [*first.results, *second.results]
    for index, result in enumerate(second.results):
        result.owner, result.index = second, index


def _rename(ops: Sequence[Op], values: Mapping[Value, Value]) -> None:
    for op in ops:
        for inner in op.walk():
            inner.operands = [values.get(v, v) for v in inner.operands]
