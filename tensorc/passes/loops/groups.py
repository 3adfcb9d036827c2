"""The kernel of a group: loops over chunks of rows, and the product among them."""

from dataclasses import dataclass

from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, floordiv
from tensorc.ir.invariants import fail
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import (
    SizeOf,
)
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import SCHEDULE, Schedule, schedule_of
from tensorc.passes.analysis.members import assign_levels, cut, make_member
from tensorc.passes.analysis.memory import shape_of
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.contract import emit_contraction, emit_panel
from tensorc.passes.loops.entry import (
    FunctionState,
    Shape,
    close_kernel,
    elements,
    open_kernel,
    row_major,
)
from tensorc.passes.loops.lanes import (
    Rep,
    Storage,
    Uniform,
)
from tensorc.passes.loops.rows import emit_row
from tensorc.passes.loops.rows_state import Rows, place_private
from tensorc.passes.schedule.cpu import PRODUCTS_PER_WORK


def group_kernel(entry: FunctionState, op: Op) -> None:
    """Write the kernel of a group, and before it the one that fills its panel."""
    assert isinstance(op, KernelGroup)
    if isinstance(op.attributes.get("tc.panel"), int):
        group = _open_group(entry, op)
        assert group.contraction is not None
        emit_panel(group.rows, group.contraction)
        close_kernel(entry, group.function, group.k, op.operands, group.names, 1)
    group = _open_group(entry, op)
    chunks = _chunks(group)
    work: Dim = 0
    for extents, is_product in group.spaces:
        points = elements(tuple(extents))
        work = work + (floordiv(points, PRODUCTS_PER_WORK) if is_product else points)
    close_kernel(entry, group.function, group.k, op.operands, group.names, chunks, work)


@dataclass
class _GroupKernel:
    """A group's kernel in the making: its outer space, its product, its other rows."""

    function: Function
    k: LoopBuilder
    schedule: Schedule
    names: list[str]
    outer: list[Dim]
    before: Rows  # what stands before the product
    contraction: Generic | None
    rows: Rows  # what comes after it
    spaces: list[tuple[list[Dim], bool]]


def _open_group(entry: FunctionState, op: KernelGroup) -> _GroupKernel:
    values = op.operands
    shapes = [d.dims for d in op.shapes.items if isinstance(d, Dims)]
    block = op.body.block
    sizes = [dim for shape in shapes for dim in shape]
    sizes += [o.dim.dims[0] for o in op.walk() if isinstance(o, SizeOf)]
    sizes += [dim for o in op.walk() for dim in (schedule_of(o) or Schedule()).sizes()]
    function, k, arguments, names = open_kernel(entry, values, sizes)
    storages: dict[Value, Storage] = {}
    known: dict[Value, Shape] = {}
    for inside, argument, shape in zip(block.arguments, arguments, shapes, strict=True):
        known[inside] = shape
        storages[inside] = row_major(k, argument, shape)
    private = set()
    for inner in block.ops:
        if isinstance(inner, memory.Alloc):
            known[inner.result] = shape_of(inner)
            private.add(inner.result)
    generics = [o for o in block.ops if isinstance(o, Generic)]
    index = op.attributes.get("tc.panel")
    panel = arguments[index] if isinstance(index, int) else None
    first, contraction, last = cut(generics)
    parts = []
    for part in (first, last):
        members = [make_member(g, known, op.outer) for g in part]
        rows = Rows(k, entry.target, members, known, storages, panel, private)
        assign_levels(rows.members, rows.makers)
        place_private(rows)
        parts.append(rows)
    before, after = parts
    everything = [make_member(g, known, op.outer) for g in generics]
    outer = everything[0].extents[: op.outer]
    spaces = [(m.extents, m.op is contraction) for m in everything]
    chosen = schedule_of(op) or Schedule()
    return _GroupKernel(
        function, k, chosen, names, outer, before, contraction, after, spaces
    )


def _chunks(group: _GroupKernel) -> Dim:
    """Emit the loop over chunks [begin, end) and return how many there are."""
    k, rows, outer = group.k, group.rows, group.outer
    if not outer:
        emit_row(rows, [])
        return 1
    begin, end = group.function.body.block.arguments[-3:-1]
    contraction, chosen = group.contraction, group.schedule
    height, width = chosen.rows, chosen.columns
    if height is None:
        fail(group.function, f"a group with rows has '{SCHEDULE}' for them")
    columns = 1 if width is None else group.spaces[0][0][1]
    strips = 1 if width is None else _ceildiv(columns, width)
    extent = k.dim(outer[0])
    with k.loop(begin, end, 1) as chunk:
        number = chunk.index
        if width is not None:
            number = k.op(arith.FloorDivSI, chunk.index, k.dim(strips))
            strip = k.sub(chunk.index, k.mul(number, k.dim(strips)))
            left = k.mul(strip, k.dim(width))
            right = k.minimum(k.add(left, k.dim(width)), k.dim(columns))
            rows.span = (left, right)
        lower = k.mul(number, k.dim(height))
        upper = k.minimum(k.add(lower, k.dim(height)), extent)
        if group.before.members:
            _rows(k, group.before, outer, [], lower, upper)
        if contraction is not None:
            _contract(k, rows, contraction, outer, lower, upper)
        if rows.members:
            _rows(k, rows, outer, [], lower, upper)
    return _ceildiv(outer[0], height) * strips


def _ceildiv(left: Dim, right: Dim) -> Dim:
    return floordiv(left + (right - 1), right)


def _contract(
    k: LoopBuilder,
    rows: Rows,
    op: Generic,
    outer: list[Dim],
    lower: Value,
    upper: Value,
) -> None:
    with k.at(op.location):
        if len(outer) == 1:
            emit_contraction(rows, op, [], lower, upper)
            return
        _batches(k, rows, op, outer, [], (lower, upper))


def _batches(
    k: LoopBuilder,
    rows: Rows,
    op: Generic,
    outer: list[Dim],
    batch: list[Value],
    chunk: tuple[Value, Value],
) -> None:
    """Emit loops over the batch of a contraction, the first over the chunk."""
    depth = len(batch)
    if depth == len(outer) - 1:
        emit_contraction(rows, op, batch, k.index(0), k.dim(outer[-1]))
        return
    lower, upper = chunk if depth == 0 else (k.index(0), k.dim(outer[depth]))
    with k.loop(lower, upper, 1) as loop:
        _batches(k, rows, op, outer, [*batch, loop.index], chunk)


def _rows(
    k: LoopBuilder,
    rows: Rows,
    outer: list[Dim],
    indices: list[Rep],
    lower: Value,
    upper: Value,
) -> None:
    """Emit loops over the outer space, the first from lower to upper."""
    with k.loop(lower, upper, 1) as loop:
        inner: list[Rep] = [*indices, Uniform(loop.index)]
        if len(inner) == len(outer):
            emit_row(rows, inner)
        else:
            last = k.dim(outer[len(inner)])
            _rows(k, rows, outer, inner, k.index(0), last)
