"""What a `.tc` file is to the rest of tensorc: plain data, and IR on demand.

A program that the cache knows is used without the parser and without IR.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np

from tensorc.errors import Diagnostic, Location, ShapeError
from tensorc.recipes import Fit, Run

if TYPE_CHECKING:
    from tensorc.ir.ops.builtin import Module
    from tensorc.ir.types import TensorType

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
UNKNOWN_NAME = "TC0303"
MOST_MEMORY = 1 << 40  # bytes of one memory


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function or step of the file, named in a recipe or as a hyper's value."""

    name: str


@dataclass(frozen=True, slots=True)
class CallValue:
    """A call in a recipe: `mnist("data/mnist")`, `patience(5000, increase=2)`."""

    callee: str
    arguments: "tuple[PlainValue, ...]"
    named: "Mapping[str, PlainValue]"
    location: Location = field(repr=False)


PlainValue: TypeAlias = (
    "bool | int | float | str | FunctionRef | CallValue"
    " | list[PlainValue] | tuple[PlainValue, ...] | None"
)
HyperValue: TypeAlias = bool | int | float | str | FunctionRef
PlainHyper: TypeAlias = bool | int | float | str
Kind: TypeAlias = Literal["param", "state"]


def check_memory(name: str, type_: "TensorType", location: Location) -> None:
    """Refuse a memory that no machine holds: ShapeError, for a type of known sizes."""
    size = type_.element.bytes
    for dim in type_.shape:
        size *= max(dim, 1) if isinstance(dim, int) else 1
    if size > MOST_MEMORY:
        message = f"`{name}` would need {size >> 30} GiB"
        raise ShapeError(Diagnostic("TC0301", message, location))


def plain_hypers(hypers: Mapping[str, HyperValue]) -> dict[str, PlainHyper]:
    """Return the hypers that are no functions."""
    return {n: v for n, v in hypers.items() if not isinstance(v, FunctionRef)}


class Stored(Protocol):
    """A param or state, as those see it who hold its value."""

    @property
    def name(self) -> str:
        """Its name in the file."""
        ...

    @property
    def kind(self) -> Kind:
        """Which of the two it is."""
        ...

    @property
    def initial(self) -> Array:
        """Its first value; maybe a view that is not written to."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MemoryDecl:
    """A param or state: its type has an integer shape, `first` makes its first value.

    That is done when the memory is made: it may be large.
    """

    name: str
    kind: Kind
    type: "TensorType"
    first: Callable[[], Array] = field(repr=False)
    location: Location = field(repr=False)
    doc: str = ""

    @property
    def initial(self) -> Array:
        """The first value, of the memory's type; maybe a view that is not written to.

        Raises `CompileError` at the distribution if what it draws does not fit.
        """
        return self.first()


@dataclass(frozen=True, slots=True)
class FileProgram:
    """A checked file: memory, hypers after settings, entries and recipes.

    `entries` are the steps and the functions whose arguments all have types, in source
    order; `steps` are those of them that change memory. `emitter` makes the IR of some
    of them, and adds to `warnings`.
    """

    path: str
    memories: tuple[Stored, ...]
    hypers: Mapping[str, HyperValue]
    entries: tuple[str, ...]
    recipes: tuple[Fit | Run, ...]
    emitter: "Callable[[Sequence[str]], Module]" = field(repr=False)
    varier: Callable[[str, str], bool] = field(repr=False)
    warnings: Sequence[Diagnostic] = field(default=(), repr=False)
    steps: tuple[str, ...] = ()

    def emit(self, names: Sequence[str] | None = None) -> "Module":
        """Return a module at the TENSOR level with one function per entry.

        Raises `CompileError` with a diagnostic for each function that is wrong.
        """
        return self.emitter(self.entries if names is None else names)

    def varies(self, entry: str, hyper: str) -> bool:
        """Tell whether an entry's IR is the same for every value of a hyper."""
        return self.varier(entry, hyper)
