"""Reading and writing elements at computed indices."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tensorc.ir.arrays.elements import ADD as ADD
from tensorc.ir.arrays.elements import COMBINES as COMBINES
from tensorc.ir.arrays.elements import SET as SET
from tensorc.ir.arrays.elements import (
    check_indices,
    out_of_range,
    scatter,
    wrapped_indices,
)
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.evaluation import Failing, SizedFailing
from tensorc.ir.levels import AT_STRUCTURED, AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import PURE, STEPWISE, InferContext, Values, op, require
from tensorc.ir.types import I1, TensorType, Type


@op("tc.check_index", traits=(PURE,), levels=AT_TENSOR | AT_STRUCTURED)
class CheckIndex(Op):
    """Give integers back; an index error unless all of them are indices of an axis.

    They are in [-size, size) where they may count `from_end`, else in [0, size), as
    the numbers of classes are. `axis` is what the message names. Whoever reads the
    result reads what was checked: memory of the caller may change meanwhile.

    Constraints:
      (C1) indices has an integer type.
      (C2) size is one dimension.

    Example:
      %1 = "tc.check_index"(%0) <{axis = 1 : i64, from_end = true, size = #tc.dims<[10]>}> : (tensor<4xi64>) -> tensor<4xi64>
    """  # noqa: E501

    indices: Value
    axis: int
    size: Dims
    from_end: bool

    @staticmethod
    def infer(
        ctx: InferContext,
        indices: TensorType,
        *,
        axis: int,
        size: Dims,
        from_end: bool,
    ) -> TensorType:
        """Give the type of the indices."""
        require(indices.element.is_integer, "C1", "{}", indices)
        require(len(size.dims) == 1, "C2", "{}", size)
        return indices

    @staticmethod
    def evaluate(
        ctx: SizedFailing, indices: Array, *, axis: int, size: Dims, from_end: bool
    ) -> Array:
        """Raise IndexOutOfRange for the first bad index."""
        check_indices(ctx, indices, axis, size, from_end)
        return indices.copy()


@op("tc.take_along_axis", traits=(PURE,), levels=AT_TENSOR)
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
        require(0 <= axis < operand.rank, "C1", "axis {} of {}", axis, operand)
        require(indices.element.is_integer, "C2", "{}", indices.element)
        kept = operand.shape[:axis] + operand.shape[axis + 1 :]
        rest = TensorType(kept, operand.element)
        ctx.require_same_shape(rest, indices, "C3")
        return rest

    @staticmethod
    def evaluate(ctx: Failing, operand: Array, indices: Array, *, axis: int) -> Array:
        """Raise IndexOutOfRange for the first bad index."""
        size = operand.shape[axis]
        signed = indices.astype(np.int64)
        bad = out_of_range(indices, size)
        if bad.any():
            ctx.fail_index(axis, int(indices[bad].flat[0]), size)
        wrapped = np.where(signed < 0, signed + size, signed)
        picked = np.take_along_axis(operand, np.expand_dims(wrapped, axis), axis)
        return np.squeeze(picked, axis)


def gathered_shape(
    whole: Sequence[Dim], indices: Sequence[Dim], axes: Sequence[int]
) -> tuple[Dim, ...]:
    """Return a shape whose axes `axes` are replaced by those of the indices.

    They stand where the first of `axes` was.
    """
    first = axes[0]
    rest = [d for a, d in enumerate(whole) if a > first and a not in axes]
    return (*whole[:first], *indices, *rest)


def infer_gathered(
    ctx: InferContext,
    whole: TensorType,
    indices: Sequence[Type],
    axes: tuple[int, ...],
) -> TensorType:
    """Give the part that indices select; C1, C2 and C3 of gather and scatter."""
    ascending = all(a < b for a, b in pairwise(axes))
    inside = bool(axes) and axes[0] >= 0 and axes[-1] < whole.rank
    fits = ascending and inside and len(axes) == len(indices)
    require(fits, "C1", "axes {} of {} and {} indices", axes, whole, len(indices))
    for index in indices:
        is_integer = isinstance(index, TensorType) and index.element.is_integer
        require(is_integer, "C2", "{}", index)
        ctx.require_same_shape(indices[0], index, "C3")
    assert isinstance(indices[0], TensorType)
    shape = gathered_shape(whole.shape, indices[0].shape, axes)
    return TensorType(shape, whole.element)


@op("tc.gather", traits=(PURE,), levels=AT_TENSOR)
class Gather(Op):
    """Read at computed indices: `x[idx]`, `x[i, :, j]`.

        result[a…, s…, c…] = operand[a…, c…, with indices[k][s…] put in at axes[k]]

    The axes of the indices stand where the first of `axes` was. A negative index counts
    from the end; one out of range is an error.

    Constraints:
      (C1) axes is not empty, strictly ascending, below the rank of operand, and has an
        entry per index.
      (C2) The indices have integer types.
      (C3) The indices have one shape.

    Example:
      %2 = "tc.gather"(%0, %1) <{axes = array<i64: 0>}> : (tensor<4x3xf32>, tensor<5xi64>) -> tensor<5x3xf32>
    """  # noqa: E501

    operand: Value
    indices: Values
    axes: tuple[int, ...]

    @staticmethod
    def infer(
        ctx: InferContext,
        operand: TensorType,
        *indices: TensorType,
        axes: tuple[int, ...],
    ) -> TensorType:
        """Give the operand's type with the axes of the indices for `axes`."""
        # C1, C2 and C3
        return infer_gathered(ctx, operand, indices, axes)

    @staticmethod
    def evaluate(
        ctx: Failing, operand: Array, *indices: Array, axes: tuple[int, ...]
    ) -> Array:
        """Raise IndexOutOfRange for the first bad index."""
        wrapped = wrapped_indices(ctx, operand.shape, indices, axes)
        moved = np.moveaxis(operand, axes, range(len(axes)))[wrapped]
        rank = indices[0].ndim
        back = np.moveaxis(
            np.asarray(moved), range(rank), range(axes[0], axes[0] + rank)
        )
        return np.array(back)


@op("tc.scatter", traits=(PURE, STEPWISE), levels=AT_TENSOR | AT_STRUCTURED)
class Scatter(Op):
    """Write at computed indices: a copy of `base` in which these elements get `values`.

    "add" adds each value to what is there, "set" puts it there. Values that meet
    at an index come one after the other, in ascending row-major order of the indices:
    sums are sequential, and the last one stays. `values` has the shape that `tc.gather`
    gives for `base` and these indices.

    Constraints:
      (C1) axes is not empty, strictly ascending, below the rank of base, and has an
        entry per index.
      (C2) The indices have integer types.
      (C3) The indices have one shape.
      (C4) values has base's element type and the shape of the part.
      (C5) combine is "add", of numbers, or "set".

    Example:
      %3 = "tc.scatter"(%0, %1, %2) <{axes = array<i64: 0>, combine = "add"}> : (tensor<4x3xf32>, tensor<5x3xf32>, tensor<5xi64>) -> tensor<4x3xf32>
    """  # noqa: E501

    base: Value
    values: Value
    indices: Values
    axes: tuple[int, ...]
    combine: str

    @staticmethod
    def infer(
        ctx: InferContext,
        base: TensorType,
        values: TensorType,
        *indices: TensorType,
        axes: tuple[int, ...],
        combine: str,
    ) -> TensorType:
        """Give the type of base."""
        # C1, C2 and C3
        part = infer_gathered(ctx, base, indices, axes)
        require(values.element == base.element, "C4", "{} and {}", base, values)
        ctx.require_same_shape(part, values, "C4")
        known = combine == SET or (combine == ADD and base.element != I1)
        require(known, "C5", "{} of {}", combine, base.element)
        return base

    @staticmethod
    def evaluate(
        ctx: Failing,
        base: Array,
        values: Array,
        *indices: Array,
        axes: tuple[int, ...],
        combine: str,
    ) -> Array:
        """Raise IndexOutOfRange for the first bad index."""
        result = base.copy()
        wrapped = wrapped_indices(ctx, base.shape, indices, axes)
        scatter(result, values, wrapped, axes, combine)
        return result
