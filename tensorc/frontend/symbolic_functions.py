"""The functions of the Python doors: the library's, under NumPy's and Theano's names.

`FUNCTIONS` names them all. What the library gains is here by itself; the tables below
hold only other spellings, and functions whose arguments are read in Python's way.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend import elementwise, library
from tensorc.frontend.graph_grad import derivatives
from tensorc.frontend.indexing import Index
from tensorc.frontend.operands import Tensor as Node
from tensorc.frontend.operands import broadcast, cast, constant, materialize
from tensorc.frontend.places import argument_error, door, usage_error
from tensorc.frontend.symbolic import Tensor, apply, call, compose, element_named, put
from tensorc.frontend.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
    size_of,
    type_of,
    value_of,
)
from tensorc.frontend.symbolic_variables import CONSTRUCTORS
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.indexing import ADD, SET
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I64, TensorType

SymbolicFunction = Callable[..., Tensor]

# Derivatives


@door
def grad(
    cost: Tensor,
    wrt: object,
    consider_constant: Sequence[Tensor] | None = None,
    disconnected_inputs: str = "raise",
) -> object:
    """Return the derivative of a scalar by a variable, or by each of a list of them.

    The result has the structure of `wrt`: a list gives a list, a tuple a tuple.
    `consider_constant` holds variables through which nothing is differentiated.
    `disconnected_inputs` says what happens where the cost does not depend on a
    variable: "raise" an error, or "zeros" (also "ignore" and "warn").

    Raises:
        TypeError: the cost is no scalar, or something has no derivative.
        ValueError: the cost does not depend on a variable.
    """
    choices = ("raise", "ignore", "warn", "zeros")
    if disconnected_inputs not in choices:
        message = f"disconnected_inputs is one of {', '.join(choices)}, "
        raise argument_error(f"{message}got {disconnected_inputs!r}")
    several = isinstance(wrt, list | tuple)
    members = list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    if isinstance(cost, list | tuple | np.ndarray) or not is_symbolic(cost):
        message = f"the cost is a variable, got {describe(cost)}"
        raise usage_error(message, "grad(cost, wrt): the cost comes first")
    value = _cost(cost)
    values = [_member(m) for m in members]
    held = {value_of(v, "a constant") for v in consider_constant or ()}
    b = emitter()
    unique = list(dict.fromkeys(values))
    found = dict(zip(unique, derivatives(value, unique, held, b.location), strict=True))
    lost = [m for m, v in zip(members, values, strict=True) if found[v] is None]
    if lost and disconnected_inputs == "raise":
        names = ", ".join(repr(m) for m in lost)
        message = f"the cost does not depend on {names}"
        hint = "leave it out, or give disconnected_inputs='zeros'"
        raise argument_error(message, hint)
    results = [_tensor(found[v], v) for v in values]
    if not several:
        return results[0]
    return tuple(results) if isinstance(wrt, tuple) else results


def _cost(cost: Tensor) -> Value:
    value = value_of(cost, "the cost")
    type_ = type_of(cost)
    if type_.rank:
        message = f"the cost must be a scalar, this is {describe(cost)}"
        raise usage_error(message, "take its mean or sum: cost.mean()")
    if not type_.element.is_float:
        message = f"the cost must be a float, this is {describe(cost)}"
        raise usage_error(message, "cast it: cost.astype('float32')")
    return value


def _member(member: object) -> Value:
    if not is_symbolic(member):
        message = f"wrt is a variable or a list of them, got {describe(member)}"
        raise usage_error(message)
    operand = operand_of(member)
    if not isinstance(operand, Node) or not operand.type.element.is_float:
        message = f"wrt is {describe(member)}: only floats have derivatives"
        raise usage_error(message, "make it a float variable")
    return operand.value


def _tensor(found: Value | None, like: Value) -> Tensor:
    if found is not None:
        return Tensor(Node(found))
    b = emitter()
    assert isinstance(like.type, TensorType)
    zero = constant(b, 0, like.type.element)
    return Tensor(Node(broadcast(b, zero, like.type.shape)))


# Making


@door
def arange(
    start: object,
    stop: object = None,
    step: int | None = None,
    dtype: DTypeLike | None = None,
) -> Tensor:
    """Count: numpy's arange, of integers; bounds may be sizes such as x.shape[0]."""
    bounds = {"start": start} if stop is None else {"start": start, "stop": stop}
    result = call(library.range_, [], {**bounds, "step": step})
    return result if dtype is None else result.astype(dtype)


@door
def eye(
    n: object, m: object = None, k: int = 0, dtype: DTypeLike | None = None
) -> Tensor:
    """Return ones on the k-th diagonal of an n x m matrix, zeros elsewhere."""
    b = emitter()
    rows = size_of(n, "the first size of eye")
    shape = (rows, rows if m is None else size_of(m, "the second size of eye"))
    t = TensorBuilder(b.builder)
    row, column = t.iota(shape, 0, I64), t.iota(shape, 1, I64)
    moved = broadcast(b, constant(b, k, I64), shape)
    equal = t.compare("eq", t.add(row, moved) if k else row, column)
    element = b.default_float if dtype is None else element_named(dtype)
    return Tensor(Node(cast(b, equal, element)))


def _filled(name: str, number: object) -> SymbolicFunction:
    def make(shape: object, dtype: DTypeLike | None = None) -> Tensor:
        return full(shape, number, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return {name} in a shape: sizes, or variables such as x.shape[0]."
    return make


@door
def full(shape: object, value: object, dtype: DTypeLike | None = None) -> Tensor:
    """Return one number in a shape; float32 unless a type is given."""
    b = emitter()
    given = shape if isinstance(shape, list | tuple) else (shape,)
    sizes: tuple[Dim, ...] = tuple([size_of(s, "a size") for s in given])
    element = b.default_float if dtype is None else element_named(dtype)
    single = materialize(b, operand_of(value), element)
    return Tensor(Node(broadcast(b, single, sizes)))


def _filled_like(name: str, number: int) -> SymbolicFunction:
    def make(like: object, dtype: DTypeLike | None = None) -> Tensor:
        type_ = type_of(like)
        element = type_.element.dtype if dtype is None else dtype
        b = emitter()
        single = constant(b, number, element_named(element))
        return Tensor(Node(broadcast(b, single, type_.shape)))

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return {name.split('_')[0]} with the shape and type of a variable."
    return door(make)


@door
def astype(x: object, dtype: DTypeLike) -> Tensor:
    """Convert to another element type."""
    b = emitter()
    return Tensor(elementwise.to_element(b, operand_of(x), element_named(dtype)))


# New values for parts


def set_subtensor(x: Tensor, y: object) -> Tensor:
    """Return the variable that `x` is a part of, a[i], with `y` in that part."""
    whole, indices = _part(x, "set_subtensor")
    return put(whole, indices, y, SET)


def inc_subtensor(x: Tensor, y: object) -> Tensor:
    """Return the variable that `x` is a part of, a[i], with `y` added there."""
    whole, indices = _part(x, "inc_subtensor")
    return put(whole, indices, y, ADD)


@door
def _part(x: object, name: str) -> tuple[Tensor, Sequence[Index]]:
    found = x.part_of if isinstance(x, Tensor) else None
    if found is None:
        message = f"{name} takes a part, a[i], got {describe(x)}"
        raise usage_error(message, f"write {name}(a[i], y), or a.at[i].set(y)")
    return found


# From the library's tables


def _of_composite(name: str, composite: library.Composite) -> SymbolicFunction:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(t, kind) for t in composite.tensors]
    for option, default in composite.options.items():
        given = inspect.Parameter.empty if default is library.REQUIRED else default
        parameters.append(inspect.Parameter(option, kind, default=given))
    signature = inspect.Signature(parameters)

    def function(*args: object, **kwargs: object) -> Tensor:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise usage_error(f"{name}{signature}: {error}") from None
        tensors = [bound.arguments.pop(t) for t in composite.tensors]
        # `split` gives several, all others one.
        return compose(composite, tensors, bound.arguments)  # type: ignore[return-value]

    return _described(door(function), name, composite.function.__doc__, signature)


def _of_elementwise(name: str, function_name: str, operands: int) -> SymbolicFunction:
    def function(*given: object) -> Tensor:
        if len(given) != operands:
            count = "one operand" if operands == 1 else f"{operands} operands"
            raise usage_error(f"{name} takes {count}, {len(given)} given")
        return apply(function_name, *given)

    kind = inspect.Parameter.POSITIONAL_ONLY
    names = ("x", "y")[:operands]
    signature = inspect.Signature([inspect.Parameter(n, kind) for n in names])
    doc = f"Return {name} of the elements; NumPy's function of that name."
    return _described(door(function), name, doc, signature)


def _described(
    function: SymbolicFunction, name: str, doc: str | None, signature: inspect.Signature
) -> SymbolicFunction:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


# Other spellings of elementwise functions: NumPy's long names and Theano's.
_ELEMENTWISE: Mapping[str, tuple[str, int]] = {
    "add": ("add", 2),
    "subtract": ("sub", 2),
    "sub": ("sub", 2),
    "multiply": ("mul", 2),
    "mul": ("mul", 2),
    "divide": ("div", 2),
    "true_div": ("div", 2),
    "floor_divide": ("floordiv", 2),
    "mod": ("mod", 2),
    "remainder": ("mod", 2),
    "power": ("pow", 2),
    "negative": ("neg", 1),
    "neg": ("neg", 1),
    "equal": ("eq", 2),
    "eq": ("eq", 2),
    "not_equal": ("ne", 2),
    "neq": ("ne", 2),
    "less": ("lt", 2),
    "lt": ("lt", 2),
    "less_equal": ("le", 2),
    "le": ("le", 2),
    "greater": ("gt", 2),
    "gt": ("gt", 2),
    "greater_equal": ("ge", 2),
    "ge": ("ge", 2),
    "logical_and": ("and", 2),
    "logical_or": ("or", 2),
    "logical_not": ("not", 1),
    "abs": ("abs", 1),
    "absolute": ("abs", 1),
}
# The library's functions under other names.
_ALIASES: Mapping[str, str] = {
    "switch": "where",
    "sqr": "square",
    "sgn": "sign",
    "categorical_crossentropy": "cross_entropy",
}
_NOT_HERE = frozenset({"range", "flatten"})  # Python's name; another meaning


@door
def flatten(x: object, ndim: int = 1) -> Tensor:
    """Join the last axes, so that `ndim` axes are left."""
    return Tensor(operand_of(x)).flatten(ndim)


def _table() -> dict[str, SymbolicFunction]:
    table: dict[str, SymbolicFunction] = {}
    for name, (function_name, operands) in _ELEMENTWISE.items():
        if function_name in elementwise.FUNCTIONS:
            table[name] = _of_elementwise(name, function_name, operands)
    for name, composite in library.PRELUDE.items():
        if name not in _NOT_HERE:
            table[name] = _of_composite(name, composite)
    made: dict[str, SymbolicFunction] = {
        "arange": arange,
        "eye": eye,
        "full": full,
        "zeros": _filled("zeros", 0),
        "ones": _filled("ones", 1),
        "zeros_like": _filled_like("zeros_like", 0),
        "ones_like": _filled_like("ones_like", 1),
        "cast": astype,
        "flatten": flatten,
        "set_subtensor": set_subtensor,
        "inc_subtensor": inc_subtensor,
    }
    table.update({n: f for n, f in made.items() if n not in table})
    table.update({a: table[n] for a, n in _ALIASES.items() if n in table})
    return table


FUNCTIONS: Mapping[str, SymbolicFunction] = MappingProxyType(_table())


def names() -> list[str]:
    """Return the names of all functions and constructors."""
    return [*FUNCTIONS, *CONSTRUCTORS]


def public(name: str) -> SymbolicFunction:
    """Return a function or constructor by name; AttributeError if there is none."""
    found = FUNCTIONS.get(name) or CONSTRUCTORS.get(name)
    if found is not None:
        return found
    message = f"module 'tensorc' has no attribute '{name}'"
    if name in library.NOT_YET:
        message = f"`{name}` is not compiled yet"
    close = difflib.get_close_matches(name, names(), 1)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    raise AttributeError(message + hint)
