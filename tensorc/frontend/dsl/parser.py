"""From the text of a `.tc` file to its syntax tree.

The scanner refuses what is too deep or foreign, lark's LALR parser makes a parse tree,
and `build` turns that into `ast` nodes. All three raise `CompileError` with one
diagnostic for each mistake.
"""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import lark

from tensorc.errors import CompileError, Diagnostic, Location
from tensorc.frontend.dsl import ast
from tensorc.frontend.dsl.build import build
from tensorc.frontend.dsl.explain import explain
from tensorc.frontend.dsl.scan import (
    MAX_BYTES,
    MAX_DIAGNOSTICS,
    Scanner,
    Source,
    prepare,
    scan,
)
from tensorc.frontend.dsl.tables import grammar_parser

# Above this size a file is parsed once only, whatever mistakes follow the first.
MAX_RECOVERY = 1 << 16


def parse(text: str, path: str) -> ast.File:
    """Return the syntax tree of a file's text; `path` is its name in messages.

    Up to ten mistakes are reported at once, at most one in each declaration.
    """
    source = prepare(text, path)
    scanner = scan(source)
    tree = _parse_tree(source, scanner, "start")
    return cast(ast.File, build(tree, source, scanner))


def parse_expression(text: str, path: str = "--set") -> ast.Expression:
    """Return the syntax tree of one expression, as in `--set lr=0.1`."""
    source = prepare(text, path)
    scanner = scan(source)
    tree = _parse_tree(source, scanner, "expr")
    return cast("ast.Expression", build(tree, source, scanner))


def parse_file(path: str | Path) -> ast.File:
    """Return the syntax tree of a file on disk."""
    return parse(read_source(path), str(path))


def read_source(path: str | Path) -> str:
    """Return the text of a file on disk, or refuse what is not a text file."""
    place = Location(str(path))
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise CompileError(Diagnostic("TC0101", f"`{path}` is a directory", place))
        if not stat.S_ISREG(mode):
            raise CompileError(
                Diagnostic("TC0101", f"`{path}` is not a regular file", place)
            )
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        message = f"cannot read `{path}`: {reason or error}"
        raise CompileError(Diagnostic("TC0101", message, place)) from error
    if len(data) > MAX_BYTES:
        message = f"`{path}` is longer than {MAX_BYTES} bytes"
        raise CompileError(Diagnostic("TC0103", message, place))
    return _decode(data, str(path))


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        diagnostic = Diagnostic(
            "TC0102",
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            Location(path, line, column, line, column + 1),
            hints=("save the file as UTF-8",),
        )
        raise CompileError(diagnostic) from error


def _parse_tree(source: Source, scanner: Scanner, start: str) -> lark.Tree[lark.Token]:
    """Parse; after a mistake, blank out its declaration and look for more."""
    text, found = source.text, list[Diagnostic]()
    while True:
        try:
            tree = grammar_parser().parse(text, start=start)
        except lark.UnexpectedInput as error:
            offset, diagnostic = explain(error, source)
        else:
            if found:
                raise CompileError(*found)
            return tree
        found.append(diagnostic)
        rest = _without_item(text, offset, scanner.item_starts)
        if rest == text or len(text) > MAX_RECOVERY or len(found) == MAX_DIAGNOSTICS:
            raise CompileError(*found)
        text, source = rest, Source(rest, source.path)


def _without_item(text: str, offset: int, item_starts: Sequence[int]) -> str:
    """Blank out the declaration with a mistake at `offset`, keeping all positions."""
    # A declaration's first word is unexpected only if the one before is incomplete.
    start = max((s for s in item_starts if s < offset), default=0)
    end = min((s for s in item_starts if s >= offset and s > start), default=len(text))
    blank = "".join(c if c == "\n" else " " for c in text[start:end])
    return text[:start] + blank + text[end:]
