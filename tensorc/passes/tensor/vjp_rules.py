"""The reverse derivative of every differentiable tensor op, in one table.

A rule is given an op and the cotangent of its result, and returns a cotangent for each
operand, or None where the operand is not a float: `ct` of `y = f(x)` becomes
`ct * df/dx`. What happens at ties and edges is the table of docs/numerics.md.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar, cast

from tensorc.ir import stable
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Cast,
    Compare,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Or,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import (
    ADD,
    SET,
    CheckIndex,
    Gather,
    Scatter,
    TakeAlongAxis,
)
from tensorc.ir.ops.tensor.making import Constant, Iota
from tensorc.ir.ops.tensor.nn import LogSoftmax
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import (
    All,
    Any,
    ArgMax,
    ArgMin,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
)
from tensorc.ir.ops.tensor.rounding import (
    Abs,
    Ceil,
    Floor,
    FloorDiv,
    IsFinite,
    IsNan,
    Mod,
    Round,
    Sign,
)
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Concatenate,
    Reshape,
    Size,
    Slice,
    Transpose,
    Unslice,
)
from tensorc.ir.ops.tensor.transcendental import (
    Cos,
    Erf,
    Erfc,
    Expm1,
    Gelu,
    Log1p,
    Pow,
    Sigmoid,
    Silu,
    Sin,
    Softplus,
    Tanh,
)
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64

Cotangents = tuple[Value | None, ...]
VjpRule = Callable[[TensorBuilder, Op, Value], Cotangents]
T = TypeVar("T", bound=Op)

OPEN_LEVELS = 5  # of a tree whose size only the call says


@dataclass(frozen=True, slots=True)
class _Row:
    cls: type[Op]
    rule: VjpRule


def _rule(
    cls: type[T], function: Callable[[TensorBuilder, T, Value], Cotangents]
) -> _Row:
    """Return a row of the table; the class tells the type checker what `op` has."""
    return _Row(cls, cast(VjpRule, function))


def _table(*rows: _Row) -> Mapping[type[Op], VjpRule]:
    """Return the rows as a read-only mapping; ValueError for a second rule of an op."""
    table = {row.cls: row.rule for row in rows}
    if len(table) != len(rows):
        raise ValueError("an op has two derivative rules")
    return MappingProxyType(table)


def _div(b: TensorBuilder, op: Div, ct: Value) -> Cotangents:
    share = b.div(ct, op.rhs)
    return share, b.neg(b.mul(share, op.result))


def _maximum(b: TensorBuilder, op: Maximum, ct: Value) -> Cotangents:
    return _extremum(b, op.lhs, op.rhs, ct)


def _minimum(b: TensorBuilder, op: Minimum, ct: Value) -> Cotangents:
    return _extremum(b, op.rhs, op.lhs, ct)


def _extremum(b: TensorBuilder, lhs: Value, rhs: Value, ct: Value) -> Cotangents:
    """Give the cotangent to the first if lhs > rhs, half to each at a tie.

    With a NaN both get it whole, so that it is seen.
    """
    zero = b.zeros_like(ct)
    half = b.mul(ct, b.full_like(ct, 0.5))
    tie = b.compare("eq", lhs, rhs)
    to_lhs = b.select(b.compare("lt", lhs, rhs), zero, ct)
    to_rhs = b.select(b.compare("gt", lhs, rhs), zero, ct)
    return b.select(tie, half, to_lhs), b.select(tie, half, to_rhs)


def _sqrt(b: TensorBuilder, op: Sqrt, ct: Value) -> Cotangents:
    return (b.div(b.mul(ct, b.full_like(ct, 0.5)), op.result),)


def _tanh(b: TensorBuilder, op: Tanh, ct: Value) -> Cotangents:
    """Give 1 - y^2 as e^(-2|x|) (1 + |y|)^2, which does not cancel far out.

    |x| by a choice: either way it is the same function, so there is no kink at 0.
    """
    x, y = op.operand, op.result
    positive = b.compare("ge", x, b.zeros_like(x))
    size = b.select(positive, x, b.neg(x))
    near = b.add(b.full_like(y, 1), b.select(positive, y, b.neg(y)))
    decay = b.exp(b.neg(b.add(size, size)))
    return (b.mul(ct, b.mul(decay, b.mul(near, near))),)


def _sigmoid(b: TensorBuilder, op: Sigmoid, ct: Value) -> Cotangents:
    """Give y (1 - y), where 1 - y is the function at -x: it does not cancel."""
    rest = b.sigmoid(b.neg(op.operand))
    return (b.mul(ct, b.mul(op.result, rest)),)


def _log1p(b: TensorBuilder, op: Log1p, ct: Value) -> Cotangents:
    return (b.div(ct, b.add(b.full_like(ct, 1), op.operand)),)


def _erf(b: TensorBuilder, op: Erf | Erfc, ct: Value) -> Cotangents:
    """Give 2 / sqrt(pi) e^(-x^2), with the other sign for the complement."""
    x, sign = op.operand, 1 if isinstance(op, Erf) else -1
    slope = b.exp(b.neg(b.mul(x, x)))
    return (b.mul(ct, b.mul(b.full_like(ct, sign * 2 / math.sqrt(math.pi)), slope)),)


def _silu(b: TensorBuilder, op: Silu, ct: Value) -> Cotangents:
    """Give s(x) + x s(x) s(-x), with the sigmoid s: neither cancels."""
    x = op.operand
    # Infinity times 0 would be NaN.
    finite = b.select(b.isfinite(x), op.result, b.zeros_like(x))
    slope = b.add(b.sigmoid(x), b.mul(finite, b.sigmoid(b.neg(x))))
    return (b.mul(ct, slope),)


def _gelu(b: TensorBuilder, op: Gelu, ct: Value) -> Cotangents:
    """Give P(x) + x p(x), with the normal distribution P and its density p."""
    x = op.operand

    def times(value: Value, factor: float) -> Value:
        return b.mul(value, b.full_like(ct, factor))

    share = times(b.erfc(times(x, -math.sqrt(0.5))), 0.5)
    # Infinity times 0 would be NaN.
    finite = b.select(b.isfinite(x), x, b.zeros_like(x))
    bell = b.exp(b.mul(finite, times(finite, -0.5)))
    slope = b.add(share, b.mul(finite, times(bell, math.sqrt(0.5 / math.pi))))
    return (b.mul(ct, slope),)


def _pow(b: TensorBuilder, op: Pow, ct: Value) -> Cotangents:
    """Give y x^(y-1) and x^y ln x; 0 to a base whose power is constant, y = 0.

    The exponent gets 0 where x = 0 and x^y does not depend on it, y >= 0.
    """
    zero, one = b.zeros_like(ct), b.full_like(ct, 1)
    no_power = b.compare("eq", op.rhs, zero)
    # The power that is not taken must not be infinite: 0 * inf is NaN one order on.
    less = b.select(no_power, one, b.sub(op.rhs, one))
    to_base = b.mul(ct, b.mul(op.rhs, b.pow(op.lhs, less)))
    is_zero = b.compare("eq", op.lhs, zero)
    constant = b.logical_and(is_zero, b.compare("ge", op.rhs, zero))
    log = b.log(b.select(constant, one, op.lhs))
    to_exponent = b.mul(ct, b.mul(op.result, log))
    return b.select(no_power, zero, to_base), b.select(constant, zero, to_exponent)


def _mod(b: TensorBuilder, op: Mod, ct: Value) -> Cotangents:
    return ct, b.neg(b.mul(ct, b.floordiv(op.lhs, op.rhs)))


def _select(b: TensorBuilder, op: Select, ct: Value) -> Cotangents:
    zero = b.zeros_like(ct)
    to_true = b.select(op.condition, ct, zero)
    return None, to_true, b.select(op.condition, zero, ct)


def _cast(b: TensorBuilder, op: Cast, ct: Value) -> Cotangents:
    source = tensor_type(op.operand).element
    if not (source.is_float and op.element.is_float):
        return (None,)
    return (b.cast(ct, source),)


def _sum(b: TensorBuilder, op: Sum, ct: Value) -> Cotangents:
    return (b.insert_axis(ct, tensor_type(op.operand).shape, op.axis),)


def _mean(b: TensorBuilder, op: Mean, ct: Value) -> Cotangents:
    type_ = tensor_type(op.operand)
    count = b.cast(op.count, type_.element)
    share = b.div(ct, b.everywhere(count, tensor_type(ct).shape))
    return stable.spread(b, share, op.operand, op.axes), None


def _extreme(b: TensorBuilder, op: Max | Min, ct: Value) -> Cotangents:
    """Split the cotangent equally among the ties; NaNs, if there are any, are these."""
    type_ = tensor_type(op.operand)
    largest = b.insert_axis(op.result, type_.shape, op.axis)
    is_largest = b.compare("eq", op.operand, largest)
    is_largest = b.logical_or(is_largest, b.isnan(op.operand))
    count = b.sum(b.cast(is_largest, type_.element), op.axis)
    share = b.insert_axis(b.div(ct, count), type_.shape, op.axis)
    return (b.select(is_largest, share, b.zeros_like(share)),)


def _prod(b: TensorBuilder, op: Prod, ct: Value) -> Cotangents:
    """Give each element the product of the others."""
    type_ = tensor_type(op.operand)
    order = [i for i in range(type_.rank) if i != op.axis] + [op.axis]
    others = _others(b, b.transpose(op.operand, order))
    back = sorted(range(type_.rank), key=lambda i: order[i])
    spread = b.insert_axis(ct, type_.shape, op.axis)
    return (b.mul(spread, b.transpose(others, back)),)


def _others(b: TensorBuilder, x: Value, rounds: int = 2) -> Value:
    """Return the products of the others along the last axis, without a division.

    Products of neighbours go up a tree; down again, each element takes what its parent
    has from outside and its neighbour. Zeros do no harm, to any order. Where only the
    call says the size, a tree has five levels; above two of them is a square.
    """
    *batch, size = tensor_type(x).shape
    levels = (size - 1).bit_length() if isinstance(size, int) else OPEN_LEVELS
    roots = ceildiv(size, 2**levels)
    missing = roots * 2**levels - size
    element = tensor_type(x).element
    ones = b.full((*batch, missing), 1, element)
    tree = [x if missing == 0 else b.concatenate([x, ones], len(batch))]
    for level in range(levels):
        pairs = b.reshape(tree[-1], (*batch, roots * 2 ** (levels - level - 1), 2))
        tree[-1] = pairs
        left, right = (_column(b, pairs, i) for i in (0, 1))
        tree.append(b.mul(left, right))
    roots_of_all = tree.pop()
    if isinstance(size, int) or rounds == 1:
        outside = _others_by_square(b, roots_of_all)
    else:
        outside = _others(b, roots_of_all, rounds - 1)
    for pairs in reversed(tree):
        *outer, count, _ = shape = tensor_type(pairs).shape
        starts = [0] * (len(shape) - 1) + [1]
        turned = b.slice(pairs, starts, shape, [1] * (len(shape) - 1) + [-1])
        parent = b.insert_axis(outside, shape, len(shape) - 1)
        outside = b.reshape(b.mul(parent, turned), (*outer, count * 2))
    whole = (*batch, size)
    return b.slice(outside, [0] * len(whole), whole, [1] * len(whole))


def _column(b: TensorBuilder, pairs: Value, index: int) -> Value:
    *outer, _ = tensor_type(pairs).shape
    starts = [0] * len(outer) + [index]
    column = b.slice(pairs, starts, (*outer, 1), [1] * (len(outer) + 1))
    return b.reshape(column, outer)


def _others_by_square(b: TensorBuilder, x: Value) -> Value:
    """Return such products, each of a row in which a 1 takes the element's place."""
    shape = tensor_type(x).shape
    last = len(shape) - 1
    if shape[last] == 1:
        return b.full_like(x, 1)
    wide = (*shape, shape[last])
    rows = b.insert_axis(x, wide, last)
    places = [b.iota(wide, axis, I64) for axis in (last, last + 1)]
    own = b.compare("eq", *places)
    return b.prod(b.select(own, b.full_like(rows, 1), rows), last + 1)


def _broadcast(b: TensorBuilder, op: Broadcast, ct: Value) -> Cotangents:
    """Sum over the axes that are new or were 1, from the last to the first."""
    shape = tensor_type(op.operand).shape
    repeated = {a for d, a in zip(shape, op.axes, strict=True) if d == 1}
    summed = [
        axis
        for axis, dim in enumerate(op.shape.dims)
        if axis not in op.axes or (axis in repeated and dim != 1)
    ]
    for axis in reversed(summed):
        ct = b.sum(ct, axis)
    kept = [i for i, axis in enumerate(op.axes) if axis not in summed]
    if len(kept) == len(shape):
        return (ct,)
    return (b.broadcast(ct, shape, kept),)


def _reshape(b: TensorBuilder, op: Reshape, ct: Value) -> Cotangents:
    return (b.reshape(ct, tensor_type(op.operand).shape),)


def _transpose(b: TensorBuilder, op: Transpose, ct: Value) -> Cotangents:
    axes = range(len(op.permutation))
    return (b.transpose(ct, sorted(axes, key=lambda i: op.permutation[i])),)


def _slice(b: TensorBuilder, op: Slice, ct: Value) -> Cotangents:
    shape = tensor_type(op.operand).shape
    return (b.unslice(ct, op.starts.dims, shape, op.steps),)


def _unslice(b: TensorBuilder, op: Unslice, ct: Value) -> Cotangents:
    sizes = tensor_type(op.operand).shape
    return (b.slice(ct, op.starts.dims, sizes, op.steps),)


def _concatenate(b: TensorBuilder, op: Concatenate, ct: Value) -> Cotangents:
    cotangents = []
    start: Dim = 0
    for part in op.parts:
        shape = tensor_type(part).shape
        starts: list[Dim] = [0] * len(shape)
        starts[op.axis] = start
        cotangents.append(b.slice(ct, starts, shape, [1] * len(shape)))
        start = start + shape[op.axis]
    return tuple(cotangents)


def _matmul(b: TensorBuilder, op: MatMul, ct: Value) -> Cotangents:
    return (
        b.matmul(ct, _swap_last(b, op.rhs)),
        b.matmul(_swap_last(b, op.lhs), ct),
    )


def _swap_last(b: TensorBuilder, value: Value) -> Value:
    *batch, rows, columns = range(tensor_type(value).rank)
    return b.transpose(value, [*batch, columns, rows])


def _take_along_axis(b: TensorBuilder, op: TakeAlongAxis, ct: Value) -> Cotangents:
    """Put the cotangent where the element came from, by comparing with a count."""
    shape = tensor_type(op.operand).shape
    index = b.cast(op.indices, I64)
    size = b.size(op.operand, op.axis)
    from_end = b.add(index, b.broadcast(size, tensor_type(index).shape, ()))
    is_negative = b.compare("lt", index, b.zeros_like(index))
    wrapped = b.select(is_negative, from_end, index)
    place = b.iota(shape, op.axis, I64)
    here = b.compare("eq", place, b.insert_axis(wrapped, shape, op.axis))
    spread = b.insert_axis(ct, shape, op.axis)
    return b.select(here, spread, b.zeros_like(spread)), None


def _gather(b: TensorBuilder, op: Gather, ct: Value) -> Cotangents:
    zeros = b.zeros_like(op.operand)
    given = b.scatter(zeros, ct, op.indices, op.axes, ADD)
    return given, *[None] * len(op.indices)


def _scatter(b: TensorBuilder, op: Scatter, ct: Value) -> Cotangents:
    """Give the values what their places get, if they are there: the last of each."""
    to_base, to_values = ct, b.gather(ct, op.indices, op.axes)
    if op.combine == SET:
        zeros = b.zeros_like(op.values)
        to_base = b.scatter(ct, zeros, op.indices, op.axes, SET)
        stays = _last_of_each(b, op)
        if stays is not None:
            shape, first = tensor_type(op.values).shape, op.axes[0]
            axes = range(first, first + tensor_type(stays).rank)
            stays = b.broadcast(stays, shape, axes)
            to_values = b.select(stays, to_values, zeros)
    return to_base, to_values, *[None] * len(op.indices)


def _last_of_each(b: TensorBuilder, op: Scatter) -> Value | None:
    """Tell which of the indices are the last ones of their place; None if all are.

    Each place gets the position of the last index that means it, axis by axis, and each
    index looks whether the position is its own.
    """
    whole, positions = tensor_type(op.base).shape, tensor_type(op.indices[0]).shape
    places = [whole[axis] for axis in op.axes]
    on_all = range(len(places))
    result: Value | None = None
    for axis in range(len(positions)):
        own = b.iota(positions, axis, I64)
        none = b.full(places, 0, I64)
        last = b.scatter(none, own, op.indices, on_all, SET)
        here = b.compare("eq", b.gather(last, op.indices, on_all), own)
        result = here if result is None else b.logical_and(result, here)
    return result


def _log_softmax(b: TensorBuilder, op: LogSoftmax, ct: Value) -> Cotangents:
    shape = tensor_type(op.operand).shape
    total = b.insert_axis(b.sum(ct, op.axis), shape, op.axis)
    return (b.sub(ct, b.mul(b.exp(op.result), total)),)


VJP_RULES: Mapping[type[Op], VjpRule] = _table(
    _rule(Add, lambda b, op, ct: (ct, ct)),
    _rule(Sub, lambda b, op, ct: (ct, b.neg(ct))),
    _rule(Mul, lambda b, op, ct: (b.mul(ct, op.rhs), b.mul(ct, op.lhs))),
    _rule(Div, _div),
    _rule(Maximum, _maximum),
    _rule(Minimum, _minimum),
    _rule(Neg, lambda b, op, ct: (b.neg(ct),)),
    _rule(Exp, lambda b, op, ct: (b.mul(ct, op.result),)),
    _rule(Log, lambda b, op, ct: (b.div(ct, op.operand),)),
    _rule(Sqrt, _sqrt),
    _rule(Tanh, _tanh),
    _rule(Sigmoid, _sigmoid),
    _rule(Softplus, lambda b, op, ct: (b.mul(ct, b.sigmoid(op.operand)),)),
    _rule(Silu, _silu),
    _rule(Gelu, _gelu),
    _rule(Log1p, _log1p),
    _rule(Erf, _erf),
    _rule(Erfc, _erf),
    _rule(Expm1, lambda b, op, ct: (b.mul(ct, b.exp(op.operand)),)),
    _rule(Sin, lambda b, op, ct: (b.mul(ct, b.cos(op.operand)),)),
    _rule(Cos, lambda b, op, ct: (b.neg(b.mul(ct, b.sin(op.operand))),)),
    _rule(Pow, _pow),
    _rule(Mod, _mod),
    _rule(Abs, lambda b, op, ct: (b.mul(ct, b.sign(op.operand)),)),
    _rule(Select, _select),
    _rule(Cast, _cast),
    _rule(Sum, _sum),
    _rule(Mean, _mean),
    _rule(Prod, _prod),
    _rule(Max, _extreme),
    _rule(Min, _extreme),
    _rule(Broadcast, _broadcast),
    _rule(Reshape, _reshape),
    _rule(Transpose, _transpose),
    _rule(Slice, _slice),
    _rule(Unslice, _unslice),
    _rule(Concatenate, _concatenate),
    _rule(MatMul, _matmul),
    _rule(TakeAlongAxis, _take_along_axis),
    _rule(Gather, _gather),
    _rule(Scatter, _scatter),
    _rule(LogSoftmax, _log_softmax),
)

# Constant almost everywhere, and used for that: the derivative stops here, silently.
STEPS: frozenset[type[Op]] = frozenset(
    {
        *(Compare, And, Or, Not, IsNan, IsFinite),
        *(Any, All, Floor, Ceil, Round, Sign, FloorDiv),
        *(Size, Iota, Constant, CheckIndex),
    }
)

# A place is not a step: a cost made of it is a mistake, and is reported.
NOT_DIFFERENTIABLE: frozenset[type[Op]] = STEPS | {ArgMax, ArgMin}
