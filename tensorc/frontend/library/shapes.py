"""The prelude's functions that move elements about or make tensors, for all doors.

What they are told besides tensors, axes and counts, is known while compiling; sizes
need not be.
"""

from collections.abc import Sequence

import numpy as np

from tensorc.frontend.library.elementwise import elementwise, select
from tensorc.frontend.library.operands import (
    Emitter,
    Literal,
    Operand,
    Scalar,
    Shape,
    Tensor,
    broadcast,
    cast,
    common_element,
    constant,
    materialize,
    number,
    pinned,
    require_sizes,
    size_error,
    size_value,
    spell_shape,
    spell_type,
    spreads,
    strong,
)
from tensorc.frontend.library.reductions import (
    Axes,
    flatten_all,
    normal_axes,
    ordered_axes,
    product_of,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, maximum
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I64

Widths = int | Sequence[int] | Sequence[Sequence[int]]
ZERO = number(0.0)


def _reshaped(b: Emitter, x: Tensor, shape: Sequence[Dim]) -> Tensor:
    dims = b.resolve(tuple(shape))
    if dims == b.shape(x):
        return x
    return Tensor(TensorBuilder(b.builder).reshape(x.value, dims))


# Axes


def expand_dims(b: Emitter, x: Operand, axis: int | Sequence[int]) -> Operand:
    """Put axes of size 1 at places of the result."""
    tensor = strong(b, x)
    own = list(b.shape(tensor))
    count = 1 if isinstance(axis, int) else len(axis)
    places = ordered_axes(b, axis, len(own) + count)
    sizes = iter(own)
    shape = [1 if i in places else next(sizes) for i in range(len(own) + count)]
    return _reshaped(b, tensor, shape)


def squeeze(b: Emitter, x: Operand, axis: Axes = None) -> Operand:
    """Leave out axes of size 1; without `axis` all whose size is known to be 1."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if axis is None:
        ones = tuple([1 if b.is_one(d) else d for d in shape])
        return _reshaped(b, pinned(b, tensor, ones), [d for d in ones if d != 1])
    places = normal_axes(b, axis, len(shape))
    for i in places:
        if not b.unify(
            shape[i], 1, f"squeeze leaves out axis {i}, which has not size 1"
        ):
            message = (
                f"squeeze leaves out axis {i} of {spell_type(tensor.type)}, which "
            )
            raise size_error(b, f"{message}has size {shape[i]}, not 1")
    tensor = pinned(b, tensor, tuple(shape))
    return _reshaped(b, tensor, [d for i, d in enumerate(shape) if i not in places])


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
    """Put axes to other places; the others keep their order."""
    tensor = strong(b, x)
    rank = tensor.type.rank
    moved = ordered_axes(b, source, rank)
    places = ordered_axes(b, destination, rank)
    if len(moved) != len(places):
        message = f"moveaxis: {len(moved)} axes cannot go to {len(places)} places"
        raise size_error(b, message)
    order = [i for i in range(rank) if i not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
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
    places = iter(b.shape(moved))
    sizes = [1 if p == "x" else next(places) for p in pattern]
    if len(sizes) == rank and not lost:
        return moved
    return _reshaped(b, moved, sizes)


def _transposed(b: Emitter, x: Tensor, order: Sequence[int]) -> Tensor:
    if list(order) == list(range(len(order))):
        return x
    return Tensor(TensorBuilder(b.builder).transpose(x.value, order))


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
        b, Tensor(spread), [n * d for n, d in zip(counts, shape, strict=True)]
    )


def repeat(b: Emitter, x: Operand, repeats: Dim, axis: int | None = None) -> Operand:
    """Repeat each element a number of times; without an axis, of the flat tensor."""
    tensor = strong(b, x)
    _require_counts(b, [repeats], "repeat")
    if axis is None:
        tensor, axis = flatten_all(b, tensor), 0
    shape = b.shape(tensor)
    place = normal_axes(b, axis, len(shape))[0]
    before, after = shape[: place + 1], shape[place + 1 :]
    column = _reshaped(b, tensor, (*before, 1, *after))
    spread = broadcast(b, column.value, (*before, repeats, *after))
    size = shape[place] * repeats
    return _reshaped(b, Tensor(spread), (*shape[:place], size, *after))


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
    return Tensor(t.slice(tensor.value, starts, shape, steps))


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
    places = [normal_axes(b, a, len(shape))[0] for a in axes]
    shifts = [shift] * len(places) if isinstance(shift, int) else list(shift)
    if len(shifts) != len(places):
        message = f"roll: {len(shifts)} shifts for {len(places)} axes"
        raise size_error(b, message)
    for amount, place in zip(shifts, places, strict=True):
        tensor = _rolled(b, tensor, amount, place)
    return tensor


def _rolled(b: Emitter, x: Tensor, shift: int, axis: int) -> Tensor:
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
    return Tensor(t.concatenate([tail, head], axis))


def _along(b: Emitter, x: Tensor, axis: int, start: Dim, length: Dim) -> Value:
    shape = b.shape(x)
    starts = [start if i == axis else 0 for i in range(len(shape))]
    sizes = [length if i == axis else d for i, d in enumerate(shape)]
    t = TensorBuilder(b.builder)
    return t.slice(x.value, starts, sizes, [1] * len(shape))


def pad(
    b: Emitter,
    x: Operand,
    width: Widths,
    mode: str = "constant",
    constant_values: Operand = ZERO,
) -> Operand:
    """Put a number before and after the elements along each axis.

    `width` is one number, (before, after), or such a pair for each axis.
    """
    assert mode == "constant"
    tensor = strong(b, x)
    shape = b.shape(tensor)
    value = materialize(b, constant_values, tensor.type.element)
    for axis, (before, after) in enumerate(_pad_widths(b, width, len(shape))):
        own = b.shape(tensor)
        left, right = (
            [broadcast(b, value, (*own[:axis], n, *own[axis + 1 :]))] if n else []
            for n in (before, after)
        )
        parts = [*left, tensor.value, *right]
        if len(parts) > 1:
            tensor = Tensor(TensorBuilder(b.builder).concatenate(parts, axis))
    return tensor


def _pad_widths(b: Emitter, width: Widths, rank: int) -> list[tuple[int, int]]:
    if isinstance(width, int):
        pairs = [(width, width)] * rank
    else:
        items: list[object] = list(width)
        if items and all(isinstance(i, int) for i in items):
            items = [items * 2 if len(items) == 1 else items]
        if len(items) == 1:
            items = items * rank
        pairs = []
        for item in items:
            pair = (item, item) if isinstance(item, int) else item
            if not isinstance(pair, Sequence) or len(pair) not in (1, 2):
                raise size_error(b, f"pad: {item} is no pair (before, after)")
            pairs.append((int(pair[0]), int(pair[-1])))
    if len(pairs) != rank:
        message = f"pad: {len(pairs)} pairs of widths for a tensor of rank {rank}"
        raise size_error(b, message)
    if any(n < 0 for pair in pairs for n in pair):
        raise size_error(b, f"pad: a width in {tuple(pairs)} is negative")
    return pairs


# Making


def tri(b: Emitter, n: Dim, m: Dim | None = None, k: int = 0) -> Operand:
    """Return ones on and below the k-th diagonal of an n x m matrix, zeros above."""
    below = compare_places(b, (n, n if m is None else m), k, "ge")
    return Tensor(cast(b, below, b.default_float))


def eye(b: Emitter, n: Dim, m: Dim | None = None, k: int = 0) -> Operand:
    """Return ones on the k-th diagonal of an n x m matrix, zeros elsewhere."""
    equal = compare_places(b, (n, n if m is None else m), k, "eq")
    return Tensor(cast(b, equal, b.default_float))


def tril(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return x on and below the k-th diagonal, 0 above."""
    tensor = _matrix(b, x, "tril")
    below = compare_places(b, b.shape(tensor), k, "ge")
    return select(b, Tensor(below), tensor, number(False))


def triu(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return x on and above the k-th diagonal, 0 below."""
    tensor = _matrix(b, x, "triu")
    below = compare_places(b, b.shape(tensor), k - 1, "ge")
    return select(b, Tensor(below), number(False), tensor)


def _matrix(b: Emitter, x: Operand, what: str) -> Tensor:
    tensor = strong(b, x)
    if tensor.type.rank < 2:
        message = f"{what} takes a matrix, got {spell_type(tensor.type)}"
        raise size_error(b, message)
    return tensor


def compare_places(b: Emitter, shape: Shape, k: int, predicate: str) -> Value:
    """Compare row + k with the column, in the last two axes of a shape."""
    require_sizes(b, shape)
    t = TensorBuilder(b.builder)
    rank = len(shape)
    row, column = t.iota(shape, rank - 2, I64), t.iota(shape, rank - 1, I64)
    if k:
        row = t.add(row, broadcast(b, constant(b, k, I64), shape))
    return t.compare(predicate, row, column)


def linspace(b: Emitter, start: Operand, stop: Operand, num: Dim = 50) -> Operand:
    """Return `num` numbers from start to stop, both included, at equal distances."""
    if isinstance(num, int) and num < 0:
        raise size_error(b, f"linspace: the number of elements is negative: {num}")
    element = common_element(b, [start, stop])
    typed = any(isinstance(o, Tensor) and not o.weak for o in (start, stop))
    if not element.is_float or not typed:
        element = b.default_float
    ends = (start, stop)
    plain = [o.number for o in ends if isinstance(o, Scalar) and o.source is None]
    known = [float(k) for k in plain if isinstance(k, int | float)]
    if len(known) == 2 and isinstance(num, int):
        line = np.linspace(known[0], known[1], num)
        return Tensor(materialize(b, Literal(line), element))
    first, last = (Tensor(materialize(b, o, element)) for o in ends)
    t = TensorBuilder(b.builder)
    counts = Tensor(t.iota((num,), 0, I64))
    places = Tensor(cast(b, counts.value, element))
    width = elementwise(b, "sub", [last, first])
    step = elementwise(b, "div", [width, number(maximum(num - 1, 1))])
    inside = elementwise(b, "add", [elementwise(b, "mul", [places, step]), first])
    at_end = elementwise(b, "eq", [counts, Tensor(size_value(b, maximum(num - 1, 1)))])
    return select(b, at_end, last, inside)


# With the shape of another


def zeros_like(b: Emitter, x: Operand) -> Operand:
    """Return zeros with the shape and type of a tensor."""
    return full_like(b, x, number(0))


def ones_like(b: Emitter, x: Operand) -> Operand:
    """Return ones with the shape and type of a tensor."""
    return full_like(b, x, number(1))


def full_like(b: Emitter, x: Operand, value: Operand) -> Operand:
    """Return one number, or a tensor that is repeated, with x's shape and type."""
    tensor = strong(b, x)
    single = materialize(b, value, tensor.type.element)
    shape, own = b.shape(tensor), b.shape(Tensor(single))
    pairs = zip(own[::-1], shape[::-1], strict=False)
    if len(own) > len(shape) or not all(
        spreads(b, o, d) or b.unify(o, d) for o, d in pairs
    ):
        message = f"full_like: {spell_shape(own)} does not fill {spell_shape(shape)}"
        raise size_error(b, message)
    last = shape[len(shape) - len(own) :]
    wanted = [1 if spreads(b, o, w) else w for o, w in zip(own, last, strict=True)]
    return Tensor(broadcast(b, pinned(b, Tensor(single), tuple(wanted)).value, shape))
