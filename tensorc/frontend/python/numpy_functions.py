"""NumPy's functions on symbolic variables: np.sum(x, axis=0), np.where(c, x, y).

The table names, for each function of NumPy, its parameters in NumPy's order and the
function of the library that computes it. `bound` reads a call by that row; ufuncs such
as np.exp go by `ufunc_name` to the elementwise functions instead.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tensorc.frontend.library import elementwise
from tensorc.frontend.library import registry as library
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.numpy_names import reason_of
from tensorc.frontend.python.numpy_compositions import COMPOSITIONS

NumpyFunction = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Row:
    """A function of NumPy: its parameters in order, and which function it is here.

    The first ones are arrays, as many as the library's function takes. A name after "="
    is what the library calls an option; those in `without` it does not take.
    """

    function: NumpyFunction
    parameters: str
    target: str
    without: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A call that was read: what to compute, of what, with which plain options."""

    composite: library.Composite
    tensors: tuple[object, ...]
    options: Mapping[str, object]
    dtype: object = None


_REDUCED = "a axis dtype out keepdims"
_ORDERED = "a axis out keepdims"

# The literal table: NumPy's function, its parameters, ours.
_ROWS: tuple[Row, ...] = (
    # reductions and order
    Row(np.sum, _REDUCED, "sum", "out initial where"),
    Row(np.mean, _REDUCED, "mean", "out where"),
    Row(np.prod, _REDUCED, "prod", "out initial where"),
    Row(np.max, _ORDERED, "max", "out initial where"),
    Row(np.amax, _ORDERED, "max", "out initial where"),
    Row(np.min, _ORDERED, "min", "out initial where"),
    Row(np.amin, _ORDERED, "min", "out initial where"),
    Row(np.any, _ORDERED, "any", "out where"),
    Row(np.all, _ORDERED, "all", "out where"),
    Row(np.argmax, _ORDERED, "argmax", "out"),
    Row(np.argmin, _ORDERED, "argmin", "out"),
    Row(np.var, "a axis dtype out ddof keepdims", "var", "out where mean correction"),
    Row(np.std, "a axis dtype out ddof keepdims", "std", "out where mean correction"),
    # choice, bounds
    Row(np.where, "condition x y", "where"),
    Row(np.clip, "a a_min a_max out", "clip", "out"),
    # shapes
    Row(np.reshape, "a shape order", "reshape", "order copy"),
    Row(np.transpose, "a axes", "transpose"),
    Row(np.ravel, "a order", "ravel", "order"),
    Row(np.swapaxes, "a axis1 axis2", "swapaxes"),
    Row(np.moveaxis, "a source destination", "moveaxis"),
    Row(np.expand_dims, "a axis", "expand_dims"),
    Row(np.squeeze, "a axis", "squeeze"),
    Row(np.broadcast_to, "array shape subok", "broadcast_to", "subok"),
    Row(np.concatenate, "arrays axis out", "concatenate", "out dtype casting"),
    Row(np.stack, "arrays axis out", "stack", "out dtype casting"),
    Row(np.split, "ary indices_or_sections=parts axis", "split"),
    Row(np.tile, "A reps", "tile"),
    Row(np.repeat, "a repeats axis", "repeat"),
    Row(np.pad, "array pad_width=width mode constant_values", "pad"),
    Row(np.flip, "m axis", "flip"),
    Row(np.roll, "a shift axis", "roll"),
    Row(np.take, "a indices axis out mode", "take", "out mode"),
    Row(np.tril, "m k", "tril"),
    Row(np.triu, "m k", "triu"),
    # making
    Row(np.zeros_like, "a dtype order subok shape", "zeros_like", "order subok shape"),
    Row(np.ones_like, "a dtype order subok shape", "ones_like", "order subok shape"),
    Row(
        np.full_like,
        "a fill_value dtype order subok shape",
        "full_like",
        "order subok shape",
    ),
    Row(np.linspace, "start stop num endpoint retstep", "linspace", "endpoint retstep"),
    # products
    Row(np.dot, "a b out", "dot", "out"),
    Row(np.outer, "a b out", "outer", "out"),
    Row(np.tensordot, "a b axes", "tensordot"),
    Row(np.einsum, "operands subscripts=spec out", "einsum", "out"),
    Row(np.linalg.norm, "x ord axis keepdims", "norm", "ord"),
)


# Functions that are attributes of a variable.
ATTRIBUTES: Mapping[NumpyFunction, str] = {np.shape: "shape", np.ndim: "ndim"}

_BY_FUNCTION: Mapping[NumpyFunction, Row] = MappingProxyType(
    {row.function: row for row in _ROWS}
)

# Ufuncs with another name than the library's elementwise functions.
_UFUNCS: Mapping[str, str] = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "power": "pow",
    "negative": "neg",
    "positive": "pos",
    "absolute": "abs",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "logical_and": "and",
    "logical_or": "or",
    "logical_not": "not",
    "bitwise_and": "bit_and",
    "bitwise_or": "bit_or",
    "bitwise_xor": "bit_xor",
    "invert": "bit_not",
    "fmax": "",  # ignores NaN, which maximum does not
    "fmin": "",
}
_OF_REDUCE = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_OF_REDUCE |= {"logical_or": "any", "logical_and": "all"}


def _instead_of(ufunc: str, method: str) -> str:
    """Return how a method of a ufunc is written of variables, or ""."""
    if method == "reduce" and ufunc in _OF_REDUCE:
        return f"np.{_OF_REDUCE[ufunc]}(x, axis=…)"
    if method == "at":
        return "x.at[i].add(v)"
    return f"np.{ufunc}(x[:, None], y)" if method == "outer" else ""


def ufunc_name(ufunc: np.ufunc, method: str, options: Mapping[str, object]) -> str:
    """Return which elementwise function a ufunc is; TypeError if it is none of them."""
    given = ufunc.__name__
    if method != "__call__":
        instead = _instead_of(given, method)
        message = f"np.{given}.{method} of a variable is not compiled"
        raise usage_error(message, *([f"write {instead}"] if instead else []))
    if options.get("out") is not None:
        message = f"np.{given} cannot write its result into an array: it is a variable"
        raise usage_error(message, "make a new one: `a = a + x` for `a += x`")
    for name, value in options.items():
        if not (name in ("where", "dtype", "out") and value in (True, None)):
            message = f"np.{given} of a variable takes no `{name}=`"
            raise usage_error(message, "np.where(c, x, y) chooses, x.astype casts")
    name = _UFUNCS.get(given, given)
    if name == "matmul" or name in elementwise.FUNCTIONS:
        return name
    if name in library.PRELUDE and len(library.PRELUDE[name].tensors) == ufunc.nin:
        return name
    raise _not_here(given)


def composed(
    function: NumpyFunction, args: Sequence[object], options: Mapping[str, object]
) -> Callable[[], object] | None:
    """Return a call of a function that is made of others; None if it is none of them.

    Raises TypeError for arguments that it does not take.
    """
    made = COMPOSITIONS.get(function)
    if made is None:
        return None
    signature = inspect.signature(made)
    taken = signature.parameters
    options = {
        name: value
        for name, value in options.items()
        if name in taken or not _is_default(function, name, value)
    }
    try:
        bound = signature.bind(*args, **options)
    except TypeError as error:
        hint = f"it takes {', '.join(taken)}"
        raise usage_error(f"np.{_name_of(function)}: {error}", hint) from None
    return lambda: made(*bound.args, **bound.kwargs)


def bound(
    function: NumpyFunction, args: Sequence[object], options: Mapping[str, object]
) -> Bound:
    """Read a call of a NumPy function; TypeError if it cannot be computed here."""
    name = _name_of(function)
    row = _BY_FUNCTION.get(function)
    if row is None:
        raise _not_here(name)
    composite = library.PRELUDE[row.target]
    parameters = row.parameters.split()
    args, options = _rearranged(function, args, options)
    if len(args) > len(parameters):
        message = f"np.{name} of a variable takes {', '.join(parameters)}"
        raise usage_error(f"{message}; {len(args)} arguments given")
    given = dict(zip(parameters, args, strict=False))
    spelled = {p.partition("=")[0]: p for p in parameters}
    for n, value in options.items():
        if spelled.get(n, n) in given:
            raise usage_error(f"np.{name}: `{n}` is given twice")
        given[spelled.get(n, n)] = value
    return _bound(name, row, composite, given)


def _rearranged(
    function: NumpyFunction, args: Sequence[object], options: Mapping[str, object]
) -> tuple[Sequence[object], Mapping[str, object]]:
    """Return the arguments of functions that NumPy calls in two ways, in one."""
    if function is np.einsum and args:
        if not isinstance(args[0], str):
            message = "np.einsum of variables takes a text first"
            raise usage_error(message, 'np.einsum("ij,jk->ik", x, y)')
        args = ([*args[1:]], args[0])
        # Of two operands there is one order, which `optimize` does not change.
        options = {n: v for n, v in options.items() if n != "optimize"}
    if function is np.clip:
        spelled = {"min": "a_min", "max": "a_max"}
        options = {spelled.get(n, n): v for n, v in options.items()}
    return args, options


def _bound(
    name: str, row: Row, composite: library.Composite, given: dict[str, object]
) -> Bound:
    count = len(composite.tensors)
    leading = row.parameters.split()[:count]
    places = zip(leading, composite.tensors, strict=True)
    given = {p: None for p, n in places if n in composite.optional} | given
    missing = [p for p in leading if p not in given]
    if missing:
        message = f"np.{name} of a variable needs `{missing[0]}`"
        hint = "np.nonzero is not compiled: sizes must not depend on values"
        raise usage_error(message, *([hint] if name == "where" else []))
    tensors = tuple([given.pop(p) for p in leading])
    dtype = given.pop("dtype", None)
    options: dict[str, object] = {}
    for parameter, value in given.items():
        theirs, _, ours = parameter.partition("=")
        if value is np._NoValue:
            continue  # a default of NumPy's own wrappers
        if (ours or theirs) in composite.options:
            options[ours or theirs] = value
        elif not _is_default(row.function, theirs, value):
            taken = [p.partition("=")[0] for p in row.parameters.split()]
            taken = [p for p in taken if p not in row.without.split()]
            hint = f"it takes {', '.join(taken)}"
            raise usage_error(f"np.{name} of a variable takes no `{theirs}=`", hint)
    return Bound(composite, tensors, options, dtype)


def _is_default(function: NumpyFunction, name: str, value: object) -> bool:
    """Tell the value that an option has in NumPy where it is not given."""
    if isinstance(function, np.ufunc):
        return value is None  # out, dtype, …
    parameter = inspect.signature(function).parameters.get(name)
    default = None if parameter is None else parameter.default
    if default is None or default is np._NoValue:
        return value is None or (name == "where" and value is True)
    plain = value.item() if isinstance(value, np.generic) else value
    return type(plain) is type(default) and plain == default


def is_here(function: NumpyFunction) -> bool:
    """Tell functions of NumPy that take variables."""
    if function in COMPOSITIONS or function in ATTRIBUTES:
        return True
    if isinstance(function, np.ufunc):
        name = _UFUNCS.get(function.__name__, function.__name__)
        known = name in elementwise.FUNCTIONS or name in library.PRELUDE
        return known or name == "matmul"
    return function in _BY_FUNCTION


def _name_of(function: NumpyFunction) -> str:
    """Return what stands after `np.`: sum, linalg.norm."""
    module = str(getattr(function, "__module__", "")).removeprefix("numpy")
    name = getattr(function, "__name__", str(function))
    return f"{module}.{name}".lstrip(".")


def _not_here(name: str) -> Exception:
    why, hints = reason_of(name)
    return usage_error(f"np.{name} of a variable {why}", *hints)
