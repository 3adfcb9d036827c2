"""What an expression of a `.tc` file can be while it is compiled."""

from dataclasses import dataclass, field
from typing import TypeAlias

from tensorc.errors import Label, Location
from tensorc.frontend.dsl.programs.program import MemoryDecl
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import (
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    kind_of,
    spell_element,
    spell_type,
)
from tensorc.ir.dims import Dim
from tensorc.ir.types import Element


@dataclass(frozen=True, slots=True)
class MemoryRef:
    """A param or state: reading it gives a tensor, a step may update it."""

    memory: MemoryDecl


@dataclass(frozen=True, slots=True)
class GroupValue:
    """Memory whose names begin alike: `conv1` of `conv1.W` and `conv1.b`."""

    name: str
    members: "Scope" = field(repr=False)

    def way(self) -> str:
        """Return the hint that names its members, for messages."""
        names = [f"`{self.name}.{n}`" for n in list(self.members.names)[:4]]
        return f"name its members: {', '.join(names)}"


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """A function or step of the file, with the scope in which it was written."""

    node: ast.Function | ast.Step
    scope: "Scope" = field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.name or "fn"


@dataclass(frozen=True, slots=True)
class BuiltinValue:
    """A function of the prelude."""

    name: str
    row: LibraryFunction


@dataclass(frozen=True, slots=True)
class DerivativeValue:
    """`grad` and its like, no functions of values: they see how these were computed."""

    name: str


@dataclass(frozen=True, slots=True)
class CastValue:
    """A dtype as a function: `f32`."""

    element: Element


@dataclass(frozen=True, slots=True)
class TupleValue:
    """Several values, from `(a, b)`, several results or `.shape`."""

    elements: "tuple[Known, ...]"


@dataclass(frozen=True, slots=True)
class TextValue:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class NoneValue:
    """`none`."""


@dataclass(frozen=True, slots=True)
class NothingValue:
    """What a call gives whose function returns nothing."""

    name: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """Something that is parsed and not yet compiled: any use of its name says so."""

    what: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A name whose declaration is wrong: its uses add no more messages."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A name that the branches of an `if` do not agree on: any use of it says why."""

    code: str
    message: str
    labels: tuple[Label, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredType:
    """A type with its sizes as numbers; None stands for `...`."""

    element: Element
    dims: tuple[Dim | None, ...]


Known: TypeAlias = (
    Operand
    | MemoryRef
    | GroupValue
    | FunctionValue
    | BuiltinValue
    | DerivativeValue
    | CastValue
    | TupleValue
    | TextValue
    | NoneValue
    | NothingValue
    | NotYet
    | Broken
    | Unusable
)

_WORDS: dict[type, str] = {
    GroupValue: "a group",
    FunctionValue: "a function",
    BuiltinValue: "a function",
    DerivativeValue: "a function",
    CastValue: "a type",
    TupleValue: "a tuple",
    TextValue: "a text",
    NoneValue: "none",
    NothingValue: "nothing",
}


def describe(value: Known) -> str:
    """Return what a value is, for messages: f32[B, 10], the number 3, a function."""
    match value:
        case TensorOperand(weak=True) if not value.type.rank:
            return f"a number ({kind_of(value)})"
        case TensorOperand():
            return spell_type(value.type)
        case MemoryRef():
            return spell_type(value.memory.type)
        case Scalar():
            if value.number is None or isinstance(value.source, str):
                return f"a number ({value.kind})"
            return f"the number {value.number}".replace("True", "true")
        case Literal():
            return f"a list of shape {list(value.values.shape)}"
        case CastValue():
            return f"the type {spell_element(value.element)}"
        case _:
            return _WORDS.get(type(value), "a value")


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a function was called, for errors inside it."""

    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name stands for, and where it got that meaning."""

    value: Known
    location: Location


@dataclass(eq=False)
class Scope:
    """Names of a function or file; `parent` is the scope around it."""

    parent: "Scope | None" = None
    names: dict[str, Binding] = field(default_factory=dict)

    def bind(self, name: str, value: Known, location: Location) -> None:
        """Give a name a meaning in this scope."""
        self.names[name] = Binding(value, location)

    def find(self, name: str) -> Binding | None:
        """Return the nearest meaning of a name."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def all_names(self) -> list[str]:
        """Return every name that can be used here, the nearest scope first."""
        names: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            names.update(dict.fromkeys(scope.names))
            scope = scope.parent
        return list(names)
