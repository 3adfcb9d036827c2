"""The tutorials' first programs on real data: published numbers, one compilation."""

import json
from pathlib import Path

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import program as api
from tensorc.cli.main import run
from tensorc.errors import IndexOutOfRange, ShapeError
from tensorc.ir.interpreter import interpret
from tests.samples import same_bits
from tests.stages import all_results

ROOT = Path(__file__).parents[2]
LOGREG = str(ROOT / "examples" / "logreg.tc")
TRIVIAL = str(ROOT / "examples" / "trivial.tc")

# Seed 002's printed outputs: only one order of summation gives them (S0208).
S0208 = """0.8
80.16000000000001
96.03200000000001
99.2064
99.84128
99.968256
99.9936512
99.99873024
99.99974604799999
99.99994920960002
"""

SMALL = """
hyper lr = 0.13
param W: float[8, 3] = 0.25
param b: float[3] = 0
fn logits(x: float[5, 8]) -> float[5, 3] = x @ W + b
fn loss(x: float[5, 8], y: int[5]) -> float = mean(cross_entropy(logits(x), y))
fn error(x: float[5, 8], y: int[5]) -> float = mean(argmax(logits(x), axis=1) != y)
step train(x: float[5, 8], y: int[5]) -> float {
    cost = loss(x, y)
    W <- W - lr * grad(cost, W)
    b <- b - lr * grad(cost, b)
    return cost
}
"""


@pytest.mark.parametrize(
    ("batch", "summary"),
    [
        (600, "validation 7.500000 %, test 7.489583 % (719 of 9,600)"),
        pytest.param(
            *(300, "validation 7.202020 %, test 7.626263 % (755 of 9,900)"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_softmax_regression_reaches_the_tutorials_last_digit(
    batch: int, summary: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = tmp_path / "run.json"
    arguments = ["train", LOGREG, "--set", f"batch={batch}", "--json", str(report)]
    assert run([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{summary}, stopped in epoch 74"
    written = json.loads(report.read_text())
    assert list(written) == [
        *("epochs", "best_validation_error", "test_error", "steps_per_second"),
        *("compile_seconds", "footprint", "memory", "history"),
    ]
    assert written["epochs"] == 74
    first = written["history"][0]
    assert list(first) == ["epoch", "train_cost", "validation_error", "seconds"]
    assert len(written["history"]) == 74


def test_four_weights_print_seed_002(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", TRIVIAL]) == 0
    assert capsys.readouterr().out == S0208


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_four_weights_at_every_level(
    level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", TRIVIAL, f"-O{level}"]) == 0
    assert capsys.readouterr().out == S0208


def test_every_stage_of_a_small_model_gives_the_compiled_result(tmp_path: Path) -> None:
    path = tmp_path / "small.tc"
    path.write_text(SMALL)
    rng = np.random.default_rng(5)
    x, y = rng.random((5, 8), np.float32), rng.integers(0, 3, 5)
    W, b = rng.random((8, 3), np.float32), rng.random(3, np.float32)
    lr = np.array(0.13)
    module = api.load(str(path)).functions.source.emit()
    cases = [
        ("logits", [W, b, x]),
        ("loss", [W, b, x, y]),
        ("error", [W, b, x, y]),
        ("train", [W, b, x, y, lr]),
    ]
    outcome = all_results(module, cases, (0, 2, 3))
    assert list(outcome) == ["tensor", "structured", "buffer", "loop", "O0", "O2", "O3"]
    for stage, results in outcome.items():
        for expected, given in zip(outcome["O2"], results, strict=True):
            for left, right in zip(expected, given, strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-6, err_msg=stage)
                if stage in ("loop", "O0", "O3"):
                    assert same_bits(left, right), stage


def test_one_compilation_serves_all_batch_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emitted = []
    emit_object = compiler.emit_object

    def counting(*arguments: object) -> bytes:
        emitted.append(arguments)
        return emit_object(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compiler, "emit_object", counting)
    program = api.load(LOGREG)
    rng = np.random.default_rng(0)
    x, y = rng.random((1000, 784), np.float32), rng.integers(0, 10, 1000)
    W = rng.standard_normal((784, 10)).astype(np.float32)
    program.shared["W"].set_value(W)
    logits = program.functions["logits"]
    loss, train = program.functions["loss"], program.functions["train"]
    whole = np.asarray(logits(x))
    for batch in range(1, 1001):
        part = np.asarray(logits(x[:batch]))
        # A row's result does not depend on how many rows there are.
        assert same_bits(part, whole[:batch]), batch
    z = whole.astype(np.float64)
    costs = np.log(np.exp(z).sum(1)) - z[np.arange(1000), y]
    for batch in (1, 2, 16, 17, 48, 49, 600, 999, 1000):
        given = float(np.asarray(loss(x[:batch], y[:batch])))
        assert given == pytest.approx(costs[:batch].mean(), rel=1e-5)
    for batch in (1, 17, 1000):
        assert float(np.asarray(train(x[:batch], y[:batch]))) > 0
    # logits and loss alone, train together with what the recipe names.
    assert len(emitted) == 3


def test_a_label_out_of_range_leaves_every_shared_variable_as_it_was() -> None:
    program = api.load(LOGREG)
    rng = np.random.default_rng(0)
    train = program.functions["train"]
    x = rng.random((600, 784), np.float32)
    y = rng.integers(0, 10, 600)
    train(x, y)
    before = {n: s.get_value() for n, s in program.shared.items()}
    for bad in (10, -11, 2**40, -(2**63)):
        wrong = y.copy()
        wrong[599] = bad
        with pytest.raises(IndexOutOfRange, match=f"{bad} .*axis 1.*10"):
            train(x, wrong)
        for name, value in before.items():
            assert same_bits(value, program.shared[name].get_value())
    train(x, y)


def test_the_derivative_of_the_interpreted_step_is_the_compiled_one() -> None:
    program = api.load(LOGREG)
    module = compiler.compile(
        program.functions.source.emit(["train"]), compiler.host_target(), upto="tensor"
    ).module
    rng = np.random.default_rng(1)
    x, y = rng.random((7, 784), np.float32), rng.integers(0, 10, 7)
    W = np.zeros((784, 10), np.float32)
    cost, W1, b1 = interpret(
        module, "train", [W, np.zeros(10, np.float32), x, y, np.array(0.13)]
    )
    given = program.functions["train"](x, y)
    np.testing.assert_allclose(np.asarray(given), cost, rtol=1e-6)
    np.testing.assert_allclose(
        program.shared["W"].get_value(), W1, rtol=1e-5, atol=1e-8
    )
    np.testing.assert_allclose(
        program.shared["b"].get_value(), b1, rtol=1e-5, atol=1e-8
    )


def test_what_only_the_call_decides_is_told_in_the_users_words(tmp_path: Path) -> None:
    path = tmp_path / "late.tc"
    path.write_text(
        "fn even(x: float[N]) -> float {\n"
        '    assert N % 2 == 0, "the batch must be even"\n'
        "    return sum(x)\n"
        "}\n"
        "fn sixth(x: float[N]) -> float = x[5]\n"
    )
    functions = api.load(str(path)).functions
    x = np.arange(6, dtype=np.float32)
    assert float(np.asarray(functions["even"](x))) == 15
    assert float(np.asarray(functions["sixth"](x))) == 5
    with pytest.raises(ShapeError, match="the batch must be even") as caught:
        functions["even"](x[:3])
    assert caught.value.diagnostics[0].location.line == 2
    with pytest.raises(IndexError, match="index 5 is out of range for axis 0"):
        functions["sixth"](x[:3])
