"""What picks elements of cheap values reads what these are made of."""

from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import TensorType
from tensorc.target import DEFAULT
from tests.stages import TARGET, all_results, updates_of

X = 7, 5
COUNT = 7


def picked(x, i):
    """An element of each row, of a chain of two."""
    rows = tc.arange(x.shape[0])
    centred = x - x.mean(axis=1)[:, None]
    return (centred / x.max(axis=1)[:, None])[rows, i]


def whole_rows(x, i):
    return (x[:, 0] * 2)[i], (x + x[0])[i[:3]]


def turned(x, i):
    """Read with swapped axes, and by an index that is a dimension."""
    return (x.T * 3)[i % 5]


def kept(x, i):
    """What is returned is read from where it is."""
    y = x * 2
    return y, y[i]


def dear(x, i):
    return (x * x * x + x * 2)[i]


def twice(x, i):
    scaled = x * 3
    return scaled[i] + scaled[i[::-1]], scaled.sum()


PROGRAMS = [picked, whole_rows, turned, kept, dear, twice]


def text_of(program, known):
    x = tc.tensor(dtype="float32", shape=X if known else (None, None), name="x")
    i = tc.tensor(dtype="int64", shape=(COUNT,) if known else (None,), name="i")
    return tc.function([x, i], program(x, i)).emit("graph")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("program", PROGRAMS)
def test_all_stages_give_the_same_bits(program, known):
    text = text_of(program, known)
    rng = np.random.default_rng(0)
    values = [rng.integers(1, 9, X).astype(np.float32), rng.integers(-5, 5, COUNT)]
    outcome = all_results(parse_module(text), [("function", values)], (0, 2))
    expected = outcome["tensor"][0]
    for stage, (given,) in outcome.items():
        assert all(map(same_bits, given, expected)), stage
    for fuse in (True, False):
        module = parse_module(text)
        updated = updates_of(module)
        options = replace(DEFAULT, fuse=fuse)
        code = Compiled(compiler.compile(module, TARGET, options).artifact, updated)
        given = code.call("function", values)
        assert not isinstance(given, str), given
        assert all(map(same_bits, given, expected))


def shapes_made(program):
    """Return the shapes of what generics make."""
    text = text_of(program, True)
    module = compiler.compile(parse_module(text), TARGET, upto="structured").module
    generics = [op for op in module.walk() if isinstance(op, Generic)]
    types = [v.type for op in generics for v in op.results]
    return [t.shape for t in types if isinstance(t, TensorType)]


@pytest.mark.parametrize("program", [picked, whole_rows, turned])
def test_cheap_values_are_not_made(program):
    assert X not in shapes_made(program)
    assert X[::-1] not in shapes_made(program)


@pytest.mark.parametrize("program", [kept, dear])
def test_what_is_dear_or_kept_is_made_once(program):
    assert X in shapes_made(program)


def test_a_loss_needs_no_matrix():
    def slope(x: tc.f32["B", "K"], y: tc.i64["B"]):  # noqa: F821
        return tc.value_and_grad(lambda x: tc.cross_entropy(x, y).mean())(x)

    assert int(tc.jit(slope).cost(B=8192, K=1000).arena) < 200_000
