"""One statement of what a `fit` is: the same at each door and in checkpoints."""

import inspect
import math
from dataclasses import MISSING, fields

import numpy as np
import pytest

import tensorc as tc
from tensorc.api.batched import OF_FIT
from tensorc.api.kept_runs import Kept
from tensorc.cli import train
from tensorc.cli.main import run as command
from tensorc.recipes import (
    FIT,
    KEEP,
    OPTIONS,
    PARSED_READERS,
    PATIENCE,
    READERS,
    REQUIRED,
    RUN,
    TRUTH,
    DataCall,
    Fit,
    Patience,
    Run,
)
from tensorc.runtime.training import data

MODEL = """\
param w: float[2] = 0
fn loss(x: float[B, 2], y: float[B]) -> float = mean((x @ w - y)**2)
step train(x: float[B, 2], y: float[B]) -> float {
    cost = loss(x, y)
    w <- w - 0.1 * grad(cost, w)
    return cost
}
fit {
    data = npz("d.npz")
    batch = 5
    step = train
    validate = loss
    epochs = 2
}
run { call = loss([[1, 2]], y=[3]) }
"""
DATA = {"x": np.ones((20, 2), np.float32), "y": np.ones(20, np.float32)}


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = {f"{n}_{part}": c for n, c in DATA.items() for part in ("train", "valid")}
    np.savez(tmp_path / "d.npz", **parts)
    (tmp_path / "m.tc").write_text(MODEL)
    return "m.tc"


def diagnostic_of(call):
    with pytest.raises(tc.TensorcError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    return diagnostic, caught.value


@pytest.mark.parametrize(
    ("name", "text", "value", "words", "kind"),
    [
        ("batch", "0", 0, "`batch` is a positive integer, got 0", ValueError),
        ("batch", "2.5", 2.5, "`batch` is a positive integer, got 2.5", TypeError),
        ("epochs", "-1", -1, "`epochs` is a positive integer, got -1", ValueError),
        ("epochs", "none", None, "`epochs` is a positive integer, got ", TypeError),
        ("every", "0", 0, "`every` is a positive integer, got 0", ValueError),
        ("every", "true", True, "`every` is a positive integer, got ", TypeError),
        ("seed", "-1", -1, "`seed` is an integer from 0, got -1", ValueError),
        ("seed", "0.5", 0.5, "`seed` is an integer from 0, got 0.5", TypeError),
        ("shuffle", "1", 1, "`shuffle` is true or false, got 1", TypeError),
        ("epochs", "2**62", 2**62, "`epochs` is below 2**62, got 46", ValueError),
        ("batch", "2**62", 2**62, "`batch` is below 2**62, got 46", ValueError),
    ],
)
def test_each_door_refuses_the_same_with_the_same_words(
    path, tmp_path, name, text, value, words, kind
):
    program = tc.load(path)
    found, error = diagnostic_of(
        lambda: tc.fit(program.train, DATA, **{"batch": 5, name: value})
    )
    assert isinstance(error, kind)
    assert found.location.file == __file__
    own = f"    {name} = {text}\n"
    line = next((r for r in MODEL.splitlines(True) if r.split()[:1] == [name]), "")
    changed = MODEL.replace(line or "    epochs = 2\n", own)
    (tmp_path / "n.tc").write_text(changed)
    in_file, _ = diagnostic_of(lambda: tc.load("n.tc"))
    assert changed.splitlines()[in_file.location.line - 1] == own.rstrip()
    given, _ = diagnostic_of(lambda: tc.load(path, {name: text}))
    for diagnostic in (found, in_file, given):
        assert diagnostic.code == "TC0313"
        assert diagnostic.message.startswith(words)
    assert [d.message for d in tc.check("n.tc", {})] == [in_file.message]
    fit = {"data": DataCall("npz"), "batch": 5, "step": "f", "validate": "g"}
    assert diagnostic_of(lambda: Fit(**{**fit, name: value}))[0].message.startswith(
        words
    )


# Values of an argument of `patience` that cannot be, as files write them too.
NO_PATIENCE = {
    "steps": [("0", 0), ("-1", -1), ("2**62", 2**62), ('"5"', "5"), ("none", None)],
    "increase": [("-1", -1), ("0.5", 0.5), ("true", True), ("1e300", 1e300)],
    "threshold": [("0", 0), ("-1", -1), ("1.5", 1.5), ('"1"', "1"), ("[1]", [1])],
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (name, *case)
        for name, cases in NO_PATIENCE.items()
        for case in [*cases, (None, math.nan), (None, math.inf), (None, -math.inf)]
    ],
)
def test_patience_is_what_it_is_at_each_door(path, name, text, value):
    given = {"steps": 5, name: value}
    doors = [lambda: tc.patience(**given), lambda: Patience(**given)]
    if text is not None:  # files have no word for what is not finite
        words = ", ".join(f"{n}={text if n == name else 5}" for n in given)
        doors.append(lambda: tc.load(path, {"stop": f"patience({words})"}))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    limit = "is below 2**62" if is_number and value > 1 else None
    expected = limit if name != "threshold" and limit else f"is {PATIENCE[name].words}"
    for door in doors:
        found, error = diagnostic_of(door)
        assert found.code == "TC0313"
        assert found.message.startswith(f"`{name}` of `patience` {expected}, got ")
        if door is doors[0]:
            assert isinstance(error, ValueError if is_number else TypeError)


def test_how_patience_is_called(path):
    for text, words in (
        ("", "`patience` takes steps, increase, threshold: 1 to 3 numbers, 0 given"),
        ("1, 2, 3, 4", "1 to 3 numbers, 4 given"),
        ("1, steps=2", "1 to 3 numbers, 2 given"),
        ("1, thresh=2", "`patience` has no argument `thresh`"),
    ):
        given, _ = diagnostic_of(
            lambda t=text: tc.load(path, {"stop": f"patience({t})"})
        )
        assert words in given.message
    (fit,) = tc.load(path, {"stop": "patience(steps=7, threshold=0.5)"}).fits
    assert fit.stop == Patience(7, 2, 0.5) == tc.patience(7, threshold=0.5)


def test_the_arguments_of_patience_are_stated_once():
    declared = {f.name: f.default for f in fields(Patience)}
    assert list(declared) == list(PATIENCE)
    parameters = inspect.signature(tc.patience).parameters
    given = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
    assert given == {n: d for n, d in declared.items() if d is not MISSING}


def test_readers_are_the_same_to_a_check_and_to_a_run(path, tmp_path):
    assert set(READERS) == set(data.READERS)
    assert not set(PARSED_READERS) & set(READERS)
    for reader in PARSED_READERS:
        changed = MODEL.replace('npz("d.npz")', f'{reader}("d", 3)')
        (tmp_path / "n.tc").write_text(changed)
        (found,) = tc.check("n.tc", {})
        assert found.code == "TC0190"
        assert found.message.startswith(f"the reader `{reader}` is parsed")
        assert found.location.line == 9


def test_stop_needs_validate_at_each_door(path):
    program = tc.load(path)
    stop = tc.patience(5)
    found, _ = diagnostic_of(lambda: tc.fit(program.train, DATA, batch=5, stop=stop))
    given, _ = diagnostic_of(
        lambda: tc.load(path, {"stop": "patience(5)", "validate": "none"})
    )
    assert found.message == given.message
    assert found.message.startswith("`stop` needs `validate`")


def test_what_is_required_and_how_often_a_run_is(path, tmp_path):
    (tmp_path / "n.tc").write_text(MODEL.replace("    batch = 5\n", ""))
    found, _ = diagnostic_of(lambda: tc.load("n.tc"))
    assert found.message == "`fit` lacks `batch`"
    assert len(tc.load("n.tc", batch=4).fits) == 1
    found, _ = diagnostic_of(lambda: tc.load(path, times=0))
    assert found.message == "`times` is a positive integer, got 0"
    assert diagnostic_of(lambda: Run("", "f", (), 0))[0].message == found.message
    (fit,) = tc.load(path, every="none", stop="none").fits
    assert (fit.every, fit.stop) == (None, None)


def test_a_run_takes_arguments_by_name(path, capsys):
    assert command(["run", path]) == 0
    assert capsys.readouterr().out == "9.0\n"


@pytest.mark.parametrize(
    ("option", "settings", "words"),
    [
        ("batch", {"batch": 21}, "the training data has 20 examples, a batch 21"),
        ("data", {"data": 'npz("e.npz")'}, "e.npz: no such file"),
        ("validate", {"validate": "rows"}, "must return one number"),
        ("step", {"step": "other"}, "takes 'z', the data has no such column"),
        ("step", {"step": "lost"}, "the cost of 'lost' is nan"),
    ],
)
def test_what_a_run_finds_is_underlined_at_its_option(
    path, tmp_path, option, settings, words
):
    text = MODEL + (
        "fn rows(x: float[B, 2]) = x\n"
        "step other(x: float[B, 2], z: float[B]) -> float { w <- x[0]  return z[0] }\n"
        "step lost(x: float[B, 2]) -> float { w <- x[0]  return log(-x[0, 0]) }\n"
    )
    for name, value in settings.items():
        rows = text.splitlines(True)
        text = "".join(
            f"    {name} = {value}\n" if row.split()[:2] == [name, "="] else row
            for row in rows
        )
    (tmp_path / "n.tc").write_text(text)
    found, _ = diagnostic_of(tc.load("n.tc").fit)
    assert words in found.message
    line = text.splitlines()[found.location.line - 1]
    assert line.split()[:2] == [option, "="], line


def test_what_a_run_finds_of_a_setting_is_underlined_there(path):
    found, _ = diagnostic_of(tc.load(path, {"batch": "21"}).fit)
    assert "20 examples, a batch 21" in found.message
    assert found.location.file == "batch="


def test_the_identity_of_a_run_is_that_of_checkpoints_written_before():
    # As tensorc wrote them when a file and Python each had a statement of their own.
    of_file = Fit(
        *(DataCall("npz", ("d.npz",)), 10, "train", "loss", None, 4, 4),
        *(Patience(30, increase=3), True, 3),
    )
    assert of_file.identity("22ac14fe4bd026ea") == {
        **{"batch": 10, "data": "npz", "every": 4, "program": "22ac14fe4bd026ea"},
        **{"seed": 3, "shuffle": True, "step": "train", "stop": "30, 3, 0.995"},
        **{"test": None, "validate": "loss"},
    }
    of_python = Fit(DataCall("arrays"), 10, "train")
    assert of_python.identity("68d6629cb8991cf0") == {
        **{"batch": 10, "data": "arrays", "every": None, "seed": 0, "shuffle": False},
        **{"program": "68d6629cb8991cf0", "step": "train", "stop": None},
        **{"test": None, "validate": None},
    }


def test_the_table_is_the_dataclass_and_the_doors():
    declared = {f.name: f.default for f in fields(Fit)}
    for option in FIT:
        default = declared[option.name]
        assert (REQUIRED if default is MISSING else default) == option.default
    assert {f.name: f.default for f in fields(Run)}["times"] == RUN[1].default
    parameters = inspect.signature(tc.fit).parameters
    for name, option in OPTIONS["fit"].items():
        if option.default is not REQUIRED:
            assert parameters[name].default == option.default, name
        assert f"{name}: " in tc.fit.__doc__
    for door in (parameters, inspect.signature(tc.Program.fit).parameters):
        for name, option in OPTIONS["keep"].items():
            assert door[name].default == option.default, name
            assert f"{name}: " in tc.fit.__doc__
    assert {f.name: f.default for f in fields(Kept)} == {
        option.name: option.default for option in KEEP
    }
    by_name = [n for n, p in parameters.items() if p.kind == p.KEYWORD_ONLY]
    assert sorted(OF_FIT) == sorted(by_name)


def test_the_command_line_takes_what_the_table_says(path):
    values = train.command.make_context("train", [path]).params
    flags = {p.name: p for p in train.command.params}
    taken = [name for name in flags if name in OPTIONS["keep"]]
    assert taken == list(OPTIONS["keep"])
    for name, option in OPTIONS["keep"].items():
        flag = flags[name]
        assert flag.opts == [f"--{name.replace('_', '-')}"]
        assert values[name] == option.default
        assert flag.is_flag == (option.kind is TRUTH)
        shown = flag.help.replace("--save", "save").lower()
        assert shown.startswith(option.doc.replace("`", "").lower()), name


@pytest.mark.parametrize("value", [-1.0, math.nan, -math.inf])
def test_a_time_is_refused_with_the_same_words(path, value, capsys):
    program = tc.load(path)
    words = f"is a number of seconds, 0 or more, got {value}"
    for door in (
        lambda: tc.fit(program.train, DATA, batch=5, save_every=value),
        lambda: program.fit(save_every=value),
    ):
        assert diagnostic_of(door)[0].message == f"`save_every` {words} (float)"
    assert command(["train", path, f"--save-every={value}"]) == 2
    assert f"error: `--save-every` {words}\n" in capsys.readouterr().err
