"""Elementwise transcendental functions beyond exp and log, and powers.

All are accurate at their ends and saturate exactly: stable forms are ops of their own.
"""

from tensorc.ir.opdef import COMMUTATIVE, ELEMENTWISE, PURE, op
from tensorc.ir.ops.scalar import math
from tensorc.ir.ops.tensor.elementwise import FloatBinary, FloatUnary

_COMMON = (PURE, ELEMENTWISE)


@op("tc.tanh", traits=_COMMON, scalar=math.Tanh)
class Tanh(FloatUnary):
    """Hyperbolic tangent, between -1 and 1 and exactly these far out."""


@op("tc.sigmoid", traits=_COMMON, scalar=math.Sigmoid)
class Sigmoid(FloatUnary):
    """Logistic function: result = 1 / (1 + e ** -operand).

    Exactly 0 and 1 far out, never outside; accurate where it is small.
    """


@op("tc.softplus", traits=_COMMON, scalar=math.Softplus)
class Softplus(FloatUnary):
    """Soft maximum with 0: result = log(1 + e ** operand), which never overflows."""


@op("tc.silu", traits=_COMMON, scalar=math.Silu)
class Silu(FloatUnary):
    """Operand times its sigmoid, rounded once.

    Accurate where the sigmoid alone is subnormal or 0; -0 at minus infinity.
    """


@op("tc.gelu", traits=_COMMON, scalar=math.Gelu)
class Gelu(FloatUnary):
    """Operand times the normal distribution at it, rounded once: exact, not by tanh.

    Accurate where it is small; -0 at minus infinity.
    """


@op("tc.log1p", traits=_COMMON, scalar=math.Log1p)
class Log1p(FloatUnary):
    """Logarithm of 1 + operand, accurate near 0; -inf at -1, NaN below."""


@op("tc.expm1", traits=_COMMON, scalar=math.Expm1)
class Expm1(FloatUnary):
    """Exponential less 1: result = e ** operand - 1, accurate near 0."""


@op("tc.erf", traits=_COMMON, scalar=math.Erf)
class Erf(FloatUnary):
    """Error function, between -1 and 1 and exactly these far out."""


@op("tc.erfc", traits=_COMMON, scalar=math.Erfc)
class Erfc(FloatUnary):
    """Complementary error function: 1 - erf(operand), accurate where it is small."""


@op("tc.erfinv", traits=_COMMON, scalar=math.ErfInv)
class ErfInv(FloatUnary):
    """Inverse of the error function: infinite at -1 and 1, NaN beyond."""


@op("tc.gammaln", traits=_COMMON, scalar=math.GammaLn)
class GammaLn(FloatUnary):
    """Logarithm of the size of the gamma function, infinite at its poles."""


@op("tc.digamma", traits=_COMMON, scalar=math.Digamma)
class Digamma(FloatUnary):
    """Derivative of `tc.gammaln`: NaN at negative whole numbers, infinite at 0."""


@op("tc.sin", traits=_COMMON, scalar=math.Sin)
class Sin(FloatUnary):
    """Sine of an angle in radians, however large; NaN at infinity."""


@op("tc.cos", traits=_COMMON, scalar=math.Cos)
class Cos(FloatUnary):
    """Cosine of an angle in radians, however large; NaN at infinity."""


@op("tc.tan", traits=_COMMON, scalar=math.Tan)
class Tan(FloatUnary):
    """Tangent of an angle in radians, however large; NaN at infinity."""


@op("tc.arcsin", traits=_COMMON, scalar=math.ArcSin)
class ArcSin(FloatUnary):
    """Inverse sine, from -pi/2 to pi/2; NaN beyond -1 and 1."""


@op("tc.arccos", traits=_COMMON, scalar=math.ArcCos)
class ArcCos(FloatUnary):
    """Inverse cosine, from 0 to pi; NaN beyond -1 and 1."""


@op("tc.arctan", traits=_COMMON, scalar=math.ArcTan)
class ArcTan(FloatUnary):
    """Inverse tangent, from -pi/2 to pi/2."""


@op("tc.sinh", traits=_COMMON, scalar=math.Sinh)
class Sinh(FloatUnary):
    """Hyperbolic sine: result = (e ** operand - e ** -operand) / 2."""


@op("tc.cosh", traits=_COMMON, scalar=math.Cosh)
class Cosh(FloatUnary):
    """Hyperbolic cosine: result = (e ** operand + e ** -operand) / 2."""


@op("tc.arcsinh", traits=_COMMON, scalar=math.ArcSinh)
class ArcSinh(FloatUnary):
    """Inverse hyperbolic sine, accurate near 0."""


@op("tc.arccosh", traits=_COMMON, scalar=math.ArcCosh)
class ArcCosh(FloatUnary):
    """Inverse hyperbolic cosine, accurate near 1; NaN below 1."""


@op("tc.arctanh", traits=_COMMON, scalar=math.ArcTanh)
class ArcTanh(FloatUnary):
    """Inverse hyperbolic tangent, accurate near 0.

    Infinite at -1 and 1, NaN beyond.
    """


@op("tc.exp2", traits=_COMMON, scalar=math.Exp2)
class Exp2(FloatUnary):
    """Power of 2: result = 2 ** operand, exact for whole numbers."""


@op("tc.log2", traits=_COMMON, scalar=math.Log2)
class Log2(FloatUnary):
    """Logarithm to the base 2, exact for powers of 2; -inf at 0, NaN below."""


@op("tc.log10", traits=_COMMON, scalar=math.Log10)
class Log10(FloatUnary):
    """Logarithm to the base 10, exact for powers of 10; -inf at 0, NaN below."""


@op("tc.cbrt", traits=_COMMON, scalar=math.Cbrt)
class Cbrt(FloatUnary):
    """Cube root, with the sign of the operand."""


@op("tc.pow", traits=_COMMON, scalar=math.PowF)
class Pow(FloatBinary):
    """Power of floats: result = lhs ** rhs, with C's special values.

    x ** 0 and 1 ** y are 1 even for NaN; (-1) ** inf is 1; a negative base has powers
    for integral exponents only, NaN for others.
    """


@op("tc.arctan2", traits=_COMMON, scalar=math.ArcTan2)
class ArcTan2(FloatBinary):
    """Angle of the point with height lhs and width rhs, from -pi to pi.

    The sign of a zero says from which side it is reached, as in C.
    """


@op("tc.hypot", traits=(*_COMMON, COMMUTATIVE), scalar=math.Hypot)
class Hypot(FloatBinary):
    """Square root of the sum of two squares, which overflows only with the result.

    Infinite where either operand is, even beside NaN.
    """
