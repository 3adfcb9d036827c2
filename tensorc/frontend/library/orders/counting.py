"""Bins and counts: in which bin values stand, and how many stand in each."""

from math import inf

from tensorc.frontend.library.elementwise import as_float, elementwise, select
from tensorc.frontend.library.making import linspace
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    TensorOperand,
    cast,
    common_element,
    number,
    number_error,
    size_error,
    spell_shape,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.orders.searching import searchsorted
from tensorc.frontend.library.orders.sorting import diff
from tensorc.frontend.library.reductions import any_, flatten_all, max_, min_, sum_
from tensorc.frontend.library.shapes import flip
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, minimum
from tensorc.ir.ops.tensor.indexing import ADD
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I1, I8, I64

DEFAULT_BINS = 10


def digitize(b: Emitter, x: Operand, bins: Operand, right: bool = False) -> Operand:
    """Return in which bin each value is: i where bins[i-1] <= x < bins[i].

    With `right` bins[i-1] < x <= bins[i]. Where bins descend, bins[i-1] > x >= bins[i],
    with `right` bins[i-1] >= x > bins[i].
    """
    edges = strong(b, bins)
    if edges.type.rank != 1:
        shape = spell_shape(b.shape(edges))
        raise size_error(b, f"digitize takes a vector of bins, got {shape}")
    side = "left" if right else "right"
    up = searchsorted(b, edges, x, side)
    extent = b.shape(edges)[0]
    if extent in (0, 1):
        return up
    turned = flip(b, edges)
    count = searchsorted(b, turned, x, side)
    down = elementwise(b, "sub", [number(extent), count])
    some = minimum(extent, 1)  # a vector of unknown size may be empty
    first, last = _some(b, edges, 0, some), _some(b, edges, extent - some, some)
    falls = elementwise(b, "gt", [first, last])
    return select(b, any_(b, falls), down, up)


def _end(b: Emitter, x: TensorOperand, place: int) -> TensorOperand:
    """Return the first (0) or the last (-1) element of a vector."""
    start: Dim = 0 if place == 0 else b.shape(x)[0] - 1
    end = _some(b, x, start, 1)
    return TensorOperand(TensorBuilder(b.builder).reshape(end.value, ()))


def _some(b: Emitter, x: TensorOperand, start: Dim, count: Dim) -> TensorOperand:
    """Return `count` elements of a vector, from `start` on."""
    return TensorOperand(TensorBuilder(b.builder).slice(x.value, [start], [count], [1]))


def bincount(
    b: Emitter,
    x: Operand,
    weights: Operand | None = None,
    minlength: Dim | None = None,
) -> Operand:
    """Count how often each of the integers 0, 1, …, minlength - 1 stands in a vector.

    With weights these are added up. A value that is not below `minlength` is an index
    error: the size of a result does not depend on values.
    """
    tensor = strong(b, x)
    if tensor.type.rank != 1:
        message = f"bincount counts in a vector, got {spell_shape(b.shape(tensor))}"
        raise size_error(b, message, "flatten it: reshape(x, (-1,))")
    if tensor.type.element.is_float:
        message = f"bincount counts integers, got {spell_type(tensor.type)}"
        raise type_error(b, message, "cast it: `int(x)`")
    if minlength is None:
        message = "bincount needs `minlength`: no size depends on values"
        raise size_error(b, message, "give one more than the largest value")
    if isinstance(minlength, int) and minlength < 1:
        raise size_error(b, f"bincount: `minlength` is at least 1, got {minlength}")
    value = cast(b, tensor.value, I8) if tensor.type.element == I1 else tensor.value
    t = TensorBuilder(b.builder)
    index = t.check_index(value, 0, minlength, from_end=False)
    if weights is None:
        added = t.full(b.shape(tensor), 1, I64)
    else:
        given = as_float(b, weights)
        shapes = b.shape(tensor), b.shape(given)
        if len(shapes[1]) != 1 or not b.unify(shapes[0][0], shapes[1][0]):
            words = " and ".join(map(spell_shape, shapes))
            raise size_error(b, f"bincount: values and weights of shapes {words}")
        added = given.value
    return TensorOperand(_added_up(t, added, index, minlength))


def _added_up(t: TensorBuilder, added: Value, index: Value, size: Dim) -> Value:
    """Return sums of values by their indices below a size."""
    zeros = t.full((size,), 0, tensor_type(added).element)
    return t.scatter(zeros, added, [index], (0,), ADD)


def histogram(
    b: Emitter,
    x: Operand,
    bins: Operand | None = None,
    range: tuple[Operand, Operand] | None = None,  # NumPy's name
    density: bool = False,
) -> tuple[Operand, Operand]:
    """Return how many elements stand in each bin, and the edges of the bins.

    `bins` is a number of them, which share `range` (else from the smallest element to
    the largest) equally, or ascending edges. What is at the last edge is in the last
    bin; NaN, and what is outside, is in none. A density adds up to 1 by the widths.
    """
    tensor = flatten_all(b, strong(b, x))
    if tensor.type.element == I1:
        tensor = TensorOperand(cast(b, tensor.value, I8))
    edges = _edges(b, tensor, number(DEFAULT_BINS) if bins is None else bins, range)
    last = b.shape(edges)[0] - 1
    at = elementwise(b, "sub", [searchsorted(b, edges, tensor, "right"), number(1)])
    highest, lowest = _end(b, edges, -1), _end(b, edges, 0)
    is_last = elementwise(b, "eq", [tensor, highest])
    at = select(b, is_last, number(last - 1), at)
    ends = [
        elementwise(b, name, [tensor, end])
        for name, end in (("ge", lowest), ("le", highest))
    ]
    inside = strong(b, elementwise(b, "and", ends))
    index = strong(b, select(b, inside, at, number(0))).value
    t = TensorBuilder(b.builder)
    made = TensorOperand(_added_up(t, t.cast(inside.value, I64), index, last))
    if not density:
        return made, edges
    area = elementwise(b, "mul", [diff(b, edges), sum_(b, made)])
    return elementwise(b, "div", [made, area]), edges


def _edges(
    b: Emitter,
    x: TensorOperand,
    bins: Operand,
    range: tuple[Operand, Operand] | None,
) -> TensorOperand:
    """Return the edges of bins."""
    if not isinstance(bins, Scalar):
        edges = strong(b, bins)
        if edges.type.rank != 1:
            message = f"histogram takes a vector of edges, got {spell_type(edges.type)}"
            raise size_error(b, message)
        return edges
    count = bins.number
    if isinstance(count, bool | float) or count is None:
        raise number_error(b, "histogram takes a whole number of bins, or their edges")
    if isinstance(count, int) and count < 1:
        raise number_error(b, f"histogram has at least 1 bin, got {count}")
    low, high = range or (min_(b, x), max_(b, x))
    known = [v.number for v in (low, high) if isinstance(v, Scalar)]
    numbers = [v for v in known if isinstance(v, int | float)]
    fits = len(numbers) < 2 or -inf < numbers[0] <= numbers[1] < inf
    if not fits or (numbers[1:] and not numbers[0] - 0.5 < numbers[1] + 0.5):
        raise number_error(b, f"the range {numbers[0]} to {numbers[1]} is none")
    alone = elementwise(b, "eq", [low, high])
    half = select(b, alone, number(0.5), number(0.0))
    start = elementwise(b, "sub", [low, half])
    stop = elementwise(b, "add", [high, half])
    edges = strong(b, linspace(b, start, stop, count + 1))
    element = common_element(b, [x, low, high])
    if not element.is_float:
        return edges
    return TensorOperand(cast(b, edges.value, element))
