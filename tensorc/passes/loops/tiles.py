"""Tiles of a product in the contract's order (docs/numerics.md, tensorc.ir.numerics).

For rows and columns of c[m, n] = sum over k of a[m, k] * b[k, n]:

    for j in columns, in steps of the tile's width:
      for p in k, in steps of 512:
        for i in rows, in steps of the tile's height:  gemm_tile (adds if p > 0)

So a strip of b is fetched once for all rows of a chunk. Rows that are left over take a
lower tile, or share their rows with the last tile if they are few; where the call knows
how many they are, short tiles, whose code is there once for all counts. Of more than a
superblock of terms, each superblock is made so in scratch; neighbours of a level of the
tree are added as soon as both are there, so that a stack holds what waits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES, SUPERBLOCK
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import DYNAMIC, GemmTile
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import I1, element_type
from tensorc.passes.loops.accumulate import LEVELS, bit_of, shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import Limits, call_shared
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Storage,
    Uniform,
    read,
    tail_mask,
    widen,
    write,
)
from tensorc.passes.loops.shuffles import (
    VECTOR_BITS,
    first_lanes,
    load_terms,
    terms_at_once,
)
from tensorc.passes.schedule.products import (
    COPIED_ROWS,
    SUPERBLOCK_ROWS,
    tile_heights,
)


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand: memory, where its batch starts, and the strides of two dimensions."""

    memref: Value
    at: Value
    row: Value
    column: Value


@dataclass(frozen=True, slots=True)
class TileSize:
    """A micro-kernel's schedule (see `tc.gemm_tile`)."""

    rows: int
    width: int
    short: int  # rows of the tiles for what is left, where that is unknown
    padded: bool = False
    tallest: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    """Rows for tiles of one height; those of a short one may have fewer."""

    start: Value
    stop: Value
    height: int
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Copies:
    """How parts of sides that are no matrices are copied, a block of terms at a time.

    `right(strip, first, count)` fills the strip's copy with terms from `first` on, and
    `left(side, rows, first, count)` returns a matrix with these rows and terms, whose
    indices are the same; without it the left side is a matrix.
    """

    right: Callable[["Strip", Value, Value], None]
    left: Callable[[Matrix, tuple[Value, Value], Value, Value], Matrix] | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A part of a product: rows and columns of c = a b, and the terms of all sums."""

    matrices: tuple[Matrix, Matrix, Matrix]
    rows: tuple[Value, Value]
    columns: tuple[Value, Value]
    depth: Value
    size: TileSize
    is_short: bool = False  # it has at most a superblock of terms
    is_whole: bool = False  # all tiles have columns for all lanes
    copies: Copies | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """Columns of a product, as wide as a tile: where they begin, in b and in c."""

    at: Value
    target: Value
    lanes: Value
    copy: Matrix | None = None


@contextmanager
def each_strip(k: LoopBuilder, product: Product) -> Iterator[Strip]:
    """Append a loop over strips of the columns."""
    left, right = product.columns
    width = product.size.width
    with k.loop(left, right, width) as at:
        lanes = k.index(width)
        if not product.is_whole:
            lanes = k.minimum(k.sub(right, at.index), lanes)
        yield Strip(at.index, at.index, lanes)


def strip_sums(
    k: LoopBuilder,
    product: Product,
    strip: Strip,
    bands: Sequence[Band],
) -> None:
    """Emit a strip's sums; the call chooses where the number of terms is unknown."""
    depth = product.depth
    known = k.known(depth)
    element = element_type(product.matrices[2].memref.type)
    is_short = product.is_short or not element.is_float  # of integers the order is free

    def few() -> None:
        _terms(k, product, strip, (k.index(0), depth), bands)

    def many() -> None:
        _superblocks(k, product, strip)

    if is_short or (known is not None and known <= SUPERBLOCK):
        few()
    elif known is not None:
        many()
    else:
        k.choose(k.compare("sle", depth, k.index(SUPERBLOCK)), few, many)


def _terms(
    k: LoopBuilder,
    product: Product,
    strip: Strip,
    terms: tuple[Value, Value],
    bands: Sequence[Band],
) -> None:
    """Emit the tiles of a strip: blocks of terms, added in ascending order."""
    (a, b, c), tile = product.matrices, product.size
    lower, upper = terms
    with k.loop(lower, upper, CONTRACTION_BLOCK) as block:
        count = k.minimum(k.sub(upper, block.index), k.index(CONTRACTION_BLOCK))
        if product.copies is not None and bands:
            ends = bands[0].start, bands[-1].stop
            a, origin = _copied(product.copies, a, strip, ends, (block.index, count))
        else:
            at = place(k, b, block.index, strip.at)
            origin = Matrix(b.memref, at, b.row, b.column)
            if strip.copy is not None:
                copy_rows(k, origin, strip.copy, count, strip.lanes)
                origin = strip.copy
        added = k.compare("ne", block.index, lower)
        for band in bands:
            height = k.index(band.height)
            with k.loop(band.start, band.stop, band.height) as row:
                if band.is_short:
                    height = k.minimum(k.sub(band.stop, row.index), height)
                operands = [
                    *(a.memref, place(k, a, row.index, block.index)),
                    *(origin.memref, origin.at),
                    *(c.memref, place(k, c, row.index, strip.target)),
                ]
                strides = (a.row, a.column, origin.row, c.row)
                padded = tile.padded or strip.copy is not None
                tall = tile.tallest and band.height == tile.rows
                size = replace(tile, rows=band.height, padded=padded, tallest=tall)
                _call(k, operands, strides, (count, height, strip.lanes), added, size)


def _copied(
    copies: Copies,
    left: Matrix,
    strip: Strip,
    rows: tuple[Value, Value],
    terms: tuple[Value, Value],
) -> tuple[Matrix, Matrix]:
    """Copy a block of terms of both sides, or of the right one; return both."""
    assert strip.copy is not None
    copies.right(strip, *terms)
    if copies.left is not None:
        left = copies.left(left, rows, *terms)
    return left, strip.copy


def _superblocks(k: LoopBuilder, product: Product, strip: Strip) -> None:
    """Emit a strip's sums of more than a superblock of terms.

    A stack holds the superblocks that wait for a neighbour, of a group of rows.
    """
    known = k.known(product.depth)
    size = product.size
    has_copies = product.copies is not None
    if known is None and not has_copies:  # rarely met: it shares code of short tiles
        size = replace(size, rows=min(size.rows, size.short), tallest=False)
    parts = LEVELS if known is None else (known // SUPERBLOCK).bit_length() + 1
    a, b, c = product.matrices
    first, last = product.rows
    most = COPIED_ROWS if has_copies else SUPERBLOCK_ROWS
    group = min(most, k.known(k.sub(last, first)) or most)
    element = element_type(c.memref.type)
    stack = shared_scratch(k, "superblocks", element, parts * group * size.width)
    with k.loop(first, last, group) as start:
        count = k.minimum(k.sub(last, start.index), k.index(group))
        bands = cut_rows(k, k.index(0), count, size)
        left = replace(a, at=place(k, a, start.index, k.index(0)))

        def part(number: Value) -> Matrix:
            at = k.mul(number, k.index(group * size.width))
            return Matrix(stack, at, k.index(size.width), k.index(1))

        def superblock(lower: Value, upper: Value, number: Value) -> None:
            here = replace(product, matrices=(left, b, part(number)), size=size)
            there = replace(strip, target=k.index(0))
            _terms(k, here, there, (lower, upper), bands)

        def add(number: Value) -> None:
            earlier, later = part(k.sub(number, k.index(1))), part(number)
            move_rows(k, later, earlier, count, strip.lanes, add=True)

        stacked(k, product.depth, superblock, add)
        target = replace(c, at=place(k, c, start.index, strip.target))
        move_rows(k, part(k.index(0)), target, count, strip.lanes, add=False)


def stacked(
    k: LoopBuilder,
    depth: Value,
    superblock: Callable[[Value, Value, Value], None],
    add: Callable[[Value], None],
) -> None:
    """Emit the tree of superblocks, as a stack of those that wait.

    `superblock(lower, upper, p)` puts the sum of terms [lower, upper) on top of the
    stack, as part p; `add(p)` adds part p to the one below.
    """
    zero, one = k.index(0), k.index(1)
    with k.loop(zero, depth, SUPERBLOCK, [zero, zero]) as loop:
        number, filled = loop.carried
        upper = k.minimum(k.add(loop.index, k.index(SUPERBLOCK)), depth)
        superblock(loop.index, upper, filled)
        loop.yields = [k.add(number, one), pushed(k, number, filled, add)]
    _, filled = loop.results
    with k.loop(one, filled, 1) as rest:
        add(k.sub(filled, rest.index))


def pushed(
    k: LoopBuilder, number: Value, filled: Value, add: Callable[[Value], None]
) -> Value:
    """Add what need not wait when part `filled`, superblock `number`, is on the stack.

    Returns how many parts are on it then; `add` as in `stacked`.
    """
    one = k.index(1)
    with k.loop(k.index(0), filled, 1, [filled, k.constant(1, I1)]) as level:
        top, carry = level.carried
        carry = k.op(arith.AndI, carry, bit_of(k, number, level.index))
        with k.when(carry):
            add(top)
        level.yields = [k.select(carry, k.sub(top, one), top), carry]
    return k.add(level.results[0], one)


def move_rows(
    k: LoopBuilder,
    source: Matrix,
    target: Matrix,
    count: Value,
    columns: Value,
    add: bool,
) -> None:
    """Copy or add `count` rows of a tile's width to those of another matrix."""
    width = k.known(source.row)
    assert width is not None
    starts = range(0, width, LANES)
    points = [
        Point((), tail_mask(k, k.sub(columns, k.index(start)))) for start in starts
    ]
    one = k.index(1)
    here = Storage(source.memref, (one, source.row, one))
    there = Storage(target.memref, (one, target.row, one))
    with k.loop(k.index(0), count, 1) as row:
        for start, point in zip(starts, points, strict=True):
            at = Uniform(row.index), Counter(k.index(start))
            value = read(k, here, [Uniform(source.at), *at], point)
            if add:
                before = read(k, there, [Uniform(target.at), *at], point)
                value = Lanes(k.op(arith.AddF, widen(k, before), widen(k, value)))
            write(k, there, [Uniform(target.at), *at], value, point)


def copy_rows(
    k: LoopBuilder, source: Matrix, target: Matrix, count: Value, columns: Value
) -> None:
    """Copy `count` rows to rows as wide as a tile; what is beyond the columns is any.

    Where the rows of the source are its columns in memory, some of them at a time are
    transposed in registers.
    """
    width = k.known(target.row)
    assert width is not None
    if k.known(source.row) == 1 and k.known(source.column) not in (0, 1):
        places = source.memref, source.at, source.column, target.memref, target.at
        emit = partial(_transposed, width)
        kind, terms = ("transposed", width), (k.index(0), count)
        call_shared(k, kind, (*places, columns), terms, emit, general=True)
        return
    there = Storage(source.memref, (k.index(1), source.row, source.column))
    here = Storage(target.memref, (target.row, k.index(1)), target.at)
    starts = range(0, width, LANES)
    masks = [tail_mask(k, k.sub(columns, k.index(start))) for start in starts]
    with k.loop(k.index(0), count, 1) as loop:
        for start, mask in zip(starts, masks, strict=True):
            at = Counter(k.index(start))
            given = Point((), mask)
            row = read(k, there, [Uniform(source.at), Uniform(loop.index), at], given)
            taken = Point((), k.mask(min(LANES, width - start)))
            write(k, here, [Uniform(loop.index), at], row, taken)


def _transposed(
    width: int, k: LoopBuilder, values: Sequence[Value], terms: Limits
) -> None:
    """Copy some columns to rows of a width, as many terms at a time as fit.

    The values are memory, its first element and the stride of columns; the target's
    memory and first element; and how many columns there are.
    """
    given, first, stride, taken, to, number = values
    one, count = k.index(1), terms[1]
    source = Matrix(given, first, one, stride)
    target = Matrix(taken, to, k.index(width), one)
    last = k.sub(number, one)  # it stands beyond the columns, too
    columns = [k.minimum(k.index(j), last) for j in range(width)]
    element = element_type(source.memref.type)
    lanes = min(LANES, VECTOR_BITS // element.bits, len(columns))
    step = terms_at_once(lanes, element)
    whole = k.mul(k.floordiv(count, k.index(step)), k.index(step))
    rest = k.sub(count, whole)

    def rows(first: Value, left: Value | None) -> None:
        for start in range(0, len(columns), lanes):
            here = columns[start : start + lanes]
            places = [place(k, source, first, column) for column in here]
            found = load_terms(k, source.memref, places, left)
            for number, row in enumerate(found):
                mask = k.mask(lanes, lanes)
                if left is not None:
                    is_row = k.compare("slt", k.index(number), left)
                    kept = k.select(is_row, k.index(lanes), k.index(0))
                    mask = first_lanes(k, kept, lanes)
                at = place(k, target, k.add(first, k.index(number)), k.index(start))
                k.do(vector.MaskedStore, target.memref, at, mask, row)

    with k.loop(k.index(0), whole, step) as loop:
        rows(loop.index, None)
    if k.known(rest) != 0:
        with k.loop(whole, count, step):  # once, if at all
            rows(whole, rest)


def cut_rows(k: LoopBuilder, first: Value, last: Value, size: TileSize) -> list[Band]:
    """Cut rows for tiles: the tallest first, then lower ones, or short ones."""
    if size.rows == 1:
        return [Band(first, last, 1)]
    distance = _distance(k, first, last)
    known = k.known(distance)
    if known is None:
        short = min(size.short, size.rows)
        if short == size.rows:
            return [Band(first, last, short, True)]
        tiles = k.mul(k.floordiv(distance, k.index(size.rows)), k.index(size.rows))
        stop = k.add(first, tiles)
        return [Band(first, stop, size.rows), Band(stop, last, short, True)]
    found, start = [], first
    for height, count in tile_heights(known, size.rows, size.short):
        stop = k.add(start, k.index(height * count))
        found.append(Band(start, stop, height))
        start = stop
    return found


def _distance(k: LoopBuilder, first: Value, last: Value) -> Value:
    """Return how many rows there are, a constant if one was added to the first."""
    added = last.op
    if isinstance(added, arith.AddI) and added.operands[0] is first:
        return added.operands[1]
    return k.sub(last, first)


def zero_if_empty(
    k: LoopBuilder,
    depth: Value,
    c: Matrix,
    rows: tuple[Value, Value],
    columns: tuple[Value, Value],
) -> None:
    """Set a part of the result to 0 if there is nothing to add."""
    if k.known(depth):
        return
    zero = k.constant(0, element_type(c.memref.type))
    nothing = k.compare("eq", depth, k.index(0))
    with k.when(nothing), k.loop(*rows, 1) as i, k.loop(*columns, 1) as j:
        k.do(memory.Store, zero, c.memref, place(k, c, i.index, j.index))


def place(k: LoopBuilder, matrix: Matrix, row: Value, column: Value) -> Value:
    """Return the index of an element of a matrix, in its memory."""
    offset = k.add(k.mul(row, matrix.row), k.mul(column, matrix.column))
    return k.add(matrix.at, offset)


def _call(
    k: LoopBuilder,
    operands: Sequence[Value],
    strides: tuple[Value, Value, Value, Value],
    counts: tuple[Value, Value, Value],
    added: Value,
    size: TileSize,
) -> None:
    """Append the micro-kernel."""
    # Only the tallest tiles are worth code for their strides alone.
    numbers = [k.known(s) if size.tallest else None for s in strides]
    known = [None if n == DYNAMIC else n for n in numbers]
    given = [s for s, n in zip(strides, known, strict=True) if n is None]
    row, inner, b_row, c_row = (DYNAMIC if n is None else n for n in known)
    k.do(
        GemmTile,
        *operands,
        *counts,
        added,
        *given,
        rows=size.rows,
        width=size.width,
        a_strides=(row, inner),
        b_stride=b_row,
        c_stride=c_row,
        padded=size.padded,
    )
