"""Elements of arrays at computed indices: what ops of several levels mean alike."""

from collections.abc import Sequence

import numpy as np

from tensorc.ir.attributes import Dims
from tensorc.ir.evaluation import Failing, SizedFailing
from tensorc.ir.numerics import Array

ADD, SET = "add", "set"  # what a scatter does with the elements that meet at an index
COMBINES = (ADD, SET)


def read(values: Array, indices: tuple[Array, ...]) -> Array:
    """Return elements at indices (arrays or not), refusing what numpy would wrap.

    Element 0 of nothing is 0: it is read in vain, where a part may be empty.
    """
    shape = np.broadcast_shapes(*map(np.shape, indices))
    if 0 in shape:
        return np.zeros(shape, values.dtype)
    if any(np.any(np.less(i, 0)) for i in indices):
        raise IndexError(f"a negative index in {indices}")
    if values.size == 0 and not any(np.any(i) for i in indices):
        return np.zeros(shape, values.dtype)
    return np.asarray(values[tuple(np.asarray(i) for i in indices)])


def as_number(index: Array) -> int:
    """Return an index as a number, refusing what numpy would wrap."""
    if int(index) < 0:
        raise IndexError(f"index {int(index)} is negative")
    return int(index)


def out_of_range(indices: Array, size: int, from_end: bool = True) -> Array:
    """Return which indices are outside an axis; signed ones may count `from_end`."""
    if np.issubdtype(indices.dtype, np.unsignedinteger):
        return np.greater_equal(indices, np.uint64(size))
    lowest = -size if from_end else 0
    return np.less(indices, lowest) | np.greater_equal(indices, size)


def check_indices(
    ctx: SizedFailing, indices: Array, axis: int, size: Dims, from_end: bool
) -> None:
    """Raise IndexOutOfRange for the first index outside of an axis."""
    extent = ctx.size(size.dims[0])
    bad = out_of_range(indices, extent, from_end)
    if bad.any():
        ctx.fail_index(axis, int(indices[bad].flat[0]), extent)


def wrapped_indices(
    ctx: Failing, shape: Sequence[int], indices: Sequence[Array], axes: Sequence[int]
) -> tuple[Array, ...]:
    """Return indices counted from the start; IndexOutOfRange for the first bad one."""
    wrapped = []
    for axis, index in zip(axes, indices, strict=True):
        size = shape[axis]
        bad = out_of_range(index, size)
        if bad.any():
            ctx.fail_index(axis, int(index[bad].flat[0]), size)
        signed = index.astype(np.int64)
        wrapped.append(np.where(signed < 0, signed + size, signed))
    return tuple(wrapped)


def scatter(
    target: Array,
    values: Array,
    indices: tuple[Array, ...],
    axes: tuple[int, ...],
    combine: str,
) -> None:
    """Add or put values at indices of `target`, in ascending order of the positions."""
    rank = indices[0].ndim
    moved = np.moveaxis(target, axes, range(len(axes)))
    given = np.moveaxis(values, range(axes[0], axes[0] + rank), range(rank))
    if combine == ADD:
        np.add.at(moved, indices, given)  # type: ignore[arg-type]  # one per axis
        return
    for position in np.ndindex(indices[0].shape):
        moved[tuple(p[position] for p in indices)] = given[position]


def step_numbers(count: int, reverse: bool) -> list[Array]:
    """Return the numbers of the steps of a loop, in order, as tensors of i64."""
    numbers = np.arange(count, dtype=np.int64)
    return [np.asarray(n) for n in (numbers[::-1] if reverse else numbers)]
