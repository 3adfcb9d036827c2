"""What a file declares: how it is named, and memory with its first value."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from tensorc.errors import CompileError, Label
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.draws import drawn
from tensorc.frontend.dsl.irgen.errors import (
    NO_VALUE,
    NOT_KNOWN,
    SIZES,
    TWICE,
    TYPES,
    error,
)
from tensorc.frontend.dsl.irgen.types import tensor_type
from tensorc.frontend.dsl.irgen.values import (
    Binding,
    Broken,
    GroupValue,
    Known,
    MemoryRef,
    Scope,
    describe,
)
from tensorc.frontend.dsl.programs.program import Array, MemoryDecl, check_memory
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import (
    KINDS,
    Literal,
    Scalar,
    exact_array,
    kind_of_element,
    spell_element,
    spell_type,
)
from tensorc.ir.dims import Poly
from tensorc.ir.types import TensorType

MAX_DRAWN_BYTES = 1 << 24  # more than that is not drawn before it is needed


def bind(frame: Frame, name: str, value: Known, node: ast.Node) -> None:
    """Give a declared name its meaning; `CompileError` if it has one already."""
    home, own = home_of(frame, name, node)
    before = home.names.get(own)
    if before is not None:
        raise _twice(name, before, node)
    home.bind(own, value, node.location)


def home_of(frame: Frame, name: str, node: ast.Node) -> tuple[Scope, str]:
    """Return where the last part of a name is bound: in the groups of the others.

    Groups are made with their first member. Raises `CompileError` where one of these
    parts is the name of something else.
    """
    *parts, own = name.split(".")
    home = frame.scope
    for i, part in enumerate(parts, 1):
        group = ".".join(parts[:i])
        before = home.names.get(part)
        if before is None:
            home.bind(part, GroupValue(group, Scope()), node.location)
        elif isinstance(before.value, Broken):
            raise CompileError
        elif not isinstance(before.value, GroupValue):
            raise _twice(group, before, node)
        value = home.names[part].value
        assert isinstance(value, GroupValue)
        home = value.members
    return home, own


def _twice(name: str, before: Binding, node: ast.Node) -> CompileError:
    label = Label(before.location, "declared here first")
    message = f"`{name}` is declared twice"
    return error(TWICE, message, node.location, labels=[label])


def declare_memory(frame: Frame, node: ast.Memory) -> None:
    """Add a param or state to the file; `CompileError` if its sizes are unknown."""
    type_ = tensor_type(frame, node.type)
    shape = [d for d in type_.shape if isinstance(d, int)]
    if len(shape) < type_.rank:
        message = "the sizes of a memory must be known while compiling"
        raise error(NOT_KNOWN, message, node.type.location)
    check_memory(node.name, type_, node.type.location)
    if isinstance(node.initial, ast.Draw):
        first: Callable[[], Array] = drawn(frame, node, type_, node.initial)
        if math.prod(shape) * type_.element.bytes <= MAX_DRAWN_BYTES:
            first = partial(_given, first())
    else:
        first = _initial(frame, node, type_, node.initial.value)
    memory = MemoryDecl(
        node.name,
        "param" if node.kind == "param" else "state",
        type_,
        first,
        node.location,
        node.doc,
    )
    bind(frame, node.name, MemoryRef(memory), node)
    frame.unit.memories[node.name] = memory


def _given(array: Array) -> Array:
    return array


def _initial(
    frame: Frame, node: ast.Memory, type_: TensorType, location: ast.Expression
) -> Callable[[], Array]:
    """Return the first value of a memory: a scalar fills, a list has the shape."""
    value = frame.evaluate(location)
    label = Label(node.type.location, f"`{node.name}` is declared here")
    shape = tuple([d for d in type_.shape if isinstance(d, int)])
    if isinstance(value, MemoryRef):
        if value.memory.type == type_:
            return value.memory.first
        message = f"`{node.name}` is {spell_type(type_)}, "
        message += f"got {spell_type(value.memory.type)}"
        raise error(TYPES, message, location.location, labels=[label])
    if not isinstance(value, Scalar | Literal):
        message = f"a first value must be a number or a list, this is {describe(value)}"
        raise error(NO_VALUE, message, location.location)
    require_kind(node.name, value, type_, location, label)
    plain = value.values if isinstance(value, Literal) else value.number
    if plain is None:
        message = f"the first value of `{node.name}` must be known while compiling"
        raise error(NOT_KNOWN, message, location.location)
    assert not isinstance(plain, Poly)
    frame.entry.builder.location = location.location
    array = exact_array(frame.emitter, plain, type_.element)
    if array.shape not in ((), shape):
        message = f"`{node.name}` has shape {list(shape)}, got {list(array.shape)}"
        raise error(SIZES, message, location.location, labels=[label])
    # A view: a large memory takes its place when it is made, not while it is read.
    return partial(_given, np.broadcast_to(array, shape))


def require_kind(
    name: str,
    value: Scalar | Literal,
    type_: TensorType,
    location: ast.Expression,
    label: Label,
) -> None:
    """Raise `CompileError` for a float where integers are, or a truth value."""
    kind = kind_of_element(type_.element)
    mixed = (value.kind == "bool") != (kind == "bool")
    if mixed or KINDS.index(value.kind) > KINDS.index(kind):
        message = f"`{name}` is {spell_element(type_.element)}, got {describe(value)}"
        raise error(TYPES, message, location.location, labels=[label])
