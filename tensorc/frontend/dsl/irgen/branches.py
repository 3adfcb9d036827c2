"""`if` on a value: both branches are made, one of them runs.

Each branch is made in a region of its own, on a copy of what the function knows (names,
updates). Behind the `if` stand the names that both have and somebody reads, and the
memory that one of them updates; the results of one `tc.if` are their values.

A branch that returns ends the function: where the other one does not, it goes on with
what stands behind the `if`, up to the function's end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, Label, Location
from tensorc.frontend.dsl.irgen.context import Frame, Updated
from tensorc.frontend.dsl.irgen.errors import (
    DEPTH,
    NO_VALUE,
    UNKNOWN_NAME,
    error,
    joined,
)
from tensorc.frontend.dsl.irgen.joins import Finish, Formulas, Join
from tensorc.frontend.dsl.irgen.values import Binding, Known, Unusable, describe
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import (
    Literal,
    Operand,
    Shape,
    TensorOperand,
    kind_of,
    strong,
)
from tensorc.ir.core import Region, Value, single_block

MAX_DEPTH = 64  # of branches in branches: passes walk them by recursion
MAX_BRANCHES = 1000  # of one function: what follows early returns is in several


@dataclass(eq=False)
class Branch:
    """One way through an `if`: its region, and what the function knows at its end."""

    statements: Sequence[ast.Statement]
    region: Region
    names: dict[str, Binding]
    updates: dict[str, Updated]
    formulas: Formulas
    any_dims: Shape | None
    result: Known | None = None
    returned: Location | None = None


def lazy_if(frame: Frame, node: ast.If, given: Operand) -> Known | None:
    """Make a `tc.if`; return what the function returns if that is decided in it."""
    condition = _condition(frame, node, given)
    limit(frame, node.condition.location)
    before = snapshot(frame, ())
    branches = [snapshot(frame, s) for s in (node.then, node.otherwise)]
    wrong: list[CompileError] = []
    for branch in branches:
        try:
            run_branch(frame, branch, frame.execute, branch.statements)
        except CompileError as failure:
            wrong.append(failure)
    if wrong:
        restore(frame, before)
        raise joined(wrong)
    _return_from_both(frame, node, branches)
    restore(frame, before)
    return _join(frame, node, condition, branches)


def _condition(frame: Frame, node: ast.If, given: Operand) -> Value:
    """Return the condition, one truth value."""
    rank = given.values.ndim if isinstance(given, Literal) else 0
    rank = given.type.rank if isinstance(given, TensorOperand) else rank
    is_bool = kind_of(given) == "bool"
    if is_bool and not rank:
        frame.entry.builder.location = node.condition.location
        return strong(frame.emitter, given).value
    message = f"a condition is true or false, this is {describe(given)}"
    hints = [] if is_bool else ["compare it: `x != 0` is true or false"]
    if rank:
        hints.append("`any(c)` and `all(c)` make one truth value of many")
        hints.append("to choose elementwise write `where(c, a, b)`")
    raise error(NO_VALUE, message, node.condition.location, *hints)


def limit(frame: Frame, location: Location) -> None:
    """Refuse what is nested too deep, or too much of it."""
    entry = frame.entry
    entry.branches += 1
    if len(entry.around) >= MAX_DEPTH or entry.branches > MAX_BRANCHES:
        message = "the branches and loops of this function are nested too deep or "
        raise error(DEPTH, f"{message}too many", location)


# What a branch knows


def snapshot(frame: Frame, statements: Sequence[ast.Statement]) -> Branch:
    """Return a branch that knows what is known here."""
    region, _ = single_block()
    return Branch(
        statements,
        region,
        frame.scope.names,
        frame.entry.updates,
        frame.emitter.formulas,
        frame.any_dims,
    )


def restore(frame: Frame, branch: Branch) -> None:
    """Let the function know what a branch does, and no more."""
    frame.scope.names = dict(branch.names)
    frame.entry.updates = dict(branch.updates)
    frame.emitter.formulas = dict(branch.formulas)
    frame.any_dims = branch.any_dims


def run_branch(
    frame: Frame,
    branch: Branch,
    run: Callable[..., Known | None],
    *arguments: object,
) -> None:
    """Run statements at the end of a branch; keep what they bind, update and return."""
    entry = frame.entry
    restore(frame, branch)
    entry.around.append(entry.builder.block)
    try:
        with entry.builder.inside(branch.region.block):
            branch.result = run(*arguments)
    finally:
        entry.around.pop()
    branch.returned = frame.returned
    branch.names, branch.updates = frame.scope.names, entry.updates
    branch.formulas, branch.any_dims = frame.emitter.formulas, frame.any_dims


def _return_from_both(frame: Frame, node: ast.If, branches: Sequence[Branch]) -> None:
    """Where one branch returns, let the other go on to the function's end."""
    returning = [b for b in branches if b.result is not None]
    if len(returning) != 1:
        return
    (other,) = (b for b in branches if b.result is None)
    run_branch(frame, other, _go_on, frame)
    if other.result is None:
        assert frame.function is not None
        message = f"`{frame.function.name}` returns a value here, "
        message += "and ends without one otherwise"
        location = returning[0].returned or node.location
        hint = "end it with a `return`, too"
        label = Label(node.condition.location, "if this is so")
        raise error(NO_VALUE, message, location, hint, labels=[label])


def _go_on(frame: Frame) -> Known | None:
    """Run what stands behind the statement that is being run."""
    rest = frame.rest
    try:
        for level in reversed(range(len(rest))):
            statements, done = rest[level]
            frame.rest = rest[:level]
            result = frame.execute(statements[done:])
            if result is not None:
                return result
        return None
    finally:
        frame.rest = rest


# Results


def _join(
    frame: Frame, node: ast.If, condition: Value, branches: Sequence[Branch]
) -> Known | None:
    """Give names and memory the values of both branches; return what both return."""
    then, otherwise = branches
    join = Join(
        frame, (then.region, otherwise.region), (then.formulas, otherwise.formulas)
    )
    finish = None if then.result is None else _returned(join, node, branches)
    names = {} if finish else _names(frame, node, join, branches)
    memories = _memories(frame, join, branches)
    results = join.close(condition, node.location)
    for name, (value, location) in names.items():
        frame.scope.bind(name, value(results) if callable(value) else value, location)
    for name, (number, location) in memories.items():
        frame.entry.updates[name] = Updated(results[number], location)
    return finish(results) if finish else None


def _returned(join: Join, node: ast.If, branches: Sequence[Branch]) -> Finish:
    bindings = []
    for branch in branches:
        assert branch.result is not None
        bindings.append(Binding(branch.result, branch.returned or node.location))
    added = join.add("the result", *bindings)
    if isinstance(added, Unusable):
        *labels, last = added.labels
        at = last.location
        raise error(added.code, added.message, at, *added.hints, labels=labels)
    return added


def _names(
    frame: Frame, node: ast.If, join: Join, branches: Sequence[Branch]
) -> dict[str, tuple[Finish | Unusable, Location]]:
    """Return what names that a branch binds are behind the `if`, if they are read."""
    found: dict[str, tuple[Finish | Unusable, Location]] = {}
    before = frame.scope.names
    read = frame.read_after(node)
    for name in dict.fromkeys(n for branch in branches for n in branch.names):
        bindings = [b.names.get(name) for b in branches]
        if name not in read or all(b is before.get(name) for b in bindings):
            continue
        new = next(b for b in bindings if b is not None and b is not before.get(name))
        pair = [b or frame.scope.find(name) for b in bindings]
        if pair[0] is None or pair[1] is None:
            value: Finish | Unusable = _lacking(node, name, new, pair[0] is None)
        else:
            value = join.add(f"`{name}`", pair[0], pair[1])
        found[name] = value, new.location
    return found


def _lacking(node: ast.If, name: str, bound: Binding, by_then: bool) -> Unusable:
    """Return what a name is that one branch lacks."""
    if isinstance(bound.value, Unusable):
        return bound.value
    which = "true" if by_then else "false"
    message = f"`{name}` has no value if the condition is {which}"
    where = Label(node.condition.location, "this condition")
    labels = (where, Label(bound.location, "bound here alone"))
    branch = "bind it in the first branch, too"
    if not by_then:
        branch = "bind it in the `else` branch, too"
        if not node.otherwise:
            branch = f"bind it in front of the `if`, or add `else {{ {name} = ... }}`"
    return Unusable(UNKNOWN_NAME, message, labels, (branch,))


def _memories(
    frame: Frame, join: Join, branches: Sequence[Branch]
) -> dict[str, tuple[int, Location]]:
    """Return the results that are new values of memory; one branch may keep the old."""
    found: dict[str, tuple[int, Location]] = {}
    before = frame.entry.updates
    for name in dict.fromkeys(n for branch in branches for n in branch.updates):
        if name in before:
            continue
        updates = [b.updates.get(name) for b in branches]
        old = frame.entry.argument_of(frame.unit.memories[name])
        then, otherwise = [old if u is None else u.value for u in updates]
        first = next(u for u in updates if u is not None)
        found[name] = join.add_memory((then, otherwise)), first.location
    return found
