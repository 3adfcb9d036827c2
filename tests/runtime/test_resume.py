"""Training goes on from any batch boundary as if it had never stopped."""

from dataclasses import replace

import numpy as np
import pytest

from tensorc.errors import TensorcError
from tensorc.recipes import Patience
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import epoch as epoch_module
from tensorc.runtime.training.checkpoint import About, read_checkpoint, write_checkpoint
from tensorc.runtime.training.data import Dataset, Split
from tensorc.runtime.training.fit_state import Start
from tests.runtime import native
from tests.runtime.fitting import fit
from tests.runtime.test_training import curves

BATCH = 3


def functions(curve):
    """Return memory, a step that adds lr times its rows, and curve[calls - 1]."""
    w, calls = SharedCell("w", 0.0), SharedCell("w", 0.0)
    step = native.function("add", {"w": w}, {"lr": 1 / BATCH})
    table = SharedCell("table", curve)
    return w, calls, step, native.function("curve", {"w": w, "table": table})


def without_times(history):
    records = tuple(replace(record, seconds=0.0) for record in history.epochs)
    return replace(history, epochs=records, steps_per_second=0.0)


def going_on(state):
    """Return a start whose memory its caller has set."""
    return Start(state, lambda: None)


def run(curve, batches, w=None, **options):
    """Train on ones: w counts the steps; return history, memory and all states."""
    cell, _, step, validate = functions(curve)
    if w is not None:
        cell.set_value(w)
    rows = np.ones(batches * BATCH + 2, np.float32)
    data = Dataset(
        "toy",
        Split({"x": rows}),
        Split({"x": np.ones(2 * BATCH, np.float32)}),
        Split({"x": np.ones(BATCH, np.float32)}),
    )
    states = []

    def on_state(event, snapshot):
        states.append((event, snapshot(), float(cell.get_value())))

    history = fit(
        step,
        data,
        batch=BATCH,
        validate=validate,
        on_state=on_state,
        hypers={"lr": 1 / BATCH},
        **options,
    )
    return without_times(history), float(cell.get_value()), states


@pytest.fixture
def short_slices(monkeypatch):
    monkeypatch.setattr(epoch_module, "SLICE_SECONDS", 0.0)


@pytest.mark.parametrize("kind", ["falling", "noisy", "random", "stairs"])
@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 6},
        {"epochs": 6, "every": 3},
        {"epochs": 30, "stop": Patience(9, 2, 0.995)},
        {"epochs": 30, "stop": Patience(20, 1.5, 0.9), "shuffle": True, "seed": 4},
    ],
    ids=["epochs", "every", "patience", "shuffled"],
)
def test_from_every_batch_boundary(short_slices, tmp_path, kind, options):
    batches = 5
    curve = curves(batches * options["epochs"], kind, 1)
    history, memory, states = run(curve, batches, **options)
    positions = {(s.epoch, s.position) for event, s, _ in states if event == "slice"}
    steps = (len(history.epochs) - 1) * batches
    assert len(positions) > steps
    path = tmp_path / "last.safetensors"
    for number, (_, state, w) in enumerate(states):
        if number % 7 == 0:  # through a file, too
            write_checkpoint(path, About({}, {}), state, {})
            state = read_checkpoint(path, {}).state
            path.unlink()
        again = run(curve, batches, w, start=going_on(state), **options)
        assert again[:2] == (history, memory)


def rows_of(shuffle, start=None, w=0.0):
    """Train on different rows: the order of the examples shows in the memory."""
    cell, _, step, _ = functions(np.ones(1, np.float32))
    cell.set_value(w)
    x = 1e4 * np.random.default_rng(2).random(20, np.float32)
    states = []
    history = fit(
        step,
        Dataset("toy", Split({"x": x})),
        batch=BATCH,
        epochs=4,
        shuffle=shuffle,
        seed=8,
        start=None if start is None else going_on(start),
        on_state=lambda _, snapshot: states.append(
            (snapshot(), float(cell.get_value()))
        ),
    )
    return without_times(history), cell.get_value().tobytes(), states


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_order_of_the_examples_goes_on(short_slices, shuffle):
    history, memory, states = rows_of(shuffle)
    assert len(states) >= 4 * 6
    for state, w in states:
        assert rows_of(shuffle, state, w)[:2] == (history, memory)
    assert rows_of(not shuffle)[1] != memory


def test_more_epochs_than_planned(short_slices):
    curve = curves(50, "falling", 1)
    short = run(curve, 5, epochs=4)
    _, state, w = short[2][-1]
    assert state.epoch == 5
    assert (
        run(curve, 5, w, start=going_on(state), epochs=10)[:2]
        == run(curve, 5, epochs=10)[:2]
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": (6, 2, 1)}, "5, 2, 1 batches of training, validation and test data"),
        ({"order": {}}, "shuffled examples in one of both only"),
        ({"position": 6}, "6 batches of epoch 1 there"),
        ({"epoch": 3}, "2 batches of epoch 3 there"),
        ({"costs": None}, "the costs of the batches are missing"),
        ({"costs": np.zeros(2, np.float32)}, "the costs of the batches are missing"),
        ({"costs": np.zeros(3)}, "the costs of the batches are missing"),
    ],
)
def test_states_that_do_not_fit(short_slices, changes, words):
    curve = curves(50, "falling", 1)
    _, state, w = run(curve, 5, epochs=4)[2][1]
    assert state.position == 2
    with pytest.raises(TensorcError) as failure:
        run(curve, 5, w, start=going_on(replace(state, **changes)), epochs=4)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "TC0804"
    assert words in diagnostic.message
