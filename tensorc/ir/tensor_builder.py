"""Tensor ops over a `Builder`, for rules and for the frontends.

    b = TensorBuilder(builder)
    y = b(Mul, b(Exp, x), b.full_like(x, 2.0))

Methods are what adds defaults. Operands of elementwise ops have one shape and type:
nothing is broadcast or cast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.ir.attributes import Attribute, Dense, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER, Array
from tensorc.ir.ops.tensor.elementwise import (
    Cast,
)
from tensorc.ir.ops.tensor.indexing import CheckIndex, Gather, Scatter
from tensorc.ir.ops.tensor.making import Constant, Iota
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import (
    Mean,
    Prod,
    Sum,
)
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Reshape,
    Size,
    Slice,
    Transpose,
    Unslice,
)
from tensorc.ir.types import I64, Element, TensorType, element_of


def tensor_type(value: Value) -> TensorType:
    """Return the type of a value that is a tensor."""
    assert isinstance(value.type, TensorType)
    return value.type


@dataclass(frozen=True, slots=True)
class TensorBuilder:
    """Appends tensor ops through a builder, and gives the result of each."""

    builder: Builder

    def __call__(
        self, cls: type[Op], /, *operands: Value, **attributes: Attribute
    ) -> Value:
        """Append an op of any class and return its only result.

        Raises `ShapeError` (code TC0300) if a constraint of the op does not hold.
        """
        return self.builder.append(cls, operands, attributes).result

    def results(
        self, cls: type[Op], /, *operands: Value, **attributes: Attribute
    ) -> list[Value]:
        """Append an op of any class and return its results, of which it may have many.

        Raises `ShapeError` (code TC0300) if a constraint of the op does not hold.
        """
        return self.builder.append(cls, operands, attributes).results

    def cast(self, operand: Value, element: Element) -> Value:
        """Return the operand with another element type; itself if it has that type."""
        if tensor_type(operand).element == element:
            return operand
        return self(Cast, operand, element=element)

    def reduce(self, cls: type[Op], operand: Value, axes: int | Sequence[int]) -> Value:
        """Return a reduction along axes in any order, of none the operand.

        It is in the contract's order if it has one.
        """
        several = (axes,) if isinstance(axes, int) else tuple(sorted(axes))
        if not several:
            return operand
        if "order" in cls.attribute_names:
            return self(cls, operand, axes=several, order=LANES_ORDER)
        return self(cls, operand, axes=several)

    def sum(self, operand: Value, axes: int | Sequence[int]) -> Value:
        """Return the sum along axes, in the contract's order."""
        return self.reduce(Sum, operand, axes)

    def mean(self, operand: Value, count: Value, axes: Sequence[int]) -> Value:
        """Return the sum over ascending axes, divided by a count, an i64 scalar."""
        return self(Mean, operand, count, axes=tuple(axes), order=LANES_ORDER)

    def prod(self, operand: Value, axes: int | Sequence[int]) -> Value:
        """Return the product along axes, in the contract's order."""
        return self.reduce(Prod, operand, axes)

    def matmul(self, lhs: Value, rhs: Value) -> Value:
        """Return the matrix product over the last two axes."""
        return self(MatMul, lhs, rhs, order=FMA_ORDER)

    def broadcast(
        self, operand: Value, shape: Sequence[Dim], axes: Sequence[int]
    ) -> Value:
        """Return the operand in a larger shape; its axis i becomes axes[i]."""
        return self(Broadcast, operand, axes=tuple(axes), shape=Dims(tuple(shape)))

    def insert_axis(self, operand: Value, shape: Sequence[Dim], axis: int) -> Value:
        """Return the operand repeated along a new axis: undo a reduction."""
        axes = [i for i in range(len(shape)) if i != axis]
        return self.broadcast(operand, shape, axes)

    def reshape(self, operand: Value, shape: Sequence[Dim]) -> Value:
        """Return the same elements in another shape."""
        return self(Reshape, operand, shape=Dims(tuple(shape)))

    def transpose(self, operand: Value, permutation: Sequence[int]) -> Value:
        """Return the operand with its axes reordered."""
        return self(Transpose, operand, permutation=tuple(permutation))

    def slice(
        self,
        operand: Value,
        starts: Sequence[Dim],
        sizes: Sequence[Dim],
        steps: Sequence[int],
    ) -> Value:
        """Return a regular part."""
        return self(
            Slice,
            operand,
            starts=Dims(tuple(starts)),
            sizes=Dims(tuple(sizes)),
            steps=tuple(steps),
        )

    def unslice(
        self,
        operand: Value,
        starts: Sequence[Dim],
        shape: Sequence[Dim],
        steps: Sequence[int],
    ) -> Value:
        """Return zeros of a shape with the operand in a regular part."""
        return self(
            Unslice,
            operand,
            starts=Dims(tuple(starts)),
            shape=Dims(tuple(shape)),
            steps=tuple(steps),
        )

    def size(self, operand: Value, axis: int) -> Value:
        """Return the size of an axis as an i64 scalar: a constant if it is known."""
        dim = tensor_type(operand).shape[axis]
        if isinstance(dim, int):
            return self.scalar(dim, I64)
        return self(Size, operand, axis=axis)

    def check_index(
        self, indices: Value, axis: int, size: Dim, from_end: bool = True
    ) -> Value:
        """Return indices; it is an error if one is outside of an axis of that size."""
        dims = Dims((size,))
        return self(CheckIndex, indices, axis=axis, size=dims, from_end=from_end)

    def gather(
        self, operand: Value, indices: Sequence[Value], axes: Sequence[int]
    ) -> Value:
        """Return the elements at computed indices on some axes."""
        return self(Gather, operand, *indices, axes=tuple(axes))

    def scatter(
        self,
        base: Value,
        values: Value,
        indices: Sequence[Value],
        axes: Sequence[int],
        combine: str,
    ) -> Value:
        """Return `base` with values added or set at computed indices on some axes."""
        return self(Scatter, base, values, *indices, axes=tuple(axes), combine=combine)

    def iota(self, shape: Sequence[Dim], axis: int, element: Element) -> Value:
        """Return a tensor whose elements are their index on an axis."""
        dims = Dims(tuple(shape))
        return self(Iota, shape=dims, axis=axis, element=element)

    def constant(self, value: Array) -> Value:
        """Return a constant tensor; the array must not be changed afterwards."""
        type_ = TensorType(value.shape, element_of(value.dtype))
        return self(Constant, value=Dense(value, type_))

    def scalar(self, value: float, element: Element) -> Value:
        """Return a constant of rank 0."""
        return self.constant(np.array(value, element.dtype))

    def full(self, shape: Sequence[Dim], value: float, element: Element) -> Value:
        """Return a tensor of one value: a rank-0 constant, broadcast."""
        return self.everywhere(self.scalar(value, element), shape)

    def everywhere(self, scalar: Value, shape: Sequence[Dim]) -> Value:
        """Return a tensor of a shape that holds a value of rank 0 at each index."""
        return self.broadcast(scalar, shape, ()) if shape else scalar

    def full_like(self, like: Value, value: float) -> Value:
        """Return a tensor of one value with the type of another tensor."""
        type_ = tensor_type(like)
        return self.full(type_.shape, value, type_.element)

    def zeros_like(self, like: Value) -> Value:
        """Return zeros with the type of another tensor."""
        return self.full_like(like, 0)
