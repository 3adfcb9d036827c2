"""Windows of images as rows or columns, and back, for all doors."""

from collections.abc import Sequence

from tensorc.frontend.library.images.windows import (
    MOST_AXES,
    OF_RESULT,
    Axis,
    Padding,
    axes_of,
    counts,
    extents,
    layout,
    padded,
    whole_stride,
    windows_of,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    pinned,
    size_error,
    spell_shape,
    spell_type,
    strong,
)
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, product_of
from tensorc.ir.ops.tensor.convolution import OverlapAdd
from tensorc.ir.tensor_builder import TensorBuilder


def unfold(
    b: Emitter,
    x: Operand,
    window: Dim | Sequence[Dim],
    *,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
) -> Operand:
    """Return the windows of images [N, C, …] as columns: [N, C * window, windows]."""
    tensor = strong(b, x)
    windows = extents(b, tensor, window, tensor.type.rank - 2)
    batch, channels, *sizes = b.shape(tensor)
    what = f"{spell_type(tensor.type)} under windows {spell_shape(windows)}"
    axes = padded(b, axes_of(b, sizes, windows, stride, dilation), padding)
    output = counts(b, axes, padding, what)
    taken, n = windows_of(b, tensor.value, axes, output, 0), len(axes)
    order = [0, 1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n)]
    t = TensorBuilder(b.builder)
    rows, columns = channels * product_of(windows), product_of(output)
    return TensorOperand(t.reshape(t.transpose(taken, order), (batch, rows, columns)))


def fold(
    b: Emitter,
    x: Operand,
    size: Sequence[Dim],
    window: Dim | Sequence[Dim],
    *,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
) -> Operand:
    """Add up columns of windows to images [N, C, *size]: the derivative of `unfold`."""
    tensor = strong(b, x)
    sizes = tuple(size) if isinstance(size, Sequence) else (size,)
    rank = len(sizes)
    windows = tuple(window) if isinstance(window, Sequence) else (window,) * rank
    what = f"{spell_type(tensor.type)} as windows {spell_shape(windows)} of images "
    what += spell_shape(sizes)
    if tensor.type.rank != 3 or not 1 <= rank <= MOST_AXES or len(windows) != rank:
        message = f"{what}: it takes [N, C * window, windows] and a window's sizes"
        raise size_error(b, message, "write `fold(x, (H, W), (2, 2))`")
    axes = padded(b, axes_of(b, sizes, windows, stride, dilation), padding)
    output = counts(b, axes, padding, what)
    batch, rows, columns = b.shape(tensor)
    each = product_of(windows)
    channels = floordiv(rows, each)
    fits = b.unify(rows, channels * each) and b.unify(columns, product_of(output))
    if not fits:
        message = f"{what}: there are {columns} columns of {rows}, "
        message += f"{product_of(output)} of a multiple of {each} are needed"
        raise size_error(b, message, OF_RESULT)
    tensor = pinned(b, tensor, (batch, channels * each, product_of(output)))
    wide = (batch, channels, *windows, *output)
    t, n = TensorBuilder(b.builder), rank
    parts = t.reshape(tensor.value, b.resolve(wide))
    order = [0, 1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n)]
    return _added(b, t.transpose(parts, order), axes, sizes)


def _added(
    b: Emitter, parts: Value, axes: Sequence[Axis], sizes: Sequence[Dim]
) -> Operand:
    made = TensorBuilder(b.builder)(
        OverlapAdd,
        parts,
        output=Dims(b.resolve(tuple(sizes))),
        **layout(axes),
    )
    return TensorOperand(made)


# Theano's words


def images2neibs(
    b: Emitter,
    x: Operand,
    neib_shape: Sequence[Dim],
    neib_step: Sequence[int] | None = None,
    mode: str = "valid",
) -> Operand:
    """Return the windows of images [N, C, H, W] as rows, Theano's function.

    Without `neib_step` they lie side by side. "valid" needs windows that fill the
    image, "ignore_borders" reads no rest, "half" and "full" pad.
    """
    tensor = strong(b, x)
    windows = extents(b, tensor, tuple(neib_shape), 2)
    if tensor.type.rank != 4:
        message = f"it takes images [N, C, H, W], got {spell_type(tensor.type)}"
        raise size_error(b, message)
    steps = whole_stride(b, windows) if neib_step is None else list(neib_step)
    batch, channels, *sizes = b.shape(tensor)
    what = f"{spell_type(tensor.type)} under windows {spell_shape(windows)}"
    word = mode if mode in ("half", "full") else "valid"
    axes = padded(b, axes_of(b, sizes, windows, steps, 1), word)
    output = counts(b, axes, word, what)
    if mode == "valid":
        pairs = zip(axes, output, strict=True)
        read = [(n - 1) * axis.stride + axis.extent + 1 for axis, n in pairs]
        message = f"{what}: they leave a rest of the image"
        if not all(b.unify(n, m, message) for n, m in zip(sizes, read, strict=True)):
            raise size_error(b, message, 'mode="ignore_borders" does not read it')
        tensor = pinned(b, tensor, (batch, channels, *read))
    taken = windows_of(b, tensor.value, axes, output, 0)
    shape = (batch * channels * product_of(output), product_of(windows))
    return TensorOperand(TensorBuilder(b.builder).reshape(taken, b.resolve(shape)))


def neibs2images(
    b: Emitter, x: Operand, neib_shape: Sequence[Dim], original_shape: Sequence[Dim]
) -> Operand:
    """Return the images of rows that are windows side by side, Theano's function."""
    tensor = strong(b, x)
    windows, whole = tuple(neib_shape), tuple(original_shape)
    if len(windows) != 2 or len(whole) != 4 or tensor.type.rank != 2:
        message = "it takes rows, a window [H, W] and images [N, C, H, W], got "
        raise size_error(b, f"{message}{spell_type(tensor.type)}")
    batch, channels, *sizes = whole
    axes = axes_of(b, sizes, windows, whole_stride(b, windows), 1)
    what = f"{spell_type(tensor.type)} as windows {spell_shape(windows)} of {whole}"
    output = counts(b, axes, "valid", what)
    rows = (batch * channels * product_of(output), product_of(windows))
    if not all(b.unify(n, m) for n, m in zip(b.shape(tensor), rows, strict=True)):
        raise size_error(b, f"{what}: they are {spell_shape(rows)}")
    t = TensorBuilder(b.builder)
    wide = (batch, channels, *output, *windows)
    parts = t.reshape(pinned(b, tensor, rows).value, b.resolve(wide))
    return _added(b, parts, axes, sizes)
