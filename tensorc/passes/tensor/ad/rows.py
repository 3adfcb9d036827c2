"""What the rows of the tables are: a class of ops and a function that builds ops.

A derivative is given and returned as one value for each operand or result of an op, or
None where there is none: of integers, and where no path leads.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar, cast

from tensorc.ir.core import Op, Value
from tensorc.ir.tensor_builder import TensorBuilder

Cotangents = tuple[Value | None, ...]
Tangents = tuple[Value | None, ...]

# The cotangents of the operands, given the cotangent of the only result.
Row = Callable[[TensorBuilder, Op, Value], Cotangents]
# The cotangents of the operands, given those of the results; or the tangents of the
# results, given those of the operands.
Rule = Callable[[TensorBuilder, Op, tuple[Value | None, ...]], tuple[Value | None, ...]]

T = TypeVar("T", bound=Op)
G = TypeVar("G")  # what a row is given
R = TypeVar("R")


def rule(
    cls: type[T], function: Callable[[TensorBuilder, T, G], Cotangents]
) -> tuple[type[Op], Callable[[TensorBuilder, Op, G], Cotangents]]:
    """Return a row of a table; the class tells the type checker what `op` has."""
    return cls, cast(Callable[[TensorBuilder, Op, G], Cotangents], function)


def table(*rows: tuple[type[Op], R]) -> Mapping[type[Op], R]:
    """Return the rows as a read-only mapping; ValueError for a second row of an op."""
    found = dict(rows)
    if len(found) != len(rows):
        raise ValueError("an op has two derivative rules")
    return MappingProxyType(found)


def only(values: Cotangents) -> Value:
    """Return the one that is there, of an op that takes or gives one float."""
    (value,) = [v for v in values if v is not None]
    return value
