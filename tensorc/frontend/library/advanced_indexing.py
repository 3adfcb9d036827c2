"""Indexing with integer arrays and computed indices, and new values for parts.

NumPy's rules: the index arrays are broadcast together, with single indices among them;
their axes stand where the first of them was, or in front if anything stands between
them. A `Layout` says all of that about one index expression. Reading is a gather, then
slices; writing is a scatter of what the gather gives, with the slices changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.frontend.library import indexing
from tensorc.frontend.library.indexing import At, Index, NewAxis, SlicePart, index_error
from tensorc.frontend.library.operands import (
    KINDS,
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    broadcast,
    common_shape,
    is_strong,
    kind_of,
    kind_of_element,
    materialize,
    pinned,
    size_error,
    size_value,
    spell_element,
    spell_shape,
    spell_type,
    spreads,
    strong,
    type_error,
    unsupported,
)
from tensorc.frontend.library.suspicions import warn_of_columns
from tensorc.ir.core import Value
from tensorc.ir.ops.tensor.elementwise import Add, Select
from tensorc.ir.ops.tensor.indexing import ADD, SET, TakeAlongAxis
from tensorc.ir.ops.tensor.making import Iota
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import BF16, I1, TensorType


@dataclass(frozen=True, slots=True)
class Layout:
    """What indices with arrays among them mean.

    `indices` (all of one shape) select on `axes`; then the axes are put into `order`,
    if there is one, and `items` are slices and new axes of that.
    """

    axes: tuple[int, ...]
    indices: tuple[Value, ...]
    order: tuple[int, ...] | None
    items: tuple[SlicePart | NewAxis, ...]


def take(b: Emitter, x: TensorOperand, indices: Sequence[Index]) -> TensorOperand:
    """Return x[indices]."""
    if not _has_arrays(b, indices):
        return indexing.take(b, x, indices)
    pairs = _take_pairs(b, x, indices)
    if pairs is not None:
        return pairs
    items = list(indexing.per_axis(b, x, indices))
    if x.type.rank == 2 and len(items) == 2 and items[0] == SlicePart():
        warn_of_columns(b, x, items[1])
    layout = _layout(b, x, indices)
    return indexing.take(b, _gathered(b, x, layout), layout.items)


def put(
    b: Emitter, x: TensorOperand, indices: Sequence[Index], new: Operand, combine: str
) -> TensorOperand:
    """Return x with new values set at, or added to, x[indices]; all else is as it was.

    `new` is broadcast to the part and converted as numpy's "same kind" allows. Places
    that are meant twice get the last value, or all of them one after the other.
    """
    element = x.type.element
    if combine == ADD and element == I1:
        message = f"nothing is added to booleans, {spell_type(x.type)}"
        raise type_error(b, message, "set them: x.at[i].set(v)")
    if any(is_mask(i) for i in indices):
        return _put_masked(b, x, indices, new, combine)
    value = _converted(b, new, x.type)
    if not _has_arrays(b, indices):
        return _put_part(b, x, indices, value, combine)
    layout = _layout(b, x, indices)
    t = TensorBuilder(b.builder)
    part = _gathered(b, x, layout)
    if combine == ADD:
        # What adding it changes nothing at all: not even the sign of a zero.
        nothing = -0.0 if element.is_float else 0
        part = TensorOperand(t.full_like(part.value, nothing))
    values = _put_part(b, part, layout.items, value, SET).value
    if layout.order is not None:
        back = sorted(range(len(layout.order)), key=layout.order.__getitem__)
        values = t.transpose(values, back)
    return TensorOperand(
        t.scatter(x.value, values, layout.indices, layout.axes, combine)
    )


def is_mask(index: Index) -> bool:
    """Tell an array of booleans, which means the places where it is true."""
    return isinstance(index, TensorOperand) and index.type.element == I1


def _put_masked(
    b: Emitter, x: TensorOperand, indices: Sequence[Index], new: Operand, combine: str
) -> TensorOperand:
    """Return x with new values where a mask is true, which is one of the indices.

    The mask stands for as many axes as it has. What the others select is computed
    whole, with the new values chosen by element; so these may not go along the mask.
    """
    before, mask, behind = _split_at_mask(b, indices)
    rank = mask.type.rank
    whole = [*before, *[SlicePart()] * rank, *behind]
    part = take(b, x, whole)
    axis = sum(isinstance(i, SlicePart | NewAxis) for i in before)
    if any(isinstance(i, indexing.Rest) for i in before):
        axis = part.type.rank - rank
        axis -= sum(isinstance(i, SlicePart | NewAxis) for i in behind)
    shape = b.shape(part)
    own, wanted = b.shape(mask), shape[axis : axis + rank]
    if not all(b.unify(m, s) for m, s in zip(own, wanted, strict=True)):
        message = f"a mask of shape {spell_shape(own)} does not fit axes of sizes "
        raise size_error(b, f"{message}{spell_shape(wanted)}")
    value = _converted(b, new, x.type)
    given = tensor_type(value).rank
    after = part.type.rank - axis - rank
    if given > after or (given and any(isinstance(i, At) for i in indices)):
        way = "choose by element: `x = where(mask, v, x)`"
        raise unsupported(b, "new values along a mask", way)
    t = TensorBuilder(b.builder)
    spread = _spread(b, value, shape)
    if combine == ADD:
        spread = t(Add, part.value, spread)
    ones = [1] * after
    chosen = t.reshape(mask.value, (*own, *ones)) if ones else mask.value
    placed = t(Select, broadcast(b, chosen, shape), spread, part.value)
    return put(b, x, whole, TensorOperand(placed), SET)


def _split_at_mask(
    b: Emitter, indices: Sequence[Index]
) -> tuple[list[Index], TensorOperand, list[Index]]:
    """Return the mask among indices, with those before and behind it."""
    index = next(i for i, item in enumerate(indices) if is_mask(item))
    mask = indices[index]
    assert isinstance(mask, TensorOperand)
    before, behind = list(indices[:index]), list(indices[index + 1 :])
    if not mask.type.rank or any(
        isinstance(i, TensorOperand) for i in (*before, *behind)
    ):
        way = "make one mask: `where(m[:, None] & n, v, x)`"
        raise unsupported(b, "a mask beside another array of indices", way)
    return before, mask, behind


def _has_arrays(b: Emitter, indices: Sequence[Index]) -> bool:
    """Tell whether there is an index array; all of them must be of integers."""
    arrays = [i for i in indices if isinstance(i, TensorOperand)]
    for array in arrays:
        if array.type.element == I1:
            way = "a sum: `sum(where(c, x, 0))`; a mean: that / `sum(c)`"
            raise unsupported(b, "indexing with a mask", "write `where(c, x, v)`", way)
        if not array.type.element.is_integer:
            message = f"an index must be an integer, got {spell_type(array.type)}"
            raise type_error(b, message, "cast it: `int(i)`")
    return bool(arrays)


def _gathered(b: Emitter, x: TensorOperand, layout: Layout) -> TensorOperand:
    t = TensorBuilder(b.builder)
    value = t.gather(x.value, layout.indices, layout.axes)
    return TensorOperand(
        value if layout.order is None else t.transpose(value, layout.order)
    )


def _layout(b: Emitter, x: TensorOperand, indices: Sequence[Index]) -> Layout:
    """Read an index expression that has arrays."""
    axes, arrays = list[int](), list[Value]()
    rest: list[SlicePart | NewAxis] = []
    index = 0  # of the arrays' axes among the others
    axis = 0
    for item in indexing.per_axis(b, x, indices):
        if isinstance(item, SlicePart | NewAxis):
            rest.append(item)
        else:
            index = index if axes else len(rest)
            axes.append(axis)
            arrays.append(_index_value(b, x, item, axis))
        axis += not isinstance(item, NewAxis)
    what = "the index arrays do not fit each other"
    shapes = [b.resolve(tensor_type(a).shape) for a in arrays]
    shape = common_shape(b, shapes, what)
    own = [SlicePart()] * len(shape)
    order: tuple[int, ...] | None = None
    if _are_apart(indices):
        first, rank = axes[0], len(shape)
        total = x.type.rank - len(axes) + rank
        if first and rank:
            middle = range(first, first + rank)
            order = (*middle, *range(first), *range(first + rank, total))
        index = 0
    items = (*rest[:index], *own, *rest[index:])
    spread = tuple([broadcast(b, array, shape) for array in arrays])
    return Layout(tuple(axes), spread, order, items)


def _are_apart(indices: Sequence[Index]) -> bool:
    """Tell whether something stands between the arrays and single indices."""
    named = [
        i for i, item in enumerate(indices) if isinstance(item, At | TensorOperand)
    ]
    return named[-1] - named[0] >= len(named)


def _index_value(b: Emitter, x: TensorOperand, item: Index, axis: int) -> Value:
    if isinstance(item, TensorOperand):
        return item.value
    assert isinstance(item, At)
    size = b.shape(x)[axis]
    known = isinstance(item.index, int) and isinstance(size, int)
    if known and not -size <= item.index < size:  # type: ignore[operator]
        message = f"index {item.index} is out of range for axis {axis} with size {size}"
        raise index_error(b, message)
    return size_value(b, item.index)


def _take_pairs(
    b: Emitter, x: TensorOperand, indices: Sequence[Index]
) -> TensorOperand | None:
    """Return x[range(n), y] as one pick per row; None if it is something else."""
    tensors = [i for i in indices if isinstance(i, TensorOperand)]
    counted = [i for i, t in enumerate(tensors) if _counts(t)]
    shape = b.shape(x)
    is_pair = len(tensors) == len(indices) == len(shape) == 2
    if not is_pair or not counted or any(t.type.rank != 1 for t in tensors):
        return None
    along = counted[0]
    axis = 1 - along
    lengths: Shape = (b.shape(tensors[along])[0], b.shape(tensors[axis])[0])
    if isinstance(lengths[0], int) and lengths[0] != shape[along]:
        return None  # some rows of x: how many it has is not said
    if not (b.unify(shape[along], lengths[0]) and b.unify(lengths[0], lengths[1])):
        return None
    t = TensorBuilder(b.builder)
    return TensorOperand(t(TakeAlongAxis, x.value, tensors[axis].value, axis=axis))


def _counts(tensor: TensorOperand) -> bool:
    return isinstance(tensor.value.op, Iota) and tensor.type.rank == 1


# New values for a part


def _put_part(
    b: Emitter, x: TensorOperand, indices: Sequence[Index], value: Value, combine: str
) -> TensorOperand:
    """Return x with values set at, or added to, a part without index arrays."""
    part = indexing.region(b, x, indices)
    t = TensorBuilder(b.builder)
    placed = _spread(b, value, part.kept)
    sizes = b.resolve(part.sizes)  # what is known from the new values is in it
    if part.kept != part.sizes:
        placed = t.reshape(placed, sizes)
    if not part.is_whole:
        placed = t.unslice(placed, part.starts, b.shape(x), part.steps)
    if combine == ADD:
        placed = t(Add, x.value, placed)
    if part.is_whole:
        return TensorOperand(placed)
    inside = t.full(sizes, True, I1)
    inside = t.unslice(inside, part.starts, b.shape(x), part.steps)
    return TensorOperand(t(Select, inside, placed, x.value))


def _converted(b: Emitter, new: Operand, like: TensorType) -> Value:
    """Return new values with the type of what they go into."""
    element = like.element
    if is_strong(new):
        given = strong(b, new).type.element
        if BF16 in (given, element):  # of which NumPy knows no kind
            kinds = [KINDS.index(kind_of_element(e)) for e in (given, element)]
            fits = kinds[0] <= kinds[1]
        else:
            fits = np.can_cast(given.dtype, element.dtype, "same_kind")
        name = spell_element(given)
    else:
        kind = kind_of(new)
        fits = KINDS.index(kind) <= KINDS.index(kind_of_element(element))
        name = f"a number ({kind})"
    if not fits:
        message = f"{name} does not go into {spell_type(like)} without loss"
        raise type_error(b, message, "cast one of them: v.astype(x.dtype)")
    return materialize(b, new, element)


def _spread(b: Emitter, value: Value, shape: Shape) -> Value:
    """Broadcast new values to the part; they may not be larger than it."""
    given = b.resolve(tensor_type(value).shape)
    last = shape[len(shape) - len(given) :]
    fits = len(given) <= len(shape) and all(
        spreads(b, own, wanted) or b.unify(own, wanted)
        for own, wanted in zip(given, last, strict=True)
    )
    if not fits:
        message = f"values of shape {spell_shape(given)} do not go into a part of "
        raise size_error(b, f"{message}shape {spell_shape(b.resolve(shape))}")
    return broadcast(b, pinned(b, TensorOperand(value), given).value, shape)
