"""`tc.save` and `tc.restore`: shared variables in files, by name."""

import numpy as np
import pytest

import tensorc as tc


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
        ([np.ones(3)], "params are shared variables, got"),
        ({"W": np.ones(3)}, "params are shared variables, got"),
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
