"""Short names for the tensor ops over a `Builder`, for rules and for the frontends.

    b = TensorBuilder(builder)
    y = b.mul(b.exp(x), b.full_like(x, 2.0))

Operands of elementwise ops have one shape and type: nothing is broadcast or cast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.ir.attributes import Attribute, Dense, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER, Array
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Cast,
    Compare,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Or,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import CheckIndex, Gather, Scatter, TakeAlongAxis
from tensorc.ir.ops.tensor.making import Constant, Iota
from tensorc.ir.ops.tensor.nn import LogSoftmax
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import (
    All,
    Any,
    ArgMax,
    ArgMin,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
)
from tensorc.ir.ops.tensor.rounding import (
    Abs,
    Ceil,
    Floor,
    FloorDiv,
    IsFinite,
    IsNan,
    Mod,
    Round,
    Sign,
)
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Concatenate,
    Reshape,
    Size,
    Slice,
    Transpose,
    Unslice,
)
from tensorc.ir.ops.tensor.transcendental import (
    Cos,
    Erf,
    Erfc,
    Expm1,
    Gelu,
    Log1p,
    Pow,
    Sigmoid,
    Silu,
    Sin,
    Softplus,
    Tanh,
)
from tensorc.ir.types import I64, Element, TensorType, element_of


def tensor_type(value: Value) -> TensorType:
    """Return the type of a value that is a tensor."""
    assert isinstance(value.type, TensorType)
    return value.type


@dataclass(frozen=True, slots=True)
class TensorBuilder:
    """Appends tensor ops through a builder; each method returns the op's result."""

    builder: Builder

    def apply(
        self,
        cls: type[Op],
        operands: Sequence[Value],
        attributes: Mapping[str, Attribute],
    ) -> Value:
        """Append an op of any class with one result."""
        b, given = self.builder, dict(attributes)
        types = b.infer(cls, operands, given)
        return b.block.append(cls(operands, types, given, (), b.location)).result

    def add(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs + rhs."""
        return self.builder.value(Add, lhs, rhs)

    def sub(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs - rhs."""
        return self.builder.value(Sub, lhs, rhs)

    def mul(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs * rhs."""
        return self.builder.value(Mul, lhs, rhs)

    def div(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs / rhs, of floats."""
        return self.builder.value(Div, lhs, rhs)

    def maximum(self, lhs: Value, rhs: Value) -> Value:
        """Return the larger elements."""
        return self.builder.value(Maximum, lhs, rhs)

    def minimum(self, lhs: Value, rhs: Value) -> Value:
        """Return the smaller elements."""
        return self.builder.value(Minimum, lhs, rhs)

    def logical_and(self, lhs: Value, rhs: Value) -> Value:
        """Return the conjunction of booleans."""
        return self.builder.value(And, lhs, rhs)

    def logical_or(self, lhs: Value, rhs: Value) -> Value:
        """Return the disjunction of booleans."""
        return self.builder.value(Or, lhs, rhs)

    def logical_not(self, operand: Value) -> Value:
        """Return the negation of booleans."""
        return self.builder.value(Not, operand)

    def neg(self, operand: Value) -> Value:
        """Return -operand."""
        return self.builder.value(Neg, operand)

    def exp(self, operand: Value) -> Value:
        """Return e ** operand."""
        return self.builder.value(Exp, operand)

    def log(self, operand: Value) -> Value:
        """Return the natural logarithm."""
        return self.builder.value(Log, operand)

    def sqrt(self, operand: Value) -> Value:
        """Return the square root."""
        return self.builder.value(Sqrt, operand)

    def tanh(self, operand: Value) -> Value:
        """Return the hyperbolic tangent."""
        return self.builder.value(Tanh, operand)

    def sigmoid(self, operand: Value) -> Value:
        """Return 1 / (1 + e ** -operand)."""
        return self.builder.value(Sigmoid, operand)

    def softplus(self, operand: Value) -> Value:
        """Return log(1 + e ** operand)."""
        return self.builder.value(Softplus, operand)

    def silu(self, operand: Value) -> Value:
        """Return operand * sigmoid(operand)."""
        return self.builder.value(Silu, operand)

    def gelu(self, operand: Value) -> Value:
        """Return operand times the normal distribution at it."""
        return self.builder.value(Gelu, operand)

    def erf(self, operand: Value) -> Value:
        """Return the error function."""
        return self.builder.value(Erf, operand)

    def erfc(self, operand: Value) -> Value:
        """Return 1 - erf(operand)."""
        return self.builder.value(Erfc, operand)

    def log1p(self, operand: Value) -> Value:
        """Return log(1 + operand)."""
        return self.builder.value(Log1p, operand)

    def expm1(self, operand: Value) -> Value:
        """Return e ** operand - 1."""
        return self.builder.value(Expm1, operand)

    def sin(self, operand: Value) -> Value:
        """Return the sine."""
        return self.builder.value(Sin, operand)

    def cos(self, operand: Value) -> Value:
        """Return the cosine."""
        return self.builder.value(Cos, operand)

    def pow(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs ** rhs, of floats."""
        return self.builder.value(Pow, lhs, rhs)

    def floordiv(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs // rhs."""
        return self.builder.value(FloorDiv, lhs, rhs)

    def mod(self, lhs: Value, rhs: Value) -> Value:
        """Return lhs % rhs."""
        return self.builder.value(Mod, lhs, rhs)

    def abs(self, operand: Value) -> Value:
        """Return |operand|."""
        return self.builder.value(Abs, operand)

    def sign(self, operand: Value) -> Value:
        """Return -1, 0 or 1."""
        return self.builder.value(Sign, operand)

    def floor(self, operand: Value) -> Value:
        """Return the integral floats below."""
        return self.builder.value(Floor, operand)

    def ceil(self, operand: Value) -> Value:
        """Return the integral floats above."""
        return self.builder.value(Ceil, operand)

    def round(self, operand: Value) -> Value:
        """Return the nearest integral floats, halves to even."""
        return self.builder.value(Round, operand)

    def isnan(self, operand: Value) -> Value:
        """Return i1: where NaN is."""
        return self.builder.value(IsNan, operand)

    def isfinite(self, operand: Value) -> Value:
        """Return i1: where finite numbers are."""
        return self.builder.value(IsFinite, operand)

    def compare(self, predicate: str, lhs: Value, rhs: Value) -> Value:
        """Return i1: the comparison eq, ne, lt, le, gt or ge."""
        return self.builder.value(Compare, lhs, rhs, predicate=predicate)

    def select(self, condition: Value, if_true: Value, if_false: Value) -> Value:
        """Return if_true where the condition holds, if_false elsewhere."""
        return self.builder.value(Select, condition, if_true, if_false)

    def cast(self, operand: Value, element: Element) -> Value:
        """Return the operand with another element type; itself if it has that type."""
        if tensor_type(operand).element == element:
            return operand
        return self.builder.value(Cast, operand, element=element)

    def sum(self, operand: Value, axis: int) -> Value:
        """Return the sum along an axis, in the contract's order."""
        return self.builder.value(Sum, operand, axis=axis, order=LANES_ORDER)

    def mean(self, operand: Value, count: Value, axes: Sequence[int]) -> Value:
        """Return the sum over ascending axes, divided by a count, an i64 scalar."""
        return self.builder.value(
            Mean, operand, count, axes=tuple(axes), order=LANES_ORDER
        )

    def max(self, operand: Value, axis: int) -> Value:
        """Return the largest elements along an axis."""
        return self.builder.value(Max, operand, axis=axis)

    def min(self, operand: Value, axis: int) -> Value:
        """Return the smallest elements along an axis."""
        return self.builder.value(Min, operand, axis=axis)

    def prod(self, operand: Value, axis: int) -> Value:
        """Return the product along an axis, in the contract's order."""
        return self.builder.value(Prod, operand, axis=axis, order=LANES_ORDER)

    def any(self, operand: Value, axis: int) -> Value:
        """Return whether any boolean along an axis is true."""
        return self.builder.value(Any, operand, axis=axis)

    def all(self, operand: Value, axis: int) -> Value:
        """Return whether all booleans along an axis are true."""
        return self.builder.value(All, operand, axis=axis)

    def argmin(self, operand: Value, axis: int) -> Value:
        """Return the indices of the first smallest elements along an axis."""
        return self.builder.value(ArgMin, operand, axis=axis)

    def argmax(self, operand: Value, axis: int) -> Value:
        """Return the indices of the first largest elements along an axis."""
        return self.builder.value(ArgMax, operand, axis=axis)

    def matmul(self, lhs: Value, rhs: Value) -> Value:
        """Return the matrix product over the last two axes."""
        return self.builder.value(MatMul, lhs, rhs, order=FMA_ORDER)

    def log_softmax(self, operand: Value, axis: int) -> Value:
        """Return the logarithm of the softmax along an axis."""
        return self.builder.value(LogSoftmax, operand, axis=axis)

    def broadcast(
        self, operand: Value, shape: Sequence[Dim], axes: Sequence[int]
    ) -> Value:
        """Return the operand in a larger shape; its axis i becomes axes[i]."""
        return self.builder.value(
            Broadcast, operand, axes=tuple(axes), shape=Dims(tuple(shape))
        )

    def insert_axis(self, operand: Value, shape: Sequence[Dim], axis: int) -> Value:
        """Return the operand repeated along a new axis: undo a reduction."""
        axes = [i for i in range(len(shape)) if i != axis]
        return self.broadcast(operand, shape, axes)

    def reshape(self, operand: Value, shape: Sequence[Dim]) -> Value:
        """Return the same elements in another shape."""
        return self.builder.value(Reshape, operand, shape=Dims(tuple(shape)))

    def transpose(self, operand: Value, permutation: Sequence[int]) -> Value:
        """Return the operand with its axes reordered."""
        return self.builder.value(Transpose, operand, permutation=tuple(permutation))

    def slice(
        self,
        operand: Value,
        starts: Sequence[Dim],
        sizes: Sequence[Dim],
        steps: Sequence[int],
    ) -> Value:
        """Return a regular part."""
        return self.builder.value(
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
        return self.builder.value(
            Unslice,
            operand,
            starts=Dims(tuple(starts)),
            shape=Dims(tuple(shape)),
            steps=tuple(steps),
        )

    def concatenate(self, parts: Sequence[Value], axis: int) -> Value:
        """Return tensors one after the other along an axis."""
        return self.builder.value(Concatenate, *parts, axis=axis)

    def size(self, operand: Value, axis: int) -> Value:
        """Return the size of an axis as an i64 scalar: a constant if it is known."""
        dim = tensor_type(operand).shape[axis]
        if isinstance(dim, int):
            return self.scalar(dim, I64)
        return self.builder.value(Size, operand, axis=axis)

    def check_index(
        self, indices: Value, axis: int, size: Dim, from_end: bool = True
    ) -> Value:
        """Return indices; it is an error if one is outside of an axis of that size."""
        dims = Dims((size,))
        return self.builder.value(
            CheckIndex, indices, axis=axis, size=dims, from_end=from_end
        )

    def take_along_axis(self, operand: Value, indices: Value, axis: int) -> Value:
        """Return one element per position, picked along an axis."""
        return self.builder.value(TakeAlongAxis, operand, indices, axis=axis)

    def gather(
        self, operand: Value, indices: Sequence[Value], axes: Sequence[int]
    ) -> Value:
        """Return the elements at computed places on some axes."""
        return self.builder.value(Gather, operand, *indices, axes=tuple(axes))

    def scatter(
        self,
        base: Value,
        values: Value,
        indices: Sequence[Value],
        axes: Sequence[int],
        combine: str,
    ) -> Value:
        """Return `base` with values added or set at computed places on some axes."""
        return self.builder.value(
            Scatter, base, values, *indices, axes=tuple(axes), combine=combine
        )

    def iota(self, shape: Sequence[Dim], axis: int, element: Element) -> Value:
        """Return a tensor whose elements are their index on an axis."""
        dims = Dims(tuple(shape))
        return self.builder.value(Iota, shape=dims, axis=axis, element=element)

    def constant(self, value: Array) -> Value:
        """Return a constant tensor; the array must not be changed afterwards."""
        type_ = TensorType(value.shape, element_of(value.dtype))
        return self.builder.value(Constant, value=Dense(value, type_))

    def scalar(self, value: float, element: Element) -> Value:
        """Return a constant of rank 0."""
        return self.constant(np.array(value, element.dtype))

    def full(self, shape: Sequence[Dim], value: float, element: Element) -> Value:
        """Return a tensor of one value: a rank-0 constant, broadcast."""
        return self.everywhere(self.scalar(value, element), shape)

    def everywhere(self, scalar: Value, shape: Sequence[Dim]) -> Value:
        """Return a tensor of a shape that holds a value of rank 0 at each place."""
        return self.broadcast(scalar, shape, ()) if shape else scalar

    def full_like(self, like: Value, value: float) -> Value:
        """Return a tensor of one value with the type of another tensor."""
        type_ = tensor_type(like)
        return self.full(type_.shape, value, type_.element)

    def zeros_like(self, like: Value) -> Value:
        """Return zeros with the type of another tensor."""
        return self.full_like(like, 0)
