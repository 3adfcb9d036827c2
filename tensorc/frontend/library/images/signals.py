"""Convolution and correlation of two vectors, for all doors."""

from tensorc.frontend.library.images import convolution
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    size_error,
    spell_type,
    strong,
)
from tensorc.frontend.library.shapes import flip, reshape
from tensorc.ir.dims import Dim, floordiv, maximum, minimum
from tensorc.ir.tensor_builder import TensorBuilder

MODES = ("full", "same", "valid")


def convolve(b: Emitter, x: Operand, y: Operand, mode: str = "full") -> Operand:
    """Return the convolution of two vectors, numpy's: y is turned around first.

    "full" has all m + n - 1 sums, "same" the middle max(m, n) of them, "valid" those
    of whole overlaps. The terms of a sum are added in y's order from its last.
    """
    left, right = (_vector(b, o, "convolve") for o in (x, y))
    return _overlaps(b, left, strong(b, flip(b, right)), mode, 0)


def correlate(b: Emitter, x: Operand, y: Operand, mode: str = "valid") -> Operand:
    """Return the correlation of two vectors, numpy's: y slides over x as it stands.

    "full" has all m + n - 1 sums, "same" the middle max(m, n) of them, "valid" those
    of whole overlaps. The terms of a sum are added in y's order.
    """
    left, right = (_vector(b, o, "correlate") for o in (x, y))
    m, n = b.shape(left)[0], b.shape(right)[0]
    # NumPy turns the result where y is longer, and so which of two middles it takes.
    is_turned = minimum(1, maximum(0, n - m))
    return _overlaps(b, left, right, mode, is_turned)


def _vector(b: Emitter, x: Operand, what: str) -> TensorOperand:
    tensor = strong(b, x)
    if tensor.type.rank > 1:
        hint = "conv2d(x, w) slides filters over images"
        message = f"{what} takes vectors, got {spell_type(tensor.type)}"
        raise size_error(b, message, hint)
    if b.shape(tensor) == (0,):
        raise size_error(b, f"{what}: a vector is empty")
    return strong(b, reshape(b, tensor, (-1,)))


def _overlaps(
    b: Emitter, x: TensorOperand, y: TensorOperand, mode: str, is_turned: Dim
) -> Operand:
    """Return the sums of products where y slides over x, those that a mode has."""
    (m,), (n,) = b.shape(x), b.shape(y)
    images, filters = (reshape(b, o, (1, 1, -1)) for o in (x, y))
    made = convolution.convolve(
        b,
        images,
        filters,
        None,
        1,
        stride=1,
        padding="full",
        dilation=1,
        groups=1,
        flip=False,
    )
    every = strong(b, reshape(b, made, (-1,)))
    if mode == "full":
        return every
    less = minimum(m, n) - 1
    if mode == "valid":
        start, length = less, maximum(m, n) - less
    else:
        even = less - 2 * floordiv(less, 2)
        start, length = floordiv(less, 2) + is_turned * even, maximum(m, n)
    t = TensorBuilder(b.builder)
    return TensorOperand(t.slice(every.value, [start], [length], [1]))
