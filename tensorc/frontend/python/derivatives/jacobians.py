"""Jacobians, hessians and products with these, of variables."""

from collections.abc import Collection, Mapping, Sequence

from tensorc.frontend.library import jacobians as library
from tensorc.frontend.library.mistakes import door
from tensorc.frontend.library.operands import TensorOperand, pinned
from tensorc.frontend.python.derivatives.given import (
    RAISE,
    along,
    choice,
    directions,
    held_constant,
    members_of,
    outs_of,
    points_of,
    settle_disconnected,
    tensor_or_zeros,
    type_of_value,
    zeros,
)
from tensorc.frontend.python.derivatives.gradients import gradient_of, scalar_of
from tensorc.frontend.python.derivatives.products import pulled, pushed
from tensorc.frontend.python.grouping.pytree import unflatten
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import concrete, emitter
from tensorc.ir.core import Value


@door
def jacobian(
    expression: object,
    wrt: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = RAISE,
) -> object:
    """Return the derivative of each element by each element of variables.

    A result has the axes of the expression, then those of the variable; the structure
    is that of the expression, with that of `wrt` for each variable in it. The program
    has a product for each element of the smaller side, whose size must be known.
    `consider_constant` and `disconnected_inputs` are as in `grad`.

    Raises:
        TypeError: something is no float, or has no derivative.
        ValueError: the expression does not depend on a variable.
        CompileError: no side has a known size that is small enough (TC0190).
    """
    action = choice("disconnected_inputs", disconnected_inputs)
    outs, tree = outs_of(expression, "the expression of jacobian")
    members, primals, structure = members_of(wrt)
    held = held_constant(consider_constant)
    found = [jacobian_of(out, primals, held) for out in outs]
    reached = {primal for own in found for primal in own}
    settle_disconnected(action, "the expression", members, primals, reached)
    return unflatten(
        tree,
        [
            unflatten(structure, jacobians_of(out, primals, own))
            for own, out in zip(found, outs, strict=True)
        ],
    )


def jacobian_of(
    out: Value,
    primals: Sequence[Value],
    held: Collection[Value] = (),
    name: str = "jacobian",
) -> dict[Value, Tensor]:
    """Return the jacobians of a value by the values on which it depends.

    `name` is what was asked for, "hessian" where the value is a slope.
    """
    b = emitter()
    unit = along(1.0, out, "") if not TensorOperand(out).type.shape else out
    wrt = list(pulled(primals, [(out, unit)], held))  # which of them, in order
    if not wrt:
        return {}
    known = _known(TensorOperand(out))

    def rows(unit: TensorOperand) -> list[TensorOperand]:
        given = along(Tensor(unit), out, "a unit vector")
        found = pulled(wrt, [(out, given)], held)
        return [TensorOperand(found[w]) for w in wrt]

    def column(index: int, unit: TensorOperand) -> TensorOperand:
        given = along(Tensor(unit), wrt[index], "a unit vector")
        found = pushed([out], [(wrt[index], given)], held)
        return TensorOperand(found[out])

    sides = [_known(TensorOperand(w)) for w in wrt]
    made = library.jacobian(b, known, sides, rows, column, name)
    return dict(zip(wrt, map(Tensor, made), strict=True))


def _known(tensor: TensorOperand) -> TensorOperand:
    """Return a value with the sizes that the call of a trace gives."""
    sizes = [concrete(size) for size in Tensor(tensor).shape]
    shape = [
        size if isinstance(size, int) else own
        for size, own in zip(sizes, tensor.type.shape, strict=True)
    ]
    return pinned(emitter(), tensor, tuple(shape))


def jacobians_of(
    out: Value, primals: Sequence[Value], found: Mapping[Value, Tensor]
) -> list[Tensor]:
    """Return the jacobian of a value by each of others, zeros where there is none."""
    own = type_of_value(out).shape
    types = [(p, type_of_value(p)) for p in primals]
    return [
        found[p] if p in found else zeros((*own, *t.shape), t.element) for p, t in types
    ]


@door
def hessian(
    cost: Tensor,
    wrt: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = RAISE,
) -> object:
    """Return the second derivatives of a scalar by a variable, twice: its axes, twice.

    For several variables there is one such for each, as in Theano; those by two of them
    are the jacobian of a gradient, and `hessian` of a function has them all.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
        CompileError: the size of a variable is not known, or too large (TC0190).
    """
    action = choice("disconnected_inputs", disconnected_inputs)
    members, primals, tree = members_of(wrt)
    held = held_constant(consider_constant)
    slopes = gradient_of(scalar_of(cost), primals, held)
    settle_disconnected(action, "the cost", members, primals, slopes)
    found = []
    for primal in primals:
        slope = slopes.get(primal)
        own = {} if slope is None else jacobian_of(slope, [primal], held, "hessian")
        found += jacobians_of(primal, [primal], own)
    return unflatten(tree, found)


@door
def hvp(
    cost: Tensor,
    wrt: object,
    vectors: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = RAISE,
) -> object:
    """Return the product of the second derivatives of a scalar with vectors.

    `vectors` holds for each variable of `wrt` a value of its type and shape, and so
    does the result, in the structure of `wrt`. It costs a few gradients, whatever the
    sizes: no hessian is computed. `consider_constant` and `disconnected_inputs` are as
    in `grad`.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: a shape differs, or the cost does not depend on a variable.
    """
    action = choice("disconnected_inputs", disconnected_inputs)
    held = held_constant(consider_constant)
    members, primals, tree = members_of(wrt)
    points = points_of(tree, vectors, "vectors of hvp")
    slopes = gradient_of(scalar_of(cost), primals, held)
    settle_disconnected(action, "the cost", members, primals, slopes)
    tangents = directions(members, primals, points, "the vector")
    found = pushed(slopes.values(), tangents, held)
    made = {p: found[slope] for p, slope in slopes.items() if slope in found}
    return unflatten(tree, [tensor_or_zeros(made.get(p), p) for p in primals])
