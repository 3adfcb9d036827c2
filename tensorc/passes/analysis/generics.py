"""What the passes below TENSOR ask of a `linalg.generic`: its space and its reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import MapResult, terms_of
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.numerics import FMA_ORDER, OVERLAP_ORDER
from tensorc.ir.ops.memory.memory import Alloc, Load
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Empty, Extract, Fill, Generic, Index
from tensorc.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Read:
    """One operand as a generic reads it: its map's results; None where computed."""

    value: Value
    axes: tuple[MapResult, ...]


def is_contraction(op: Op) -> bool:
    """Return whether a generic is a contraction (its body is a multiply-add)."""
    return isinstance(op, Generic) and op.order == FMA_ORDER


def is_overlap(op: Op) -> bool:
    """Return whether a generic adds windows where they overlap."""
    return isinstance(op, Generic) and op.order == OVERLAP_ORDER


def right_factor(op: Generic) -> Value:
    """Return what the body of a contraction multiplies elements of its left side by.

    That is an element of its second operand, or is computed from elements of others.
    """
    last = op.body.block.terminator.operands[0].op
    product = last.operands[1].op if isinstance(last, arith.AddI) else last
    assert product is not None
    return product.operands[1]


def computes_right(op: Generic) -> bool:
    """Return whether a contraction computes its right side, which is no operand.

    What is read outside of an operand is a constant, so that this is no matrix, either.
    """
    return right_factor(op).op is not None or op.maps[1].outside is not None


_EXTRACTS = (Extract, Load)


def extracts(op: Generic) -> list[Op]:
    """Return the ops in the body that read at computed indices."""
    return [o for o in op.body.block.ops if isinstance(o, _EXTRACTS)]


def reads(op: Generic, only: Value | None = None) -> list[Read]:
    """Return everything that a generic reads, through maps and at computed indices.

    If a value is given, what it reads of that one.
    """
    found = []
    for number, (value, map_) in enumerate(zip(op.inputs, op.maps, strict=False)):
        if only in (None, value) and not is_shape_only(op, number):
            found.append(Read(value, map_.results))
    for extract in extracts(op):
        value = extract.operands[0]
        if only in (None, value):
            axes = tuple([_index_dim(v) for v in extract.operands[1:]])
            found.append(Read(value, axes))
    return found


def is_shape_only(op: Generic, number: int) -> bool:
    """Return whether an input is there for its extents alone: no element is read."""
    if not isinstance(op.operands[number].op, Empty | Alloc):
        return False
    element = op.body.block.arguments[number]
    return not any(element in inner.operands for inner in op.body.block.ops)


def lies_across(op: Generic, number: int, dim: int) -> bool:
    """Return whether an operand lies in memory along a dimension before the last one.

    Vectors along the last dimension would gather its elements, one from each row.
    """
    last, results = op.maps[0].dims - 1, op.maps[number].results
    if not results or dim == last:
        return False
    along = terms_of(results[-1]) == ((dim, 1),)
    dims = [d for r in results[:-1] for d, _ in terms_of(r)]
    return along and last in dims and dim not in dims


def continued(op: Generic) -> list[Value]:
    """Return the destinations that other generics wrote parts of."""
    return [v for v in op.outputs if not isinstance(v.op, Empty | Fill)]


def origin(value: Value) -> Value:
    """Return what generics wrote first of a value, part by part: its memory is one.

    That is the result of the first, or what it continues: an argument of the block.
    """
    while isinstance(value.op, Generic):
        target = value.op.outputs[value.index]
        if isinstance(target.op, Empty | Fill):
            return value
        value = target
    return value


def _index_dim(value: Value) -> int | None:
    return value.op.dim if isinstance(value.op, Index) else None


def output_dims(op: Generic) -> list[int]:
    """Return the iteration dimensions that are not reduced, in order."""
    return [d for d in range(op.maps[0].dims) if d not in op.reductions]


def space(op: Generic, shapes: Sequence[Sequence[Dim]]) -> list[Dim]:
    """Return the extent of each iteration dimension from the operands' shapes."""
    extents: list[Dim] = [0] * op.maps[0].dims
    for map_, shape in zip(op.maps, shapes, strict=True):
        for dim, extent in zip(map_.results, shape, strict=True):
            if isinstance(dim, int):
                extents[dim] = extent
    return extents


def tensor_of(value: Value) -> TensorType:
    """Return the tensor type of a value."""
    assert isinstance(value.type, TensorType)
    return value.type


def tensor_space(op: Generic) -> list[Dim]:
    """Return the extent of each iteration dimension of a generic on tensors."""
    shapes = [v.type.shape for v in op.operands if isinstance(v.type, TensorType)]
    return space(op, shapes)


@dataclass(frozen=True, slots=True)
class Roles:
    """The dimensions of a contraction: that of its rows, of its columns, of its terms.

    Several dimensions of columns, or of terms, are walked as one, row-major. What is
    before the rows is the batch.
    """

    row: int
    columns: tuple[int, ...]
    terms: tuple[int, ...]


def roles(op: Generic) -> Roles:
    """Return what the dimensions of a contraction are.

    Columns are the last dimension, and those before it that its right side, operand 1,
    has and its left side lacks. Of windows of one element neither side has a dimension:
    those lie among the columns where there are others before them.
    """
    kept = output_dims(op)
    first = at = len(kept) - 1
    left, right = (_dims_of(op.maps[number].results) for number in (0, 1))
    while at > 1 and kept[at - 1] not in left:
        at -= 1
        if kept[at] in right:
            first = at
        elif len(op.reductions) == 1:
            break
    return Roles(kept[first - 1], tuple(kept[first:]), op.reductions)


def _dims_of(results: Sequence[MapResult]) -> set[int]:
    return {dim for result in results for dim, _ in terms_of(result)}


def has_windows(op: Generic) -> bool:
    """Return whether columns or terms of a contraction are several dimensions.

    Then a side of it is no matrix, but what windows cover of one.
    """
    return len(op.reductions) > 1 or len(roles(op).columns) > 1


def adds_up_images(op: Op) -> bool:
    """Return whether a contraction with windows adds up images: a weight's gradient.

    Its left side begins with an axis that is added up, as others are; a number alone,
    such as the slope of a mean, has no axes.
    """
    if not isinstance(op, Generic) or not is_contraction(op) or len(op.reductions) < 2:
        return False
    return any(dim in op.reductions for dim in _dims_of(op.maps[0].results[:1]))


def product_space(op: Generic) -> tuple[Dim, Dim, Dim]:
    """Return how many rows, columns and terms a contraction on tensors has."""
    extents, dims = tensor_space(op), roles(op)
    columns = elements(extents[d] for d in dims.columns)
    return extents[dims.row], columns, elements(extents[d] for d in dims.terms)


def outer_rank(op: Generic) -> int:
    """Return how many leading dimensions a kernel of this generic alone splits.

    All before what is reduced; otherwise all but the innermost, which becomes vectors.
    A contraction splits its rows.
    """
    rank = len(output_dims(op))
    if is_contraction(op):
        return max(rank - len(roles(op).columns), 0)
    if not op.reductions:
        return max(rank - 1, 0)
    return op.reductions[0]


def identity_depth(axes: Sequence[MapResult]) -> int:
    """Return how many leading axes are read at the iteration's own leading indices."""
    depth = 0
    while depth < len(axes) and axes[depth] == depth:
        depth += 1
    return depth


# Elements from lane to lane, up to which vectors are loaded with all that lies between.
MOST_APART = 4
UNREAD = "it reads no kernel's result"  # why a kernel opened
AGAIN = "tc.again"  # on a generic that is computed again, in the kernel of its reader
WHY = "tc.why"  # on a group: why its first generic joined no group before it

ADDITIONS = (arith.AddF, arith.AddI, arith.OrI)
PRODUCTS = (arith.MulF, arith.MulI, arith.AndI)
EXTREMA = (
    *(arith.MaximumF, arith.MaxSI, arith.MaxUI),
    *(arith.MinimumF, arith.MinSI, arith.MinUI),
)
ROUNDING = (arith.AddF, arith.MulF)  # whose order matters
COMBINERS = (*ADDITIONS, *PRODUCTS, *EXTREMA)


def combiners(op: Generic) -> tuple[Op, ...]:
    """Return the ops, all alike, that combine each accumulator with a new element.

    None at all if the reduction has another form.
    """
    if is_overlap(op):
        return ()
    block = op.body.block
    given = block.terminator.operands
    found: list[Op] = []
    for value, accumulator in zip(given, block.arguments[-len(given) :], strict=True):
        last = value.op
        if not isinstance(last, COMBINERS) or accumulator not in last.operands:
            return ()
        found.append(last)
    return tuple(found) if len({type(last) for last in found}) == 1 else ()
