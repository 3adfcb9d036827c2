"""`tensorc fuzz`: its report, its exit codes, and what it leaves of a failure."""

import json

import pytest

from tensorc.cli import main
from tensorc.fuzz import session
from tensorc.fuzz.case_file import read_case
from tensorc.fuzz.check import ALL_WAYS, check_module
from tensorc.fuzz.generate import generate
from tensorc.fuzz.region_recipes import ALL_RECIPES
from tensorc.ir.ops.tensor.elementwise import Sub
from tests.fuzz.test_check import SEED, failure_with, sub_the_wrong_way, uses


def here(seed, work, jobs, is_over, show):
    """Check in this process, as `session.run` does in others."""
    total = session.Coverage()
    for numbers in work:
        if is_over(total):
            break
        total.add(session.check_batch(seed, *numbers))
        show(total)
    return total


def test_a_run_without_findings(tmp_path, capsys):
    report = tmp_path / "report.json"
    command = ["fuzz", "--seed", "3", "--programs", "6", "--jobs", "1"]
    assert main.run([*command, "--json", str(report), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for cls in ALL_RECIPES:
        assert f"\n{cls.name} " in printed.out
    assert "seed 3: 6 programs in " in printed.out
    assert printed.out.endswith("mismatches: 0\n")
    said = json.loads(report.read_text())
    assert (said["seed"], said["programs"], said["mismatches"]) == (3, 6, [])
    used = sum(len(generate(3, n).ops) for n in range(6))
    assert sum(op["times"] for op in said["ops"].values()) == used
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_finding_is_written_and_the_exit_code_is_4(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(session, "run", here)
    with monkeypatch.context() as planted:
        sub_the_wrong_way(planted)
        number = failure_with(uses(Sub), "interpreted").program.name[1:]
        command = ["fuzz", "--seed", str(SEED), "--first", number, "--programs", "1"]
        assert main.run([*command, "--out", str(tmp_path)]) == 4
    printed = capsys.readouterr().out
    assert f"again: tensorc {' '.join(command)}" in printed
    path = tmp_path / f"fuzz-{SEED}-{number}.mlir"
    assert f"test: {path}" in printed
    module, subject = read_case(path)
    assert check_module(module, [subject], ways=ALL_WAYS).mismatches == []


def test_an_interrupt_leaves_the_table(monkeypatch, tmp_path, capsys):
    def interrupted(seed, work, jobs, is_over, show):
        show(session.Coverage(programs=16))
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "run", interrupted)
    assert main.run(["fuzz", "--out", str(tmp_path)]) == 130
    assert "seed 0: 16 programs in" in capsys.readouterr().out


def test_seconds_end_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "run", here)
    monkeypatch.setattr(session, "check_batch", lambda *_: session.Coverage(programs=1))
    assert main.run(["fuzz", "--seconds", "0.05", "--out", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--out", f"{__file__}/cases"], 1, "cases: cannot be made: Not a directory"),
        (["--seconds", "0"], 2, "--seconds"),
        (["--programs", "0"], 2, "--programs"),
        (["--seed", "-1"], 2, "--seed"),
    ],
)
def test_wrong_arguments(arguments, code, words, capsys):
    assert main.run(["fuzz", *arguments]) == code
    assert words in capsys.readouterr().err
