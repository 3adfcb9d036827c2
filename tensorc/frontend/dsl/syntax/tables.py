"""The parser that lark makes of `grammar.lark`, from tables that are kept beside it.

Lark takes a third of the time of a small compilation to compute the tables, so they are
a file. It is used as long as it is of the grammar's text and of the installed lark;
otherwise lark computes them again. After a change of the grammar:

    python -m tensorc.frontend.dsl.syntax.tables
"""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

GRAMMAR = Path(__file__).with_name("grammar.lark")
TABLES = Path(__file__).with_name("grammar.json")


@functools.cache
def grammar_parser() -> lark.Lark:
    """Return the parser of the language, with the starts `start` and `expr`."""
    text = GRAMMAR.read_text(encoding="utf-8")
    try:
        stored = json.loads(TABLES.read_bytes(), object_pairs_hook=_with_numbers)
    except (OSError, ValueError):
        return build_parser(text)
    if stored.get("source") != source_of(text):
        return build_parser(text)
    # What the parsers that lark generates for stand-alone use do; it has no types.
    load: Callable[..., lark.Lark] = lark.Lark._load_from_dict
    return load(stored["data"], stored["memo"])


def build_parser(text: str) -> lark.Lark:
    """Return the parser of a grammar's text, without any tables."""
    return lark.Lark(
        text,
        parser="lalr",
        lexer="contextual",
        start=["start", "expr"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


def source_of(text: str) -> str:
    """Return what tables depend on: the version of lark and the text's digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"lark {lark.__version__}, sha256 {digest}"


def make_tables(text: str) -> str:
    """Return the content of the file of tables for a grammar's text."""
    data, memo = build_parser(text).memo_serialize([TerminalDef, Rule])
    stored = {"source": source_of(text), "data": data, "memo": memo}
    return json.dumps(stored, separators=(",", ":"), sort_keys=True) + "\n"


def _with_numbers(pairs: list[tuple[str, object]]) -> dict[str | int, object]:
    """Return an object whose numeric keys, which JSON makes strings, are numbers."""
    return {int(key) if key.isdigit() else key: value for key, value in pairs}


if __name__ == "__main__":
    TABLES.write_text(make_tables(GRAMMAR.read_text(encoding="utf-8")), "utf-8")
