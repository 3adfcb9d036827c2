"""Find the first of the best elements, and its index, in 16 lanes.

Each lane goes through elements of its own in order. Of two lanes that are equally good
the one with the lower index came first, so lanes are combined in any order.
"""

from collections.abc import Sequence

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.ops.structured.generics import Index
from tensorc.ir.types import I1
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import scratch, store_wide
from tensorc.passes.loops.lanes import Lanes, Point, Rep, emit_op, tail_mask
from tensorc.passes.loops.reductions.reduce_state import (
    At,
    Reduction,
    fold_axes,
    put_results,
    step_lanes,
)

Linear = dict[int | None, Dim]  # a factor for each dimension, and under None a constant


def finds_first(member: Member) -> bool:
    """Return whether a member gives the first best element and its flat index."""
    block, outputs = member.op.body.block, member.op.outputs
    yielded = [v.op for v in block.terminator.operands]
    if len(outputs) != 2 or not all(isinstance(o, arith.Select) for o in yielded):
        return False
    value, index = yielded
    assert value is not None
    assert index is not None
    best, at = block.arguments[-2:]
    condition, element, other = value.operands
    same = index.operands[0] is condition and other is best and index.operands[2] is at
    if not same or not _needs_only(condition, {element, best}):
        return False
    if _reaches(element, {best, at}):
        return False
    return _linear(index.operands[1]) == _flat(member)


def _needs_only(value: Value, given: set[Value]) -> bool:
    """Return whether comparisons of given values, and what combines them, give one."""
    if value in given:
        return True
    known = (arith.CmpF, arith.CmpI, arith.AndI, arith.OrI, arith.XOrI)
    return isinstance(value.op, known) and all(
        _needs_only(v, given) for v in value.op.operands
    )


def _reaches(value: Value, given: set[Value]) -> bool:
    if value in given:
        return True
    return value.op is not None and any(_reaches(v, given) for v in value.op.operands)


def _flat(member: Member) -> Linear:
    """Return the flat index over what a member reduces."""
    found: Linear = {}
    step: Dim = 1
    for dim in reversed(member.op.reductions):
        found[dim] = step
        step = step * member.extents[dim]
    return found


def _linear(value: Value) -> Linear | None:
    """Return an index as a sum over dimensions, if it is one."""
    op = value.op
    if isinstance(op, Index):
        return {op.dim: 1}
    if isinstance(op, SizeOf):
        return {None: op.dim.dims[0]}
    if isinstance(op, arith.Constant):
        number = op.value.value
        return {None: int(number)} if number else {}
    if isinstance(op, conversions.IndexCast):
        return _linear(op.operands[0])
    if not isinstance(op, arith.AddI | arith.MulI):
        return None
    left, right = (_linear(v) for v in op.operands)
    if left is None or right is None:
        return None
    if isinstance(op, arith.AddI):
        keys = [*left, *(key for key in right if key not in left)]
        return {key: left.get(key, 0) + right.get(key, 0) for key in keys}
    if set(left) <= {None}:
        left, right = right, left
    if not set(right) <= {None}:
        return None
    return {key: factor * right.get(None, 0) for key, factor in left.items()}


def emit_first(r: Reduction, at: At) -> None:
    """Find the first best element for one result."""
    k = r.rows.k
    *before, last = [axis for axis in r.axes if axis.reduced]

    def along(here: At, held: list[Value]) -> list[Value]:
        lower, upper = here.bounds(k, last)
        with k.loop(lower, upper, LANES, held) as loop:
            mask = tail_mask(k, k.sub(upper, loop.index))
            loop.yields = step_lanes(r, here, last, loop.index, mask, loop.carried)
        return loop.results

    starts = [k.constant(v, e, LANES) for v, e in r.starts]
    lanes = fold_axes(k, before, at, starts, along)
    by = LANES // 2
    while by:
        turned = tuple([(n + by) % LANES for n in range(LANES)])
        others = [k.op(vector.Shuffle, v, v, mask=turned) for v in lanes]
        lanes = _combine(r, lanes, others)
        by //= 2
    totals = []
    for value, (_, element) in zip(lanes, r.starts, strict=True):
        memref = scratch(k, element, LANES)
        store_wide(k, memref, k.index(0), value)
        totals.append(k.op(memory.Load, memref, k.index(0)))
    put_results(r, at, None, k.index(0), None, totals)


def _combine(
    r: Reduction, left: Sequence[Value], right: Sequence[Value]
) -> list[Value]:
    """Return the better of two in each lane, of equals the one that came first."""
    k = r.rows.k
    true = k.constant(1, I1, LANES)
    better, worse = (
        _better(r, new[0], old[0]) for new, old in ((right, left), (left, right))
    )
    earlier = k.compare("slt", right[1], left[1])
    equal = k.op(arith.AndI, k.op(arith.XOrI, worse, true), earlier)
    taken = k.op(arith.OrI, better, equal)
    return [k.select(taken, b, a) for a, b in zip(left, right, strict=True)]


def _better(r: Reduction, value: Value, best: Value) -> Value:
    """Emit the body's comparison of an element with the best one before it."""
    block = r.member.op.body.block
    select = block.terminator.operands[0].op
    assert select is not None
    condition, element, other = select.operands
    reps: dict[Value, Rep] = {element: Lanes(value), other: Lanes(best)}
    ops: list[Op] = []
    pending = [condition]
    while pending:
        op = pending.pop().op
        if op is not None and op not in ops and op.result not in reps:
            ops.append(op)
            pending += op.operands
    for inner in block.ops:
        if inner in ops:
            rep = emit_op(r.rows.k, inner, Point(()), reps, r.rows.storages)
            reps[inner.result] = rep
    found = reps[condition]
    assert isinstance(found, Lanes)
    return found.value
