"""Memory with names of parts: `param conv1.W` is the member `W` of group `conv1`."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli.main import run
from tensorc.frontend.dsl.syntax.parser import parse
from tests.frontend.irgen_helpers import program

MODEL = """
param first.W: float[3, 2] ~ uniform(-1, 1, seed=3)     # weights
param first.b: float[2] = 0
state first.count: int = 0
param out.layer.W: float[2, 1] = 1

fn dense(layer, x) = tanh(x @ layer.W + layer.b)
fn predict(x: float[B, 3]) -> float[B] {
    zero: like first.b = 0
    return (dense(first, x) @ out.layer.W + sum(zero))[:, 0]
}
fn error(x: float[B, 3], y: float[B]) -> float = mean((predict(x) - y)**2)
step train(x: float[B, 3], y: float[B]) -> float {
    cost = error(x, y)
    dW, db = grad(cost, (first.W, first.b))
    if cost > 0 { first.W <- first.W - 0.1 * dW }
    first.b, first.count <- first.b - 0.1 * db, first.count + 1
    out.layer.W <- out.layer.W - 0.1 * grad(cost, out.layer.W)
    return cost
}
fit { data = npz("rows.npz")  batch = 4  step = train  validate = error  epochs = 2 }
"""
PLAIN = MODEL.replace("first.", "first_").replace("out.layer.", "out_layer_")
PLAIN = PLAIN.replace(
    "fn dense(layer, x) = tanh(x @ layer.W + layer.b)",
    "fn dense(layer, x) = tanh(x @ first_W + first_b)",
).replace("dense(first, x)", "dense(0, x)")
NAMES = ["first.W", "first.b", "first.count", "out.layer.W"]
rng = np.random.default_rng(5)
X, Y = rng.normal(size=(8, 3)).astype("f"), rng.normal(size=8).astype("f")


@pytest.fixture
def model(tmp_path):
    rows = {"x_train": X, "y_train": Y, "x_valid": X, "y_valid": Y}
    np.savez(tmp_path / "rows.npz", **rows, x_test=X, y_test=Y)
    path = tmp_path / "model.tc"
    path.write_text(MODEL)
    return path


def test_memory_has_its_dotted_name():
    memories = program(MODEL).memories
    assert [m.name for m in memories] == NAMES
    assert memories[0].doc == "weights"
    assert parse("param a.b.c: float = 0", "a.tc").items[0].name == "a.b.c"


def test_steps_do_what_they_do_with_plain_names(tmp_path, model):
    """Only what is drawn differs: a draw depends on its name."""
    plain = tmp_path / "plain.tc"
    plain.write_text(PLAIN)
    one, other = tc.load(model), tc.load(plain)
    other.first_W.set_value(one.first.W.get_value())
    costs = [(one.train(X, Y), other.train(X, Y)) for _ in range(3)]
    assert len({float(cost) for pair in costs for cost in pair}) == 3
    for name in NAMES:
        mine, own = one.shared[name], other.shared[name.replace(".", "_")]
        assert mine.get_value().tobytes() == own.get_value().tobytes()
    assert one.first.count.get_value() == 3


def test_a_program_shows_groups_as_parts(model):
    made = tc.load(model)
    assert made.params.names == ("first.W", "first.b", "out.layer.W")
    assert dir(made.first) == ["W", "b", "count"]
    assert dir(made.out) == ["layer"]
    assert made.out.layer.W.get_value().tolist() == [[1], [1]]


def test_init_reads_dotted_names_and_checkpoints_keep_them(model, tmp_path, capsys):
    start = {name: c.get_value() + 2 for name, c in tc.load(model).shared.items()}
    np.savez(tmp_path / "w.npz", **start)
    kept = tmp_path / "kept"
    arguments = ["train", str(model), "--init", str(tmp_path / "w.npz")]
    assert run([*arguments, "--save", str(kept)]) == 0
    made, other = tc.load(model), tc.load(model)
    assert made.restore(tmp_path / "w.npz") == []
    assert made.first.b.get_value().tolist() == [2, 2]
    made.fit()
    assert other.restore(kept / "last.safetensors") == []
    for name in NAMES:
        assert (
            made.shared[name].get_value().tobytes()
            == other.shared[name].get_value().tobytes()
        )
    assert made.first.count.get_value() == 2 + 2 * 2
    np.savez(tmp_path / "w.npz", **{"first.V": X})
    assert run(arguments) == 1
    assert "the program has first.W, first.b" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a..b", ".a", "a.", "a.1", "a.if"])
def test_names_that_are_none(name):
    with pytest.raises(tc.TensorcError):
        parse(f"param {name}: float = 0", "a.tc")
