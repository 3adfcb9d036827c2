"""Conditions of a call that make the sizes of a function from a file sound.

The frontends clamp slices, so what they build is in range whatever the sizes are. A
file of IR may say anything: `tc.slice` with the start "N*N", a shape "N - 5". The
verifier refutes what is wrong for every call; what only the call decides becomes an
equation at entry here, unless it can be proven. No op is added.
"""

from collections.abc import Iterator

from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op
from tensorc.ir.dims import (
    Compound,
    Dim,
    DimGuard,
    Poly,
    floordiv,
    known_at_most,
    maximum,
    minimum,
)
from tensorc.ir.functions import constraints_of, guards_of, store_guards
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.tensor.convolution import OUTSIDE_MESSAGE, Walk, walks_of
from tensorc.ir.ops.tensor.shape import Slice, Unslice
from tensorc.ir.types import TensorType

# How many upper bounds are put in for atoms before a bound counts as not proven.
_ATTEMPTS = 64


def guard_sizes(function: Function) -> None:
    """Let calls of a TENSOR function check what its sizes do not prove.

    No size is negative, and each part with elements lies inside of its tensor, each
    window inside of what is padded. A
    function whose guards say so already stays as it is.
    """
    constraints = constraints_of(function)
    known = {frozenset((g.left, g.right)) for g in guards_of(function)}
    before = len(known)
    for guard in (g for op in function.walk() for g in _guards(op)):
        sides = frozenset((guard.left, guard.right))
        if len(sides) == 2 and sides not in known:
            known.add(sides)
            constraints.guards.append(guard)
    if len(known) > before:
        store_guards(function, constraints)


def _guards(op: Op) -> Iterator[DimGuard]:
    """Yield what must hold for an op: of an equation that does, the sides are equal."""
    for type_ in (result.type for result in op.results):
        for size in type_.shape if isinstance(type_, TensorType) else ():
            if not _proven_at_most(0, size):
                message = "a size is negative"
                yield DimGuard(maximum(0, size), size, op.location, message)
    if isinstance(op, Slice):
        yield from _inside(op, op.operand.type, op.sizes)
    elif isinstance(op, Unslice):
        shape = op.operand.type
        assert isinstance(shape, TensorType)
        yield from _inside(op, op.result.type, Dims(shape.shape))
    for walk in walks_of(op):
        yield from _along(op, walk)


def _inside(op: Slice | Unslice, whole: object, sizes: Dims) -> Iterator[DimGuard]:
    """Yield that the first and the last element of a part, if any, are inside."""
    assert isinstance(whole, TensorType)
    parts = zip(whole.shape, op.starts.dims, sizes.dims, op.steps, strict=True)
    for axis, (length, start, size, step) in enumerate(parts):
        if isinstance(size, int) and size > 0:
            continue  # the verifier asks for a proof, or for an equation of the file
        # Of a part without elements, the places are anywhere.
        counts, size = minimum(size, 1), _if_positive(size)
        for at in dict.fromkeys((start, start + (size + -1) * step)):
            message = f"index {at} is out of range for axis {axis}"
            for room in (at, length + -1 - at):
                # A part with elements has size - 1 >= 0.
                if not any(_proven_at_most(d, room) for d in (0, size + -1)):
                    wrong = counts * maximum(0, -room)
                    yield DimGuard(wrong, 0, op.location, message, is_index=True)


def _along(op: Op, walk: Walk) -> Iterator[DimGuard]:
    """Yield that no padding is negative, and that windows, if any, are inside of it."""
    for side in (walk.axis.low, walk.axis.high):
        if not _proven_at_most(0, side):
            message = "a padding is negative"
            yield DimGuard(maximum(0, side), side, op.location, message)
    if isinstance(walk.count, int) and isinstance(walk.window, int):
        return  # the verifier asks for a proof, or for an equation of the file
    counts = minimum(walk.count, 1) * minimum(walk.window, 1)
    count, window = _if_positive(walk.count), _if_positive(walk.window)
    room = Walk(walk.axis, walk.size, window, count).room
    if not _proven_at_most(0, room):
        message = OUTSIDE_MESSAGE.format(walk.window)
        wrong = counts * maximum(0, -room)
        yield DimGuard(wrong, 0, op.location, message)


def _if_positive(size: Dim) -> Dim:
    """Return what a size is equal to where it is positive: d for max(0, d)."""
    match size:
        case Poly(terms=(((Compound("max", left, right),), 1),)) if 0 in (left, right):
            return left if right == 0 else right
        case _:
            return size


def _proven_at_most(left: Dim, right: Dim) -> bool:
    """Tell whether left <= right for all sizes, of which none is negative.

    As `dims.known_at_most`, with bounds put in for subtracted atoms: a minimum is at
    most each of its sides, `c * floordiv(a, c)` at most a.
    """
    wanted = [right - left]
    for _ in range(_ATTEMPTS):
        if not wanted:
            return False
        difference = wanted.pop()
        if known_at_most(0, difference):
            return True
        wanted.extend(_less(difference))
    return False


def _less(dim: Dim) -> list[Dim]:
    """Return dimensions that are at most this one, each with an atom less."""
    for atoms, factor in () if isinstance(dim, int) else dim.terms:
        match atoms:
            case (Compound("min", left, right),) if factor < 0:
                own = minimum(left, right) * factor
                return [dim - own + side * factor for side in (left, right)]
            case (Compound("floordiv", left, int(by)),) if (
                factor < 0 < by and factor % by == 0
            ):
                whole = floordiv(left, by)
                return [dim - whole * factor + left * (factor // by)]
            case _:
                pass
    return []
