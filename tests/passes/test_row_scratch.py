"""What one row of a kernel passes on lies in the scratch of who runs it.

That needs no more memory than known sizes do, and the same bits come out.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.errors import VerifyError
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.memory.memory import Prefetch
from tensorc.ir.text.parser import parse_module
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests.samples import assert_all_alike
from tests.stages import TARGET, all_results, updates_of

ROWS = 20


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.use(None)


def normalised(x):
    centred = x - x.mean(axis=1)[:, None]
    power = (centred * centred).mean(axis=1)
    scaled = centred / tc.sqrt(power + 1)[:, None]
    return scaled, scaled.max(axis=1)


def shares(x):
    """Values of several types, one read backwards."""
    large = x.astype("float64") ** 2 + 1
    positive = x > x.mean(axis=1)[:, None]
    share = large / large.sum(axis=1)[:, None]
    return tc.where(positive, share, -share)[:, ::-1], positive.sum(axis=1)


def of_rank_3(x):
    """Two dimensions within a row, reduced one after the other."""
    cube = (x * x)[:, :, None] / (x - 20)[:, None, :]
    part = cube / (2 + cube.max(axis=2)[:, :, None])
    return (part - part.mean(axis=1)[:, None, :]).sum(axis=2)


PROGRAMS = [normalised, shares, of_rank_3]


def text_of(program, *shape):
    x = tc.tensor(dtype="float32", shape=shape, name="x")
    return tc.function([x], program(x)).emit("graph")


def values_of(size):
    rng = np.random.default_rng(size)
    return rng.integers(-9, 9, (ROWS, size)).astype(np.float32)


def scratch_of(module):
    (entry,) = [f for f in module.functions if "tc.scratch" in f.attributes]
    return entry.attributes["tc.scratch"].dims[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_rows_of_unknown_length_agree_at_every_stage(program):
    text = text_of(program, None, None)
    loops = compiler.compile(parse_module(text), TARGET, upto="loop").module
    assert not isinstance(scratch_of(loops), int)
    cases = [("function", [values_of(size)]) for size in (37, 1)]
    outcome = all_results(parse_module(text), cases, (0, 3))
    expected = outcome.pop("tensor")
    for stage, results in outcome.items():
        for given, wanted in zip(results, expected, strict=True):
            assert all(map(same_bits, given, wanted)), stage


@pytest.mark.parametrize("size", [1, 16, 100])
@pytest.mark.parametrize("program", PROGRAMS)
def test_threads_fusion_and_known_sizes_change_nothing(program, size):
    values = values_of(size)
    outcomes = []
    for shape in ((None, None), (ROWS, None), (None, size), (ROWS, size)):
        for fuse in (True, False):
            module = parse_module(text_of(program, *shape))
            updated = updates_of(module)
            options = replace(DEFAULT, fuse=fuse, parallel_work=1)
            code = Compiled(compiler.compile(module, TARGET, options).artifact, updated)
            for number in (1, 4):
                threads.use(number)
                outcomes.append(code.call("function", [values]))
    assert_all_alike(outcomes)


def test_long_rows_of_known_length_lie_in_scratch():
    text = text_of(normalised, 4, 5000)
    loops = compiler.compile(parse_module(text), TARGET, upto="loop").module
    assert scratch_of(loops) == 4 * 5000 // 64 * 64 + 64
    assert (
        scratch_of(
            compiler.compile(
                parse_module(text_of(normalised, 4, 500)), TARGET, upto="loop"
            ).module
        )
        == 0
    )


def test_calls_from_many_threads_have_scratch_of_their_own():
    x = tc.matrix("x")
    function = tc.function([x], normalised(x))
    cases = [values_of(size) for size in (3000, 40, 777)]
    expected = [function(values) for values in cases]

    def call(number):
        given = function(cases[number % 3])
        return all(map(same_bits, given, expected[number % 3]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(300)))


def test_more_threads_than_a_frame_has_scratch_for():
    """Frames stay, threads come: who has no scratch does not take part."""
    x = tc.matrix("x")
    threads.use(1)
    function = tc.function([x], normalised(x))
    values = np.random.default_rng(0).random((2000, 3000), np.float32)
    expected = function(values)
    threads.use(16)
    for _ in range(5):
        assert all(map(same_bits, function(values), expected))


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((None, None), 1),
        ((50, 300), 1),
        ((50, 1 << 16), 0),  # the row would not stay in the cache
        ((50, 9), 0),  # it is one vector
    ],
)
def test_the_next_row_is_fetched_in_the_second_sweep(shape, count):
    text = text_of(normalised, *shape)
    loops = compiler.compile(parse_module(text), TARGET, upto="loop").module
    assert sum(isinstance(op, Prefetch) for op in loops.walk()) == count


def test_other_rows_of_what_lies_there_are_refused():
    module = parse_module(text_of(normalised, ROWS, ROWS))
    text = compiler.compile(module, TARGET, upto="buffer").text()
    own, other = (f"[affine_map<(d0, d1) -> ({axes})>" for axes in ("d0, d1", "d1, d0"))
    row = text.index('tc.place = ["row"]')
    reader = text.index("linalg.generic", row)
    assert text.index(own, reader) - reader < 80
    wrong = text[:reader] + text[reader:].replace(own, other, 1)
    with pytest.raises(VerifyError, match="rows are read that the worker's row lacks"):
        compiler.compile(parse_module(wrong), TARGET, upto="loop", after="buffer")
