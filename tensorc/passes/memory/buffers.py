"""The state of bufferize: which memory holds a tensor, and how more is had."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from tensorc.ir.builder import Builder
from tensorc.ir.core import Value
from tensorc.ir.ops.memory import memory
from tensorc.ir.types import MemRefType, TensorType
from tensorc.passes.common.structured_builder import size
from tensorc.target import Target


@dataclass
class Buffers:
    """The state of one function: which memory holds a tensor."""

    b: Builder
    target: Target
    memory: dict[Value, Value] = field(default_factory=dict)
    given: dict[Value, Value] = field(default_factory=dict)  # results' own memory
    over: dict[Value, Value] = field(default_factory=dict)  # in place: what is replaced
    frozen: set[Value] = field(default_factory=set)  # arguments that no other writes to
    # Copies of right sides that kernels before have filled, by what is copied and how.
    panels: dict[Hashable, Value] = field(default_factory=dict)


def memref_of(type_: TensorType) -> MemRefType:
    """Return the memory type that holds a tensor."""
    dims = tuple(d if isinstance(d, int) else None for d in type_.shape)
    return MemRefType(dims, type_.element)


def allocate(b: Builder, type_: TensorType, hint: str = "") -> Value:
    """Append fresh memory for a tensor."""
    sizes = [size(b, d) for d in type_.shape if not isinstance(d, int)]
    value = b.value(memory.Alloc, *sizes, types=[memref_of(type_)])
    value.hint = hint
    return value
