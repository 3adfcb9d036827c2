"""Reading elements at computed places."""

from typing import Protocol

import numpy as np

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import PURE, InferContext, op, require
from tensorc.ir.types import TensorType


class Failing(Protocol):
    """What `evaluate` may ask of the interpreter: to stop with an index error."""

    def fail_index(self, axis: int, index: int, size: int) -> None:
        """Raise `IndexOutOfRange` at the op's place."""
        ...


def out_of_range(indices: Array, size: int) -> Array:
    """Tell which indices are outside an axis; signed ones may count from its end."""
    if np.issubdtype(indices.dtype, np.unsignedinteger):
        return np.greater_equal(indices, np.uint64(size))
    return np.less(indices, -size) | np.greater_equal(indices, size)


@op("tc.take_along_axis", traits=(PURE,))
class TakeAlongAxis(Op):
    """Pick one element per position: `lp[arange(n), y]` is axis 1 of lp by y.

        result[i…] = operand[i…, with indices[i…] put in at axis]

    A negative index counts from the end; one out of range is an error.

    Constraints:
      (C1) 0 <= axis < rank(operand).
      (C2) indices has an integer type.
      (C3) indices has the shape of operand without the axis.

    Example:
      %2 = "tc.take_along_axis"(%0, %1) <{axis = 1 : i64}> : (tensor<4x3xf32>, tensor<4xi64>) -> tensor<4xf32>
    """  # noqa: E501

    operand: Value
    indices: Value
    axis: int

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, indices: TensorType, *, axis: int
    ) -> TensorType:
        """Give the operand's element type with the shape of the indices."""
        require(0 <= axis < operand.rank, "C1", f"axis {axis} of {operand}")
        require(indices.element.is_integer, "C2", str(indices.element))
        kept = operand.shape[:axis] + operand.shape[axis + 1 :]
        rest = TensorType(kept, operand.element)
        ctx.require_same_shape(rest, indices, "C3")
        return rest

    @staticmethod
    def evaluate(ctx: Failing, operand: Array, indices: Array, *, axis: int) -> Array:
        """Evaluate on numpy arrays; IndexOutOfRange for the first bad index."""
        size = operand.shape[axis]
        places = indices.astype(np.int64)
        bad = out_of_range(indices, size)
        if bad.any():
            ctx.fail_index(axis, int(indices[bad].flat[0]), size)
        wrapped = np.where(places < 0, places + size, places)
        picked = np.take_along_axis(operand, np.expand_dims(wrapped, axis), axis)
        return np.squeeze(picked, axis)
