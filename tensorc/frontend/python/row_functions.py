"""The functions that rows of the registry are in Python: signatures, `dtype=`.

What they compute with is passed in: the class of variables stands above, and has some
of them for methods.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

from numpy.typing import DTypeLike

from tensorc.frontend.library.mistakes import door, renamed, usage_error
from tensorc.frontend.library.options import REQUIRED
from tensorc.frontend.library.registry.function import LibraryFunction
from tensorc.frontend.library.registry.rows import GROUPS, PYTHON
from tensorc.frontend.library.result_types import computed_in
from tensorc.frontend.python.symbolic_operands import element_named

Compose = Callable[
    [LibraryFunction, Sequence[object], Mapping[str, object], str], object
]
_EMPTY = inspect.Parameter.empty
_HOME = "tensorc"  # where pickle finds what is made here, by its name


def of_row(name: str, compose: Compose) -> Callable[..., object]:
    """Return the function of the row that has a name in Python.

    `compose` calls the row's function on variables, with options, under that name.
    """
    row = PYTHON[name]
    signature = _signature(row)

    def function(*args: object, **kwargs: object) -> object:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            hints = renamed(kwargs)
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
        inspect.Parameter(n, either, default=_EMPTY if d is REQUIRED else d)
        for n, d in defaults.items()
    ]
    if row.dtype:
        kind = either if row in GROUPS["making"] else by_name
        parameters.append(inspect.Parameter("dtype", kind, default=None))
    return inspect.Signature(parameters)


def composed_in(function: LibraryFunction, dtype: DTypeLike) -> LibraryFunction:
    """Return a function of the registry as one that computes in a type."""
    return computed_in(function, element_named(dtype))
