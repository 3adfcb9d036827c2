"""Elementwise functions of the prelude that are made of others, for all doors."""

import math
from collections.abc import Callable

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
    type_error,
)
from tensorc.frontend.library.reductions import all_
from tensorc.ir import stable
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.elementwise import Compare
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import F64, I1, I8, I64, U64

_ZERO, _INFINITY = number(0.0), number(math.inf)
_RTOL, _ATOL = number(1e-5), number(1e-8)  # NumPy's


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
    """Return log(exp(x) + exp(y)), which overflows nowhere; f16 and bf16 in f32."""
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


# NumPy's functions that are formulas


def _float_of(b: Emitter, x: Operand) -> TensorOperand:
    """Return a float tensor: integers take the float type that exp would give."""
    tensor = strong(b, x)
    element = float_element(b, tensor.type.element)
    return TensorOperand(materialize(b, tensor, element))


def _floats_of(b: Emitter, *operands: Operand) -> list[Operand]:
    """Return operands as tensors of the float type in which they meet."""
    element = b.default_float
    if any(map(is_strong, operands)):
        element = common_float(b, operands)
    return [TensorOperand(materialize(b, o, element)) for o in operands]


def _times(factor: float) -> Callable[[Emitter, Operand], Operand]:
    def function(b: Emitter, x: Operand) -> Operand:
        return elementwise(b, "mul", [_float_of(b, x), number(factor)])

    return function


def radians(b: Emitter, x: Operand) -> Operand:
    """Return degrees as radians: x * (pi / 180)."""
    return _times(math.pi / 180)(b, x)


def degrees(b: Emitter, x: Operand) -> Operand:
    """Return radians as degrees: x * (180 / pi)."""
    return _times(180 / math.pi)(b, x)


def sinc(b: Emitter, x: Operand) -> Operand:
    """Return sin(pi x) / (pi x), 1 at 0."""
    x = as_float(b, x)
    is_zero = elementwise(b, "eq", [x, number(0)])
    # What divides is not 0 anywhere: so are derivatives finite, too.
    angle = elementwise(b, "mul", [select(b, is_zero, number(1.0), x), number(math.pi)])
    share = elementwise(b, "div", [elementwise(b, "sin", [angle]), angle])
    return select(b, is_zero, number(1.0), share)


def fabs(b: Emitter, x: Operand) -> Operand:
    """Return the size of x; integers become floats."""
    return elementwise(b, "abs", [_float_of(b, x)])


def _number_of_two(
    name: str,
) -> Callable[[Emitter, Operand, Operand], Operand]:
    def function(b: Emitter, x: Operand, y: Operand) -> Operand:
        result = elementwise(b, name, [x, y])
        if "float" not in (kind_of(x), kind_of(y)):
            return result
        x, y = _floats_of(b, x, y)
        of_x = elementwise(b, "isnan", [x])
        result = select(b, elementwise(b, "isnan", [y]), x, result)
        return select(b, of_x, y, result)

    return function


def fmax(b: Emitter, x: Operand, y: Operand) -> Operand:
    """The larger of two elements, and the number of a number and NaN."""
    return _number_of_two("maximum")(b, x, y)


def fmin(b: Emitter, x: Operand, y: Operand) -> Operand:
    """The smaller of two elements, and the number of a number and NaN."""
    return _number_of_two("minimum")(b, x, y)


def ldexp(b: Emitter, x: Operand, n: Operand) -> Operand:
    """Return x * 2 ** n for integers n, rounded once."""
    if kind_of(n) == "float":
        raise type_error(b, "ldexp takes integers n", "cast them: `int(n)`")
    given = _float_of(b, x)
    element = given.type.element
    # A range this small leaves no room for steps.
    wide = element.accumulator
    most, least = (1023, -1022) if wide == F64 else (127, -126)
    half = least // 2
    scaled = TensorOperand(materialize(b, given, wide))
    if isinstance(n, TensorOperand) and n.type.element == U64:
        n = elementwise(b, "minimum", [n, number(-5 * half)])
    n = TensorOperand(materialize(b, n, I64))
    left = elementwise(b, "maximum", [n, number(5 * half)])
    left = elementwise(b, "minimum", [left, number(-5 * half)])
    # No step but the last one rounds: where one would, the result is 0.
    for _ in range(4):
        is_high = elementwise(b, "gt", [left, number(most)])
        is_low = elementwise(b, "lt", [left, number(least)])
        step = select(b, is_low, number(half), number(0))
        step = select(b, is_high, number(-half), step)
        scaled = _scaled(b, scaled, step)
        left = elementwise(b, "sub", [left, step])
    return TensorOperand(materialize(b, _scaled(b, scaled, left), element))


def _scaled(b: Emitter, x: TensorOperand, n: Operand) -> TensorOperand:
    element = x.type.element
    power = elementwise(b, "exp2", [TensorOperand(materialize(b, n, element))])
    product = elementwise(b, "mul", [x, power])
    assert isinstance(product, TensorOperand)
    return product


def logaddexp2(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Return log2(2 ** x + 2 ** y), which overflows nowhere."""
    x, y = _floats_of(b, x, y)
    largest = elementwise(b, "maximum", [x, y])
    is_same = elementwise(b, "eq", [x, y])
    # Infinity less itself would be NaN.
    left, right = (select(b, is_same, number(0.0), o) for o in (x, y))
    apart = elementwise(b, "sub", [left, right])
    size = elementwise(b, "abs", [apart])
    power = elementwise(b, "exp2", [elementwise(b, "neg", [size])])
    more = elementwise(b, "log1p", [power])
    more = elementwise(b, "mul", [more, number(1 / math.log(2))])
    return elementwise(b, "add", [largest, more])


def nan_to_num(
    b: Emitter,
    x: Operand,
    nan: Operand = _ZERO,
    posinf: Operand | None = None,
    neginf: Operand | None = None,
) -> Operand:
    """Replace NaN and infinities by numbers, which are 0 and the largest ones."""
    if kind_of(x) != "float":
        return x
    tensor = as_float(b, x)
    largest = float(_largest(tensor))
    high = number(largest) if posinf is None else posinf
    low = number(-largest) if neginf is None else neginf
    result = select(b, elementwise(b, "isnan", [tensor]), nan, tensor)
    result = select(b, isposinf(b, tensor), high, result)
    return select(b, isneginf(b, tensor), low, result)


def _largest(x: TensorOperand) -> float:
    element = x.type.element
    # The type of bf16 is NumPy's by an extra, which this needs not.
    if element.name == "bf16":
        return (2 - 2.0**-7) * 2.0**127
    digits, most = {16: (11, 15), 32: (24, 127), 64: (53, 1023)}[element.bits]
    return (2 - 2.0 ** (1 - digits)) * 2.0**most


def isposinf(b: Emitter, x: Operand) -> Operand:
    """Tell plus infinity."""
    return elementwise(b, "eq", [as_float(b, x), _INFINITY])


def isneginf(b: Emitter, x: Operand) -> Operand:
    """Tell minus infinity."""
    return elementwise(b, "eq", [as_float(b, x), number(-math.inf)])


def isclose(
    b: Emitter,
    x: Operand,
    y: Operand,
    rtol: Operand = _RTOL,
    atol: Operand = _ATOL,
    equal_nan: bool = False,
) -> Operand:
    """Tell what is within atol + rtol * abs(y) of y; infinities are equal or not."""
    x, y = _floats_of(b, x, y)
    apart = elementwise(b, "abs", [elementwise(b, "sub", [x, y])])
    bound = elementwise(b, "mul", [rtol, elementwise(b, "abs", [y])])
    near = elementwise(b, "le", [apart, elementwise(b, "add", [atol, bound])])
    near = elementwise(b, "and", [near, elementwise(b, "isfinite", [y])])
    result = elementwise(b, "or", [near, elementwise(b, "eq", [x, y])])
    if not equal_nan:
        return result
    both = elementwise(
        b, "and", [elementwise(b, "isnan", [x]), elementwise(b, "isnan", [y])]
    )
    return elementwise(b, "or", [result, both])


def allclose(
    b: Emitter,
    x: Operand,
    y: Operand,
    rtol: Operand = _RTOL,
    atol: Operand = _ATOL,
    equal_nan: bool = False,
) -> Operand:
    """Tell whether all of x is close to y, as `isclose` has it."""
    return all_(b, isclose(b, x, y, rtol, atol, equal_nan))
