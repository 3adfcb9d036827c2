"""Convolutions of images in one to three dimensions, for all doors.

Images are [N, C, *S]: batch, channels and sizes. A filter slides over the padded image
as it stands, which is correlation; with `flip` it is turned around first, which is
convolution in mathematics.
"""

from collections.abc import Callable, Sequence

from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.images.windows import (
    Axis,
    Padding,
    axes_of,
    counts,
    layout,
    padded,
    per_axis,
    require,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    cast,
    common_element,
    materialize,
    number_error,
    pinned,
    size_error,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.shapes import flip as flipped
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, floordiv, maximum
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.tensor.convolution import Conv, ConvTranspose
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1

_AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
_FILTERS = "F, C / groups"
_OF_TRANSPOSE = "C, F / groups"  # filters of what is transposed


def convolve(
    b: Emitter,
    x: Operand,
    w: Operand,
    bias: Operand | None,
    rank: int,
    *,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    flip: bool,
) -> Operand:
    """Return images of x slid over by the filters of w, in `rank` dimensions."""
    images, filters, what = _operands(b, x, w, groups, rank, _FILTERS)
    batch, channels, *sizes = b.shape(images)
    count, each, *window = b.shape(filters)
    message = f"{what}: the images have {channels} channels, the filters take "
    message += f"{groups} * {each}" if groups > 1 else f"{each}"
    if not b.unify(channels, groups * each, message):
        raise size_error(b, message, *_ways(images, filters, groups * each, 1))
    if each == 1:  # how many meet one channel decides what runs
        b.unify(count, b.fixed(count))
        count = b.resolve((count,))[0]
    own = _in_groups(b, count, groups, f"{what}: the filters are {count}")
    axes = padded(b, axes_of(b, sizes, window, stride, dilation), padding)
    output = counts(b, axes, padding, what)
    images = _split(b, images, (batch,), (groups, each), sizes)
    filters = _split(b, _turned(b, filters, flip), (), (groups, own, each), window)
    made = _windowed(b, Conv, images.value, filters.value, axes, output)
    result = TensorBuilder(b.builder).reshape(made, (batch, groups * own, *output))
    return _biased(b, TensorOperand(result), bias, groups * own, what)


def transposed(
    b: Emitter,
    x: Operand,
    w: Operand,
    bias: Operand | None,
    rank: int,
    *,
    stride: int | Sequence[int],
    padding: Padding,
    output_padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
    flip: bool,
) -> Operand:
    """Return the images that each element of x adds a filter to, in `rank` dimensions.

    It is the derivative of the convolution by its images.
    """
    images, filters, what = _operands(b, x, w, groups, rank, _OF_TRANSPOSE)
    batch, channels, *sizes = b.shape(images)
    given, each, *window = b.shape(filters)
    message = f"{what}: the images have {channels} channels, the filters {given}"
    if not b.unify(channels, given, message):
        raise size_error(b, message, *_ways(images, filters, given, 0))
    own = _in_groups(b, given, groups, f"{what}: the channels are {given}")
    more = per_axis(b, "output_padding", output_padding, rank, 0)
    axes = axes_of(b, sizes, window, stride, dilation)
    if padding == "same":
        output = tuple([a.size * a.stride + n for a, n in zip(axes, more, strict=True)])
        pads = [_same(axis) for axis in axes]
    else:
        axes = padded(b, axes, padding)
        pads = [(axis.before, axis.after) for axis in axes]
        output = _transposed_sizes(b, axes, more, what)
    axes = [
        Axis(size, a.window, a.stride, a.dilation, *pair)
        for size, a, pair in zip(output, axes, pads, strict=True)
    ]
    images = _split(b, images, (batch,), (groups, own), sizes)
    filters = _split(b, _turned(b, filters, flip), (), (groups, own, each), window)
    made = _windowed(b, ConvTranspose, images.value, filters.value, axes, output)
    result = TensorBuilder(b.builder).reshape(made, (batch, groups * each, *output))
    return _biased(b, TensorOperand(result), bias, groups * each, what)


def _same(axis: Axis) -> tuple[Dim, Dim]:
    """Return the padding of the convolution that gives the size of `axis`."""
    total = maximum(axis.extent + 1 - axis.stride, 0)
    before = floordiv(total, 2)
    return before, total - before


def _transposed_sizes(
    b: Emitter, axes: Sequence[Axis], more: Sequence[int], what: str
) -> Shape:
    found: list[Dim] = []
    for number, (axis, extra) in enumerate(zip(axes, more, strict=True)):
        padding = axis.before + axis.after
        size = (axis.size - 1) * axis.stride - padding + axis.extent + extra + 1
        message = f"{what}: along axis {number} of the image the result would have "
        message += f"({axis.size} - 1) * {axis.stride} - {padding} + {axis.dilation} * "
        message += f"({axis.window} - 1) + {extra} + 1"
        message += f" = {size} elements" if isinstance(size, int) else " elements"
        require(b, size - 1, message, "pad less")
        found.append(size)
    return tuple(found)


def _operands(
    b: Emitter, x: Operand, w: Operand, groups: int, rank: int, forms: str
) -> tuple[TensorOperand, TensorOperand, str]:
    """Return images and filters of one number type and rank, and what they are."""
    given = [strong(b, x), _with_fixed_windows(b, strong(b, w), rank)]
    what = f"images {spell_type(given[0].type)}, filters {spell_type(given[1].type)}"
    element = common_element(b, given)
    if element == I1:
        message = f"{what}: there is no convolution of booleans"
        raise type_error(b, message, "cast: `float(x)`")
    ranks = [t.type.rank for t in given]
    if ranks != [rank + 2] * 2:
        message = f"{what}: it takes images [N, C, {_AXES[rank]}] and filters "
        message += f"[{forms}, {_windows(_AXES[rank])}]"
        raise size_error(b, message, *_ways_of_ranks(ranks, rank, forms))
    if groups < 1:
        raise number_error(b, f"groups is at least 1, got {groups}")
    images, filters = (TensorOperand(cast(b, t.value, element)) for t in given)
    return images, filters, what


def _with_fixed_windows(b: Emitter, filters: TensorOperand, rank: int) -> TensorOperand:
    """Return filters whose windows have sizes that are numbers, where a trace has them.

    What a convolution runs follows from them; those of filters seldom change.
    """
    if filters.type.rank != rank + 2:
        return filters
    count, each, *window = b.shape(filters)
    fixed = [b.fixed(size) for size in window]
    if fixed == window or 0 in fixed:  # of empty ones the call says what is wrong
        return filters
    for size, known in zip(window, fixed, strict=True):
        b.unify(size, known)
    return pinned(b, filters, (count, each, *fixed))


def _ways_of_ranks(ranks: Sequence[int], rank: int, forms: str) -> list[str]:
    """Return what to write where images and filters have not `rank` + 2 axes."""
    if ranks == [rank + 1, rank + 2]:
        return ["an image alone is a batch of one: `expand_dims(x, 0)`"]
    other = ranks[0] - 2
    if ranks[0] == ranks[1] and other in _AXES:
        name = "conv_transpose" if forms == _OF_TRANSPOSE else "conv"
        return [f"images [N, C, {_AXES[other]}] are for `{name}{other}d`"]
    return []


def _ways(
    images: TensorOperand, filters: TensorOperand, taken: Dim, axis: int
) -> list[str]:
    """Return what to write where the filters take another number of channels.

    `axis` is that of the filters which has their number.
    """
    sizes, rank = images.type.shape, images.type.rank - 2
    if sizes[-1] == taken:
        order = ", ".join(str(a) for a in (0, rank + 1, *range(1, rank + 1)))
        way = f"channels are axis 1, not the last: `transpose(x, ({order}))`"
        return [way]
    of = "C / groups" if axis == 1 else "C"
    return [f"axis 1 of the images has C channels, axis {axis} of the filters {of}"]


def _in_groups(b: Emitter, count: Dim, groups: int, what: str) -> Dim:
    own = floordiv(count, groups)
    if not b.unify(own * groups, count, f"{what}, no multiple of {groups} groups"):
        way = "`groups` divides both: at 1 each filter meets all channels"
        raise size_error(b, f"{what}, no multiple of {groups} groups", way)
    return own


def _split(
    b: Emitter,
    x: TensorOperand,
    lead: Sequence[Dim],
    groups: tuple[Dim, ...],
    rest: Sequence[Dim],
) -> TensorOperand:
    """Return x with an axis of groups: (groups, own, …) of its axis behind `lead`."""
    count, own, *inner = groups
    whole = pinned(b, x, (*lead, count * own, *inner, *rest))
    shape = b.resolve((*lead, *groups, *rest))
    return TensorOperand(TensorBuilder(b.builder).reshape(whole.value, shape))


def _turned(b: Emitter, filters: TensorOperand, flip: bool) -> TensorOperand:
    axes = range(2, filters.type.rank)
    return strong(b, flipped(b, filters, tuple(axes))) if flip else filters


def _windowed(
    b: Emitter,
    cls: type[Op],
    images: Value,
    filters: Value,
    axes: Sequence[Axis],
    output: Shape,
) -> Value:
    return TensorBuilder(b.builder)(
        cls,
        images,
        filters,
        output=Dims(b.resolve(output)),
        order=FMA_ORDER,
        **layout(axes),
    )


def _biased(
    b: Emitter, x: TensorOperand, bias: Operand | None, count: Dim, what: str
) -> Operand:
    """Return x with a number added to each channel."""
    if bias is None:
        return x
    given = strong(b, bias)
    shape = b.shape(given)
    message = f"{what}: b has a number for each of {count} channels, got "
    message += spell_type(given.type)
    if len(shape) != 1 or not b.unify(shape[0], count, message):
        raise size_error(b, message)
    value = materialize(b, given, x.type.element)
    wide = pinned(b, TensorOperand(value), (count,))
    ones = [1] * (x.type.rank - 2)
    column = TensorBuilder(b.builder).reshape(wide.value, (count, *ones))
    return elementwise(b, "add", [x, TensorOperand(column)])


def _of_rank(
    rank: int, name: str, function: Callable[..., Operand], doc: str
) -> Callable[..., Operand]:
    """Return the function of images in `rank` dimensions; its row has the options."""

    def convolution(
        b: Emitter, x: Operand, w: Operand, bias: Operand | None, **options: object
    ) -> Operand:
        return function(b, x, w, bias, rank, **options)

    convolution.__name__ = convolution.__qualname__ = f"{name}{rank}d"
    images = _AXES[rank]
    convolution.__doc__ = doc.format(images=images, windows=_windows(images), rank=rank)
    return convolution


def _windows(images: str) -> str:
    return ", ".join(f"K{axis}" for axis in images.split(", "))


_CONV = """Return images [N, C, {images}] under filters [F, C / groups, {windows}].

    A filter meets the image as it stands; `flip` turns it around first. `b` has a
    number for each filter. `padding` is "valid" (none), "same" (a result for every
    `stride` elements), "full", "half", or the elements before and after each axis.
    """
_TRANSPOSE = """Add up filters [C, F / groups, {windows}] of images [N, C, {images}].

    It is the derivative of `conv{rank}d` by its images: `padding`, which that function
    had, is cut off; `output_padding` are elements more at the end of each axis.
    """
conv1d, conv2d, conv3d = (_of_rank(n, "conv", convolve, _CONV) for n in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    _of_rank(n, "conv_transpose", transposed, _TRANSPOSE) for n in (1, 2, 3)
)
