"""Emit the kernels of cumulative ops: one axis is walked, the others are cut up.

An array is [outer, n, inner] here. Where the walked axis is the last one, rows are
walked side by side, each by scalars: the steps of one row wait for each other, those of
several rows do not. Else vectors of neighbouring columns are walked at once.

Floats are joined in ascending order in blocks of 1024, and what a block has so far with
what the blocks before have, which is the contract (docs/numerics.md); f16 is joined in
f32. What does not depend on an order needs no blocks: integers, the largest, the
smallest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.arrays.cumulation import ADD, LARGER, LINEAR, MULTIPLY, SMALLER
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv, elements, floordiv, maximum
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.opdef import scalar_of
from tensorc.ir.ops.memory.kernels import CumulateInto
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor.reductions import max_identity, min_identity
from tensorc.ir.types import Element, VectorType, element_type
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import (
    FunctionState,
    Shape,
    close_kernel,
    open_kernel,
    row_major,
)
from tensorc.passes.loops.lanes import (
    Counter,
    Lanes,
    Point,
    Rep,
    Storage,
    Uniform,
    read,
    tail_mask,
    widen,
    write,
)

# Rows that are walked at once: eight and their results, 4096 bytes apart, would not fit
# into the ways of a cache.
SIDE_BY_SIDE = 4
STRIP = 4  # vectors of columns that are walked at once
CHUNK = 32768  # elements that a chunk has at least, if there are so many

_JOINS = {ADD: ew.Add, MULTIPLY: ew.Mul, LARGER: ew.Maximum, SMALLER: ew.Minimum}


@dataclass(frozen=True, slots=True)
class _Stream:
    """One row, or 16 neighbouring columns: the indices but for the walked one."""

    outer: Value
    inner: Rep
    mask: Value | None = None


@dataclass(frozen=True, slots=True)
class _Scan:
    """What is walked: [outer, n, inner], by its op."""

    k: LoopBuilder
    op: CumulateInto
    target: Storage
    sources: Sequence[Storage]
    extent: Dim

    @property
    def element(self) -> Element:
        """The element type that is computed in."""
        return element_type(self.target.memref.type).accumulator

    @property
    def in_blocks(self) -> bool:
        """Whether the order has blocks, and the axis may have more than one."""
        ordered = self.op.combine in (ADD, MULTIPLY) and self.element.is_float
        return ordered and not (isinstance(self.extent, int) and self.extent <= BLOCK)


def cumulate_kernel(entry: FunctionState, op: Op) -> None:
    """Write the kernel of a cumulative op."""
    assert isinstance(op, CumulateInto)
    values = op.operands
    shape = entry.shapes[values[0]]
    outer, extent = elements(shape[: op.axis]), shape[op.axis]
    rest = elements(shape[op.axis + 1 :])
    function, k, arguments, names = open_kernel(entry, values, shape)
    joined: Shape = (outer, extent, rest)
    storages = [row_major(k, argument, joined) for argument in arguments]
    scan = _Scan(k, op, storages[0], storages[1:], extent)
    begin, end = function.body.block.arguments[-3:-1]
    if rest == 1:
        chunks = _rows(scan, outer, begin, end)
    else:
        chunks = _columns(scan, outer, rest, begin, end)
    close_kernel(entry, function, k, values, names, chunks, elements(joined))


def _rows(scan: _Scan, rows: Dim, begin: Value, end: Value) -> Dim:
    """Emit the walks of rows, several at a time; return how many chunks there are."""
    k = scan.k
    least = floordiv(CHUNK // SIDE_BY_SIDE, maximum(scan.extent, 1))
    height = maximum(least, 1) * SIDE_BY_SIDE
    zero = Uniform(k.index(0))
    first = k.mul(begin, k.dim(height))
    last = k.minimum(k.mul(end, k.dim(height)), k.dim(rows))
    count = k.op(arith.MaxSI, k.sub(last, first), k.index(0))
    whole = k.op(arith.FloorDivSI, count, k.index(SIDE_BY_SIDE))
    middle = k.add(first, k.mul(whole, k.index(SIDE_BY_SIDE)))
    with k.loop(first, middle, SIDE_BY_SIDE) as loop:
        at = [k.add(loop.index, k.index(i)) for i in range(SIDE_BY_SIDE)]
        _walk(scan, [_Stream(row, zero) for row in at])
    with k.loop(middle, last, 1) as loop:
        _walk(scan, [_Stream(loop.index, zero)])
    return ceildiv(rows, height)


def _columns(scan: _Scan, outer: Dim, columns: Dim, begin: Value, end: Value) -> Dim:
    """Emit the walks of strips of columns; return how many chunks there are."""
    k = scan.k
    width = STRIP * LANES
    strips = ceildiv(columns, width)
    strip_of = k.dim(strips)
    least = floordiv(CHUNK, maximum(scan.extent * width, 1))
    height = maximum(least, 1)
    first = k.mul(begin, k.dim(height))
    last = k.minimum(k.mul(end, k.dim(height)), k.dim(outer * strips))
    with k.loop(first, last, 1) as loop:
        row = k.op(arith.FloorDivSI, loop.index, strip_of)
        left = k.mul(k.sub(loop.index, k.mul(row, strip_of)), k.index(width))
        streams = []
        for i in range(STRIP):
            at = k.add(left, k.index(i * LANES))
            rest = k.op(arith.MaxSI, k.sub(k.dim(columns), at), k.index(0))
            mask = tail_mask(k, rest)
            streams.append(_Stream(row, Counter(at), mask))
        _walk(scan, streams)
    return ceildiv(outer * strips, height)


def _walk(scan: _Scan, streams: Sequence[_Stream]) -> None:
    """Emit the loops along the axis, of all streams at once."""
    k = scan.k
    start = [_start(scan, stream) for stream in streams]
    extent = k.dim(scan.extent)
    if not scan.in_blocks:
        begin = k.index(0)
        if scan.op.combine == LINEAR:  # before the first element there is nothing
            begin = k.minimum(k.index(1), extent)
            with k.loop(k.index(0), begin, 1, start) as loop:
                loop.yields = _step(scan, streams, loop.index, [])
            start = loop.results
        with k.loop(begin, extent, 1, start) as loop:
            loop.yields = _step(scan, streams, loop.index, loop.carried)
        return
    with k.loop(k.index(0), extent, BLOCK, start) as block:
        upper = k.minimum(k.add(block.index, k.index(BLOCK)), extent)
        both = [*start, *block.carried]
        with k.loop(block.index, upper, 1, both) as loop:
            own = loop.carried[: len(streams)]
            so_far = _step(scan, streams, loop.index, own, block.carried)
            loop.yields = so_far
        block.yields = loop.results[len(streams) :]


def _step(
    scan: _Scan,
    streams: Sequence[_Stream],
    index: Value,
    so_far: Sequence[Value],
    before: Sequence[Value] = (),
) -> list[Value]:
    """Join an element of each stream; return what there is then, and what is written.

    Without `so_far` it is the first element. `before` is what the blocks before have,
    which is joined with it to be written.
    """
    k = scan.k
    if scan.op.reverse:
        index = k.sub(k.sub(k.dim(scan.extent), k.index(1)), index)
    made = []
    for i, stream in enumerate(streams):
        values = [_element(scan, source, stream, index) for source in scan.sources]
        made.append(_join(scan, so_far[i], *values) if so_far else values[-1])
    written = made
    if before:
        written = [_join(scan, *pair) for pair in zip(before, made, strict=True)]
    for stream, value in zip(streams, written, strict=True):
        _store(scan, stream, index, value)
    return [*made, *written] if before else made


def _join(scan: _Scan, last: Value, value: Value, *factors: Value) -> Value:
    k = scan.k
    if scan.op.combine != LINEAR:
        cls = scalar_of(_JOINS[scan.op.combine], scan.element)
        return k.op(cls, last, value)
    factor, operand = value, *factors
    joined = k.op(math.Fma, factor, last, operand)
    code = arith.FLOAT_PREDICATES.index("oeq")
    lanes = LANES if isinstance(factor.type, VectorType) else 0
    zero = k.constant(0.0, scan.element, lanes)
    anew = k.op(arith.CmpF, factor, zero, predicate=code)
    return k.select(anew, operand, joined)


def _start(scan: _Scan, stream: _Stream) -> Value:
    """Return what changes nothing that it is joined with."""
    element = scan.element
    starts = {
        ADD: -0.0 if element.is_float else 0,
        MULTIPLY: 1,
        LARGER: max_identity(element.dtype),
        SMALLER: min_identity(element.dtype),
        LINEAR: 0,
    }
    lanes = LANES if isinstance(stream.inner, Counter) else 0
    return scan.k.constant(starts[scan.op.combine], element, lanes)


def _element(scan: _Scan, source: Storage, stream: _Stream, index: Value) -> Value:
    """Load an element of a stream, in the type that is computed in."""
    k = scan.k
    at = [Uniform(stream.outer), Uniform(index), stream.inner]
    rep = read(k, source, at, Point((), stream.mask))
    value = widen(k, rep) if isinstance(stream.inner, Counter) else rep.value
    if element_type(value.type) == scan.element:
        return value
    return k.op(conversions.ExtF, value, types=[_like(value, scan.element)])


def _store(scan: _Scan, stream: _Stream, index: Value, value: Value) -> None:
    k = scan.k
    stored = element_type(scan.target.memref.type)
    if stored != scan.element:
        value = k.op(conversions.TruncF, value, types=[_like(value, stored)])
    at = [Uniform(stream.outer), Uniform(index), stream.inner]
    wide = isinstance(stream.inner, Counter)
    rep = Lanes(value) if wide else Uniform(value)
    write(k, scan.target, at, rep, Point((), stream.mask))


def _like(value: Value, element: Element) -> Element | VectorType:
    wide = isinstance(value.type, VectorType)
    return VectorType(LANES, element) if wide else element
