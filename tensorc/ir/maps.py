"""What affine maps say of points: where they lie, and whether inside of an operand."""

from collections.abc import Sequence

import numpy as np

from tensorc.ir.attributes import Affine, AffineMap
from tensorc.ir.dims import Dim
from tensorc.ir.evaluation import Failing, Sizes
from tensorc.ir.numerics import Array

Indices = tuple[Array, ...]


def writes_once(map_: AffineMap, dims: Sequence[int]) -> bool:
    """Return whether a map has each of some dimensions in one result, alone."""
    found: list[int] = []
    for result in map_.results:
        if isinstance(result, Affine):
            found += [dim for dim, _ in result.terms]
            if len(result.terms) > 1:
                return False
        elif result is not None:
            found.append(result)
    return sorted(found) == list(dims)


def overlaps(map_: AffineMap, kept: int) -> bool:
    """Return whether a destination's map is that of windows that overlap.

    The kept dimensions are its first axes. Each other axis has a window's dimension
    and a position's, in that order of the dimensions, with steps of at least 1.
    """
    count = len(map_.results) - kept
    if count < 1 or map_.dims != kept + 2 * count:
        return False
    if map_.results[:kept] != tuple(range(kept)):
        return False
    for number, result in enumerate(map_.results[kept:], kept):
        terms = result.terms if isinstance(result, Affine) else ()
        if tuple([dim for dim, _ in terms]) != (number, number + count):
            return False
        if any(step < 1 for _, step in terms):
            return False
    return True


def way_out(maps: Sequence[AffineMap], shapes: Sequence[Sequence[Dim | None]]) -> str:
    """Return where a map leaves its operand as far as sizes are known, or ""."""
    if all(map_.is_plain for map_ in maps):
        return ""
    known: dict[int, int] = {}
    for map_, shape in zip(maps, shapes, strict=True):
        for dim, size in zip(map_.results, shape, strict=True):
            if isinstance(dim, int) and isinstance(size, int):
                known[dim] = size
    for map_, shape in zip(maps, shapes, strict=True):
        for result, size in zip(map_.results, shape, strict=True):
            if not (isinstance(result, Affine) and isinstance(size, int)):
                continue
            if map_.outside is not None:
                continue
            ends = _ends(result, known)
            if ends is not None and not 0 <= ends[0] <= ends[1] < size:
                return f"{ends[0]}..{ends[1]} of {size}"
    return ""


def _ends(result: Affine, sizes: dict[int, int]) -> tuple[int, int] | None:
    """Return the first and last index; None if there is none or a size is unknown."""
    low = high = result.constant
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    for dim, factor in result.terms:
        size = sizes.get(dim, 0)
        if not size:
            return None
        way = factor * (size - 1)
        low, high = low + min(way, 0), high + max(way, 0)
    return low, high


def iteration_point(sizes: Sequence[int]) -> list[Array]:
    """Return the index along each dimension, shaped to broadcast."""
    point: list[Array] = []
    for dim, size in enumerate(sizes):
        shape = [size if i == dim else 1 for i in range(len(sizes))]
        point.append(np.arange(size).reshape(shape))
    return point


def element_index(ctx: Sizes, map_: AffineMap, sizes: Sequence[int]) -> Indices | None:
    """Return numpy indices of the elements at all points; None for a plain map.

    They broadcast to the iteration space, where a dimension that the map lacks has
    extent 1.
    """
    if map_.is_plain:
        return None
    point = iteration_point(sizes)
    found: list[Array] = []
    for result in map_.results:
        index: Array = np.zeros([1] * map_.dims, np.int64)
        if isinstance(result, int):
            index = point[result]
        elif result is not None:
            index = np.add(index, ctx.size(result.constant))
            for dim, factor in result.terms:
                index = np.add(index, np.multiply(point[dim], factor))
        found.append(index)
    return tuple(found)


def inside_of(index: Indices, shape: tuple[int, ...]) -> Array:
    """Return which points lie inside of an operand; it broadcasts to the space."""
    found: Array = np.ones([1] * index[0].ndim, np.bool_)
    for along, size in zip(index, shape, strict=True):
        found = np.logical_and(found, np.less_equal(0, along))
        found = np.logical_and(found, np.less(along, size))
    return found


def read_around(values: Array, index: Indices, fill: float) -> Array:
    """Return elements at indices, and a number where these lie outside."""
    inside = inside_of(index, values.shape)
    if values.size == 0:
        return np.full(inside.shape, fill, values.dtype)
    pairs = zip(index, values.shape, strict=True)
    near = tuple([np.clip(along, 0, size - 1) for along, size in pairs])
    return np.where(inside, values[near], values.dtype.type(fill))


def check_inside(ctx: Failing, index: Indices | None, shape: tuple[int, ...]) -> None:
    """Refuse indices outside of an operand, where numpy would count from the end."""
    for axis, (along, size) in enumerate(zip(index or (), shape, strict=False)):
        for end in (int(along.min()), int(along.max())) if along.size else ():
            if not 0 <= end < size:
                ctx.fail_index(axis, end, size)
