"""Scalar functions on floats, with MLIR's names: on scalars and vectors alike."""

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array, fma
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import Type, element_type

_EXACT = (PURE, EXACT)


class FloatUnary(Op):
    """A function of a float, or of a vector of floats."""

    operand: Value

    @staticmethod
    def infer(ctx: InferContext, operand: Type) -> Type:
        """Give the operand's type."""
        require(element_type(operand).is_float, "C1", str(operand))
        return operand


@op("math.exp", traits=(PURE,))
class Exp(FloatUnary):
    """Exponential.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.exp"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.exp(operand)


@op("math.log", traits=(PURE,))
class Log(FloatUnary):
    """Natural logarithm.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.log"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.log(operand)


@op("math.sqrt", traits=_EXACT)
class Sqrt(FloatUnary):
    """Square root, correctly rounded.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.sqrt"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.sqrt(operand)


@op("math.absf", traits=_EXACT)
class AbsF(FloatUnary):
    """Clear the sign of a float.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.absf"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.abs(operand)


@op("math.roundeven", traits=_EXACT)
class RoundEven(FloatUnary):
    """Round to an integer, halves to even.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.roundeven"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.rint(operand)


@op("math.fma", traits=_EXACT)
class Fma(Op):
    """Fused multiply-add: a * b + c, rounded once.

    Constraints:
      (C1) a, b and c have one float type.

    Example:
      %3 = "math.fma"(%0, %1, %2) : (f32, f32, f32) -> f32
    """

    a: Value
    b: Value
    c: Value

    @staticmethod
    def infer(ctx: InferContext, a: Type, b: Type, c: Type) -> Type:
        """Give the operands' type."""
        require(a == b == c and element_type(a).is_float, "C1", f"{a}, {b} and {c}")
        return a

    @staticmethod
    def evaluate(ctx: object, a: Array, b: Array, c: Array) -> Array:
        """Evaluate on numpy arrays."""
        return fma(a, b, c)
