"""Emit the kernels of ops that order rows: by the bits of keys, lowest digits first.

An element's key is an integer in the order of the elements, equal for equal ones. Each
pass deals a row out by one digit of the keys and keeps the order of what has the same
digit, so that equal elements stay in theirs (docs/numerics.md). What would change
nothing is left out, as most passes are of small integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.arrays.ordering import INDICES, LARGEST, VALUES
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv, elements, floordiv, maximum
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.rows import OrderInto
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import I64, INDEX, Element, element_type
from tensorc.passes.loops.accumulate import worker_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import FunctionState, close_kernel, open_kernel
from tensorc.passes.loops.orders.keys import (
    element_of_key,
    order_key,
    with_sign,
    without_sign,
)
from tensorc.passes.loops.orders.largest import (
    emit_largest,
    finds_largest,
    largest_of,
)
from tensorc.passes.loops.orders.ranking import SHORT, emit_ranked, ranks_of

# Bits of a key that a pass looks at; elements without indices leave room for more.
DIGIT, DIGIT_ALONE = 8, 11
CHUNK = 32768  # elements that a chunk has at least, if there are so many


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in flat memory, and the scratch in which one is ordered.

    `moved` has what is moved, each twice as long as a row: the elements and their
    indices if these are given, else the keys, of which the elements are made again.
    The first `taken` of each row are given.
    """

    k: LoopBuilder
    source: Value
    targets: Sequence[Value]
    gives: str
    digit: int
    length: Value
    taken: Value
    counts: Value
    moved: Sequence[Value]

    @property
    def element(self) -> Element:
        """The element type of the rows."""
        return element_type(self.source.type)

    def key(self, value: Value) -> Value:
        """Return the key of an element; the largest elements come first."""
        if self.gives == VALUES:
            return value  # keys are moved
        key = order_key(self.k, value)
        if self.gives != LARGEST:
            return key
        return self.k.op(arith.XOrI, key, self.k.constant(-1, element_type(key.type)))

    @property
    def passes(self) -> int:
        """How many digits a key has."""
        return -(-self.element.bits // self.digit)


def order_kernel(entry: FunctionState, op: Op) -> None:
    """Write the kernel of an op that orders rows."""
    assert isinstance(op, OrderInto)
    values, shape = op.operands, entry.shapes[op.operand]
    count, length = elements(shape[:-1]), shape[-1]
    taken = entry.shapes[op.targets[0]][-1]
    function, k, arguments, names = open_kernel(entry, values, [*shape, taken])
    source, *targets = arguments
    element = element_type(source.type)
    height = maximum(floordiv(CHUNK, maximum(length, 1)), 1)
    begin, end = function.body.block.arguments[-3:-1]
    first = k.mul(begin, k.dim(height))
    last = k.minimum(k.mul(end, k.dim(height)), k.dim(count))
    if op.gives == LARGEST and isinstance(taken, int) and finds_largest(element, taken):
        found = largest_of(k, source, k.dim(length), taken)
        with k.loop(first, last, 1) as loop:
            emit_largest(found, loop.index, (targets[0], targets[1]))
        work = elements(shape)
    else:
        rows = _rows(k, source, targets, op.gives, length, taken)
        _order_rows(rows, first, last, length)
        work = elements(shape) * 4 * rows.passes
    close_kernel(entry, function, k, values, names, ceildiv(count, height), work)


def _rows(
    k: LoopBuilder,
    source: Value,
    targets: Sequence[Value],
    gives: str,
    length: Dim,
    taken: Dim,
) -> _Rows:
    """Return rows with scratch for one of them."""
    element = element_type(source.type)
    kept = [with_sign(element)] if gives == VALUES else [element, I64]
    moved = [worker_scratch(k, e, maximum(2 * length, 1)) for e in kept]
    digit = DIGIT_ALONE if gives == VALUES else DIGIT
    counts = worker_scratch(k, I64, -(-element.bits // digit) << digit)
    sizes = k.dim(length), k.dim(taken)
    return _Rows(k, source, targets, gives, digit, *sizes, counts, moved)


def _order_rows(rows: _Rows, first: Value, last: Value, length: Dim) -> None:
    """Order rows one after the other, short ones by ranks."""
    k = rows.k

    def by_digits() -> None:
        with k.loop(first, last, 1) as loop:
            _order_row(rows, loop.index)

    def by_ranks() -> None:
        memories = ranks_of(k, rows.source)
        flags = {VALUES: [False], INDICES: [True], LARGEST: [False, True]}[rows.gives]
        targets = list(zip(rows.targets, flags, strict=True))
        with k.loop(first, last, 1) as loop:
            source = rows.source, k.mul(loop.index, rows.length), rows.length
            place = k.mul(loop.index, rows.taken), rows.taken
            emit_ranked(k, memories, source, targets, place, rows.gives == LARGEST)

    if isinstance(length, int):
        (by_ranks if length <= SHORT else by_digits)()
        return
    is_short = k.compare("sle", rows.length, k.index(SHORT))
    k.choose(is_short, by_ranks, by_digits)


def _order_row(rows: _Rows, row: Value) -> None:
    """Order one row."""
    k = rows.k
    _count_digits(rows, k.mul(row, rows.length))
    here, there = k.index(0), rows.length
    for digit in range(rows.passes):
        here, there = _deal(rows, digit, here, there)
    start = k.mul(row, rows.taken)
    moved = rows.moved[-len(rows.targets) :]
    with k.loop(k.index(0), rows.taken, 1) as loop:
        for source, target in zip(moved, rows.targets, strict=True):
            value = k.op(memory.Load, source, k.add(here, loop.index))
            if rows.gives == VALUES:
                value = element_of_key(k, value, rows.element)
            k.do(memory.Store, value, target, k.add(start, loop.index))


def _count_digits(rows: _Rows, start: Value) -> None:
    """Copy a row to scratch, and count how often it has each digit."""
    k = rows.k
    with k.loop(k.index(0), k.index(rows.passes << rows.digit), 1) as loop:
        k.do(memory.Store, k.constant(0, I64), rows.counts, loop.index)
    with k.loop(k.index(0), rows.length, 1) as loop:
        value = k.op(memory.Load, rows.source, k.add(start, loop.index))
        if rows.gives == VALUES:
            value = order_key(k, value, zeros_differ=True)
        k.do(memory.Store, value, rows.moved[0], loop.index)
        for indices in rows.moved[1:]:
            index = k.op(conversions.IndexCast, loop.index, types=[I64])
            k.do(memory.Store, index, indices, loop.index)
        key = rows.key(value)
        for digit in range(rows.passes):
            at = _bucket(rows, key, digit)
            count = k.op(memory.Load, rows.counts, at)
            more = k.op(arith.AddI, count, k.constant(1, I64))
            k.do(memory.Store, more, rows.counts, at)


def _deal(rows: _Rows, digit: int, here: Value, there: Value) -> tuple[Value, Value]:
    """Move a row by a digit of its keys; return where it stands, and where it did."""
    k, counts = rows.k, rows.counts
    first = k.op(memory.Load, rows.moved[0], here)
    alike = k.op(memory.Load, counts, _bucket(rows, rows.key(first), digit))
    length = k.op(conversions.IndexCast, rows.length, types=[I64])
    is_done = k.compare("eq", alike, length)
    lower = k.index(digit << rows.digit)
    with k.loop(
        lower, k.add(lower, k.index(1 << rows.digit)), 1, [k.constant(0, I64)]
    ) as loop:
        count = k.op(memory.Load, counts, loop.index)
        k.do(memory.Store, loop.carried[0], counts, loop.index)
        loop.yields = [k.op(arith.AddI, loop.carried[0], count)]
    with k.loop(k.index(0), k.select(is_done, k.index(0), rows.length), 1) as loop:
        at = k.add(here, loop.index)
        values = [k.op(memory.Load, memref, at) for memref in rows.moved]
        bucket = _bucket(rows, rows.key(values[0]), digit)
        count = k.op(memory.Load, counts, bucket)
        more = k.op(arith.AddI, count, k.constant(1, I64))
        k.do(memory.Store, more, counts, bucket)
        to = k.add(there, k.op(conversions.IndexCast, count, types=[INDEX]))
        for value, memref in zip(values, rows.moved, strict=True):
            k.do(memory.Store, value, memref, to)
    return k.select(is_done, here, there), k.select(is_done, there, here)


def _bucket(rows: _Rows, key: Value, digit: int) -> Value:
    """Return which counter a digit of a key has."""
    k = rows.k
    element = element_type(key.type)
    wide = key
    if element.bits < I64.bits:
        unsigned = k.op(conversions.Bitcast, key, types=[without_sign(element)])
        wide = k.op(conversions.ExtUI, unsigned, types=[I64])
    shift = max(element.bits - (rows.passes - digit) * rows.digit, 0)
    if shift:
        wide = k.op(arith.ShRSI, wide, k.constant(shift, I64))
    found = k.op(arith.AndI, wide, k.constant((1 << rows.digit) - 1, I64))
    index = k.op(conversions.IndexCast, found, types=[INDEX])
    return k.add(index, k.index(digit << rows.digit))
