"""Rows of to-structured for reductions: one generic along all axes of the op."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES_ORDER, SEQUENTIAL
from tensorc.ir.opdef import scalar_of
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.ops.tensor import reductions, rounding
from tensorc.ir.ops.tensor.reductions import MEAN_SCALE, max_identity, min_identity
from tensorc.ir.types import I64, Element, TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.structured_builder import (
    apply_scalar,
    cast,
    compare,
    scalar,
    size,
)
from tensorc.passes.structured.views import Lowering, MappedRead, whole


def reduction(low: Lowering, op: reductions.Along) -> MappedRead:
    """Combine the elements along the op's axes."""
    return whole(reduced(low, type(op), low.views[op.operand], op.axes))


def reduced(
    low: Lowering,
    cls: type[reductions.Along],
    source: MappedRead,
    axes: tuple[int, ...],
) -> Value:
    """Append a reduction of a class: in the contract's order if it has one."""
    b, narrow = low.b, source.type.element
    ordered = "order" in cls.attribute_names
    wide = narrow.accumulator if ordered else narrow
    combine = scalar_of(cls.combine, wide)
    (total,) = _along(
        low,
        source,
        axes,
        [(wide, cls.start(wide.dtype))],
        lambda values, _: [b.value(combine, values[1], cast(b, values[0], wide))],
        LANES_ORDER if ordered else SEQUENTIAL,
    )
    return low.materialize(low.converted(whole(total), narrow))


def _along(
    low: Lowering,
    source: MappedRead,
    axes: Sequence[int],
    starts: Sequence[tuple[Element, float]],
    body: Callable[[list[Value], Sequence[int]], Sequence[Value]],
    order: str,
) -> list[Value]:
    """Append a reduction along axes to a tensor for each start: its type and value.

    The body gets the element and what is combined so far, and the dimensions that are
    reduced. Axes of size 1 are none of them: the index along them is 0.
    """
    shape = source.type.shape
    wide = [a for a in axes if shape[a] != 1] or list(axes[:1])
    kept = [d for d in range(len(shape)) if d not in axes]
    dims = sorted([*kept, *wide])
    where = {axis: dim for dim, axis in enumerate(dims)}
    kept_shape = tuple([shape[d] for d in kept])
    kept_dims = tuple([where[d] for d in kept])
    along = [where[a] for a in wide]
    return low.loop(
        [(source, tuple([where.get(a) for a in range(len(shape))]))],
        [(TensorType(kept_shape, e), kept_dims, start) for e, start in starts],
        lambda values: body(values, along),
        along,
        order,
    )


def mean(low: Lowering, op: reductions.Mean) -> MappedRead:
    """Sum the elements and, in the same loop, scaled ones: for where that overflows."""
    b, source, type_ = low.b, low.views[op.operand], tensor_of(op.result)
    element = type_.element

    def divide(values: list[Value]) -> list[Value]:
        total, scaled, count = values
        finite = apply_scalar(b, rounding.IsFinite, [total], {})
        total = b.value(arith.Select, finite, total, scaled)
        one, back = (scalar(b, v, element) for v in (1.0, 1 / MEAN_SCALE))
        quotient = b.value(arith.DivF, total, cast(b, count, element))
        scale = b.value(arith.Select, finite, one, back)
        return [b.value(arith.MulF, quotient, scale)]

    sums = [whole(v) for v in _two_sums(low, source, op.axes)] if op.axes else [source]
    count = low.views[op.count]
    counts = replace(count, type=TensorType(type_.shape, count.type.element))
    return whole(low.pointwise([sums[0], sums[-1], counts], type_, divide))


def _two_sums(low: Lowering, source: MappedRead, axes: Sequence[int]) -> list[Value]:
    """Sum the elements along axes, and scaled ones."""
    b, element = low.b, source.type.element

    def add(values: list[Value], _: Sequence[int]) -> list[Value]:
        value, plain, scaled = values
        small = b.value(arith.MulF, value, scalar(b, MEAN_SCALE, element))
        pairs = ((plain, value), (scaled, small))
        return [b.value(arith.AddF, total, given) for total, given in pairs]

    return _along(low, source, axes, [(element, -0.0)] * 2, add, LANES_ORDER)


def argmax(low: Lowering, op: reductions.ArgMax) -> MappedRead:
    """Give the index of what `top1` finds."""
    return top1(low, op)[1]


def argmin(low: Lowering, op: reductions.ArgMin) -> MappedRead:
    """Give the index of the first smallest element."""
    highest = min_identity(low.views[op.operand].type.element.dtype)
    return _first(low, op, "lt", highest)[1]


def top1(
    low: Lowering, op: reductions.Top1 | reductions.ArgMax
) -> tuple[MappedRead, ...]:
    """Give the first largest element and its flat index."""
    lowest = max_identity(low.views[op.operand].type.element.dtype)
    return _first(low, op, "gt", lowest)


def _first(
    low: Lowering,
    op: reductions.ExtremeIndex | reductions.Top1,
    predicate: str,
    initial: float,
) -> tuple[MappedRead, ...]:
    """Find the first element that no other is better than by the predicate.

    Gives the element and its index.
    """
    b = low.b
    source = low.views[op.operand]
    shape, element = source.type.shape, source.type.element

    def body(values: list[Value], dims: Sequence[int]) -> list[Value]:
        value, best, at = values
        better = compare(b, predicate, value, best)
        if element.is_float:
            # A NaN beats everything but an earlier NaN.
            here = compare(b, "ne", value, value)
            before = compare(b, "eq", best, best)
            new_nan = b.value(arith.AndI, here, before)
            better = b.value(arith.OrI, better, new_nan)
        index = b.value(conversions.IndexCast, flat(dims), types=[I64])
        return [
            b.value(arith.Select, better, value, best),
            b.value(arith.Select, better, index, at),
        ]

    def flat(dims: Sequence[int]) -> Value:
        extents = [shape[a] for a in op.axes if shape[a] != 1]
        index = low.index(dims[0])
        for dim, extent in zip(dims[1:], extents[1:], strict=True):
            before = b.value(arith.MulI, index, size(b, extent))
            index = b.value(arith.AddI, before, low.index(dim))
        return index

    starts = [(element, initial), (I64, 0)]
    found = _along(low, source, op.axes, starts, body, SEQUENTIAL)
    return tuple([whole(value) for value in found])
