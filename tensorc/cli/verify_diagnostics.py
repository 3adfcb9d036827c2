"""MLIR's `--verify-diagnostics`: what is reported is what the comments expect.

    // expected-error @+1 {{part of the message}}

1. `expected-error`, `-note`, `-remark` or `-warning` ends its line; the text between
   the braces is a part of the message. After `-re`, what stands in `{{…}}` inside the
   text is a regular expression.
2. The location is this line, `@+N` or `@-N` lines from it, `@above` or `@below` for the
   nearest line without a designator, or `@unknown`.
3. Every diagnostic needs a comment of its own, and every comment a diagnostic. Other
   locations that a diagnostic shows are notes of their own; help and notes without one
   are not compared. A code such as [TC0205] stands behind the message.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorc.errors import Diagnostic, Location

_EXPECTED = re.compile(
    r"expected-(error|note|remark|warning)(-re)? *"
    r"(@(?:[+-][0-9]+|above|below|unknown))? *\{\{(.*)\}\}$"
)
_INNER = re.compile(r"\{\{(.*?)\}\}")


@dataclass
class Expected:
    """One comment: what it waits for, and where it stands."""

    kind: str
    text: str
    line: int
    location: Location
    is_regex: bool
    is_met: bool = False

    def meets(self, kind: str, line: int, message: str) -> bool:
        """Tell whether a diagnostic is the one that is waited for."""
        if self.is_met or kind != self.kind or line != self.line:
            return False
        if not self.is_regex:
            return self.text in message
        parts = _INNER.split(self.text)
        pattern = "".join(
            f"(?:{part})" if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
        try:
            return re.search(pattern, message) is not None
        except re.error:  # then nothing meets it, and the comment is reported
            return False


def expectations(text: str, path: str) -> list[Expected]:
    """Return the comments of a text that expect diagnostics."""
    found: list[Expected] = []
    below: list[Expected] = []
    plain = 0  # the last line without a designator
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _EXPECTED.search(line.rstrip())
        if match is None:
            for waiting in below:
                waiting.line = number
            below, plain = [], number
            continue
        kind, is_regex, where, wanted = match.groups()
        column, end = match.start() + 1, match.end() + 1
        location = Location(path, number, column, 0, end)
        expected = Expected(kind, wanted, number, location, bool(is_regex))
        if where == "@above":
            expected.line = plain
        elif where == "@below":
            expected.line = len(lines)
            below.append(expected)
        elif where == "@unknown":
            expected.line = 0
        elif where:
            expected.line += int(where[1:])
        found.append(expected)
    return found


def mismatches(text: str, path: str, given: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return an error (TC0922) per diagnostic or comment that has no partner."""
    expected = expectations(text, path)
    wrong: list[Diagnostic] = []
    for kind, location, message in _flat(given):
        line = location.line if location.file == path else 0
        partner = next((e for e in expected if e.meets(kind, line, message)), None)
        if partner is None:
            said = f"unexpected {kind}: {message}"
            wrong.append(Diagnostic("TC0922", said, location))
        else:
            partner.is_met = True
    for comment in expected:
        if not comment.is_met:
            said = f'expected {comment.kind} "{comment.text}" was not produced'
            wrong.append(Diagnostic("TC0922", said, comment.location))
    return wrong


def _flat(given: Sequence[Diagnostic]) -> Iterator[tuple[str, Location, str]]:
    for diagnostic in given:
        message = f"{diagnostic.message} [{diagnostic.code}]"
        yield diagnostic.severity, diagnostic.location, message
        for label in diagnostic.labels:
            yield "note", label.location, label.text
