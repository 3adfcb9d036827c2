"""Elementwise ops on tensors: one scalar function, applied to each element.

Operands have one shape: broadcasting and casts are ops of their own.
"""

from typing import ClassVar

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import (
    COMMUTATIVE,
    ELEMENTWISE,
    EXACT,
    PURE,
    InferContext,
    each,
    op,
    require,
)
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.ops.scalar.conversions import convert
from tensorc.ir.types import I1, Element, TensorType

_COMMON = (PURE, ELEMENTWISE)
_EXACT = (*_COMMON, EXACT)

PREDICATES = arith.COMPARE


class Unary(Op):
    """An op on each element of one tensor.

    Constraints:
      (C1) operand $has.

    Example:
      %1 = "$name"(%0) : (tensor<4x$sample>) -> tensor<4x$sample>
    """

    levels = AT_TENSOR

    operand: Value
    domain: ClassVar[str] = "number"
    has: ClassVar[str] = "has a number type"
    sample: ClassVar[str] = "f32"

    @classmethod
    def infer(cls, ctx: InferContext, operand: TensorType) -> TensorType:
        """Give the operand's type."""
        require_domain(cls.domain, operand.element, "C1")
        return operand


class FloatUnary(Unary):
    """An op on each float of one tensor."""

    domain, has = "float", "has a float type"


class Binary(Op):
    """An op on each pair of elements of two tensors of one type.

    Constraints:
      (C1) lhs and rhs $have.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "$name"(%0, %1) : (tensor<4x$sample>, tensor<4x$sample>) -> tensor<4x$sample>
    """

    levels = AT_TENSOR

    lhs: Value
    rhs: Value
    domain: ClassVar[str] = "number"
    have: ClassVar[str] = "have one number type"
    sample: ClassVar[str] = "f32"

    @classmethod
    def infer(cls, ctx: InferContext, lhs: TensorType, rhs: TensorType) -> TensorType:
        """Give the operands' type."""
        require(lhs.element == rhs.element, "C1", "{} and {}", lhs.element, rhs.element)
        require_domain(cls.domain, lhs.element, "C1")
        ctx.require_same_shape(lhs, rhs, "C2")
        return lhs


class FloatBinary(Binary):
    """An op on each pair of floats of two tensors of one type."""

    domain, have = "float", "have one float type"


def require_domain(domain: str, element: Element, label: str) -> None:
    """Require an element type of a domain: number, float, integer or boolean."""
    fits = {
        "number": element != I1,
        "float": element.is_float,
        "integer": element.is_integer,
        "boolean": element == I1,
    }[domain]
    require(fits, label, str(element))


@op(
    "tc.add", traits=(*_EXACT, COMMUTATIVE), scalar=(arith.AddF, arith.AddI, arith.AddI)
)
class Add(Binary):
    """Sum: result = lhs + rhs; integers wrap."""


@op("tc.sub", traits=_EXACT, scalar=(arith.SubF, arith.SubI, arith.SubI))
class Sub(Binary):
    """Difference: result = lhs - rhs; integers wrap."""


@op(
    "tc.mul", traits=(*_EXACT, COMMUTATIVE), scalar=(arith.MulF, arith.MulI, arith.MulI)
)
class Mul(Binary):
    """Product: result = lhs * rhs; integers wrap."""


@op("tc.div", traits=_EXACT, scalar=arith.DivF)
class Div(FloatBinary):
    """Quotient of floats: result = lhs / rhs."""


@op(
    "tc.maximum",
    traits=(*_EXACT, COMMUTATIVE),
    scalar=(arith.MaximumF, arith.MaxSI, arith.MaxUI),
)
class Maximum(Binary):
    """The larger of two elements; NaN if either is NaN."""


@op(
    "tc.minimum",
    traits=(*_EXACT, COMMUTATIVE),
    scalar=(arith.MinimumF, arith.MinSI, arith.MinUI),
)
class Minimum(Binary):
    """The smaller of two elements; NaN if either is NaN."""


@op("tc.and", traits=(*_EXACT, COMMUTATIVE), scalar=arith.AndI)
class And(Binary):
    """Logical conjunction of booleans."""

    domain, have, sample = "boolean", "are i1", "i1"


@op("tc.or", traits=(*_EXACT, COMMUTATIVE), scalar=arith.OrI)
class Or(Binary):
    """Logical disjunction of booleans."""

    domain, have, sample = "boolean", "are i1", "i1"


@op("tc.not", traits=_EXACT)
class Not(Unary):
    """Logical negation of booleans."""

    domain, has, sample = "boolean", "is i1", "i1"
    evaluate = each(np.logical_not)


@op("tc.neg", traits=_EXACT)
class Neg(Unary):
    """Negation: result = -operand; integers wrap, floats flip the sign bit."""

    evaluate = each(np.negative)


@op("tc.exp", traits=_COMMON, scalar=math.Exp)
class Exp(FloatUnary):
    """Exponential: result = e ** operand."""


@op("tc.log", traits=_COMMON, scalar=math.Log)
class Log(FloatUnary):
    """Natural logarithm; -inf at 0, NaN below."""


@op("tc.sqrt", traits=_EXACT, scalar=math.Sqrt)
class Sqrt(FloatUnary):
    """Square root, correctly rounded; sqrt(-0.0) = -0.0, NaN below."""


@op("tc.compare", traits=_EXACT, levels=AT_TENSOR)
class Compare(Op):
    """Compare two elements; every comparison but "ne" is false for NaN.

    `predicate` is eq, ne, lt, le, gt or ge.

    Constraints:
      (C1) lhs and rhs have one element type.
      (C2) lhs and rhs have one shape.
      (C3) predicate is one of eq, ne, lt, le, gt, ge.

    Example:
      %2 = "tc.compare"(%0, %1) <{predicate = "lt"}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    """  # noqa: E501

    lhs: Value
    rhs: Value
    predicate: str

    @staticmethod
    def infer(
        ctx: InferContext, lhs: TensorType, rhs: TensorType, *, predicate: str
    ) -> TensorType:
        """Give i1 of the operands' shape."""
        require(lhs.element == rhs.element, "C1", "{} and {}", lhs.element, rhs.element)
        ctx.require_same_shape(lhs, rhs, "C2")
        require(predicate in PREDICATES, "C3", "{}", predicate)
        return TensorType(lhs.shape, I1)

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array, *, predicate: str) -> Array:
        return PREDICATES[predicate](lhs, rhs)


@op("tc.select", traits=_EXACT, scalar=arith.Select, levels=AT_TENSOR)
class Select(Op):
    """Choose elementwise: result = if_true where condition, if_false elsewhere.

    Constraints:
      (C1) condition is i1.
      (C2) if_true and if_false have one element type.
      (C3) condition, if_true and if_false have one shape.

    Example:
      %3 = "tc.select"(%0, %1, %2) : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """  # noqa: E501

    condition: Value
    if_true: Value
    if_false: Value

    @staticmethod
    def infer(
        ctx: InferContext,
        condition: TensorType,
        if_true: TensorType,
        if_false: TensorType,
    ) -> TensorType:
        """Give the type of the choices."""
        require(condition.element == I1, "C1", "{}", condition.element)
        detail = f"{if_true.element} and {if_false.element}"
        require(if_true.element == if_false.element, "C2", detail)
        ctx.require_same_shape(if_true, if_false, "C3")
        ctx.require_same_shape(condition, if_true, "C3")
        return if_true


@op("tc.cast", traits=_EXACT, levels=AT_TENSOR)
class Cast(Op):
    """Convert each element to another type.

    Integers wrap; floats round to nearest even; float to integer truncates and
    saturates, NaN gives 0; to i1 is "not equal to 0".

    Example:
      %1 = "tc.cast"(%0) <{element = f64}> : (tensor<4xf32>) -> tensor<4xf64>
    """

    operand: Value
    element: Element

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, element: Element
    ) -> TensorType:
        """Give the operand's shape with the new element type."""
        return TensorType(operand.shape, element)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, element: Element) -> Array:
        return convert(operand, element)
