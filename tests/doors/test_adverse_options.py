"""`tc.fit` and `tc.options` with odd values: refused at once, and nothing is lost."""

import os
import signal
import threading

import numpy as np
import pytest

import tensorc as tc
from tensorc.runtime import threads
from tensorc.runtime.training.checkpoint import About
from tensorc.runtime.training.keeping import Keeper, keeping

RNG = np.random.default_rng(3)
DATA = {"x": RNG.normal(size=(40, 5)).astype(np.float32)}


def make():
    w = tc.shared(np.zeros(5, "float32"), "w")

    @tc.step
    def train(x, lr=0.1):
        cost = tc.mean((x @ w - 1) ** 2)
        slope = tc.grad(cost, w)
        # A cost that is not finite would end the run.
        tc.update(w, w - tc.where(tc.isfinite(lr), lr * slope, 0.1 * slope))
        return cost

    return w, train


def fit(**options):
    w, train = make()
    tc.fit(train, DATA, **{"batch": 10, **options})
    return w.get_value().tobytes()


@pytest.mark.parametrize("name", ["batch", "epochs", "every", "seed"])
@pytest.mark.parametrize("value", [1.5, True, "1", np.float32(1)])
def test_counts_are_integers(name, value):
    with pytest.raises(TypeError, match=rf"`{name}` is an? .*integer.*, got") as caught:
        fit(**{name: value})
    assert "test_adverse_options.py" in str(caught.value)
    assert caught.value.diagnostics[0].code == "TC0313"


def test_epochs_are_no_none():
    with pytest.raises(TypeError, match="`epochs` is a positive integer, got None"):
        fit(epochs=None)


def test_counts_may_be_those_of_numpy(tmp_path):
    plain = {"epochs": 2, "seed": 3, "every": 2, "batch": 10, "shuffle": True}
    kinds = {n: np.int64(v) for n, v in plain.items() if n != "shuffle"}
    given = {**kinds, "shuffle": np.bool_(True), "save": tmp_path}
    assert fit(**given) == fit(**plain) == fit(**plain, resume=tmp_path)


@pytest.mark.parametrize("value", ["no", 1, None])
def test_shuffle_is_a_truth_value(value):
    with pytest.raises(TypeError, match="`shuffle` is true or false, got"):
        fit(shuffle=value)


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_seconds_are_not_negative(value, tmp_path):
    with pytest.raises(
        ValueError, match="`save_every` is a number of seconds, 0"
    ) as caught:
        fit(save=tmp_path, save_every=value)
    assert "test_adverse_options.py" in str(caught.value)


@pytest.mark.parametrize("value", [float("inf"), 10**400, 0.5, np.int64(60)])
def test_seconds_may_be_many(value, tmp_path):
    fit(save=tmp_path, save_every=value)
    assert (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_runs_with_a_hyper_that_is_no_number_are_kept(value, tmp_path, recwarn):
    fit(lr=value, save=tmp_path)
    assert fit(lr=value, resume=tmp_path, epochs=2) == fit(lr=value, epochs=2)
    assert not recwarn.list
    with pytest.warns(tc.TensorcWarning, match=f"lr is 0.1 here, {value} there"):
        fit(resume=tmp_path, epochs=2)


def test_a_run_that_cannot_go_on_leaves_the_memory(tmp_path):
    fit(save=tmp_path, epochs=3)
    w, train = make()
    with pytest.raises(
        tc.TensorcError, match="epochs is 1, and it has reached epoch 3"
    ):
        tc.fit(train, DATA, batch=10, epochs=1, resume=tmp_path)
    assert not w.get_value().any()


def test_places_that_no_file_system_takes():
    with pytest.raises(tc.TensorcError, match="cannot be made: embedded null byte"):
        fit(save="\0")
    with pytest.raises(tc.TensorcError, match="TC0401"):
        fit(resume="a" * 300)


def test_a_signal_after_the_end_is_delivered(tmp_path):
    keeper = Keeper(tmp_path, About({}, {}), {})

    def keep():
        with keeping(keeper):
            os.kill(os.getpid(), signal.SIGINT)
            while keeper.caught is None:
                pass

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            keep()
    finally:
        signal.signal(signal.SIGINT, usual)


def test_blocks_of_threads_end_in_any_order():
    def block(number, entered, leave):
        with tc.options(threads=number):
            entered.set()
            leave.wait(10)

    runs = []
    for number in (1, 2):
        events = threading.Event(), threading.Event()
        thread = threading.Thread(target=block, args=(number, *events))
        thread.start()
        assert events[0].wait(10)
        runs.append((thread, events[1]))
    assert threads.wanted() == 2
    runs[0][1].set()
    runs[0][0].join()
    assert threads.wanted() == 2
    runs[1][1].set()
    runs[1][0].join()
    assert threads.wanted() is None


@pytest.mark.parametrize("given", [(2**63,), (10**400,), (5, 10**400)])
def test_patience_has_64_bits(given):
    with pytest.raises(ValueError, match=r"is below 2\*\*62, got"):
        tc.patience(*given)


def test_much_patience_can_be_kept(tmp_path):
    data = tc.data.arrays(DATA, valid=DATA)

    def trained(**options):
        w, train = make()

        @tc.jit
        def error(x):
            return tc.mean((x @ w - 1) ** 2)

        given = {"batch": 10, "every": 1, "stop": tc.patience(5, 2**61), **options}
        tc.fit(train, data, validate=error, **given)
        return w.get_value().tobytes()

    trained(epochs=2, save=tmp_path)
    assert trained(epochs=3, resume=tmp_path) == trained(epochs=3)
