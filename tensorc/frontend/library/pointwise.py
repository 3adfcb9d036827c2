"""Elementwise functions of the prelude that are made of others, for all doors."""

import math

from tensorc.frontend.library.comparing import beyond
from tensorc.frontend.library.elementwise import (
    as_float,
    common_float,
    elementwise,
    float_element,
    select,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    TensorOperand,
    broadcast_together,
    common_element,
    is_strong,
    kind_of,
    materialize,
    number,
    strong,
)
from tensorc.ir import stable
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.elementwise import Compare
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8


def where(b: Emitter, condition: Operand, yes: Operand, no: Operand) -> Operand:
    """Choose elementwise: yes where the condition holds, no elsewhere."""
    return select(b, condition, yes, no)


def stop_gradient(b: Emitter, x: Operand) -> Operand:
    """Return x, as a constant for derivatives."""
    if not isinstance(x, TensorOperand):
        return x
    return TensorOperand(b.builder.value(StopGradient, x.value), x.weak)


def relu(b: Emitter, x: Operand) -> Operand:
    """Return x where it is positive, 0 elsewhere: NaN stays, the slope at 0 is 0."""
    if isinstance(x, Scalar):
        return elementwise(b, "maximum", [x, number(0)])
    below = elementwise(b, "le", [x, number(0)])
    return select(b, below, number(0), x)


def square(b: Emitter, x: Operand) -> Operand:
    """Return x * x; booleans become i8, as in numpy."""
    if kind_of(x) == "bool":
        x = TensorOperand(materialize(b, x, I8))
    return elementwise(b, "mul", [x, x])


def reciprocal(b: Emitter, x: Operand) -> Operand:
    """Return 1 / x; of integers its whole part, and 0 of 0. Booleans become i8."""
    if kind_of(x) == "float":
        return elementwise(b, "div", [number(1), x])
    if kind_of(x) == "bool":
        return TensorOperand(materialize(b, x, I8))
    is_unit = elementwise(b, "eq", [elementwise(b, "abs", [x]), number(1)])
    return elementwise(b, "mul", [x, is_unit])


def clip(
    b: Emitter, x: Operand, low: Operand | None = None, high: Operand | None = None
) -> Operand:
    """Return x within bounds that are numbers, tensors or none; NaN stays NaN.

    Where low > high the result is high, as in numpy. The derivative is 1 inside, 0
    outside and 1/2 at a bound.
    """
    given = [o for o in (x, low, high) if o is not None]
    if any(isinstance(o, TensorOperand) for o in given):
        # All meet in one type, as in numpy, and not the first two alone; what none of
        # its integers can pass is no bound.
        element = common_element(b, given)
        x = TensorOperand(
            materialize(b, x, element), weak=not any(map(is_strong, given))
        )
        if low is not None and element.is_integer and beyond(low, element) < 0:
            low = None
        if high is not None and element.is_integer and beyond(high, element) > 0:
            high = None
    if low is not None:
        x = elementwise(b, "maximum", [x, low])
    return x if high is None else elementwise(b, "minimum", [x, high])


def trunc(b: Emitter, x: Operand) -> Operand:
    """Round towards 0; integers and booleans stay what they are, -0.5 is -0.0."""
    if kind_of(x) != "float":
        return x
    tensor = as_float(b, x)
    negative = elementwise(b, "lt", [tensor, number(0)])
    floor, ceil = (elementwise(b, name, [tensor]) for name in ("floor", "ceil"))
    return select(b, negative, ceil, floor)


def rint(b: Emitter, x: Operand) -> Operand:
    """Round to the nearest whole number, halves to even; integers become floats."""
    tensor = strong(b, x)
    element = float_element(b, tensor.type.element)
    return elementwise(b, "round", [TensorOperand(materialize(b, tensor, element))])


def isinf(b: Emitter, x: Operand) -> Operand:
    """Tell infinities from numbers and NaN."""
    size = elementwise(b, "abs", [as_float(b, x)])
    return elementwise(b, "eq", [size, number(math.inf)])


def logical_xor(b: Emitter, x: Operand, y: Operand) -> Operand:
    """True where exactly one of two operands is not 0."""
    pair = [materialize(b, o, I1) for o in (x, y)]
    left, right = broadcast_together(b, pair, "logical_xor")
    return TensorOperand(TensorBuilder(b.builder)(Compare, left, right, predicate="ne"))


def logaddexp(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Return log(exp(x) + exp(y)), which overflows nowhere; f16 is computed in f32."""
    pair = _floats(b, x, y)
    element = pair[0].type.element
    wide = [materialize(b, o, element.accumulator) for o in pair]
    left, right = broadcast_together(b, wide, "logaddexp")
    result = stable.logaddexp(TensorBuilder(b.builder), left, right)
    return TensorOperand(materialize(b, TensorOperand(result), element))


def xlogy(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Return x * log(y), 0 where x is 0 unless y is NaN; as scipy.special.xlogy."""
    x, y = _floats(b, x, y)
    # Only where 0 * log(y) would not be 0: elsewhere the derivative by x is log(y).
    inside = elementwise(b, "gt", [y, number(0)])
    inside = elementwise(
        b, "and", [inside, elementwise(b, "lt", [y, number(math.inf)])]
    )
    plain = elementwise(b, "or", [inside, elementwise(b, "isnan", [y])])
    zero = elementwise(b, "eq", [x, number(0)])
    replaced = elementwise(b, "and", [zero, elementwise(b, "not", [plain])])
    safe = select(b, replaced, number(1.0), y)
    return elementwise(b, "mul", [x, elementwise(b, "log", [safe])])


def _floats(b: Emitter, x: Operand, y: Operand) -> tuple[TensorOperand, TensorOperand]:
    """Return two operands as tensors of their common float type."""
    element = b.default_float
    if any(isinstance(o, TensorOperand) and not o.weak for o in (x, y)):
        element = common_float(b, [x, y])
    return TensorOperand(materialize(b, x, element)), TensorOperand(
        materialize(b, y, element)
    )
