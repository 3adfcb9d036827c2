"""Emit the rows of a group: its members one after the other, vectors along a row.

1. Sweeps: members of one level and extent share a loop over 16 lanes at a time. A row
   of up to 16 elements is one vector, without a loop.
2. Scalars per row are plain code between the sweeps.
3. Other members (several inner dimensions, reductions across rows of memory) get loop
   nests of their own.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.passes.analysis.generics import combiners, is_overlap
from tensorc.passes.analysis.joins import joins
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import (
    Combiner,
    block_tree,
    in_flight,
    needs_blocks,
    nothing,
)
from tensorc.passes.loops.ahead import fetch, read_first, second_sweep
from tensorc.passes.loops.lanes import (
    Counter,
    Point,
    Rep,
    Uniform,
    emit_body,
    tail_mask,
)
from tensorc.passes.loops.overlap import emit_overlap
from tensorc.passes.loops.reductions.reduce import combine_partials, emit_reduction
from tensorc.passes.loops.rows_state import (
    Rows,
    arguments_at,
    combiners_of,
    keep,
    put,
)

FEW = 12  # ops of bodies that are written once for each vector in flight
SHORT = 256  # elements of a row that fills no such loop


def emit_row(rows: Rows, outer: list[Rep]) -> None:
    """Emit all members at one index of the outer space."""
    rows.outer, rows.row = outer, {}
    second = second_sweep(rows)
    for level in sorted({m.level for m in rows.members}):
        ready = [m for m in rows.members if m.level == level]
        for member in [m for m in ready if m in rows.partials]:
            assert rows.count is not None
            with rows.k.at(member.op.location):
                combine_partials(rows, member, rows.count, rows.partials[member])
        ready = [m for m in ready if m not in rows.partials]
        if level % 2 == 0:
            for extent in dict.fromkeys(m.extents[-1] for m in ready):
                swept = [m for m in ready if m.extents[-1] == extent]
                rows.ahead = read_first(rows, swept) if level == second else ()
                _sweep(rows, swept, outer, extent)
            rows.ahead = ()
            continue
        for member in ready:
            with rows.k.at(member.op.location):
                if member.is_scalar:
                    _scalar(rows, member)
                elif is_overlap(member.op):
                    emit_overlap(rows, member)
                elif member.op.reductions:
                    emit_reduction(rows, member)
                else:
                    _maps(rows, member)


def _scalar(rows: Rows, member: Member) -> None:
    point = Point(tuple(rows.outer))
    arguments = arguments_at(rows, member, point, rows.row)
    results = emit_body(rows.k, member.op, point, arguments, rows.storages)
    keep(rows, member, point, results, rows.row)


def _sweep(rows: Rows, members: list[Member], before: list[Rep], along: Dim) -> None:
    """Run members with the same last extent in one vector loop along it."""
    k = rows.k
    extent = k.dim(along)
    known = k.known(extent)
    sums = [c for m in members for c in combiners_of(m)]
    starts = [c.start(k) for c in sums]
    if rows.span is not None:
        _plain(rows, members, before, *rows.span, starts)
        totals = []
    elif known is not None and known <= LANES:
        mask = None if known == LANES else k.mask(known)
        lanes = _step(rows, members, before, k.index(0), mask, starts, rows.row)
        totals = [c.across(k, v) for c, v in zip(sums, lanes, strict=True)]
    elif any(needs_blocks(c, known) for c in sums):
        totals = _blocked(rows, members, before, extent, sums)
    else:
        lanes = _plain(rows, members, before, k.index(0), extent, starts)
        totals = [c.across(k, v) for c, v in zip(sums, lanes, strict=True)]
    reduced = [v for m in members if combiners_of(m) for v in m.op.outputs]
    for value, combine, total in zip(reduced, sums, totals, strict=True):
        rep = Uniform(nothing(k, combine, extent, total))
        rows.row[value] = rep
        put(rows, value, before, rep, Point(()))


def _plain(
    rows: Rows,
    members: list[Member],
    before: list[Rep],
    lower: Value,
    upper: Value,
    starts: list[Value],
) -> list[Value]:
    """Loop over 16 elements at a time; return the lanes of the reductions."""
    k = rows.k

    def step(index: Value, mask: Value | None, lanes: Sequence[Value]) -> list[Value]:
        fetch(rows, rows.ahead, before, index)
        return _step(rows, members, before, index, mask, lanes, dict(rows.row))

    known = k.known(k.sub(upper, lower))
    if _in_any_order(members) and not (known and known < SHORT):
        sums = [c for m in members for c in combiners_of(m)]
        lower, starts = in_flight(k, sums, (lower, upper), starts, step)
    even = known is not None and known % LANES == 0
    with k.loop(lower, upper, LANES, starts) as loop:
        mask = None if even else tail_mask(k, k.sub(upper, loop.index))
        loop.yields = step(loop.index, mask, loop.carried)
    return loop.results


def _in_any_order(members: list[Member]) -> bool:
    """Return whether members do nothing but reduce, in any order, with short bodies."""
    ops = sum(len(m.op.body.block.ops) for m in members)
    return ops <= FEW and all(
        combiners_of(m) and not any(c.is_sum for c in combiners_of(m)) for m in members
    )


def _blocked(
    rows: Rows,
    members: list[Member],
    before: list[Rep],
    extent: Value,
    sums: list[Combiner],
) -> list[Value]:
    """Loop over blocks of 1024; sums go through the tree, maxima are carried."""
    k = rows.k
    trees = [block_tree(k, c) for c in sums]
    zero = k.index(0)
    maxima = [c.start(k) for c in sums]
    with k.loop(zero, extent, BLOCK, [zero, zero, *maxima]) as loop:
        number, levels, *carried = loop.carried
        upper = k.minimum(k.add(loop.index, k.index(BLOCK)), extent)
        starts = [
            c.start(k) if c.is_sum else v for c, v in zip(sums, carried, strict=True)
        ]
        lanes = _plain(rows, members, before, loop.index, upper, starts)
        grown = levels
        for combine, tree, value in zip(sums, trees, lanes, strict=True):
            if combine.is_sum:
                grown = tree.push(k, combine.across(k, value), number, levels)
        loop.yields = [k.add(number, k.index(1)), grown, *lanes]
    number, levels, *carried = loop.results
    return [
        tree.total(k, number, levels) if c.is_sum else c.across(k, v)
        for c, tree, v in zip(sums, trees, carried, strict=True)
    ]


def _step(
    rows: Rows,
    members: list[Member],
    before: list[Rep],
    at: Value,
    mask: Value | None,
    lanes: Sequence[Value],
    registers: dict[Value, Rep],
) -> list[Value]:
    """Run members on 16 elements; return the new lanes of the reductions."""
    k = rows.k
    point = Point((*before, Counter(at)), mask)
    totals = iter(lanes)
    new: list[Value] = []
    for member in members:
        with k.at(member.op.location):
            arguments = arguments_at(rows, member, point, registers)
            skip = combiners(member.op) if combiners_of(member) else ()
            given = emit_body(k, member.op, point, arguments, rows.storages, skip)
            if skip:
                pairs = zip(combiners_of(member), given, strict=True)
                new += [c.step(k, next(totals), rep, mask) for c, rep in pairs]
                continue
            keep(rows, member, point, given, registers)
    return new


def _maps(rows: Rows, member: Member) -> None:
    """Emit what reduces nothing and has several dimensions in loops of its own."""
    row = rows.row
    # What is made inside these loops must not be used after them.
    rows.row = dict(row)
    last = [member.inner[-1]]
    while last[0] > member.outer and joins(member.op, last[0] - 1, last[0]):
        last.insert(0, last[0] - 1)
    _nest(rows, member, last, rows.outer)
    rows.row = row


def _nest(rows: Rows, member: Member, last: Sequence[int], before: list[Rep]) -> None:
    """Emit a loop per dimension, and in these the last ones in vectors.

    Memory has these in a row: the index of the last one counts for all.
    """
    k, dim = rows.k, len(before)
    if dim == last[0]:
        zeros = [Uniform(k.index(0)) for _ in last[1:]]
        extent = elements(member.extents[d] for d in last)
        _sweep(rows, [member], [*before, *zeros], extent)
        return
    with k.loop(k.index(0), k.dim(member.extents[dim]), 1) as loop:
        _nest(rows, member, last, [*before, Uniform(loop.index)])
