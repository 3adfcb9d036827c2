"""Derivatives of variables and of functions: `grad`.

g = tc.grad(cost, W)                  # of a variable: another variable
slope = tc.grad(lambda x: x * x)      # of a function: another function
slope(3.0)                            # 6.0, compiled
"""

from collections.abc import Callable, Sequence

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import describe, is_symbolic


@door
def grad(
    cost: Tensor | Callable[..., object],
    wrt: object = None,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
    *,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
) -> object:
    """Return a derivative: of a variable by variables, or a function of a function.

    `grad(cost, wrt)` is the derivative of a scalar by a variable, or by each of a list.
    `grad(f)` is the function that computes the derivative of `f` by its first argument;
    `argnums` names another one, or several. Arguments may be structures of arrays. With
    `has_aux`, `f` returns a pair of which only the first is differentiated.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
    """
    if is_symbolic(cost) or not callable(cost):
        if wrt is None or argnums is not None or has_aux:
            message = "grad of a variable takes (cost, wrt)"
            raise usage_error(message, "argnums and has_aux belong to grad(f)")
        return symbolic_functions.grad(
            cost,  # type: ignore[arg-type]  # `grad` says what it is instead
            wrt,
            consider_constant,
            disconnected_inputs,
        )
    # Variables need no tracer.
    from tensorc.api.function_grad import derivative, is_argnums

    if wrt is not None:
        if argnums is not None or not is_argnums(wrt):
            message = f"grad of a function takes (f, argnums=…), got {describe(wrt)}"
            raise usage_error(message, "inside of f: tc.grad(cost, wrt) of values")
        argnums = wrt  # type: ignore[assignment]
    return derivative(cost, 0 if argnums is None else argnums, has_aux, False)
