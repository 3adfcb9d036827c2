"""The kernel of a group: loops over chunks of rows, its stages one after the other.

A chunk is a range of rows of the flat outer space, or a part of the columns of one or
some rows, or both. Dimensions that memory has in a row are walked as one (`joins`): the
index of the last of them counts for all, those before stay 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv, elements, floordiv
from tensorc.ir.invariants import fail
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import FILLED, KernelGroup
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import (
    SizeOf,
)
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import (
    BLOCK,
    PLACE,
    ROW,
    SCHEDULE,
    STAGE,
    STREAM,
    Schedule,
    places_of,
    schedule_of,
    stage_of,
)
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import (
    identity_depth,
    is_contraction,
    reads,
    roles,
    space,
)
from tensorc.passes.analysis.joins import Runs, follows, runs_of
from tensorc.passes.analysis.members import Member, assign_levels, make_member
from tensorc.passes.analysis.memory import shape_of
from tensorc.passes.analysis.stages import in_turn
from tensorc.passes.analysis.walks import extent_of
from tensorc.passes.loops.accumulate import worker_scratch
from tensorc.passes.loops.across import Across, emit_across, open_across
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.contract import (
    emit_contraction,
    emit_dot_parts,
    emit_dot_sum,
    emit_panel,
    panel_of,
)
from tensorc.passes.loops.entry import (
    FunctionState,
    Shape,
    close_kernel,
    open_kernel,
    row_major,
)
from tensorc.passes.loops.lanes import (
    Rep,
    Storage,
    Uniform,
)
from tensorc.passes.loops.nest import flat_nest, flat_runs
from tensorc.passes.loops.reductions.partials import (
    emit_partials,
    open_partials,
    partials_of,
    strip_of,
    work_done,
)
from tensorc.passes.loops.rows import emit_row
from tensorc.passes.loops.rows_state import Rows, place_private
from tensorc.passes.schedule.cpu import STREAM_BYTES
from tensorc.passes.schedule.products import PRODUCTS_PER_WORK, is_multiple
from tensorc.target import Target

Bounds = tuple[Value, Value]  # the first, and the one behind the last


def group_kernel(entry: FunctionState, op: Op) -> None:
    """Write the kernel of a group, and before it the one that fills its panel."""
    assert isinstance(op, KernelGroup)
    panel_kernel(entry, op)
    group = _open_group(entry, op)
    work = _work(group)
    for rows in [part.rows for part in group.parts if part.rows.partials]:
        ends = group.function.body.block.arguments[-3:-1]
        chunks = emit_partials(rows, group.schedule, group.kept, ends)
        values, names = op.operands, group.names
        close_kernel(entry, group.function, group.k, values, names, chunks, work)
        work = work - work_done(rows, group.schedule)
        group = _open_group(entry, op)
    for part in [part for part in group.parts if part.sums is not None]:
        chunks, done = _emit_dot_parts(group, part)
        values, names = op.operands, group.names
        close_kernel(entry, group.function, group.k, values, names, chunks, work)
        work = work - done
        group = _open_group(entry, op)
    chunks = _chunks(group)
    close_kernel(entry, group.function, group.k, op.operands, group.names, chunks, work)


def _emit_dot_parts(group: "_GroupKernel", part: "_Part") -> tuple[Dim, Dim]:
    """Emit the parts of a dot product; return their number, and the work done."""
    split, op, sums = group.schedule.split, part.product, part.sums
    assert split is not None
    assert op is not None
    assert sums is not None
    begin, end = group.function.body.block.arguments[-3:-1]
    with group.k.at(op.location):
        chunks = emit_dot_parts(part.rows, op, split, sums, (begin, end))
    points = elements(tuple(group.spaces[0][0]))
    return chunks, floordiv(points, PRODUCTS_PER_WORK)


def panel_kernel(entry: FunctionState, op: KernelGroup) -> None:
    """Write the kernels that fill the panels of a group, if it has any."""
    if not isinstance(op.attributes.get("tc.panel"), int):
        return
    count = sum(panel_of(member) is not None for member in op.body.block.ops)
    filled = op.attributes.get(FILLED, ())
    assert isinstance(filled, tuple)
    for number in [n for n in range(count) if n not in filled]:
        group = _open_group(entry, op)
        part = [part for part in group.parts if part.rows.panel is not None][number]
        assert part.product is not None
        begin, end = group.function.body.block.arguments[-3:-1]
        chunks, work = emit_panel(part.rows, part.product, (begin, end))
        values, names = op.operands, group.names
        close_kernel(entry, group.function, group.k, values, names, chunks, work)


def emit_inside(
    state: FunctionState, op: KernelGroup, rows: Bounds | None, span: Bounds | None
) -> Dim:
    """Emit a group where a kernel stands, for its rows or for a part of its elements.

    Without either it is all of them. Return about how many operations the group does.
    """
    k, arguments = state.k, [state.flat[v] for v in op.operands]
    group = _open_inside(state.function, k, state.target, op, arguments, [])
    if rows is not None:
        each_row = tuple((dim,) for dim in range(op.outer))
        group.runs = Runs(each_row, ())
        _move_blocks(group, rows[0])
    elif span is not None:
        _set_span(group, *span)
    elif len(group.runs.swept) > 1 and group.columns is not None:
        _set_span(group, k.index(0), k.dim(group.columns))
    _emit_parts(group, rows)
    return _work(group)


def _work(group: "_GroupKernel") -> Dim:
    """Return about how many operations a group does."""
    work: Dim = 0
    for extents, is_product in group.spaces:
        points = elements(tuple(extents))
        work = work + (floordiv(points, PRODUCTS_PER_WORK) if is_product else points)
    return work


@dataclass(frozen=True, slots=True)
class _Part:
    """A stage: rows that share loops, or a contraction."""

    rows: Rows
    product: Generic | None
    sums: Value | None = None  # where parts of a dot product leave what they come to


@dataclass
class _GroupKernel:
    """A group's kernel in the making: its outer space, its product, its other rows."""

    function: Function
    k: LoopBuilder
    schedule: Schedule
    names: list[str]
    outer: list[Dim]
    runs: Runs  # which dimensions are walked as one
    parts: list[_Part]
    spaces: list[tuple[list[Dim], bool]]
    blocks: dict[Value, Storage]  # what lies in scratch for the rows of a chunk

    @property
    def kept(self) -> Dim | None:
        """What each member keeps, if a chunk has a part of it."""
        members = [m for part in self.parts for m in part.rows.members]
        is_cut = self.schedule.kept is not None and bool(members)
        return extent_of(members[0], reduced=False) if is_cut else None

    @property
    def space(self) -> Shape:
        """The extents of the loops over rows."""
        return tuple([self._extent(run) for run in self.runs.rows])

    @property
    def columns(self) -> Dim | None:
        """The extent of which a chunk may have a part, if it may."""
        if self.runs.swept:
            return self._extent(self.runs.swept)
        if self.kept is not None:
            return self.kept
        extents, is_product = self.spaces[0]
        if not is_product:
            return None
        product = self.parts[0].product
        assert product is not None
        return elements(tuple([extents[dim] for dim in roles(product).columns]))

    def _extent(self, run: Sequence[int]) -> Dim:
        return elements(tuple([self.spaces[0][0][dim] for dim in run]))


def _open_group(entry: FunctionState, op: KernelGroup) -> _GroupKernel:
    made = open_kernel(entry, op.operands, sizes_in(op))
    function, k, arguments, names = made
    return _open_inside(function, k, entry.target, op, arguments, names)


def sizes_in(op: KernelGroup) -> list[Dim]:
    """Return the formulas that the code of a group computes."""
    sizes = [dim for d in op.shapes.items if isinstance(d, Dims) for dim in d.dims]
    sizes += [o.dim.dims[0] for o in op.walk() if isinstance(o, SizeOf)]
    sizes += [dim for o in op.walk() for dim in (schedule_of(o) or Schedule()).sizes()]
    generics = [o for o in op.body.block.ops if isinstance(o, Generic)]
    return sizes + [c for g in generics for m in g.maps for c in m.constants]


def _open_inside(
    function: Function,
    k: LoopBuilder,
    target: Target,
    op: KernelGroup,
    arguments: Sequence[Value],
    names: list[str],
) -> _GroupKernel:
    """Return a group that is to be emitted where a kernel's builder stands."""
    block = op.body.block
    shapes = [d.dims for d in op.shapes.items if isinstance(d, Dims)]
    generics = [o for o in block.ops if isinstance(o, Generic)]
    storages: dict[Value, Storage] = {}
    known: dict[Value, Shape] = {}
    memories = len(shapes)  # the scalars stand behind them
    scalars = zip(block.arguments[memories:], arguments[memories:], strict=True)
    k.given.update(scalars)
    for inside, argument, shape in zip(
        block.arguments[:memories], arguments[:memories], shapes, strict=True
    ):
        known[inside] = shape
        storages[inside] = row_major(k, argument, shape)
    private = set()
    for inner in block.ops:
        if isinstance(inner, memory.Alloc):
            known[inner.result] = shape_of(inner)
            private.add(inner.result)
    index = op.attributes.get("tc.panel")
    panels = iter(arguments[index:] if isinstance(index, int) else [])
    parts = []
    for _, part in groupby(generics, stage_of):
        first, *others = part
        product = first if is_contraction(first) else None
        if others and any(map(is_contraction, (first, *others))):
            fail(first, f"'{STAGE}': a contraction is a stage of its own")
        members = [make_member(g, known, op.outer) for g in (first, *others)]
        given = [] if product else members
        panel = next(panels, None) if panel_of(product) is not None else None
        rows = Rows(k, target, given, known, storages, panel, private)
        assign_levels(rows.members, rows.makers)
        place_private(rows)
        open_partials(op, rows, arguments)
        sums = partials_of(op, arguments) if product is not None else None
        parts.append(_Part(rows, product, sums))
    everything = [make_member(g, known, op.outer) for g in generics]
    outer = everything[0].extents[: op.outer]
    chosen = schedule_of(op) or Schedule()
    _check_strips(generics, chosen)
    runs = runs_of(everything, op.outer)
    if chosen.rows is not None and not runs.rows and outer:
        runs = Runs((runs.swept[:-1],), runs.swept[-1:])  # one, but cut by rows
    _open_streams(k, generics, known, storages)
    spaces = [(m.extents, is_contraction(m.op)) for m in everything]
    levelled = {m.op: m for part in parts for m in part.rows.members}
    each = [levelled.get(m.op, m) for m in everything]
    stages = [list(part) for _, part in groupby(each, lambda m: stage_of(m.op))]
    blocks = _blocks(k, stages, known, op.outer, chosen)
    return _GroupKernel(function, k, chosen, names, outer, runs, parts, spaces, blocks)


def _open_streams(
    k: LoopBuilder,
    generics: Sequence[Generic],
    known: dict[Value, Shape],
    storages: dict[Value, Storage],
) -> None:
    """Find out which results are so large that they are written past the caches."""
    for op in generics:
        for value, place in zip(op.outputs, places_of(op), strict=False):
            if place == STREAM and value in storages:
                size = elements(known[value]) * element_type(value.type).bytes
                large = k.compare("sge", k.dim(size), k.index(STREAM_BYTES))
                storages[value] = replace(storages[value], streams=large)


def _check_strips(generics: Sequence[Generic], chosen: Schedule) -> None:
    """Refuse chunks that begin within a strip of a panel."""
    for op in generics:
        width = panel_of(op)
        if width is not None and not is_multiple(chosen.columns or 0, width):
            fail(op, f"'{SCHEDULE}': a chunk's columns are whole strips of a panel")


def _blocks(
    k: LoopBuilder,
    stages: Sequence[Sequence[Member]],
    known: dict[Value, Shape],
    outer: int,
    chosen: Schedule,
) -> dict[Value, Storage]:
    """Return scratch of the worker for what stages pass on, a block of rows of each."""
    generics = [member.op for part in stages for member in part]
    kinds: dict[Value, tuple[Element, Shape]] = {}
    for op in generics:
        for value, place in zip(op.outputs, places_of(op), strict=False):
            if place != BLOCK or value in kinds:
                continue
            if chosen.block is None or chosen.block != chosen.rows:
                fail(op, f"'{PLACE}': there is no block of rows, which is a chunk")
            shape = known[value]
            if chosen.columns is not None:
                shape = (*shape[:-1], chosen.columns)
            kinds[value] = element_type(value.type), shape
    slots: dict[int, Storage] = {}
    found: dict[Value, Storage] = {}
    for value, slot in in_turn(stages, kinds).items():
        if slot not in slots:
            element, shape = kinds[value]
            count = (chosen.block or 0) * elements(shape[outer:])
            slots[slot] = row_major(k, worker_scratch(k, element, count), shape)
        found[value] = slots[slot]
    _check_rows(generics, outer, chosen)
    return found


def _check_rows(generics: Sequence[Generic], outer: int, chosen: Schedule) -> None:
    """Refuse reads and writes of rows that a worker's scratch does not hold."""
    depths = {ROW: outer, BLOCK: outer if chosen.columns is None else outer + 1}
    needed = {
        value: (place, depths[place])
        for op in generics
        for value, place in zip(op.outputs, places_of(op), strict=False)
        if place in depths and isinstance(value.op, memory.Alloc)
    }
    for op in generics:
        pairs = zip(op.outputs, op.maps[len(op.inputs) :], strict=True)
        touched = [(r.value, r.axes) for r in reads(op)]
        for value, axes in [*touched, *((v, m.results) for v, m in pairs)]:
            place, depth = needed.get(value, ("", 0))
            if identity_depth(axes) < depth:
                fail(op, f"'{PLACE}': rows are read that the worker's {place} lacks")


def _chunks(group: _GroupKernel) -> Dim:
    """Emit the loop over chunks [begin, end) and return how many there are.

    A chunk has the number of its rows times the strips of columns, plus its strip.
    """
    k, chosen, space = group.k, group.schedule, group.space
    width, columns = chosen.kept or chosen.columns, group.columns
    height: Dim = 1 if chosen.rows is None else chosen.rows
    if space and chosen.rows is None:
        fail(group.function, f"a group with rows has '{SCHEDULE}' for them")
    if width is not None and columns is None:
        fail(group.function, f"'{SCHEDULE}': rows of this group have no parts")
    if columns is not None and len(group.runs.swept) > 1:
        _set_span(group, k.index(0), k.dim(columns))
    if not space and width is None:
        _emit_parts(group, None)
        return 1
    strips: Dim = 1
    if width is not None and columns is not None:
        strips = ceildiv(columns, width)
    begin, end = group.function.body.block.arguments[-3:-1]
    with k.loop(begin, end, 1) as chunk:
        number = chunk.index if space else k.index(0)
        if width is not None and columns is not None:
            strip = chunk.index
            if space:
                number = k.op(arith.FloorDivSI, chunk.index, k.dim(strips))
                strip = k.sub(chunk.index, k.mul(number, k.dim(strips)))
            _set_span(group, *strip_of(k, strip, width, columns))
        limits = _rows_of(group, number, height)
        _move_blocks(group, limits[0])
        _emit_parts(group, limits)
    return ceildiv(elements(space), height) * strips


def _rows_of(group: _GroupKernel, number: Value, height: Dim) -> Bounds:
    """Return the rows of a chunk, which is so tall or the last one.

    Of products as few as possible are left for low tiles: known numbers are constants.
    """
    k, total = group.k, elements(group.space)
    lower = k.mul(number, k.dim(height))
    has_products = any(part.product for part in group.parts)
    if has_products and isinstance(total, int) and isinstance(height, int):
        if total <= height:
            return k.index(0), k.dim(total)
        if total % height == 0:
            return lower, k.add(lower, k.dim(height))
    return lower, k.minimum(k.add(lower, k.dim(height)), k.dim(total))


def _set_span(group: _GroupKernel, left: Value, right: Value) -> None:
    """Let the stages run over a part of each row."""
    for part in group.parts:
        part.rows.span = (left, right)


def _move_blocks(group: _GroupKernel, lower: Value) -> None:
    """Let what lies in blocks of rows begin at a chunk's first row and column."""
    k = group.k
    for value, whole in group.blocks.items():
        begun = k.mul(lower, whole.strides[len(group.outer) - 1])
        rows = group.parts[0].rows
        if rows.span is not None:
            begun = k.add(begun, rows.span[0])
        moved = replace(whole, at=k.sub(k.index(0), begun))
        rows.storages[value] = moved  # which all parts share


def _emit_parts(group: _GroupKernel, chunk: tuple[Value, Value] | None) -> None:
    """Emit what a group does for the rows of a chunk; None if there are no rows."""
    for part in group.parts:
        if chunk is None or not group.space:
            _emit_row(group, part.rows, [])
        elif part.product is None:
            _emit_rows(group, part.rows, chunk)
        else:
            with group.k.at(part.product.location):
                _emit_product(group, part, part.product, chunk)


def _emit_product(
    group: _GroupKernel, part: _Part, op: Generic, chunk: tuple[Value, Value]
) -> None:
    rows, split = part.rows, group.schedule.split

    def run(
        before: list[Value], first: Value, last: Value, _: list[Value]
    ) -> list[Value]:
        batch = _indices(group, before)[: len(group.outer) - 1]
        first, last = _inner_rows(group, part.rows, op, batch, (first, last))
        if part.sums is not None and split is not None:
            emit_dot_sum(rows, op, split, part.sums, (first, last))
        else:
            cut = group.schedule.columns
            emit_contraction(rows, op, batch, (first, last), cut)
        return []

    flat_runs(group.k, group.space, *chunk, run)


def _inner_rows(
    group: _GroupKernel, rows: Rows, op: Generic, batch: list[Value], limits: Bounds
) -> Bounds:
    """Return limits in rows of a product, which may have several for each row.

    They are dimensions inside of a row, which memory has in a row with the last of the
    outer ones; that one is 0, and so is what is added to the batch.
    """
    k, inside = group.k, range(len(group.outer), roles(op).row + 1)
    if not inside:
        return limits
    maps = [op.maps[number].results for number in (0, -1)]
    if not all(follows(m, dim - 1, dim) for m in maps for dim in inside):
        fail(op, "rows of a product that are inside of a group's lie side by side")
    extents = space(op, [rows.shapes[v] for v in op.operands])
    batch += [k.index(0)] * len(inside)
    each = k.dim(elements(extents[dim] for dim in inside))
    first, last = (k.mul(end, each) for end in limits)
    return first, last


def _emit_rows(group: _GroupKernel, rows: Rows, chunk: tuple[Value, Value]) -> None:
    across = _across(group, rows)
    if across:
        _emit_pieces(group, rows, across, chunk)
        return

    def row(indices: list[Value], _: list[Value]) -> list[Value]:
        _emit_row(group, rows, indices)
        return []

    flat_nest(group.k, group.space, *chunk, row)


def _across(group: _GroupKernel, rows: Rows) -> list[Across]:
    """Return what rows read across their memory, if they do nothing but read so."""
    runs = group.runs
    plain = len(group.parts) == 1 and len(runs.swept) < 2 and not rows.partials
    innermost = len(group.outer) - 1
    if not plain or not runs.rows or runs.rows[-1] != (innermost,):
        return []
    return open_across(rows, innermost)


def _emit_pieces(
    group: _GroupKernel,
    rows: Rows,
    across: Sequence[Across],
    chunk: tuple[Value, Value],
) -> None:
    def run(
        before: list[Value], first: Value, last: Value, _: list[Value]
    ) -> list[Value]:
        def outer(row: Value) -> list[Rep]:
            return [Uniform(i) for i in _indices(group, [*before, row])]

        def emit(row: Value) -> None:
            _emit_row(group, rows, [*before, row])

        emit_across(rows, across, (first, last), outer, emit)
        return []

    flat_runs(group.k, group.space, *chunk, run)


def _emit_row(group: _GroupKernel, rows: Rows, indices: Sequence[Value]) -> None:
    emit_row(rows, [Uniform(i) for i in _indices(group, indices)])


def _indices(group: _GroupKernel, indices: Sequence[Value]) -> list[Value]:
    """Return the index of each outer dimension, where those of some runs are given."""
    pairs = zip(group.runs.rows, indices, strict=False)
    given = {run[-1]: index for run, index in pairs}
    return [given.get(dim) or group.k.index(0) for dim in range(len(group.outer))]
