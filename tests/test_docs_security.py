"""docs/security.md: each promise names tests that are there, and those of its own."""

import ast
import io
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest

from tensorc import cache
from tensorc.cli.main import run
from tensorc.runtime.files import columns as files
from tensorc.runtime.files import pickled
from tests.runtime.test_data import encode
from tests.snippets import ROOT

PAGE = ROOT / "docs" / "security.md"
TEST = re.compile(r"`(\S+\.py)::(\w+)`")


def rows():
    """Return the rows of the tables whose last column is of tests."""
    found, holds = [], False
    for line in PAGE.read_text("utf-8").splitlines():
        if not line.startswith("|"):
            holds = False
        elif re.search(r"\| tests \|$", line):
            holds = True
        elif holds and not line.startswith("|---"):
            found.append(line)
    return found


def test_each_promise_names_tests_that_are_there():
    assert len(rows()) > 20
    for row in rows():
        named = TEST.findall(row.split("|")[-2])
        assert named, f"no test holds this: {row}"
        for file, name in named:
            path = ROOT / "tests" / file
            assert path.is_file(), row
            tree = ast.parse(path.read_text("utf-8"))
            functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            assert name in functions, f"{file} has no {name}"


def test_the_limits_are_those_of_the_code():
    text = PAGE.read_text("utf-8")
    for words in (
        f"{files.SMALL >> 20} MiB, or {files.RATIO} times its bytes",
        f"a `.csv.gz` {files.SMALL >> 22} MiB, or {files.RATIO} times",
        f"{cache.LARGEST_ENTRY >> 20} MiB each, "
        f"{cache.LARGEST_STORE >> 20} MiB in total",
        f"`{cache.FOLDER}`",
    ):
        assert words in text


def test_the_page_is_linked():
    for page in ("README.md", "docs/language.md"):
        assert "security.md" in (ROOT / page).read_text("utf-8")


MODEL = """
param w: float = 0
fn error(x: float[B, 4], y: int[B]) -> float = mean(w * sum(x, axis=1) - f32(y))
step train(x: float[B, 4], y: int[B]) -> float {
    cost = mean((w * sum(x, axis=1) - f32(y))**2)
    w <- w - 0.01 * grad(cost, w)
    return cost
}
fit { data = idx("x", "../data/y", "x", "../data/y")
      batch = 2  step = train  validate = error
      epochs = 2  every = 1 }
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    for name in ("program", "data", "elsewhere"):
        (tmp_path / name).mkdir()
    x = np.ones((4, 2, 2), np.uint8)
    (tmp_path / "program" / "x").write_bytes(encode(x))
    (tmp_path / "data" / "y").write_bytes(encode(np.ones(4, np.uint8)))
    path = tmp_path / "program" / "m.tc"
    path.write_text(MODEL)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return path


def content(directory):
    return {p: p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("verb", ["check", "train", "eval", "run", "explain"])
def test_a_recipe_writes_nothing(model, verb):
    before = content(model.parent.parent)
    run([verb, str(model)])
    assert content(model.parent.parent) == before


OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, given: event == "open" and opened.append(str(given[0])))
from tensorc.cli.main import run
code = run(sys.argv[1:])
print(*[name for name in opened if sys.argv[2].rpartition("/")[0] in name], sep="\\n")
sys.exit(code)
"""


def opened_by(model, *arguments):
    command = [sys.executable, "-c", OPENED, arguments[0], str(model), *arguments[1:]]
    environment = {**os.environ, "TENSORC_CACHE_DIR": "off"}
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    )
    names = result.stdout.splitlines()
    return {os.path.realpath(name) for name in names if name.startswith("/")}


def test_checking_reads_no_data(model):
    assert opened_by(model, "check") == {str(model)}
    assert opened_by(model, "compile", "-o", os.devnull) == {str(model)}


def test_training_reads_the_data_that_is_named_and_no_other(model):
    (model.parent / "other").write_text("")
    data = [model.parent / "x", model.parent.parent / "data" / "y"]
    found = opened_by(model, "train", "--quiet")
    assert found == {str(path) for path in (model, *data)}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes are those of POSIX")
def test_entries_are_for_their_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        cache.save(cache.key_of("a"), b"payload")
    finally:
        os.umask(before)
    (entry,) = (tmp_path / "cache").glob("*.tca")
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_the_names_that_a_pickle_may_use():
    machine = pickled._Machine(pickled._File(io.BytesIO().read))
    rows = PAGE.read_text("utf-8").splitlines()
    (row,) = [r for r in rows if r.startswith("| `mnist.pkl.gz`")]
    stated = re.findall(r"`(\w+)`", row.partition("the names that it may use")[2])
    assert {*stated} == {
        name.rpartition(" ")[2].rpartition(".")[2] for name in machine._globals
    }
