"""Reductions along axes, which disappear; of several axes the index is flat."""

import itertools
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from tensorc.floats import is_float
from tensorc.ir.core import Op, Value
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import (
    LANES_ORDER,
    Array,
    flatten,
    integer_limits,
    maximum_along,
    minimum_along,
    ordered_product,
    ordered_sum,
)
from tensorc.ir.opdef import EXACT, PURE, InferContext, op, require
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.types import F32, F64, I1, I64, TensorType

# Of up to 2^63 finite elements, none of the sums of the scaled ones overflows. What is
# lost of small elements is far below the last digit of a sum that overflowed unscaled.
MEAN_SCALE = 2.0**-64


def _without(operand: TensorType, axes: tuple[int, ...], label: str) -> TensorType:
    """Return the type without some axes, which must be ascending axes of it."""
    ascends = all(a < b for a, b in itertools.pairwise(axes))
    inside = all(0 <= axis < operand.rank for axis in axes)
    require(ascends and inside, label, f"axes {axes} of rank {operand.rank}")
    shape = tuple(d for i, d in enumerate(operand.shape) if i not in axes)
    return TensorType(shape, operand.element)


def _reduced(operand: TensorType, axes: tuple[int, ...], empty: str = "") -> TensorType:
    """Return the type without at least one axis (C1), of a number type (C2).

    With `empty`, the label of that constraint, no axis may be known to be empty.
    """
    require(bool(axes), "C1", "no axis")
    result = _without(operand, axes, "C1")
    require(operand.element.name != "i1", "C2", "i1")
    if empty:
        require(all(operand.shape[a] != 0 for a in axes), empty, str(operand))
    return result


class Along(Op):
    """Elements along axes, combined by an elementwise op.

    `combine` is that op. It changes nothing of what `start` gives for an element's
    dtype: there kernels start.
    """

    levels = AT_TENSOR

    operand: Value
    axes: tuple[int, ...]
    combine: ClassVar[type[Op]]
    start: ClassVar[Callable[..., float | int]]


class Ordered(Along):
    """Elements combined along axes, floats in an order that is part of the program.

    `order` is "lanes", along the flat index over the axes (docs/numerics.md).

    Constraints:
      (C1) axes are ascending axes of operand, at least one.
      (C2) operand has a number type.
      (C3) order is "lanes".

    Example:
      %1 = "$name"(%0) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<4x3xf32>) -> tensor<3xf32>
    """  # noqa: E501

    order: str

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...], order: str
    ) -> TensorType:
        """Give the operand's type without the axes."""
        result = _reduced(operand, axes)
        require(order == LANES_ORDER, "C3", order)
        return result


@op("tc.sum", traits=(PURE, EXACT))
class Sum(Ordered):
    """Sum along axes; an empty sum is 0, integers wrap.

    `order` says in which order floats are added: "lanes" (docs/numerics.md).
    """

    combine = ew.Add
    start = staticmethod(lambda dtype: -0.0 if is_float(dtype) else 0)

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, *, axes: tuple[int, ...], order: str
    ) -> Array:
        return ordered_sum(flatten(operand, axes), 0)


@op("tc.prod", traits=(PURE, EXACT))
class Prod(Ordered):
    """Product along axes; an empty product is 1, integers wrap.

    `order` says in which order floats are multiplied: as those of a sum are added. The
    derivative multiplies the other elements in a tree of pairs: nothing is divided, so
    it is exact at zeros, and takes time that grows with their number.
    """

    combine = ew.Mul
    start = staticmethod(lambda dtype: 1.0 if is_float(dtype) else 1)

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, *, axes: tuple[int, ...], order: str
    ) -> Array:
        return ordered_product(flatten(operand, axes), 0)


@op("tc.mean", traits=(PURE, EXACT), levels=AT_TENSOR)
class Mean(Op):
    """The ordered sum over axes, of none the elements, divided by a count.

    Where that sum is no finite number, it is one of elements scaled by 2^-64, and the
    quotient is scaled back: a mean overflows only where its value does. The count is
    the number of elements, or less by the degrees of freedom of a variance.

    Constraints:
      (C1) axes are ascending, and each is an axis of operand.
      (C2) operand has a float type, f32 or f64.
      (C3) order is "lanes".
      (C4) count is an i64 scalar.

    Example:
      %2 = "tc.mean"(%0, %1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<4x3xf32>, tensor<i64>) -> tensor<3xf32>
    """  # noqa: E501

    operand: Value
    count: Value
    axes: tuple[int, ...]
    order: str

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        count: TensorType,
        *,
        axes: tuple[int, ...],
        order: str,
    ) -> TensorType:
        """Give the operand's type without the axes."""
        result = _without(operand, axes, "C1")
        require(operand.element in (F32, F64), "C2", operand.element.name)
        require(order == LANES_ORDER, "C3", order)
        require(count == TensorType((), I64), "C4", "{}", count)
        return result

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, count: Array, *, axes: tuple[int, ...], order: str
    ) -> Array:
        scaled = np.multiply(operand, np.array(MEAN_SCALE, operand.dtype))
        if axes:
            operand, scaled = (
                ordered_sum(flatten(v, axes), 0) for v in (operand, scaled)
            )
        finite = np.isfinite(operand)
        total = np.where(finite, operand, scaled)
        back = np.where(finite, 1, 1 / MEAN_SCALE).astype(operand.dtype)
        quotient = np.divide(total, count.astype(operand.dtype))
        return np.asarray(np.multiply(quotient, back))


def max_identity(dtype: "np.dtype[np.generic]") -> float | int:
    """Return the value that changes no maximum."""
    if is_float(dtype):
        return float("-inf")
    return integer_limits(dtype)[0]


def min_identity(dtype: "np.dtype[np.generic]") -> float | int:
    """Return the value that changes no minimum."""
    if is_float(dtype):
        return float("inf")
    return integer_limits(dtype)[1]


class Extremum(Along):
    """The largest or the smallest element along an axis.

    Constraints:
      (C1) axes are ascending axes of operand, at least one.
      (C2) operand has a number type.
      (C3) No axis is known to be empty.

    Example:
      %1 = "$name"(%0) <{axes = array<i64: 1>}> : (tensor<4x3xf32>) -> tensor<4xf32>
    """

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...]
    ) -> TensorType:
        """Give the operand's type without the axes."""
        return _reduced(operand, axes, empty="C3")


@op("tc.max", traits=(PURE, EXACT))
class Max(Extremum):
    """The largest element along axes; NaN if any is NaN.

    The maximum of nothing is -inf, or the smallest integer.
    """

    combine = ew.Maximum
    start = staticmethod(max_identity)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        lowest = max_identity(operand.dtype)
        return maximum_along(operand, axes, lowest)


@op("tc.min", traits=(PURE, EXACT))
class Min(Extremum):
    """The smallest element along axes; NaN if any is NaN.

    The minimum of nothing is inf, or the largest integer.
    """

    combine = ew.Minimum
    start = staticmethod(min_identity)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        return minimum_along(operand, axes, min_identity(operand.dtype))


class ExtremeIndex(Op):
    """The index of the first of the extreme elements along axes.

    Of several axes it is flat, row-major.

    Constraints:
      (C1) axes are ascending axes of operand, at least one.
      (C2) operand has a number type.
      (C3) No axis is known to be empty.

    Example:
      %1 = "$name"(%0) <{axes = array<i64: 1>}> : (tensor<4x3xf32>) -> tensor<4xi64>
    """

    levels = AT_TENSOR

    operand: Value
    axes: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...]
    ) -> TensorType:
        """Give i64 of the operand's shape without the axes."""
        return TensorType(_reduced(operand, axes, empty="C3").shape, I64)


@op("tc.argmax", traits=(PURE, EXACT))
class ArgMax(ExtremeIndex):
    """The index of the first largest element along axes, i64; a NaN is largest.

    Of several axes it is flat, row-major; of nothing it is 0.
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        return _first_place(np.argmax, flatten(operand, axes))


@op("tc.argmin", traits=(PURE, EXACT))
class ArgMin(ExtremeIndex):
    """The index of the first smallest element along axes, i64; a NaN is smallest.

    Of several axes it is flat, row-major; of nothing it is 0.
    """

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        return _first_place(np.argmin, flatten(operand, axes))


@op("tc.top1", traits=(PURE, EXACT), levels=AT_TENSOR)
class Top1(Op):
    """The first largest element along axes, and its index, i64; a NaN is largest.

    The value is that element itself: of zeros the first, where `tc.max` gives +0. The
    index in several axes is flat, row-major. Of nothing the value is -inf, or the
    smallest integer, and the index 0.

    Constraints:
      (C1) axes are ascending axes of operand, at least one.
      (C2) operand has a number type.
      (C3) No axis is known to be empty.

    Example:
      %1, %2 = "tc.top1"(%0) <{axes = array<i64: 1>}> : (tensor<4x3xf32>) -> (tensor<4xf32>, tensor<4xi64>)
    """  # noqa: E501

    operand: Value
    axes: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...]
    ) -> tuple[TensorType, TensorType]:
        """Give the operand's type without the axes, and i64 of the same shape."""
        value = _reduced(operand, axes, empty="C3")
        return value, TensorType(value.shape, I64)

    @staticmethod
    def evaluate(
        ctx: object, operand: Array, *, axes: tuple[int, ...]
    ) -> tuple[Array, Array]:
        flat = flatten(operand, axes)
        index = _first_place(np.argmax, flat)
        if len(flat) == 0:
            lowest = max_identity(operand.dtype)
            return np.full(index.shape, lowest, operand.dtype), index
        at = index[np.newaxis].astype(np.intp)
        return np.take_along_axis(flat, at, 0)[0], index


def _first_place(function: Callable[..., Array], flat: Array) -> Array:
    """Return what numpy's function gives along the first axis; of nothing 0."""
    if len(flat) == 0:
        return np.zeros(flat.shape[1:], np.int64)
    return np.asarray(function(flat, axis=0), np.int64)


class Quantifier(Along):
    """A question about all booleans along axes.

    Constraints:
      (C1) axes are ascending axes of operand, at least one.
      (C2) operand is i1.

    Example:
      %1 = "$name"(%0) <{axes = array<i64: 1>}> : (tensor<4x3xi1>) -> tensor<4xi1>
    """

    @staticmethod
    def infer(
        ctx: InferContext, operand: TensorType, *, axes: tuple[int, ...]
    ) -> TensorType:
        """Give the operand's type without the axes."""
        require(bool(axes), "C1", "no axis")
        result = _without(operand, axes, "C1")
        require(operand.element == I1, "C2", "{}", operand.element)
        return result


@op("tc.any", traits=(PURE, EXACT))
class Any(Quantifier):
    """Whether any boolean along axes is true; of none, false."""

    combine = ew.Or
    start = staticmethod(lambda dtype: False)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        return np.asarray(np.any(operand, axis=axes))


@op("tc.all", traits=(PURE, EXACT))
class All(Quantifier):
    """Whether all booleans along axes are true; of none, true."""

    combine = ew.And
    start = staticmethod(lambda dtype: True)

    @staticmethod
    def evaluate(ctx: object, operand: Array, *, axes: tuple[int, ...]) -> Array:
        return np.asarray(np.all(operand, axis=axes))
