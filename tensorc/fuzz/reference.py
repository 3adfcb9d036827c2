"""Meanings of inexact ops for the interpreter: the compiler's own math library.

NumPy's exp may differ from ours by an ulp, and a comparison with a bound would hide
what it is to show. So the reference evaluates the expansions of `expand-math`, whose
scalar ops are exact, on whole arrays: results are those of compiled code, bit for bit.
"""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from tensorc.ir.core import Op
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import Array, maximum_along, ordered_sum
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops import elementwise, nn, transcendental
from tensorc.ir.ops.builtin import Module
from tensorc.ir.types import Element, element_of
from tensorc.passes.expand_math import EXPAND_MATH
from tensorc.passes.structured_builder import apply_scalar
from tensorc.target import Target


@cache
def _expansion(name: str, arity: int, element: Element) -> Module:
    """Return a module whose function "f" is a scalar op, expanded."""
    function, builder = open_function("f", [Parameter(element)] * arity)
    result = apply_scalar(builder, name, function.body.block.arguments, {})
    close_function(function, builder, [result])
    module = new_module()
    module.body.block.append(function)
    return EXPAND_MATH.run(module, Target("cpu"))


def _meaning(name: str) -> Callable[..., Array]:
    def evaluate(*operands: Array) -> Array:
        module = _expansion(name, len(operands), element_of(operands[0].dtype))
        (result,) = interpret(module, "f", operands)
        # A result that no operand decides would lack their shape.
        return np.array(np.broadcast_to(result, operands[0].shape))

    return evaluate


_exp, _log = _meaning("exp"), _meaning("log")


def _log_softmax(operand: Array, *, axis: int) -> Array:
    if operand.size == 0:
        return operand.copy()
    largest = maximum_along(operand, axis, -np.inf)
    shifted = np.asarray(np.subtract(operand, np.expand_dims(largest, axis)))
    log = _log(ordered_sum(_exp(shifted), axis))
    return np.asarray(np.subtract(shifted, np.expand_dims(log, axis)))


MEANINGS: Mapping[type[Op], Callable[..., Array]] = {
    **{
        cls: _meaning(str(cls.scalar))
        for module in (elementwise, transcendental)
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, Op)
        and cls.name
        and EXACT not in cls.traits
    },
    nn.LogSoftmax: _log_softmax,
}
