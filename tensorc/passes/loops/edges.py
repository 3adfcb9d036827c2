"""Images that windows leave: which elements of a strip are read, and which are zeros.

An index along an axis of an image is the sum of a start, of what a column says and of
what a term says. Where it is not from 0 to the size, there is a zero around the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from tensorc.ir.attributes import Affine, AffineMap
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import ELEMENTS, VectorType, element_type
from tensorc.passes.analysis.generics import MOST_APART
from tensorc.passes.loops.accumulate import shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Counter, Rep, Uniform, mask_between, widen
from tensorc.passes.loops.nest import flat_runs
from tensorc.passes.loops.shuffles import every

NARROW = ELEMENTS["ui32"]  # of indices in vectors: a comparison wraps what is below 0
MOST_REACH = 16  # of windows that are small: most of what they meet is inside
NARROW_SIZES = 1 << 30  # of axes whose indices, and what is behind them, fit


@dataclass(frozen=True, slots=True)
class Edge:
    """An axis that windows leave: its size, and what says where an index lies.

    Columns and terms have a factor for each of their dimensions.
    """

    size: Dim
    start: Value
    columns: tuple[int, ...]
    terms: tuple[int, ...]


def edges_of(
    k: LoopBuilder,
    map_: AffineMap,
    shape: Sequence[Dim],
    batch: Sequence[Value],
    runs: Sequence[Sequence[int]],
) -> tuple[Edge, ...]:
    """Return the axes of an operand that a map leaves, at an index of the batch.

    `runs` are the dimensions of columns and those of terms.
    """
    found = []
    for result, size in zip(map_.results, shape, strict=True):
        if isinstance(result, Affine):
            factors = dict(result.terms)
            columns, terms = (tuple([factors.get(d, 0) for d in run]) for run in runs)
            before = [factors.get(d, 0) for d in range(len(batch))]
            start = index_at(k, k.dim(result.constant), before, batch)
            found.append(Edge(size, start, columns, terms))
    return tuple(found)


def index_at(
    k: LoopBuilder, start: Value, factors: Sequence[int], indices: Sequence[Value]
) -> Value:
    """Return a start and what the first indices add to it."""
    for index, factor in zip(indices, factors, strict=False):
        start = k.add(start, k.mul(index, k.index(factor)))
    return start


def are_narrow(k: LoopBuilder, edges: Sequence[Edge]) -> Value | bool:
    """Return whether vectors of narrow indices hold those of all axes."""
    if not edges:
        return True
    sizes = [edge.size for edge in edges]
    if all(isinstance(size, int) for size in sizes):
        return all(isinstance(size, int) and size < NARROW_SIZES for size in sizes)
    tests = [k.compare("slt", k.dim(size), k.index(NARROW_SIZES)) for size in sizes]
    return reduce(lambda x, y: k.op(arith.AndI, x, y), tests)


def column_indices(
    k: LoopBuilder,
    edges: Sequence[Edge],
    extents: Sequence[Dim],
    column: Value,
    last: Value,
) -> list[Value]:
    """Return what 16 columns say of the index along each axis: vectors, narrow.

    `last` is behind the last column that there is; lanes from there on are any.
    """
    if not edges:
        return []
    memref = shared_scratch(k, "indices", NARROW, LANES * len(edges))

    def run(
        before: list[Value], begin: Value, end: Value, carried: list[Value]
    ) -> list[Value]:
        starts = [index_at(k, e.start, e.columns, before) for e in edges]
        with k.loop(begin, end, 1, carried) as loop:
            (lane,) = loop.carried
            for number, (edge, start) in enumerate(zip(edges, starts, strict=True)):
                step = k.mul(loop.index, k.index(edge.columns[-1]))
                narrow = _narrow(k, k.add(start, step))
                at = k.add(lane, k.index(number * LANES))
                k.do(memory.Store, narrow, memref, at)
            loop.yields = [k.add(lane, k.index(1))]
        return loop.results

    upper = k.minimum(k.add(column, k.index(LANES)), last)
    flat_runs(k, extents, column, upper, run, [k.index(0)])
    whole, none = k.mask(LANES), k.constant(0, NARROW, LANES)
    return [
        k.op(vector.MaskedLoad, memref, k.index(number * LANES), whole, none)
        for number in range(len(edges))
    ]


def inside(
    k: LoopBuilder,
    edges: Sequence[Edge],
    columns: Sequence[Value],
    terms: Sequence[Value],
) -> Value:
    """Return which of 16 columns have an element at a term, by vectors of indices."""
    masks = []
    for edge, column, term in zip(edges, columns, terms, strict=True):
        at = k.op(arith.AddI, column, _wide(k, _narrow(k, term)))
        size = _wide(k, _narrow(k, k.dim(edge.size)))
        masks.append(k.compare("ult", at, size))
    return reduce(lambda x, y: k.op(arith.AndI, x, y), masks)


def _narrow(k: LoopBuilder, value: Value) -> Value:
    return k.op(conversions.TruncI, value, types=[NARROW])


def _lanes(k: LoopBuilder) -> Value:
    """Return the vector 0, 1, 2, …, narrow."""
    types = [VectorType(LANES, NARROW)]
    return k.at_start(conversions.TruncI, k.lane_numbers(), types=types)


def _wide(k: LoopBuilder, value: Value) -> Value:
    return k.op(vector.Broadcast, value, types=[VectorType(LANES, NARROW)])


def reaches_of(extents: Sequence[Dim], factors: Sequence[Sequence[int]]) -> list[int]:
    """Return how far the last index along each axis is from the first; none if far.

    So it is of columns, or of terms, that are the elements of small windows.
    """
    found = []
    for by in factors:
        if not all(
            isinstance(e, int) or not f for e, f in zip(extents, by, strict=True)
        ):
            return []
        steps = [(e - 1) * f for e, f in zip(extents, by, strict=True) if f]
        if not all(isinstance(step, int) and step >= 0 for step in steps):
            return []
        found.append(sum(step for step in steps if isinstance(step, int)))
    return found if all(reach <= MOST_REACH for reach in found) else []


def are_inside(
    k: LoopBuilder,
    edges: Sequence[Edge],
    indices: Sequence[Value],
    reaches: Sequence[int],
    lanes: Value,
) -> Value:
    """Return whether some columns from indices on have elements alone at all terms.

    `reaches` are those of the terms; no index falls from a column to the next one.
    """
    tests, last = [], k.sub(lanes, k.index(1))
    for edge, index, reach in zip(edges, indices, reaches, strict=True):
        far = k.add(k.index(reach), k.mul(last, k.index(edge.columns[-1])))
        tests.append(k.compare("sge", index, k.index(0)))
        tests.append(k.compare("slt", k.add(index, far), k.dim(edge.size)))
    return reduce(lambda x, y: k.op(arith.AndI, x, y), tests)


def load_run(
    k: LoopBuilder,
    memref: Value,
    at: Value,
    stride: Value,
    lanes: Value,
    axes: Sequence[tuple[Edge, Value]],
) -> Value:
    """Load the first lanes of a run of columns; zeros where they leave an axis.

    `axes` are those that windows leave, and the index of lane 0 along each.
    """
    by, along = k.known(stride), [pair for pair in axes if pair[0].columns[-1]]
    others = [pair for pair in axes if not pair[0].columns[-1]]
    factors = {edge.columns[-1] for edge, _ in along}
    if by is None or not 0 < by <= MOST_APART or factors - {by}:
        return _gather(k, memref, at, stride, lanes, axes)
    zero = k.index(0)
    lower, upper = zero, k.sub(k.mul(lanes, stride), k.index(by - 1))
    for edge, index in along:
        lower = k.maximum(lower, k.sub(zero, index))
        upper = k.minimum(upper, k.sub(k.dim(edge.size), index))
    for edge, index in others:
        holds = k.op(
            arith.AndI,
            k.compare("sge", index, zero),
            k.compare("slt", index, k.dim(edge.size)),
        )
        upper = k.select(holds, upper, zero)
    count = _wide(k, _narrow(k, k.maximum(k.sub(upper, lower), zero)))
    first = _wide(k, _narrow(k, lower))
    none = k.constant(0, element_type(memref.type), LANES)
    parts = []
    for number in range(by):
        start = number * LANES
        own = k.op(arith.AddI, _lanes(k), k.constant(start, NARROW, LANES))
        # What is below the first one wraps, and is more than any count.
        mask = k.compare("ult", k.op(arith.SubI, own, first), count)
        here = k.add(at, k.index(start))
        parts.append(k.op(vector.MaskedLoad, memref, here, mask, none))
    return parts[0] if by == 1 else every(k, parts, by)


def _gather(
    k: LoopBuilder,
    memref: Value,
    at: Value,
    stride: Value,
    lanes: Value,
    axes: Sequence[tuple[Edge, Value]],
) -> Value:
    """Load a run of columns that are any distance apart."""
    mask = mask_between(k, k.index(0), lanes)
    for edge, index in axes:
        step = edge.columns[-1]
        rep: Rep = Counter(index, step) if step else Uniform(index)
        there = widen(k, rep)
        low, end = (widen(k, Uniform(v)) for v in (k.index(0), k.dim(edge.size)))
        for name, limit in (("sge", low), ("slt", end)):
            mask = k.op(arith.AndI, mask, k.compare(name, there, limit))
    steps = k.op(arith.MulI, k.lane_numbers(), widen(k, Uniform(stride)))
    none = k.constant(0, element_type(memref.type), LANES)
    return k.op(vector.Gather, memref, at, steps, mask, none)
