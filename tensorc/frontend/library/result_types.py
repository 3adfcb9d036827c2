"""NumPy's `dtype=`: the type in which a function computes, and of its result."""

from collections.abc import Callable
from dataclasses import replace

from tensorc.frontend.library.elementwise import elementwise, to_element
from tensorc.frontend.library.library_function import FRACTION, RESULT, LibraryFunction
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    cast,
    spell_element,
    strong,
)
from tensorc.ir.types import I1, Element


def computed_in(function: LibraryFunction, element: Element) -> LibraryFunction:
    """Return a function of the registry that computes in a type, and gives it.

    Integers stay as narrow as they are: the sum of i8 in i8 wraps.
    """
    name = function.name
    if function.dtype == FRACTION and not element.is_float:
        spelled = spell_element(element)
        message = f"`dtype` of {name} must be a float type, got {spelled}: a {name} is"
        hint = f"cast the result: x.{name}().astype('{element.dtype}')"
        raise usage_error(f"{message} a fraction", hint)
    computed = _converted if function.dtype == RESULT else _computed
    return replace(function, function=computed(function.function, element))


def _computed(
    function: Callable[..., Operand], element: Element
) -> Callable[..., Operand]:
    def computed(b: Emitter, *operands: object, **options: object) -> Operand:
        result = function(b, *[_as(b, o, element) for o in operands], **options)
        return TensorOperand(cast(b, strong(b, result).value, element))

    return computed


def _converted(
    function: Callable[..., Operand], element: Element
) -> Callable[..., Operand]:
    def converted(b: Emitter, *operands: object, **options: object) -> Operand:
        result = strong(b, function(b, *operands, **options))
        # A bool is whether a number is not 0, as in NumPy.
        if result.type.element.is_float and element.is_integer and element != I1:
            result = strong(b, elementwise(b, "floor", [result]))
        return TensorOperand(cast(b, result.value, element))

    return converted


def _as(b: Emitter, operand: object, element: Element) -> object:
    if operand is None:
        return None
    if isinstance(operand, list | tuple):
        return [_as(b, o, element) for o in operand]
    return to_element(b, operand, element)  # type: ignore[arg-type]  # an operand
