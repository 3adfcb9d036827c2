"""Emit what orders short rows: the rank of an element is how many come before it.

Each element is compared with all others, 16 ranks at a time. So it takes the square of
a row's length, and nothing else: no counters that are set and added up for each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import I64, INDEX, VectorType, element_type
from tensorc.passes.loops.accumulate import load_wide, scratch, store_wide
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import tail_mask
from tensorc.passes.loops.orders.keys import signed_key, with_sign

SHORT = 64  # elements of a row that are ordered so at most


@dataclass(frozen=True, slots=True)
class Ranks:
    """Memory for a short row: the keys of its elements, and the ranks of 16 of them."""

    keys: Value
    ranks: Value


def ranks_of(k: LoopBuilder, source: Value) -> Ranks:
    """Return memory for the rows of a source."""
    signed = with_sign(element_type(source.type))
    return Ranks(scratch(k, signed, SHORT), scratch(k, I64, LANES))


def emit_ranked(
    k: LoopBuilder,
    memories: Ranks,
    source: tuple[Value, Value, Value],
    targets: Sequence[tuple[Value, bool]],
    place: tuple[Value, Value],
    descends: bool,
) -> None:
    """Order a row, which starts somewhere in `source` and has a length.

    Targets get its elements, or their indices where the flag is set: the first ones, as
    many as `place` says, from where it says.
    """
    memref, start, length = source
    zero = k.index(0)
    with k.loop(zero, length, LANES) as loop:
        mask = tail_mask(k, k.sub(length, loop.index))
        values = load_wide(k, memref, k.add(start, loop.index), mask)
        keys = signed_key(k, values, zeros_differ=not any(i for _, i in targets))
        if descends:
            every = k.constant(-1, element_type(keys.type), LANES)
            keys = k.op(arith.XOrI, keys, every)
        store_wide(k, memories.keys, loop.index, keys)
    with k.loop(zero, length, LANES) as loop:
        store_wide(k, memories.ranks, zero, _ranks(k, memories, loop.index, length))
        left = k.minimum(k.sub(length, loop.index), k.index(LANES))
        with k.loop(zero, left, 1) as lane:
            rank = k.op(memory.Load, memories.ranks, lane.index)
            rank = k.op(conversions.IndexCast, rank, types=[INDEX])
            own = k.add(loop.index, lane.index)
            first, count = place
            with k.when(k.compare("slt", rank, count)):
                value = k.op(memory.Load, memref, k.add(start, own))
                index = k.op(conversions.IndexCast, own, types=[I64])
                for target, is_index in targets:
                    given = index if is_index else value
                    k.do(memory.Store, given, target, k.add(first, rank))


def _ranks(k: LoopBuilder, memories: Ranks, first: Value, length: Value) -> Value:
    """Return the ranks of 16 elements; what is equal counts if it is before them."""
    wide = VectorType(LANES, INDEX)
    keys = load_wide(k, memories.keys, first)
    start = k.op(vector.Broadcast, first, types=[wide])
    own = k.op(arith.AddI, k.lane_numbers(), start)
    zero, one = (k.constant(n, I64, LANES) for n in (0, 1))
    with k.loop(k.index(0), length, 1, [zero]) as loop:
        key = k.op(memory.Load, memories.keys, loop.index)
        types = [VectorType(LANES, element_type(key.type))]
        other = k.op(vector.Broadcast, key, types=types)
        at = k.op(vector.Broadcast, loop.index, types=[wide])
        less = k.compare("slt", other, keys)
        before = k.op(
            arith.AndI, k.compare("eq", other, keys), k.compare("slt", at, own)
        )
        counts = k.select(k.op(arith.OrI, less, before), one, zero)
        loop.yields = [k.op(arith.AddI, loop.carried[0], counts)]
    return loop.results[0]
