"""Vectors in registers, with MLIR's names. Memory here is one-dimensional."""

from collections.abc import Callable, Mapping

import numpy as np

from tensorc.ir.arrays.elements import as_number, read
from tensorc.ir.attributes import Enum
from tensorc.ir.core import Op, Value
from tensorc.ir.evaluation import Allocating
from tensorc.ir.levels import AT_LOOP
from tensorc.ir.numerics import Array, maximum, minimum
from tensorc.ir.opdef import PURE, InferContext, memory, op, require
from tensorc.ir.ops.scalar.arith import with_element
from tensorc.ir.types import I1, INDEX, MemRefType, Type, VectorType, element_type


def _vector(type_: Type, label: str) -> VectorType:
    require(isinstance(type_, VectorType), label, str(type_))
    assert isinstance(type_, VectorType)
    return type_


def _flat(type_: Type, label: str) -> MemRefType:
    require(memory(type_, label).rank == 1, label, str(type_))
    return memory(type_, label)


@op("vector.broadcast", traits=(PURE,), levels=AT_LOOP)
class Broadcast(Op):
    """A vector with one scalar in each lane.

    Constraints:
      (C1) The result is a vector of the operand's type.

    Example:
      %1 = "vector.broadcast"(%0) : (f32) -> vector<16xf32>
    """

    operand: Value

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        fits = _vector(results[0], "C1").element == operands[0]
        require(fits, "C1", "{} and {}", operands[0], results[0])

    @staticmethod
    def evaluate(ctx: Allocating, operand: Array) -> Array:
        lanes = _vector(ctx.result_type(), "C1").lanes
        return np.full(lanes, operand, ctx.result_element().dtype)


@op("vector.step", traits=(PURE,), levels=AT_LOOP)
class Step(Op):
    """The numbers of the lanes: 0, 1, 2, ….

    Constraints:
      (C1) The result is a vector of index.

    Example:
      %0 = "vector.step"() : () -> vector<16xindex>
    """

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        require(_vector(results[0], "C1").element == INDEX, "C1", "{}", results[0])

    @staticmethod
    def evaluate(ctx: Allocating) -> Array:
        return np.arange(_vector(ctx.result_type(), "C1").lanes)


@op("vector.create_mask", traits=(PURE,), levels=AT_LOOP)
class CreateMask(Op):
    """True in the first `count` lanes (all, if count exceeds them; none below 1).

    Constraints:
      (C1) count is an index, the result a vector of i1.

    Example:
      %1 = "vector.create_mask"(%0) : (index) -> vector<16xi1>
    """

    count: Value

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        mask = _vector(results[0], "C1").element == I1
        require(operands == (INDEX,) and mask, "C1", "{} and {}", operands, results[0])

    @staticmethod
    def evaluate(ctx: Allocating, count: Array) -> Array:
        lanes = np.arange(_vector(ctx.result_type(), "C1").lanes)
        return np.asarray(np.less(lanes, count))


@op("vector.maskedload", levels=AT_LOOP)
class MaskedLoad(Op):
    """Read neighbouring elements where the mask is true, elsewhere keep `other`.

    Constraints:
      (C1) memref is one-dimensional memory, index is of type index.
      (C2) mask and other are vectors of one length, of i1 and of memref's element type.

    Example:
      %4 = "vector.maskedload"(%0, %1, %2, %3) : (memref<?xf32>, index, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
    """  # noqa: E501

    memref: Value
    index: Value
    mask: Value
    other: Value

    @staticmethod
    def infer(
        ctx: InferContext, memref: Type, index: Type, mask: Type, other: Type
    ) -> Type:
        """Give the type of the vector that is kept."""
        flat = _flat(memref, "C1")
        require(index == INDEX, "C1", "{}", index)
        fits = mask == with_element(_vector(other, "C2"), I1)
        require(
            fits and flat.element == element_type(other), "C2", "{}, {}", mask, other
        )
        return other

    @staticmethod
    def evaluate(
        ctx: object, memref: Array, index: Array, mask: Array, other: Array
    ) -> Array:
        result = other.copy()
        for lane in np.flatnonzero(mask):
            result[lane] = memref[as_number(np.add(index, lane))]
        return result


# A discardable attribute of `vector.maskedstore`: nothing reads there soon.
STREAM = "tc.stream"


@op("vector.maskedstore", levels=AT_LOOP)
class MaskedStore(Op):
    """Write neighbouring elements where the mask is true.

    Constraints:
      (C1) memref is one-dimensional memory, index is of type index.
      (C2) mask and value are vectors of one length, of i1 and of memref's element type.

    Example:
      "vector.maskedstore"(%0, %1, %2, %3) : (memref<?xf32>, index, vector<16xi1>, vector<16xf32>) -> ()
    """  # noqa: E501

    memref: Value
    index: Value
    mask: Value
    value: Value

    @staticmethod
    def infer(
        ctx: InferContext, memref: Type, index: Type, mask: Type, value: Type
    ) -> tuple[Type, ...]:
        """Give nothing."""
        flat = _flat(memref, "C1")
        require(index == INDEX, "C1", "{}", index)
        fits = mask == with_element(_vector(value, "C2"), I1)
        require(
            fits and flat.element == element_type(value), "C2", "{}, {}", mask, value
        )
        return ()

    @staticmethod
    def evaluate(
        ctx: object, memref: Array, index: Array, mask: Array, value: Array
    ) -> tuple[Array, ...]:
        for lane in np.flatnonzero(mask):
            memref[as_number(np.add(index, lane))] = value[lane]
        return ()


@op("vector.gather", levels=AT_LOOP)
class Gather(Op):
    """Read scattered elements, memref[index + offsets[lane]], where the mask is true.

    Constraints:
      (C1) memref is one-dimensional memory, index is of type index.
      (C2) offsets, mask and other are vectors of one length, of index, i1 and memref's
        element type.

    Example:
      %5 = "vector.gather"(%0, %1, %2, %3, %4) : (memref<?xf32>, index, vector<16xindex>, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
    """  # noqa: E501

    memref: Value
    index: Value
    offsets: Value
    mask: Value
    other: Value

    @staticmethod
    def infer(
        ctx: InferContext,
        memref: Type,
        index: Type,
        offsets: Type,
        mask: Type,
        other: Type,
    ) -> Type:
        """Give the type of the vector that is kept."""
        flat = _flat(memref, "C1")
        require(index == INDEX, "C1", "{}", index)
        vector = _vector(other, "C2")
        fits = mask == with_element(vector, I1)
        fits = fits and offsets == with_element(vector, INDEX)
        fits = fits and flat.element == vector.element
        require(fits, "C2", "{}, {}, {}", offsets, mask, other)
        return other

    @staticmethod
    def evaluate(
        ctx: object,
        memref: Array,
        index: Array,
        offsets: Array,
        mask: Array,
        other: Array,
    ) -> Array:
        result = other.copy()
        for lane in np.flatnonzero(mask):
            result[lane] = read(memref, (index + offsets[lane],))
        return result


@op("vector.shuffle", traits=(PURE,), levels=AT_LOOP)
class Shuffle(Op):
    """Lanes of two vectors in another order: lane i is lane mask[i] of both in a row.

    Constraints:
      (C1) left and right are vectors of one type.
      (C2) mask has an entry for each lane of the result, a lane of left or right.

    Example:
      %2 = "vector.shuffle"(%0, %1) <{mask = array<i64: 0, 3>}> : (vector<2xf32>, vector<2xf32>) -> vector<2xf32>
    """  # noqa: E501

    left: Value
    right: Value
    mask: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext, left: Type, right: Type, *, mask: tuple[int, ...]
    ) -> Type:
        """Give a vector with a lane for each entry of the mask."""
        require(left == right, "C1", "{} and {}", left, right)
        lanes = _vector(left, "C1").lanes
        fits = mask and all(0 <= at < 2 * lanes for at in mask)
        require(bool(fits), "C2", "{} for {}", mask, left)
        return VectorType(len(mask), element_type(left))

    @staticmethod
    def evaluate(
        ctx: object, left: Array, right: Array, *, mask: tuple[int, ...]
    ) -> Array:
        return np.concatenate([left, right])[list(mask)]


# vector.reduction's kinds, on the accumulator and one lane.
_COMBINE: Mapping[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "mul": np.multiply,
    "minimumf": minimum,
    "minsi": np.minimum,
    "minui": np.minimum,
    "maximumf": maximum,
    "maxsi": np.maximum,
    "maxui": np.maximum,
}


@op("vector.reduction", traits=(PURE,), levels=AT_LOOP)
class Reduction(Op):
    """Combine the lanes with the accumulator, from left to right.

        ((acc ∘ lane 0) ∘ lane 1) ∘ …

    Constraints:
      (C1) acc has the vector's element type.
      (C2) kind is add, mul, or one of minimumf, minsi, minui, maximumf, maxsi, maxui.

    Example:
      %2 = "vector.reduction"(%0, %1) <{kind = #vector.kind<add>}> : (vector<16xf32>, f32) -> f32
    """  # noqa: E501

    vector: Value
    acc: Value
    kind: Enum

    @staticmethod
    def infer(ctx: InferContext, vector: Type, acc: Type, *, kind: Enum) -> Type:
        """Give the accumulator's type."""
        require(_vector(vector, "C1").element == acc, "C1", "{} and {}", vector, acc)
        require(kind.value in _COMBINE, "C2", kind.value)
        return acc

    @staticmethod
    def evaluate(ctx: object, vector: Array, acc: Array, *, kind: Enum) -> Array:
        total = acc
        for lane in vector:
            total = _COMBINE[kind.value](total, lane)
        return np.asarray(total)
