"""Rows of to-structured for ops that make and move elements, mostly without a loop."""

from tensorc.ir.attributes import Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.tensor import making
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.types import I1, I64, INDEX
from tensorc.passes.common.structured_builder import cast, compare, scalar, size
from tensorc.passes.structured.views import Axes, Lowering, MappedRead, tensor, whole


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
    type_ = tensor(op.result)
    kept: Axes = tuple(
        axis if old == type_.shape[axis] or old != 1 else None
        for old, axis in zip(source.type.shape, op.axes, strict=True)
    )
    axes = tuple(None if a is None else kept[a] for a in source.axes)
    return MappedRead(type_, source.base, axes, source.constant)


def transpose(low: Lowering, op: shapes.Transpose) -> MappedRead:
    """Read the operand through a map that reorders its axes."""
    source = low.views[op.operand]
    where = {old: new for new, old in enumerate(op.permutation)}
    axes = tuple(None if a is None else where[a] for a in source.axes)
    return MappedRead(tensor(op.result), source.base, axes, source.constant)


def reshape(low: Lowering, op: shapes.Reshape) -> MappedRead:
    """Read the operand through a map if only axes of size 1 change."""
    source = low.views[op.operand]
    type_ = tensor(op.result)
    if source.constant is not None:
        return MappedRead(type_, None, (), source.constant)
    old = [i for i, d in enumerate(source.type.shape) if d != 1]
    new = [i for i, d in enumerate(type_.shape) if d != 1]
    same = [source.type.shape[i] for i in old] == [type_.shape[i] for i in new]
    if same:
        where = dict(zip(old, new, strict=True))
        axes = tuple(None if a is None else where.get(a) for a in source.axes)
        return MappedRead(type_, source.base, axes)
    base = low.materialize(source)
    return whole(low.b.value(shapes.Reshape, base, shape=op.shape))


def slice(low: Lowering, op: shapes.Slice) -> MappedRead:
    """Read at start + index * step."""
    b = low.b
    operand = low.views[op.operand]
    if operand.base is None:
        return MappedRead(tensor(op.result), None, (), operand.constant)
    base = operand.base

    def body(_: list[Value]) -> list[Value]:
        indices = {}
        for axis, (start, step) in enumerate(
            zip(op.starts.dims, op.steps, strict=True)
        ):
            indices[axis] = _shifted(b, low.index(axis), start, step)
        return [low.read_at(base, operand.axes, indices)]

    return whole(low.pointwise([], tensor(op.result), body))


def _shifted(b: Builder, index: Value, start: Dim, step: int) -> Value:
    if step != 1:
        index = b.value(arith.MulI, index, scalar(b, step, INDEX))
    if start != 0:
        index = b.value(arith.AddI, index, size(b, start))
    return index


def unslice(low: Lowering, op: shapes.Unslice) -> MappedRead:
    """Read where an index falls into the part, 0 elsewhere."""
    b = low.b
    source, type_ = low.views[op.operand], tensor(op.result)
    part = source.type
    slices = list(zip(op.starts.dims, op.steps, part.shape, type_.shape, strict=True))
    # Along these axes the part is all there is, and each index falls into it.
    full = [a for a, (at, by, n, m) in enumerate(slices) if (at, by, n) == (0, 1, m)]
    others = [n for a, n in enumerate(part.shape) if a not in full]
    has_elements = all(isinstance(n, int) and n > 0 for n in others)

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

    if 0 in part.shape:
        return MappedRead(type_, None, (), Typed(0, part.element))
    return whole(low.pointwise([], type_, body))


def concatenate(low: Lowering, op: shapes.Concatenate) -> MappedRead:
    """Choose the part by the index along the axis; the last one is not asked for."""
    b = low.b
    type_ = tensor(op.result)
    parts = [low.views[v] for v in op.parts if tensor(v).shape[op.axis] != 0]

    def element(part: MappedRead, start: Dim, index: Value, inside: Value) -> Value:
        if part.constant is not None:
            return b.value(arith.Constant, value=part.constant)
        assert part.base is not None
        zero = scalar(b, 0, INDEX)
        at = b.value(arith.SubI, index, size(b, start))
        # Elsewhere a part gives its first element in vain, which may be empty.
        is_known = isinstance(part.type.shape[op.axis], int)
        axes = [op.axis] if is_known else range(part.type.rank)
        indices = {a: at if a == op.axis else low.index(a) for a in axes}
        inner = {a: b.value(arith.Select, inside, i, zero) for a, i in indices.items()}
        return low.read_at(part.base, part.axes, inner)

    def body(_: list[Value]) -> list[Value]:
        index = low.index(op.axis)
        end = type_.shape[op.axis]
        result: Value | None = None
        for part in reversed(parts):
            start = end + part.type.shape[op.axis] * -1
            below = compare(b, "lt", index, size(b, end))
            above = compare(b, "ge", index, size(b, start))
            inside = b.value(arith.AndI, below, above)
            value = element(part, start, index, inside)
            if result is not None:
                value = b.value(arith.Select, below, value, result)
            result, end = value, start
        assert result is not None
        return [result]

    if len(parts) < 2:
        return parts[0] if parts else low.views[op.parts[0]]
    return whole(low.pointwise([], type_, body))


def iota(low: Lowering, op: making.Iota) -> MappedRead:
    """Give the index along an axis."""

    def body(_: list[Value]) -> list[Value]:
        index = cast(low.b, low.index(op.axis), I64)
        return [cast(low.b, index, op.element)]

    return whole(low.pointwise([], tensor(op.result), body))


def dim(low: Lowering, op: shapes.Size) -> MappedRead:
    """Give a size, as a constant if it is known."""
    extent = tensor(op.operand).shape[op.axis]
    type_ = tensor(op.result)
    if isinstance(extent, int):
        return MappedRead(type_, None, (), Typed(extent, I64))
    return whole(
        low.pointwise([], type_, lambda _: [cast(low.b, size(low.b, extent), I64)])
    )
