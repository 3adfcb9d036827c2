"""Products of vectors, matrices and tensors, for all doors.

A contraction names the axes of its operands by labels. Those that both operands have
and the result has not are summed over, by one `tc.matmul` on axes put together.
"""

from collections.abc import Sequence

from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    broadcast,
    cast,
    common_element,
    common_shape,
    materialize,
    pinned,
    size_error,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.reductions import (
    flatten_all,
    ordered_axes,
    sum_,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, product_of
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1

Labels = Sequence[str]


def matmul(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply matrices, stacks of them and vectors, as numpy's `@`."""
    pair = [strong(b, x), strong(b, y)]
    _check_matmul(b, pair[0], pair[1])
    element = common_element(b, pair)
    if element == I1:
        raise type_error(b, "`@` is not defined on booleans", "cast: `float(a)`")
    t = TensorBuilder(b.builder)
    lhs, rhs = (materialize(b, o, element) for o in pair)
    left, right = b.shape(TensorOperand(lhs)), b.shape(TensorOperand(rhs))
    vector_left, vector_right = len(left) == 1, len(right) == 1
    if vector_left:
        left = (1, *left)
        lhs = t.reshape(lhs, left)
    if vector_right:
        right = (*right, 1)
        rhs = t.reshape(rhs, right)
    batch = common_shape(b, [left[:-2], right[:-2]], "`@`")
    lhs = broadcast(b, lhs, (*batch, *left[-2:]))
    rhs = broadcast(b, rhs, (*batch, *right[-2:]))
    result = t.matmul(lhs, rhs)
    rows: Shape = () if vector_left else (left[-2],)
    columns: Shape = () if vector_right else (right[-1],)
    if vector_left or vector_right:
        result = t.reshape(result, b.resolve((*batch, *rows, *columns)))
    return TensorOperand(result)


def _check_matmul(b: Emitter, x: TensorOperand, y: TensorOperand) -> None:
    left, right = b.shape(x), b.shape(y)
    if not left or not right:
        raise size_error(b, "`@` needs vectors or matrices, got a scalar", "write `*`")
    inner = right[-2] if len(right) > 1 else right[0]
    if not b.unify(left[-1], inner):
        message = f"matmul: inner dimensions differ: {left[-1]} and {inner}"
        raise size_error(b, message)


def inner(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Sum the products of all elements of two tensors of one shape: a scalar."""
    pair = [strong(b, x), strong(b, y)]
    left, right = (b.shape(t) for t in pair)
    sizes = zip(left, right, strict=False)
    if len(left) != len(right) or not all(b.unify(m, n) for m, n in sizes):
        types = " and ".join([spell_type(t.type) for t in pair])
        raise size_error(b, f"{types} have other shapes")
    return tensordot(b, pair[0], pair[1], len(left))


def outer(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply each element of x with each of y: a matrix, of the flat tensors."""
    left, right = (flatten_all(b, strong(b, o)) for o in (x, y))
    column = TensorBuilder(b.builder).reshape(left.value, (*b.shape(left), 1))
    return elementwise(b, "mul", [TensorOperand(column), right])


def tensordot(
    b: Emitter,
    x: Operand,
    y: Operand,
    axes: int | Sequence[int | Sequence[int]] = 2,
) -> Operand:
    """Sum products over axes: the last `axes` of x and the first of y, or pairs.

    `axes` is a count, or (axes of x, axes of y); the result has x's other axes, then
    y's.
    """
    pair = [strong(b, x), strong(b, y)]
    ranks = [t.type.rank for t in pair]
    if isinstance(axes, int):
        if not 0 <= axes <= min(ranks):
            message = f"tensordot over {axes} axes of ranks {ranks[0]} and {ranks[1]}"
            raise size_error(b, message)
        given = [list(range(ranks[0] - axes, ranks[0])), list(range(axes))]
    else:
        given = [[a] if isinstance(a, int) else list(a) for a in axes]
    if len(given) != 2 or len(given[0]) != len(given[1]):
        message = "tensordot: axes is a count, or as many axes of x as of y"
        raise size_error(b, f"{message}, got {axes}")
    labels = [[f"x{i}" for i in range(ranks[0])], [f"y{i}" for i in range(ranks[1])]]
    for side, rank in enumerate(ranks):
        for number, axis in enumerate(ordered_axes(b, given[side], rank)):
            labels[side][axis] = f"s{number}"
    kept = [n for side in labels for n in side if not n.startswith("s")]
    return contract(b, "tensordot", pair, labels, kept)


def dot(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply vectors and matrices; numpy's dot: a number multiplies all elements.

    A tensor of rank 3 or more on the right is summed over its last axis but one, for
    each matrix of the left: not as by `@`, which pairs the matrices.
    """
    pair = [strong(b, x), strong(b, y)]
    left, right = (t.type.rank for t in pair)
    if not left or not right:
        return elementwise(b, "mul", [x, y])
    if left == 1 or right < 3:
        return matmul(b, x, y)
    axes = ((left - 1,), (right - 2,))
    return tensordot(b, pair[0], pair[1], axes)


def contract(
    b: Emitter,
    what: str,
    tensors: Sequence[TensorOperand],
    labels: Sequence[Labels],
    result: Labels,
) -> Operand:
    """Sum the product of one or two tensors over the labels that are not kept.

    A label stands once in a tensor; `what` is how messages name the call.
    """
    sizes = _sizes(b, what, tensors, labels)
    if what.startswith("einsum"):  # equal products of sizes may hide unequal ones
        tensors = [pinned(b, t, b.shape(t)) for t in tensors]
    element = common_element(b, tensors)
    if element == I1:
        message = f"{what} is not defined on booleans"
        raise type_error(b, message, "cast: `float(a)`")
    values = [
        pinned(
            b,
            TensorOperand(materialize(b, t, element)),
            tuple([sizes[n] for n in side]),
        )
        for t, side in zip(tensors, labels, strict=True)
    ]
    parts = [
        _summed(b, value, labels[i], _needed([*labels[:i], *labels[i + 1 :], result]))
        for i, value in enumerate(values)
    ]
    if len(parts) == 1:
        value, order = parts[0]
        return TensorOperand(_ordered(b, value, order, result))
    (left, mine), (right, yours) = parts
    shared = [n for n in mine if n in yours]
    batch = [n for n in shared if n in result]
    summed = [n for n in shared if n not in result]
    rows = [n for n in mine if n not in shared]
    columns = [n for n in yours if n not in shared]
    t = TensorBuilder(b.builder)
    wide: list[Dim] = [sizes[n] for n in batch]
    inner, height, width = (
        product_of([sizes[n] for n in part]) for part in (summed, rows, columns)
    )
    lhs = _ordered(b, left, mine, [*batch, *rows, *summed])
    rhs = _ordered(b, right, yours, [*batch, *summed, *columns])
    lhs = t.reshape(lhs, b.resolve((*wide, height, inner)))
    rhs = t.reshape(rhs, b.resolve((*wide, inner, width)))
    order = [*batch, *rows, *columns]
    made = t.reshape(t.matmul(lhs, rhs), b.resolve(tuple([sizes[n] for n in order])))
    return TensorOperand(_ordered(b, TensorOperand(made), order, result))


def _needed(sides: Sequence[Labels]) -> list[str]:
    return [n for side in sides for n in side]


def _sizes(
    b: Emitter, what: str, tensors: Sequence[TensorOperand], labels: Sequence[Labels]
) -> dict[str, Dim]:
    sizes: dict[str, Dim] = {}
    for tensor, side in zip(tensors, labels, strict=True):
        for name, size in zip(side, b.shape(tensor), strict=True):
            known = sizes.setdefault(name, size)
            if not b.unify(known, size):
                names = " and ".join(spell_type(t.type) for t in tensors)
                message = f"{what}: {names}: sizes differ, {known} and {size}"
                raise size_error(b, message)
    return {n: b.resolve((d,))[0] for n, d in sizes.items()}


def _summed(
    b: Emitter, x: TensorOperand, labels: Labels, kept: Sequence[str]
) -> tuple[TensorOperand, Labels]:
    """Sum over the axes that nothing else needs."""
    axes = [i for i, n in enumerate(labels) if n not in kept]
    if not axes:
        return x, labels
    element = x.type.element
    total = strong(b, sum_(b, x, axes))
    rest = [n for n in labels if n in kept]
    return TensorOperand(cast(b, total.value, element)), rest


def _ordered(b: Emitter, x: TensorOperand, labels: Labels, wanted: Labels) -> Value:
    order = [list(labels).index(n) for n in wanted]
    if order == list(range(len(order))):
        return x.value
    return TensorBuilder(b.builder).transpose(x.value, order)
