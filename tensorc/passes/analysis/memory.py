"""What is known of memory from BUFFER down: its shape, and the arena."""

from collections.abc import Sequence

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.types import ELEMENTS, MemRefType, Type

ARENA = MemRefType((None,), ELEMENTS["i8"])


def shape_of(op: Op) -> tuple[Dim, ...]:
    """Return the dimensions of an allocation, from its type and its sizes."""
    return sized_shape(op.result.type, op.operands)


def sized_shape(type_: Type, given: Sequence[Value]) -> tuple[Dim, ...]:
    """Return the dimensions of memory whose unknown sizes are given by `tc.size`."""
    assert isinstance(type_, MemRefType)
    sizes = iter(given)
    dims: list[Dim] = []
    for known in type_.shape:
        if known is not None:
            dims.append(known)
            continue
        source = next(sizes).op
        assert isinstance(source, SizeOf)
        dims.append(source.dim.dims[0])
    return tuple(dims)
