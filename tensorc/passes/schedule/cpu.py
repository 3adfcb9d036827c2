"""How a CPU runs kernels: chunks for threads, tiles of contractions, panels.

No choice here changes a result: chunks write memory of their own, and tiles keep the
order of additions.
"""

from tensorc.ir.dims import Dim
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import is_contraction
from tensorc.target import Target

NARROW = 16  # columns up to which a transposed left side is read along its rows
CHUNK_ROWS = 48  # of a kernel's first outer dimension: a multiple of the tallest tile
CHUNK_COLUMNS = 128  # of a wide product: a multiple of the widest tile, of the lanes
TILE_ROWS = (12, 8, 6, 4, 2, 1)  # each divides CHUNK_ROWS
LOWER_TILE = 4  # rows of the tiles for what is left; their code is shared
SUPERBLOCK_ROWS = 48  # rows whose superblocks wait for each other: whole tallest tiles
PRODUCTS_PER_WORK = 8  # multiply-adds of a product that take as long as one operation


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


def reads_along_rows(op: Generic, columns: Dim) -> bool:
    """Return whether the left side is transposed and the result has few columns.

    Then vectors run along the rows of the result, where no lane is idle.
    """
    m = op.maps[0].dims - 3
    axes = op.maps[0].results
    few = isinstance(columns, int) and columns <= NARROW
    return few and bool(axes) and axes[-1] == m


def panel_columns(op: Generic, columns: Dim, target: Target) -> int | None:
    """Return the width to copy the right side to, row by row; None to read it in place.

    Rows that are narrower than the tile would need masks in the innermost loop.
    """
    if not is_contraction(op) or op.maps[0].dims != 3 or not isinstance(columns, int):
        return None
    _, width = tile_size(columns, element_type(op.operands[0].type), target)
    if columns >= width or reads_along_rows(op, columns):
        return None
    return width
