"""`theano.gradient`: derivatives of variables, with Theano's arguments."""

from collections.abc import Mapping, Sequence

from tensorc.api import grad as derivatives
from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.derivatives.custom import grad_clip, grad_scale
from tensorc.frontend.python.derivatives.products import Lop, Rop
from tensorc.frontend.python.symbolic import Tensor

hessian = derivatives.hessian
jacobian = derivatives.jacobian
disconnected_grad = symbolic_functions.public("disconnected_grad")
zero_grad = symbolic_functions.public("zero_grad")
consider_constant = disconnected_grad

__all__ = [
    "Lop",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_scale",
    "hessian",
    "jacobian",
    "zero_grad",
]


@door
def grad(
    cost: Tensor | None,
    wrt: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Tensor, object] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> object:
    """Return the derivative of a scalar by a variable, or by each of a list.

    `disconnected_inputs` is "raise", "ignore" (zeros) or "warn". `add_names` is taken
    and makes no difference, as `null_gradients` does.

    Raises:
        TypeError: the cost is no scalar, or `return_disconnected` is not "zero".
        ValueError: the cost does not depend on a variable.
    """
    if return_disconnected.lower() != "zero":
        message = f"return_disconnected is 'zero' here, got {return_disconnected!r}"
        raise usage_error(message, "test by hand whether the cost has the variable")
    missing = "zeros" if disconnected_inputs == "ignore" else disconnected_inputs
    return derivatives.grad(cost, wrt, consider_constant, missing, known_grads)
