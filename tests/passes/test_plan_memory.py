"""The memory plan: what lives at once lies apart, whatever the sizes are."""

import itertools
import time

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.generate import generate
from tensorc.ir.dims import (
    Dim,
    bound,
    ceildiv,
    evaluate,
    floordiv,
    known_most,
    maximum,
    minimum,
    symbol,
)
from tensorc.passes.memory.arena import Arena
from tensorc.passes.memory.bufferize import bufferize_function
from tensorc.passes.memory.plan_memory import ALIGNMENT, Buffer, lifetimes, slots_for
from tests.stages import TARGET

N, M, K = symbol("N"), symbol("M"), symbol("K")
SIZES = (0, 1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 1000)


def numbers(rng, names=("N", "M", "K")):
    return {n: int(rng.choice(SIZES)) for n in names}


def check_plan(buffers, offsets, total, values):
    """Check that living buffers lie apart, in the arena, for these sizes."""
    end = evaluate(total, values)
    placed = []
    for buffer, offset in zip(buffers, offsets, strict=True):
        start = evaluate(offset, values)
        stop = start + evaluate(buffer.blocks, values) * ALIGNMENT
        assert start % ALIGNMENT == 0
        assert 0 <= start <= stop <= end
        for other, first, last in placed:
            lives = other.death >= buffer.birth and buffer.death >= other.birth
            assert not lives or last <= start or stop <= first
        placed.append((buffer, start, stop))


def random_size(rng) -> Dim:
    """Return bytes: of a row, a matrix, a part of one, a number."""
    scale = int(rng.choice([1, 2, 4, 8, 12, 40, 64, 1000, 4000]))
    return scale * rng.choice(  # type: ignore[no-any-return]
        np.array(
            [
                *(1, 16, N, N + 3, 2 * N + M, N * M, N * M * K, floordiv(N, 2) * M),
                *(maximum(N - 1, 0), minimum(N, M), bound(M, N), (N + 1) * (M + 1)),
            ],
            object,
        )
    )


def random_buffers(rng, count):
    deaths = rng.integers(0, 12, count)
    sizes = [random_size(rng) for _ in range(5)]
    return [
        Buffer(None, ceildiv(sizes[rng.integers(5)], ALIGNMENT), 2 * i, 2 * i + int(d))
        for i, d in enumerate(deaths)
    ]


# Formulas


def test_what_a_dimension_is_at_most():
    def blocks(dim):
        return ceildiv(dim, 64)

    assert known_most(7) == 7
    assert known_most(N) is None
    assert known_most(5 - N) == 5
    assert known_most(blocks(4 * N) - blocks(8 * N)) == 0
    assert known_most(blocks(8 * N) - blocks(4 * N)) is None
    assert known_most(2 * blocks(4 * N) - blocks(8 * N)) == 1
    assert known_most(4 * blocks(2 * N) - blocks(8 * N)) == 3
    assert known_most(blocks(8 * N) - 2 * blocks(4 * N)) == 0
    assert known_most(blocks(4 * N) - blocks(4 * N * M)) is None  # M may be 0
    assert known_most(blocks(4 * N) - blocks(4 * N * M + 4 * N)) == 0
    assert known_most(symbol("$i") - N) is None
    assert known_most(-symbol("$i")) is None


@pytest.mark.parametrize("seed", range(20))
def test_no_size_is_beyond_what_is_known(seed):
    rng = np.random.default_rng(seed)
    decided = 0
    for _ in range(60):
        terms = [
            int(rng.integers(-3, 4))
            * floordiv(random_size(rng), int(rng.choice([1, 2, 64])))
            for _ in range(3)
        ]
        dim = sum(terms, int(rng.integers(-5, 5)))
        most = known_most(dim)
        if most is None:
            continue
        decided += 1
        assert all(evaluate(dim, numbers(rng)) <= most for _ in range(30)), str(dim)
    assert decided > 5


# Plans


@pytest.mark.parametrize("seed", range(60))
def test_living_buffers_lie_apart(seed):
    rng = np.random.default_rng(seed)
    buffers = random_buffers(rng, int(rng.integers(1, 40)))
    offsets, total = slots_for(buffers)
    for _ in range(40):
        check_plan(buffers, offsets, total, numbers(rng))


@pytest.mark.parametrize("seed", range(25))
def test_buffers_of_random_programs_lie_apart(seed):
    rng = np.random.default_rng(seed)
    program = generate(11, seed)
    made = compiler.compile(module_of([program]), TARGET, upto="structured").module
    for function in made.functions:
        bufferize_function(function, TARGET)
        names = [str(n) for n in function.attributes["tc.symbols"].items]
        buffers = lifetimes(function.body.block)
        offsets, total = slots_for(buffers)
        for _ in range(20):
            check_plan(buffers, offsets, total, numbers(rng, names))


def of(*given):
    """Return buffers: bytes, first and last use."""
    return [Buffer(None, ceildiv(size, ALIGNMENT), *lives) for size, *lives in given]


def total_of(*given):
    return slots_for(of(*given))[1]


def test_two_halves_lie_in_one_whole():
    first, second = 64 * ceildiv(8 * N, 64), 64 * ceildiv(4 * N, 64)
    assert total_of((8 * N, 0, 1), (4 * N, 2, 4), (4 * N, 3, 4)) == first + 64
    assert total_of((512, 0, 1), (256, 2, 4), (256, 3, 4)) == 512
    # And one whole where two halves lay.
    assert total_of((4 * N, 0, 2), (4 * N, 1, 2), (8 * N, 3, 4)) == 2 * second


def test_the_end_grows_by_what_is_missing():
    assert total_of((4 * N, 0, 1), (8 * N, 2, 3)) == 64 * ceildiv(8 * N, 64)
    assert total_of((640, 0, 1), (1280, 2, 3)) == 1280
    assert total_of((64, 0, 9), (4 * N, 1, 2), (8 * N, 3, 4)) == (
        64 * ceildiv(8 * N, 64) + 64
    )


def test_what_may_be_larger_gets_memory_of_its_own():
    rows, matrix = 64 * ceildiv(4 * N, 64), 64 * ceildiv(4 * N * M, 64)
    assert total_of((4 * N * M, 0, 1), (4 * N, 2, 3)) == rows + matrix
    assert total_of((4 * N, 0, 1), (4 * M, 2, 3)) == rows + 64 * ceildiv(4 * M, 64)


def test_the_smallest_part_that_is_large_enough():
    buffers = of((8 * N, 0, 1), (64, 0, 9), (4 * N, 0, 1), (64, 0, 9), (2 * N, 3, 9))
    offsets, _ = slots_for(buffers)
    assert offsets[4] == offsets[2]


def test_free_neighbours_are_one_part():
    arena = Arena()
    parts = [arena.take(ceildiv(4 * N, 64)) for _ in range(4)]
    kept = arena.take(1)
    for number in (0, 2, 1, 3):
        arena.give_back(parts[number])
    whole = arena.take(4 * ceildiv(4 * N, 64))
    assert whole.start == 0
    arena.give_back(kept)
    arena.give_back(whole)
    assert len(arena.free) == 1


def test_thousands_of_buffers_are_placed_soon():
    rng = np.random.default_rng(0)
    buffers = random_buffers(rng, 2000)
    start = time.perf_counter()
    slots_for(buffers)
    assert time.perf_counter() - start < 5


# Programs


def arena_of(function, **sizes):
    """Return the bytes of the arena of a function of sizes by name."""
    return int(function.cost(**sizes).arena)


def chain(rows):
    h = x = tc.tensor(dtype="float32", shape=(rows, 784), name="x")
    widths = (784, 1000, 500, 250, 10)
    for number, shape in enumerate(itertools.pairwise(widths)):
        h = tc.tanh(h @ tc.shared(np.zeros(shape, np.float32), f"W{number}"))
    return tc.function([x], h)


def test_a_chain_of_layers_needs_the_two_widest_values():
    known, unknown = arena_of(chain(600)), chain(None)
    # The products lie in the scratch of workers until their tanh. A panel, which is
    # known, cannot lie where there may be nothing. Where several chunks of known rows
    # read a weight, there is a copy of it: 1000 x 512 numbers (strips of 32 columns).
    copy = 1000 * 512 * 4
    assert (
        known - copy == 600 * 6000 <= arena_of(unknown, x0=600) <= 600 * 6000 + 17_000
    )
    for rows in (200, 600, 10_000):
        assert arena_of(unknown, x0=rows) <= 6100 * rows


def test_unknown_sizes_need_no_more_than_known_ones():
    def slope(x, y):
        rows = tc.arange(x.shape[0])
        return tc.grad(-tc.log_softmax(x)[rows, y].mean(), x)

    def unknown(x: tc.f32["B", "K"], y: tc.i64["B"]):  # noqa: F821
        return slope(x, y)

    def known(x: tc.f32[512, 3000], y: tc.i64[512]):
        return slope(x, y)

    # Two numbers that follow from sizes are constants where these are known.
    given, wanted = arena_of(tc.jit(unknown), B=512, K=3000), arena_of(tc.jit(known))
    assert wanted <= given <= wanted + 2 * ALIGNMENT
