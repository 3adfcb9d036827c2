"""Ops that move elements without changing them, and sizes as values."""

from itertools import pairwise

import numpy as np

from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, known_at_most, maximum, minimum
from tensorc.ir.evaluation import Sizes
from tensorc.ir.levels import AT_STRUCTURED, AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT, PURE, InferContext, Values, op, require
from tensorc.ir.types import I64, TensorType


def _product(shape: tuple[Dim, ...]) -> Dim:
    total: Dim = 1
    for dim in shape:
        total = total * dim
    return total


@op("tc.broadcast", traits=(PURE, EXACT), levels=AT_TENSOR)
class Broadcast(Op):
    """Repeat a tensor along new or size-1 axes.

    Axis i of the operand becomes axis `axes[i]` of the result, whose shape is `shape`.

    Constraints:
      (C1) axes has one strictly ascending entry per axis of operand, below the rank
        of shape.
      (C2) Each operand.shape[i] is 1 or shape[axes[i]].

    Example:
      %1 = "tc.broadcast"(%0) <{axes = array<i64: 1>, shape = #tc.dims<[5, 3]>}> : (tensor<3xf32>) -> tensor<5x3xf32>
    """  # noqa: E501

    operand: Value
    axes: tuple[int, ...]
    shape: Dims

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...], shape: Dims
    ) -> TensorType:
        """Give the new shape."""
        ascending = all(a < b for a, b in pairwise(axes))
        inside = all(0 <= a < len(shape.dims) for a in axes)
        fits = len(axes) == operand.rank and ascending and inside
        require(fits, "C1", "axes {} for {}", axes, operand)
        for dim, axis in zip(operand.shape, axes, strict=True):
            if ctx.resolve(dim) != 1:
                ctx.require_equal(dim, shape.dims[axis], "C2")
        return TensorType(shape.dims, operand.element)

    @staticmethod
    def evaluate(
        ctx: Sizes, operand: Array, *, axes: tuple[int, ...], shape: Dims
    ) -> Array:
        sizes = [ctx.size(d) for d in shape.dims]
        aligned = [1] * len(sizes)
        for axis, size in zip(axes, operand.shape, strict=True):
            aligned[axis] = size
        return np.broadcast_to(operand.reshape(aligned), sizes).copy()


@op("tc.reshape", traits=(PURE, EXACT), levels=AT_TENSOR | AT_STRUCTURED)
class Reshape(Op):
    """The same elements in row-major order, in another shape.

    Constraints:
      (C1) shape has as many elements as operand.

    Example:
      %1 = "tc.reshape"(%0) <{shape = #tc.dims<[12]>}> : (tensor<4x3xf32>) -> tensor<12xf32>
    """  # noqa: E501

    operand: Value
    shape: Dims

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType, *, shape: Dims) -> TensorType:
        """Give the new shape."""
        ctx.require_equal(_product(operand.shape), _product(shape.dims), "C1")
        return TensorType(shape.dims, operand.element)

    @staticmethod
    def evaluate(ctx: Sizes, operand: Array, *, shape: Dims) -> Array:
        return operand.reshape([ctx.size(d) for d in shape.dims]).copy()


@op("tc.transpose", traits=(PURE, EXACT), levels=AT_TENSOR)
class Transpose(Op):
    """Reorder the axes: axis i of the result is axis `permutation[i]` of the operand.

    Constraints:
      (C1) permutation holds each axis of operand once.

    Example:
      %1 = "tc.transpose"(%0) <{permutation = array<i64: 1, 0>}> : (tensor<4x3xf32>) -> tensor<3x4xf32>
    """  # noqa: E501

    operand: Value
    permutation: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, permutation: tuple[int, ...]
    ) -> TensorType:
        """Give the operand's type with its axes reordered."""
        fits = sorted(permutation) == list(range(operand.rank))
        require(fits, "C1", "{} for {}", permutation, operand)
        shape = tuple(operand.shape[axis] for axis in permutation)
        return TensorType(shape, operand.element)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, permutation: tuple[int, ...]) -> Array:
        return np.transpose(operand, permutation).copy()


@op("tc.slice", traits=(PURE, EXACT), levels=AT_TENSOR)
class Slice(Op):
    """A regular part: along each axis, element i is operand[start + i * step].

    Frontends clamp as numpy does; here the part lies inside the operand.

    Constraints:
      (C1) starts, sizes and steps have one entry per axis of operand, no step is 0.
      (C2) The part lies inside operand.

    Example:
      %1 = "tc.slice"(%0) <{sizes = #tc.dims<[2]>, starts = #tc.dims<[1]>, steps = array<i64: 2>}> : (tensor<4xf32>) -> tensor<2xf32>
    """  # noqa: E501

    operand: Value
    starts: Dims
    sizes: Dims
    steps: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        *,
        starts: Dims,
        sizes: Dims,
        steps: tuple[int, ...],
    ) -> TensorType:
        """Give the sizes of the part."""
        require_part(ctx, operand, starts, sizes, steps)
        return TensorType(sizes.dims, operand.element)

    @staticmethod
    def evaluate(
        ctx: Sizes, operand: Array, *, starts: Dims, sizes: Dims, steps: tuple[int, ...]
    ) -> Array:
        return operand[part_index(ctx, starts, sizes, steps)].copy()


def require_part(
    ctx: InferContext,
    whole: TensorType,
    starts: Dims,
    sizes: Dims,
    steps: tuple[int, ...],
) -> None:
    """Require C1 and C2 of `tc.slice` and `tc.unslice`.

    Of parts that have elements whatever the call, and may lie outside all the same
    (x[:, 3]), C2 becomes an equation for the call.
    """
    lengths = {whole.rank, len(starts.dims), len(sizes.dims), len(steps)}
    require(
        len(lengths) == 1 and 0 not in steps, "C1", "{}, {}, {}", starts, sizes, steps
    )
    axes = zip(whole.shape, starts.dims, sizes.dims, steps, strict=True)
    for axis, (length, start, size, step) in enumerate(axes):
        if isinstance(size, int) and size > 0:
            for at in dict.fromkeys((start, start + (size + -1) * step)):
                _require_inside(ctx, at, length, axis)


def _require_inside(ctx: InferContext, at: Dim, length: Dim, axis: int) -> None:
    detail = f"element {at} of {length}"
    message = f"index {at} is out of range for axis {axis}"
    if not known_at_most(at, length + -1):
        nearest = minimum(at, length + -1)
        require(ctx.unify(nearest, at, message, is_index=True), "C2", detail)
    if not known_at_most(0, at):
        require(ctx.unify(maximum(at, 0), at, message, is_index=True), "C2", detail)


def part_index(
    ctx: Sizes, starts: Dims, sizes: Dims, steps: tuple[int, ...]
) -> "tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]":
    """Return numpy indices that select the part."""
    parts = zip(starts.dims, sizes.dims, steps, strict=True)
    axes = [ctx.size(s) + step * np.arange(ctx.size(n)) for s, n, step in parts]
    return np.ix_(*axes) if axes else ()


@op("tc.unslice", traits=(PURE, EXACT), levels=AT_TENSOR)
class Unslice(Op):
    """Zeros of a shape, with the operand in a regular part: the transpose of a slice.

    Constraints:
      (C1) starts, shape and steps have one entry per axis of operand, no step is 0.
      (C2) The part lies inside shape.

    Example:
      %1 = "tc.unslice"(%0) <{shape = #tc.dims<[4]>, starts = #tc.dims<[1]>, steps = array<i64: 2>}> : (tensor<2xf32>) -> tensor<4xf32>
    """  # noqa: E501

    operand: Value
    starts: Dims
    shape: Dims
    steps: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        *,
        starts: Dims,
        shape: Dims,
        steps: tuple[int, ...],
    ) -> TensorType:
        """Give the whole shape."""
        whole = TensorType(shape.dims, operand.element)
        require_part(ctx, whole, starts, Dims(operand.shape), steps)
        return whole

    @staticmethod
    def evaluate(
        ctx: Sizes, operand: Array, *, starts: Dims, shape: Dims, steps: tuple[int, ...]
    ) -> Array:
        result = np.zeros([ctx.size(d) for d in shape.dims], operand.dtype)
        sizes = Dims(operand.shape)
        result[part_index(ctx, starts, sizes, steps)] = operand
        return result


@op("tc.concatenate", traits=(PURE, EXACT), levels=AT_TENSOR)
class Concatenate(Op):
    """Tensors one after the other along an axis.

    Constraints:
      (C1) There is a part, and 0 <= axis < its rank.
      (C2) All parts have one element type and rank.
      (C3) All parts have the same sizes along the other axes.

    Example:
      %2 = "tc.concatenate"(%0, %1) <{axis = 0 : i64}> : (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<6x3xf32>
    """  # noqa: E501

    parts: Values
    axis: int

    @staticmethod
    def infer(ctx: InferContext, *parts: TensorType, axis: int) -> TensorType:
        """Give the sum of the sizes along the axis."""
        require(bool(parts) and 0 <= axis < parts[0].rank, "C1", "axis {}", axis)
        first = parts[0]
        total: Dim = 0
        for part in parts:
            alike = (part.element, part.rank) == (first.element, first.rank)
            require(alike, "C2", "{} and {}", first, part)
            for i, (left, right) in enumerate(
                zip(first.shape, part.shape, strict=True)
            ):
                if i != axis:
                    ctx.require_equal(left, right, "C3")
            total = total + part.shape[axis]
        shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
        return TensorType(shape, first.element)

    @staticmethod
    def evaluate(ctx: object, *parts: Array, axis: int) -> Array:
        return np.concatenate(parts, axis)


@op("tc.dim", traits=(PURE, EXACT), levels=AT_TENSOR)
class Size(Op):
    """The size of an axis, as an i64 scalar.

    Constraints:
      (C1) 0 <= axis < rank(operand).

    Example:
      %1 = "tc.dim"(%0) <{axis = 0 : i64}> : (tensor<4x3xf32>) -> tensor<i64>
    """

    operand: Value
    axis: int

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType, *, axis: int) -> TensorType:
        """Give a scalar."""
        require(0 <= axis < operand.rank, "C1", "axis {} of {}", axis, operand)
        return TensorType((), I64)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axis: int) -> Array:
        return np.array(operand.shape[axis], np.int64)
