"""Formulas that neither overflow nor lose their slope, over a `TensorBuilder`.

The frontends build them for functions of the library, `stabilize` in place of naive
spellings. Each is one smooth formula on both sides of every choice that it makes, so
that derivatives of any order are those of the function.
"""

import math
from collections.abc import Callable, Sequence

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.cumulative import CumMax, Recurrence
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Compare,
    Div,
    Exp,
    Log,
    Mul,
    Neg,
    Not,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import ArgMax, Max
from tensorc.ir.ops.tensor.rounding import Abs, IsFinite
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.ops.tensor.transcendental import Expm1, Log1p, Softplus
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64

# By element type: from where on squares leave the range, and the power of two that
# takes them back; the last that applies holds. Squares, sums of 2^31 of them, and the
# factors of the derivative are normal numbers then.
BANDS = {
    "f32": (("gt", 50, -80), ("lt", -50, 80), ("lt", -100, 100)),
    "f64": (("gt", 480, -600), ("lt", -480, 600)),
}


def kept_axes(rank: int, axes: Sequence[int]) -> list[int]:
    """Return the axes that a reduction leaves."""
    return [i for i in range(rank) if i not in axes]


def spread(b: TensorBuilder, value: Value, like: Value, axes: Sequence[int]) -> Value:
    """Return what was reduced along axes, repeated along them."""
    shape = tensor_type(like).shape
    return b.broadcast(value, shape, kept_axes(len(shape), axes))


def logaddexp(b: TensorBuilder, x: Value, y: Value) -> Value:
    """Return log(exp(x) + exp(y)); equal infinities are themselves, with slope 0.

    It is larger + softplus(smaller - larger), either way round the same function.
    """
    first = b(Compare, x, y, predicate="ge")
    larger, smaller = b(Select, first, x, y), b(Select, first, y, x)
    infinity = b.full_like(x, math.inf)
    same = b(
        And,
        b(Compare, x, y, predicate="eq"),
        b(Compare, b(Abs, x), infinity, predicate="eq"),
    )
    zero = b.zeros_like(x)
    # Infinities less infinities would be NaN.
    distance = b(Select, same, zero, b(Sub, smaller, larger))
    total = b(Add, larger, b(Softplus, distance))
    positive = b(Compare, x, zero, predicate="gt")
    return b(Select, same, b(Select, positive, infinity, b(Neg, infinity)), total)


def logsumexp(b: TensorBuilder, x: Value, axes: Sequence[int]) -> Value:
    """Return log(sum(exp(x))) along axes; -inf with slope 0 where all are -inf."""
    # What is taken off is added again, so that it has no part in the slope.
    largest = b(StopGradient, b.reduce(Max, x, axes))
    # Infinities less infinities would be NaN.
    largest = b(Select, b(IsFinite, largest), largest, b.zeros_like(largest))
    total = b.sum(b(Exp, b(Sub, x, spread(b, largest, x, axes))), axes)
    nothing = b(Compare, total, b.zeros_like(total), predicate="eq")
    log = b(Log, b(Select, nothing, b.full_like(total, 1), total))
    return b(Select, nothing, b.full_like(total, -math.inf), b(Add, log, largest))


def shifted(
    b: TensorBuilder, x: Value, axis: int, first: float, reverse: bool = False
) -> Value:
    """Return the element before each along an axis, a number before the first one.

    In reverse it is the element behind, and a number behind the last one.
    """
    shape = tensor_type(x).shape
    edge = b.full(put_back(shape, [axis]), first, tensor_type(x).element)
    parts = (x, edge) if reverse else (edge, x)
    starts = [int(reverse and i == axis) for i in range(len(shape))]
    return b.slice(b(Concatenate, *parts, axis=axis), starts, shape, [1] * len(shape))


def logcumsumexp(b: TensorBuilder, x: Value, axis: int) -> Value:
    """Return log(exp(x[0]) + … + exp(x[i])) along an axis; infinities have slope 0.

    The largest so far is taken off; where it grows, what there is shrinks by as much.
    """
    largest = b(StopGradient, b(CumMax, x, axis=axis))
    before = shifted(b, largest, axis, -math.inf)
    factor = b(Exp, _distance(b, before, largest))
    power = b(Exp, _distance(b, x, largest))
    total = b(Recurrence, factor, power, axis=axis, reverse=False)
    return b(Add, largest, b(Log, total))


def _distance(b: TensorBuilder, x: Value, y: Value) -> Value:
    """Return x - y, and 0 for two equal infinities."""
    equal = b(Compare, x, y, predicate="eq")
    same = b(And, equal, b(Not, b(IsFinite, y)))
    return b(Select, same, b.zeros_like(x), b(Sub, x, y))


def in_range(
    b: TensorBuilder, x: Value, axes: Sequence[int]
) -> tuple[Value, Value | None]:
    """Return x by a power of two, so that squares can be summed, and its inverse.

    Where plain squares do no harm the power is 1: not a bit changes.
    """
    largest = b.reduce(Max, b(Abs, x), axes)
    scale = inverse = b.full_like(largest, 1)
    for predicate, bound, power in BANDS[tensor_type(x).element.name]:
        limit = b.full_like(largest, 2.0**bound)
        applies = b(Compare, largest, limit, predicate=predicate)
        scale = b(Select, applies, b.full_like(largest, 2.0**power), scale)
        inverse = b(Select, applies, b.full_like(largest, 2.0**-power), inverse)
    return b(Mul, x, spread(b, scale, x, axes)), inverse


def root_of_squares(
    b: TensorBuilder, x: Value, axes: Sequence[int], count: Value | None = None
) -> Value:
    """Return sqrt(sum(x^2)), or of the sum by a count; its slope at 0 is 0."""
    shape = tensor_type(x).shape
    empty = any(shape[axis] == 0 for axis in axes)
    scaled, inverse = (x, None) if empty else in_range(b, x, axes)
    total = b.sum(b(Mul, scaled, scaled), axes)
    if count is not None:
        total = b(Div, total, b.everywhere(count, tensor_type(total).shape))
    zero = b.zeros_like(total)
    nothing = b(Compare, total, zero, predicate="eq")
    root = b(Sqrt, b(Select, nothing, b.full_like(total, 1), total))
    return b(Select, nothing, zero, root if inverse is None else b(Mul, root, inverse))


def put_back(shape: Sequence[Dim], axes: Sequence[int]) -> tuple[Dim, ...]:
    """Return a shape with size 1 in place of the axes: NumPy's keepdims."""
    return tuple(1 if i in axes else d for i, d in enumerate(shape))


def along_one_axis(
    b: TensorBuilder,
    values: Sequence[Value],
    axes: Sequence[int],
    make: Callable[[Sequence[Value], int], Value],
) -> Value:
    """Return what is made along the axis that ascending axes of values are joined to.

    The values have one shape, and what is made of them has it.
    """
    if len(axes) == 1:
        return make(values, axes[0])
    kept = kept_axes(tensor_type(values[0]).rank, axes)
    order = [*kept, *axes]
    ascending = sorted(order)
    if order != ascending:
        values = [b.transpose(v, order) for v in values]
    shape = tensor_type(values[0]).shape
    last: Dim = 1
    for size in shape[len(kept) :]:
        last = last * size
    joined = [b.reshape(v, (*shape[: len(kept)], last)) for v in values]
    made = b.reshape(make(joined, len(kept)), shape)
    back = [order.index(axis) for axis in ascending]
    return made if order == ascending else b.transpose(made, back)


def softmax(b: TensorBuilder, given: Sequence[Value], axes: Sequence[int]) -> Value:
    """Return the softmax of a value along axes; behind it may stand a mask."""
    return along_one_axis(b, given, axes, lambda v, axis: b(Softmax, *v, axis=axis))


def log_softmax(b: TensorBuilder, x: Value, mask: Sequence[Value], axis: int) -> Value:
    """Return the logarithm of a softmax: -inf, with slope 0, where a mask is false."""
    lowest = b.full_like(x, -math.inf) if mask else x
    for counts in mask:
        x = b(Select, counts, x, lowest)
    log = b(LogSoftmax, x, axis=axis)
    for counts in mask:
        log = b(Select, counts, log, lowest)
    return log


def log1mexp(b: TensorBuilder, x: Value) -> Value:
    """Return log(1 - exp(x)) for x up to 0, accurate at both ends."""
    near = b(Compare, x, b.full_like(x, -math.log(2)), predicate="gt")
    minus_one = b.full_like(x, -1)
    # Each form is given what does it no harm where the other one is taken. They are not
    # spelled by `neg`: this is what `stabilize` replaces.
    small = b(Log, b(Mul, b(Expm1, b(Select, near, x, minus_one)), minus_one))
    large = b(Log1p, b(Mul, b(Exp, b(Select, near, minus_one, x)), minus_one))
    return b(Select, near, small, large)


def log_of_others(b: TensorBuilder, x: Value, axis: int) -> Value:
    """Return log(1 - softmax(x)) along an axis, as accurate as a logarithm is.

    Up to one half a share is taken from 1 as it is. Only the largest element has more,
    and what the others have is summed without it.
    """
    log = b(LogSoftmax, x, axis=axis)
    index = spread(b, b.reduce(ArgMax, x, axis), x, [axis])
    own = b(Compare, b.iota(tensor_type(x).shape, axis, I64), index, predicate="eq")
    others = b(Select, own, b.full_like(x, -math.inf), log)
    rest = spread(b, logsumexp(b, others, [axis]), x, [axis])
    share = b(Softmax, x, axis=axis)
    large = b(Compare, share, b.full_like(x, 0.5), predicate="gt")
    small = b(Log1p, b(Neg, b(Select, large, b.zeros_like(share), share)))
    return b(Select, large, rest, small)
