"""How a CPU runs contractions with windows: convolutions, and sums of their kind.

A strip of columns is copied for the rows of a chunk, so chunks have many rows; what
there is more of than threads need is shared out, images first, then columns, then rows.
"""

from tensorc.ir.dims import Dim, ceildiv, elements, floordiv, maximum, minimum
from tensorc.ir.numerics import CONTRACTION_BLOCK, SUPERBLOCK
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import adds_up_images, has_windows, product_space
from tensorc.passes.analysis.stages import Kernel
from tensorc.passes.schedule import products
from tensorc.passes.schedule.products import (
    FEW_CHUNKS,
    MATRIX_ROWS,
    PRODUCT_WORK,
    narrow_columns,
    registers_of,
    short_of,
    tile_heights,
)
from tensorc.target import Target

LEAST_ROWS = 64  # for which a copy of a strip pays
FEW_ROWS = 16  # the same, where there is nothing else that threads could share
MOST_VECTORS = 4  # of a tile
# In processor cycles, of which two hold two loads and two multiply-adds of vectors:
CHAIN = 4  # of a multiply-add, for which the next one waits
COPIED = 2.5  # of a vector that is copied
FETCHED = 0.125, 0.4  # of an element of the left side, from a second or a third cache
SECOND_CACHE = 1 << 19  # bytes of a left side that stays there
CALLED = 16  # of a tile, beside its terms
SPLIT_WORK = 1 << 22  # multiply-adds of a part of a weight's gradient
SPLIT_STRIPS = 4  # of which it has at most so many: more are chunks enough
UNKNOWN = 1024  # rows, columns or terms that are known at the call alone


def tile(kernel: Kernel, op: Generic, target: Target) -> tuple[int, int]:
    """Return rows and columns of a contraction's tile, with windows or without.

    With windows it is the one that takes the fewest cycles, as they are estimated.
    """
    if not has_windows(op):
        return products.tile(op, target)
    space = kernel.rows_of(op), *product_space(op)[1:]
    sizes = [d if isinstance(d, int) else UNKNOWN for d in space]
    rows, columns, depth = (max(size, 1) for size in sizes)
    element, registers = element_type(op.results[0].type), registers_of(target)
    lanes = narrow_columns(element, target)
    fetched = FETCHED[rows * depth * element.bytes > SECOND_CACHE]

    def cycles(shape: tuple[int, int]) -> float:
        height, vectors = shape
        strips = -(-columns // (vectors * lanes))
        block = min(depth, CONTRACTION_BLOCK)
        total = COPIED * vectors + fetched * rows
        for tall, count in tile_heights(rows, height, short_of(vectors)):
            total += count * _tile_cycles(tall, vectors, block)
        return strips * total

    shapes = [
        (height, vectors)
        for vectors in range(min(MOST_VECTORS, registers // 4), 0, -1)
        for height in range((registers - vectors - 1) // vectors, 0, -1)
    ]
    height, vectors = min(shapes, key=cycles)
    return height, vectors * lanes


def _tile_cycles(height: int, vectors: int, block: int) -> float:
    """Return the cycles that a term of a tile takes, of so many in a block."""
    work = height * vectors
    each = max(work / 2, (height + vectors) / 2, CHAIN)
    return each + (CALLED + work) / block


def window_rows(kernel: Kernel, target: Target) -> Dim:
    """Return the rows of a chunk of a kernel that has a contraction with windows.

    A chunk has some small images, or one, or a part of its rows where images are few.
    """
    (op, *_) = [op for op in kernel.products if has_windows(op)]
    rows, columns, depth = kernel.rows_of(op), *product_space(op)[1:]
    *images, last = [elements(kernel.outer[d] for d in run) for run in kernel.runs.rows]
    width = window_columns(kernel, target)
    strips = 1 if width is None else ceildiv(columns, width)
    work = maximum(rows * columns * depth, 1)
    fitting = maximum(floordiv(PRODUCT_WORK, work), 1)
    counted = maximum(elements(images) * strips, 1)
    wanted = maximum(ceildiv(FEW_CHUNKS, counted), 1)
    least = LEAST_ROWS if width is not None else FEW_ROWS
    parts = maximum(minimum(wanted, floordiv(rows, least)), 1)
    parts = maximum(parts, ceildiv(rows, MATRIX_ROWS))
    return maximum(ceildiv(last, parts) * fitting, 1)


def window_columns(kernel: Kernel, target: Target) -> Dim | None:
    """Return the columns of a chunk if a contraction with windows is all of a kernel.

    They are whole strips, so few that there are chunks for some threads.
    """
    if len(kernel.members) != 1:
        return None
    (op,) = kernel.products
    _, width = tile(kernel, op, target)
    strips = ceildiv(product_space(op)[1], width)
    images = elements(kernel.outer[:-1])
    few = floordiv(strips * images, FEW_CHUNKS)
    return None if strips == 1 else maximum(few, 1) * width


def window_split(kernel: Kernel, target: Target) -> int | None:
    """Return the terms of a part of a weight's gradient, if its parts run apart.

    They do where it has few elements, so that threads have little else to share.
    """
    if len(kernel.members) != 1 or len(kernel.outer) != 1:
        return None
    op = kernel.members[0].op
    if not adds_up_images(op):
        return None
    rows, columns, depth = product_space(op)
    _, width = tile(kernel, op, target)
    if not isinstance(rows, int) or not isinstance(columns, int) or not rows * columns:
        return None
    if -(-columns // width) * -(-rows // LEAST_ROWS) > SPLIT_STRIPS:
        return None
    split = SUPERBLOCK
    while split * rows * columns < SPLIT_WORK:
        split *= 2
    few = isinstance(depth, int) and depth < 2 * split
    return None if few else split
