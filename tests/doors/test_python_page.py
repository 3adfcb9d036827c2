"""What docs/python.md shows is true: its programs run, its names are there."""

import re

import tensorc as tc
from tensorc.frontend import library
from tests.snippets import ROOT, run_python

PATH = ROOT / "docs" / "python.md"
PAGE = PATH.read_text()
ROWS = re.findall(r"^\| (?:\w+) \| (.*`) \|$", PAGE, re.MULTILINE)
NAMES = {
    n for row in ROWS for part in re.findall(r"`(.*?)`", row) for n in part.split()
}
# The language's word for arange.
OTHERWISE = {"range"}


def test_the_programs_give_what_they_say(monkeypatch):
    names = run_python(PATH, monkeypatch)
    assert "train" in names
    assert names["slopes"]["W"].shape == (4, 2)  # type: ignore[index]


def test_the_names_exist_and_have_docstrings():
    assert len(NAMES) > 80
    for name in NAMES:
        assert getattr(tc, name).__doc__, name


def test_no_function_of_the_library_is_missing():
    assert set(library.PRELUDE) - OTHERWISE <= NAMES
