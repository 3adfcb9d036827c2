"""How a CPU runs kernels: chunks for threads, blocks of rows, parts of sums, places.

A function for each key of a schedule (`tensorc.ir.schedules`). No choice here changes a
result: chunks write memory of their own. Those of products are in
`tensorc.passes.schedule.products`.
"""

from collections.abc import Collection, Sequence
from math import lcm

from tensorc.ir.core import Value
from tensorc.ir.dims import (
    Dim,
    ceildiv,
    elements,
    floordiv,
    known_at_most,
    maximum,
    minimum,
)
from tensorc.ir.numerics import BLOCK as ORDER_BLOCK
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import BLOCK, MEMORY, REGISTER, ROW, STREAM
from tensorc.ir.types import Element, TensorType
from tensorc.passes.analysis.cost import body_size
from tensorc.passes.analysis.generics import (
    Read,
    has_windows,
    identity_depth,
    is_contraction,
    lies_across,
    origin,
    reads,
    tensor_of,
)
from tensorc.passes.analysis.members import Member
from tensorc.passes.analysis.stages import Kernel, in_turn
from tensorc.passes.analysis.walks import apart, extent_of, is_turned, kept_of, walk
from tensorc.passes.schedule.products import (
    MATRIX_ROWS,
    product_columns,
    product_rows,
    reads_along_rows,
)
from tensorc.passes.schedule.windows import tile, window_columns, window_rows
from tensorc.target import Target

CHUNK_WORK = 1 << 17  # simple operations of a chunk without products: some 20 us
ACCUMULATORS = 32768  # bytes of a reduction's accumulators: of a first-level cache
KEPT = 1024  # results of a reduction at a time
KEPT_LEAST = 512  # elements that memory has in a row, for a chunk of what is kept
KEPT_OF_PARTS = 4096  # the same, where what is reduced is cut
TURNED_COLUMNS = 512  # of the part of a sum that reads memory across its order
TURNED_ROWS = 4096  # and of its rows, where they are unknown
SPLIT_WORK = 1 << 18  # simple operations of a part of a reduction
AHEAD_BYTES = 1 << 16  # of the next row, for which a first or second cache has room
STACK_AT_ONCE = 8192  # bytes of one value that may lie on the stack of a kernel
STACK_BYTES = 32768  # and of all of them together; the rest is scratch of the worker
STREAM_BYTES = 1 << 24  # of a result that leaves no room in a last cache of 32 MB
STREAM_LEAST = 4  # bytes of its elements, so that vectors are whole lines of a cache
BLOCK_BYTES = 1 << 18  # what stages pass on: half of a small second-level cache

Places = dict[Generic, list[str]]  # where each result of each member lies


def rows_per_chunk(kernel: Kernel, target: Target) -> Dim | None:
    """Return how many rows of the flat outer space a chunk has, None if there are none.

    Products have whole tallest tiles, of one matrix after the other.
    """
    rows = [_extent(kernel, run) for run in kernel.runs.rows]
    if not rows:
        return None
    work: Dim = 0
    for member in kernel.members:
        inside = kernel.runs.swept or range(len(kernel.outer), len(member.extents))
        points: Dim = 1
        for dim in inside:
            points = points * member.extents[dim]
        work = work + (points + LANES) * weight(member.op)  # the last vector is whole
    if any(map(has_windows, kernel.products)):
        return window_rows(kernel, target)
    if kernel.products:
        return product_rows(kernel, rows, work, target)
    fitting = maximum(floordiv(CHUNK_WORK, maximum(work, 1)), 1)
    if not any(
        lies_across(m.op, number, len(kernel.outer) - 1)
        for m in kernel.members
        for number in range(len(m.op.inputs))
    ):
        return fitting
    panels = floordiv(fitting + (LANES - 1), LANES) * LANES
    return maximum(panels, LANES)


def block_rows(
    kernel: Kernel,
    places: Places,
    rows: Dim | None,
    columns: Dim | None,
    target: Target,
) -> Dim | None:
    """Return how many rows stages work on before the next ones, if they pass on any.

    They are at most the rows of a chunk. What is passed on stays below a budget where
    that leaves rows for whole tiles; of columns that are shared out it has those of a
    chunk.
    """
    passed = {
        value: tensor_of(value)
        for op, found in places.items()
        for value, place in zip(op.results, found, strict=True)
        if place == BLOCK
    }
    if not passed or rows is None:
        return None
    taken: Dim = 0
    slots = {n: passed[value] for value, n in in_turn(kernel.stages, passed).items()}
    for type_ in slots.values():
        shape = type_.shape if columns is None else (*type_.shape[:-1], columns)
        taken = taken + row_bytes(shape, type_.element, len(kernel.outer))
    if any(map(has_windows, kernel.products)):
        fitting = maximum(floordiv(BLOCK_BYTES, maximum(taken, 1)), 1)
        known = isinstance(rows, int) and isinstance(fitting, int)
        return (
            ceildiv(rows, ceildiv(rows, fitting)) if known else minimum(rows, fitting)
        )
    heights = [tile(kernel, op, target)[reads_along_rows(op)] for op in kernel.products]
    even = lcm(*heights)
    fitting = floordiv(BLOCK_BYTES, maximum(taken * even, 1)) * even
    fitting = maximum(fitting, max(heights))
    return rows if known_at_most(MATRIX_ROWS, fitting) else minimum(rows, fitting)


def _extent(kernel: Kernel, run: Sequence[int]) -> Dim:
    """Return the extent of dimensions that are walked as one."""
    return elements(kernel.members[0].extents[dim] for dim in run)


def weight(op: Generic) -> int:
    """Return how long a point of a generic takes, in simple operations on 16 lanes."""
    return 1 if is_contraction(op) else body_size(op)


def _sweep_weight(kernel: Kernel) -> int:
    return sum(weight(member.op) for member in kernel.members)


def columns_per_chunk(kernel: Kernel, target: Target) -> Dim | None:
    """Return the columns of a chunk if chunks may have a part of each row.

    That is so if all that the group does goes along the same columns, element by
    element, after a product perhaps: few rows are then work for several threads.
    """
    if kernel.runs.swept:
        vectors = max(CHUNK_WORK // (LANES * _sweep_weight(kernel)), 1)
        columns = _extent(kernel, kernel.runs.swept)
        few = isinstance(columns, int) and columns <= vectors * LANES
        return None if few else vectors * LANES
    if any(map(has_windows, kernel.products)):
        return window_columns(kernel, target)
    return product_columns(kernel, target)


def kept_per_chunk(kernel: Kernel) -> Dim | None:
    """Return how much of what reductions keep a chunk has, if it may have a part."""
    kept = kept_of(kernel.members, len(kernel.outer))
    if kept is None:
        return None
    split = split_per_chunk(kernel)
    work: Dim = 0
    for member in kernel.members:
        total = extent_of(member, reduced=True)
        points = total if split is None else minimum(total, split)
        work = work + points * weight(member.op)
    (first, *_) = (walk(m) for m in kernel.members if m.op.reductions)
    last, step = first[-1].extent, 1 if first[-1].reduced else LANES
    least = KEPT_LEAST if split is None else KEPT_OF_PARTS
    if first[-1].reduced:
        least = -(-least // last) if isinstance(last, int) and last else 1
    steps = -(-least // step)
    width = maximum(floordiv(CHUNK_WORK // step, maximum(work, 1)), steps) * step
    few = known_at_most(kept, width) or known_at_most(kept, steps * step)
    return None if few else width


def split_per_chunk(kernel: Kernel) -> int | None:
    """Return how many elements of reductions a chunk has, if these may run apart.

    Each part leaves an element for each result, so that results are few.
    """
    members = apart(kernel.members, len(kernel.outer))
    work = 0
    for member in members:
        kept = extent_of(member, reduced=False)
        work += weight(member.op) * (kept if isinstance(kept, int) else KEPT_LEAST)
    if not work:
        return None
    size = ORDER_BLOCK
    while 2 * size * work <= SPLIT_WORK:
        size *= 2
    turned = [walk(m)[-1].extent for m in members if is_turned(m)]
    rows = max((n if isinstance(n, int) else TURNED_ROWS for n in turned), default=0)
    while size < TURNED_COLUMNS * rows:  # memory is read along its rows
        size *= 2
    totals = [extent_of(m, reduced=True) for m in members]
    few = all(isinstance(t, int) and t < 2 * size for t in totals)
    alike = len(set(totals)) == 1
    return None if few or not alike else size


def places(kernel: Kernel, leaving: Collection[Value] = ()) -> Places:
    """Return where each result of each member lies.

    In memory of its own is what the group gives, what is written part by part, and what
    is read at other rows. What one stage makes and another reads lasts for a chunk of
    rows. `leaving` are values that the group gives and nothing after it reads.
    """
    results = [value for member in kernel.members for value in member.op.results]
    depth = len(kernel.outer)
    touched = [read for member in kernel.members for read in reads(member.op)]
    across = {r.value for r in touched if identity_depth(r.axes) < depth}
    in_memory = {origin(v) for v in kernel.given | (across & kernel.lasting)}
    lasting = {origin(v) for v in kernel.lasting}
    in_memory |= lasting & {origin(v) for v in results if origin(v) is not v}
    found: Places = {}
    for member in kernel.members:
        found[member.op] = []
        for value in member.op.results:
            place = MEMORY
            if value in leaving and _is_streamed(member, value, touched):
                place = STREAM
            elif origin(value) in in_memory:
                pass
            elif origin(value) in lasting:
                place = BLOCK if kernel.outer else MEMORY
            elif is_contraction(member.op):
                pass
            elif value in kernel.registers:
                place = REGISTER
            elif _fits_in_row(tensor_of(value), len(kernel.outer)):
                place = ROW
            found[member.op].append(place)
    return found


def _is_streamed(member: Member, value: Value, touched: Sequence[Read]) -> bool:
    """Return whether a result may be large, and is written once, vector by vector."""
    type_ = tensor_of(value)
    size = elements(type_.shape) * type_.element.bytes
    return (
        not member.op.reductions
        and len(member.op.results) == 1
        and member.op.maps[-1].is_plain
        and origin(value) is value
        and type_.element.bytes >= STREAM_LEAST
        and not known_at_most(size, STREAM_BYTES - 1)
        and not known_at_most(type_.shape[-1], LANES - 1)
        and all(read.value is not value for read in touched)
    )


def _fits_in_row(type_: TensorType, outer: int) -> bool:
    """Return whether a kernel keeps one row at a time of a value.

    A kernel without rows has the whole value at once: if it is large, or of unknown
    size, memory for it that others may use before and after is the cheaper one.
    """
    size = row_bytes(type_.shape, type_.element, outer)
    return outer > 0 or (isinstance(size, int) and size <= STACK_AT_ONCE)


def row_bytes(shape: Sequence[Dim], element: Element, outer: int) -> Dim:
    """Return the size of one row of a value inside a kernel with `outer` dimensions."""
    return elements(shape[outer:]) * element.bytes


def kept_width(kept: Dim, size: int) -> int:
    """Return for how many results at a time a reduction has accumulators.

    `size` is how many bytes one result takes. The width is a multiple of the lanes.
    """
    most = max(min(ACCUMULATORS // size, KEPT) // LANES, 1) * LANES
    if isinstance(kept, int):
        return min(most, max(-(-kept // LANES), 1) * LANES)
    return most


def lanes_in_turn(size: int) -> int:
    """Return for how many lanes a sum has accumulators of so many bytes each."""
    lanes = LANES
    while lanes > 1 and lanes * size > ACCUMULATORS:
        lanes //= 2
    return lanes
