"""What a kernel moves: the tensors that it reads and writes, and which part of each.

Of an operand that is read through maps, the part that they reach counts; of a result
that several kernels write, the parts that this one writes. A scatter reads and writes
as many elements as it has values, or all where it makes a copy first.
"""

from collections.abc import Sequence

from tensorc.ir.attributes import Affine, AffineMap
from tensorc.ir.captured import CAPTURED, KIND
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim, elements, minimum
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.indexing import ADD, CheckIndex, Scatter
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import (
    continued,
    extracts,
    is_shape_only,
    origin,
    tensor_of,
    tensor_space,
)
from tensorc.passes.analysis.in_place import is_used_up

Moved = tuple[Value, Dim]  # a tensor, and how many bytes of it


def read_by(kernel: Op) -> list[Moved]:
    """Return the operands that a kernel reads, each once, and the bytes of each."""
    if isinstance(kernel, Scatter):
        return _read_by_scatter(kernel)
    if not isinstance(kernel, KernelGroup):
        return [(value, size_of(value)) for value in dict.fromkeys(kernel.operands)]
    found: dict[Value, Dim] = {}
    members = _members(kernel)
    written = {v for m in members for v in continued(m)}
    pairs = zip(kernel.operands, kernel.body.block.arguments, strict=True)
    for operand, inside in pairs:
        if inside not in written:
            found[operand] = _read(inside, members)
    return list(found.items())


def written_by(kernel: Op) -> list[Moved]:
    """Return the results of a kernel, and the bytes that it writes of each."""
    if isinstance(kernel, Scatter):
        return [(kernel.result, _part_of_scatter(kernel))]
    if isinstance(kernel, CheckIndex) and not _may_change(kernel.indices):
        return []  # what is checked is read where it lies
    if not isinstance(kernel, KernelGroup):
        return [(value, size_of(value)) for value in kernel.results]
    found = []
    for inside, result in zip(
        kernel.body.block.terminator.operands, kernel.results, strict=True
    ):
        first = origin(inside)
        total: Dim = 0
        for member in _members(kernel):
            maps = member.maps[len(member.inputs) :]
            for made, map_ in zip(member.results, maps, strict=True):
                if origin(made) is first:
                    total = total + _reached(member, map_, tensor_of(made))
        found.append((result, total))
    return found


def size_of(value: Value) -> Dim:
    """Return the bytes of a tensor."""
    return _bytes(tensor_of(value))


def continues(value: Value) -> Value | None:
    """Return the operand of a kernel that a result of it continues, part by part.

    A scatter continues what nothing else reads.
    """
    op = value.op
    if isinstance(op, Scatter):
        return op.base if is_used_up(op, op.base) else None
    if not isinstance(op, KernelGroup):
        return None
    block = op.body.block
    yielded = block.terminator.operands[value.index]
    first = origin(yielded)
    if first is yielded or first not in block.arguments:
        return None
    return op.operands[block.arguments.index(first)]


def _read_by_scatter(op: Scatter) -> list[Moved]:
    """Return the values and indices of a scatter, and what it adds to or copies."""
    found = {value: size_of(value) for value in op.operands[1:]}
    if op.combine == ADD or not is_used_up(op, op.base):
        found = {op.base: _part_of_scatter(op), **found}
    return list(found.items())


def _part_of_scatter(op: Scatter) -> Dim:
    """Return how many bytes of its result a scatter writes."""
    if not is_used_up(op, op.base):
        return size_of(op.result)
    return minimum(size_of(op.values), size_of(op.result))


def _may_change(indices: Value) -> bool:
    """Return whether the caller may write to indices while they are used."""
    if not isinstance(indices.owner, Block) or indices.owner.parent is None:
        return False
    around, index = indices.owner.parent.parent, indices.index
    if isinstance(around, Function):
        return around.argument_info(index).get(KIND) != CAPTURED
    if isinstance(around, If):
        return _may_change(around.captures[index])
    # The first argument of a loop's region is the number of the step.
    return (
        isinstance(around, Scan)
        and index > 0
        and _may_change(around.operands[index - 1])
    )


def _members(kernel: KernelGroup) -> list[Generic]:
    return [op for op in kernel.body.block.ops if isinstance(op, Generic)]


def _read(inside: Value, members: Sequence[Generic]) -> Dim:
    """Return the bytes of an argument that its reader reaches; all for several."""
    type_ = tensor_of(inside)
    readers: list[tuple[Generic, AffineMap]] = []
    for member in members:
        if any(op.operands[0] is inside for op in extracts(member)):
            return _bytes(type_)
        pairs = enumerate(zip(member.inputs, member.maps, strict=False))
        readers += [
            (member, map_)
            for number, (value, map_) in pairs
            if value is inside and not is_shape_only(member, number)
        ]
    parts = {_reached(member, map_, type_) for member, map_ in readers}
    return parts.pop() if len(parts) == 1 else _bytes(type_)


def _reached(member: Generic, map_: AffineMap, type_: TensorType) -> Dim:
    """Return the bytes of a tensor that a map reaches."""
    if map_.is_plain:
        return _bytes(type_)
    extents = tensor_space(member)
    total: Dim = type_.element.bytes
    for result, size in zip(map_.results, type_.shape, strict=True):
        along: Dim = 1
        for dim, _ in result.terms if isinstance(result, Affine) else ():
            along = along * extents[dim]
        if isinstance(result, int):
            along = size
        elif isinstance(result, Affine) and len(result.terms) > 1:
            along = minimum(along, size)
        total = total * along
    return total


def _bytes(type_: TensorType) -> Dim:
    return elements(type_.shape) * type_.element.bytes
