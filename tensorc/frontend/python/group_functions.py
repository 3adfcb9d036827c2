"""Making groups of variables, and the functions of the registry on them.

Elementwise functions work member by member. `sum`, `norm` and the others whose rows
say how members are joined reduce over all members to one number, without an axis.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType

from tensorc.floats import is_float
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.grouping.groups import Group, mapped, partners
from tensorc.frontend.python.grouping.pytree import LEAF, Tree, flatten
from tensorc.frontend.python.symbolic_operands import describe, is_symbolic

GroupFunction = Callable[..., object]
# Functions, whose attributes are notes about them; a layer that is called is an object.
_FUNCTIONS = (type, FunctionType, MethodType, functools.partial)


@door
def group(*members: object, **named: object) -> Group:
    """Return the group of shared variables, formulas, or structures of them.

    `group(W, b)`, `group([W, b])`, `group({"W": W, "b": b})`, `group(W=W, b=b)`, and
    groups of groups: the parts of a name are joined by dots, as in hidden.W. Members
    of lists and arguments go by their own names, or by their indices if they have none.
    What stands twice is a member once, under its first name.

    Raises:
        TypeError: a member is neither a variable nor an array.
        ValueError: there are no members.
    """
    found: list[tuple[str, object]] = []
    for i, member in enumerate(members):
        leaves, tree = flatten(member)
        alone = len(members) == 1 and tree is not LEAF
        found += _named("" if alone or tree is not LEAF else str(i), leaves, tree)
    for name, member in named.items():
        leaves, tree = flatten(member)
        found += _named(name, leaves, tree, own=False)
    for _, leaf in found:
        if not is_symbolic(leaf) and not hasattr(leaf, "__array__"):
            message = f"a member of a group must be a variable, got {describe(leaf)}"
            raise usage_error(message, "tc.group(W, b), of shared variables W and b")
    return Group(_different(found))


def _named(
    prefix: str, leaves: Sequence[object], tree: Tree, own: bool = True
) -> list[tuple[str, object]]:
    """Return leaves with names: those of the structure, or their own."""
    if tree is LEAF:
        name = getattr(leaves[0], "name", None) if own else None
        head, _, last = prefix.rpartition(".")
        if name and (last.isdigit() or not prefix):
            return [(f"{head}.{name}" if head else str(name), leaves[0])]
        return [(prefix or "0", leaves[0])]
    found: list[tuple[str, object]] = []
    start = 0
    for name, child in zip(tree.names, tree.children, strict=True):
        part = leaves[start : start + len(child)]
        start += len(child)
        inner = f"{prefix}.{name}" if prefix else str(name)
        found += _named(inner, part, child, own=isinstance(name, int))
    return found


def _different(found: Sequence[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return each member once, with names that differ."""
    members: dict[str, object] = {}
    seen: set[int] = set()
    for name, member in found:
        if _identity(member) in seen:
            continue
        seen.add(_identity(member))
        free, number = name, 1
        while free in members:
            number += 1
            free = f"{name}_{number}"
        members[free] = member
    return list(members.items())


def _identity(member: object) -> int:
    operand = getattr(member, "operand", None)
    return id(getattr(operand, "value", member))


@door
def params(holder: object, *others: object) -> Group:
    """Return the group of the float shared variables that something holds.

    That is a list, dictionary or dataclass, an object (its `params`, or its attributes,
    in the order in which they were set) or a loaded `.tc` program. Several things are
    named by their indices: 0.W, 1.W.
    """
    if others:
        found = [params(each) for each in (holder, *others)]
        return group(*[{str(i): part} for i, part in enumerate(found)])
    return Group(_different(_held(holder, "", set())))


def _held(value: object, prefix: str, inside: set[int]) -> list[tuple[str, object]]:
    if is_symbolic(value):
        return _own(value, prefix)
    if id(value) in inside:
        return []
    inside = {*inside, id(value)}
    given = getattr(value, "params", None)
    if isinstance(given, Group | list | tuple | dict):
        value = given
    leaves, tree = flatten(value)
    if tree is LEAF:
        attributes = getattr(value, "__dict__", {})
        kept = {} if isinstance(value, _FUNCTIONS) or _is_ours(value) else attributes
        pairs = [(n, v) for n, v in kept.items() if not n.startswith("__")]
    else:
        pairs = _named("", leaves, tree)
    found: list[tuple[str, object]] = []
    for name, member in pairs:
        found += _held(member, f"{prefix}.{name}" if prefix else name, inside)
    return found


def _is_ours(value: object) -> bool:
    """Tell what this package made: a compiled function keeps its variables inside."""
    return type(value).__module__.partition(".")[0] == __name__.partition(".")[0]


def _own(value: object, prefix: str) -> list[tuple[str, object]]:
    if not hasattr(value, "cell"):
        if not prefix:
            message = f"params of {describe(value)}: a formula holds no variables"
            raise usage_error(message, "name them: tc.group(W, b)")
        return []
    if not is_float(value.cell.dtype):
        return []
    return [(prefix or getattr(value, "name", None) or "0", value)]


# Functions of the registry


def has_groups(values: Sequence[object]) -> bool:
    """Tell whether an argument is a group."""
    return any(isinstance(v, Group) for v in values)


def apply_to_groups(
    name: str,
    row: LibraryFunction,
    function: GroupFunction,
    tensors: Sequence[object],
    options: Mapping[str, object],
    join: Callable[[Sequence[object]], object],
) -> object:
    """Call a function of the registry with groups among its arguments.

    `row` is the registry's, `function` computes it of members; `join` makes one result
    of those of the members.
    """
    if row.is_elementwise:
        return mapped(name, function, tensors, options)
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if not row.joined or given:
        message = f"{name} of a group"
        if row.joined:
            message += " reduces over all members: it takes no axis"
        else:
            message += " is not defined"
        raise usage_error(message, f"of each member: g.map(lambda p: tc.{name}(p, …))")
    first = next(t for t in tensors if isinstance(t, Group))
    if not len(first):
        raise usage_error(f"{name} of a group without members")
    return join(_partial(name, row, function, first, tensors))


def _partial(
    name: str,
    row: LibraryFunction,
    function: GroupFunction,
    first: Group,
    tensors: Sequence[object],
) -> Sequence[object]:
    if len(row.tensors) == 1:
        return [function(member) for member in first]
    if not all(isinstance(t, Group) for t in tensors):
        message = f"{name} takes two groups, or two variables"
        hint = f"g.map(lambda p: tc.{name}(p, x)) is of each member"
        raise usage_error(message, hint)
    return [function(*pair) for pair in partners(first, tensors[1], name)]
