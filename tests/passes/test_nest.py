"""Loops over parts of a flat space: each point of the part once, in order."""

from itertools import product

import numpy as np
import pytest

from tensorc.ir.dims import symbol
from tensorc.ir.functions import new_module
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import conversions
from tensorc.ir.types import I64, INDEX
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.nest import flat_nest
from tests.backend.harness import flat, make_function

EXTENTS = [(7,), (3, 4), (2, 3, 2), (1, 5, 1, 2), (4, 1), (3, 0), (0, 3), (2, 2, 0, 2)]


def visited(extents, lower, upper, known):
    """Return what a nest stores: the number of each point, by when it is visited."""
    module = new_module()
    size = int(np.prod(extents))

    def fill(b, out, begin, end, *sizes):
        names = {f"s{i}": size for i, size in enumerate(sizes)}
        k = LoopBuilder(b.block, names)
        dims = [*extents] if known else [symbol(name) for name in names]
        weights = [int(np.prod(extents[i + 1 :])) for i in range(len(extents))]

        def note(point, carried):
            number = k.index(0)
            for index, weight in zip(point, weights, strict=True):
                number = k.add(number, k.mul(index, k.index(weight)))
            stored = k.op(conversions.IndexCast, number, types=[I64])
            k.do(memory.Store, stored, out, carried[0])
            return [k.add(carried[0], k.index(1))]

        (count,) = flat_nest(k, dims, begin, end, note, [k.index(0)])
        stored = k.op(conversions.IndexCast, count, types=[I64])
        k.do(memory.Store, stored, out, k.index(size))

    types = [flat(I64), INDEX, INDEX, *[INDEX for _ in extents]]
    make_function(module, "f", types, fill)
    out = np.full(size + 1, -1)
    arguments = [np.array(n, np.int64) for n in (lower, upper, *extents)]
    interpret(module, "f", [out, *arguments])
    return out[: out[size]].tolist()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("extents", EXTENTS, ids=str)
def test_each_point_of_a_part_is_visited_once_in_order(extents, known):
    size = int(np.prod(extents))
    parts = [(a, b) for a, b in product(range(size + 1), repeat=2) if a <= b]
    for lower, upper in parts:
        assert visited(extents, lower, upper, known) == [*range(lower, upper)]
