"""The one runner of what pages show: their Python, their models, what commands print.

A page's `python` blocks run in order with one namespace. A `tc` block is a whole file
that compiles without a complaint, unless a `text` block follows it at once: that is
what `tensorc check` prints of it, or `tensorc run` if nothing is wrong.
TENSORC_UPDATE_GOLDEN=1 writes these texts anew.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tensorc.api import checking
from tensorc.api import program as api
from tensorc.cli import main

ROOT = Path(__file__).parents[1]
UPDATE = os.environ.get("TENSORC_UPDATE_GOLDEN") == "1"
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
# What a data set of a recipe is called in the snippets: nothing is read from it.
MODEL = "model.tc"


@dataclass(frozen=True)
class Block:
    """A fenced block: its number in the page, its language, its text, its place."""

    page: Path
    number: int
    language: str
    text: str
    start: int
    end: int
    line: int

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, of one language or of all."""
    text = page.read_text("utf-8")
    found = [
        Block(page, n, m[1], m[2], *m.span(2), text.count("\n", 0, m.start()) + 1)
        for n, m in enumerate(BLOCK.finditer(text))
    ]
    return [b for b in found if language in (None, b.language)]


def said_of(block: Block) -> Block | None:
    """Return the `text` block that stands right behind a block, if there is one."""
    found = blocks(block.page)  # anew: blocks above may have been written
    if block.number + 1 == len(found):
        return None
    place, following = found[block.number], found[block.number + 1]
    between = block.page.read_text("utf-8")[place.end : following.start]
    return following if between == "```\n\n```text\n" else None


def run_python(page: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run the Python of a page at the root of the clone, and return its names."""
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        code = "\n" * block.line + block.text  # so that an error names the line
        exec(compile(code, str(page), "exec"), names)
    return names


def check_model(
    block: Block, directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Compile a model; run it, or say what is wrong with it, if the page shows that."""
    path = directory / MODEL
    path.write_text(block.text, "utf-8")
    said = said_of(block)
    if said is None:
        assert checking.check(str(path), {}) == []
        api.load(path)
        return
    wrong = main.run(["check", str(path)])
    given = capfdbinary.readouterr().err
    if not wrong:
        code = main.run(["run", str(path)])
        given = b"".join(capfdbinary.readouterr())
        assert code == int(b"error[" in given), given.decode()
    same_text(said, given.decode().replace(str(path), MODEL))


def same_text(block: Block, given: str) -> None:
    """Compare a block with what it should say, or write it anew."""
    given = "".join(line.rstrip() + "\n" for line in given.rstrip().splitlines())
    if UPDATE and block.text != given:
        page = block.page.read_text("utf-8")
        now = blocks(block.page)[block.number]
        block.page.write_text(page[: now.start] + given + page[now.end :], "utf-8")
        return
    assert block.text == given


def write_table(page: Path, heading: str, rows: list[dict[str, str]]) -> None:
    """Put a table below a heading, in the place of the one that stands there."""
    lines = [[*rows[0]], ["---"] * len(rows[0]), *[[*r.values()] for r in rows]]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    table = table.replace("|  |", "| |").replace("| --- |", "|---|")
    table = table.replace("---| --- ", "---|---").replace("|  |", "| |")
    text = page.read_text("utf-8")
    start = re.search(rf"^#+ {re.escape(heading)}\n", text, re.MULTILINE)
    assert start, f"{page.name} has no heading '{heading}'"
    after = text.find("\n#", start.end())
    end = len(text) if after < 0 else after
    part = text[start.end() : end]
    old = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)
    part = part.replace(old[0], table) if old else f"{part.rstrip()}\n\n{table}"
    page.write_text(text[: start.end()] + part + text[end:], "utf-8")


def tables(page: Path, heading: str) -> list[Mapping[str, str]]:
    """Return the rows of the tables below a heading, each by the names of columns."""
    text = page.read_text("utf-8")
    part = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert part, f"{page.name} has no heading '{heading}'"
    rows: list[Mapping[str, str]] = []
    names: list[str] = []
    for line in part[1].splitlines():
        if not line.startswith("|"):
            names = []
            continue
        cells = [c.strip().replace(r"\|", "|") for c in re.split(r"(?<!\\)\|", line)]
        cells = cells[1:-1]
        if not names:
            names = cells
        elif set(line) - set("|- :"):
            assert len(cells) == len(names), line
            rows.append(dict(zip(names, cells, strict=True)))
    return rows
