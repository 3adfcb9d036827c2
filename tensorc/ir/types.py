"""Types of values: tensors with symbolic dimensions, memory, vectors and scalars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from tensorc.floats import bfloat16, is_bfloat16
from tensorc.ir.dims import Dim
from tensorc.ir.levels import (
    AT_BUFFER,
    AT_LOOP,
    AT_STRUCTURED,
    AT_TENSOR,
    BELOW_TENSOR,
    Level,
)


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A scalar type, by its MLIR name: f16 bf16 f32 f64, i1 i8…i64, ui8…ui64, index.

    There is one object of each, in `ELEMENTS`: equal ones are the same, and what is
    asked of them everywhere is kept.
    """

    levels: ClassVar[frozenset[Level]] = BELOW_TENSOR
    name: str
    is_float: bool = field(repr=False)
    is_unsigned: bool = field(repr=False)
    numpy: "np.dtype[np.generic] | None" = field(repr=False)

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """The numpy type with the same values (index is int64).

        Raises:
            TensorcError: it is bf16, and `ml_dtypes` is not installed (TC0703).
        """
        return bfloat16() if self.numpy is None else self.numpy

    @property
    def is_integer(self) -> bool:
        """Tell integers (not booleans) from the rest."""
        return not self.is_float and self.name != "i1"

    @property
    def accumulator(self) -> "Element":
        """The type that sums and products of this one are added up in."""
        return F32 if self in (F16, BF16) else self

    @property
    def bits(self) -> int:
        """The width in bits; 1 for i1, which takes a byte in memory."""
        return 64 if self.name == "index" else int(self.name.lstrip("buif"))

    @property
    def bytes(self) -> int:
        """The size of an element in memory."""
        return (self.bits + 7) // 8

    def __reduce__(self) -> tuple[object, ...]:
        return _element, (self.name,)

    def __str__(self) -> str:
        return self.name


def _element(name: str) -> Element:
    return ELEMENTS[name]


_DTYPES = {
    "f16": np.float16,
    "bf16": None,  # NumPy has none
    "f32": np.float32,
    "f64": np.float64,
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "ui8": np.uint8,
    "ui16": np.uint16,
    "ui32": np.uint32,
    "ui64": np.uint64,
    "index": np.int64,
}
ELEMENTS: Mapping[str, Element] = MappingProxyType(
    {
        name: Element(
            name,
            name.lstrip("b")[0] == "f",
            name[0] == "u",
            None if scalar is None else np.dtype(scalar),
        )
        for name, scalar in _DTYPES.items()
    }
)
F16, BF16, F32, F64 = [ELEMENTS[name] for name in ("f16", "bf16", "f32", "f64")]
I1, I8, I32, I64 = [ELEMENTS[name] for name in ("i1", "i8", "i32", "i64")]
U32, U64 = ELEMENTS["ui32"], ELEMENTS["ui64"]
INDEX = ELEMENTS["index"]


def element_of(dtype: "np.dtype[np.generic]") -> Element:
    """Return the element type of a numpy dtype; KeyError if there is none."""
    return BF16 if is_bfloat16(dtype) else _BY_DTYPE[dtype]


_BY_DTYPE = {e.numpy: e for e in ELEMENTS.values() if e not in (INDEX, BF16)}


@dataclass(frozen=True, slots=True)
class TensorType:
    """An immutable array value: static rank, symbolic dimensions."""

    levels: ClassVar[frozenset[Level]] = AT_TENSOR | AT_STRUCTURED
    shape: tuple[Dim, ...]
    element: Element

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __str__(self) -> str:
        """Return the short form, for people and messages: f32[B, 784]."""
        if not self.shape:
            return str(self.element)
        return f"{self.element}[{', '.join(str(d) for d in self.shape)}]"


@dataclass(frozen=True, slots=True)
class MemRefType:
    """Row-major memory; None is a size that an index argument gives (`?`)."""

    levels: ClassVar[frozenset[Level]] = AT_BUFFER | AT_LOOP
    shape: tuple[int | None, ...]
    element: Element

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __str__(self) -> str:
        dims = "".join(f"{'?' if d is None else d}x" for d in self.shape)
        return f"memref<{dims}{self.element}>"


@dataclass(frozen=True, slots=True)
class VectorType:
    """A register of `lanes` elements."""

    levels: ClassVar[frozenset[Level]] = AT_LOOP
    lanes: int
    element: Element

    def __str__(self) -> str:
        return f"vector<{self.lanes}x{self.element}>"


@dataclass(frozen=True, slots=True)
class FunctionType:
    """What a function takes and gives."""

    levels: ClassVar[frozenset[Level]] = frozenset()  # no value has it
    inputs: tuple["Type", ...]
    results: tuple["Type", ...]

    def __str__(self) -> str:
        inputs = ", ".join(str(t) for t in self.inputs)
        return f"({inputs}) -> ({', '.join(str(t) for t in self.results)})"


Type = TensorType | MemRefType | VectorType | Element | FunctionType


def element_type(type_: Type) -> Element:
    """Return the scalar type inside a tensor, memory, vector or scalar type."""
    if isinstance(type_, Element):
        return type_
    if isinstance(type_, FunctionType):
        raise TypeError("a function type has no elements")
    return type_.element
