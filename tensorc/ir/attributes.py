"""Compile-time constants on ops.

Plain Python values stand for the usual ones: `bool` (true), `int` (2 : i64), `float`
(2.0 : f64), `str` ("text"), a tuple of `int` (array<i64: 1, 2>), and every type.
The classes below are the rest.
"""

from dataclasses import dataclass

import numpy as np

from tensorc.ir.dims import Dim
from tensorc.ir.types import Element, TensorType, Type


@dataclass(frozen=True, slots=True)
class Dims:
    """Dimensions, e.g. the shape to broadcast to: #tc.dims<["B", 10]>."""

    dims: tuple[Dim, ...]

    def __str__(self) -> str:
        quoted = [str(d) if isinstance(d, int) else f'"{d}"' for d in self.dims]
        return f"#tc.dims<[{', '.join(quoted)}]>"


@dataclass(frozen=True, slots=True)
class Typed:
    """A scalar with its type, e.g. 0 : index or 0x7F800000 : f32."""

    value: int | float
    type: Element

    def __eq__(self, other: object) -> bool:
        """Compare bits, so that NaN equals itself and -0.0 differs from 0.0."""
        return isinstance(other, Typed) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, bytes]:
        return self.type.name, np.array(self.value, self.type.dtype).tobytes()


# Elements of a constant that code writes one by one; those of larger ones are data.
MOST_WRITTEN = 16


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A constant array; compared by bits. The array must not be changed."""

    value: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
    type: TensorType

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Dense)
            and self.type == other.type
            and self.value.tobytes() == other.value.tobytes()
        )

    def __hash__(self) -> int:
        return hash((self.type, self.value.tobytes()))

    @property
    def is_splat(self) -> bool:
        """Whether one number fills it, by bits; an empty array has none."""
        flat = np.ascontiguousarray(self.value).reshape(-1)
        if not flat.size:
            return False
        rows = flat.view(np.uint8).reshape(flat.size, -1)
        return bool((rows == rows[0]).all())

    @property
    def is_large(self) -> bool:
        """Whether code does not spell its elements out: they are many, and differ."""
        return self.value.size > MOST_WRITTEN and not self.is_splat

    @property
    def content(self) -> bytes:
        """The elements in memory order, each with its low byte first."""
        order = self.type.element.dtype.newbyteorder("<")
        return np.ascontiguousarray(self.value, order).tobytes()


@dataclass(frozen=True, slots=True)
class AffineMap:
    """A projected permutation: result i is dimension `results[i]`, or 0 for None.

    affine_map<(d0, d1) -> (d1, 0)> is AffineMap(2, (1, None)).
    """

    dims: int
    results: tuple[int | None, ...]

    def __str__(self) -> str:
        names = ", ".join(f"d{i}" for i in range(self.dims))
        given = ", ".join("0" if r is None else f"d{r}" for r in self.results)
        return f"affine_map<({names}) -> ({given})>"


def identity_map(dims: int) -> AffineMap:
    """Return (d0, d1, …) -> (d0, d1, …)."""
    return AffineMap(dims, tuple(range(dims)))


@dataclass(frozen=True, slots=True)
class SymbolRef:
    """A reference to a function of the module: @name."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True)
class Enum:
    """A value of another dialect's enumeration: #linalg.iterator_type<parallel>."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"#{self.name}<{self.value}>"


PARALLEL = Enum("linalg.iterator_type", "parallel")
REDUCTION = Enum("linalg.iterator_type", "reduction")


@dataclass(frozen=True, slots=True)
class ArrayAttr:
    """A list of attributes: [a, b]."""

    items: tuple["Attribute", ...]


@dataclass(frozen=True, slots=True)
class Dict:
    """Named attributes, sorted by name: {a = 1 : i64}."""

    items: tuple[tuple[str, "Attribute"], ...]

    def get(self, name: str) -> "Attribute | None":
        """Return the attribute of that name, or None."""
        return dict(self.items).get(name)


def make_dict(**items: "Attribute") -> Dict:
    """Return a dictionary attribute with its names sorted."""
    return Dict(tuple(sorted(items.items())))


Attribute = (
    bool
    | int
    | float
    | str
    | tuple[int, ...]
    | Type
    | Dims
    | Typed
    | Dense
    | AffineMap
    | SymbolRef
    | Enum
    | ArrayAttr
    | Dict
)
