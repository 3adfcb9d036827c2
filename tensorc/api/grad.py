"""Derivatives of variables and of functions: `grad`, `jacobian`, `hessian`, `hvp`.

g = tc.grad(cost, W)                  # of a variable: another variable
slope = tc.grad(lambda x: x * x)      # of a function: another function
slope(3.0)                            # 6.0, compiled
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.derivatives import gradients, jacobians
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import describe, is_symbolic

Argnums = int | Sequence[int]


@door
def grad(
    cost: Tensor | Callable[..., object] | None,
    wrt: object = None,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
    known_grads: Mapping[Tensor, object] | None = None,
    *,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> object:
    """Return a derivative: of a variable by variables, or a function of a function.

    `grad(cost, wrt)` is the derivative of a scalar by a variable, or by each of a list.
    `grad(f)` is the function that computes the derivative of `f` by its first argument;
    `argnums` names another one, or several. Arguments may be structures of arrays. With
    `has_aux`, `f` returns a pair of which only the first is differentiated.

    Of variables, `consider_constant` holds those through which nothing is
    differentiated; `disconnected_inputs` says what happens where the cost does not
    depend on a variable: "raise" an error, or "zeros"; `known_grads` has for variables
    the derivative by them, which counts instead of what would be computed: the cost may
    be None then.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
    """
    if known_grads and _is_called(cost):
        message = f"known_grads is of variables, got {describe(cost)} for the cost"
        raise usage_error(message, "tc.grad(None, wrt, known_grads={y: g})")
    if known_grads or not _is_function("grad", cost, wrt, argnums, has_aux):
        return gradients.grad(
            cost,  # type: ignore[arg-type]  # `grad` says what it is instead
            wrt,
            consider_constant,
            disconnected_inputs,
            known_grads,
        )
    _refuse_constants("grad", consider_constant)
    return _of_function("grad", cost, wrt, argnums, has_aux)


@door
def jacobian(
    expression: object,
    wrt: object = None,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
    *,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> object:
    """Return the derivative of each element by each element, of variables or functions.

    `jacobian(y, wrt)` has the axes of y, then those of the variable, for each of them
    if there are several. `jacobian(f)` is the function that computes it of what `f`
    returns, by its first argument or by `argnums`, for each result that `f` has. The
    program has a product for each element of the smaller side.

    Raises:
        TypeError: something is no float, or has no derivative.
        ValueError: the expression does not depend on a variable.
        CompileError: no side has a known size that is small enough (TC0190).
    """
    if not _is_function("jacobian", expression, wrt, argnums, has_aux):
        return jacobians.jacobian(
            expression, wrt, consider_constant, disconnected_inputs
        )
    _refuse_constants("jacobian", consider_constant)
    return _of_function("jacobian", expression, wrt, argnums, has_aux)


@door
def hessian(
    cost: Tensor | Callable[..., object],
    wrt: object = None,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
    *,
    argnums: Argnums | None = None,
    has_aux: bool = False,
) -> object:
    """Return the second derivatives of a scalar, of a variable or of a function.

    `hessian(cost, wrt)` has the axes of the variable twice; of several variables there
    is one for each, as in Theano. `hessian(f)` is the function that computes them all,
    the derivative of each part of `grad(f)` by each argument of `argnums`.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
        CompileError: the size of a variable is not known, or too large (TC0190).
    """
    if not _is_function("hessian", cost, wrt, argnums, has_aux):
        return jacobians.hessian(cost, wrt, consider_constant, disconnected_inputs)  # type: ignore[arg-type]
    _refuse_constants("hessian", consider_constant)
    return _of_function("hessian", cost, wrt, argnums, has_aux)


@door
def hvp(
    cost: Tensor | Callable[..., object],
    wrt: object,
    vectors: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
) -> object:
    """Return the product of the second derivatives of a scalar with vectors.

    `hvp(cost, wrt, v)` is of a variable, in the structure of `wrt`; `hvp(f, primals,
    tangents)` of a function at these arguments, a tuple of them: by the first one, or
    by all if there are several. It costs a few gradients, whatever the sizes. Of
    variables, `consider_constant` and `disconnected_inputs` are as in `grad`.

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: a shape differs, or the cost does not depend on a variable.
    """
    if not _is_called(cost):
        return jacobians.hvp(
            cost,  # type: ignore[arg-type]  # `hvp` says what it is instead
            wrt,
            vectors,
            consider_constant,
            disconnected_inputs,
        )
    _refuse_constants("hvp", consider_constant)
    from tensorc.api.function_products import hvp as of_function

    return of_function(cost, wrt, vectors)


def _is_called(cost: object) -> TypeGuard[Callable[..., object]]:
    return callable(cost) and not is_symbolic(cost)


def _is_function(
    name: str, cost: object, wrt: object, argnums: object, has_aux: bool
) -> bool:
    """Tell a function from a variable; TypeError for options of the other one."""
    is_function = _is_called(cost)
    if not is_function and (wrt is None or argnums is not None or has_aux):
        message = f"{name} of a variable takes (cost, wrt)"
        raise usage_error(message, f"argnums and has_aux belong to {name}(f)")
    return is_function


def _refuse_constants(name: str, consider_constant: object) -> None:
    """Raise TypeError for constants of a function: it has its variables inside."""
    if consider_constant is not None:
        message = f"consider_constant is of variables, {name} takes a function here"
        raise usage_error(message, "hold it constant in f: tc.stop_gradient(x)")


def _of_function(
    name: str,
    function: object,
    wrt: object,
    argnums: Argnums | None,
    has_aux: bool,
) -> object:
    # Variables need no tracer.
    from tensorc.api.function_grad import derivative, is_argnums

    assert callable(function)
    if wrt is not None:
        if argnums is not None or not is_argnums(wrt):
            message = f"{name} of a function takes (f, argnums=…), got {describe(wrt)}"
            raise usage_error(message, f"inside of f: tc.{name}(cost, wrt) of values")
        argnums = wrt  # type: ignore[assignment]
    return derivative(function, 0 if argnums is None else argnums, has_aux, name)
