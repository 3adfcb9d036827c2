"""How to use convolutions and windows: sizes that fit whatever the call gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.fuzz.maker import MOST_ELEMENTS, Maker
from tensorc.ir.arrays.windows import WindowAxis, pairs_of
from tensorc.ir.attributes import Attribute, Dims, Typed
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, floordiv, maximum, product_of
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.ops.tensor.shape import Reshape
from tensorc.ir.types import I1, TensorType

_MOST_PRODUCTS = 100_000  # multiplications of one convolution


@dataclass(frozen=True, slots=True)
class _Along:
    """How windows lie along an axis, how long they are, and how many or what of."""

    axis: WindowAxis
    window: Dim
    output: Dim


def _axis(m: Maker) -> WindowAxis:
    low, high = (m.rng.choice((0, 0, 1, 2)) for _ in range(2))
    stride, dilation = m.rng.choice((1, 1, 2, 3)), m.rng.choice((1, 1, 2))
    return WindowAxis(stride, dilation, low, high)


def _windows_of(m: Maker, size: Dim) -> _Along:
    """Return windows of an axis, as many as fit or one less; none where none fits."""
    axis, window = _axis(m), m.rng.choice((1, 2, 2, 3, 5))
    count = floordiv(axis.room(size, 1, window), axis.stride) + m.rng.choice((1, 1, 0))
    return _Along(axis, window, maximum(count, 0))


def _whole_of(m: Maker, output: Dim, window: Dim) -> _Along:
    """Return an axis that so many windows of this size lie along."""
    axis = _axis(m)
    size = m.below(3) - axis.room(0, output, window)
    return _Along(axis, window, maximum(size, 0))


def _attributes(along: Sequence[_Along]) -> dict[str, Attribute]:
    return {
        "strides": tuple([a.axis.stride for a in along]),
        "padding": pairs_of([(a.axis.low, a.axis.high) for a in along]),
        "dilation": tuple([a.axis.dilation for a in along]),
        "output": Dims(tuple([a.output for a in along])),
    }


def _images(m: Maker) -> int:
    """Return a tensor [N, G, C, *S]."""
    operand = m.primary("number", 1)
    dims = m.type_of(operand).shape
    count = min(m.rng.choice((1, 2, 2, 3)), len(dims))
    lead, sizes = dims[: len(dims) - count], dims[len(dims) - count :]
    last = lead[-1:] or (1,)
    batch = product_of(lead[:-1])
    many = m.chance(0.3) and isinstance(last[0], int)
    kept = (*last, 1) if many else (1, *last)
    shape = Dims((batch, *kept, *sizes))
    return m.apply(Reshape, (operand,), shape=shape)


def _conv(m: Maker, cls: type[Op]) -> int | None:
    images = _images(m)
    type_ = m.type_of(images)
    batch, groups, channels, *sizes = type_.shape
    along = [_windows_of(m, size) for size in sizes]
    filters = m.rng.choice((1, 2, 3, m.dim()))
    window = [a.window for a in along]
    result = (batch, groups, filters, *[a.output for a in along])
    shape = (groups, filters, channels, *window)
    if not _is_small(m, result, shape):
        return None
    weights = m.partner(TensorType(shape, type_.element))
    return m.apply(cls, (images, weights), order=FMA_ORDER, **_attributes(along))


def _conv_transpose(m: Maker, cls: type[Op]) -> int | None:
    positions = _images(m)
    type_ = m.type_of(positions)
    batch, groups, filters, *outputs = type_.shape
    along = [_whole_of(m, size, m.rng.choice((1, 2, 3))) for size in outputs]
    channels, window = m.rng.choice((1, 2, 3)), [a.window for a in along]
    result = (batch, groups, channels, *[a.output for a in along])
    shape = (groups, filters, channels, *window)
    if not _is_small(m, type_.shape, shape) or m.count(result) > MOST_ELEMENTS:
        return None
    weights = m.partner(TensorType(shape, type_.element))
    return m.apply(cls, (positions, weights), order=FMA_ORDER, **_attributes(along))


def _is_small(m: Maker, shape: Sequence[Dim], filters: Sequence[Dim]) -> bool:
    """Return whether arrays are small, and the products for what has that shape.

    Each element takes those of a filter, [G, F, C, *K]. Of empty images filters may
    have any size.
    """
    elements = m.count(shape)
    products = elements * m.count(filters[2:])
    most = max(elements, m.count(filters))
    return most <= MOST_ELEMENTS and products <= _MOST_PRODUCTS


def _windows(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary("any", 1)
    type_ = m.type_of(operand)
    count = min(m.rng.choice((1, 1, 2)), type_.rank)
    lead = type_.rank - count
    along = [_windows_of(m, size) for size in type_.shape[lead:]]
    window = tuple([a.window for a in along])
    shape = (*type_.shape[:lead], *[a.output for a in along], *window)
    if m.count(shape) > MOST_ELEMENTS or len(shape) > 6:
        return None
    fill = Typed(m.below(2 if type_.element == I1 else 4), type_.element)
    if type_.element.is_float:
        fill = Typed(m.rng.choice((0.0, -0.0, 1.5, float("-inf"))), type_.element)
    given = _attributes(along)
    return m.apply(cls, (operand,), window=Dims(window), fill=fill, **given)


def _overlap_add(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary("number", 2)
    type_ = m.type_of(operand)
    count = 2 if type_.rank > 3 and m.chance(0.7) else 1
    lead = type_.rank - 2 * count
    outputs = type_.shape[lead : lead + count]
    windows = type_.shape[lead + count :]
    along = [_whole_of(m, *pair) for pair in zip(outputs, windows, strict=True)]
    shape = (*type_.shape[:lead], *[a.output for a in along])
    if m.count(shape) > MOST_ELEMENTS:
        return None
    return m.apply(cls, (operand,), **_attributes(along))


WINDOW_RECIPES: Mapping[type[Op], Callable[[Maker, type[Op]], int | None]] = (
    MappingProxyType(
        {
            convolution.Conv: _conv,
            convolution.ConvTranspose: _conv_transpose,
            convolution.Windows: _windows,
            convolution.OverlapAdd: _overlap_add,
        }
    )
)
