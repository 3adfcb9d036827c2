"""Random damage: to bytes of any file, to tokens and lines of a text.

All functions take the generator to draw from, and the same generator gives the same.
"""

import random
import re
from collections.abc import Callable, Sequence

TOKEN = re.compile(r'"[^"\n]*"|[%#@^!]?[A-Za-z_][\w.$]*|\d[\w.]*|<-|->|\*\*|[^\w\s]')
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
NAME = re.compile(r"%?[A-Za-z_]\w*")
VALUE = re.compile(r"%[\w$.]+(?:#\d+)?")
OP = re.compile(r'"[a-z]+\.[a-z_\d.]+"')
ELEMENT = re.compile(
    r"(?<![a-zA-Z])(?:f16|f32|f64|bf16|i1|u?i8|u?i16|u?i32|u?i64|index|float|int|bool)\b"
)
ELEMENTS = ("f32", "f64", "i1", "i8", "i32", "i64", "ui8", "ui64", "index", "float")
NASTY_NUMBERS = (
    *("0", "1", "2", "-1", "3", "16", "17", "255", "65536", "2147483647", "2147483648"),
    *("4294967296", "9223372036854775807", "9223372036854775808", "1" + "0" * 30),
    *("1e999999999", "1e-999999999", "1e308", "0.0", "1e-45", "1_000", "0x7FC00000"),
)
# What readers of text meet seldom: each is put in as it is.
NASTY: tuple[bytes, ...] = (
    *(
        b"\0",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ),
    *("\u202e".encode(), "\u2066".encode(), "\u2028".encode(), "é".encode()),
    *(b"\r", b"\r\n", b"\x0b", b"\x0c", b"\x1b[31m", b"\x7f", b"\\", b'"', b"'", b"#"),
    *(b"//", b"(", b")", b"{", b"}", b"[", b"]", b"<", b">", b"<-", b"=", b"..."),
    *("\uff41".encode(), "²".encode(), "٣".encode(), "\U0001f600".encode(), b"\t"),
)
DEEP: tuple[bytes, ...] = (b"(", b"[", b"{", b"-", b"not ", b"f(", b"x[", b"1+", b"a.")


def damage_bytes(source: random.Random, data: bytes) -> bytes:
    """Flip bits, cut, repeat, insert or move a few bytes."""
    for _ in range(source.choice((1, 1, 1, 2, 5))):
        at = source.randrange(len(data) + 1)
        end = min(len(data), at + source.choice((1, 1, 2, 4, 8, 64, 1000)))
        match source.randrange(7):
            case 0 if at < len(data):
                flipped = data[at] ^ (1 << source.randrange(8))
                data = data[:at] + bytes([flipped]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[end:]
            case 2:
                data = (
                    data[:end]
                    + data[at:end] * source.choice((1, 1, 3, 50))
                    + data[end:]
                )
            case 3:
                data = data[:at] + source.randbytes(end - at) + data[end:]
            case 4:
                data = data[:at]
            case 5:
                filler = source.choice((b"\0", b"\xff", b"\x7f"))
                data = data[:at] + filler * (end - at) + data[end:]
            case _:
                other = source.randrange(len(data) + 1)
                data = data[:other] + data[at:end] + data[other:]
    return data


def damage_text(
    source: random.Random, text: str, words: Sequence[str], others: Sequence[str]
) -> bytes:
    """Return a text with a few edits, mostly such that it stays nearly right.

    `words` are tokens to put in, `others` texts to take pieces of.
    """
    # Half of them follow the grammar, so that they reach what comes after it.
    gentle = source.random() < 0.5
    for _ in range(source.choice((1, 1, 1, 2) if gentle else (1, 1, 2, 3, 6))):
        edit = source.choice(_GENTLE if gentle else _EDITS)
        text = edit(source, text, words) if text else source.choice(others)
    if not gentle and source.random() < 0.1:
        text = splice(source, text, source.choice(others))
    data = text.encode("utf-8", "surrogatepass")
    if gentle:
        return data
    if source.random() < 0.3:
        at = source.randrange(len(data) + 1)
        data = data[:at] + nasty_bytes(source) + data[at:]
    if source.random() < 0.1:
        data = damage_bytes(source, data)
    return data


def nasty_bytes(source: random.Random) -> bytes:
    """Return a token that is seldom met, or very many of one."""
    kind = source.randrange(20)
    if kind == 0:
        return source.choice(DEEP) * source.choice((50, 300, 3000, 100_000))
    if kind == 1:
        return source.choice((b"1", b"9", b"a", b'"', b"0x", b"1e", b" ")) * 1_000_000
    if kind == 2:
        return b'"' + b"x" * source.choice((3, 70_000))
    if kind < 6:
        return source.choice(NASTY_NUMBERS).encode()
    return source.choice(NASTY)


def splice(source: random.Random, left: str, right: str) -> str:
    """Return the start of a text and the end of another, cut at lines."""
    a, b = left.splitlines(keepends=True), right.splitlines(keepends=True)
    return "".join(
        a[: source.randrange(len(a) + 1)] + b[source.randrange(len(b) + 1) :]
    )


def _token(source: random.Random, text: str, words: Sequence[str]) -> str:
    start, end = _near(source, text, TOKEN)
    return text[:start] + source.choice(words) + text[end:]


def _drop(source: random.Random, text: str, _: Sequence[str]) -> str:
    start, end = _near(source, text, TOKEN)
    return text[:start] + text[end:]


def _insert(source: random.Random, text: str, words: Sequence[str]) -> str:
    start, _end = _near(source, text, TOKEN)
    return f"{text[:start]}{source.choice(words)} {text[start:]}"


def _swap(source: random.Random, text: str, _: Sequence[str]) -> str:
    """Exchange two tokens."""
    (a, b), (c, d) = sorted((_near(source, text, TOKEN), _near(source, text, TOKEN)))
    if b > c:
        return text
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def _name(source: random.Random, text: str, _: Sequence[str]) -> str:
    """Write one name of the text where another of its kind stands."""
    pattern = source.choice((VALUE, VALUE, OP, NAME))
    if not pattern.search(text):
        pattern = NAME
    start, end = _near(source, text, pattern)
    low, high = _near(source, text, pattern)
    return text[:start] + text[low:high] + text[end:]


def _number(source: random.Random, text: str, _: Sequence[str]) -> str:
    start, end = _near(source, text, NUMBER)
    return text[:start] + source.choice(NASTY_NUMBERS) + text[end:]


def _size(source: random.Random, text: str, _: Sequence[str]) -> str:
    """Change a number wherever it stands, so that sizes go on to agree."""
    start, end = _near(source, text, NUMBER)
    old = text[start:end]
    new = source.choice(("0", "1", "2", "3", "7", "17", "65536", "1000000007"))
    return re.sub(
        rf"(?<![\w.]){re.escape(old)}(?![\w.])|(?<=[<x]){old}(?=x)", new, text
    )


def _element(source: random.Random, text: str, _: Sequence[str]) -> str:
    start, end = _near(source, text, ELEMENT)
    return text[:start] + source.choice(ELEMENTS) + text[end:]


def _elements(source: random.Random, text: str, _: Sequence[str]) -> str:
    """Change an element type wherever it stands."""
    start, end = _near(source, text, ELEMENT)
    return re.sub(rf"{text[start:end]}\b", source.choice(ELEMENTS), text)


def _line(source: random.Random, text: str, _: Sequence[str]) -> str:
    """Drop, repeat or move a line."""
    lines = text.splitlines(keepends=True)
    at, to = source.randrange(len(lines)), source.randrange(len(lines))
    line = lines[at] if source.random() < 0.3 else lines.pop(at)
    if source.random() < 0.6:
        lines.insert(to, line)
    return "".join(lines)


def _near(
    source: random.Random, text: str, pattern: re.Pattern[str]
) -> tuple[int, int]:
    """Return the place of a token behind a random place; an empty one if none is."""
    start = source.randrange(len(text) + 1)
    found = pattern.search(text, start) or pattern.search(text)
    return found.span() if found else (start, start)


_EDITS: tuple[Callable[[random.Random, str, Sequence[str]], str], ...] = (
    *(_token, _token, _drop, _insert, _swap, _name, _name, _name, _number, _number),
    *(_size, _size, _element, _elements, _line, _line),
)
_GENTLE = (_name, _name, _name, _number, _size, _size, _element, _elements, _line)
