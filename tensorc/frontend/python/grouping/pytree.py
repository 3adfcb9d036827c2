"""Structures: tuples, lists, dictionaries, dataclasses, groups and None, nested.

    leaves, tree = flatten({"W": W, "b": (b1, b2)})      # [W, b1, b2]
    unflatten(tree, leaves)                              # the same structure again

Everything that is no structure is a leaf. A field of a dataclass with
`metadata={"static": True}` belongs to the structure, not to the leaves.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from tensorc.frontend.python.grouping.groups import Group


@dataclasses.dataclass(frozen=True, slots=True)
class Static:
    """A value that is a part of the program, compared by type and to the last bit.

    So True is not 1, 0.0 is not -0.0, and one NaN is the other.
    """

    value: object = dataclasses.field(compare=False)
    key: Hashable = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", exact(self.value))

    def __repr__(self) -> str:
        return repr(self.value)


def exact(value: object) -> Hashable:
    """Return what a value is compared by: of equal numbers the types differ."""
    kind = type(value)
    if kind is float:
        return kind, value.hex()  # type: ignore[attr-defined]
    if kind is tuple:
        return kind, tuple([exact(v) for v in value])  # type: ignore[attr-defined]
    return kind, value


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """A structure without its leaves; hashable if its keys and fixed fields are."""

    kind: type | None = None
    names: tuple[object, ...] = ()
    children: tuple["Tree", ...] = ()
    fixed: tuple[tuple[str, Static], ...] = ()

    def __len__(self) -> int:
        """Return the number of leaves."""
        return 1 if self.kind is None else sum(map(len, self.children))

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        inner = [str(c) for c in self.children]
        if self.kind is type(None):
            return "None"
        if self.kind is list:
            return f"[{', '.join(inner)}]"
        if self.kind is tuple:
            return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
        named = ", ".join(f"{n}: {c}" for n, c in zip(self.names, inner, strict=True))
        return f"{{{named}}}" if issubclass(self.kind, dict) else self._spelled(named)

    def _spelled(self, named: str) -> str:
        assert self.kind is not None
        return f"{self.kind.__name__}({named})"


def in_words(one: Tree, other: Tree) -> tuple[str, str]:
    """Return what two structures are, for messages: "a tuple of 2", "one array".

    Where that is the same of both they are written out: ((*, *), *), * for an array.
    """
    words = _in_words(one), _in_words(other)
    return (str(one), str(other)) if words[0] == words[1] else words


def _in_words(tree: Tree) -> str:
    kind = tree.kind
    if kind is None:
        return "one array"
    if kind is type(None):
        return "nothing"
    if kind is tuple or kind is list:
        return f"a {kind.__name__} of {len(tree.children)}"
    if not tree.names:
        return f"a {kind.__name__} of nothing"
    names = ", ".join(map(str, tree.names))
    word = "dictionary" if issubclass(kind, dict) else kind.__name__
    return f"a {word} of {names}"


LEAF = Tree()
NONE = Tree(type(None))


def flatten(value: object) -> tuple[list[object], Tree]:
    """Return the leaves in order, and the structure around them."""
    leaves: list[object] = []
    return leaves, _flatten(value, leaves)


def _flatten(value: object, leaves: list[object]) -> Tree:
    parts = _parts(value)
    if parts is None:
        leaves.append(value)
        return LEAF
    names, children, fixed = parts
    inner = tuple([_flatten(child, leaves) for child in children])
    return Tree(type(value), tuple(names), inner, fixed)


_Parts = tuple[Sequence[object], Sequence[object], tuple[tuple[str, Static], ...]]


def _parts(value: object) -> _Parts | None:
    """Return names, members and fixed fields of a structure, or None for a leaf."""
    kind = type(value)
    if value is None:
        return (), (), ()
    if kind is tuple or kind is list:
        assert isinstance(value, tuple | list)
        return range(len(value)), value, ()
    if kind is dict or kind is OrderedDict:
        assert isinstance(value, dict)
        return tuple(value), tuple(value.values()), ()
    if isinstance(value, Group):
        return value.names, value.members, ()
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind._fields, value, ()
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        members = [f.name for f in fields if not f.metadata.get("static")]
        static = [f.name for f in fields if f.metadata.get("static")]
        fixed = tuple([(name, Static(getattr(value, name))) for name in static])
        return members, [getattr(value, name) for name in members], fixed
    return None


def unflatten(tree: Tree, leaves: Iterable[object]) -> object:
    """Return the structure with these leaves, as many as it has."""
    return _unflatten(tree, iter(leaves))


def _unflatten(tree: Tree, leaves: Iterator[object]) -> object:
    kind = tree.kind
    if kind is None:
        return next(leaves)
    children = [_unflatten(child, leaves) for child in tree.children]
    if kind is type(None):
        return None
    if kind is list:
        return children
    if issubclass(kind, tuple):
        make: Callable[..., object] = kind
        return tuple(children) if kind is tuple else make(*children)
    if issubclass(kind, Group):
        return Group(zip(map(str, tree.names), children, strict=True))
    if issubclass(kind, dict):
        return kind(zip(tree.names, children, strict=True))
    # As it was when it was taken apart: no check of the class runs on its leaves.
    made: object = object.__new__(kind)
    for name, child in zip(tree.names, children, strict=True):
        object.__setattr__(made, str(name), child)
    for name, fixed in tree.fixed:
        object.__setattr__(made, name, fixed.value)
    return made


def leaves_like(tree: Tree, value: object) -> list[object] | None:
    """Return a leaf for each of a structure, as a value has it: None where it has None.

    The value may have lists for tuples, and dictionaries for what has names; if it has
    another structure, nothing is returned.
    """
    if value is None:
        return [None] * len(tree)
    parts = _parts(value)
    if tree.kind is None or parts is None:
        return [value] if tree.kind is None and parts is None else None
    members = dict(zip(parts[0], parts[1], strict=True))
    if members.keys() != set(tree.names):
        return None
    found: list[object] = []
    for name, child in zip(tree.names, tree.children, strict=True):
        leaves = leaves_like(child, members[name])
        if leaves is None:
            return None
        found += leaves
    return found


def paths(tree: Tree, root: str) -> list[str]:
    """Return how Python spells each leaf: params["W"], layers[0], model.bias."""
    if tree.kind is None:
        return [root]
    found: list[str] = []
    for name, child in zip(tree.names, tree.children, strict=True):
        by_field = not issubclass(tree.kind, dict | list | Group) and isinstance(
            name, str
        )
        step = f".{name}" if by_field else f"[{name!r}]"
        found += paths(child, root + step)
    return found
