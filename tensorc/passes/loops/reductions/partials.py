"""Reductions in parts: a kernel before the group's own, a chunk for each part.

The parts are multiples of 1024 x 2^j elements, so that each comes to a subtree of the
tree of all (`tensorc.ir.numerics`). The group's own kernel combines them.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.schedules import Schedule, schedule_of
from tensorc.passes.analysis.walks import extent_of
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.reductions.reduce import emit_partial
from tensorc.passes.loops.rows_state import Rows


def partials_of(op: KernelGroup, arguments: Sequence[Value]) -> Value | None:
    """Return the first memory for what parts of a group come to, if it has parts."""
    first, chosen = op.attributes.get("tc.partials"), schedule_of(op)
    if not isinstance(first, int) or chosen is None or chosen.split is None:
        return None
    return arguments[first]


def open_partials(op: KernelGroup, rows: Rows, arguments: Sequence[Value]) -> None:
    """Note where reductions leave what their parts come to, if they have parts."""
    first, chosen = op.attributes.get("tc.partials"), schedule_of(op)
    if not isinstance(first, int) or chosen is None or chosen.split is None:
        return
    rest = iter(arguments[first:])
    for member in [m for m in rows.members if m.op.reductions]:
        rows.partials[member] = [next(rest) for _ in member.op.outputs]
        total = extent_of(member, reduced=True)
        rows.count = rows.k.dim(ceildiv(total, chosen.split))


def emit_partials(
    rows: Rows, chosen: Schedule, kept: Dim | None, ends: Sequence[Value]
) -> Dim:
    """Emit reductions of parts of their elements, and return how many chunks that are.

    A chunk has the number of its part times the strips of what is kept, plus its strip;
    `ends` are the chunks to run.
    """
    k, split, width = rows.k, chosen.split, chosen.kept
    total = extent_of(next(iter(rows.partials)), reduced=True)
    assert split is not None
    strips: Dim = 1
    if width is not None and kept is not None:
        strips = ceildiv(kept, width)
    begin, end = ends
    with k.loop(begin, end, 1) as chunk:
        number = k.floordiv(chunk.index, k.dim(strips))
        if width is not None and kept is not None:
            strip = k.sub(chunk.index, k.mul(number, k.dim(strips)))
            rows.span = strip_of(k, strip, width, kept)
        lower = k.mul(number, k.index(split))
        part = lower, k.minimum(k.add(lower, k.index(split)), k.dim(total))
        for member, memories in rows.partials.items():
            with k.at(member.op.location):
                emit_partial(rows, member, part, split, number, memories)
    return ceildiv(total, split) * strips


def work_done(rows: Rows, chosen: Schedule) -> Dim:
    """Return how many points of the members remain no more, as parts are reduced.

    Of each part there is one element left for each result.
    """
    done: Dim = 0
    for member in rows.partials:
        total, kept = (extent_of(member, reduced=r) for r in (True, False))
        done = done + kept * (total - ceildiv(total, chosen.split or 1))
    return done


def strip_of(
    k: LoopBuilder, number: Value, width: Dim, columns: Dim
) -> tuple[Value, Value]:
    """Return where a strip of columns begins and ends."""
    left = k.mul(number, k.dim(width))
    return left, k.minimum(k.add(left, k.dim(width)), k.dim(columns))
