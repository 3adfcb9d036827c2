"""What a command writes is none of the files that it reads."""

import numpy as np
import pytest

from tensorc.cli import fuzz
from tensorc.cli.main import run
from tensorc.recipes import TIME

MODEL = """
param w: float[2] = 0
fn predict(x: float[B, 2]) -> float[B] = x @ w
step train(x: float[B, 2]) -> float {
    cost = mean((x @ w - 1)**2)
    w <- w - 0.1 * grad(cost, w)
    return cost
}
fit { data = npz("d.npz")  batch = 2  step = train }
"""


@pytest.mark.parametrize(
    "words",
    [
        "train m.tc --json m.tc",
        "train m.tc --log ./m.tc",
        "train m.tc --init w.npz --json w.npz",
        "eval m.tc --json m.tc",
        "predict m.tc::predict --data d.npz -o d.npz",
        "predict m.tc::predict --data d.npz --init w.npz -o w.npz",
        "compile m.tc -o m.tc",
    ],
)
def test_inputs_are_not_written_over(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "m.tc").write_text(MODEL)
    np.savez(tmp_path / "d.npz", x=np.ones((4, 2), np.float32))
    np.savez(tmp_path / "w.npz", w=np.ones(2, np.float32))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    assert run(words.split()) == 1
    assert "is read, and would be lost" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("words", ["fuzz --seconds", "train m.tc --save-every"])
@pytest.mark.parametrize("value", ["nan", "-1.0", "long"])
def test_what_is_no_time(words, value, capsys):
    assert run([*words.split(), value]) == 2
    shown = f"'{value}'" if value == "long" else value
    kind = fuzz._DURATION if words.startswith("fuzz") else TIME
    expected = f"`{words.split()[-1]}` is {kind.words}, got {shown}\n"
    assert capsys.readouterr().err.startswith(f"error: {expected}")
