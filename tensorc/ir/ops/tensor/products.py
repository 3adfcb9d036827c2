"""Contractions: products that sum over a shared dimension."""

from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import FMA_ORDER, Array, ordered_matmul
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import TensorType


@op("tc.matmul", traits=(PURE, EXACT), levels=AT_TENSOR)
class MatMul(Op):
    """Matrix product over the last two dimensions, batched over the others.

        result[..., i, j] = sum over k of lhs[..., i, k] * rhs[..., k, j]

    `order` says how the terms are added: "fma" (docs/numerics.md).

    Constraints:
      (C1) lhs and rhs have one number type.
      (C2) rank(lhs) = rank(rhs) >= 2.
      (C3) lhs.shape[-1] = rhs.shape[-2].
      (C4) The leading dimensions of lhs and rhs are equal.
      (C5) order is "fma".

    Example:
      %2 = "tc.matmul"(%0, %1) <{order = "fma"}> : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
    """  # noqa: E501

    lhs: Value
    rhs: Value
    order: str

    @staticmethod
    def infer(
        ctx: InferContext, lhs: TensorType, rhs: TensorType, *, order: str
    ) -> TensorType:
        """Give the rows of lhs and the columns of rhs."""
        one_type = lhs.element == rhs.element and lhs.element.name != "i1"
        require(one_type, "C1", "{} and {}", lhs.element, rhs.element)
        ranks = f"{lhs} and {rhs}"
        require(lhs.rank == rhs.rank and lhs.rank >= 2, "C2", ranks)
        ctx.require_equal(lhs.shape[-1], rhs.shape[-2], "C3")
        for a, b in zip(lhs.shape[:-2], rhs.shape[:-2], strict=True):
            ctx.require_equal(a, b, "C4")
        require(order == FMA_ORDER, "C5", order)
        return TensorType((*lhs.shape[:-1], rhs.shape[-1]), lhs.element)

    @staticmethod
    def evaluate(ctx: object, lhs: Array, rhs: Array, *, order: str) -> Array:
        return ordered_matmul(lhs, rhs)
