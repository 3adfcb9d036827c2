"""Cases 91 to 120 of the casebook that have no test elsewhere: state, limits."""

import gc
import time
import weakref

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CompileError
from tests.frontend.irgen_helpers import program
from tests.semantics.running import same_bits


def test_the_order_of_updates_is_irrelevant():
    """Case 91: all read the old values, however the list is ordered; `a <- a` keeps."""
    for reverse in (False, True):
        a, b, c = (
            tc.shared(np.full(3, float(v)), n)
            for n, v in zip("abc", (1, 2, 3), strict=True)
        )
        updates = [(a, b * 10), (b, a + c), (c, c)]
        tc.function([], [], updates=updates[::-1] if reverse else updates)()
        values = [float(v.get_value()[0]) for v in (a, b, c)]
        assert values == [20.0, 4.0, 3.0]


def test_one_array_in_two_places():
    """Cases 93, 94: as two inputs, as memory and input; inputs are never written."""
    x = np.arange(6.0)
    both = tc.jit(lambda a, b: (a * 2 + b, b - a))
    before = x.copy()
    assert same_bits(both(x, x)[0], 3 * x)
    assert same_bits(x, before)
    memory = tc.shared(np.arange(6.0), "memory")
    view = memory.get_value(borrow=True)

    @tc.step
    def step(v):
        old = memory * 1
        tc.update(memory, memory + v)
        return old

    given = step(view)
    kept = given.copy()
    step(view)
    assert same_bits(given, kept)  # a result does not change when the next step runs
    caller = np.ones(6)
    result = both(caller, caller)[0]
    caller[:] = 7
    assert same_bits(result, np.full(6, 3.0))


def test_results_outlive_their_function():
    """Case 101: the code may go while what it gave lives."""
    function = tc.jit(lambda x: np.tanh(x) + np.arange(3.0))
    result = function(np.ones(3))
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None
    assert same_bits(result, tc.jit(lambda x: np.tanh(x) + np.arange(3.0))(np.ones(3)))


def test_many_shapes_are_served_by_one_form():
    """Case 102: 2,000 sizes compile once."""
    traced = []

    @tc.jit
    def total(x):
        traced.append(x.shape)
        return np.sum(x)

    for n in range(2, 2002):
        assert total(np.ones(n)) == n
    assert len(traced) == 1


ENDLESS = {
    "words": "x " * 500_000,
    "signs": "+-" * 500_000,
    "numbers": "1.1.1.1e" * 125_000,
    "quotes": '"' * 1_000_000,
    "arrows": "<-" * 500_000,
    "stars": "*" * 1_000_000,
    "digits and underscores": "1_" * 500_000,
    "names of types": "f32" * 333_000,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_scanner_takes_linear_time(name):
    """Case 119: a mebibyte that is nothing is refused within a second or two."""
    start = time.perf_counter()
    with pytest.raises(CompileError):
        program(ENDLESS[name])
    assert time.perf_counter() - start < 5  # on a machine that does other things, too


@pytest.mark.parametrize("name", ["nn", "..", "../../x"])
def test_nothing_is_imported(name):
    """Case 120: there is no `use` in this version, whatever it names."""
    with pytest.raises(CompileError):
        program(f"use {name}: Dense\nfn f(x: float) = x")
