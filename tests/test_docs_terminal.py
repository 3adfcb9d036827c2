"""docs/terminal.svg shows what the commands print now, but for times."""

import html
import re

from tensorc.cli import main
from tests.snippets import ROOT

LINE = r'<text class="[\w-]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
TEXT = re.compile(LINE)
WIDTH = 12.2  # of a character


def lines_of_the_picture() -> list[str]:
    rows: dict[float, str] = {}
    for x, y, text in TEXT.findall((ROOT / "docs" / "terminal.svg").read_text("utf-8")):
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
    cost = printed[4].rpartition(", ")[0]
    assert shown[start + 4].startswith(cost)
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
