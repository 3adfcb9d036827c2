"""Dot products: one result, whose blocks of terms are chains that wait for nothing.

A chain of fused multiply-adds is as slow as each of them is late. So the 16 blocks of a
superblock run side by side, four of what is left after them, and then one by one. The
order of additions is that of all products (`tensorc.passes.loops.tiles`).
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, SUPERBLOCK
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import element_type
from tensorc.passes.loops.accumulate import LEVELS, scratch
from tensorc.passes.loops.builder import LoopBuilder
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
