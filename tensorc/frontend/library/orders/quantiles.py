"""Medians and quantiles: elements at places of an order, and between them."""

from collections.abc import Sequence

import numpy as np

from tensorc.frontend.library.elementwise import as_float, elementwise, select
from tensorc.frontend.library.operands import (
    Emitter,
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    cast,
    is_strong,
    materialize,
    number,
    number_error,
    promote,
    size_error,
    spell_shape,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.reductions import mean, normal_axes, require_elements
from tensorc.ir import stable
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, maximum, minimum, product_of
from tensorc.ir.ops.tensor.order import Sort
from tensorc.ir.ops.tensor.rounding import IsNan
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import F64, I1, I8, I64, Element

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")
_BETWEEN = ("linear", "midpoint")  # what two elements are mixed for

Axes = int | Sequence[int] | None


def median(
    b: Emitter, x: Operand, axis: Axes = None, keepdims: bool = False
) -> Operand:
    """Return the middle element, or the mean of the two in the middle; NaN if any is.

    Integers give the default float.
    """
    ordered, shape, axes = _ordered(b, as_float(b, x), axis, "median")
    extent = tensor_type(ordered.value).shape[-1]
    places = floordiv(maximum(extent - 1, 0), 2), floordiv(extent, 2)
    t = TensorBuilder(b.builder)
    pair = [_element(t, ordered.value, place) for place in places]
    joined = t(Concatenate, *pair, axis=tensor_type(pair[0]).rank - 1)
    middle = mean(b, TensorOperand(joined), axis=-1)
    made = _or_nan(b, ordered, strong(b, middle).value)
    return TensorOperand(
        t.reshape(made, stable.put_back(shape, axes)) if keepdims else made
    )


def quantile(
    b: Emitter,
    x: Operand,
    q: Operand,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Operand:
    """Return the elements below which a part q of the others is; NaN if any is.

    The place is q * (n - 1) in ascending order. Between two elements `method` says what
    is given; "lower", "higher" and "nearest" keep the type of integers, the others give
    the default float. The axes of q stand in front.
    """
    return _quantile(b, x, q, 1, axis, method, keepdims)


def percentile(
    b: Emitter,
    x: Operand,
    q: Operand,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Operand:
    """Return the quantiles of q / 100."""
    return _quantile(b, x, q, 100, axis, method, keepdims)


def _quantile(
    b: Emitter,
    x: Operand,
    q: Operand,
    whole: int,
    axis: Axes,
    method: str,
    keepdims: bool,
) -> Operand:
    _require_parts(b, q, whole)
    tensor, element = strong(b, x), None
    if method in _BETWEEN:
        if tensor.type.element == I1:
            message = f"nothing stands between booleans, {spell_type(tensor.type)}"
            raise type_error(b, message, "cast them: `float(x)`")
        tensor = as_float(b, x)
        given = [tensor.type.element]
        if is_strong(q) and strong(b, q).type.element.is_float:
            given.append(strong(b, q).type.element)
        element = promote(given, b.default_float)
    ordered, shape, axes = _ordered(b, tensor, axis, "quantile")
    part = TensorOperand(materialize(b, q, F64))
    if whole != 1:
        part = strong(b, elementwise(b, "div", [part, number(float(whole))]))
    made = _mixed(b, ordered, part, method, element)
    value, front = _or_nan(b, ordered, made.value), part.type.rank
    t = TensorBuilder(b.builder)
    rank = tensor_type(value).rank
    value = t.transpose(value, [*range(rank - front, rank), *range(rank - front)])
    if keepdims:
        value = t.reshape(value, (*b.shape(part), *stable.put_back(shape, axes)))
    return TensorOperand(cast(b, value, element or tensor.type.element))


def _require_parts(b: Emitter, q: Operand, whole: int) -> None:
    """Raise TC0315 for a part that is known to be none."""
    known = np.asarray(q.values, np.float64) if isinstance(q, Literal) else None
    if isinstance(q, Scalar) and isinstance(q.number, int | float):
        known = np.asarray(q.number, np.float64)
    if known is not None and not np.all((known >= 0) & (known <= whole)):
        raise number_error(b, f"q is from 0 to {whole}, got {known.tolist()}")


def _ordered(
    b: Emitter, x: TensorOperand, axis: Axes, name: str
) -> tuple[TensorOperand, tuple[Dim, ...], list[int]]:
    """Return rows in order along the last axis, and the shape and axes they are of."""
    shape = b.shape(x)
    axes = normal_axes(b, axis, len(shape))
    for i in axes:
        require_elements(b, shape, i)
    t = TensorBuilder(b.builder)
    kept = stable.kept_axes(len(shape), axes)
    extent = product_of([shape[i] for i in axes])
    message = f"{name}: {spell_shape(shape)} has elements along the axis"
    if not b.unify(minimum(extent, 1), 1, message):
        raise size_error(b, message)
    element = x.type.element
    value = cast(b, x.value, I8 if element == I1 else element)
    order = [*kept, *axes]
    if order != sorted(order):
        value = t.transpose(value, order)
    value = t.reshape(value, (*[shape[i] for i in kept], extent))
    return TensorOperand(t(Sort, value)), shape, axes


def _element(t: TensorBuilder, rows: Value, place: Dim) -> Value:
    """Return one element of each row, the last axis of size 1."""
    shape = tensor_type(rows).shape
    starts: list[Dim] = [*[0] * (len(shape) - 1), place]
    return t.slice(rows, starts, (*shape[:-1], 1), [1] * len(shape))


def _or_nan(b: Emitter, ordered: TensorOperand, value: Value) -> Value:
    """Return values of rows, of each that has a NaN this one: it is last there."""
    if not ordered.type.element.is_float:
        return value
    t = TensorBuilder(b.builder)
    rows, shape = ordered.type.rank - 1, tensor_type(value).shape
    last = _element(t, ordered.value, ordered.type.shape[-1] - 1)
    last = t.reshape(last, ordered.type.shape[:-1])
    last = t.broadcast(last, shape, range(rows)) if len(shape) > rows else last
    condition = TensorOperand(t(IsNan, last))
    made = select(b, condition, TensorOperand(last), TensorOperand(value))
    return strong(b, made).value


def _mixed(
    b: Emitter,
    ordered: TensorOperand,
    part: TensorOperand,
    method: str,
    element: Element | None,
) -> TensorOperand:
    """Return what stands at parts of rows in order, whose axes are last.

    What is between two elements is computed in `element`.
    """

    def of(name: str, *operands: Operand) -> Operand:
        return elementwise(b, name, operands)

    extent = ordered.type.shape[-1]
    last = number(extent - 1)
    place = of("mul", part, TensorOperand(materialize(b, last, F64)))
    most = TensorOperand(materialize(b, last, F64))
    place = of("minimum", of("maximum", place, number(0.0)), most)
    low = of("floor", place)
    rest = of("sub", place, low)
    below = TensorOperand(cast(b, strong(b, low).value, I64))
    above = of("minimum", of("add", below, number(1)), last)
    if element is None:
        goes_up = {
            "lower": number(False),
            "higher": of("gt", rest, number(0.0)),
            "nearest": of(
                "or",
                of("gt", rest, number(0.5)),
                of("and", of("eq", rest, number(0.5)), _is_odd(b, below)),
            ),
        }[method]
        return _taken(b, ordered, select(b, goes_up, above, below))
    if method == "midpoint":
        rest = select(b, of("gt", rest, number(0.0)), number(0.5), number(0.0))
    left, right = (
        TensorOperand(cast(b, _taken(b, ordered, at).value, element))
        for at in (below, above)
    )
    share = TensorOperand(materialize(b, rest, element))
    step = of("sub", right, left)
    near_left = of("add", left, of("mul", step, share))
    near_right = of("sub", right, of("mul", step, of("sub", number(1.0), share)))
    mixed = select(b, of("ge", share, number(0.5)), near_right, near_left)
    # Of equal elements, infinities too, it is that one.
    return strong(b, select(b, of("eq", left, right), left, mixed))


def _is_odd(b: Emitter, x: Operand) -> Operand:
    return elementwise(b, "eq", [elementwise(b, "mod", [x, number(2)]), number(1)])


def _taken(b: Emitter, ordered: TensorOperand, index: Operand) -> TensorOperand:
    """Return elements at indices of the last axis, whose axes come in its stead."""
    t = TensorBuilder(b.builder)
    last = ordered.type.rank - 1
    return TensorOperand(t.gather(ordered.value, [strong(b, index).value], (last,)))
