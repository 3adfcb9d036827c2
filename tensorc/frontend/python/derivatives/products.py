"""Products with jacobians: from the right (Rop), from the left (Lop).

The derivative of values along a direction is one pass forward, a `tc.jvp`; the sum of
the rows of a jacobian, each by a weight, one pass backward, a `tc.vjp`.
"""

from collections.abc import Collection, Iterable, Sequence

from tensorc.frontend.library.mistakes import door
from tensorc.frontend.python.derivatives.given import (
    RAISE,
    choice,
    directions,
    held_constant,
    members_of,
    outs_of,
    points_of,
    settle,
    settle_disconnected,
    tensor_or_zeros,
)
from tensorc.frontend.python.graph.grad import region_derivatives
from tensorc.frontend.python.grouping.pytree import flatten, unflatten
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import emitter
from tensorc.ir.core import Value
from tensorc.ir.ops.derivatives import Jvp, Vjp
from tensorc.ir.ops.tensor.elementwise import Add

Pairs = Iterable[tuple[Value, Value]]


def pushed(
    outs: Iterable[Value], tangents: Pairs, held: Collection[Value] = ()
) -> dict[Value, Value]:
    """Return the tangents of the outs that depend on primals, given theirs."""
    given, b = summed(tangents), emitter()
    unique = list(dict.fromkeys(outs))
    primals, extra = list(given), list(given.values())
    made = region_derivatives(Jvp, unique, primals, extra, held, b.location)
    return summed(pair for op in made for pair in zip(op.outs, op.results, strict=True))


def pulled(
    primals: Iterable[Value], cotangents: Pairs, held: Collection[Value] = ()
) -> dict[Value, Value]:
    """Return the cotangents of the primals on which outs depend, given theirs."""
    given, b = summed(cotangents), emitter()
    unique = list(dict.fromkeys(primals))
    outs, extra = list(given), list(given.values())
    made = region_derivatives(Vjp, outs, unique, extra, held, b.location)
    return summed(
        pair for op in made for pair in zip(op.primals, op.results, strict=True)
    )


def summed(pairs: Pairs) -> dict[Value, Value]:
    """Return what goes with each value: the sum of what stands beside it."""
    found: dict[Value, Value] = {}
    for key, value in pairs:
        before = found.get(key)
        new = value if before is None else emitter().builder.value(Add, before, value)
        found[key] = new
    return found


@door
def Rop(
    f: object,
    wrt: object,
    eval_points: object,
    disconnected_outputs: str = RAISE,
) -> object:
    """Return the jacobian of `f` by `wrt` times `eval_points`: Theano's R-operator.

    That is the derivative of `f` along a direction, in the structure of `f`.
    `eval_points` holds for each variable of `wrt` its part of the direction, of its
    type and shape; None is none. `disconnected_outputs` says what happens where
    something does not depend on `wrt`: "raise" an error, "warn", or "zeros".

    Raises:
        TypeError: something is no float, or has no derivative.
        ValueError: a shape differs, or `f` does not depend on `wrt`.
    """
    action = choice("disconnected_outputs", disconnected_outputs)
    outs, tree = outs_of(f, "f of Rop")
    members, primals, structure = members_of(wrt)
    points = points_of(structure, eval_points, "eval_points of Rop")
    found = pushed(outs, directions(members, primals, points, "the eval point"))
    pairs = zip(flatten(f)[0], outs, strict=True)
    lost = ", ".join(repr(x) for x, out in pairs if out not in found)
    if lost:
        settle(action, f"{lost} does not depend on wrt", "disconnected_outputs")
    return unflatten(tree, [tensor_or_zeros(found.get(o), o) for o in outs])


@door
def Lop(
    f: object,
    wrt: object,
    eval_points: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = RAISE,
) -> object:
    """Return `eval_points` times the jacobian of `f` by `wrt`: Theano's L-operator.

    That is the derivative of the sum of f * eval_points, in the structure of `wrt`.
    `eval_points` holds for each variable of `f` its weights, of its type and shape.
    `consider_constant` and `disconnected_inputs` are as in `grad`.

    Raises:
        TypeError: something is no float, or has no derivative.
        ValueError: a shape differs, or `f` does not depend on a variable.
    """
    action = choice("disconnected_inputs", disconnected_inputs)
    outs, tree = outs_of(f, "f of Lop")
    leaves, _ = flatten(f)
    members, primals, structure = members_of(wrt)
    points = points_of(tree, eval_points, "eval_points of Lop")
    cotangents = directions(leaves, outs, points, "the eval point")
    found = pulled(primals, cotangents, held_constant(consider_constant))
    settle_disconnected(action, "f", members, primals, found)
    return unflatten(structure, [tensor_or_zeros(found.get(p), p) for p in primals])
