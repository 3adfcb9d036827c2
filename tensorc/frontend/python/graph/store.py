"""Copies and pickles of graphs: each node by itself, nested only a few nodes deep.

A node is copied or pickled by what it is made of: its operands, and for one that holds
programs what they give and their inner nodes. Python's own memo of the copy or the dump
says which nodes are there already: so variables, functions and groups that go together
share their nodes and memory afterwards, in whatever order they are listed. Symbols of
sizes refer to their input, which names them anew.

That alone would recurse as deep as the graph is. So each variable goes with a list of
*landings* as well: nodes chosen so that from any node, at most `NESTED` others are
passed before a landing or a leaf. The list is in order: when a landing is met, those
below it were met before.
"""

import sys
from weakref import WeakKeyDictionary

from tensorc.frontend.python.graph.regions import Derivative, Loop, OwnGradient
from tensorc.frontend.python.graph.walks import ops_of, ordered, parents
from tensorc.ir.core import Op, Value

NESTED = 16

# The height of a node above the landings, and the landings next below it. A node is
# never changed and holds all that is below it, so this lives as long as the node.
_HEIGHTS: WeakKeyDictionary[Op, tuple[int, tuple[Value, ...]]] = WeakKeyDictionary()


def landings(value: Value) -> list[Op]:
    """Return the nodes that a value needs first, in order."""
    if value.op is None:
        return []
    for op in ops_of(ordered([value], _Measured(), _made_of)):
        if op not in _HEIGHTS:
            _HEIGHTS[op] = _height(op)
    return ops_of(ordered(_HEIGHTS[value.op][1], before=_next_below))


def _height(op: Op) -> tuple[int, tuple[Value, ...]]:
    height = 0
    below: dict[Op, Value] = {}
    for value in _made_of(op):
        if value.op is None:
            continue
        under, landed = _HEIGHTS[value.op]
        if under == NESTED:
            below[value.op] = value
        else:
            height = max(height, under)
            below.update([(v.op, v) for v in landed if v.op is not None])
    return height + 1, tuple(below.values())


class _Measured:
    """The values whose height is known."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Value) and value.op in _HEIGHTS


def _next_below(op: Op) -> list[Value]:
    return list(_HEIGHTS[op][1])


def _made_of(op: Op) -> list[Value]:
    # Inner nodes lie between what is differentiated and what by.
    if isinstance(op, Derivative):
        return [*parents(op), *op.outs]
    if isinstance(op, OwnGradient):
        inside = (*op.arguments, *op.forward, *op.cotangents, *op.backward)
        return [*parents(op), *inside]
    if isinstance(op, Loop):
        return [*parents(op), *op.arguments, *op.outs]
    return parents(op)


def found_by_name(module: str | None, name: str) -> object:
    """Return what pickle finds by a name in a module, or None."""
    found: object = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
