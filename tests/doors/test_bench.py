"""`tc.bench`: functions of each door, whose memory stays as it was."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.api.benching.timed import compile_timed
from tensorc.errors import TensorcError
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.generate import generate
from tensorc.target import Options

SHORT = 0.01


def test_a_traced_function():
    @tc.jit
    def f(x, w):
        return np.tanh(x @ w).sum(axis=0)

    found = tc.bench(f, np.ones((60, 40)), np.ones((40, 50)), seconds=SHORT)
    assert (
        sum(k.flops for k in found.kernels)
        == f.cost(np.ones((60, 40)), np.ones((40, 50))).flops
    )
    assert all(k.seconds >= k.least > 0 for k in found.kernels)
    assert {k.bound for k in found.kernels} <= {"arithmetic", "memory"}
    lines = sum(found.lines.values())
    assert lines == pytest.approx(sum(k.seconds for k in found.kernels))


def test_sizes_for_inputs_that_are_drawn():
    @tc.jit
    def f(x: tc.f32["B", 7], k: tc.i64["B"]):
        return x[k].sum()

    found = tc.bench(f, B=30, seconds=SHORT)
    assert found.sizes == {"B": 30}
    assert [k.number for k in found.kernels] == ["0", "1", "2"]


def test_labels_are_drawn_in_range():
    @tc.jit
    def f(x: tc.f32["B", 7], k: tc.u8["B"]):
        return tc.take(np.eye(7), k, axis=0) + x

    assert tc.bench(f, B=30, seconds=SHORT).calls >= 5


def test_memory_stays_as_it_was():
    w = tc.shared(np.ones(4), "w")
    x = tc.vector("x")
    step = tc.function([x], (w * x).sum(), updates=[(w, w * 2)])
    tc.bench(step, np.ones(4), seconds=SHORT)
    assert w.get_value().tolist() == [1, 1, 1, 1]


def test_each_step_of_a_loop_counts():
    @tc.jit
    def f(h, xs, u):
        return tc.scan(lambda h, x: (np.tanh(h @ u) + x, None), h, xs)[0]

    found = tc.bench(f, np.ones((3, 40)), np.ones((9, 3, 40)), np.ones((40, 40)))
    assert [k.runs for k in found.kernels if k.number] == [9]
    flops = f.cost(np.ones((3, 40)), np.ones((9, 3, 40)), np.ones((40, 40))).flops
    assert sum(k.flops for k in found.kernels) == flops


def test_a_loop_that_is_one_kernel_counts_all_steps():
    @tc.jit
    def f(h, xs, a):
        return tc.scan(lambda h, x: (h * a + x, None), h, xs)[0]

    given = np.ones(40), np.ones((9, 40)), np.ones(40)
    found = tc.bench(f, *given, seconds=SHORT)
    (kernel,) = found.kernels
    assert kernel.runs == 1
    assert kernel.flops == f.cost(*given).flops


def test_what_is_no_compiled_function():
    with pytest.raises(TypeError, match="bench takes a compiled function"):
        tc.bench(np.sin, 3)
    with pytest.raises(ValueError, match="seconds is above 0"):
        tc.bench(tc.jit(np.sin), np.ones(3), seconds=0)


def test_an_index_outside_is_the_error_of_the_call():
    @tc.jit
    def f(x, k):
        return x[k]

    with pytest.raises(TensorcError, match="index 9 is out of range"):
        tc.bench(f, np.ones(3), np.array([9]), seconds=SHORT)


def test_of_a_condition_the_branch_that_runs_counts():
    @tc.jit
    def f(x, flag):
        return tc.cond(flag, lambda: np.cumsum(np.tanh(x)), lambda: np.cumsum(x * 2))

    x = np.ones(1000)
    taken, other = (tc.bench(f, x, np.array(b), seconds=SHORT) for b in (True, False))
    names = [{k.computes for k in b.kernels} for b in (taken, other)]
    assert "tanh" in names[0] - names[1]
    assert len({k.number for k in taken.kernels + other.kernels}) == len(
        set(f.explain(x, np.array(True)).split("\nkernel ")[1:])
    )


@pytest.mark.parametrize("fuse", [True, False])
def test_every_kernel_has_its_number(fuse):
    options = Options(optimize=0, fuse=fuse)
    for number in range(40):
        program = generate(3, number)
        (found,) = compile_timed(module_of([program]), options).functions
        ends = [w.number.split("-") for w in found.works if w.number]
        numbers = [n for first, *rest in ends for n in _range(first, *rest)]
        # Those of `explain`, whose last ones are copies of results.
        assert sorted(numbers) == list(range(found.info.kernels))
        assert set(found.owners) <= set(range(len(found.works)))


def _range(first: str, last: str = "") -> range:
    return range(int(first), int(last or first) + 1)
