"""Emit a contraction: what is copied, and which way the vectors of its tiles run.

The tiles and the order of additions are in `tensorc.passes.loops.tiles`.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tensorc.ir.attributes import Affine, MapResult
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.invariants import fail
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import SCHEDULE, schedule_of
from tensorc.ir.types import Element, element_type
from tensorc.passes.analysis.generics import computes_right, has_windows, space
from tensorc.passes.loops.accumulate import shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.computed import ComputedSide
from tensorc.passes.loops.dots import Dots, emit_column, sum_of_parts
from tensorc.passes.loops.entry import Limits, call_shared
from tensorc.passes.loops.lanes import Storage, storage_of
from tensorc.passes.loops.narrow import emit_along_rows
from tensorc.passes.loops.reductions.window_parts import (
    emit_window_parts,
    emit_window_sum,
)
from tensorc.passes.loops.rows_state import Rows
from tensorc.passes.loops.tiles import (
    Copies,
    Matrix,
    Product,
    Strip,
    TileSize,
    copy_rows,
    cut_rows,
    each_strip,
    place,
    strip_sums,
    zero_if_empty,
)
from tensorc.passes.loops.windows import emit_windows
from tensorc.passes.schedule.products import (
    COPY_LEAST,
    NARROW,
    is_multiple,
    narrow_columns,
    short_rows,
    tile_size,
)
from tensorc.target import Target

PACKED_TERMS = 16  # of a chunk of a copy


def emit_panel(rows: Rows, op: Generic, ends: tuple[Value, Value]) -> tuple[Dim, Dim]:
    """Copy the right side of a contraction to strips.

    A strip has the columns of a tile, for all terms; what is beyond the columns is any.
    Emit what chunks [begin, end) of the copy do; return how many there are, and the
    work of all.
    """
    k = rows.k
    extents = space(op, [rows.shapes[v] for v in op.operands])
    n, inner = len(extents) - 2, len(extents) - 1
    side = _copied_side(rows, op)
    depth, columns = k.dim(extents[inner]), k.dim(extents[n])
    _, width = _tile(op)
    strips = ceildiv(extents[n], width)
    assert rows.panel is not None
    panel = _strips_of(k, rows.panel, depth, width)

    def copy(strip: Value, first: Value, last: Value) -> None:
        left = k.mul(strip, k.index(width))
        lanes = k.minimum(k.sub(columns, left), k.index(width))
        at = place(k, panel, first, left)
        target = Matrix(panel.memref, at, panel.row, k.index(1))
        side.copy(target, (first, k.sub(last, first)), (left, lanes))

    chosen = schedule_of(op)
    packed = 1 if chosen is None or chosen.packed is None else chosen.packed
    work = packed * extents[n] * extents[inner]
    one, zero = k.index(1), k.index(0)
    if side.is_turned or strips == 1:
        with k.loop(*ends, 1) as chunk:
            copy(chunk.index, zero, depth)
        return packed * strips, work
    # Memory is read along its rows, and written to all strips in turn.
    with k.loop(*ends, 1) as chunk:
        first = k.mul(chunk.index, k.index(PACKED_TERMS))
        last = k.minimum(k.add(first, k.index(PACKED_TERMS)), depth)
        with k.loop(first, last, 1) as term, k.loop(zero, k.dim(strips), 1) as strip:
            copy(strip.index, term.index, k.add(term.index, one))
    return packed * ceildiv(extents[inner], PACKED_TERMS), work


@dataclass(frozen=True, slots=True)
class _MatrixSide:
    """A right side that lies in memory, as those that are computed are copied."""

    k: LoopBuilder
    matrix: Matrix

    @property
    def is_turned(self) -> bool:
        """Whether memory does not run along the columns."""
        return self.k.known(self.matrix.column) != 1

    def copy(
        self, target: Matrix, terms: tuple[Value, Value], columns: tuple[Value, Value]
    ) -> None:
        """Write rows of a strip, as `ComputedSide.copy` does."""
        (first, count), (left, lanes) = terms, columns
        at = place(self.k, self.matrix, first, left)
        copy_rows(self.k, replace(self.matrix, at=at), target, count, lanes)


def _computed(side: ComputedSide) -> Copies:
    """Return how strips of a right side are copied that is computed."""

    def right(strip: Strip, first: Value, count: Value) -> None:
        assert strip.copy is not None
        side.copy(strip.copy, (first, count), (strip.at, strip.lanes))

    return Copies(right)


def _copied_side(rows: Rows, op: Generic) -> _MatrixSide | ComputedSide:
    """Return the right side of a contraction of one matrix, to be copied."""
    if computes_right(op):
        return ComputedSide(rows, op, [])
    last = op.maps[0].dims - 1
    return _MatrixSide(rows.k, _operand(rows, op, [], 1, (last, last - 1)))


def _strips_of(k: LoopBuilder, panel: Value, depth: Value, width: int) -> Matrix:
    """Return the strips of a right side: the first columns of each are a matrix."""
    return Matrix(panel, k.index(0), k.index(width), depth)


def panel_of(op: Op | None) -> int | None:
    """Return the width of the panel that a contraction reads, if it does."""
    chosen = None if op is None else schedule_of(op)
    return None if chosen is None else chosen.panel


def _tile(op: Generic) -> tuple[int, int]:
    """Return rows and columns of the tile that a contraction's schedule says."""
    chosen = schedule_of(op)
    if chosen is None or chosen.tile is None:
        fail(op, f"a contraction has a tile in its '{SCHEDULE}'")
    return chosen.tile


def _size(target: Target, element: Element, height: int, width: int) -> TileSize:
    return TileSize(height, width, short_rows(width, element, target))


def emit_contraction(
    rows: Rows,
    op: Generic,
    batch: Sequence[Value],
    limits: Limits,
    cut: Dim | None,
) -> None:
    """Emit some rows of a contraction at one index of its batch, from one to another.

    `cut` is how many columns a chunk has, if it has a part of them.
    """
    k, element = rows.k, element_type(op.operands[-1].type)
    if has_windows(op):
        size = _size(rows.target, element, *_tile(op))
        emit_windows(rows, op, batch, limits, cut, size)
        return
    extents, a, b, copies = _sides(rows, op, batch)
    c = _result(rows, op, batch)
    depth, columns = k.dim(extents[-1]), k.dim(extents[-2])
    tile = rows_at_once, width = _tile(op)
    chosen, static = schedule_of(op), extents[-2]
    whole = k.index(0), columns
    if chosen is not None and chosen.along == "rows":
        if not isinstance(static, int) or static > NARROW:
            fail(op, f"vectors run along rows of results of up to {NARROW} columns")
        size = _size(rows.target, element, rows_at_once, width)
        product = Product((a, b, c), limits, whole, depth, size)
        emit_along_rows(k, product, static)
        return
    known = [extent if isinstance(extent, int) else None for extent in extents[-3:]]
    is_whole = all(is_multiple(dim, width) for dim in (static, cut or 0))
    decided = None if chosen is None else chosen.packed
    packed = None if decided is None else k.dim(decided)
    span = rows.span or whole
    form = _Form(rows.target, known, tile, is_whole)
    part = _Part(form, (a, b, c), rows.panel, packed, span, columns, depth, copies)
    if known.count(None) < 2 or copies is not None:
        _emit(k, part, limits)
        return

    def emit(inner: LoopBuilder, values: Sequence[Value], limits: Limits) -> None:
        _emit(inner, part.with_values(values), limits)

    kind = (*known, tile, is_whole, rows.panel is None, packed is None)
    call_shared(k, kind, part.values(), limits, emit)


@dataclass(frozen=True, slots=True)
class _Form:
    """What decides about the code of a contraction before it is called."""

    target: Target
    known: Sequence[int | None]  # rows, columns and terms of the whole
    tile: tuple[int, int]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A contraction at one index of its batch, for some columns."""

    form: _Form
    matrices: tuple[Matrix, Matrix, Matrix]
    panel: Value | None
    packed: Value | None
    span: tuple[Value, Value]
    columns: Value
    depth: Value
    copies: Copies | None = None

    def values(self) -> list[Value]:
        """Return all values, in an order."""
        found = [v for m in self.matrices for v in (m.memref, m.at, m.row, m.column)]
        found += [v for v in (self.panel, self.packed) if v is not None]
        return [*found, *self.span, self.columns, self.depth]

    def with_values(self, values: Sequence[Value]) -> "_Part":
        """Return the same of other values, in that order."""
        rest = iter(values)
        a, b, c = (Matrix(*itertools.islice(rest, 4)) for _ in range(3))
        panel, packed = (v and next(rest) for v in (self.panel, self.packed))
        left, right, columns, depth = rest
        span = left, right
        return _Part(self.form, (a, b, c), panel, packed, span, columns, depth)


def _emit(k: LoopBuilder, part: _Part, limits: Limits) -> None:
    """Emit some rows of a contraction whose vectors run along its columns."""
    (a, b, c), depth, form = part.matrices, part.depth, part.form
    zero_if_empty(k, depth, c, limits, part.span)
    rows, columns, _ = form.known
    if columns == 1:
        dots = Dots((a, b, c), limits, depth, _vector_lanes(form.target, c.memref))
        first, last = limits
        first = emit_column(k, dots, is_dot=rows == 1)
        if first is last:
            return
        limits = first, last
    element = element_type(c.memref.type)
    height, width = form.tile
    size = replace(_size(form.target, element, height, width), padded=columns == width)
    product = Product((a, b, c), limits, part.span, depth, size, is_whole=form.is_whole)
    product = replace(product, copies=part.copies)
    if part.panel is None:
        _read_or_copied(k, part, product)
        return
    strips = a, _strips_of(k, part.panel, depth, width), c
    padded = replace(size, padded=True)
    packed = replace(product, matrices=strips, size=padded, copies=None)
    if part.packed is None:
        _strips(k, packed, None)
        return
    is_packed = k.compare("ne", part.packed, k.index(0))
    packed = replace(packed, is_short=k.known(depth) is None)
    k.choose(
        is_packed,
        lambda: _strips(k, packed, None),
        lambda: _read_or_copied(k, part, product),
    )


def _read_or_copied(k: LoopBuilder, part: _Part, product: Product) -> None:
    """Emit a product that reads its right side, or copies a strip at a time of it."""
    (a, b, c), target = product.matrices, part.form.target
    element = element_type(c.memref.type)
    copied = _copies_pay(k, part, *product.rows)
    if part.form.known[1] is not None:
        _copied_or_not(k, product, copied)
        return
    left, right = product.columns
    width = k.index(product.size.width)
    strips = k.floordiv(k.sub(right, left), width)
    whole = k.add(left, k.mul(strips, width))
    narrow = _size(
        target, element, *tile_size(narrow_columns(element, target), element, target)
    )

    def wide() -> None:
        tiles = replace(product, columns=(left, whole), is_whole=True)
        # Tiles of copies are those of a panel, where there is one: with masks.
        _copied_or_not(k, tiles, copied, part.panel is None)
        rest = replace(product, columns=(whole, right), size=narrow)
        _copied_or_not(k, rest, False)

    turned = k.known(a.row) == 1 and k.known(b.column) == 1 and product.copies is None
    if not turned:
        wide()
        return
    # Chunks may have a part of them, of which each writes its own.
    few = k.compare("sle", part.columns, k.index(NARROW))
    size = _size(target, element, *tile_size(None, element, target))
    along = replace(product, size=size)
    k.choose(few, lambda: emit_along_rows(k, along, NARROW), wide)


def _sides(
    rows: Rows, op: Generic, batch: Sequence[Value]
) -> tuple[Sequence[Dim], Matrix, Matrix, Copies | None]:
    """Return the extents of a contraction, its two sides, what computes the right.

    A right side that is computed is no matrix, and nothing reads the one given for it.
    """
    extents = space(op, [rows.shapes[v] for v in op.operands])
    m, n, inner = len(extents) - 3, len(extents) - 2, len(extents) - 1
    a = _operand(rows, op, batch, 0, (m, inner))
    if computes_right(op):
        none = replace(a, row=rows.k.index(0), column=rows.k.index(0))
        return extents, a, none, _computed(ComputedSide(rows, op, batch))
    b = _operand(rows, op, batch, 1, (inner, n))
    if extents[n] == 1:
        b = replace(b, column=rows.k.index(1))  # it has no other columns
    return extents, a, b, None


def _result(rows: Rows, op: Generic, batch: Sequence[Value]) -> Matrix:
    last = op.maps[0].dims - 1
    return _operand(rows, op, batch, -1, (last - 2, last - 1))


def _operand(
    rows: Rows,
    op: Generic,
    batch: Sequence[Value],
    number: int,
    axes: tuple[int, int],
) -> Matrix:
    """Return an operand as a matrix along two dimensions."""
    storage = storage_of(rows.storages, op, op.operands[number])
    return _matrix(rows.k, storage, op.maps[number].results, batch, *axes)


def emit_dot_parts(
    rows: Rows, op: Generic, split: int, parts: Value, ends: tuple[Value, Value]
) -> Dim:
    """Emit parts of a dot product's terms, and return how many chunks that are.

    Each leaves an element of `parts`, a subtree of the sum: a part is superblocks, as
    many as a power of two. `ends` are the chunks to run, which are parts. So it is of a
    contraction with windows, whose parts have all its elements.
    """
    k = rows.k
    if has_windows(op):
        size = _size(rows.target, element_type(parts.type), *_tile(op))
        return emit_window_parts(rows, op, split, parts, ends, size)
    extents, a, b, _ = _sides(rows, op, [])
    lanes = _vector_lanes(rows.target, parts)
    zero = k.index(0)
    with k.loop(*ends, 1) as chunk:
        lower = k.mul(chunk.index, k.index(split))
        upper = k.minimum(k.add(lower, k.index(split)), k.dim(extents[-1]))
        left = replace(a, at=place(k, a, zero, lower))
        right = replace(b, at=place(k, b, lower, zero))
        result = Matrix(parts, chunk.index, k.index(1), k.index(1))
        one = zero, k.index(1)
        dots = Dots((left, right, result), one, k.sub(upper, lower), lanes)
        emit_column(k, dots, is_dot=True)
    return ceildiv(extents[-1], split)


def emit_dot_sum(
    rows: Rows, op: Generic, split: int, parts: Value, limits: tuple[Value, Value]
) -> None:
    """Emit the rows of a dot product, of which there is one: the sum of its parts.

    Or emit some rows of a contraction with windows that is in parts.
    """
    k = rows.k
    if has_windows(op):
        emit_window_sum(rows, op, split, parts, limits)
        return
    extents, c = space(op, [rows.shapes[v] for v in op.operands]), _result(rows, op, [])
    with k.loop(*limits, 1) as row:
        total = sum_of_parts(k, parts, k.dim(ceildiv(extents[-1], split)))
        at = place(k, c, row.index, k.index(0))
        k.do(memory.Store, total, c.memref, at)


def _vector_lanes(target: Target, memref: Value) -> int:
    """Return how many elements of memory a vector of the target has, 16 at most."""
    return min(narrow_columns(element_type(memref.type), target), LANES)


def _copied_or_not(
    k: LoopBuilder, product: Product, copied: Value | bool, is_whole: bool = True
) -> None:
    """Emit a product whose strips of the right side are copied if that pays.

    `is_whole` says whether tiles of copies may lack masks, too.
    """
    from_copies = replace(product, is_whole=product.is_whole and is_whole)
    _, b, c = product.matrices
    width = product.size.width
    if k.known(b.column) != 1 or product.copies is not None:
        copied = True  # a tile reads neighbours along the columns
    if copied is False:
        _strips(k, product, None)
        return
    element = element_type(c.memref.type)
    memref = shared_scratch(k, "strip", element, CONTRACTION_BLOCK * width)
    strip = Matrix(memref, k.index(0), k.index(width), k.index(1))
    if copied is True:
        _strips(k, from_copies, strip)
        return
    k.choose(
        copied,
        lambda: _strips(k, from_copies, strip),
        lambda: _strips(k, product, None),
    )


def _copies_pay(k: LoopBuilder, part: _Part, first: Value, last: Value) -> Value | bool:
    """Return whether strips are to be copied: yes, no, or known at the call."""
    pairs = list(zip(part.form.known, COPY_LEAST, strict=True))
    if any(extent is not None and extent < least for extent, least in pairs):
        return False
    if None not in part.form.known:
        return True
    counts = (k.sub(last, first), part.columns, part.depth)
    tests = [
        k.compare("sge", count, k.index(least))
        for count, (_, least) in zip(counts, pairs, strict=True)
        if k.known(count) is None
    ]
    return functools.reduce(lambda x, y: k.op(arith.AndI, x, y), tests)


def _strips(k: LoopBuilder, product: Product, copy: Matrix | None) -> None:
    """Emit the tiles of a product, strip by strip of its columns."""
    bands = cut_rows(k, *product.rows, product.size)
    with each_strip(k, product) as strip:
        strip_sums(k, product, replace(strip, copy=copy), bands)


def _matrix(
    k: LoopBuilder,
    storage: Storage,
    results: Sequence[MapResult],
    batch: Sequence[Value],
    row: int,
    column: int,
) -> Matrix:
    at = k.index(0) if storage.at is None else storage.at
    strides = {row: k.index(0), column: k.index(0)}
    for result, stride in zip(results, storage.strides, strict=True):
        index = Affine(0, ((result, 1),)) if isinstance(result, int) else result
        if index is None:
            continue
        at = k.add(at, k.mul(k.dim(index.constant), stride))
        for dim, factor in index.terms:
            along = k.mul(stride, k.index(factor))
            if dim < len(batch):
                at = k.add(at, k.mul(batch[dim], along))
            else:
                strides[dim] = k.add(strides[dim], along)
    return Matrix(storage.memref, at, strides[row], strides[column])
