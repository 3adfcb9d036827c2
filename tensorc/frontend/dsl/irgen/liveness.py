"""What stands behind an `if` or a loop: which names are read, and what is reached.

Names that nobody reads behind an `if` need no value there. A loop carries what is read
behind it, or in a turn before the turn binds it.

One walk from the end of a body to its start keeps the names that are read before they
are bound again. What a local function names counts as read wherever it is called, so
everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tensorc.errors import Location
from tensorc.frontend.dsl.syntax import ast

# The names that are read behind each `if` of a function, by the node's id; of a loop
# those that are read behind it or in the next turn.
ReadAfter: TypeAlias = Mapping[int, frozenset[str]]


def read_after(function: ast.Function | ast.Step) -> ReadAfter:
    """Return which names are read behind each `if` and each loop of a body."""
    found: dict[int, frozenset[str]] = {}
    always = _of_functions(function.body)
    _walk(function.body, set(always), _Walk(always, found))
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """What a walk knows: names that are read everywhere, and what is found.

    `turns` are what a turn of each loop reads before it binds it. `found` is None where
    only that is asked for.
    """

    always: set[str]
    found: dict[int, frozenset[str]] | None = None
    turns: dict[int, frozenset[str]] = field(default_factory=dict)


def bound_in(statements: Sequence[ast.Statement]) -> list[str]:
    """Return the names that statements bind, in branches and loops, too."""
    return [n for s in _inside(statements) if _is_local(s) for n in _bound(s)]


def _is_local(statement: ast.Statement) -> bool:
    return not isinstance(statement, ast.Function)


def returns_in(statements: Sequence[ast.Statement]) -> list[Location]:
    """Return where statements return, in branches and loops, too."""
    return [s.location for s in _inside(statements) if isinstance(s, ast.Return)]


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
            own = _walk(statement.body, set(always), _Walk(always))
            found |= own - {f.name for f in statement.formals}
            found.update(_names((statement.formals, statement.result or ())))
    return found


def _inside(statements: Sequence[ast.Statement]) -> Iterator[ast.Statement]:
    for statement in statements:
        yield statement
        if isinstance(statement, ast.If):
            yield from _inside((*statement.then, *statement.otherwise))
        if loop := loop_of(statement):
            yield from _inside(loop.body)


def loop_of(statement: ast.Statement) -> ast.For | ast.While | None:
    """Return the loop that a statement is, or whose values it names."""
    if isinstance(statement, ast.Collect):
        return statement.loop
    return statement if isinstance(statement, ast.For | ast.While) else None


def _walk(
    statements: Sequence[ast.Statement],
    live: set[str],
    walk: _Walk,
) -> set[str]:
    """Return the names that are read from here on; `live` are those read behind."""
    for statement in reversed(statements):
        if isinstance(statement, ast.If):
            if walk.found is not None:
                walk.found[id(statement)] = frozenset(live)
            then = _walk(statement.then, set(live), walk)
            live = then | _walk(statement.otherwise, live, walk)
            live.update(_names(statement.condition))
            continue
        if isinstance(statement, ast.Return):
            live = set(walk.always)
        live.difference_update(_bound(statement))
        live.update(walk.always)
        if loop := loop_of(statement):
            live = _around(loop, live, walk)
            continue
        if not isinstance(statement, ast.Function):
            live.update(_read(statement))
    return live


def _around(loop: ast.For | ast.While, live: set[str], walk: _Walk) -> set[str]:
    """Return the names that are read from a loop on; `live` are those read behind."""
    if id(loop) not in walk.turns:
        turn = _walk(loop.body, set(), replace(walk, found=None))
        walk.turns[id(loop)] = frozenset(turn.difference(_counted(loop)))
    live = live | walk.turns[id(loop)]
    if walk.found is not None:
        walk.found[id(loop)] = frozenset(live)
        _walk(loop.body, set(live), walk)
    head = (loop.values, loop.until) if isinstance(loop, ast.For) else (loop.condition,)
    return live.union(_names(head))


def _counted(loop: ast.For | ast.While) -> list[str]:
    """Return the names that each turn of a loop gets anew."""
    return [n.name for n in loop.names] if isinstance(loop, ast.For) else []


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
