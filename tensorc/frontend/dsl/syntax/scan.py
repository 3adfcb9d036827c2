"""What is checked in the bare text, before the parser sees it.

The scanner refuses characters that mislead, foreign spellings, brackets that do not
fit, and everything nested or chained so deeply that a recursive function would fail.
It is linear in the text and keeps the comments, which the grammar ignores.
"""

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from tensorc.errors import CompileError, Diagnostic, Label, Location
from tensorc.frontend.dsl.syntax.habits import TOKENS, diagnose
from tensorc.frontend.dsl.syntax.source_file import MAX_BYTES

MAX_NESTING = 200
MAX_OPERATORS = 1000
MAX_DIGITS = 400
MAX_NAME = 200
MAX_DIAGNOSTICS = 10

# Control characters, marks that reorder text (the "Trojan source" trick) and halves of
# surrogate pairs: text that looks different from what it says, or cannot be printed.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e"
    "\u2066-\u2069\ufeff\ud800-\udfff]"
)
# Alternatives whose spelling alone does not tell what they are, then the literal ones.
FOREIGN = "|".join(
    (
        r"\^[ ]?T\b|(?<=[\w)\]])'|'[^'\n]*'?|===|!==|!(?!=)|:=",
        r"(?:\*\*|//|[-+*/%@])=(?!=)",
        *(
            re.escape(t)
            for t in sorted(TOKENS, key=len, reverse=True)
            if not re.search(r"[\w']|=$|^!$", t)
        ),
    )
)
TOKEN = re.compile(
    r"(?P<space>[ \t\n\f]+)|(?P<comment>\#[^\n]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
    rf"|(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<foreign>{FOREIGN})"
    r'|(?P<string>"[^"\n]*"?)'
    r"|(?P<separator><-|->|[=!]=|\.\.\.|[,:=~])"
    r"|(?P<operator>\*\*|//|[<>]=?|[-+*/%@.])"
    r"|(?P<other>.)"
)
CLOSING = {"(": ")", "[": "]", "{": "}"}
LOGICAL = frozenset(("and", "or", "not"))
KEYWORDS = frozenset(("if", "for", "while", "in", "return", "yield", "assert", "fn"))
ITEM_WORDS = frozenset(
    (
        *("use", "hyper", "param", "state", "module"),
        *("fn", "step", "fit", "run", "assert"),
    )
)


class Source:
    """A text with its name, from offsets to locations."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def location(self, start: int, end: int) -> Location:
        """Return the place of `text[start:end]`."""
        line, column = self.position(start)
        return Location(self.path, line, column, *self.position(end))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line, without its end."""
        start = self._starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; `alone` if nothing else stands on its line."""

    text: str
    alone: bool


@dataclass(slots=True)
class Bracket:
    """An open bracket, and how much is chained within it since the last separator."""

    char: str
    start: int
    indent: int
    operators: int = 0
    elses: int = 0


class Scanner:
    """One pass over the text; the results are its public attributes.

    `comments` has them by line, those down to line `head` open the file and document
    it; `item_starts` has the offsets where a keyword starts a declaration.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.comments: dict[int, Comment] = {}
        self.item_starts: list[int] = []
        self.head = 0
        self._brackets = [Bracket("", 0, -1)]
        self._suspect: tuple[Bracket, int] | None = None
        self._after_operand = False
        self._after_else = False
        self._seen_token = False
        self._fresh_line = True
        self._indent = 0
        self._stopped = False

    def run(self) -> None:
        """Scan the whole text, or up to what makes going on useless."""
        for match in TOKEN.finditer(self.source.text):
            kind = match.lastgroup or "other"
            if kind == "space":
                self._space(match)
                continue
            if kind != "comment":
                self._seen_token = True
                if self._fresh_line:
                    self._line_start(match)
            HANDLERS[kind](self, match)
            self._fresh_line = False
            if self._stopped or len(self.diagnostics) >= MAX_DIAGNOSTICS:
                return
        if len(self._brackets) > 1:
            self._unclosed()

    def report(
        self, code: str, message: str, start: int, end: int, hint: str = "", **more: str
    ) -> None:
        """Note an error at `text[start:end]`."""
        self.diagnostics.append(
            Diagnostic(
                code,
                message,
                self.source.location(start, end),
                label=more.get("label", ""),
                hints=(hint,) if hint else (),
            )
        )

    def _space(self, match: re.Match[str]) -> None:
        newline = match[0].rfind("\n")
        if newline >= 0:
            self._fresh_line = True
            self._indent = len(match[0]) - newline - 1

    def _line_start(self, match: re.Match[str]) -> None:
        """Suspect a brace whose block ends by indentation, but not by a brace."""
        top = self._brackets[-1]
        closed = match.lastgroup == "close" or match[0] == "else"
        if top.char == "{" and self._indent <= top.indent and not closed:
            self._suspect = self._suspect or (top, match.start())
        if len(self._brackets) == 1 and not self._indent and match[0] in ITEM_WORDS:
            self.item_starts.append(match.start())

    def _comment(self, match: re.Match[str]) -> None:
        line, _ = self.source.position(match.start())
        text = match[0].lstrip("#").strip()
        if not self._seen_token and self.head in (0, line - 1):
            self.head = line
        self.comments[line] = Comment(text, self._fresh_line)

    def _name(self, match: re.Match[str]) -> None:
        word, level = match[0], self._brackets[-1]
        after_else, self._after_else = self._after_else, word == "else"
        if len(word) > MAX_NAME:
            message = f"a name of {len(word)} characters, {MAX_NAME} are allowed"
            self.report("TC0103", message, match.start(), match.end())
        elif word in TOKENS:
            location = self.source.location(match.start(), match.end())
            self.diagnostics.append(diagnose(TOKENS[word], location))
        if word in LOGICAL:
            self._operator(match)
        elif word == "else" or word in KEYWORDS:
            level.operators = 0
            if word == "if" and not after_else:
                level.elses = 0
            self._after_operand = False
        else:
            self._operand(match)
        if word == "else":
            level.elses += 1
            if level.elses > MAX_NESTING:
                self._too_deep(match)

    def _operand(self, match: re.Match[str]) -> None:
        """Two operands in a row: a new statement starts."""
        if self._after_operand:
            self._brackets[-1].operators = 0
        self._after_operand = True

    def _number(self, match: re.Match[str]) -> None:
        self._operand(match)
        text, start, end = match[0], match.start(), match.end()
        following = self.source.text[end : end + 3]
        if len(text) > MAX_DIGITS:
            message = f"a number of {len(text)} characters, {MAX_DIGITS} are allowed"
            self.report("TC0103", message, start, end)
        elif re.match("[A-Za-z_]", following) or (
            following[:1] == "." and following != "..."
        ):
            self._malformed_number(match)
        elif not text.replace("_", "").isdigit():
            value = float(text)
            if math.isinf(value):
                self.report(
                    "TC0106", f"`{text}` is too large for any float", start, end
                )
            elif not value and re.search("[1-9]", text.partition("e")[0]):
                self.report("TC0106", f"`{text}` is too small: it is 0", start, end)

    def _malformed_number(self, match: re.Match[str]) -> None:
        text = self.source.text
        rest = re.compile(r"[\w.]{1,40}").match(text, match.end())
        end = rest.end() if rest else match.end()
        spelling = text[match.start() : end]
        if re.fullmatch(r"[0-9_.]+E[0-9]*", spelling):
            hint = "write a small `e`: `1e5`"
        elif re.match(r"0[xXbBoO]", spelling):
            hint = "numbers are written in decimal"
        elif spelling.endswith("."):
            hint = f"write a digit behind the point: `{spelling}0`"
        else:
            suffix = text[match.end() : end]
            name = suffix if suffix[0] != "." else "x"
            hint = f"write a product with its sign: `{match[0]} * {name}`"
        message = f"`{spelling}` is not a number"
        self.report("TC0106", message, match.start(), end, hint)

    def _string(self, match: re.Match[str]) -> None:
        self._operand(match)
        if len(match[0]) < 2 or match[0][-1] != '"':
            hint = 'write `"` at its end; a text stays on its line'
            message = "this text is never closed"
            self.report("TC0105", message, match.start(), match.end(), hint)

    def _open(self, match: re.Match[str]) -> None:
        if self._after_operand and match[0] != "{":
            self._chain(match)
        line, _ = self.source.position(match.start())
        text = self.source.line(line) if len(self._brackets) < MAX_NESTING else ""
        indent = len(text) - len(text.lstrip())
        self._brackets.append(Bracket(match[0], match.start(), indent))
        if len(self._brackets) > MAX_NESTING + 1:
            self._too_deep(match)
        self._after_operand = False

    def _close(self, match: re.Match[str]) -> None:
        top = self._brackets[-1]
        if len(self._brackets) == 1:
            message = f"`{match[0]}` closes nothing"
            self.report("TC0104", message, match.start(), match.end())
            self._stopped = True
        elif CLOSING[top.char] != match[0]:
            self._mismatch(top, match)
        else:
            self._brackets.pop()
            self._after_operand = match[0] != "}"
            if match[0] == "}":
                self._brackets[-1].operators = 0

    def _mismatch(self, top: Bracket, match: re.Match[str]) -> None:
        location = self.source.location(match.start(), match.end())
        self.diagnostics.append(
            Diagnostic(
                "TC0104",
                f"`{top.char}` is never closed",
                self.source.location(top.start, top.start + 1),
                labels=(Label(location, f"expected `{CLOSING[top.char]}`"),),
            )
        )
        self._stopped = True

    def _unclosed(self) -> None:
        top = self._brackets[-1]
        labels: tuple[Label, ...] = ()
        if self._suspect:
            top, offset = self._suspect
            location = self.source.location(offset, offset + 1)
            labels = (Label(location, "expected `}` before this"),)
        self.diagnostics.append(
            Diagnostic(
                "TC0104",
                f"`{top.char}` is never closed",
                self.source.location(top.start, top.start + 1),
                labels=labels,
            )
        )

    def _foreign(self, match: re.Match[str]) -> None:
        text = match[0]
        if text.startswith("'"):
            adjacent = match.start() and self.source.text[match.start() - 1]
            text = "'T" if len(text) == 1 and adjacent and adjacent != " " else "'"
        key = "^T" if text.startswith("^") and text != "^" else text
        location = self.source.location(match.start(), match.end())
        self.diagnostics.append(diagnose(TOKENS[key], location))

    def _separator(self, match: re.Match[str]) -> None:
        self._brackets[-1].operators = 0
        self._after_operand = False

    def _operator(self, match: re.Match[str]) -> None:
        following = self.source.text[match.end() : match.end() + 1]
        if match[0] == "." and following.isdigit():
            hint = "write `x[0]`" if self._after_operand else f"write `0.{following}`"
            message = f"`.{following}` is not a number"
            self.report("TC0106", message, match.start(), match.end() + 1, hint)
        self._chain(match)
        self._after_operand = False

    def _chain(self, match: re.Match[str]) -> None:
        level = self._brackets[-1]
        level.operators += 1
        if level.operators > MAX_OPERATORS:
            message = f"an expression with more than {MAX_OPERATORS} operators"
            hint = "name some of its parts: `part = ...`"
            self.report("TC0103", message, match.start(), match.end(), hint)
            self._stopped = True

    def _too_deep(self, match: re.Match[str]) -> None:
        message = f"nested more than {MAX_NESTING} deep"
        hint = "name some of the parts: `part = ...`"
        self.report("TC0103", message, match.start(), match.end(), hint)
        self._stopped = True

    def _other(self, match: re.Match[str]) -> None:
        name = unicodedata.name(match[0], "unnamed")
        message = f"`{match[0]}` (U+{ord(match[0]):04X} {name}) has no meaning here"
        hint = "names have letters a-z and A-Z, digits and `_`"
        self.report("TC0102", message, match.start(), match.end(), hint)


HANDLERS: dict[str, Callable[[Scanner, re.Match[str]], None]] = {
    "comment": Scanner._comment,
    "name": Scanner._name,
    "number": Scanner._number,
    "string": Scanner._string,
    "open": Scanner._open,
    "close": Scanner._close,
    "foreign": Scanner._foreign,
    "separator": Scanner._separator,
    "operator": Scanner._operator,
    "other": Scanner._other,
}


def prepare(text: str, path: str) -> Source:
    """Return the text as a source with plain line ends, or refuse its characters."""
    size = len(text.encode(errors="surrogatepass")) if len(text) <= MAX_BYTES else None
    if size is None or size > MAX_BYTES:
        message = f"the text is longer than {MAX_BYTES} bytes"
        raise CompileError(Diagnostic("TC0103", message, Location(path, 1, 1, 1, 1)))
    source = Source(text.removeprefix("\ufeff").replace("\r\n", "\n"), path)
    found = [
        Diagnostic(
            "TC0102",
            f"the character U+{ord(match[0]):04X} "
            f"({unicodedata.name(match[0], 'a control character')}) is not allowed",
            source.location(match.start(), match.end()),
        )
        for match, _ in zip(
            FORBIDDEN.finditer(source.text), range(MAX_DIAGNOSTICS), strict=False
        )
    ]
    if found:
        raise CompileError(*found)
    return source


def scan(source: Source) -> Scanner:
    """Return what a source has in comments and items, or refuse it."""
    scanner = Scanner(source)
    scanner.run()
    if scanner.diagnostics:
        raise CompileError(*scanner.diagnostics)
    return scanner
