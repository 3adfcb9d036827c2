"""NumPy's functions on symbolic variables: np.sum(x, axis=0), np.where(c, x, y).

The registry's rows name NumPy's functions, with their parameters in NumPy's order.
`bound` reads a call by its row; `of_ufunc` finds that of a ufunc, such as np.exp.
"""

import functools
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.errors import CompileError
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.maps import ROWS
from tensorc.frontend.library.mistakes import renamed, usage_error
from tensorc.frontend.library.registry.calls import named_in
from tensorc.frontend.library.registry.numpy_names import reason_of
from tensorc.frontend.library.registry.rows import FUNCTIONS
from tensorc.frontend.python.numpy_compositions import COMPOSITIONS

NumpyFunction = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Bound:
    """A call that was read: what to compute, of what, with which plain options."""

    function: LibraryFunction
    tensors: tuple[object, ...]
    options: Mapping[str, object]
    dtype: object = None


# Functions that are attributes of a variable.
ATTRIBUTES: Mapping[NumpyFunction, str] = {np.shape: "shape", np.ndim: "ndim"}


# What to write for options that variables have not.
_WAYS: Mapping[str, tuple[str, ...]] = {
    "ord": (
        "the sum of absolute values: np.abs(x).sum(); the largest: np.abs(x).max()",
    )
}

# The kinds of sorts that NumPy has.
_SORTS = (None, "quicksort", "mergesort", "heapsort", "stable")
# What ufuncs accumulate.
_SO_FAR: Mapping[str, str] = {
    "add": "np.cumsum",
    "multiply": "np.cumprod",
    "maximum": "tc.cummax",
    "minimum": "tc.cummin",
    "logaddexp": "tc.logcumsumexp",
}


@functools.cache
def rows() -> Mapping[NumpyFunction, LibraryFunction]:
    """Return the registry's rows by NumPy's functions and ufuncs."""
    return {_found(name): row for row in FUNCTIONS for name in row.numpys}


def _found(name: str) -> NumpyFunction:
    function: NumpyFunction = operator.attrgetter(name)(np)
    return function


def _instead_of(ufunc: str, method: str) -> str:
    """Return how a method of a ufunc is written of variables, or ""."""
    if method == "reduce":
        joined = [row.name for row in FUNCTIONS if _joins(row, ufunc)]
        return f"np.{joined[0]}(x, axis=…)" if joined else ""
    if method == "accumulate" and ufunc in _SO_FAR:
        return f"{_SO_FAR[ufunc]}(x, axis=0)"
    if method == "at":
        return "x.at[i].add(v)"
    return f"np.{ufunc}(x[:, None], y)" if method == "outer" else ""


def _joins(row: LibraryFunction, ufunc: str) -> bool:
    """Tell the reduction that joins elements by a ufunc."""
    joins = {m.name for m in ROWS if ufunc in m.numpys}
    return row.joined in joins and len(row.tensors) == 1


def of_ufunc(
    ufunc: np.ufunc, method: str, options: Mapping[str, object]
) -> LibraryFunction:
    """Return the row of a ufunc; TypeError if it is none of the registry's."""
    given = ufunc.__name__
    if method != "__call__":
        instead = _instead_of(given, method)
        message = f"np.{given}.{method} of a variable is not compiled"
        raise usage_error(message, *([f"write {instead}"] if instead else []))
    if options.get("out") is not None:
        row = rows().get(ufunc)
        sign = row.map.sign if row and row.map else ""
        message = f"np.{given}: a NumPy array cannot take a variable in place"
        way = f"`a = a {sign} x` for `a {sign}= x`" if sign else f"`a = np.{given}(…)`"
        raise usage_error(message, f"make a new one: {way}")
    for name, value in options.items():
        if not (name in ("where", "dtype", "out") and value in (True, None)):
            message = f"np.{given} of a variable takes no `{name}=`"
            raise usage_error(message, "np.where(c, x, y) chooses, x.astype casts")
    row = rows().get(ufunc)
    if row is None:
        raise _not_here(given)
    return row


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

    def call() -> object:
        try:
            return made(*bound.args, **bound.kwargs)
        except CompileError as failure:
            raise named_in(failure, _name_of(function)) from None

    return call


def bound(
    function: NumpyFunction, args: Sequence[object], options: Mapping[str, object]
) -> Bound:
    """Read a call of a NumPy function; TypeError if it cannot be computed here."""
    name = _name_of(function)
    row = rows().get(function)
    if row is None:
        raise _not_here(name)
    return read(row, f"np.{name} of a variable", function, args, options)


def of_method(
    row: LibraryFunction, args: Sequence[object], options: Mapping[str, object]
) -> Bound:
    """Read a call of the method that a row with NumPy's parameters is.

    Raises TypeError for arguments that it does not take.
    """
    if "dtype" in options and not row.dtype:
        raise usage_error(f"x.{row.name} takes no `dtype=`", "x.astype casts")
    return read(row, f"x.{row.name}", _found(row.numpys[0]), args, options)


def read(
    row: LibraryFunction,
    called: str,
    function: NumpyFunction,
    args: Sequence[object],
    options: Mapping[str, object],
) -> Bound:
    """Read a call by the parameters of a row; `called` is how the user wrote it."""
    parameters = row.parameters
    if function in _REARRANGED:
        args, options = _REARRANGED[function](called, args, options)
    if len(args) > len(parameters):
        message = f"{called} takes {', '.join(parameters)}"
        raise usage_error(f"{message}; {len(args)} arguments given")
    given = dict(zip(parameters, args, strict=False))
    # Methods have the names of here, too: x.clip(low=0).
    spelled = dict(zip(row.tensors, parameters, strict=False))
    spelled |= {p.partition("=")[0]: p for p in parameters}
    for n, value in options.items():
        if spelled.get(n, n) in given:
            raise usage_error(f"{called}: `{n}` is given twice")
        given[spelled.get(n, n)] = value
    return _bound(function, called, row, given)


_Call = tuple[Sequence[object], Mapping[str, object]]


def _einsum(
    called: str, args: Sequence[object], options: Mapping[str, object]
) -> _Call:
    if args and not isinstance(args[0], str):
        message = "np.einsum of variables takes a text first"
        raise usage_error(message, 'np.einsum("ij,jk->ik", x, y)')
    # The order of the products follows from the text; `optimize` changes nothing.
    options = {n: v for n, v in options.items() if n != "optimize"}
    return (([*args[1:]], args[0]) if args else args), options


def _meshgrid(
    called: str, args: Sequence[object], options: Mapping[str, object]
) -> _Call:
    return ([*args],), {n: v for n, v in options.items() if n != "copy"}


def _average(
    called: str, args: Sequence[object], options: Mapping[str, object]
) -> _Call:
    # The weights are a tensor, which stands behind an option.
    named = dict(zip(("axis", "weights"), args[1:3], strict=False))
    return (*args[:1], *args[3:]), {**options, **named}


def _sorted(
    called: str, args: Sequence[object], options: Mapping[str, object]
) -> _Call:
    # Every kind gives this order: equal elements keep theirs.
    args = (*args[:2], *[a for a in args[2:3] if a not in _SORTS], *args[3:])
    options = {
        n: v
        for n, v in options.items()
        if n != "stable" and (n != "kind" or v not in _SORTS)
    }
    return args, options


def _clip(called: str, args: Sequence[object], options: Mapping[str, object]) -> _Call:
    spelled = {"min": "a_min", "max": "a_max"}
    for short, long in spelled.items():
        if short in options and long in options:
            raise usage_error(f"{called}: `{long}` is given twice, as `{short}`")
    return args, {spelled.get(n, n): v for n, v in options.items()}


# Functions that NumPy calls in several ways, and how a call is put into one.
_REARRANGED: Mapping[NumpyFunction, Callable[..., _Call]] = {
    np.argsort: _sorted,
    np.average: _average,
    np.clip: _clip,
    np.einsum: _einsum,
    np.meshgrid: _meshgrid,
    np.sort: _sorted,
}


def _bound(
    function: NumpyFunction, called: str, row: LibraryFunction, given: dict[str, object]
) -> Bound:
    leading = row.parameters[: len(row.tensors)]
    named = zip(leading, row.tensors, strict=True)
    given = {p: None for p, n in named if n in row.optional} | given
    missing = [p for p in leading if p not in given]
    if missing:
        message = f"{called} needs `{missing[0]}`"
        hint = "np.nonzero is not compiled: sizes must not depend on values"
        raise usage_error(message, *([hint] if function is np.where else []))
    tensors = tuple([given.pop(p) for p in leading])
    dtype = given.pop("dtype", None)
    options: dict[str, object] = {}
    for parameter, value in given.items():
        theirs, _, ours = parameter.partition("=")
        if value is np._NoValue:
            continue  # a default of NumPy's own wrappers
        if (ours or theirs) in row.options:
            options[ours or theirs] = value
        elif not _is_default(function, theirs, value):
            known = taken(row) if called.startswith("np.") else taken(row)[1:]
            hints = [*renamed({theirs: value}), *_WAYS.get(theirs, ())]
            hints = [*hints, f"it takes {', '.join(known)}"]
            raise usage_error(f"{called} takes no `{theirs}=`", *hints)
    return Bound(row, tensors, options, dtype)


def taken(row: LibraryFunction) -> list[str]:
    """Return the parameters of NumPy's function that variables have, too."""
    pairs = [p.partition("=") for p in row.parameters]
    first = [theirs for theirs, _, _ in pairs[: len(row.tensors)]]
    rest = pairs[len(row.tensors) :]
    known = {*row.options, "dtype"}
    return first + [theirs for theirs, _, ours in rest if (ours or theirs) in known]


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


def is_here(function: object) -> bool:
    """Tell functions of NumPy that take variables."""
    if function in COMPOSITIONS or function in ATTRIBUTES:
        return True
    return function in rows()


def _name_of(function: NumpyFunction) -> str:
    """Return what stands after `np.`: sum, linalg.norm."""
    module = str(getattr(function, "__module__", "")).removeprefix("numpy")
    name = getattr(function, "__name__", str(function))
    return f"{module}.{name}".lstrip(".")


def _not_here(name: str) -> Exception:
    why, hints = reason_of(name)
    return usage_error(f"np.{name} of a variable {why}", *hints)
