"""Weighted means, covariances, and reductions that leave out NaN, for all doors.

The names, arguments and result types are NumPy's. What NumPy warns of (a mean of
nothing, too few observations) is NaN or infinite here, without a warning.
"""

import math
from collections.abc import Callable

from tensorc.frontend.library import reductions
from tensorc.frontend.library.algebra.matrices import diagonal
from tensorc.frontend.library.algebra.products import matmul
from tensorc.frontend.library.elementwise import (
    as_float,
    elementwise,
    select,
    to_element,
)
from tensorc.frontend.library.joining import concatenate
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    broadcast_together,
    common_element,
    kind_of,
    materialize,
    number,
    promote,
    size_error,
    spell_type,
    strong,
)
from tensorc.frontend.library.pointwise import clip
from tensorc.frontend.library.reductions import Axes, normal_axes
from tensorc.frontend.library.shapes import reshape, swapaxes
from tensorc.ir.dims import maximum

# Means and covariances


def average(
    b: Emitter,
    x: Operand,
    weights: Operand | None = None,
    axis: Axes = None,
    keepdims: bool = False,
) -> Operand:
    """Return the mean, or the sum of x times weights by the sum of the weights.

    Weights have the shape of x, or are a vector along the one axis.
    """
    if weights is None:
        return reductions.mean(b, x, axis, keepdims)
    element = common_element(b, [x, weights])
    if kind_of(x) != "float":
        element = promote([element, b.default_float], b.default_float)
    tensor, weight = (TensorOperand(materialize(b, o, element)) for o in (x, weights))
    rank = tensor.type.rank
    axes = normal_axes(b, axis, rank)
    if weight.type.rank == 1 and rank > 1 and len(axes) == 1:
        sizes = [-1 if i == axes[0] else 1 for i in range(rank)]
        weight = strong(b, reshape(b, weight, sizes))
    elif weight.type.rank != rank:
        message = f"average: weights {spell_type(weight.type)} for "
        message += spell_type(tensor.type)
        raise size_error(b, message, "weights of x's shape, or a vector along one axis")
    values = broadcast_together(b, [tensor.value, weight.value], "average")
    tensor, weight = map(TensorOperand, values)
    product = elementwise(b, "mul", [tensor, weight])
    total, count = (reductions.sum_(b, o, axis, keepdims) for o in (product, weight))
    return elementwise(b, "div", [total, count])


def cov(
    b: Emitter,
    x: Operand,
    y: Operand | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
) -> Operand:
    """Return the covariances of variables in rows, or in columns without `rowvar`.

    The count is less `ddof`: 1 unless given, 0 with `bias`. A vector is one variable,
    whose variance is a number; `y` holds more variables. They are computed in the
    default float at least, f64 as in NumPy.
    """
    rows = [_variables(b, o, rowvar) for o in (x, y) if o is not None]
    element = promote([common_element(b, rows), b.default_float], b.default_float)
    joined = as_float(b, concatenate(b, rows) if len(rows) > 1 else rows[0])
    joined = TensorOperand(materialize(b, joined, element))
    less = (0 if bias else 1) if ddof is None else ddof
    variables, count = b.shape(joined)
    mean = reductions.mean(b, joined, 1, keepdims=True)
    distance = elementwise(b, "sub", [joined, mean])
    products = matmul(b, distance, swapaxes(b, distance, 0, 1))
    made = elementwise(b, "div", [products, number(maximum(count - less, 0))])
    return reshape(b, made, ()) if b.is_one(variables) else made


def _variables(b: Emitter, x: Operand, rowvar: bool) -> TensorOperand:
    """Return a matrix with a variable in each row."""
    tensor = strong(b, x)
    if tensor.type.rank > 2:
        message = f"cov takes vectors and matrices, got {spell_type(tensor.type)}"
        raise size_error(b, message)
    if tensor.type.rank < 2:
        return strong(b, reshape(b, tensor, (1, -1)))
    return tensor if rowvar else strong(b, swapaxes(b, tensor, 0, 1))


def corrcoef(
    b: Emitter, x: Operand, y: Operand | None = None, rowvar: bool = True
) -> Operand:
    """Return the correlations of variables: covariances by both deviations."""
    covariances = strong(b, cov(b, x, y, rowvar))
    if covariances.type.rank == 0:
        return elementwise(b, "div", [covariances, covariances])
    deviations = elementwise(b, "sqrt", [diagonal(b, covariances)])
    by_row = elementwise(b, "div", [covariances, reshape(b, deviations, (-1, 1))])
    made = elementwise(b, "div", [by_row, reshape(b, deviations, (1, -1))])
    return clip(b, made, number(-1.0), number(1.0))


# Without NaN


def nansum(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the sum of the elements that are not NaN."""
    return reductions.sum_(b, _instead(b, x, 0.0), axis, keepdims)


def nanprod(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the product of the elements that are not NaN."""
    return reductions.prod(b, _instead(b, x, 1.0), axis, keepdims)


def nanmax(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the largest element that is not NaN; NaN where all are."""
    return _nan_extreme(b, reductions.max_, x, -math.inf, axis, keepdims)


def nanmin(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the smallest element that is not NaN; NaN where all are."""
    return _nan_extreme(b, reductions.min_, x, math.inf, axis, keepdims)


def nanmean(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the mean of the elements that are not NaN; f16 and bf16 in f32."""
    return _narrow(b, _nanmean(b, _wide(b, x), axis, keepdims), x)


def nanvar(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False, ddof: int = 0
) -> Operand:
    """Return the variance of the elements that are not NaN; NaN where none is left.

    The count of an axis is less `ddof`; f16 and bf16 in f32.
    """
    return _narrow(b, _nanvar(b, _wide(b, x), axis, keepdims, ddof), x)


def nanstd(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False, ddof: int = 0
) -> Operand:
    """Return the square root of `nanvar`."""
    variance = _nanvar(b, _wide(b, x), axis, keepdims, ddof)
    return _narrow(b, elementwise(b, "sqrt", [variance]), x)


def nancumsum(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return sums of the elements so far that are not NaN."""
    return reductions.cumsum(b, _instead(b, x, 0.0), axis)


def nancumprod(b: Emitter, x: Operand, axis: int | None = None) -> Operand:
    """Return products of the elements so far that are not NaN."""
    return reductions.cumprod(b, _instead(b, x, 1.0), axis)


def _instead(b: Emitter, x: Operand, value: float) -> TensorOperand:
    """Return x with a number where it is NaN."""
    tensor = strong(b, x)
    if not tensor.type.element.is_float:
        return tensor
    lost = elementwise(b, "isnan", [tensor])
    return strong(b, select(b, lost, number(value), tensor))


def _nan_extreme(
    b: Emitter,
    reduce: Callable[..., Operand],
    x: Operand,
    least: float,
    axis: Axes,
    keepdims: bool,
) -> Operand:
    tensor = strong(b, x)
    made = reduce(b, _instead(b, tensor, least), axis, keepdims)
    if not tensor.type.element.is_float:
        return made
    lost = reductions.all_(b, elementwise(b, "isnan", [tensor]), axis, keepdims)
    return select(b, lost, number(math.nan), made)


def _wide(b: Emitter, x: Operand) -> TensorOperand:
    tensor = as_float(b, x)
    wide = tensor.type.element.accumulator
    return TensorOperand(materialize(b, tensor, wide))


def _narrow(b: Emitter, made: Operand, x: Operand) -> Operand:
    return to_element(b, made, as_float(b, x).type.element)


def _nanmean(b: Emitter, x: TensorOperand, axis: Axes, keepdims: bool) -> Operand:
    total = nansum(b, x, axis, keepdims)
    return elementwise(b, "div", [total, _count(b, x, axis, keepdims)])


def _nanvar(
    b: Emitter, x: TensorOperand, axis: Axes, keepdims: bool, ddof: int
) -> Operand:
    # Without NaN in what is squared, or its slope would be one.
    distance = elementwise(
        b, "sub", [_instead(b, x, 0.0), _nanmean(b, x, axis, keepdims=True)]
    )
    distance = select(b, elementwise(b, "isnan", [x]), number(0.0), distance)
    square = elementwise(b, "mul", [distance, distance])
    total = reductions.sum_(b, square, axis, keepdims)
    left = elementwise(b, "sub", [_count(b, x, axis, keepdims), number(ddof)])
    made = elementwise(b, "div", [total, left])
    enough = elementwise(b, "gt", [left, number(0)])
    return select(b, enough, made, number(math.nan))


def _count(b: Emitter, x: TensorOperand, axis: Axes, keepdims: bool) -> Operand:
    there = elementwise(b, "not", [elementwise(b, "isnan", [x])])
    counted = reductions.sum_(b, there, axis, keepdims)
    return to_element(b, counted, x.type.element)
