"""The training loop: the tutorial's exact order, data binding, interrupts, messages."""

import json
import math
import signal
from dataclasses import replace

import numpy as np
import pytest

from tensorc.errors import DataError, IndexOutOfRange, Location, TensorcError
from tensorc.recipes import DataCall, Fit, Patience
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.data import Dataset, Split, open_data
from tensorc.runtime.training.epoch import prepare_epoch, run_batches
from tensorc.runtime.training.preparing import Roles, are_shares, roles_of
from tests.interrupting import interrupted
from tests.runtime import native
from tests.runtime.fitting import fit

BATCH = 3


def tutorial(curve, batches, epochs, patience, increase, threshold):
    """Transcribe logistic_sgd.py; curve[iter] is the validation error there."""
    validation_frequency = min(batches, patience // 2)
    best_validation_loss = np.inf
    test_score = 0.0
    done_looping = False
    epoch = 0
    while (epoch < epochs) and (not done_looping):
        epoch = epoch + 1
        for minibatch_index in range(batches):
            iter = (epoch - 1) * batches + minibatch_index
            if (iter + 1) % validation_frequency == 0:
                this_validation_loss = float(curve[iter])
                if this_validation_loss < best_validation_loss:
                    if this_validation_loss < best_validation_loss * threshold:
                        patience = max(patience, iter * increase)
                    best_validation_loss = this_validation_loss
                    test_score = this_validation_loss
            if patience <= iter:
                done_looping = True
                break
    return epoch, iter + 1, best_validation_loss, test_score


def curves(size, kind, seed):
    generator = np.random.default_rng(seed)
    steps = np.arange(size)
    values = {
        "falling": 1 / (1 + steps / 20),
        "flat": np.full(size, 0.5),
        "noisy": 1 / (1 + steps / 20) + generator.normal(size=size) * 0.05 + 0.2,
        "random": generator.uniform(size=size),
        "rising": 1 + steps / size,
        "stairs": 1.0 - (steps // 37) * 0.004,
    }[kind]
    return values.astype(np.float32)


def split(rows):
    return Split({"x": np.ones(rows, np.float32)})


def counting(curve):
    """Return a step that counts its calls in w, and curve[calls - 1] as validation."""
    w = SharedCell("w", 0.0)
    step = native.function("add", {"w": w}, {"lr": 1 / BATCH})
    table = SharedCell("table", curve)
    return w, step, native.function("curve", {"w": w, "table": table})


@pytest.mark.parametrize("kind", ["falling", "flat", "noisy", "random", "stairs"])
@pytest.mark.parametrize(
    ("batches", "epochs", "patience", "increase", "threshold"),
    [
        (7, 30, 40, 2, 0.995),
        (7, 30, 5, 2, 0.995),
        (10, 20, 200, 1.5, 0.9),
        (50, 4, 30, 3, 0.995),
        (1, 100, 10, 2, 0.995),
        (5, 3, 1000, 2, 0.5),
        (6, 8, 2, 2, 1.0),
        (4, 25, 9, 4, 0.999),
    ],
)
def test_patience_follows_the_tutorial(
    kind, batches, epochs, patience, increase, threshold
):
    for seed in range(3):
        curve = curves(batches * epochs, kind, seed)
        w, step, validate = counting(curve)
        rows = batches * BATCH + 1
        history = fit(
            step,
            Dataset("toy", split(rows), split(2 * BATCH), split(BATCH)),
            batch=BATCH,
            epochs=epochs,
            validate=validate,
            stop=Patience(patience, increase, threshold),
        )
        expected = tutorial(curve, batches, epochs, patience, increase, threshold)
        given = (
            len(history.epochs),
            round(float(w.get_value())),
            history.best_validation_error,
            history.test_error,
        )
        assert given == expected


def test_S035_the_tutorials_own_numbers_stop_in_epoch_74():
    # The last improvement is in epoch 37: 3070 * 2 // 83 + 1, 6141 * 2 // 166 + 1.
    for batches in (83, 166):
        curve = np.full(batches * 100, 0.5, np.float32)
        curve[: batches * 100] = np.maximum(
            0.5, 1 - 0.5 * (np.arange(batches * 100) // batches) / 36
        )
        _, step, validate = counting(curve)
        history = fit(
            step,
            Dataset("toy", split(batches * BATCH), split(BATCH)),
            batch=BATCH,
            epochs=1000,
            validate=validate,
            stop=Patience(5000, 2, 0.995),
        )
        assert len(history.epochs) == 74
        assert history.stopped_early
        assert history.test_error is None


def test_without_patience_it_validates_once_an_epoch_and_every():
    curve = curves(40, "random", 1)
    for every, expected in (
        (None, [9, 19, 29, 39]),
        (5, [9, 19, 29, 39]),
        (15, [14, 29]),
    ):
        _, step, validate = counting(curve)
        history = fit(
            step,
            Dataset("toy", split(10 * BATCH), split(BATCH)),
            batch=BATCH,
            epochs=4,
            validate=validate,
            every=every,
        )
        errors = [e.validation_error for e in history.epochs if e.validation_error]
        assert errors == [float(curve[i]) for i in expected]
        assert not history.stopped_early


def test_without_validation_the_history_has_costs_only():
    _, step, _ = counting(np.zeros(1, np.float32))
    seen, progress = [], []
    history = fit(
        step,
        Dataset("toy", split(4 * BATCH)),
        batch=BATCH,
        epochs=2,
        on_epoch=seen.append,
        on_progress=lambda at: progress.append((at.epoch, at.done, at.batches)),
    )
    # The step returns the number of steps before it.
    assert [record.train_cost for record in seen] == [1.5, 5.5]
    assert history.epochs == tuple(seen)
    assert (history.best_validation_error, history.test_error) == (None, None)
    assert progress[-1] == (2, 4, 4)
    assert history.steps_per_second > 0
    document = json.loads(history.to_json())
    assert list(document) == [
        "epochs",
        "best_validation_error",
        "test_error",
        "steps_per_second",
        "compile_seconds",
        "footprint",
        "history",
    ]
    assert list(document["history"][1]) == [
        "epoch",
        "train_cost",
        "validation_error",
        "seconds",
    ]
    assert document["history"][1]["epoch"] == 2


def test_a_cost_that_is_nan_is_null_in_json():
    w, step, _ = counting(np.zeros(1, np.float32))
    w.set_value(np.nan)
    history = fit(step, Dataset("toy", split(BATCH)), batch=BATCH, epochs=1)
    assert math.isnan(history.epochs[0].train_cost)
    assert json.loads(history.to_json())["history"][0]["train_cost"] is None


def test_shuffling_is_repeatable_and_leaves_the_data_alone():
    x = np.arange(24, dtype=np.float32)
    results = []
    for seed in (1, 1, 2):
        w = SharedCell("w", 0.0)
        step = native.function("add", {"w": w}, {"lr": 1})
        epoch = fit(
            step,
            Dataset("toy", Split({"x": x})),
            batch=5,
            epochs=2,
            shuffle=True,
            seed=seed,
        ).epochs
        results.append([record.train_cost for record in epoch])
    assert results[0] == results[1] != results[2]
    np.testing.assert_array_equal(x, np.arange(24))


@pytest.mark.parametrize("batch", [1, 3, 7, 500, 600])
def test_shares_of_a_batch_are_told_from_other_numbers(batch):
    counts = np.random.default_rng(batch).integers(0, batch + 1, 40)
    assert are_shares((counts / batch).astype(np.float32), batch)
    losses = np.random.default_rng(1).uniform(0.2, 0.3, 40).astype(np.float32)
    assert not are_shares(losses, batch)
    assert not are_shares(np.array([0, 1, np.nan], np.float32), batch)


def test_what_cannot_be_trained_says_why():
    _, step, validate = counting(np.full(9, np.nan, np.float32))
    data = Dataset("toy", split(10), split(4), split(4))
    cases = [
        (data, {"batch": 11}, "training data has 10 examples, a batch 11"),
        (data, {"batch": 5, "validate": validate}, "validation data has 4 examples"),
        (data, {"validate": validate}, "validation by 'curve' gave nan in epoch 1"),
        (Dataset("toy", split(9)), {"validate": validate}, "no validation data"),
        (Dataset("toy", Split({"y": np.ones(9)})), {}, "takes 'x', the data has no"),
    ]
    place = Location("toy.tc", 3, 1)
    for dataset, options, message in cases:
        arguments = {"batch": 3, "epochs": 1, "location": place, **options}
        with pytest.raises(TensorcError) as caught:
            fit(step, dataset, **arguments)
        assert message in str(caught.value)
        if message == "no validation data":
            ways = caught.value.diagnostics[0].hints
            assert "arrays(train, valid={…})" in ways[0]


def test_a_failing_batch_is_named_and_the_state_is_that_before_it():
    x = np.ones(12, np.float32)
    x[7] = -1
    w, step, _ = counting(np.zeros(1, np.float32))
    with pytest.raises(IndexOutOfRange) as caught:
        fit(step, Dataset("toy", Split({"x": x})), batch=BATCH, epochs=1)
    assert w.get_value() == 2
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.location == native.SITE
    assert diagnostic.notes[0] == "in batch 3 of the data, rows 6 to 8, counted from 0"


def test_recipes_run_by_name_and_report_their_place(tmp_path):
    at, data = (Location(str(tmp_path / "toy.tc"), line, 1) for line in (12, 14))
    recipe = Fit(DataCall("mnist", ("data",)), 3, "add", location=at)
    for places, place in (({}, at), ({"data": data}, data)):
        with pytest.raises(DataError) as caught:
            open_data(replace(recipe, locations=places))
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.location == place
        assert diagnostic.message == f"{tmp_path / 'data'}: no such directory"
    with pytest.raises(
        TensorcError, match="step = add, but there is no such"
    ) as caught:
        roles_of({}, replace(recipe, locations={"step": data}))
    assert caught.value.diagnostics[0].location == data
    _, step, _ = counting(np.zeros(1, np.float32))
    assert roles_of({"add": step}, recipe) == Roles(step)


def test_an_epoch_is_stopped_by_its_stop_word():
    _, step, _ = counting(np.zeros(1, np.float32))
    epoch = prepare_epoch(step, {"x": np.ones(600, np.float32)}, 1)
    reached = []

    def progress(done):
        reached.append(done)
        epoch.request_stop()

    run_batches(epoch, 0, 600, progress)
    assert reached == [1]
    run_batches(epoch, 1, 600)
    np.testing.assert_allclose(epoch.results[0], np.arange(600) / BATCH)


def test_columns_are_converted_once_and_read_in_place():
    w, step, _ = counting(np.zeros(1, np.float32))
    resident = np.ones(9, np.float32)
    epoch = prepare_epoch(step, {"x": resident, "unused": np.ones(1)}, 3)
    assert epoch.columns[0] is resident
    wide = prepare_epoch(step, {"x": np.ones(9, np.int64)}, 3, {"lr": 1})
    assert wide.columns[0].dtype == np.float32
    run_batches(wide, 0, 3)
    assert w.get_value() == 9


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="needs signals")
def test_interrupts_come_between_slices():
    w, step, _ = counting(np.zeros(1, np.float32))
    data = Dataset("toy", split(3_000_000))
    waited = interrupted(lambda: fit(step, data, batch=BATCH, epochs=1_000_000))
    assert waited < 0.2
    steps = float(w.get_value())
    assert abs(steps - round(steps)) < 1e-6 * steps
    step(np.ones(BATCH, np.float32))  # no lock is left behind
