"""Conversions of scalars, with MLIR's names and meanings: scalars and vectors alike.

A float out of an integer's range saturates, NaN becomes 0; integers wrap.
"""

from typing import Protocol

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.ops.tensor.elementwise import convert
from tensorc.ir.types import Element, Type

_EXACT = (PURE, EXACT)


class Typing(Protocol):
    """What `evaluate` may ask of the interpreter: the element type of the result."""

    def result_element(self) -> Element:
        """Return the element type of the only result."""
        ...


class Conversion(Op):
    """A change of element type; the result type is given."""

    operand: Value

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require scalars, or vectors of one length."""
        source, target = operands[0], results[0]
        lanes = [getattr(t, "lanes", 0) for t in (source, target)]
        require(lanes[0] == lanes[1], "C1", f"{source} and {target}")

    @staticmethod
    def evaluate(ctx: Typing, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return convert(operand, ctx.result_element())


@op("arith.extf", traits=_EXACT)
class ExtF(Conversion):
    """Widen a float.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.extf"(%0) : (f32) -> f64
    """


@op("arith.truncf", traits=_EXACT)
class TruncF(Conversion):
    """Round a float to a narrower type, to nearest even.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.truncf"(%0) : (f64) -> f32
    """


@op("arith.sitofp", traits=_EXACT)
class SIToFP(Conversion):
    """Convert a signed integer to a float, to nearest even.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.sitofp"(%0) : (i64) -> f32
    """


@op("arith.uitofp", traits=_EXACT)
class UIToFP(Conversion):
    """Convert an unsigned integer or a boolean to a float.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.uitofp"(%0) : (ui8) -> f32
    """


@op("arith.fptosi", traits=_EXACT)
class FPToSI(Conversion):
    """Truncate a float to a signed integer, saturating; NaN gives 0.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.fptosi"(%0) : (f32) -> i64
    """


@op("arith.fptoui", traits=_EXACT)
class FPToUI(Conversion):
    """Truncate a float to an unsigned integer, saturating; NaN gives 0.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.fptoui"(%0) : (f32) -> ui8
    """


@op("arith.extsi", traits=_EXACT)
class ExtSI(Conversion):
    """Widen a signed integer.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.extsi"(%0) : (i32) -> i64
    """


@op("arith.extui", traits=_EXACT)
class ExtUI(Conversion):
    """Widen an unsigned integer or a boolean.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.extui"(%0) : (i1) -> i64
    """


@op("arith.trunci", traits=_EXACT)
class TruncI(Conversion):
    """Keep the low bits of an integer.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.trunci"(%0) : (i64) -> i32
    """


@op("arith.index_cast", traits=_EXACT)
class IndexCast(Conversion):
    """Convert between index and a signed integer.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.index_cast"(%0) : (index) -> i64
    """


@op("arith.bitcast", traits=_EXACT)
class Bitcast(Conversion):
    """Read the same bits as another type of that width.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "arith.bitcast"(%0) : (f32) -> i32
    """

    @staticmethod
    def evaluate(ctx: Typing, operand: Array) -> Array:
        """Evaluate on numpy arrays."""
        return np.asarray(operand).view(ctx.result_element().dtype)
