"""The prelude's functions that take, join and part tensors, for all doors."""

from collections.abc import Sequence

from tensorc.frontend.library import advanced_indexing
from tensorc.frontend.library.indexing import At, Index, SlicePart
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    TensorOperand,
    cast,
    common_element,
    pinned,
    size_error,
    spell_shape,
    spell_type,
    strong,
)
from tensorc.frontend.library.reductions import flatten_all, normal_axes
from tensorc.ir.dims import Dim, Poly, bound, floordiv, maximum, minimum
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.tensor_builder import TensorBuilder

MOST_PARTS = 10_000  # of a split: each is a value of its own


def take(b: Emitter, x: Operand, indices: Operand, axis: int | None = None) -> Operand:
    """Return what integer indices select along an axis; of all elements without one."""
    tensor = strong(b, x)
    if axis is None:
        tensor = flatten_all(b, tensor)
    at = normal_axes(b, 0 if axis is None else axis, tensor.type.rank)[0]
    known = indices.number if isinstance(indices, Scalar) else None
    plain = isinstance(known, int | Poly) and not isinstance(known, bool)
    index: Index = At(known) if plain else strong(b, indices)  # type: ignore[arg-type]
    return advanced_indexing.take(b, tensor, [*[SlicePart()] * at, index])


def concatenate(b: Emitter, arrays: Sequence[Operand], axis: int | None = 0) -> Operand:
    """Put tensors one after the other along an axis; without one, flat tensors."""
    if not arrays:
        raise size_error(b, "concatenate needs at least one tensor")
    tensors = [strong(b, a) for a in arrays]
    if axis is None:
        tensors, axis = [flatten_all(b, t) for t in tensors], 0
    first = b.shape(tensors[0])
    at = normal_axes(b, axis, len(first))[0]
    for other in tensors[1:]:
        shape = b.shape(other)
        claim = f"concatenate: {spell_shape(first)} and {spell_shape(shape)} fit"
        fits = len(shape) == len(first) and all(
            i == at or b.match(*pair, claim)
            for i, pair in enumerate(zip(first, shape, strict=True))
        )
        if not fits:
            shapes = f"{spell_type(tensors[0].type)} and {spell_type(other.type)}"
            message = f"{shapes} do not fit one after the other along axis {at}"
            raise size_error(b, message)
    element = common_element(b, tensors)
    values = [cast(b, t.value, element) for t in tensors]
    return TensorOperand(TensorBuilder(b.builder)(Concatenate, *values, axis=at))


def stack(b: Emitter, arrays: Sequence[Operand], axis: int = 0) -> Operand:
    """Put tensors of one shape side by side along a new axis."""
    rows: list[Operand] = []
    tensors = [strong(b, array) for array in arrays]
    for tensor in tensors:
        first, shape = b.shape(tensors[0]), b.shape(tensor)
        claim = f"stack: {spell_shape(first)} and {spell_shape(shape)} fit"
        pairs = zip(first, shape, strict=False)
        if len(first) != len(shape) or not all(b.match(*pair, claim) for pair in pairs):
            shapes = f"{spell_shape(first)} and {spell_shape(shape)}"
            raise size_error(b, f"stack: shapes differ: {shapes}")
        at = normal_axes(b, axis, len(shape) + 1)[0]
        wide = (*shape[:at], 1, *shape[at:])
        rows.append(TensorOperand(TensorBuilder(b.builder).reshape(tensor.value, wide)))
    return concatenate(b, rows, axis)


def split(
    b: Emitter, x: Operand, parts: int | Sequence[Dim], axis: int = 0
) -> tuple[Operand, ...]:
    """Return a number of equal parts, or the parts between indices of an axis."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    at = normal_axes(b, axis, len(shape))[0]
    ends = [*_part_ends(b, shape[at], parts), shape[at]]
    if not isinstance(parts, Sequence):
        whole = (*shape[:at], ends[0] * parts, *shape[at + 1 :])
        tensor = pinned(b, tensor, whole)
    return _between(b, tensor, at, ends)


def array_split(
    b: Emitter, x: Operand, parts: int | Sequence[Dim], axis: int = 0
) -> tuple[Operand, ...]:
    """Return a number of parts, the first ones longer by 1 where they are not equal."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    at = normal_axes(b, axis, len(shape))[0]
    if isinstance(parts, Sequence):
        return split(b, x, parts, axis)
    _require_parts(b, parts)
    size = shape[at]
    length = floordiv(size, parts)
    more = size - length * parts
    ends = [length * i + minimum(i, more) for i in range(1, parts)]
    return _between(b, tensor, at, [*ends, size])


def _between(
    b: Emitter, tensor: TensorOperand, at: int, ends: Sequence[Dim]
) -> tuple[Operand, ...]:
    """Return the parts of an axis that end at some indices."""
    shape = b.shape(tensor)
    results: list[Operand] = []
    start: Dim = 0
    for end in ends:
        starts = [start if i == at else 0 for i in range(len(shape))]
        size = maximum(0, end - start)
        sizes = [size if i == at else d for i, d in enumerate(shape)]
        steps = [1] * len(shape)
        t = TensorBuilder(b.builder)
        results.append(TensorOperand(t.slice(tensor.value, starts, sizes, steps)))
        start = end
    return tuple(results)


def _part_ends(b: Emitter, size: Dim, parts: int | Sequence[Dim]) -> list[Dim]:
    """Return where the parts of an axis end, without the last; numpy's rules."""
    if isinstance(parts, Sequence):
        return [bound(at, size) for at in parts]
    _require_parts(b, parts)
    length = floordiv(size, parts)
    if not b.unify(length * parts, size):
        raise size_error(b, f"an axis of size {size} has no {parts} equal parts")
    return [length * (i + 1) for i in range(parts - 1)]


def _require_parts(b: Emitter, parts: int) -> None:
    if parts < 1:
        raise size_error(b, f"split needs a positive number of parts, got {parts}")
    if parts > MOST_PARTS:
        raise size_error(b, f"split into {parts} parts, at most {MOST_PARTS} can be")
