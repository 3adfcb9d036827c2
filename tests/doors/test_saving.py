"""`tc.save` and `tc.restore`: shared variables in files, by name."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli import main
from tensorc.runtime.arrays import DTYPES


def variables():
    return tc.shared(np.ones((2, 3), np.float32), "W"), tc.shared(0.5, "b")


def values(*shared):
    return [variable.get_value().tolist() for variable in shared]


@pytest.mark.parametrize("form", [list, tuple, lambda v: {"W": v[0], "b": v[1]}])
def test_what_is_saved_is_restored(tmp_path, form):
    W, b = variables()
    W.set_value(np.arange(6, dtype=np.float32).reshape(2, 3))
    path = tmp_path / "model.safetensors"
    tc.save(path, form([W, b]))
    V, c = variables()
    assert tc.restore(str(path), form([V, c])) == []
    assert values(V, c) == values(W, b)
    assert tc.restore(path, {"W": V, "b": c, "more": tc.shared(1.0)}) == ["more"]


def test_one_variable_and_a_program(tmp_path):
    W, b = variables()
    path = tmp_path / "W.safetensors"
    tc.save(path, W)
    W.set_value(np.zeros((2, 3), np.float32))
    tc.restore(path, (W,))
    assert values(W) == [[[1, 1, 1], [1, 1, 1]]]
    file = tmp_path / "m.tc"
    file.write_text("param W: float[2, 3] = 0\nfn f(x: float) = x * W\n")
    program = tc.load(file)
    tc.restore(path, program)
    assert values(program.W) == values(W)
    tc.save(path, program)
    with pytest.raises(tc.TensorcError, match="no param or state 'W'"):
        tc.restore(path, {"b": b})


def test_npz_is_read(tmp_path):
    W, b = variables()
    np.savez(tmp_path / "w.npz", W=2 * np.ones((2, 3)))
    assert tc.restore(tmp_path / "w.npz", [W, b]) == ["b"]
    assert values(W, b) == [[[2, 2, 2], [2, 2, 2]], 0.5]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (3, "params are shared variables, got"),
        ("W", "params are shared variables, got"),
        ({"W": "text"}, "params are shared variables, got"),
        ({"a\0b": tc.shared(1.0)}, r"'a\\x00b' is not a name"),
        ({"\ud800": tc.shared(1.0)}, r"'\\ud800' is not a name"),
        ([tc.shared(1.0)], "without a name"),
        ([tc.shared(1.0, "a"), tc.shared(2.0, "a")], "two variables are called 'a'"),
    ],
)
def test_mistakes(tmp_path, params, words):
    path = tmp_path / "w.safetensors"
    for call in (tc.save, tc.restore):
        with pytest.raises(tc.TensorcError, match=words) as failure:
            call(path, params)
        assert "test_saving.py" in str(failure.value)
    assert not path.exists()


def test_nothing_is_not_saved(tmp_path):
    path = tmp_path / "w.npz"
    for params in ({}, []):
        with pytest.raises(tc.TensorcError, match="there is nothing to save"):
            tc.save(path, params)
    assert not path.exists()


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_arrays_and_variables_of_every_type_come_back(ending, tmp_path):
    arrays = {
        f"a{i}": np.arange(6).reshape(2, 3).astype(dtype)
        for i, dtype in enumerate(DTYPES.values())
    }
    arrays |= {"file": np.float32(3), "none": np.zeros((0, 4)), "T": np.eye(3).T[:2]}
    path = tmp_path / f"all.{ending}"
    tc.save(path, arrays)
    cells = {name: tc.shared(np.zeros_like(a)) for name, a in arrays.items()}
    assert tc.restore(path, cells) == []
    for name, array in arrays.items():
        value = cells[name].get_value()
        assert (value.dtype, value.shape) == (array.dtype, array.shape)
        assert value.tobytes() == array.tobytes()
    before = path.read_bytes()
    tc.save(path, tc.group(cells))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_npz_is_numpys_and_what_init_takes(tmp_path, capsys):
    file = tmp_path / "m.tc"
    file.write_text("param W: float[2] = 0\nfn f(x: float) = x * W\n")
    program = tc.load(file)
    program.W.set_value(np.float32([3, 4]))
    for number, save in enumerate((program.save, lambda p: tc.save(p, program.params))):
        path = tmp_path / f"{number}.npz"
        save(path)
        assert {n: a.tolist() for n, a in np.load(path).items()} == {"W": [3, 4]}
        words = ["run", f"{file}::f", "--arg", "x=2", "--init", str(path)]
        assert main.run(words) == 0
        assert capsys.readouterr().out == "[6.0, 8.0]\n"
        program.W.set_value(np.zeros(2, "f"))
        assert program.restore(path) == []
        assert program.W.get_value().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("w.npz", {"W": np.ones(2, complex)}, "'W' is an array of complex128"),
        ("w.npz", {"W": np.array(["a"])}, "'W' is an array of <U1"),
        ("w.npz", [np.ones(2)], "without a name"),
        ("w.bin", {"W": np.ones(2)}, r"(?s)weights are .npz or .safetensors.*decides"),
        ("no/w.npz", {"W": np.ones(2)}, "cannot be written"),
        ("w.npz", {str(i): np.float32(i) for i in range(10_001)}, "10,001 arrays"),
    ],
)
def test_what_cannot_be_saved(name, params, words, tmp_path):
    with pytest.raises(tc.TensorcError, match=words) as failure:
        tc.save(tmp_path / name, params)
    assert "test_saving.py" in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_text_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    W, _ = variables()
    tc.save("best.safetensors", W)  # a directory stands for it
    (tmp_path / "m.tc").write_text("param W: float[2, 3] = 0\nfn f(x: float) = x * W\n")
    program = tc.load("m.tc")
    for door in (
        lambda: tc.restore("", W),
        lambda: tc.save("", W),
        lambda: program.restore(""),
        lambda: program.save(""),
    ):
        with pytest.raises(ValueError, match="path is a path, got an empty text"):
            door()
    assert tc.restore(".", W) == []
