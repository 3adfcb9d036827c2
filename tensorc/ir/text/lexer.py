"""Cut MLIR text into tokens, one at a time, and report errors at exact locations.

The lexer runs on demand, because `4x10xf32` is one thing inside a type and `0x10` is
another outside. All patterns are linear: their repetitions are possessive.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NoReturn

from tensorc.errors import CompileError, Diagnostic, Label, Location

LONGEST_NUMBER = 400  # characters; the longest useful f64 has 24
LONGEST_QUOTE = 40  # characters of the source that a message repeats

_SPACE = r"(?:[\x20\t\r\n]++|//[^\n]*+)*+"
_TRIVIA = re.compile(_SPACE)
_TOKEN = re.compile(
    _SPACE
    + r"""(?:
      (?P<string>"(?:[^"\\\n]|\\[^\n])*+")
    | (?P<float>-?[0-9]++\.[0-9]*+(?:[eE][-+]?[0-9]++)?)
    | (?P<hex>0x[0-9A-Fa-f]++)
    | (?P<int>-?[0-9]++)
    | (?P<value>%(?:[0-9]++|[A-Za-z_$.-][\w$.-]*+)(?:\#[0-9]++)?)
    | (?P<block>\^(?:[0-9]++|[A-Za-z_$.-][\w$.-]*+))
    | (?P<symbol>@(?:[A-Za-z_][\w$.]*+|"(?:[^"\\\n]|\\[^\n])*+"))
    | (?P<hash>\#[A-Za-z_][\w$.-]*+)
    | (?P<word>[A-Za-z_][\w$.]*+)
    | (?P<mark>->|::|[()\[\]{}<>:,=+*-])
    )
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r'\\(?:(?P<hex>[0-9A-Fa-f]{2})|(?P<sign>["\\nt]))?')
_SIGNS = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_NEWLINE = re.compile("\n")

END = "end"


class Lexer:
    """Stands on one token: its `kind`, its `text`, and its `start` in the source.

    Marks such as "(" are their own kind. `left` is where the token before it ended.
    """

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.lines = [0, *(m.end() for m in _NEWLINE.finditer(source))]
        self.kind = ""
        self.text = ""
        self.start = 0
        self.end = 0
        self.left = 0
        self.advance()

    def advance(self) -> str:
        """Go to the next token; return the text of the one that was left."""
        left = self.text
        self.left = self.end
        match = _TOKEN.match(self.source, self.end)
        if match is None:
            self.start = self.skip(self.end)
            if self.start < len(self.source):
                self._refuse()
            self.kind, self.text, self.end = END, "", self.start
            return left
        kind = match.lastgroup or ""
        self.text = match[kind]
        self.start, self.end = match.span(kind)
        self.kind = self.text if kind == "mark" else kind
        return left

    def skip(self, offset: int) -> int:
        """Return the offset behind spaces and comments."""
        match = _TRIVIA.match(self.source, offset)
        return match.end() if match else offset

    def accept(self, kind: str) -> bool:
        """Go on if the token is of that kind."""
        if self.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str, what: str = "") -> str:
        """Go on and return the token's text, or report what was expected."""
        if self.kind != kind:
            self.expected(what or f"'{kind}'")
        return self.advance()

    def raw(self, pattern: re.Pattern[str]) -> str:
        """Read what matches behind the current token; the next `advance` goes on.

        For the parts of types that are not made of tokens.
        """
        start = self.skip(self.end)
        match = pattern.match(self.source, start)
        self.end = match.end() if match else start
        return match.group() if match else ""

    def location(self, offset: int, length: int = 0) -> Location:
        """Return the source location of an offset."""
        line = bisect_right(self.lines, offset)
        column = offset - self.lines[line - 1] + 1
        return Location(self.path, line, column, 0, column + length if length else 0)

    def here(self) -> Location:
        """Return the source location of the current token."""
        return self.location(self.start, self.end - self.start)

    def expected(self, what: str) -> NoReturn:
        """Report that something else should stand here."""
        found = "the end" if self.kind == END else f"'{quote(self.text)}'"
        self.fail("TC0201", f"expected {what}, got {found}")

    def fail(
        self,
        code: str,
        message: str,
        location: Location | None = None,
        *,
        labels: Sequence[Label] = (),
        hints: Sequence[str] = (),
    ) -> NoReturn:
        """Raise a `CompileError` at a location, by default the current token's."""
        where = location or self.here()
        raise CompileError(
            Diagnostic(code, message, where, labels=tuple(labels), hints=tuple(hints))
        )

    def _refuse(self) -> NoReturn:
        sign = self.source[self.start]
        location = self.location(self.start, 1)
        if sign == '"':
            self.fail("TC0200", "a string has no end on its line", location)
        self.fail("TC0200", f"unexpected character '{quote(sign)}'", location)

    def string(self) -> str:
        """Read a string literal and return what it means."""
        if self.kind != "string":
            self.expected("a string")
        body = self.unescape(self.text[1:-1])
        self.advance()
        return body

    def unescape(self, body: str) -> str:
        """Return the text that the inside of the current string literal stands for."""
        if "\\" not in body:
            return body
        parts: list[bytes] = []
        end = 0
        for match in _ESCAPE.finditer(body):
            parts.append(body[end : match.start()].encode("utf-8", "surrogatepass"))
            end = match.end()
            if match["hex"]:
                parts.append(bytes.fromhex(match["hex"]))
            elif match["sign"]:
                parts.append(_SIGNS[match["sign"]].encode())
            else:
                self.fail("TC0200", "a backslash needs two hex digits behind it")
        parts.append(body[end:].encode("utf-8", "surrogatepass"))
        try:
            return b"".join(parts).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self.fail("TC0200", "the bytes of a string are not UTF-8")

    def integer(self, low: int, high: int, what: str) -> int:
        """Read a decimal integer in a range."""
        if self.kind != "int":
            self.expected(what)
        # int() is slow, and refuses to read, what is far too long.
        fits = len(self.text) <= LONGEST_NUMBER
        if not fits or not low <= int(self.text) <= high:
            text = quote(self.text)
            self.fail("TC0206", f"{what} {text} is not in {low}..{high}")
        return int(self.advance())


def quote(text: str) -> str:
    """Return source text for a message: short, and without control characters."""
    short = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in short])
