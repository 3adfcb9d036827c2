"""Diagnostics as text, with the source line and carets, in rustc's manner.

    error[TC0301]: matmul: inner dimensions differ: 784 and 10
     --> mlp.tc:7:14
      |
    7 |     h = tanh(x @ W2 + b1)
      |              - ^ -- f32[10, 784], declared at mlp.tc:4
      |              |
      |              f32[B, 784]
      = help: transpose the weight: x @ W2.T

What comes from the user's file is never printed as it is: control characters are
escaped, and of a long line only the part around the caret is quoted.
"""

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorc.errors import Diagnostic, Location, TensorcError, shortened

MAX_QUOTED = 200
TAB = 4
MAX_SOURCE_BYTES = 1 << 24

COLORS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "note": "\x1b[1;36m",
    "help": "\x1b[1;32m",
    "label": "\x1b[1;34m",
    "frame": "\x1b[1;34m",
    "strong": "\x1b[1m",
}
RESET = "\x1b[0m"

# A row of output before it is painted: characters with the name of their colour.
Row = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is underlined in a line: 0-based characters, and what to say about them."""

    start: int
    end: int
    text: str
    sign: str
    style: str


def render_error(
    error: TensorcError, sources: Mapping[str, str] | None = None, color: bool = False
) -> str:
    """Return the first diagnostics of an error, a blank line between them."""
    shown, others = shortened(error.diagnostics)
    texts = [render(d, sources, color) for d in shown]
    return "\n".join([*texts, *([f"{others}\n"] if others else [])])


def render(
    diagnostic: Diagnostic,
    sources: Mapping[str, str] | None = None,
    color: bool = False,
) -> str:
    """Return a diagnostic as text that ends in a newline.

    `sources` has texts by file name; a file that is not there is read, and a place
    whose text cannot be had is named without being quoted.
    """
    style = diagnostic.severity
    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    rows: list[Row] = [
        [(f"{style}{code}", style), (f": {escape(diagnostic.message)}", "strong")]
    ]
    marks = _marks(diagnostic)
    width = max((len(str(line)) for _, line in marks), default=1)
    file = ""
    for index, ((name, line), group) in enumerate(marks.items()):
        text = _line_text(name, line, sources or {})
        if not index or (name != file and text is not None):
            rows.append(_arrow(diagnostic.location, name, line, group, width, index))
            file, before = name, 0
        if text is None:
            rows.extend(_unquoted(m, name, line, width) for m in group if m.text)
            continue
        gutter = [(" " * (width + 1) + "|", "frame")]
        if not before:
            rows.append(gutter)
        elif line > before + 1:
            rows.append([("...", "frame")])
        rows.extend(_quoted(text, line, group, width))
        before = line
    if not marks and diagnostic.location.file:
        rows.append([(" --> ", "frame"), (escape(diagnostic.location.file), "")])
    for word, texts in (("note", diagnostic.notes), ("help", diagnostic.hints)):
        for text in texts:
            rows.extend(_footer(word, text, width))
    return "".join(f"{_paint(row, color)}\n" for row in rows)


def _marks(diagnostic: Diagnostic) -> dict[tuple[str, int], list[Mark]]:
    """Group what is to be underlined by file and line, the primary file first."""
    location = diagnostic.location
    found = (
        [(location, diagnostic.label, "^", diagnostic.severity)]
        if location.line
        else []
    )
    found += [(x.location, x.text, "-", "label") for x in diagnostic.labels]
    found = [entry for entry in found if entry[0].line]
    found.sort(key=lambda e: (e[0].file != location.file, e[0].file, e[0].line))
    groups: dict[tuple[str, int], list[Mark]] = {}
    for where, text, sign, style in found:
        start = max(where.column - 1, 0)
        end = where.end_column - 1 if where.end_line in (0, where.line) else 1 << 30
        mark = Mark(start, max(end, start + 1), escape(text), sign, style)
        groups.setdefault((where.file, where.line), []).append(mark)
    return groups


def _line_text(name: str, line: int, sources: Mapping[str, str]) -> str | None:
    text = sources.get(name)
    if text is None:
        try:
            path = Path(name)
            if not path.is_file() or path.stat().st_size > MAX_SOURCE_BYTES:
                return None
            text = path.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return None
    lines = text.removeprefix("\ufeff").split("\n")
    return lines[line - 1].removesuffix("\r") if line <= len(lines) else None


def _arrow(
    primary: Location, name: str, line: int, group: Sequence[Mark], width: int, nth: int
) -> Row:
    column = primary.column if not nth and primary.line else group[0].start + 1
    number = primary.line if not nth and primary.line else line
    arrow = "-->" if not nth else ":::"
    where = f"{escape(name)}:{number}:{column}"
    return [(f"{' ' * width}{arrow} ", "frame"), (where, "")]


def _unquoted(mark: Mark, name: str, line: int, width: int) -> Row:
    where = f"{escape(name)}:{line}:{mark.start + 1}: " if mark.sign != "^" else ""
    return [(f"{' ' * (width + 1)}= ", "frame"), (f"{where}{mark.text}", "")]


def _quoted(text: str, line: int, marks: Sequence[Mark], width: int) -> list[Row]:
    """Return a source line and the rows with what is said about it."""
    focus = min((m for m in marks), key=lambda m: m.sign != "^").start
    shown, columns = _cells(text, focus)
    frame = (f"{line:>{width}} | ", "frame")
    rows: list[Row] = [[frame, (shown.rstrip(), "")]]
    placed = sorted(
        (_placed(mark, text, columns) for mark in marks),
        key=lambda m: (m.start, m.sign == "^"),
    )
    blank = (f"{' ' * width} | ", "frame")
    return rows + [[blank, *row] for row in _annotations(placed)]


def _placed(mark: Mark, text: str, columns: Sequence[int]) -> Mark:
    """Return a mark in columns of the terminal."""
    last = len(columns) - 1
    start = columns[min(mark.start, last)]
    end = columns[min(mark.end, max(len(text.rstrip()), mark.start + 1), last)]
    return Mark(start, max(end, start + 1), mark.text, mark.sign, mark.style)


def _annotations(marks: Sequence[Mark]) -> list[Row]:
    """Underline the marks; the last text stands behind, the others hang below."""
    underline: Row = []
    for mark in sorted(marks, key=lambda m: m.sign != "^"):
        _put(underline, mark.start, mark.sign * (mark.end - mark.start), mark.style)
    hanging = [mark for mark in marks if mark.text]
    rows = [underline]
    if hanging and hanging[-1].end == len(underline):
        last = hanging.pop()
        _put(underline, last.end + 1, last.text, last.style)
    if hanging:
        rows.append(_strings(hanging))
    while hanging:
        last = hanging.pop()
        row = _strings([mark for mark in hanging if mark.start < last.start])
        _put(row, last.start, last.text, last.style)
        rows.append(row)
    return rows


def _strings(marks: Sequence[Mark]) -> Row:
    row: Row = []
    for mark in marks:
        _put(row, mark.start, "|", mark.style)
    return row


def _put(row: Row, column: int, text: str, style: str) -> None:
    """Write text into a row of single characters."""
    row.extend([(" ", "")] * (column + len(text) - len(row)))
    row[column : column + len(text)] = [(char, style) for char in text]


def _cells(text: str, focus: int) -> tuple[str, list[int]]:
    """Return the part of a line to show, and each character's column in it."""
    first = max(0, min(focus - MAX_QUOTED // 2, len(text) - MAX_QUOTED))
    last = min(len(text), first + MAX_QUOTED)
    shown = "..." if first else ""
    column = len(shown)
    columns = [column] * first
    for char in text[first:last]:
        columns.append(column)
        piece = " " * (TAB - column % TAB) if char == "\t" else escape(char)
        shown += piece
        column += _width(piece)
    columns.append(column)
    return shown + ("..." if last < len(text) else ""), columns


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(char) else 1 + _is_wide(char) for char in text
    )


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def escape(text: str) -> str:
    """Return text in which no character moves the cursor or reorders its line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_plain(char) else _escaped(char) for char in text)


def _is_plain(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]


def _footer(word: str, text: str, width: int) -> list[Row]:
    first, *others = text.split("\n")
    margin = " " * (width + 1)
    rows: list[Row] = [
        [(f"{margin}= ", "frame"), (word, word), (f": {escape(first)}", "")]
    ]
    indent = margin + " " * (len(word) + 4)
    return rows + [[(f"{indent}{escape(line)}", "")] for line in others]


def _paint(row: Row, color: bool) -> str:
    if not color:
        return "".join(text for text, _ in row).rstrip()
    runs = (
        ("".join(text for text, _ in run), style)
        for style, run in itertools.groupby(row, key=lambda piece: piece[1])
    )
    return "".join(
        f"{COLORS[style]}{text}{RESET}" if style in COLORS and text.strip() else text
        for text, style in runs
    ).rstrip()
