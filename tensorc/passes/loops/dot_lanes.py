"""Whole superblocks of dot products, a block of terms in each lane.

The 16 blocks of a superblock lie 512 elements apart: their lines share sets of a cache
and are more than a set holds. So lane j lags j steps behind lane 0 (a step is as many
terms as a vector has lanes, which are transposed in registers), and the lanes go on
from superblock to superblock without a stop:

    step        0  1  2 ...           32 33 34 ...
    lane 0      block 0 of the first  block 0 of the second
    lane 1         block 1 of the first  block 1 of the second

In the first 16 steps of a superblock one lane after the other has done its block of the
superblock before. Lanes that have not begun, or have no more to do, read what is there,
and it is not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import Enum
from tensorc.ir.core import Value
from tensorc.ir.numerics import CONTRACTION_BLOCK, SUPERBLOCK
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import element_type
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.shuffles import first_lanes, load_terms, terms_at_once

_BLOCKS = SUPERBLOCK // CONTRACTION_BLOCK
_BACK = SUPERBLOCK - CONTRACTION_BLOCK  # from the end of a block to the next of a lane

# Takes the sums of a superblock of each row; gives what the loop carries.
Take = Callable[[Value, Sequence[Value], Sequence[Value]], Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Side:
    """Memory of terms that are neighbours, and where the first one lies."""

    memref: Value
    at: Value


@dataclass(frozen=True, slots=True)
class LaneDots:
    """Dot products of some rows with one column, and how many lanes a vector has."""

    rows: Sequence[Side]
    column: Side
    lanes: int

    @property
    def groups(self) -> range:
        """The first block of each vector."""
        return range(0, _BLOCKS, self.lanes)


def each_superblock(
    k: LoopBuilder, dots: LaneDots, count: Value, carried: Sequence[Value], take: Take
) -> list[Value]:
    """Emit the sums of `count` superblocks, and return what `take` makes of them.

    `take(number, sums, carried)` is given the sums of each, and first those of number
    -1, which mean nothing.
    """
    element = element_type(dots.column.memref.type)
    zero, lanes = k.index(0), dots.lanes
    vectors = len(dots.rows) * len(dots.groups)
    starts = [k.constant(0.0, element, lanes)] * vectors
    some = k.compare("sgt", count, zero)
    rounds = k.select(some, k.add(count, k.index(1)), zero)  # the last one ends blocks
    with k.loop(zero, rounds, 1, [*starts, *carried]) as loop:
        totals, state = loop.carried[:vectors], loop.carried[vectors:]
        base = k.mul(loop.index, k.index(SUPERBLOCK))
        is_first = k.compare("eq", loop.index, zero)
        is_last = k.compare("eq", loop.index, count)
        before = k.select(is_first, zero, k.index(-_BACK))
        after = k.select(is_last, k.index(-_BACK - _BLOCKS * lanes), zero)
        steps = k.select(is_last, k.index(_BLOCKS), k.index(CONTRACTION_BLOCK // lanes))
        totals, sums = _begun(k, dots, base, (before, after), totals)
        with k.loop(k.index(_BLOCKS), steps, 1, totals) as rest:
            at = k.add(base, k.mul(rest.index, k.index(lanes)))
            places = [k.add(at, k.index(_lag(dots, j))) for j in range(_BLOCKS)]
            rest.yields = _step(k, dots, places, rest.carried)
        number = k.sub(loop.index, k.index(1))
        loop.yields = [*rest.results, *take(number, sums, state)]
    return loop.results[vectors:]


def _lag(dots: LaneDots, lane: int) -> int:
    """Return how far a lane reads from where lane 0 does."""
    return (CONTRACTION_BLOCK - dots.lanes) * lane


def _begun(
    k: LoopBuilder,
    dots: LaneDots,
    base: Value,
    shifts: tuple[Value, Value],
    totals: Sequence[Value],
) -> tuple[list[Value], list[Value]]:
    """Emit the steps in which lanes begin anew; return totals, and sums from before.

    `shifts` is what is added to where a lane reads, before and after it has begun.
    """
    before, after = shifts
    element = element_type(dots.column.memref.type)
    lanes, groups = dots.lanes, dots.groups
    nothing = k.constant(0.0, element, lanes)
    done = [nothing] * len(totals)
    with k.loop(k.index(0), k.index(_BLOCKS), 1, [*totals, *done]) as loop:
        running, ended = loop.carried[: len(totals)], loop.carried[len(totals) :]
        begins = [_is_lane(k, k.sub(loop.index, k.index(g)), lanes) for g in groups]
        masks = begins * len(dots.rows)
        pairs = zip(masks, running, ended, strict=True)
        ended = [k.select(m, total, old) for m, total, old in pairs]
        running = [
            k.select(m, nothing, total) for m, total in zip(masks, running, strict=True)
        ]
        at = k.add(base, k.mul(loop.index, k.index(lanes)))
        places = []
        for lane in range(_BLOCKS):
            begun = k.compare("sge", loop.index, k.index(lane))
            here = k.add(at, k.select(begun, after, before))
            places.append(k.add(here, k.index(_lag(dots, lane))))
        loop.yields = [*_step(k, dots, places, running), *ended]
    totals, done = loop.results[: len(totals)], loop.results[len(totals) :]
    sums = []
    for i in range(len(dots.rows)):
        total = k.constant(-0.0, element)  # changes nothing
        for part in done[i * len(groups) : (i + 1) * len(groups)]:
            kind = Enum("vector.kind", "add")
            total = k.op(vector.Reduction, part, total, kind=kind)
        sums.append(total)
    return totals, sums


def _is_lane(k: LoopBuilder, number: Value, lanes: int) -> Value:
    """Return the mask of the lane of a number, if there is one."""
    upper = first_lanes(k, k.add(number, k.index(1)), lanes)
    return k.op(arith.XOrI, upper, first_lanes(k, number, lanes))


def _step(
    k: LoopBuilder, dots: LaneDots, places: Sequence[Value], totals: Sequence[Value]
) -> list[Value]:
    """Add as many terms to each lane as there are lanes, from the lanes' places on."""
    found = list(totals)
    wide = terms_at_once(dots.lanes, element_type(dots.column.memref.type))
    for first in range(0, dots.lanes, wide):
        for number, block in enumerate(dots.groups):
            lanes = places[block : block + dots.lanes]
            here = [k.add(at, k.index(first)) for at in lanes]
            right = _terms(k, dots.column, here)
            for i, side in enumerate(dots.rows):
                at = i * len(dots.groups) + number
                for x, y in zip(_terms(k, side, here), right, strict=True):
                    found[at] = k.op(math.Fma, x, y, found[at])
    return found


def _terms(k: LoopBuilder, side: Side, places: Sequence[Value]) -> list[Value]:
    """Return vectors of the first, second, ... terms at some places."""
    return load_terms(k, side.memref, [k.add(side.at, at) for at in places])
