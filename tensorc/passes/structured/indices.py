"""Lower what reads and writes at computed indices, which are checked first."""

from dataclasses import replace

from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.tensor import indexing
from tensorc.ir.ops.tensor.order import ArgSort, TopK
from tensorc.ir.types import I64, INDEX
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.structured_builder import cast, compare, scalar, size
from tensorc.passes.structured.views import (
    Lowering,
    MappedRead,
    compose,
    whole,
    without,
)


def take_along_axis(low: Lowering, op: indexing.TakeAlongAxis) -> MappedRead:
    """Read one element per position of the indices."""
    b = low.b
    operand = low.inside(low.views[op.operand])
    extent = operand.type.shape[op.axis]
    indices = _checked(low, low.views[op.indices], op.axis, extent)
    base = low.materialize(operand) if operand.base is None else operand.base
    view = whole(base) if operand.base is None else operand
    type_ = tensor_of(op.result)
    kept = without(view.type.rank, op.axis)
    # The axes of the operand, in terms of the result's dimensions.
    ranks = range(view.type.rank)
    moved = tuple([-1 if a == op.axis else kept.index(a) for a in ranks])
    axes = compose(view.axes, moved)

    def body(values: list[Value]) -> list[Value]:
        return [low.read_at(base, axes, {-1: _wrapped(b, values[0], extent)})]

    return whole(low.pointwise([indices], type_, body))


def gather(low: Lowering, op: indexing.Gather) -> MappedRead:
    """Read at indices of several axes, which are computed where the reader stands."""
    b = low.b
    operand = low.inside(low.views[op.operand])
    whole_shape, first = operand.type.shape, op.axes[0]
    extents = [whole_shape[axis] for axis in op.axes]
    indices = [
        _checked(low, low.views[index], axis, extent)
        for axis, index, extent in zip(op.axes, op.indices, extents, strict=True)
    ]
    type_ = tensor_of(op.result)
    if operand.base is None:
        return MappedRead(type_, None, (), operand.constant)
    # Which dimension of the result the operand's other axes are; -1, -2, … computed.
    rank = indices[0].type.rank
    moved: list[int] = []
    for axis in range(len(whole_shape)):
        if axis in op.axes:
            moved.append(-1 - op.axes.index(axis))
        else:
            before = sum(a < axis for a in op.axes)
            moved.append(axis - before + (rank if before else 0))
    axes = compose(operand.axes, tuple(moved))
    base = operand.base

    def body(values: list[Value]) -> list[Value]:
        pairs = zip(values, extents, strict=True)
        wrapped = {-1 - i: _wrapped(b, v, e) for i, (v, e) in enumerate(pairs)}
        return [low.read_at(base, axes, wrapped)]

    dims = tuple(range(first, first + rank))
    writes = [(type_, tuple(range(type_.rank)), None)]
    return whole(low.loop([(i, dims) for i in indices], writes, body)[0])


def _wrapped(b: Builder, value: Value, extent: Dim) -> Value:
    """Return an index counted from the start; what has no sign counts from there."""
    index = cast(b, cast(b, value, I64), INDEX)
    negative = compare(b, "lt", index, scalar(b, 0, INDEX))
    from_end = b.value(arith.AddI, index, size(b, extent))
    return b.value(arith.Select, negative, from_end, index)


def scatter(low: Lowering, op: indexing.Scatter) -> MappedRead:
    """Keep the op, which is a kernel of its own, on whole tensors."""
    base, values = (low.materialize(low.views[v]) for v in op.operands[:2])
    shape = tensor_of(base).shape
    indices = []
    for axis, index in zip(op.axes, op.indices, strict=True):
        read = whole(low.materialize(low.views[index]))
        indices.append(low.materialize(_checked(low, read, axis, shape[axis])))
    attributes: dict[str, Attribute] = {"axes": op.axes, "combine": op.combine}
    given = [base, values, *indices]
    types = low.b.infer(indexing.Scatter, given, attributes)
    made = indexing.Scatter(given, types, attributes, [], low.b.location)
    return whole(low.b.block.append(made).result)


def order(low: Lowering, op: Op) -> tuple[MappedRead, ...]:
    """Keep an op that orders or searches rows; indices of elements are good ones."""
    operands = [low.materialize(low.views[v]) for v in op.operands]
    types = low.b.infer(type(op), operands, op.attributes)
    made = type(op)(operands, types, op.attributes, [], low.b.location)
    low.b.block.append(made)
    if isinstance(op, ArgSort | TopK):
        indices, size = made.results[-1], Dims(tensor_of(operands[0]).shape[-1:])
        low.checks.add(indices, size, False, indices)
    return tuple([whole(result) for result in made.results])


def check_index(low: Lowering, op: indexing.CheckIndex) -> MappedRead:
    """Check indices, where nobody has done so before."""
    indices, extent = low.views[op.indices], op.size.dims[0]
    return _checked(low, indices, op.axis, extent, op.from_end)


def _checked(
    low: Lowering, indices: MappedRead, axis: int, extent: Dim, from_end: bool = True
) -> MappedRead:
    """Return indices to read at, once they are known to be inside of an axis.

    What is read is what was checked, whatever the caller's memory holds by then.
    """
    known = indices.constant
    lowest = -1 if from_end else 0
    if (
        known is not None
        and isinstance(extent, int)
        and lowest * extent <= known.value < extent
    ):
        return indices
    if not all(isinstance(axis, int) for axis in indices.axes):
        # A part of an array: what it leaves out may be out of range.
        indices = whole(low.materialize(indices))
    base = low.materialize(indices) if indices.base is None else indices.base
    size = Dims((extent,))
    result = low.checks.find(base, size, from_end)
    if result is None:
        attributes: dict[str, Attribute] = {
            "axis": axis,
            "size": size,
            "from_end": from_end,
        }
        given = low.checks.latest(base)
        types = low.b.infer(indexing.CheckIndex, [given], attributes)
        op = indexing.CheckIndex([given], types, attributes, [], low.b.location)
        result = op.result
        is_argument = isinstance(low.checks.origin(base).owner, Block)
        (low.entry if is_argument else low.b.block).append(op)
        low.checks.add(base, size, from_end, result)
    return indices if known is not None else replace(indices, base=result)
