"""How a CPU runs products: their chunks, the tile in registers, what is copied.

Tiles keep the order of additions, so that no choice here changes a result.
"""

from collections.abc import Sequence

from tensorc.ir.dims import Dim, ceildiv, floordiv, maximum, minimum
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import reads, tensor_space
from tensorc.passes.analysis.stages import Kernel
from tensorc.target import Target

NARROW = 16  # columns up to which a transposed left side is read along its rows
CHUNK_ROWS = 48  # of a product, at least: a multiple of the tallest tile
FEW_CHUNKS = 16  # of a product whose chunks are taller: some for each thread
# A copy of a strip of the right side pays from so many rows, columns and terms on.
# Far rows of a large matrix share sets of the cache and pages; in the copy they lie
# together.
COPY_LEAST = (32, 256, 128)
PRODUCT_WORK = 1 << 18  # multiply-adds of a chunk of small matrices
MATRIX_ROWS = 384  # of a chunk of products, at most: what a second cache holds
CHUNK_COLUMNS = 144  # of a wide product: whole tiles of 48, 24 or 16 columns
TILE_ROWS = (12, 8, 6, 4, 2, 1)  # each divides CHUNK_ROWS
LOWER_TILE = 4  # rows of the tiles for what is left; their code is shared
SUPERBLOCK_ROWS = 48  # rows whose superblocks wait for each other: whole tallest tiles
PRODUCTS_PER_WORK = 8  # multiply-adds of a product that take as long as one operation


def product_rows(kernel: Kernel, rows: Sequence[Dim], work: Dim) -> Dim:
    """Return the rows of a chunk of products, of the extents of its outer space.

    `work` is that of one row. Of a batch of small matrices a chunk has some.
    """
    if len(rows) == 1:
        return _matrix_rows(kernel, rows[0])
    matrix = maximum(rows[-1], 1)
    fitting = maximum(floordiv(PRODUCT_WORK, maximum(work * matrix, 1)), 1)
    return maximum(minimum(matrix * fitting, MATRIX_ROWS), 1)


def _matrix_rows(kernel: Kernel, rows: Dim) -> Dim:
    """Return the rows of a chunk of a product of one matrix.

    Each chunk copies the right side where that pays: of many rows it has more of them,
    so that fewer copies are made.
    """
    known = [tensor_space(op)[-2:] for op in kernel.products]
    for extents in known:
        pairs = zip(extents, COPY_LEAST[1:], strict=True)
        if any(isinstance(extent, int) and extent < least for extent, least in pairs):
            return CHUNK_ROWS
    strips: Dim = 1
    if product_columns(kernel) is not None:
        strips = ceildiv(known[0][0], CHUNK_COLUMNS)
    whole = FEW_CHUNKS * CHUNK_ROWS
    if isinstance(strips, int):
        steps = floordiv(rows, -(-whole // strips))
    else:
        steps = floordiv(rows * strips, whole)
    return maximum(minimum(steps * CHUNK_ROWS, MATRIX_ROWS), CHUNK_ROWS)


def product_columns(kernel: Kernel) -> Dim | None:
    """Return the columns of a chunk if what follows a product goes along the same ones.

    That is so if all other members go element by element along the columns of the one
    product of the group.
    """
    outer = len(kernel.outer)
    if len(kernel.products) != 1 or len(kernel.runs.rows) != 1:
        return None
    product, *others = kernel.members
    if product.op is not kernel.products[0]:
        return None
    columns = product.extents[outer]
    if isinstance(columns, int) and columns <= CHUNK_COLUMNS:
        return None
    made = {result for m in kernel.members for result in m.op.results}
    for member in others:
        along = member.is_sweep and not member.op.reductions
        if not along or member.extents[outer:] != [columns]:
            return None
        whole = tuple(range(outer + 1))
        if any(r.value in made and r.axes != whole for r in reads(member.op)):
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
    element of a and as many as the tile is wide hold a row of b. One column is no
    vector: its rows are scalars.
    """
    registers = 32 if target.vector_bits >= 512 else 16
    if columns == 1:
        return max(h for h in TILE_ROWS if h < registers - 1), 1
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
