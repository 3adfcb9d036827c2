"""Rules of cumulative ops: derivatives in both directions are linear recurrences.

    y[i] = a[i] y[i - 1] + b[i]     has the tangents     dy[i] = a[i] dy[i - 1] + db[i]
                                                                 + da[i] y[i - 1]

and cotangents from the other end, r[i] = a[i + 1] r[i + 1] + ct[i]. So derivatives of
any order are recurrences, and nothing is divided.
"""

from tensorc.ir.core import Value
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import rounding
from tensorc.ir.ops.tensor.cumulative import CumMax, CumMin, CumProd, Recurrence
from tensorc.ir.stable import shifted
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents, only

Extreme = CumMax | CumMin


def recurrence(b: TensorBuilder, op: Recurrence, cts: Cotangents) -> Cotangents:
    """Give the operand a recurrence from the other end, the factor what it meets."""
    by_operand = _back(b, op.factor, only(cts), op.axis, op.reverse)
    before = shifted(b, op.result, op.axis, 0, op.reverse)
    return b(ew.Mul, by_operand, before), by_operand


def recurrence_tangent(
    b: TensorBuilder, op: Recurrence, tangents: Tangents
) -> Tangents:
    """Give the same recurrence of tangents, with what the factor's adds."""
    by_factor, added = tangents
    if by_factor is not None:
        before = shifted(b, op.result, op.axis, 0, op.reverse)
        more = b(ew.Mul, by_factor, before)
        added = more if added is None else b(ew.Add, added, more)
    assert added is not None
    return (b(Recurrence, op.factor, added, axis=op.axis, reverse=op.reverse),)


def cumprod(b: TensorBuilder, op: CumProd, cts: Cotangents) -> Cotangents:
    """Give what is before an element by what is behind it: exact at zeros."""
    behind = _back(b, op.operand, only(cts), op.axis, False)
    return (b(ew.Mul, behind, shifted(b, op.result, op.axis, 1)),)


def cumprod_tangent(b: TensorBuilder, op: CumProd, tangents: Tangents) -> Tangents:
    """Give the product of each tangent and what is before it, multiplied on."""
    added = b(ew.Mul, only(tangents), shifted(b, op.result, op.axis, 1))
    return (b(Recurrence, op.operand, added, axis=op.axis, reverse=False),)


def extreme(b: TensorBuilder, op: Extreme, cts: Cotangents) -> Cotangents:
    """Give all to the first of equal elements, for as long as it is the extreme one."""
    is_new, kept = _records(b, op)
    total = _back(b, kept, only(cts), op.axis, False)
    return (b(ew.Select, is_new, total, b.zeros_like(total)),)


def extreme_tangent(b: TensorBuilder, op: Extreme, tangents: Tangents) -> Tangents:
    """Give the tangent of the element, for as long as it is the extreme one."""
    is_new, kept = _records(b, op)
    tangent = only(tangents)
    own = b(ew.Select, is_new, tangent, b.zeros_like(tangent))
    return (b(Recurrence, kept, own, axis=op.axis, reverse=False),)


def _records(b: TensorBuilder, op: Extreme) -> tuple[Value, Value]:
    """Return which elements are more extreme than all before, and 1 for the others."""
    predicate = "le" if isinstance(op, CumMax) else "ge"
    before = shifted(b, op.result, op.axis, 0)
    no_more = b(ew.Compare, op.operand, before, predicate=predicate)
    no_more = b(ew.Or, no_more, b(rounding.IsNan, before))
    index = b.iota(tensor_type(op.operand).shape, op.axis, I64)
    behind = b(ew.Compare, index, b.zeros_like(index), predicate="gt")
    kept = b(ew.And, behind, no_more)
    return b(ew.Not, kept), b.cast(kept, tensor_type(op.operand).element)


def _back(
    b: TensorBuilder, factor: Value, ct: Value, axis: int, reverse: bool
) -> Value:
    """Return the cotangents of what a recurrence adds."""
    behind = shifted(b, factor, axis, 0, not reverse)
    return b(Recurrence, behind, ct, axis=axis, reverse=not reverse)
