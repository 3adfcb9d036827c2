"""Scalar functions on floats, with MLIR's names: on scalars and vectors alike.

`expand-math` replaces all but the last few, which are instructions, by arithmetic.
"""

import numpy as np

from tensorc.ir import numerics
from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array, fma
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.ops.scalar.arith import FloatBinary
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


@op("math.log1p", traits=(PURE,))
class Log1p(FloatUnary):
    """Logarithm of 1 + operand.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.log1p"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.log1p(operand)


@op("math.expm1", traits=(PURE,))
class Expm1(FloatUnary):
    """Exponential less 1.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.expm1"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.expm1(operand)


@op("math.tanh", traits=(PURE,))
class Tanh(FloatUnary):
    """Hyperbolic tangent.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.tanh"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.tanh(operand)


@op("tc_math.sigmoid", traits=(PURE,))
class Sigmoid(FloatUnary):
    """Logistic function, 1 / (1 + e ** -operand); MLIR's math dialect has none.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "tc_math.sigmoid"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.sigmoid(operand)


@op("tc_math.softplus", traits=(PURE,))
class Softplus(FloatUnary):
    """Logarithm of 1 + e ** operand; MLIR's math dialect has none.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "tc_math.softplus"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.softplus(operand)


@op("tc_math.silu", traits=(PURE,))
class Silu(FloatUnary):
    """Operand times its sigmoid, rounded once; MLIR's math dialect has none.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "tc_math.silu"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.silu(operand)


@op("tc_math.gelu", traits=(PURE,))
class Gelu(FloatUnary):
    """Operand times the normal distribution at it; MLIR's math dialect has none.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "tc_math.gelu"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.gelu(operand)


@op("math.erf", traits=(PURE,))
class Erf(FloatUnary):
    """Error function.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.erf"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.erf(operand)


@op("math.erfc", traits=(PURE,))
class Erfc(FloatUnary):
    """Complementary error function.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.erfc"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.erfc(operand)


@op("math.sin", traits=(PURE,))
class Sin(FloatUnary):
    """Sine.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.sin"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.sin(operand)


@op("math.cos", traits=(PURE,))
class Cos(FloatUnary):
    """Cosine.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.cos"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.cos(operand)


@op("math.floor", traits=_EXACT)
class Floor(FloatUnary):
    """Round to an integer, down.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.floor"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.floor(operand)


@op("math.ceil", traits=_EXACT)
class Ceil(FloatUnary):
    """Round to an integer, up.

    Constraints:
      (C1) operand is a float or a vector of floats.

    Example:
      %1 = "math.ceil"(%0) : (f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.ceil(operand)


@op("math.powf", traits=(PURE,))
class PowF(FloatBinary):
    """Power of floats, with C's special values.

    Constraints:
      (C1) lhs and rhs have one float type.

    Example:
      %2 = "math.powf"(%0, %1) : (f32, f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.power(lhs, rhs)


@op("arith.remf", traits=_EXACT)
class RemF(FloatBinary):
    """Remainder of floats with the sign of lhs, exact: C's fmod.

    Constraints:
      (C1) lhs and rhs have one float type.

    Example:
      %2 = "arith.remf"(%0, %1) : (f32, f32) -> f32
    """

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.fmod(lhs, rhs)


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
