"""Build structured ops: destinations, generics, and what ops are at one element."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from tensorc.ir.attributes import (
    PARALLEL,
    REDUCTION,
    AffineMap,
    ArrayAttr,
    Attribute,
    Dims,
    Typed,
)
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import integer_limits
from tensorc.ir.opdef import scalar_of
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.ops.structured.generics import Empty, Fill, Generic, Yield
from tensorc.ir.ops.tensor import bits, rounding
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.types import F32, I1, INDEX, Element, TensorType, element_type

Body = Callable[[list[Value]], Sequence[Value]]


def scalar(b: Builder, value: float, element: Element) -> Value:
    """Append a scalar constant."""
    return b.value(arith.Constant, value=Typed(value, element))


def size(b: Builder, dim: Dim) -> Value:
    """Append the value of a dimension, as an index."""
    if isinstance(dim, int):
        return scalar(b, dim, INDEX)
    return b.value(SizeOf, dim=Dims((dim,)))


def empty(b: Builder, type_: TensorType) -> Value:
    """Append a destination of undefined elements."""
    sizes = [size(b, d) for d in type_.shape if not isinstance(d, int)]
    return b.value(Empty, *sizes, types=[type_])


def filled(b: Builder, type_: TensorType, value: float) -> Value:
    """Append a destination that a reduction starts from."""
    constant = scalar(b, value, type_.element)
    return b.value(Fill, constant, empty(b, type_))


def generic(
    b: Builder,
    inputs: Sequence[tuple[Value, AffineMap]],
    outputs: Sequence[tuple[Value, AffineMap]],
    body: Body,
    reductions: Sequence[int] = (),
    order: str = "",
) -> list[Value]:
    """Append a `linalg.generic`; `body` maps the elements to those of the results."""
    operands = [*inputs, *outputs]
    dims = operands[0][1].dims
    kinds = [REDUCTION if d in reductions else PARALLEL for d in range(dims)]
    elements = [element_type(v.type) for v, _ in operands]
    with b.region(elements) as (region, arguments):
        b.create(Yield, *body(arguments))
    attributes: dict[str, Attribute] = {
        "indexing_maps": ArrayAttr(tuple(m for _, m in operands)),
        "iterator_types": ArrayAttr(tuple(kinds)),
        "operandSegmentSizes": (len(inputs), len(outputs)),
        "order": order,
    }
    values = [v for v, _ in operands]
    types = b.infer(Generic, values, attributes)
    op = Generic(values, types, attributes, [region], b.location)
    return list(b.block.append(op).results)


_FLOAT_CODES = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole"} | {
    "gt": "ogt",
    "ge": "oge",
}


def apply_scalar(
    b: Builder,
    cls: type[Op],
    values: Sequence[Value],
    attributes: Mapping[str, Attribute],
) -> Value:
    """Append what an elementwise op of a class is at one element."""
    kernel = KERNELS.get(cls)
    if kernel is not None:
        return kernel(b, values, attributes)
    if cls.made_of is not None:
        result = cls.made_of(partial(_apply_part, b), *values)
        assert isinstance(result, Value)
        return result
    return b.value(scalar_of(cls, element_type(values[0].type)), *values)


def _apply_part(
    b: Builder, cls: type[Op], *operands: Value | float, **attributes: Attribute
) -> Value:
    """Append one of the ops that another is made of; numbers are constants."""
    element = next(element_type(v.type) for v in operands if isinstance(v, Value))
    values = [v if isinstance(v, Value) else scalar(b, v, element) for v in operands]
    return apply_scalar(b, cls, values, attributes)


def _negated(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    (value,) = values
    element = element_type(value.type)
    if element.is_float:
        return b.value(arith.NegF, value)
    return b.value(arith.SubI, scalar(b, 0, element), value)


def _inverted(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    return b.value(arith.XOrI, values[0], scalar(b, 1, I1))


def _complement(
    b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]
) -> Value:
    element = element_type(values[0].type)
    least, most = integer_limits(element.dtype)
    every = scalar(b, most if least == 0 else -1, element)
    return b.value(arith.XOrI, values[0], every)


def _compared(
    b: Builder, values: Sequence[Value], attributes: Mapping[str, Attribute]
) -> Value:
    return compare(b, str(attributes["predicate"]), *values)


def _cast(
    b: Builder, values: Sequence[Value], attributes: Mapping[str, Attribute]
) -> Value:
    target = attributes["element"]
    assert isinstance(target, Element)
    return cast(b, values[0], target)


def _absolute(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    (value,) = values
    element = element_type(value.type)
    if element.is_float:
        return b.value(math.AbsF, value)
    if element.is_unsigned:
        return value
    zero = scalar(b, 0, element)
    opposite = b.value(arith.SubI, zero, value)
    return b.value(arith.Select, compare(b, "lt", value, zero), opposite, value)


def _sign(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    (value,) = values
    element = element_type(value.type)
    zero = scalar(b, 0, element)
    # What is neither above, below nor at 0 is NaN, and stays.
    result = b.value(arith.Select, compare(b, "eq", value, zero), zero, value)
    if not element.is_unsigned:
        below = compare(b, "lt", value, zero)
        result = b.value(arith.Select, below, scalar(b, -1, element), result)
    above = compare(b, "gt", value, zero)
    return b.value(arith.Select, above, scalar(b, 1, element), result)


def _floordiv(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    if not element_type(values[0].type).is_float:
        return b.value(arith.FloorDivSI, *values)
    return _in_single(b, values, lambda lhs, rhs: _divmod(b, lhs, rhs)[0])


def _mod(b: Builder, values: Sequence[Value], _: Mapping[str, Attribute]) -> Value:
    lhs, rhs = values
    element = element_type(lhs.type)
    if element.is_float:
        return _in_single(b, values, lambda lhs, rhs: _divmod(b, lhs, rhs)[1])
    rest = b.value(arith.RemSI, lhs, rhs)
    if element.is_unsigned:
        return rest
    zero = scalar(b, 0, element)
    wrong = _has_wrong_sign(b, rest, rhs, zero)
    return b.value(arith.Select, wrong, b.value(arith.AddI, rest, rhs), rest)


def _has_wrong_sign(b: Builder, rest: Value, divisor: Value, zero: Value) -> Value:
    """Return whether a remainder is not 0 and has not the sign of the divisor."""
    signs = [compare(b, "lt", v, zero) for v in (rest, divisor)]
    differ = b.value(arith.XOrI, *signs)
    return b.value(arith.AndI, differ, compare(b, "ne", rest, zero))


def _in_single(
    b: Builder, values: Sequence[Value], function: Callable[..., Value]
) -> Value:
    """Apply a function; f16 and bf16 go by way of f32, as in numpy."""
    element = element_type(values[0].type)
    wide = element.accumulator
    if element == wide:
        return function(*values)
    return cast(b, function(*[cast(b, v, wide) for v in values]), element)


def _divmod(b: Builder, lhs: Value, rhs: Value) -> tuple[Value, Value]:
    """Return numpy's quotient and remainder of floats.

    The remainder is exact, so the quotient is next to an integer before it is rounded.
    """
    element = element_type(lhs.type)
    zero, one = scalar(b, 0.0, element), scalar(b, 1.0, element)
    minus_zero = scalar(b, -0.0, element)
    rest = b.value(math.RemF, lhs, rhs)
    whole = b.value(arith.DivF, b.value(arith.SubF, lhs, rest), rhs)
    wrong = _has_wrong_sign(b, rest, rhs, zero)
    lower = b.value(arith.SubF, whole, one)
    whole = b.value(arith.Select, wrong, lower, whole)
    rest = b.value(arith.Select, wrong, b.value(arith.AddF, rest, rhs), rest)
    below = compare(b, "lt", rhs, zero)
    none = b.value(arith.Select, below, minus_zero, zero)
    rest = b.value(arith.Select, compare(b, "eq", rest, zero), none, rest)
    floor = b.value(math.Floor, whole)
    off = b.value(arith.SubF, whole, floor)
    too_low = compare(b, "gt", off, scalar(b, 0.5, element))
    above = b.value(arith.AddF, floor, one)
    floor = b.value(arith.Select, too_low, above, floor)
    # A zero has the sign of the exact quotient; so has what a zero divisor gives.
    exact = b.value(arith.DivF, lhs, rhs)
    signed = b.value(arith.Select, compare(b, "gt", exact, zero), zero, exact)
    negative = compare(b, "lt", exact, zero)
    signed = b.value(arith.Select, negative, minus_zero, signed)
    floor = b.value(arith.Select, compare(b, "eq", whole, zero), signed, floor)
    return b.value(arith.Select, compare(b, "eq", rhs, zero), exact, floor), rest


ScalarBody = Callable[[Builder, Sequence[Value], Mapping[str, Attribute]], Value]
# Elementwise ops that depend on the type; all others declare what they are.
KERNELS: Mapping[type[Op], ScalarBody] = MappingProxyType(
    {
        ew.Neg: _negated,
        ew.Not: _inverted,
        bits.Invert: _complement,
        ew.Compare: _compared,
        ew.Cast: _cast,
        rounding.Abs: _absolute,
        rounding.Sign: _sign,
        rounding.FloorDiv: _floordiv,
        rounding.Mod: _mod,
    }
)


def compare(b: Builder, predicate: str, lhs: Value, rhs: Value) -> Value:
    """Append a comparison: eq, ne, lt, le, gt or ge."""
    element = element_type(lhs.type)
    if element.is_float:
        code = arith.FLOAT_PREDICATES.index(_FLOAT_CODES[predicate])
        return b.value(arith.CmpF, lhs, rhs, predicate=code)
    unsigned = element.is_unsigned or element == I1
    prefix = "" if predicate in ("eq", "ne") else "u" if unsigned else "s"
    code = arith.INTEGER_PREDICATES.index(prefix + predicate)
    return b.value(arith.CmpI, lhs, rhs, predicate=code)


def cast(b: Builder, value: Value, target: Element) -> Value:
    """Append the conversion of a scalar to another type (the rules of `tc.cast`)."""
    source = element_type(value.type)
    if source == target:
        return value
    if target == I1:
        return compare(b, "ne", value, scalar(b, 0, source))
    if source.accumulator == target.accumulator == F32 != source and target != F32:
        value = cast(b, value, F32)  # f16 and bf16: neither is the wider one
        source = F32
    return b.value(_conversion(source, target), value, types=[target])


def _conversion(source: Element, target: Element) -> type[Op]:
    if INDEX in (source, target):
        return conversions.IndexCast
    if source.is_float and target.is_float:
        return conversions.ExtF if target.bits > source.bits else conversions.TruncF
    unsigned_source = source.is_unsigned or source == I1
    if target.is_float:
        return conversions.UIToFP if unsigned_source else conversions.SIToFP
    if source.is_float:
        return conversions.FPToUI if target.is_unsigned else conversions.FPToSI
    if target.bits > source.bits:
        return conversions.ExtUI if unsigned_source else conversions.ExtSI
    return conversions.TruncI if target.bits < source.bits else conversions.Bitcast
