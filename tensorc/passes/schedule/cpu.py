"""How a CPU runs kernels: chunks for threads, tiles of contractions, panels, places.

A function for each key of a schedule (`tensorc.ir.schedules`). No choice here changes a
result: chunks write memory of their own, and tiles keep the order of additions.
"""

from collections.abc import Sequence

from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import MEMORY, REGISTER, ROW
from tensorc.ir.types import Element, TensorType, element_type
from tensorc.passes.analysis.generics import is_contraction, reads, tensor_space
from tensorc.passes.analysis.stages import Kernel
from tensorc.target import Target

NARROW = 16  # columns up to which a transposed left side is read along its rows
CHUNK_ROWS = 48  # of a kernel's first outer dimension: a multiple of the tallest tile
CHUNK_COLUMNS = 128  # of a wide product: a multiple of the widest tile, of the lanes
TILE_ROWS = (12, 8, 6, 4, 2, 1)  # each divides CHUNK_ROWS
LOWER_TILE = 4  # rows of the tiles for what is left; their code is shared
SUPERBLOCK_ROWS = 48  # rows whose superblocks wait for each other: whole tallest tiles
ACCUMULATORS = 16384  # bytes of a reduction's accumulators: half of a first-level cache
KEPT = 1024  # results of a reduction at a time
PRODUCTS_PER_WORK = 8  # multiply-adds of a product that take as long as one operation
ROW_BYTES = 8192  # what one value of a kernel's row may take of the stack
ROWS_BYTES = 65536  # and all of them together; the rest is scratch of the worker


def rows_per_chunk(kernel: Kernel) -> Dim | None:
    """Return how many rows of the first outer dimension a chunk has."""
    if not kernel.outer:
        return None
    return CHUNK_ROWS if not kernel.products or len(kernel.outer) == 1 else 1


def columns_per_chunk(kernel: Kernel) -> Dim | None:
    """Return the columns of a chunk if chunks may have a part of a product's each.

    That is so if whatever else the group does goes along the same columns, element by
    element: few rows of a wide product are then work for several threads.
    """
    if len(kernel.products) != 1 or len(kernel.outer) != 1:
        return None
    product, *others = kernel.members
    if product.op is not kernel.products[0]:
        return None
    columns = product.extents[1]
    if isinstance(columns, int) and columns <= CHUNK_COLUMNS:
        return None
    made = {result for m in kernel.members for result in m.op.results}
    for member in others:
        along = member.is_sweep and not member.op.reductions
        if not along or member.extents[1:] != [columns]:
            return None
        if any(r.value in made and r.axes != (0, 1) for r in reads(member.op)):
            return None  # it may read what another chunk makes
    return CHUNK_COLUMNS


def tile(op: Generic, target: Target) -> tuple[int, int]:
    """Return rows and columns of a contraction's tile."""
    columns = tensor_space(op)[-2]
    element = _element(op)
    if not reads_along_rows(op):
        return tile_size(columns, element, target)
    # The tile computes the transposed result: the columns are its rows.
    tallest, width = tile_size(None, element, target)
    even = (h for h in (tallest, tallest - 1) if columns % h == 0)  # type: ignore[operator]
    return next(even, tallest), width


def tile_size(columns: Dim | None, element: Element, target: Target) -> tuple[int, int]:
    """Return rows and columns of the tile for so many columns of the result.

    The tile fills the vector registers: of 16 (32 with 512-bit vectors) one holds an
    element of a and as many as the tile is wide hold a row of b.
    """
    registers = 32 if target.vector_bits >= 512 else 16
    lanes = target.vector_bits // element.bits
    narrow = isinstance(columns, int) and columns <= lanes
    vectors = 1 if narrow else registers // 16 + 1
    limit = (registers - vectors - 1) // vectors
    return max(h for h in TILE_ROWS if h <= limit), vectors * lanes


def tile_heights(tallest: int) -> list[int]:
    """Return the tile heights to use, the tallest first; 1 takes what is left."""
    lower = min(tallest, LOWER_TILE)
    return list(dict.fromkeys((tallest, lower, min(tallest, 2), 1)))


def reads_along_rows(op: Generic) -> bool:
    """Return whether the left side is transposed and the result has few columns.

    Then vectors run along the rows of the result, where no lane is idle.
    """
    columns = tensor_space(op)[-2]
    axes = op.maps[0].results
    few = isinstance(columns, int) and columns <= NARROW
    return few and bool(axes) and axes[-1] == op.maps[0].dims - 3


def panel_columns(op: Generic, target: Target) -> int | None:
    """Return the width to copy the right side to, row by row; None to read it in place.

    Rows that are narrower than the tile would need masks in the innermost loop.
    """
    columns = tensor_space(op)[-2]
    if op.maps[0].dims != 3 or not isinstance(columns, int):
        return None
    _, width = tile_size(columns, _element(op), target)
    return None if columns >= width or reads_along_rows(op) else width


def _element(op: Generic) -> Element:
    return element_type(op.results[0].type)


def places(kernel: Kernel) -> dict[Generic, list[str]]:
    """Return where each result of each member lies.

    In memory of its own is what the group gives, and what one stage makes and another
    reads, since it must last for a chunk of rows.
    """
    found: dict[Generic, list[str]] = {}
    for member in kernel.members:
        found[member.op] = []
        for value in member.op.results:
            place = MEMORY
            if value in kernel.given:
                pass
            elif value not in kernel.lasting and value in kernel.registers:
                place = REGISTER
            elif value not in kernel.lasting and not is_contraction(member.op):
                assert isinstance(value.type, TensorType)
                if _fits_in_row(value.type, len(kernel.outer)):
                    place = ROW
            found[member.op].append(place)
    return found


def _fits_in_row(type_: TensorType, outer: int) -> bool:
    """Return whether a kernel keeps one row at a time of a value.

    A kernel without rows has the whole value at once: if it is large, or of unknown
    size, memory for it that others may use before and after is the cheaper one.
    """
    size = row_bytes(type_.shape, type_.element, outer)
    return outer > 0 or (isinstance(size, int) and size <= ROW_BYTES)


def row_bytes(shape: Sequence[Dim], element: Element, outer: int) -> Dim:
    """Return the size of one row of a value inside a kernel with `outer` dimensions."""
    total: Dim = element.bytes
    for extent in shape[outer:]:
        total = total * extent
    return total


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
