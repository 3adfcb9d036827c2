"""Products with one column, in the order of all products (`passes.loops.tiles`).

Of a dot product, one result, the blocks of terms are chains that wait for nothing. A
chain of fused multiply-adds is as slow as each of them is late, so the 16 blocks of a
superblock run side by side, four of what is left after them, and then one by one.

Of a matrix and a vector, 16 rows of the matrix are transposed in registers, 16 terms at
a time: a vector holds one term of each row.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, LANES, SUPERBLOCK
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import element_type
from tensorc.passes.loops.accumulate import LEVELS, scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Uniform, widen
from tensorc.passes.loops.shuffles import load_transposed
from tensorc.passes.loops.tiles import Matrix, place, stacked

_FEW = 4  # blocks of the last superblock that run side by side


def emit_dot(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    rows: tuple[Value, Value],
    depth: Value,
) -> None:
    """Emit the only row of a product with one column, if it is among the rows."""
    c = matrices[2]
    zero = k.index(0)
    element = element_type(c.memref.type)
    parts = scratch(k, element, LEVELS)
    with k.loop(*rows, 1) as row:
        k.do(memory.Store, k.constant(0.0, element), parts, zero)  # of no terms

        def superblock(lower: Value, upper: Value, part: Value) -> None:
            count = k.sub(upper, lower)
            for predicate, emit in (("eq", _full), ("ne", _partial)):
                with k.when(k.compare(predicate, count, k.index(SUPERBLOCK))):
                    total = emit(k, matrices, row.index, (lower, upper))
                    k.do(memory.Store, total, parts, part)

        def add(part: Value) -> None:
            below = k.sub(part, k.index(1))
            pair = [k.op(memory.Load, parts, at) for at in (below, part)]
            k.do(memory.Store, k.op(arith.AddF, *pair), parts, below)

        stacked(k, depth, superblock, add)
        total = k.op(memory.Load, parts, zero)
        k.do(memory.Store, total, c.memref, place(k, c, row.index, zero))


def _full(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    row: Value,
    terms: tuple[Value, Value],
) -> Value:
    """Return the sum of a whole superblock."""
    count, length = SUPERBLOCK // CONTRACTION_BLOCK, k.index(CONTRACTION_BLOCK)
    total, *others = _chains(k, matrices, row, terms[0], count, length)
    for part in others:
        total = k.op(arith.AddF, total, part)
    return total


def _partial(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    row: Value,
    terms: tuple[Value, Value],
) -> Value:
    """Return the sum of what is left for the last superblock."""
    lower, upper = terms
    several = _FEW * CONTRACTION_BLOCK
    groups = k.op(arith.FloorDivSI, k.sub(upper, lower), k.index(several))
    middle = k.add(lower, k.mul(groups, k.index(several)))
    start = k.constant(-0.0, element_type(matrices[2].memref.type))  # changes nothing
    with k.loop(lower, middle, several, [start]) as loop:
        length = k.index(CONTRACTION_BLOCK)
        (total,) = loop.carried
        for part in _chains(k, matrices, row, loop.index, _FEW, length):
            total = k.op(arith.AddF, total, part)
        loop.yields = [total]
    with k.loop(middle, upper, CONTRACTION_BLOCK, loop.results) as rest:
        left = k.sub(upper, rest.index)
        length = k.minimum(left, k.index(CONTRACTION_BLOCK))
        (part,) = _chains(k, matrices, row, rest.index, 1, length)
        rest.yields = [k.op(arith.AddF, rest.carried[0], part)]
    return rest.results[0]


def _chains(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    row: Value,
    lower: Value,
    count: int,
    length: Value,
) -> Sequence[Value]:
    """Return the sums of so many neighbouring blocks of a length, from a term on."""
    a, b, c = matrices
    zero = k.index(0)
    first, second = place(k, a, row, lower), place(k, b, lower, zero)
    starts = [k.constant(0.0, element_type(c.memref.type))] * count
    with k.loop(zero, length, 1, starts) as loop:
        for i, total in enumerate(loop.carried):
            term = k.add(loop.index, k.index(i * CONTRACTION_BLOCK))
            left = k.op(memory.Load, a.memref, k.add(first, k.mul(term, a.column)))
            right = k.op(memory.Load, b.memref, k.add(second, k.mul(term, b.row)))
            loop.yields.append(k.op(math.Fma, left, right, total))
    return loop.results


def emit_column(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    rows: tuple[Value, Value],
    depth: Value,
) -> Value:
    """Emit whole groups of 16 rows of a matrix times a vector; return the next row.

    They are none if there are no terms, or more than a superblock of them. Terms of a
    row are neighbours in memory, and so are the results.
    """
    _, _, c = matrices
    first, last = rows
    groups = k.floordiv(k.sub(last, first), k.index(LANES))
    middle = k.add(first, k.mul(groups, k.index(LANES)))
    if k.known(depth) is None:
        some = k.compare("sgt", depth, k.index(0))
        few = k.compare("sle", depth, k.index(SUPERBLOCK))
        middle = k.select(k.op(arith.AndI, some, few), middle, first)
    start = k.constant(-0.0, element_type(c.memref.type), LANES)  # changes nothing
    with k.loop(first, middle, LANES) as row:
        with k.loop(k.index(0), depth, CONTRACTION_BLOCK, [start]) as block:
            left = k.sub(depth, block.index)
            upper = k.add(block.index, k.minimum(left, k.index(CONTRACTION_BLOCK)))
            part = _rows_of_block(k, matrices, row.index, (block.index, upper))
            block.yields = [k.op(arith.AddF, block.carried[0], part)]
        at = place(k, c, row.index, k.index(0))
        k.do(vector.MaskedStore, c.memref, at, k.mask(LANES), block.results[0])
    return middle


def _rows_of_block(
    k: LoopBuilder,
    matrices: tuple[Matrix, Matrix, Matrix],
    row: Value,
    terms: tuple[Value, Value],
) -> Value:
    """Return the sums of a block of terms for 16 rows."""
    a, b, c = matrices
    element = element_type(c.memref.type)
    lower, upper = terms
    wide = k.floordiv(k.sub(upper, lower), k.index(LANES))
    middle = k.add(lower, k.mul(wide, k.index(LANES)))

    def fused(term: Value, left: Value, total: Value) -> Value:
        right = k.op(memory.Load, b.memref, place(k, b, term, k.index(0)))
        return k.op(math.Fma, left, widen(k, Uniform(right)), total)

    start = k.constant(0.0, element, LANES)
    with k.loop(lower, middle, LANES, [start]) as loop:
        at = place(k, a, row, loop.index)
        (total,) = loop.carried
        every = load_transposed(k, a.memref, at, a.row, [True] * LANES)
        for number, left in enumerate(every):
            total = fused(k.add(loop.index, k.index(number)), left, total)
        loop.yields = [total]
    step = k.op(arith.MulI, k.lane_numbers(), widen(k, Uniform(a.row)))
    with k.loop(middle, upper, 1, loop.results) as rest:
        other, mask = k.constant(0, element, LANES), k.mask(LANES)
        at = place(k, a, row, rest.index)
        left = k.op(vector.Gather, a.memref, at, step, mask, other)
        rest.yields = [fused(rest.index, left, rest.carried[0])]
    return rest.results[0]
