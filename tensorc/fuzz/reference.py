"""Meanings of inexact ops for the interpreter: the compiler's own math library.

NumPy's exp may differ from ours by an ulp, and a comparison with a bound would hide
what it is to show. So the reference evaluates the expansions of `expand-math`, whose
scalar ops are exact, on whole arrays: results are those of compiled code, bit for bit.
What they give is then compared with NumPy's in f64, with the bound of docs/numerics.md:
no f16 or f32 is further than one unit in the last place from the truth.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tensorc.ir.core import Op
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import Array, ordered_matmul
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops import BY_NAME
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor import elementwise, nn, products, transcendental
from tensorc.ir.types import Element, element_of
from tensorc.passes.common.structured_builder import apply_scalar
from tensorc.passes.math.expand_math import EXPAND_MATH
from tensorc.target import Target

_KNOWN: dict[Hashable, Array] = {}
_MOST_KNOWN = 300
_FAR = 1e4  # units in the last place of f64: NumPy itself is no better than some


@cache
def _expansion(name: str, arity: int, element: Element) -> Module:
    """Return a module whose function "f" is an op at one element, expanded."""
    function, builder = open_function("f", [Parameter(element)] * arity)
    result = apply_scalar(builder, BY_NAME[name], function.body.block.arguments, {})
    close_function(function, builder, [result])
    module = new_module()
    module.body.block.append(function)
    return EXPAND_MATH.run(module, Target("cpu"))


def _meaning(cls: type[Op]) -> Callable[..., Array]:
    plain = cls.evaluate

    def compute(*operands: Array) -> Array:
        module = _expansion(cls.name, len(operands), element_of(operands[0].dtype))
        (result,) = interpret(module, "f", operands)
        # A result that no operand decides would lack their shape.
        given = np.array(np.broadcast_to(result, operands[0].shape))
        with np.errstate(all="ignore"):
            truth = plain(None, *(o.astype(np.float64) for o in operands))
            _require_near(cls.name, given, np.asarray(truth, np.float64))
        return given

    return _remembered(cls.name, compute)


def _remembered(name: str, compute: Callable[..., Array]) -> Callable[..., Array]:
    """Return a function that knows its last results.

    A program is interpreted before and after its passes: mostly on equal values.
    """

    def evaluate(*operands: Array) -> Array:
        key = (name, *((o.dtype, o.shape, o.tobytes()) for o in operands))
        if key not in _KNOWN:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[key] = compute(*operands)
        return _KNOWN[key].copy()

    return evaluate


def _require_near(name: str, given: Array, truth: NDArray[np.float64]) -> None:
    """Refuse what is further from NumPy's result than the documentation says."""
    if given.dtype == np.float64:
        unit, allowed = np.spacing(np.abs(truth)), _FAR
    else:
        unit = np.spacing(np.abs(truth.astype(given.dtype))).astype(np.float64)
        allowed = 1.001
    wide = given.astype(np.float64)
    far = np.abs(wide - truth) > allowed * unit
    far &= np.isfinite(wide) & np.isfinite(truth.astype(given.dtype))
    far |= np.isnan(wide) != np.isnan(truth)
    if far.any():
        at = int(np.argmax(far.reshape(-1)))
        pair = f"{given.flat[at]!r}, NumPy says {truth.flat[at]!r}"
        raise ArithmeticError(f"{name} gives {pair}")


_exp, _log = _meaning(elementwise.Exp), _meaning(elementwise.Log)


_product = _remembered("matmul", ordered_matmul)  # it takes the longest of all


def _matmul(lhs: Array, rhs: Array, *, order: str) -> Array:
    return _product(lhs, rhs)


def _softmax(operand: Array, *mask: Array, axis: int) -> Array:
    return nn.shares(operand, mask, axis, _exp)


def _log_softmax(operand: Array, *, axis: int) -> Array:
    return nn.log_shares(operand, axis, _exp, _log)


MEANINGS: Mapping[type[Op], Callable[..., Array]] = {
    **{
        cls: _meaning(cls)
        for module in (elementwise, transcendental)
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, Op)
        and cls.name
        and EXACT not in cls.traits
    },
    nn.Softmax: _softmax,
    nn.LogSoftmax: _log_softmax,
    products.MatMul: _matmul,
}
