"""Emit the kernel that searches in a row in order: for each value it is halved."""

from tensorc.ir.arrays.ordering import LEFT
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import ceildiv, elements
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.rows import SearchInto
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import I64
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.entry import FunctionState, close_kernel, open_kernel
from tensorc.passes.loops.orders.keys import signed_key

CHUNK = 1024  # values of a chunk
MOST_BITS = 63  # of a size
WORK = 32  # operations for each value, about


def search_kernel(entry: FunctionState, op: Op) -> None:
    """Write the kernel of a search."""
    assert isinstance(op, SearchInto)
    values = op.operands
    length, count = entry.shapes[op.ordered][0], elements(entry.shapes[op.values])
    function, k, (row, given, target), names = open_kernel(
        entry, values, [length, count]
    )
    begin, end = function.body.block.arguments[-3:-1]
    size = k.dim(length)
    bits = _bits(k, size)
    first = k.mul(begin, k.index(CHUNK))
    last = k.minimum(k.mul(end, k.index(CHUNK)), k.dim(count))
    with k.loop(first, last, 1) as loop:
        key = signed_key(k, k.op(memory.Load, given, loop.index))
        found = _search(k, (row, size), bits, key, "slt" if op.side == LEFT else "sle")
        found = k.op(conversions.IndexCast, found, types=[I64])
        k.do(memory.Store, found, target, loop.index)
    close_kernel(entry, function, k, values, names, ceildiv(count, CHUNK), count * WORK)


def _bits(k: LoopBuilder, size: Value) -> Value:
    """Return how many bits a size has."""
    known = k.known(size)
    if known is not None:
        return k.index(known.bit_length())
    zero, one = k.index(0), k.index(1)
    with k.loop(zero, k.index(MOST_BITS), 1, [zero]) as loop:
        power = k.op(arith.ShLI, one, loop.index)
        is_in = k.compare("sle", power, size)
        loop.yields = [k.add(loop.carried[0], k.select(is_in, one, zero))]
    return loop.results[0]


def _search(
    k: LoopBuilder, row: tuple[Value, Value], bits: Value, key: Value, before: str
) -> Value:
    """Return how many elements of a row of a size come before a key."""
    memref, size = row
    zero, one = k.index(0), k.index(1)
    with k.loop(zero, bits, 1, [zero]) as loop:
        found = loop.carried[0]
        left = k.sub(k.sub(bits, one), loop.index)
        following = k.add(found, k.op(arith.ShLI, one, left))
        at = k.sub(k.minimum(following, size), one)
        other = signed_key(k, k.op(memory.Load, memref, at))
        fits = k.compare("sle", following, size)
        goes_on = k.op(arith.AndI, fits, k.compare(before, other, key))
        loop.yields = [k.select(goes_on, following, found)]
    return loop.results[0]
