"""The derivative of a scalar by variables: `grad` of Theano's door."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.derivatives.given import (
    RAISE,
    along,
    choice,
    float_of,
    held_constant,
    members_of,
    settle_disconnected,
    tensor_or_zeros,
)
from tensorc.frontend.python.derivatives.products import pulled, summed
from tensorc.frontend.python.graph.grad import derivatives
from tensorc.frontend.python.grouping.pytree import unflatten
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    type_of,
    value_of,
)
from tensorc.ir.core import Value


@door
def grad(
    cost: Tensor | None,
    wrt: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = RAISE,
    known_grads: Mapping[Tensor, object] | None = None,
) -> object:
    """Return the derivative of a scalar by a variable, or by each in a structure.

    The result has the structure of `wrt`: a list gives a list, a group a group.
    `consider_constant` holds variables through which nothing is differentiated.
    `disconnected_inputs` says what happens where the cost does not depend on a
    variable: "raise" an error, "warn", or "zeros" (also "ignore").
    `known_grads` has for variables the derivative by them, which counts instead of what
    would be computed; the cost may be None then.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
    """
    action = choice("disconnected_inputs", disconnected_inputs)
    members, values, tree = members_of(wrt)
    held = held_constant(consider_constant)
    if known_grads:
        found = _with_known(cost, values, known_grads, held)
    else:
        found = gradient_of(scalar_of(cost), values, held)
    settle_disconnected(action, "the cost", members, values, found)
    return unflatten(tree, [tensor_or_zeros(found.get(v), v) for v in values])


def gradient_of(
    cost: Value, values: Sequence[Value], held: Collection[Value] = ()
) -> dict[Value, Value]:
    """Return the derivative of a scalar by the values on which it depends."""
    unique = list(dict.fromkeys(values))
    made = derivatives(cost, unique, held, emitter().location)
    pairs = zip(unique, made, strict=True)
    return {value: own for value, own in pairs if own is not None}


def scalar_of(cost: object) -> Value:
    """Return the value of a cost: one float variable without axes."""
    if isinstance(cost, list | tuple | np.ndarray) or not is_symbolic(cost):
        message = f"the cost must be a variable, got {describe(cost)}"
        raise usage_error(message, "grad(cost, wrt): the cost comes first")
    value = value_of(cost, "the cost")
    type_ = type_of(cost)
    if type_.rank:
        message = f"the cost must be a scalar, this is {describe(cost)}"
        raise usage_error(message, "take its mean or sum: cost.mean()")
    if not type_.element.is_float:
        message = f"the cost must be a float, this is {describe(cost)}"
        raise usage_error(message, "cast it: cost.astype('float32')")
    return value


def _with_known(
    cost: object,
    wrt: Sequence[Value],
    known_grads: Mapping[Tensor, object],
    held: Collection[Value],
) -> dict[Value, Value]:
    """Return derivatives of a cost that go through some variables as is known.

    What depends on such a variable by way of another one, or of the cost, is known too:
    so for each of them the others are constant, and what they give is added.
    """
    known: dict[Value, Value] = {}
    for variable, given in known_grads.items():
        value = float_of(variable, "a variable of known_grads")
        known[value] = along(given, value, f"the known derivative by {variable!r}")
    parts = [] if cost is None else [gradient_of(scalar_of(cost), wrt, {*held, *known})]
    for value, given in known.items():
        others = {*held, *known} - {value}
        parts.append(pulled(wrt, [(value, given)], others))
    return summed(pair for part in parts for pair in part.items())
