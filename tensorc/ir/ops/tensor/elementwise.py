"""Elementwise ops on tensors: one scalar function, applied to each element.

Operands have one shape: broadcasting and casts are ops of their own.
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array, integer_limits, maximum, minimum
from tensorc.ir.opdef import (
    COMMUTATIVE,
    ELEMENTWISE,
    EXACT,
    PURE,
    InferContext,
    op,
    require,
)
from tensorc.ir.types import I1, Element, TensorType

_COMMON = (PURE, ELEMENTWISE)
_EXACT = (*_COMMON, EXACT)

PREDICATES: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


class Unary(Op):
    """An op on each element of one tensor."""

    operand: Value
    domain: ClassVar[str] = "number"

    @classmethod
    def infer(cls, ctx: InferContext, operand: TensorType) -> TensorType:
        """Give the operand's type."""
        require_domain(cls.domain, operand.element, "C1")
        return operand


class Binary(Op):
    """An op on each pair of elements of two tensors of one type."""

    lhs: Value
    rhs: Value
    domain: ClassVar[str] = "number"

    @classmethod
    def infer(cls, ctx: InferContext, lhs: TensorType, rhs: TensorType) -> TensorType:
        """Give the operands' type."""
        require(lhs.element == rhs.element, "C1", f"{lhs.element} and {rhs.element}")
        require_domain(cls.domain, lhs.element, "C1")
        ctx.require_same_shape(lhs, rhs, "C2")
        return lhs


def require_domain(domain: str, element: Element, label: str) -> None:
    """Require an element type of the domain "number", "float" or "boolean"."""
    fits = {
        "number": element != I1,
        "float": element.is_float,
        "boolean": element == I1,
    }[domain]
    require(fits, label, str(element))


@op("tc.add", traits=(*_EXACT, COMMUTATIVE), scalar="add")
class Add(Binary):
    """Sum: result = lhs + rhs; integers wrap.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.add(lhs, rhs)


@op("tc.sub", traits=_EXACT, scalar="sub")
class Sub(Binary):
    """Difference: result = lhs - rhs; integers wrap.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.sub"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.subtract(lhs, rhs)


@op("tc.mul", traits=(*_EXACT, COMMUTATIVE), scalar="mul")
class Mul(Binary):
    """Product: result = lhs * rhs; integers wrap.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.mul"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.multiply(lhs, rhs)


@op("tc.div", traits=_EXACT, scalar="div")
class Div(Binary):
    """Quotient of floats: result = lhs / rhs.

    Constraints:
      (C1) lhs and rhs have one float type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.div"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.divide(lhs, rhs)


@op("tc.maximum", traits=(*_EXACT, COMMUTATIVE), scalar="maximum")
class Maximum(Binary):
    """The larger of two elements; NaN if either is NaN.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.maximum"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return maximum(lhs, rhs)


@op("tc.minimum", traits=(*_EXACT, COMMUTATIVE), scalar="minimum")
class Minimum(Binary):
    """The smaller of two elements; NaN if either is NaN.

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.minimum"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return minimum(lhs, rhs)


@op("tc.and", traits=(*_EXACT, COMMUTATIVE), scalar="and")
class And(Binary):
    """Logical conjunction of booleans.

    Constraints:
      (C1) lhs and rhs are i1.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.and"(%0, %1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
    """

    domain = "boolean"

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.logical_and(lhs, rhs)


@op("tc.or", traits=(*_EXACT, COMMUTATIVE), scalar="or")
class Or(Binary):
    """Logical disjunction of booleans.

    Constraints:
      (C1) lhs and rhs are i1.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.or"(%0, %1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
    """

    domain = "boolean"

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.logical_or(lhs, rhs)


@op("tc.not", traits=_EXACT, scalar="not")
class Not(Unary):
    """Logical negation of booleans.

    Constraints:
      (C1) operand is i1.

    Example:
      %1 = "tc.not"(%0) : (tensor<4xi1>) -> tensor<4xi1>
    """

    domain = "boolean"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.logical_not(operand)


@op("tc.neg", traits=_EXACT, scalar="neg")
class Neg(Unary):
    """Negation: result = -operand; integers wrap, floats flip the sign bit.

    Constraints:
      (C1) operand has a number type.

    Example:
      %1 = "tc.neg"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.negative(operand)


@op("tc.exp", traits=_COMMON, scalar="exp")
class Exp(Unary):
    """Exponential: result = e ** operand.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.exp"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.exp(operand)


@op("tc.log", traits=_COMMON, scalar="log")
class Log(Unary):
    """Natural logarithm; -inf at 0, NaN below.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.log"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.log(operand)


@op("tc.sqrt", traits=_EXACT, scalar="sqrt")
class Sqrt(Unary):
    """Square root, correctly rounded; sqrt(-0.0) = -0.0, NaN below.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.sqrt"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.sqrt(operand)


@op("tc.compare", traits=_EXACT, scalar="compare")
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
        require(lhs.element == rhs.element, "C1", f"{lhs.element} and {rhs.element}")
        ctx.require_same_shape(lhs, rhs, "C2")
        require(predicate in PREDICATES, "C3", str(predicate))
        return TensorType(lhs.shape, I1)

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array, *, predicate: str) -> Array:
        """Evaluate on numpy arrays."""
        return PREDICATES[predicate](lhs, rhs)


@op("tc.select", traits=_EXACT, scalar="select")
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
        require(condition.element == I1, "C1", str(condition.element))
        detail = f"{if_true.element} and {if_false.element}"
        require(if_true.element == if_false.element, "C2", detail)
        ctx.require_same_shape(if_true, if_false, "C3")
        ctx.require_same_shape(condition, if_true, "C3")
        return if_true

    @staticmethod
    def evaluate(
        ctx: object, condition: Array, if_true: Array, if_false: Array
    ) -> Array:
        """Evaluate on numpy arrays."""
        return np.where(condition, if_true, if_false)


@op("tc.cast", traits=_EXACT, scalar="cast")
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
        """Evaluate on numpy arrays."""
        return convert(operand, element)


def convert(values: Array, element: Element) -> Array:
    """Convert an array by the rules of `tc.cast`."""
    target = element.dtype
    if not np.issubdtype(values.dtype, np.floating) or element.is_float:
        with np.errstate(over="ignore"):
            return values.astype(target)
    if element == I1:
        return np.asarray(values != 0)
    lowest, highest = integer_limits(target)
    wide = np.asarray(values, np.float64)
    # float(highest) may round up to the next power of two: compare before casting.
    high, low = wide >= float(highest), wide <= float(lowest)
    middle = np.where(high | low | np.isnan(wide), 0, wide).astype(target)
    picked = np.where(high, highest, np.where(low, lowest, middle))
    return picked.astype(target)
