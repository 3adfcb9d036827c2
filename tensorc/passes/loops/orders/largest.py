"""Emit the kernel that finds a few largest elements of each row, and their indices.

These stay in a vector, in descending order, as keys with a sign. Elements go by in
vectors; only those above the last of the largest are looked at one by one, which are
few. A later element that equals an earlier one comes behind it.
"""

from dataclasses import dataclass

from tensorc.ir.attributes import Enum
from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES, integer_limits
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import conversions
from tensorc.ir.types import I1, I64, INDEX, Element, VectorType, element_type
from tensorc.passes.loops.accumulate import load_wide, scratch, store_wide
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import tail_mask
from tensorc.passes.loops.orders.keys import signed_key, widened, with_sign

# Lane i is lane i - 1 of the first vector; lane 0 is that of the second.
_BEHIND = (LANES, *range(LANES - 1))


def finds_largest(element: Element, count: object) -> bool:
    """Return whether this kernel is for so many elements of a type.

    Below all keys there is one more, which stands for no element.
    """
    few = isinstance(count, int) and 0 < count <= LANES
    return few and (element.is_float or element.bits < I64.bits)


@dataclass(frozen=True, slots=True)
class Largest:
    """Rows, and the largest so far of one: keys and indices, in memory.

    `given` has the keys of a vector of elements.
    """

    k: LoopBuilder
    source: Value
    length: Value
    count: int
    keys: Value
    indices: Value
    given: Value


def largest_of(k: LoopBuilder, source: Value, length: Value, count: int) -> Largest:
    """Return what finds the largest of rows of a length."""
    element = element_type(source.type)
    wide = with_sign(element) if element.is_float else I64
    memories = [scratch(k, e, LANES) for e in (wide, I64, wide)]
    return Largest(k, source, length, count, *memories)


def emit_largest(found: Largest, row: Value, targets: tuple[Value, Value]) -> None:
    """Find the largest elements of a row, and write them and their indices."""
    k, zero = found.k, found.k.index(0)
    wide = element_type(found.keys.type)
    nothing = k.constant(integer_limits(wide.dtype)[0], wide, LANES)
    store_wide(k, found.keys, zero, nothing)
    store_wide(k, found.indices, zero, k.constant(0, I64, LANES))
    start = k.mul(row, found.length)
    with k.loop(zero, found.length, LANES) as loop:
        mask = tail_mask(k, k.sub(found.length, loop.index))
        values = load_wide(k, found.source, k.add(start, loop.index), mask)
        keys = widened(k, signed_key(k, values), wide)
        keys = k.select(mask, keys, nothing)
        last = k.op(memory.Load, found.keys, k.index(found.count - 1))
        types = [VectorType(LANES, wide)]
        above = k.compare("sgt", keys, k.op(vector.Broadcast, last, types=types))
        kind = Enum("vector.kind", "maxui")
        none = k.constant(0, I1)
        with k.when(k.op(vector.Reduction, above, none, kind=kind)):
            store_wide(k, found.given, zero, keys)
            with k.loop(zero, k.index(LANES), 1) as lane:
                _consider(found, lane.index, k.add(loop.index, lane.index))
    with k.loop(zero, k.index(found.count), 1) as loop:
        index = k.op(memory.Load, found.indices, loop.index)
        at = k.add(start, k.op(conversions.IndexCast, index, types=[INDEX]))
        to = k.add(k.mul(row, k.index(found.count)), loop.index)
        k.do(memory.Store, k.op(memory.Load, found.source, at), targets[0], to)
        k.do(memory.Store, index, targets[1], to)


def _consider(found: Largest, lane: Value, index: Value) -> None:
    """Put an element among the largest, if it is larger than the last of them."""
    k, zero = found.k, found.k.index(0)
    key = k.op(memory.Load, found.given, lane)
    last = k.op(memory.Load, found.keys, k.index(found.count - 1))
    with k.when(k.compare("sgt", key, last)):
        wide = element_type(key.type)
        place = k.op(conversions.IndexCast, index, types=[I64])
        keys, indices = (load_wide(k, m, zero) for m in (found.keys, found.indices))
        new = k.op(vector.Broadcast, key, types=[VectorType(LANES, wide)])
        own = k.op(vector.Broadcast, place, types=[VectorType(LANES, I64)])
        highest = k.constant(integer_limits(wide.dtype)[1], wide, LANES)
        behind = k.op(vector.Shuffle, keys, highest, mask=_BEHIND)
        stays = k.compare("sge", keys, new)
        # Lane 0 has nothing in front of it, so that what is new may go there.
        follows = k.compare("sge", behind, new)
        others = k.op(vector.Shuffle, indices, own, mask=_BEHIND)
        pairs = (found.keys, keys, new, behind), (found.indices, indices, own, others)
        for target, old, fresh, moved in pairs:
            made = k.select(stays, old, k.select(follows, fresh, moved))
            store_wide(k, target, zero, made)
