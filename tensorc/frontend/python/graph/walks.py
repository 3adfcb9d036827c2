"""Walks through a graph, without recursion: it may be as deep as it likes."""

from collections.abc import Callable, Container, Iterable, Sequence

from tensorc.frontend.python.graph.nodes import inputs_in
from tensorc.frontend.python.graph.regions import (
    Condition,
    Derivative,
    Loop,
    OwnGradient,
)
from tensorc.ir.core import Op, Value


def operands_of(value: Value) -> Sequence[Value]:
    """Return what a value is computed from: of a condition its own two and no other."""
    op = value.op
    if isinstance(op, Condition):
        return [op.operands[0], *op.branches(value)]
    return [] if op is None else op.operands


def parents(op: Op) -> list[Value]:
    """Return what must exist before a node: operands, inputs that its sizes need."""
    if isinstance(op, Derivative | OwnGradient | Loop):
        return [*op.operands, *op.sources]
    return [*op.operands, *inputs_in(op)] if op.attributes else op.operands


def ordered(
    roots: Iterable[Value],
    known: Container[Value] = (),
    before: Callable[[Op], list[Value]] = parents,
) -> list[Value]:
    """Return the values that roots need, roots included, each after its parents.

    The walk ends at values in `known`. No recursion: a graph may be as deep as it
    likes.
    """
    result: list[Value] = []
    entered: set[Value] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            value, left = stack.pop()
            if left:
                result.append(value)
                continue
            if value in entered:
                continue
            entered.add(value)
            stack.append((value, True))
            op = value.op
            if op is not None and value not in known:
                stack.extend((p, False) for p in reversed(before(op)))
    return result


def needed(roots: Iterable[Value], known: Container[Value] = ()) -> list[Value]:
    """Return what `ordered` does without what only other results of conditions need."""
    roots = list(roots)
    found = ordered(roots, known)
    if not any(isinstance(value.op, Condition) for value in found):
        return found
    wanted = set(roots)
    for value in reversed(found):
        op = value.op
        if op is None or value not in wanted or value in known:
            continue
        wanted.update(operands_of(value) if isinstance(op, Condition) else parents(op))
    return [value for value in found if value in wanted]


def ops_of(values: Iterable[Value]) -> list[Op]:
    """Return the nodes that define values, each once, in order."""
    return list(dict.fromkeys(v.op for v in values if v.op is not None))
