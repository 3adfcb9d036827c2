"""Compile-time constants on ops.

Plain Python values stand for the usual ones: `bool` (true), `int` (2 : i64), `float`
(2.0 : f64), `str` ("text"), a tuple of `int` (array<i64: 1, 2>), and every type.
The classes below are the rest.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.floats import bytes_of
from tensorc.ir.dims import Dim, Poly
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
        if self.value.size <= 1:
            return self.value.size == 1
        flat = np.ascontiguousarray(self.value).reshape(-1)
        rows = flat.view(np.uint8).reshape(flat.size, -1)
        return bool((rows == rows[0]).all())

    @property
    def is_large(self) -> bool:
        """Whether code does not spell its elements out: they are many, and differ."""
        return self.value.size > MOST_WRITTEN and not self.is_splat

    @property
    def content(self) -> bytes:
        """The elements in memory order, each with its low byte first."""
        return bytes_of(self.value)


@dataclass(frozen=True, slots=True)
class Affine:
    """An index that is `constant` plus coefficient times dimension, for each term.

    d0 * 2 + d3 + 1 is Affine(1, ((0, 2), (3, 1))): terms are sorted, coefficients not
    0, dimensions different. A constant may be a formula. It reads (or writes) inside of
    an axis and says nothing of the axis's size: Affine(0, ((0, 1),)), written d0 + 0,
    is the beginning of an axis, where a plain d0 is the whole of it.
    """

    constant: Dim
    terms: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        parts = [(f"d{dim}", factor) for dim, factor in self.terms]
        if isinstance(self.constant, Poly):
            parts += [
                (" * ".join([symbol_name(str(atom)) for atom in atoms]), factor)
                for atoms, factor in self.constant.terms
            ]
        elif self.constant or not parts:
            parts.append(("", self.constant))
        elif self.terms == ((self.terms[0][0], 1),):
            parts.append(("", 0))
        text = ""
        for number, (names, factor) in enumerate(parts):
            size = str(abs(factor))
            if names:
                size = names if abs(factor) == 1 else f"{names} * {size}"
            if number:
                text += f" {'-' if factor < 0 else '+'} {size}"
            elif factor < 0 and abs(factor) != 1 and names:
                text = f"{names} * {factor}"  # as MLIR writes the first one
            else:
                text = f"-{size}" if factor < 0 else size
        return text


MapResult = int | Affine | None
_PLAIN_SYMBOL = re.compile(r"(?!d\d+$)[A-Za-z_]\w*", re.ASCII)


def symbol_name(atom: str) -> str:
    """Return what an atom of a formula is called in a map; quoted if it is no name."""
    return atom if _PLAIN_SYMBOL.fullmatch(atom) else f'"{atom}"'


def affine(constant: Dim, terms: Sequence[tuple[int, int]]) -> Affine | None:
    """Return an index in its normal form; None for index 0."""
    sums: dict[int, int] = {}
    for dim, factor in terms:
        sums[dim] = sums.get(dim, 0) + factor
    kept = tuple(sorted((dim, factor) for dim, factor in sums.items() if factor))
    return Affine(constant, kept) if kept or constant != 0 else None


def terms_of(result: MapResult) -> Sequence[tuple[int, int]]:
    """Return the dimensions in an index, and how much each counts."""
    if isinstance(result, Affine):
        return result.terms
    return () if result is None else ((result, 1),)


def through(result: MapResult, axes: Sequence[MapResult]) -> MapResult:
    """Return an index in terms of an iteration, whose dimensions `axes` index its own.

    A plain index of a plain one is plain: it runs over the whole of the axis.
    """
    if not isinstance(result, Affine):
        return None if result is None else axes[result]
    constant, terms = result.constant, []
    for axis, factor in result.terms:
        inner = axes[axis]
        if isinstance(inner, Affine):
            constant = constant + inner.constant * factor
            terms += [(dim, by * factor) for dim, by in inner.terms]
        elif inner is not None:
            terms.append((inner, factor))
    return affine(constant, terms)


@dataclass(frozen=True, slots=True)
class AffineMap:
    """Where a point of an iteration space lies in an operand: an index for each axis.

    A plain result is a dimension, which runs over the whole of that axis; None is index
    0, an `Affine` any other. affine_map<(d0, d1) -> (d1, 0, d0 * 2 + 1)> is
    AffineMap(2, (1, None, Affine(1, ((0, 2),)))). Where an index is outside of its axis
    the constant `outside` is read, if there is one; texts have it beside the maps.
    """

    dims: int
    results: tuple[MapResult, ...]
    outside: Typed | None = None

    @property
    def is_plain(self) -> bool:
        """Return whether it is a projected permutation: plain results and zeros."""
        return self.outside is None and Affine not in map(type, self.results)

    def through(self, dims: int, axes: Sequence[MapResult]) -> "AffineMap":
        """Return the map of an iteration over `dims` whose dimensions `axes` index."""
        results = tuple([through(result, axes) for result in self.results])
        return AffineMap(dims, results, self.outside)

    @property
    def constants(self) -> list[Dim]:
        """The formulas in it that are no numbers."""
        found = [r.constant for r in self.results if isinstance(r, Affine)]
        return [constant for constant in found if isinstance(constant, Poly)]

    def __str__(self) -> str:
        names = ", ".join(f"d{i}" for i in range(self.dims))
        atoms: dict[str, None] = {}
        for constant in self.constants:
            assert isinstance(constant, Poly)
            given = [symbol_name(str(a)) for part, _ in constant.terms for a in part]
            atoms.update(dict.fromkeys(given))
        symbols = f"[{', '.join(atoms)}]" if atoms else ""
        texts = [
            str(r) if isinstance(r, Affine) else "0" if r is None else f"d{r}"
            for r in self.results
        ]
        return f"affine_map<({names}){symbols} -> ({', '.join(texts)})>"


# What the text has beside the maps, of what these read outside of their operands.
OUTSIDE = "tc.outside"


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


def dims_of(attribute: Attribute) -> tuple[Dim, ...]:
    """Return the dimensions in an attribute, and in each of a list."""
    if isinstance(attribute, Dims):
        return attribute.dims
    if isinstance(attribute, ArrayAttr):
        return tuple([dim for item in attribute.items for dim in dims_of(item)])
    return ()


def with_dims(attribute: Attribute, change: Callable[[Dim], Dim]) -> Attribute:
    """Return an attribute with its dimensions changed, in lists, too."""
    if isinstance(attribute, Dims):
        return Dims(tuple([change(dim) for dim in attribute.dims]))
    if isinstance(attribute, ArrayAttr) and dims_of(attribute):
        return ArrayAttr(tuple([with_dims(item, change) for item in attribute.items]))
    return attribute
