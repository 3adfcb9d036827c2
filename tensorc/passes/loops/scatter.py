"""Emit the loops of a scatter: element after element, in the order of the indices.

Several indices may mean one element, so that positions are never vectorised: they come
in ascending row-major order, which is the contract (docs/numerics.md). The axes before
the first index are the outer loops, since elements that differ there never meet; of the
axes behind, the innermost becomes vectors if the target is contiguous along it.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.opdef import scalar_of
from tensorc.ir.ops.memory.kernels import ScatterInto
from tensorc.ir.ops.scalar import conversions
from tensorc.ir.ops.tensor.elementwise import Add
from tensorc.ir.ops.tensor.indexing import ADD, gathered_shape
from tensorc.ir.types import I64, INDEX, element_type
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Storage,
    Uniform,
    read,
    tail_mask,
    widen,
    write,
)

Shape = Sequence[Dim]


def emit_scatter(
    k: LoopBuilder,
    op: ScatterInto,
    storages: Sequence[Storage],
    shapes: Sequence[Shape],
) -> None:
    """Emit the loops; storages and shapes are those of target, values and indices."""
    whole, positions = shapes[0], shapes[2]
    extents = gathered_shape(whole, positions, op.axes)
    first, rank = op.axes[0], len(positions)
    indices: dict[int, Rep] = {}  # by axis of the target

    def nest(point: list[Rep]) -> None:
        dim = len(point)
        if dim == first + rank:
            for axis, storage in zip(op.axes, storages[2:], strict=True):
                index = read(k, storage, point[first:], Point(()))
                indices[axis] = _wrapped(k, index, whole[axis])
        vectors = dim == len(extents) - 1 and dim >= first + rank
        if dim == len(extents):
            _combine(k, op, storages, indices, point, Point(()))
        elif vectors and op.axes[-1] != len(whole) - 1:
            extent = k.dim(extents[dim])
            with k.loop(k.index(0), extent, LANES) as loop:
                mask = tail_mask(k, k.sub(extent, loop.index))
                inner = [*point, Counter(loop.index)]
                _combine(k, op, storages, indices, inner, Point((), mask))
        else:
            with k.loop(k.index(0), k.dim(extents[dim]), 1) as loop:
                nest([*point, Uniform(loop.index)])

    nest([])


def as_i64(k: LoopBuilder, index: Value) -> Value:
    """Return an index of any integer type as i64: 2^63 and more become negative."""
    element = element_type(index.type)
    if element.bits < 64:
        cls = conversions.ExtUI if element.is_unsigned else conversions.ExtSI
        return k.op(cls, index, types=[I64])
    if element != I64:
        return k.op(conversions.Bitcast, index, types=[I64])
    return index


def _wrapped(k: LoopBuilder, index: Rep, extent: Dim) -> Rep:
    given = k.op(conversions.IndexCast, as_i64(k, index.value), types=[INDEX])
    negative = k.compare("slt", given, k.index(0))
    return Uniform(k.select(negative, k.add(given, k.dim(extent)), given))


def _combine(
    k: LoopBuilder,
    op: ScatterInto,
    storages: Sequence[Storage],
    indices: dict[int, Rep],
    point: Sequence[Rep],
    lanes: Point,
) -> None:
    """Read, add and write the element, or the 16 neighbours, at one point."""
    target, values = storages[:2]
    first = op.axes[0]
    rank = len(storages[2].strides)
    others = iter([*point[:first], *point[first + rank :]])
    at = [
        indices[a] if a in op.axes else next(others) for a in range(len(target.strides))
    ]
    rep = read(k, values, point, lanes)
    if op.combine == ADD:
        rep = _added(k, read(k, target, at, lanes), rep)
    write(k, target, at, rep, lanes)


def _added(k: LoopBuilder, old: Rep, new: Rep) -> Rep:
    cls = scalar_of(Add, element_type(old.value.type))
    if isinstance(old, Uniform) and isinstance(new, Uniform):
        return Uniform(k.op(cls, old.value, new.value))
    return Lanes(k.op(cls, widen(k, old), widen(k, new)))
