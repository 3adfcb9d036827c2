"""`for`: a loop along axes, and lists that are made with one.

One turn is made in a region of its own, on a copy of what the function knows. Names
from outside that it binds anew, and that are read in the next turn or behind the loop,
are carried; what it yields is stacked. Numbers without a type take that which a turn
gives them: then the turn is made once more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.errors import Label
from tensorc.frontend.dsl.irgen.branches import (
    Branch,
    limit,
    restore,
    run_branch,
    snapshot,
)
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    COUNT,
    NO_VALUE,
    SIZES,
    UNKNOWN_NAME,
    UPDATE_PLACE,
    error,
    not_compiled,
)
from tensorc.frontend.dsl.irgen.liveness import bound_in, returns_in
from tensorc.frontend.dsl.irgen.values import (
    Binding,
    Broken,
    GroupValue,
    Known,
    MemoryRef,
    TupleValue,
    Unusable,
    describe,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import (
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    carried_on,
    settled,
    strong,
    weak,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.control import Yield
from tensorc.ir.scans import append_scan, step_types

_MOST_TYPES = 4  # a number takes the type that a turn gives it, and that turn's, …

_OTHERS = Broken | Unusable | MemoryRef | GroupValue

YIELD_LAST = "`yield` stands last in the body of a loop, whose values are named"
YIELD_WAY = "`ys = for x in xs { … yield y }`"

# What each turn does: it returns what is stacked.
Turn = Callable[[], Sequence[Operand]]


@dataclass(eq=False)
class _Loop:
    """A loop to be: what it walks along, and what it carries by name."""

    names: Sequence[ast.Name]
    sequences: list[Value]
    length: Dim
    states: dict[str, Binding] = field(default_factory=dict)


@dataclass(eq=False)
class _Made:
    """A turn that was made: first values, its region, what it gives in the end."""

    inits: list[TensorOperand]
    branch: Branch
    stacked: list[Operand]


def for_(frame: Frame, node: ast.For) -> None:
    """Make a loop whose turns carry names on."""
    if node.body and isinstance(node.body[-1], ast.Yield):
        message = "what this loop yields has no name"
        hint = "name it: `ys = for … { … yield y }`"
        raise error(NO_VALUE, message, node.body[-1].location, hint)
    run_loop(frame, node, node.body, ())


def collect(frame: Frame, node: ast.Collect) -> list[Known]:
    """Make a loop whose turns yield values; return these, stacked, for each target."""
    loop = node.loop
    if isinstance(loop, ast.While):
        raise not_compiled("a `while` loop", loop.location)
    *body, last = loop.body or (None,)
    if not isinstance(last, ast.Yield):
        early = [node for node in body if isinstance(node, ast.Yield)]
        if early:
            raise error(NO_VALUE, YIELD_LAST, early[0].location, YIELD_WAY)
        message = "this loop yields nothing to name"
        hint = "end its body with `yield y`, which is stacked"
        raise error(NO_VALUE, message, loop.location, hint)
    if len(last.values) != len(node.targets):
        counts = f"{len(last.values)} yielded, {len(node.targets)} named"
        message = f"a loop gives as many values as it yields: {counts}"
        raise error(COUNT, message, last.location)
    return run_loop(frame, loop, body, last.values)


def each(frame: Frame, node: ast.Each) -> Known:
    """Stack an expression for each element of axes: nothing is carried."""
    loop = _walked(frame, node.names, node.values)
    limit(frame, node.location)
    before = snapshot(frame, ())
    turn = _make(frame, loop, before, lambda: [frame.operand(node.element)])
    restore(frame, before)
    frame.entry.builder.location = node.location
    return TensorOperand(_close(frame, loop, turn)[-1])


def run_loop(
    frame: Frame,
    node: ast.For,
    body: Sequence[ast.Statement],
    yields: Sequence[ast.Expression],
) -> list[Known]:
    """Make a loop, bind the names that it carries, and return what it stacks."""
    if node.until is not None:
        raise not_compiled("`until`", node.until.location)
    for location in returns_in(node.body):
        message = "a loop does not return: all of its turns are run"
        raise error(NO_VALUE, message, location, "bind a name, and return it behind")
    loop = _walked(frame, node.names, node.values)
    limit(frame, node.location)
    before = snapshot(frame, ())
    loop.states = _carried(frame, node)

    def run() -> list[Operand]:
        frame.execute(body)
        return [frame.operand(value) for value in yields]

    turn = _make(frame, loop, before, run)
    frame.entry.builder.location = node.location
    results = iter(_close(frame, loop, turn))
    restore(frame, before)
    weaks = iter([init.weak for init in turn.inits])
    for name, first in loop.states.items():
        value = _like(first.value, (TensorOperand(next(results), w) for w in weaks))
        frame.scope.bind(name, value, turn.branch.names[name].location)
    _hide(frame, node, loop, turn.branch.names)
    return [TensorOperand(value) for value in results]


# What a loop walks along


def _walked(
    frame: Frame, names: Sequence[ast.Name], values: Sequence[ast.Expression]
) -> _Loop:
    """Return a loop along the first axes of values, which have one length."""
    if len(names) != len(values):
        message = f"{len(names)} names walk along {len(values)} values"
        raise error(COUNT, message, names[0].location, _each_way(names, values))
    sequences = [_sequence(frame, value) for value in values]
    b = frame.emitter
    length, *others = [b.shape(TensorOperand(s))[0] for s in sequences]
    for other, node in zip(others, values[1:], strict=True):
        b.builder.location = node.location
        message = f"a loop walks along axes of one length: {length} and {other}"
        if not b.builder.constraints.walk(length, other, node.location, message):
            raise error(SIZES, message, node.location)
    (length,) = b.resolve((length,))
    return _Loop(names, sequences, length)


def _each_way(names: Sequence[ast.Name], values: Sequence[ast.Expression]) -> str:
    """Return how names walk along values side by side, instead of what Python has."""
    call = values[0]
    if not isinstance(call, ast.Call) or not isinstance(call.callee, ast.Name):
        return "give each name a value: `x, y`"
    name, written = call.callee.name, ", ".join(n.name for n in names)
    if name == "enumerate":
        return f"count beside it: `{written} in range(n), x`, where x is `float[n]`"
    if name == "zip":
        return f"values stand side by side, without `zip`: `{written} in x, y`"
    return "give each name a value: `x, y`"


def _sequence(frame: Frame, node: ast.Expression) -> Value:
    operand = frame.operand(node)
    frame.entry.builder.location = node.location
    value = strong(frame.emitter, operand)
    if not value.type.rank:
        message = f"a loop walks along the first axis, this is {describe(operand)}"
        hint = "count with `range(n)`"
        raise error(NO_VALUE, message, node.location, hint)
    return value.value


def _carried(frame: Frame, node: ast.For) -> dict[str, Binding]:
    """Return the names that turns hand on, with what they are before the loop."""
    needed = frame.read_after(node)
    own = {name.name for name in node.names}
    found: dict[str, Binding] = {}
    for name in dict.fromkeys(bound_in(node.body)):
        before = None if name in own or name not in needed else frame.scope.find(name)
        if before is None or isinstance(before.value, _OTHERS):
            continue  # whoever reads or binds these says what is wrong
        if _leaves(before.value) is None:
            message = f"`{name}` is {describe(before.value)}, and bound anew in a loop"
            hint = "only numbers and tensors are carried: give it another name"
            raise error(NO_VALUE, message, node.location, hint)
        found[name] = before
    return found


def _hide(
    frame: Frame, node: ast.For, loop: _Loop, names: Mapping[str, Binding]
) -> None:
    """Let names that a turn binds first have no value behind the loop."""
    needed = frame.read_after(node)
    for name in dict.fromkeys(bound_in(node.body)):
        bound = names.get(name)
        if bound is None or name not in needed or frame.scope.find(name) is not None:
            continue
        message = f"`{name}` has no value if the loop has no turns"
        labels = (
            Label(node.location, "this loop"),
            Label(bound.location, "bound here alone"),
        )
        hint = f"bind it in front of the loop, or yield it: `{name} = for …`"
        unusable = Unusable(UNKNOWN_NAME, message, labels, (hint,))
        frame.scope.bind(name, unusable, bound.location)


# Values


def _leaves(value: Known) -> list[Operand] | None:
    """Return the numbers and tensors that a value is made of, None if of others."""
    if isinstance(value, TensorOperand | Scalar | Literal):
        return [value]
    if not isinstance(value, TupleValue):
        return None
    parts = [_leaves(element) for element in value.elements]
    if any(part is None for part in parts):
        return None
    return [leaf for part in parts for leaf in part or ()]


def _like(value: Known, leaves: Iterator[TensorOperand]) -> Known:
    """Return a value of this structure with other leaves."""
    if isinstance(value, TupleValue):
        return TupleValue(tuple([_like(element, leaves) for element in value.elements]))
    return next(leaves)


def _in_words(value: Known) -> str:
    if isinstance(value, TupleValue):
        return f"a tuple of {len(value.elements)}"
    return describe(value)


# Turns


def _make(frame: Frame, loop: _Loop, before: Branch, run: Turn) -> _Made:
    """Make a turn, and once more while it gives numbers another type."""
    firsts = [v for b in loop.states.values() for v in _leaves(b.value) or ()]
    constraints = frame.entry.builder.constraints
    sites = frame.entry.sites.copy()
    for _ in range(_MOST_TYPES):
        frame.entry.sites = sites.copy()
        bindings, guards = dict(constraints.bindings), len(constraints.guards)
        turn = _turn(frame, loop, firsts, run)
        new = _settled(frame, loop, firsts, turn)
        restore(frame, before)
        if all(a is b for a, b in zip(new, firsts, strict=True)):
            break
        firsts = new
        constraints.bindings = bindings
        del constraints.guards[guards:]
    return turn


def _turn(frame: Frame, loop: _Loop, firsts: Sequence[Operand], run: Turn) -> _Made:
    """Run the body of a loop in a region of its own."""
    inits = [weak(frame.emitter, first) for first in firsts]
    types = step_types([init.value for init in inits], loop.sequences)
    branch = snapshot(frame, ())
    block = branch.region.block
    arguments = [block.add_argument(type_) for type_ in types]
    turn = _Made(inits, branch, [])

    def body() -> None:
        states = zip(arguments[1:], inits, strict=False)
        given = (TensorOperand(argument, init.weak) for argument, init in states)
        for name, first in loop.states.items():
            frame.scope.bind(name, _like(first.value, given), first.location)
        parts = arguments[1 + len(inits) :]
        for node, part in zip(loop.names, parts, strict=True):
            part.hint = node.name
            frame.scope.bind(node.name, TensorOperand(part), node.location)
        frame.entry.turns.append(arguments[0])
        try:
            turn.stacked = list(run())
        finally:
            frame.entry.turns.pop()

    before = frame.entry.updates
    run_branch(frame, branch, body)
    for name, updated in branch.updates.items():
        if name not in before:
            message = f"`{name}` is updated in a loop"
            hint = "carry its value in a name, and update it behind the loop"
            raise error(UPDATE_PLACE, message, updated.location, hint)
    return turn


def _settled(
    frame: Frame, loop: _Loop, firsts: Sequence[Operand], turn: _Made
) -> list[Operand]:
    """Return first values of the types that a turn carries on: these, if all agree."""
    b = frame.emitter
    found = []
    steps = zip(firsts, _carried_on(loop, turn), strict=True)
    for first, (name, binding, new) in steps:
        b.builder.location = binding.location
        with b.builder.inside(turn.branch.region.block):
            new = weak(b, new)
        found.append(settled(b, f"`{name}`", first, new))
    return found


def _carried_on(loop: _Loop, turn: _Made) -> list[tuple[str, Binding, Operand]]:
    """Return what a turn hands on, by the names, in the structure that these had."""
    found = []
    for name, first in loop.states.items():
        binding = turn.branch.names[name]
        leaves = _leaves(binding.value)
        before = _leaves(first.value)
        if leaves is None or before is None or len(leaves) != len(before):
            message = f"`{name}` keeps its structure in a loop: it is "
            message += f"{_in_words(first.value)} before a turn, and "
            message += f"{_in_words(binding.value)} after it"
            raise error(NO_VALUE, message, binding.location)
        found += [(name, binding, leaf) for leaf in leaves]
    return found


def _close(frame: Frame, loop: _Loop, turn: _Made) -> list[Value]:
    """Append the loop, and return its results: what it carries, then what it stacks."""
    b, region = frame.emitter, turn.branch.region
    outer, b.formulas = b.formulas, turn.branch.formulas
    location = b.builder.location
    with b.builder.inside(region.block):
        yields = []
        pairs = zip(turn.inits, _carried_on(loop, turn), strict=True)
        for init, (_, binding, new) in pairs:
            b.builder.location = binding.location
            yields.append(carried_on(b, init, new))
        b.builder.location = location
        yields += [strong(b, value).value for value in turn.stacked]
        b.builder.create(Yield, *yields)
    b.formulas = outer
    if not yields:
        return []
    inits = [init.value for init in turn.inits]
    return append_scan(b.builder, region, inits, loop.sequences, loop.length)
