"""Derivatives of functions: other functions, which are traced and compiled."""

import functools
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence

from tensorc.api.jit import Jitted
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.library.operands import TensorOperand, strong
from tensorc.frontend.python import tracer
from tensorc.frontend.python.derivatives.given import members_of, outs_of, zeros_like
from tensorc.frontend.python.derivatives.gradients import gradient_of, scalar_of
from tensorc.frontend.python.derivatives.jacobians import jacobian_of, jacobians_of
from tensorc.frontend.python.describing import whole_number
from tensorc.frontend.python.grouping.pytree import (
    LEAF,
    Tree,
    flatten,
    in_words,
    paths,
    unflatten,
)
from tensorc.frontend.python.signatures import VARIADIC, computed, signature_of
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
)
from tensorc.ir.core import Value


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
    return derivative(function, argnums, has_aux, "value_and_grad")


def is_argnums(value: object) -> bool:
    """Tell an integer, or several, from what else is given in their stead."""
    several = value if isinstance(value, list | tuple) else (value,)
    return all(whole_number(v) is not None for v in several)


def derivative(
    function: Callable[..., object],
    argnums: int | Sequence[int],
    has_aux: bool,
    form: str,
) -> Jitted:
    """Return the function that computes a derivative of one, in one of `_FORMS`.

    TypeError if `argnums` is no integer or several, or names no argument.
    """
    target = function.function if isinstance(function, Jitted) else function
    static = function.static if isinstance(function, Jitted) else ()
    name = getattr(target, "__name__", "function")
    if not is_argnums(argnums):
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
        result = computed(target, bound)
        value, aux = pair_of(result, name) if has_aux else (result, None)
        wrt = [tensor for own, _ in taken for tensor in own]

        def arranged(leaves: Sequence[object]) -> object:
            found = iter(leaves)
            parts = [unflatten(tree, found) for _, tree in taken]
            return tuple(parts) if several is argnums else parts[0]

        made = _FORMS[form](value, wrt, name, arranged)
        if form == "value_and_grad":
            return ((value, aux) if has_aux else value), made
        return (made, aux) if has_aux else made

    gradient.__name__ = f"{form}_{name}"
    gradient.__signature__ = signature  # type: ignore[attr-defined]
    made = Jitted(gradient, static)
    made.made_by = derivative, (function, argnums, has_aux, form)
    return made


# A parameter, and of those that take any number the index or name of one.
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
def pair_of(result: object, name: str) -> tuple[object, object]:
    """Return the two results of a function, with `has_aux`."""
    if isinstance(result, tuple) and len(result) == 2:
        return result[0], result[1]
    message = f"has_aux: {name} returns a pair (cost, anything else), "
    raise usage_error(f"{message}got {describe(result)}")


Arrange = Callable[[Sequence[object]], object]


@door
def _gradient(
    value: object, wrt: Sequence[Tensor], name: str, arranged: Arrange
) -> object:
    return arranged(list(map(Tensor, map(TensorOperand, _slopes(value, wrt, name)))))


def _slopes(value: object, wrt: Sequence[Tensor], name: str) -> list[Value]:
    """Return the derivative of what a function returns by each variable."""
    primals = members_of(list(wrt))[1]
    if not primals:
        return []
    _, tree = flatten(value)
    if tree is not LEAF:
        given, _ = in_words(tree, LEAF)
        message = f"{name} must return one number to differentiate, got {given}"
        raise usage_error(message, "return (cost, other) with has_aux=True")
    found = gradient_of(scalar_of(variable_of(value, name)), primals)
    return [found[p] if p in found else zeros_like(p) for p in primals]


def variable_of(value: object, name: str) -> Tensor:
    """Return a result of a function as a variable."""
    operand = operand_of(value, f"the result of {name}")
    is_tensor = isinstance(operand, TensorOperand)
    return Tensor(operand if is_tensor else strong(emitter(), operand))


@door
def _jacobian(
    value: object, wrt: Sequence[Tensor], name: str, arranged: Arrange
) -> object:
    leaves, tree = flatten(value)
    outs, _ = outs_of(
        [variable_of(leaf, name) for leaf in leaves], f"the result of {name}"
    )
    return unflatten(tree, [_of_out(out, wrt, arranged, "jacobian") for out in outs])


@door
def _hessian(
    value: object, wrt: Sequence[Tensor], name: str, arranged: Arrange
) -> object:
    slopes = _slopes(value, wrt, name)
    return arranged([_of_out(slope, wrt, arranged, "hessian") for slope in slopes])


def _of_out(out: Value, wrt: Sequence[Tensor], arranged: Arrange, name: str) -> object:
    primals = members_of(list(wrt))[1]
    found = jacobian_of(out, primals, name=name)
    return arranged(jacobians_of(out, primals, found))


# What is computed of what the function returns, by the variables, arranged as they are.
_FORMS: Mapping[str, Callable[[object, Sequence[Tensor], str, Arrange], object]] = {
    "grad": _gradient,
    "value_and_grad": _gradient,
    "jacobian": _jacobian,
    "hessian": _hessian,
}
