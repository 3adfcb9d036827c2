"""Reads that are no neighbours, as loads of neighbours whose lanes change their order.

A gather takes an access for each lane. Lanes a few elements apart lie in a few
vectors, and 16 columns of a matrix are 16 of its rows, transposed in registers.
"""

from collections.abc import Sequence

from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import I1, Element, VectorType, element_type
from tensorc.passes.loops.builder import LoopBuilder

PART_BITS = 128  # of a vector: what processors shuffle in one step
VECTOR_BITS = 512  # what registers of a machine hold that has the widest


def load_apart(
    k: LoopBuilder, memref: Value, at: Value, stride: int, count: Value | None
) -> Value:
    """Return `memref[at + stride * lane]` for the first `count` lanes, 0 elsewhere.

    The stride is at most `MOST_APART`, and may be negative. Nothing is read outside of
    these elements but what lies between two of them; without a count there are all.
    """
    by = abs(stride)
    last = k.index((LANES - 1) * by)
    lowest = at if stride > 0 else k.sub(at, last)
    parts = []
    for number in range(by):
        start = number * LANES
        inside = k.mask(min(LANES, (LANES - 1) * by + 1 - start))
        mask = inside
        if count is not None and stride > 0:
            end = k.sub(k.mul(count, k.index(by)), k.index(by - 1 + start))
            mask = first_lanes(k, end)
        elif count is not None:
            end = k.sub(k.index(LANES * by - start), k.mul(count, k.index(by)))
            outside = k.op(arith.XOrI, first_lanes(k, end), k.mask(LANES))
            mask = k.op(arith.AndI, inside, outside)
        other = k.constant(0, element_type(memref.type), LANES)
        here = k.add(lowest, k.index(start))
        parts.append(k.op(vector.MaskedLoad, memref, here, mask, other))
    found = parts[0] if by == 1 else every(k, parts, by)
    if stride > 0:
        return found
    backwards = tuple(range(LANES))[::-1]
    return k.op(vector.Shuffle, found, found, mask=backwards)


def first_lanes(k: LoopBuilder, count: Value, lanes: int = LANES) -> Value:
    """Return the mask of the first `count` of so many lanes."""
    known = k.known(count)
    if known is not None:
        return k.mask(min(max(known, 0), lanes), lanes)
    return k.op(vector.CreateMask, count, types=[VectorType(lanes, I1)])


def every(k: LoopBuilder, parts: Sequence[Value], by: int) -> Value:
    """Return every `by`-th lane of vectors in a row."""
    found = parts[0]
    for number, part in enumerate(parts):
        mask = []
        for lane in range(LANES):
            where, inside = divmod(lane * by, LANES)
            here = inside + (LANES if number else 0)
            mask.append(here if where == number else lane)
        found = k.op(vector.Shuffle, found, part, mask=tuple(mask))
    return found


def interleave(k: LoopBuilder, vectors: Sequence[Value]) -> list[Value]:
    """Return the lanes of vectors in turn, in as many vectors: 0, 0, …, 1, 1, …."""
    by = len(vectors)
    found = []
    for number in range(by):
        where = [divmod(number * LANES + lane, by) for lane in range(LANES)]
        made = vectors[0]
        for other in range(1, by):
            # What earlier ones have put stands in its lane; lane 0 of `other` is 16.
            mask = tuple(
                [
                    LANES + at
                    if of == other
                    else (at if of == 0 and other == 1 else lane)
                    for lane, (at, of) in enumerate(where)
                ]
            )
            made = k.op(vector.Shuffle, made, vectors[other], mask=mask)
        found.append(made)
    return found


def load_transposed(
    k: LoopBuilder,
    memref: Value,
    at: Value,
    stride: Value,
    inside: Sequence[Value | bool],
    lanes: Value | None = None,
    first: int = 0,
) -> list[Value]:
    """Return 16 vectors, lane j of vector i being memref[at + i + stride*(first + j)].

    `inside` tells for each j, 16 at most, whether it is read; if not, 0 stands there.
    So it does for an i that is not among the first `lanes`. There is something at `at`.
    """
    other = k.constant(0, element_type(memref.type), LANES)
    every = k.mask(LANES) if lanes is None else first_lanes(k, lanes)
    vectors = []
    for number, is_read in enumerate(inside):
        here, mask = k.add(at, k.mul(stride, k.index(first + number))), every
        if is_read is False:
            vectors.append(other)
            continue
        if not isinstance(is_read, bool):
            # A load from a page that does not exist is slow, whatever its mask.
            here = k.select(is_read, here, at)
            count = k.index(LANES) if lanes is None else lanes
            mask = first_lanes(k, k.select(is_read, count, k.index(0)))
        vectors.append(k.op(vector.MaskedLoad, memref, here, mask, other))
    vectors += [other] * (LANES - len(vectors))
    return transpose(k, vectors)


def transpose(k: LoopBuilder, vectors: Sequence[Value]) -> list[Value]:
    """Return as many vectors as each has lanes, transposed: each round swaps halves."""
    found = list(vectors)
    lanes = len(found)
    by = lanes // 2
    while by:
        low = tuple([n if not n & by else lanes + n - by for n in range(lanes)])
        high = tuple([n + by if not n & by else lanes + n for n in range(lanes)])
        for number in range(lanes):
            if not number & by:
                pair = found[number], found[number + by]
                found[number] = k.op(vector.Shuffle, *pair, mask=low)
                found[number + by] = k.op(vector.Shuffle, *pair, mask=high)
        by //= 2
    return found


def terms_at_once(lanes: int, element: Element) -> int:
    """Return how many vectors `load_terms` gives where they have so many lanes."""
    half = lanes // 2
    return half if half * element.bits >= PART_BITS else lanes


def load_terms(
    k: LoopBuilder, memref: Value, places: Sequence[Value], count: Value | None = None
) -> list[Value]:
    """Return vectors of the first, second, ... elements from some places on.

    A lane belongs to each place. What is not among the first `count` elements is 0.
    Loads of half a vector fill vectors from two places each; elements then change their
    order inside of 128-bit parts, which costs less than between them.
    """
    element, lanes = element_type(memref.type), len(places)
    wide = terms_at_once(lanes, element)
    other = k.constant(0, element, wide)
    mask = k.mask(wide, wide) if count is None else first_lanes(k, count, wide)
    loaded = [k.op(vector.MaskedLoad, memref, at, mask, other) for at in places]
    if wide == lanes:
        return transpose(k, loaded)
    part = PART_BITS // element.bits
    groups = []
    for first in range(0, lanes, 2 * part):
        pairs = zip(
            loaded[first : first + part],
            loaded[first + part : first + 2 * part],
            strict=True,
        )
        both = [k.op(vector.Shuffle, *pair, mask=tuple(range(lanes))) for pair in pairs]
        groups.append(_interleaved(k, both, part, 1))
    if len(groups) == 1:
        return groups[0]
    return [
        k.op(vector.Shuffle, *pair, mask=_every_second(lanes, part, first))
        for first in (0, 1)
        for pair in zip(*groups, strict=True)
    ]


def _every_second(lanes: int, part: int, first: int) -> tuple[int, ...]:
    """Return the mask of every second part of two vectors."""
    starts = range(first * part, 2 * lanes, 2 * part)
    return tuple([start + i for start in starts for i in range(part)])


def _interleaved(
    k: LoopBuilder, vectors: list[Value], part: int, size: int
) -> list[Value]:
    """Return vectors transposed inside of their parts, which hold runs of a size."""
    if len(vectors) == 1:
        return vectors
    found = []
    for half in (0, part // 2):
        mask = []
        lanes = _lanes(vectors[0])
        for start in range(half, lanes, part):
            for run in range(start, start + part // 2, size):
                mask += [*range(run, run + size)]
                mask += [*range(lanes + run, lanes + run + size)]
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        joined = [k.op(vector.Shuffle, *pair, mask=tuple(mask)) for pair in pairs]
        found += _interleaved(k, joined, part, 2 * size)
    return found


def _lanes(value: Value) -> int:
    assert isinstance(value.type, VectorType)
    return value.type.lanes
