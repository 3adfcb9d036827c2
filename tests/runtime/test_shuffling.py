"""Batches gathered through a permutation: the data stays where and as it is."""

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import shuffling
from tensorc.runtime.training.data import Dataset, Split
from tensorc.runtime.training.epoch import prepare_epoch, run_batches
from tests.runtime import native
from tests.runtime.fitting import fit

ROWS, BATCH, SEED = 23, 4, 6


def costs_of(x, **options):
    """Return w before each batch of two epochs: it sums the rows seen so far."""
    w = SharedCell("w", 0.0)
    step = native.function("add", {"w": w}, {"lr": 1})
    seen = []
    fit(
        step,
        Dataset("toy", Split({"x": x})),
        batch=BATCH,
        epochs=2,
        on_state=lambda event, snapshot: seen.append(float(w.get_value())),
        **options,
    )
    return seen


@pytest.fixture
def rows():
    return np.random.default_rng(1).integers(0, 1000, ROWS).astype(np.float32)


def test_the_order_is_that_of_numpys_generator(rows, monkeypatch):
    monkeypatch.setattr("tensorc.runtime.training.epoch.SLICE_SECONDS", 0.0)
    bits = np.random.Philox(SEED)
    expected, total = [], 0.0
    for _ in range(2):
        order = np.random.Generator(bits).permutation(ROWS)
        for i in range(ROWS // BATCH):
            total += float(rows[order[i * BATCH : (i + 1) * BATCH]].sum())
            expected.append(total)
    given = costs_of(rows, shuffle=True, seed=SEED)
    assert given[: len(expected)] == expected


@pytest.mark.parametrize("window", [1, 40, 1 << 22])
def test_the_size_of_windows_changes_nothing(rows, window, monkeypatch):
    whole = costs_of(rows, shuffle=True, seed=SEED)
    monkeypatch.setattr(shuffling, "WINDOW_BYTES", window)
    parts = costs_of(rows, shuffle=True, seed=SEED)
    assert parts[-1] == whole[-1]
    assert set(whole) <= set(parts)


def test_the_data_is_read_where_it_lies(rows):
    step = native.function("add", {"w": SharedCell("w", 0.0)}, {"lr": 1})
    rows.flags.writeable = False
    epoch = prepare_epoch(step, {"x": rows}, BATCH)
    shuffled = epoch.shuffle(SEED)
    assert epoch.columns[0] is rows
    assert shuffled.columns[0] is rows
    assert shuffled.windows[0].shape == (ROWS // BATCH * BATCH,)
    shuffled.reorder()
    run_batches(epoch, 0, epoch.batches)


def test_a_window_is_no_longer_than_it_must_be():
    wide = np.zeros((1000, 100_000), np.int8)
    shuffled = shuffling.shuffled((wide,), 10, 1)
    assert shuffled.span == shuffling.WINDOW_BYTES // 1_000_000
    assert len(shuffled.windows[0]) == shuffled.span * 10
    assert shuffling.shuffled((wide,), 500, 1).span == 1


def test_an_error_names_the_rows_in_their_order(rows):
    rows[7] = -1.0
    w = SharedCell("w", 0.0)
    step = native.function("add", {"w": w}, {"lr": 1})
    with pytest.raises(IndexOutOfRange) as failure:
        fit(
            step,
            Dataset("toy", Split({"x": rows})),
            batch=BATCH,
            epochs=9,
            shuffle=True,
            seed=SEED,
        )
    note = failure.value.diagnostics[0].notes[0]
    assert ", shuffled: rows " in note
    assert "7" in note.partition("rows ")[2].split(", ")
