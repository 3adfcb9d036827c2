"""Rewrites as data: patterns, rules and the driver that applies them to a fixpoint.

    x = var("x")
    Rule("neg-of-neg", term(Neg, term(Neg, x)), x)

A pattern matches ops of one block only, so no rule crosses the boundary of a region;
constants alone are seen from everywhere. Commutative ops match in both orders. What a
rule makes has the location of the matched root, and the root's type, or the rule does
not apply; of a root with several results it makes as many values. Inside a pattern
only ops with one result match.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np

from tensorc.errors import ShapeError
from tensorc.ir.attributes import Attribute
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.functions import constraints_of
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import COMMUTATIVE
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.scalar.conversions import convert
from tensorc.ir.ops.tensor.elementwise import Cast
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.shape import Broadcast, Reshape, Slice, Transpose
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.passes.common.dce import remove_unused
from tensorc.target import Target

EXACT = "exact"  # the same bits for every input
STABILISING = "stabilising"  # closer to the truth: a closed list, part of the language

# Movement is seen through for so many ops: without a bound the driver is quadratic.
FARTHEST = 16
_MOST_OPERANDS = 4  # that rules are looked up by: more would be as many tables

Scalar = np.generic


@dataclass(frozen=True, slots=True)
class Var:
    """Matches any value; the same name means the same value."""

    name: str


@dataclass(frozen=True, slots=True)
class Splat:
    """Matches a constant all of whose elements are one number that the test accepts."""

    name: str
    test: Callable[[Scalar], bool]


@dataclass(frozen=True, slots=True)
class Spread:
    """Matches a value through broadcasts, and reshapes that only add axes of size 1.

    Axis i of what is inside lies along axis `match.axes[name][i]` of the value.
    """

    inner: "Pattern"
    name: str


@dataclass(frozen=True, slots=True)
class Term:
    """Matches an op of a class; its op is `match.ops[name]`.

    If it is open, the operands of the op are not looked at.
    """

    cls: type[Op]
    operands: tuple["Pattern", ...]
    name: str = ""
    attributes: tuple[tuple[str, Attribute], ...] = ()
    is_open: bool = False


Pattern = Var | Splat | Spread | Term


def var(name: str) -> Var:
    """Return a pattern for any value."""
    return Var(name)


def term(
    cls: type[Op], *operands: Pattern, name: str = "", **attributes: Attribute
) -> Term:
    """Return a pattern for an op, or a recipe to make one."""
    return Term(cls, operands, name, tuple(sorted(attributes.items())))


def head(cls: type[Op]) -> Term:
    """Return a pattern for any op of a class, whatever its operands are."""
    return Term(cls, (), is_open=True)


@dataclass(frozen=True, slots=True)
class Match:
    """What the parts of a pattern stand for."""

    root: Op
    values: dict[str, Value] = field(default_factory=dict)
    ops: dict[str, Op] = field(default_factory=dict)
    axes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    numbers: dict[str, Scalar] = field(default_factory=dict)

    def with_value(self, name: str, value: Value) -> "Match":
        """Return the match in which a part also stands for a value."""
        values = {**self.values, name: value}
        return Match(self.root, values, self.ops, self.axes, self.numbers)


Made = Value | Sequence[Value]  # what takes the place of an op: a value of each result
Recipe = Callable[[TensorBuilder, Match], Made]


@dataclass(frozen=True, slots=True)
class Rule:
    """A law: what matches `left` and fits the guard becomes `right`.

    `right` is a pattern to build, or a function where attributes must be computed.
    """

    name: str
    left: Term
    right: Pattern | Recipe
    guard: Callable[[Match], bool] = lambda match: True
    kind: str = EXACT


def matches(pattern: Pattern, value: Value, match: Match) -> Iterator[Match]:
    """Yield each way to match a pattern; recursive over the pattern, not the IR."""
    match pattern:
        case Var(name):
            if match.values.get(name, value) is value:
                yield match.with_value(name, value)
        case Splat(name, test):
            number = splat_of(value)
            if number is not None and test(number):
                found = match.with_value(name, value)
                yield replace(found, numbers={**match.numbers, name: number})
        case Spread(inner, name):
            source, axes = expansion_of(value)
            found = replace(match, axes={**match.axes, name: axes})
            yield from matches(inner, source, found)
        case Term():
            op = value.op
            is_near = op is not None and op.parent is match.root.parent
            if op is not None and is_near and len(op.results) == 1:
                yield from match_op(pattern, op, match)


def match_op(pattern: Term, op: Op, match: Match) -> Iterator[Match]:
    """Yield each way to match a term against an op."""
    if pattern.is_open and type(op) is pattern.cls:
        yield match
        return
    fits = type(op) is pattern.cls and len(op.operands) == len(pattern.operands)
    if not fits or any(op.attributes.get(n) != a for n, a in pattern.attributes):
        return
    if pattern.name:
        match = replace(match, ops={**match.ops, pattern.name: op})
    orders = [op.operands]
    if COMMUTATIVE in op.traits and op.operands[0] is not op.operands[1]:
        orders.append(op.operands[::-1])
    for operands in orders:
        yield from _match_all(pattern.operands, operands, match)


def _match_all(
    patterns: Sequence[Pattern], values: Sequence[Value], match: Match
) -> Iterator[Match]:
    if not patterns:
        yield match
        return
    for found in matches(patterns[0], values[0], match):
        yield from _match_all(patterns[1:], values[1:], found)


# What `splat_of` and `expansion_of` see through, and where they end.
_SPLATS = frozenset((Broadcast, Reshape, Transpose, Slice, Cast, Constant))
_EXPANSIONS = frozenset((Broadcast, Reshape))


def _may_match(pattern: Pattern, made_by: type) -> bool:
    """Return whether a value that an op of a class makes may be what a pattern is."""
    match pattern:
        case Var():
            return True
        case Splat():
            return made_by in _SPLATS
        case Spread(inner):
            return made_by in _EXPANSIONS or _may_match(inner, made_by)
        case Term(cls):
            return made_by is cls


class RuleTable:
    """Rules by the class of the root, and by what makes its operands.

    Most of the rules of an op fail on its operands, and there are dozens of some.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_root: dict[type[Op], list[Rule]] = {}
        for rule in rules:
            self.by_root.setdefault(rule.left.cls, []).append(rule)
        self.known: dict[tuple[type, ...], list[Rule]] = {}

    def rules_of(self, op: Op) -> Sequence[Rule]:
        """Return the rules that may match an op, in their order."""
        rules = self.by_root.get(type(op))
        if rules is None:
            return ()
        makers = tuple([type(v.owner) for v in op.operands[:_MOST_OPERANDS]])
        key = (type(op), *makers)
        if key not in self.known:
            orders = {makers, makers[1::-1] + makers[2:]}
            if COMMUTATIVE not in op.traits:
                orders = {makers}
            self.known[key] = [
                rule
                for rule in rules
                if any(all(map(_may_match, rule.left.operands, o)) for o in orders)
            ]
        return self.known[key]


def splat_of(value: Value) -> Scalar | None:
    """Return the number that a constant holds everywhere, seen through movement.

    None if the value is not such a constant.
    """
    casts: list[Cast] = []
    for _ in range(FARTHEST):
        match value.op:
            case Broadcast() | Reshape() | Transpose() | Slice() as op:
                value = op.operand
            case Cast() as op:
                casts.append(op)
                value = op.operand
            case Constant() as op:
                if not op.value.is_splat:
                    return None
                number: Array = op.value.value.flat[:1]
                for cast in reversed(casts):
                    number = convert(number, cast.element)
                scalar: Scalar = number[0]
                return scalar
            case _:
                return None
    return None


def expansion_of(value: Value) -> tuple[Value, tuple[int, ...]]:
    """Return what a value repeats, and the axes along which that lies."""
    axes = tuple(range(tensor_type(value).rank))
    for _ in range(FARTHEST):
        match value.op:
            case Broadcast() as op:
                step: tuple[int, ...] | None = op.axes
            case Reshape() as op:
                shape = tensor_type(op.operand).shape
                step = _inserted_ones(shape, op.shape.dims)
            case _:
                return value, axes
        if step is None:
            return value, axes
        axes = tuple(axes[a] for a in step)
        value = op.operand
    return value, axes


def _inserted_ones(
    shape: Sequence[Dim], result: Sequence[Dim]
) -> tuple[int, ...] | None:
    """Return where the axes of `shape` are in `result`, None if not only 1s are new."""
    axes: list[int] = []
    for axis, dim in enumerate(result):
        if len(axes) < len(shape) and shape[len(axes)] == dim:
            axes.append(axis)
        elif dim != 1:
            return None
    return tuple(axes) if len(axes) == len(shape) else None


def build(b: TensorBuilder, right: Pattern | Recipe, match: Match) -> Made:
    """Make the right side of a rule."""
    if isinstance(right, Var | Splat | Spread | Term):
        return _build_pattern(b, right, match)
    return right(b, match)


def _build_pattern(b: TensorBuilder, right: Pattern, match: Match) -> Value:
    """Make what a pattern spells; recursive over the pattern."""
    match right:
        case Var(name) | Splat(name):
            return match.values[name]
        case Term(cls, parts):
            operands = [_build_pattern(b, p, match) for p in parts]
            return b(cls, *operands, **dict(right.attributes))
        case Spread():
            raise TypeError("a rule cannot make what it sees through")


class Fold(Protocol):
    """Makes the values of an op that is known, or gives None."""

    def __call__(self, b: TensorBuilder, op: Op) -> Made | None:
        """Return the values, made with `b`."""
        ...


@dataclass
class _Driver:
    """Applies rules to one function.

    New ops wait in `before` for the end: inserting them at once is quadratic.
    """

    rules: RuleTable
    fold: Fold | None
    b: TensorBuilder  # appends to a block of its own, whose ops are taken out
    fired: dict[str, int]
    uses: dict[Value, dict[Op, None]] = field(default_factory=dict)
    before: dict[Op, list[Op]] = field(default_factory=dict)
    gone: set[Op] = field(default_factory=set)
    queue: deque[Op] = field(default_factory=deque)
    waiting: set[Op] = field(default_factory=set)

    def run(self, function: Function) -> None:
        for op in function.walk():
            self.enter(op)
        while self.queue:
            op = self.queue.popleft()
            self.waiting.discard(op)
            if op not in self.gone:
                self.visit(op)
        blocks = {op.parent: None for op in self.before}
        for block in blocks:
            if block is not None:
                block.ops = self.in_order(block)
        remove_unused(function)

    def enter(self, op: Op) -> None:
        for operand in op.operands:
            self.uses.setdefault(operand, {})[op] = None
        self.push(op)

    def push(self, op: Op) -> None:
        if op not in self.waiting:
            self.waiting.add(op)
            self.queue.append(op)

    def visit(self, op: Op) -> None:
        self.b.builder.location = op.location
        scratch = self.b.builder.block
        for name, make in self.candidates(op):
            scratch.ops = []
            try:
                made = make(self.b)
            except ShapeError:
                # Equal only by a chain of guards: leave the op as it is.
                continue
            if made is None:
                continue
            values = [made] if isinstance(made, Value) else list(made)
            if any(v in op.results for v in values):
                continue
            if [v.type for v in values] != [r.type for r in op.results]:
                continue
            self.fired[name] = self.fired.get(name, 0) + 1
            self.replace(op, values, scratch.ops)
            return

    def candidates(
        self, op: Op
    ) -> Iterator[tuple[str, Callable[[TensorBuilder], Made | None]]]:
        for rule in self.rules.rules_of(op):
            for match in match_op(rule.left, op, Match(op)):
                if rule.guard(match):
                    yield rule.name, partial(build, right=rule.right, match=match)
        if self.fold is not None:
            yield "fold", partial(self.fold, op=op)

    def replace(self, op: Op, values: Sequence[Value], made: list[Op]) -> None:
        """Put values in the place of an op's, and look again at what this touches."""
        for new in made:
            new.parent = op.parent
            self.enter(new)
        self.before[op] = made
        self.gone.add(op)
        for old, value in zip(op.results, values, strict=True):
            if made and value.op is made[-1]:
                value.hint = old.hint
            for user in self.uses.pop(old, {}):
                user.operands = [value if v is old else v for v in user.operands]
                self.uses.setdefault(value, {})[user] = None
                self.push(user)

    def in_order(self, block: Block) -> list[Op]:
        """Return the ops of a block, each behind the ops that were made for it."""
        ops: list[Op] = []
        stack = block.ops[::-1]
        while stack:
            op = stack.pop()
            if op in self.gone:
                stack.extend(reversed(self.before.pop(op)))
            else:
                ops.append(op)
        return ops


def apply_to_fixpoint(
    rules: Iterable[Rule], fold: Fold | None = None
) -> Callable[[Module, Target], Module]:
    """Return the function of a pass that applies rules until none does."""
    table = RuleTable(rules)

    def run(module: Module, target: Target) -> Module:
        for function in module.functions:
            rewrite(function, table, fold)
        return module

    return run


def rewrite(
    function: Function, rules: RuleTable, fold: Fold | None = None
) -> dict[str, int]:
    """Apply rules to a function; returns how often each one fired, by name."""
    fired: dict[str, int] = {}
    b = TensorBuilder(Builder(Block(), constraints_of(function)))
    _Driver(rules, fold, b, fired).run(function)
    return fired
