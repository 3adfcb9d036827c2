"""Scalar functions on floats, with MLIR's names: on scalars and vectors alike.

`expand-math` replaces all but the last few, which are instructions, by arithmetic.
"""

import numpy as np

from tensorc.ir import gamma, numerics
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import BELOW_TENSOR
from tensorc.ir.numerics import fma
from tensorc.ir.opdef import EXACT, PURE, InferContext, each, op, require
from tensorc.ir.ops.scalar.arith import FloatBinary, FloatUnary, with_element
from tensorc.ir.types import F32, F64, I32, I64, Type, element_type

_EXACT = (PURE, EXACT)


@op("math.exp", traits=(PURE,))
class Exp(FloatUnary):
    """Exponential."""

    evaluate = each(np.exp)


@op("math.log", traits=(PURE,))
class Log(FloatUnary):
    """Natural logarithm."""

    evaluate = each(np.log)


@op("math.sqrt", traits=_EXACT)
class Sqrt(FloatUnary):
    """Square root, correctly rounded."""

    evaluate = each(np.sqrt)


@op("math.absf", traits=_EXACT)
class AbsF(FloatUnary):
    """Clear the sign of a float."""

    evaluate = each(np.abs)


@op("math.roundeven", traits=_EXACT)
class RoundEven(FloatUnary):
    """Round to an integer, halves to even."""

    evaluate = each(np.rint)


@op("math.log1p", traits=(PURE,))
class Log1p(FloatUnary):
    """Logarithm of 1 + operand."""

    evaluate = each(np.log1p)


@op("math.expm1", traits=(PURE,))
class Expm1(FloatUnary):
    """Exponential less 1."""

    evaluate = each(np.expm1)


@op("math.tanh", traits=(PURE,))
class Tanh(FloatUnary):
    """Hyperbolic tangent."""

    evaluate = each(np.tanh)


@op("tc_math.sigmoid", traits=(PURE,))
class Sigmoid(FloatUnary):
    """Logistic function, 1 / (1 + e ** -operand); MLIR's math dialect has none."""

    evaluate = each(numerics.sigmoid)


@op("tc_math.softplus", traits=(PURE,))
class Softplus(FloatUnary):
    """Logarithm of 1 + e ** operand; MLIR's math dialect has none."""

    evaluate = each(numerics.softplus)


@op("tc_math.silu", traits=(PURE,))
class Silu(FloatUnary):
    """Operand times its sigmoid, rounded once; MLIR's math dialect has none."""

    evaluate = each(numerics.silu)


@op("tc_math.gelu", traits=(PURE,))
class Gelu(FloatUnary):
    """Operand times the normal distribution at it; MLIR's math dialect has none."""

    evaluate = each(numerics.gelu)


@op("math.erf", traits=(PURE,))
class Erf(FloatUnary):
    """Error function."""

    evaluate = each(numerics.erf)


@op("math.erfc", traits=(PURE,))
class Erfc(FloatUnary):
    """Complementary error function."""

    evaluate = each(numerics.erfc)


@op("tc_math.erfinv", traits=(PURE,))
class ErfInv(FloatUnary):
    """Inverse of the error function; MLIR's math dialect has none."""

    evaluate = each(numerics.erfinv)


@op("tc_math.gammaln", traits=(PURE,))
class GammaLn(FloatUnary):
    """Logarithm of the size of the gamma function; MLIR's math dialect has none."""

    evaluate = each(gamma.gammaln)


@op("tc_math.digamma", traits=(PURE,))
class Digamma(FloatUnary):
    """Derivative of `tc_math.gammaln`; MLIR's math dialect has none."""

    evaluate = each(gamma.digamma)


@op("math.sin", traits=(PURE,))
class Sin(FloatUnary):
    """Sine."""

    evaluate = each(np.sin)


@op("math.cos", traits=(PURE,))
class Cos(FloatUnary):
    """Cosine."""

    evaluate = each(np.cos)


@op("math.tan", traits=(PURE,))
class Tan(FloatUnary):
    """Tangent."""

    evaluate = each(np.tan)


@op("math.asin", traits=(PURE,))
class ArcSin(FloatUnary):
    """Inverse sine."""

    evaluate = each(np.arcsin)


@op("math.acos", traits=(PURE,))
class ArcCos(FloatUnary):
    """Inverse cosine."""

    evaluate = each(np.arccos)


@op("math.atan", traits=(PURE,))
class ArcTan(FloatUnary):
    """Inverse tangent."""

    evaluate = each(np.arctan)


@op("math.sinh", traits=(PURE,))
class Sinh(FloatUnary):
    """Hyperbolic sine."""

    evaluate = each(np.sinh)


@op("math.cosh", traits=(PURE,))
class Cosh(FloatUnary):
    """Hyperbolic cosine."""

    evaluate = each(np.cosh)


@op("math.asinh", traits=(PURE,))
class ArcSinh(FloatUnary):
    """Inverse hyperbolic sine."""

    evaluate = each(np.arcsinh)


@op("math.acosh", traits=(PURE,))
class ArcCosh(FloatUnary):
    """Inverse hyperbolic cosine."""

    evaluate = each(np.arccosh)


@op("math.atanh", traits=(PURE,))
class ArcTanh(FloatUnary):
    """Inverse hyperbolic tangent."""

    evaluate = each(np.arctanh)


@op("math.exp2", traits=(PURE,))
class Exp2(FloatUnary):
    """Power of 2."""

    evaluate = each(np.exp2)


@op("math.log2", traits=(PURE,))
class Log2(FloatUnary):
    """Logarithm to the base 2."""

    evaluate = each(np.log2)


@op("math.log10", traits=(PURE,))
class Log10(FloatUnary):
    """Logarithm to the base 10."""

    evaluate = each(np.log10)


@op("math.cbrt", traits=(PURE,))
class Cbrt(FloatUnary):
    """Cube root."""

    evaluate = each(np.cbrt)


@op("math.floor", traits=_EXACT)
class Floor(FloatUnary):
    """Round to an integer, down."""

    evaluate = each(np.floor)


@op("math.ceil", traits=_EXACT)
class Ceil(FloatUnary):
    """Round to an integer, up."""

    evaluate = each(np.ceil)


@op("math.powf", traits=(PURE,))
class PowF(FloatBinary):
    """Power of floats, with C's special values."""

    evaluate = each(np.power)


@op("math.atan2", traits=(PURE,))
class ArcTan2(FloatBinary):
    """Angle of the point with height lhs and width rhs, with C's special values."""

    evaluate = each(np.arctan2)


@op("tc_math.hypot", traits=(PURE,))
class Hypot(FloatBinary):
    """Square root of the sum of two squares; MLIR's math dialect has none."""

    evaluate = each(np.hypot)


@op("math.copysign", traits=_EXACT)
class CopySign(FloatBinary):
    """The size of lhs with the sign of rhs, of a zero or NaN too."""

    evaluate = each(np.copysign)


@op("arith.remf", traits=_EXACT)
class RemF(FloatBinary):
    """Remainder of floats with the sign of lhs, exact: C's fmod."""

    evaluate = each(np.fmod)


@op("math.fma", traits=_EXACT, levels=BELOW_TENSOR)
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
        require(
            a == b == c and element_type(a).is_float, "C1", "{}, {} and {}", a, b, c
        )
        return a

    evaluate = each(fma)


@op("tc_math.scale", traits=_EXACT, levels=BELOW_TENSOR)
class Scale(Op):
    """A float times a power of two, rounded once: value * 2^(exponent - 2 bias).

    An exponent of twice the bias, 254 for f32 and 2046 for f64, leaves the value alone.
    Half of the exponent, rounded down, and the rest are biased exponents of normal
    floats, and the value is far from the ends of their range, or 0, infinite or a NaN.

    Constraints:
      (C1) value is of f32 or f64, exponent of signed integers of as many bits.

    Example:
      %2 = "tc_math.scale"(%0, %1) : (f32, i32) -> f32
    """

    value: Value
    exponent: Value

    @staticmethod
    def infer(ctx: InferContext, value: Type, exponent: Type) -> Type:
        """Give the type of the value."""
        integers = {F32: I32, F64: I64}.get(element_type(value))
        fits = integers is not None and exponent == with_element(value, integers)
        require(fits, "C1", "{} and {}", value, exponent)
        return value

    evaluate = each(numerics.scaled)
