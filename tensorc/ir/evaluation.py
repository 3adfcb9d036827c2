"""What the `evaluate` of an op is given, and may ask of the interpreter.

Arithmetic on bf16 is that of f32, rounded: so no `evaluate` knows of bf16. Whoever
calls one gives it `as_given`, and takes what it gives `as_element` of the result.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tensorc.floats import as_single, is_bfloat16
from tensorc.ir.core import Block, Op
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import STEPWISE
from tensorc.ir.types import BF16, Element, MemRefType, Type


def as_given(op: Op, operands: Sequence[Array]) -> Sequence[Array]:
    """Return operands as the `evaluate` of an op takes them: what is bf16 in f32.

    Memory stays what it is, and so does what is rounded after each of several steps.
    """
    steps = op.made_of is not None or STEPWISE in op.traits
    if steps or not any(is_bfloat16(v.dtype) for v in operands):
        return operands
    pairs = zip(op.operands, operands, strict=True)
    return [v if isinstance(o.type, MemRefType) else as_single(v) for o, v in pairs]


def as_element(value: Array, element: Element) -> Array:
    """Return what an `evaluate` gave for a result of a type, in that type."""
    value = np.asarray(value)
    narrows = element == BF16 and value.dtype == np.float32
    return value.astype(element.dtype) if narrows else value


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
