"""Ops that make tensors from nothing: constants and counting."""

import numpy as np

from tensorc.ir.attributes import Dense, Dims
from tensorc.ir.core import Op
from tensorc.ir.evaluation import Sizes
from tensorc.ir.levels import AT_STRUCTURED, AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import Element, TensorType


@op("tc.constant", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class Constant(Op):
    """A tensor that is known.

    Example:
      %0 = "tc.constant"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
    """  # noqa: E501

    value: Dense

    @staticmethod
    def infer(ctx: InferContext, *, value: Dense) -> TensorType:
        """Give the constant's type."""
        return value.type

    @staticmethod
    def evaluate(ctx: object, *, value: Dense) -> Array:
        return value.value


@op("tc.iota", traits=(PURE, EXACT), levels=AT_TENSOR)
class Iota(Op):
    """Count along an axis: each element is its index on that axis.

    Constraints:
      (C1) 0 <= axis < rank of shape.
      (C2) element is a number type.

    Example:
      %0 = "tc.iota"() <{axis = 0 : i64, element = i64, shape = #tc.dims<[4]>}> : () -> tensor<4xi64>
    """  # noqa: E501

    shape: Dims
    axis: int
    element: Element

    @staticmethod
    def infer(
        ctx: InferContext, *, shape: Dims, axis: int, element: Element
    ) -> TensorType:
        """Give the shape with the element type."""
        rank = len(shape.dims)
        require(0 <= axis < rank, "C1", "axis {} of rank {}", axis, rank)
        require(element.name != "i1", "C2", "i1")
        return TensorType(shape.dims, element)

    @staticmethod
    def evaluate(ctx: Sizes, *, shape: Dims, axis: int, element: Element) -> Array:
        sizes = [ctx.size(d) for d in shape.dims]
        counts = np.arange(sizes[axis])
        aligned = [-1 if i == axis else 1 for i in range(len(sizes))]
        whole = np.broadcast_to(counts.reshape(aligned), sizes)
        return np.ascontiguousarray(whole.astype(element.dtype))
