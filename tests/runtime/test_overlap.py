"""Inputs that lie in memory which the call writes: read as they were before it."""

import dataclasses

import numpy as np
import pytest

import tensorc as tc
from tensorc.runtime.arrays import address_of, aligned_bytes
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.epoch import prepare_epoch, run_batches
from tests.runtime import native

N = 1000


def updating(update):
    """Return a shared variable of N numbers, and a function that updates it."""
    w, x = tc.shared(np.arange(float(N)), "w"), tc.dvector("x")
    return w, tc.function([x], [], updates=[(w, update(w, x))])


# Views of the memory that a loop which runs over it meets before or after they change.
VIEWS = {
    "the same": lambda m: m,
    "reversed": lambda m: m[::-1],
    "one later": lambda m: m[1:],
    "one earlier": lambda m: m[:-1],
    "every other": lambda m: m[::2],
    "the last ones": lambda m: m[-3:],
    "the first ones": lambda m: m[:3],
    "one for all": lambda m: np.broadcast_to(m[5:6], (N,)),
}
UPDATES = {
    "whole": lambda w, x: w + tc.sum(x),
    "later": lambda w, x: tc.concatenate([w[: N - x.shape[0]], 2 * x + 1]),
    "earlier": lambda w, x: tc.concatenate([2 * x + 1, w[x.shape[0] :]]),
    "backward": lambda w, x: tc.concatenate([x[::-1], w[x.shape[0] :]]),
    "at": lambda w, x: tc.concatenate([w[: N - x.shape[0]], x]) + w[::-1],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("update", UPDATES)
def test_a_view_of_the_memory_is_read_as_it_was(view, update):
    w, f = updating(UPDATES[update])
    for _ in range(3):  # unknown sizes, and sizes that are remembered
        before = w.get_value()
        expected_w, g = updating(UPDATES[update])
        expected_w.set_value(before)
        g(VIEWS[view](before.copy()).copy())
        f(VIEWS[view](w.get_value(borrow=True)))
        assert w.get_value().tobytes() == expected_w.get_value().tobytes()
        w.set_value(np.roll(before, 7))


def test_a_batch_that_lies_in_the_memory_is_read_as_it_was():
    w, x = tc.shared(np.arange(12.0), "w"), tc.dvector("x")
    add = tc.function([x], tc.sum(x), updates=[(w, w + tc.sum(x))])
    epoch = prepare_epoch(add.compiled, {"x": w.get_value(borrow=True)}, 4)
    run_batches(epoch, 0, 3)
    sums = [6.0, 22.0, 38.0]
    assert epoch.results[0].tolist() == sums
    assert w.get_value().tolist() == [i + sum(sums) for i in range(12)]


# Which inputs are copied, byte by byte

ROOM = aligned_bytes(1024)
BEGIN, SIZE = 256, 64


def placed(name, begin, size):
    """Return a shared variable whose memory is a part of ROOM."""
    cell = SharedCell(name, np.zeros(size // 8))
    cell._array = ROOM[begin : begin + size].view(np.float64)
    cell.address = address_of(cell._array)
    return cell


def function_of(*cells):
    """Return a function, which is not run, that has these variables and takes X."""
    arguments = [(cell.name, "shared", "f64", cell.shape) for cell in cells]
    info = dataclasses.replace(
        native.info("f", [*arguments, native.X], [], ("B",)), symbol="add"
    )
    shared = {cell.name: cell for cell in cells}
    return CompiledFunction(info, native.library(), shared, {})


def is_copied(f, begin, size):
    given = ROOM[begin : begin + size].view(np.float32)
    frame = f.take_frame(f.bind([given]), {})
    copies = f.fill(frame, [given])
    slot = frame.slots[f._input_slots[0]]
    assert slot == address_of(copies[0] if copies else given)
    return bool(copies)


@pytest.mark.parametrize(
    ("begin", "size", "copied"),
    [
        (BEGIN - 32, 32, False),  # ends where the memory begins
        (BEGIN - 32, 36, True),
        (BEGIN - 4, 4, False),
        (BEGIN - 4, 8, True),
        (BEGIN, 4, True),
        (BEGIN, SIZE, True),
        (BEGIN + 8, 8, True),
        (BEGIN - 8, SIZE + 16, True),  # around it
        (BEGIN + SIZE - 4, 4, True),
        (BEGIN + SIZE - 4, 32, True),
        (BEGIN + SIZE, 4, False),  # begins where the memory ends
        (BEGIN + SIZE, 64, False),
        (0, 64, False),
    ],
)
def test_what_overlaps_is_copied_and_nothing_else(begin, size, copied):
    assert is_copied(function_of(placed("w", BEGIN, SIZE)), begin, size) == copied


@pytest.mark.parametrize(
    ("begin", "size", "copied"),
    [
        (128, 8, True),
        (512, 8, True),
        (300, 4, False),  # between two, within the bounds of both
        (192, 320, False),
        (188, 324, True),
        (192, 324, True),
        (124, 4, False),
        (576, 4, False),
        (64, 600, True),
    ],
)
def test_each_of_several_memories_counts(begin, size, copied):
    for order in (1, -1):
        cells = [placed("v", 128, 64), placed("w", 512, 64)][::order]
        assert is_copied(function_of(*cells), begin, size) == copied


def test_a_copy_is_of_the_whole_input_and_lives_as_long_as_the_call():
    f = function_of(placed("w", BEGIN, SIZE))
    ROOM[:] = np.arange(1024) % 251
    given = ROOM[BEGIN - 8 : BEGIN + 8].view(np.float32)
    (copy,) = f.fill(f.take_frame(f.bind([given]), {}), [given])
    assert copy.tobytes() == given.tobytes()
    assert not np.shares_memory(copy, ROOM)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_input_is_looked_at(number):
    w = tc.shared(np.arange(8.0), "w")
    inputs = [tc.dvector(name) for name in "xyz"]
    total = sum(inputs[1:], inputs[0])
    f = tc.function(inputs, [], updates=[(w, w[::-1] + total[::-1])])
    arrays = [np.zeros(8)] * 3
    arrays[number] = w.get_value(borrow=True)
    f(*arrays)
    assert w.get_value().tolist() == [2 * (7.0 - i) for i in range(8)]
