"""`x.at[i].set(v)` and `.add(v)`: new values for a part of a variable, in a new one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from tensorc.frontend.library.indexing import Index
from tensorc.frontend.library.mistakes import door, hiding_methods
from tensorc.frontend.python.symbolic_operands import indices_of
from tensorc.ir.ops.tensor.indexing import ADD, SET

T = TypeVar("T")
Put = Callable[[T, Sequence[Index], object, str], T]


@hiding_methods
@dataclass(frozen=True, slots=True)
class Selector(Generic[T]):
    """`x.at`: index it to name a part of x; `put` makes the new variable."""

    tensor: T
    put: Put[T]

    @door
    def __getitem__(self, index: object) -> "Selection[T]":
        return Selection(self.tensor, self.put, indices_of(index))


@hiding_methods
@dataclass(frozen=True, slots=True)
class Selection(Generic[T]):
    """`x.at[i]`: a part of x that gets new values, in a new variable."""

    tensor: T
    put: Put[T]
    indices: Sequence[Index]

    def set(self, values: object) -> T:
        """Return x with these values in the part; of several for an index the last."""
        return self.put(self.tensor, self.indices, values, SET)

    def add(self, values: object) -> T:
        """Return x with these values added to the part, several for an index too."""
        return self.put(self.tensor, self.indices, values, ADD)

    def __getattr__(self, name: str) -> NoReturn:
        """Say what there is instead; only called for what is missing."""
        message = f"x.at[i] has set and add, but no '{name}'"
        hint = "compute with the part: x.at[i].set(2 * x[i])"
        raise AttributeError(f"{message}; {hint}", name=name, obj=self)
