"""Merge pure ops that compute the same value.

1. Walk each function in program order, regions where their op stands.
2. The key of a pure op without regions is its class, its operands, its attributes
   (floats by their bits) and its result types. That of a result of a `tc.if` is the
   condition and what the regions yield for it.
3. An op whose key was seen, in its block or around it, is dropped, and the results of
   the first op take the place of its results; a `tc.if` captures them.
4. What an earlier `tc.if` on the same condition yields from the same region is captured
   instead of computed again. A product is a result of it then, zeros from the other
   region: so the derivative of a branch finds the products that the branch made.

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

import itertools
import struct
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict
from tensorc.ir.branches import is_copied, keep_captures
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, value_types
from tensorc.ir.opdef import COMMUTATIVE, ISOLATED, PURE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import DERIVATIVES
from tensorc.ir.ops.tensor.making import Iota
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.shape import Broadcast, Reshape, Size, Transpose
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target

# What costs nothing where it is read: a branch has its own.
_NEAR = (Broadcast, Transpose, Reshape, Iota, Size)


@dataclass
class _Merge:
    """The values that were replaced, and numbers: equal ones for equal values.

    Keys of ops have numbers too: they are looked up again and again, and are long.
    """

    keys: dict[Hashable, int] = field(default_factory=dict)
    replaced: dict[Value, Value] = field(default_factory=dict)
    numbers: dict[Value, int] = field(default_factory=dict)
    known: dict[Hashable, list[int]] = field(default_factory=dict)

    def number(self, value: Value) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    def key(self, op: Op) -> int:
        operands = [self.number(v) for v in op.operands]
        if COMMUTATIVE in op.traits:
            operands[:2] = sorted(operands[:2])
        names = sorted(op.attributes)
        attributes = tuple([(n, attribute_key(op.attributes[n])) for n in names])
        key = type(op), tuple(operands), attributes, value_types(op.results)
        return self.keys.setdefault(key, len(self.keys))

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
    done: list["_Scope"] = field(default_factory=list)  # of regions of one branch
    # What was computed in regions before, by the choice that leads there.
    chosen: dict["_Choice", dict[Hashable, Sequence[Value]]] = field(
        default_factory=dict
    )

    def around(self) -> Iterator["_Scope"]:
        """Yield the scope and those around it."""
        at: _Scope | None = self
        while at is not None:
            yield at
            at = at.outer


# The number of a condition, and that of a region.
_Choice = tuple[int, int]


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
            if branch is not None and scope.outer is not None:
                scope.outer.done.append(scope)
                if scope.block is branch.otherwise.block:
                    _remember(merge, scope.outer)
                    _merge_results(merge, branch, scope.outer)
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
    at, found = _find(merge, scope, key)
    if at is None or (near and at is not scope):
        scope.first[key] = values
        return False
    inside = list(itertools.takewhile(lambda s: s is not at, scope.around()))
    for inner in reversed(inside):
        found = [_capture(merge, inner, value) for value in found]
    scope.first[key] = found
    merge.replaced.update(zip(values, found, strict=True))
    return True


def _find(
    merge: _Merge, scope: _Scope, key: Hashable
) -> tuple[_Scope | None, Sequence[Value]]:
    """Return the first values of a key, and in which scope these are."""
    choices: list[_Choice] = []
    for at in scope.around():
        if key in at.first:
            return at, at.first[key]
        for choice in choices if at.chosen else ():
            values = at.chosen.get(choice, {}).get(key, ())
            results = _handed_over(choice[1], values)
            if results:
                return at, [merge.replaced.get(r, r) for r in results]
        if at.branch is not None:
            choices.append(_choice_of(merge, at))
    return None, ()


def _choice_of(merge: _Merge, scope: _Scope) -> _Choice:
    """Return when a region runs."""
    assert scope.branch is not None
    is_other = scope.block is scope.branch.otherwise.block
    return merge.number(scope.branch.condition), int(is_other)


def _remember(merge: _Merge, outer: _Scope) -> None:
    """Keep what was computed in the regions of a branch, which are done."""
    for scope in outer.done:
        known = outer.chosen.setdefault(_choice_of(merge, scope), {})
        for key, values in scope.first.items():
            if all(v.op is not None and v.op.parent is scope.block for v in values):
                known.setdefault(key, values)
    outer.done.clear()


def _handed_over(region: int, values: Sequence[Value]) -> list[Value]:
    """Return the results of a branch that values in a region of it are, or nothing.

    Of a product there is one, which is made if need be.
    """
    ops = [v.op for v in values]
    if not ops or ops[0] is None or ops[0].parent is None:
        return []
    owner = ops[0].parent.parent
    branch = None if owner is None else owner.parent
    assert isinstance(branch, If)
    yields = branch.regions[region].block.terminator.operands
    if isinstance(ops[0], MatMul) and ops[0].result not in yields:
        _yield_too(branch, region, ops[0].result)
        yields = branch.regions[region].block.terminator.operands
    if any(v not in yields for v in values):
        return []
    return [branch.results[yields.index(v)] for v in values]


def _yield_too(branch: If, region: int, value: Value) -> None:
    """Make a value in a region a result of its branch: zeros from the other region."""
    other = branch.regions[1 - region].block
    front, last = Block(), other.ops.pop()
    b = TensorBuilder(Builder(front, location=branch.location))
    zeros = b.zeros_like(value)
    for op in (*front.ops, last):
        other.append(op)
    last.operands.append(zeros)
    branch.regions[region].block.terminator.operands.append(value)
    branch.results.append(Value(value.type, branch, len(branch.results), value.hint))


def _capture(merge: _Merge, scope: _Scope, value: Value) -> Value:
    """Return what a value around a branch is called in a region of it."""
    op = scope.branch
    assert op is not None
    if value not in op.captures:
        op.operands.append(value)
        for i, region in enumerate(op.regions):
            inside = region.block.add_argument(value.type, value.hint)
            merge.numbers[inside] = _number_inside(merge, op, i, value)
    return scope.block.arguments[op.captures.index(value)]


def _name_captures(merge: _Merge, op: If) -> None:
    """Give what a branch captures its number inside, and capture each value once."""
    kept: dict[Value, int] = {}
    for i, value in enumerate(op.captures):
        first = kept.setdefault(value, i)
        for region, block in enumerate(r.block for r in op.regions):
            inside = block.arguments[i]
            merge.numbers[inside] = _number_inside(merge, op, region, value)
            if first != i:
                merge.replaced[inside] = block.arguments[first]
    keep_captures(op, list(kept.values()))


def _number_inside(merge: _Merge, op: If, region: int, value: Value) -> int:
    """Return the number of a capture in a region.

    A result of an earlier branch on the same condition is what that yielded there.
    """
    earlier = value.op
    condition = merge.number(op.condition)
    if isinstance(earlier, If) and merge.number(earlier.condition) == condition:
        yields = earlier.regions[region].block.terminator.operands
        value = yields[value.index]
    return merge.number(value)


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
