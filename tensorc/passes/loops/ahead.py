"""Fetch the next row from memory while this one is computed.

The first sweep along a row waits for memory, the second one finds the row in the cache
and computes: there the next row is asked for, as far away as the vector at hand. A row
that would not stay in the cache until then is not; asking for what is there already
costs next to nothing, so there is no branch.
"""

from collections.abc import Sequence

from tensorc.ir.attributes import identity_map
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, maximum, minimum
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.memory import memory
from tensorc.ir.types import element_type
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import ALIGNMENT
from tensorc.passes.loops.lanes import Counter, Rep, address
from tensorc.passes.loops.rows_state import Rows
from tensorc.passes.schedule.cpu import AHEAD_BYTES


def second_sweep(rows: Rows) -> int | None:
    """Return the level of the second sweep along whole rows, if there is one."""
    levels = sorted({m.level for m in rows.members if m.is_sweep})
    is_whole = rows.span is None and bool(rows.outer)
    return levels[1] if is_whole and len(levels) > 1 else None


def read_first(rows: Rows, swept: Sequence[Member]) -> list[Value]:
    """Return what sweeps of the same length read from memory before, row by row."""
    extent = swept[0].extents[-1]
    first = min(m.level for m in rows.members if m.is_sweep)
    found: dict[Value, None] = {}
    for member in rows.members:
        if member.level != first or not member.is_sweep or member.extents[-1] != extent:
            continue
        whole = identity_map(len(member.extents)).results
        for value, map_ in zip(member.op.inputs, member.op.maps, strict=False):
            known = value in rows.storages and value not in rows.private
            if known and map_.results == whole and rows.producer(value) is None:
                found[value] = None
    return [*found]


def fetch(
    rows: Rows, values: Sequence[Value], before: Sequence[Rep], at: Value
) -> None:
    """Ask for the next row of each value, beside the 16 elements at an index."""
    k = rows.k
    for value in values:
        storage, extent = rows.storages[value], rows.shapes[value][-1]
        size = element_type(storage.memref.type).bytes
        distance = _distance(extent, size)
        if distance == 0:
            continue
        offset, _, _ = address(k, storage, [*before, Counter(at)])
        ahead = k.add(offset, k.dim(distance))
        for byte in range(0, LANES * size, ALIGNMENT):
            index = k.add(ahead, k.index(byte // size))
            k.do(
                memory.Prefetch,
                storage.memref,
                index,
                isWrite=False,
                localityHint=3,
                isDataCache=True,
            )


def _distance(extent: Dim, size: int) -> Dim:
    """Return how far the next row is, or 0 if rows are too long."""
    most = AHEAD_BYTES // size
    if isinstance(extent, int):
        return extent if extent <= most else 0
    return extent * minimum(floordiv(most, maximum(extent, 1)), 1)
