"""Ctrl-C and index errors: served soon, and all memory is as after a whole step."""

import signal
import time

import numpy as np
import pytest

import tensorc as tc
from tests.interrupting import interrupted
from tests.programs import test_checkpoints as checkpoints

SOON = 0.2  # seconds
TRIES = 4  # a machine that is busy elsewhere is not what is measured
model = checkpoints.model

LOOKUP = """
param table: float[8, 3] = 1
param bias: float[3] = 0
state steps: int = 0
state last: float = 0

step train(i: int[B], x: float[B, 3]) -> float {
    rows = table[i]
    cost = mean((rows + bias - x)**2)
    table <- table - 0.1 * grad(cost, table)
    bias <- bias - 0.1 * grad(cost, bias)
    steps <- steps + 1
    last <- cost
    return cost
}
"""


def bits(program):
    return {name: cell.get_value().tobytes() for name, cell in program.shared.items()}


def test_ctrl_c_in_an_epoch_leaves_the_state_of_a_whole_step(model):
    rng = np.random.default_rng(5)
    columns = {
        "x": rng.normal(size=(160_000, 12)).astype(np.float32),
        "y": rng.integers(0, 4, 160_000),
    }
    program, again = tc.load(model), tc.load(model)
    batches = len(columns["y"]) // 16

    step = program.train  # compiled

    def train():
        tc.fit(step, columns, batch=16, epochs=1_000_000)

    waits = []
    while min(waits, default=1.0) >= SOON and len(waits) < TRIES:
        for name, cell in again.shared.items():
            program.shared[name].set_value(cell.get_value())
        waits.append(interrupted(train))
    assert min(waits) < SOON, waits
    steps = int(program.t.get_value())
    assert steps > 0
    for number in range(steps):
        at = number % batches * 16
        again.train(columns["x"][at : at + 16], columns["y"][at : at + 16])
    assert bits(program) == bits(again)
    # All goes on, by calls and by epochs.
    for one in (program, again):
        one.train(columns["x"][:16], columns["y"][:16])
        tc.fit(one.train, {n: c[:1600] for n, c in columns.items()}, batch=16)
    assert bits(program) == bits(again)
    assert program.t.get_value() == steps + 101


def test_ctrl_c_ends_the_command_soon(model, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(model.parent / "cache"))
    folder = model.parent / "kept"
    options = ("--set", "epochs=1000000", "--save", folder, "--save-every", 0)
    waits = []
    while min(waits, default=1.0) >= SOON and len(waits) < TRIES:
        resume = ("--resume", folder) if waits else ()
        process = checkpoints.training(model, *options, *resume)
        before = read_time(folder)
        while read_time(folder) == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)
        sent = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait()
        waits.append(time.perf_counter() - sent)
        _, err = process.communicate()
        assert process.returncode == 130
        assert err.endswith("interrupted\n")
    assert min(waits) < SOON, waits


def read_time(folder):
    path = folder / "last.safetensors"
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.parametrize("optimize", [0, 2])
def test_an_index_error_leaves_all_state_as_it_was(tmp_path, optimize):
    path = tmp_path / "lookup.tc"
    path.write_text(LOOKUP)
    program, again = (tc.load(path, optimize=optimize) for _ in range(2))
    rng = np.random.default_rng(9)
    rows, batch, bad = 400, 8, 23
    index = rng.integers(-8, 8, rows)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    index[bad * batch + 5] = 8
    for number in range(bad):
        part = slice(number * batch, (number + 1) * batch)
        again.train(index[part], x[part])
    wrong = slice(bad * batch, (bad + 1) * batch)
    with pytest.raises(IndexError, match="index 8 is out of range"):
        tc.fit(program.train, {"i": index, "x": x}, batch=batch)
    assert bits(program) == bits(again)
    before = bits(again)
    for _ in range(3):
        with pytest.raises(IndexError, match="index 8 is out of range"):
            again.train(index[wrong], x[wrong])
        assert bits(again) == before
    index[bad * batch + 5] = 7
    for one in (program, again):
        one.train(index[wrong], x[wrong])
    assert bits(program) == bits(again) != before
    assert program.steps.get_value() == bad + 1
