"""The functions and methods that rows of the registry are in Python: signatures.

What they compute with is passed in: the class of variables stands above, and has some
of them for methods.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.mistakes import door, not_an_option, usage_error
from tensorc.frontend.library.options import REQUIRED
from tensorc.frontend.library.registry.rows import GROUPS
from tensorc.frontend.library.result_types import computed_in
from tensorc.frontend.python import numpy_functions
from tensorc.frontend.python.symbolic_operands import element_named

Compose = Callable[
    [LibraryFunction, Sequence[object], Mapping[str, object], str], object
]
_EMPTY = inspect.Parameter.empty
_HOME = "tensorc"  # where pickle finds what is made here, by its name


def of_row(name: str, row: LibraryFunction, compose: Compose) -> Callable[..., object]:
    """Return the function that a row is under one of its names in Python.

    `compose` calls the row's function on variables, with options, under that name.
    """
    signature = _signature(row)

    def function(*args: object, **kwargs: object) -> object:
        try:
            bound = signature.bind(*args, **_own_words(row, kwargs))
        except TypeError as error:
            known = [*signature.parameters, *row.aliases]
            hints = [way for name in kwargs for way in not_an_option(name, known)]
            raise usage_error(f"{name}{signature}: {error}", *hints) from None
        tensors = [bound.arguments.pop(t, None) for t in row.tensors]
        dtype = bound.arguments.pop("dtype", None)
        made = row if dtype is None else composed_in(row, dtype)
        return compose(made, tensors, bound.arguments, name)

    function.__name__ = function.__qualname__ = name
    function.__module__ = _HOME
    function.__doc__ = row.doc
    function.__signature__ = signature  # type: ignore[attr-defined]
    return door(function)


def _own_words(
    row: LibraryFunction, given: Mapping[str, object]
) -> Mapping[str, object]:
    """Return arguments under the names of the row, of which some have others, too.

    One that is given under two names keeps the other, which the row has not.
    """
    found = dict(given)
    for word in row.aliases.keys() & given.keys():
        own = row.aliases[word].removeprefix("not ")
        if own in found:
            continue
        value = found.pop(word)
        if own != row.aliases[word] and value in (False, True):
            value = not value
        found[own] = value
    return found


def _signature(row: LibraryFunction) -> inspect.Signature:
    """Return the parameters of a function: tensors, options, and a type of elements.

    The type follows the sizes of what is made, as in NumPy; elsewhere it stands before
    options there, so that it is given by name here.
    """
    defaults = {t: None if t in row.optional else REQUIRED for t in row.tensors}
    defaults |= {name: option.default for name, option in row.options.items()}
    either, by_name = (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    parameters = [
        inspect.Parameter(
            n, either, default=_EMPTY if defaults[n] is REQUIRED else defaults[n]
        )
        for n in row.arguments
    ]
    if row.dtype:
        kind = either if row in GROUPS["making"] else by_name
        parameters.append(inspect.Parameter("dtype", kind, default=None))
    return inspect.Signature(parameters)


def composed_in(function: LibraryFunction, dtype: DTypeLike) -> LibraryFunction:
    """Return a function of the registry as one that computes in a type."""
    return computed_in(function, element_named(dtype))


# Methods


def method_of(row: LibraryFunction, compose: Compose) -> Callable[..., object]:
    """Return the method that a row is; `compose` calls the row's function.

    Without parameters of NumPy's it has those of the function `tc.NAME`.
    """
    function = of_row(row.name, row, compose)
    if row.parameters:

        def function(*args: object, **options: object) -> object:
            return composed_of(numpy_functions.of_method(row, args, options), compose)

    def method(self: object, *args: object, **options: object) -> object:
        if row.spread:
            is_left_out = row.options[row.spread].default is not REQUIRED and not args
            args = () if is_left_out or row.spread in options else (_gathered(args),)
        return function(self, *args, **options)

    method.__name__ = row.name
    method.__qualname__ = f"Tensor.{row.name}"
    method.__doc__ = row.doc
    method.__signature__ = _method_signature(row)  # type: ignore[attr-defined]
    return door(method)


def composed_of(call: numpy_functions.Bound, compose: Compose) -> object:
    """Return what a call is that was read by NumPy's parameters."""
    row = call.function
    if call.dtype is not None:
        row = composed_in(row, call.dtype)  # type: ignore[arg-type]
    return compose(row, call.tensors, call.options, "")


def _gathered(given: tuple[object, ...]) -> object:
    """Let f(1, 2) and f((1, 2)) mean the same, and Theano's f((1, 2), 2), of a rank."""
    first = given[0] if given else None
    if isinstance(first, np.ndarray):
        first = first.tolist()
    if not isinstance(first, list | tuple | range):
        return None if given == (None,) else given
    has_rank = len(given) == 2 and given[1] == len(first)
    return tuple(first) if has_rank or len(given) == 1 else given


def _method_signature(row: LibraryFunction) -> inspect.Signature:
    """Return the parameters for `help`: in NumPy's order where it has the function."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [p.partition("=")[0] for p in row.parameters]
    names = names or list(row.arguments)
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)]
    if row.spread:
        kind = inspect.Parameter.VAR_POSITIONAL
        parameters.append(inspect.Parameter(row.spread, kind))
        return inspect.Signature(parameters)
    required = row.tensors[1:]
    for i, name in enumerate(names[1:]):
        default: object = None
        if i < len(required) and required[i] not in row.optional:
            default = inspect.Parameter.empty
        elif name in row.options:
            own = row.options[name].default
            default = inspect.Parameter.empty if own is REQUIRED else own
        parameters.append(inspect.Parameter(name, either, default=default))
    return inspect.Signature(parameters)
