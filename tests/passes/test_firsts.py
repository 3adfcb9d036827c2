"""The first largest element and its index in vectors: what came first wins."""

from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.ir.text.parser import parse_module
from tensorc.passes.loops.reductions import reduce as reductions
from tensorc.target import DEFAULT
from tests.samples import same_bits
from tests.stages import TARGET, all_results

SHAPES = [(3, 100), (40, 33), (2, 1000), (5, 64), (1, 47)]


def values_of(shape, dtype):
    """Return values, many of them equal, and of floats NaNs and infinities too."""
    rng = np.random.default_rng(5)
    values = rng.integers(-3, 4, shape)
    if dtype != "float32":
        return values.astype(dtype)
    found = values.astype(dtype)
    found[0] = np.where(found[0] > 0, 0, found[0])
    found[0, ::3] *= np.float32(-1)
    found[-1, 20:] = np.inf
    if shape[0] > 2:
        found[1, 30:] = np.nan
        found[2] = -np.inf
    return found


def text_of(function, values, known):
    shape = values.shape if known else [None] * values.ndim
    x = tc.tensor(dtype=values.dtype.name, shape=shape, name="x")
    return tc.function([x], function(x)).emit("graph")


def largest(x):
    return tc.argmax(x, axis=1), tc.argmin(x, axis=1), tc.argmax(x), tc.argmin(x)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_the_first_of_equals_wins_at_every_stage(dtype, known):
    for shape in SHAPES[:3]:
        values = values_of(shape, dtype) if dtype != "uint8" else None
        if values is None:
            values = values_of(shape, "int32").astype("uint8")
        text = text_of(largest, values, known)
        outcome = all_results(parse_module(text), [("function", [values])], (0, 3))
        expected = [
            f(values, axis=a) for a in (1, None) for f in (np.argmax, np.argmin)
        ]
        for stage, (given,) in outcome.items():
            for left, right in zip(expected, given, strict=True):
                assert (np.asarray(left) == right).all(), (stage, shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_vectors_give_what_one_by_one_gives(shape, monkeypatch):
    def both(x):
        return tc.max(x, axis=1), tc.argmax(x * 2, axis=1), tc.argmin(x - 1)

    values = values_of(shape, "float32")
    results = []
    for fast in (True, False):
        if not fast:
            monkeypatch.setattr(reductions, "finds_first", lambda member: False)
        text = text_of(both, values, True)
        outcome = all_results(parse_module(text), [("function", [values])])
        results.append(outcome["O2"][0])
    assert all(map(same_bits, *results))


def test_long_rows_are_found_in_vectors():
    values = values_of((3, 100), "float32")
    module = parse_module(text_of(lambda x: tc.argmax(x, axis=1), values, False))
    options = replace(DEFAULT, optimize=0)
    made = compiler.compile(module, TARGET, options, upto="loop")
    names = {op.name for function in made.module.functions for op in function.walk()}
    assert "vector.shuffle" in names
