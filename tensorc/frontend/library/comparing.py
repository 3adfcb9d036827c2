"""Comparisons of integers that no common type holds: exact, as in NumPy.

A number beyond the range of a tensor's type is larger or smaller than all of its
elements, and a negative integer is below every unsigned one.
"""

from collections.abc import Sequence

import numpy as np

from tensorc.floats import limits
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    TensorOperand,
    broadcast,
    broadcast_together,
    cast,
    common_element,
    constant,
    is_strong,
    kind_of,
    materialize,
    number,
    strong,
)
from tensorc.ir.core import Value
from tensorc.ir.numerics import integer_limits
from tensorc.ir.ops.tensor.elementwise import PREDICATES, Compare, Select
from tensorc.ir.types import ELEMENTS, I1, I64, Element

U64 = ELEMENTS["ui64"]


def compare(
    b: Emitter, predicate: str, operands: Sequence[Operand], what: str
) -> TensorOperand:
    """Compare two operands, of which one at least is no plain number."""
    element = common_element(b, operands)
    past = [beyond(o, element) for o in operands]
    if element.is_integer and any(past):
        # Any element of the other side, such as 0, decides for all.
        sides = [np.asarray(s) for s in past]
        answer = bool(PREDICATES[predicate](*sides))
        (other,) = [o for o, s in zip(operands, past, strict=True) if not s]
        shape = b.shape(strong(b, other))
        return TensorOperand(broadcast(b, constant(b, answer, I1), shape))
    given = [
        number(float("inf") * s) if s else o
        for o, s in zip(operands, past, strict=True)
    ]
    signed = [_is_signed(o) for o in given]
    unsigned = [_element(o) == U64 for o in given]
    if any(signed) and any(unsigned):
        values = [
            materialize(b, o, I64 if s else U64)
            for o, s in zip(given, signed, strict=True)
        ]
        return _of_signs(b, predicate, broadcast_together(b, values, what), signed)
    if element.is_integer and any(_is_computed(o) for o in given):
        element = I64  # what the call gives may not fit the partner's type
    values = [materialize(b, o, element) for o in given]
    return _compared(b, predicate, broadcast_together(b, values, what))


def _compared(b: Emitter, predicate: str, values: Sequence[Value]) -> TensorOperand:
    return TensorOperand(b.builder.value(Compare, *values, predicate=predicate))


def beyond(operand: Operand, element: Element) -> int:
    """Return the sign of a plain number that is beyond the range of a type, or 0."""
    if not isinstance(operand, Scalar) or operand.source is not None:
        return 0
    known = operand.number
    if isinstance(known, bool) or not isinstance(known, int | float):
        return 0
    if element.is_integer:
        least, largest = integer_limits(element.dtype)
        return (known > largest) - (known < least)
    if not element.is_float or known in (0, float("inf"), -float("inf")):
        return 0
    # Half a step above the largest number is what rounds to infinity.
    type_ = limits(element.dtype)
    limit: int = int(type_.max) + 2 ** (int(type_.maxexp) - int(type_.nmant) - 2)
    return (known >= limit) - (known <= -limit)


def _element(operand: Operand) -> Element | None:
    return operand.type.element if is_strong(operand) else None  # type: ignore[union-attr]


def _is_signed(operand: Operand) -> bool:
    """Tell integers that can be negative: signed tensors, and numbers of a call."""
    element = _element(operand)
    if element is not None:
        return element.is_integer and not element.is_unsigned and element != I1
    return _is_computed(operand)


def _is_computed(operand: Operand) -> bool:
    """Tell an integer without a type that only the call knows."""
    if kind_of(operand) != "int" or is_strong(operand):
        return False
    plain = isinstance(operand, Scalar) and isinstance(operand.number, int)
    return not plain or operand.source is not None  # type: ignore[union-attr]


def _of_signs(
    b: Emitter, predicate: str, values: Sequence[Value], signed: Sequence[bool]
) -> TensorOperand:
    """Compare 64 bits without a sign with 64 that have one."""
    which = signed.index(True)
    zero = broadcast(b, constant(b, 0, I64), b.shape(TensorOperand(values[which])))
    negative = b.builder.value(Compare, values[which], zero, predicate="lt")
    same = _compared(b, predicate, [cast(b, v, U64) for v in values])
    if_negative = bool(PREDICATES[predicate](*[np.asarray(-int(s)) for s in signed]))
    answer = broadcast(b, constant(b, if_negative, I1), b.shape(same))
    return TensorOperand(b.builder.value(Select, negative, answer, same.value))
