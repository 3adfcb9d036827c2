"""Linear ops: the operands in which each is linear, and its transpose.

`LINEAR` names groups of operands: with the others held fixed, the op is linear in all
of a group together. So the tangent of the result is the op itself on the tangents of a
group, summed over the groups. `TRANSPOSES` has the other direction: given the cotangent
of the result, the cotangent of each operand.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tensorc.ir import stable
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.tensor import (
    convolution,
    cumulative,
    indexing,
    products,
    reductions,
)
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64, Element
from tensorc.passes.tensor.ad import windows
from tensorc.passes.tensor.ad.rows import Cotangents, Row, rule, table

# The names of operands; the last name of a variadic op stands for all that it takes.
Groups = tuple[tuple[str, ...], ...]

LINEAR: Mapping[type[Op], Groups] = MappingProxyType(
    {
        ew.Select: (("if_true", "if_false"),),
        ew.Cast: (("operand",),),
        reductions.Sum: (("operand",),),
        reductions.Mean: (("operand",),),
        shapes.Broadcast: (("operand",),),
        shapes.Reshape: (("operand",),),
        shapes.Transpose: (("operand",),),
        shapes.Slice: (("operand",),),
        shapes.Unslice: (("operand",),),
        shapes.Concatenate: (("parts",),),
        cumulative.CumSum: (("operand",),),
        products.MatMul: (("lhs",), ("rhs",)),
        convolution.Conv: (("x",), ("w",)),
        convolution.ConvTranspose: (("y",), ("w",)),
        convolution.OverlapAdd: (("operand",),),
        indexing.TakeAlongAxis: (("operand",),),
        indexing.Gather: (("operand",),),
        indexing.Scatter: (("base", "values"),),
    }
)


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
    """Repeat the cotangent along the axes."""
    return (stable.spread(b, ct, op.operand, op.axes),)


def _mean(b: TensorBuilder, op: reductions.Mean, ct: Value) -> Cotangents:
    """Repeat the cotangent by the count along the axes."""
    type_ = tensor_type(op.operand)
    count = b.cast(op.count, type_.element)
    share = b(ew.Div, ct, b.everywhere(count, tensor_type(ct).shape))
    return stable.spread(b, share, op.operand, op.axes), None


def _broadcast(b: TensorBuilder, op: shapes.Broadcast, ct: Value) -> Cotangents:
    """Sum over the axes that are new or were 1."""
    shape = tensor_type(op.operand).shape
    repeated = {a for d, a in zip(shape, op.axes, strict=True) if d == 1}
    summed = [
        axis
        for axis, dim in enumerate(op.shape.dims)
        if axis not in op.axes or (axis in repeated and dim != 1)
    ]
    ct = b.sum(ct, summed)
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


def _cumsum(b: TensorBuilder, op: cumulative.CumSum, ct: Value) -> Cotangents:
    """Add up from the other end."""
    return (b(cumulative.CumSum, ct, axis=op.axis, reverse=not op.reverse),)


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
    return placed(b, op.operand, [op.axis], wrapped, ct), None


def placed(
    b: TensorBuilder, like: Value, axes: Sequence[int], index: Value, ct: Value
) -> Value:
    """Return zeros with a cotangent at one flat index of some axes, from the start."""
    counted = flat_index(b, like, axes, tensor_type(index).element)
    index = stable.spread(b, index, like, axes)
    here = b(ew.Compare, counted, index, predicate="eq")
    spread = stable.spread(b, ct, like, axes)
    return b(ew.Select, here, spread, b.zeros_like(spread))


def flat_index(
    b: TensorBuilder, like: Value, axes: Sequence[int], element: Element
) -> Value:
    """Return the index of each element along some axes as one, row-major."""
    shape = tensor_type(like).shape
    found = b.iota(shape, axes[0], element)
    for axis in axes[1:]:
        size = b.everywhere(b.cast(b.size(like, axis), element), shape)
        found = b(ew.Add, b(ew.Mul, found, size), b.iota(shape, axis, element))
    return found


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


TRANSPOSES: Mapping[type[Op], Row] = table(
    rule(ew.Select, _select),
    rule(ew.Cast, _cast),
    rule(reductions.Sum, _sum),
    rule(reductions.Mean, _mean),
    rule(shapes.Broadcast, _broadcast),
    rule(shapes.Reshape, _reshape),
    rule(shapes.Transpose, _transpose),
    rule(shapes.Slice, _slice),
    rule(shapes.Unslice, _unslice),
    rule(shapes.Concatenate, _concatenate),
    rule(products.MatMul, _matmul),
    rule(convolution.Conv, windows.conv),
    rule(convolution.ConvTranspose, windows.conv_transpose),
    rule(convolution.OverlapAdd, windows.overlap_add),
    rule(indexing.TakeAlongAxis, _take_along_axis),
    rule(indexing.Gather, _gather),
    rule(cumulative.CumSum, _cumsum),
    rule(indexing.Scatter, _scatter),
)
