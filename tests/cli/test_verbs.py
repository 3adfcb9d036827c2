"""Whole commands: what they read, what they call, and what they say."""

import importlib
import re
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import rich_click as click

import tensorc
from tensorc import cache, compiler
from tensorc.cli import main
from tensorc.cli.main import run
from tensorc.cli.progress import spell_cost
from tensorc.cli.terminal import wants_color
from tensorc.errors import TensorcWarning

MODEL = """
hyper k = 2.0                                    # the factor
param w: float[2] = 1
fn predict(x: float[B, 2]) -> float[B] = k * (x @ w)
fn loss(x: float[B, 2], y: float[B]) -> float = mean((predict(x) - y)**2)
fn twice(x: float[B, 2]) -> float[B, 2] = 2 * x
fn halves(x: float[N]) -> float {
    assert N % 2 == 0, "as many left as right"
    return sum(x[:N // 2]) - sum(x[N // 2:])
}
step train(x: float[B, 2], y: float[B]) -> float {
    cost = loss(x, y)
    w <- w - 0.01 * grad(cost, w)
    return cost
}
fit { data = csv("d.csv", label="y")  batch = 2  step = train  epochs = 2 }
"""


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Return what runs a command in a directory that has a model and data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tc").write_text(MODEL)
    (tmp_path / "d.csv").write_text("a,y,b\n1,1,0\n0,2,1\n1,3,1\n2,4,0\n")
    np.save("x.npy", np.arange(6).reshape(3, 2))
    np.savez("x.npz", x=np.ones((2, 2)), y=np.zeros(3))

    def call(*words, code=0):
        assert run(words) == code
        return capsys.readouterr()

    return call


def test_the_package_is_run_as_a_module_and_knows_its_version():
    command = [sys.executable, "-m", "tensorc", "--version"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout == f"tensorc {metadata.version('tensorc')}\n"
    assert tensorc.__version__ == metadata.version("tensorc")


# One function of a file


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["--arg", "x=x.npy"], "[2.0, 10.0, 18.0]"),
        (["--arg", "x=x.npz", "--arg", "k=3"], "[6.0, 6.0]"),
        (["--arg", "x=[[1, 2], [3, 4.1]]"], "[6.0, 14.2]"),
        (["--arg", "x=[[0.1, 0.2]]", "--float", "f64"], "[0.6000000000000001]"),
        (["--arg", "x=[[0.1, 0.2]]", "--float=f32"], "[0.6]"),
        (["--arg", "x=d.csv"], "[2.0, 2.0, 4.0, 4.0]"),
    ],
)
def test_run_calls_one_function(said, words, printed):
    assert said("run", "m.tc::predict", *words).out == f"{printed}\n"


def test_run_calls_a_step_and_writes_results(said):
    np.savez("w.npz", w=np.float32([0, 0]))
    words = ["--arg", "x=[[1, 0]]", "--arg", "y=[3]", "--init", "w.npz"]
    assert said("run", "m.tc::train", *words).out == "9.0\n"
    said("run", "m.tc::predict", "--arg", "x=x.npy", "-o", "out.npy")
    assert np.load("out.npy").tolist() == [2, 10, 18]
    said("run", "m.tc::train", *words, "-o", "cost.csv")
    assert Path("cost.csv").read_text() == "9.0\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["m.tc::predict"], "'predict' needs the argument 'x'"),
        (["m.tc::predict", "--arg", "z=1"], "'predict' has no argument 'z'"),
        (["m.tc::nothing"], "there is no function or step 'nothing'"),
        (["m.tc::predict", "--arg", "x=[1, 2"], "`[` is never closed"),
        (["m.tc::predict", "--arg", "x=q"], "unknown name `q`"),
        (["m.tc::predict", "--arg", "x=missing.npy"], "missing.npy: no such file"),
        (["m.tc::loss", "--arg", "x=x.npy", "--arg", "y=[1, 2]"], "TC0503"),
        (["m.tc::halves", "--arg", "x=[1, 2, 3]"], "as many left as right"),
        (["m.tc"], "there is no 'run' to call"),
    ],
)
def test_run_reports_a_wrong_call(said, words, message):
    error = said("run", *words, code=1).err
    assert message in error
    assert "internal error" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["m.tc::predict", "--arg", "x"],
        ["m.tc::predict", "--arg", "x=1", "--arg", "x=2"],
        ["m.tc", "--arg", "x=1"],
        ["m.tc::predict", "-o", "out.txt"],
    ],
)
def test_run_refuses_arguments_of_another_form(said, words):
    said("run", *words, code=2)


def test_float_is_what_the_command_says(said):
    words = ["compile", "m.tc::halves", "--emit=tensor"]
    assert "f64" in said(*words, "--float=f64").out
    assert "f64" not in said(*words).out
    said("train", "m.tc", "--float", "f64", "--quiet", "--save", "kept")
    said("eval", "m.tc", "--float", "f64", "--set", "validate=loss", code=1)
    found = said("predict", "m.tc::predict", "--data", "x.npy", "--float", "f64").out
    assert [float(x) for x in found.split()] == [2, 10, 18]
    assert "'f46'" in said("check", "m.tc", "--float", "f46", code=2).err


def test_hypers_keep_their_meaning_in_double_precision(said):
    # The blind copy of a file, which tells whether a hyper varies, has its floats too.
    model = tensorc.load("m.tc", default_float="f64")
    x = np.array([[1.0, 2.0]])
    assert model.predict(x, k=0.1).dtype == np.float64
    assert model.predict(x, k=0.1) == [0.1 * 3.0]
    with pytest.raises(ValueError, match="default_float is one of f32, f64, f16"):
        tensorc.load("m.tc", default_float="f46")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("k=true", "TC0302]: the hyper `k` must be a number, got true"),
        ("on=1", "TC0302]: the hyper `on` must be a truth value, got 1"),
        ("k=fast", "`k` is a number, in the file 2.0"),
        ("k=1,2", "`,` is not expected here"),
    ],
)
def test_settings_have_the_kind_of_their_hyper(said, setting, words):
    with Path("m.tc").open("a") as file:
        file.write("hyper on = true\n")
    error = said("check", "m.tc", "--set", setting, code=1).err
    assert words in error
    assert error.endswith("1 error\n")


def test_a_truth_value_is_not_a_number(said):
    with Path("m.tc").open("a") as file:
        file.write("fn wide(x: float[B], c: float) = c * x\n")
    for function, given in (("predict", "k=true"), ("wide", "c=false")):
        x = "x=[[1, 2]]" if function == "predict" else "x=[1]"
        words = ("run", f"m.tc::{function}", "--arg", x, "--arg", given)
        assert "error[TC0502]: argument" in said(*words, code=1).err
    with pytest.raises(tensorc.TensorcError, match="must be a number, got true"):
        tensorc.load("m.tc", k=True)
    for value in (True, np.True_):
        with pytest.raises(TypeError, match="f64 expected, true given"):
            tensorc.load("m.tc").predict(np.ones((1, 2)), k=value)


# Files of IR


@pytest.mark.parametrize("stage", compiler.STAGES)
def test_a_stage_that_was_written_compiles_on(said, stage):
    said("compile", "m.tc::halves", f"--emit={stage}", "-o", "a.mlir")
    again = said("compile", "a.mlir", f"--emit={stage}").out
    assert again == Path("a.mlir").read_text()
    wanted = said("compile", "m.tc::halves", "--emit=llvm").out
    assert said("compile", "a.mlir", "--emit=llvm").out == wanted
    assert said("check", "a.mlir").err == ""
    error = said("compile", "a.mlir", "--emit=ast", code=1).err
    assert "a.mlir is a file of IR, which has no syntax tree" in error


@pytest.mark.parametrize("stage", ["llvm", "asm", "obj"])
def test_code_obeys_the_level_of_optimisation(said, stage):
    said("compile", "m.tc::loss", "-o", "usual", f"--emit={stage}")
    for level in (0, 2, 3):
        said("compile", "m.tc::loss", f"-O{level}", "-o", f"{level}", f"--emit={stage}")
    none, some, most = (Path(f"{level}").read_bytes() for level in (0, 2, 3))
    assert Path("usual").read_bytes() == some
    assert len({none, some, most}) == 3
    if stage == "llvm":
        assert len(some) < len(none)


@pytest.mark.parametrize("stage", compiler.STAGES)
def test_what_is_written_over_memory_compiles_on(said, stage):
    """All ops of its BUFFER stage stand at STRUCTURED: its types say where it is."""
    text = "state W: f64[3] = 0\nstep go(x: f64[3]) {\n    W <- x * x\n}\n"
    Path("w.tc").write_text(text)
    said("compile", "w.tc::go", f"--emit={stage}", "-o", "a.mlir")
    assert (
        said("compile", "a.mlir", f"--emit={stage}").out == Path("a.mlir").read_text()
    )
    wanted = said("compile", "w.tc::go", "--emit=llvm").out
    assert said("compile", "a.mlir", "--emit=llvm").out == wanted


def test_a_lower_stage_does_not_rise(said):
    said("compile", "m.tc::loss", "--emit=loop", "-o", "a.mlir")
    error = said("compile", "a.mlir", "--emit=tensor", code=1).err
    assert "the module is at level loop, below tensor" in error


def test_functions_of_ir_are_called_and_explained(said):
    said("compile", "m.tc", "--emit=tensor", "-o", "m.mlir")
    np.savez("w.npz", w=np.float32([1, 1]))
    words = ["--init", "w.npz", "--arg", "x=x.npy", "--arg", "k=2.0"]
    assert said("run", "m.mlir::predict", *words).out == "[2.0, 10.0, 18.0]\n"
    lines = zip(
        said("explain", "m.mlir::loss").out.splitlines(),
        said("explain", "m.tc::loss").out.splitlines(),
        strict=True,
    )
    assert {a.split()[0] for a, b in lines if a != b} == {"source", "ends"}
    assert "has no hyper 'k'" in said("check", "m.mlir", "--set", "k=1", code=1).err


IR = """
"func.func"() <{function_type = (tensor<3xf32>) -> tensor<3xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<3xf32>):
  %0 = "tc.grad"(%x) ({
  ^bb0(%y: tensor<3xf32>):
    %1 = "tc.mul"(%y, %y) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %2 = "tc.sum"(%1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<3xf32>)
      -> tensor<f32>
    "tc.yield"(%2) : (tensor<f32>) -> ()
  }) : (tensor<3xf32>) -> tensor<3xf32>
  "func.return"(%0) : (tensor<3xf32>) -> ()
}) : () -> ()
"""


def test_ir_by_hand_is_a_program(said, tmp_path):
    (tmp_path / "f.mlir").write_text(IR)
    assert said("run", "f.mlir::f", "--arg", "x=[1, 2, 3]").out == "[2.0, 4.0, 6.0]\n"
    (tmp_path / "wrong.mlir").write_text(IR.replace("tc.mul", "tc.mull"))
    for verb in ("check", "compile", "explain"):
        assert "wrong.mlir:6:" in said(verb, "wrong.mlir", code=1).err


def test_a_derivative_is_expanded_before_it_is_lowered(said, tmp_path):
    (tmp_path / "f.mlir").write_text(IR)
    error = said("opt", "f.mlir", "--to-structured", code=1).err
    assert "f.mlir:4:" in error
    assert "--autodiff" in error
    said("opt", "f.mlir", "--autodiff", "--to-structured")
    stages = ("--autodiff", "--to-structured")
    error = said("opt", "f.mlir", *stages, "--bufferize", code=1).err
    assert "error[TC0250]" in error
    assert "--fuse, or --separate" in error
    error = said("opt", "f.mlir", *stages, "--separate", "--bufferize", code=1).err
    assert "--schedule" in error
    said("opt", "f.mlir", *stages, "--separate", "--schedule", "--bufferize")


# What is said of files


def test_compile_says_where_it_wrote(said):
    printed = said("compile", "m.tc")
    assert printed.err.startswith("wrote m.o: ")
    assert said("compile", "m.tc", "-o", "a.o").err == ""


def test_a_directory_without_best_stands_for_its_last(said):
    said("train", "m.tc", "--save", "kept", "--quiet")
    words = ["predict", "m.tc::predict", "--data", "x.npy", "--init", "kept"]
    message = r"has no best.safetensors \(nothing was validated\): last"
    with pytest.warns(TensorcWarning, match=message):
        printed = said(*words)
    direct = said(*words[:-1], "kept/last.safetensors")
    assert direct.err == "params of kept/last.safetensors: last, epoch 2\n"
    assert printed.out == direct.out
    assert "no such file" in said(*words[:-1], ".", code=1).err


def test_predict_reads_the_form_of_the_training_data(said, tmp_path):
    wanted = said("predict", "m.tc::predict", "--split", "train").out
    assert said("predict", "m.tc::predict", "--data", "d.csv").out == wanted
    (tmp_path / "rows.csv").write_text("a,b\n1,0\n0,1\n1,1\n2,0\n")
    assert said("predict", "m.tc::predict", "--data", "rows.csv").out == wanted


def test_eval_and_predict_say_whose_params_they_use(said, tmp_path):
    (tmp_path / "m.tc").write_text(
        MODEL.replace("d.csv", 'd.csv", "d.csv", "d.csv').replace(
            "batch = 2", "batch = 2  validate = loss"
        )
    )
    said("train", "m.tc", "--save", "kept", "--quiet")
    np.savez("w.npz", w=np.float32([1, 1]))
    for words in (("eval", "m.tc"), ("predict", "m.tc::predict")):
        printed = said(*words).err
        assert printed.startswith("warning[TC0606]: params are untrained: w\n")
        assert "--init DIR" in printed
        for place, told in (
            ("kept", "kept/best.safetensors: best, epoch 2"),
            ("kept/last.safetensors", "kept/last.safetensors: last, epoch 2"),
            ("w.npz", "w.npz"),
        ):
            assert said(*words, "--init", place).err == f"params of {told}\n"
    # Not of a function that reads no params, nor where none are trained.
    assert said("predict", "m.tc::twice", "--data", "x.npy").err == ""
    (tmp_path / "n.tc").write_text(MODEL[: MODEL.index("fit {")])
    assert said("predict", "n.tc::predict", "--data", "x.npy").err == ""


def test_one_of_several_fits_is_named(said, tmp_path):
    fit = MODEL[MODEL.index("fit {") :].replace("batch", "validate = loss  batch")
    fit = fit.replace("d.csv", 'd.csv", "d.csv", "d.csv')
    both = fit.replace("fit", "fit early") + fit.replace("fit", "fit late")
    (tmp_path / "m.tc").write_text(MODEL[: MODEL.index("fit {")] + both)
    said("train", "m.tc", "--save", "kept", "--quiet")
    printed = said("eval", "m.tc", "--init", "kept").err
    assert printed.endswith("late.best.safetensors: best of fit late, epoch 2\n")


def test_a_function_without_rows_is_refused_before_data_are_read(said):
    assert "TC0905" in said("predict", "m.tc::loss", code=1).err
    assert "TC0905" in said("predict", "m.tc::loss", "--data", "no.csv", code=1).err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,y,b\n", "the training data has no examples"),
        ("", "the file is empty"),
        ("a,y,b\n1,0,2\n2,0.5,1\n", "row 1, counted from 0, is 0.5"),
        ("a,y,b\n1,0,2\nred,1,1\n", "line 3, column 1 is not a number"),
    ],
)
def test_rows_that_cannot_be_trained_on(said, tmp_path, rows, words):
    (tmp_path / "d.csv").write_text(rows)
    model = MODEL.replace("y: float[B]", "y: int[B]").replace("- y)", "- float(y))")
    (tmp_path / "m.tc").write_text(model)
    error = said("train", "m.tc", "--quiet", "--set", "batch=1", code=1).err
    assert words in error
    assert ("declare it as float: `y: float[B]`" in error) == ("0.5" in words)


def test_a_finished_run_says_so(said):
    said("train", "m.tc", "--quiet", "--save", "kept")
    again = said("train", "m.tc", "--resume", "kept").err
    assert "already finished: raise --set epochs=2\n" in again
    longer = said("train", "m.tc", "--resume", "kept", "--set", "epochs=3").err
    assert "continuing in epoch 3 after batch 0\n" in longer
    text = Path("m.tc").read_text()
    Path("m.tc").write_text(text.replace("0.01 *", "0.02 *"))
    changed = said("train", "m.tc", "--resume", "kept", code=1).err
    assert "another run: the functions have changed\n" in changed


def test_fuzz_makes_the_directory_of_its_findings(said, tmp_path):
    said("fuzz", "--programs", "1", "--jobs", "1", "--out", "new/cases")
    assert (tmp_path / "new" / "cases").is_dir()
    assert "TC0902" in said("fuzz", "--programs", "1", "--out", "m.tc", code=1).err


@pytest.mark.parametrize(
    ("terminal", "environment", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "0"}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_the_environment_decides_on_colours(terminal, environment, wanted):
    assert wants_color(terminal, environment) is wanted


# Help


@pytest.mark.parametrize("verb", ["train", "eval", "run", "predict", "compile"])
def test_help_of_a_file_lists_its_hypers(said, verb):
    printed = said(verb, "m.tc", "--help").out
    assert "Hypers of m.tc: --set NAME=VALUE" in printed
    assert "k = 2.0" in printed
    assert "the factor" in printed
    assert "Hypers" not in said(verb, "--help").out


def test_help_of_a_wrong_file_shows_what_is_wrong(said, tmp_path):
    (tmp_path / "w.tc").write_text("hyper = 3\n")
    assert "w.tc:1:" in said("train", "w.tc", "--help", code=1).err


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_shows_defaults_and_whole_names(verb, said, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = said(verb, "--help").out
    assert max(map(len, printed.splitlines())) <= 80
    command = importlib.import_module(f"tensorc.cli.{verb}").command
    for parameter in command.params:
        for name in parameter.opts if isinstance(parameter, click.Option) else ():
            assert re.search(rf"{re.escape(name)}\b", printed), name
        is_number = type(parameter.default) in (int, float)
        if is_number and isinstance(parameter, click.Option):
            assert f"[default: {parameter.default}]" in re.sub(r"[│\s]+", " ", printed)


def test_a_usage_error_comes_first(said):
    error = said("train", "m.tc", "--sve", "x", code=2).err
    assert error.splitlines() == [
        "error: No such option '--sve'. (Did you mean one of: '--save', '--set'?)",
        "usage: tensorc train [OPTIONS] FILE.tc",
        "`tensorc train --help` explains them",
    ]


def test_a_checkpoint_that_is_not_there(said):
    error = said("eval", "m.tc", "--init", "runs/none", code=1).err
    assert "runs/none: no such file or directory" in error


def test_large_costs_are_short():
    assert spell_cost(0.5) == "0.500000"
    assert spell_cost(6.04332846e29) == "6.04333e+29"


def test_the_list_of_the_cache_names_what_is_no_function(said, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    said("run", "m.tc::predict", "--arg", "x=x.npy")
    cache.save(cache.key_of("old"), b"{}")
    printed = said("cache", "ls").out
    assert "predict" in printed
    assert "(of another version of tensorc)" in printed
    assert "damaged" not in printed


@pytest.mark.parametrize("name", ["save", "resume", "init", "log", "json"])
def test_an_empty_text_is_no_path(said, name):
    before = sorted(Path().iterdir())
    error = said("train", "m.tc", f"--{name}", "", code=2).err
    assert "an empty text is not a path" in error
    assert sorted(Path().iterdir()) == before


def test_run_reads_the_form_of_the_training_data(said, tmp_path):
    given = ("--arg", "x=d.csv", "--arg", "y=d.csv")
    lists = ("--arg", "x=[[1, 0], [0, 1], [1, 1], [2, 0]]", "--arg", "y=[1, 2, 3, 4]")
    assert (
        said("run", "m.tc::loss", *given).out == said("run", "m.tc::loss", *lists).out
    )
    # An argument of another name is the whole table; so is one where no label is known.
    (tmp_path / "m.tc").write_text(f"{MODEL}fn all(t: float[B, 3]) -> float = sum(t)\n")
    assert said("run", "m.tc::all", "--arg", "t=d.csv").out == "16.0\n"
    (tmp_path / "n.tc").write_text("fn all(x: float[B, 3]) -> float = sum(x)\n")
    assert said("run", "n.tc::all", "--arg", "x=d.csv").out == "16.0\n"


def test_rows_that_are_left_out_are_told(said, tmp_path):
    (tmp_path / "three.csv").write_text("a,y,b\n1,1,0\n0,2,1\n1,3,1\n")
    files = 'csv("d.csv", "three.csv", "d.csv", label="y")'
    model = MODEL.replace('csv("d.csv", label="y")', f"{files}  validate = loss")
    (tmp_path / "m.tc").write_text(model)
    shown = said("train", "m.tc").err
    assert "warning[TC0605]: 1 of 3 validation rows fill no batch of 2\n" in shown
    assert "test rows" not in shown
    assert "TC0605" not in said("train", "m.tc", "--set", "batch=1").err
    assert "TC0605" not in said("train", "m.tc", "--quiet").err


def test_save_writes_over_no_other_run(said, tmp_path):
    train = ("train", "m.tc", "--quiet", "--save", "kept")
    said(*train)
    said(*train)  # the same run again
    last = tmp_path / "kept" / "last.safetensors"
    before = last.read_bytes()
    for others, why in (
        (("--set", "batch=1"), "batch is 1 here, 2 there"),
        (("--set", "k=3.0"), "k is 3.0 here, 2.0 there"),
        (("--set", "epochs=1"), "it is of epoch 2, this run ends with 1"),
    ):
        shown = said(*train, *others, code=1).err
        assert "error[TC0807]: kept/last.safetensors would be written over: " in shown
        assert why in shown
        assert ("--resume kept" in shown) == ("batch=1" not in others)
        assert "--overwrite" in shown
        assert last.read_bytes() == before
    said(*train, "--set", "epochs=3", "--resume", "kept")
    said(*train, "--set", "k=3.0", "--overwrite")
    assert last.read_bytes() != before
    last.write_bytes(b"weights of somebody")
    assert "TC0807" in said(*train, code=1).err
    said(*train, "--overwrite")


def test_a_checkpoint_of_other_settings_names_them(said, tmp_path):
    model = MODEL.replace("hyper k = 2.0 ", "hyper n = 2, k = 2.0 ")
    model = model.replace(
        "param w: float[2] = 1", "param w: float[2] = 1\nstate t: float[n] = 0"
    )
    (tmp_path / "m.tc").write_text(model)
    said("train", "m.tc", "--quiet", "--save", "kept", "--set", "n=64")
    words = ("predict", "m.tc::predict", "--data", "x.npy", "--init")
    for place in ("kept", "kept/last.safetensors"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shown = said(*words, place, code=1).err
        assert "'t' is f32[2] in the program, f32[64] in the file" in shown
        assert "made with other settings: --set n=64" in shown
        with pytest.raises(tensorc.TensorcError, match="other settings: n=64"):
            tensorc.load("m.tc").restore("kept/last.safetensors")


def test_a_run_of_other_settings_names_them(said, tmp_path):
    model = MODEL.replace("hyper k = 2.0 ", "hyper n = 2, k = 2.0 ")
    model = model.replace(
        "param w: float[2] = 1", "param w: float[2] = 1\nstate t: float[n] = 0"
    )
    (tmp_path / "m.tc").write_text(model)
    said("train", "m.tc", "--quiet", "--save", "kept", "--set", "n=64")
    shown = said("train", "m.tc", "--resume", "kept", code=1).err
    assert "memory t is f32[2] here, f32[64] there" in shown
    assert "made with other settings: --set n=64" in shown
    with pytest.raises(tensorc.TensorcError, match="other settings: n=64"):
        tensorc.load("m.tc").fit(resume="kept")
    words = ("--resume", "kept", "--set", "n=64", "--set", "k=1.0")
    shown = said("train", "m.tc", *words, "--set", "batch=1", code=1).err
    assert "batch is 1 here, 2 there" in shown
    assert "other settings" not in shown  # the number k has nothing to do with it


def test_eval_warns_of_rows_that_it_leaves_out(said, tmp_path):
    (tmp_path / "three.csv").write_text("a,y,b\n1,1,0\n0,2,1\n1,3,1\n")
    files = 'csv("d.csv", "three.csv", "d.csv", label="y")'
    model = MODEL.replace('csv("d.csv", label="y")', f"{files}  validate = loss")
    (tmp_path / "m.tc").write_text(model)
    shown = said("eval", "m.tc").err
    assert "warning[TC0605]: 1 of 3 validation rows fill no batch of 2\n" in shown
    assert "TC0605" not in said("eval", "m.tc", "--set", "batch=1").err


def test_a_run_that_cannot_go_on_leaves_the_memory(said):
    said("train", "m.tc", "--quiet", "--save", "kept", "--set", "epochs=3")
    program = tensorc.load("m.tc")
    before = program.w.get_value()
    with pytest.raises(tensorc.TensorcError, match="it has reached epoch 3"):
        program.fit(resume="kept")
    assert program.w.get_value().tobytes() == before.tobytes()


def test_ir_is_known_by_what_it_says(said, tmp_path):
    ir = said("compile", "m.tc::predict", "--emit=tensor").out
    for name, text in (("a.txt", ir), ("b.tc", f"// of m.tc\n\n{ir}")):
        (tmp_path / name).write_text(text)
        assert said("check", name).err == ""
        assert "has no hyper 'k'" in said("check", name, "--set", "k=1", code=1).err
        assert "func.func" in said("compile", name, "--emit=tensor").out
