"""How windows lie along the axes of images: strides, padding, sizes, for all doors.

Along an axis of `size` elements with `before` and `after` elements of padding, there
is a window at every `stride`-th element, as long as it ends inside. What a stride
leaves over is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tensorc.frontend.library.operands import (
    Emitter,
    Shape,
    TensorOperand,
    number_error,
    size_error,
    spell_shape,
    spell_type,
)
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Attribute, Dims, Typed
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv, floordiv, known_at_most, maximum, minimum
from tensorc.ir.ops.tensor.convolution import Windows
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import TensorType

MOST_AXES = 3  # of an image
Padding = str | Dim | tuple[Dim | tuple[Dim, ...], ...]
FORMULA = "(size + padding - dilation * (window - 1) - 1) // stride + 1"
OF_RESULT = f"each axis of the result has {FORMULA} elements"


@dataclass(frozen=True, slots=True)
class Axis:
    """How windows of `window` elements, `dilation` apart, lie along one axis."""

    size: Dim
    window: Dim
    stride: int
    dilation: int
    before: Dim = 0
    after: Dim = 0

    @property
    def extent(self) -> Dim:
        """How far the last element of a window is from its first."""
        return (self.window - 1) * self.dilation

    @property
    def room(self) -> Dim:
        """How many elements are behind the first window; below 0, it is not inside."""
        return self.size + self.before + self.after - self.extent - 1

    @property
    def count(self) -> Dim:
        """How many windows there are."""
        return floordiv(self.room, self.stride) + 1

    @property
    def formula(self) -> str:
        """How the count is computed, for messages."""
        padding, count = self.before + self.after, self.count
        window = f"{self.dilation} * ({self.window} - 1)"
        spelled = f"({self.size} + {padding} - {window} - 1) // {self.stride} + 1"
        return f"{spelled} = {count}" if isinstance(count, int) else spelled


def axes_of(
    b: Emitter,
    sizes: Sequence[Dim],
    window: Sequence[Dim],
    stride: int | Sequence[int],
    dilation: int | Sequence[int],
) -> list[Axis]:
    """Return axes without padding; TC0315 for what is not positive."""
    count = len(sizes)
    if any(known_at_most(extent, 0) for extent in window):
        raise number_error(b, f"a window of {tuple(window)} elements is empty")
    steps = per_axis(b, "stride", stride, count, 1)
    apart = per_axis(b, "dilation", dilation, count, 1)
    return [Axis(*axis) for axis in zip(sizes, window, steps, apart, strict=True)]


def per_axis(
    b: Emitter, what: str, given: int | Sequence[int], count: int, least: int
) -> list[int]:
    """Return an integer for each axis; one number is meant for all."""
    numbers = [given] * count if isinstance(given, int) else list(given)
    if len(numbers) != count:
        message = f"{what} has {len(numbers)} numbers, there {_axes(count)}"
        raise size_error(b, message)
    if min(numbers) < least:
        shown = given if isinstance(given, int) else tuple(numbers)
        raise number_error(b, f"{what} is at least {least}, got {shown}")
    return numbers


def _axes(count: int) -> str:
    return "is 1 axis" if count == 1 else f"are {count} axes"


def padded(b: Emitter, axes: Sequence[Axis], padding: Padding) -> list[Axis]:
    """Return axes with their padding: a word, a size, or some for each axis."""
    if isinstance(padding, str):
        pairs = [_named(axis, padding) for axis in axes]
    elif isinstance(padding, tuple):
        pairs = [_pair(b, part) for part in padding]
    else:
        pairs = [(padding, padding)] * len(axes)
    if len(pairs) != len(axes):
        message = f"padding has {len(pairs)} parts, there {_axes(len(axes))}"
        way = f"for one axis (before, after) stands in a tuple: ({padding},)"
        raise size_error(b, message, *([way] if len(axes) == 1 else []))
    for pair in pairs:
        if any(known_at_most(side, -1) for side in pair):
            raise number_error(b, f"padding is not negative, got {pair}")
        if padding != "same":  # which pads by what lacks, so never below 0
            for side in pair:
                own = f', "{padding}" is {side}' if isinstance(padding, str) else ""
                require(b, side, f"padding is not negative{own}")
    return [
        replace(axis, before=before, after=after)
        for axis, (before, after) in zip(axes, pairs, strict=True)
    ]


def _pair(b: Emitter, part: Dim | tuple[Dim, ...]) -> tuple[Dim, Dim]:
    if not isinstance(part, tuple):
        return part, part
    if len(part) != 2:
        raise size_error(b, f"padding: {part} is not a pair (before, after)")
    return part[0], part[1]


def _named(axis: Axis, word: str) -> tuple[Dim, Dim]:
    """Return the padding that a word means.

    "full": a window holds one element of the image at least. "half": the window of an
    odd number of elements has its middle on the image. "same": there is a window for
    every `stride` elements; of an odd padding the larger half stands behind.
    """
    if word == "valid":
        return 0, 0
    if word == "full":
        return axis.extent, axis.extent
    if word == "half":
        half = floordiv(axis.extent + 1, 2)
        return half, half
    total = axis.extent
    if axis.stride > 1:
        last = (ceildiv(axis.size, axis.stride) - 1) * axis.stride
        total = maximum(last + axis.extent + 1 - axis.size, 0)
    before = floordiv(total, 2)
    return before, total - before


def counts(b: Emitter, axes: Sequence[Axis], padding: Padding, what: str) -> Shape:
    """Return how many windows lie along each axis: at least one, or TC0301.

    `what` says what they lie in, for messages.
    """
    if padding == "same":
        return tuple([ceildiv(axis.size, axis.stride) for axis in axes])
    for number, axis in enumerate(axes):
        message = f"{what}: the window is larger than the padded image, along its axis "
        message += f"{number} the result would have {axis.formula} elements"
        require(b, axis.count - 1, message, "pad the image, or take a smaller window")
    return tuple([axis.count for axis in axes])


def require(b: Emitter, room: Dim, message: str, *hints: str) -> None:
    """Raise TC0301 if a number is below 0, or let the call see to it."""
    if known_at_most(0, room):
        return
    if known_at_most(room, -1) or not b.unify(minimum(room, 0), 0, message):
        raise size_error(b, message, *hints)


def extents(
    b: Emitter, x: TensorOperand, window: Dim | Sequence[Dim], rank: int
) -> tuple[Dim, ...]:
    """Return the sizes of a window: one number is meant for all axes of an image."""
    own = x.type.rank
    many = rank or own - 2
    if isinstance(window, Sequence):
        many = len(window)
    elif not rank and not 1 <= many <= MOST_AXES:
        message = (
            f"one number is a window of images [N, C, …], got {spell_type(x.type)}"
        )
        raise size_error(b, message, "give a number for each axis: window=(2, 2)")
    if (rank and many != rank) or not 1 <= many <= MOST_AXES or many > own:
        axes = f"{rank} axes" if rank else f"1 to {MOST_AXES} axes"
        message = f"a window has {axes}, got {many} for {spell_type(x.type)}"
        raise size_error(b, message, "give it a size for each axis of the image")
    return tuple(window) if isinstance(window, Sequence) else (window,) * many


def whole_stride(b: Emitter, windows: Sequence[Dim]) -> list[int]:
    """Return the stride of windows side by side; TC0301 if their sizes are unknown."""
    steps = [extent for extent in windows if isinstance(extent, int)]
    if len(steps) < len(windows):
        message = "the stride must be known while compiling, it is the window's: "
        raise size_error(b, message + spell_shape(tuple(windows)), "give a stride")
    return steps


def windows_of(
    b: Emitter, x: Value, axes: Sequence[Axis], output: Shape, fill: float
) -> Value:
    """Return the windows of the last axes, [..., *output, *window].

    `fill` is in the padding.
    """
    assert isinstance(x.type, TensorType)
    return TensorBuilder(b.builder)(
        Windows,
        x,
        window=Dims(b.resolve(tuple([axis.window for axis in axes]))),
        output=Dims(b.resolve(output)),
        fill=Typed(fill, x.type.element),
        **layout(axes),
    )


def layout(axes: Sequence[Axis]) -> dict[str, Attribute]:
    """Return the attributes that say how windows lie."""
    return {
        "strides": tuple([axis.stride for axis in axes]),
        "padding": pairs_of([(axis.before, axis.after) for axis in axes]),
        "dilation": tuple([axis.dilation for axis in axes]),
    }
