"""From the text of a `.tc` file to its syntax tree.

The scanner refuses what is too deep or foreign, lark's LALR parser makes a parse tree,
and `build` turns that into `ast` nodes. All three raise `CompileError` with one
diagnostic for each mistake.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import lark

from tensorc.errors import CompileError, Diagnostic
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.dsl.syntax.build import build
from tensorc.frontend.dsl.syntax.explain import explain
from tensorc.frontend.dsl.syntax.scan import (
    MAX_DIAGNOSTICS,
    Scanner,
    Source,
    prepare,
    scan,
)
from tensorc.frontend.dsl.syntax.source_file import read_source
from tensorc.frontend.dsl.syntax.tables import grammar_parser

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
    # What is left without the mistake is not a declaration: only the first is reported.
    try:
        tree = _parse_tree(source, scanner, "expr")
    except CompileError as failure:
        raise CompileError(failure.diagnostics[0]) from None
    return cast("ast.Expression", build(tree, source, scanner))


def parse_file(path: str | Path) -> ast.File:
    """Return the syntax tree of a file on disk."""
    return parse(read_source(path), str(path))


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
