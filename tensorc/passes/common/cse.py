"""Merge pure ops that compute the same value.

1. Walk each function in program order, regions where their op stands.
2. The key of a pure op without regions is its class, its operands, its attributes
   (floats by their bits) and its result types.
3. An op whose key was seen, in its block or around it, is dropped, and the results of
   the first op take the place of its results.

A region sees what stands around it, but not the other way round. The region of a
derivative is on its own: no rewrite crosses its boundary.

Before:
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
After:
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.add"(%0, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
"""

import struct
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.opdef import COMMUTATIVE, ISOLATED, PURE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.derivatives import DERIVATIVES
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target


@dataclass
class _Merge:
    """The values that were replaced, and numbers that give values an order."""

    replaced: dict[Value, Value] = field(default_factory=dict)
    numbers: dict[Value, int] = field(default_factory=dict)

    def number(self, value: Value) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    def key(self, op: Op) -> Hashable:
        operands = [self.number(v) for v in op.operands]
        if COMMUTATIVE in op.traits:
            operands[:2] = sorted(operands[:2])
        names = sorted(op.attributes)
        attributes = tuple((n, attribute_key(op.attributes[n])) for n in names)
        types = tuple(r.type for r in op.results)
        return type(op), tuple(operands), attributes, types


@dataclass
class _Scope:
    """The first op of each key in a block, and the scope around it."""

    ops: Iterator[Op]
    outer: "_Scope | None"
    kept: list[Op]
    first: dict[Hashable, Op] = field(default_factory=dict)

    def find(self, key: Hashable) -> Op | None:
        scope: _Scope | None = self
        while scope is not None:
            if key in scope.first:
                return scope.first[key]
            scope = scope.outer
        return None


def merge_equal(function: Function) -> None:
    """Merge the equal pure ops of a function; see the steps above."""
    merge = _Merge()
    stack = [_open(function.body.block, None)]
    while stack:
        scope = stack[-1]
        op = next(scope.ops, None)
        if op is None:
            stack.pop()
            continue
        op.operands = [merge.replaced.get(v, v) for v in op.operands]
        if PURE in op.traits and not op.regions:
            key = merge.key(op)
            first = scope.find(key)
            if first is not None:
                pairs = zip(op.results, first.results, strict=True)
                merge.replaced.update(pairs)
                continue
            scope.first[key] = op
        scope.kept.append(op)
        closed = type(op) in DERIVATIVES or ISOLATED in op.traits
        outer = None if closed else scope
        blocks = [b for r in op.regions for b in r.blocks]
        stack.extend(_open(b, outer) for b in reversed(blocks))


def _open(block: Block, outer: _Scope | None) -> _Scope:
    """Return a scope that puts what is kept back into the block."""
    ops, block.ops = block.ops, []
    return _Scope(iter(ops), outer, block.ops)


def attribute_key(attribute: Attribute) -> Hashable:
    """Return what tells attributes apart: 1, 1.0 and true differ, NaN equals itself."""
    match attribute:
        case float():
            return "float", struct.pack("<d", attribute)
        case ArrayAttr(items):
            return "array", tuple(attribute_key(a) for a in items)
        case Dict(items):
            return "dict", tuple((name, attribute_key(a)) for name, a in items)
        case _:
            return type(attribute).__name__, attribute


def merge_all_equal(module: Module, target: Target) -> Module:
    """Merge the equal pure ops of each function."""
    for function in module.functions:
        merge_equal(function)
    return module


CSE = Pass("cse", Level.TENSOR, Level.TENSOR, merge_all_equal, __doc__)
