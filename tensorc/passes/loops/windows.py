"""Contractions whose columns or terms are several dimensions: what windows cover.

A convolution has the positions of a result as columns, and channels and window offsets
as terms. An element of its right side lies at the sum of what its column says and what
its term says. A strip of columns is copied a block of terms at a time, through the map;
then tiles read it as they read a matrix. No array of all windows exists.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import gcd

from tensorc.ir.attributes import Affine, MapResult
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, Poly, elements
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES, SUPERBLOCK
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import INDEX, element_type
from tensorc.passes.analysis.generics import roles, space
from tensorc.passes.analysis.joins import follows
from tensorc.passes.loops.accumulate import scratch, shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.dots import DIRECT_TERMS, Sums
from tensorc.passes.loops.edges import (
    Edge,
    are_inside,
    are_narrow,
    column_indices,
    edges_of,
    index_at,
    inside,
    load_run,
    reaches_of,
)
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Storage,
    Uniform,
    read,
    storage_of,
    tail_mask,
    write,
)
from tensorc.passes.loops.nest import flat_runs, unravel
from tensorc.passes.loops.rows_state import Rows
from tensorc.passes.loops.shuffles import first_lanes
from tensorc.passes.loops.tiles import (
    Copies,
    Matrix,
    Product,
    Strip,
    TileSize,
    cut_rows,
    each_strip,
    strip_sums,
    zero_if_empty,
)
from tensorc.passes.schedule.products import COPIED_ROWS, is_multiple

MOST_PIECES = 8  # of which a vector is made: masks that registers hold
LEFT_STRIDE = CONTRACTION_BLOCK + LANES  # of copied rows, which then share no set


@dataclass(frozen=True, slots=True)
class Walk:
    """An operand along some dimensions as a flat space: how far apart neighbours are.

    Dimensions that memory has in a row are one.
    """

    extents: tuple[Dim, ...]
    strides: tuple[Value, ...]

    def place(self, k: LoopBuilder, indices: Sequence[Value]) -> Value:
        """Return how far from the first element one with the first indices lies."""
        at = k.index(0)
        for index, stride in zip(indices, self.strides, strict=False):
            at = k.add(at, k.mul(index, stride))
        return at


@dataclass(frozen=True, slots=True)
class Side:
    """An operand of a contraction: where it begins at an index of the batch."""

    memref: Value
    at: Value
    row: Value
    columns: Walk
    terms: Walk
    edges: tuple[Edge, ...] = ()  # of axes that windows leave, where zeros are


def emit_windows(
    rows: Rows,
    op: Generic,
    batch: Sequence[Value],
    limits: tuple[Value, Value],
    cut: Dim | None,
    size: TileSize,
) -> None:
    """Emit some rows of a contraction with windows at one index of its batch.

    `cut` is how many columns a chunk has, if it has a part of them; `size` is the tile
    that the schedule says.
    """
    k = rows.k
    product, copy = open_windows(rows, op, batch, limits, cut, size)
    c = product.matrices[-1]
    zero_if_empty(k, product.depth, c, limits, product.columns)
    if not is_direct(rows, op):
        emit_strips(k, product, copy)
        return
    assert product.copies is not None
    with k.loop(*limits, 1), each_strip(k, product) as strip:
        product.copies.right(replace(strip, copy=copy), k.index(0), product.depth)


def is_direct(rows: Rows, op: Generic) -> bool:
    """Return whether a contraction with one row and few terms copies no strip.

    A filter for each channel is one: what it meets is multiplied as it is read.
    """
    dims, extents = roles(op), space(op, [rows.shapes[v] for v in op.operands])
    depth = elements(extents[d] for d in dims.terms)
    few = isinstance(depth, int) and 0 < depth <= DIRECT_TERMS
    left = _side(rows, op, 0, [rows.k.index(0)] * dims.row, extents)
    is_float = element_type(op.operands[0].type).is_float
    return is_float and few and extents[dims.row] == 1 and len(left.terms.extents) == 1


def open_windows(
    rows: Rows,
    op: Generic,
    batch: Sequence[Value],
    limits: tuple[Value, Value],
    cut: Dim | None,
    size: TileSize,
) -> tuple[Product, Matrix]:
    """Return some rows of a contraction with windows, and scratch for its strips.

    The arguments are those of `emit_windows`.
    """
    k, dims = rows.k, roles(op)
    extents = space(op, [rows.shapes[v] for v in op.operands])
    left, right, result = (_side(rows, op, n, batch, extents) for n in (0, 1, -1))
    depth = k.dim(elements(extents[d] for d in dims.terms))
    columns = elements(extents[d] for d in dims.columns)
    span = (k.index(0), k.dim(columns)) if rows.span is None else rows.span
    a, c = _left_matrix(k, left), _result_matrix(k, result)
    element = element_type(c.memref.type)
    memref = shared_scratch(k, "strip", element, CONTRACTION_BLOCK * size.width)
    strip = Matrix(memref, k.index(0), k.index(size.width), k.index(1))
    sums = None if a is None or not is_direct(rows, op) else Sums(a, c)
    copies = _copies(k, left, right, a is None, _step(cut, size.width), sums)
    begun = Matrix(left.memref, left.at, left.row, k.index(1)) if a is None else a
    is_whole = all(is_multiple(dim, size.width) for dim in (columns, cut or 0))
    matrices = begun, begun, c
    product = Product(
        matrices, limits, span, depth, size, is_whole=is_whole, copies=copies
    )
    return product, strip


def _written_out(k: LoopBuilder, right: Side) -> list[tuple[Value, list[Value]]]:
    """Return where each of a few terms lies, and its indices along edges."""
    counts = [extent for extent in right.terms.extents if isinstance(extent, int)]
    found = []
    for point in itertools.product(*map(range, counts)):
        indices = [k.index(index) for index in point]
        along = [index_at(k, k.index(0), edge.terms, indices) for edge in right.edges]
        found.append((right.terms.place(k, indices), along))
    return found


def emit_strips(k: LoopBuilder, product: Product, copy: Matrix) -> None:
    """Emit a contraction with windows, strip by strip of its columns."""
    assert product.copies is not None
    with each_strip(k, product) as at:
        here = replace(at, copy=copy)
        if product.copies.left is None:
            bands = cut_rows(k, *product.rows, product.size)
            strip_sums(k, product, here, bands)
        else:
            _bands_of_copies(k, product, here)


def _bands_of_copies(k: LoopBuilder, product: Product, strip: Strip) -> None:
    """Emit a strip's sums, for as many rows at a time as are copied at once."""
    first, last = product.rows
    with k.loop(first, last, COPIED_ROWS) as start:
        stop = k.minimum(k.add(start.index, k.index(COPIED_ROWS)), last)
        part = replace(product, rows=(start.index, stop))
        bands = cut_rows(k, start.index, stop, product.size)
        strip_sums(k, part, strip, bands)


def _step(cut: Dim | None, width: int) -> int:
    """Return of what number the first columns of strips are multiples.

    Chunks may begin at other columns than 0, if they have a part of them.
    """
    factors = (
        [factor for _, factor in cut.terms] if isinstance(cut, Poly) else [cut or 0]
    )
    return gcd(width, *factors)


def _side(
    rows: Rows, op: Generic, number: int, batch: Sequence[Value], extents: Sequence[Dim]
) -> Side:
    """Return an operand as what its rows, columns and terms say of where it lies."""
    k, dims = rows.k, roles(op)
    storage = storage_of(rows.storages, op, op.operands[number])
    results = op.maps[number].results
    at = k.index(0) if storage.at is None else storage.at
    strides = [k.index(0)] * op.maps[0].dims
    for result, stride in zip(results, storage.strides, strict=True):
        index = Affine(0, ((result, 1),)) if isinstance(result, int) else result
        if index is None:
            continue
        at = k.add(at, k.mul(k.dim(index.constant), stride))
        with k.at_entry():  # where tables are filled
            for dim, factor in index.terms:
                strides[dim] = k.add(strides[dim], k.mul(stride, k.index(factor)))
    for dim, index_ in enumerate(batch):
        at = k.add(at, k.mul(index_, strides[dim]))
    runs: list[Sequence[int]] = [dims.columns, dims.terms]
    edges: tuple[Edge, ...] = ()
    if op.maps[number].outside is None:
        columns, terms = (_walk(results, given, extents, strides) for given in runs)
    else:  # their dimensions say what is outside, each for itself
        runs = [[d for d in run if extents[d] != 1] or run[-1:] for run in runs]
        columns, terms = (
            Walk(tuple([extents[d] for d in run]), tuple([strides[d] for d in run]))
            for run in runs
        )
        shape = rows.shapes[op.operands[number]]
        edges = edges_of(k, op.maps[number], shape, batch, runs)
    return Side(storage.memref, at, strides[dims.row], columns, terms, edges)


def _walk(
    results: Sequence[MapResult],
    dims: Sequence[int],
    extents: Sequence[Dim],
    strides: Sequence[Value],
) -> Walk:
    """Return how an operand is walked along dimensions, those in a row as one."""
    found: list[tuple[Dim, Value]] = []
    for number, dim in enumerate(dims):
        extent = extents[dim]
        if number and follows(results, dims[number - 1], dim):
            before, _ = found.pop()
            extent = before * extent
        found.append((extent, strides[dim]))
    kept = [pair for pair in found if pair[0] != 1] or found[-1:]
    return Walk(tuple([e for e, _ in kept]), tuple([s for _, s in kept]))


def _left_matrix(k: LoopBuilder, left: Side) -> Matrix | None:
    """Return the left side if its terms are equally far apart, else None."""
    if len(left.terms.extents) > 1:
        return None
    return Matrix(left.memref, left.at, left.row, left.terms.strides[0])


def result_of(rows: Rows, op: Generic, batch: Sequence[Value]) -> Matrix:
    """Return the result at an index of the batch."""
    extents = space(op, [rows.shapes[v] for v in op.operands])
    return _result_matrix(rows.k, _side(rows, op, -1, batch, extents))


def _result_matrix(k: LoopBuilder, result: Side) -> Matrix:
    """Return the result, whose columns are neighbours in memory."""
    assert len(result.columns.extents) == 1, "a result has its columns in a row"
    return Matrix(result.memref, result.at, result.row, k.index(1))


@dataclass(frozen=True, slots=True)
class _Table:
    """Where terms lie: of all, from term 0 on, or of those of a block.

    A row of it has that, and what the term says of the index along each edge.
    """

    memref: Value
    is_whole: bool
    edges: tuple[Edge, ...] = ()

    def at(
        self, k: LoopBuilder, first: Value, term: Value
    ) -> tuple[Value, list[Value]]:
        """Return the row of a term of the block that begins with `first`."""
        number = k.add(first, term) if self.is_whole else term
        row = k.mul(number, k.index(1 + len(self.edges)))
        found = [k.add(row, k.index(place)) for place in range(1 + len(self.edges))]
        offset, *indices = [k.op(memory.Load, self.memref, at) for at in found]
        return offset, indices


def _copies(
    k: LoopBuilder,
    left: Side,
    right: Side,
    copies_left: bool,
    step: int,
    sums: Sums | None,
) -> Copies:
    """Return how blocks of terms of both sides are copied.

    Strips begin at multiples of `step`. With sums the right side goes into these.
    """
    table = _table(k, right)

    def copy_right(strip: Strip, first: Value, count: Value) -> None:
        terms = first, count
        if not table.is_whole:
            _fill(k, right, table.memref, *terms)
        pieces = _most_pieces(k, right, strip, step)
        if sums is not None and right.edges:
            pieces = None  # the indices of columns take longer than few terms
        narrow = are_narrow(k, right.edges) if pieces is not None else False
        vectors = partial(
            _copy_vectors, k, right, strip, table, terms, sums, pieces or 1
        )
        runs = partial(_copy_runs, k, right, strip, table, terms, sums)
        if isinstance(narrow, bool):
            (vectors if narrow else runs)()
        else:
            k.choose(narrow, vectors, runs)

    def copy_left(
        side: Matrix, rows: tuple[Value, Value], first: Value, count: Value
    ) -> Matrix:
        return _copy_left(k, left, side, rows, (first, count))

    return Copies(copy_right, copy_left if copies_left else None)


def _table(k: LoopBuilder, right: Side) -> _Table:
    """Return a table of where terms lie; of few terms it is filled once, at entry."""
    count, width = elements(right.terms.extents), 1 + len(right.edges)
    if not isinstance(count, int) or count * width > SUPERBLOCK:
        memref = shared_scratch(k, "terms", INDEX, CONTRACTION_BLOCK * width)
        return _Table(memref, False, right.edges)
    # It lasts for all chunks, so no other contraction of the kernel may have it.
    memref = scratch(k, INDEX, max(count, 1) * width)
    with k.at_entry():
        _fill(k, right, memref, k.index(0), k.index(count))
    return _Table(memref, True, right.edges)


def _fill(
    k: LoopBuilder, right: Side, table: Value, first: Value, count: Value
) -> None:
    """Write down where terms [first, first + count) lie."""
    terms, edges = right.terms, right.edges
    width = k.index(1 + len(edges))

    def run(
        before: list[Value], begin: Value, end: Value, carried: list[Value]
    ) -> list[Value]:
        at = terms.place(k, before)
        starts = [index_at(k, k.index(0), edge.terms, before) for edge in edges]
        with k.loop(begin, end, 1, carried) as loop:
            (row,) = loop.carried
            here = k.add(at, k.mul(loop.index, terms.strides[-1]))
            k.do(memory.Store, here, table, row)
            for number, (edge, start) in enumerate(zip(edges, starts, strict=True), 1):
                step = k.mul(loop.index, k.index(edge.terms[-1]))
                k.do(
                    memory.Store, k.add(start, step), table, k.add(row, k.index(number))
                )
            loop.yields = [k.add(row, width)]
        return loop.results

    flat_runs(k, terms.extents, first, k.add(first, count), run, [k.index(0)])


def _flat(k: LoopBuilder, right: Side) -> Side:
    """Return a side whose columns lie in few runs of memory, though windows leave it.

    Of as many windows as an axis has elements one row is behind the other.
    """
    if not right.edges:
        return right
    found: list[tuple[Dim, Value]] = []
    walk = right.columns
    for extent, stride in zip(walk.extents, walk.strides, strict=True):
        with k.at_entry():
            row = k.mul(k.dim(extent), stride)
        if found and found[-1][1] is row:
            extent = found.pop()[0] * extent
        found.append((extent, stride))
    columns = Walk(tuple([e for e, _ in found]), tuple([s for _, s in found]))
    return replace(right, columns=columns)


def _most_pieces(k: LoopBuilder, right: Side, strip: Strip, step: int) -> int | None:
    """Return of how many runs of memory a vector of a strip is made, at most.

    None if that is unknown or too many, or if columns are no neighbours.
    """
    columns = _flat(k, right).columns
    assert strip.copy is not None
    run, width = columns.extents[-1], k.known(strip.copy.row)
    assert width is not None
    is_flat = len(columns.extents) == 1 and k.known(columns.strides[-1]) == 1
    if right.edges and is_flat:
        return 1
    if not isinstance(run, int) or run < 1 or k.known(columns.strides[-1]) != 1:
        return None
    lanes = min(LANES, width)
    if len(columns.extents) == 1:
        return 1
    pieces = -(-(run - gcd(run, step, lanes) + lanes) // run)
    return pieces if pieces <= MOST_PIECES else None


def _copy_vectors(
    k: LoopBuilder,
    right: Side,
    strip: Strip,
    table: _Table,
    terms: tuple[Value, Value],
    sums: Sums | None,
    pieces: int,
) -> None:
    """Copy a block of terms of a strip, by vectors that several runs of memory fill."""
    copy, (first, count), edges = strip.copy, terms, right.edges
    assert copy is not None
    flat, last = _flat(k, right), k.add(strip.at, strip.lanes)
    width = k.known(copy.row)
    assert width is not None
    zeros = _zeros(k, right)
    with k.loop(k.index(0), strip.lanes, LANES) as vector_:
        column = k.add(strip.at, vector_.index)
        left = k.sub(strip.lanes, vector_.index)
        found = [_piece(k, flat, column, left, number) for number in range(pieces)]
        along = column_indices(k, edges, right.columns.extents, column, last)
        whole = k.mask(LANES)
        if width % LANES:
            whole = first_lanes(k, k.sub(k.index(width), vector_.index))

        def load(offset: Value, indices: Sequence[Value]) -> Value:
            value = zeros
            within = inside(k, edges, along, indices) if edges else None
            for at, given in found:
                here = k.add(at, offset)
                mask = given if within is None else k.op(arith.AndI, given, within)
                value = k.op(vector.MaskedLoad, right.memref, here, mask, value)
            return value

        if sums is not None:
            met = (Lanes(load(*at)) for at in _written_out(k, right))
            sums.put(k, column, left, met)
        else:
            with k.loop(k.index(0), count, 1) as term:
                value = load(*table.at(k, first, term.index))
                to = k.add(k.mul(term.index, copy.row), vector_.index)
                to = k.add(copy.at, to)
                k.do(vector.MaskedStore, copy.memref, to, whole, value)


def _zeros(k: LoopBuilder, side: Side) -> Value:
    element = element_type(side.memref.type)
    return k.constant(0.0 if element.is_float else 0, element, LANES)


def _piece(
    k: LoopBuilder, right: Side, column: Value, left: Value, number: int
) -> tuple[Value, Value]:
    """Return where lane 0 of a vector would lie in a run of memory, and its lanes.

    The vector begins at a column, and so many are left; the run is the first one that
    it meets, or the next ones by number. What is behind the last run has no lanes.
    """
    *outer, run = right.columns.extents
    if not outer:
        return k.add(right.at, column), first_lanes(k, left)
    length, last = k.dim(run), k.sub(k.dim(elements(outer)), k.index(1))
    here = k.add(k.floordiv(column, length), k.index(number))
    start = k.sub(k.mul(here, length), column)  # its first lane, perhaps before 0
    mask = first_lanes(k, k.minimum(k.add(start, length), left))
    if number:
        before = k.op(arith.XOrI, first_lanes(k, start), k.mask(LANES))
        mask = k.op(arith.AndI, mask, before)
    indices = unravel(k, outer, k.minimum(here, last))
    return k.sub(k.add(right.at, right.columns.place(k, indices)), start), mask


def _copy_runs(
    k: LoopBuilder,
    right: Side,
    strip: Strip,
    table: _Table,
    terms: tuple[Value, Value],
    sums: Sums | None,
) -> None:
    """Copy a block of terms of a strip, a run of memory at a time."""
    (first, count), columns = terms, right.columns
    copy = strip.copy
    assert copy is not None
    there = Storage(right.memref, (k.index(1), k.index(1), columns.strides[-1]))
    here = Storage(copy.memref, (copy.row, k.index(1), k.index(1)), copy.at)
    reaches = reaches_of(right.terms.extents, [edge.terms for edge in right.edges])
    if any(edge.columns[-1] < 0 for edge in right.edges):
        reaches = []

    def run(
        before: list[Value], begin: Value, end: Value, carried: list[Value]
    ) -> list[Value]:
        base = k.add(right.at, columns.place(k, before))
        with k.loop(begin, end, LANES, carried) as loop:
            (target,) = loop.carried
            start = k.add(base, k.mul(loop.index, columns.strides[-1]))
            lanes = k.minimum(k.sub(end, loop.index), k.index(LANES))
            point = Point((), tail_mask(k, lanes))
            at = Counter(k.index(0))
            here_ = [*before, loop.index]
            column = [index_at(k, e.start, e.columns, here_) for e in right.edges]

            def load(is_inside: bool, offset: Value, indices: Sequence[Value]) -> Rep:
                if is_inside:
                    where = Uniform(start), Uniform(offset), at
                    return read(k, there, where, point)
                pairs = zip(right.edges, column, indices, strict=True)
                axes = [(edge, k.add(a, b)) for edge, a, b in pairs]
                run_ = k.add(start, offset), columns.strides[-1], lanes
                return Lanes(load_run(k, right.memref, *run_, axes))

            def copy_terms(is_inside: bool) -> None:
                if sums is not None:
                    met = (load(is_inside, *at) for at in _written_out(k, right))
                    sums.put(k, k.add(strip.at, target), lanes, met)
                    return
                with k.loop(k.index(0), count, 1) as term:
                    found = load(is_inside, *table.at(k, first, term.index))
                    to = Uniform(term.index), Uniform(target), at
                    write(k, here, to, found, point)

            if not reaches:
                copy_terms(is_inside=not right.edges)
            else:
                all_ = are_inside(k, right.edges, column, reaches, lanes)
                k.choose(all_, partial(copy_terms, True), partial(copy_terms, False))
            loop.yields = [k.add(target, lanes)]
        return loop.results

    upper = k.add(strip.at, strip.lanes)
    flat_runs(k, columns.extents, strip.at, upper, run, [k.index(0)])


def _copy_left(
    k: LoopBuilder,
    left: Side,
    side: Matrix,
    rows: tuple[Value, Value],
    terms: tuple[Value, Value],
) -> Matrix:
    """Copy a block of terms of some rows, and return them as a matrix.

    The rows of `side` are those of the left side, from its own first one on.
    """
    first, count = terms
    lower, upper = rows
    element = element_type(left.memref.type)
    memref = shared_scratch(k, "left", element, COPIED_ROWS * LEFT_STRIDE)
    stride, walk = k.index(LEFT_STRIDE), left.terms
    there = Storage(side.memref, (k.index(1), walk.strides[-1]))
    here = Storage(memref, (k.index(1), k.index(1)))

    def run(
        before: list[Value], begin: Value, end: Value, carried: list[Value]
    ) -> list[Value]:
        begun = k.add(side.at, walk.place(k, before))
        (number,) = carried
        with k.loop(lower, upper, 1) as row:
            source = k.add(begun, k.mul(row.index, side.row))
            to = k.add(number, k.mul(k.sub(row.index, lower), stride))
            with k.loop(begin, end, LANES) as loop:
                lanes = k.minimum(k.sub(end, loop.index), k.index(LANES))
                point = Point((), tail_mask(k, lanes))
                found = read(k, there, [Uniform(source), Counter(loop.index)], point)
                done = k.add(to, k.sub(loop.index, begin))
                write(k, here, [Uniform(done), Counter(k.index(0))], found, point)
        return [k.add(number, k.sub(end, begin))]

    flat_runs(k, walk.extents, first, k.add(first, count), run, [k.index(0)])
    begun = k.add(k.mul(lower, stride), first)
    return Matrix(memref, k.sub(k.index(0), begun), stride, k.index(1))
