"""Rows of to-structured for ops that make and move elements, mostly without a loop."""

from collections.abc import Sequence

from tensorc.ir.attributes import Affine, Dims, MapResult, Typed, affine
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, known_at_most
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Empty
from tensorc.ir.ops.tensor import making
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.types import I1, I64, INDEX, TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.structured_builder import (
    cast,
    compare,
    empty,
    scalar,
    size,
)
from tensorc.passes.structured.views import (
    Axes,
    Lowering,
    MappedRead,
    whole,
)


def constant(low: Lowering, op: making.Constant) -> MappedRead:
    """View a constant of one number as that number."""
    array = op.value.value
    type_ = op.value.type
    flat = array.reshape(-1)
    if flat.size and flat.tobytes() == flat[:1].tobytes() * flat.size:
        return MappedRead(type_, None, (), Typed(flat[0].item(), type_.element))
    return whole(low.b.value(making.Constant, value=op.value))


def broadcast(low: Lowering, op: shapes.Broadcast) -> MappedRead:
    """Read the operand through a map that repeats it."""
    source = low.views[op.operand]
    type_ = tensor_of(op.result)
    kept: Axes = tuple(
        axis if old == type_.shape[axis] or old != 1 else None
        for old, axis in zip(source.type.shape, op.axes, strict=True)
    )
    return source.through(type_, kept)


def transpose(low: Lowering, op: shapes.Transpose) -> MappedRead:
    """Read the operand through a map that reorders its axes."""
    source = low.views[op.operand]
    where = tuple([op.permutation.index(old) for old in range(source.type.rank)])
    return source.through(tensor_of(op.result), where)


def reshape(low: Lowering, op: shapes.Reshape) -> MappedRead:
    """Read the operand through a map if only axes of size 1 change.

    So it is where axes of a part or a transpose are split; a whole is free to reshape.
    """
    return reshaped(low, low.views[op.operand], tensor_of(op.result).shape)


def reshaped(low: Lowering, source: MappedRead, shape: Sequence[Dim]) -> MappedRead:
    """Return the elements of a view in another shape of as many."""
    type_ = TensorType(tuple(shape), source.type.element)
    if source.constant is not None:
        return MappedRead(type_, None, (), source.constant)
    old = [i for i, d in enumerate(source.type.shape) if d != 1]
    new = [i for i, d in enumerate(type_.shape) if d != 1]
    same = [source.type.shape[i] for i in old] == [type_.shape[i] for i in new]
    if same:
        moved = dict(zip(old, new, strict=True))
        where = tuple([moved.get(axis) for axis in range(source.type.rank)])
        return source.through(type_, where)
    split = None if source.is_whole else _split(source.type.shape, type_.shape)
    if split is not None:
        return source.through(type_, split)
    base = low.materialize(source)
    return whole(low.b.value(shapes.Reshape, base, shape=Dims(type_.shape)))


def _split(old: Sequence[Dim], new: Sequence[Dim]) -> Axes | None:
    """Return the index of each old axis in terms of new ones that it is split into.

    None if axes are merged, or what they are split into has unknown sizes inside.
    """
    if 0 in new:
        return None
    rest = [(axis, size_) for axis, size_ in enumerate(new) if size_ != 1]
    found: list[MapResult] = []
    for whole_size in old:
        group: list[tuple[int, Dim]] = []
        total: Dim = 1
        while total != whole_size and rest:
            group.append(rest.pop(0))
            total = total * group[-1][1]
        if total != whole_size:
            return None
        terms: list[tuple[int, int]] = []
        below = 1
        for axis, size_ in reversed(group):
            terms.append((axis, below))
            if axis != group[0][0]:
                if not isinstance(size_, int):
                    return None
                below *= size_
        alone = len(group) == 1
        found.append(group[0][0] if alone else affine(0, terms))
    return None if rest else tuple(found)


def slice(low: Lowering, op: shapes.Slice) -> MappedRead:
    """Read at start + index * step."""
    source, type_ = low.views[op.operand], tensor_of(op.result)
    parts = zip(op.starts.dims, op.steps, source.type.shape, type_.shape, strict=True)
    where = tuple([part_axis(axis, *part) for axis, part in enumerate(parts)])
    return source.through(type_, where)


def part_axis(axis: int, start: Dim, step: int, whole: Dim, part: Dim) -> MapResult:
    """Return the index into an axis of a tensor, along that axis of a part of it."""
    if part == 1:
        return affine(start, ())
    is_whole = (start, step, part) == (0, 1, whole)
    return axis if is_whole else Affine(start, ((axis, step),))


def unslice(low: Lowering, op: shapes.Unslice) -> MappedRead:
    """Write the part, and zeros around it.

    Calls may refuse the part (ir/call_guards.py): of one that leaves less than nothing
    on a side whatever the call, no element is ever written.
    """
    source, type_ = low.views[op.operand], tensor_of(op.result)
    zero = Typed(0, type_.element)
    if 0 in source.type.shape:
        return MappedRead(type_, None, (), zero)
    if any(step != 1 for step in op.steps):
        return _spread(low, op)
    return surrounded(low, source, type_.shape, op.starts.dims, zero)


def surrounded(
    low: Lowering,
    source: MappedRead,
    shape: Sequence[Dim],
    begins: Sequence[Dim],
    fill: Typed,
) -> MappedRead:
    """Return a view of a shape with a part of it at `begins`, and `fill` around it."""
    type_ = TensorType(tuple(shape), source.type.element)
    target = empty(low.b, type_)
    starts: tuple[Dim, ...] = (0,) * type_.rank
    sizes = type_.shape
    # Before and behind the part along each axis: within it along the axes before.
    for axis, (start, part) in enumerate(zip(begins, source.type.shape, strict=True)):
        end = start + part
        for at, size_ in ((0, start), (end, type_.shape[axis] - end)):
            if known_at_most(size_, -1):
                return MappedRead(type_, None, (), fill)
            if size_ != 0:
                rest = TensorType(_put(sizes, axis, size_), type_.element)
                filled = MappedRead(rest, None, (), fill)
                target = write_part(low, target, filled, _put(starts, axis, at))
        starts, sizes = _put(starts, axis, start), _put(sizes, axis, part)
    return whole(write_part(low, target, source, starts))


def _put(dims: tuple[Dim, ...], axis: int, dim: Dim) -> tuple[Dim, ...]:
    return (*dims[:axis], dim, *dims[axis + 1 :])


def _spread(low: Lowering, op: shapes.Unslice) -> MappedRead:
    """Read where an index falls into the part, 0 elsewhere."""
    b = low.b
    source, type_ = low.inside(low.views[op.operand]), tensor_of(op.result)
    part = source.type
    slices = list(zip(op.starts.dims, op.steps, part.shape, type_.shape, strict=True))
    # Along these axes the part is all there is, and each index falls into it.
    full = [a for a, (at, by, n, m) in enumerate(slices) if (at, by, n) == (0, 1, m)]
    others = [n for a, n in enumerate(part.shape) if a not in full]
    has_elements = all(isinstance(n, int) and n > 0 for n in others)
    if not has_elements:
        source = whole(low.materialize(source))

    def body(_: list[Value]) -> list[Value]:
        inside = scalar(b, 1, I1)
        indices = {}
        zero = scalar(b, 0, INDEX)
        for axis, (start, step, extent, _m) in enumerate(slices):
            if axis in full:
                continue
            offset = b.value(arith.SubI, low.index(axis), size(b, start))
            divisor = scalar(b, step, INDEX)
            at = b.value(arith.FloorDivSI, offset, divisor)
            back = b.value(arith.MulI, at, divisor)
            for holds in (
                compare(b, "eq", back, offset),
                compare(b, "ge", at, zero),
                compare(b, "lt", at, size(b, extent)),
            ):
                inside = b.value(arith.AndI, inside, holds)
            indices[axis] = at
        # Outside of the part, which may be empty, its first element is read in vain.
        if not has_elements:
            indices.update((axis, low.index(axis)) for axis in full)
        indices = {
            axis: b.value(arith.Select, inside, at, zero)
            for axis, at in indices.items()
        }
        if source.constant is not None:
            value = b.value(arith.Constant, value=source.constant)
        else:
            assert source.base is not None
            value = low.read_at(source.base, source.axes, indices)
        return [b.value(arith.Select, inside, value, scalar(b, 0, part.element))]

    return whole(low.pointwise([], type_, body))


def concatenate(low: Lowering, op: shapes.Concatenate) -> MappedRead:
    """Write each part where it belongs; what is empty is left out."""
    type_ = tensor_of(op.result)
    parts = [low.views[v] for v in op.parts if tensor_of(v).shape[op.axis] != 0]
    if len(parts) < 2:
        return parts[0] if parts else low.views[op.parts[0]]
    target = empty(low.b, type_)
    start: Dim = 0
    for part in parts:
        starts = tuple([start if a == op.axis else 0 for a in range(type_.rank)])
        target = write_part(low, target, part, starts)
        start = start + part.type.shape[op.axis]
    return whole(target)


def write_part(
    low: Lowering, target: Value, part: MappedRead, starts: Sequence[Dim]
) -> Value:
    """Append a generic that writes a part of a destination; return the new value.

    What others wrote parts of stays in part even where this one has the size of all:
    they are empty, or the call is refused.
    """
    type_ = tensor_of(target)
    sizes = list(zip(starts, type_.shape, part.type.shape, strict=True))
    is_all = all((start, n) == (0, m) for start, n, m in sizes)
    in_part = is_all and not isinstance(target.op, Empty)
    axes = tuple(
        [
            axis
            if (start, n) == (0, m) and not in_part
            else Affine(start, ((axis, 1),))
            for axis, (start, n, m) in enumerate(sizes)
        ]
    )
    reads = [(part, tuple(range(part.type.rank)))]
    return low.loop(reads, [(type_, axes, target)], lambda values: values)[0]


def iota(low: Lowering, op: making.Iota) -> MappedRead:
    """Give the index along an axis."""

    def body(_: list[Value]) -> list[Value]:
        index = cast(low.b, low.index(op.axis), I64)
        return [cast(low.b, index, op.element)]

    return whole(low.pointwise([], tensor_of(op.result), body))


def dim(low: Lowering, op: shapes.Size) -> MappedRead:
    """Give a size, as a constant if it is known."""
    extent = tensor_of(op.operand).shape[op.axis]
    type_ = tensor_of(op.result)
    if isinstance(extent, int):
        return MappedRead(type_, None, (), Typed(extent, I64))
    return whole(
        low.pointwise([], type_, lambda _: [cast(low.b, size(low.b, extent), I64)])
    )
