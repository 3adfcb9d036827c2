"""How kernels are cut: rows by their work, parts of rows, dimensions walked as one.

Chunks here are tiny, so that small arrays have many of all kinds.
"""

from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.loop import scf
from tensorc.ir.schedules import schedule_of
from tensorc.ir.text.parser import parse_module
from tensorc.passes.analysis.stages import kernel_of
from tensorc.passes.schedule import cpu, products
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests.stages import TARGET, all_results, updates_of


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.use(None)


@pytest.fixture(params=[96, 2000])
def _work(request, monkeypatch):
    monkeypatch.setattr(cpu, "CHUNK_WORK", request.param)
    monkeypatch.setattr(products, "PRODUCT_WORK", request.param * 8)


def channels(x, y):
    """A value per channel: the last two dimensions are one."""
    return tc.maximum(x[None, :, None, None] + y, 0)


def swapped(x, y):
    return x * 2 - y.swapaxes(0, 1)


def counted(x, y):
    """An index is computed: it must be that of its own dimension."""
    return x[:, ::-1] * y


def beside(x, y):
    return tc.concatenate([x, y * 2], axis=0)


def across(x, y):
    return tc.concatenate([x, y * 2], axis=1)


def halves(x, y):
    return x[:, :, ::2] + y, x[:, 1:, :]


def normed(x, y):
    """Rows of rank 2, each of which is reduced."""
    z = x + y
    return z - z.mean(axis=2)[:, :, None], z.max(axis=2)


def multiplied(x, y):
    return tc.maximum(x @ y, 1) * 2


def plain(x, y):
    return tc.where(x > y, x * y, x - y)


CASES = {
    "a vector": (plain, (1000,), (1000,)),
    "an empty vector": (plain, (0,), (0,)),
    "a scalar beside": (plain, (1003,), ()),
    "few long rows": (plain, (2, 3001), (2, 3001)),
    "rows and a row": (plain, (3, 700), (700,)),
    "rows and a column": (plain, (3, 700), (3, 1)),
    "rank 4": (plain, (3, 4, 5, 7), (3, 4, 5, 7)),
    "rank 3, nothing": (plain, (3, 0, 5), (3, 0, 5)),
    "the outer dimensions": (plain, (3, 4, 70), (3, 4, 1)),
    "the inner dimensions": (plain, (3, 4, 70), (4, 70)),
    "the middle one": (plain, (3, 4, 70), (4, 1)),
    "channels": (channels, (4,), (3, 4, 5, 7)),
    "swapped": (swapped, (40, 33), (33, 40)),
    "counted": (counted, (9, 100), (9, 100)),
    "beside": (beside, (5, 33), (6, 33)),
    "across": (across, (6, 33), (6, 9)),
    "halves": (halves, (4, 5, 30), (4, 5, 15)),
    "normed": (normed, (4, 5, 37), (4, 1, 37)),
    "a product": (multiplied, (100, 7), (7, 200)),
    "of few rows": (multiplied, (3, 7), (7, 500)),
    "of a batch": (multiplied, (3, 50, 7), (3, 7, 20)),
    "of rows in rows": (multiplied, (3, 50, 7), (7, 20)),
}


def text_of(function, first, second, known):
    x, y = (
        tc.tensor(
            dtype="float32",
            shape=shape if known else [None if d != 1 else 1 for d in shape],
            name=name,
        )
        for shape, name in ((first, "x"), (second, "y"))
    )
    return tc.function([x, y], function(x, y)).emit("graph")


def values_of(*shapes):
    rng = np.random.default_rng(0)
    return [np.asarray(rng.integers(-9, 9, s) / 2, np.float32) for s in shapes]


@pytest.mark.usefixtures("_work")
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_all_stages_and_all_threads_give_the_same_bits(name, known):
    function, first, second = CASES[name]
    text, values = text_of(function, first, second, known), values_of(first, second)
    outcome = all_results(parse_module(text), [("function", values)], (0,))
    expected = outcome["tensor"][0]
    for stage, (given,) in outcome.items():
        assert all(map(same_bits, given, expected)), stage
    for fuse in (True, False):
        module = parse_module(text)
        updated = updates_of(module)
        options = replace(DEFAULT, fuse=fuse, parallel_work=1, optimize=3)
        code = Compiled(compiler.compile(module, TARGET, options).artifact, updated)
        for number in (1, 2, 4):
            threads.use(number)
            given = code.call("function", values)
            assert not isinstance(given, str), given
            assert all(map(same_bits, given, expected)), (fuse, number)


def kernels_of(function, first, second, known=False):
    text = text_of(function, first, second, known)
    made = compiler.compile(parse_module(text), TARGET, upto="structured").module
    return [op for op in made.walk() if isinstance(op, KernelGroup)]


@pytest.mark.parametrize(
    ("name", "rows", "swept"),
    [
        ("a vector", (), (0,)),
        ("rank 4", (), (0, 1, 2, 3)),
        ("rows and a row", ((0,),), (1,)),
        ("rows and a column", ((0,),), (1,)),
        ("the outer dimensions", ((0, 1),), (2,)),
        ("the inner dimensions", ((0,),), (1, 2)),
        ("the middle one", ((0,), (1,)), (2,)),
        ("channels", ((0,), (1,)), (2, 3)),
        ("swapped", ((0,),), (1,)),
        ("counted", ((0,),), (1,)),
        ("normed", ((0,), (1,)), ()),
        ("of a batch", ((0,), (1,)), ()),
        ("of rows in rows", ((0, 1),), ()),
    ],
)
def test_dimensions_that_memory_has_in_a_row_are_one(name, rows, swept):
    (kernel,) = kernels_of(*CASES[name], known=True)
    runs = kernel_of(kernel).runs
    assert (runs.rows, runs.swept) == (rows, swept)


def test_chunks_are_cut_by_work():
    short = schedule_of(kernels_of(plain, (10_000, 8), (8,), True)[0])
    assert 500 < short.rows < 5000
    assert short.rows * (8 + 16) <= cpu.CHUNK_WORK
    assert short.columns is None
    long = schedule_of(kernels_of(plain, (3, 1 << 20), (1 << 20,), True)[0])
    assert long.rows == 1
    assert 0 < long.columns <= 1 << 17
    assert long.columns % 16 == 0


def test_a_small_kernel_of_known_sizes_has_one_chunk():
    text = text_of(plain, (3, 4, 5), (3, 4, 5), True)
    made = compiler.compile(parse_module(text), TARGET, upto="loop").module
    assert sum(isinstance(op, scf.For) for op in made.walk()) == 1
