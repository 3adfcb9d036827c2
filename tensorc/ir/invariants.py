"""What ops check of themselves in `verify`, beyond types: how it is said, and calls."""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from tensorc.errors import Diagnostic, VerifyError
from tensorc.ir.core import Op, value_types
from tensorc.ir.types import FunctionType, TensorType, Type

Same = Callable[[Type, Type], bool]


def fail(op: Op, message: str, *hints: str) -> NoReturn:
    """Raise a `VerifyError` about an op."""
    text = f"{op.name}: {message}"
    raise VerifyError(Diagnostic("TC0250", text, op.location, hints=hints))


def require_same(
    op: Op, what: str, found: Sequence[Type], wanted: Sequence[Type], same: Same
) -> None:
    """Raise `VerifyError` unless there are as many types, each the same as wanted."""
    if found == wanted:
        return
    if len(found) != len(wanted):
        fail(op, f"{len(found)} {what}s instead of {len(wanted)}")
    for i, (left, right) in enumerate(zip(found, wanted, strict=True)):
        if not same(left, right):
            fail(op, f"{what} {i} is {left} instead of {right}")


def fits(given: Type, wanted: Type) -> bool:
    """Return whether types can be equal; symbols of two functions are not compared."""
    if not (isinstance(given, TensorType) and isinstance(wanted, TensorType)):
        return given == wanted
    if given.element != wanted.element or given.rank != wanted.rank:
        return False
    pairs = zip(given.shape, wanted.shape, strict=True)
    known = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    return all(a == b for a, b in known)


def check_call(op: Op, functions: Mapping[str, Op]) -> None:
    """Check that the function `callee` exists and takes and gives the types of an op.

    Raises:
        VerifyError: it does not.
    """
    name = getattr(op.attributes["callee"], "name", "")
    callee = functions.get(name)
    type_ = callee.attributes.get("function_type") if callee is not None else None
    if not isinstance(type_, FunctionType):
        fail(op, f"there is no function '{name:.80}'")
    require_same(op, "operand", value_types(op.operands), type_.inputs, fits)
    require_same(op, "result", value_types(op.results), type_.results, fits)
