"""`grad` on graphs: the nodes between a cost and what it is differentiated by.

1. Which nodes depend on which member of wrt follows from one walk, a bit per member.
2. Of these nodes, those that the cost needs become the inner nodes of a `Derivative`;
   everything else is read from outside. Values held constant depend on nothing.
3. Where one member of wrt is computed from another, each member gets a node of its own,
   so that the derivative by the earlier one goes through the later one.
"""

from collections.abc import Collection, Iterable, Sequence

from tensorc.errors import Location
from tensorc.frontend.python.graph.nodes import Derivative, ops_of, ordered
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import TensorType


def derivatives(
    cost: Value,
    wrt: Sequence[Value],
    held: Collection[Value],
    location: Location,
) -> list[Value | None]:
    """Return the derivative by each value; None where the cost does not depend on it.

    A value stands only once in `wrt`.
    """
    ops = ops_of(ordered([cost]))
    bits = {w: 1 << i for i, w in enumerate(wrt) if w not in held}
    smooth = _reach(ops, bits, held, smoothly=True)
    reached = smooth.get(cost, 0)
    connected = [w for w in wrt if bits.get(w, 0) & reached]
    chained = any(smooth[w] & reached & ~bits[w] for w in connected)
    groups = [[w] for w in connected] if chained else [connected] if connected else []
    found: dict[Value, Value] = {}
    for group in groups:
        made = _derivative(ops, cost, group, held, location)
        found.update(zip(group, made.results, strict=True))
    return [found.get(w) for w in wrt]


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.element.is_float


def _reach(
    ops: Iterable[Op],
    bits: dict[Value, int],
    held: Collection[Value],
    smoothly: bool,
) -> dict[Value, int]:
    """Return which of the values with a bit each value depends on.

    `smoothly`: only through floats, as a derivative goes.
    """
    found = dict(bits)
    for op in ops:
        if smoothly and isinstance(op, Size):
            continue
        mask = 0
        for operand in op.operands:
            mask |= found.get(operand, 0)
        if not mask:
            continue
        for result in op.results:
            if result not in held and (not smoothly or _is_float(result)):
                found[result] = found.get(result, 0) | mask
    return found


def _derivative(
    ops: Sequence[Op],
    cost: Value,
    wrt: Sequence[Value],
    held: Collection[Value],
    location: Location,
) -> Derivative:
    dependent = _reach(ops, dict.fromkeys(wrt, 1), held, smoothly=False)
    cut = set(wrt)
    needed = {cost}
    inner: list[Op] = []
    for op in reversed(ops):
        wanted = any(
            r in needed and r in dependent and r not in cut for r in op.results
        )
        if wanted:
            needed.update(op.operands)
            inner.append(op)
    inner.reverse()
    inside = {r for op in inner for r in op.results} | cut
    read = [v for op in inner for v in op.operands if v not in inside]
    return Derivative(cost, wrt, list(dict.fromkeys(read)), inner, location)
