"""The syntax tree as an indented text, for `--emit=ast` and tests."""

from collections.abc import Iterator

from tensorc.errors import Location
from tensorc.frontend.dsl.syntax import ast


def print_ast(file: ast.File, locations: bool = True) -> str:
    """Return a tree as text, a node a line: its kind, its place, its plain fields.

    Without locations, equal texts mean equal programs.
    """
    return "\n".join(_lines(file, "", 0, locations)) + "\n"


def _lines(node: ast.Node, role: str, depth: int, locations: bool) -> Iterator[str]:
    words, inner = list[str](), list[tuple[str, ast.Node]]()
    for name in type(node).__match_args__:
        value = getattr(node, name)
        if isinstance(value, Location) or value is None or value in ((), ""):
            continue
        if isinstance(value, ast.Node):
            inner.append((name, value))
        elif isinstance(value, tuple) and isinstance(value[0], ast.Node):
            inner.extend((name, member) for member in value)
        else:
            words.append(f"{name}={_plain(value)}")
    location = f" {node.location.line}:{node.location.column}" if locations else ""
    prefix = f"{role}: " if role else ""
    head = f"{'  ' * depth}{prefix}{type(node).__name__}{location}"
    yield " ".join((head, *words))
    for name, member in inner:
        yield from _lines(member, name, depth + 1, locations)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    return ascii(value)
