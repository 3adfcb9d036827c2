"""Lower convolutions and windows: maps that go along images, products, and sums.

A window is a map, which may leave the image: then it reads what pads it. A convolution
is a product of the filters with a copy of the windows, [N, G, C * K, positions]; its
transpose is one of the turned filters, whose columns are added up where they lie.
"""

from collections.abc import Sequence
from dataclasses import replace

from tensorc.ir.arrays.windows import WindowAxis, window_axes
from tensorc.ir.attributes import ArrayAttr, MapResult, Typed, affine
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, product_of
from tensorc.ir.numerics import OVERLAP_ORDER
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.ops.tensor.shape import Transpose
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.structured.moves import reshaped, surrounded
from tensorc.passes.structured.products import contract, product
from tensorc.passes.structured.views import Lowering, MappedRead, whole

_LEADING = convolution.LEADING
_AS_FILTERS = (1, 2, 0)  # groups and filters before the batch


def windows(low: Lowering, op: convolution.Windows) -> MappedRead:
    """Read the operand through a map."""
    return _windows(
        low, low.views[op.operand], _axes(op), op.output.dims, op.window.dims, op.fill
    )


def _axes(op: Op) -> list[WindowAxis]:
    strides, padding, dilation = (
        op.attributes[name] for name in ("strides", "padding", "dilation")
    )
    assert isinstance(strides, tuple)
    assert isinstance(dilation, tuple)
    assert isinstance(padding, ArrayAttr)
    return window_axes(strides, padding, dilation)


def _windows(
    low: Lowering,
    source: MappedRead,
    axes: Sequence[WindowAxis],
    output: Sequence[Dim],
    window: Sequence[Dim],
    fill: Typed,
) -> MappedRead:
    """Return the windows along the last axes of a view: [..., *output, *window]."""
    type_ = source.type
    lead = type_.rank - len(axes)
    shape = (*type_.shape[:lead], *output, *window)
    if 0 in type_.shape[lead:]:
        return MappedRead(replace(type_, shape=shape), None, (), fill)
    padded = [(axis.low, axis.high) != (0, 0) for axis in axes]
    if any(padded):
        source = _with_outside(low, source, padded, fill)
    where: list[MapResult] = list(range(lead))
    for number, (axis, count, extent) in enumerate(
        zip(axes, output, window, strict=True), lead
    ):
        whole_axis = (1, 1, 0, type_.shape[number])
        is_whole = (extent, axis.stride, axis.low, count) == whole_axis
        terms = [(number, axis.stride), (number + len(axes), axis.dilation)]
        terms = [t for t, n in zip(terms, (count, extent), strict=True) if n != 1]
        where.append(number if is_whole else affine(-1 * axis.low, terms))
    return source.through(replace(type_, shape=shape), tuple(where))


def _with_outside(
    low: Lowering, source: MappedRead, padded: Sequence[bool], fill: Typed
) -> MappedRead:
    """Return a view outside of which there is `fill` along its last axes.

    What leaves the view there must leave its base.
    """
    lead = source.type.rank - len(padded)
    wide = [axis for axis, pads in enumerate(padded, lead) if pads]
    known = source.outside is None and all(axis in source.axes for axis in wide)
    if source.base is None or not known:
        source = whole(low.materialize(source))
    return replace(source, outside=fill)


def conv(low: Lowering, op: convolution.Conv) -> MappedRead:
    """Append a product of the filters with the windows, positions side by side."""
    type_ = tensor_of(op.result)
    wide = type_.element.accumulator
    x, w = (low.converted(low.views[v], wide) for v in (op.x, op.w))
    axes, (batch, groups, filters, *positions) = _axes(op), type_.shape
    channels, *window = w.type.shape[2:]
    if wide.is_float:
        x, axes = _padded(low, x, axes)
    taken = _windows(low, x, axes, positions, window, Typed(0, wide))
    first = _LEADING + len(axes)
    if wide.is_float:
        order = _AS_FILTERS if op.result in low.turned else tuple(range(_LEADING))
        made = _contracted(low, w, taken, replace(type_, element=wide), order)
        return low.converted(made, type_.element)
    order = (
        *range(_LEADING),
        *range(first, first + len(axes)),
        *range(_LEADING, first),
    )
    taken = _transposed(taken, order)
    if all(extent == 1 for extent in window):
        taken = reshaped(low, taken, (batch, groups, channels, *positions))
    terms, columns = product_of((channels, *window)), product_of(positions)
    taken = reshaped(low, taken, (batch, groups, terms, columns))
    rows = reshaped(low, w, (groups, filters, terms))
    made = product(
        low,
        _repeated(rows, batch),
        taken,
        TensorType((batch, groups, filters, columns), wide),
    )
    return low.converted(reshaped(low, made, type_.shape), type_.element)


def _padded(
    low: Lowering, source: MappedRead, axes: list[WindowAxis]
) -> tuple[MappedRead, list[WindowAxis]]:
    """Return an image with zeros around it, which windows do not leave.

    Strips of a contraction are copied from inside of what they read.
    """
    type_ = source.type
    shape = list(type_.shape)
    begins: list[Dim] = [0] * type_.rank
    for number, axis in enumerate(axes, type_.rank - len(axes)):
        begins[number] = axis.low
        shape[number] = axis.low + shape[number] + axis.high
    zero = Typed(0, type_.element)
    if tuple(shape) == type_.shape or 0 in type_.shape:
        return source, axes
    inside = [WindowAxis(axis.stride, axis.dilation, 0, 0) for axis in axes]
    return surrounded(low, source, shape, begins, zero), inside


def read_as_filters(ops: Sequence[Op]) -> set[Value]:
    """Return the convolutions of which all readers put the batch behind the filters.

    They are gradients of weights. Made so, all that one filter is correlated with
    stands side by side.
    """
    found: dict[Value, bool] = {}
    for op in ops:
        turns = isinstance(op, Transpose) and op.permutation[:_LEADING] == _AS_FILTERS
        for value in op.operands:
            if isinstance(value.op, convolution.Conv):
                found[value] = found.get(value, True) and turns
    return {value for value, all_turn in found.items() if all_turn}


def _contracted(
    low: Lowering,
    w: MappedRead,
    taken: MappedRead,
    type_: TensorType,
    order: tuple[int, ...],
) -> MappedRead:
    """Append a contraction over channels and windows of [N, G, C, *O, *K] with w.

    In memory the result has its leading axes in another order.
    """
    w, taken = (
        v if v.base is not None else whole(low.materialize(v)) for v in (w, taken)
    )
    rank, axes = type_.rank, type_.rank - _LEADING
    positions, inner = range(_LEADING, rank), tuple(range(rank, rank + 1 + axes))
    batch, group, filter_ = (order.index(axis) for axis in range(_LEADING))
    reads = (
        (w, (group, filter_, *inner)),
        (taken, (batch, group, inner[0], *positions, *inner[1:])),
    )
    shape = (*[type_.shape[axis] for axis in order], *type_.shape[_LEADING:])
    (made,) = contract(low, reads, replace(type_, shape=shape), inner)
    return MappedRead(type_, made, (*order, *positions))


def conv_transpose(low: Lowering, op: convolution.ConvTranspose) -> MappedRead:
    """Append a product of the turned filters with positions, and what adds it up."""
    type_ = tensor_of(op.result)
    wide = type_.element.accumulator
    y, w = (low.converted(low.views[v], wide) for v in (op.y, op.w))
    batch, groups, filters, *positions = y.type.shape
    terms, columns = product_of(w.type.shape[2:]), product_of(positions)
    rows = _transposed(reshaped(low, w, (groups, filters, terms)), (0, 2, 1))
    flat = reshaped(low, y, (batch, groups, filters, columns))
    parts = product(
        low,
        _repeated(rows, batch),
        flat,
        TensorType((batch, groups, terms, columns), wide),
    )
    rank = len(positions)
    shape = (batch, groups, *w.type.shape[2:], *positions)
    order = (*range(_LEADING + rank, len(shape)), *range(_LEADING, _LEADING + rank))
    parts = _transposed(reshaped(low, parts, shape), (*range(_LEADING), *order))
    return _added(low, parts, op)


def overlap_add(low: Lowering, op: convolution.OverlapAdd) -> MappedRead:
    """Append a generic that adds each element of the windows where it lies."""
    view = low.views[op.operand]
    return _added(low, low.converted(view, view.type.element.accumulator), op)


def _added(
    low: Lowering,
    view: MappedRead,
    op: convolution.OverlapAdd | convolution.ConvTranspose,
) -> MappedRead:
    """Add windows up: a view [..., *windows, *window]."""
    type_, axes = tensor_of(op.result), _axes(op)
    element, count = view.type.element, len(axes)
    kept = type_.rank - count
    add = arith.AddF if element.is_float else arith.AddI
    where: list[MapResult] = [*range(kept)]
    for number, axis in enumerate(axes, kept):
        terms = [(number, axis.dilation), (number + count, axis.stride)]
        where.append(affine(-1 * axis.low, terms))
    # The dimensions of a window come before those of the windows.
    elements = range(kept, kept + count)
    read = (*range(kept), *[d + count for d in elements], *elements)
    wide = replace(type_, element=element)
    (made,) = low.loop(
        [(view, read)],
        [(wide, tuple(where), 0.0 if element.is_float else 0)],
        lambda values: [low.b.value(add, values[1], values[0])],
        range(kept, kept + 2 * count),
        OVERLAP_ORDER,
        kept + 2 * count,
        sized=range(kept, kept + 2 * count),
    )
    return low.converted(whole(made), type_.element)


def _transposed(view: MappedRead, order: Sequence[int]) -> MappedRead:
    """Return a view whose axis i is axis order[i] of another one."""
    where = tuple([order.index(axis) for axis in range(len(order))])
    shape = tuple([view.type.shape[axis] for axis in order])
    type_ = replace(view.type, shape=shape)
    return view.through(type_, where)


def _repeated(view: MappedRead, count: Dim) -> MappedRead:
    """Return a view with a new first axis, along which it is repeated."""
    type_ = replace(view.type, shape=(count, *view.type.shape))
    where = tuple(range(1, type_.rank))
    return view.through(type_, where)
