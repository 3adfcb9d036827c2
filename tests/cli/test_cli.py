"""The command line, with a stand-in for the compiler behind it."""

import importlib
import json
import os
import re
import resource
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import tensorc
import tensorc.api
from tensorc.cli import main, progress
from tensorc.errors import Diagnostic, InternalError, Location, TensorcError
from tensorc.recipes import DataCall, Fit, Patience, Run
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.checkpoint import About
from tensorc.runtime.training.history import EpochRecord, History, Progress
from tests.runtime import native
from tests.runtime.test_data import encode


class Program:
    """What `tensorc.api.program.load` returns."""

    def __init__(self, path):
        self.shared = {"w": SharedCell("w", 0.0)}
        table = SharedCell("table", np.repeat(np.float32([2, 1, 2, 3]) / 3, 2))
        self.functions = {
            "add": native.function("add", self.shared, {"lr": 1 / 3}),
            "curve": native.function("curve", {**self.shared, "table": table}),
            "first": native.function("first"),
            "touch": native.function("touch"),
        }
        place = Location(str(path), 3, 1)
        data = DataCall("idx", ("images", "labels") * 3)
        stop = Patience(5, 2, 0.9)
        self.fits = (Fit(data, 3, "add", "curve", epochs=9, stop=stop, location=place),)
        self.runs = (
            Run("", "add", ([1, 2],), 3),
            Run("", "touch", ([1.5, 2],)),
        )
        self.compile_seconds = 0.25
        self.hypers = {}

    def about(self, recipe, data):
        assert data is None  # nothing is kept, so no data has to be known again
        return About({}, {})

    def keeper(self, recipe, kept, about):
        assert kept.save is None


class Api(types.ModuleType):
    def __init__(self):
        super().__init__("tensorc.api.program")
        self.calls = []
        self.error = None
        self.diagnostics = []

    def load(self, path, settings, optimize=2, default_float="f32"):
        self.calls.append((path, settings, optimize))
        if self.error:
            raise self.error
        program = Program(path)
        program.fits = program.fits if "fits" not in settings else ()
        program.runs = program.runs if "runs" not in settings else ()
        return program

    def emit(self, path, stage, function, settings, optimize, *_, **__):
        self.calls.append((path, stage, function, settings, optimize))
        return b"\x7fELF" if stage == "obj" else f"{stage} of {function}"

    def check(self, path, settings, default_float):
        return self.diagnostics


@pytest.fixture
def api(monkeypatch):
    fake = Api()
    for name in ("program", "stages"):
        monkeypatch.setitem(sys.modules, f"tensorc.api.{name}", fake)
        monkeypatch.setattr(tensorc.api, name, fake, raising=False)
    monkeypatch.setattr("tensorc.api.checking.check", fake.check)
    for verb in main.VERBS:
        loaded = sys.modules.get(f"tensorc.cli.{verb}")
        for name in ("api", "stages"):
            if hasattr(loaded, name):
                monkeypatch.setattr(loaded, name, fake)
    yield fake
    # Modules that were imported with the stand-in must not meet another test.
    for verb in main.VERBS:
        sys.modules.pop(f"tensorc.cli.{verb}", None)
        vars(tensorc.cli).pop(verb, None)


@pytest.fixture
def file(tmp_path, monkeypatch):
    # The step takes x: f32[B], which no file in the IDX form can give.
    monkeypatch.setattr(
        "tensorc.runtime.training.data.READERS",
        {"idx": lambda *paths: _dataset()},
    )
    path = tmp_path / "toy.tc"
    path.write_text("fit { }\n\nfit { data = idx() }\n")
    (tmp_path / "labels").write_bytes(encode(np.arange(3, dtype=np.uint8)))
    return path


def _dataset():
    from tensorc.runtime.training.data import Dataset, Split

    split = Split({"x": np.ones(7, np.float32)})
    return Dataset("toy", split, split, split)


def test_train_prints_a_summary_and_writes_json(api, file, capsys, tmp_path):
    target = tmp_path / "run.json"
    arguments = ["train", str(file), "--set", "lr=0.1", "--set", "batch = 3", "-O3"]
    assert main.run([*arguments, "--json", str(target)]) == 0
    assert api.calls == [(str(file), {"lr": "0.1", "batch": "3"}, 3)]
    printed = capsys.readouterr()
    # The best is met at batch 3, so patience ends with batch 6, in epoch 4.
    lines = printed.out.splitlines()
    assert lines[0] == (
        "validation 33.333333 %, test 33.333333 % (2 of 6), stopped in epoch 4"
    )
    assert lines[1].endswith("compiled in 0.25 s")
    memory, cost, *epochs = printed.err.splitlines()[1:]
    assert memory == "in all       1  8 bytes"
    assert re.fullmatch(
        r"\w+: 0 kernels, 0 flop for a batch of 3, arena \d+ bytes, data .*", cost
    )
    warned, hint, *epochs = epochs
    left = "1 of 7 validation and 1 of 7 test rows fill no batch of 3"
    assert warned == f"warning[TC0605]: {left}"
    assert "left out" in hint
    assert len(epochs) == 4
    assert epochs[0].startswith("epoch 1: train cost 0.500000, validation 66.666667 %")
    document = json.loads(target.read_text())
    assert document["epochs"] == 4
    assert document["best_validation_error"] == pytest.approx(1 / 3, rel=1e-7)
    assert document["compile_seconds"] == 0.25
    assert document["footprint"]["batch"] == 3
    assert [row["bytes"] for row in document["memory"]] == [8]
    assert len(document["history"]) == 4


def test_train_to_stdout_is_json_alone_and_quiet_is_quiet(api, file, capsys):
    assert main.run(["train", str(file), "--json", "-", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["epochs"] == 4
    assert len(printed.err.splitlines()) == 2


def test_run_prints_one_call_a_line(api, file, capsys):
    assert main.run(["run", str(file), "-O0"]) == 0
    assert api.calls[0][2] == 0
    assert capsys.readouterr().out.splitlines() == ["0.0", "1.0", "2.0", "none"]


def test_results_are_spelled_as_short_as_they_are_exact(api):
    spell = importlib.import_module("tensorc.cli.run").spell
    assert spell(np.array(80.16000000000001)) == "80.16000000000001"
    assert spell(np.array(0.1, np.float32)) == "0.1"
    assert spell(np.array([[1, 2], [3, 4]])) == "[[1, 2], [3, 4]]"
    assert spell((np.array(True), np.zeros(0), np.array([0.5]))) == "True, [], [0.5]"
    assert spell(None) == "none"


def test_compile_writes_every_stage(api, file, capfdbinary, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.run(["compile", f"{file}::add", "--emit=tensor"]) == 0
    assert capfdbinary.readouterr().out == b"tensor of add\n"
    assert api.calls == [(str(file), "tensor", "add", {}, 2)]
    assert main.run(["compile", str(file), "--emit=llvm,asm", "--timing"]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out == b"llvm of None\n// -----\nasm of None\n"
    tables = [x for x in printed.err.splitlines() if b"time report" in x]
    assert [x.split()[-2] for x in tables] == [b"llvm", b"asm"]
    assert main.run(["compile", str(file)]) == 0
    assert (tmp_path / "toy.o").read_bytes() == b"\x7fELF"
    assert main.run(["compile", str(file), "--emit=ast=a,obj=b", "-o", "-"]) == 0
    assert (tmp_path / "a").read_text() == "ast of None\n"
    assert (tmp_path / "b").read_bytes() == b"\x7fELF"
    assert main.run(["compile", str(file), "--emit=obj", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == b"\x7fELF"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["m.tc"], "Say what to do with the file: tensorc train m.tc"),
        (["zzz"], f"There are {', '.join(main.VERBS)}."),
        (["train"], "Missing argument 'FILE.tc'"),
        (["train", "FILE", "--set", "lr"], "'lr' is not of the form NAME=VALUE"),
        (["train", "FILE", "--set", "=3"], "'=3' is not of the form NAME=VALUE"),
        (["train", "FILE", "-O4"], "4 is not in the range 0<=x<=3"),
        (["train", "FILE", "--jsn", "-"], "No such option"),
        (["compile", "FILE", "--emit=tensr"], "did you mean 'tensor'?"),
        (["compile", "FILE", "--emit=x"], "one of ast, tensor, structured"),
        (["compile", "FILE", "--emit=asm,llvm", "-o", "x"], "several stages"),
    ],
)
def test_wrong_usage_is_2(api, file, capsys, arguments, message):
    given = [str(file) if a == "FILE" else a for a in arguments]
    assert main.run(given) == 2
    printed = capsys.readouterr()
    assert message in " ".join(printed.err.split())
    assert not printed.out


def test_user_errors_are_1_and_rendered(api, file, capsys):
    place = Location(str(file), 1, 5, 1, 6)
    api.error = TensorcError(Diagnostic("TC0301", "sizes differ", place))
    assert main.run(["run", str(file)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error[TC0301]: sizes differ")
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nothing.tc"], "nothing.tc: no such file"),
        (["run", "."], ".: is a directory"),
        (["train", "FILE", "--set", "fits=none"], "there is no 'fit' to train"),
        (["run", "FILE", "--set", "runs=none"], "there is no 'run' to call"),
        (["train", "FILE", "--json", "no/where.json"], "there is no directory"),
        (["compile", "FILE", "-o", "no/where.o"], "there is no directory"),
        (["compile", "FILE::"], "a name is expected after '::'"),
    ],
)
def test_wrong_files_are_1(api, file, capsys, arguments, message):
    given = [a.replace("FILE", str(file)) for a in arguments]
    assert main.run(given) == 1
    assert message in capsys.readouterr().err


def test_check_counts_errors(api, file, capsys):
    assert main.run(["check", str(file), str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    warning = Diagnostic("TC0399", "unused", severity="warning")
    api.diagnostics = [warning, Diagnostic("TC0301", "sizes differ")]
    assert main.run(["check", str(file), str(file)]) == 1
    assert capsys.readouterr().err.endswith("2 errors\n")


def test_bugs_are_3_interrupts_130(api, file, capsys, monkeypatch):
    monkeypatch.delenv("TENSORC_DEBUG", raising=False)
    api.error = InternalError("no rule", "fuse")
    assert main.run(["run", str(file)]) == 3
    printed = capsys.readouterr().err
    assert printed.startswith("internal error in pass 'fuse': no rule\n")
    api.error = KeyError("x")
    assert main.run(["run", str(file)]) == 3
    printed = capsys.readouterr().err
    assert printed.startswith("internal error: KeyError: 'x'\n")
    assert "Traceback" not in printed
    monkeypatch.setenv("TENSORC_DEBUG", "1")
    assert main.run(["run", str(file)]) == 3
    assert "Traceback" in capsys.readouterr().err
    api.error = KeyboardInterrupt()
    assert main.run(["run", str(file)]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_help_and_version(capsys):
    assert main.run(["--help"]) == 0
    printed = capsys.readouterr().out
    for verb, line in main.VERBS.items():
        assert verb in printed
        assert line.split(",")[0] in printed
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tensorc ")
    assert main.run([]) == 2


def test_help_loads_no_compiler():
    code = (
        "import sys; from tensorc.cli import main; main.run(['--help']);"
        "print([m for m in ('numpy', 'llvmlite', 'lark', 'tensorc.cli.train')"
        " if m in sys.modules], file=sys.stderr)"
    )
    best = 9.0
    for _ in range(5):
        start = _seconds_of_children()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        best = min(best, _seconds_of_children() - start)
    assert done.stderr == "[]\n"
    assert best < 0.5  # a quarter of a second on a quiet machine


def test_check_loads_no_code_generator_and_no_runtime(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(
        "param W: f32[3] = 0\nstep f(x: f32[3]) { W <- W - grad(sum(W * x), W) }"
    )
    heavy = ("llvmlite", "tensorc.compiler", "tensorc.runtime.training.fit")
    code = (
        f"import sys; from tensorc.cli import main; main.run(['check', {str(path)!r}]);"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_output_into_a_closed_pipe_is_no_bug():
    code = "import sys; from tensorc.cli import main; sys.exit(main.run(['--help']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_no_bug():
    code = "import sys; from tensorc.cli import main; sys.exit(main.run(['--help']))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error[TC0902]: the output: ")
    assert "Traceback" not in done.stderr


def test_too_little_memory_is_no_bug(api, file, capsys):
    api.error = MemoryError("Unable to allocate 36.4 TiB")
    assert main.run(["run", str(file)]) == 1
    printed = capsys.readouterr().err
    assert printed == "error[TC0507]: too little memory: Unable to allocate 36.4 TiB\n"


def _seconds_of_children() -> float:
    # Of the processor: a busy machine makes a run no longer.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_lines_for_people():
    record = EpochRecord(3, None, 0.25, 1.234)
    assert progress.spell_epoch(record) == "epoch 3: validation 0.250000, 1.23 s"
    # The mean of float32 results is not quite 1 / 3; the count says which share it is.
    record = EpochRecord(3, None, float(np.float32(1 / 3)), 1.234, share_of=6)
    assert progress.spell_epoch(record) == "epoch 3: validation 33.333333 %, 1.23 s"
    record = EpochRecord(3, 0.5, None, 1.234)
    assert progress.spell_epoch(record) == "epoch 3: train cost 0.500000, 1.23 s"


def test_summaries(api):
    summarize = importlib.import_module("tensorc.cli.train").summarize
    epochs = (EpochRecord(1, 0.5, 0.075, 2.0),)
    tutorial = History(epochs, 0.075, 719 / 9600, 1234.5, 0.5, 9600, 9600, True, True)
    first, second = summarize(tutorial).splitlines()
    assert first == (
        "validation 7.500000 %, test 7.489583 % (719 of 9,600), stopped in epoch 1"
    )
    assert second == ("1,234 steps per second, trained for 2.00 s, compiled in 0.50 s")
    plain = History(epochs, 0.3, None, 1.0, 0.0, 100)
    assert summarize(plain).startswith("validation 0.300000, ended with epoch 1\n")
    bare = History(epochs, None, None, 1.0, 0.0)
    assert summarize(bare).startswith("train cost 0.500000, ended with epoch 1\n")


def test_the_bar_appears_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.reporter(5, quiet=False) as bar:
        bar.on_progress(Progress(1, 2, 10, 0.5))
        bar.on_epoch(EpochRecord(1, 0.5, 0.25, 0.1, 4))
        bar.on_progress(Progress(2, 1, 10, 0.25))
    printed = capsys.readouterr()
    assert not printed.out
    assert "compiling" in printed.err
    assert "epoch 2/5" in printed.err
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.err)
    assert max(len(line) for line in re.split(r"[\r\n]", shown)) <= 80


STATE = "1,953/s  cost 0.3123  00:12 left"


@pytest.mark.parametrize(
    ("at", "speed", "left", "validation", "said"),
    [
        (
            Progress(1, 1, 9, 0.31234),
            1953.2,
            24000,
            "",
            "1,953/s  cost 0.3123  00:12 left",
        ),
        (Progress(2, 1, 9, None), 0.5, 3600, "7.50 %", "valid 7.50 %  2:00:00 left"),
        (Progress(1, 1, 9, 1e-9), 0.0, 10, "", "cost 1e-09"),
    ],
)
def test_the_state_behind_the_bar(at, speed, left, validation, said):
    assert progress.spell_state(at, speed, left, validation) == said
