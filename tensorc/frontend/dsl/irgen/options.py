"""Options of calls in a `.tc` file, read as plain for the table of `options`."""

from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.values import (
    Known,
    MemoryRef,
    NoneValue,
    TextValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import Literal, Operand, Scalar, TensorOperand
from tensorc.frontend.library.options import Kind, Odd, OptionValue, Plain
from tensorc.frontend.library.sizes import NoDimError, dim_of, why
from tensorc.ir.dims import Poly


def option_given(frame: Frame, node: ast.Expression, kind: Kind) -> OptionValue:
    """Return what stands for an option of a kind, and where."""
    value = frame.evaluate(node)
    if kind.computed and isinstance(value, TensorOperand | Scalar | MemoryRef):
        operand = frame.as_operand(value, node)
        if _is_number(operand):
            return OptionValue(Odd(describe(value), True, operand), node.location)
    return OptionValue(_plain(frame, value, node), node.location)


def _is_number(operand: Operand) -> bool:
    """Tell a number; a call may give a hyper another value, so it stays one."""
    if isinstance(operand, TensorOperand):
        return not operand.type.shape
    return isinstance(operand, Scalar) and operand.kind != "bool"


def _plain(frame: Frame, value: Known, node: ast.Expression) -> Plain:
    match value:
        case NoneValue():
            return None
        case TextValue():
            return value.value
        case TupleValue():
            return tuple([_plain(frame, v, node) for v in value.elements])
        case Literal():
            return _listed(value.values.tolist())
        case Scalar(number=None):
            return Odd(describe(value), is_computed=True)
        case Scalar(number=Poly() as size):
            return frame.entry.builder.constraints.resolve(size)
        case Scalar():
            return value.number
        case TensorOperand() | MemoryRef():
            return _computed(frame, value, node)
        case _:
            return Odd(describe(value))


def _listed(value: object) -> Plain:
    if isinstance(value, list):
        return tuple([_listed(v) for v in value])
    return value  # type: ignore[return-value]  # a number or truth value


def _computed(
    frame: Frame, given: TensorOperand | MemoryRef, node: ast.Expression
) -> Plain:
    """Return the size that a scalar is, computed from arguments."""
    value = frame.as_operand(given, node)
    if not isinstance(value, TensorOperand) or value.type.shape:
        return Odd(describe(value), is_computed=True)
    try:
        size = dim_of(value.value, frame.entry.given)
        return frame.entry.builder.constraints.resolve(size)
    except NoDimError as failure:
        shared = frame.entry.shared.items()
        names = [name for name, v in shared if v is failure.value]
        reason, hint = why(failure, names[0] if names else "")
        return Odd(describe(value), True, value, reason, hint)
