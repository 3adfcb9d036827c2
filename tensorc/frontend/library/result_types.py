"""NumPy's `dtype=`: the type in which a function computes, and of its result."""

import functools
from collections.abc import Callable

from tensorc.frontend.library.elementwise import elementwise, to_element
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    cast,
    spell_element,
    strong,
)
from tensorc.frontend.library.operands import Tensor as Node
from tensorc.ir.types import Element

# Reductions that take `dtype=`.
OF_A_DTYPE = frozenset({"sum", "mean", "prod", "var", "std"})
_FRACTIONS = frozenset({"mean", "var", "std"})
# What is rounded at the end alone.
_AT_THE_END = frozenset({"linspace"})


def computed_in(
    function: Callable[..., Operand], element: Element
) -> Callable[..., Operand]:
    """Return a function of the library that computes in a type, and gives it.

    Integers stay as narrow as they are: the sum of i8 in i8 wraps.
    """
    name = function.__name__.rstrip("_")
    if name in _FRACTIONS and not element.is_float:
        spelled = spell_element(element)
        message = f"`dtype` of {name} is a float type, got {spelled}: a {name} is"
        hint = f"cast the result: x.{name}().astype('{element.dtype}')"
        raise usage_error(f"{message} a fraction", hint)

    @functools.wraps(function)
    def computed(b: Emitter, *operands: object, **options: object) -> Operand:
        if name in _AT_THE_END:
            result = function(b, *operands, **options)
            if not element.is_float:
                result = elementwise(b, "floor", [result])
        else:
            result = function(b, *[_as(b, o, element) for o in operands], **options)
        return Node(cast(b, strong(b, result).value, element))

    return computed


def _as(b: Emitter, operand: object, element: Element) -> object:
    if operand is None:
        return None
    if isinstance(operand, list | tuple):
        return [_as(b, o, element) for o in operand]
    return to_element(b, operand, element)  # type: ignore[arg-type]  # an operand
