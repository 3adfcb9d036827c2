"""What the `evaluate` of an op may ask of the interpreter."""

from collections.abc import Sequence
from typing import Protocol

from tensorc.ir.core import Block
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import Array
from tensorc.ir.types import Element, Type


class Typing(Protocol):
    """What `evaluate` may ask of the interpreter: the element type of the result."""

    def result_element(self) -> Element:
        """Return the element type of the only result."""
        ...


class Allocating(Typing, Protocol):
    """What `evaluate` may ask of the interpreter: the type of the result."""

    def result_type(self) -> Type:
        """Return the type of the only result."""
        ...


class Sizes(Protocol):
    """What `evaluate` may ask of the interpreter: the number that a dimension is."""

    def size(self, dim: Dim) -> int:
        """Return the value of a dimension in this call."""
        ...


class Failing(Protocol):
    """What `evaluate` may ask of the interpreter: to stop with an index error."""

    def fail_index(self, axis: int, index: int, size: int) -> None:
        """Raise `IndexOutOfRange` at the op's source location."""
        ...


class SizedFailing(Sizes, Failing, Protocol):
    """What a check may ask of the interpreter: sizes, and to stop."""


class RegionRunner(Protocol):
    """What `evaluate` may ask of the interpreter: to run the op's regions."""

    def block(self, region: int) -> Block:
        """Return the only block of a region of the op; an empty one if it has none."""
        ...

    def gives_results(self) -> bool:
        """Return whether the op gives tensors, or writes to memory."""
        ...

    def run(self, block: Block, arguments: Sequence[Array]) -> list[Array]:
        """Run a block and return the operands of its terminator."""
        ...


class StepRunner(Sizes, RegionRunner, Protocol):
    """What `evaluate` may ask of the interpreter: to run a region again and again."""

    def fresh_results(self) -> list[Array]:
        """Return arrays of zeros of the types of the op's results, tensors."""
        ...
