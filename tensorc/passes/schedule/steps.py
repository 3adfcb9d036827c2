"""How a CPU runs loops whose steps work row by row: in the entry, or as one kernel.

In one kernel each worker runs all steps for its rows: nobody waits between two steps,
and what is carried stays in a near cache. A product's right side is then read by each
worker in each step: where it is large, chunks of columns in a loop of the entry are the
better way, as each worker reads its own columns alone.
"""

from math import lcm

from tensorc.ir.dims import (
    Dim,
    ceildiv,
    elements,
    floordiv,
    known_at_most,
    maximum,
    minimum,
)
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.scan import Scan
from tensorc.ir.schedules import Schedule, schedule_of
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import reads, tensor_of
from tensorc.passes.analysis.steps import Steps, is_shared
from tensorc.passes.schedule.cpu import CHUNK_WORK, block_rows, places, weight
from tensorc.passes.schedule.products import reads_along_rows, tile
from tensorc.target import Target

# Simple operations of a step of a chunk, at least: in shorter ones a step waits for the
# one before it, whose last results are not there yet, and sequences are read in pieces
# too short to be fetched ahead.
STEP_WORK = 3 << 12
# Of sequences that leave the caches, a step of a chunk reads so many elements in a row,
# at least: the processor fetches ahead along rows, not from step to step.
PIECE = 1 << 12
NEAR_BYTES = 1 << 19  # of sequences that stay in half of a second cache
WEIGHTS = 1 << 17  # bytes of right sides that each worker reads in each step
STEP_ROWS = 24  # of a chunk with products, at most: whole tallest tiles
STEP_CHUNKS = 4  # of a loop with products: two for each of two threads


def steps_schedules(
    op: Scan, steps: Steps, target: Target
) -> tuple[Schedule, list[Schedule]] | None:
    """Return how a loop runs as one kernel, and its groups; None if it is none.

    A chunk has so many rows, or elements, that all steps of them take some 20 us, or
    one of them some 0.5 us.
    """
    if steps.by_elements:
        chosen = Schedule(columns=_elements_per_chunk(op, steps))
        return chosen, [chosen] * len(steps.groups)
    if not _may_share_rows(op, steps, target):
        return None
    rows = _rows_per_chunk(op, steps, target)
    wanted = [
        block_rows(kernel, places(kernel), rows, None, target)
        for kernel in steps.kernels
    ]
    for block in wanted:
        rows = rows if block is None else minimum(rows, block)
    given = [Schedule(rows=rows, block=None if w is None else rows) for w in wanted]
    return Schedule(rows=rows), given


def _elements_per_chunk(op: Scan, steps: Steps) -> Dim | None:
    """Return the elements of a chunk; None if they are few."""
    work = sum(weight(m.op) for kernel in steps.kernels for m in kernel.members)
    width = maximum(floordiv(_step_work(op), work * LANES), 1) * LANES
    width = maximum(width, PIECE) if _streams(op) else width
    half = ceildiv(elements(steps.space), 2)  # two chunks of one size would do
    return None if known_at_most(half, width) else width


def _rows_per_chunk(op: Scan, steps: Steps, target: Target) -> Dim:
    """Return the rows of a chunk: of products whole tiles, for some chunks."""
    products = [p for kernel in steps.kernels for p in kernel.products]
    if products:
        even = lcm(*(tile(p, target)[reads_along_rows(p)] for p in products))
        most = max(STEP_ROWS // even, 1)
        tiles = ceildiv(elements(steps.space), STEP_CHUNKS * even)
        return maximum(minimum(tiles, most), 1) * even
    work: Dim = 0
    for kernel in steps.kernels:
        for member in kernel.members:
            points = elements(member.extents[len(steps.space) :])
            work = work + (points + LANES) * weight(member.op)
    rows = maximum(floordiv(_step_work(op), maximum(work, 1)), 1)
    for shape in dict.fromkeys(type_.shape for type_ in _streams(op)):
        row = maximum(elements(shape[1 + len(steps.space) :]), 1)
        rows = maximum(rows, ceildiv(PIECE, row))
    return rows


def _streams(op: Scan) -> list[TensorType]:
    """Return the sequences and what is stacked, if all that may leave the caches."""
    types = [tensor_of(v) for v in (*op.sequences, *op.results[op.carried :])]
    total: Dim = 0
    for type_ in types:
        total = total + elements(type_.shape) * type_.element.bytes
    return [] if known_at_most(total, NEAR_BYTES) else types


def _step_work(op: Scan) -> Dim:
    """Return how many simple operations a step of a chunk has."""
    return maximum(floordiv(CHUNK_WORK, maximum(op.steps, 1)), STEP_WORK)


def _may_share_rows(op: Scan, steps: Steps, target: Target) -> bool:
    """Return whether products may run row by row: what they share is small.

    A right side that is copied to a panel is copied once for all steps.
    """
    total: Dim = 0
    for group, kernel in zip(steps.groups, steps.kernels, strict=True):
        for product in kernel.products:
            right = [read.value for read in reads(product)[1:]]
            for type_ in map(tensor_of, right):
                total = total + elements(type_.shape) * type_.element.bytes
            chosen = schedule_of(product)
            copied = chosen is not None and chosen.panel is not None
            if copied and not all(is_shared(op, group, value) for value in right):
                return False
    return known_at_most(total, WEIGHTS)
