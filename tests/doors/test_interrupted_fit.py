"""Ctrl-C in `tc.fit`, and what the same run says when it is started again."""

import os
import signal
import traceback
import warnings

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli import main

DATA = {"x": np.ones((40, 5), "f")}
MODEL = """\
param w: float[5] = 0
step train(x: float[B, 5]) -> float {
    cost = mean((x @ w - 1)**2)
    w <- w - 0.1 * grad(cost, w)
    return cost
}
fit { data = npz("d.npz")  batch = 10  step = train  epochs = 5 }
"""


@pytest.fixture
def w():
    return tc.shared(np.zeros(5, "f"), "w")


@pytest.fixture
def step(w):
    @tc.step
    def train(x):
        cost = tc.mean((x @ w - 1) ** 2)
        tc.update(w, w - 0.1 * tc.grad(cost, w))
        return cost

    return train


@pytest.fixture
def program(tmp_path):
    (tmp_path / "m.tc").write_text(MODEL)
    np.savez(tmp_path / "d.npz", x_train=DATA["x"])
    return tc.load(str(tmp_path / "m.tc"))


def press(record):
    if record.epoch == 2:
        os.kill(os.getpid(), signal.SIGINT)


def interrupted(fit, **options):
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(callbacks=press, **options)
    return caught.value


@pytest.mark.parametrize("door", ["fit", "Program.fit"])
def test_an_interrupt_ends_at_the_users_line(door, step, w, program, tmp_path):
    def train(anew=False, **options):
        if anew:  # from the same values: what begins with others is another run
            w.set_value(np.zeros(5, "f"))
            program.shared["w"].set_value(np.zeros(5, "f"))
        if door == "fit":
            return tc.fit(step, DATA, batch=10, epochs=5, **options)
        return program.fit(**options)

    folder = str(tmp_path / "kept")
    error = interrupted(train, save=folder)
    assert error.__notes__ == [f"go on with resume={folder!r}"]
    frames = traceback.extract_tb(error.__traceback__)
    assert {frame.filename for frame in frames} == {__file__}
    assert frames[-1].name in ("train", "press")
    assert not hasattr(interrupted(train), "__notes__")
    with pytest.warns(
        tc.TensorcWarning, match=r"TC0808: .* holds epoch \d of this run"
    ):
        interrupted(train, anew=True, save=folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(resume=folder, save=folder)
        train(anew=True, save=folder)  # a run that ended
        interrupted(train, save=folder, overwrite=True)
        train(save=folder, overwrite=True)


def test_the_command_line_says_that_a_run_starts_anew(program, tmp_path, capsys):
    folder = tmp_path / "kept"
    interrupted(program.fit, save=folder)
    words = ["train", str(tmp_path / "m.tc"), "--quiet", "--save", str(folder)]
    assert main.run([*words, "--resume", str(folder), "--set", "epochs=5"]) == 0
    assert "TC0808" not in capsys.readouterr().err
    program.shared["w"].set_value(np.zeros(5, "f"))
    interrupted(program.fit, save=folder, overwrite=True)
    assert main.run(words) == 0
    shown = capsys.readouterr().err
    assert shown.count("warning[TC0808]") == 1
    assert f"--resume {folder} goes on" in shown
    assert main.run(words) == 0
    assert "TC0808" not in capsys.readouterr().err
