"""Trace a Python function: run it once on symbolic variables, and keep the graph.

1. Each leaf of the arguments is described by a `Leaf`: what a specialisation fixes.
2. Each becomes a variable; the function runs on them, with NumPy's rule for floats.
3. What it returned is taken apart; outputs and updates are the roots of a `Plan`.

A trace that runs is found through `current()`: `update` reports to it, and functions
that are called within it are not compiled but become part of it.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import BoundArguments
from traceback import walk_tb

import numpy as np

from tensorc.errors import (
    Diagnostic,
    DTypeError,
    Location,
    ShapeError,
    TensorcError,
)
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    TRACING,
    argument_error,
    door,
    rendered,
    usage_error,
)
from tensorc.frontend.library.operands import (
    Array,
    TensorOperand,
    is_strong,
    materialize,
    spell_type,
    weak,
)
from tensorc.frontend.python.assigning.made_arrays import numpys_arrays
from tensorc.frontend.python.draws import warned_of_draws
from tensorc.frontend.python.facts import Answered, Facts, KnownSizes, facts_of
from tensorc.frontend.python.graph.nodes import InputNode, SharedLeaf
from tensorc.frontend.python.graph.plan import (
    EmissionPlan,
    identifier,
    needs,
    unique_names,
)
from tensorc.frontend.python.grouping.pytree import Static, Tree, flatten
from tensorc.frontend.python.running import CURRENT, HOME, Trace, counted
from tensorc.frontend.python.running import current as current
from tensorc.frontend.python.signatures import computed
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    DOOR,
    Door,
    describe,
    emitter,
    is_symbolic,
    operand_of,
    value_of,
)
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.tensor.shape import Reshape
from tensorc.ir.types import F64, I1, I64, Element, TensorType

_PROTOCOLS = ("__array_interface__", "__array_struct__", "__array__")

_WEAK = {"bool": I1, "int": I64, "float": F64}


def part_of_another(
    name: str, function: Callable[..., object], bound: BoundArguments
) -> object:
    """Call a function with variables: what it computes becomes a part of theirs."""
    state = TRACING.set(TRACING.get() or name)
    try:
        return computed(function, bound)
    finally:
        TRACING.reset(state)


# What a specialisation fixes of an argument


@dataclass(frozen=True, slots=True)
class ArrayLeaf:
    """An array: a size per axis, the name of one, or None for any."""

    element: Element
    sizes: tuple[int | str | None, ...]

    def __str__(self) -> str:
        shown = ["_" if s is None else str(s) for s in self.sizes]
        spelled = spell_type(TensorType((), self.element))
        return f"{spelled}[{', '.join(shown)}]" if shown else spelled


@dataclass(frozen=True, slots=True)
class NumberLeaf:
    """A Python number, which takes the type of its partner: bool, int or float."""

    kind: str

    def __str__(self) -> str:
        return f"Python {self.kind}"


@dataclass(frozen=True, slots=True)
class MemoryLeaf:
    """A shared variable: always this one."""

    memory: SharedLeaf

    def __str__(self) -> str:
        return f"the shared variable {self.memory.hint or '_'}"


@dataclass(frozen=True, slots=True)
class StaticLeaf:
    """A value that is a part of the program."""

    value: Static

    def __str__(self) -> str:
        return repr(self.value)


Leaf = ArrayLeaf | NumberLeaf | MemoryLeaf | StaticLeaf


@dataclass(frozen=True, slots=True)
class Traced:
    """A function to be compiled, the structure of what it returns, what it asked."""

    plan: EmissionPlan
    tree: Tree
    answered: tuple[Answered, ...]


# The trace that runs


@contextmanager
def _running(trace: Trace, facts: Facts) -> Iterator[None]:
    state = CURRENT.set(trace)
    outer = DOOR.set(Door(F64, trace.locations, facts))
    named = TRACING.set(trace.name)
    home = HOME.set(trace)
    try:
        with numpys_arrays():
            yield
    finally:
        HOME.reset(home)
        TRACING.reset(named)
        DOOR.reset(outer)
        CURRENT.reset(state)


def trace(
    call: Callable[[list[object]], object],
    leaves: Sequence[Leaf],
    names: Sequence[str],
    given: KnownSizes,
    name: str,
    function: Callable[..., object],
    location: Location,
    is_step: bool = False,
) -> Traced:
    """Run `call` on a variable per leaf, and return what it computed.

    It calls `function`, which is called `name` and stands at `location`.
    `names` spell the leaves in the user's words; `given` are the sizes and numbers of
    the call that the trace is made for. Raises whatever the function raises, and
    `TensorcError` if it returns or uses what it cannot.
    """
    running = Trace(name, {} if is_step else None)
    members = _members(leaves, names, location)
    found = [
        (n, leaf, _input_of(v))
        for n, leaf, v in zip(names, leaves, members, strict=True)
    ]
    inputs = {n: (v, _is_number(leaf)) for n, leaf, v in found if v}
    facts = facts_of(inputs, given)
    with (
        _running(running, facts),
        _refusals(facts),
        warned_of_draws(function, name, location),
    ):
        results, tree = flatten(call(members))
        outputs = _outputs(results, name)
    plan = _plan(running, [v for v, _ in inputs.values()], outputs, location)
    return Traced(plan, tree, tuple(facts.answers.items()))


def _is_number(leaf: Leaf) -> bool:
    """Tell numbers of Python and of NumPy, whose values a call gives."""
    return isinstance(leaf, NumberLeaf) or leaf.sizes == ()  # type: ignore[union-attr]


@contextmanager
def _refusals(facts: Facts) -> Iterator[None]:
    """Raise what was refused instead of an error that NumPy made of it."""
    try:
        yield
    except TensorcError:
        raise
    except (TypeError, ValueError) as error:
        refused = facts.refused
        if refused is None:
            raise
        location = refused.diagnostics[0].location
        lines = [(f.f_code.co_filename, n) for f, n in walk_tb(error.__traceback__)]
        if (location.file, location.line) not in lines:
            raise
        raise rendered(refused) from None


@door
def _plan(
    running: Trace,
    inputs: Sequence[InputNode],
    outputs: Sequence[Value],
    location: Location,
) -> EmissionPlan:
    updates = dict(running.updates or {})
    memory = _memory(outputs, updates, inputs, running.name)
    updates |= counted(memory, updates)
    # Columns of data and messages name the inputs, so these have the first choice.
    names = unique_names([*(v.hint for v in inputs), *(m.hint for m in memory)])
    return EmissionPlan(
        identifier(running.name, "traced"),
        memory,
        tuple(inputs),
        (*names[len(inputs) :], *names[: len(inputs)]),
        tuple(outputs),
        tuple(updates.items()),
        (),
        location,
    )


def _members(
    leaves: Sequence[Leaf], names: Sequence[str], location: Location
) -> list[object]:
    """Return a variable per leaf, or the value of a static one."""
    sizes: dict[str, Dim] = {}
    return [
        leaf.value.value
        if isinstance(leaf, StaticLeaf)
        else _variable(leaf, name, location, sizes)
        for leaf, name in zip(leaves, names, strict=True)
    ]


def _variable(
    leaf: ArrayLeaf | NumberLeaf | MemoryLeaf,
    name: str,
    location: Location,
    sizes: dict[str, Dim],
) -> Tensor:
    hint = identifier(name, "argument")
    match leaf:
        case MemoryLeaf(memory):
            return Shared(TensorOperand(memory), memory.hint or None)
        case NumberLeaf(kind):
            return Tensor(
                TensorOperand(InputNode(_WEAK[kind], (), hint, location), weak=True),
                name,
            )
        case ArrayLeaf(element, wanted):
            value = InputNode(element, wanted, hint, location)
            assert isinstance(value.type, TensorType)
            shape = [
                sizes.setdefault(s, own) if isinstance(s, str) else own
                for s, own in zip(wanted, value.type.shape, strict=True)
            ]
            value.type = TensorType(tuple(shape), element)
            return Tensor(TensorOperand(value), name)


def _input_of(member: object) -> InputNode | None:
    match member:
        case Tensor(operand=TensorOperand(value=InputNode() as value)):
            return value
        case _:
            return None


@door
def _outputs(values: Sequence[object], name: str) -> list[Value]:
    return [_output(value, name) for value in values]


def _output(value: object, name: str) -> Value:
    numbers = bool | int | float | np.ndarray | np.generic
    if is_symbolic(value) or isinstance(value, numbers):
        return value_of(value, f"a result of {name}")
    message = f"{name} returns {describe(value)}, which is not an array"
    hint = "return variables, numbers and arrays, in tuples, lists, dicts, dataclasses"
    raise usage_error(message, hint)


def _memory(
    outputs: Sequence[Value],
    updates: dict[SharedLeaf, Value],
    inputs: Sequence[InputNode],
    name: str,
) -> tuple[SharedLeaf, ...]:
    """Return the memory that is used; other leaves must be inputs."""
    leaves, _ = needs([*outputs, *updates.values()], ())
    for leaf in leaves:
        if isinstance(leaf, InputNode) and leaf not in inputs:
            spelled = f"`{leaf.hint}`" if leaf.hint else "a variable without a name"
            location = f", made at {leaf.location}," if leaf.location.line else ""
            message = f"{name} uses {spelled}{location} which is none of its arguments"
            hint = "pass it as an argument; a value of one traced call cannot be kept "
            raise argument_error(message, f"{hint}for another: return it instead")
    found = [v for v in leaves if isinstance(v, SharedLeaf)]
    found += [m for m in updates if m not in found]
    return tuple(found)


# Updates


def record_updates(pairs: Sequence[tuple[Shared, object]]) -> None:
    """Let a step give shared variables new values when it ends.

    All new values are read before one of them counts as updated: a, b = b, a.
    """
    running = current()
    made = [(memory, _new_value(running, memory, new)) for memory, new in pairs]
    for memory, value in made:
        assert running is not None
        assert running.updates is not None
        _require_first(running.updates, memory)
        running.record(memory.leaf, value, user_location())


def _new_value(running: Trace | None, memory: Shared, new: object) -> Value:
    if running is None or running.updates is None:
        message = f"update({memory!r}, …) is only allowed in a `@tc.step`"
        message += f", which {running.name} is not" if running else ""
        hint = "decorate the function with @tc.step"
        raise usage_error(message, hint if running else f"{hint}, or W.set_value(…)")
    # Before the new value is looked at: W <- W + 1 again is an update, not a reading.
    _require_first(running.updates, memory)
    return _fitting(memory, new)


def _require_first(updates: Container[SharedLeaf], memory: Shared) -> None:
    if memory.leaf in updates:
        message = f"{memory!r} is updated twice in one step"
        raise argument_error(message, "add the two changes up")


def _fitting(memory: Shared, new: object) -> Value:
    wanted = memory.type
    b = emitter()
    operand = operand_of(new, f"the new value of {memory!r}")
    if not is_strong(operand):
        return materialize(b, operand, wanted.element)
    assert isinstance(operand, TensorOperand)
    given = operand.type
    message = f"the new value of {memory!r} is {describe(new)}"
    if given.element != wanted.element:
        hint = f"cast it: new.astype('{wanted.element.dtype}')"
        raise DTypeError(Diagnostic("TC0302", message, b.location, hints=(hint,)))
    fits = given.rank == wanted.rank
    pairs = zip(given.shape, wanted.shape, strict=False)
    if not fits or not all(b.unify(g, w) for g, w in pairs):
        raise ShapeError(Diagnostic("TC0301", message, b.location))
    return operand.value


# Values of their own, to differentiate by


@door
def separate(value: object, what: str) -> Tensor:
    """Return a variable equal to `value` on which nothing depends yet.

    A function's derivative is by its argument alone: what the function uses besides,
    from outside, is held constant even where it was computed from the same value.
    """
    b = emitter()
    node = weak(b, operand_of(value, what))
    if not node.type.element.is_float:
        message = f"{what} is {describe(value)}: only floats have derivatives"
        hint = "write 2.0 for 2" if node.weak else "cast it: x.astype('float64')"
        raise usage_error(message, hint)
    same = b.builder.value(Reshape, node.value, shape=Dims(node.type.shape))
    same.hint = node.value.hint
    made = Tensor(TensorOperand(same, node.weak), getattr(value, "name", None))
    return made.kept()


def as_array(value: object) -> Array | None:
    """Return what any protocol makes an array of, without copying; None if none does.

    Arrays and NumPy's numbers, NumPy's protocols, DLPack, buffers.
    """
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if isinstance(value, bytearray | memoryview):
        return np.asarray(memoryview(value))
    if isinstance(value, str | bytes | type):
        return None
    if any(hasattr(value, name) for name in _PROTOCOLS):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        made: Array = np.from_dlpack(value)
        return made
    try:
        return np.asarray(memoryview(value))  # type: ignore[arg-type]
    except TypeError:
        return None
