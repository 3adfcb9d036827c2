"""Scalar arithmetic, with MLIR's names and meanings: on scalars and vectors alike.

Integers wrap and nothing is undefined: division by zero gives 0, as in numpy, and a
float out of an integer's range saturates.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeAlias

import numpy as np

from tensorc.ir.attributes import Typed
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import BELOW_TENSOR
from tensorc.ir.numerics import Array, maximum, minimum
from tensorc.ir.opdef import (
    COMMUTATIVE,
    EXACT,
    MEMBER,
    PURE,
    InferContext,
    each,
    op,
    require,
)
from tensorc.ir.types import (
    I1,
    Element,
    Type,
    VectorType,
    element_type,
)

_EXACT = (PURE, EXACT)


def with_element(type_: Type, element: Element) -> Type:
    """Return a scalar or vector type with another element type."""
    return (
        VectorType(type_.lanes, element) if isinstance(type_, VectorType) else element
    )


class FloatUnary(Op):
    """A function of a float, or of a vector of floats.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "$name"(%0) : (f32) -> f32
    """

    levels = BELOW_TENSOR

    operand: Value

    @staticmethod
    def infer(ctx: InferContext, operand: Type) -> Type:
        """Give the operand's type."""
        require(element_type(operand).is_float, "C1", "{}", operand)
        return operand


class FloatBinary(Op):
    """A function of two floats, or of two vectors of floats.

    Constraints:
      (C1) lhs and rhs have one float type.

    Example:
      %2 = "$name"(%0, %1) : (f32, f32) -> f32
    """

    levels = BELOW_TENSOR

    lhs: Value
    rhs: Value

    @staticmethod
    def infer(ctx: InferContext, lhs: Type, rhs: Type) -> Type:
        """Give the operands' type."""
        require(lhs == rhs, "C1", "{} and {}", lhs, rhs)
        require(element_type(lhs).is_float, "C1", "{}", lhs)
        return lhs


class IntegerBinary(Op):
    """A function of two integers, or of two vectors of integers.

    Constraints:
      (C1) lhs and rhs have one integer type.

    Example:
      %2 = "$name"(%0, %1) : ($sample, $sample) -> $sample
    """

    levels = BELOW_TENSOR

    lhs: Value
    rhs: Value
    sample: ClassVar[str] = "i64"

    @staticmethod
    def infer(ctx: InferContext, lhs: Type, rhs: Type) -> Type:
        """Give the operands' type."""
        require(lhs == rhs, "C1", "{} and {}", lhs, rhs)
        require(not element_type(lhs).is_float, "C1", "{}", lhs)
        return lhs


@op("arith.constant", traits=(*_EXACT, MEMBER), levels=BELOW_TENSOR)
class Constant(Op):
    """A scalar that is known.

    Example:
      %0 = "arith.constant"() <{value = 1.0 : f32}> : () -> f32
    """

    value: Typed

    @staticmethod
    def infer(ctx: InferContext, *, value: Typed) -> Type:
        """Give the scalar's type."""
        return value.type

    @staticmethod
    def evaluate(ctx: object, *, value: Typed) -> Array:
        return np.array(value.value, value.type.dtype)


@op("arith.addf", traits=(*_EXACT, COMMUTATIVE))
class AddF(FloatBinary):
    """Sum of floats."""

    evaluate = each(np.add)


@op("arith.subf", traits=_EXACT)
class SubF(FloatBinary):
    """Difference of floats."""

    evaluate = each(np.subtract)


@op("arith.mulf", traits=(*_EXACT, COMMUTATIVE))
class MulF(FloatBinary):
    """Product of floats."""

    evaluate = each(np.multiply)


@op("arith.divf", traits=_EXACT)
class DivF(FloatBinary):
    """Quotient of floats."""

    evaluate = each(np.divide)


@op("arith.maximumf", traits=(*_EXACT, COMMUTATIVE))
class MaximumF(FloatBinary):
    """The larger float; NaN if either is NaN."""

    evaluate = each(maximum)


@op("arith.minimumf", traits=(*_EXACT, COMMUTATIVE))
class MinimumF(FloatBinary):
    """The smaller float; NaN if either is NaN."""

    evaluate = each(minimum)


@op("arith.addi", traits=(*_EXACT, COMMUTATIVE))
class AddI(IntegerBinary):
    """Sum of integers."""

    evaluate = each(np.add)


@op("arith.subi", traits=_EXACT)
class SubI(IntegerBinary):
    """Difference of integers."""

    evaluate = each(np.subtract)


@op("arith.muli", traits=(*_EXACT, COMMUTATIVE))
class MulI(IntegerBinary):
    """Product of integers."""

    evaluate = each(np.multiply)


@op("arith.floordivsi", traits=_EXACT)
class FloorDivSI(IntegerBinary):
    """Quotient of signed integers, rounded down; 0 for a zero divisor."""

    evaluate = each(np.floor_divide)


@op("arith.remsi", traits=_EXACT)
class RemSI(IntegerBinary):
    """Remainder of signed integers with the sign of lhs; 0 for a zero divisor."""

    evaluate = each(np.fmod)


@op("arith.minsi", traits=(*_EXACT, COMMUTATIVE))
class MinSI(IntegerBinary):
    """The smaller signed integer."""

    evaluate = each(np.minimum)


@op("arith.maxsi", traits=(*_EXACT, COMMUTATIVE))
class MaxSI(IntegerBinary):
    """The larger signed integer."""

    evaluate = each(np.maximum)


@op("arith.minui", traits=(*_EXACT, COMMUTATIVE))
class MinUI(IntegerBinary):
    """The smaller unsigned integer."""

    sample = "ui64"

    evaluate = each(np.minimum)


@op("arith.maxui", traits=(*_EXACT, COMMUTATIVE))
class MaxUI(IntegerBinary):
    """The larger unsigned integer."""

    sample = "ui64"

    evaluate = each(np.maximum)


@op("arith.andi", traits=(*_EXACT, COMMUTATIVE))
class AndI(IntegerBinary):
    """Bitwise and."""

    evaluate = each(np.bitwise_and)


@op("arith.ori", traits=(*_EXACT, COMMUTATIVE))
class OrI(IntegerBinary):
    """Bitwise or."""

    evaluate = each(np.bitwise_or)


@op("arith.xori", traits=(*_EXACT, COMMUTATIVE))
class XOrI(IntegerBinary):
    """Bitwise exclusive or."""

    evaluate = each(np.bitwise_xor)


@op("arith.shli", traits=_EXACT)
class ShLI(IntegerBinary):
    """Shift left; 0 for a shift of the width or more."""

    evaluate = each(np.left_shift)


@op("arith.shrsi", traits=_EXACT)
class ShRSI(IntegerBinary):
    """Shift right, keeping the sign."""

    evaluate = each(np.right_shift)


@op("arith.negf", traits=_EXACT)
class NegF(FloatUnary):
    """Flip the sign of a float."""

    evaluate = each(np.negative)


# Index = MLIR's code of the predicate.
INTEGER_PREDICATES = (
    *("eq", "ne", "slt", "sle", "sgt", "sge"),
    *("ult", "ule", "ugt", "uge"),
)
FLOAT_PREDICATES = (
    *("false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord"),
    *("ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true"),
)
Flags: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
COMPARE: "Mapping[str, Callable[[Array, Array], Flags]]" = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@op("arith.cmpi", traits=_EXACT, levels=BELOW_TENSOR)
class CmpI(Op):
    """Compare integers; `predicate` is an index into INTEGER_PREDICATES.

    The element type says whether values are signed; "ult" and "slt" must agree with it.

    Constraints:
      (C1) lhs and rhs have one integer type.
      (C2) predicate is from 0 to 9.

    Example:
      %2 = "arith.cmpi"(%0, %1) <{predicate = 2 : i64}> : (index, index) -> i1
    """

    lhs: Value
    rhs: Value
    predicate: int

    @staticmethod
    def infer(ctx: InferContext, lhs: Type, rhs: Type, *, predicate: int) -> Type:
        """Give i1 or a vector of i1."""
        require(lhs == rhs, "C1", "{} and {}", lhs, rhs)
        require(not element_type(lhs).is_float, "C1", "{}", lhs)
        require(0 <= predicate < len(INTEGER_PREDICATES), "C2", "{}", predicate)
        return with_element(lhs, I1)

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array, *, predicate: int) -> Array:
        return COMPARE[INTEGER_PREDICATES[predicate][-2:]](lhs, rhs)


@op("arith.cmpf", traits=_EXACT, levels=BELOW_TENSOR)
class CmpF(Op):
    """Compare floats; `predicate` is an index into FLOAT_PREDICATES.

    Ordered predicates (o…) are false for NaN, unordered ones (u…) true.

    Constraints:
      (C1) lhs and rhs have one float type.
      (C2) predicate is from 0 to 15.

    Example:
      %2 = "arith.cmpf"(%0, %1) <{predicate = 4 : i64}> : (f32, f32) -> i1
    """

    lhs: Value
    rhs: Value
    predicate: int

    @staticmethod
    def infer(ctx: InferContext, lhs: Type, rhs: Type, *, predicate: int) -> Type:
        """Give i1 or a vector of i1."""
        require(lhs == rhs, "C1", "{} and {}", lhs, rhs)
        require(element_type(lhs).is_float, "C1", "{}", lhs)
        require(0 <= predicate < len(FLOAT_PREDICATES), "C2", "{}", predicate)
        return with_element(lhs, I1)

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array, *, predicate: int) -> Array:
        name = FLOAT_PREDICATES[predicate]
        unordered = np.isnan(lhs) | np.isnan(rhs)
        if name in ("false", "true"):
            return np.full_like(unordered, name == "true")
        if name in ("ord", "uno"):
            return np.equal(unordered, name == "uno")
        holds = COMPARE[name[1:]](lhs, rhs)
        return (holds | unordered) if name[0] == "u" else (holds & ~unordered)


@op("arith.select", traits=_EXACT, levels=BELOW_TENSOR)
class Select(Op):
    """Choose by a boolean, or lane by lane by a vector of booleans.

    Constraints:
      (C1) if_true and if_false have one type.
      (C2) condition is i1, or a vector of i1 as long as the choices.

    Example:
      %3 = "arith.select"(%0, %1, %2) : (i1, f32, f32) -> f32
    """

    condition: Value
    if_true: Value
    if_false: Value

    @staticmethod
    def infer(
        ctx: InferContext, condition: Type, if_true: Type, if_false: Type
    ) -> Type:
        """Give the type of the choices."""
        require(if_true == if_false, "C1", "{} and {}", if_true, if_false)
        fits = condition in (I1, with_element(if_true, I1))
        require(fits, "C2", "{} and {}", condition, if_true)
        return if_true

    evaluate = each(np.where)
