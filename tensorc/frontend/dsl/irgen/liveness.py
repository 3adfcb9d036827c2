"""What stands behind an `if`: which names are read there, and whether it is reached.

Names that nobody reads behind an `if` need no value there.

One walk from the end of a body to its start keeps the names that are read before they
are bound again. What a local function names counts as read wherever it is called, so
everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from tensorc.errors import Location
from tensorc.frontend.dsl.syntax import ast

# The names that are read behind each `if` of a function, by the node's id.
ReadAfter: TypeAlias = Mapping[int, frozenset[str]]


def read_after(function: ast.Function | ast.Step) -> ReadAfter:
    """Return which names are read behind each `if` of a body."""
    found: dict[int, frozenset[str]] = {}
    always = _of_functions(function.body)
    _walk(function.body, set(always), always, found)
    return found


def returns_of(statement: ast.Statement) -> list[Location]:
    """Return where a statement returns, if it does whichever branches are taken."""
    if isinstance(statement, ast.Return):
        return [statement.location]
    if not isinstance(statement, ast.If):
        return []
    branches = [
        next(filter(None, map(returns_of, branch)), [])
        for branch in (statement.then, statement.otherwise)
    ]
    return [at for found in branches for at in found] if all(branches) else []


def _of_functions(statements: Sequence[ast.Statement]) -> set[str]:
    """Return the names that the functions in a body read from around them."""
    found: set[str] = set()
    for statement in _inside(statements):
        if isinstance(statement, ast.Function):
            always = _of_functions(statement.body)
            own = _walk(statement.body, set(always), always, {})
            found |= own - {f.name for f in statement.formals}
            found.update(_names((statement.formals, statement.result or ())))
    return found


def _inside(statements: Sequence[ast.Statement]) -> Iterator[ast.Statement]:
    for statement in statements:
        yield statement
        if isinstance(statement, ast.If):
            yield from _inside((*statement.then, *statement.otherwise))


def _walk(
    statements: Sequence[ast.Statement],
    live: set[str],
    always: set[str],
    found: dict[int, frozenset[str]],
) -> set[str]:
    """Return the names that are read from here on; `live` are those read behind."""
    for statement in reversed(statements):
        if isinstance(statement, ast.If):
            found[id(statement)] = frozenset(live)
            then = _walk(statement.then, set(live), always, found)
            live = then | _walk(statement.otherwise, live, always, found)
            live.update(_names(statement.condition))
            continue
        if isinstance(statement, ast.Return):
            live = set(always)
        live.difference_update(_bound(statement))
        live.update(always)
        if not isinstance(statement, ast.Function):
            live.update(_read(statement))
    return live


def _bound(statement: ast.Statement) -> list[str]:
    match statement:
        case ast.Bind(targets) | ast.Collect(targets):
            return [t.name for t in targets if isinstance(t, ast.Name)]
        case ast.Declare(name) | ast.Sample(name) | ast.Function(name):
            return [name] if name else []
    return []


def _read(statement: ast.Statement) -> Iterator[str]:
    """Yield the names in a statement, but for those that it binds."""
    match statement:
        case ast.Bind(targets, values):
            parts = [t for t in targets if not isinstance(t, ast.Name)]
            for node in (*parts, *values):
                yield from _names(node)
        case _:
            yield from _names(statement)


def _names(node: object) -> Iterator[str]:
    """Yield every name in a node, without recursion."""
    stack = [node]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name(name):
                yield name
            case ast.LikeType(path):
                yield path[0]
            case tuple():
                stack.extend(node)
            case ast.Node():
                stack.extend(getattr(node, n) for n in type(node).__match_args__)
