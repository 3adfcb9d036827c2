"""Derivatives of values and of functions: `grad`, `value_and_grad`.

g = tc.grad(cost, W)                  # of a variable: another variable
slope = tc.grad(lambda x: x * x)      # of a function: another function
slope(3.0)                            # 6.0, compiled
"""

import functools
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence

from tensorc.api.jit import Jitted
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.library.operands import Tensor as Node
from tensorc.frontend.library.operands import strong
from tensorc.frontend.python import symbolic_functions, tracer
from tensorc.frontend.python.describing import whole_number
from tensorc.frontend.python.pytree import LEAF, Tree, flatten, paths, unflatten
from tensorc.frontend.python.signatures import VARIADIC, signature_of
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
)


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
    if wrt is not None:
        if argnums is not None or not _is_argnums(wrt):
            message = f"grad of a function takes (f, argnums=…), got {describe(wrt)}"
            raise usage_error(message, "inside of f: tc.grad(cost, wrt) of values")
        argnums = wrt  # type: ignore[assignment]
    return _derivative(cost, 0 if argnums is None else argnums, has_aux, False)


@door
def value_and_grad(
    function: Callable[..., object],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Jitted:
    """Return a function that computes both the value of `function` and its derivative.

    As `grad` of a function; the result is the pair (value, derivative).
    """
    if is_symbolic(function) or not callable(function):
        message = f"value_and_grad takes a function, got {describe(function)}"
        raise usage_error(message, "of a variable: cost and tc.grad(cost, wrt)")
    return _derivative(function, argnums, has_aux, True)


def _is_argnums(value: object) -> bool:
    several = value if isinstance(value, list | tuple) else (value,)
    return all(whole_number(v) is not None for v in several)


def _derivative(
    function: Callable[..., object],
    argnums: int | Sequence[int],
    has_aux: bool,
    with_value: bool,
) -> Jitted:
    target = function.function if isinstance(function, Jitted) else function
    static = function.static if isinstance(function, Jitted) else ()
    name = getattr(target, "__name__", "function")
    if not _is_argnums(argnums):
        message = f"argnums is an integer or several, got {describe(argnums)}"
        raise usage_error(message, "a name has a number: 0 is the first parameter")
    several = argnums if isinstance(argnums, Sequence) else (argnums,)
    numbers = [operator.index(n) for n in several]
    signature = signature_of(target)
    kinds = [p.kind for p in signature.parameters.values()]
    if not any(kind in VARIADIC for kind in kinds):
        _chosen(name, [(n, None) for n in signature.parameters], numbers)

    @functools.wraps(target)
    def gradient(*args: object, **named: object) -> object:
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        given = _members(bound)
        taken: list[tuple[list[Tensor], Tree]] = []
        for path in _chosen(name, list(given), numbers):
            leaves, tree = flatten(given[path])
            spelled = path[0] if path[1] is None else f"{path[0]}[{path[1]!r}]"
            where = zip(paths(tree, spelled), leaves, strict=True)
            own = [tracer.separate(v, f"argument '{p}' of '{name}'") for p, v in where]
            given[path] = unflatten(tree, own)
            taken.append((own, tree))
        _put_back(bound, given)
        result = target(*bound.args, **bound.kwargs)
        value, aux = _pair(result, name) if has_aux else (result, None)
        wrt = [tensor for own, _ in taken for tensor in own]
        found = iter(_gradients(value, wrt, name))
        parts = [unflatten(tree, found) for _, tree in taken]
        gradients = tuple(parts) if several is argnums else parts[0]
        if not with_value:
            return (gradients, aux) if has_aux else gradients
        return ((value, aux) if has_aux else value), gradients

    gradient.__name__ = f"grad_{name}"
    gradient.__signature__ = signature  # type: ignore[attr-defined]
    made = Jitted(gradient, static)
    made.made_by = _derivative, (function, argnums, has_aux, with_value)
    return made


# A parameter, and of those that take any number the place or name of one.
_Path = tuple[str, int | str | None]


def _members(bound: inspect.BoundArguments) -> dict[_Path, object]:
    """Return what `argnums` counts: the arguments of a call in order, each of *args."""
    found: dict[_Path, object] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind == inspect.Parameter.VAR_POSITIONAL:
            found.update(((name, i), each) for i, each in enumerate(value))
        elif kind == inspect.Parameter.VAR_KEYWORD:
            found.update(((name, key), each) for key, each in value.items())
        else:
            found[name, None] = value
    return found


def _put_back(bound: inspect.BoundArguments, members: Mapping[_Path, object]) -> None:
    for name, old in bound.arguments.items():
        own = {key: value for (n, key), value in members.items() if n == name}
        if bound.signature.parameters[name].kind in VARIADIC:
            bound.arguments[name] = own if isinstance(old, dict) else (*own.values(),)
        else:
            bound.arguments[name] = own[None]


@door
def _chosen(name: str, members: Sequence[_Path], numbers: Sequence[int]) -> list[_Path]:
    for number in numbers:
        if not -len(members) <= number < len(members):
            message = f"argnums: {name} has no argument {number}"
            takes = ", ".join(
                n if key is None else f"{n}[{key!r}]" for n, key in members
            )
            raise argument_error(message, f"it takes ({takes})")
    return [members[number] for number in numbers]


@door
def _pair(result: object, name: str) -> tuple[object, object]:
    if isinstance(result, tuple) and len(result) == 2:
        return result[0], result[1]
    message = f"has_aux: {name} returns a pair (cost, anything else), "
    raise usage_error(f"{message}got {describe(result)}")


@door
def _gradients(value: object, wrt: Sequence[Tensor], name: str) -> list[Tensor]:
    if not wrt:
        return []
    _, tree = flatten(value)
    if tree is not LEAF:
        message = f"{name} must return one number to differentiate, got {tree}"
        raise usage_error(message, "return (cost, other) with has_aux=True")
    operand = operand_of(value, f"the result of {name}")
    cost = Tensor(operand if isinstance(operand, Node) else strong(emitter(), operand))
    found = symbolic_functions.grad(cost, list(wrt), disconnected_inputs="zeros")
    assert isinstance(found, list)
    return found
