"""Calls of functions by their rows: options are checked, messages name them."""

import dataclasses
from collections.abc import Mapping, Sequence

from tensorc.errors import CompileError
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import Emitter, Operand, with_name
from tensorc.frontend.library.options import OptionValue, checked_all


def invoke(
    b: Emitter,
    function: LibraryFunction,
    tensors: Sequence[Operand | Sequence[Operand] | None],
    options: Mapping[str, OptionValue],
    name: str = "",
) -> Operand | tuple[Operand, ...]:
    """Call a function of the registry; `name` is what the user called.

    Raises:
        CompileError: an option is not of its kind, or the arguments do not fit; the
            message names the function.
    """
    called = name or function.name
    values = checked_all(b, called, function.options, options)
    outer, b.called = b.called, called
    try:
        return function.function(b, *tensors, **values)
    except CompileError as failure:
        raise named_in(failure, called) from None
    finally:
        b.called = outer


def named_in(failure: CompileError, name: str) -> CompileError:
    """Return an error of which each message names the function."""
    return type(failure)(
        *[
            dataclasses.replace(d, message=with_name(d.message, name))
            for d in failure.diagnostics
        ]
    )
