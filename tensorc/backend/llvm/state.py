"""What the lowering of one function knows, and how IR types are spelled in LLVM."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

from tensorc.backend.emit import (
    FunctionEmitter,
    LType,
    LValue,
    ModuleEmitter,
)
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.builtin import Function
from tensorc.ir.types import Element, Type, VectorType, element_type
from tensorc.target import Target

Close = Callable[[list[LValue]], None]


@dataclass
class Open:
    """A region that is being lowered: the ops to come, and what its end does."""

    ops: Iterator[Op]
    close: Close


@dataclass
class State:
    """The lowering of one function.

    `full` holds the masks (vector.create_mask) that are known to be true in all lanes
    where code is being emitted. Kernels with less than `parallel_work` element
    operations run in one thread. Of `functions` those named in `failing` can fail.
    `cells` are bf16 as they were read, by what they are in registers: who only moves
    them takes these, and nothing is left of what was made of them.
    `slots` are the addresses of what kernels are given, the same for all launches;
    `words` is what they are known to hold. `launches` are the numbers of launches whose
    times are written, `extents` the elements of memory where bounds are checked.
    """

    module: ModuleEmitter
    emit: FunctionEmitter
    target: Target
    functions: Mapping[str, Function]
    failing: Set[str]
    record: LValue
    values: dict[Value, LValue]
    parallel_work: int
    regions: list[Open] = field(default_factory=list)
    full: set[Op] = field(default_factory=set)
    slots: list[LValue] = field(default_factory=list)
    words: dict[int, LValue] = field(default_factory=dict)
    launches: dict[Op, int] = field(default_factory=dict)
    extents: dict[Value, LValue] = field(default_factory=dict)
    cells: dict[LValue, LValue] = field(default_factory=dict)

    def operands(self, op: Op) -> list[LValue]:
        """Return what the operands were lowered to."""
        return [self.values[v] for v in op.operands]

    def open(self, ops: Sequence[Op], close: Close) -> None:
        """Lower these ops next; `close` is given the operands of the last one."""
        self.regions.append(Open(iter(ops), close))


Lower = Callable[[State, Op], None]

# In registers a bf16 is an f32 whose lower half is 0 (see `bfloat16`).
_SCALARS = {
    "f16": "half",
    "bf16": "float",
    "f32": "float",
    "f64": "double",
    "index": "i64",
}


_CELLS = {"i1": "i8", "bf16": "i16"}


def scalar_of(element: Element) -> str:
    """Return LLVM's scalar: integers have no sign, index is i64."""
    return _SCALARS.get(element.name) or f"i{element.bits}"


@lru_cache(1024)  # there are few types of scalars and vectors
def type_of(type_: Type) -> LType:
    """Return the type of a scalar or vector in registers."""
    lanes = type_.lanes if isinstance(type_, VectorType) else 0
    return LType(scalar_of(element_type(type_)), lanes)


def memory_type(type_: Type) -> LType:
    """Return the type of a scalar or vector in memory: i1 is a byte, bf16 an i16."""
    kept = type_of(type_)
    return kept.of(_CELLS.get(element_type(type_).name, kept.scalar))


def is_signed(element: Element) -> bool:
    """Return whether an integer's order is signed, and its casts; booleans' are not."""
    return element.is_integer and not element.is_unsigned
