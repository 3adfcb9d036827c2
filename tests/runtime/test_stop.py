"""The stop word: the driver that the backend emits reads it before each batch."""

import ctypes
import threading
import time

import numpy as np
import pytest

import tensorc as tc
from tensorc.artifact import EpochWatch
from tensorc.runtime.training.epoch import _DRIVER, prepare_epoch, run_batches


@pytest.fixture
def counted():
    count, x = tc.shared(np.int64(0), "count"), tc.dvector("x")
    step = tc.function([x], tc.sum(x), updates=[(count, count + 1)])
    return count, step.compiled


def driven(epoch, first, last):
    """Run the driver itself, without the loop of slices around it."""
    function = epoch.function
    driver = _DRIVER(function.library.address(function.info.epoch_symbol))
    status = ctypes.c_int32(0)
    watch = (ctypes.c_int64 * len(EpochWatch))()
    reached = driver(
        epoch.frame.address,
        ctypes.addressof(epoch.strides),
        first,
        last,
        ctypes.byref(epoch.stop),
        ctypes.byref(status),
        ctypes.addressof(watch),
    )
    assert status.value == 0
    return reached


@pytest.mark.parametrize("word", [1, -1, 2, 1 << 30, -(1 << 31)])
def test_a_word_that_is_set_stops_before_the_first_batch(counted, word):
    count, step = counted
    epoch = prepare_epoch(step, {"x": np.ones(40)}, 4)
    epoch.stop.value = word
    assert driven(epoch, 3, 10) == 3
    assert count.get_value() == 0
    epoch.stop.value = 0
    assert driven(epoch, 3, 10) == 10
    assert count.get_value() == 7


@pytest.mark.parametrize(("first", "last"), [(0, 0), (4, 4), (5, 4), (9, 10), (0, 10)])
def test_the_batches_from_the_first_to_before_the_last_run(counted, first, last):
    count, step = counted
    epoch = prepare_epoch(step, {"x": np.arange(40.0)}, 4)
    epoch.results[0][:] = -1
    assert driven(epoch, first, last) == max(first, last)
    assert count.get_value() == max(0, last - first)
    sums = [16 * i + 6 if first <= i < last else -1 for i in range(10)]
    assert epoch.results[0].tolist() == sums


def test_a_word_that_is_set_meanwhile_stops_a_slice(counted):
    count, step = counted
    batches = 4_000_000
    epoch = prepare_epoch(step, {"x": np.ones(batches)}, 1)
    thread = threading.Thread(target=lambda: [time.sleep(0.02), epoch.request_stop()])
    thread.start()
    reached = driven(epoch, 0, batches)
    thread.join()
    assert reached < batches
    assert count.get_value() == reached
    assert (epoch.results[0][:reached] == 1).all()


def test_slices_end_with_the_word_and_begin_without_it(counted):
    count, step = counted
    epoch = prepare_epoch(step, {"x": np.ones(40)}, 4)
    epoch.stop.value = 1  # of a run before
    run_batches(epoch, 0, 10)
    assert count.get_value() == 10
    epoch = prepare_epoch(step, {"x": np.ones(40)}, 4)  # its first slice is one batch
    seen = []

    def progress(done):
        assert not seen, "it has been stopped"
        seen.append(done)
        epoch.request_stop()

    run_batches(epoch, 0, 10, progress)
    assert seen == [1]
    assert count.get_value() == 11
