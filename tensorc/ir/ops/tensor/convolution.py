"""Convolutions and windows: sums of products of what a filter covers, and its parts.

Along each axis of the image, element u of window o is element stride * o + dilation * u
of the image padded in front and behind (`tensorc/ir/arrays/windows.py`). `output` says
how many windows there are, or how long an image is: what a stride leaves over is not
read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.ir.arrays.windows import WindowAxis, add_windows, take_windows, window_axes
from tensorc.ir.attributes import ArrayAttr, Dims, Typed
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, known_at_most, minimum
from tensorc.ir.evaluation import Sizes
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import FMA_ORDER, Array, ordered_matmul, rounded, widened
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import I1, TensorType

LEADING = 3  # axes before those of the image: batch, groups and channels


def require_windows(
    ctx: InferContext,
    sizes: Sequence[Dim],
    window: Sequence[Dim],
    windows: Sequence[Dim],
    strides: tuple[int, ...],
    padding: ArrayAttr,
    dilation: tuple[int, ...],
) -> None:
    """Require C1 and C2: entries for each axis, and windows inside of the padding.

    Where only the call says whether they are, C2 becomes an equation for the call.
    """
    pairs = [p for p in padding.items if isinstance(p, Dims) and len(p.dims) == 2]
    counts = {len(v) for v in (sizes, window, windows, strides, dilation, pairs)}
    fits = len(counts) == 1 and len(pairs) == len(padding.items) and bool(strides)
    entries = f"{len(strides)} strides, {len(padding.items)} paddings and {dilation}"
    require(fits, "C1", "{} for {}, {} and {}", entries, sizes, window, windows)
    require(min(*strides, *dilation) > 0, "C1", "{} and {}", strides, dilation)
    for pair in pairs:
        negative = any(known_at_most(side, -1) for side in pair.dims)
        require(not negative, "C1", "padding {}", pair)
    axes = window_axes(strides, padding, dilation)
    for axis, size, count, extent in zip(axes, sizes, windows, window, strict=True):
        if all(isinstance(n, int) and n > 0 for n in (count, extent)):
            _require_room(ctx, axis, size, count, extent)


def _require_room(
    ctx: InferContext, axis: WindowAxis, size: Dim, count: Dim, extent: Dim
) -> None:
    room = axis.room(size, count, extent)
    if not known_at_most(0, room):
        detail = f"{count} windows of {extent}, and {size} elements"
        message = OUTSIDE_MESSAGE.format(extent)
        require(ctx.unify(minimum(room, 0), 0, message), "C2", detail)


@dataclass(frozen=True, slots=True)
class Walk:
    """One axis that windows lie along: its size, that of a window, how many there are.

    The size is that of the image without what pads it.
    """

    axis: WindowAxis
    size: Dim
    window: Dim
    count: Dim

    @property
    def room(self) -> Dim:
        """How many elements are left behind the last window; below 0, it is outside."""
        return self.axis.room(self.size, self.count, self.window)


def walks_of(op: Op) -> list[Walk]:
    """Return the axes that the windows of an op lie along; of another op none."""
    shapes = [v.type.shape for v in op.operands if isinstance(v.type, TensorType)]
    match op:
        case Conv():
            walked = shapes[0][LEADING:], shapes[1][LEADING:], op.output.dims
        case ConvTranspose():
            walked = op.output.dims, shapes[1][LEADING:], shapes[0][LEADING:]
        case Windows():
            sizes = shapes[0][len(shapes[0]) - len(op.strides) :]
            walked = sizes, op.window.dims, op.output.dims
        case OverlapAdd():
            last = shapes[0][len(shapes[0]) - 2 * len(op.strides) :]
            count = len(op.strides)
            walked = op.output.dims, last[count:], last[:count]
        case _:
            return []
    axes = window_axes(op.strides, op.padding, op.dilation)
    return [Walk(*entry) for entry in zip(axes, *walked, strict=True)]


OUTSIDE_MESSAGE = "a window of {} elements ends outside of the padded image"


def require_convolution(
    ctx: InferContext,
    images: TensorType,
    filters: TensorType,
    channels_axis: int,
    axes: int,
    order: str,
) -> None:
    """Require C3 to C6: `channels_axis` of the filters is axis 2 of the images."""
    alike = images.element == filters.element and images.element != I1
    require(alike, "C3", "{} and {}", images.element, filters.element)
    rank = LEADING + axes
    fits = images.rank == filters.rank == rank
    require(fits, "C4", "{} and {}", images, filters)
    ctx.require_equal(images.shape[1], filters.shape[0], "C5", "groups")
    ctx.require_equal(images.shape[2], filters.shape[channels_axis], "C5", "channels")
    require(order == FMA_ORDER, "C6", order)


def _repeated(values: Array, count: int) -> Array:
    return np.broadcast_to(values, (count, *values.shape))


@op("tc.conv", traits=(PURE, EXACT), levels=AT_TENSOR)
class Conv(Op):
    """Correlation of images with filters, in groups of channels.

        result[n, g, f, o…] = sum over c, u… of
            x[n, g, c, strides * o + dilation * u - padding…] * w[g, f, c, u…]

    x is [N, G, C, *S], padded with 0; w is [G, F, C, *K], and the result is
    [N, G, F, *output]. `order` is along the flat index of (c, u…): "fma"
    (docs/numerics.md). Padded elements count, as if x had them: 0 * inf is NaN.

    Constraints:
      (C1) strides, padding, dilation and output have an entry per axis of an image, one
        at least. Strides and dilation are positive, padding has pairs, none negative.
      (C2) Windows lie inside of the padded image: along each axis
        (output - 1) * stride + (K - 1) * dilation < S + both paddings.
      (C3) x and w have one number type.
      (C4) x and w have three axes and those of an image.
      (C5) w has the groups and the channels of x.
      (C6) order is "fma".

    Example:
      %2 = "tc.conv"(%0, %1) <{dilation = array<i64: 1>, order = "fma", output = #tc.dims<[7]>, padding = [#tc.dims<[1, 1]>], strides = array<i64: 1>}> : (tensor<4x1x2x8xf32>, tensor<1x5x2x4xf32>) -> tensor<4x1x5x7xf32>
    """  # noqa: E501

    x: Value
    w: Value
    strides: tuple[int, ...]
    padding: ArrayAttr
    dilation: tuple[int, ...]
    output: Dims
    order: str

    @staticmethod
    def infer(
        ctx: InferContext,
        x: TensorType,
        w: TensorType,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        order: str,
    ) -> TensorType:
        """Give a channel per filter, of the size that output says."""
        require_convolution(ctx, x, w, 2, len(strides), order)
        sizes, window = x.shape[LEADING:], w.shape[LEADING:]
        require_windows(ctx, sizes, window, output.dims, strides, padding, dilation)
        return TensorType((*x.shape[:2], w.shape[1], *output.dims), x.element)

    @staticmethod
    def evaluate(
        ctx: Sizes,
        x: Array,
        w: Array,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        order: str,
    ) -> Array:
        axes = window_axes(strides, padding, dilation)
        sizes, window = [ctx.size(d) for d in output.dims], w.shape[LEADING:]
        taken = take_windows(ctx, x, axes, sizes, window, 0)
        first = LEADING + len(axes)
        order_ = [0, 1, 2, *range(first, first + len(axes)), *range(LEADING, first)]
        flat = math.prod(w.shape[2:]), math.prod(sizes)
        columns = taken.transpose(order_).reshape(*x.shape[:2], *flat)
        rows = w.reshape(*w.shape[:2], flat[0])
        product = ordered_matmul(_repeated(rows, len(x)), columns)
        return product.reshape(*x.shape[:2], w.shape[1], *sizes)


@op("tc.conv_transpose", traits=(PURE, EXACT), levels=AT_TENSOR)
class ConvTranspose(Op):
    """Transpose of `tc.conv` in its images: each element adds a filter to the result.

        result[n, g, c, strides * o + dilation * u - padding…]
            += sum over f of y[n, g, f, o…] * w[g, f, c, u…]

    y is [N, G, F, *O], w is [G, F, C, *K], and the result is [N, G, C, *output]. For
    each u… there is a sum over f in `order`, "fma"; they are added from +0 in ascending
    order of u…. What lies in the padding is dropped.

    Constraints:
      (C1) strides, padding, dilation and output have an entry per axis of an image, one
        at least. Strides and dilation are positive, padding has pairs, none negative.
      (C2) Windows lie inside of the padded result: along each axis
        (O - 1) * stride + (K - 1) * dilation < output + both paddings.
      (C3) y and w have one number type.
      (C4) y and w have three axes and those of an image.
      (C5) w has the groups of y, and a filter for each of its channels.
      (C6) order is "fma".

    Example:
      %2 = "tc.conv_transpose"(%0, %1) <{dilation = array<i64: 1>, order = "fma", output = #tc.dims<[8]>, padding = [#tc.dims<[1, 1]>], strides = array<i64: 1>}> : (tensor<4x1x5x7xf32>, tensor<1x5x2x4xf32>) -> tensor<4x1x2x8xf32>
    """  # noqa: E501

    y: Value
    w: Value
    strides: tuple[int, ...]
    padding: ArrayAttr
    dilation: tuple[int, ...]
    output: Dims
    order: str

    @staticmethod
    def infer(
        ctx: InferContext,
        y: TensorType,
        w: TensorType,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        order: str,
    ) -> TensorType:
        """Give the channels of the filters, of the size that output says."""
        require_convolution(ctx, y, w, 1, len(strides), order)
        windows, window = y.shape[LEADING:], w.shape[LEADING:]
        require_windows(ctx, output.dims, window, windows, strides, padding, dilation)
        return TensorType((*y.shape[:2], w.shape[2], *output.dims), y.element)

    @staticmethod
    def evaluate(
        ctx: Sizes,
        y: Array,
        w: Array,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        order: str,
    ) -> Array:
        axes = window_axes(strides, padding, dilation)
        groups, filters = w.shape[:2]
        rows = w.reshape(groups, filters, math.prod(w.shape[2:]))
        positions = y.shape[LEADING:]
        columns = y.reshape(*y.shape[:LEADING], math.prod(positions))
        turned = _repeated(rows.swapaxes(1, 2), len(y))
        wide = ordered_matmul(widened(turned), widened(columns))
        parts = wide.reshape(*y.shape[:2], *w.shape[2:], *positions)
        parts = np.moveaxis(parts, range(-len(axes), 0), range(3, 3 + len(axes)))
        sizes = [ctx.size(d) for d in output.dims]
        return rounded(add_windows(ctx, parts, axes, sizes), y.dtype)


@op("tc.windows", traits=(PURE, EXACT), levels=AT_TENSOR)
class Windows(Op):
    """Windows along the last axes, which overlap where strides are small.

        result[a…, o…, u…] = operand[a…, strides * o + dilation * u - padding…]

    Where that is in the padding, it is `fill`. `window` says along how many axes, and
    how many elements a window has; `output` how many windows there are.

    Constraints:
      (C1) window, strides, padding, dilation and output have an entry per axis, one at
        least. Strides and dilation are positive, padding has pairs, none negative.
      (C2) Windows lie inside of the padded operand: along each axis
        (output - 1) * stride + (window - 1) * dilation < size + both paddings.
      (C3) rank(operand) is at least the number of these axes.
      (C4) fill has the operand's element type.

    Example:
      %1 = "tc.windows"(%0) <{dilation = array<i64: 1>, fill = 0.0 : f32, output = #tc.dims<[4]>, padding = [#tc.dims<[0, 0]>], strides = array<i64: 2>, window = #tc.dims<[2]>}> : (tensor<3x8xf32>) -> tensor<3x4x2xf32>
    """  # noqa: E501

    operand: Value
    window: Dims
    strides: tuple[int, ...]
    padding: ArrayAttr
    dilation: tuple[int, ...]
    output: Dims
    fill: Typed

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        *,
        window: Dims,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        fill: Typed,
    ) -> TensorType:
        """Give the windows behind the other axes, and their elements last."""
        lead = operand.rank - len(strides)
        require(lead >= 0, "C3", "{} strides for {}", len(strides), operand)
        sizes = operand.shape[lead:]
        require_windows(
            ctx, sizes, window.dims, output.dims, strides, padding, dilation
        )
        require(fill.type == operand.element, "C4", "{} and {}", fill.type, operand)
        shape = (*operand.shape[:lead], *output.dims, *window.dims)
        return TensorType(shape, operand.element)

    @staticmethod
    def evaluate(
        ctx: Sizes,
        operand: Array,
        *,
        window: Dims,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
        fill: Typed,
    ) -> Array:
        axes = window_axes(strides, padding, dilation)
        sizes, extents = ([ctx.size(d) for d in v.dims] for v in (output, window))
        return take_windows(ctx, operand, axes, sizes, extents, fill.value)


@op("tc.overlap_add", traits=(PURE, EXACT), levels=AT_TENSOR)
class OverlapAdd(Op):
    """Windows added up where they lie: the transpose of `tc.windows`.

        result[a…, strides * o + dilation * u - padding…] += operand[a…, o…, u…]

    They are added from +0 in ascending order of u… (docs/numerics.md); f16 is added up
    in f32. What lies in the padding is dropped. `output` says how long the axes of the
    result are.

    Constraints:
      (C1) strides, padding, dilation and output have an entry per axis of the result
        that windows lie along, one at least. Strides and dilation are positive,
        padding has pairs, none negative.
      (C2) Windows lie inside of the padded result: along each axis
        (windows - 1) * stride + (window - 1) * dilation < output + both paddings.
      (C3) rank(operand) is at least twice the number of these axes.
      (C4) operand has a number type.

    Example:
      %1 = "tc.overlap_add"(%0) <{dilation = array<i64: 1>, output = #tc.dims<[8]>, padding = [#tc.dims<[0, 0]>], strides = array<i64: 2>}> : (tensor<3x4x2xf32>) -> tensor<3x8xf32>
    """  # noqa: E501

    operand: Value
    strides: tuple[int, ...]
    padding: ArrayAttr
    dilation: tuple[int, ...]
    output: Dims

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
    ) -> TensorType:
        """Give the axes before the windows, and those that output says."""
        lead = operand.rank - 2 * len(strides)
        require(lead >= 0, "C3", "{} strides for {}", len(strides), operand)
        windows = operand.shape[lead : lead + len(strides)]
        window = operand.shape[lead + len(strides) :]
        require_windows(ctx, output.dims, window, windows, strides, padding, dilation)
        require(operand.element != I1, "C4", "{}", operand)
        return TensorType((*operand.shape[:lead], *output.dims), operand.element)

    @staticmethod
    def evaluate(
        ctx: Sizes,
        operand: Array,
        *,
        strides: tuple[int, ...],
        padding: ArrayAttr,
        dilation: tuple[int, ...],
        output: Dims,
    ) -> Array:
        axes = window_axes(strides, padding, dilation)
        sizes = [ctx.size(d) for d in output.dims]
        return rounded(
            add_windows(ctx, widened(operand), axes, sizes), np.dtype(operand.dtype)
        )
