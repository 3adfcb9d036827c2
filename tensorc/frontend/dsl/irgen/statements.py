"""Statements: one function for each kind of node, in a table.

Each returns what a `return` in it gives, or None if the body goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import cast

from tensorc.errors import CompileError, Label
from tensorc.frontend.dsl.irgen import loops
from tensorc.frontend.dsl.irgen.branches import lazy_if
from tensorc.frontend.dsl.irgen.context import Frame, Updated, new_name
from tensorc.frontend.dsl.irgen.errors import (
    ASSERTION,
    COUNT,
    NO_VALUE,
    NOT_KNOWN,
    UNKNOWN_NAME,
    UPDATE_ORDER,
    UPDATE_PLACE,
    error,
    not_compiled,
    spelled,
    suggestion,
)
from tensorc.frontend.dsl.irgen.samples import sampled
from tensorc.frontend.dsl.irgen.types import Wanted, fit
from tensorc.frontend.dsl.irgen.values import (
    FunctionValue,
    GroupValue,
    Known,
    MemoryRef,
    NothingValue,
    TupleValue,
)
from tensorc.frontend.dsl.programs.program import MemoryDecl
from tensorc.frontend.dsl.syntax import ast, habits
from tensorc.frontend.library.operands import Scalar, TensorOperand
from tensorc.ir.dims import Dim, Poly


def bind(frame: Frame, node: ast.Bind) -> None:
    """Name values: x = e, h, c = f(x)."""
    values = spread(frame, node.targets, node.values)
    for target, (value, location) in zip(node.targets, values, strict=True):
        if not isinstance(target, ast.Name):
            raise _no_part(frame, target)
        if isinstance(value, NothingValue):
            message = f"`{value.name}` returns nothing, a value is needed here"
            raise error(NO_VALUE, message, location.location)
        bind_local(frame, target.name, value, target)


def bind_local(frame: Frame, name: str, value: Known, node: ast.Node) -> None:
    """Give a local name a value; memory does not change by `=`."""
    found = frame.scope.find(name)
    if found is not None and isinstance(found.value, MemoryRef | GroupValue):
        habit = habits.SEMANTIC["bind-memory"]
        raise CompileError(habits.diagnose(habit, node.location, name=name))
    if isinstance(value, MemoryRef):
        # The name keeps the old value, whatever the step does to the memory later.
        value = TensorOperand(frame.entry.read(value.memory, node.location))
    frame.scope.bind(name, value, node.location)


def _no_part(frame: Frame, target: ast.Target) -> CompileError:
    if isinstance(target, ast.Item):
        return not_compiled("`x[i] = v`", target.location)
    message = "only a name can be given a value by `=`"
    return error(NO_VALUE, message, target.location)


def spread(
    frame: Frame, targets: Sequence[ast.Target], values: Sequence[ast.Expression]
) -> list[tuple[Known, ast.Expression]]:
    """Return a value for each target: as many, or one with several results."""
    if len(values) == 1 and len(targets) > 1:
        value = frame.evaluate(values[0])
        found = value.elements if isinstance(value, TupleValue) else (value,)
        pairs = [(v, values[0]) for v in found]
    else:
        pairs = [(frame.evaluate(v), v) for v in values]
    if len(pairs) != len(targets):
        names, given = (
            f"{n} {word}{'' if n == 1 else 's'}"
            for n, word in ((len(targets), "name"), (len(pairs), "value"))
        )
        message = f"{names} for {given}"
        raise error(COUNT, message, targets[0].location)
    return pairs


def declare(frame: Frame, node: ast.Declare) -> None:
    """Name a value of a declared type: a scalar fills it, new sizes are bound."""
    if isinstance(node.initial, ast.Draw):
        value = sampled(frame, node.name, node.initial, node.type)
        bind_local(frame, node.name, value, node)
        return
    location = node.initial.value
    known = frame.evaluate(location)
    wanted = Wanted(node.type, f"`{node.name}`", scalar_fills=True)
    bind_local(frame, node.name, fit(frame, known, wanted, location), node)


def sample(frame: Frame, node: ast.Sample) -> None:
    """Name a draw that has the shape of its arguments."""
    value = sampled(frame, node.name, node, None)
    bind_local(frame, node.name, value, node)


def update(frame: Frame, node: ast.Update) -> None:
    """Give memory its new value, within a step."""
    values = spread(frame, node.targets, node.values)
    new: list[tuple[MemoryDecl, Updated]] = []
    for target, (value, location) in zip(node.targets, values, strict=True):
        memory, declared_at = updatable(frame, target)
        if not frame.entry.is_step:
            message = f"`{memory.name}` is updated outside a step"
            hint = "only a `step`, and what it calls, changes memory"
            raise error(UPDATE_PLACE, message, target.location, hint)
        before = frame.entry.updates.get(memory.name)
        taken = [u for m, u in new if m is memory]
        if before is not None or taken:
            first = before.location if before is not None else taken[0].location
            message = f"`{memory.name}` is updated twice"
            hint = (
                f"update it once: name the new value first, `{new_name(memory)} = ...`"
            )
            label = Label(first, "updated here first")
            raise error(UPDATE_ORDER, message, target.location, hint, labels=[label])
        fitted = fit(frame, value, declared_at, location)
        new.append((memory, Updated(fitted.value, target.location)))
    for memory, updated in new:
        frame.entry.argument_of(memory)
        frame.entry.updates[memory.name] = updated


def updatable(frame: Frame, target: ast.Target) -> tuple[MemoryDecl, Wanted]:
    """Return the memory that a target names, and the type that it takes."""
    if isinstance(target, ast.Item):
        raise not_compiled("an update of a part of a memory", target.location)
    if isinstance(target, ast.Field):
        return _updatable_member(frame, target)
    found = frame.scope.find(target.name)
    if found is None:
        if target.name == "params":
            raise not_compiled("a group", target.location, "update each param")
        hints = suggestion(target.name, frame.unit.memories)
        message = f"unknown memory `{target.name}`"
        raise error(UNKNOWN_NAME, message, target.location, *hints)
    value = frame.use(found.value, target.location)
    if isinstance(value, GroupValue):
        raise not_compiled("an update of a group", target.location, value.way())
    if not isinstance(value, MemoryRef):
        habit = habits.SEMANTIC["update-local"]
        raise CompileError(habits.diagnose(habit, target.location, name=target.name))
    return _taken(value, (target.name,))


def _updatable_member(frame: Frame, target: ast.Field) -> tuple[MemoryDecl, Wanted]:
    """Return the memory that a member of a group is, and the type that it takes."""
    value = frame.evaluate(target)
    if isinstance(value, GroupValue):
        raise not_compiled("an update of a group", target.location, value.way())
    if not isinstance(value, MemoryRef):
        message = (
            f"`{spelled(target) or 'this'}` is not memory, `<-` does not change it"
        )
        raise error(UPDATE_PLACE, message, target.location)
    return _taken(value, tuple(spelled(target).split(".")))


def _taken(value: MemoryRef, path: tuple[str, ...]) -> tuple[MemoryDecl, Wanted]:
    """Return a memory and the type that it takes; `path` is how it is named here."""
    memory = value.memory
    type_ = ast.LikeType(path, location=memory.location)
    return memory, Wanted(type_, f"`{memory.name}`", scalar_fills=True)


def perform(frame: Frame, node: ast.Perform) -> None:
    """Call for the updates alone."""
    value = frame.evaluate(node.call)
    if not isinstance(value, NothingValue):
        message = "the value of this call is not used"
        hint = "name it: `y = ...`; a call on its own line is for its updates"
        raise error(NO_VALUE, message, node.location, hint)


def return_(frame: Frame, node: ast.Return) -> Known:
    """Return values."""
    frame.returned = node.location
    values = [_returned(frame, v) for v in node.values]
    return values[0] if len(values) == 1 else TupleValue(tuple(values))


def _returned(frame: Frame, node: ast.Expression) -> Known:
    value = frame.evaluate(node)
    if isinstance(value, MemoryRef):
        return TensorOperand(frame.entry.read(value.memory, node.location))
    if isinstance(value, NothingValue):
        message = f"`{value.name}` returns nothing, a value is needed here"
        raise error(NO_VALUE, message, node.location)
    return value


# Conditions


def if_(frame: Frame, node: ast.If) -> Known | None:
    """Keep one branch, if the condition is known while compiling; else make both."""
    value = frame.operand(node.condition)
    if isinstance(value, Scalar) and isinstance(value.number, bool | int | float):
        return frame.execute(node.then if value.number else node.otherwise)
    return lazy_if(frame, node, value)


def assertion(frame: Frame, node: ast.Assertion) -> None:
    """Check an assertion; an equation of sizes becomes a check of each call."""
    for condition in _conditions(node.condition):
        _assert(frame, node, condition)


def _conditions(node: ast.Expression) -> list[ast.Expression]:
    """Return what must hold: the parts of an `and`, the pairs of a chain."""
    if isinstance(node, ast.Logical) and node.op == "and":
        return [part for operand in node.operands for part in _conditions(operand)]
    if isinstance(node, ast.Compare):
        pairs = zip(pairwise(node.operands), node.ops, strict=True)
        at = node.location
        return [ast.Compare(both, (op,), location=at) for both, op in pairs]
    return [node]


def _assert(frame: Frame, node: ast.Assertion, condition: ast.Expression) -> None:
    value = frame.operand(condition)
    known = value.number if isinstance(value, Scalar) else None
    if isinstance(known, bool | int | float):
        if known:
            return
        message = node.message or "the assertion does not hold"
        raise error(ASSERTION, message, condition.location, label="is false")
    sides = _sizes(frame, condition)
    is_equation = isinstance(condition, ast.Compare) and condition.ops == ("==",)
    if sides is None or not is_equation:
        message = "the assertion cannot be decided while compiling"
        hint = _OF_ELEMENTS if sides is None else _NO_EQUATION
        raise error(NOT_KNOWN, message, condition.location, hint)
    frame.entry.builder.location = node.location
    if not frame.emitter.unify(*sides, node.message or ""):
        message = node.message or f"{sides[0]} is never {sides[1]}"
        raise error(ASSERTION, message, condition.location)


_OF_ELEMENTS = "assertions are about sizes and hypers, not about elements"
_NO_EQUATION = "a call checks equations of sizes: `a == b`, and `a % b == 0`"


def _sizes(frame: Frame, node: ast.Expression) -> tuple[Dim, Dim] | None:
    """Return the sides of a comparison if both are sizes."""
    if isinstance(node, ast.Not):
        return _sizes(frame, node.operand)
    if isinstance(node, ast.Logical):
        found = [_sizes(frame, operand) for operand in node.operands]
        return None if None in found else found[0]
    if not isinstance(node, ast.Compare) or len(node.ops) > 1:
        return None
    sides: list[Dim] = []
    for operand in node.operands:
        value = frame.evaluate(operand)
        if not isinstance(value, Scalar) or not isinstance(value.number, int | Poly):
            return None
        sides.append(value.number)
    return sides[0], sides[1]


def function(frame: Frame, node: ast.Function) -> None:
    """Name a local function."""
    if node.name is None:
        message = "only a module has a function without a name"
        raise error(NO_VALUE, message, node.location)
    value = FunctionValue(node, frame.scope)
    bind_local(frame, node.name, value, node)


def collect(frame: Frame, node: ast.Collect) -> None:
    """Name what the turns of a loop yield, stacked: ys = for x in xs { … yield y }."""
    values = loops.collect(frame, node)
    for target, value in zip(node.targets, values, strict=True):
        if not isinstance(target, ast.Name):
            raise _no_part(frame, target)
        bind_local(frame, target.name, value, target)


def yield_(frame: Frame, node: ast.Yield) -> None:
    """Refuse a `yield` that ends no loop whose values are named."""
    raise error(NO_VALUE, loops.YIELD_LAST, node.location, loops.YIELD_WAY)


_NO_LOOP = "count turns: `for i in range(n) { … }`"


def _refuse(what: str, *hints: str) -> Callable[[Frame, ast.Node], Known | None]:
    def refuse(frame: Frame, node: ast.Node) -> Known | None:
        raise not_compiled(what, node.location, *hints)

    return refuse


STATEMENTS: Mapping[type, Callable[[Frame, ast.Node], Known | None]] = cast(
    "Mapping[type, Callable[[Frame, ast.Node], Known | None]]",
    {
        ast.Bind: bind,
        ast.Collect: collect,
        ast.Declare: declare,
        ast.Sample: sample,
        ast.Update: update,
        ast.Perform: perform,
        ast.Return: return_,
        ast.Yield: yield_,
        ast.For: loops.for_,
        ast.While: _refuse("a `while` loop", _NO_LOOP),
        ast.If: if_,
        ast.Assertion: assertion,
        ast.Function: function,
    },
)
