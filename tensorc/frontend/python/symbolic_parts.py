"""`x.at[i].set(v)`, `.add(v)`: new values for a part of a variable, in a new one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

import numpy as np

from tensorc.frontend.library.indexing import Index
from tensorc.frontend.library.mistakes import door, hiding_methods, usage_error
from tensorc.frontend.library.operands import TensorOperand
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
        return Selection(self.tensor, self.put, indices_of(index), index)


@hiding_methods
@dataclass(frozen=True, slots=True)
class Selection(Generic[T]):
    """`x.at[i]`: a part of x that gets new values, in a new variable."""

    tensor: T
    put: Put[T]
    indices: Sequence[Index]
    index: object

    def set(self, values: object) -> T:
        """Return x with these values in the part; of several for an index the last."""
        return self.put(self.tensor, self.indices, values, SET)

    def add(self, values: object) -> T:
        """Return x with these values added to the part, several for an index too."""
        return self.put(self.tensor, self.indices, values, ADD)

    def multiply(self, values: object) -> T:
        """Return x with the part times these values."""
        return self._computed("multiply", np.multiply, values)

    def max(self, values: object) -> T:
        """Return x with the larger ones of the part and these values."""
        return self._computed("max", np.maximum, values)

    def min(self, values: object) -> T:
        """Return x with the smaller ones of the part and these values."""
        return self._computed("min", np.minimum, values)

    def _computed(self, name: str, compute: np.ufunc, values: object) -> T:
        """Compute with the part; of arrays of indices one may stand twice."""
        if any(isinstance(i, TensorOperand) and i.type.rank for i in self.indices):
            message = f"x.at[i].{name} at an array of indices is not in this version"
            way = "of a mask np.where(m, f(x, v), x); where none stands twice "
            raise usage_error(message, f"{way}x.at[i].set(f(x[i], v))")
        part = self.tensor[self.index]  # type: ignore[index]  # variables have parts
        return self.put(self.tensor, self.indices, compute(part, values), SET)

    def __getattr__(self, name: str) -> NoReturn:
        """Say what there is instead; only called for what is missing."""
        message = f"x.at[i] has set, add, multiply, max and min, no '{name}'"
        hint = "compute with the part: x.at[i].set(2 * x[i])"
        raise AttributeError(f"{message}; {hint}", name=name, obj=self)
