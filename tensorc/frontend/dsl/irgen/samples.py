"""Draws in functions and steps: `keep: like x ~ bernoulli(1 - p)`.

A draw depends on the seed, the name of what is drawn, the count of the step's calls and
the turns of the loops around it. Seed and count are a state of the file that it does
not declare; outside a step there is no count, and the draw says its seed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from tensorc.errors import CompileError, Label
from tensorc.frontend.dsl.irgen.context import Frame, Updated
from tensorc.frontend.dsl.irgen.errors import (
    CALL,
    NO_VALUE,
    UNKNOWN_NAME,
    error,
    suggestion,
)
from tensorc.frontend.dsl.irgen.types import declared
from tensorc.frontend.dsl.irgen.values import describe
from tensorc.frontend.dsl.programs.program import MemoryDecl
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.elementwise import to_element
from tensorc.frontend.library.operands import (
    Operand,
    Scalar,
    Shape,
    TensorOperand,
    is_strong,
    kind_of,
    kind_of_element,
    materialize,
    number,
    spell_element,
)
from tensorc.frontend.library.random.distributions import (
    DISTRIBUTIONS,
    Distribution,
    draw,
)
from tensorc.frontend.library.random.keys import advanced, derived, key_of_state
from tensorc.ir.core import Value
from tensorc.ir.types import U64, Element, TensorType
from tensorc.recipes import RANDOM_STATE

_OF_MEMORY = ("glorot", "he", "lecun", "orthogonal")
_NO_SEED = "outside a step there is no count of calls, so that a draw needs `seed=`"


def declare_state(frame: Frame, file: ast.File) -> None:
    """Add the state of random numbers to a file whose functions draw without a seed."""
    nodes = [i for i in file.items if isinstance(i, ast.Function | ast.Step)]
    first = next((d for node in nodes for d in _draws_in(node) if not _seeds(d)), None)
    if first is None:
        return
    if RANDOM_STATE in frame.unit.memories:
        message = f"`{RANDOM_STATE}` is the state of the random numbers of this file"
        label = Label(first.location, "drawn here")
        location = frame.unit.memories[RANDOM_STATE].location
        raise error(CALL, message, location, "give it another name", labels=[label])
    frame.unit.memories[RANDOM_STATE] = MemoryDecl(
        RANDOM_STATE,
        "state",
        TensorType((2,), U64),
        partial(np.zeros, 2, np.uint64),
        first.location,
        "seed and count of the random numbers",
    )


def _draws_in(root: ast.Node) -> Iterator[ast.Draw | ast.Sample]:
    """Give all draws in a function, in source order."""
    todo: list[object] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Draw | ast.Sample):
            yield node
        elif isinstance(node, ast.Node):
            todo += [getattr(node, n) for n in reversed(type(node).__match_args__)]
        elif isinstance(node, tuple):
            todo += reversed(node)


def _seeds(node: ast.Draw | ast.Sample) -> bool:
    call = node.distribution
    named = call.arguments if isinstance(call, ast.Call) else ()
    return any(argument.name == "seed" for argument in named)


def sampled(
    frame: Frame, name: str, node: ast.Draw | ast.Sample, type_: ast.Type | None
) -> TensorOperand:
    """Return what is drawn, of a declared type or of that of the arguments."""
    call, row = _called(node.distribution)
    given, seed = _arguments(frame, call, row)
    b = frame.emitter
    element, shape = _wanted(frame, call, row, given, type_)
    b.builder.location = call.location
    key = _key(frame, call, name, seed)
    for index in frame.entry.turns:
        key = derived(b, key, index)
    assert isinstance(call.callee, ast.Name)
    computed = element if element.is_float else b.default_float
    made = draw(b, call.callee.name, key, shape, computed, given)
    if type_ is None and row.kind != "float":
        return made
    return to_element(b, made, element)


def count_call(entry_frame: Frame) -> None:
    """Let the count go on at the end of a step that has drawn."""
    entry = entry_frame.entry
    state = entry.shared.get(RANDOM_STATE)
    if state is not None and RANDOM_STATE in entry.unit.memories:
        location = entry.unit.memories[RANDOM_STATE].location
        new = advanced(entry.emitter, state)
        entry.updates[RANDOM_STATE] = Updated(new, location)


def _called(node: ast.Expression) -> tuple[ast.Call, Distribution]:
    callee = node.callee if isinstance(node, ast.Call) else node
    words = ", ".join(DISTRIBUTIONS)
    if not isinstance(callee, ast.Name):
        message = f"after `~` stands a distribution: {words}"
        raise error(NO_VALUE, message, node.location)
    name = callee.name
    if name in _OF_MEMORY:
        message = f"`{name}` scales by the sizes of a weight, it draws params alone"
        raise error(NO_VALUE, message, node.location, "draw it from `normal(0, std)`")
    if name not in DISTRIBUTIONS:
        hints = suggestion(name, DISTRIBUTIONS) or (f"there are {words}",)
        message = f"`{name}` is not a distribution"
        raise error(UNKNOWN_NAME, message, callee.location, *hints)
    if not isinstance(node, ast.Call):
        message = f"`{name}` needs parentheses"
        raise error(NO_VALUE, message, node.location, f"{name}()")
    return node, DISTRIBUTIONS[name]


def _arguments(
    frame: Frame, node: ast.Call, row: Distribution
) -> tuple[list[Operand], ast.Expression | None]:
    """Return the arguments in order, and the seed if there is one."""
    assert isinstance(node.callee, ast.Name)
    name, order = node.callee.name, list(row.arguments)
    found: dict[str, ast.Expression] = {}
    for position, argument in enumerate(node.arguments):
        key = argument.name
        if key is None:
            if position >= len(order):
                message = f"`{name}` takes {', '.join(order)} and seed="
                raise error(CALL, message, argument.value.location)
            key = order[position]
        if key not in (*order, "seed"):
            hints = suggestion(key, (*order, "seed"))
            message = f"`{name}` has no argument `{key}`"
            raise error(CALL, message, argument.value.location, *hints)
        if key in found:
            message = f"`{name}` gets `{key}` twice"
            raise error(CALL, message, argument.value.location)
        found[key] = argument.value
    given: list[Operand] = []
    for key, default in row.arguments.items():
        if key in found:
            given.append(frame.operand(found[key]))
        elif default is None:
            message = f"`{name}` lacks the argument `{key}`"
            raise error(CALL, message, node.location)
        else:
            given.append(number(default))
    return given, found.get("seed")


def _wanted(
    frame: Frame,
    node: ast.Call,
    row: Distribution,
    given: Sequence[Operand],
    type_: ast.Type | None,
) -> tuple[Element, Shape | None]:
    """Return the element type and the shape of a draw; None is the arguments' own."""
    if type_ is None:
        elements = [o.type.element for o in given if isinstance(o, TensorOperand)]
        floats = [
            o.type.element
            for o in given
            if isinstance(o, TensorOperand) and is_strong(o) and o.type.element.is_float
        ]
        if not elements:
            message = "what is drawn has no sizes here"
            hint = "declare it: `x: float[n] ~ …`"
            raise error(NO_VALUE, message, node.location, hint)
        return (floats[0] if floats else frame.emitter.default_float), None
    target = declared(frame, type_)
    dims = [d for d in target.dims if d is not None]
    if len(dims) < len(target.dims):
        message = "`...` has no meaning here"
        raise error(NO_VALUE, message, type_.location, "`like x` is the type of x")
    kind = kind_of_element(target.element)
    fits = {
        "float": ("float",),
        "int": ("int", "float"),
        "bool": ("bool", "int", "float"),
    }
    if kind not in fits[row.kind]:
        assert isinstance(node.callee, ast.Name)
        article = {"float": "floats", "int": "integers", "bool": "truth values"}
        message = f"`{node.callee.name}` draws {article[row.kind]}, this is "
        message += spell_element(target.element)
        label = Label(type_.location, "declared here")
        raise error(NO_VALUE, message, node.location, labels=[label])
    return target.element, tuple(dims)


def _key(frame: Frame, node: ast.Call, name: str, seed: ast.Expression | None) -> Value:
    """Return the key of a draw, before the turns of loops."""
    site = _site(frame, name)
    b = frame.emitter
    if seed is not None:
        return derived(b, _seed(frame, seed), site)
    if not frame.entry.is_step:
        way = "start with `if not training { return x }`, or write `seed=0`"
        raise error(CALL, _NO_SEED, node.location, way)
    memory = frame.unit.memories.get(RANDOM_STATE)
    if memory is None:
        raise CompileError  # a mistake in its declaration is reported
    return key_of_state(b, frame.entry.read(memory, node.location), site)


def _seed(frame: Frame, node: ast.Expression) -> Value:
    value = frame.operand(node)
    rank = value.type.rank if isinstance(value, TensorOperand) else 0
    if kind_of(value) != "int" or rank:
        message = f"`seed` must be an integer, this is {describe(value)}"
        raise error(NO_VALUE, message, node.location)
    if isinstance(value, Scalar) and isinstance(value.number, int):
        value = number(value.number % 2**64)
    return materialize(frame.emitter, value, U64)


def _site(frame: Frame, name: str) -> int:
    """Return what the name of a draw is as a number: functions called, and its own.

    The same name again, in another call of its function, is another draw.
    """
    names = [name]
    around: Frame | None = frame
    while around is not None:
        if around.function is not None and around.caller is not None:
            names.append(around.function.name or "")
        around = around.caller
    path = ".".join(reversed(names))
    number_ = frame.entry.sites[path]
    frame.entry.sites[path] += 1
    text = f"{path}#{number_}" if number_ else path
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
