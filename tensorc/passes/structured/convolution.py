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
from tensorc.passes.structured.moves import reshaped
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

    In memory the result has its leading axes in another order. The channel of a
    gradient has no dimension where it is the only one: its filters are the rows.
    """
    w, taken = (
        v if v.base is not None else whole(low.materialize(v)) for v in (w, taken)
    )
    kept = [axis for axis in order if axis in _kept_axes(type_)]
    if order == _AS_FILTERS and type_.shape[0] == 1:
        kept.remove(0)
    first, axes = len(kept), type_.rank - _LEADING
    positions = tuple(range(first, first + axes))
    inner = tuple(range(first + axes, first + 2 * axes + 1))
    batch, group, filter_ = (
        kept.index(axis) if axis in kept else None for axis in range(_LEADING)
    )
    reads = (
        (w, (group, filter_, *inner)),
        (taken, (batch, group, inner[0], *positions, *inner[1:])),
    )
    shape = (*[type_.shape[axis] for axis in kept], *type_.shape[_LEADING:])
    (made,) = contract(low, reads, replace(type_, shape=shape), inner)
    return MappedRead(type_, made, (*kept, *range(_LEADING, type_.rank)))


def conv_transpose(low: Lowering, op: convolution.ConvTranspose) -> MappedRead:
    """Append a product of the filters' elements with positions, and what adds it up."""
    type_ = tensor_of(op.result)
    wide = type_.element.accumulator
    y, w = (low.converted(low.views[v], wide) for v in (op.y, op.w))
    y, w = (v if v.base is not None else whole(low.materialize(v)) for v in (y, w))
    count = type_.rank - _LEADING
    kept = _kept_axes(type_)
    group = 1 if len(kept) == _LEADING else None
    extents, first = w.type.shape[_LEADING:], len(kept)
    wide_axes = [axis for axis in range(count) if extents[axis] != 1]
    behind = first + len(wide_axes)
    window = [
        first + wide_axes.index(axis) if axis in wide_axes else None
        for axis in range(count)
    ]
    positions = range(behind, behind + count)
    filters = behind + count
    reads = (
        (w, (group, filters, first - 1, *window)),
        (y, (0, group, filters, *positions)),
    )
    sizes, outputs = [type_.shape[axis] for axis in kept], y.type.shape[_LEADING:]
    shape = (*sizes, *[extents[axis] for axis in wide_axes], *outputs)
    (made,) = contract(low, reads, TensorType(shape, wide), [filters])
    there = [first + count + axis for axis in wide_axes]
    where = (*range(first), *there, *range(first, first + count))
    parts = MappedRead(TensorType((*sizes, *outputs, *extents), wide), made, where)
    added = _added(low, parts, op)
    axes = (*kept, *range(_LEADING, type_.rank))
    grouped = MappedRead(replace(type_, element=wide), added, axes)
    return low.converted(grouped, type_.element)


def _kept_axes(type_: TensorType) -> list[int]:
    """Return the leading axes of images that are dimensions: not that of one group.

    So a channel of an image is a row as it is where users reshape that axis away.
    """
    return [axis for axis in range(_LEADING) if axis != 1 or type_.shape[1] != 1]


def overlap_add(low: Lowering, op: convolution.OverlapAdd) -> MappedRead:
    """Append a generic that adds each element of the windows where it lies."""
    view = low.views[op.operand]
    made = _added(low, low.converted(view, view.type.element.accumulator), op)
    return low.converted(whole(made), tensor_of(op.result).element)


def _added(
    low: Lowering,
    view: MappedRead,
    op: convolution.OverlapAdd | convolution.ConvTranspose,
) -> Value:
    """Add windows up: a view [..., *windows, *window]."""
    axes, element = _axes(op), view.type.element
    count = len(axes)
    kept = view.type.rank - 2 * count
    add = arith.AddF if element.is_float else arith.AddI
    where: list[MapResult] = [*range(kept)]
    for number, axis in enumerate(axes, kept):
        terms = [(number, axis.dilation), (number + count, axis.stride)]
        where.append(affine(-1 * axis.low, terms))
    # The dimensions of a window come before those of the windows.
    elements = range(kept, kept + count)
    read = (*range(kept), *[d + count for d in elements], *elements)
    shape = (*view.type.shape[:kept], *op.output.dims)
    (made,) = low.loop(
        [(view, read)],
        [(TensorType(shape, element), tuple(where), 0.0 if element.is_float else 0)],
        lambda values: [low.b.value(add, values[1], values[0])],
        range(kept, kept + 2 * count),
        OVERLAP_ORDER,
        kept + 2 * count,
        sized=range(kept, kept + 2 * count),
    )
    return made


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
