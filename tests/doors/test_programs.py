"""A loaded program as a Python object: what it shows, and what cannot be set."""

import pytest

import tensorc as tc

MODEL = """
hyper lr = 0.5, f = tanh
param W: float[2] = 1
fn g(x: float[B, 2]) -> float[B] = lr * (x @ W)
step up(d: float) { W <- W + d }
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.tc").write_text(MODEL)
    return tc.load(tmp_path / "m.tc")


def test_hypers_are_attributes(model):
    assert model.lr == 0.5
    assert model.f == "tanh"
    assert {"lr", "f", "W", "g", "up", "params", "save"} <= set(dir(model))
    assert tc.load(model.path, lr=2).lr == 2


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("W", r"write `W.set_value\(…\)`"),
        ("lr", r"load it anew: tc.load\(.*, lr=…\)"),
        ("g", "what the file declares stays"),
        ("path", "what the file declares stays"),
        ("w", "it has no such attribute"),
    ],
)
def test_nothing_is_assigned(model, name, way):
    with pytest.raises(AttributeError, match=f"`{name}` of the program .*: {way}"):
        setattr(model, name, 3)
    assert model.lr == 0.5


def test_a_program_shows_its_names(model):
    assert repr(model) == f"<program {model.path}: functions g, up; memory W>"
    with pytest.raises(AttributeError, match="did you mean `lr`"):
        _ = model.lrr
