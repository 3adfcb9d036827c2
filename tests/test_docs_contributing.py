"""CONTRIBUTING.md: its changes are complete, its commands select tests that pass.

The changes are applied to a copy of the sources, and the tests that the page names run
there.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.snippets import ROOT, blocks

PAGE = ROOT / "CONTRIBUTING.md"


def changes_of(heading: str) -> list[str]:
    """Return the diffs below a heading."""
    text = PAGE.read_text("utf-8")
    start = text.index(f"\n## {heading}\n")
    end = text.find("\n## ", start + 4)
    end = len(text) if end < 0 else end
    return [b.text for b in blocks(PAGE, "diff") if start < b.start < end]


def commands_of(heading: str) -> list[list[str]]:
    """Return the arguments of the commands that test."""
    return [words for setting, words in _commands(heading) if not setting]


def _commands(heading: str) -> list[tuple[str, list[str]]]:
    text = PAGE.read_text("utf-8")
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^    (\w+=1 )?pytest (.*)$", part, re.MULTILINE)
    return [(setting.strip(), shlex.split(words)) for setting, words in found]


def apply_change(root, diff: str) -> None:
    """Put the lines with a plus behind the line above them, or before the one below.

    If there is a line with a minus instead, they replace it.
    """
    head, *lines = diff.splitlines()
    path = root / head.removeprefix("+++ ")
    added = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
    for line in [line[1:] for line in lines if line.startswith("-")]:
        text = path.read_text("utf-8")
        assert text.count(f"{line}\n") == 1
        path.write_text(text.replace(f"{line}\n", added), "utf-8")
        return
    context = [line[1:] for line in lines if not line.startswith("+")]
    if not path.exists():
        assert not context
        path.write_text(added, "utf-8")
        return
    (anchor,) = context
    text = path.read_text("utf-8")
    (found,) = re.finditer(rf"^{re.escape(anchor)}\n", text, re.MULTILINE)
    where = found.end() if lines[0][1:] == anchor else found.start()
    path.write_text(text[:where] + added + text[where:], "utf-8")


@pytest.fixture
def copy(tmp_path):
    for name in ("tensorc", "tests", "docs", "examples"):
        ignore = shutil.ignore_patterns("__pycache__", "data")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def pytest_of(root, words, setting=""):
    options = ["-q", "-n0", "-rp", "-p", "no:cacheprovider"]
    return python_of(root, ["-m", "pytest", *options, *words], setting)


def python_of(root, words, setting=""):
    name, _, value = setting.partition("=")
    environment = {**os.environ, **({name: value} if name else {})}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def passes_in_each_file(copy, words):
    """Run a command; every file that it names has a test that is selected."""
    code, output = pytest_of(copy, words)
    assert code == 0, output
    for file in [word for word in words if word.startswith("tests/")]:
        assert f"PASSED {file}" in output, f"no test of {file} is selected"


def selects_in_each_file(root, words):
    code, output = pytest_of(root, ["--collect-only", *words])
    assert code == 0, output
    for file in [word for word in words if word.startswith("tests/")]:
        assert f"\n{file}" in f"\n{output}", f"no test of {file} is selected"


def printed(copy, *calls):
    """Return what calls print, with changes that ruff has nothing against."""
    for check in (["check"], ["format", "--check"]):
        code, output = python_of(copy, ["-m", "ruff", *check, "tensorc", "tests"])
        assert code == 0, output
    program = "import numpy as np, tensorc as tc\n"
    program += "".join(f"print({call})\n" for call in calls)
    code, output = python_of(copy, ["-c", program])
    assert code == 0
    return output.splitlines()


def follow(copy, heading, complaints, calls, alone=1):
    """Apply the changes below a heading; return what calls in Python print then.

    With the changes that make the op `alone` the tests say what is missing; with all
    of them they pass.
    """
    changes = changes_of(heading)
    others = changes[alone:]
    for change in changes[:alone]:
        apply_change(copy, change)
    (pages, written), (_, contract), (_, numbers) = _commands(heading)
    code, output = pytest_of(copy, contract)
    assert code == 1
    for complaint in complaints:
        assert complaint in output
    for change in others:
        apply_change(copy, change)
    pytest_of(copy, written, pages)
    for words in (written, contract, numbers):
        passes_in_each_file(copy, words)
    return printed(copy, *calls)


def test_the_op(copy):
    complaints = (
        "tests/samples.py lacks a row for tc.signed_square",
        "or a row in NOT_DIFFERENTIABLE",
        "a row in tensorc/frontend/library/maps.py",
    )
    cost = "lambda x: tc.sum(tc.signed_square(x))"
    calls = [
        "tc.jit(tc.signed_square)(np.array([-3.0, 2.0]))",
        f"tc.grad({cost})(np.array([-3.0, 2.0]))",
    ]
    lines = follow(copy, "To add an op", complaints, calls)
    assert lines == ["[-9.  4.]", "[6. 4.]"]
    assert len({d.partition("\n")[0] for d in changes_of("To add an op")}) == 4
    for page in ("docs/functions.md", "docs/ops.md"):
        assert "signed_square" in (copy / page).read_text("utf-8")


def test_the_function_of_the_math_library(copy):
    heading = "To add a function of the math library"
    complaints = (
        "tests/samples.py lacks a row for tc.log_sigmoid",
        "or a row in NOT_DIFFERENTIABLE",
        "a row in tensorc/frontend/library/maps.py",
        "EXPANSIONS of one in tensorc/passes/math",
    )
    call = "tc.jit(tc.log_sigmoid)(np.array([-800.0, 0.0])).tolist()"
    lines = follow(copy, heading, complaints, [call], alone=2)
    assert lines == ["[-800.0, -0.6931471805599453]"]
    assert len({d.partition("\n")[0] for d in changes_of(heading)}) == 4 + 2


def test_the_reduction(copy):
    complaints = (
        "tests/samples.py lacks a row for tc.sum_of_squares",
        "or a row in NOT_DIFFERENTIABLE",
        "a row in tensorc/passes/structured/to_structured.py",
    )
    x = "np.array([[1.0, 2.0], [3.0, 4.0]])"
    calls = [
        f"tc.jit(lambda x: tc.sum_of_squares(x, axis=0))({x}).tolist()",
        f"tc.grad(tc.sum_of_squares)({x}).tolist()",
    ]
    lines = follow(copy, "To add a reduction", complaints, calls)
    assert lines == ["[10.0, 20.0]", "[[2.0, 4.0], [6.0, 8.0]]"]


def test_the_function(copy, monkeypatch):
    body, row, planned = changes_of("To add a function for users")
    (words,) = commands_of("To add a function for users")
    apply_change(copy, body)
    apply_change(copy, row)
    code, said = pytest_of(copy, words)
    assert code == 1
    assert "test_a_table_follows_from_the_rows" in said
    assert "test_no_name_is_here_and_planned" in said
    apply_change(copy, planned)
    monkeypatch.setenv("TENSORC_UPDATE_GOLDEN", "1")
    code, said = pytest_of(copy, words[:1])
    assert code == 0, said
    monkeypatch.delenv("TENSORC_UPDATE_GOLDEN")
    assert "`heaviside(x, y)`" in (copy / "docs" / "functions.md").read_text("utf-8")
    passes_in_each_file(copy, words)
    x = "np.array([-1.0, 0.0, 2.0])"
    call = f"tc.jit(lambda x: tc.heaviside(x, 0.5))({x})"
    assert printed(copy, call) == ["[0.  0.5 1. ]"]


def test_the_pass(copy):
    changes = changes_of("To add a pass")
    examples, whole = commands_of("To add a pass")
    *source, example, imported, golden = changes
    for change in source:
        apply_change(copy, change)
    code, said = pytest_of(copy, examples)
    assert code == 1
    assert "test_every_pass_has_a_golden_file" in said
    assert "test_every_pass_has_an_example" in said
    for change in (example, imported, golden):
        apply_change(copy, change)
    passes_in_each_file(copy, examples)
    selects_in_each_file(copy, whole)  # these take a minute
    call = "tc.jit(lambda x: tc.abs(-x) + 1)(np.array([-2.0, 3.0]))"
    assert printed(copy, call) == ["[3. 4.]"]


SELECTING = ("To add a test", "To add a structured op", "To add an op with regions")


@pytest.mark.parametrize(
    "words",
    [words for heading in SELECTING for words in commands_of(heading)],
    ids=" ".join,
)
def test_a_command_selects_tests(words):
    selects_in_each_file(ROOT, words)
