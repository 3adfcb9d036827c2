"""What users give to the Python doors, as operands of the library.

Python numbers are weak: they take the type of their partner. NumPy's numbers and arrays
have their own type, nested lists none. Everything else is refused in a formula, and
the message says what it is.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike

from tensorc.errors import Diagnostic, Label, Location
from tensorc.floats import BFLOAT16, letter_of
from tensorc.frontend.library import indexing
from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    ArgumentError,
    IndexingError,
    argument_error,
    usage_error,
    warn_user,
)
from tensorc.frontend.library.operands import (
    Array,
    Emitter,
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    constant,
    kind_of,
    kind_of_element,
    number,
    strong,
    weak,
)
from tensorc.frontend.library.options import PARTS, Kind, Odd, OptionValue, Plain
from tensorc.frontend.library.sizes import NoDimError, dim_of, why
from tensorc.frontend.python.describing import describe as describe
from tensorc.frontend.python.describing import in_python, whole_number
from tensorc.frontend.python.describing import is_symbolic as is_symbolic
from tensorc.frontend.python.facts import Facts
from tensorc.frontend.python.facts import Plain as Number
from tensorc.frontend.python.graph.nodes import GraphBuilder, InputNode, SharedLeaf
from tensorc.ir.core import Block, Value
from tensorc.ir.dims import Dim, Poly
from tensorc.ir.types import BF16, F32, I64, Element, TensorType, element_of

T = TypeVar("T")

FLOAT_X = F32  # the type of constructors, and of what numpy makes float64 of integers


@dataclass(frozen=True, slots=True)
class Door:
    """Which door expressions come through, and its float.

    `updated` is the memory that the trace has given a new value, and where: what the
    step reads of it must stand before. `facts` is what it may ask of its call.
    """

    default_float: Element = FLOAT_X
    updated: Mapping[Value, Location] = field(default_factory=dict)
    facts: Facts | None = None


def _itself(value: object) -> object:
    return value


# What an array of NumPy stands for in a trace: itself, or what it has become.
SETTLED: ContextVar[Callable[[object], object]] = ContextVar("settled", default=_itself)
DOOR: ContextVar[Door] = ContextVar("door", default=Door())  # noqa: B039 (immutable)


def float_x() -> Element:
    """Return what integers become where NumPy makes float64 of them."""
    return DOOR.get().default_float


_NEWAXIS = indexing.NewAxis()
DEEPEST = 3  # of sequences in an option: pairs for each axis are two
MOST_PARTS = 100_000  # of a sequence in an option


class Symbolic(Protocol):
    """What a user's variable tells the operands: what it stands for."""

    @property
    def operand(self) -> Operand:
        """The value in the graph, or a number made of sizes."""
        ...


def emitter(location: Location | None = None) -> Emitter:
    """Return where the nodes of one expression go, at the user's line."""
    builder = GraphBuilder(Block(), location=location or user_location())
    made = Emitter(builder, _no_hyper, builder.size, elementwise, float_x(), warn_user)
    made.way = in_python
    facts = DOOR.get().facts
    if facts is not None:
        made.is_one, made.is_same = facts.is_one, facts.is_same
        made.is_rest, made.misfit = facts.is_rest, facts.misfit
        made.fixed = facts.fixed
    return made


def _no_hyper(name: str) -> Value:
    raise KeyError(name)


def operand_of(value: object, what: str = "an operand") -> Operand:
    """Return what a user gave as an operand; TypeError if it is none."""
    if is_symbolic(value):
        operand: Operand = value.operand  # type: ignore[attr-defined]
        _require_unchanged(operand)
        return operand
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        return number(value)
    if isinstance(value, np.ndarray | np.generic):
        known = SETTLED.get()(value)
        if known is not value and is_symbolic(known):
            return operand_of(known, what)
        return TensorOperand(constant_node(np.asarray(value), what))
    if isinstance(value, list | tuple):
        return _literal(value, what)
    raise _no_operand(value, what)


def _require_unchanged(operand: Operand) -> None:
    """Raise TC0306 for memory that is read after its update: old or new, who knows."""
    updated = DOOR.get().updated
    if (
        not updated
        or not isinstance(operand, TensorOperand)
        or operand.value not in updated
    ):
        return
    name = operand.value.hint or "the shared variable"
    hint = f"name the new value first, and read that: new = …; tc.update({name}, new)"
    location = updated[operand.value]
    diagnostic = Diagnostic(
        "TC0306",
        f"{name} is read after its update, when it still has its old value",
        user_location(),
        labels=(Label(location, "updated here"),),
        hints=(
            hint,
            "what needs the old value stands above the update",
        ),
    )
    raise ArgumentError(diagnostic)


def _no_operand(value: object, what: str) -> Exception:
    hints: tuple[str, ...] = ()
    if value is None:
        hints = ("`x is None` asks whether there is a variable",)
    elif isinstance(value, complex):
        hints = (
            "there are no complex numbers: compute with both parts, z.real, z.imag",
        )
    elif callable(value):
        hints = ("call it first: what it returns can be used",)
    message = f"{what} must be a variable, number or array, got {describe(value)}"
    return usage_error(message, *hints)


def _literal(value: Sequence[object], what: str) -> Literal:
    if any(is_symbolic(v) for v in value):
        message = f"{what} is a {type(value).__name__} that holds variables"
        hint = "group them: tc.group(W, b); np.stack([a, b]) makes one variable of them"
        raise usage_error(message, hint)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise argument_error(f"{what} is not an array: {error}") from None
    return Literal(_checked(array, what))


def _checked(array: Array, what: str) -> Array:
    try:
        element_of(array.dtype)
    except KeyError:
        message = f"{what} is an array: dtype {array.dtype} is not supported"
        hint = "bool, int8 to uint64, float16 to float64 and bfloat16 are possible"
        if array.dtype.kind == "c":
            hint = "use the real and the imaginary part: z.real, z.imag"
        if array.dtype.kind == "O":
            hint = "are its rows of one length? give a dtype: np.asarray(v, 'float32')"
        raise usage_error(message, hint) from None
    return array


def constant_node(
    array: Array, what: str = "a constant", element: Element | None = None
) -> Value:
    """Return a constant of the graph; later changes of the array do not reach it."""
    copy = np.array(_checked(array, what), order="C")
    copy = copy.astype(copy.dtype.newbyteorder("="))
    copy.flags.writeable = False
    return constant(emitter(), copy, element or element_of(copy.dtype))


def value_of(value: object, what: str) -> Value:
    """Return what a user gave as a value of the graph."""
    return strong(emitter(), operand_of(value, what)).value


def type_of(value: object) -> TensorType:
    """Return the type that a user's variable has as a value."""
    # A type may be asked for at any time: it is no reading of the value.
    operand = value.operand if is_symbolic(value) else operand_of(value)  # type: ignore[attr-defined]
    if isinstance(operand, TensorOperand):
        return operand.type
    return strong(emitter(), operand).type


def element_named(dtype: object) -> Element:
    """Return an element type by NumPy's name; TypeError if there is none."""
    try:
        if (
            isinstance(dtype, str) and dtype == BFLOAT16
        ):  # which NumPy knows when `ml_dtypes` is loaded
            return BF16
        return element_of(np.dtype(cast(DTypeLike, dtype)))
    except (TypeError, KeyError):
        message = f"there is no element type {describe(dtype)}"
        hint = "bool, int8 to uint64, float16 to float64 and bfloat16 are possible"
        raise usage_error(message, hint) from None


# Numbers of Python


def number_of(value: object) -> Number | None:
    """Return what a variable is as a number of Python, or None if it has no value yet.

    A trace knows what its call gives: numbers of Python, and sizes. That it asked makes
    its form one for this number.
    """
    return _asked(value, Facts.number)


def truth_of(value: object) -> bool | None:
    """Return whether a variable is not 0, as `number_of`; it asks for no more."""
    return _asked(value, Facts.truth)


def _asked(value: object, ask: Callable[[Facts, Value], T | None]) -> T | None:
    facts = DOOR.get().facts
    operand = operand_of(value)
    if facts is None or (isinstance(operand, TensorOperand) and operand.type.shape):
        return None
    return ask(facts, weak(emitter(), operand).value)


def concrete(value: object) -> object:
    """Return a value with numbers of Python for its variables, as far as known."""
    if isinstance(value, list | tuple):
        return tuple([concrete(v) for v in value])
    found = number_of(value) if is_symbolic(value) else None
    return value if found is None else found


# Options


def option_given(value: object, kind: Kind) -> OptionValue:
    """Return what a user gave for an option of a kind.

    A trace answers with the number of its call where compiling needs one.
    """
    is_count = kind is PARTS and is_symbolic(value)
    return OptionValue(_plain(value, is_count or not kind.sizes))


def _plain(value: object, is_fixed: bool, depth: int = 0) -> Plain:
    """Return an option as plain; what `is_fixed` must be known while compiling."""
    if is_symbolic(value):
        known = number_of(value) if is_fixed else None
        return _variable(value) if known is None else known
    if isinstance(value, np.ndarray | np.generic) and letter_of(value.dtype) in "biufU":
        small = value.ndim < DEEPEST and value.size <= MOST_PARTS
        value = value.tolist() if small else Odd(describe(value))
    if isinstance(value, list | tuple | range):
        if depth >= DEEPEST or len(value) > MOST_PARTS:
            return Odd(describe(value))
        return tuple([_plain(v, is_fixed, depth + 1) for v in value])
    if value is None or isinstance(value, bool | str | Odd):
        return value
    if isinstance(value, float):
        return float(value)
    if hasattr(type(value), "__index__") and not isinstance(value, np.ndarray):
        return operator.index(value)  # type: ignore[arg-type]  # it has `__index__`
    return Odd(describe(value))


def _variable(value: object) -> Plain:
    """Return a variable as a number or size, if it can be that."""
    operand = operand_of(value)
    if isinstance(operand, Literal):
        return _plain(operand.values, is_fixed=True)
    if isinstance(operand, Scalar):
        known = operand.number
        return Odd(describe(value), is_computed=True) if known is None else known
    words = describe(value)
    if operand.type.rank:
        return Odd(words, is_computed=True)
    try:
        return dim_of(operand.value, _given)
    except NoDimError as error:
        reason, hint = _why(error)
        return Odd(words, True, operand, reason, hint)


def _why(error: NoDimError) -> tuple[str, str]:
    blamed = error.value
    memory = (blamed.hint or "_") if isinstance(blamed, SharedLeaf) else ""
    return why(error, memory)


def size_of(value: object, what: str) -> Dim:
    """Return a size: an integer, or a variable made of sizes and integer inputs."""
    operand = operand_of(value, what)
    if isinstance(operand, Scalar):
        known = operand.number
        if isinstance(known, Poly):
            return known
        if isinstance(known, int) and not isinstance(known, bool):
            return known
    made_of = f"{what} must be made of integers, sizes and integer inputs"
    if not isinstance(operand, TensorOperand) or operand.type.shape:
        hint = "write `n // 2` where you wrote `n / 2`"
        is_float = kind_of(operand) == "float" and not isinstance(
            operand, TensorOperand
        )
        hints = (hint,) if is_float else ()
        raise usage_error(f"{made_of}, got {describe(value)}", *hints)
    try:
        return dim_of(operand.value, _given)
    except NoDimError as error:
        text, hint = _why(error)
        raise usage_error(f"{made_of}: {text}", hint) from None


def _given(value: Value) -> Dim | None:
    return value.given if isinstance(value, InputNode) else None


# Indices


def indices_of(index: object) -> list[indexing.Index]:
    """Return what stands in the brackets of x[…]."""
    items = index if isinstance(index, tuple) else (index,)
    return [index_of(item) for item in items]


def index_of(item: object) -> indexing.Index:
    """Return one index of x[…] as the library reads it."""
    if isinstance(item, slice):
        return _part(item)
    if item is None:
        return _NEWAXIS
    if item is Ellipsis:
        return indexing.Rest()
    if isinstance(item, bool | np.bool_):
        message = f"an index must be an integer, got {item} (bool)"
        raise _index_error(message, "choose elementwise: where(c, x, y)")
    if isinstance(item, int | np.integer):
        return indexing.At(int(item))
    if isinstance(item, range):
        item = np.arange(item.start, item.stop, item.step)
    if is_symbolic(item) or isinstance(item, list | np.ndarray):
        return _computed(operand_of(item, "an index"), item)
    message = "an index must be an integer, a slice or an integer array, got "
    raise _index_error(message + describe(item))


def _computed(operand: Operand, item: object) -> indexing.Index:
    if isinstance(operand, Scalar) and isinstance(operand.number, int | Poly):
        return indexing.At(operand.number)
    if isinstance(operand, Literal) and not operand.values.size:
        return TensorOperand(constant(emitter(), operand.values, I64))  # [] has no type
    tensor = strong(emitter(), operand)
    if kind_of_element(tensor.type.element) == "float":
        message = f"an index must be an integer, got {describe(item)}"
        raise _index_error(message, "cast it: i.astype('int64')")
    return tensor


def _part(item: slice) -> indexing.SlicePart:
    given = concrete(item.step)
    step = 1 if given is None else whole_number(given)
    if step is None:
        raise _index_error(
            f"the step of a slice must be an integer, got {describe(given)}"
        )
    bounds = [None if b is None else _bound(b) for b in (item.start, item.stop)]
    return indexing.SlicePart(bounds[0], bounds[1], step)


def _bound(bound: object) -> Dim:
    whole = whole_number(bound)
    if whole is not None:
        return whole
    if is_symbolic(bound):
        return size_of(bound, "the bound of a slice")
    raise _index_error(
        f"the bound of a slice must be an integer, got {describe(bound)}"
    )


def _index_error(message: str, *hints: str) -> IndexingError:
    return IndexingError(Diagnostic("TC0312", message, user_location(), hints=hints))
