"""The arguments of `grad`, `jvp`, `vjp`, `jacobian` and `hessian`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorc.errors import Location
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    CALL,
    GRADIENT,
    error,
    not_compiled,
    spelled,
    suggestion,
)
from tensorc.frontend.dsl.irgen.types import fit_like
from tensorc.frontend.dsl.irgen.values import (
    GroupValue,
    Known,
    MemoryRef,
    TextValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.syntax import ast, habits
from tensorc.frontend.library.operands import Scalar, TensorOperand
from tensorc.ir.core import Value


@dataclass(frozen=True, slots=True)
class Member:
    """A value to differentiate, or to differentiate by, and how the source names it."""

    value: Value
    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of a derivative: `third` is a direction, or weights.

    `several` values and `many` of wrt were written as tuples. `zero`: what does not
    depend on wrt is zero.
    """

    values: list[Member]
    wrt: list[Member]
    several: bool
    many: bool
    zero: bool
    third: ast.Expression | None


_WORDS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "grad": (("cost", "wrt"), "a cost and what to differentiate by", "grad(cost, W)"),
    "jvp": (
        ("value", "wrt", "tangent"),
        "a value, what to differentiate by, and a direction in it",
        "jvp(y, x, t)",
    ),
    "vjp": (
        ("value", "wrt", "cotangent"),
        "a value, what to differentiate by, and weights of the value's elements",
        "vjp(y, x, w)",
    ),
    "jacobian": (
        ("value", "wrt"),
        "a value and what to differentiate by",
        "jacobian(y, x)",
    ),
    "hessian": (
        ("cost", "wrt"),
        "a cost and what to differentiate by",
        "hessian(cost, W)",
    ),
}


def arguments(frame: Frame, name: str, node: ast.Call) -> Given:
    """Return the arguments of a call: the values, wrt and what else there is."""
    required, words, example = _WORDS[name]
    names = (*required, "disconnected")
    given: dict[str, ast.Expression] = {}
    message = f"`{name}` takes {words}"
    for i, argument in enumerate(node.arguments):
        own = argument.name or (names[i] if i < len(names) else "")
        if own not in names or own in given:
            hints = habits.instead_of(own) or suggestion(own, names)
            raise error(CALL, message, argument.location, *hints)
        given[own] = argument.value
    if any(n not in given for n in required):
        raise error(CALL, message, node.location, f"write `{example}`")
    values = _values(frame, required[0], given[required[0]])
    zero = _is_zero(frame, given.get("disconnected"))
    wrt_node = given["wrt"]
    if isinstance(wrt_node, ast.List):
        habit = habits.SEMANTIC["grad-list"]
        from_habit = habits.diagnose(habit, wrt_node.location)
        raise error(GRADIENT, from_habit.message, wrt_node.location, *from_habit.hints)
    wrt, parts = _parts(frame, wrt_node)
    members = [_member(frame, *pair) for pair in parts]
    third = given[required[2]] if len(required) > 2 else None
    many = isinstance(values[0], TupleValue), isinstance(wrt, TupleValue)
    return Given(values[1], members, *many, zero, third)


def _parts(
    frame: Frame, node: ast.Expression
) -> tuple[Known, list[tuple[Known, ast.Expression]]]:
    """Return a value, and its parts with where they are written."""
    value = frame.evaluate(node)
    if not isinstance(value, TupleValue):
        return value, [(value, node)]
    nodes = list(node.elements) if isinstance(node, ast.Tuple) else []
    nodes = nodes or [node] * len(value.elements)
    return value, list(zip(value.elements, nodes, strict=True))


def _is_zero(frame: Frame, node: ast.Expression | None) -> bool:
    if node is None:
        return False
    value = frame.evaluate(node)
    zero = value in (TextValue("zero"), TextValue("zeros"))
    if not zero and value != TextValue("error"):
        message = '`disconnected` is "zero" or "error"'
        raise error(CALL, message, node.location)
    return zero


def _values(
    frame: Frame, what: str, node: ast.Expression
) -> tuple[Known, list[Member]]:
    """Return what is differentiated: a scalar if it is a cost."""
    value, parts = _parts(frame, node)
    if what == "cost":
        return value, [_value(frame, value, node, what)]
    return value, [_value(frame, part, at, what) for part, at in parts]


def _value(frame: Frame, value: Known, node: ast.Expression, what: str) -> Member:
    operand = frame.as_operand(value, node)
    if not isinstance(operand, TensorOperand) or operand.weak:
        message = f"the {what} is {describe(operand)}, nothing to differentiate"
        raise error(GRADIENT, message, node.location)
    if what == "cost" and frame.emitter.shape(operand):
        message = f"the cost must be a scalar, this is {describe(operand)}"
        hint = f"take its mean or sum: `mean({spelled(node) or '...'})`"
        raise error(GRADIENT, message, node.location, hint)
    if not operand.type.element.is_float:
        message = f"the {what} must be a float, this is {describe(operand)}"
        raise error(GRADIENT, message, node.location)
    return Member(operand.value, f"the {what}", node.location)


def _member(frame: Frame, value: Known, node: ast.Expression) -> Member:
    name = f"`{spelled(node)}`" if spelled(node) else "this value"
    if isinstance(value, MemoryRef):
        read = frame.entry.read(value.memory, node.location)
        value = TensorOperand(read)
    if isinstance(value, GroupValue):
        raise not_compiled("a derivative by a group", node.location, value.way())
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
    return Member(value.value, name, node.location)


def directions(
    frame: Frame, what: str, node: ast.Expression, members: Sequence[Member], many: bool
) -> list[Value]:
    """Return what goes with each member, of its type: numbers fill it."""
    value, parts = _parts(frame, node)
    if isinstance(value, TupleValue) != many or len(parts) != len(members):
        of = "wrt" if what == "tangent" else "the value"
        wanted = f"a tuple of {len(members)}" if many else "one tensor"
        message = f"the {what} has the structure of {of}, {wanted}"
        raise error(CALL, message, node.location)
    found = []
    for member, (part, at) in zip(members, parts, strict=True):
        like = TensorOperand(member.value)
        fitted = fit_like(frame, part, like, f"the {what}", at, member.location)
        found.append(fitted.value)
    return found
