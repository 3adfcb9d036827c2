"""Warnings of what is legal, and most likely not what is meant (TC0319)."""

from collections.abc import Sequence

from tensorc.errors import Diagnostic
from tensorc.frontend.operands import Emitter, Operand, Tensor, spell_type
from tensorc.ir.core import Value
from tensorc.ir.ops.elementwise import Div, Exp
from tensorc.ir.ops.reductions import ArgMax, ArgMin, Sum
from tensorc.ir.ops.shape import Broadcast, Reshape


def warn_of_flat_place(b: Emitter, operands: Sequence[Operand]) -> None:
    """Warn of argmax(p) == y: one place in all of p, compared with one per row."""
    for place, other in (operands, operands[::-1]):
        if not isinstance(place, Tensor) or not isinstance(other, Tensor):
            continue
        op = place.value.op
        if not isinstance(op, ArgMax | ArgMin) or not other.type.rank:
            continue
        flat = op.operand.op
        if isinstance(flat, Reshape) and not place.type.rank:
            given = Tensor(flat.operand).type
            name = "argmax" if isinstance(op, ArgMax) else "argmin"
            if given.rank < 2:
                continue
            message = f"{name} without an axis is one place in all of "
            message += (
                f"{spell_type(given)}, here compared with {spell_type(other.type)}"
            )
            b.warn(_suspicion(b, message, f"one place per row: `{name}(p, axis=1)`"))


def warn_of_softmax(b: Emitter, logits: Value) -> None:
    """Warn of cross_entropy(softmax(z), y), which applies softmax twice."""
    if not _is_softmax(logits):
        return
    message = "cross_entropy applies softmax itself: here it is applied twice, which "
    message += "is another cost, with small gradients"
    b.warn(_suspicion(b, message, "give it the logits: `cross_entropy(z, y)`"))


def _is_softmax(value: Value) -> bool:
    """Tell whether a value is made as `softmax` makes it, or as textbooks spell it."""
    op = value.op
    if not isinstance(op, Div) or not isinstance(op.lhs.op, Exp):
        return False
    total = op.rhs.op
    while isinstance(total, Broadcast | Reshape):
        total = total.operand.op
    powers = total.operand.op if isinstance(total, Sum) else None
    return isinstance(powers, Exp) and powers.operand is op.lhs.op.operand


def warn_of_columns(b: Emitter, x: Tensor, places: object) -> None:
    """Warn of p[:, y] with a place for each row: it takes all of them from each."""
    if not isinstance(places, Tensor) or places.type.rank != 1:
        return
    (count,), (rows, columns) = b.shape(places), b.shape(x)
    if count != rows or rows == columns:
        return
    message = f"all of {spell_type(places.type)} are taken from each row of "
    message += f"{spell_type(x.type)}: the result has {rows} x {count} elements"
    hint = "one of each row: `p[range(B), y]` in a file, `p[np.arange(n), y]` in Python"
    b.warn(_suspicion(b, message, hint))


def _suspicion(b: Emitter, message: str, hint: str) -> Diagnostic:
    at = b.location
    return Diagnostic("TC0319", message, at, hints=(hint,), severity="warning")
