"""Functions that make tensors, and that keep triangles of them, for all doors."""

import numpy as np

from tensorc.frontend.library.elementwise import elementwise, select
from tensorc.frontend.library.operands import (
    Emitter,
    Literal,
    Operand,
    Scalar,
    Shape,
    TensorOperand,
    broadcast,
    cast,
    common_element,
    constant,
    materialize,
    number,
    pinned,
    require_sizes,
    size_error,
    size_value,
    spell_shape,
    spell_type,
    spreads,
    strong,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv, maximum
from tensorc.ir.ops.tensor.elementwise import Add, Compare
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I64

_TEN = number(10.0)


def range_(
    b: Emitter, start: Dim, stop: Dim | None = None, step: int | None = None
) -> Operand:
    """Count: numpy's arange, of integers."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if step == 0:
        raise size_error(b, "the step is 0")
    start, stop = b.resolve((start, stop))
    span = stop - start if step > 0 else start - stop
    length = maximum(0, ceildiv(span, abs(step)))
    result: Operand = TensorOperand(TensorBuilder(b.builder).iota((length,), 0, I64))
    if step != 1:
        result = elementwise(b, "mul", [result, number(step)])
    if start != 0:
        first = TensorOperand(size_value(b, start))
        result = elementwise(b, "add", [result, first])
    return result


def tri(b: Emitter, n: Dim, m: Dim | None = None, k: int = 0) -> Operand:
    """Return ones on and below the k-th diagonal of an n x m matrix, zeros above."""
    below = compare_indices(b, (n, n if m is None else m), k, "ge")
    return TensorOperand(cast(b, below, b.default_float))


def eye(b: Emitter, n: Dim, m: Dim | None = None, k: int = 0) -> Operand:
    """Return ones on the k-th diagonal of an n x m matrix, zeros elsewhere."""
    equal = compare_indices(b, (n, n if m is None else m), k, "eq")
    return TensorOperand(cast(b, equal, b.default_float))


def tril(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return x on and below the k-th diagonal, 0 above."""
    tensor = _matrix(b, x, "tril")
    below = compare_indices(b, b.shape(tensor), k, "ge")
    return select(b, TensorOperand(below), tensor, number(False))


def triu(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return x on and above the k-th diagonal, 0 below."""
    tensor = _matrix(b, x, "triu")
    below = compare_indices(b, b.shape(tensor), k - 1, "ge")
    return select(b, TensorOperand(below), number(False), tensor)


def _matrix(b: Emitter, x: Operand, what: str) -> TensorOperand:
    tensor = strong(b, x)
    if tensor.type.rank < 2:
        message = f"{what} takes a matrix, got {spell_type(tensor.type)}"
        raise size_error(b, message)
    return tensor


def compare_indices(b: Emitter, shape: Shape, k: int, predicate: str) -> Value:
    """Compare row + k with the column, in the last two axes of a shape."""
    require_sizes(b, shape)
    t = TensorBuilder(b.builder)
    rank = len(shape)
    row, column = t.iota(shape, rank - 2, I64), t.iota(shape, rank - 1, I64)
    if k:
        row = t(Add, row, broadcast(b, constant(b, k, I64), shape))
    return t(Compare, row, column, predicate=predicate)


def linspace(b: Emitter, start: Operand, stop: Operand, num: Dim = 50) -> Operand:
    """Return `num` numbers from start to stop, both included, at equal distances."""
    if isinstance(num, int) and num < 0:
        raise size_error(b, f"linspace: the number of elements is negative: {num}")
    element = common_element(b, [start, stop])
    typed = any(isinstance(o, TensorOperand) and not o.weak for o in (start, stop))
    if not element.is_float or not typed:
        element = b.default_float
    ends = (start, stop)
    plain = [o.number for o in ends if isinstance(o, Scalar) and o.source is None]
    known = [float(k) for k in plain if isinstance(k, int | float)]
    if len(known) == 2 and isinstance(num, int):
        line = np.linspace(known[0], known[1], num)
        return TensorOperand(materialize(b, Literal(line), element))
    first, last = (TensorOperand(materialize(b, o, element)) for o in ends)
    t = TensorBuilder(b.builder)
    counts = TensorOperand(t.iota((num,), 0, I64))
    step_numbers = TensorOperand(cast(b, counts.value, element))
    width = elementwise(b, "sub", [last, first])
    step = elementwise(b, "div", [width, number(maximum(num - 1, 1))])
    inside = elementwise(b, "add", [elementwise(b, "mul", [step_numbers, step]), first])
    at_end = elementwise(
        b, "eq", [counts, TensorOperand(size_value(b, maximum(num - 1, 1)))]
    )
    return select(b, at_end, last, inside)


def logspace(
    b: Emitter, start: Operand, stop: Operand, num: Dim = 50, base: Operand = _TEN
) -> Operand:
    """Return powers of a base: the exponents are `linspace` of start and stop."""
    return elementwise(b, "pow", [base, linspace(b, start, stop, num)])


def zeros_like(b: Emitter, x: Operand) -> Operand:
    """Return zeros with the shape and type of a tensor."""
    return full_like(b, x, number(0))


def ones_like(b: Emitter, x: Operand) -> Operand:
    """Return ones with the shape and type of a tensor."""
    return full_like(b, x, number(1))


def full_like(b: Emitter, x: Operand, value: Operand) -> Operand:
    """Return one number, or a tensor that is repeated, with x's shape and type."""
    tensor = strong(b, x)
    single = materialize(b, value, tensor.type.element)
    shape, own = b.shape(tensor), b.shape(TensorOperand(single))
    pairs = zip(own[::-1], shape[::-1], strict=False)
    if len(own) > len(shape) or not all(
        spreads(b, o, d) or b.unify(o, d) for o, d in pairs
    ):
        message = f"full_like: {spell_shape(own)} does not fill {spell_shape(shape)}"
        raise size_error(b, message)
    last = shape[len(shape) - len(own) :]
    wanted = [1 if spreads(b, o, w) else w for o, w in zip(own, last, strict=True)]
    return TensorOperand(
        broadcast(b, pinned(b, TensorOperand(single), tuple(wanted)).value, shape)
    )
