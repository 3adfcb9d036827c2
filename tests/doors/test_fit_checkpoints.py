"""`tc.fit(save=, resume=)`: what is interrupted goes on to the same bits."""

import itertools

import numpy as np
import pytest

import tensorc as tc
from tensorc.runtime.training import epoch as epoch_module

RNG = np.random.default_rng(3)
X = RNG.normal(size=(103, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 103)
DATA = tc.data.arrays({"x": X, "y": Y}, valid={"x": X[:40], "y": Y[:40]})


def traced():
    """Return memory, a step and its validation, as `jit` and `step` make them."""
    W = tc.shared(np.zeros((5, 3), "float32"), "W")
    t = tc.shared(0, "t")

    @tc.step
    def train(x, y, lr=0.1):
        cost = tc.mean(tc.cross_entropy(x @ W, y))
        g = tc.grad(cost, W)
        tc.update(W, W - lr * g)
        tc.update(t, t + 1)
        return cost

    @tc.jit
    def error(x, y):
        return tc.mean(tc.cross_entropy(x @ W, y))

    return (W, t), train, error


def symbolic():
    """Return the same as Theano's functions."""
    W = tc.shared(np.zeros((5, 3), "float32"), "W")
    t = tc.shared(0, "t")
    x, y, lr = tc.matrix("x"), tc.lvector("y"), tc.scalar("lr")
    cost = tc.mean(tc.cross_entropy(x @ W, y))
    updates = [(W, W - lr * tc.grad(cost, W)), (t, t + 1)]
    train = tc.function([x, y, tc.In(lr, value=0.1)], cost, updates=updates)
    return (W, t), train, tc.function([x, y], cost)


DOORS = {"traced": traced, "symbolic": symbolic}


class Interrupted(Exception):
    pass


def fit(make, **options):
    memory, train, error = make()
    given = {"batch": 10, "epochs": 5, "validate": error, "every": 3, **options}
    history = tc.fit(train, DATA, **given)
    return history, [v.get_value().tobytes() for v in memory]


def what_counts(history):
    records = [(r.epoch, r.train_cost, r.validation_error) for r in history.epochs]
    return records, history.best_validation_error, history.stopped_early


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_interrupted_and_resumed_is_uninterrupted(door, shuffle, tmp_path, monkeypatch):
    monkeypatch.setattr(epoch_module, "SLICE_SECONDS", 0.0)
    options = {"shuffle": shuffle, "seed": 4}
    whole, memory = fit(DOORS[door], **options)
    kept = {"save": tmp_path, "save_every": 0}
    calls = itertools.count()
    real = epoch_module._slice_length

    def failing(epoch):
        if next(calls) == 17:  # within an epoch
            raise Interrupted
        return real(epoch)

    monkeypatch.setattr(epoch_module, "_slice_length", failing)
    with pytest.raises(Interrupted):
        fit(DOORS[door], **options, **kept)
    monkeypatch.setattr(epoch_module, "_slice_length", real)
    again, memory_again = fit(DOORS[door], **options, **kept, resume=tmp_path)
    assert memory_again == memory
    assert what_counts(again) == what_counts(whole)
    # A run that has ended goes on where epochs are added.
    longer, memory = fit(DOORS[door], **options, epochs=8)
    last = tmp_path / "last.safetensors"
    again, memory_again = fit(DOORS[door], **options, epochs=8, resume=last)
    assert memory_again == memory
    assert what_counts(again) == what_counts(longer)


def test_best_is_what_it_was_then(tmp_path):
    seen = []
    memory, train, error = traced()
    history = tc.fit(
        train,
        DATA,
        batch=10,
        epochs=6,
        validate=error,
        lr=40.0,  # it comes and goes
        save=str(tmp_path),
        callbacks=lambda r: seen.append((r.validation_error, memory[0].get_value())),
    )
    error, best = min(seen, key=lambda pair: pair[0])
    assert error == history.best_validation_error
    assert tc.restore(tmp_path / "best.safetensors", list(memory)) == []
    np.testing.assert_array_equal(memory[0].get_value(), best)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": 11}, "batch is 11 here, 10 there"),
        ({"shuffle": True}, "shuffle is True here, False there"),
        ({"validate": None, "every": None}, "validate is none here, error there"),
    ],
)
def test_another_run_is_refused(options, words, tmp_path):
    fit(traced, save=tmp_path, epochs=1)
    with pytest.raises(tc.TensorcError, match=words):
        fit(traced, resume=tmp_path, **options)


def test_another_program_is_refused(tmp_path):
    fit(traced, save=tmp_path, epochs=1)
    memory, _, error = traced()
    W, t = memory

    @tc.step
    def train(x, y, lr=0.1):
        cost = tc.mean(tc.cross_entropy(x @ W, y))
        tc.update(W, W - 2 * lr * tc.grad(cost, W))
        tc.update(t, t + 1)
        return cost

    before = W.get_value()
    with pytest.raises(
        tc.TensorcError, match="another run: the functions have changed"
    ):
        tc.fit(
            train,
            DATA,
            batch=10,
            epochs=5,
            validate=error,
            every=3,
            resume=tmp_path,
        )
    np.testing.assert_array_equal(W.get_value(), before)


def test_another_number_is_a_warning(tmp_path):
    fit(traced, save=tmp_path, epochs=1)
    with pytest.warns(tc.TensorcWarning, match=r"lr is 0\.2 here, 0\.1 there"):
        fit(traced, resume=tmp_path, lr=0.2)


def test_what_is_no_path_or_time_says_so(tmp_path):
    with pytest.raises(TypeError, match="save is a path, got"):
        fit(traced, save=3)
    with pytest.raises(TypeError, match="resume is a path, got"):
        fit(traced, resume=True)
    with pytest.raises(TypeError, match="`save_every` is a number of seconds, 0"):
        fit(traced, save=tmp_path, save_every="1")
    for seconds in (-1, float("nan")):
        with pytest.raises(
            ValueError, match="`save_every` is a number of seconds, 0"
        ) as caught:
            fit(traced, save=tmp_path / "new", save_every=seconds)
        assert caught.value.diagnostics[0].location.file == __file__
    assert not (tmp_path / "new").exists()
    for name in ("save", "resume"):
        with pytest.raises(ValueError, match=f"{name} is a path, got an empty text"):
            fit(traced, **{name: ""})
    with pytest.raises(tc.TensorcError, match="no such file"):
        fit(traced, resume=tmp_path / "nothing")


PROGRAM = """\
hyper lr = 0.1
param W: float[5, 3] = 0
fn loss(x: float[B, 5], y: int[B]) -> float = mean(cross_entropy(x @ W, y))
step train(x: float[B, 5], y: int[B]) -> float {
    cost = loss(x, y)
    W <- W - lr * grad(cost, W)
    return cost
}
fit first { data = npz("d.npz")  batch = 10  step = train  epochs = 4
            validate = loss  shuffle = true  seed = 3 }
fit second { data = npz("d.npz")  batch = 10  step = train  epochs = 2 }
"""


@pytest.fixture
def path(tmp_path):
    parts = {"x_train": X, "y_train": Y, "x_valid": X[:40], "y_valid": Y[:40]}
    np.savez(tmp_path / "d.npz", **parts)
    (tmp_path / "m.tc").write_text(PROGRAM)
    return tmp_path / "m.tc"


@pytest.mark.parametrize("seconds", [0, 60])  # what fails is kept before it is due
def test_a_program_keeps_its_run_and_goes_on(path, tmp_path, seconds):
    whole = tc.load(path)
    history = whole.fit()
    epochs = []
    kept = tmp_path / "kept"

    def interrupted(record):
        epochs.append(record)
        if record.epoch == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        tc.load(path).fit(save=kept, save_every=seconds, callbacks=interrupted)
    names = ["first.best.safetensors", "first.last.safetensors"]
    assert sorted(p.name for p in kept.iterdir()) == names
    resumed = tc.load(path)
    again = resumed.fit(resume=kept, callbacks=[epochs.append])
    assert [record.epoch for record in epochs][-2:] == [3, 4]
    assert again.best_validation_error == history.best_validation_error
    assert resumed.W.get_value().tobytes() == whole.W.get_value().tobytes()
    with pytest.warns(tc.TensorcWarning, match="lr"):
        tc.load(path, lr=0.2).fit(resume=kept)


def test_a_checkpoint_of_a_program_says_which_fit_it_is_of(path, tmp_path):
    kept = tmp_path / "kept"
    program = tc.load(path)
    first, second = program.fits
    assert len(program.fit(second, save=kept).epochs) == 2
    assert len(tc.load(path).fit(resume=kept).epochs) == 2  # of the second
    with pytest.raises(tc.TensorcError, match="is of fit 2, not 1"):
        program.fit(first, resume=kept)
    before = program.W.get_value()
    with pytest.raises(tc.TensorcError, match="is a checkpoint of another run"):
        tc.load(path, batch=20).fit(resume=kept)
    assert program.W.get_value().tobytes() == before.tobytes()
    for wrong in ({"save": 3}, {"resume": 3}, {"save_every": "x"}, {"callbacks": 3}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            program.fit(**wrong)


def of_a_file(path):
    def run(**options):
        given = {n: options.pop(n) for n in ("epochs", "batch", "lr") if n in options}
        program = tc.load(path, **given)
        return program.fit(program.fits[1], **options)

    return run


def of_python(path):
    def run(**options):
        _, train, _ = traced()
        return tc.fit(train, DATA, **{"batch": 10, "epochs": 2, **options})

    return run


@pytest.mark.parametrize("door", [of_a_file, of_python])
def test_save_writes_over_no_other_run(door, path, tmp_path):
    run, kept = door(path), tmp_path / "kept"
    run(save=kept)
    run(save=kept)  # the same run again
    (last,) = kept.glob("*last.safetensors")
    before = last.read_bytes()
    for others, why in (
        ({"batch": 5}, "it is a checkpoint of another run: batch is 5 here, 10 there"),
        ({"lr": 0.2}, r"lr is 0\.2 here, 0\.1 there"),
        ({"epochs": 1}, "it is of epoch 2, this run ends with 1"),
    ):
        words = f"TC0807.*last.safetensors would be written over: {why}"
        with pytest.raises(tc.TensorcError, match=words) as caught:
            run(save=kept, **others)
        text = str(caught.value)
        # Only what `resume` accepts is said.
        assert (f"resume={str(kept)!r}" in text) == ("batch" not in others)
        assert "overwrite=True" in text
        assert "--" not in text.replace("-->", "")
        assert last.read_bytes() == before
    run(save=kept, resume=kept, epochs=3)
    run(save=kept, lr=0.2, overwrite=True)
    assert last.read_bytes() != before
    with pytest.raises(TypeError, match="`overwrite` is true or false, got"):
        run(save=kept, overwrite=1)


def large_batches_of_a_file(path):
    return tc.load(path, batch=16, epochs=1).fit()


def large_batches_of_python(path):
    return fit(traced, batch=16, epochs=1)


@pytest.mark.parametrize("door", [large_batches_of_a_file, large_batches_of_python])
def test_rows_that_are_left_out_are_a_warning_here(door, path):
    words = "TC0605: 8 of 40 validation rows fill no batch of 16; .*: batch=… takes"
    with pytest.warns(tc.TensorcWarning, match=words) as seen:
        door(path)
    assert {w.filename for w in seen} == {__file__}
