"""Conversions of scalars, with MLIR's names and meanings: scalars and vectors alike.

A float out of an integer's range saturates, NaN becomes 0; integers wrap.
"""

from typing import ClassVar

import numpy as np

from tensorc.floats import bfloat16, is_float
from tensorc.ir.core import Op, Value
from tensorc.ir.evaluation import Typing
from tensorc.ir.levels import BELOW_TENSOR
from tensorc.ir.numerics import Array, integer_limits
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import I1, Element, Type

_EXACT = (PURE, EXACT)


def convert(values: Array, element: Element) -> Array:
    """Convert an array by the rules of `tc.cast`."""
    target = element.dtype
    if not is_float(values.dtype) or element.is_float:
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


class Conversion(Op):
    """A change of element type; the result type is given.

    Constraints:
      (C1) operand and result are scalars, or vectors of one length.

    Example:
      %1 = "$name"(%0) : ($source) -> $target
    """

    levels = BELOW_TENSOR

    operand: Value
    source: ClassVar[str]
    target: ClassVar[str]

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require scalars, or vectors of one length."""
        source, target = operands[0], results[0]
        lanes = [getattr(t, "lanes", 0) for t in (source, target)]
        require(lanes[0] == lanes[1], "C1", "{} and {}", source, target)

    @staticmethod
    def evaluate(ctx: Typing, operand: Array) -> Array:
        return convert(operand, ctx.result_element())


@op("arith.extf", traits=_EXACT)
class ExtF(Conversion):
    """Widen a float."""

    source, target = "f32", "f64"


@op("arith.truncf", traits=_EXACT)
class TruncF(Conversion):
    """Round a float to a narrower type, to nearest even."""

    source, target = "f64", "f32"


@op("arith.sitofp", traits=_EXACT)
class SIToFP(Conversion):
    """Convert a signed integer to a float, to nearest even."""

    source, target = "i64", "f32"


@op("arith.uitofp", traits=_EXACT)
class UIToFP(Conversion):
    """Convert an unsigned integer or a boolean to a float."""

    source, target = "ui8", "f32"


@op("arith.fptosi", traits=_EXACT)
class FPToSI(Conversion):
    """Truncate a float to a signed integer, saturating; NaN gives 0."""

    source, target = "f32", "i64"


@op("arith.fptoui", traits=_EXACT)
class FPToUI(Conversion):
    """Truncate a float to an unsigned integer, saturating; NaN gives 0."""

    source, target = "f32", "ui8"


@op("arith.extsi", traits=_EXACT)
class ExtSI(Conversion):
    """Widen a signed integer."""

    source, target = "i32", "i64"


@op("arith.extui", traits=_EXACT)
class ExtUI(Conversion):
    """Widen an unsigned integer or a boolean."""

    source, target = "i1", "i64"


@op("arith.trunci", traits=_EXACT)
class TruncI(Conversion):
    """Keep the low bits of an integer."""

    source, target = "i64", "i32"


@op("arith.index_cast", traits=_EXACT)
class IndexCast(Conversion):
    """Convert between index and a signed integer."""

    source, target = "index", "i64"


@op("arith.bitcast", traits=_EXACT)
class Bitcast(Conversion):
    """Read the same bits as another type of that width."""

    source, target = "f32", "i32"

    @staticmethod
    def evaluate(ctx: Typing, operand: Array) -> Array:
        wanted = ctx.result_element().dtype
        # Whose bits are no i32 is bf16, which is given in f32.
        same = operand.dtype.itemsize == wanted.itemsize
        return (operand if same else operand.astype(bfloat16())).view(wanted)
