"""Calls of compiled code: conversion, shapes, aliasing, atomicity, messages."""

import gc
import threading

import numpy as np
import pytest

from tensorc.artifact import Artifact
from tensorc.errors import CallError, IndexOutOfRange, InternalError, ShapeError
from tensorc.runtime.cpu import link
from tensorc.runtime.shared import SharedCell
from tests.runtime import native


@pytest.fixture
def w():
    return SharedCell("w", np.float64(1))


@pytest.fixture
def add(w):
    return native.function("add", {"w": w}, {"lr": 0.5})


@pytest.fixture
def first():
    return native.function("first")


@pytest.fixture
def touch():
    return native.function("touch")


X = np.arange(6, dtype=np.float32).reshape(3, 2)
Y = np.array([4, 5, 6])
BYTES = b"\0" + np.array([1, 2, 3], np.float32).tobytes()
MISALIGNED = np.frombuffer(BYTES, np.uint8)[1:].view(np.float32)


def test_a_call_returns_the_result_and_updates_the_shared_variable(add, w):
    result = add(np.ones(4, np.float32))
    assert type(result) is np.ndarray
    assert result.shape == ()
    assert result == 1
    assert w.get_value() == 3


def test_one_function_serves_all_sizes(add, w):
    for size in (0, 1, 7, 1000):
        w.set_value(0.0)
        add(np.ones(size, np.float32))
        assert w.get_value() == 0.5 * size


def test_hypers_are_given_by_name_for_one_call(add, w):
    add([1, 1], lr=10)
    assert w.get_value() == 21
    add([1, 1])
    assert w.get_value() == 22


def test_several_results_are_a_tuple_and_none_is_none(first, touch):
    row, label, big = first(X, Y, True)
    np.testing.assert_array_equal(row, X[0])
    assert label == 6
    assert big.shape == (3 * 131072,)
    assert touch([1, 2]) is None


def test_results_are_fresh(add):
    x = np.ones(1, np.float32)
    results = [add(x) for _ in range(3)]
    assert [float(r) for r in results] == [1, 1.5, 2]


def test_a_large_result_is_not_reused_while_a_view_of_it_lives(first):
    big = first(X, Y, True)[2]
    address = big.ctypes.data
    assert address % 64 == 0
    view = big[5:9]
    del big
    view[...] = 1
    other = first(X, Y, True)[2]
    assert not np.shares_memory(other, view)
    del view
    gc.collect()
    assert first(X, Y, True)[2].ctypes.data == address


@pytest.mark.parametrize(
    "given",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], np.int64),
        np.array([1, 2, 3], np.uint8),
        np.array([1, 2, 3], np.float16),
        np.array([1, 2, 3], ">f4"),
        np.array([1, 0, 2, 0, 3, 0], np.float32)[::2],
        np.array([3, 2, 1], np.float32)[::-1],
        MISALIGNED,
        memoryview(np.array([1, 2, 3], np.float32)),
        np.array([1, 2, 3], np.float64),
    ],
    ids=lambda given: f"{type(given).__name__}-{np.asarray(given).dtype}",
)
def test_what_is_accepted_for_a_float_vector(add, w, given):
    w.set_value(0.0)
    add(given)
    assert w.get_value() == 3


def test_floats_are_rounded_to_the_declared_float(add, w):
    w.set_value(0.0)
    add(np.array([0.1]))
    assert w.get_value() == 0.5 * np.float64(np.float32(0.1))


def test_read_only_and_empty_inputs(add, w):
    x = np.ones(3, np.float32)
    x.flags.writeable = False
    add(x)
    add([])
    assert w.get_value() == 2.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([2**24 + 1], "argument 'x' of 'add': 16777217 is not exact in f32"),
        ([1e300], "argument 'x' of 'add': 1e+300 does not fit f32"),
        (["1"], "argument 'x' of 'add': f32 expected, list of texts given"),
        ([1j], "argument 'x' of 'add': f32 expected, list of complex128 given"),
        ([[1], [2, 3]], "argument 'x' of 'add': cannot be read as an array"),
        ([None], "argument 'x' of 'add': f32 expected, list of objects given"),
        (np.ma.array([1.0], mask=[True]), "a masked array is given"),
    ],
    ids=str,
)
def test_what_is_refused_for_a_float_vector(add, w, given, message):
    with pytest.raises(CallError) as caught:
        add(given)
    assert message in str(caught.value)
    assert caught.value.diagnostics[0].code == "TC0502"
    assert w.get_value() == 1


def test_integers_are_exact_or_refused(first):
    assert first(X, [1, 2, 3], True)[1] == 3
    assert first(X, np.array([1, 2, 3], np.uint16), 1)[1] == 3
    assert first(X, [True, False, True], 0)[1] == 1
    for labels in ([1.0, 2.0, 3.0], np.ones(3, np.float32)):
        with pytest.raises(CallError, match="i64 expected, f") as caught:
            first(X, labels, True)
        hint = caught.value.diagnostics[0].hints[0]
        assert "x.astype(np.int64)" in hint
    with pytest.raises(CallError, match="does not fit i64"):
        first(X, np.array([1, 2, 2**63], np.uint64), True)
    with pytest.raises(CallError, match="2 does not fit i1"):
        first(X, Y, 2)


def test_wrong_names_and_numbers_of_arguments(add, first):
    cases = [
        (lambda: add(), "add: 1 input expected, 0 given"),
        (lambda: add([1], [2]), "add: 1 input expected, 2 given"),
        (lambda: add([1], [2], lr=1), "add: 1 input expected, 2 given"),
        (lambda: add([1], x=[2]), "add: argument 'x' is given twice"),
        (lambda: add([1], rate=2), "add: there is no argument 'rate'"),
        (lambda: add(lr=2), "add: argument 'x' is missing"),
        (lambda: add([1], lr="a"), "argument 'lr' of 'add': f64 expected"),
        (lambda: add([1], lr=[1, 2]), "argument 'lr' of 'add': one number expected"),
        (lambda: first(X, y=Y), "first: argument 'k' is missing"),
    ]
    for call, message in cases:
        with pytest.raises(CallError) as caught:
            call()
        assert message in str(caught.value)
    hint = caught.value.diagnostics[0].hints[0]
    assert hint == "call it as first(x: f32[B, 2], y: i64[B], k: i1)"
    assert first(X, k=True, y=Y)[1] == 6


def test_wrong_shapes_name_argument_axis_and_sizes(first):
    cases = [
        ((X[0], Y, True), "argument 'x' of 'first': rank 2 expected, rank 1 given"),
        ((X[:, :1], Y, True), "'x' of 'first': axis 1 has size 1, 2 expected"),
        ((X, Y[:2], True), "'y' of 'first': axis 0 has size 2, 3 expected"),
        ((X, Y, [True]), "'k' of 'first': rank 0 expected, rank 1 given"),
    ]
    for arguments, message in cases:
        for _ in range(2):  # unknown sizes, and sizes that are remembered
            with pytest.raises(ShapeError) as caught:
                first(*arguments)
            assert message in str(caught.value)
            first(X, Y, True)
    with pytest.raises(ShapeError) as caught:
        first(X, Y[:2], True)
    assert caught.value.diagnostics[0].notes == (
        "'y' is i64[B], given i64[2]",
        "B is the size of axis 0 of 'x'",
    )


def test_a_guard_that_does_not_hold(touch):
    touch(np.ones(4))
    with pytest.raises(ShapeError) as caught:
        touch(np.ones(3))
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.code == "TC0504"
    assert diagnostic.message == "touch: B must be even"
    assert diagnostic.location.line == 3
    assert diagnostic.notes[0] == "B is 3, but 2 * (B // 2) is 2"
    assert "given f32[3]" in diagnostic.notes[1]


def test_an_index_error_has_its_place_and_changes_nothing(add, w):
    with pytest.raises(IndexOutOfRange) as caught:
        add([1, -3, 1])
    diagnostic = caught.value.diagnostics[0]
    message = "index -3 is out of range for axis 1 with size 10"
    assert diagnostic.message == message
    assert diagnostic.location == native.SITE
    assert isinstance(caught.value, IndexError)
    assert w.get_value() == 1
    add([1])
    assert w.get_value() == 1.5


def test_inputs_that_overlap_shared_memory_are_copied():
    table = SharedCell("w", np.float64(2))
    add = native.function("add", {"w": table}, {"lr": 1})
    memory = table.get_value(borrow=True)
    alias = memory.reshape(1).view(np.float32)
    add(alias)
    halves = np.array([2.0]).view(np.float32).astype(np.float64)
    assert table.get_value() == 2 + halves.sum()


def test_threads_neither_mix_nor_lose_updates(w):
    add = native.function("add", {"w": w}, {"lr": 1})
    other = native.function("add", {"w": w}, {"lr": 1})
    x = np.ones(50, np.float32)

    def work(function):
        for _ in range(200):
            function(x)

    threads = [
        threading.Thread(target=work, args=(f,)) for f in (add, other, add, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.get_value() == 1 + 4 * 200 * 50


def test_shared_variables(w):
    value = np.arange(6.0).reshape(2, 3).T
    cell = SharedCell("v", value)
    assert cell.get_value(borrow=True).flags.c_contiguous
    assert cell.get_value(borrow=True).ctypes.data % 64 == 0
    copy = cell.get_value()
    copy[...] = 0
    value[...] = 0
    assert cell.get_value()[2, 1] == 5
    with pytest.raises(ShapeError, match=r"'v' is f64\[3, 2\], the new value is f64"):
        cell.set_value(np.zeros((2, 3)))
    counter = SharedCell("n", 3)
    assert counter.dtype == np.int64
    with pytest.raises(CallError, match="'n': i64 expected, f64 given"):
        counter.set_value(1.5)
    assert counter.get_value() == 3


def test_damaged_objects_and_missing_symbols_are_our_bugs():
    good = native.artifact()
    with pytest.raises(InternalError, match="cannot be linked"):
        link(Artifact("cpu", good.object[: len(good.object) // 2], good.functions))
    with pytest.raises(InternalError, match="not in the artifact"):
        native.library().address("nowhere")
    with pytest.raises(InternalError, match="lacks shared variable 'w'"):
        native.function("add", {}, {"lr": 1})
