"""Types of values: tensors with symbolic dimensions, memory, vectors and scalars."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tensorc.ir.dims import Dim
from tensorc.ir.levels import (
    AT_BUFFER,
    AT_LOOP,
    AT_STRUCTURED,
    AT_TENSOR,
    BELOW_TENSOR,
    Level,
)


@dataclass(frozen=True, slots=True)
class Element:
    """A scalar type, by its MLIR name: f16 f32 f64, i1 i8…i64, ui8…ui64, index."""

    levels: ClassVar[frozenset[Level]] = BELOW_TENSOR
    name: str

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """The numpy type with the same values (index is int64)."""
        return _DTYPES[self.name]

    @property
    def is_float(self) -> bool:
        """Tell floats from integers and booleans."""
        return self.name.startswith(("f", "bf"))

    @property
    def is_integer(self) -> bool:
        """Tell integers (not booleans) from the rest."""
        return not self.is_float and self.name != "i1"

    @property
    def is_unsigned(self) -> bool:
        """Tell unsigned integers from the rest."""
        return self.name.startswith("ui")

    @property
    def accumulator(self) -> "Element":
        """The type that sums and products of this one are added up in."""
        return F32 if self == F16 else self

    @property
    def bits(self) -> int:
        """The width in bits; 1 for i1, which takes a byte in memory."""
        return 64 if self.name == "index" else int(self.name.lstrip("uifb"))

    @property
    def bytes(self) -> int:
        """The size of an element in memory."""
        return self.dtype.itemsize

    def __str__(self) -> str:
        return self.name


_DTYPES: dict[str, "np.dtype[np.generic]"] = {
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "ui8": np.dtype(np.uint8),
    "ui16": np.dtype(np.uint16),
    "ui32": np.dtype(np.uint32),
    "ui64": np.dtype(np.uint64),
    "index": np.dtype(np.int64),
}
F16, F32, F64 = Element("f16"), Element("f32"), Element("f64")
I1, I8, I32, I64 = Element("i1"), Element("i8"), Element("i32"), Element("i64")
INDEX = Element("index")
ELEMENTS = {name: Element(name) for name in _DTYPES}


def element_of(dtype: "np.dtype[np.generic]") -> Element:
    """Return the element type of a numpy dtype; KeyError if there is none."""
    return _BY_DTYPE[dtype]


_BY_DTYPE = {d: Element(n) for n, d in _DTYPES.items() if n != "index"}


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
