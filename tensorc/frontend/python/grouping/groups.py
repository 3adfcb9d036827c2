"""Groups: named variables on which arithmetic works member by member.

    params = tc.group(W, b)
    updates = [(params, params - 0.13 * tc.grad(cost, params))]

A `Group` holds anything: shared variables, formulas, arrays. A number or a variable
meets every member, another group meets member by member.
"""

import fnmatch
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tensorc.errors import did_you_mean
from tensorc.frontend.library.maps import MAPS
from tensorc.frontend.library.mistakes import (
    argument_error,
    door,
    hiding_methods,
    outside,
    usage_error,
)
from tensorc.frontend.python.grouping.operators import Operators

# Of the maps that have an operator, what Python does with the members.
_OPERATORS: Mapping[str, Callable[..., object]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "neg": operator.neg,
    "abs": operator.abs,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "invert": operator.invert,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
}


@hiding_methods
class Group(Operators["Group"]):
    """A named collection of variables or arrays; made by `group`, never changed.

    Iteration gives the members. `g["W"]` and `g[0]` are members, `g["*.W"]`, `g[1:]`
    and `g["hidden"]` (of hidden.W, hidden.b) groups. Variables are told apart by
    identity and so are groups: `==` compares elements.
    """

    __slots__ = ("_members",)

    # NumPy leaves arithmetic with groups to them.
    __array_priority__ = 1000

    def __init__(self, members: Iterable[tuple[str, object]]) -> None:
        self._members: Mapping[str, object] = dict(members)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members, in order."""
        return tuple(self._members)

    @property
    def members(self) -> tuple[object, ...]:
        """The members, in order."""
        return tuple(self._members.values())

    def items(self) -> Iterable[tuple[str, object]]:
        """Return the pairs of name and member."""
        return self._members.items()

    def keys(self) -> tuple[str, ...]:
        """Return the names, so that dict(group) is a dictionary of the members."""
        return self.names

    def map(self, function: Callable[[object], object]) -> "Group":
        """Return the group of what a function makes of each member."""
        return Group([(n, function(m)) for n, m in self.items()])

    def get_value(self, borrow: bool = False) -> "Group":
        """Return the values of shared variables, as a group of arrays."""
        return self.map(lambda m: m.get_value(borrow))  # type: ignore[attr-defined]

    @outside("{0!r} would be set", "write `tc.update(params, …)` in a @tc.step")
    def set_value(self, value: object, borrow: bool = False) -> None:
        """Replace the values of shared variables by those of a group or dictionary.

        On an error nothing has changed: those already replaced are set back.
        """
        old = self.get_value()
        pairs = list(partners(self, value, "set_value"))
        try:
            for memory, new in pairs:
                memory.set_value(new, borrow)  # type: ignore[attr-defined]
        except Exception:
            for (memory, _), before in zip(pairs, old, strict=True):
                memory.set_value(before)  # type: ignore[attr-defined]
            raise

    def __iter__(self) -> Iterator[object]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return item in self._members
        return any(m is item for m in self.members)

    @door
    def __getitem__(self, key: object) -> object:
        if isinstance(key, slice):
            return Group(list(self.items())[key])
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            if not -len(self) <= key < len(self):
                raise IndexError(f"a group of {len(self)} members has no member {key}")
            return self.members[key]
        if not isinstance(key, str):
            message = "a group is indexed by a name, a number or a slice, got "
            raise usage_error(f"{message}{key!r}", f"its names: {self._listed()}")
        if key in self._members:
            return self._members[key]
        start = f"{key}."
        part = [(n.removeprefix(start), m) for n, m in self.items()]
        part = [p for p, n in zip(part, self.names, strict=True) if n.startswith(start)]
        part = part or [p for p in self.items() if fnmatch.fnmatchcase(p[0], key)]
        if not part:
            meant = did_you_mean(key, self.names, "'{}'")
            names = f"its names: {self._listed()}"
            raise KeyError(f"the group has no member '{key}'; {meant or names}")
        return Group(part)

    def _listed(self) -> str:
        return ", ".join(self.names) or "none"

    def __repr__(self) -> str:
        return f"<group of {len(self)}: {self._listed()}>"

    def __reduce__(self) -> tuple[object, ...]:
        return Group, (list(self.items()),)

    @door
    def __bool__(self) -> bool:
        message = f"{self!r} is neither true nor false: `==` compares the elements"
        raise usage_error(message, "tc.all(a == b), `a is b`, or len(g) > 0")

    # Operators: of the members, so arrays stay arrays.

    def _operate(self, name: str, *operands: object) -> "Group":
        return combined(name, *operands)

    def __pos__(self) -> "Group":
        return self

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: object, **options: object
    ) -> object:
        """Take NumPy's elementwise functions: np.exp(group), array * group."""
        if method != "__call__" or options.get("out") is not None:
            return NotImplemented
        return mapped(f"np.{ufunc.__name__}", ufunc, inputs, options)

    def __array_function__(
        self,
        function: Callable[..., object],
        types: object,
        args: tuple[object, ...],
        options: dict[str, object],
    ) -> object:
        """Take NumPy's other functions, which variables know: np.linalg.norm(group)."""
        for member in self:
            if hasattr(member, "operand"):
                return member.__array_function__(function, types, args, options)  # type: ignore[attr-defined]
        return function._implementation(*args, **options)  # type: ignore[attr-defined]


def mapped(
    what: str,
    function: Callable[..., object],
    operands: Iterable[object],
    options: Mapping[str, object] | None = None,
) -> Group:
    """Call a function for each member; what is no group meets every member.

    Raises:
        ValueError: two groups have other numbers of members, or names that cross.
    """
    given = list(operands)
    first = next(o for o in given if isinstance(o, Group))
    columns = [partners_of(first, o, what) for o in given]
    rows = zip(*columns, strict=True)
    results = [function(*row, **(options or {})) for row in rows]
    return Group(zip(first.names, results, strict=True))


@door
def combined(name: str, *operands: object) -> Group:
    """Combine groups, variables and numbers by the operator of a map."""
    given = [_as_group(o) for o in operands]
    return mapped(f"`{MAPS[name].sign or name}`", _OPERATORS[name], given)


def partners_of(group: Group, other: object, what: str) -> tuple[object, ...]:
    """Return what each member of a group meets: its partner, or always the same."""
    if not isinstance(other, Group):
        return (other,) * len(group)
    if other.names == group.names:
        return other.members
    if len(other) != len(group):
        message = f"{what}: a group of {len(group)} and a group of {len(other)} do not "
        hint = f"their members: {group._listed()}; {other._listed()}"
        raise argument_error(f"{message}go together", hint)
    if set(other.names) == set(group.names):
        return tuple([other._members[n] for n in group.names])
    # Moments named mW, mb may meet W, b; but W may not meet b where both have a W.
    pairs = zip(group.names, other.names, strict=True)
    crossed = [(a, b) for a, b in pairs if a != b and (a in other or b in group)]
    if crossed:
        message = f"{what}: member '{crossed[0][0]}' of one group would meet member "
        hint = f"their members: {group._listed()}; {other._listed()}"
        raise argument_error(f"{message}'{crossed[0][1]}' of the other", hint)
    return other.members


def partners(group: Group, other: object, what: str) -> Iterable[tuple[object, object]]:
    """Return the pairs of members and their partners."""
    return zip(group, partners_of(group, _as_group(other), what), strict=True)


def _as_group(value: object) -> object:
    """Let lists and dictionaries of variables be groups: what grad of a list gives."""
    if isinstance(value, Mapping):
        return Group([(str(n), v) for n, v in value.items()])
    if isinstance(value, list | tuple) and any(hasattr(v, "dtype") for v in value):
        return Group([(str(i), v) for i, v in enumerate(value)])
    return value
