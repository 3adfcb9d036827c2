"""Diagonals, grids and turns of matrices, and products that name no shared axis.

Options besides sizes are known while compiling; sizes need not be. The names, arguments
and result types are NumPy's.
"""

from collections.abc import Sequence

from tensorc.frontend.library.advanced_indexing import take
from tensorc.frontend.library.algebra.products import matmul
from tensorc.frontend.library.elementwise import elementwise, select
from tensorc.frontend.library.indexing import At, SlicePart
from tensorc.frontend.library.joining import concatenate, stack
from tensorc.frontend.library.making import compare_indices
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    broadcast,
    cast,
    common_shape,
    number,
    pinned,
    promote,
    require_sizes,
    size_error,
    spell_type,
    strong,
)
from tensorc.frontend.library.reductions import (
    cumprod,
    flatten_all,
    normal_axes,
    ordered_axes,
    sum_,
)
from tensorc.frontend.library.shapes import (
    broadcast_to,
    flip,
    moveaxis,
    reshape,
    swapaxes,
)
from tensorc.ir.dims import Dim, maximum, minimum
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I64

# Diagonals


def diagonal(
    b: Emitter, x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Operand:
    """Return a diagonal of each matrix of two axes, as the last axis of the result."""
    tensor = _last_two(b, x, axis1, axis2, "diagonal")
    *batch, rows, columns = b.shape(tensor)
    down, right = max(-offset, 0), max(offset, 0)
    length = maximum(0, minimum(rows - down, columns - right))
    index = [_counted(b, length, first).value for first in (down, right)]
    axes = (len(batch), len(batch) + 1)
    return TensorOperand(TensorBuilder(b.builder).gather(tensor.value, index, axes))


def _last_two(
    b: Emitter, x: Operand, axis1: int, axis2: int, what: str
) -> TensorOperand:
    """Return a tensor whose last two axes are the given ones."""
    tensor = strong(b, x)
    if tensor.type.rank < 2:
        message = f"{what} takes a matrix, got {spell_type(tensor.type)}"
        raise size_error(b, message)
    axes = ordered_axes(b, (axis1, axis2), tensor.type.rank)
    return strong(b, moveaxis(b, tensor, axes, (-2, -1)))


def _counted(b: Emitter, length: Dim, first: int) -> TensorOperand:
    count = TensorOperand(TensorBuilder(b.builder).iota((length,), 0, I64))
    return strong(b, elementwise(b, "add", [count, number(first)])) if first else count


def diag(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return a matrix with a vector on its k-th diagonal, or that diagonal of one."""
    tensor = strong(b, x)
    if tensor.type.rank == 2:
        return diagonal(b, tensor, k)
    if tensor.type.rank != 1:
        message = f"diag takes a vector or a matrix, got {spell_type(tensor.type)}"
        raise size_error(b, message, "diagonal(x, axis1=-2, axis2=-1) takes stacks")
    (length,) = b.shape(tensor)
    size = length + abs(k)
    zeros = TensorOperand(
        TensorBuilder(b.builder).full((abs(k),), 0, tensor.type.element)
    )
    # Below the first diagonal a row has its element, above it a column.
    line = strong(b, concatenate(b, [zeros, tensor])) if k else tensor
    side = (size, 1) if k < 0 else (1, size)
    on = TensorOperand(compare_indices(b, (size, size), k, "eq"))
    return select(b, on, reshape(b, line, side), number(False))


def diagflat(b: Emitter, x: Operand, k: int = 0) -> Operand:
    """Return a matrix with all elements on its k-th diagonal."""
    return diag(b, flatten_all(b, strong(b, x)), k)


def trace(
    b: Emitter, x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Operand:
    """Return the sum of a diagonal of each matrix of two axes."""
    return sum_(b, diagonal(b, x, offset, axis1, axis2), -1)


# Products


def kron(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply each element of x with all of y: Kronecker's product, in blocks."""
    pair = [strong(b, x), strong(b, y)]
    rank = max(t.type.rank for t in pair)
    left, right = ((*[1] * (rank - t.type.rank), *b.shape(t)) for t in pair)
    outer = reshape(b, pair[0], [d for m in left for d in (m, 1)])
    inner = reshape(b, pair[1], [d for n in right for d in (1, n)])
    product = elementwise(b, "mul", [outer, inner])
    return reshape(b, product, [m * n for m, n in zip(left, right, strict=True)])


def cross(b: Emitter, x: Operand, y: Operand, axis: int = -1) -> Operand:
    """Return the vector product along an axis of size 3."""
    pair = [_vectors(b, o, axis) for o in (x, y)]
    shape = common_shape(b, [b.shape(t) for t in pair], "cross")
    left, right = ([_component(b, t, i) for i in range(3)] for t in pair)
    parts = [_minor(b, left, right, i) for i in range(3)]
    made = stack(b, parts, -1)
    return moveaxis(b, made, -1, axis) if len(shape) > 1 else made


def _vectors(b: Emitter, x: Operand, axis: int) -> TensorOperand:
    """Return a tensor with its vectors along the last axis."""
    tensor = strong(b, x)
    index = normal_axes(b, axis, tensor.type.rank)[0]
    size = b.shape(tensor)[index]
    if not b.unify(size, 3):
        message = f"cross takes vectors of size 3, axis {index} has size {size}"
        raise size_error(b, message, "in the plane: x[0] * y[1] - x[1] * y[0]")
    shape = [3 if i == index else d for i, d in enumerate(b.shape(tensor))]
    tensor = pinned(b, tensor, tuple(shape))
    return strong(b, moveaxis(b, tensor, index, -1))


def _component(b: Emitter, x: TensorOperand, i: int) -> TensorOperand:
    whole = [SlicePart()] * (x.type.rank - 1)
    return take(b, x, [*whole, At(i)])


def _minor(
    b: Emitter, x: Sequence[TensorOperand], y: Sequence[TensorOperand], i: int
) -> Operand:
    j, k = (i + 1) % 3, (i + 2) % 3
    first, second = (elementwise(b, "mul", [x[m], y[n]]) for m, n in ((j, k), (k, j)))
    return elementwise(b, "sub", [first, second])


def matrix_power(b: Emitter, x: Operand, n: int) -> Operand:
    """Multiply a square matrix n times with itself, by squares; n = 0 is the identity.

    The products are those of the bits of n from the lowest: NumPy's order.
    """
    tensor = _last_two(b, x, -2, -1, "matrix_power")
    *batch, rows, columns = b.shape(tensor)
    if not b.unify(rows, columns):
        message = f"matrix_power takes square matrices, got {spell_type(tensor.type)}"
        raise size_error(b, message)
    tensor = pinned(b, tensor, (*batch, rows, rows))
    if n < 0:
        message = f"matrix_power: the exponent {n} is negative"
        raise size_error(b, message, "inverses of matrices are not compiled")
    if n == 0:
        on = compare_indices(b, (rows, rows), 0, "eq")
        one = cast(b, on, tensor.type.element)
        return TensorOperand(broadcast(b, one, (*batch, rows, rows)))
    square, result = tensor, None
    while n:
        if n & 1:
            result = square if result is None else strong(b, matmul(b, result, square))
        n >>= 1
        square = strong(b, matmul(b, square, square)) if n else square
    assert result is not None
    return result


# Grids and turns


def vander(
    b: Emitter, x: Operand, n: Dim | None = None, increasing: bool = False
) -> Operand:
    """Return the powers of a vector in columns, from the highest unless increasing.

    There are as many columns as elements unless `n` says how many. Each power is the
    one below times x. The type is that of x with 64-bit integers, as in NumPy.
    """
    tensor = strong(b, x)
    if tensor.type.rank != 1:
        raise size_error(b, f"vander takes a vector, got {spell_type(tensor.type)}")
    element = promote([tensor.type.element, I64], b.default_float)
    tensor = TensorOperand(cast(b, tensor.value, element))
    (length,) = b.shape(tensor)
    columns = length if n is None else n
    require_sizes(b, (columns,))
    first = TensorBuilder(b.builder).iota((1, columns), 1, I64)
    is_first = elementwise(b, "eq", [TensorOperand(first), number(0)])
    factors = select(b, is_first, number(True), reshape(b, tensor, (length, 1)))
    powers = cumprod(b, factors, 1)
    return powers if increasing else flip(b, powers, 1)


def meshgrid(
    b: Emitter, arrays: Sequence[Operand], indexing: str = "xy", sparse: bool = False
) -> tuple[Operand, ...]:
    """Return each vector repeated along the others: all points of a grid.

    By "xy" the first vector goes along the columns, by "ij" along the rows; `sparse`
    results have size 1 where they are alike.
    """
    vectors = [flatten_all(b, strong(b, a)) for a in arrays]
    sizes = [b.shape(v)[0] for v in vectors]
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        axes[:2] = (1, 0)
    shape = [sizes[a] for a in axes]
    results: list[Operand] = []
    for vector, axis, size in zip(vectors, axes, sizes, strict=True):
        own = [size if i == axis else 1 for i in range(len(axes))]
        line = reshape(b, vector, own)
        results.append(line if sparse else broadcast_to(b, line, shape))
    return tuple(results)


def rot90(b: Emitter, x: Operand, k: int = 1, axes: Sequence[int] = (0, 1)) -> Operand:
    """Turn by k quarters in the plane of two axes, from the first to the second."""
    tensor = strong(b, x)
    if isinstance(axes, int) or len(axes) != 2:
        raise size_error(b, f"rot90 turns in the plane of two axes, got {axes}")
    first, second = ordered_axes(b, axes, tensor.type.rank)
    if k % 4 == 0:
        return tensor
    if k % 4 == 2:
        return flip(b, tensor, (first, second))
    if k % 4 == 1:
        return swapaxes(b, flip(b, tensor, second), first, second)
    return flip(b, swapaxes(b, tensor, first, second), second)
