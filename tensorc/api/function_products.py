"""Products with the jacobian of a function: `jvp`, `vjp`, and `hvp` of a scalar one.

y, slope = tc.jvp(f, (x,), (v,))   # f(x), and its derivative along v
y, pullback = tc.vjp(f, x)         # f(x), and what makes cotangents of x of those of y
"""

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tensorc.api.function_grad import derivative, pair_of, variable_of
from tensorc.api.jit import Jitted
from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python import tracer
from tensorc.frontend.python.derivatives.given import (
    along,
    outs_of,
    points_of,
    tensor_or_zeros,
    type_of_value,
)
from tensorc.frontend.python.derivatives.products import pulled, pushed
from tensorc.frontend.python.grouping.pytree import Tree, flatten, paths, unflatten
from tensorc.frontend.python.symbolic_operands import (
    describe,
    is_symbolic,
    value_of,
)
from tensorc.ir.core import Value

Function = Callable[..., object]


@door
def jvp(
    function: Function,
    primals: object,
    tangents: object,
    has_aux: bool = False,
) -> object:
    """Return what a function gives, and its derivative along a direction: the pair.

    `primals` are its arguments, `tangents` a direction: for each argument a structure
    of floats of the same types and shapes, or None for an argument that stays, as an
    integer does. With `has_aux` the function returns a pair of which only the first is
    differentiated, and the second is the third result.

    Raises:
        TypeError: something is no float, or has no derivative.
        ValueError: a shape differs.
    """
    _require_function("jvp", function, "of variables: tc.Rop(f, wrt, eval_points)")
    given = [_tuple(primals, "primals"), _tuple(tangents, "tangents")]
    if len(given[0]) != len(given[1]):
        message = f"jvp: {len(given[0])} primals and {len(given[1])} tangents"
        raise usage_error(message, "None is the tangent of an argument that stays")
    return _forward(function, has_aux)(*given)


@door
def vjp(function: Function, *primals: object, has_aux: bool = False) -> object:
    """Return what a function gives, and the function from cotangents to cotangents.

    `pullback(ct)` takes a value for what the function returned, of the same structure,
    types and shapes, and returns a tuple: for each argument the derivative of the sum
    of the results, each times its cotangent; None for what is no float. With `has_aux`
    the function returns a pair of which only the first is differentiated, and the
    second is the third result.

    Raises:
        TypeError: something has no derivative.
    """
    _require_function("vjp", function, "of variables: tc.Lop(f, wrt, eval_points)")
    if tracer.current() is not None or any(map(is_symbolic, flatten(primals)[0])):
        found = _traced_vjp(function, primals, has_aux)
        return found if has_aux else found[:2]
    compiled = function if isinstance(function, Jitted) else Jitted(function)
    result = compiled(*primals)
    # What is written to the arrays from now on does not reach the pullback.
    leaves, tree = flatten(primals)
    kept = [x.copy() if isinstance(x, np.ndarray) else x for x in leaves]
    made = _backward(function, has_aux)
    pullback = functools.partial(made, unflatten(tree, kept))
    if not has_aux:
        return result, pullback
    value, aux = pair_of(result, _name_of(function))
    return value, pullback, aux


@door
def hvp(function: Function, primals: object, tangents: object) -> object:
    """Return the product of the second derivatives of a scalar function with vectors.

    As `jvp` of its `grad`, by the first argument or by all, if there are several.
    """
    count = len(primals) if isinstance(primals, list | tuple) else 1
    argnums = 0 if count == 1 else tuple(range(count))
    pair = jvp(derivative(function, argnums, False, "grad"), primals, tangents)
    assert isinstance(pair, tuple)
    return pair[1]


def _require_function(name: str, function: object, hint: str) -> None:
    if is_symbolic(function) or not callable(function):
        message = f"{name} takes a function, got {describe(function)}"
        raise usage_error(message, hint)


def _tuple(given: object, what: str) -> tuple[object, ...]:
    if isinstance(given, list | tuple):
        return tuple(given)
    message = f"{what} of jvp is a tuple, one for each argument, got "
    raise usage_error(message + describe(given), "write (x,) for one")


def _name_of(function: object) -> str:
    return str(getattr(function, "__name__", "the function"))


def _compiled(
    made: Callable[[Function, bool], Jitted],
) -> Callable[[Function, bool], Jitted]:
    """Keep what is made of compiled functions: others may have changed since."""
    kept = functools.lru_cache(maxsize=_KEPT)(made)

    @functools.wraps(made)
    def of(function: Function, has_aux: bool) -> Jitted:
        return (kept if isinstance(function, Jitted) else made)(function, has_aux)

    return of


_KEPT = 64


@_compiled
def _forward(function: Function, has_aux: bool) -> Jitted:
    """Return the function of primals and tangents that computes both results."""
    name = _name_of(function)

    def pushforward(primals: Sequence[object], tangents: Sequence[object]) -> object:
        own, pairs = [], []
        for i, (primal, tangent) in enumerate(zip(primals, tangents, strict=True)):
            if tangent is None:
                own.append(primal)
                continue
            leaves, tree = flatten(primal)
            points = points_of(tree, tangent, f"tangents[{i}] of jvp of '{name}'")
            spelled = paths(tree, f"primals[{i}]")
            for j, (point, path) in enumerate(zip(points, spelled, strict=True)):
                if point is None:
                    continue
                what = f"'{path}' of jvp of '{name}'"
                leaves[j] = variable = tracer.separate(leaves[j], what)
                like = value_of(variable, path)
                pairs.append((like, along(point, like, f"the tangent of {what}")))
            own.append(unflatten(tree, leaves))
        value, outs, tree, aux = _called(function, own, has_aux)
        found = pushed(outs, pairs)
        slopes = [tensor_or_zeros(found.get(out), out) for out in outs]
        pair = value, unflatten(tree, slopes)
        return (*pair, aux) if has_aux else pair

    return _jitted(pushforward, f"jvp_{name}", (_forward, (function, has_aux)))


@_compiled
def _backward(function: Function, has_aux: bool) -> Jitted:
    """Return the function of primals and cotangents that computes their cotangents."""

    def pullback(primals: Sequence[object], cotangent: object) -> object:
        return _traced_vjp(function, primals, has_aux)[1](cotangent)

    name = f"vjp_{_name_of(function)}"
    return _jitted(pullback, name, (_backward, (function, has_aux)))


def _jitted(function: Function, name: str, made_by: tuple[object, ...]) -> Jitted:
    function.__name__ = function.__qualname__ = name
    made = Jitted(function)
    made.made_by = made_by
    return made


def _called(
    function: Function, arguments: Iterable[object], has_aux: bool
) -> tuple[object, list[Value], Tree, object]:
    """Return what a function gives: the value, its leaves and tree, and the rest."""
    name = _name_of(function)
    result = function(*arguments)
    value, aux = pair_of(result, name) if has_aux else (result, None)
    leaves, tree = flatten(value)
    variables = [variable_of(leaf, name) for leaf in leaves]
    outs, _ = outs_of(variables, f"a result of {name}") if variables else ([], tree)
    return unflatten(tree, variables), outs, tree, aux


@door
def _traced_vjp(
    function: Function, primals: Sequence[object], has_aux: bool
) -> tuple[object, Function, object]:
    """Return the value of variables, and its pullback, a function of variables."""
    name = _name_of(function)
    own, trees, values = [], [], []
    for i, primal in enumerate(primals):
        leaves, tree = flatten(primal)
        made = [
            tracer.separate(leaf, f"'{path}' of vjp of '{name}'")
            if _is_float(leaf)
            else leaf
            for leaf, path in zip(leaves, paths(tree, f"primals[{i}]"), strict=True)
        ]
        own.append(unflatten(tree, made))
        trees.append(tree)
        values.append([value_of(m, "it") if _is_float(m) else None for m in made])
    value, outs, tree, aux = _called(function, own, has_aux)

    @door
    def pullback(cotangent: object) -> object:
        points = points_of(tree, cotangent, f"the cotangent of '{name}'")
        pairs = [
            (out, along(point, out, f"the cotangent of '{path}'"))
            for out, point, path in zip(outs, points, paths(tree, name), strict=True)
            if point is not None
        ]
        wrt = [v for part in values for v in part if v is not None]
        found = pulled(wrt, pairs)
        return tuple(
            unflatten(
                one,
                [None if v is None else tensor_or_zeros(found.get(v), v) for v in part],
            )
            for one, part in zip(trees, values, strict=True)
        )

    return value, pullback, aux


def _is_float(leaf: object) -> bool:
    """Tell variables and numbers that have a derivative."""
    if isinstance(leaf, float):
        return True
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and type_of_value(value_of(leaf, "it")).element.is_float
