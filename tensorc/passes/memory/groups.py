"""Groups on memory: what is passed in, and what stays inside.

A group's results become destinations. Its schedule says what stays inside, as
`memref.alloc` in its region, and what is memory that the function allocates and passes
in (`tc.place`).
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from tensorc.ir.attributes import ArrayAttr, Attribute, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, single_block
from tensorc.ir.dims import ceildiv, elements
from tensorc.ir.invariants import fail
from tensorc.ir.ops import control
from tensorc.ir.ops.control import FILLED
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Empty, Extract, Fill, Generic
from tensorc.ir.schedules import MEMORY, SCHEDULE, STREAM, places_of, schedule_of
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import (
    is_contraction,
    origin,
    tensor_of,
    tensor_space,
)
from tensorc.passes.analysis.in_place import is_used_up
from tensorc.passes.analysis.shared_sides import right_side
from tensorc.passes.analysis.stages import kernel_of
from tensorc.passes.analysis.traffic import continues
from tensorc.passes.analysis.walks import extent_of
from tensorc.passes.memory.buffers import Buffers, allocate


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
    panels = _panels(op)
    filled = []  # by a kernel before
    for number, (panel, side) in enumerate(panels):
        key = None if side is None else (side, panel)
        known = state.panels.get(key)
        made = known or allocate(b, panel, "panel")
        passed.pass_in(made, panel, "panel")
        if known is not None:
            filled.append(number)
        elif key is not None:
            state.panels[key] = made
    partials = _partials(op)
    for type_ in partials:
        passed.pass_in(allocate(b, type_, "partials"), type_, "partials")
    group = b.create(
        control.KernelGroup,
        *passed.operands,
        types=[],
        regions=[region],
        outer=op.outer,
        shapes=ArrayAttr(tuple(passed.shapes)),
    )
    group.attributes[SCHEDULE] = op.attributes[SCHEDULE]
    if panels:
        group.attributes["tc.panel"] = len(passed.operands) - len(panels)
    if filled:
        group.attributes[FILLED] = tuple(filled)
    if partials:
        group.attributes["tc.partials"] = len(passed.operands) - len(partials)


def _place_results(
    state: Buffers, op: control.KernelGroup, body: Buffers, passed: _Passed
) -> None:
    """Pass in memory for a group's results, and for its members' with long rows."""
    block, b = op.body.block, state.b
    for value, result in zip(block.terminator.operands, op.results, strict=True):
        if value in body.memory:
            state.memory[result] = passed.outside(body.memory[value])
            continue
        first, operand = origin(value), continues(result)
        if operand is not None and is_used_up(op, operand):
            body.memory[value] = body.memory[first]
            state.memory[result] = state.memory[operand]
            continue
        type_ = tensor_of(value)
        destination = state.given.get(result) or allocate(b, type_, result.hint)
        state.memory[result] = destination
        if operand is not None:
            b.create(memory.Copy, state.memory[operand], destination)
        home = passed.pass_in(destination, type_, result.hint)
        body.memory[value] = body.memory[first] = home
    for member in block.ops[:-1]:
        for value, place in zip(member.results, places_of(member), strict=False):
            first = origin(value)
            if first in body.memory:
                body.memory.setdefault(value, body.memory[first])
            elif place in (MEMORY, STREAM) and value not in body.memory:
                type_ = tensor_of(value)
                destination = allocate(b, type_, value.hint)
                body.memory[value] = passed.pass_in(destination, type_, value.hint)


def _panels(op: control.KernelGroup) -> list[tuple[TensorType, Hashable]]:
    """Return the types of the copies that the group's contractions want, in order.

    And of what they are copies: None if of nothing that others could read.
    """
    found: list[tuple[TensorType, Hashable]] = []
    for member in op.body.block.ops:
        chosen = schedule_of(member)
        if not isinstance(member, Generic) or chosen is None or chosen.panel is None:
            continue
        columns, depth = tensor_space(member)[-2:]
        element = tensor_of(member.results[0]).element
        strips = ceildiv(columns, chosen.panel)
        if chosen.packed is not None:
            strips = strips * chosen.packed
        shape = (depth, chosen.panel) if strips == 1 else (strips, depth, chosen.panel)
        found.append((TensorType(shape, element), right_side(op, member)))
    return found


def _partials(op: control.KernelGroup) -> list[TensorType]:
    """Return the types of what each result of the group's reductions is in parts."""
    chosen = schedule_of(op)
    if chosen is None or chosen.split is None:
        return []
    kernel = kernel_of(op)
    found = []
    for member in [m for m in kernel.members if m.op.reductions]:
        parts = ceildiv(extent_of(member, reduced=True), chosen.split)
        kept = extent_of(member, reduced=False)
        if is_contraction(member.op):  # a part has all its rows, too
            kept = elements(tensor_of(member.op.results[0]).shape)
        for result in member.op.results:
            found.append(TensorType((parts, kept), tensor_of(result).element))
    if not found:
        for product in kernel.products:
            parts = ceildiv(tensor_space(product)[-1], chosen.split)
            found.append(TensorType((parts, 1), tensor_of(product.results[0]).element))
    if not found:
        fail(op, f"attribute '{SCHEDULE}': no reduction of this group has parts")
    return found


def _member(body: Buffers, member: Op) -> None:
    """Copy one op of a group's region, on memory."""
    if not isinstance(member, Generic):
        return  # destinations and sizes are made where the generic is
    b = body.b
    destinations = []
    for value, result in zip(member.outputs, member.results, strict=True):
        if result not in body.memory:
            made = body.memory.get(origin(result))
            made = made or allocate(b, tensor_of(result), result.hint)
            body.memory[result] = made
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
    inputs = [
        allocate(b, tensor_of(v)) if isinstance(v.op, Empty) else body.memory[v]
        for v in member.inputs  # the first have no element that is read
    ]
    operands = [*inputs, *destinations]
    b.block.append(Generic(operands, [], member.attributes, [region], b.location))
