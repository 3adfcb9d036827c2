"""Ops that exist for numerical stability."""

from collections.abc import Callable, Sequence

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import Array, maximum_along, ordered_sum, rounded, widened
from tensorc.ir.opdef import PURE, InferContext, Values, op, require
from tensorc.ir.types import I1, TensorType


def _along(operand: TensorType, axis: int) -> TensorType:
    """Require a float tensor with elements along an axis: C1, C2 and C3."""
    require(0 <= axis < operand.rank, "C1", "axis {} of {}", axis, operand)
    require(operand.element.is_float, "C2", "{}", operand.element)
    require(operand.shape[axis] != 0, "C3", "{}", operand)
    return operand


@op("tc.softmax", traits=(PURE,), levels=AT_TENSOR)
class Softmax(Op):
    """Shares of the powers of e along an axis, which add up to 1.

        result = p / sum(p) with p = exp(operand - max(operand)), along the axis

    With a mask only the elements where it is true count: those where it is false, even
    NaN, contribute nothing and give 0, so that a row that is masked whole is 0. A row
    whose elements that count are all -inf has no shares: it is NaN there.

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) operand has a float type.
      (C3) The axis is not known to be empty.
      (C4) There is at most one mask, of i1 and with the operand's shape.

    Example:
      %1 = "tc.softmax"(%0) <{axis = 1 : i64}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
    """

    operand: Value
    mask: Values
    axis: int

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *mask: TensorType, axis: int
    ) -> TensorType:
        """Give the operand's type."""
        result = _along(operand, axis)  # C1, C2 and C3
        require(len(mask) <= 1, "C4", "{} masks", len(mask))
        for given in mask:
            require(given.element == I1, "C4", "{}", given)
            ctx.require_same_shape(operand, given, "C4")
        return result

    @staticmethod
    def evaluate(ctx: object, operand: Array, *mask: Array, axis: int) -> Array:
        return shares(operand, mask, axis)


@op("tc.log_softmax", traits=(PURE,), levels=AT_TENSOR)
class LogSoftmax(Op):
    """Logarithm of the softmax along an axis, finite wherever the operand is.

        result = z - log(sum(exp(z))) with z = operand - max(operand), along the axis

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) operand has a float type.
      (C3) The axis is not known to be empty.

    Example:
      %1 = "tc.log_softmax"(%0) <{axis = 1 : i64}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
    """  # noqa: E501

    operand: Value
    axis: int

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType, *, axis: int) -> TensorType:
        """Give the operand's type."""
        return _along(operand, axis)  # C1, C2 and C3

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        return log_shares(operand, axis)


Function = Callable[[Array], Array]


def shares(
    operand: Array, mask: Sequence[Array], axis: int, exp: Function = np.exp
) -> Array:
    """Return the softmax along an axis; `exp` is what computes the powers."""
    dtype = operand.dtype
    for counts in mask:
        operand = np.where(counts, operand, operand.dtype.type(-np.inf))
    _, powers, total = _shifted_powers(operand, axis, exp)
    found = np.asarray(np.divide(powers, total))
    for counts in mask:
        found = np.where(counts, found, found.dtype.type(0))
    return rounded(found, dtype)


def log_shares(
    operand: Array, axis: int, exp: Function = np.exp, log: Function = np.log
) -> Array:
    """Return the logarithm of the softmax along an axis."""
    shifted, _, total = _shifted_powers(operand, axis, exp)
    return rounded(np.asarray(np.subtract(shifted, log(total))), operand.dtype)


def _shifted_powers(
    operand: Array, axis: int, exp: Function
) -> tuple[Array, Array, Array]:
    """Return elements less the largest along an axis, powers of e, and their sums.

    The sums keep the axis; f16 and bf16 in f32.
    """
    operand = widened(operand)
    largest = np.expand_dims(maximum_along(operand, (axis,), -np.inf), axis)
    shifted = np.asarray(np.subtract(operand, largest))
    powers = exp(shifted)
    return shifted, powers, np.expand_dims(ordered_sum(powers, axis), axis)
