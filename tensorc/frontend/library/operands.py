"""What arithmetic works on, in every door: tensors, untyped numbers, literal arrays.

A number without a type (a literal, a size, a hyper, arithmetic on them) is a `Scalar`:
it takes the type of the tensor that it meets (NEP 50). What it is at compile time is
its `number`; if it must be computed at run time, so that another value of a hyper
needs no other code, `source` says how. Promotion is numpy's table, with the default
float where numpy goes to float64 only because an operand was integral.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tensorc.errors import (
    CompileError,
    Diagnostic,
    DTypeError,
    Location,
    ShapeError,
)
from tensorc.ir.attributes import Dense, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Value
from tensorc.ir.dims import VALUE, Compound, Dim, Poly, Symbol, as_symbol, known_at_most
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Cast,
    Compare,
    Maximum,
    Minimum,
    Mul,
    Select,
)
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.rounding import FloorDiv
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.types import (
    BF16,
    ELEMENTS,
    F32,
    F64,
    I1,
    I64,
    Element,
    TensorType,
    element_of,
)

# A tensor's shape, and what a number is while compiling: None is "not known yet".
Shape = tuple[Dim, ...]
Known = bool | int | float | Poly | None
Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

KINDS = ("bool", "int", "float")
_DEFAULTS = {"bool": I1, "int": I64}
_WIDEST = {"bool": I1, "int": I64, "float": F64}
_COMPOUND_OPS = {"min": Minimum, "max": Maximum, "floordiv": FloorDiv}


@dataclass(frozen=True, slots=True)
class TensorOperand:
    """A value of the IR; a weak one is a number that is computed at run time."""

    value: Value
    weak: bool = False

    @property
    def type(self) -> TensorType:
        """The type so far: what is found out later about its symbols is not in it."""
        assert isinstance(self.value.type, TensorType)
        return self.value.type


@dataclass(frozen=True, slots=True)
class Formula:
    """An elementwise function of numbers, to be computed at run time."""

    function: str
    operands: tuple["Scalar", ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number without a type; `source` is a hyper's name or a formula, or None."""

    number: Known
    kind: str
    source: str | Formula | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """An array of numbers without a type: int64, float64 or bool."""

    values: Array

    @property
    def kind(self) -> str:
        """Its kind: bool, int or float."""
        return kind_of_element(element_of(self.values.dtype))


Operand = TensorOperand | Scalar | Literal


def _say_nothing(diagnostic: Diagnostic) -> None:
    pass


def _is_one(dim: Dim) -> bool:
    return dim == 1


def _never(name: str) -> int:
    return 0


def _is_rest(dim: Dim) -> bool:
    return dim == -1


def _unknown(value: Value, element: Element) -> int | None:
    return None


@dataclass
class Emitter:
    """Where ops go, and what a door knows: its default float, hypers and sizes.

    `warn` tells the user what is legal, but most likely a mistake. `spell` gives none
    and truth values as the door writes them, for messages; `way` the ways out, which
    are stated here as a file has them.

    `is_one` tells which sizes are 1, `is_rest` which are -1, `is_same` which are equal;
    a trace knows it of its call. `misfit` gives a number at that call which an integer
    type cannot hold; `fixed` makes a size a number of the program, if a call gives it.

    `written` tells how often a signature writes a symbol as a size.

    `called` is the function that is called, as the user calls it; "" for an operator.
    `compute` is `elementwise.elementwise`, which imports this module.
    """

    builder: Builder
    hyper: Callable[[str], Value]
    size: Callable[[str], Value]
    compute: "Callable[[Emitter, str, Sequence[Operand]], Operand]"
    default_float: Element = F32
    warn: Callable[[Diagnostic], None] = _say_nothing
    is_one: Callable[[Dim], bool] = _is_one
    is_rest: Callable[[Dim], bool] = _is_rest
    is_same: Callable[[Dim, Dim], bool] = operator.eq
    misfit: Callable[[Value, Element], int | None] = _unknown
    fixed: Callable[[Dim], Dim] = field(default=lambda dim: dim)
    spell: Callable[[bool | None], str] = str
    way: Callable[[str], str] = str
    written: Callable[[str], int] = _never
    called: str = ""
    # Formulas of numbers that were computed already, by identity: they may share parts.
    formulas: dict[int, tuple[Formula, TensorOperand]] = field(default_factory=dict)

    @property
    def location(self) -> Location:
        """The source location of what is being built."""
        return self.builder.location

    def resolve(self, shape: Shape) -> Shape:
        """Return a shape with all that is known put in."""
        constraints = self.builder.constraints
        if not constraints.bindings:
            return shape
        return tuple([constraints.resolve(d) for d in shape])

    def shape(self, tensor: TensorOperand) -> Shape:
        """Return the shape of a tensor with all that is known put in."""
        return self.resolve(tensor.type.shape)

    def unify(
        self, left: Dim, right: Dim, message: str = "", is_index: bool = False
    ) -> bool:
        """Make two sizes equal; False if they can never be.

        `message` is for the call, if only it can decide; `is_index`: an index is wrong.
        """
        if message and not is_index:
            message = with_name(message, self.called).replace(VALUE, "")
        return self.builder.unify(left, right, message, is_index)

    def match(self, left: Dim, right: Dim, claim: str, message: str = "") -> bool:
        """Make two sizes equal, as `unify`; warn if that decides a declared symbol.

        `claim` says what fits; a warning adds the size that the symbol is made. The
        message is for the call, if only it can decide.
        """
        bindings = self.builder.constraints.bindings
        before = len(bindings)
        fits = self.unify(left, right, message)
        if len(bindings) > before:
            name, size = next(reversed(bindings.items()))
            names = [n for n in (name, as_symbol(size)) if n is not None]
            written = [self.written(n) for n in names]
            is_plain = isinstance(size, int) or len(names) > 1
            # A size that is written once is mostly one that nothing is said of.
            if is_plain and all(written) and max(written) > 1:
                self.suspect(f"{claim} only if {name} is {size}")
        return fits

    def suspect(self, message: str, *hints: str) -> None:
        """Warn of what is legal, and most likely not what is meant."""
        self.warn(
            Diagnostic(
                "TC0319", message, self.location, hints=hints, severity="warning"
            )
        )


def with_name(message: str, name: str) -> str:
    """Return a message that names the function it is of; as it is without a name."""
    if not name or re.search(rf"\b{name}\b", message):
        return message
    return f"`{name}`: {message}"


def _ways(b: Emitter, hints: Sequence[str]) -> tuple[str, ...]:
    return tuple([b.way(hint) for hint in hints])


def size_error(b: Emitter, message: str, *hints: str) -> ShapeError:
    """Return the error that sizes or ranks do not fit."""
    return ShapeError(Diagnostic("TC0301", message, b.location, hints=_ways(b, hints)))


def require_sizes(b: Emitter, shape: Shape) -> None:
    """Raise TC0301 for a shape with a size that is known to be negative."""
    if any(isinstance(d, int) and d < 0 for d in shape):
        raise size_error(b, f"a size in {spell_shape(shape)} is negative")


def type_error(b: Emitter, message: str, *hints: str) -> DTypeError:
    """Return the error that element types do not fit."""
    return DTypeError(Diagnostic("TC0302", message, b.location, hints=_ways(b, hints)))


def number_error(b: Emitter, message: str, *hints: str) -> CompileError:
    """Return the error that a number cannot be what it should be."""
    return CompileError(
        Diagnostic("TC0315", message, b.location, hints=_ways(b, hints))
    )


def unsupported(b: Emitter, what: str, *hints: str) -> CompileError:
    """Return the error that something is not compiled yet."""
    message = f"{what} is not in this version"
    return CompileError(
        Diagnostic("TC0190", message, b.location, hints=_ways(b, hints))
    )


# Names of types


def spell_element(element: Element) -> str:
    """Return an element type as the language writes it: bool, u8, f32."""
    return {"i1": "bool"}.get(element.name, element.name.replace("ui", "u"))


def spell_type(type_: TensorType) -> str:
    """Return a type as the language writes it: f32[B, 784]."""
    if not type_.shape:
        return spell_element(type_.element)
    return f"{spell_element(type_.element)}{spell_shape(type_.shape)}"


def spell_shape(shape: Shape) -> str:
    """Return a shape as the language writes it: [B, 784]."""
    return f"[{', '.join(map(str, shape))}]".replace(VALUE, "")


# Kinds and promotion


def kind_of_element(element: Element) -> str:
    """Return bool, int or float."""
    if element == I1:
        return "bool"
    return "float" if element.is_float else "int"


def kind_of(operand: Operand) -> str:
    """Return bool, int or float."""
    if isinstance(operand, TensorOperand):
        return kind_of_element(operand.type.element)
    return operand.kind


def is_strong(operand: Operand) -> bool:
    """Tell what has a type of its own from what takes that of its partner."""
    return isinstance(operand, TensorOperand) and not operand.weak


def number(value: bool | int | float | Poly) -> Scalar:
    """Return a number that is known while compiling."""
    if isinstance(value, bool):
        return Scalar(value, "bool")
    return Scalar(value, "float" if isinstance(value, float) else "int")


_WITHIN_BF16 = [ELEMENTS[name] for name in ("bf16", "i1", "i8", "ui8")]


def promote(elements: Sequence[Element], default_float: Element) -> Element:
    """Return the common type of typed operands."""
    if BF16 in elements:
        # NumPy knows it not: with what it holds exactly it is itself, else as f32 is.
        rest = [e for e in elements if e not in _WITHIN_BF16]
        return promote([F32, *rest], default_float) if rest else BF16
    result = element_of(np.result_type(*[e.dtype for e in elements]))
    if result != F64 or F64 in elements:
        return result
    floats = [e for e in elements if e.is_float]
    return promote([default_float, *floats], default_float)


def common_element(b: Emitter, operands: Sequence[Operand]) -> Element:
    """Return the type in which operands meet; without a typed one, the widest."""
    strong = [
        o.type.element for o in operands if isinstance(o, TensorOperand) and not o.weak
    ]
    kinds = [kind_of(o) for o in operands if not is_strong(o)]
    kind = max(kinds, key=KINDS.index, default="bool")
    if not strong:
        return _WIDEST[kind]
    result = promote(strong, b.default_float)
    if KINDS.index(kind) <= KINDS.index(kind_of_element(result)):
        return result
    return default_element(b, kind)


def default_element(b: Emitter, kind: str) -> Element:
    """Return the type of a number that meets none: int, bool or the default float."""
    return _DEFAULTS.get(kind, b.default_float)


# From operands to values


def cast(b: Emitter, value: Value, element: Element) -> Value:
    """Convert a value to another element type, if it has not that type."""
    assert isinstance(value.type, TensorType)
    if value.type.element == element:
        return value
    return b.builder.value(Cast, value, element=element)


def _cast_number(b: Emitter, value: Value, element: Element) -> Value:
    """Convert a number of Python; TC0315, as of a literal, if it does not fit."""
    is_narrower = element.is_integer and value.type != TensorType((), element)
    known = b.misfit(value, element) if is_narrower else None
    return cast(b, value, element) if known is None else constant(b, known, element)


def materialize(b: Emitter, operand: Operand, element: Element) -> Value:
    """Return an operand as a value of an element type."""
    if isinstance(operand, TensorOperand):
        return (_cast_number if operand.weak else cast)(b, operand.value, element)
    if isinstance(operand, Literal):
        return constant(b, operand.values, element)
    if operand.source is None:
        known = operand.number
        assert known is not None
        if isinstance(known, Poly):
            known = b.builder.constraints.resolve(known)
        if isinstance(known, Poly):
            return _cast_number(b, size_value(b, known), element)
        return constant(b, known, element)
    if isinstance(operand.source, str):
        return cast(b, b.hyper(operand.source), element)
    return cast(b, _compute(b, operand.source).value, element)


def strong(b: Emitter, operand: Operand) -> TensorOperand:
    """Return an operand as a tensor with a type; a number gets the default one."""
    if isinstance(operand, TensorOperand) and not operand.weak:
        return operand
    element = default_element(b, kind_of(operand))
    return TensorOperand(materialize(b, operand, element))


def weak(b: Emitter, operand: Operand) -> TensorOperand:
    """Return a number as a tensor that still takes the type of its partner."""
    if isinstance(operand, TensorOperand):
        return operand
    return TensorOperand(materialize(b, operand, _WIDEST[operand.kind]), weak=True)


_GROWN = "a loop cannot grow a tensor; `yield` stacks what its turns give"


def settled(b: Emitter, name: str, first: Operand, new: Operand) -> Operand:
    """Return the first value of what a loop carries, of the type that a step gives it.

    That is `first` if a step keeps its type; a number takes the step's. `name` is what
    is carried, for messages.

    Raises:
        DTypeError: the element type changes from step to step (TC0302).
        ShapeError: the shape changes (TC0301).
    """
    before, after = weak(b, first), weak(b, new)
    element = before.type.element
    words = f"{name} keeps its type in a loop: it is {spell_type(before.type)} before "
    words += f"a turn, and {spell_type(after.type)} after it"
    fills = after.weak and not after.type.rank
    same = before.type.rank == after.type.rank
    sizes = list(zip(b.shape(before), b.shape(after), strict=False))
    grown = same and any(known_at_most(x + 1, y) for x, y in sizes)
    if same and not grown and any(x != y and known_at_most(x, y) for x, y in sizes):
        b.suspect(words, b.way(_GROWN))  # legal: such a size may be 0
    fits = same and not grown and all(b.unify(x, y, words) for x, y in sizes)
    if not fits and not fills:
        raise size_error(b, words, _GROWN if grown else _first(b, "shape", name, after))
    if before.weak:
        if (element, True) == (after.type.element, after.weak):
            return first
        return TensorOperand(materialize(b, first, after.type.element), after.weak)
    kind, own = kind_of(new), kind_of_element(element)
    is_bool = "bool" in (kind, own)
    takes = own == kind if is_bool else KINDS.index(kind) <= KINDS.index(own)
    if element != after.type.element and not (after.weak and takes):
        raise type_error(b, words, _first(b, "type", name, after))
    return first


def _first(b: Emitter, what: str, name: str, after: TensorOperand) -> str:
    """Return how to begin with what a step gives to a name: its shape, or its type."""
    element, kind = after.type.element, kind_of(after)
    word = kind if element == default_element(b, kind) else spell_element(element)
    shape = spell_shape(after.type.shape) if after.type.shape else ""
    return (
        f"give it this {what} before the loop: `{name.strip('`')}: {word}{shape} = …`"
    )


def carried_on(b: Emitter, first: TensorOperand, new: Operand) -> Value:
    """Return what a step carries on, of the type of the first value; see `settled`."""
    value = materialize(b, new, first.type.element)
    is_number = not is_strong(new) and not TensorOperand(value).type.rank
    return broadcast(b, value, b.shape(first)) if is_number else value


def _compute(b: Emitter, formula: Formula) -> TensorOperand:
    if id(formula) in b.formulas:
        return b.formulas[id(formula)][1]
    # Plain numbers stay what they are: an exponent must be known.
    operands = [o if _is_plain(o) else weak(b, o) for o in formula.operands]
    result = b.compute(b, formula.function, operands)
    assert isinstance(result, TensorOperand)
    b.formulas[id(formula)] = formula, result
    return result


def _is_plain(operand: Scalar) -> bool:
    return operand.source is None and not isinstance(operand.number, Poly)


def constant(
    b: Emitter, values: "bool | int | float | Array", element: Element
) -> Value:
    """Return a constant of an element type; integers must fit it."""
    array = exact_array(b, values, element)
    type_ = TensorType(tuple(array.shape), element)
    return b.builder.value(Constant, value=Dense(array, type_))


def exact_array(
    b: Emitter, values: "bool | int | float | Array", element: Element
) -> Array:
    """Return numbers as an array of an element type; TC0315 if they do not fit."""
    name = spell_element(element)
    if isinstance(values, int) and not -(2**63) <= values < 2**64:
        if not element.is_float:
            raise number_error(b, f"{values} does not fit {name}")
        values = float(values)
    array = np.asarray(values)
    if element.is_integer and np.issubdtype(array.dtype, np.integer) and array.size:
        limits = np.iinfo(str(element.dtype))
        for extreme in (int(array.min()), int(array.max())):
            if not int(limits.min) <= extreme <= int(limits.max):
                raise number_error(b, f"{extreme} does not fit {name}")
    with np.errstate(over="ignore"):
        result = array.astype(element.dtype)
    if element.is_float and np.any(np.isinf(result) & np.isfinite(array)):
        raise number_error(b, f"{array.flat[0]} does not fit {name}")
    return result


def size_value(b: Emitter, dim: Dim) -> Value:
    """Return a size as an i64 scalar, computed from the sizes of arguments."""
    if isinstance(dim, int):
        return constant(b, dim, I64)
    total: Value | None = None
    for atoms, factor in dim.terms:
        product: Value | None = None
        parts = [] if factor == 1 and atoms else [constant(b, factor, I64)]
        for atom in atoms:
            if isinstance(atom, Symbol):
                parts.append(b.size(atom.name))
            else:
                parts.append(_compound_value(b, atom))
        for part in parts:
            product = part if product is None else b.builder.value(Mul, product, part)
        assert product is not None
        total = product if total is None else b.builder.value(Add, total, product)
    assert total is not None
    return total


def _compound_value(b: Emitter, atom: Compound) -> Value:
    left, right = size_value(b, atom.left), size_value(b, atom.right)
    if atom.kind == "bound":
        make, zero = b.builder.value, constant(b, 0, I64)
        from_end = make(Maximum, make(Add, left, right), zero)
        negative = make(Compare, left, zero, predicate="lt")
        return make(Select, negative, from_end, make(Minimum, left, right))
    return b.builder.value(_COMPOUND_OPS[atom.kind], left, right)


# Broadcasting


def common_shape(b: Emitter, shapes: Sequence[Shape], what: str) -> Shape:
    """Return the shape to which shapes broadcast, aligned at the right.

    Only a size known to be 1 broadcasts; unknown ones are taken to be equal, unless
    the call that is traced makes one of them 1.
    """
    rank = max(len(s) for s in shapes)
    result: list[Dim] = [1] * rank
    claim = ""
    for shape in shapes:
        for i, dim in enumerate(b.resolve(shape), rank - len(shape)):
            before = b.builder.constraints.resolve(result[i])
            if spreads(b, before, dim):
                result[i] = dim
                continue
            if before == dim or spreads(b, dim, before):
                continue
            claim = claim or f"{what}: {' and '.join(map(spell_shape, shapes))} fit"
            if not b.match(before, dim, claim):
                message = f"{what}: sizes differ: {before} and {dim}"
                raise size_error(b, f"{message}, on axis {i - rank}")
    return b.resolve(tuple(result))


def spreads(b: Emitter, own: Dim, wanted: Dim) -> bool:
    """Tell whether an axis is repeated: its size is 1, as such or at this call."""
    return own == 1 or (own != wanted and b.is_one(own))


def broadcast(b: Emitter, value: Value, shape: Shape) -> Value:
    """Repeat a value along new and size-1 axes, aligned at the right."""
    assert isinstance(value.type, TensorType)
    shape, own = b.resolve(shape), b.resolve(value.type.shape)
    if shape == own:
        return value
    first = len(shape) - len(own)
    pairs = list(zip(own, shape[first:], strict=True))
    # A size of 1 that only this call gives is one that the value's type does not say.
    ones = tuple([1 if spreads(b, *pair) else pair[0] for pair in pairs])
    if ones != own:
        value = pinned(b, TensorOperand(value), ones).value
    if not first and all(d != 1 or t == 1 for d, t in zip(ones, shape, strict=True)):
        return value
    axes = tuple(range(first, len(shape)))
    return b.builder.value(Broadcast, value, axes=axes, shape=Dims(shape))


def broadcast_together(b: Emitter, values: Sequence[Value], what: str) -> list[Value]:
    """Give values one shape."""
    shapes = [b.shape(TensorOperand(v)) for v in values]
    shape = common_shape(b, shapes, what)
    return [broadcast(b, v, shape) for v in values]


def pinned(b: Emitter, tensor: TensorOperand, shape: Shape) -> TensorOperand:
    """Return a tensor as one of a shape that it was unified with.

    The op tells so wherever it goes. What a graph's builder knows is thrown away: sizes
    that only `unify` made equal would be checked by nobody. (A reshape says less, since
    it compares numbers of elements: 3 x 4 would pass for 4 x 3.)
    """
    shape = b.resolve(shape)
    if tensor.type.shape == shape:
        return tensor
    axes = tuple(range(len(shape)))
    value = b.builder.value(Broadcast, tensor.value, axes=axes, shape=Dims(shape))
    return TensorOperand(value, tensor.weak)
