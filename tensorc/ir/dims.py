"""Symbolic dimensions: polynomials over atoms, and the constraints between them.

A dimension is a Python `int` where it is known, otherwise a `Poly`: a sum of integer
multiples of products of atoms. An atom is a symbol ("B"), a floor division, a minimum
or a maximum of dimensions, or the bound of a slice. Normal forms are canonical, so
equal polynomials are equal Python values; `2*B + B == 3*B` needs no prover.

Symbols stand for sizes, which are never negative. A *value symbol* ("$i") stands for
the value of an integer scalar that the call gives, of any sign: its name says so, so
that a formula means the same wherever its text is read.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import lcm

from tensorc.errors import UNKNOWN, Location


@dataclass(frozen=True, slots=True)
class Symbol:
    """An unknown size, e.g. the batch; "$i" is the value of a scalar argument."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Compound:
    """An atom made of two dimensions: `kind` is a key of `COMPOUNDS`."""

    kind: str
    left: "Dim"
    right: "Dim"
    # Kept: atoms are sorted by their texts, and nested ones would spell all inside.
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = f"{self.kind}({self.left}, {self.right})"
        object.__setattr__(self, "text", text)

    def __hash__(self) -> int:
        return hash(self.text)  # which Python keeps

    def __reduce__(self) -> tuple[object, ...]:
        # The text is made again: symbols may have other names where it is read.
        return Compound, (self.kind, self.left, self.right)

    def __str__(self) -> str:
        return self.text


Atom = Symbol | Compound
Monomial = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Poly:
    """A polynomial that is not a constant: ((atoms, coefficient), …), sorted."""

    terms: tuple[tuple[Monomial, int], ...]
    # Kept: types are hashed again and again.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.terms))

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: "Dim") -> "Dim":
        return _from_terms(_terms(self) + _terms(other))

    __radd__ = __add__

    def __mul__(self, other: "Dim") -> "Dim":
        return _from_terms(
            [(a + b, m * n) for a, m in _terms(self) for b, n in _terms(other)]
        )

    __rmul__ = __mul__

    def __neg__(self) -> "Dim":
        return self * -1

    def __sub__(self, other: "Dim") -> "Dim":
        return self + other * -1

    def __rsub__(self, other: "Dim") -> "Dim":
        return self * -1 + other

    def __str__(self) -> str:
        text = ""
        for atoms, factor in self.terms:
            parts = [str(a) for a in atoms]
            if abs(factor) != 1 or not parts:
                parts.insert(0, str(abs(factor)))
            sign = "-" if factor < 0 else "+"
            joined = "*".join(parts)
            if text:
                text += f" {sign} {joined}"
            else:
                text = f"-{joined}" if factor < 0 else joined
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return _in_normal_form, (self.terms,)


Dim = int | Poly


def symbol(name: str) -> Poly:
    """Return the dimension that is one symbol."""
    return Poly((((Symbol(name),), 1),))


def as_symbol(dim: Dim) -> str | None:
    """Return the name if the dimension is one bare symbol."""
    match dim:
        case Poly(terms=(((Symbol(name),), 1),)):
            return name
        case _:
            return None


VALUE = "$"  # what the name of a value symbol starts with


def is_value(name: str) -> bool:
    """Return whether a symbol stands for the value of a scalar, not for a size."""
    return name.startswith(VALUE)


def floordiv(left: Dim, right: Dim) -> Dim:
    """Return left // right, rounding down; the divisor must not be a known zero."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 1:
        return left
    if isinstance(right, int) and isinstance(left, Poly):
        exact = [(a, n // right) for a, n in left.terms if n % right == 0]
        rest = [(a, n) for a, n in left.terms if n % right != 0]
        if exact and not rest:
            return _from_terms(exact)
    return _atom(Compound("floordiv", left, right))


def minimum(left: Dim, right: Dim) -> Dim:
    """Return the smaller dimension, decided at once where it can be."""
    if known_at_most(left, right):
        return left
    if known_at_most(right, left):
        return right
    return _atom(Compound("min", *_ordered(left, right)))


def maximum(left: Dim, right: Dim) -> Dim:
    """Return the larger dimension, decided at once where it can be."""
    if known_at_most(left, right):
        return right
    if known_at_most(right, left):
        return left
    if left == 0:
        right = _without_floor(right)
    for one, several in ((left, right), (right, left)):
        parts = _parts_of_max(several)
        kept = [part for part in parts if not known_at_most(part, one)]
        if any(known_at_most(one, part) for part in parts):
            return several
        if len(kept) < len(parts):
            return reduce(maximum, kept, one)
    return _atom(Compound("max", *_ordered(left, right)))


def _parts_of_max(dim: Dim) -> list[Dim]:
    """Return the dimensions of which one is the largest."""
    match dim:
        case Poly(terms=(((Compound("max", left, right),), 1),)):
            return [*_parts_of_max(left), *_parts_of_max(right)]
        case _:
            return [dim]


def bound(index: Dim, size: Dim) -> Dim:
    """Return where a slice's bound lies in an axis, clamped into [0, size] as by numpy.

    Negative indices count from the end: `slice(index, None).indices(size)[0]`.
    """
    if known_at_most(0, index):
        return minimum(index, size)
    if known_at_most(index, -1):
        return maximum(index + size, 0)
    if size - index in (1, 2):
        # size - 1 or size - 2: below 0 only where both readings give 0.
        return maximum(index, 0)
    return _atom(Compound("bound", index, size))


def _without_floor(dim: Dim) -> Dim:
    """Return a + c for max(0, a) + c, c <= 0: below max(0, …) the same."""
    match dim:
        case Poly(terms=(((Compound("max", 0, inner),), 1), ((), int(rest)))) if (
            rest < 0
        ):
            return inner + rest
        case _:
            return dim


def product_of(dims: Iterable[Dim]) -> Dim:
    """Return the product of dimensions; of none 1."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def ceildiv(left: Dim, right: Dim) -> Dim:
    """Return left / right rounded up."""
    return floordiv(left + (right - 1), right)


def elements(shape: Iterable[Dim]) -> Dim:
    """Return the number of elements of a shape, 1 of none."""
    count: Dim = 1
    for extent in shape:
        count = count * extent
    return count


def known_at_most(left: Dim, right: Dim) -> bool:
    """Return whether left <= right for all sizes; False means "not decided"."""
    difference = _with_bounds_at_most(right - left)
    if isinstance(difference, int):
        return difference >= 0
    return all(n >= 0 and _not_negative(atoms) for atoms, n in difference.terms)


def known_most(dim: Dim) -> int | None:
    """Return a number that a dimension is at most for all sizes; None if none is known.

    Quotients of numbers are compared by what they divide: n // 64 is at most n / 64
    and at least (n - 63) / 64, so 2*(n // 64) - 2*n // 64 is known to be at most 0.
    """
    if isinstance(dim, int):
        return dim
    quotients = [_quotient(atoms) for atoms, _ in dim.terms]
    scale = lcm(*[right for _, right in filter(None, quotients)])
    sums: dict[Monomial, int] = {(): 0}  # what `scale` of it are at most
    for (atoms, factor), quotient in zip(dim.terms, quotients, strict=True):
        left, right = quotient or (_from_terms([(atoms, 1)]), 1)
        times = factor * scale // right
        for part, count in _terms(left):
            sums[part] = sums.get(part, 0) + count * times
        if factor < 0:
            sums[()] -= (right - 1) * times
    rest = sums.pop(())
    if any(n > 0 or (n < 0 and not _not_negative(a)) for a, n in sums.items()):
        return None
    return rest // scale


def _quotient(atoms: Monomial) -> tuple[Dim, int] | None:
    """Return what is divided by which positive number, if a term is such a quotient."""
    match atoms:
        case (Compound("floordiv", left, int(right)),) if right > 0:
            return left, right
        case _:
            return None


def _with_bounds_at_most(dim: Dim) -> Dim:
    """Return what a dimension is at least: a subtracted bound is at most its axis."""
    if isinstance(dim, int):
        return dim
    least: Dim = dim
    for atoms, factor in dim.terms:
        match atoms:
            case (Compound("bound", _, size) as atom,) if factor < 0:
                if known_at_most(0, size):
                    least = least + (_atom(atom) - size) * -factor
    return least


def _not_negative(atoms: Monomial) -> bool:
    return all(_atom_not_negative(a) for a in atoms)


def _atom_not_negative(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return not is_value(atom.name)
    if atom.kind == "bound":
        return known_at_most(0, atom.right)
    left, right = known_at_most(0, atom.left), known_at_most(0, atom.right)
    return (left or right) if atom.kind == "max" else (left and right)


def symbols_of(dim: Dim) -> list[str]:
    """Return the names of the symbols in a dimension, each once, in order."""
    if isinstance(dim, int):
        return []
    names: dict[str, None] = {}
    for atoms, _ in dim.terms:
        for atom in atoms:
            if isinstance(atom, Symbol):
                names[atom.name] = None
            else:
                parts = symbols_of(atom.left) + symbols_of(atom.right)
                names.update(dict.fromkeys(parts))
    return list(names)


_COMPOUND: Mapping[str, Callable[[Dim, Dim], Dim]] = {
    "floordiv": floordiv,
    "min": minimum,
    "max": maximum,
    "bound": bound,
}
COMPOUNDS = tuple(_COMPOUND)


def compound(kind: str, left: Dim, right: Dim) -> Dim:
    """Return floordiv, min, max or bound of two dimensions, by name."""
    return _COMPOUND[kind](left, right)


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """Replace symbols by dimensions; symbols that `values` lacks stay."""
    if isinstance(dim, int) or not values:
        return dim
    result: Dim = 0
    for atoms, factor in dim.terms:
        product: Dim = factor
        for atom in atoms:
            if isinstance(atom, Symbol):
                product = product * values.get(atom.name, _atom(atom))
            else:
                parts = [substitute(d, values) for d in (atom.left, atom.right)]
                product = product * compound(atom.kind, parts[0], parts[1])
        result = result + product
    return result


def evaluate(dim: Dim, values: Mapping[str, int]) -> int:
    """Return the number that a dimension is for given sizes; KeyError if one lacks."""
    if isinstance(dim, int):
        return dim
    total = 0
    for atoms, factor in dim.terms:
        product = factor
        for atom in atoms:
            if isinstance(atom, Symbol):
                product *= values[atom.name]
            else:
                left, right = evaluate(atom.left, values), evaluate(atom.right, values)
                product *= _NUMBERS[atom.kind](left, right)
        total += product
    return total


def _bound_number(index: int, size: int) -> int:
    return max(index + size, 0) if index < 0 else min(index, size)


_NUMBERS: Mapping[str, Callable[[int, int], int]] = {
    "floordiv": operator.floordiv,
    "min": min,
    "max": max,
    "bound": _bound_number,
}


def _terms(dim: Dim) -> list[tuple[Monomial, int]]:
    if isinstance(dim, int):
        return [((), dim)] if dim else []
    return list(dim.terms)


def _from_terms(terms: list[tuple[Monomial, int]]) -> Dim:
    sums: dict[Monomial, int] = {}
    for atoms, factor in terms:
        key = tuple(sorted(atoms, key=str)) if len(atoms) > 1 else atoms
        sums[key] = sums.get(key, 0) + factor
    kept = [(atoms, n) for atoms, n in sums.items() if n]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    if len(kept) > 1:
        kept.sort(key=lambda t: (-len(t[0]), [str(a) for a in t[0]]))
    return Poly(tuple(kept))


def _atom(atom: Atom) -> Poly:
    return Poly((((atom,), 1),))


def _in_normal_form(terms: tuple[tuple[Monomial, int], ...]) -> Dim:
    """Return a polynomial that was copied; the order of its terms is that of names."""
    result: Dim = 0
    for atoms, factor in terms:
        product: Dim = factor
        for atom in atoms:
            if isinstance(atom, Compound):
                product = product * compound(atom.kind, atom.left, atom.right)
            else:
                product = product * _atom(atom)
        result = result + product
    return result


def _ordered(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    return (left, right) if str(left) <= str(right) else (right, left)


@dataclass(frozen=True, slots=True)
class DimGuard:
    """Two dimensions that must turn out equal when the function is called.

    `message` is what to say if they do not; "" names the dimensions. `is_index` tells
    that then an index is outside its axis.
    """

    left: Dim
    right: Dim
    location: Location = UNKNOWN
    message: str = ""
    is_index: bool = False


@dataclass
class Constraints:
    """What a function knows of its symbols: bindings found by unification, and guards.

    `solved` says where a symbol was bound to a formula, or by the library, with
    words, to any size: a call that gives it another size is wrong there. `walked` says
    where a loop bound one to its number of turns. `frozen` refuses new facts: the
    verifier re-runs `infer` with it.
    """

    bindings: dict[str, Dim] = field(default_factory=dict)
    guards: list[DimGuard] = field(default_factory=list)
    solved: dict[str, Location] = field(default_factory=dict)
    walked: dict[str, Location] = field(default_factory=dict)
    frozen: bool = False

    def resolve(self, dim: Dim) -> Dim:
        """Replace bound symbols until none is left."""
        if isinstance(dim, int) or not self.bindings:
            return dim
        while any(name in self.bindings for name in symbols_of(dim)):
            dim = substitute(dim, self.bindings)
        return dim

    def unify(
        self,
        left: Dim,
        right: Dim,
        location: Location = UNKNOWN,
        message: str = "",
        is_index: bool = False,
    ) -> bool:
        """Make two dimensions equal; False if they can never be.

        A free symbol is bound; what cannot be decided becomes a guard at entry, with
        the message.
        """
        if left is right:
            return True
        a, b = self.resolve(left), self.resolve(right)
        if a == b:
            return True
        if isinstance(a, int) and isinstance(b, int):
            return False
        if self.frozen:
            return any({a, b} == {g.left, g.right} for g in self.guards)
        if self._bind(a, b) or self._bind(b, a):
            for name in (as_symbol(a), as_symbol(b)):
                if name is not None and as_symbol(self.bindings.get(name, 0)) is None:
                    self.solved.setdefault(name, location)
            return True
        if not any({a, b} == {g.left, g.right} for g in self.guards):
            self.guards.append(DimGuard(a, b, location, message, is_index))
        return True

    def walk(self, length: Dim, size: Dim, location: Location, message: str) -> bool:
        """Make the size that a loop walks along its number of turns, as `unify`."""
        before = len(self.bindings)
        fits = self.unify(length, size, location, message)
        if len(self.bindings) > before:
            self.walked.setdefault(next(reversed(self.bindings)), location)
        return fits

    def _bind(self, free: Dim, value: Dim) -> bool:
        name = as_symbol(free)
        if name is None or name in symbols_of(value):
            return False
        if is_value(name):
            return False  # the call gives it: an equation is checked, not solved
        if isinstance(value, int) and value < 0:
            return False
        other = as_symbol(value)
        # Of two symbols the first declared stays, so that signatures read as written.
        if (
            other is not None
            and not is_value(other)
            and self._age(name) < self._age(other)
        ):
            name, value = other, free
        self.bindings[name] = value
        return True

    order: dict[str, int] = field(default_factory=dict)

    def declare(self, name: str) -> Poly:
        """Return the symbol of that name, noting when it was first seen."""
        self.order.setdefault(name, len(self.order))
        return symbol(name)

    def _age(self, name: str) -> int:
        return self.order.get(name, len(self.order))
