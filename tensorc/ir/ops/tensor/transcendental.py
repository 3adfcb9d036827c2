"""Elementwise transcendental functions beyond exp and log, and powers.

All are accurate at their ends and saturate exactly: stable forms are ops of their own.
"""

import numpy as np

from tensorc.ir import numerics
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import ELEMENTWISE, PURE, op
from tensorc.ir.ops.tensor.elementwise import Binary, Unary

_COMMON = (PURE, ELEMENTWISE)


@op("tc.tanh", traits=_COMMON, scalar="tanh")
class Tanh(Unary):
    """Hyperbolic tangent, between -1 and 1 and exactly these far out.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.tanh"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.tanh(operand)


@op("tc.sigmoid", traits=_COMMON, scalar="sigmoid")
class Sigmoid(Unary):
    """Logistic function: result = 1 / (1 + e ** -operand).

    Exactly 0 and 1 far out, never outside; accurate where it is small.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.sigmoid"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.sigmoid(operand)


@op("tc.softplus", traits=_COMMON, scalar="softplus")
class Softplus(Unary):
    """Soft maximum with 0: result = log(1 + e ** operand), which never overflows.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.softplus"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.softplus(operand)


@op("tc.log1p", traits=_COMMON, scalar="log1p")
class Log1p(Unary):
    """Logarithm of 1 + operand, accurate near 0; -inf at -1, NaN below.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.log1p"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.log1p(operand)


@op("tc.expm1", traits=_COMMON, scalar="expm1")
class Expm1(Unary):
    """Exponential less 1: result = e ** operand - 1, accurate near 0.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.expm1"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.expm1(operand)


@op("tc.erf", traits=_COMMON, scalar="erf")
class Erf(Unary):
    """Error function, between -1 and 1 and exactly these far out.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.erf"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.erf(operand)


@op("tc.erfc", traits=_COMMON, scalar="erfc")
class Erfc(Unary):
    """Complementary error function: 1 - erf(operand), accurate where it is small.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.erfc"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.erfc(operand)


@op("tc.silu", traits=_COMMON, scalar="silu")
class Silu(Unary):
    """Operand times its sigmoid, rounded once.

    Accurate where the sigmoid alone is subnormal or 0; -0 at minus infinity.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.silu"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.silu(operand)


@op("tc.gelu", traits=_COMMON, scalar="gelu")
class Gelu(Unary):
    """Operand times the normal distribution at it, rounded once: exact, not by tanh.

    Accurate where it is small; -0 at minus infinity.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.gelu"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return numerics.gelu(operand)


@op("tc.sin", traits=_COMMON, scalar="sin")
class Sin(Unary):
    """Sine of an angle in radians, however large; NaN at infinity.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.sin"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.sin(operand)


@op("tc.cos", traits=_COMMON, scalar="cos")
class Cos(Unary):
    """Cosine of an angle in radians, however large; NaN at infinity.

    Constraints:
      (C1) operand has a float type.

    Example:
      %1 = "tc.cos"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.cos(operand)


@op("tc.pow", traits=_COMMON, scalar="pow")
class Pow(Binary):
    """Power of floats: result = lhs ** rhs, with C's special values.

    x ** 0 and 1 ** y are 1 even for NaN; (-1) ** inf is 1; a negative base has powers
    for integral exponents only, NaN for others.

    Constraints:
      (C1) lhs and rhs have one float type.
      (C2) lhs and rhs have one shape.

    Example:
      %2 = "tc.pow"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    domain = "float"

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.power(lhs, rhs)
