"""Merge pure ops that compute the same value.

1. Walk each function in program order, regions where their op stands.
2. The key of a pure op without regions is its class, its operands, its attributes
   (floats by their bits) and its result types. That of a result of a `tc.if` is the
   condition and what the regions yield for it.
3. An op whose key was seen, in its block or around it, is dropped, and the results of
   the first op take the place of its results; a `tc.if` captures them.

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
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict
from tensorc.ir.branches import is_copied, keep_captures
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.opdef import COMMUTATIVE, ISOLATED, PURE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import DERIVATIVES
from tensorc.ir.ops.tensor.making import Iota
from tensorc.ir.ops.tensor.shape import Broadcast, Reshape, Size, Transpose
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target

# What costs nothing where it is read: a branch has its own.
_NEAR = (Broadcast, Transpose, Reshape, Iota, Size)


@dataclass
class _Merge:
    """The values that were replaced, and numbers: equal ones for equal values."""

    replaced: dict[Value, Value] = field(default_factory=dict)
    numbers: dict[Value, int] = field(default_factory=dict)
    known: dict[Hashable, list[int]] = field(default_factory=dict)

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

    def share(self, key: Hashable, values: Sequence[Value]) -> None:
        """Give values the numbers of the first ones that had their key."""
        if key not in self.known:
            self.known[key] = [self.number(v) for v in values]
        self.numbers.update(zip(values, self.known[key], strict=True))


@dataclass
class _Scope:
    """The first values of each key in a block, and the scope around it."""

    block: Block
    ops: Iterator[Op]
    outer: "_Scope | None"
    branch: If | None  # the op whose region this is: what is outside is captured
    first: dict[Hashable, Sequence[Value]] = field(default_factory=dict)


def merge_equal(function: Function) -> None:
    """Merge the equal pure ops of a function; see the steps above."""
    merge = _Merge()
    stack = [_open(function.body.block)]
    while stack:
        scope = stack[-1]
        op = next(scope.ops, None)
        if op is None:
            stack.pop()
            branch = scope.branch
            if branch is not None and scope.block is branch.otherwise.block:
                _merge_results(merge, branch, stack[-1])
            continue
        op.operands = [merge.replaced.get(v, v) for v in op.operands]
        if PURE in op.traits and not op.regions:
            near = isinstance(op, _NEAR) or is_copied(op)
            if _replace(merge, scope, merge.key(op), op.results, near):
                continue
        scope.block.append(op)
        if isinstance(op, If):
            _name_captures(merge, op)
        closed = type(op) in DERIVATIVES or ISOLATED in op.traits
        branch = op if isinstance(op, If) else None
        outer = None if closed and branch is None else scope
        blocks = [b for r in op.regions for b in r.blocks]
        stack.extend(_open(b, outer, branch) for b in reversed(blocks))


def _open(
    block: Block, outer: _Scope | None = None, branch: If | None = None
) -> _Scope:
    """Return a scope that puts what is kept back into the block."""
    ops, block.ops = block.ops, []
    return _Scope(block, iter(ops), outer, branch)


def _replace(
    merge: _Merge,
    scope: _Scope,
    key: Hashable,
    values: Sequence[Value],
    near: bool = False,
) -> bool:
    """Replace values by the first ones of their key; False if these are the first.

    What is `near` is not taken out of what stands around a branch.
    """
    merge.share(key, values)
    inside: list[_Scope] = []
    at: _Scope | None = scope
    while at is not None and key not in at.first:
        inside.append(at)
        at = at.outer
    if at is None or (near and inside):
        scope.first[key] = values
        return False
    found = at.first[key]
    for inner in reversed(inside):
        found = [_capture(merge, inner, value) for value in found]
    scope.first[key] = found
    merge.replaced.update(zip(values, found, strict=True))
    return True


def _capture(merge: _Merge, scope: _Scope, value: Value) -> Value:
    """Return what a value around a branch is called in a region of it."""
    op = scope.branch
    assert op is not None
    if value not in op.captures:
        op.operands.append(value)
        for region in op.regions:
            inside = region.block.add_argument(value.type, value.hint)
            merge.numbers[inside] = merge.number(value)
    return scope.block.arguments[op.captures.index(value)]


def _name_captures(merge: _Merge, op: If) -> None:
    """Give what a branch captures its number inside, and capture each value once."""
    kept: dict[Value, int] = {}
    for i, value in enumerate(op.captures):
        first = kept.setdefault(value, i)
        for arguments in (region.block.arguments for region in op.regions):
            merge.numbers[arguments[i]] = merge.number(value)
            if first != i:
                merge.replaced[arguments[i]] = arguments[first]
    keep_captures(op, list(kept.values()))


def _merge_results(merge: _Merge, op: If, scope: _Scope) -> None:
    """Merge results of branches on one condition that yield the same both ways."""
    condition = merge.number(op.condition)
    yields = [region.block.terminator.operands for region in op.regions]
    for result, *given in zip(op.results, *yields, strict=True):
        numbers = tuple([merge.number(value) for value in given])
        _replace(merge, scope, (If, condition, numbers, result.type), [result])


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
