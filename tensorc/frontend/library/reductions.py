"""Reductions, and what an axis adds up to so far: NumPy's options and result types."""

from collections.abc import Sequence

from tensorc.frontend.library.elementwise import as_float, elementwise
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    cast,
    materialize,
    number,
    size_error,
    spell_shape,
    strong,
)
from tensorc.ir import stable
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, maximum, product_of
from tensorc.ir.ops.tensor.cumulative import CumMax, CumMin, CumProd, CumSum
from tensorc.ir.ops.tensor.reductions import (
    All,
    Any,
    ArgMax,
    ArgMin,
    Max,
    Min,
    Prod,
    Sum,
    Top1,
)
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import ELEMENTS, I1, I8, I64, Element

Axes = int | Sequence[int] | None


def sum_(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Sum; booleans and small integers are summed as 64-bit ones, as in numpy."""
    return _accumulate(b, Sum, x, axis, keepdims)


def _accumulate(
    b: Emitter, reducer: type[Op], x: Operand, axis: Axes, keepdims: bool
) -> Operand:
    tensor = strong(b, x)
    value = cast(b, tensor.value, accumulator(tensor.type.element))
    return _reduce(b, reducer, value, axis, keepdims)


def accumulator(element: Element) -> Element:
    """Return the type that a sum has: of integers at least the platform's, as numpy."""
    if element.is_float:
        return element
    return ELEMENTS["ui64"] if element.is_unsigned else I64


def mean(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Return the ordered sum divided by the count; integers as the default float.

    It overflows only where the mean itself is out of range; f16 and bf16 in f32.
    """
    wide, element, axes = _wide(b, x, axis)
    return _narrowed(b, _mean(b, wide, axes), wide, element, axes, keepdims)


def var(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False, ddof: int = 0
) -> Operand:
    """Return the mean squared distance from the mean; the count is less `ddof`.

    Integers give the default float; f16 and bf16 in f32.
    """
    wide, element, axes = _wide(b, x, axis)
    distance = _from_mean(b, wide, axes)
    square = strong(b, elementwise(b, "mul", [distance, distance]))
    result = _mean(b, square, axes, ddof)
    return _narrowed(b, result, wide, element, axes, keepdims)


def std(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False, ddof: int = 0
) -> Operand:
    """Return the square root of the variance; its slope is 0 where that is 0."""
    wide, element, axes = _wide(b, x, axis)
    distance = strong(b, _from_mean(b, wide, axes))
    size = _count(b, wide, axes, ddof)
    count = materialize(b, number(size), wide.type.element)
    root = stable.root_of_squares(TensorBuilder(b.builder), distance.value, axes, count)
    return _narrowed(b, root, wide, element, axes, keepdims)


def norm(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Return the square root of the sum of squares; its slope at 0 is 0."""
    wide, element, axes = _wide(b, x, axis)
    root = stable.root_of_squares(TensorBuilder(b.builder), wide.value, axes)
    return _narrowed(b, root, wide, element, axes, keepdims)


def logsumexp(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return log(sum(exp(x))), which overflows nowhere; -inf where all are -inf."""
    wide, element, axes = _wide(b, x, axis)
    for i in axes:
        require_elements(b, b.shape(wide), i)
    total = stable.logsumexp(TensorBuilder(b.builder), wide.value, axes)
    return _narrowed(b, total, wide, element, axes, keepdims)


def _wide(
    b: Emitter, x: Operand, axis: Axes
) -> tuple[TensorOperand, Element, list[int]]:
    """Return a float tensor, at least of f32, its own type and the axes as numbers."""
    tensor = as_float(b, x)
    element = tensor.type.element
    shape = b.shape(tensor)
    axes = normal_axes(b, axis, len(shape))
    return (
        TensorOperand(cast(b, tensor.value, element.accumulator)),
        element,
        axes,
    )


def _narrowed(
    b: Emitter,
    value: Value,
    x: TensorOperand,
    element: Element,
    axes: list[int],
    keep: bool,
) -> TensorOperand:
    if keep:
        kept = stable.put_back(b.shape(x), axes)
        value = TensorBuilder(b.builder).reshape(value, kept)
    return TensorOperand(cast(b, value, element))


def _mean(b: Emitter, x: TensorOperand, axes: list[int], ddof: int = 0) -> Value:
    """Return the sum over axes by the count less `ddof`."""
    count = materialize(b, number(_count(b, x, axes, ddof)), I64)
    return TensorBuilder(b.builder).mean(x.value, count, axes)


def _from_mean(b: Emitter, x: TensorOperand, axes: list[int]) -> Operand:
    return elementwise(b, "sub", [x, mean(b, x, axes, keepdims=True)])


def _count(b: Emitter, x: TensorOperand, axes: list[int], ddof: int) -> Dim:
    shape = b.shape(x)
    return maximum(product_of([shape[i] for i in axes]) - ddof, 0)


def max_(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Return the largest element; of booleans whether any is true."""
    return _extreme(b, Max, Any, x, axis, keepdims)


def min_(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Return the smallest element; of booleans whether all are true."""
    return _extreme(b, Min, All, x, axis, keepdims)


def _extreme(
    b: Emitter,
    reducer: type[Op],
    of_booleans: type[Op],
    x: Operand,
    axis: Axes,
    keepdims: bool,
) -> Operand:
    """Reduce by the largest or smallest; of nothing it is an error if that is known."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    for i in normal_axes(b, axis, len(shape)):
        require_elements(b, shape, i)
    is_bool = tensor.type.element == I1
    return _reduce(b, of_booleans if is_bool else reducer, tensor.value, axis, keepdims)


def prod(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Multiply; booleans and small integers as 64-bit ones, as in numpy."""
    return _accumulate(b, Prod, x, axis, keepdims)


def any_(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Tell whether any element is not 0."""
    value = cast(b, strong(b, x).value, I1)
    return _reduce(b, Any, value, axis, keepdims)


def all_(b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False) -> Operand:
    """Tell whether no element is 0."""
    value = cast(b, strong(b, x).value, I1)
    return _reduce(b, All, value, axis, keepdims)


def argmax(
    b: Emitter, x: Operand, axis: int | None = None, keepdims: bool = False
) -> Operand:
    """Return the index of the first largest element; of all without an axis."""
    return _index_of(b, ArgMax, x, axis, keepdims)


def argmin(
    b: Emitter, x: Operand, axis: int | None = None, keepdims: bool = False
) -> Operand:
    """Return the index of the first smallest element; of all without an axis."""
    return _index_of(b, ArgMin, x, axis, keepdims)


def top1(
    b: Emitter, x: Operand, axis: int | None = None, keepdims: bool = False
) -> tuple[Operand, Operand]:
    """Return the first largest element and its index; of all without an axis."""
    element = strong(b, x).type.element
    value, index = _first(b, Top1, x, axis, keepdims)
    return TensorOperand(cast(b, value, element)), TensorOperand(index)


def _index_of(
    b: Emitter, reducer: type[Op], x: Operand, axis: int | None, keepdims: bool
) -> Operand:
    (index,) = _first(b, reducer, x, axis, keepdims)
    return TensorOperand(index)


def _first(
    b: Emitter, cls: type[Op], x: Operand, axis: int | None, keepdims: bool
) -> list[Value]:
    """Return the results of an op that finds the first of some elements."""
    tensor = strong(b, x)
    if tensor.type.element == I1:
        tensor = TensorOperand(cast(b, tensor.value, I8))
    whole = b.shape(tensor)
    axes = normal_axes(b, axis, len(whole))
    kept = stable.put_back(whole, axes)
    if not whole:
        tensor, axes = flatten_all(b, tensor), [0]
    for i in axes:
        require_elements(b, b.shape(tensor), i)
    t = TensorBuilder(b.builder)
    found = t.results(cls, tensor.value, axes=tuple(axes))
    return [t.reshape(v, kept) for v in found] if keepdims else found


def normal_axes(b: Emitter, axis: Axes, rank: int) -> list[int]:
    """Return axes from 0 to rank - 1, ascending; none means all."""
    return sorted(ordered_axes(b, axis, rank))


def ordered_axes(b: Emitter, axis: Axes, rank: int) -> list[int]:
    """Return axes from 0 to rank - 1, in the order in which they are given."""
    if axis is None:
        return list(range(rank))
    given = [axis] if isinstance(axis, int) else list(axis)
    axes = [a + rank if a < 0 else a for a in given]
    for before, after in zip(given, axes, strict=True):
        if not 0 <= after < rank:
            raise size_error(b, f"axis {before} is out of range for rank {rank}")
    if len(set(axes)) < len(axes):
        raise size_error(b, f"an axis stands twice in {tuple(given)}")
    return axes


_OF_NOTHING = (Sum, Prod, Any, All)


def _reduce(
    b: Emitter, reducer: type[Op], value: Value, axis: Axes, keepdims: bool
) -> TensorOperand:
    """Reduce along axes, by one op."""
    shape = b.shape(TensorOperand(value))
    axes = normal_axes(b, axis, len(shape))
    if reducer not in _OF_NOTHING:
        for i in axes:
            require_elements(b, shape, i)
    t = TensorBuilder(b.builder)
    value = t.reduce(reducer, value, axes)
    if keepdims:
        value = t.reshape(value, stable.put_back(shape, axes))
    return TensorOperand(value)


def require_elements(b: Emitter, shape: Shape, axis: int) -> None:
    """Raise TC0301 for an axis that is known to be empty."""
    if shape[axis] == 0:
        raise size_error(b, f"axis {axis} of {spell_shape(shape)} has no elements")


def flatten_all(b: Emitter, x: TensorOperand) -> TensorOperand:
    """Join all axes to one."""
    shape = (product_of(b.shape(x)),)
    return TensorOperand(TensorBuilder(b.builder).reshape(x.value, shape))


# What an axis adds up to so far.


def cumsum(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return sums of the elements so far; without an axis of all, one after the other.

    Booleans and small integers are summed as 64-bit ones, as in numpy.
    """
    return _of_numbers(b, CumSum, x, axis, reverse=False)


def cumprod(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return products of the elements so far; without an axis of all.

    Booleans and small integers are multiplied as 64-bit ones, as in numpy.
    """
    return _of_numbers(b, CumProd, x, axis)


def _of_numbers(
    b: Emitter, cls: type[Op], x: Operand, axis: int | None, **attributes: bool
) -> Operand:
    tensor, at = _one_axis(b, strong(b, x), axis)
    value = cast(b, tensor.value, accumulator(tensor.type.element))
    made = TensorBuilder(b.builder)(cls, value, axis=at, **attributes)
    return TensorOperand(made)


def cummax(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return the largest of the elements so far; without an axis of all."""
    return _extreme_so_far(b, CumMax, x, axis)


def cummin(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return the smallest of the elements so far; without an axis of all."""
    return _extreme_so_far(b, CumMin, x, axis)


def _extreme_so_far(b: Emitter, cls: type[Op], x: Operand, axis: int | None) -> Operand:
    tensor, at = _one_axis(b, strong(b, x), axis)
    element = tensor.type.element
    value = cast(b, tensor.value, I8 if element == I1 else element)
    made = TensorBuilder(b.builder)(cls, value, axis=at)
    return TensorOperand(cast(b, made, element))


def logcumsumexp(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return log(cumsum(exp(x))), which overflows nowhere; without an axis of all."""
    tensor, at = _one_axis(b, as_float(b, x), axis)
    element = tensor.type.element
    value = cast(b, tensor.value, element.accumulator)
    made = stable.logcumsumexp(TensorBuilder(b.builder), value, at)
    return TensorOperand(cast(b, made, element))


def _one_axis(
    b: Emitter, x: TensorOperand, axis: int | None
) -> tuple[TensorOperand, int]:
    """Return a tensor and its axis; without one all elements are one row."""
    if axis is None:
        return flatten_all(b, x), 0
    (at,) = normal_axes(b, axis, x.type.rank)
    return x, at
