"""Emit the body of a generic at one point of its space, or at 16 neighbours at once.

Along the vectorised dimension a value is the same in all lanes (`Uniform`), counts in
steps (`Counter`, an index), or differs (`Lanes`). Only what differs becomes a vector,
and an access to neighbours becomes one load.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.attributes import Affine, AffineMap, Typed
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, known_at_most
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic, Index
from tensorc.ir.types import I1, VectorType, element_type
from tensorc.passes.analysis.generics import MOST_APART
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.shuffles import load_apart


@dataclass(frozen=True, slots=True)
class Uniform:
    """One scalar, whatever the lane."""

    value: Value


@dataclass(frozen=True, slots=True)
class Counter:
    """An index that grows by `step` per lane from `value`."""

    value: Value
    step: int = 1


@dataclass(frozen=True, slots=True)
class Lanes:
    """A vector."""

    value: Value


Rep = Uniform | Counter | Lanes


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a tensor lies: flat memory, and the stride of each axis in elements.

    `at` is where element 0 would lie, before the memory where it has later rows alone.
    `streams` is whether it is to be written past the caches; None if never.
    """

    memref: Value
    strides: tuple[Value, ...]
    at: Value | None = None
    streams: Value | None = None


def storage_of(storages: Mapping[Value, Storage], op: Op, value: Value) -> Storage:
    """Return where an op of a kernel finds a value, which a user's text may not say."""
    if value not in storages:
        message = "a member of a tc.group reads memory that no other member writes"
        raise CompileError(Diagnostic("TC0250", message, op.location))
    return storages[value]


@dataclass(frozen=True, slots=True)
class Point:
    """Where an iteration stands: the index of each dimension, and the active lanes."""

    indices: tuple[Rep, ...]
    mask: Value | None = None


def widen(k: LoopBuilder, rep: Rep) -> Value:
    """Return a value as a vector."""
    if isinstance(rep, Lanes):
        return rep.value
    element = element_type(rep.value.type)
    types = [VectorType(LANES, element)]
    wide = k.op(vector.Broadcast, rep.value, types=types)
    if isinstance(rep, Counter):
        return k.op(arith.AddI, wide, _lane_multiples(k, k.index(rep.step)))
    return wide


def _lane_multiples(k: LoopBuilder, stride: Value) -> Value:
    """Return the vector of a stride times the number of each lane."""
    if k.known(stride) == 1:
        return k.lane_numbers()
    return k.op(arith.MulI, k.lane_numbers(), widen(k, Uniform(stride)))


def map_point(k: LoopBuilder, map_: AffineMap, indices: Sequence[Rep]) -> list[Rep]:
    """Return the index of each axis of an operand where an iteration stands."""
    zero = Uniform(k.index(0))
    return [
        _affine_index(k, r, indices)
        if isinstance(r, Affine)
        else (zero if r is None else indices[r])
        for r in map_.results
    ]


def _affine_index(k: LoopBuilder, result: Affine, indices: Sequence[Rep]) -> Rep:
    at, step = k.dim(result.constant), 0
    wide: Value | None = None
    for dim, factor in result.terms:
        rep, by = indices[dim], k.index(factor)
        if isinstance(rep, Lanes):
            part = k.op(arith.MulI, rep.value, widen(k, Uniform(by)))
            wide = part if wide is None else k.op(arith.AddI, wide, part)
            continue
        at = k.add(at, k.mul(rep.value, by))
        if isinstance(rep, Counter):
            step += rep.step * factor
    rest = Counter(at, step) if step else Uniform(at)
    return rest if wide is None else Lanes(k.op(arith.AddI, wide, widen(k, rest)))


def emit_body(
    k: LoopBuilder,
    op: Generic,
    point: Point,
    arguments: Sequence[Rep],
    storages: dict[Value, Storage],
    skip: Sequence[Op] = (),
) -> list[Rep]:
    """Emit a generic's body and return what it yields.

    With `skip` (the ops that combine a reduction) return their other operands instead.
    """
    block = op.body.block
    reps: dict[Value, Rep] = dict(zip(block.arguments, arguments, strict=False))
    for inner in block.ops[:-1]:
        if inner in skip:
            continue
        with k.at(inner.location):
            reps[inner.result] = emit_op(k, inner, point, reps, storages)
    if not skip:
        return [_rep(k, reps, v) for v in block.terminator.operands]
    accumulators = block.arguments[-len(skip) :]
    pairs = zip(skip, accumulators, strict=True)
    return [
        _rep(k, reps, v)
        for last, total in pairs
        for v in last.operands
        if v is not total
    ]


def _rep(k: LoopBuilder, reps: Mapping[Value, Rep], value: Value) -> Rep:
    """Return what an op of a body reads: of the body, or a scalar of the group."""
    return reps[value] if value in reps else Uniform(k.given[value])


def emit_op(
    k: LoopBuilder,
    op: Op,
    point: Point,
    reps: dict[Value, Rep],
    storages: dict[Value, Storage],
) -> Rep:
    """Emit one op of a body, whose operands are known; return its result."""
    if isinstance(op, arith.Constant):
        return Uniform(k.constant(op.value.value, op.value.type))
    if isinstance(op, Index):
        return point.indices[op.dim]
    if isinstance(op, SizeOf):
        return Uniform(k.dim(op.dim.dims[0]))
    if isinstance(op, memory.Load):
        indices = [reps[v] for v in op.operands[1:]]
        return read(k, storage_of(storages, op, op.operands[0]), indices, point)
    return _apply(k, op, [_rep(k, reps, v) for v in op.operands])


def _apply(k: LoopBuilder, op: Op, operands: list[Rep]) -> Rep:
    if isinstance(op, arith.AddI | arith.SubI):
        match operands:
            case [Counter(a, step), Uniform(b)]:
                shifted = k.add(a, b) if isinstance(op, arith.AddI) else k.sub(a, b)
                return Counter(shifted, step)
            case [Uniform(a), Counter(b, step)] if isinstance(op, arith.AddI):
                return Counter(k.add(a, b), step)
            case _:
                pass
    if all(isinstance(o, Uniform) for o in operands):
        types = [op.result.type]
        scalars = [o.value for o in operands]
        made = type(op)(scalars, types, op.attributes, [], k.b.location)
    else:
        vectors = [widen(k, o) for o in operands]
        types = [VectorType(LANES, element_type(op.result.type))]
        made = type(op)(vectors, types, op.attributes, [], k.b.location)
    k.b.block.append(made)
    lanes = isinstance(made.result.type, VectorType)
    return Lanes(made.result) if lanes else Uniform(made.result)


def read(k: LoopBuilder, storage: Storage, indices: Sequence[Rep], point: Point) -> Rep:
    """Load the element, or the 16 elements, at computed indices."""
    offset, stride, scattered = address(k, storage, indices)
    if scattered is None and stride == 0:
        return Uniform(k.op(memory.Load, storage.memref, offset))
    element = element_type(storage.memref.type)
    mask = k.mask(LANES) if point.mask is None else point.mask
    other = k.constant(0, element, LANES)
    if scattered is None and stride == 1:
        loaded = k.op(vector.MaskedLoad, storage.memref, offset, mask, other)
    elif (
        scattered is None
        and abs(stride) <= MOST_APART
        and isinstance(mask.op, vector.CreateMask)
    ):
        count = None if point.mask is None else mask.op.operands[0]
        loaded = load_apart(k, storage.memref, offset, stride, count)
    else:
        if scattered is None:
            scattered = _lane_multiples(k, k.index(stride))
        loaded = k.op(vector.Gather, storage.memref, offset, scattered, mask, other)
    return Lanes(loaded)


@dataclass(frozen=True, slots=True)
class Around:
    """A map that leaves its operand, and the operand's sizes."""

    map: AffineMap
    shape: tuple[Dim, ...]

    @property
    def fill(self) -> Typed:
        """What is read outside."""
        assert self.map.outside is not None
        return self.map.outside


def read_around(
    k: LoopBuilder,
    storage: Storage,
    indices: Sequence[Rep],
    point: Point,
    around: Around,
) -> Rep:
    """Load the element, or the 16 elements, at indices; a constant outside.

    Nothing is loaded from there: of neighbours the lanes that are inside are, of one
    element the first of all in its place, if there is one for certain.
    """
    fill = around.fill
    inside, masks = _inside(k, indices, point, around)
    if inside is None and not masks:
        return read(k, storage, indices, point)
    offset, stride, scattered = address(k, storage, indices)
    if inside is not None and not masks and not stride and scattered is None:
        other = k.constant(fill.value, fill.type)
        if not all(known_at_most(1, size) for size in around.shape):
            turns = k.select(inside, k.index(1), k.index(0))
            with k.loop(k.index(0), turns, 1, [other]) as loop:
                loop.yields = [k.op(memory.Load, storage.memref, offset)]
            return Uniform(loop.results[0])
        near = k.select(inside, offset, k.index(0))
        value = k.op(memory.Load, storage.memref, near)
        return Uniform(k.select(inside, value, other))
    mask = _joined(k, [_none_unless(k, inside, point.mask), *masks])
    wide = k.constant(fill.value, fill.type, LANES)
    if scattered is None and stride == 1:
        given = storage.memref, offset, mask, wide
        return Lanes(k.op(vector.MaskedLoad, *given))
    found = widen(k, read(k, storage, indices, Point(point.indices, mask)))
    return Lanes(found if _is_zero(fill) else k.select(mask, found, wide))


def _inside(
    k: LoopBuilder, indices: Sequence[Rep], point: Point, around: Around
) -> tuple[Value | None, list[Value]]:
    """Return whether what is alike in all lanes is inside, and which lanes are.

    Without a condition it is, without a mask all lanes are.
    """
    condition: Value | None = None
    masks = []
    results = zip(around.map.results, indices, around.shape, strict=True)
    for result, rep, size in results:
        if not isinstance(result, Affine):
            continue
        extent = k.dim(size)
        if isinstance(rep, Uniform):
            holds = _between(k, rep.value, k.index(0), extent)
            known = condition
            condition = holds if known is None else k.op(arith.AndI, known, holds)
        elif isinstance(rep, Counter) and rep.step > 0:
            masks.append(_counted(k, rep, extent))
        else:
            zero, end = (widen(k, Uniform(v)) for v in (k.index(0), extent))
            masks.append(_between(k, widen(k, rep), zero, end))
    return condition, masks


def _between(k: LoopBuilder, value: Value, low: Value, end: Value) -> Value:
    above, below = k.compare("sge", value, low), k.compare("slt", value, end)
    return k.op(arith.AndI, above, below)


def _counted(k: LoopBuilder, rep: Counter, extent: Value) -> Value:
    """Return the mask of the lanes of a counter from 0 to an extent."""
    step, lanes = k.index(rep.step), k.index(LANES)

    def first_at(value: Value) -> Value:
        """Return the first lane whose index is at least a value."""
        distance = k.add(k.sub(value, rep.value), k.index(rep.step - 1))
        lane = k.floordiv(distance, step)
        return k.minimum(k.maximum(lane, k.index(0)), lanes)

    return mask_between(k, first_at(k.index(0)), first_at(extent))


def _none_unless(k: LoopBuilder, condition: Value | None, mask: Value | None) -> Value:
    """Return a mask, or that of no lane unless a condition holds."""
    if condition is None:
        return k.mask(LANES) if mask is None else mask
    if mask is not None and not isinstance(mask.op, vector.CreateMask):
        return k.op(arith.AndI, mask, _none_unless(k, condition, None))
    count = k.index(LANES) if mask is None or mask.op is None else mask.op.operands[0]
    return tail_mask(k, k.select(condition, count, k.index(0)))


def _joined(k: LoopBuilder, masks: Sequence[Value]) -> Value:
    whole = k.mask(LANES)
    kept = [mask for mask in masks if mask is not whole] or [whole]
    found = kept[0]
    for mask in kept[1:]:
        found = k.op(arith.AndI, found, mask)
    return found


def _is_zero(fill: Typed) -> bool:
    """Return whether a constant is what lanes are that nothing is loaded to."""
    return fill == Typed(0, fill.type)


def write(
    k: LoopBuilder, storage: Storage, indices: Sequence[Rep], rep: Rep, point: Point
) -> None:
    """Store the element, or the 16 neighbouring elements, at the indices."""
    offset, stride, scattered = address(k, storage, indices)
    along = scattered is None and stride in (0, 1)
    assert along, "destinations are written along their last axis"
    if stride:
        mask = k.mask(LANES) if point.mask is None else point.mask
        given = (storage.memref, offset, mask, widen(k, rep))
        if storage.streams is None:
            k.do(vector.MaskedStore, *given)
            return

        def past() -> None:
            k.do(vector.MaskedStore, *given)
            k.b.block.ops[-1].attributes[vector.STREAM] = True

        k.choose(storage.streams, past, lambda: k.do(vector.MaskedStore, *given))
    else:
        assert isinstance(rep, Uniform)
        k.do(memory.Store, rep.value, storage.memref, offset)


def tail_mask(k: LoopBuilder, left: Value) -> Value:
    """Return the mask of the lanes that are left."""
    return k.op(vector.CreateMask, left, types=[VectorType(LANES, I1)])


def mask_between(k: LoopBuilder, lower: Value, upper: Value) -> Value:
    """Return the mask of the lanes from lower to upper, where lower <= upper."""
    before, until = (
        k.op(vector.CreateMask, end, types=[VectorType(LANES, I1)])
        for end in (lower, upper)
    )
    return k.op(arith.XOrI, before, until)


def address(
    k: LoopBuilder, storage: Storage, indices: Sequence[Rep]
) -> tuple[Value, int, Value | None]:
    """Return the index of lane 0, and how the others lie: a stride, and offsets.

    The offsets hold all where there are any.
    """
    offset = k.index(0) if storage.at is None else storage.at
    along = 0
    scattered: list[Value] = []
    for rep, stride in zip(indices, storage.strides, strict=True):
        if isinstance(rep, Uniform | Counter):
            offset = k.add(offset, k.mul(rep.value, stride))
        known = k.known(stride)
        if isinstance(rep, Uniform) or known == 0:
            continue
        if isinstance(rep, Lanes):
            step = k.op(arith.MulI, rep.value, widen(k, Uniform(stride)))
            scattered.append(step)
        elif known is not None:
            along += rep.step * known
        else:
            by = k.mul(stride, k.index(rep.step))
            scattered.append(_lane_multiples(k, by))
    if not scattered:
        return offset, along, None
    if along:
        scattered.append(_lane_multiples(k, k.index(along)))
    total = scattered[0]
    for step in scattered[1:]:
        total = k.op(arith.AddI, total, step)
    return offset, 0, total
