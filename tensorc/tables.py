"""Tables as text and as HTML: what programs, functions and runs show of themselves."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.diagnostics import escape

# Notebooks have their own style for tables; only what they leave open is set here.
_TABLE = '<table style="margin: 0 0 0.8em 0">'


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts below a heading. Columns of `numbers` stand to the right."""

    heading: str
    rows: Sequence[Sequence[str]]
    columns: Sequence[str] = ()
    numbers: frozenset[int] = frozenset()

    def text(self) -> str:
        """Return the rows with a space of two between their columns, a line each."""
        rows = [[escape(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i in self.numbers else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def html(self) -> str:
        """Return the heading and the rows as HTML."""
        body = [_row(self.columns, "th", self.numbers)] if self.columns else []
        body += [_row(row, "td", self.numbers) for row in self.rows]
        return (
            f"<div><b>{_quoted(self.heading)}</b></div>{_TABLE}{''.join(body)}</table>"
        )


def _row(cells: Sequence[str], tag: str, numbers: frozenset[int]) -> str:
    made = [
        f'<{tag} style="text-align: {"right" if i in numbers else "left"}">'
        f"{_quoted(cell)}</{tag}>"
        for i, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(made)}</tr>"


def _quoted(text: str) -> str:
    return html.escape(escape(text))


def text_of(title: str, tables: Sequence[Table]) -> str:
    """Return tables as text below a title, a blank line between them."""
    parts = [
        "\n".join([t.heading, *(f"  {x}" for x in t.text().splitlines())])
        for t in tables
        if t.rows
    ]
    return "\n\n".join([escape(title), *parts])


def html_of(title: str, tables: Sequence[Table]) -> str:
    """Return tables as HTML below a title."""
    parts = [t.html() for t in tables if t.rows]
    return f"<div><code>{_quoted(title)}</code></div>{''.join(parts)}"


def preformatted(text: str) -> str:
    """Return a text as HTML that keeps its lines."""
    lines = map(escape, text.splitlines())
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def spell_bytes(size: int) -> str:
    """Return a number of bytes for people: 1.5 MiB."""
    if size < 1024:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def spell_seconds(seconds: float) -> str:
    """Return a time for people: 12.3 ms."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def spell_rate(rate: float) -> str:
    """Return a rate for people, in billions: 231, 8.16."""
    return _three_digits(rate / 1e9)


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 99.5 else f"{number:.3g}"
