"""Ops with a rule for each direction: reductions that choose or multiply, softmaxes.

A rule of `COTANGENTS` is given the cotangents of the results and returns those of the
operands; one of `TANGENTS` is given the tangents of the operands and returns those of
the results.
"""

from collections.abc import Callable, Mapping, Sequence

from tensorc.ir import stable
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import ceildiv, product_of
from tensorc.ir.ops.tensor import (
    convolution,
    cumulative,
    indexing,
    nn,
    order,
    reductions,
    rounding,
)
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I8, I64
from tensorc.passes.tensor.ad import orders, walks, windows
from tensorc.passes.tensor.ad.linear import flat_index, placed
from tensorc.passes.tensor.ad.rows import Cotangents, Rule, Tangents, only, rule, table

Extreme = reductions.Max | reductions.Min

MOST_SMALL = 127  # of an index that is kept for each window
OPEN_LEVELS = 5  # of a tree whose size only the call says


def _extreme(b: TensorBuilder, op: Extreme, cts: Cotangents) -> Cotangents:
    """Split the cotangent equally among the ties; NaNs, if there are any, are these.

    Of a window it goes to the first of them, as frameworks have it: overlapping windows
    of equal elements, such as a dark border, give each window's to one element.
    """
    if _is_of_windows(op):
        return (placed(b, op.operand, op.axes, _first_small(b, op), only(cts)),)
    is_largest, count = _ties(b, op)
    share = stable.spread(b, b(ew.Div, only(cts), count), op.operand, op.axes)
    return (b(ew.Select, is_largest, share, b.zeros_like(share)),)


def _extreme_tangent(b: TensorBuilder, op: Extreme, tangents: Tangents) -> Tangents:
    """Give the mean of the ties' tangents; of a window that of the first."""
    if _is_of_windows(op):
        return (_element(b, only(tangents), _first(b, op), op.axes),)
    is_largest, count = _ties(b, op)
    tangent = only(tangents)
    kept = b(ew.Select, is_largest, tangent, b.zeros_like(tangent))
    return (b(ew.Div, b.sum(kept, op.axes), count),)


def _is_of_windows(op: Extreme) -> bool:
    return isinstance(op.operand.owner, convolution.Windows)


def _first(b: TensorBuilder, op: Extreme) -> Value:
    """Return the flat index of the first extreme element."""
    is_max = isinstance(op, reductions.Max)
    cls = reductions.ArgMax if is_max else reductions.ArgMin
    return b(cls, op.operand, axes=op.axes)


def _first_small(b: TensorBuilder, op: Extreme) -> Value:
    """Return the flat index of the first extreme element, as i8 if it fits for sure.

    It is kept for the way back, as many times as there are windows.
    """
    count = product_of([tensor_type(op.operand).shape[axis] for axis in op.axes])
    if not isinstance(count, int) or count > MOST_SMALL:
        return _first(b, op)
    is_extreme = _is_extreme(b, op)
    counted = flat_index(b, op.operand, op.axes, I8)
    behind = b.full_like(counted, MOST_SMALL)
    candidates = b(ew.Select, is_extreme, counted, behind)
    return b.reduce(reductions.Min, candidates, op.axes)


def _is_extreme(b: TensorBuilder, op: Extreme) -> Value:
    """Return which elements are the extreme one, or NaN."""
    extreme = stable.spread(b, op.result, op.operand, op.axes)
    is_extreme = b(ew.Compare, op.operand, extreme, predicate="eq")
    return b(ew.Or, is_extreme, b(rounding.IsNan, op.operand))


def _ties(b: TensorBuilder, op: Extreme) -> tuple[Value, Value]:
    """Return which elements are the extreme one, or NaN, and how many they are."""
    is_largest = _is_extreme(b, op)
    element = tensor_type(op.operand).element
    return is_largest, b.sum(b.cast(is_largest, element), op.axes)


def _top1(b: TensorBuilder, op: reductions.Top1, cts: Cotangents) -> Cotangents:
    """Put the value's cotangent where the element came from; the index has none."""
    return (placed(b, op.operand, op.axes, op.results[1], only(cts)),)


def _top1_tangent(
    b: TensorBuilder, op: reductions.Top1, tangents: Tangents
) -> Tangents:
    """Take the tangent of the element; the index has none."""
    return _element(b, only(tangents), op.results[1], op.axes), None


def _element(b: TensorBuilder, x: Value, index: Value, axes: Sequence[int]) -> Value:
    """Return the element at a flat index of some axes."""
    axis = axes[0]
    if len(axes) > 1:
        x, axis = _axes_last(b, x, axes)[0], tensor_type(index).rank
    return b(indexing.TakeAlongAxis, x, index, axis=axis)


def _axes_last(
    b: TensorBuilder, x: Value, axes: Sequence[int]
) -> tuple[Value, Callable[[Value], Value]]:
    """Return a tensor with some axes as one, the last, and what puts them back."""
    rank = tensor_type(x).rank
    order = [*stable.kept_axes(rank, axes), *axes]
    turned = b.transpose(x, order)
    shape = tensor_type(turned).shape
    kept = rank - len(axes)
    flat = turned
    if len(axes) > 1:
        flat = b.reshape(turned, (*shape[:kept], product_of(shape[kept:])))

    def put_back(value: Value) -> Value:
        if len(axes) > 1:
            value = b.reshape(value, shape)
        return b.transpose(value, sorted(range(rank), key=lambda i: order[i]))

    return flat, put_back


def _prod(b: TensorBuilder, op: reductions.Prod, cts: Cotangents) -> Cotangents:
    """Give each element the product of the others."""
    spread = stable.spread(b, only(cts), op.operand, op.axes)
    return (b(ew.Mul, spread, _others_of(b, op)),)


def _prod_tangent(
    b: TensorBuilder, op: reductions.Prod, tangents: Tangents
) -> Tangents:
    """Give the sum of the tangents, each by the product of the others."""
    return (b.sum(b(ew.Mul, only(tangents), _others_of(b, op)), op.axes),)


def _others_of(b: TensorBuilder, op: reductions.Prod) -> Value:
    """Return for each element the product of the others."""
    flat, put_back = _axes_last(b, op.operand, op.axes)
    return put_back(_others(b, flat))


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


def _softmax(b: TensorBuilder, op: nn.Softmax, given: Cotangents) -> Cotangents:
    """Give the softmax times ct less its mean in the softmax: in both directions.

    A masked element has no slope, and what it is given does not count.
    """
    ct = only(given)
    for counts in op.mask:
        ct = b(ew.Select, counts, ct, b.zeros_like(ct))
    shares = op.result
    slope = b(ew.Mul, shares, b(ew.Sub, ct, _mean_in(b, shares, ct, op.axis)))
    return (slope,) + (None,) * len(op.mask)


def _softmax_tangent(b: TensorBuilder, op: nn.Softmax, tangents: Tangents) -> Tangents:
    """Give the same of a tangent: the derivative is its own transpose."""
    return _softmax(b, op, tangents)[:1]


def _mean_in(b: TensorBuilder, shares: Value, x: Value, axis: int) -> Value:
    """Return the sum of x by the shares of a softmax, repeated along its axis."""
    mean = b.sum(b(ew.Mul, shares, x), axis)
    return b.insert_axis(mean, tensor_type(x).shape, axis)


def _log_softmax(b: TensorBuilder, op: nn.LogSoftmax, cts: Cotangents) -> Cotangents:
    """Give ct - softmax sum(ct), of the powers and the sum that the value has."""
    ct = only(cts)
    shape = tensor_type(op.operand).shape
    total = b.insert_axis(b.sum(ct, op.axis), shape, op.axis)
    shares = b(nn.Softmax, op.operand, axis=op.axis)
    return (b(ew.Sub, ct, b(ew.Mul, shares, total)),)


def _log_softmax_tangent(
    b: TensorBuilder, op: nn.LogSoftmax, tangents: Tangents
) -> Tangents:
    """Give the tangent less its mean in the softmax."""
    tangent = only(tangents)
    shares = b(nn.Softmax, op.operand, axis=op.axis)
    return (b(ew.Sub, tangent, _mean_in(b, shares, tangent, op.axis)),)


COTANGENTS: Mapping[type[Op], Rule] = table(
    rule(reductions.Prod, _prod),
    rule(reductions.Max, _extreme),
    rule(reductions.Min, _extreme),
    rule(reductions.Top1, _top1),
    rule(order.Sort, orders.sort),
    rule(order.TopK, orders.topk),
    rule(cumulative.CumProd, walks.cumprod),
    rule(cumulative.CumMax, walks.extreme),
    rule(cumulative.CumMin, walks.extreme),
    rule(cumulative.Recurrence, walks.recurrence),
    rule(convolution.Windows, windows.windows),
    rule(nn.Softmax, _softmax),
    rule(nn.LogSoftmax, _log_softmax),
)

TANGENTS: Mapping[type[Op], Rule] = table(
    rule(reductions.Prod, _prod_tangent),
    rule(reductions.Max, _extreme_tangent),
    rule(reductions.Min, _extreme_tangent),
    rule(reductions.Top1, _top1_tangent),
    rule(order.Sort, orders.sort_tangent),
    rule(order.TopK, orders.topk_tangent),
    rule(cumulative.CumProd, walks.cumprod_tangent),
    rule(cumulative.CumMax, walks.extreme_tangent),
    rule(cumulative.CumMin, walks.extreme_tangent),
    rule(cumulative.Recurrence, walks.recurrence_tangent),
    rule(convolution.Windows, windows.windows_tangent),
    rule(nn.Softmax, _softmax_tangent),
    rule(nn.LogSoftmax, _log_softmax_tangent),
)
