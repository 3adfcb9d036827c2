"""The largest element and the mean of windows of images, for all doors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tensorc.frontend.library.elementwise import as_float, elementwise
from tensorc.frontend.library.images.windows import (
    Axis,
    Padding,
    axes_of,
    counts,
    extents,
    padded,
    require,
    whole_stride,
    windows_of,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    cast,
    materialize,
    number,
    size_error,
    spell_shape,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.reductions import max_, mean
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv, known_at_most, maximum, minimum, product_of
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I64, Element


@dataclass(frozen=True, slots=True)
class _Pool:
    """Windows along the last axes of x; `over` are elements that reach over the end."""

    x: TensorOperand
    axes: Sequence[Axis]
    output: Shape
    over: Sequence[Dim]
    what: str


def max_pool(
    b: Emitter,
    x: Operand,
    window: Dim | Sequence[Dim],
    *,
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ignore_border: bool,
    rank: int = 0,
) -> Operand:
    """Return the largest element of each window of the last axes of x.

    One number is a window of an image [N, C, …]. Padding is never the largest. Without
    `ignore_border` the first window counts that reaches over the end.
    """
    tensor = strong(b, x)
    lying = stride, padding, dilation, ignore_border
    pool = _pool(b, tensor, window, rank, *lying)
    element = tensor.type.element
    if element == I1:
        message = f"there is no largest of booleans in windows of {pool.what}"
        raise type_error(b, message, "cast: `int(x)`")
    windows = _windows(b, pool.x, pool, _least(element))
    t = TensorBuilder(b.builder)
    return TensorOperand(t.reduce(Max, windows, _last(windows, len(pool.axes))))


def avg_pool(
    b: Emitter,
    x: Operand,
    window: Dim | Sequence[Dim],
    *,
    stride: int | Sequence[int] | None,
    padding: Padding,
    ignore_border: bool,
    count_padding: bool,
    rank: int = 0,
) -> Operand:
    """Return the mean of each window of the last axes of x.

    One number is a window of an image [N, C, …]. Padding counts as zeros; without
    `count_padding` the mean is of what is in the image alone.
    """
    given = as_float(b, x)
    element = given.type.element
    pool = _pool(b, given, window, rank, stride, padding, 1, ignore_border)
    wide = TensorOperand(cast(b, pool.x.value, element.accumulator))
    values = _windows(b, wide, pool, 0.0)
    inner = _last(values, len(pool.axes))
    t = TensorBuilder(b.builder)
    plain = all(a.before == a.after == 0 for a in pool.axes) or count_padding
    if plain and all(over == 0 for over in pool.over):
        count = materialize(b, number(product_of([a.window for a in pool.axes])), I64)
        return TensorOperand(cast(b, t.mean(values, count, inner), element))
    held = materialize(b, _held(b, pool, count_padding), wide.type.element)
    pair = [TensorOperand(t.sum(values, inner)), TensorOperand(held)]
    quotient = strong(b, elementwise(b, "div", pair))
    return TensorOperand(cast(b, quotient.value, element))


def _pool(
    b: Emitter,
    x: TensorOperand,
    window: Dim | Sequence[Dim],
    rank: int,
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ignore_border: bool,
) -> _Pool:
    """Return how windows lie in x; `rank` is the number of axes, or 0 for its own."""
    windows = extents(b, x, window, rank)
    shape, first = b.shape(x), x.type.rank - len(windows)
    what = f"{spell_type(x.type)} under windows {spell_shape(windows)}"
    steps = whole_stride(b, windows) if stride is None else stride
    axes = axes_of(b, shape[first:], windows, steps, dilation)
    axes = padded(b, axes, padding)
    for axis in axes:
        message = f"{what}: padding {axis.before}, {axis.after} fills a window alone"
        for side in (axis.before, axis.after):
            require(b, axis.extent - side, message, "pad by less than a window")
    output = counts(b, axes, padding, what)
    over: list[Dim] = [0] * len(axes)
    if not ignore_border:
        output = tuple([_count_over(axis) for axis in axes])
        over = [_over(axis, n) for axis, n in zip(axes, output, strict=True)]
    return _Pool(x, axes, output, over, what)


def _count_over(axis: Axis) -> Dim:
    """Return how many windows there are up to the first that reaches the end.

    One that begins behind the image is none: it would hold padding alone.
    """
    reaching = ceildiv(axis.room, axis.stride) + 1
    if known_at_most(axis.after + axis.stride - 1, axis.extent):
        return reaching  # the last of them begins before its predecessor ends
    return minimum(reaching, ceildiv(axis.size + axis.before, axis.stride))


def _over(axis: Axis, count: Dim) -> Dim:
    """Return how far the last of some windows reaches over the padded image."""
    over = (count - 1) * axis.stride - axis.room
    reaches = count == ceildiv(axis.room, axis.stride) + 1
    return over if reaches else maximum(over, 0)


def _windows(b: Emitter, x: TensorOperand, pool: _Pool, fill: float) -> Value:
    """Return the windows [..., *output, *window]; `fill` is in the padding."""
    axes = [
        replace(axis, after=axis.after + over)
        for axis, over in zip(pool.axes, pool.over, strict=True)
    ]
    return windows_of(b, x.value, axes, pool.output, fill)


def _last(value: Value, count: int) -> list[int]:
    rank = TensorOperand(value).type.rank
    return list(range(rank - count, rank))


def _least(element: Element) -> int | float:
    """Return what is never larger than an element."""
    if element.is_float:
        return float("-inf")
    return int(np.iinfo(str(element.dtype)).min)


def _held(b: Emitter, pool: _Pool, count_padding: bool) -> Operand:
    """Return how many elements each window holds, i64 of the windows' shape."""
    product: Operand = number(1)
    for place, axis in enumerate(pool.axes):
        index = TensorBuilder(b.builder).iota(b.resolve(pool.output), place, I64)
        before, after = (axis.before, axis.after) if count_padding else (0, 0)

        def of(name: str, left: Operand, right: Dim) -> Operand:
            return elementwise(b, name, [left, number(right)])

        start = of("sub", of("mul", TensorOperand(index), axis.stride), axis.before)
        end = of("minimum", of("add", start, axis.window), axis.size + after)
        start = of("maximum", start, -1 * before)
        product = elementwise(b, "mul", [product, elementwise(b, "sub", [end, start])])
    return product


# The whole image


def global_max_pool(b: Emitter, x: Operand, keepdims: bool = False) -> Operand:
    """Return the largest element of each channel of images [N, C, …]: [N, C]."""
    return max_(b, x, _image_axes(b, x), keepdims)


def global_avg_pool(b: Emitter, x: Operand, keepdims: bool = False) -> Operand:
    """Return the mean of each channel of images [N, C, …]: [N, C]."""
    return mean(b, x, _image_axes(b, x), keepdims)


def _image_axes(b: Emitter, x: Operand) -> list[int]:
    type_ = strong(b, x).type
    if type_.rank < 3:
        raise size_error(b, f"it takes images [N, C, …], got {spell_type(type_)}")
    return list(range(2, type_.rank))


# PyTorch's functions, whose names say how many axes there are, in its words


def _of_rank(
    rank: int, function: Callable[..., Operand], name: str
) -> Callable[..., Operand]:
    def pool(
        b: Emitter, x: Operand, kernel_size: Dim | Sequence[Dim], **options: object
    ) -> Operand:
        options["ignore_border"] = not options.pop("ceil_mode")
        if "count_include_pad" in options:
            options["count_padding"] = options.pop("count_include_pad")
        return function(b, x, kernel_size, rank=rank, **options)

    pool.__name__ = pool.__qualname__ = f"{name}{rank}d"
    axes = f"{rank} axes" if rank > 1 else "axis"
    pool.__doc__ = f"Return `{name}` along the last {axes}, PyTorch's function."
    return pool


max_pools = tuple([_of_rank(n, max_pool, "max_pool") for n in (1, 2, 3)])
avg_pools = tuple([_of_rank(n, avg_pool, "avg_pool") for n in (1, 2, 3)])
