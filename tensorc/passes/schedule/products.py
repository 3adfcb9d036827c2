"""How a CPU runs products: their chunks, the tile in registers, what is copied.

Tiles keep the order of additions, so that no choice here changes a result.
"""

import functools
from collections.abc import Sequence

from tensorc.ir.dims import (
    Dim,
    ceildiv,
    elements,
    floordiv,
    known_at_most,
    maximum,
    minimum,
)
from tensorc.ir.numerics import LANES, SUPERBLOCK
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import (
    computes_right,
    has_windows,
    product_space,
    reads,
)
from tensorc.passes.analysis.shared_sides import Shared
from tensorc.passes.analysis.stages import Kernel
from tensorc.target import Target

NARROW = 16  # columns up to which a transposed left side is read along its rows
CHUNK_ROWS = 48  # of a product, at least: a multiple of the tallest tile
FEW_CHUNKS = 16  # of a product whose chunks are taller: some for each thread
# A copy of a strip of the right side pays from so many rows, columns and terms on.
# Far rows of a large matrix share sets of the cache and pages; in the copy they lie
# together.
COPY_LEAST = (32, 256, 128)
PACKED_BYTES = 1 << 24  # of a copy of the whole right side: a part of a third cache
PACKED_SIDE = 1024  # of one for which the code is there twice
PRODUCT_WORK = 1 << 18  # multiply-adds of a chunk of small matrices
DOT_SPLIT = 16 * SUPERBLOCK  # terms of a part of a dot product
COLUMN_TERMS = 16 * SUPERBLOCK  # of a chunk of products with one column
MATRIX_ROWS = 384  # of a chunk of products, at most: what a second cache holds
# A copy of the whole right side pays from so many rows, columns and terms on.
PACK_LEAST = (MATRIX_ROWS + 1, *COPY_LEAST[1:])
CHUNK_COLUMNS = 144  # of a wide product: whole tiles of 48, 24 or 16 columns
FEW_COLUMNS = 768  # of which a narrower tile may leave fewer lanes idle
TILE_ROWS = (12, 8, 6, 4, 2, 1)  # each divides CHUNK_ROWS
# Of tiles for an unknown number of rows that is left: their rows and sums, at least.
SHORT_TILE, SHORT_SUMS = 4, 8
SUPERBLOCK_ROWS = 48  # rows whose superblocks wait for each other: whole tallest tiles
COPIED_ROWS = 128  # the same, where each block of terms is copied for all of them
PRODUCTS_PER_WORK = 8  # multiply-adds of a product that take as long as one operation


def product_rows(kernel: Kernel, rows: Sequence[Dim], work: Dim, target: Target) -> Dim:
    """Return the rows of a chunk of products, of the extents of its outer space.

    `work` is that of one row, at least 1. A chunk has some small matrices of a batch.
    """
    if len(rows) == 1:
        return _matrix_rows(kernel, rows[0], target)
    matrix = maximum(rows[-1], 1)
    fitting = maximum(floordiv(PRODUCT_WORK, work * matrix), 1)
    return minimum(matrix * fitting, MATRIX_ROWS)


def _matrix_rows(kernel: Kernel, rows: Dim, target: Target) -> Dim:
    """Return the rows of a chunk of a product of one matrix.

    Each chunk copies the right side where that pays: then it has as many rows as a
    second cache holds, and threads share the columns. Chunks are about equally tall.
    """
    known = [product_space(op)[1:] for op in kernel.products]
    if all(columns == 1 for columns, _ in known):
        return _column_rows(kernel, rows, target)
    for extents in known:
        pairs = zip(extents, COPY_LEAST[1:], strict=True)
        if any(isinstance(extent, int) and extent < least for extent, least in pairs):
            return CHUNK_ROWS
    if _shares_columns(kernel):
        height, _ = tile(kernel.products[0], target)
        parts = _row_chunks(rows)
        return maximum(ceildiv(ceildiv(rows, parts), height) * height, height)
    steps = floordiv(rows, FEW_CHUNKS * CHUNK_ROWS)
    return maximum(minimum(steps * CHUNK_ROWS, MATRIX_ROWS), CHUNK_ROWS)


def _column_rows(kernel: Kernel, rows: Dim, target: Target) -> Dim:
    """Return the rows of a chunk of products with one column.

    Where vectors run along rows they are whole tiles; else as many as have the terms of
    16 superblocks, but of very long rows, which threads share, two or one.
    """
    depth = maximum(product_space(kernel.products[0])[-1], 1)
    if any(map(reads_along_rows, kernel.products)):
        width = max(tile(op, target)[1] for op in kernel.products)
        return maximum(floordiv(COLUMN_TERMS // width, depth) * width, width)
    many = floordiv(COLUMN_TERMS // LANES, depth) * LANES
    return maximum(maximum(many, minimum(ceildiv(rows, 2), 2)), 1)


def _row_chunks(rows: Dim) -> Dim:
    return maximum(ceildiv(rows, MATRIX_ROWS), 1)


def product_columns(kernel: Kernel, target: Target) -> Dim | None:
    """Return the columns of a chunk if what follows a product goes along the same ones.

    They are whole tiles, at most three of the widest, so that a chunk uses its rows
    several times; and few enough that there are chunks for some threads.
    """
    if not _shares_columns(kernel):
        return None
    (product,) = kernel.products
    _, width = tile(product, target)
    (rows,) = kernel.runs.rows
    row_chunks = _row_chunks(elements(kernel.members[0].extents[dim] for dim in rows))
    strips = ceildiv(product_space(product)[1], width)
    few = floordiv(strips * row_chunks, FEW_CHUNKS)
    return maximum(minimum(few, CHUNK_COLUMNS // width), 1) * width


def _shares_columns(kernel: Kernel) -> bool:
    """Return whether chunks may have a part of the columns of a product.

    That is so if all other members of the group go element by element along them.
    """
    outer = len(kernel.outer)
    if len(kernel.products) != 1 or len(kernel.runs.rows) != 1:
        return False
    product, *others = kernel.members
    if product.op is not kernel.products[0]:
        return False
    columns = product.extents[outer]
    if isinstance(columns, int) and columns <= CHUNK_COLUMNS:
        return False
    made = {result for m in kernel.members for result in m.op.results}
    for member in others:
        along = member.is_sweep and not member.op.reductions
        if not along or member.extents[outer:] != [columns]:
            return False
        whole = tuple(range(outer + 1))
        if any(r.value in made and r.axes != whole for r in reads(member.op)):
            return False  # it may read what another chunk makes
    return True


def product_split(kernel: Kernel) -> int | None:
    """Return the terms of a part of a dot product, if its parts may run apart.

    They run before all else that the kernel does, so they read nothing that it makes.
    Parts of other reductions of the kernel would be its parts, too.
    """
    if len(kernel.products) != 1 or len(kernel.outer) != 1:
        return None
    (product,) = kernel.products
    made = {result for m in kernel.members for result in m.op.results}
    sums = [m for m in kernel.members if m.op.reductions and m.op is not product]
    if sums or any(value in made for value in product.inputs):
        return None
    rows, columns, depth = product_space(product)
    few = isinstance(depth, int) and depth < 2 * DOT_SPLIT
    return DOT_SPLIT if rows == columns == 1 and not few else None


def tile(op: Generic, target: Target) -> tuple[int, int]:
    """Return rows and columns of a contraction's tile."""
    rows, columns, _ = product_space(op)
    element = _element(op)
    along = reads_along_rows(op)
    registers = registers_of(target)
    lanes = narrow_columns(element, target)
    if (columns if along else rows) == 1 and rows != columns:
        wide = rows if along else columns
        vectors = -(-wide // lanes) if isinstance(wide, int) else registers
        return 1, max(min(vectors, registers // 2), 1) * lanes
    if not along:
        return tile_size(columns, element, target)
    assert isinstance(columns, int)
    # The tile computes the transposed result: the columns are its rows.
    columns = max(columns, 1)
    vectors = registers // 16 + 1
    tiles = -(-columns // ((registers - vectors - 1) // vectors))
    return -(-columns // tiles), vectors * lanes


def registers_of(target: Target) -> int:
    """Return how many vector registers the target has."""
    return 32 if target.vector_bits >= 512 else 16


def tile_size(columns: Dim | None, element: Element, target: Target) -> tuple[int, int]:
    """Return rows and columns of the tile for so many columns of the result.

    The tile fills the vector registers: of 16 (32 with 512-bit vectors) one holds an
    element of a and as many as the tile is wide hold a row of b. One column is no
    vector: its rows are scalars. Of several widths that one is taken which leaves the
    fewest lanes idle, or the widest of these.
    """
    registers = registers_of(target)
    if columns == 1:
        return max(h for h in TILE_ROWS if h < registers - 1), 1
    lanes = narrow_columns(element, target)
    vectors = registers // 16 + 1
    if isinstance(columns, int) and columns <= lanes:
        vectors = 1
    elif isinstance(columns, int) and columns <= FEW_COLUMNS:
        filled = {v: -columns % (v * lanes) for v in range(vectors, 1, -1)}
        vectors = min(filled, key=lambda v: filled[v])
    limit = (registers - vectors - 1) // vectors
    return max(h for h in TILE_ROWS if h <= limit), vectors * lanes


def narrow_columns(element: Element, target: Target) -> int:
    """Return up to how many columns of a result are one vector.

    Integers of 8 bits are computed in 16.
    """
    return target.vector_bits // max(element.bits, 16)


def tile_heights(rows: int, tallest: int, short: int) -> list[tuple[int, int]]:
    """Return the heights of tiles for so many rows, and how many tiles each has.

    A tile of less than `short` rows takes as long as one of these (`short_rows`): so
    few that are left over share their rows with the last tile.
    """
    count, left = divmod(rows, tallest)
    found = [(tallest, count)]
    if count and 0 < left < short:
        half = (tallest + left) // 2
        found = [(tallest, count - 1), (tallest + left - half, 1), (half, 1)]
    elif left:
        found.append((left, 1))
    if len(found) > 1 and found[-1][0] == found[-2][0]:
        found[-2:] = [(found[-1][0], 2)]
    return [(height, number) for height, number in found if number]


def short_rows(width: int, element: Element, target: Target) -> int:
    """Return the rows of the tiles for what is left, where that is known at the call.

    One code for all counts. So few rows take about as long as one, since each addition
    waits for the one before.
    """
    return short_of(-(-width // narrow_columns(element, target)))


def short_of(vectors: int) -> int:
    """Return the rows of short tiles that are so many vectors wide."""
    return max(SHORT_SUMS // vectors, SHORT_TILE)


def is_multiple(dim: Dim, width: int) -> bool:
    """Return whether a number of columns is known to be whole tiles."""
    terms = [dim] if isinstance(dim, int) else [factor for _, factor in dim.terms]
    return all(factor % width == 0 for factor in terms)


def reads_along_rows(op: Generic) -> bool:
    """Return whether the left side is transposed and the result has few columns.

    Then vectors run along the rows of the result, where no lane is idle.
    """
    columns = product_space(op)[1]
    axes = op.maps[0].results
    if has_windows(op) or computes_right(op):
        return False
    few = isinstance(columns, int) and columns <= NARROW
    return few and bool(axes) and axes[-1] == op.maps[0].dims - 3


def panel_columns(
    op: Generic, target: Target, shared: Shared | None = None
) -> int | None:
    """Return the width of the strips that the right side is copied to before it runs.

    Rows that are narrower than the tile would need masks in the innermost loop. None if
    it is never copied so. `shared` as in `is_packed`.
    """
    columns = product_space(op)[1]
    if op.maps[0].dims != 3 or reads_along_rows(op):
        return None
    if is_packed(op, target, shared) == 0:
        return None
    _, width = tile_size(columns, _element(op), target)
    return None if columns == width and not computes_right(op) else width


def is_packed(op: Generic, target: Target, shared: Shared | None = None) -> Dim:
    """Return a formula: 1 if the whole right side is copied before a product, else 0.

    That pays if several chunks of rows read it. Fewer rows copy their strips
    themselves, if at all, and so do sums of an unknown number of terms that are more
    than a superblock: their code is there once. For one row no copy pays. Where a call
    decides, a right side that has a short side is not worth the code of both.

    `shared` is who reads the same copy. Each of them would copy a transposed one. What
    is computed is copied in any case: once, if several chunks of rows may read it.
    """
    rows, columns, depth = product_space(op)
    element = _element(op)
    _, width = tile_size(columns, element, target)
    if rows == 1:
        return 0
    if isinstance(columns, int) and columns < width:
        return 1
    if computes_right(op):
        return int(not known_at_most(rows, CHUNK_ROWS))
    if shared is not None:
        rows = shared.rows
        along_terms = op.maps[1].results[-1:] == (_terms(op),)
        if along_terms and _is_small(columns, depth, element):
            return 1
    known = [d for d in (columns, depth) if isinstance(d, int)]
    is_known = isinstance(rows, int) and len(known) == 2
    if not is_known and any(side < PACKED_SIDE for side in known):
        return 0
    limits = zip((rows, columns, depth), PACK_LEAST, strict=True)
    enough = [floordiv(extent, least) for extent, least in limits]
    size = maximum(columns * depth * element.bytes, 1)
    reasons: list[Dim] = [1, *enough, floordiv(PACKED_BYTES, size)]
    if not isinstance(depth, int) and element.is_float:
        reasons.append(floordiv(SUPERBLOCK, maximum(depth, 1)))
    return 0 if 0 in reasons else maximum(functools.reduce(minimum, reasons), 0)


def _is_small(columns: Dim, depth: Dim, element: Element) -> bool:
    """Return whether a right side is known to be no larger than what is copied."""
    return known_at_most(columns * depth * element.bytes, PACKED_BYTES)


def _terms(op: Generic) -> int:
    """Return the dimension of a contraction's terms, of which it has one."""
    return op.maps[0].dims - 1


def _element(op: Generic) -> Element:
    return element_type(op.results[0].type)
