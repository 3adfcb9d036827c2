"""What a function is to be made of, and what it needs: leaves, givens, names.

`givens` are an identity map: a value that it names is not emitted, its replacement
stands for it, also in other replacements, in whatever order they are listed. Only in
its own a value means itself, so that `givens={x: x + 1}` means what it says.
"""

import keyword
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from tensorc.errors import UNKNOWN, Label, Location
from tensorc.frontend.library.mistakes import UsageError, argument_error, misuse
from tensorc.frontend.python.graph.nodes import (
    InputNode,
    SharedLeaf,
    StandIn,
)
from tensorc.frontend.python.graph.walks import needed, parents
from tensorc.ir.core import Value

Givens = Sequence[tuple[Value, Value]]


@dataclass(frozen=True, slots=True)
class EmissionPlan:
    """A function to be: values of the graph, and pairs of memory and its new value.

    `names` are those of the arguments: of `shared`, then of `inputs`. They are all the
    leaves that are needed, and `givens` are the needed ones. `hypers` are the names of
    inputs that are numbers, the same for all batches. `swapped` has the memory that
    stands for others of `shared`.
    """

    name: str
    shared: tuple[SharedLeaf, ...]
    inputs: tuple[InputNode, ...]
    names: tuple[str, ...]
    outputs: tuple[Value, ...]
    updates: tuple[tuple[SharedLeaf, Value], ...]
    givens: Givens
    location: Location = UNKNOWN
    hypers: tuple[str, ...] = ()
    swapped: Mapping[SharedLeaf, SharedLeaf] = field(default_factory=dict)

    @property
    def memory(self) -> tuple[SharedLeaf, ...]:
        """What is read and updated for `shared`, in its order."""
        return tuple([self.swapped.get(leaf, leaf) for leaf in self.shared])


def identifier(name: str, default: str) -> str:
    """Return a name for the IR: params["W"] is params_W."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if not plain or plain[0].isdigit():
        return default
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def unique_names(wished: Sequence[str]) -> tuple[str, ...]:
    """Return different names, the wished ones where that is possible."""
    names: list[str] = []
    for i, wish in enumerate(wished):
        base = identifier(wish, f"a{i}")
        name, number = base, 1
        while name in names or (name != wish and name in wished):
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return tuple(names)


def needs(roots: Sequence[Value], givens: Givens) -> tuple[list[Value], Givens]:
    """Return the leaves that values need, and the givens that matter, in order.

    Raises:
        TypeError: a value of a loop's body is needed, which has one only in there.
        ValueError: replacements need each other.
    """
    replacements = dict(givens)
    leaves: dict[Value, None] = {}

    def visit(start: Sequence[Value], keys: Container[Value]) -> list[Value]:
        met = []
        found = needed(start, keys)
        for value in found:
            if isinstance(value, StandIn) and value not in keys:
                raise _escaped(value, found)
            if value in keys:
                met.append(value)
            elif value.op is None:
                leaves[value] = None
        return met

    # The keys that each replacement is made of; its own is what it replaces.
    made_of: dict[Value, list[Value]] = {}
    found = visit(roots, replacements)
    while found:
        key = found.pop()
        if key not in made_of:
            made_of[key] = visit([replacements[key]], replacements.keys() - {key})
            found += made_of[key]
    try:
        order = list(TopologicalSorter(made_of).static_order())
    except CycleError as error:
        names = ", ".join(f"`{v.hint or 'a variable'}`" for v in error.args[1][1:])
        message = f"the replacements of {names} in `givens` need each other"
        hint = "take new variables for what one of them is made of"
        raise argument_error(message, hint) from None
    return list(leaves), [(key, replacements[key]) for key in order]


def _escaped(stand_in: StandIn, found: Sequence[Value]) -> UsageError:
    """Return the error that a value of a body is used outside: where, if it is."""
    own = where = stand_in.location
    reached: set[Value] = {stand_in}
    for value in found:
        op = value.op
        if op is None or not any(v in reached for v in parents(op)):
            continue
        if op not in stand_in.inside:
            where = op.location
            break
        reached.add(value)
    labels = () if where == own else (Label(own, "made for this"),)
    return misuse(stand_in.what, where, labels, stand_in.way)
