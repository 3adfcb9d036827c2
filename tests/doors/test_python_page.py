"""What docs/python.md shows is true: its programs run, its names are there."""

import re
from pathlib import Path

import tensorc as tc
from tensorc.frontend import library

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
ROWS = re.findall(r"^\| (?:\w+) \| (.*`) \|$", PAGE, re.MULTILINE)
NAMES = {
    n for row in ROWS for part in re.findall(r"`(.*?)`", row) for n in part.split()
}
# The language's word for arange.
OTHERWISE = {"range"}


def test_the_programs_run():
    names: dict[str, object] = {}
    for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(text, "python.md", "exec"), names)
    assert "train" in names
    assert names["slopes"]["W"].shape == (4, 2)  # type: ignore[index]


def test_the_names_exist_and_have_docstrings():
    assert len(NAMES) > 80
    for name in NAMES:
        assert getattr(tc, name).__doc__, name


def test_no_function_of_the_library_is_missing():
    assert set(library.PRELUDE) - OTHERWISE <= NAMES
