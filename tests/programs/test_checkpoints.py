"""`--save` and `--resume`: killed at any time, training goes on to the same bits."""

import fcntl
import json
import os
import random
import re
import signal
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from tensorc.cli.main import run
from tensorc.runtime.training.checkpoint import read_checkpoint
from tests.runtime.test_data import encode

MODEL = """
hyper lr = 0.05
param W: float[12, 4] ~ glorot(seed=7)
param b: float[4] = 0
state t: int = 0
fn logits(x: float[B, 12]) -> float[B, 4] = tanh(x @ W + b)
fn loss(x: float[B, 12], y: int[B]) -> float = mean(cross_entropy(logits(x), y))
fn error(x: float[B, 12], y: int[B]) -> float = mean(argmax(logits(x), axis=1) != y)
step train(x: float[B, 12], y: int[B]) -> float {
    cost = loss(x, y)
    W <- W - lr * grad(cost, W)
    b <- b - lr * grad(cost, b)
    t <- t + 1
    return cost
}
fit {
    data = idx("x", "y", "vx", "vy", "tx", "ty")
    batch = 16  step = train  validate = error  epochs = 250  every = 70  seed = 5
}
"""
COMMAND = "from tensorc.cli.entry import main; main()"


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(11)
    for prefix, rows in (("", 3210), ("v", 100), ("t", 64)):
        x = rng.normal(size=(rows, 12)).astype(np.float32)
        (tmp_path / f"{prefix}x").write_bytes(encode(x))
        labels = rng.integers(0, 4, rows).astype(np.uint8)
        (tmp_path / f"{prefix}y").write_bytes(encode(labels))
    path = tmp_path / "toy.tc"
    path.write_text(MODEL)
    return path


def training(model, *arguments):
    command = [sys.executable, "-c", COMMAND, "train", str(model), "--quiet"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Who runs tests in the background may have made it ignored.
        preexec_fn=lambda: [
            signal.signal(number, signal.SIG_DFL)
            for number in (signal.SIGINT, signal.SIGHUP)
        ],
    )


def trained(model, *arguments):
    process = training(model, *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out.splitlines()[0]


def what_counts(history):
    """Leave out the times of a run that was written with --json."""
    document = json.loads(history.read_text())
    for name in ("steps_per_second", "compile_seconds"):
        del document[name]
    for record in document["history"]:
        del record["seconds"]
    return document


def straight_and_killed(model, shuffle, kills, signum, rng):
    """Compare a run with one that is killed again and again."""
    folder = model.parent
    options = ("--set", f"shuffle={shuffle}")
    whole, parts = folder / "whole", folder / "parts"
    summary = trained(model, *options, "--save", whole, "--json", folder / "whole.json")
    started = time.perf_counter()
    trained(model, *options)
    seconds = time.perf_counter() - started
    killed = 0
    resume = ()
    for _ in range(10 * kills):
        if killed == kills:
            break
        more = (*options, *resume, "--save", parts, "--save-every", 0)
        process = training(model, *more)
        # Loading takes a large part of the time: half of the kills meet it.
        time.sleep(rng.uniform(0.3, 1) * seconds)
        process.send_signal(signum)
        _, err = process.communicate()
        if process.returncode == 0:
            parts.joinpath("last.safetensors").unlink()
            resume = ()
            continue  # it was faster than the signal
        killed += 1
        assert "Traceback" not in err
        if signum == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        if (parts / "last.safetensors").exists():
            resume = ("--resume", parts)
    assert killed == kills
    more = (*options, *resume, "--save", parts, "--json", folder / "parts.json")
    assert trained(model, *more) == summary
    for name in ("best", "last"):
        left, right = (load_file(d / f"{name}.safetensors") for d in (whole, parts))
        assert list(left) == list(right)
        for key in left:
            if key == "fit:records":
                left[key], right[key] = (
                    left[key][:, [0, 1, 3]],
                    right[key][:, [0, 1, 3]],
                )
            assert left[key].tobytes() == right[key].tobytes(), (name, key)
    assert what_counts(folder / "whole.json") == what_counts(folder / "parts.json")


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_killed_runs_go_on_to_the_same_bits(model, shuffle):
    kills = int(os.environ.get("TENSORC_KILLS", "1"))
    rng = random.Random(shuffle)
    straight_and_killed(model, shuffle, kills, signal.SIGKILL, rng)


def test_an_interrupted_run_goes_on_to_the_same_bits(model):
    rng = random.Random(3)
    straight_and_killed(model, "true", 1, signal.SIGINT, rng)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_write_a_checkpoint_first(model, signum):
    folder = model.parent / "kept"
    more = ("--set", "epochs=1000000", "--set", "every=none")
    process = training(
        model, "--save", folder, "--log", model.parent / "log", *more[:2]
    )
    while not (folder / "last.safetensors").exists():
        time.sleep(0.01)
    process.send_signal(signum)
    sent = time.perf_counter()
    _, err = process.communicate()
    assert time.perf_counter() - sent < 2
    assert process.returncode == (130 if signum == signal.SIGINT else -signum)
    checkpoint = read_checkpoint(folder / "last.safetensors", {})
    state = checkpoint.state
    assert int(checkpoint.memory["t"]) == state.steps
    assert state.steps == (state.epoch - 1) * 200 + state.position
    if signum == signal.SIGINT:
        lines = err.splitlines()
        assert lines[0] == f"continue with: --resume {folder}/last.safetensors"
        assert [line for line in lines[1:] if line] == ["interrupted"]
        events = [
            json.loads(line) for line in (model.parent / "log").read_text().splitlines()
        ]
        assert [events[0]["event"], events[-1]["event"]] == ["start", "interrupted"]


def test_a_run_goes_on_when_nobody_reads_its_lines(model):
    command = [sys.executable, "-c", COMMAND, "train", str(model)]
    command += ["--save", model.parent / "kept", "--set", "epochs=40"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        while not process.stderr.readline().startswith(b"epoch 1"):
            pass
        process.stderr.close()
    state = read_checkpoint(model.parent / "kept" / "last.safetensors", {}).state
    assert len(state.records) == 40


def test_a_closed_terminal_costs_no_state(model):
    """Nobody can write to it any more, and the kernel sends SIGHUP."""
    last = model.parent / "kept" / "last.safetensors"
    command = [sys.executable, "-c", COMMAND, "train", str(model), "--save-every=1000"]
    command += ["--set", "epochs=1000000", "--set", f"every={10**12}"]
    terminal, inside = os.openpty()
    with subprocess.Popen(
        [*command, "--save", last.parent],
        **dict.fromkeys(("stdin", "stdout", "stderr"), inside),
        start_new_session=True,
        preexec_fn=lambda: [
            signal.signal(signal.SIGHUP, signal.SIG_DFL),
            fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        ],
    ) as process:
        os.close(inside)
        seen = b""
        while not re.search(rb"epoch ([2-9]|\d\d+)/", seen):  # in the bar
            seen += os.read(terminal, 1 << 16)
        os.close(terminal)
        assert process.wait() == -signal.SIGHUP
    assert read_checkpoint(last, {}).state.steps > 0


def test_a_checkpoint_holds_what_safetensors_can_read(model):
    trained(model, "--set", "epochs=2", "--save", model.parent / "kept")
    arrays = load_file(model.parent / "kept" / "last.safetensors")
    assert sorted(arrays) == ["W", "b", "fit:costs", "fit:records", "t"]
    assert arrays["W"].shape == (12, 4)
    assert int(arrays["t"]) == 400
    assert not list((model.parent / "kept").glob(".*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["batch=8"], "batch is 8 here, 16 there"),
        (["seed=6"], "seed is 6 here, 5 there"),
        (["shuffle=true"], "shuffle is True here, False there"),
        (["every=71"], "every is 71 here, 70 there"),
        (["stop=patience(30)"], "stop is 30, 2, 0.995 here, none there"),
        (["epochs=1"], "epochs is 1, and it has reached epoch 2"),
    ],
)
def test_another_run_is_refused(model, capsys, options, words):
    folder = model.parent / "kept"
    assert run(["train", str(model), "--set", "epochs=2", "--save", str(folder)]) == 0
    settings = [word for option in options for word in ("--set", option)]
    arguments = ["train", str(model), "--resume", str(folder), *settings]
    assert run(arguments) == 1
    printed = capsys.readouterr().err
    assert "error[TC0804]" in printed
    assert words in printed


def test_another_program_or_data_is_refused(model, capsys):
    folder = model.parent / "kept"
    assert run(["train", str(model), "--set", "epochs=2", "--save", str(folder)]) == 0
    resumed = ["train", str(model), "--resume", str(folder)]
    text = model.read_text()
    for old, new, words in (
        ("tanh(x @ W + b)", "x @ W + b", "the functions have changed"),
        ("state t: int", "state t: i32", "memory t is i32 here, i64 there"),
        ("param b", "param e: float = 0\nparam b", "memory e is f32 here, missing"),
    ):
        assert old in text
        model.write_text(text.replace(old, new))
        assert run(resumed) == 1
        printed = capsys.readouterr().err
        assert "error[TC0804]" in printed
        assert words in printed
        assert "--init" in printed
    model.write_text(text.replace("hyper lr = 0.05", "# slower\nhyper lr = 0.01"))
    assert run([*resumed, "--set", "epochs=3"]) == 0
    printed = capsys.readouterr().err
    assert "warning: lr is 0.01 here, 0.05 there (the checkpoint)" in printed
    model.write_text(text)
    rows = np.zeros((100, 12), np.float32)
    (model.parent / "x").write_bytes(encode(rows))
    (model.parent / "y").write_bytes(encode(np.zeros(100, np.uint8)))
    assert run(resumed) == 1
    assert "the data have changed" in capsys.readouterr().err


def test_init_takes_the_arrays_of_a_checkpoint(model, capsys):
    folder = model.parent / "kept"
    assert run(["train", str(model), "--set", "epochs=2", "--save", str(folder)]) == 0
    path = folder / "best.safetensors"
    assert run(["train", str(model), "--set", "epochs=1", "--init", str(path)]) == 0
    both = ["--init", str(path), "--resume", str(path)]
    assert run(["train", str(model), *both]) == 2
    assert "--init starts a run" in capsys.readouterr().err


TWO = """
fit first {
    data = idx("x", "y", "vx", "vy")  batch = 16  step = train  validate = error
    epochs = 3  shuffle = true
}
fit second {
    data = idx("x", "y", "vx", "vy")  batch = 8  step = train  validate = error
    epochs = 4
}
"""


def test_each_fit_keeps_files_of_its_own(model, tmp_path, capsys):
    text = model.read_text()
    model.write_text(text[: text.index("fit {")] + TWO)
    kept, other = tmp_path / "kept", tmp_path / "other"
    assert run(["train", str(model), "--quiet", "--save", str(kept)]) == 0
    whole = capsys.readouterr().out.splitlines()[::2]
    names = {f"{f}.{kind}.safetensors" for f in ("first", "second") for kind in KINDS}
    assert {p.name for p in kept.iterdir()} == names
    first = read_checkpoint(kept / "first.last.safetensors", {})
    second = read_checkpoint(kept / "second.last.safetensors", {})
    assert (first.about.fit, len(first.state.records)) == (0, 3)
    assert (second.about.fit, len(second.state.records)) == (1, 4)
    # A directory stands for its newest file, whichever recipe that is of.
    other.mkdir()
    (kept / "first.last.safetensors").rename(other / "first.last.safetensors")
    assert run(["train", str(model), "--quiet", "--resume", str(other)]) == 0
    assert capsys.readouterr().out.splitlines()[::2] == whole
    assert run(["train", str(model), "--quiet", "--resume", str(kept)]) == 0
    assert capsys.readouterr().out.splitlines()[::2] == whole[1:]
    # The best of the last fit is what the directory gives to others.
    report = tmp_path / "eval.json"
    arguments = ["eval", str(model), "--init", str(kept), "--json", str(report)]
    assert run(arguments) == 0
    best = read_checkpoint(kept / "second.best.safetensors", {}).state.best
    found = json.loads(report.read_text())
    assert found[-1]["validation"]["error"] == best


KINDS = ("best", "last")
