"""Groups on memory: what is passed in, and what stays inside.

A group's results become destinations. What only one row of it needs stays inside, as
`memref.alloc` in its region; what lasts longer, or is too long for the stack, is memory
that the function allocates and passes in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr, Attribute, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, single_block
from tensorc.ir.dims import Dim
from tensorc.ir.ops import control
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Extract, Fill, Generic
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import is_contraction, tensor_space
from tensorc.passes.analysis.members import (
    assign_levels,
    cut,
    in_registers,
    make_member,
)
from tensorc.passes.memory.buffers import Buffers, allocate, tensor_of
from tensorc.passes.schedule.cpu import panel_columns
from tensorc.target import Target

ROW_BYTES = 8192  # what one value of a kernel's row may take of the stack
ROWS_BYTES = 65536  # and all of them together


@dataclass
class _Passed:
    """The memory that a group is given: its operands, and arguments of its block."""

    block: Block
    operands: list[Value] = field(default_factory=list)
    shapes: list[Attribute] = field(default_factory=list)

    def pass_in(self, outside: Value, type_: TensorType, hint: str) -> Value:
        """Add memory for a tensor; return it as the group's region knows it."""
        self.operands.append(outside)
        self.shapes.append(Dims(type_.shape))
        return self.block.add_argument(outside.type, hint)

    def outside(self, inside: Value) -> Value:
        """Return the operand behind an argument of the block."""
        return self.operands[self.block.arguments.index(inside)]


def bufferize_group(state: Buffers, op: Op) -> None:
    """Write a group on memory: its results where they go, the rest where it fits."""
    assert isinstance(op, control.KernelGroup)
    block = op.body.block
    b = state.b
    region, inner = single_block()
    body = Buffers(Builder(inner, b.constraints), state.target)
    passed = _Passed(inner)
    for value, argument in zip(op.operands, block.arguments, strict=True):
        type_ = tensor_of(value)
        inside = passed.pass_in(state.memory[value], type_, argument.hint)
        body.memory[argument] = inside
    _place_results(state, op, body, passed)
    for member in block.ops[:-1]:
        with body.b.at(member.location):
            _member(body, member)
    body.b.create(control.Yield)
    panel = _panel(op, state.target)
    if panel is not None:
        passed.pass_in(allocate(b, panel, "panel"), panel, "panel")
    group = b.create(
        control.KernelGroup,
        *passed.operands,
        types=[],
        regions=[region],
        outer=op.outer,
        shapes=ArrayAttr(tuple(passed.shapes)),
    )
    if panel is not None:
        group.attributes["tc.panel"] = len(passed.operands) - 1


def _place_results(
    state: Buffers, op: control.KernelGroup, body: Buffers, passed: _Passed
) -> None:
    """Pass in memory for a group's results, and for its members' with long rows."""
    block, b = op.body.block, state.b
    for value, result in zip(block.terminator.operands, op.results, strict=True):
        if value in body.memory:
            state.memory[result] = passed.outside(body.memory[value])
            continue
        type_ = tensor_of(value)
        destination = state.given.get(result) or allocate(b, type_, result.hint)
        state.memory[result] = destination
        body.memory[value] = passed.pass_in(destination, type_, result.hint)
    generics = [member for member in block.ops if isinstance(member, Generic)]
    before, contraction, after = cut(generics)
    later = [*after, contraction] if contraction is not None else []
    read_later = {v for member in later for v in member.operands}
    # What one part of the group makes and another reads must last for a chunk of rows.
    lasting = read_later.intersection(v for member in before for v in member.results)
    passed_on = _passed_on(op, (before, after)) - lasting
    left = ROWS_BYTES
    for value in [result for generic in generics for result in generic.results]:
        if value in body.memory or value in passed_on:
            continue
        taken = None if value in lasting else _row_bytes(value, op.outer)
        if taken is not None and taken <= min(left, ROW_BYTES):
            left -= taken
        else:
            type_ = tensor_of(value)
            destination = allocate(b, type_, value.hint)
            body.memory[value] = passed.pass_in(destination, type_, value.hint)


def _passed_on(
    op: control.KernelGroup, parts: Sequence[Sequence[Generic]]
) -> set[Value]:
    """Return the values that the rows of each part of a group keep in registers."""
    found: set[Value] = set()
    for generics in parts:
        shapes = {v: tensor_of(v).shape for g in generics for v in g.operands}
        members = [make_member(g, shapes, op.outer) for g in generics]
        makers = {result: m for m in members for result in m.op.results}
        assign_levels(members, makers)
        found |= in_registers(members, makers)
    return found


def _panel(op: control.KernelGroup, target: Target) -> TensorType | None:
    """Return the type of the scratch that the group's contraction wants, if any."""
    for member in op.body.block.ops:
        if isinstance(member, Generic) and is_contraction(member):
            extents = tensor_space(member)
            width = panel_columns(member, extents[-2], target)
            if width is not None:
                element = tensor_of(member.results[0]).element
                return TensorType((extents[-1], width), element)
    return None


def _row_bytes(value: Value, outer: int) -> int | None:
    """Return the size of one row of a tensor inside a group, if one row is enough."""
    type_ = tensor_of(value)
    if value.op is not None and is_contraction(value.op):
        return None
    total: Dim = type_.element.bytes
    for dim in type_.shape[outer:]:
        total = total * dim
    return total if isinstance(total, int) else None


def _member(body: Buffers, member: Op) -> None:
    """Copy one op of a group's region, on memory."""
    if not isinstance(member, Generic):
        return  # destinations and sizes are made where the generic is
    b = body.b
    destinations = []
    for value, result in zip(member.outputs, member.results, strict=True):
        if result not in body.memory:
            body.memory[result] = allocate(b, tensor_of(result), result.hint)
        destination = body.memory[result]
        if isinstance(value.op, Fill):
            constant = value.op.operands[0].op
            assert isinstance(constant, arith.Constant)
            start = b.value(arith.Constant, value=constant.value)
            b.create(Fill, start, destination)
        destinations.append(destination)
    region, block = single_block()
    inner: dict[Value, Value] = dict(body.memory)
    for argument in member.body.block.arguments:
        inner[argument] = block.add_argument(argument.type, argument.hint)
    for op in member.body.block.ops:
        cls = memory.Load if isinstance(op, Extract) else type(op)
        operands = [inner[v] for v in op.operands]
        copy = cls(
            operands, [r.type for r in op.results], op.attributes, [], op.location
        )
        block.append(copy)
        inner.update(zip(op.results, copy.results, strict=True))
    inputs = [body.memory[v] for v in member.inputs]
    operands = [*inputs, *destinations]
    b.block.append(Generic(operands, [], member.attributes, [region], b.location))
