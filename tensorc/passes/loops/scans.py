"""Loops of the program: an `scf.for` in the entry around launches, or in one kernel.

Where the schedule of a `tc.scan` says so, its steps are one kernel: each chunk of rows
runs all steps for its rows, and waits for no other. Then the kernel has the loop over
steps inside that over chunks, and in it what the groups of the region do for the rows
of the chunk. What a step makes lies in memory as it does without, a row in its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv, elements
from tensorc.ir.invariants import fail
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.ops.scan import Scan
from tensorc.ir.schedules import Schedule
from tensorc.ir.types import I64
from tensorc.passes.loops.accumulate import scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import FunctionState, Shape, close_kernel, open_kernel
from tensorc.passes.loops.groups import Bounds, emit_inside, panel_kernel, sizes_in
from tensorc.passes.loops.lanes import (
    Counter,
    Point,
    Storage,
    read,
    tail_mask,
    write,
)
from tensorc.passes.loops.reductions.partials import strip_of

Lower = Callable[[FunctionState, Op], None]
Copy = Callable[[Value, Value], None]  # of memory that the state knows, to the same

_MADE_BEFORE = (memory.View, memory.Data)  # what no step changes


def emit_steps(
    state: FunctionState, op: Scan, number: Value, lower: Lower, copy: Copy
) -> None:
    """Write a loop over steps, where the builder of the state stands.

    What is carried goes round as memory: what a step reads, what it writes, and what
    the step after it writes; or it is the part of what is stacked that a step wrote.
    Where steps are counted, the first one so writes that the last one does where the
    result belongs; else that is copied there. `number` is memory for that of the step.
    """
    k, count, block = state.k, op.steps, op.body.block
    carried = op.carried
    finals, spares = op.destinations, op.spares
    is_even = isinstance(count, int) and count % 2 == 0
    first, second = (spares, finals) if is_even else (finals, spares)
    initial = [state.flat[v] for v in (*op.inits, *first, *second)]
    with k.loop(k.index(0), k.dim(count), 1, initial) as loop:
        at = k.sub(k.dim(count - 1), loop.index) if op.reverse else loop.index
        value = k.op(conversions.IndexCast, at, types=[I64])
        k.do(memory.Store, value, number, k.index(0))
        now, following, spare = _thirds(loop.carried)
        parts = [_part(state, v, at) for v in (*op.sequences, *op.stacks)]
        following = [
            target if source < 0 else parts[op.sliced + source]
            for target, source in zip(following, op.sources, strict=True)
        ]
        inside = [
            *(number, *now, *parts[: op.sliced]),
            *(*following, *parts[op.sliced :]),
            *[state.flat[v] for v in op.captures],
        ]
        state.flat.update(zip(block.arguments, inside, strict=True))
        state.shapes.update(_shapes_inside(state, op))
        for inner in block.ops[:-1]:
            with k.at(inner.location):
                lower(state, inner)
        loop.yields = [*following, *spare, *following]
    is_there = isinstance(count, int) and count > 0
    last = zip(loop.results[:carried], finals, op.sources, strict=True)
    for value, target, source in last:
        if source >= 0 or not is_there:
            state.flat[value] = value
            copy(value, target)


def _thirds(values: Sequence[Value]) -> tuple[Sequence[Value], ...]:
    size = len(values) // 3
    return values[:size], values[size : 2 * size], values[2 * size :]


def _part(state: FunctionState, whole: Value, at: Value) -> Value:
    """Return the part of memory at an index of its leading axis."""
    k = state.k
    count = k.dim(elements(state.shapes[whole][1:]))
    flat = state.flat[whole]
    made = k.op(memory.Part, flat, k.mul(at, count), count, types=[flat.type])
    made.hint = whole.hint
    return made


def _shapes_inside(state: FunctionState, op: Scan) -> dict[Value, Shape]:
    """Return the shapes of what the region of a loop is given; the arena has none."""
    shapes = state.shapes
    states = [shapes[v] for v in op.inits]
    tops = [shapes[v][1:] for v in op.stacks]
    given = [(), *states, *[shapes[v][1:] for v in op.sequences], *states, *tops]
    arguments = op.body.block.arguments
    found = dict(zip(arguments, given, strict=False))
    captured = zip(op.captures, arguments[len(given) :], strict=True)
    found.update((inside, shapes[v]) for v, inside in captured if v in shapes)
    return found


def steps_kernel(
    entry: FunctionState, op: Scan, chosen: Schedule, lower: Lower
) -> None:
    """Write the kernel that runs all steps, and before it those that fill panels.

    `lower` lowers in the entry what a step makes anew though it is always the same.
    """
    groups = _groups(op)
    made = _made_before(entry, op, lower)
    for group in groups:
        panel_kernel(entry, group)
    values = [v for v in op.operands if v is not op.number and v in entry.flat] + made
    sizes = [dim for v in values for dim in entry.shapes.get(v, ())]
    sizes += [d for group in groups for d in sizes_in(group)]
    sizes += [op.steps, *chosen.sizes()]
    function, k, arguments, names = open_kernel(entry, values, sizes)
    flat = dict(zip(values, arguments, strict=True))
    state = replace(entry, function=function, k=k, flat=flat, shapes={**entry.shapes})
    begin, end = function.body.block.arguments[-3:-1]
    work: list[Dim] = []
    space = _space(entry, op, groups[0], chosen)
    if chosen.rows is None and chosen.columns is None:
        _chunk(state, op, None, None, work)
        chunks: Dim = 1
    else:
        size = chosen.columns or chosen.rows or 1
        with k.loop(begin, end, 1) as chunk:
            bounds = strip_of(k, chunk.index, size, elements(space))
            rows = None if chosen.rows is None else bounds
            _chunk(state, op, rows, bounds if rows is None else None, work)
        chunks = ceildiv(elements(space), size)
    total = sum(work[1:], work[0]) * op.steps
    close_kernel(entry, function, k, values, names, chunks, total)


def _made_before(entry: FunctionState, op: Scan, lower: Lower) -> list[Value]:
    """Lower what no step changes in the entry; return it.

    What steps change has the memory of the first step there: panels, which are filled
    in the entry, do not read it.
    """
    block = op.body.block
    written = [*op.destinations, *op.stacks]
    first = [op.number, *op.inits, *op.sequences, *written, *op.captures]
    entry.flat.update(
        (inside, entry.flat[v])
        for inside, v in zip(block.arguments, first, strict=True)
    )
    entry.shapes.update(_shapes_inside(entry, op))
    made = [o for o in block.ops if isinstance(o, _MADE_BEFORE)]
    for inner in made:
        with entry.k.at(inner.location):
            lower(entry, inner)
    return [o.result for o in made]


def _space(
    entry: FunctionState, op: Scan, group: KernelGroup, chosen: Schedule
) -> Shape:
    """Return the extents of the rows of a step, or of all its elements."""
    whole = [entry.shapes[v] for v in op.destinations]
    whole += [entry.shapes[v][1:] for v in op.stacks]
    return whole[0] if chosen.rows is None else whole[0][: group.outer]


def _chunk(
    state: FunctionState,
    op: Scan,
    rows: Bounds | None,
    span: Bounds | None,
    work: list[Dim],
) -> None:
    """Emit all steps for the rows of a chunk; note the work of a step, once a group."""
    k, depth = state.k, _groups(op)[0].outer

    def lower(state: FunctionState, inner: Op) -> None:
        if isinstance(inner, KernelGroup):
            work.append(emit_inside(state, inner, rows, span))
        elif isinstance(inner, memory.Copy):
            copy(*inner.operands)
        elif not isinstance(inner, (*_MADE_BEFORE, SizeOf, arith.Constant)):
            fail(inner, "the steps of this loop are one kernel, of which it is no part")

    def copy(source: Value, target: Value) -> None:
        shape = state.shapes[target]
        bounds = span or (k.index(0), k.dim(elements(shape)))
        if rows is not None:
            inside = k.dim(elements(shape[depth:]))
            bounds = k.mul(rows[0], inside), k.mul(rows[1], inside)
        copy_elements(k, state.flat[source], state.flat[target], bounds)

    emit_steps(state, op, scratch(k, I64, 1), lower, copy)


def _groups(op: Scan) -> list[KernelGroup]:
    return [o for o in op.body.block.ops if isinstance(o, KernelGroup)]


def copy_elements(k: LoopBuilder, source: Value, target: Value, bounds: Bounds) -> None:
    """Copy elements of flat memory to the same places of other memory."""
    one = (k.index(1),)
    lower, upper = bounds
    with k.loop(lower, upper, LANES) as loop:
        mask = tail_mask(k, k.sub(upper, loop.index))
        point = Point((), mask)
        at = [Counter(loop.index)]
        rep = read(k, Storage(source, one), at, point)
        write(k, Storage(target, one), at, rep, point)
