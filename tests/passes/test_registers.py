"""What a group's rows pass on in registers takes no memory, and little code."""

import time

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.ir.ops.loop.vector import STREAM, MaskedStore
from tensorc.ir.ops.memory.memory import View
from tensorc.ir.text.parser import parse_module
from tests.stages import TARGET, all_results


def chain(length):
    """Return a module that applies so many ops to a vector, one after the other."""
    x = tc.vector("x")
    y = x
    for number in range(length):
        y = y * 1.0001 if number % 2 else y + 0.5
    with tc.options(optimize=0):  # nothing runs
        return tc.function([x], y).emit("graph")


def lowered(text, stage):
    return compiler.compile(parse_module(text), TARGET, upto=stage).module


def test_a_chain_of_any_row_length_stores_its_end_only():
    module = lowered(chain(10), "loop")
    ops = list(module.walk())
    stores = [op for op in ops if isinstance(op, MaskedStore)]
    assert [STREAM in op.attributes for op in stores] == [
        True,
        False,
    ]  # one or the other
    assert not any(isinstance(op, View) for op in ops)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 2500])
def test_what_cannot_stay_in_registers_still_has_memory(size):
    x = tc.vector("x")
    part = tc.exp(x) + 1
    total = part.sum()
    scaled = part / total  # read in a second sweep: it must be kept
    turned = scaled[::-1] + part
    function = tc.function([x], [scaled, turned, (scaled * 2).sum(), total])
    values = np.linspace(-1, 1, size, dtype=np.float32)
    e = np.exp(values.astype(np.float64)) + 1
    expected = [e / e.sum(), (e / e.sum())[::-1] + e, 2.0 * bool(size), e.sum()]
    for given, wanted in zip(function(values), expected, strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-5)


def test_rows_of_unknown_length_agree_at_every_stage():
    x = tc.matrix("x")
    centred = x - x.mean(axis=1)[:, None]
    power = (centred * centred).mean(axis=1)
    scaled = centred / tc.sqrt(power + 1)[:, None]
    text = tc.function([x], [scaled, scaled.max(axis=1), power]).emit("graph")
    values = np.random.default_rng(0).integers(-9, 9, (50, 37)).astype(np.float32)
    outcome = all_results(parse_module(text), [("function", [values])], (0, 2))
    expected = outcome["tensor"][0]
    for stage, (given,) in outcome.items():
        for left, right in zip(expected, given, strict=True):
            assert left.tobytes() == right.tobytes(), stage


def seconds(length):
    text = chain(length)
    start = time.process_time()
    compiler.compile(parse_module(text), TARGET, upto="asm")
    return time.process_time() - start


def test_long_chains_compile_in_nearly_linear_time():
    seconds(50)  # what only the first compilation pays for
    short, long = min(seconds(250), seconds(250)), seconds(2000)
    exponent = np.log(long / short) / np.log(8)
    assert exponent < 1.35
