"""What Python asks of numbers, of variables: an index, a condition, a text.

A formula has no value. But a trace is made for a call, and knows of it the numbers of
Python and the sizes: asked for one it answers, and its form is one for this number.
Everything else is an error that says what to write instead.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from tensorc.errors import TensorcError
from tensorc.floats import letter_of
from tensorc.frontend.library.mistakes import TRACING, UsageError, door, usage_error
from tensorc.frontend.library.operands import (
    Array,
    Operand,
    Scalar,
    TensorOperand,
    kind_of,
)
from tensorc.frontend.python.asked_calls import asked_hint, compared_hint, stored_hint
from tensorc.frontend.python.facts import Plain
from tensorc.frontend.python.symbolic_operands import (
    DOOR,
    number_of,
    operand_of,
    truth_of,
    type_of,
)

MOST_ROWS = 10_000  # of an iteration: the program is written out for each


class AskedNumber:
    """The part of a variable that answers as a number does."""

    __slots__ = ()

    @property
    def operand(self) -> Operand:
        """What the variable stands for in the graph."""
        raise NotImplementedError

    @door
    def __bool__(self) -> bool:
        known = truth_of(self)
        if known is not None:
            return known
        message = f"{self!r} has no value yet, so it is neither true nor false"
        compared = compared_hint()
        if compared:
            raise usage_error(message, compared)
        hint = "choose elementwise: tc.where(condition, x, y); "
        if not type_of(self).shape:
            hint += "compute one of two: tc.cond(condition, f, g, x); "
        hint += "`x is y` asks for one and the same variable"
        if TRACING.get():
            hint += (
                "; what is static may decide: jit(f, static=('n',)); a loop that ends "
            )
            hint += "by a value stands outside: compile its body"
        raise usage_error(message, hint)

    @door
    def __float__(self) -> float:
        return float(_known(self))

    @door
    def __int__(self) -> int:
        return int(_known(self))

    @door
    def __index__(self) -> int:
        known = _known(self)
        if isinstance(known, float):
            message = f"{self!r} is {known} at this call, where an integer is needed"
            raise _refused(usage_error(message, "convert it: int(x)"))
        return int(known)

    @door
    def __trunc__(self) -> int:
        return int(_known(self))

    @door
    def __round__(self, digits: int | None = None) -> float:
        return round(_known(self), digits)

    def __divmod__(self, other: object) -> tuple[object, object]:
        return self // other, self % other  # type: ignore[operator]

    def __rdivmod__(self, other: object) -> tuple[object, object]:
        return other // self, other % self  # type: ignore[operator]

    @door
    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> Array:
        known: Array = np.array(_known(self), dtype, copy=copy)
        return known

    @door
    def __iter__(self) -> Iterator[object]:
        message = f"{self!r} cannot be iterated over"
        rows = _length(self, f"{message}: its length is known at the call")
        if rows > MOST_ROWS:
            message += f": the program would be written out for each of {rows} rows"
            raise usage_error(message, "work on whole axes: x.sum(axis=0), x @ y")
        return iter([self[i] for i in range(rows)])  # type: ignore[index]

    @door
    def __len__(self) -> int:
        return _length(self, f"{self!r} has no length yet")

    @door
    def item(self) -> Plain:
        """Return the number of Python that it is, which most have at a call alone."""
        known = number_of(self)
        if known is not None:
            return known
        hint = "a variable of rank 0 is used as a number is; x.reshape(()) makes one"
        raise usage_error(f"{self!r} has no value yet for item()", hint)

    @door
    def __format__(self, spec: str) -> str:
        known = number_of(self)
        if known is None and spec:
            message = f"{self!r} has no value yet, to be shown as '{spec}'"
            hint = "f'{x}' shows its type; return it, and show what the call gives"
            raise _refused(usage_error(message, hint))
        return repr(self) if known is None else format(known, spec)

    def __str__(self) -> str:
        return format(self)

    def __hash__(self) -> int:
        """Return a number for dictionaries: equal numbers of a trace are one key."""
        known = number_of(self) if _is_number(self) else None
        return object.__hash__(self) if known is None else hash(known)


def stored_way(variable: AskedNumber, index: object, value: object) -> str:
    """Return what to write for a store that is refused."""
    is_mask = _is_mask(index)
    is_certain = _is_like_numpys(variable, index, value)
    return stored_hint(variable, is_mask, is_certain)


def _is_mask(index: object) -> bool:
    return isinstance(index, np.ndarray | AskedNumber) and index.dtype == "bool"  # type: ignore[union-attr]


def _is_like_numpys(variable: AskedNumber, index: object, value: object) -> bool:
    """Tell whether a new variable surely has what NumPy would store: no conversion."""
    own = type_of(variable)
    if getattr(variable, "part_of", None) is not None:  # a view of another
        return False
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        kinds = {"b": bool, "i": int, "u": int, "f": float}
        if not isinstance(value, kinds[letter_of(own.element.dtype)]):
            is_widened = own.element.is_float and not isinstance(value, bool)
            if not is_widened:
                return False
        rank = 0
    elif isinstance(value, np.ndarray | np.generic | AskedNumber):
        operand = operand_of(value)
        is_weak = isinstance(operand, TensorOperand) and operand.weak
        kind = kind_of(operand)
        is_kept = kind == ("float" if own.element.is_float else "int")
        given = type_of(value) if isinstance(value, AskedNumber) else None
        dtype = value.dtype if given is None else given.element.dtype  # type: ignore[union-attr]
        if dtype != own.element.dtype and not (is_weak and is_kept):
            return False
        rank = value.ndim if given is None else given.rank  # type: ignore[union-attr]
    else:
        return False
    if _is_mask(index):
        return rank == 0 and index.ndim == own.rank  # type: ignore[attr-defined]
    parts = index if isinstance(index, tuple) else (index,)
    if any(_is_mask(p) or isinstance(p, bool | list) for p in parts):
        return False
    try:
        variable.at[index].set(value)  # type: ignore[attr-defined]
    except (TensorcError, AttributeError):
        return False
    return True


def repeated(sequence: object, count: AskedNumber) -> object:
    """Return `[x] * n` as Python means it; None if it is arithmetic."""
    if not isinstance(sequence, list | tuple | str | bytes) or not _is_number(count):
        return None
    return sequence * int(count) if kind_of(count.operand) == "int" else None


def _is_number(variable: AskedNumber) -> bool:
    """Tell a number of Python that is traced, or a size, from all arrays."""
    operand = variable.operand
    facts = DOOR.get().facts
    if facts is None or not isinstance(operand, TensorOperand):
        return facts is not None and isinstance(operand, Scalar)
    return operand.weak or operand.value in facts.numbers


def _length(variable: AskedNumber, message: str) -> int:
    """Return the first size as a number, which a trace takes from its call."""
    shape = type_of(variable).shape
    if not shape:
        raise usage_error(f"{variable!r} is a number: it has no rows")
    facts = DOOR.get().facts
    rows = shape[0] if facts is None else facts.integer(shape[0])
    if isinstance(rows, int):
        return rows
    raise usage_error(message, "its first size is x.shape[0], a variable")


def _known(variable: AskedNumber) -> Plain:
    """Return the number of Python that a variable is at the call that is traced."""
    known = number_of(variable)
    if known is not None:
        return known
    if not TRACING.get() and hasattr(type(variable), "get_value"):
        message = f"{variable!r} is a variable, not a number"
        raise usage_error(message, "its value is an array: W.get_value()")
    message = f"{variable!r} has no value yet"
    hint = "compile it, tc.function([…], x), or evaluate it: x.eval({…})"
    if tracing := TRACING.get():
        message += f" while {tracing} is traced, once for all values"
        hint = "stay with variables: np.where(c, x, y), x.astype('int64'); "
        hint += "or make the argument static: jit(f, static=('n',))"
    raise _refused(usage_error(message, asked_hint() or hint))


def _refused(error: UsageError) -> UsageError:
    """Return an error that NumPy may hide: the trace keeps it."""
    facts = DOOR.get().facts
    if facts is not None:
        facts.refused = error
    return error
