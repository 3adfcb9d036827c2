"""Random bits as functions of a key: equal keys give equal bits, in all programs."""

import math

from tensorc.ir.arrays import philox
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.evaluation import Sizes
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.types import U32, U64, Element, TensorType

KEY = TensorType((), U64)


@op("tc.random_key", traits=(PURE, EXACT), levels=AT_TENSOR)
class RandomKey(Op):
    """The key of another stream: the first 64 bits of Philox 4x32-10 at a word.

    The counter is (low half of word, high half of word, 0, 1).

    Constraints:
      (C1) key and word are u64 of rank 0.

    Example:
      %2 = "tc.random_key"(%0, %1) : (tensor<ui64>, tensor<ui64>) -> tensor<ui64>
    """

    key: Value
    word: Value

    @staticmethod
    def infer(ctx: InferContext, key: TensorType, word: TensorType) -> TensorType:
        """Give u64 of rank 0."""
        require(key == KEY == word, "C1", "{} and {}", key, word)
        return KEY

    @staticmethod
    def evaluate(ctx: object, key: Array, word: Array) -> Array:
        return philox.derived(key, word)


@op("tc.random_bits", traits=(PURE, EXACT), levels=AT_TENSOR)
class RandomBits(Op):
    """The first bits of a key's stream, in row-major order: Philox 4x32-10.

    Word i is word i // 16 % 4 of the counter (i // 64 * 16 + i % 16, 0, 0), whose first
    number has 64 bits. An element of 64 bits is two words, the lower one first.

    Constraints:
      (C1) key is u64 of rank 0.
      (C2) element is u32 or u64.

    Example:
      %1 = "tc.random_bits"(%0) <{element = ui32, shape = #tc.dims<[4, 3]>}> : (tensor<ui64>) -> tensor<4x3xui32>
    """  # noqa: E501

    key: Value
    shape: Dims
    element: Element

    @staticmethod
    def infer(
        ctx: InferContext, key: TensorType, *, shape: Dims, element: Element
    ) -> TensorType:
        """Give the shape with the element type."""
        require(key == KEY, "C1", "{}", key)
        require(element in (U32, U64), "C2", "{}", element)
        return TensorType(shape.dims, element)

    @staticmethod
    def evaluate(ctx: Sizes, key: Array, *, shape: Dims, element: Element) -> Array:
        sizes = [ctx.size(d) for d in shape.dims]
        return philox.bits(key, math.prod(sizes), element.dtype).reshape(sizes)
