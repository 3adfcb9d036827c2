"""Spellings that rewrites look for: the left sides of their rules, made as programs.

Random ops seldom spell 1 - sigmoid(x) or x / 2. A rule says what it matches, so an
operand of a type is made for each of its variables, and the ops are put on top. What a
rule does not say (the permutation of a transpose, the axis of a sum) is drawn. No rule
is known here by name: a new one is tried from the day it is there.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from tensorc.fuzz.maker import Maker, fits
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES_ORDER
from tensorc.ir.opdef import ELEMENTWISE
from tensorc.ir.ops.tensor.elementwise import PREDICATES, Cast, Compare, Select
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import Max, Mean, Sum, Top1
from tensorc.ir.ops.tensor.rounding import IsFinite, IsNan
from tensorc.ir.ops.tensor.shape import Broadcast, Reshape, Transpose
from tensorc.ir.types import F32, F64, I1, I64, Element, TensorType
from tensorc.passes.common.rewriter import Pattern, Rule, Splat, Spread, Term, Var
from tensorc.passes.tensor import simplify, stabilize

TABLES = (simplify.RULES, stabilize.RULES)
RULES = tuple(itertools.chain(*TABLES))
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 4.0, 0.25, 3.0, 0.1)


class Unspellable(Exception):
    """What was asked for cannot be made of the types that were drawn."""


@dataclass
class _Spelling:
    m: Maker
    values: dict[str, int] = field(default_factory=dict)  # indices, by variable
    # Of a name that a rule gives: the type before axes were reduced, and the axes.
    reduced: dict[str, tuple[TensorType, tuple[int, ...]]] = field(default_factory=dict)


def spell(
    m: Maker, rule: Rule | None = None, element: Element | None = None
) -> int | None:
    """Append the left side of a rule; return its index, or None if it does not fit."""
    rule = rule or m.rng.choice(m.rng.choice(TABLES))
    cls = rule.left.cls
    boolean = getattr(cls, "domain", "") == "boolean" or cls is Compare
    if boolean:
        element = I1
    elif element is None:
        element = m.element("number" if m.chance(0.2) else "float")
    # Of two axes all permutations are their own inverses.
    least = 3 if cls is Transpose else m.rng.choice((0, 1, 1, 1))
    shape = m.shape(least)
    try:
        return _make(_Spelling(m), rule.left, TensorType(shape, element))
    except Unspellable:
        return None


def _make(s: _Spelling, pattern: Pattern, type_: TensorType) -> int:
    m = s.m
    match pattern:
        case Var(name):
            if name not in s.values:
                s.values[name] = m.partner(type_)
            if m.type_of(s.values[name]) != type_:
                raise Unspellable
            return s.values[name]
        case Splat():
            return _number(m, pattern, type_)
        case Spread(inner, name):
            return _spread(s, inner, name, type_)
        case Term():
            return _term(s, pattern, type_)


def _number(m: Maker, pattern: Splat, type_: TensorType) -> int:
    """Append a constant that the pattern accepts, and sometimes its near miss."""
    dtype = type_.element.dtype
    with np.errstate(all="ignore"):
        numbers = [np.array(n).astype(dtype) for n in _NUMBERS]
    near = m.chance(0.25)
    found = [n for n in numbers if near or pattern.test(n.flat[0])]
    if not found:
        raise Unspellable
    value = m.literal(m.rng.choice(found), type_.element)
    if not type_.shape:
        return value
    return m.apply(Broadcast, (value,), axes=(), shape=Dims(type_.shape))


def _spread(s: _Spelling, inner: Pattern, name: str, type_: TensorType) -> int:
    """Append what lacks some axes, and repeat it along them."""
    rank = len(type_.shape)
    if not rank:
        raise Unspellable
    known = s.reduced.get(name)
    count = min(1 + s.m.chance(0.2), rank)
    axes = _some_axes(s.m, rank, count) if known is None else known[1]
    kept = tuple(a for a in range(rank) if a not in axes)
    s.reduced.setdefault(name, (type_, axes))
    small = TensorType(tuple(type_.shape[a] for a in kept), type_.element)
    index = _make(s, inner, small)
    if s.m.type_of(index).rank != len(kept):
        raise Unspellable
    return s.m.apply(Broadcast, (index,), axes=kept, shape=Dims(type_.shape))


def _some_axes(m: Maker, rank: int, count: int) -> tuple[int, ...]:
    return tuple(sorted(m.rng.sample(range(rank), count)))


def _term(s: _Spelling, pattern: Term, type_: TensorType) -> int:
    m, cls = s.m, pattern.cls
    if pattern.is_open or not pattern.operands:
        raise Unspellable
    if cls in (Sum, Max, Top1, Mean):
        return _reduction(s, pattern, type_)
    if cls in (Softmax, LogSoftmax) and type_.shape and type_.element.is_float:
        operand = _make(s, pattern.operands[0], type_)
        return m.apply(cls, (operand,), axis=m.below(len(type_.shape)))
    if cls in (Broadcast, Reshape, Transpose):
        return _movement(s, pattern, type_)
    if ELEMENTWISE not in cls.traits:
        raise Unspellable
    return _elementwise(s, pattern, type_)


def _elementwise(s: _Spelling, pattern: Term, type_: TensorType) -> int:
    m, cls = s.m, pattern.cls
    attributes = dict(pattern.attributes)
    types = [type_] * len(pattern.operands)
    if cls is Select:
        types[0] = TensorType(type_.shape, I1)
    elif cls is Cast:
        attributes["element"] = type_.element
        types = [TensorType(type_.shape, m.element())]
    elif cls in (Compare, IsNan, IsFinite):
        if type_.element != I1:
            raise Unspellable
        domain = "any" if cls is Compare else "float"
        types = [TensorType(type_.shape, m.element(domain))] * len(types)
        if cls is Compare:
            attributes.setdefault("predicate", m.rng.choice(list(PREDICATES)))
    elif not fits(str(getattr(cls, "domain", "float")), type_.element):
        raise Unspellable
    operands = [_make(s, p, t) for p, t in zip(pattern.operands, types, strict=True)]
    return m.apply(cls, operands, **attributes)


def _reduction(s: _Spelling, pattern: Term, type_: TensorType) -> int:
    m = s.m
    is_mean = pattern.cls is Mean
    if not fits("number", type_.element) or (
        is_mean and type_.element not in (F32, F64)
    ):
        raise Unspellable
    known = s.reduced.get(pattern.name)
    if known is None:
        count = 1 + m.chance(0.2)
        shape = list(type_.shape)
        axes = _some_axes(m, len(shape) + count, count)
        for axis in axes:
            shape.insert(axis, m.beside(m.count(shape), m.dim()))
        known = TensorType(tuple(shape), type_.element), axes
        s.reduced[pattern.name] = known
    whole, axes = known
    is_extreme = pattern.cls in (Max, Top1)
    if is_extreme and any(m.number(whole.shape[axis]) == 0 for axis in axes):
        raise Unspellable
    operand = _make(s, pattern.operands[0], whole)
    if is_extreme:
        return m.apply(pattern.cls, (operand,), axes=axes)
    if is_mean:
        count = _make(s, pattern.operands[1], TensorType((), I64))
        return m.apply(Mean, (operand, count), axes=axes, order=LANES_ORDER)
    return m.apply(Sum, (operand,), axes=axes, order=LANES_ORDER)


def _movement(s: _Spelling, pattern: Term, type_: TensorType) -> int:
    m, shape = s.m, type_.shape
    rank = len(shape)
    if pattern.cls is Transpose:
        order = tuple(m.rng.sample(range(rank), rank))
        before: list[Dim] = [0] * rank
        for new, old in enumerate(order):
            before[old] = shape[new]
        operand = _make(
            s, pattern.operands[0], TensorType(tuple(before), type_.element)
        )
        return m.apply(Transpose, (operand,), permutation=order)
    if pattern.cls is Reshape:
        one = m.below(rank + 1)
        if 1 in shape and m.chance(0.5):
            one = shape.index(1)
            small = (*shape[:one], *shape[one + 1 :])
        else:
            small = (*shape[:one], 1, *shape[one:])
        operand = _make(s, pattern.operands[0], TensorType(small, type_.element))
        return m.apply(Reshape, (operand,), shape=Dims(shape))
    kept = tuple(a for a in range(rank) if m.chance(0.6))
    small = tuple(shape[a] for a in kept)
    operand = _make(s, pattern.operands[0], TensorType(small, type_.element))
    return m.apply(Broadcast, (operand,), axes=kept, shape=Dims(shape))
