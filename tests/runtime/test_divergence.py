"""A training whose numbers are no longer finite ends at that batch."""

import json
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file

import tensorc as tc
from tensorc.cli.main import run
from tensorc.errors import DivergedError, TensorcWarning
from tensorc.floats import bfloat16, limits

BATCHES = 40
FLOATS = (np.float16, bfloat16().type, np.float32, np.float64)
BAD = (np.nan, np.inf, -np.inf, -np.nan)


def summing(dtype=np.float32, more=lambda x: ()):
    """Return a step whose cost is the sum of its batch, and the sum of all costs."""
    total = tc.shared(np.zeros((), dtype), "total")

    @tc.step
    def train(x):
        cost = tc.sum(x)
        tc.update(total, total + cost)
        return (*more(x), cost)

    return train, total


def column(batch, value, dtype=np.float32):
    x = np.ones(3 * BATCHES, dtype)
    x[3 * batch + 1] = value
    return {"x": x}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("batch", [0, 1, BATCHES - 1])
def test_training_ends_at_the_batch(dtype, value, batch):
    train, total = summing(dtype)
    data = column(batch, value, dtype)
    rows = f"rows {3 * batch} to {3 * batch + 2}"
    where = rf"the cost of 'train' is .*(nan|inf) in batch {batch + 1} of epoch 1"
    with pytest.raises(DivergedError, match=where) as caught:
        tc.fit(train, data, batch=3, epochs=3)
    assert rows in caught.value.diagnostics[0].notes[0]
    assert not np.isfinite(total.get_value())
    history = tc.fit(train, data, batch=3, epochs=3, allow_nan=True)
    assert len(history.epochs) == 3


@pytest.mark.parametrize("dtype", FLOATS)
def test_all_finite_costs_are_none(dtype):
    largest = limits(np.dtype(dtype)).max
    for value in (
        0,
        -0.0,
        largest / 4,
        -largest / 4,
        limits(np.dtype(dtype)).smallest_subnormal,
    ):
        train, _ = summing(dtype)
        x = np.zeros(30, dtype)
        x[4] = value
        assert len(tc.fit(train, {"x": x}, batch=3).epochs) == 1


def test_the_cost_is_the_first_float_that_is_one_number():
    def more(x):
        return tc.sum(tc.cast(x > 0, "int64")), x * np.inf

    train, _ = summing(more=more)
    data = column(7, 1.0)
    history = tc.fit(train, data, batch=3)
    assert history.epochs[0].train_cost == 3.0
    with pytest.raises(DivergedError, match="in batch 8 of epoch 1"):
        tc.fit(train, column(7, np.nan), batch=3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", BAD)
def test_a_variable_that_no_cost_reads_is_seen_after_its_epoch(dtype, value):
    w = tc.shared(np.ones(3, dtype), "w")
    start = tc.shared(np.full(3, value, dtype), "start")  # so on purpose

    @tc.step
    def train(x):
        cost = tc.sum(tc.where(w > 0, 1.0, 0.5) * tc.mean(x))
        tc.update(w, tc.where(w > 2.5, tc.cast(value, dtype), w + tc.mean(x)))
        tc.update(start, start + 0)
        return cost

    data = {"x": np.ones(6, dtype)}
    with pytest.raises(DivergedError, match=r"'w' holds .* after epoch 3"):
        tc.fit(train, data, batch=6, epochs=9)
    w.set_value(np.ones(3, dtype))
    history = tc.fit(train, data, batch=6, epochs=9, allow_nan=True)
    assert len(history.epochs) == 9


def test_without_a_float_variables_are_watched_alone():
    w = tc.shared(np.float32(0), "w")

    @tc.step
    def train(x):
        tc.update(w, w + tc.sum(x))
        return tc.sum(tc.cast(x > 0, "int64"))

    with pytest.raises(DivergedError, match=r"'w' holds .* after epoch 1"):
        tc.fit(train, column(1, np.nan), batch=3)
    w.set_value(0)
    history = tc.fit(train, column(1, np.nan), batch=3, allow_nan=True)
    assert history.epochs[0].train_cost == 2.975


def test_a_later_epoch_and_shuffled_rows_are_named():
    w = tc.shared(np.float32(1), "w")

    @tc.step
    def train(x):
        cost = w * tc.sum(x)
        tc.update(w, w * np.float32(1e9))
        return cost

    data = {"x": np.full(3, 1e3, np.float32)}
    with pytest.raises(DivergedError, match="in batch 1 of epoch 5") as caught:
        tc.fit(train, data, batch=3, epochs=9, shuffle=True)
    assert "shuffled: rows" in caught.value.diagnostics[0].notes[0]


@pytest.mark.parametrize("given", [None, 1, "yes"])
def test_allow_nan_is_true_or_false(given):
    train, _ = summing()
    with pytest.raises(TypeError, match="`allow_nan` is true or false, got"):
        tc.fit(train, column(0, 1), batch=3, allow_nan=given)


def poisoned_later(tmp_path, **options):
    """Train a variable that is finite for one epoch and NaN from the second on."""
    w = tc.shared(np.zeros(2, np.float32), "w")
    mask = tc.shared(np.array([0, -np.inf], np.float32), "mask")

    @tc.step
    def train(x):
        cost = tc.sum(w)
        tc.update(mask, mask + 0)
        tc.update(w, tc.where(w > 1.5, np.float32(np.nan), w + tc.mean(x)))
        return cost

    data = {"x": np.ones(6, np.float32)}
    return tc.fit(train, data, batch=6, save=tmp_path, save_every=0, **options)


def test_last_is_never_written_with_what_is_not_finite(tmp_path):
    # After epoch 3 the cost is still finite, the variable no longer.
    with (
        pytest.warns(TensorcWarning, match="no checkpoint: 'w' holds"),
        pytest.raises(DivergedError, match=r"'w' holds .* after epoch 3"),
    ):
        poisoned_later(tmp_path, epochs=3)
    kept = load_file(tmp_path / "last.safetensors")
    np.testing.assert_array_equal(kept["w"], [2, 2])
    np.testing.assert_array_equal(kept["mask"], [0, -np.inf])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DivergedError, match="after epoch 3"):
            poisoned_later(tmp_path / "more", epochs=9)
    kept = load_file(tmp_path / "more" / "last.safetensors")
    np.testing.assert_array_equal(kept["w"], [2, 2])


def test_with_allow_nan_last_is_what_there_is(tmp_path):
    poisoned_later(tmp_path, epochs=5, allow_nan=True)
    assert np.isnan(load_file(tmp_path / "last.safetensors")["w"]).all()


PROGRAM = """
hyper lr = 0.1
param w: float[2] = 0.5
fn loss(x: float[B, 2], y: float[B]) -> float = mean((x @ w - y)**2)
step train(x: float[B, 2], y: float[B]) -> float {
    cost = loss(x, y)
    w <- w - lr * grad(cost, w)
    return cost
}
fit { data = csv("train.csv", "valid.csv", label="y")  batch = 5  step = train
      validate = loss  epochs = 40 }
"""


@pytest.fixture
def program(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("train", "valid"):
        rows = np.round(rng.normal(size=(50, 3)), 3)
        lines = ["a,b,y", *(",".join(map(str, row)) for row in rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "m.tc"
    path.write_text(PROGRAM)
    return str(path)


def test_the_command_ends_with_4_and_keeps_the_last_good_state(
    program, tmp_path, capsys
):
    kept, log = tmp_path / "kept", tmp_path / "log"
    words = ["train", program, "--save", str(kept), "--quiet"]
    assert run([*words, "--set", "epochs=2"]) == 0
    before = (kept / "last.safetensors").read_bytes()
    capsys.readouterr()
    words.append("--overwrite")
    assert run([*words, "--set", "lr=100", "--log", str(log)]) == 4
    text = capsys.readouterr().err
    assert "TC0604" in text
    assert "the cost of 'train' is" in text
    assert "m.tc:" in text
    assert (kept / "last.safetensors").read_bytes() == before
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events[-1] == "diverged"
    assert run([*words, "--set", "lr=100", "--allow-nan", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["epochs"] == 40
    assert document["history"][-1]["validation_error"] is None
