"""Powers: which of them products express, of tensors, numbers and sizes."""

import math
from collections.abc import Sequence

from tensorc.frontend.library.operands import (
    Emitter,
    Known,
    Operand,
    Scalar,
    TensorOperand,
    broadcast,
    broadcast_together,
    common_element,
    exact_array,
    kind_of,
    materialize,
    number,
    strong,
    type_error,
    unsupported,
)
from tensorc.ir.dims import Dim
from tensorc.ir.ops.tensor.elementwise import Select
from tensorc.ir.types import I1, I8, Element

BOOLEANS = I8  # what booleans are converted to
MAX_POWER = 64  # the largest exponent that is written out as products


def of_size(base: Dim, exponent: Dim) -> Dim | None:
    """Return a power of a size, or None if it is no size."""
    if isinstance(exponent, int) and 0 <= exponent <= MAX_POWER:
        return math.prod([base] * exponent, start=1)
    return None


def _element(b: Emitter, base: Operand, exponent: Operand) -> Element:
    element = common_element(b, [base, exponent])
    return BOOLEANS if element == I1 else element


def written_out(b: Emitter, operands: Sequence[Operand]) -> Operand | None:
    """Write out the powers that products express; a hyper is its number for that.

    None leaves it to the op.
    """
    base, exponent = operands
    known = exponent.number if isinstance(exponent, Scalar) else None
    element = _element(b, base, exponent)
    if not _is_written_out(known, element):
        if not element.is_float and _is_zeroth_or_first(base, exponent):
            return _zeroth_or_first(b, base, exponent, element)
        if not element.is_float:
            hint = "cast: `float(a) ** b`"
            raise unsupported(b, "`**` of integers with this exponent", hint)
        return None
    assert isinstance(known, int | float)
    x = base if isinstance(base, TensorOperand) else strong(b, base)
    element = _element(b, x, exponent)
    x = TensorOperand(materialize(b, x, element), x.weak)
    if known == 0.5:
        return b.compute(b, "sqrt", [x])
    if known < 0 and not element.is_float:
        hint = f"write `1 / x**{-known}`, or cast: `float(x)**{known}`"
        raise type_error(b, "integers have no negative powers", hint)
    if known == 0:
        one = materialize(b, number(1), element)
        return TensorOperand(broadcast(b, one, b.shape(x)), x.weak)
    if known > MAX_POWER:
        exact_array(b, known, element)  # raises what does not fit
        return _squared(b, x, int(known))
    result: Operand = x
    for _ in range(abs(int(known)) - 1):
        result = b.compute(b, "mul", [result, x])
    return b.compute(b, "div", [number(1), result]) if known < 0 else result


def _squared(b: Emitter, x: Operand, exponent: int) -> Operand:
    """Return a power of integers, which is the same in every order."""
    result: Operand | None = None
    while exponent:
        if exponent % 2:
            result = x if result is None else b.compute(b, "mul", [result, x])
        exponent //= 2
        if exponent:
            x = b.compute(b, "mul", [x, x])
    assert result is not None
    return result


def _is_zeroth_or_first(base: Operand, exponent: Operand) -> bool:
    """Tell powers that are 1 or the base: to a boolean, or of one but to negatives."""
    if kind_of(exponent) == "bool":
        return True
    unsigned = isinstance(exponent, TensorOperand) and exponent.type.element.is_unsigned
    return kind_of(base) == "bool" and unsigned


def _zeroth_or_first(
    b: Emitter, base: Operand, exponent: Operand, element: Element
) -> Operand:
    values = [materialize(b, exponent, I1)]
    values += [materialize(b, o, element) for o in (base, number(1))]
    return TensorOperand(b.builder.value(Select, *broadcast_together(b, values, "pow")))


def _is_written_out(known: Known, element: Element) -> bool:
    if not isinstance(known, int | float):
        return False
    if known < 0 and not element.is_float:
        return True  # to be refused
    if not element.is_float and isinstance(known, int):
        return known.bit_length() <= MAX_POWER  # by squaring
    return known == 0.5 or (abs(known) <= MAX_POWER and known == int(known))
