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
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import indexing, making, nn, products, reductions, rounding
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.ops.tensor import transcendental as fn
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


def _div(b: TensorBuilder, op: ew.Div, ct: Value) -> Cotangents:
    share = b(ew.Div, ct, op.rhs)
    return share, b(ew.Neg, b(ew.Mul, share, op.result))


def _maximum(b: TensorBuilder, op: ew.Maximum, ct: Value) -> Cotangents:
    """Give it to the larger; half to each at a tie, whole to both with a NaN."""
    return _extremum(b, op.lhs, op.rhs, ct)


def _minimum(b: TensorBuilder, op: ew.Minimum, ct: Value) -> Cotangents:
    """Give it to the smaller; half to each at a tie, whole to both with a NaN."""
    return _extremum(b, op.rhs, op.lhs, ct)


def _extremum(b: TensorBuilder, lhs: Value, rhs: Value, ct: Value) -> Cotangents:
    """Give the cotangent to the first if lhs > rhs, half to each at a tie.

    With a NaN both get it whole, so that it is seen.
    """
    zero = b.zeros_like(ct)
    half = b(ew.Mul, ct, b.full_like(ct, 0.5))
    tie = b(ew.Compare, lhs, rhs, predicate="eq")
    to_lhs = b(ew.Select, b(ew.Compare, lhs, rhs, predicate="lt"), zero, ct)
    to_rhs = b(ew.Select, b(ew.Compare, lhs, rhs, predicate="gt"), zero, ct)
    return b(ew.Select, tie, half, to_lhs), b(ew.Select, tie, half, to_rhs)


def _sqrt(b: TensorBuilder, op: ew.Sqrt, ct: Value) -> Cotangents:
    return (b(ew.Div, b(ew.Mul, ct, b.full_like(ct, 0.5)), op.result),)


def _tanh(b: TensorBuilder, op: fn.Tanh, ct: Value) -> Cotangents:
    """Give 1 - y^2 as e^(-2|x|) (1 + |y|)^2, which does not cancel far out.

    |x| by a choice: either way it is the same function, so there is no kink at 0.
    """
    x, y = op.operand, op.result
    positive = b(ew.Compare, x, b.zeros_like(x), predicate="ge")
    size = b(ew.Select, positive, x, b(ew.Neg, x))
    near = b(ew.Add, b.full_like(y, 1), b(ew.Select, positive, y, b(ew.Neg, y)))
    decay = b(ew.Exp, b(ew.Neg, b(ew.Add, size, size)))
    return (b(ew.Mul, ct, b(ew.Mul, decay, b(ew.Mul, near, near))),)


def _sigmoid(b: TensorBuilder, op: fn.Sigmoid, ct: Value) -> Cotangents:
    """Give y (1 - y), where 1 - y is the function at -x: it does not cancel."""
    rest = b(fn.Sigmoid, b(ew.Neg, op.operand))
    return (b(ew.Mul, ct, b(ew.Mul, op.result, rest)),)


def _log1p(b: TensorBuilder, op: fn.Log1p, ct: Value) -> Cotangents:
    return (b(ew.Div, ct, b(ew.Add, b.full_like(ct, 1), op.operand)),)


def _erf(b: TensorBuilder, op: fn.Erf | fn.Erfc, ct: Value) -> Cotangents:
    """Give 2 / sqrt(pi) e^(-x^2), with the other sign for the complement."""
    x, sign = op.operand, 1 if isinstance(op, fn.Erf) else -1
    slope = b(ew.Exp, b(ew.Neg, b(ew.Mul, x, x)))
    factor = b.full_like(ct, sign * 2 / math.sqrt(math.pi))
    return (b(ew.Mul, ct, b(ew.Mul, factor, slope)),)


def _silu(b: TensorBuilder, op: fn.Silu, ct: Value) -> Cotangents:
    """Give s(x) + x s(x) s(-x), with the sigmoid s: neither cancels."""
    x = op.operand
    # Infinity times 0 would be NaN.
    finite = b(ew.Select, b(rounding.IsFinite, x), op.result, b.zeros_like(x))
    slope = b(ew.Add, b(fn.Sigmoid, x), b(ew.Mul, finite, b(fn.Sigmoid, b(ew.Neg, x))))
    return (b(ew.Mul, ct, slope),)


def _gelu(b: TensorBuilder, op: fn.Gelu, ct: Value) -> Cotangents:
    """Give P(x) + x p(x), with the normal distribution P and its density p."""
    x = op.operand

    def times(value: Value, factor: float) -> Value:
        return b(ew.Mul, value, b.full_like(ct, factor))

    share = times(b(fn.Erfc, times(x, -math.sqrt(0.5))), 0.5)
    # Infinity times 0 would be NaN.
    finite = b(ew.Select, b(rounding.IsFinite, x), x, b.zeros_like(x))
    bell = b(ew.Exp, b(ew.Mul, finite, times(finite, -0.5)))
    slope = b(ew.Add, share, b(ew.Mul, finite, times(bell, math.sqrt(0.5 / math.pi))))
    return (b(ew.Mul, ct, slope),)


def _pow(b: TensorBuilder, op: fn.Pow, ct: Value) -> Cotangents:
    """Give y x^(y-1) and x^y ln x; 0 to a base whose power is constant, y = 0.

    The exponent gets 0 where x = 0 and x^y does not depend on it, y >= 0.
    """
    zero, one = b.zeros_like(ct), b.full_like(ct, 1)
    no_power = b(ew.Compare, op.rhs, zero, predicate="eq")
    # The power that is not taken must not be infinite: 0 * inf is NaN one order on.
    less = b(ew.Select, no_power, one, b(ew.Sub, op.rhs, one))
    to_base = b(ew.Mul, ct, b(ew.Mul, op.rhs, b(fn.Pow, op.lhs, less)))
    is_zero = b(ew.Compare, op.lhs, zero, predicate="eq")
    constant = b(ew.And, is_zero, b(ew.Compare, op.rhs, zero, predicate="ge"))
    log = b(ew.Log, b(ew.Select, constant, one, op.lhs))
    to_exponent = b(ew.Mul, ct, b(ew.Mul, op.result, log))
    to_base = b(ew.Select, no_power, zero, to_base)
    return to_base, b(ew.Select, constant, zero, to_exponent)


def _abs(b: TensorBuilder, op: rounding.Abs, ct: Value) -> Cotangents:
    return (b(ew.Mul, ct, b(rounding.Sign, op.operand)),)


def _mod(b: TensorBuilder, op: rounding.Mod, ct: Value) -> Cotangents:
    return ct, b(ew.Neg, b(ew.Mul, ct, b(rounding.FloorDiv, op.lhs, op.rhs)))


def _select(b: TensorBuilder, op: ew.Select, ct: Value) -> Cotangents:
    zero = b.zeros_like(ct)
    to_true = b(ew.Select, op.condition, ct, zero)
    return None, to_true, b(ew.Select, op.condition, zero, ct)


def _cast(b: TensorBuilder, op: ew.Cast, ct: Value) -> Cotangents:
    source = tensor_type(op.operand).element
    if not (source.is_float and op.element.is_float):
        return (None,)
    return (b.cast(ct, source),)


def _sum(b: TensorBuilder, op: reductions.Sum, ct: Value) -> Cotangents:
    """Repeat the cotangent along the axis."""
    return (b.insert_axis(ct, tensor_type(op.operand).shape, op.axis),)


def _mean(b: TensorBuilder, op: reductions.Mean, ct: Value) -> Cotangents:
    """Repeat the cotangent by the count along the axes."""
    type_ = tensor_type(op.operand)
    count = b.cast(op.count, type_.element)
    share = b(ew.Div, ct, b.everywhere(count, tensor_type(ct).shape))
    return stable.spread(b, share, op.operand, op.axes), None


def _extreme(
    b: TensorBuilder, op: reductions.Max | reductions.Min, ct: Value
) -> Cotangents:
    """Split the cotangent equally among the ties; NaNs, if there are any, are these."""
    type_ = tensor_type(op.operand)
    largest = b.insert_axis(op.result, type_.shape, op.axis)
    is_largest = b(ew.Compare, op.operand, largest, predicate="eq")
    is_largest = b(ew.Or, is_largest, b(rounding.IsNan, op.operand))
    count = b.sum(b.cast(is_largest, type_.element), op.axis)
    share = b.insert_axis(b(ew.Div, ct, count), type_.shape, op.axis)
    return (b(ew.Select, is_largest, share, b.zeros_like(share)),)


def _prod(b: TensorBuilder, op: reductions.Prod, ct: Value) -> Cotangents:
    """Give each element the product of the others."""
    type_ = tensor_type(op.operand)
    order = [i for i in range(type_.rank) if i != op.axis] + [op.axis]
    others = _others(b, b.transpose(op.operand, order))
    back = sorted(range(type_.rank), key=lambda i: order[i])
    spread = b.insert_axis(ct, type_.shape, op.axis)
    return (b(ew.Mul, spread, b.transpose(others, back)),)


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
    tree = [x if missing == 0 else b(shapes.Concatenate, x, ones, axis=len(batch))]
    for level in range(levels):
        pairs = b.reshape(tree[-1], (*batch, roots * 2 ** (levels - level - 1), 2))
        tree[-1] = pairs
        left, right = (_column(b, pairs, i) for i in (0, 1))
        tree.append(b(ew.Mul, left, right))
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
        outside = b.reshape(b(ew.Mul, parent, turned), (*outer, count * 2))
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
    indices = [b.iota(wide, axis, I64) for axis in (last, last + 1)]
    own = b(ew.Compare, *indices, predicate="eq")
    return b.prod(b(ew.Select, own, b.full_like(rows, 1), rows), last + 1)


def _broadcast(b: TensorBuilder, op: shapes.Broadcast, ct: Value) -> Cotangents:
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


def _reshape(b: TensorBuilder, op: shapes.Reshape, ct: Value) -> Cotangents:
    """Reshape back."""
    return (b.reshape(ct, tensor_type(op.operand).shape),)


def _transpose(b: TensorBuilder, op: shapes.Transpose, ct: Value) -> Cotangents:
    """Permute back."""
    axes = range(len(op.permutation))
    return (b.transpose(ct, sorted(axes, key=lambda i: op.permutation[i])),)


def _slice(b: TensorBuilder, op: shapes.Slice, ct: Value) -> Cotangents:
    """Put the cotangent where the part was, 0 elsewhere."""
    shape = tensor_type(op.operand).shape
    return (b.unslice(ct, op.starts.dims, shape, op.steps),)


def _unslice(b: TensorBuilder, op: shapes.Unslice, ct: Value) -> Cotangents:
    """Take the part."""
    sizes = tensor_type(op.operand).shape
    return (b.slice(ct, op.starts.dims, sizes, op.steps),)


def _concatenate(b: TensorBuilder, op: shapes.Concatenate, ct: Value) -> Cotangents:
    """Take from the cotangent each operand's part."""
    cotangents = []
    start: Dim = 0
    for part in op.parts:
        shape = tensor_type(part).shape
        starts: list[Dim] = [0] * len(shape)
        starts[op.axis] = start
        cotangents.append(b.slice(ct, starts, shape, [1] * len(shape)))
        start = start + shape[op.axis]
    return tuple(cotangents)


def _matmul(b: TensorBuilder, op: products.MatMul, ct: Value) -> Cotangents:
    """Give ct @ rhs^T and lhs^T @ ct."""
    return (
        b.matmul(ct, _swap_last(b, op.rhs)),
        b.matmul(_swap_last(b, op.lhs), ct),
    )


def _swap_last(b: TensorBuilder, value: Value) -> Value:
    *batch, rows, columns = range(tensor_type(value).rank)
    return b.transpose(value, [*batch, columns, rows])


def _take_along_axis(
    b: TensorBuilder, op: indexing.TakeAlongAxis, ct: Value
) -> Cotangents:
    """Put the cotangent where the element came from, by comparing with a count."""
    index = b.cast(op.indices, I64)
    size = b.size(op.operand, op.axis)
    from_end = b(ew.Add, index, b.broadcast(size, tensor_type(index).shape, ()))
    is_negative = b(ew.Compare, index, b.zeros_like(index), predicate="lt")
    wrapped = b(ew.Select, is_negative, from_end, index)
    return _placed(b, op.operand, op.axis, wrapped, ct), None


def _top1(b: TensorBuilder, op: reductions.Top1, ct: Value) -> Cotangents:
    """Put the value's cotangent where the element came from; the index has none."""
    return (_placed(b, op.operand, op.axis, op.results[1], ct),)


def _placed(b: TensorBuilder, like: Value, axis: int, index: Value, ct: Value) -> Value:
    """Return zeros with a cotangent at one index of an axis, counted from the start."""
    shape = tensor_type(like).shape
    counted = b.iota(shape, axis, I64)
    here = b(ew.Compare, counted, b.insert_axis(index, shape, axis), predicate="eq")
    spread = b.insert_axis(ct, shape, axis)
    return b(ew.Select, here, spread, b.zeros_like(spread))


def _gather(b: TensorBuilder, op: indexing.Gather, ct: Value) -> Cotangents:
    """Add the cotangents where the elements came from."""
    zeros = b.zeros_like(op.operand)
    given = b.scatter(zeros, ct, op.indices, op.axes, indexing.ADD)
    return given, *[None] * len(op.indices)


def _scatter(b: TensorBuilder, op: indexing.Scatter, ct: Value) -> Cotangents:
    """Give the values what their indices get, if they are there: the last of each."""
    to_base, to_values = ct, b.gather(ct, op.indices, op.axes)
    if op.combine == indexing.SET:
        zeros = b.zeros_like(op.values)
        to_base = b.scatter(ct, zeros, op.indices, op.axes, indexing.SET)
        stays = _last_of_each(b, op)
        if stays is not None:
            shape, first = tensor_type(op.values).shape, op.axes[0]
            axes = range(first, first + tensor_type(stays).rank)
            stays = b.broadcast(stays, shape, axes)
            to_values = b(ew.Select, stays, to_values, zeros)
    return to_base, to_values, *[None] * len(op.indices)


def _last_of_each(b: TensorBuilder, op: indexing.Scatter) -> Value | None:
    """Return which indices are the last ones of their element; None if all are.

    Each element gets the position of the last index that means it, axis by axis, and
    each index looks whether the position is its own.
    """
    whole, positions = tensor_type(op.base).shape, tensor_type(op.indices[0]).shape
    indices = [whole[axis] for axis in op.axes]
    on_all = range(len(indices))
    result: Value | None = None
    for axis in range(len(positions)):
        own = b.iota(positions, axis, I64)
        none = b.full(indices, 0, I64)
        last = b.scatter(none, own, op.indices, on_all, indexing.SET)
        here = b(ew.Compare, b.gather(last, op.indices, on_all), own, predicate="eq")
        result = here if result is None else b(ew.And, result, here)
    return result


def _log_softmax(b: TensorBuilder, op: nn.LogSoftmax, ct: Value) -> Cotangents:
    """Give ct - softmax sum(ct)."""
    shape = tensor_type(op.operand).shape
    total = b.insert_axis(b.sum(ct, op.axis), shape, op.axis)
    return (b(ew.Sub, ct, b(ew.Mul, b(ew.Exp, op.result), total)),)


VJP_RULES: Mapping[type[Op], VjpRule] = _table(
    _rule(ew.Add, lambda b, op, ct: (ct, ct)),
    _rule(ew.Sub, lambda b, op, ct: (ct, b(ew.Neg, ct))),
    _rule(ew.Mul, lambda b, op, ct: (b(ew.Mul, ct, op.rhs), b(ew.Mul, ct, op.lhs))),
    _rule(ew.Div, _div),
    _rule(ew.Maximum, _maximum),
    _rule(ew.Minimum, _minimum),
    _rule(ew.Neg, lambda b, op, ct: (b(ew.Neg, ct),)),
    _rule(ew.Exp, lambda b, op, ct: (b(ew.Mul, ct, op.result),)),
    _rule(ew.Log, lambda b, op, ct: (b(ew.Div, ct, op.operand),)),
    _rule(ew.Sqrt, _sqrt),
    _rule(fn.Tanh, _tanh),
    _rule(fn.Sigmoid, _sigmoid),
    _rule(fn.Softplus, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Sigmoid, op.operand)),)),
    _rule(fn.Silu, _silu),
    _rule(fn.Gelu, _gelu),
    _rule(fn.Log1p, _log1p),
    _rule(fn.Erf, _erf),
    _rule(fn.Erfc, _erf),
    _rule(fn.Expm1, lambda b, op, ct: (b(ew.Mul, ct, b(ew.Exp, op.operand)),)),
    _rule(fn.Sin, lambda b, op, ct: (b(ew.Mul, ct, b(fn.Cos, op.operand)),)),
    _rule(fn.Cos, lambda b, op, ct: (b(ew.Neg, b(ew.Mul, ct, b(fn.Sin, op.operand))),)),
    _rule(fn.Pow, _pow),
    _rule(rounding.Mod, _mod),
    _rule(rounding.Abs, _abs),
    _rule(ew.Select, _select),
    _rule(ew.Cast, _cast),
    _rule(reductions.Sum, _sum),
    _rule(reductions.Mean, _mean),
    _rule(reductions.Prod, _prod),
    _rule(reductions.Max, _extreme),
    _rule(reductions.Min, _extreme),
    _rule(reductions.Top1, _top1),
    _rule(shapes.Broadcast, _broadcast),
    _rule(shapes.Reshape, _reshape),
    _rule(shapes.Transpose, _transpose),
    _rule(shapes.Slice, _slice),
    _rule(shapes.Unslice, _unslice),
    _rule(shapes.Concatenate, _concatenate),
    _rule(products.MatMul, _matmul),
    _rule(indexing.TakeAlongAxis, _take_along_axis),
    _rule(indexing.Gather, _gather),
    _rule(indexing.Scatter, _scatter),
    _rule(nn.LogSoftmax, _log_softmax),
)

# Constant almost everywhere, and used for that: the derivative stops here, silently.
STEPS: frozenset[type[Op]] = frozenset(
    {
        *(ew.Compare, ew.And, ew.Or, ew.Not, rounding.IsNan, rounding.IsFinite),
        *(rounding.Floor, rounding.Ceil, rounding.Round, rounding.FloorDiv),
        *(rounding.Sign, reductions.Any, reductions.All),
        *(shapes.Size, making.Iota, making.Constant, indexing.CheckIndex),
    }
)

# An index is not a step: a cost made of it is a mistake, and is reported.
NOT_DIFFERENTIABLE: frozenset[type[Op]] = STEPS | {reductions.ArgMax, reductions.ArgMin}
