"""Build structured ops: destinations, generics, and scalar kernels by name."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.ir.attributes import (
    PARALLEL,
    REDUCTION,
    AffineMap,
    Array,
    Attribute,
    Dims,
    Typed,
)
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops import arith, conversions, math
from tensorc.ir.ops.kernels import SizeOf
from tensorc.ir.ops.structured import Empty, Fill, Generic, Yield
from tensorc.ir.types import I1, INDEX, Element, TensorType, element_type

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
    reduction: int | None = None,
    order: str = "",
) -> list[Value]:
    """Append a `linalg.generic`; `body` maps the elements to those of the results."""
    operands = [*inputs, *outputs]
    dims = operands[0][1].dims
    kinds = [REDUCTION if d == reduction else PARALLEL for d in range(dims)]
    elements = [element_type(v.type) for v, _ in operands]
    with b.region(elements) as (region, arguments):
        b.create(Yield, *body(arguments))
    attributes: dict[str, Attribute] = {
        "indexing_maps": Array(tuple(m for _, m in operands)),
        "iterator_types": Array(tuple(kinds)),
        "operandSegmentSizes": (len(inputs), len(outputs)),
        "order": order,
    }
    values = [v for v, _ in operands]
    types = b.infer(Generic, values, attributes)
    op = Generic(values, types, attributes, [region], b.location)
    return list(b.block.append(op).results)


# Scalar kernels: name of an elementwise op -> (for floats, signed, unsigned and i1).
_BINARY: Mapping[str, tuple[type[Op], type[Op], type[Op], type[Op]]] = MappingProxyType(
    {
        "add": (arith.AddF, arith.AddI, arith.AddI, arith.OrI),
        "sub": (arith.SubF, arith.SubI, arith.SubI, arith.XOrI),
        "mul": (arith.MulF, arith.MulI, arith.MulI, arith.AndI),
        "div": (arith.DivF, arith.FloorDivSI, arith.FloorDivSI, arith.AndI),
        "maximum": (arith.MaximumF, arith.MaxSI, arith.MaxUI, arith.OrI),
        "minimum": (arith.MinimumF, arith.MinSI, arith.MinUI, arith.AndI),
        "and": (arith.MulF, arith.AndI, arith.AndI, arith.AndI),
        "or": (arith.AddF, arith.OrI, arith.OrI, arith.OrI),
    }
)
_UNARY: Mapping[str, type[Op]] = MappingProxyType(
    {"exp": math.Exp, "log": math.Log, "sqrt": math.Sqrt, "neg": arith.NegF}
)
_FLOAT_CODES = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole"} | {
    "gt": "ogt",
    "ge": "oge",
}


def binary_class(name: str, element: Element) -> type[Op]:
    """Return the scalar op that a binary kernel is for an element type."""
    row = _BINARY[name]
    if element.is_float:
        return row[0]
    if element == I1:
        return row[3]
    return row[2] if element.is_unsigned else row[1]


def apply_scalar(
    b: Builder, name: str, values: Sequence[Value], attributes: Mapping[str, Attribute]
) -> Value:
    """Append the scalar kernel of an elementwise op."""
    element = element_type(values[0].type)
    if name in _BINARY:
        return b.value(binary_class(name, element), *values)
    if name == "compare":
        return compare(b, str(attributes["predicate"]), *values)
    if name == "select":
        return b.value(arith.Select, *values)
    if name == "cast":
        target = attributes["element"]
        assert isinstance(target, Element)
        return cast(b, values[0], target)
    if name == "not":
        return b.value(arith.XOrI, values[0], scalar(b, 1, I1))
    if name == "neg" and not element.is_float:
        return b.value(arith.SubI, scalar(b, 0, element), values[0])
    return b.value(_UNARY[name], values[0])


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
