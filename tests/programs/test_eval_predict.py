"""`tensorc eval` and `tensorc predict`, and the events of `--log`."""

import json

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api import stages
from tensorc.cli.main import run
from tensorc.ir.dims import evaluate
from tensorc.passes.analysis.cost import cost_of
from tests.runtime.test_data import encode

MODEL = """
param W: float[3, 2] = [[1, 0], [0, 1], [0.5, 0.25]]
fn logits(x: float[B, 3]) -> float[B, 2] = x @ W
fn both(x: float[B, 3]) -> (scores: float[B, 2], first: bool[B]) {
    z = logits(x)
    return z, z[:, 0] > z[:, 1]
}
fn distance(x: float[B, 3], y: float[B, 3]) -> float[B] = sum((x - y) * (x - y), axis=1)
fn pairs(x: float[2, 3]) -> float[2] = sum(x, axis=1)
fn total(x: float[B, 3]) -> float = sum(x)
fn cube(x: float[B, 3]) -> float[B, 1, 3] = x[:, none, :]
fn loss(x: float[B, 3], y: int[B]) -> float = mean(cross_entropy(logits(x), y))
fn error(x: float[B, 3], y: int[B]) -> float = mean(argmax(logits(x), axis=1) != y)
step train(x: float[B, 3], y: int[B]) -> float {
    cost = loss(x, y)
    W <- W - 0.1 * grad(cost, W)
    return cost
}
fit {
    data = npz("all.npz")  batch = 4  step = train  validate = error  test = loss
    epochs = 3
}
"""
X = np.random.default_rng(8).normal(size=(11, 3)).astype(np.float32)
Y = np.arange(11) % 2
W = np.float32([[1, 0], [0, 1], [0.5, 0.25]])


@pytest.fixture
def model(tmp_path):
    rows = {"x_train": X, "y_train": Y, "x_valid": X[:9], "y_valid": Y[:9]}
    np.savez(tmp_path / "all.npz", **rows, x_test=X[2:], y_test=Y[2:])
    path = tmp_path / "m.tc"
    path.write_text(MODEL)
    return path


def test_eval_gives_what_training_gave(model, capsys, tmp_path):
    kept = tmp_path / "kept"
    assert run(["train", str(model), "--save", str(kept), "--json", "-"]) == 0
    history = json.loads(capsys.readouterr().out)
    report = tmp_path / "eval.json"
    arguments = ["eval", str(model), "--init", str(kept), "--json", str(report)]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(report.read_text())
    assert found["validation"]["error"] == history["best_validation_error"]
    assert found["test"]["error"] == history["test_error"]
    assert found["validation"]["function"] == "error"
    wrong = round(8 * found["validation"]["error"])
    assert lines[0].endswith(f" % ({wrong} of 8)")
    assert lines[1].endswith(" (of 8)")
    assert run(["eval", str(model), "--json", "-"]) == 0
    assert "validation" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["validate=none", "test=none"], "no function to validate or test with"),
        (["batch=10"], "the validation data has 9 examples, a batch 10"),
        (["validate=logits"], "must return one number, `logits` does not"),
        (['data=npz("train.npz")'], "'npz' has no validation or test data"),
    ],
)
def test_what_cannot_be_evaluated(model, capsys, settings, words):
    np.savez(model.parent / "train.npz", x=X, y=Y)
    options = [word for setting in settings for word in ("--set", setting)]
    assert run(["eval", str(model), *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("batch", [1, 4, 11, 100])
def test_predict_every_row_whatever_the_batch(model, tmp_path, batch):
    out = tmp_path / "out.npy"
    np.save(tmp_path / "rows.npy", X.astype(np.float64))
    arguments = ["predict", f"{model}::logits", "--data", str(tmp_path / "rows.npy")]
    assert run([*arguments, "-o", str(out), "--batch", str(batch)]) == 0
    expected = tc.load(model).logits(X)
    assert np.load(out).tobytes() == np.asarray(expected).tobytes()


def test_predict_with_given_params_from_every_form(model, tmp_path, capsys):
    np.savez(tmp_path / "w.npz", W=2 * W)
    np.savez(tmp_path / "rows.npz", a=X)
    (tmp_path / "rows-idx").write_bytes(encode(X))
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", fmt="%.9g")
    for name in ("rows.npz", "rows-idx", "rows.csv"):
        out = tmp_path / "out.npy"
        arguments = ["predict", f"{model}::logits", "--data", str(tmp_path / name)]
        init = ["--init", str(tmp_path / "w.npz"), "-o", str(out)]
        assert run([*arguments, *init]) == 0
        np.testing.assert_allclose(np.load(out), X @ (2 * W), rtol=1e-5, atol=1e-6)


def test_predict_several_results_and_columns(model, tmp_path, capsys):
    out = tmp_path / "out.npz"
    assert run(["predict", f"{model}::both", "--split", "train", "-o", str(out)]) == 0
    with np.load(out) as found:
        assert sorted(found) == ["first", "scores"]
        assert found["first"].dtype == np.bool_
        assert found["first"].shape == (11,)
    np.savez(tmp_path / "two.npz", x=X, y=X[::-1])
    data = ["--data", str(tmp_path / "two.npz")]
    assert run(["predict", f"{model}::distance", *data]) == 0
    printed = [float(line) for line in capsys.readouterr().out.split()]
    expected = ((X - X[::-1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(printed, expected, rtol=1e-5)
    assert run(["predict", f"{model}::cube", *data[:1], str(tmp_path / "x.npy")]) == 1


def test_predict_without_rows_and_in_pairs(model, tmp_path, capsys):
    np.save(tmp_path / "none.npy", X[:0])
    np.save(tmp_path / "ten.npy", X[:10])
    out = tmp_path / "out.npy"
    none = ["--data", str(tmp_path / "none.npy"), "-o", str(out)]
    assert run(["predict", f"{model}::logits", *none]) == 0
    assert np.load(out).shape == (0, 2)
    ten = ["--data", str(tmp_path / "ten.npy"), "-o", str(out)]
    assert run(["predict", f"{model}::pairs", *ten]) == 0
    np.testing.assert_allclose(np.load(out), X[:10].sum(axis=1), rtol=1e-5)
    assert run(["predict", f"{model}::pairs", "--split", "train"]) == 1
    assert "takes 2 rows at a time, the data has 11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("::train", [], "'train' is a step, which changes memory"),
        ("::nothing", [], "there is no function 'nothing'"),
        ("", [], "a name is missing"),
        ("::", [], "a name is expected after '::'"),
        ("::total", [], "does not return a row for each example"),
        ("::distance", ["--data", "one.npz"], "takes 'x', the data has no such column"),
        ("::logits", ["--data", "wide.npy"], "axis 1"),
        ("::logits", ["--data", "no.npy"], "no such file"),
        ("::both", ["-o", "a.npy"], "2 results go to an .npz file only"),
        ("::cube", ["-o", "-"], "f32[9, 1, 3] is not a table"),
        ("::logits", ["-o", "no/where.npy"], "there is no directory"),
    ],
)
def test_what_cannot_be_predicted(
    model, tmp_path, monkeypatch, capsys, name, options, words
):
    monkeypatch.chdir(tmp_path)
    np.savez("one.npz", a=X, b=X)
    np.save("wide.npy", np.ones((4, 5), np.float32))
    assert run(["predict", f"{model}{name}", *options]) == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


def test_the_form_of_the_output_is_checked_first(model, capsys):
    assert run(["predict", f"{model}::logits", "-o", "a.txt"]) == 2
    assert "none of .npy, .npz and .csv" in " ".join(capsys.readouterr().err.split())


def test_the_log_tells_every_event(model, tmp_path, capsys):
    log = tmp_path / "run.jsonl"
    for _ in range(2):  # it is appended to
        assert run(["train", str(model), "--log", str(log), "--quiet"]) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    half = ["start", *["validation", "epoch"] * 3, "end"]
    assert [e["event"] for e in events] == half * 2
    assert events[2]["epoch"] == 1
    assert events[1]["validation_error"] == events[2]["validation_error"]
    assert events[1]["is_best"] is True
    assert events[1]["patience"] is None
    assert events[7]["epochs"] == 3
    assert run(["train", str(model), "--log", str(tmp_path / "no" / "log")]) == 1
    assert "there is no directory" in capsys.readouterr().err


def test_the_memory_is_shown_before_training(model, capsys):
    assert run(["train", str(model)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "W       f32[3, 2]  6  24 bytes",
        "in all             6  24 bytes",
    ]
    many = "".join(f"param p{i}: float[10, 100] = 0\n" for i in range(1200))
    model.write_text(many + model.read_text())
    assert run(["train", str(model), "--set", "epochs=1"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[11].split() == ["p11", "f32[10,", "100]", "1,000", "3.9", "KiB"]
    assert lines[12].strip() == "and 1,189 more"
    assert lines[13].split() == ["in", "all", "1,200,006", "4.6", "MiB"]


def test_what_a_step_costs_is_shown_and_written(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "run.json"
    given = []
    for _ in range(2):  # the second is a hit in the cache: it knows the same
        assert run(["train", str(model), "--json", str(path)]) == 0
        line = capsys.readouterr().err.splitlines()[2]
        document = json.loads(path.read_text())
        given.append((line, document["footprint"], document["memory"]))
    assert given[0] == given[1]
    line, cost, memory = given[0]
    module = compiler.compile(
        stages.module_of(str(model), "train", {}),
        compiler.host_target(),
        upto="structured",
    ).module
    kernels, flops = cost_of(module.functions[0])
    flops = evaluate(flops, {"B": cost["batch"]})
    assert (cost["kernels"], cost["flops"]) == (kernels, flops)
    assert flops > 0
    assert cost["arena"] % 64 == 0
    assert cost["data"] == sum(rows * (3 * 4 + 8) for rows in (11, 9, 9))
    assert line.startswith(f"train: {kernels} kernels, ")
    assert memory == [{"name": "W", "type": "f32[3, 2]", "count": 6, "bytes": 24}]


def test_programs_save_and_restore(model, tmp_path):
    program = tc.load(model)
    program.W.set_value(3 * W)
    program.save(tmp_path / "w.safetensors")
    other = tc.load(model)
    assert other.restore(tmp_path / "w.safetensors") == []
    assert (other.W.get_value() == 3 * W).all()
