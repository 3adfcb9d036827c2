"""The same bits: whatever threads, -O, fusion and the cache; killed or not."""

import hashlib
import itertools
import random
import signal
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from safetensors.numpy import load_file

import tensorc as tc
from tensorc import driver
from tensorc.runtime import threads
from tensorc.target import CHOSEN, Options
from tests.programs import test_checkpoints as checkpoints

EXAMPLES = Path(__file__).parents[2] / "examples"
# Of a batch, of the data.
SIZES = {"logreg": (600, 2400), "mlp": (20, 160), "lenet": (10, 20)}
KILLS = 20
ATTEMPTS = 4
model = checkpoints.model


def data(rows):
    rng = np.random.default_rng(rows)
    x = rng.uniform(size=(rows, 784)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 10, rows)}


def digest(program, batch, columns):
    """Run an epoch from the first weights; return what all memory and costs are."""
    start = {name: cell.get_value() for name, cell in program.shared.items()}
    (record,) = tc.fit(program.train, columns, batch=batch).epochs
    found = hashlib.sha256(np.float64(record.train_cost).tobytes())
    for name, cell in program.shared.items():
        assert (cell.get_value() != start[name]).any(), name
        found.update(cell.get_value().tobytes())
        cell.set_value(start[name])
    return found.hexdigest()


def programs(name):
    """Yield a program with each way of compiling it."""
    for fused, optimize in itertools.product((True, False), (0, 3)):
        compiled = mock.Mock(wraps=driver._compiled)
        for is_cached in (False, True):
            chosen = CHOSEN.set(Options(optimize, fuse=fused))
            try:
                with mock.patch.object(driver, "_compiled", compiled):
                    program = tc.load(EXAMPLES / f"{name}.tc")
                    assert program.train is not None  # compiles what the recipe names
            finally:
                CHOSEN.reset(chosen)
            (call,) = compiled.call_args_list  # the second one is cached
            assert call.args[2].fuse == fused
            yield (fused, optimize, is_cached), program


@pytest.mark.parametrize("name", SIZES)
def test_an_epoch_has_the_same_bits_in_every_way(name, tmp_path, monkeypatch):
    batch, rows = SIZES[name]
    columns = data(rows)
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path))
    found = {}
    try:
        for way, program in programs(name):
            for count in (1, 2, 4):
                threads.use(count)
                before = threads.jobs()
                found[*way, count] = digest(program, batch, columns)
                jobs = threads.jobs() - before
                steps = rows // batch
                assert (jobs >= steps) if count > 1 else (jobs == 0)
    finally:
        threads.use(None)
    assert len(found) == 2 * 2 * 2 * 3
    assert len(set(found.values())) == 1, found


def timed(model, *arguments):
    start = time.perf_counter()
    checkpoints.trained(model, *arguments)
    return time.perf_counter() - start


def wait_for_progress(path, process):
    """Wait until a checkpoint is written, or the process has ended."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        time.sleep(0.005)


def killed_again_and_again(model, options, parts, rng, loading, training):
    """Kill a run 20 times; return its steps at each kill, None if it ended before."""
    last = parts / "last.safetensors"
    last.unlink(missing_ok=True)
    states = []
    for number in range(KILLS):
        resume = ("--resume", parts) if last.exists() else ()
        process = checkpoints.training(model, *options, *resume)
        if number % 4 == 0:
            time.sleep(rng.uniform(0, loading))
        else:
            wait_for_progress(last, process)
            time.sleep(rng.uniform(0, training))
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        if process.returncode == 0:
            return None
        assert process.returncode == -signal.SIGKILL, err
        states.append(int(load_file(last)["t"]) if last.exists() else 0)
    return states


@pytest.mark.slow
def test_a_run_killed_at_20_random_times_ends_with_the_same_bits(model, monkeypatch):
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")  # shown if the test fails
    rng = random.Random(seed)
    folder = model.parent
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(folder / "cache"))
    options = ("--set", "shuffle=true", "--set", "epochs=1200")
    whole, parts = folder / "whole", folder / "parts"
    timed(model, "--set", "epochs=1")  # compiles
    loading = timed(model, "--set", "epochs=1")
    span = 0.02 * (timed(model, *options, "--save", whole) - loading)
    options += ("--save-every", 0.02, "--save", parts)
    states = None
    for _ in range(ATTEMPTS):  # the machine may have become faster
        given = loading, span
        states = killed_again_and_again(model, options, parts, rng, *given)
        if states is not None:
            break
        span /= 4
    assert states is not None, "the run ends before it can be killed so often"
    sys.stdout.write(f"steps at the checkpoints: {states}\n")
    assert states == sorted(states)
    assert len(set(states)) > KILLS / 4, "most kills met training"
    checkpoints.trained(model, *options, "--resume", parts)
    for name in ("best", "last"):
        left, right = (load_file(d / f"{name}.safetensors") for d in (whole, parts))
        assert list(left) == list(right)
        for key in left.keys() - {"fit:records"}:  # these hold seconds
            assert left[key].tobytes() == right[key].tobytes(), (name, key)
        columns = [0, 1, 3]
        a, b = (d["fit:records"][:, columns] for d in (left, right))
        assert a.tobytes() == b.tobytes()
