"""From lark's exceptions to messages in the words of the language."""

import re

import lark

from tensorc.errors import Diagnostic, did_you_mean
from tensorc.frontend.dsl.syntax.habits import (
    BARE_MEMORY,
    NO_STOP,
    SEMANTIC,
    STOP,
    diagnose,
    stumble,
)
from tensorc.frontend.dsl.syntax.scan import Source

# What may stand at a location, by the terminals that the parser takes there: a row is
# said if all its first set is taken, and then speaks for its second set too.
EXPECTED: tuple[tuple[frozenset[str], frozenset[str], str], ...] = tuple(
    (frozenset(needed.split()), frozenset(covered.split()), words)
    for needed, covered, words in (
        (
            "HYPER USE",
            "CONST NAME MEMORY MODULE FN STEP RECIPE ASSERT",
            "a declaration",
        ),
        ("RETURN NAME", "FN FOR IF WHILE ASSERT YIELD", "a statement"),
        ("MEMORY NAME FN", "ASSERT", "`param`, `state`, `fn`, a name"),
        ("NUMBER", "NAME STRING CONSTANT DTYPE LPAR LSQB MINUS NOT", "an expression"),
        ("DTYPE LIKE", "", "a type"),
        ("COLON", "", "`:`"),
        ("RBRACE", "", "`}`"),
        ("RPAR", "", "`)`"),
        ("RSQB", "", "`]`"),
        ("COMMA", "", "`,`"),
        ("LBRACE", "", "`{`"),
        ("EQUAL", "", "`=`"),
        ("BECOMES", "", "`<-`"),
        ("TILDE", "", "`~`"),
        ("ARROW", "", "`->`"),
        ("IN", "", "`in`"),
        ("NAME", "", "a name"),
        ("STRING", "", "a text"),
        ("DOTS", "", "`...`"),
        ("FOR", "", "`for`"),
        ("WHILE", "", "`while`"),
        ("UNTIL", "", "`until`"),
        ("ELSE", "", "`else`"),
        ("STEP", "", "`step`"),
        ("IF", "", "`if`"),
        ("POWER MUL ADD", "COMPARE AND OR DOT LPAR LSQB", "an operator"),
        ("LPAR", "", "`(`"),
        ("LSQB", "", "`[`"),
        ("DOT", "", "`.`"),
        ("$END", "", "the end of the text"),
    )
)
# A line's texts, which may hold a `#`, up to its comment.
COMMENT = re.compile(r'^((?:[^"#]|"[^"]*")*)#.*')
BRANCH = re.compile(r"\b(?:if|else)\b")
# How many of these words a message has at most: what can end a thing comes first.
MAX_EXPECTED = 4

_FLOATS = ("f16", "bf16", "f32", "f64")
_TYPES = ("float", "int", "bool", *_FLOATS, "i8", "i16", "i32", "i64")

FOUND = {
    "NAME": "the name `{}`",
    "NUMBER": "the number `{}`",
    "STRING": "the text {}",
    "DTYPE": "the type `{}`",
    "MEMORY": "the keyword `{}`",
}


def explain(error: lark.UnexpectedInput, source: Source) -> tuple[int, Diagnostic]:
    """Return where the parser got stuck, and the message about it."""
    start, found, accepted = _stuck_at(error, source)
    if "TILDE" in accepted and (bare := _bare_memory(source, start)):
        return bare
    if "EQUAL" in accepted and (stop := STOP.search(_code(source.text[:start]))):
        location = source.location(stop.start(), stop.end("name"))
        return start, diagnose(NO_STOP, location, name=stop["name"])
    line, column = source.position(start)
    habit, first, last = stumble(source.line(line), column - 1, accepted)
    if habit.message:
        base = start - (column - 1)
        return start, diagnose(habit, source.location(base + first, base + last))
    label = f"expected {expected_words(accepted)}"
    if not found:
        end = _code_end(source.text)
        location = source.location(end, end)
        message = "unexpected end of file"
        return len(source.text), Diagnostic("TC0107", message, location, label=label)
    token_type = error.token.type if isinstance(error, lark.UnexpectedToken) else ""
    form = "the keyword `{}`" if found.isalpha() else "`{}`"
    message = f"{FOUND.get(token_type, form).format(found[:60])} is not expected here"
    location = source.location(start, start + len(found))
    meant = did_you_mean(found, _TYPES) if "LIKE" in accepted else ""
    meant = meant or _branch(source.text[:start], found, accepted)
    hints = (meant,) if meant else ()
    return start, Diagnostic("TC0107", message, location, label=label, hints=hints)


def _branch(before: str, found: str, accepted: frozenset[str]) -> str:
    """Return what to write where a branch lacks its braces, or nothing."""
    last = max(before.rfind("{"), before.rfind("}")) + 1
    lines = map(_without_comment, before[last:].split("\n"))
    if "LBRACE" not in accepted or not BRANCH.search("\n".join(lines)):
        return ""
    drop = "drop `then`: " if found == "then" else ""
    return f"{drop}a branch stands in braces, `if c {{ ... }} else {{ ... }}`"


def _bare_memory(source: Source, start: int) -> tuple[int, Diagnostic] | None:
    """Return where memory that ends before `start` lacks a value, and the message."""
    # At the end of the file `start` is within the last word.
    end = len(source.text) if start == max(0, _code_end(source.text) - 1) else start
    before = _code(source.text[:end])
    found = BARE_MEMORY.search(before)
    if found is None:
        return None
    last = len(before.rstrip())
    location = source.location(found.start(), last)
    habit = diagnose(SEMANTIC["no-value"], location, name=found["name"])
    return last - 1, habit


def _code(text: str) -> str:
    """Return a text with spaces for its comments."""
    return "\n".join(map(_without_comment, text.split("\n")))


def _without_comment(line: str) -> str:
    return COMMENT.sub(r"\1", line).ljust(len(line))


def _stuck_at(
    error: lark.UnexpectedInput, source: Source
) -> tuple[int, str, frozenset[str]]:
    """Return the place, the text there ("" at the end), and the terminals taken."""
    if isinstance(error, lark.UnexpectedToken):
        accepted = frozenset(error.accepts or error.expected)
        if error.token.type == "$END":
            return max(0, _code_end(source.text) - 1), "", accepted
        return error.token.start_pos or 0, str(error.token), accepted
    start = min(error.pos_in_stream or 0, len(source.text))
    accepted = frozenset(getattr(error, "allowed", None) or ())
    return start, source.text[start : start + 1], accepted


def _code_end(text: str) -> int:
    """Return where the last line with more than a comment ends."""
    end = offset = 0
    for line in text.split("\n"):
        code = COMMENT.sub(r"\1", line).rstrip()
        if code:
            end = offset + len(code)
        offset += len(line) + 1
    return end


def expected_words(accepted: frozenset[str]) -> str:
    """Return the few things that may stand where the parser takes these terminals."""
    words, left = list[str](), set(accepted)
    for needed, covered, text in EXPECTED:
        if needed <= accepted and needed & left:
            words.append(text)
            left -= needed | covered
    words = words[:MAX_EXPECTED]
    if len(words) < 2:
        return "".join(words) or "nothing more"
    return f"{', '.join(words[:-1])} or {words[-1]}"
