"""Emit the rows of a group: its members one after the other, vectors along a row.

1. Sweeps: members of one level and extent share a loop over 16 lanes at a time. A row
   of up to 16 elements is one vector, without a loop.
2. Scalars per row are plain code between the sweeps.
3. Other members (several inner dimensions, reductions across rows of memory) get loop
   nests of their own.
"""

from collections.abc import Callable, Mapping, Sequence

from tensorc.ir.attributes import identity_map
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.types import I1, VectorType, element_type
from tensorc.passes.analysis.generics import combiners, output_dims
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import (
    Combiner,
    bit_mask,
    block_tree,
    load_wide,
    needs_blocks,
    nothing,
    scratch,
    store_wide,
)
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import elements
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Uniform,
    emit_body,
    read,
    storage_of,
    unflatten,
    write,
)
from tensorc.passes.loops.rows_state import Rows, combiners_of, start_value


def emit_row(rows: Rows, outer: list[Rep]) -> None:
    """Emit all members at one index of the outer space."""
    rows.outer, rows.row = outer, {}
    for level in sorted({m.level for m in rows.members}):
        ready = [m for m in rows.members if m.level == level]
        if level % 2 == 0:
            for extent in dict.fromkeys(m.extents[-1] for m in ready):
                _sweep(rows, [m for m in ready if m.extents[-1] == extent], outer)
            continue
        for member in ready:
            with rows.k.at(member.op.location):
                if member.is_scalar:
                    _scalar(rows, member)
                else:
                    emit_nest(rows, member)


def arguments_at(
    rows: Rows, member: Member, point: Point, registers: dict[Value, Rep]
) -> list[Rep]:
    """Return the elements that a member's body reads, from registers or memory."""
    given: list[Rep] = []
    for value, map_ in zip(member.op.inputs, member.op.maps, strict=False):
        known = registers.get(value)
        made = rows.producer(value)
        if (
            known is not None
            and made is not None
            and (isinstance(known, Uniform) or _along_lanes(point, made))
        ):
            whole = identity_map(len(made.extents)).results
            rank = made.outer if made.op.reductions else len(whole)
            if map_.results == whole[:rank]:
                given.append(known)
                continue
        zero = Uniform(rows.k.index(0))
        indices = [zero if d is None else point.indices[d] for d in map_.results]
        given.append(
            read(rows.k, storage_of(rows.storages, member.op, value), indices, point)
        )
    return given


def _along_lanes(point: Point, made: Member) -> bool:
    """Return whether the lanes of a point can be those that a member was made in."""
    same = len(point.indices) == len(made.extents)
    return same and isinstance(point.indices[-1], Counter)


def put(
    rows: Rows, value: Value, indices: Sequence[Rep], rep: Rep, point: Point
) -> None:
    """Store a result if it has memory."""
    if value in rows.storages:
        write(rows.k, rows.storages[value], indices, rep, point)


def _scalar(rows: Rows, member: Member) -> None:
    point = Point(tuple(rows.outer))
    arguments = arguments_at(rows, member, point, rows.row)
    results = emit_body(rows.k, member.op, point, arguments, rows.storages)
    for value, rep in zip(member.op.outputs, results, strict=True):
        rows.row[value] = rep
        put(rows, value, rows.outer, rep, point)


def _sweep(rows: Rows, members: list[Member], before: list[Rep]) -> None:
    """Run members with the same last extent in one vector loop along it."""
    k = rows.k
    flat = reduced_extents(members[0])
    extent = k.dim(elements(flat) if len(flat) > 1 else members[0].extents[-1])
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
    with k.loop(lower, upper, LANES, starts) as loop:
        left = k.sub(upper, loop.index)
        known = k.known(k.sub(upper, lower)) or 1
        mask = None if known % LANES == 0 else tail_mask(k, left)
        registers = dict(rows.row)
        loop.yields = _step(
            rows, members, before, loop.index, mask, loop.carried, registers
        )
    return loop.results


def tail_mask(k: LoopBuilder, left: Value) -> Value:
    """Return the mask of the lanes that are left."""
    return k.op(vector.CreateMask, left, types=[VectorType(LANES, I1)])


def _blocked(
    rows: Rows,
    members: list[Member],
    before: list[Rep],
    extent: Value,
    sums: list[Combiner],
) -> list[Value]:
    """Loop over blocks of 1024; sums go through the tree, maxima are carried."""
    k = rows.k
    trees = [block_tree(k, c, wide=False) for c in sums]
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
    point = Point(_indices(k, members[0], before, at), mask)
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
            for value, rep in zip(member.op.outputs, given, strict=True):
                registers[value] = rep
                put(rows, value, point.indices, rep, point)
    return new


def _indices(
    k: LoopBuilder, member: Member, before: Sequence[Rep], at: Value
) -> tuple[Rep, ...]:
    """Return the index of each dimension where the last ones, as one, are at `at`."""
    if len(member.op.reductions) < 2:
        return (*before, Counter(at))
    found = dict(zip(output_dims(member.op), before, strict=True))
    found |= reduced_at(k, member, Counter(at))
    return tuple([found[d] for d in range(len(member.extents))])


def reduced_extents(member: Member) -> tuple[Dim, ...]:
    """Return the extents of what a member reduces."""
    return tuple([member.extents[d] for d in member.op.reductions])


def reduced_at(k: LoopBuilder, member: Member, at: Rep) -> dict[int, Rep]:
    """Return the index of each reduced dimension, given their flat index."""
    found = unflatten(k, at, reduced_extents(member))
    return dict(zip(member.op.reductions, found, strict=True))


def emit_nest(rows: Rows, member: Member) -> None:
    """Emit a member of another form in loops of its own."""
    reduced, vectors = member.op.reductions, bool(combiners_of(member))
    indices = dict(enumerate(rows.outer))
    parallel = [d for d in member.inner if d not in reduced]
    row = rows.row
    # What is made inside these loops must not be used after them.
    rows.row = dict(row)
    if not reduced or (vectors and member.inner[-1] in reduced):
        loops = parallel if reduced else parallel[:-1]
        _nest(rows, member, loops, indices, lambda at: _along(rows, member, at))
    elif vectors:
        _nest(
            rows, member, parallel[:-1], indices, lambda at: _strips(rows, member, at)
        )
    else:
        _nest(rows, member, parallel, indices, lambda at: _one_by_one(rows, member, at))
    rows.row = row


def _nest(
    rows: Rows,
    member: Member,
    dims: Sequence[int],
    indices: Mapping[int, Rep],
    body: Callable[[Mapping[int, Rep]], None],
) -> None:
    """Emit a loop per dimension around the body."""
    if not dims:
        body(indices)
        return
    k = rows.k
    first, *others = dims
    with k.loop(k.index(0), k.dim(member.extents[first]), 1) as loop:
        inner = {**indices, first: Uniform(loop.index)}
        _nest(rows, member, others, inner, body)


def _along(rows: Rows, member: Member, indices: Mapping[int, Rep]) -> None:
    dims = (
        output_dims(member.op)
        if member.op.reductions
        else range(len(member.extents) - 1)
    )
    before = [indices[d] for d in dims]
    _sweep(rows, [member], before)


def _strips(rows: Rows, member: Member, indices: Mapping[int, Rep]) -> None:
    """Reduce along memory rows, for 16 columns at a time."""
    k = rows.k
    extent = k.dim(member.extents[-1])
    known = k.known(extent)
    if known is not None and known <= LANES:
        mask = None if known == LANES else k.mask(known)
        _strip(rows, member, indices, k.index(0), mask)
        return
    with k.loop(k.index(0), extent, LANES) as loop:
        even = known is not None and known % LANES == 0
        mask = None if even else tail_mask(k, k.sub(extent, loop.index))
        _strip(rows, member, indices, loop.index, mask)


def _strip(
    rows: Rows,
    member: Member,
    indices: Mapping[int, Rep],
    column: Value,
    mask: Value | None,
) -> None:
    k, op, combines = rows.k, member.op, combiners_of(member)
    last = len(member.extents) - 1

    def combined(at: Value, totals: Sequence[Value]) -> list[Value]:
        here = {**indices, last: Counter(column), **reduced_at(k, member, Uniform(at))}
        point = Point(tuple(here[d] for d in range(last + 1)), mask)
        arguments = arguments_at(rows, member, point, rows.row)
        reps = emit_body(k, op, point, arguments, rows.storages, combiners(op))
        return [
            c.step(k, total, rep, mask)
            for c, total, rep in zip(combines, totals, reps, strict=True)
        ]

    extent = k.dim(elements(reduced_extents(member)))
    if combines[0].is_sum:
        totals = _column_sums(k, combines, extent, combined)
    else:
        starts = [c.start(k) for c in combines]
        with k.loop(k.index(0), extent, 1, starts) as loop:
            loop.yields = combined(loop.index, loop.carried)
        totals = loop.results
    at = [*[indices[d] for d in output_dims(op)[:-1]], Counter(column)]
    for output, combine, total in zip(op.outputs, combines, totals, strict=True):
        value = Lanes(nothing(k, combine, extent, total))
        put(rows, output, at, value, Point((), mask))


def _column_sums(
    k: LoopBuilder,
    combines: Sequence[Combiner],
    extent: Value,
    combined: Callable[[Value, Sequence[Value]], list[Value]],
) -> list[Value]:
    """Sum 16 columns: lanes in scratch, row i in lane i mod 16; blocks in a tree."""
    memories = [scratch(k, c.element, LANES * LANES) for c in combines]
    both = list(zip(combines, memories, strict=True))

    def block(lower: Value, upper: Value) -> list[Value]:
        with k.loop(k.index(0), k.index(LANES), 1) as loop:
            for combine, lanes in both:
                store_wide(k, lanes, loop.index, combine.start(k))
        with k.loop(lower, upper, 1) as loop:
            lane = bit_mask(k, loop.index, LANES - 1)
            held = [load_wide(k, lanes, lane) for lanes in memories]
            totals = combined(loop.index, held)
            for lanes, total in zip(memories, totals, strict=True):
                store_wide(k, lanes, lane, total)
        first = [load_wide(k, lanes, k.index(0)) for lanes in memories]
        with k.loop(k.index(1), k.index(LANES), 1, first) as loop:
            loop.yields = [
                combine.combine(k, total, load_wide(k, lanes, loop.index))
                for (combine, lanes), total in zip(both, loop.carried, strict=True)
            ]
        return loop.results

    if not needs_blocks(combines[0], k.known(extent)):
        return block(k.index(0), extent)
    trees = [block_tree(k, c, wide=True) for c in combines]
    zero, one = k.index(0), k.index(1)
    with k.loop(zero, extent, BLOCK, [zero, zero]) as loop:
        number, levels = loop.carried
        upper = k.minimum(k.add(loop.index, k.index(BLOCK)), extent)
        grown = levels
        for tree, total in zip(trees, block(loop.index, upper), strict=True):
            grown = tree.push(k, total, number, levels)
        loop.yields = [k.add(number, one), grown]
    return [tree.total(k, *loop.results) for tree in trees]


def _one_by_one(rows: Rows, member: Member, indices: Mapping[int, Rep]) -> None:
    """Reduce one element after the other, with any number of accumulators."""
    k, op = rows.k, member.op
    starts = [
        k.constant(start_value(op, i), element_type(v.type))
        for i, v in enumerate(op.outputs)
    ]
    extent = k.dim(elements(reduced_extents(member)))
    with k.loop(k.index(0), extent, 1, starts) as loop:
        here = {**indices, **reduced_at(k, member, Uniform(loop.index))}
        point = Point(tuple(here[d] for d in range(len(member.extents))))
        arguments = arguments_at(rows, member, point, rows.row)
        totals = [Uniform(v) for v in loop.carried]
        given = emit_body(k, op, point, [*arguments, *totals], rows.storages)
        loop.yields = [rep.value for rep in given]
    at = [indices[d] for d in output_dims(op)]
    for value, result in zip(op.outputs, loop.results, strict=True):
        put(rows, value, at, Uniform(result), Point(()))
