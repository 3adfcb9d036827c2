"""When launches ran, and the limits of the machine."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.api.benching.timed import compile_timed
from tensorc.profiling.limits import Limits, limits
from tensorc.profiling.times import Times
from tensorc.runtime.function import CompiledFunction
from tensorc.target import DEFAULT


def timed():
    x = tc.vector("x")
    function = tc.function([x], np.cumsum(np.cumsum(np.cumsum(x))))
    code = compile_timed(function.call_of((), {"x0": 3}).view.make(), DEFAULT)
    (found,) = code.functions
    return found, CompiledFunction(found.info, code.library, {}, {})


def test_launches_have_their_order_and_numbers():
    found, function = timed()
    times = Times()
    function.times = times.address
    function(np.ones(1000))
    taken = times.take()
    assert taken[:, 0].tolist() == list(range(len(found.owners))) == [0, 1, 2]
    assert np.all(np.diff(taken[:, 1:].ravel()) >= 0)
    assert not len(times.take())


def test_launches_without_room_are_counted():
    _, function = timed()
    times = Times(room=2)
    function.times = times.address
    function(np.ones(10))
    assert times.take()[:, 0].tolist() == [0, 1]
    assert times.lost == 1


def test_nobody_need_ask_for_times():
    _, function = timed()
    assert function(np.ones(3)).tolist() == [1, 4, 10]


def test_code_that_is_not_timed_has_no_clock():
    x = tc.vector("x")
    text = tc.function([x], np.cumsum(x)).emit("llvm")
    assert "tc.times" not in text


def test_limits_follow_sizes():
    known = Limits(2, {"f32": 100.0, "f64": 50.0}, ((1000, 80.0), (4000, 20.0)))
    assert known.bytes_rate(10) == known.bytes_rate(2000) == 80
    assert known.bytes_rate(8000) == known.bytes_rate(1 << 40) == 20
    assert known.bytes_rate(4000) == pytest.approx(40)  # half way, as logarithms
    assert known.seconds(1000, 800) == 10
    assert known.seconds(1000, 800, "f64") == 20
    assert known.seconds(0, 800) == 10
    assert known.bound(1000, 100) == "arithmetic"
    assert known.bound(10, 8000) == "memory"


def test_the_machine_is_measured():
    found = limits(1)
    assert found is limits(1)
    assert all(rate > 1e8 for rate in found.flops.values())
    sizes = [size for size, _ in found.bytes]
    assert sizes == sorted(sizes)
    assert all(rate > 1e8 for _, rate in found.bytes)
