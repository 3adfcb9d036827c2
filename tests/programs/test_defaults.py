"""Defaults of arguments hold wherever a function is called from outside."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli import main

PROGRAM = """\
hyper two = 2
param w: float[2] = 1
fn f(
    x: float[B], k: int = 3, s: float = 0.1 * two, v: float[2] = [1, inf]
) -> (y: float[B], z: float[2]) {
    return x * k + s, v
}
fn rows(x: float[B, 2], n: int = 2) -> float[B] = sum(x[:, 0:n], axis=1)
fn loss(x: float[B, 2], y: float[B], scale: float = 0.5) -> float {
    return mean((x @ w - y)**2) * scale
}
step train(x: float[B, 2], y: float[B], lr: float = 0.25, keep: int = 1) -> float {
    cost = loss(x, y)
    w <- w * keep - lr * grad(cost, w)
    return cost
}
fit { data = npz("d.npz")  batch = 5  step = train  epochs = 2
      shuffle = SHUFFLE  validate = loss }
run { call = f([1, 2]) }
run { call = f([1, 2], 5) }
"""


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2)).astype("f")
    parts = {"x_train": x, "y_train": x[:, 0], "x_valid": x[:5], "y_valid": x[:5, 1]}
    np.savez(tmp_path / "d.npz", **parts)
    np.savez(tmp_path / "x.npz", x=x)
    file = tmp_path / "m.tc"
    file.write_text(PROGRAM.replace("SHUFFLE", "false"))
    return str(file)


def test_calls_from_python(path):
    f = tc.load(path).f
    x = np.float32([1, 2])
    y, z = f(x)
    np.testing.assert_array_equal(y, np.float32([1, 2]) * 3 + np.float32(0.2))
    assert z.tolist() == [1, np.inf]
    assert f(x, 5)[0].tolist() == f(x, k=5)[0].tolist() == f(x=x, k=5)[0].tolist()
    assert f(x, v=[3, 4])[1].tolist() == [3, 4]
    assert f(x)[0].tolist() == y.tolist()
    assert tc.load(path).rows(np.ones((3, 2))).tolist() == [2, 2, 2]
    with pytest.raises(TypeError, match=r"(?s)0 given.*f\(x: f32\[B\], k: i64 = …"):
        f()


@pytest.mark.parametrize("cached", [False, True])
def test_calls_from_the_command_line(path, cached, capsys):
    for _ in range(1 + cached):
        assert main.run(["run", f"{path}::f", "--arg", "x=[1, 2]"]) == 0
        assert capsys.readouterr().out == "[3.2, 6.2], [1.0, inf]\n"
    words = ["run", f"{path}::f", "--arg", "x=[1, 2]", "--arg", "k=5"]
    assert main.run(words) == 0
    assert capsys.readouterr().out == "[5.2, 10.2], [1.0, inf]\n"
    assert main.run(["run", path]) == 0
    expected = "[3.2, 6.2], [1.0, inf]\n[5.2, 10.2], [1.0, inf]\n"
    assert capsys.readouterr().out == expected
    assert main.run(["run", f"{path}::f"]) == 1
    assert "'f' needs the argument 'x'" in capsys.readouterr().err
    data = path.replace("m.tc", "x.npz")
    assert main.run(["predict", f"{path}::rows", "--data", data, "-o", "-"]) == 0
    assert len(capsys.readouterr().out.split()) >= 20


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_training(path, shuffle, tmp_path):
    (tmp_path / "m.tc").write_text(PROGRAM.replace("SHUFFLE", shuffle))
    program = tc.load(path)
    history = program.fit()
    spelled = PROGRAM.replace("SHUFFLE", shuffle)
    # The same numbers, said in the program instead.
    for default in (", lr: float = 0.25, keep: int = 1", ", scale: float = 0.5"):
        spelled = spelled.replace(default, "")
    spelled = spelled.replace("* scale", "* 0.5").replace("* keep - lr", "- 0.25")
    (tmp_path / "n.tc").write_text(spelled)
    other = tc.load(tmp_path / "n.tc")
    again = other.fit()
    assert history.best_validation_error == again.best_validation_error
    assert program.w.get_value().tobytes() == other.w.get_value().tobytes()


@pytest.mark.parametrize(
    ("formal", "words"),
    [
        ("k: int = 1.5", "1.5"),
        (
            "k: float[2] = [1, 2, 3]",
            r"its default has the shape \[3\]",
        ),
        ("k: float[2] = 1", r"its default has the shape \[\]"),
        ("k: i8 = 300", "300 does not fit i8"),
    ],
)
def test_a_default_fits_its_type(formal, words, tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(f"fn f(x: float, {formal}) = x\n")
    with pytest.raises(tc.CompileError, match=words):
        tc.load(path).f(1)


def test_a_default_that_is_no_number_is_given(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("param w: float = 2\nfn f(x: float, k: float = w) = x * k\n")
    f = tc.load(path).f
    assert f(1, 3) == 3
    with pytest.raises(TypeError, match="2 inputs expected, 1 given"):
        f(1)


def test_defaults_stand_in_the_text_of_the_ir(path, tmp_path):
    program = tc.load(path)
    (tmp_path / "f.mlir").write_text(program.f.emit("graph"))
    read = tc.load(tmp_path / "f.mlir")
    for value, expected in zip(read.f([1, 2]), program.f([1, 2]), strict=True):
        assert value.tobytes() == expected.tobytes()
