"""Windows that go along axes: which elements they hold, and what these add up to.

Element u of window o is element `stride * o + dilation * u` of an axis that is padded
with `low` elements in front and `high` behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.ir.attributes import ArrayAttr, Dims
from tensorc.ir.dims import Dim
from tensorc.ir.evaluation import Sizes
from tensorc.ir.numerics import Array


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """How windows lie along one axis."""

    stride: int
    dilation: int
    low: Dim
    high: Dim

    def room(self, size: Dim, output: Dim, window: Dim) -> Dim:
        """Return how many elements are left behind the last one; below 0, it is out."""
        last = (output - 1) * self.stride + (window - 1) * self.dilation
        return self.low + size + self.high - 1 - last


def window_axes(
    strides: Sequence[int], padding: ArrayAttr, dilation: Sequence[int]
) -> list[WindowAxis]:
    """Return the axes that attributes tell of, which were verified."""
    pairs = [pair.dims for pair in padding.items if isinstance(pair, Dims)]
    return [
        WindowAxis(stride, by, *pair)
        for stride, pair, by in zip(strides, pairs, dilation, strict=True)
    ]


def pairs_of(pairs: Sequence[tuple[Dim, Dim]]) -> ArrayAttr:
    """Return the attribute that tells of the padding along each axis."""
    return ArrayAttr(tuple([Dims(pair) for pair in pairs]))


def take_windows(
    ctx: Sizes,
    values: Array,
    axes: Sequence[WindowAxis],
    output: Sequence[int],
    window: Sequence[int],
    fill: float,
) -> Array:
    """Return the windows along the last axes: [..., *output, *window]."""
    count = len(axes)
    lead = values.ndim - count
    if 0 in (*output, *window):
        return np.zeros((*values.shape[:lead], *output, *window), values.dtype)
    padded = np.full(_padded_shape(ctx, axes, values.shape), fill, values.dtype)
    padded[_inside(ctx, axes, values.shape)] = values
    at = []
    for number, axis in enumerate(axes):
        shape = [1] * (2 * count)
        shape[number], shape[count + number] = output[number], window[number]
        first = np.multiply(np.arange(output[number])[:, None], axis.stride)
        along = np.multiply(np.arange(window[number])[None, :], axis.dilation)
        at.append(np.add(first, along).reshape(shape))
    last = range(lead, values.ndim)
    taken = np.moveaxis(padded, last, range(count))[tuple(at)]
    back = range(lead, lead + 2 * count)
    return np.ascontiguousarray(np.moveaxis(taken, range(2 * count), back))


def add_windows(
    ctx: Sizes, values: Array, axes: Sequence[WindowAxis], sizes: Sequence[int]
) -> Array:
    """Add windows [..., *output, *window] where they lie: [..., *sizes].

    From +0, the elements of the windows in ascending order. What lies in the padding
    is dropped.
    """
    count = len(axes)
    lead = values.ndim - 2 * count
    output, window = values.shape[lead : lead + count], values.shape[lead + count :]
    shape = (*values.shape[:lead], *sizes)
    padded = np.zeros(_padded_shape(ctx, axes, shape), values.dtype)
    target = np.moveaxis(padded, range(lead, lead + count), range(count))
    parts = np.moveaxis(values, range(lead, values.ndim), range(2 * count))
    parts = np.moveaxis(parts, range(count), range(count, 2 * count))
    for at in np.ndindex(*(window if 0 not in output else (0,))):
        starts = [u * axis.dilation for u, axis in zip(at, axes, strict=True)]
        steps = [
            slice(start, start + (n - 1) * axis.stride + 1, axis.stride)
            for start, n, axis in zip(starts, output, axes, strict=True)
        ]
        part = target[tuple(steps)]
        np.add(part, parts[at], out=part)
    return np.ascontiguousarray(padded[_inside(ctx, axes, shape)])


def _padded_shape(
    ctx: Sizes, axes: Sequence[WindowAxis], shape: Sequence[int]
) -> list[int]:
    whole = list(shape)
    for number, axis in enumerate(axes, len(shape) - len(axes)):
        whole[number] += ctx.size(axis.low) + ctx.size(axis.high)
    return whole


def _inside(
    ctx: Sizes, axes: Sequence[WindowAxis], shape: Sequence[int]
) -> tuple[slice, ...]:
    found = [slice(None)] * (len(shape) - len(axes))
    for size, axis in zip(shape[len(found) :], axes, strict=True):
        low = ctx.size(axis.low)
        found.append(slice(low, low + size))
    return tuple(found)
