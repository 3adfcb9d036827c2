"""Large results that nothing reads soon are written past the caches: the same bits."""

import re
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.numerics import same_bits
from tensorc.ir.text.parser import parse_module
from tensorc.passes.loops import groups
from tensorc.passes.schedule import cpu
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests.samples import assert_all_alike
from tests.stages import TARGET, all_results, updates_of

PAST = ", !nontemporal "


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.use(None)


@pytest.fixture
def small(monkeypatch):
    """Let results of four rows of a cache be large."""
    monkeypatch.setattr(cpu, "STREAM_BYTES", 256)
    monkeypatch.setattr(groups, "STREAM_BYTES", 256)


def rectified(x):
    return np.maximum(x, 0)


def normalised(x):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + 1)


def several(x):
    """Two results of a kernel, one of them turned, and one that is read again."""
    twice = x * 2
    return twice, (x + 1).T, twice.sum(axis=0) + 1


def wide(x):
    return x.astype("float64") * x, x > 0, x.astype("int32") + 1


PROGRAMS = (rectified, normalised, several, wide)


def text_of(program, *shape):
    x = tc.tensor(dtype="float32", shape=shape, name="x")
    return tc.function([x], program(x)).emit("graph")


def values_of(rows, columns):
    rng = np.random.default_rng(columns)
    return rng.integers(-9, 9, (rows, columns)).astype(np.float32)


def llvm_of(program, *shape):
    module = parse_module(text_of(program, *shape))
    options = replace(DEFAULT, optimize=0, epochs=False)
    return compiler.compile(module, TARGET, options, upto="llvm").text()


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_stages_and_both_levels_agree(program, small):
    text = text_of(program, None, None)
    # Rows that begin at lines of a cache, and rows that do not.
    cases = [("function", [values_of(7, n)]) for n in (64, 37, 1, 16)]
    outcome = all_results(parse_module(text), cases, (0, 3))
    expected = outcome.pop("tensor")
    for stage, results in outcome.items():
        for given, wanted in zip(results, expected, strict=True):
            assert all(map(same_bits, given, wanted)), stage


@pytest.mark.parametrize("columns", [64, 37])
@pytest.mark.parametrize("program", PROGRAMS)
def test_threads_and_known_sizes_change_nothing(program, columns, small):
    values = values_of(90, columns)
    outcomes = []
    for shape in ((None, None), (90, columns)):
        text = text_of(program, *shape)
        for large in (256, 1 << 40):
            module = parse_module(text)
            updated = updates_of(module)
            options = replace(DEFAULT, parallel_work=1)
            with mock.patch.object(groups, "STREAM_BYTES", large):
                artifact = compiler.compile(module, TARGET, options).artifact
            code = Compiled(artifact, updated)
            for number in (1, 4):
                threads.use(number)
                outcomes.append(code.call("function", [values]))
    assert_all_alike(outcomes)


def test_a_large_result_is_what_numpy_gives():
    x = tc.matrix("x")
    function = tc.function([x], rectified(x))
    for shape in ((4096, 1024), (2049, 2051), (1, 4_200_001)):
        values = np.random.default_rng(1).standard_normal(shape, np.float32)
        assert values.nbytes >= cpu.STREAM_BYTES
        assert same_bits(function(values), np.maximum(values, 0))


def test_a_weight_is_written_where_it_is_read():
    """The new value lies where the old one does, which the same kernel reads."""
    W = tc.shared(np.ones((3000, 1500), np.float32), "W")
    rate = tc.scalar("rate")
    step = tc.function([rate], W.sum(), updates=[(W, W - rate * W)])
    step(0.5)
    step(0.5)
    assert (W.get_value() == 0.25).all()


@pytest.mark.parametrize(
    ("program", "shape", "count"),
    [
        (rectified, (None, None), 1),
        (normalised, (None, None), 1),
        (rectified, (5000, 5000), 1),
        (rectified, (50, 50), 0),  # it is small
        (lambda x: rectified(x).sum(axis=0), (None, None), 0),  # of few bytes, read
        (lambda x: (x + 1) @ x, (None, None), 0),  # the kernel after it reads it
        (lambda x: (x + 1, (x + 1) @ x), (None, None), 0),
        (lambda x: (x > 0, x.astype("float16")), (None, None), 0),  # no whole lines
    ],
)
def test_which_results_are_streamed(program, shape, count):
    assert llvm_of(program, *shape).count(PAST) == count


def test_only_whole_lines_are_streamed():
    """Where memory begins between two lines, an instruction for lines would fail."""
    lines = llvm_of(rectified, None, None).splitlines()
    (at,) = [i for i, line in enumerate(lines) if PAST in line]
    assert "align 64" in lines[at]
    before = "\n".join(lines[at - 4 : at])
    assert re.search(r"and i32 %\S+, 63\n.*icmp eq i32 %\S+, 0\n.*br i1", before)
