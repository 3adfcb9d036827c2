"""Derivatives of convolutions and windows, which are convolutions and windows.

With batch and channels swapped a convolution is that of its weight gradient: what were
strides of windows are dilations of filters, and the other way.
"""

from collections.abc import Sequence

from tensorc.ir.attributes import Attribute, Dims, Typed
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents, only

_LEADING = convolution.LEADING
_ALIKE = ("strides", "padding", "dilation")


def _windows_of(op: Op, output: Sequence[Dim]) -> dict[str, Attribute]:
    """Return the attributes of an op on the windows of another one."""
    given = {name: op.attributes[name] for name in _ALIKE}
    return {**given, "output": Dims(tuple(output))}


def _moved(b: TensorBuilder, value: Value, *leading: int) -> Value:
    return b.transpose(value, [*leading, *range(_LEADING, tensor_type(value).rank)])


def _weights(
    b: TensorBuilder,
    op: convolution.Conv | convolution.ConvTranspose,
    images: Value,
    positions: Value,
) -> Value:
    """Return the cotangent of the filters between images and the result of `tc.conv`.

    It is a convolution of the images, [C, G, N, *S], with the other one as filters,
    [G, F, N, *O], and has as many positions as the filters have elements.
    """
    turned = _windows_of(op, tensor_type(op.w).shape[_LEADING:])
    turned["strides"], turned["dilation"] = op.dilation, op.strides
    x, y = _moved(b, images, 2, 1, 0), _moved(b, positions, 1, 2, 0)
    return _moved(b, b(convolution.Conv, x, y, order=FMA_ORDER, **turned), 1, 2, 0)


def conv(b: TensorBuilder, op: convolution.Conv, ct: Value) -> Cotangents:
    """Spread the cotangent over the windows, and correlate with it."""
    same = _windows_of(op, tensor_type(op.x).shape[_LEADING:])
    to_x = b(convolution.ConvTranspose, ct, op.w, order=FMA_ORDER, **same)
    return to_x, _weights(b, op, op.x, ct)


def conv_transpose(
    b: TensorBuilder, op: convolution.ConvTranspose, ct: Value
) -> Cotangents:
    """Correlate the cotangent with the filters, and with what was spread."""
    same = _windows_of(op, tensor_type(op.y).shape[_LEADING:])
    to_y = b(convolution.Conv, ct, op.w, order=FMA_ORDER, **same)
    return to_y, _weights(b, op, ct, op.y)


def overlap_add(b: TensorBuilder, op: convolution.OverlapAdd, ct: Value) -> Cotangents:
    """Take the windows of the cotangent."""
    type_, count = tensor_type(op.operand), len(op.strides)
    lead = type_.rank - 2 * count
    output, window = type_.shape[lead : lead + count], type_.shape[lead + count :]
    return (
        b(
            convolution.Windows,
            ct,
            window=Dims(window),
            fill=Typed(0.0, type_.element),
            **_windows_of(op, output),
        ),
    )


def windows(b: TensorBuilder, op: convolution.Windows, cts: Cotangents) -> Cotangents:
    """Add the cotangents of the windows up where they lie."""
    type_, count = tensor_type(op.operand), len(op.strides)
    output = type_.shape[type_.rank - count :]
    return (b(convolution.OverlapAdd, only(cts), **_windows_of(op, output)),)


def windows_tangent(
    b: TensorBuilder, op: convolution.Windows, tangents: Tangents
) -> Tangents:
    """Take the windows of the tangent: what is filled in has none."""
    return (
        b(
            convolution.Windows,
            only(tangents),
            window=op.window,
            fill=Typed(0.0, op.fill.type),
            **_windows_of(op, op.output.dims),
        ),
    )
