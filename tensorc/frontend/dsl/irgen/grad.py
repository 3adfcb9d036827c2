"""`grad(cost, wrt)`: the ops between wrt and cost, copied into a `tc.grad`.

1. Which values depend on wrt follows from one walk over the ops so far.
2. Of these ops, those that the cost needs are copied into the region, whose arguments
   stand for wrt; everything else is read from outside.
3. Where one member of wrt is computed from another, each member gets an op of its own,
   so that the derivative by the earlier one goes through the later one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.errors import Label, Location
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    CALL,
    GRADIENT,
    error,
    not_compiled,
    spelled,
    suggestion,
)
from tensorc.frontend.dsl.irgen.values import (
    Known,
    MemoryRef,
    TextValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.syntax import ast, habits
from tensorc.frontend.library.operands import Scalar, TensorOperand, broadcast, constant
from tensorc.ir.core import Op, Value, clone_op
from tensorc.ir.ops.control import Grad, If, Yield
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One value of wrt, and how the source names it."""

    value: Value
    name: str
    location: Location


def grad(frame: Frame, node: ast.Call) -> Known:
    """Return the derivative of a scalar, in the structure of wrt."""
    cost_node, wrt_node, zero = _arguments(frame, node)
    cost = _cost(frame, cost_node)
    if isinstance(wrt_node, ast.List):
        habit = habits.SEMANTIC["grad-list"]
        from_habit = habits.diagnose(habit, wrt_node.location)
        raise error(GRADIENT, from_habit.message, wrt_node.location, *from_habit.hints)
    wrt = frame.evaluate(wrt_node)
    if isinstance(wrt, TupleValue):
        nodes = list(wrt_node.elements) if isinstance(wrt_node, ast.Tuple) else []
        wrt_nodes = nodes or [wrt_node] * len(wrt.elements)
        pairs = zip(wrt.elements, wrt_nodes, strict=True)
        members = [_member(frame, v, n) for v, n in pairs]
    else:
        members = [_member(frame, wrt, wrt_node)]
    frame.entry.builder.location = node.location
    results = derivatives(frame, cost, members, zero, cost_node)
    tensors = [TensorOperand(r) for r in results]
    return TupleValue(tuple(tensors)) if isinstance(wrt, TupleValue) else tensors[0]


def _arguments(
    frame: Frame, node: ast.Call
) -> tuple[ast.Expression, ast.Expression, bool]:
    names = ("cost", "wrt", "disconnected")
    given: dict[str, ast.Expression] = {}
    for i, argument in enumerate(node.arguments):
        name = argument.name or (names[i] if i < len(names) else "")
        if name not in names or name in given:
            hints = suggestion(name, names)
            message = "`grad` takes a cost and what to differentiate by"
            raise error(CALL, message, argument.location, *hints)
        given[name] = argument.value
    if "cost" not in given or "wrt" not in given:
        message = "`grad` takes a cost and what to differentiate by"
        raise error(CALL, message, node.location, "write `grad(cost, W)`")
    zero = False
    if "disconnected" in given:
        value = frame.evaluate(given["disconnected"])
        zero = value in (TextValue("zero"), TextValue("zeros"))
        if not zero and value != TextValue("error"):
            message = '`disconnected` is "zero" or "error"'
            raise error(CALL, message, given["disconnected"].location)
    return given["cost"], given["wrt"], zero


def _cost(frame: Frame, node: ast.Expression) -> Value:
    operand = frame.operand(node)
    if not isinstance(operand, TensorOperand) or operand.weak:
        message = f"the cost is {describe(operand)}, nothing to differentiate"
        raise error(GRADIENT, message, node.location)
    shape = frame.emitter.shape(operand)
    if shape:
        message = f"the cost must be a scalar, this is {describe(operand)}"
        hint = f"take its mean or sum: `mean({spelled(node) or '...'})`"
        raise error(GRADIENT, message, node.location, hint)
    if not operand.type.element.is_float:
        message = f"the cost must be a float, this is {describe(operand)}"
        raise error(GRADIENT, message, node.location)
    return operand.value


def _member(frame: Frame, value: Known, node: ast.Expression) -> GroupMember:
    name = f"`{spelled(node)}`" if spelled(node) else "this value"
    if isinstance(value, MemoryRef):
        read = frame.entry.read(value.memory, node.location)
        value = TensorOperand(read)
    if isinstance(value, TupleValue):
        raise not_compiled("a tuple within a tuple of wrt", node.location)
    if isinstance(value, Scalar):
        message = f"{name} is a number without a type: it has no derivative"
        hint = "make it an argument or a param"
        raise error(GRADIENT, message, node.location, hint)
    if not isinstance(value, TensorOperand):
        message = f"cannot differentiate by {describe(value)}"
        raise error(GRADIENT, message, node.location)
    if not value.type.element.is_float:
        message = f"{name} is {describe(value)}: only floats have derivatives"
        raise error(GRADIENT, message, node.location)
    return GroupMember(value.value, name, node.location)


# Slices


def derivatives(
    frame: Frame,
    cost: Value,
    members: Sequence[GroupMember],
    zero: bool,
    cost_node: ast.Node,
) -> list[Value]:
    """Return the derivative of cost by each member."""
    ops = frame.entry.ops()
    wrt = list(dict.fromkeys(m.value for m in members))
    reached = {w: smoothly_from(ops, w) for w in wrt}
    lost = [m for m in members if cost not in reached[m.value]]
    if lost and not zero:
        names = ", ".join(m.name for m in lost)
        message = f"the cost does not depend on {names}"
        hint = 'leave them out, or write `disconnected="zero"` for zeros'
        label = Label(cost_node.location, "the cost")
        raise error(GRADIENT, message, lost[0].location, hint, labels=[label])
    connected = [w for w in wrt if cost in reached[w]]
    chained = any(v in reached[w] for w in connected for v in connected if v is not w)
    groups = [[w] for w in connected] if chained else [connected] if connected else []
    found: dict[Value, Value] = {}
    for group in groups:
        found.update(zip(group, _grad_op(frame, ops, cost, group), strict=True))
    for w in wrt:
        if w not in found:
            found[w] = _zeros(frame, w)
    return [found[m.value] for m in members]


def _zeros(frame: Frame, like: Value) -> Value:
    assert isinstance(like.type, TensorType)
    zero = constant(frame.emitter, 0, like.type.element)
    return broadcast(frame.emitter, zero, like.type.shape)


def inputs_of(op: Op) -> list[Value]:
    """Return what an op reads, its regions included."""
    if not op.regions:
        return op.operands
    return [v for inner in op.walk() for v in inner.operands]


def smoothly_from(ops: Sequence[Op], source: Value) -> set[Value]:
    """Return the floats that depend on a value through floats."""
    found = {source}
    _spread(ops, found)
    return found


def _spread(ops: Sequence[Op], found: set[Value]) -> None:
    """Add the floats that depend on those found."""
    for op in ops:
        if isinstance(op, Size) or not any(v in found for v in inputs_of(op)):
            continue
        if isinstance(op, If):
            found.update(_through_branches(op, found))
        else:
            found.update(r for r in op.results if _is_float(r))


def _through_branches(op: If, found: set[Value]) -> list[Value]:
    """Return the results that depend on captures among those found, by a branch."""
    reached: set[Value] = set()
    for region in op.regions:
        block = region.block
        captures = zip(block.arguments, op.operands[1:], strict=True)
        inside = {argument for argument, outer in captures if outer in found}
        _spread(block.ops, inside)
        pairs = zip(op.results, block.terminator.operands, strict=True)
        reached.update(result for result, value in pairs if value in inside)
    return [r for r in op.results if r in reached]


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.element.is_float


def _between(ops: Sequence[Op], wrt: Sequence[Value], cost: Value) -> list[Op]:
    """Return the ops that depend on wrt and that the cost needs, in order."""
    cut = set(wrt)
    found = set(wrt)
    dependent = []
    for op in ops:
        if any(v in found for v in inputs_of(op)):
            found.update(op.results)
            dependent.append(op)
    needed = {cost}
    between = []
    for op in reversed(dependent):
        if any(r in needed and r not in cut for r in op.results):
            needed.update(inputs_of(op))
            between.append(op)
    return between[::-1]


def _grad_op(
    frame: Frame, ops: Sequence[Op], cost: Value, wrt: Sequence[Value]
) -> list[Value]:
    builder = frame.entry.builder
    types = [w.type for w in wrt]
    with builder.region(types, [w.hint for w in wrt]) as (region, arguments):
        values = dict(zip(wrt, arguments, strict=True))
        for op in _between(ops, wrt, cost):
            outer = {r: values[r] for r in op.results if r in values}
            builder.block.append(clone_op(op, values))
            # An op with several results, one of them in wrt, defines only the others.
            values.update(outer)
        builder.create(Yield, values[cost])
    return builder.create(Grad, *wrt, regions=[region]).results
