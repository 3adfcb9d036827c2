"""Maps that read a matrix across its memory: 16 of its columns at a time, transposed.

Element by element a transposed operand is read down its columns, which lie far apart.
So rows are computed in blocks of 16 and pieces of some columns: for each, what is read
across is copied to scratch, transposed in registers, and read there along the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import terms_of
from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import LANES
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import MOST_APART, lies_across
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import scratch, store_wide
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Rep, Storage, Uniform, address, map_point
from tensorc.passes.loops.rows_state import Panel, Rows
from tensorc.passes.loops.shuffles import load_transposed

COLUMNS = 256  # of a piece
_ROW = COLUMNS + LANES  # rows of a panel begin in different sets of the cache


@dataclass(frozen=True, slots=True)
class Across:
    """An operand of a member that is read across its memory, and its panel."""

    member: Member
    number: int
    memref: Value

    @property
    def key(self) -> tuple[Op, int]:
        """Who reads it."""
        return self.member.op, self.number


def open_across(rows: Rows, dim: int) -> list[Across]:
    """Return what the rows read across their memory, `dim` being that of their loop.

    There is none if other than maps along one extent are among the members.
    """
    members = rows.members
    alike = len({m.extents[-1] for m in members}) == 1
    if not alike or not all(
        m.is_sweep and not m.op.reductions and m.level == 0 for m in members
    ):
        return []
    if any(value in rows.storages for value in rows.private):
        return []
    found = []
    for member in members:
        for number, value in enumerate(member.op.inputs):
            if value in rows.makers or not lies_across(member.op, number, dim):
                continue
            if member.op.maps[number].outside is not None:
                continue
            if not _is_near(rows, member, number):
                memref = scratch(rows.k, element_type(value.type), LANES * _ROW)
                found.append(Across(member, number, memref))
    return found


def _is_near(rows: Rows, member: Member, number: int) -> bool:
    """Return whether neighbours along a row lie a few elements apart, as is known."""
    known = rows.k.known(_stride(rows, member, number))
    return known is not None and abs(known) <= MOST_APART


def _stride(rows: Rows, member: Member, number: int) -> Value:
    """Return how far apart neighbours along a row lie in an operand."""
    k, op = rows.k, member.op
    last = len(member.extents) - 1
    total = k.index(0)
    storage = rows.storages[op.inputs[number]]
    results = op.maps[number].results
    for result, stride in zip(results, storage.strides, strict=True):
        for dim, factor in terms_of(result):
            if dim == last:
                total = k.add(total, k.mul(stride, k.index(factor)))
    return total


def emit_across(
    rows: Rows,
    across: Sequence[Across],
    bounds: tuple[Value, Value],
    outer: Callable[[Value], list[Rep]],
    row: Callable[[Value], None],
) -> None:
    """Emit rows [first, last) of their innermost loop, in blocks of 16 and pieces.

    `outer` gives the index of each outer dimension for a row, `row` emits it.
    """
    k, whole = rows.k, rows.span
    extent = k.dim(rows.members[0].extents[-1])
    left, right = (k.index(0), extent) if whole is None else whole
    first, last = bounds
    with k.loop(first, last, LANES) as block:
        end = k.minimum(k.add(block.index, k.index(LANES)), last)
        with k.loop(left, right, COLUMNS) as piece:
            stop = k.minimum(k.add(piece.index, k.index(COLUMNS)), right)
            corner = block.index, piece.index
            for each in across:
                indices = [*outer(block.index), Uniform(piece.index)]
                _fill(rows, each, indices, k.sub(end, block.index), corner, stop)
                rows.panels[each.key] = _panel(k, each, len(indices) - 1, corner)
            rows.span = piece.index, stop
            with k.loop(block.index, end, 1) as loop:
                row(loop.index)
    rows.span = whole
    rows.panels.clear()


def _panel(
    k: LoopBuilder, across: Across, last: int, corner: tuple[Value, Value]
) -> Panel:
    """Return where a member finds an operand for the rows and columns of a piece."""
    top, left = corner
    begun = k.add(k.mul(top, k.index(_ROW)), left)
    strides = k.index(_ROW), k.index(1)
    storage = Storage(across.memref, strides, k.sub(k.index(0), begun))
    return Panel((last - 1, last), storage)


def _fill(
    rows: Rows,
    across: Across,
    indices: Sequence[Rep],
    count: Value,
    corner: tuple[Value, Value],
    stop: Value,
) -> None:
    """Copy `count` columns of an operand's memory to rows of its panel."""
    k, op = rows.k, across.member.op
    storage = rows.storages[op.inputs[across.number]]
    point = map_point(k, op.maps[across.number], indices)
    start, _, _ = address(k, storage, point)
    stride = _stride(rows, across.member, across.number)
    left = k.sub(stop, corner[1])

    def tile(index: Value, inside: Sequence[Value | bool]) -> None:
        at = k.add(start, k.mul(index, stride))
        found = load_transposed(k, storage.memref, at, stride, inside, count)
        for number, row in enumerate(found):
            store_wide(k, across.memref, k.add(index, k.index(number * _ROW)), row)

    lanes = k.index(LANES)
    full = k.mul(k.floordiv(left, lanes), lanes)
    with k.loop(k.index(0), full, LANES) as loop:
        tile(loop.index, [True] * LANES)
    with k.when(k.compare("slt", full, left)):
        rest = k.sub(left, full)
        tile(full, [k.compare("slt", k.index(j), rest) for j in range(LANES)])
