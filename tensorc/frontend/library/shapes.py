"""Functions that give elements another shape or other positions, for all doors.

Options besides sizes are known while compiling; sizes need not be.
"""

from collections.abc import Sequence

import numpy as np

from tensorc.errors import divisor_hint
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    broadcast,
    common_shape,
    pinned,
    require_sizes,
    size_error,
    spell_shape,
    spell_type,
    strong,
)
from tensorc.frontend.library.reductions import (
    Axes,
    flatten_all,
    normal_axes,
    ordered_axes,
)
from tensorc.frontend.library.suspicions import warn_of_count
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, maximum, product_of
from tensorc.ir.ops.tensor.shape import Broadcast, Concatenate
from tensorc.ir.tensor_builder import TensorBuilder


def _reshaped(b: Emitter, x: TensorOperand, shape: Sequence[Dim]) -> TensorOperand:
    dims = b.resolve(tuple(shape))
    if dims == b.shape(x):
        return x
    return TensorOperand(TensorBuilder(b.builder).reshape(x.value, dims))


# Axes


def reshape(b: Emitter, x: Operand, shape: Dim | Sequence[Dim]) -> Operand:
    """Give the same elements another shape; one size may be -1."""
    tensor = strong(b, x)
    own = b.shape(tensor)
    dims = list(shape) if isinstance(shape, Sequence) else [shape]
    dims = [-1 if b.is_rest(d) else d for d in dims]
    open_ = [i for i, d in enumerate(dims) if d == -1]
    if len(open_) > 1:
        raise size_error(b, "reshape: only one size may be -1")
    if any(isinstance(d, int) and d < -1 for d in dims):
        raise size_error(b, f"a size in {spell_shape(tuple(dims))} is negative")
    total, rest = product_of(own), product_of([d for d in dims if d != -1])
    message = f"reshape: {spell_type(tensor.type)} has {total} elements, "
    message += f"{spell_shape(tuple(dims))} "
    if open_:
        known = isinstance(total, int) and isinstance(rest, int)
        if rest == 0 or (known and total % rest):  # type: ignore[operator]
            hint = divisor_hint(total, rest) if rest and known else ""  # type: ignore[arg-type]
            wrong = f"{message}needs a multiple of {rest}"
            raise size_error(b, wrong, *filter(None, [hint]))
        dims[open_[0]] = floordiv(total, rest)
    elif not b.match(total, rest, f"{message}has {rest}: they fit"):
        raise size_error(b, f"{message}has {rest}")
    else:
        warn_of_count(b, total, rest, message)
    # The sizes as they are given: what `unify` found out is not all of the condition.
    return TensorOperand(TensorBuilder(b.builder).reshape(tensor.value, tuple(dims)))


def transpose(b: Emitter, x: Operand, axes: Axes = None) -> Operand:
    """Reorder the axes; without `axes`, reverse them."""
    tensor = strong(b, x)
    rank = tensor.type.rank
    if axes is None:
        order = list(range(rank))[::-1]
    else:
        given = (axes,) if isinstance(axes, int) else tuple(axes)
        order = [a + rank if a < 0 else a for a in given]
        if sorted(order) != list(range(rank)):
            message = f"transpose needs each of {rank} axes once, got {given}"
            raise size_error(b, message)
    if order == list(range(rank)):
        return tensor
    return TensorOperand(TensorBuilder(b.builder).transpose(tensor.value, order))


def flatten(b: Emitter, x: Operand, start: int = 1) -> Operand:
    """Join all axes from `start` on: by default all but the batch."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if not 0 <= start < max(len(shape), 1):
        raise size_error(b, f"flatten from axis {start}, but rank is {len(shape)}")
    return reshape(b, tensor, (*shape[:start], product_of(shape[start:])))


def broadcast_to(b: Emitter, x: Operand, shape: Dim | Sequence[Dim]) -> Operand:
    """Repeat along new and size-1 axes."""
    tensor = strong(b, x)
    dims = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    require_sizes(b, dims)
    joined = common_shape(b, [b.shape(tensor), dims], "broadcast_to")
    fits = len(joined) == len(dims)
    if not fits or not all(b.unify(a, d) for a, d in zip(joined, dims, strict=True)):
        message = f"broadcast_to: {spell_type(tensor.type)} does not fill "
        raise size_error(b, message + spell_shape(dims))
    own = pinned(b, tensor, b.shape(tensor))
    if own.type.shape == dims:
        return own
    axes = tuple(range(len(dims) - own.type.rank, len(dims)))
    value = b.builder.value(Broadcast, own.value, axes=axes, shape=Dims(dims))
    return TensorOperand(value)


def expand_dims(b: Emitter, x: Operand, axis: int | Sequence[int]) -> Operand:
    """Put axes of size 1 at indices of the result."""
    tensor = strong(b, x)
    own = list(b.shape(tensor))
    count = 1 if isinstance(axis, int) else len(axis)
    indices = ordered_axes(b, axis, len(own) + count)
    sizes = iter(own)
    shape = [1 if i in indices else next(sizes) for i in range(len(own) + count)]
    return _reshaped(b, tensor, shape)


def squeeze(b: Emitter, x: Operand, axis: Axes = None) -> Operand:
    """Leave out axes of size 1; without `axis` all whose size is known to be 1."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if axis is None:
        ones = tuple([1 if b.is_one(d) else d for d in shape])
        return _reshaped(b, pinned(b, tensor, ones), [d for d in ones if d != 1])
    indices = normal_axes(b, axis, len(shape))
    for i in indices:
        if not b.unify(
            shape[i], 1, f"squeeze leaves out axis {i}, which has not size 1"
        ):
            message = (
                f"squeeze leaves out axis {i} of {spell_type(tensor.type)}, which "
            )
            raise size_error(b, f"{message}has size {shape[i]}, not 1")
    tensor = pinned(b, tensor, tuple(shape))
    return _reshaped(b, tensor, [d for i, d in enumerate(shape) if i not in indices])


def ravel(b: Emitter, x: Operand) -> Operand:
    """Join all axes to one."""
    return flatten_all(b, strong(b, x))


def swapaxes(b: Emitter, x: Operand, axis1: int, axis2: int) -> Operand:
    """Exchange two axes."""
    tensor = strong(b, x)
    order = list(range(tensor.type.rank))
    first = normal_axes(b, axis1, len(order))[0]
    second = normal_axes(b, axis2, len(order))[0]
    order[first], order[second] = second, first
    return _transposed(b, tensor, order)


def moveaxis(b: Emitter, x: Operand, source: Axes, destination: Axes) -> Operand:
    """Move axes to other indices; the others keep their order."""
    tensor = strong(b, x)
    rank = tensor.type.rank
    moved = ordered_axes(b, source, rank)
    indices = ordered_axes(b, destination, rank)
    if len(moved) != len(indices):
        message = f"moveaxis: {len(moved)} axes cannot go to {len(indices)} indices"
        raise size_error(b, message)
    order = [i for i in range(rank) if i not in moved]
    for index, axis in sorted(zip(indices, moved, strict=True)):
        order.insert(index, axis)
    return _transposed(b, tensor, order)


def flatten_to(b: Emitter, x: Operand, ndim: int = 1) -> Operand:
    """Join the last axes, so that `ndim` axes are left."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if not 1 <= ndim <= max(len(shape), 1):
        message = f"flatten leaves from 1 to {max(len(shape), 1)} axes of "
        raise size_error(b, f"{message}{spell_type(tensor.type)}, not {ndim}")
    return _reshaped(b, tensor, (*shape[: ndim - 1], product_of(shape[ndim - 1 :])))


def dimshuffle(b: Emitter, x: Operand, pattern: Sequence[object]) -> Operand:
    """Reorder the axes; 'x' makes an axis of size 1, one left out must have it."""
    tensor = strong(b, x)
    rank = tensor.type.rank
    kept = [p for p in pattern if isinstance(p, int) and 0 <= p < rank]
    if len(kept) + pattern.count("x") < len(pattern) or len(set(kept)) < len(kept):
        message = f"dimshuffle takes each of the axes below {rank} once, and 'x', "
        raise size_error(b, f"{message}got {tuple(pattern)}")
    lost = [axis for axis in range(rank) if axis not in kept]
    for axis in lost:
        size = b.shape(tensor)[axis]
        if not b.unify(size, 1):
            message = f"dimshuffle leaves out axis {axis}, which has size {size}, not 1"
            raise size_error(b, message)
    tensor = pinned(b, tensor, b.shape(tensor))
    moved = _transposed(b, tensor, [*kept, *lost])
    moved_sizes = iter(b.shape(moved))
    sizes = [1 if p == "x" else next(moved_sizes) for p in pattern]
    if len(sizes) == rank and not lost:
        return moved
    return _reshaped(b, moved, sizes)


def _transposed(b: Emitter, x: TensorOperand, order: Sequence[int]) -> TensorOperand:
    if list(order) == list(range(len(order))):
        return x
    return TensorOperand(TensorBuilder(b.builder).transpose(x.value, order))


# Repeating and moving elements


def tile(b: Emitter, x: Operand, reps: Dim | Sequence[Dim]) -> Operand:
    """Repeat a whole tensor along its axes, the last count for the last axis."""
    tensor = strong(b, x)
    counts = list(reps) if isinstance(reps, Sequence) else [reps]
    _require_counts(b, counts, "tile")
    own = b.shape(tensor)
    shape = [*[1] * (len(counts) - len(own)), *own]
    counts = [*[1] * (len(shape) - len(counts)), *counts]
    single = [d for size in shape for d in (1, size)]
    wide = [d for pair in zip(counts, shape, strict=True) for d in pair]
    spread = broadcast(b, _reshaped(b, tensor, single).value, tuple(wide))
    return _reshaped(
        b, TensorOperand(spread), [n * d for n, d in zip(counts, shape, strict=True)]
    )


def repeat(
    b: Emitter, x: Operand, repeats: Dim | Sequence[Dim], axis: int | None = None
) -> Operand:
    """Repeat each element a number of times; without an axis, of the flat tensor.

    `repeats` is one number, or one for each element, known while compiling.
    """
    tensor = strong(b, x)
    if axis is None:
        tensor, axis = flatten_all(b, tensor), 0
    shape = b.shape(tensor)
    index = normal_axes(b, axis, len(shape))[0]
    if isinstance(repeats, Sequence):
        if len(repeats) != 1:
            return _repeated_each(b, tensor, repeats, index)
        (repeats,) = repeats
    _require_counts(b, [repeats], "repeat")
    before, after = shape[: index + 1], shape[index + 1 :]
    column = _reshaped(b, tensor, (*before, 1, *after))
    spread = broadcast(b, column.value, (*before, repeats, *after))
    size = shape[index] * repeats
    return _reshaped(b, TensorOperand(spread), (*shape[:index], size, *after))


def _repeated_each(
    b: Emitter, x: TensorOperand, repeats: Sequence[Dim], axis: int
) -> Operand:
    """Repeat each element of an axis its own number of times."""
    size = b.shape(x)[axis]
    if not b.unify(size, len(repeats)):
        message = f"repeat: {len(repeats)} numbers of times for an axis of size {size}"
        raise size_error(b, message)
    known = [n for n in repeats if isinstance(n, int)]
    if len(known) < len(repeats):
        message = "repeat: a number of times for each element must be known"
        raise size_error(b, message, "one number for all may be a size")
    _require_counts(b, known, "repeat")
    shape = b.shape(x)
    x = pinned(b, x, (*shape[:axis], len(known), *shape[axis + 1 :]))
    indices = np.repeat(np.arange(len(known)), known)
    t = TensorBuilder(b.builder)
    return TensorOperand(t.gather(x.value, (t.constant(indices),), (axis,)))


def _require_counts(b: Emitter, counts: Sequence[Dim], what: str) -> None:
    for count in counts:
        if isinstance(count, int) and count < 0:
            raise size_error(b, f"{what}: the number of times is negative: {count}")


def flip(b: Emitter, x: Operand, axis: Axes = None) -> Operand:
    """Reverse the order along axes; along all of them without `axis`."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    axes = normal_axes(b, axis, len(shape))
    if not axes or any(shape[i] == 0 for i in axes):
        return tensor
    starts = [d - 1 if i in axes else 0 for i, d in enumerate(shape)]
    steps = [-1 if i in axes else 1 for i in range(len(shape))]
    t = TensorBuilder(b.builder)
    return TensorOperand(t.slice(tensor.value, starts, shape, steps))


def roll(
    b: Emitter, x: Operand, shift: int | Sequence[int], axis: Axes = None
) -> Operand:
    """Move elements along axes; what leaves at the end comes in at the start."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if axis is None:
        if not isinstance(shift, int):
            raise size_error(b, "roll: several shifts need as many axes")
        flat = _rolled(b, flatten_all(b, tensor), shift, 0)
        return _reshaped(b, flat, shape)
    axes = [axis] if isinstance(axis, int) else list(axis)
    indices = [normal_axes(b, a, len(shape))[0] for a in axes]
    shifts = [shift] * len(indices) if isinstance(shift, int) else list(shift)
    if len(shifts) != len(indices):
        message = f"roll: {len(shifts)} shifts for {len(indices)} axes"
        raise size_error(b, message)
    for amount, index in zip(shifts, indices, strict=True):
        tensor = _rolled(b, tensor, amount, index)
    return tensor


def _rolled(b: Emitter, x: TensorOperand, shift: int, axis: int) -> TensorOperand:
    shape = b.shape(x)
    size = shape[axis]
    # An empty axis, which a call may bring, is not to be divided by.
    least = maximum(size, 1)
    moved = shift - floordiv(shift, least) * least
    if size == 0 or moved == 0:
        return x
    tail = _along(b, x, axis, size - moved, moved)
    head = _along(b, x, axis, 0, size - moved)
    t = TensorBuilder(b.builder)
    return TensorOperand(t(Concatenate, tail, head, axis=axis))


def _along(b: Emitter, x: TensorOperand, axis: int, start: Dim, length: Dim) -> Value:
    shape = b.shape(x)
    starts = [start if i == axis else 0 for i in range(len(shape))]
    sizes = [length if i == axis else d for i, d in enumerate(shape)]
    t = TensorBuilder(b.builder)
    return t.slice(x.value, starts, sizes, [1] * len(shape))
