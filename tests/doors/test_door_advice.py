"""What errors advise is said in the words of the door: arguments, or flags."""

import re

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli import main
from tensorc.errors import COMMAND_LINE

PROGRAM = """\
hyper n = 2
hyper lr = 0.1
param w: float[2] = 0.5
fn sized(x: float[2]) = sum(x, keepdims=(n > 1)) * n
step train(x: float[B, 2], y: float[B]) -> float {
    cost = mean((x @ w - y)**2)
    w <- w - lr * grad(cost, w)
    return cost
}
fit { data = npz("d.npz")  batch = 5  step = train  epochs = 40 }
"""
FLAGS = re.compile(r"(?<!-)--[a-z]")


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20, 2)).astype("f")
    np.savez(tmp_path / "d.npz", x=x, y=y[:, 0])
    file = tmp_path / "m.tc"
    file.write_text(PROGRAM)
    tc.load(file).save(tmp_path / "w.safetensors")
    return str(file)


# Name, what Python does, the words of the command line, what each of them says.
CASES = {
    "diverged": (
        lambda p, d: tc.load(p, lr=1e30).fit(),
        ["train", "FILE", "--set", "lr=1e30"],
        ("smaller steps: lr=…", "allow_nan=True"),
        ("smaller steps: --set lr=…", "--allow-nan"),
    ),
    "batch": (
        lambda p, d: tc.load(p, batch=21).fit(),
        ["train", "FILE", "--set", "batch=21"],
        ("use smaller batches: batch=20",),
        ("use smaller batches: --set batch=20",),
    ),
    "resume": (
        lambda p, d: tc.load(p).fit(resume=d / "w.safetensors"),
        ["train", "FILE", "--resume", "DIR/w.safetensors"],
        ("start from them: tc.restore('",),
        ("start from them: --init ",),
    ),
    "setting": (
        lambda p, d: tc.load(p, lr="0.1 +"),
        ["train", "FILE", "--set", "lr=0.1 +"],
        ("--> lr=:1:",),
        ("--> --set lr:1:",),
    ),
    "fixed": (
        lambda p, d: tc.load(p).sized(np.ones(2), n=3),
        ["run", "FILE::sized", "--arg", "x=[1, 2]", "--arg", "n=3"],
        ("tc.load(path, n=3)",),
        ("--set n=3",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_door_has_its_words(name, path, tmp_path, capsys):
    call, words, python, flags = CASES[name]
    with pytest.raises(tc.TensorcError) as caught:
        call(path, tmp_path)
    told = str(caught.value)
    assert all(text in told for text in python), told
    assert not FLAGS.search(told), told
    words = [w.replace("FILE", path).replace("DIR", str(tmp_path)) for w in words]
    assert main.run(words) in (main.USER_ERROR, main.MISMATCH)
    said = capsys.readouterr().err
    assert all(text in said for text in flags), said
    assert "tc." not in said.replace("m.tc", "")
    assert not COMMAND_LINE.get()


def test_errors_of_a_file_quote_its_line(tmp_path, capsys):
    path = tmp_path / "m.tc"
    path.write_text("hyper n = 4\nhyper m = nn\n")
    with pytest.raises(tc.CompileError) as caught:
        tc.load(path)
    assert main.run(["run", str(path)]) == main.USER_ERROR
    assert str(caught.value) == capsys.readouterr().err.rstrip()
    assert "2 | hyper m = nn\n  |           ^^" in str(caught.value)
    path.write_text("fn f(x: float[B, 3], y: float[4]) = x @ y\n")
    program = tc.load(path)
    for ask in (lambda: program.f, lambda: tc.emit(str(path), "tensor", None, {})):
        with pytest.raises(tc.CompileError, match=r"1 \| fn f\(x: float\[B, 3\], y"):
            ask()


def test_a_missing_file_is_said_at_the_callers_line(tmp_path):
    with pytest.raises(tc.CompileError, match=r"test_door_advice\.py:") as caught:
        tc.load(tmp_path / "no.tc")
    assert "no.tc" in str(caught.value)
