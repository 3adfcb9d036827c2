"""Ops that exist for numerical stability."""

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import Array, ordered_sum
from tensorc.ir.opdef import PURE, InferContext, op, require
from tensorc.ir.types import TensorType


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
        require(0 <= axis < operand.rank, "C1", f"axis {axis} of {operand}")
        require(operand.element.is_float, "C2", str(operand.element))
        require(operand.shape[axis] != 0, "C3", str(operand))
        return operand

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        if operand.size == 0:
            return operand.copy()
        largest = np.max(operand, axis=axis, keepdims=True)
        shifted = np.subtract(operand, largest)
        total = np.expand_dims(ordered_sum(np.exp(shifted), axis), axis)
        return np.asarray(np.subtract(shifted, np.log(total)))
