"""The pictures in docs show what is printed now, but for times and the machine's part.

`python docs/terminal.py` writes them.
"""

import html
import re
from xml.etree import ElementTree

from tensorc.cli import main
from tests.snippets import ROOT

LINE = r'<text class="[\w-]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
TEXT = re.compile(LINE)
WIDTH = 12.2  # of a character


def lines_of_the_picture(name: str = "terminal.svg") -> list[str]:
    rows: dict[float, str] = {}
    for x, y, text in TEXT.findall((ROOT / "docs" / name).read_text("utf-8")):
        row = rows.get(float(y), "")
        shown = html.unescape(text).replace("\xa0", " ")
        rows[float(y)] = row.ljust(round(float(x) / WIDTH)) + shown
    return [row.rstrip() for _, row in sorted(rows.items())]


def portable(cost: str) -> str:
    """Leave out what depends on the machine's vectors."""
    return re.sub(r"\d+ kernels, |arena [\d.]+ \w+, ", "", cost)


def test_the_picture_is_what_is_printed(tmp_path, monkeypatch, capsys):
    shown = lines_of_the_picture()
    monkeypatch.chdir(ROOT)
    assert main.run(["train", "examples/logreg.tc", "--set", "epochs=1"]) == 0
    printed = capsys.readouterr().err.splitlines()
    start = shown.index("$ tensorc train examples/logreg.tc") + 1
    assert shown[start : start + 3] == printed[:3]
    assert portable(shown[start + 3]) == portable(printed[3])
    assert shown[start + 4 : start + 6] == printed[4:6]  # rows that are left out
    cost = printed[6].rpartition(", ")[0]
    assert shown[start + 6].startswith(cost)
    assert "test 7.489583 % (719 of 9,600), stopped in epoch 74" in "\n".join(shown)


def test_the_diagnostic_of_the_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    terminal = __import__("terminal")
    path = terminal.wrong_program(tmp_path)
    monkeypatch.chdir(path.parent)
    assert main.run(["check", path.name]) == 1
    shown = lines_of_the_picture()
    start = shown.index("$ tensorc check wrong.tc") + 1
    assert shown[start:] == capsys.readouterr().err.rstrip().splitlines()


def kinds(lines: list[str]) -> set[str]:
    """Return what lines are about, without numbers: kernels depend on the machine."""
    words = [re.sub(r"\d[\d,]*", "0", line)[:11].strip() for line in lines]
    return set(words)


def test_the_kernels_of_the_picture(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    terminal = __import__("terminal")
    monkeypatch.chdir(ROOT)
    assert main.run(list(terminal.EXPLAIN)) == 0
    printed = capsys.readouterr().out.splitlines()
    command, *shown = lines_of_the_picture("explain.svg")
    assert command == f"$ tensorc {' '.join(terminal.EXPLAIN)}"
    assert {"train: 0 ke", "kernel 0: o", "source", "flops", "opened"} <= kinds(shown)
    assert kinds(shown) == kinds([line for line in printed if line])


def test_what_a_notebook_shows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    terminal = __import__("terminal")
    monkeypatch.chdir(ROOT)
    picture = (ROOT / "docs" / "notebook.svg").read_text("utf-8")
    program, step = terminal.shown_by_cells()
    assert program in picture
    headings = re.findall("<b>.*?</b>", step)
    assert headings == [f"<b>{x}</b>" for x in ("takes", "gives", "a call costs")]
    start = picture.index(terminal.CELLS[1])
    assert re.findall("<b>.*?</b>", picture[start:]) == headings
    ElementTree.fromstring(picture)


def test_the_bar_of_the_picture_is_whole():
    command, compiling, *frames = lines_of_the_picture("bar.svg")[-4:]
    assert command == "$ tensorc train examples/logreg.tc"
    assert compiling.startswith("compiling")
    for frame in frames:
        shown = r"epoch [\d,]+/1,000 .* [\d,]+/s  cost [\d.]+  valid .* [\d:]+ left"
        assert re.fullmatch(shown, frame), frame
        assert len(frame) <= 80
