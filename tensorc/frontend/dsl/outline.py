"""What a file declares, in its own words: for help, without compiling it."""

from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.dsl.syntax.parser import parse
from tensorc.frontend.dsl.syntax.source_file import read_source


def hypers(path: str) -> list[tuple[str, str, str]]:
    """Return the hypers of a file: name, default as it is written, comment.

    Raises `CompileError` if the file cannot be parsed.
    """
    text = read_source(path)
    lines = text.splitlines()
    found = []
    for item in parse(text, path).items:
        if isinstance(item, ast.Hyper):
            found.append((item.name, _spelled(item.default, lines), item.doc))
    return found


def _spelled(node: ast.Expression, lines: list[str]) -> str:
    """Return an expression as it stands in the file; its first line only."""
    location = node.location
    line = lines[location.line - 1]
    whole = location.end_line in (0, location.line)
    return line[
        location.column - 1 : location.end_column - 1 if whole else None
    ].strip()
