"""Integer scalars as dimensions: what a slice's bound or a size is computed from.

`dim_of` walks the ops that compute a scalar down to constants, sizes and the values of
arguments. Its formula has the number that the value has: it wraps where the arithmetic
of integers below 64 bits may leave their type. Of u64 only the argument itself is one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from tensorc.frontend.library.operands import spell_type
from tensorc.ir.attributes import Dense
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Compound, Dim, Poly, bound, floordiv, maximum, minimum
from tensorc.ir.ops.control import If
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor import elementwise, making, rounding, shape
from tensorc.ir.text.dims_parser import LARGEST, LONGEST
from tensorc.ir.types import I1, Element, TensorType, element_type

_IN_U64 = "it is computed in u64, which wraps below 0"
MAX_ATOMS = 16  # factors of one product

Leaf: TypeAlias = Callable[[Value], Dim | None]
Range: TypeAlias = tuple[int, int]  # the least and the largest


class NoDimError(Exception):
    """A scalar is no dimension; `value` is what it is computed from that is none.

    `reason` says why a formula of dimensions is none, "" if `value` is to blame.
    """

    def __init__(self, value: Value, reason: str = "") -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason


def why(error: NoDimError, memory: str = "") -> tuple[str, str]:
    """Say why a scalar is no dimension, and the way out; `memory` names a memory."""
    type_ = error.value.type
    if error.reason == _IN_U64:
        return error.reason, "cast to i64 first, which sizes are"
    if error.reason:
        return error.reason, "compute it before the call, and give it as an input"
    if isinstance(type_, TensorType) and not _is_integer(error.value):
        if type_.element == I1:
            return "it is computed from bool", "give it as an integer"
        hint = "for whole numbers write `//`; neither a float nor its cast is a size"
        return f"it is computed from {spell_type(type_)}", hint
    if memory:
        hint = f"give it as an input, called with the value of `{memory}`"
        return f"`{memory}` is memory, whose value the call does not give", hint
    hint = "compute it before the call, and give it as an input"
    return "it is computed from arrays, which only the call reads", hint


def dim_of(value: Value, leaf: Leaf) -> Dim:
    """Return the dimension that an integer scalar is.

    `leaf` knows the values of arguments, and may know those of other values. Raises
    `NoDimError`.
    """
    if not _is_integer(value):
        raise NoDimError(value)
    return formula_of(value, leaf)


def formula_of(value: Value, leaf: Leaf) -> Dim:
    """Return the dimension that an integer scalar is, or of a boolean 0 or 1."""
    found: dict[Value, Dim] = {}
    ranges: dict[Value, Range] = {}
    stack = [value]
    while stack:
        top = stack[-1]
        if top in found:
            stack.pop()
            continue
        known = leaf(top)
        ranges[top] = _range(element_type(top.type))
        if known is None:
            op = _op_of(top)
            missing = [v for v in _operands(op) if v not in found]
            if missing:
                stack += missing
                continue
            known = _RULES[type(op)](op, *[found[v] for v in _operands(op)])
            known, ranges[top] = _fitted(op, known, [ranges[v] for v in _operands(op)])
            _check(top, known)
        found[stack.pop()] = known
    return found[value]


def _op_of(value: Value) -> Op:
    type_, op = value.type, value.op
    if op is not None and op.name == If.name:  # or a graph's node that becomes one
        raise NoDimError(value, "a condition decides it, while it runs")
    if op is not None and op.name == Scan.name:
        raise NoDimError(value, "a loop computes it, while it runs")
    is_scalar = isinstance(type_, TensorType) and not type_.shape
    is_float = isinstance(type_, TensorType) and type_.element.is_float
    if not is_scalar or is_float or type(op) not in _RULES:
        raise NoDimError(value)
    assert op is not None
    return op


def _fitted(op: Op, dim: Dim, operands: Sequence[Range]) -> tuple[Dim, Range]:
    """Return a formula that wraps as its type does, and the range of its numbers."""
    element = element_type(op.result.type)
    own = _range(element)
    if type(op) not in _RANGES or element == I1:  # the rule keeps to the type
        return dim, (dim, dim) if isinstance(dim, int) else own
    if element.is_unsigned and element.bits == 64 and not isinstance(dim, int):
        raise NoDimError(op.result, _IN_U64)
    least, most = _RANGES[type(op)](*operands)
    if own[0] <= least and most <= own[1]:
        return dim, (least, most)
    if element.bits == 64:  # the call refuses a size that is too large; a fact wraps
        return dim, own
    return wrapped(dim, own), own


def wrapped(dim: Dim, own: Range) -> Dim:
    """Return what a number is in a type that holds those of a range."""
    low, high = own
    span = high - low + 1
    return dim - span * floordiv(dim - low, span)


def _is_integer(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.element.is_integer


def _operands(op: Op) -> list[Value]:
    return [] if isinstance(op, shape.Size) else op.operands


def _check(value: Value, dim: Dim) -> None:
    if isinstance(dim, int):
        if not -LARGEST <= dim <= LARGEST:
            raise NoDimError(value, f"{dim} is too large")
    elif (
        any(len(atoms) > MAX_ATOMS for atoms, _ in dim.terms)
        or any(not -LARGEST <= n <= LARGEST for _, n in dim.terms)
        or len(str(dim)) > LONGEST
    ):
        raise NoDimError(value, "the formula is too long")


def _constant(op: Op) -> Dim:
    value = op.attributes["value"]
    assert isinstance(value, Dense)
    return int(np.asarray(value.value).item())


def _size(op: Op) -> Dim:
    type_, axis = op.operands[0].type, op.attributes["axis"]
    assert isinstance(type_, TensorType)
    assert isinstance(axis, int)
    return type_.shape[axis]


def _quotient(op: Op, left: Dim, right: Dim) -> Dim:
    if right == 0:
        raise NoDimError(op.result, f"division by zero: {left} // 0")
    return floordiv(left, right)


def _remainder(op: Op, left: Dim, right: Dim) -> Dim:
    return left - right * _quotient(op, left, right)


def _compared(op: Op, left: Dim, right: Dim) -> Dim:
    """Return 1 where it holds, 0 elsewhere."""
    over = {
        "lt": right - left,
        "gt": left - right,
        "le": right - left + 1,
        "ge": left - right + 1,
    }
    predicate = str(op.attributes["predicate"])
    if predicate in over:
        return minimum(1, maximum(0, over[predicate]))
    differs = minimum(1, maximum(left - right, right - left))
    return differs if predicate == "ne" else 1 - differs


def _selected(op: Op, condition: Dim, yes: Dim, no: Dim) -> Dim:
    match no:
        case Poly(terms=(((Compound("min", left, right),), 1),)):
            # What `operands.size_value` makes of a bound.
            for index, size in ((left, right), (right, left)):
                is_negative = minimum(1, maximum(0, -index))
                if condition == is_negative and yes == maximum(index + size, 0):
                    return bound(index, size)
    return no + condition * (yes - no)


def _cast(op: Op, value: Dim) -> Dim:
    source, target = op.operands[0].type, op.attributes["element"]
    assert isinstance(source, TensorType)
    assert isinstance(target, Element)
    if target == I1:
        raise NoDimError(op.result, "it is a boolean")
    low, high = _range(target)
    least, most = _range(source.element)
    if (low <= least and most <= high) or target.bits == 64:
        return value
    return wrapped(value, (low, high))


def _range(element: Element) -> Range:
    if element == I1:
        return 0, 1
    if element.is_unsigned:
        return 0, 2**element.bits - 1
    return -(2 ** (element.bits - 1)), 2 ** (element.bits - 1) - 1


def _products(left: Range, right: Range) -> Range:
    ends = [x * y for x in left for y in right]
    return min(ends), max(ends)


def _quotients(left: Range, right: Range) -> Range:
    """Return a range of quotients: none is larger than the dividend in size."""
    least, most = min(left[0], 0), max(left[1], 0)
    return (least, most) if right[0] >= 0 else (min(least, -most), max(most, -least))


# Of the rules whose numbers may leave the type: a range of them, of those of operands.
_RANGES: Mapping[type[Op] | None, Callable[..., Range]] = {
    elementwise.Add: lambda x, y: (x[0] + y[0], x[1] + y[1]),
    elementwise.Sub: lambda x, y: (x[0] - y[1], x[1] - y[0]),
    elementwise.Mul: _products,
    elementwise.Neg: lambda x: (-x[1], -x[0]),
    rounding.FloorDiv: _quotients,
    rounding.Abs: lambda x: (max(x[0], -x[1], 0), max(x[1], -x[0])),
    # These keep to it.
    rounding.Mod: lambda x, y: (min(y[0] + 1, 0), max(y[1] - 1, 0)),
    elementwise.Maximum: lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    elementwise.Minimum: lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
}
_RULES: Mapping[type[Op] | None, Callable[..., Dim]] = {
    making.Constant: _constant,
    shape.Size: _size,
    shape.Reshape: lambda op, x: x,
    shape.Broadcast: lambda op, x: x,
    elementwise.Add: lambda op, x, y: x + y,
    elementwise.Sub: lambda op, x, y: x - y,
    elementwise.Mul: lambda op, x, y: x * y,
    elementwise.Neg: lambda op, x: -x,
    elementwise.Maximum: lambda op, x, y: maximum(x, y),
    elementwise.Minimum: lambda op, x, y: minimum(x, y),
    elementwise.Cast: _cast,
    elementwise.Compare: _compared,
    elementwise.Select: _selected,
    elementwise.And: lambda op, x, y: x * y,
    elementwise.Or: lambda op, x, y: x + y - x * y,
    elementwise.Not: lambda op, x: 1 - x,
    rounding.FloorDiv: _quotient,
    rounding.Mod: _remainder,
    rounding.Abs: lambda op, x: maximum(x, -x),
}
