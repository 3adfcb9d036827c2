"""What users give to derivatives: variables, and what goes along with them."""

from collections.abc import Collection, Sequence

import numpy as np

from tensorc.errors import Diagnostic, DTypeError, ShapeError
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import argument_error, usage_error, warn_user
from tensorc.frontend.library.operands import (
    Shape,
    TensorOperand,
    broadcast,
    constant,
    is_strong,
    materialize,
    spell_type,
)
from tensorc.frontend.python.grouping.pytree import Tree, flatten, in_words, leaves_like
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
    value_of,
)
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.types import Element, TensorType

RAISE, WARN = "raise", "warn"
_CHOICES = (RAISE, "ignore", WARN, "zeros")


def choice(name: str, value: object) -> str:
    """Return what to do where nothing depends; ValueError for another word."""
    if isinstance(value, str) and value in _CHOICES:
        return value
    words = ", ".join(_CHOICES)
    raise argument_error(f"{name} must be one of {words}, got {value!r}")


def held_constant(consider_constant: Sequence[object] | None) -> set[Value]:
    """Return the values through which nothing is differentiated."""
    return {value_of(v, "a constant") for v in consider_constant or ()}


def members_of(wrt: object) -> tuple[list[object], list[Value], Tree]:
    """Return the variables of a structure, their values, and the structure."""
    if wrt is None:
        _primal(wrt)  # which is none
    members, tree = flatten(wrt)
    return members, [_primal(m) for m in members], tree


def _primal(member: object) -> Value:
    if not is_symbolic(member):
        message = f"wrt must be a variable or a list of them, got {describe(member)}"
        raise usage_error(message)
    # Not `operand_of`: after its update memory is not read, but differentiated by.
    operand = member.operand  # type: ignore[attr-defined]
    if not isinstance(operand, TensorOperand) or not operand.type.element.is_float:
        message = f"wrt is {describe(member)}: only floats have derivatives"
        raise usage_error(message, "make it a float variable")
    return operand.value


def outs_of(function: object, what: str) -> tuple[list[Value], Tree]:
    """Return the floats of a structure that are differentiated, and the structure."""
    if isinstance(function, np.ndarray) or not (leaves := flatten(function)[0]):
        message = f"{what} must be a variable or a list of them, got "
        raise usage_error(message + describe(function))
    tree = flatten(function)[1]
    return [float_of(leaf, what) for leaf in leaves], tree


def float_of(leaf: object, what: str) -> Value:
    """Return the value of a float variable; TypeError for anything else."""
    if not is_symbolic(leaf):
        raise usage_error(f"{what} must be a variable, got {describe(leaf)}")
    value = value_of(leaf, what)
    if not type_of_value(value).element.is_float:
        message = f"{what} is {describe(leaf)}: only floats have derivatives"
        # Not a cast: through what makes an index there is no derivative.
        hint = "give the floats alone; a function returns the rest besides, with "
        raise usage_error(message, f"{hint}has_aux=True")
    return value


def type_of_value(value: Value) -> TensorType:
    """Return the type of a value of the graph."""
    assert isinstance(value.type, TensorType)
    return value.type


def along(given: object, like: Value, what: str) -> Value:
    """Return a tangent or cotangent of a value: of its type.

    Numbers of Python take the type, and fill the shape.

    Raises:
        DTypeError: it has another element type (TC0302).
        ShapeError: it has another shape (TC0301).
    """
    b, wanted = emitter(), type_of_value(like)
    operand = operand_of(given, what)
    if not is_strong(operand):
        value = materialize(b, operand, wanted.element)
        if not TensorOperand(value).type.rank:
            return broadcast(b, value, wanted.shape)
        operand = TensorOperand(value)
    assert isinstance(operand, TensorOperand)
    found = operand.type
    message = f"{what} is {spell_type(found)}, that of {spell_type(wanted)}"
    if found.element != wanted.element:
        hint = f"cast it: v.astype('{wanted.element.dtype}')"
        raise DTypeError(Diagnostic("TC0302", message, b.location, hints=(hint,)))
    pairs = list(zip(found.shape, wanted.shape, strict=False))
    if found.rank != wanted.rank or not all(b.unify(f, w) for f, w in pairs):
        hint = "it has the shape of what it goes along with"
        raise ShapeError(Diagnostic("TC0301", message, b.location, hints=(hint,)))
    if found.shape == wanted.shape:
        return operand.value
    # Sizes that meet in a call: not `pinned`, since the type must be this one.
    axes = tuple(range(wanted.rank))
    return b.builder.value(
        Broadcast, operand.value, axes=axes, shape=Dims(wanted.shape)
    )


def points_of(tree: Tree, given: object, what: str) -> list[object]:
    """Return what goes along with each leaf of a structure, or None.

    TypeError if it has another structure; `what` says what it is.
    """
    leaves = leaves_like(tree, given)
    if leaves is None:
        own, other = in_words(tree, flatten(given)[1])
        message = f"{what} is {other}, where {own} is needed"
        raise usage_error(message, "give one for each leaf, or None, in one structure")
    return leaves


def directions(
    leaves: Sequence[object], values: Sequence[Value], points: Sequence[object], of: str
) -> list[tuple[Value, Value]]:
    """Return values with what goes along with them; None in `points` is nothing.

    `of` is what a point is called: "the vector". Raises as `along` does.
    """
    return [
        (value, along(point, value, f"{of} of {leaf!r}"))
        for leaf, value, point in zip(leaves, values, points, strict=True)
        if point is not None
    ]


def settle_disconnected(
    action: str,
    what: str,
    members: Sequence[object],
    values: Sequence[Value],
    found: Collection[Value],
) -> None:
    """Raise ValueError for variables on which nothing depends, or warn of them."""
    pairs = zip(members, values, strict=True)
    lost = ", ".join(repr(m) for m, v in pairs if v not in found)
    if lost:
        message = f"{what} does not depend on {lost}"
        settle(action, message, "disconnected_inputs")


def settle(action: str, message: str, option: str) -> None:
    """Raise ValueError or warn (TC0319), as an option says, or do nothing."""
    hint = f"leave it out, or give {option}='zeros'"
    if action == RAISE:
        raise argument_error(message, hint)
    if action == WARN:
        warn_user(Diagnostic("TC0319", message, user_location(), hints=(hint,)))


def tensor_or_zeros(found: Value | None, like: Value) -> Tensor:
    """Return a variable, or zeros in the shape of another value for None."""
    return Tensor(TensorOperand(zeros_like(like) if found is None else found))


def zeros_like(value: Value) -> Value:
    """Return zeros of the type of a value."""
    type_ = type_of_value(value)
    return _zeros(type_.shape, type_.element)


def zeros(shape: Shape, element: Element) -> Tensor:
    """Return zeros of a shape."""
    return Tensor(TensorOperand(_zeros(shape, element)))


def _zeros(shape: Shape, element: Element) -> Value:
    b = emitter()
    return broadcast(b, constant(b, 0, element), shape)
