"""Shared variables as arrays: NumPy's protocols and DLPack give copies that stay."""

import copy
import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tensorc as tc
from tensorc.runtime.arrays import DTYPES

READERS = {
    "asarray": np.asarray,
    "array": np.array,
    "protocol": lambda W: W.__array__(),
    "dlpack": np.from_dlpack,
}
SHAPES = [(), (3,), (2, 3), (0, 4)]


def variable(dtype="f", shape=(2, 3)):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    return value, tc.shared(value, "W")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_type_and_shape(reader, dtype, shape):
    value, W = variable(DTYPES[dtype], shape)
    read = READERS[reader](W)
    assert type(read) is np.ndarray
    assert (read.dtype, read.shape) == (value.dtype, value.shape)
    assert read.tobytes() == value.tobytes()


@pytest.mark.parametrize("reader", READERS)
def test_what_was_read_is_the_readers_own(reader):
    value, W = variable()
    read = READERS[reader](W)
    step = tc.function([], updates=[(W, W * 2)])
    step()
    assert read.tobytes() == value.tobytes()  # a step changes nothing of it
    if read.flags.writeable:
        read[...] = -1
        assert W.get_value().tobytes() == (value * 2).tobytes()
    kept = READERS[reader](W)
    del W, step, read
    gc.collect()
    np.full(10_000, 7.0)  # memory that was freed would be given away
    assert kept.tobytes() == (value * 2).tobytes()


def test_a_reader_that_keeps_the_interface_keeps_its_memory():
    value, W = variable()
    interface = W.__array_interface__
    del W
    gc.collect()
    holder = type("Holder", (), {"__array_interface__": interface})()
    assert np.asarray(holder).tobytes() == value.tobytes()


def test_types_copies_and_devices_are_as_asked():
    _, W = variable()
    assert np.asarray(W, "float64").dtype == np.float64
    assert W.__array__(np.dtype("int64")).dtype == np.int64
    assert W.__dlpack_device__() == (1, 0)
    with pytest.raises(ValueError, match="is a copy of its value"):
        W.__array__(copy=False)
    with pytest.raises(BufferError, match="is a copy of its value"):
        W.__dlpack__(copy=False)
    with pytest.raises((BufferError, ValueError)):
        W.__dlpack__(dl_device=(2, 0))


def test_values_go_where_arrays_go():
    value, W = variable()
    x = tc.matrix("x")
    assert tc.function([x], x + 1)(W).tolist() == (value + 1).tolist()
    assert np.array([W, W]).shape == (2, 2, 3)
    # Formulas stay formulas.
    for formula in (value + W, np.float32(2) * W, np.tanh(W), np.sum(W)):
        assert isinstance(formula, tc.Tensor)


@pytest.mark.parametrize("read", [np.asarray, np.array, np.from_dlpack])
def test_a_trace_has_no_values(read):
    _, W = variable()

    @tc.jit
    def f(x):
        return x + read(W)

    with pytest.raises(TypeError, match="no value yet while f is traced"):
        f(np.ones((2, 3), "f"))
    with pytest.raises((TypeError, AttributeError)):
        read(tc.matrix("x"))


def test_copies_and_pickles_are_variables():
    value, W = variable()
    for other in (copy.copy(W), copy.deepcopy(W), pickle.loads(pickle.dumps(W))):
        assert isinstance(other, tc.Shared)
        assert np.asarray(other).tobytes() == value.tobytes()


def test_readers_while_steps_run():
    # A copy is taken between two steps: all its elements are of one state.
    code = """
import threading, numpy as np, tensorc as tc
W = tc.shared(np.zeros(100_000), "W")
step = tc.function([], updates=[(W, W + 1)])
seen, done = [], threading.Event()
def read():
    while not done.is_set():
        value = np.asarray(W)
        seen.append(value.min() == value.max())
reader = threading.Thread(target=read)
reader.start()
for _ in range(300):
    step()
done.set()
reader.join()
assert seen and all(seen)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
