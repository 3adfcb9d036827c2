"""How mistakes in the use of a Python door are reported: at the user's line.

An error raised below a public function leaves it as one exception with that line and
the ways out in its text, and without the frames between.
"""

import functools
import itertools
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import FunctionType, TracebackType
from typing import ParamSpec, TypeVar

from tensorc.diagnostics import render_error
from tensorc.errors import (
    COMMAND_LINE,
    CompileError,
    Diagnostic,
    InternalError,
    Label,
    Location,
    ShapeError,
    TensorcError,
    TensorcWarning,
    did_you_mean,
)
from tensorc.frontend.library.locations import is_ours, is_users, user_location

P = ParamSpec("P")
T = TypeVar("T")

_CLOSE = 0.75  # how alike a misspelt name is: not `cumsum` and `sum`
# What makes names of sizes unique, and the mark of values: nothing for people.
_NUMBER = re.compile(r"#\d+|\$(?=[A-Za-z_])")
# What the warnings module keeps, to show each text once for a line.
_WARNED: dict[str, dict[str | tuple[str, type[Warning], int], int]] = {}
_INDEX = "TC0312"
# Options of other frameworks, and what they are called here.
RENAMED: Mapping[str, str] = {
    "dim": "axis",
    "dims": "axis",
    "keepdim": "keepdims",
    "keep_dims": "keepdims",
    # Of `cond`, in JAX and PyTorch.
    "true_fun": "then_function",
    "true_fn": "then_function",
    "false_fun": "else_function",
    "false_fn": "else_function",
    # Of `scan`, in Theano, whose function takes what is carried last.
    "fn": "f",
    "outputs_info": "init",
    "sequences": "xs",
    "n_steps": "length",
    "go_backwards": "reverse",
}
# Options of other frameworks that no function has, and the ways out.
NO_OPTIONS: Mapping[str, str] = {
    "kernel_size": "the window is that of the filters: their last axes",
    "padding_mode": "only zeros are padded; other rows are joined by `concatenate`",
    "data_format": "images are [N, C, H, W]: write transpose(x, (0, 3, 1, 2))",
    "return_indices": "indices of the largest are those of `argmax`",
}
_MISUSE = "TC0601"

# The name of the function that is traced, "" where none is.
TRACING: ContextVar[str] = ContextVar("tracing", default="")


class UsageError(CompileError, TypeError):
    """A function of the Python doors is called with what it cannot take."""


class ArgumentError(CompileError, ValueError):
    """An argument has the right type, but a value that is not possible."""


class IndexingError(CompileError, IndexError):
    """An index does not fit what it indexes."""


_CLASSES: dict[str, type[CompileError]] = {
    _INDEX: IndexingError,
    "TC0315": ArgumentError,
    "TC0301": ShapeError,
}


def warn_user(diagnostic: Diagnostic) -> None:
    """Warn at the diagnostic's location, once for each location."""
    location = diagnostic.location
    text = _NUMBER.sub("", "; ".join([diagnostic.message, *diagnostic.hints]))
    registry = _WARNED.setdefault(location.file, {})
    text = f"{diagnostic.code}: {text}"
    warnings.warn_explicit(
        text, TensorcWarning, location.file, location.line, registry=registry
    )


def usage_error(message: str, *hints: str) -> UsageError:
    """Return a TypeError at the user's line."""
    return UsageError(Diagnostic(_MISUSE, message, user_location(), hints=hints))


def misuse(
    message: str, location: Location, labels: tuple[Label, ...], *hints: str
) -> UsageError:
    """Return a TypeError at a line that is known, and where it comes from."""
    return UsageError(Diagnostic(_MISUSE, message, location, "", labels, (), hints))


def argument_error(message: str, *hints: str) -> ArgumentError:
    """Return a ValueError at the user's line."""
    return ArgumentError(Diagnostic(_MISUSE, message, user_location(), hints=hints))


def refuse_in_trace(what: str, *hints: str) -> None:
    """Raise TypeError while a function is traced: it would be done then, and once."""
    name = TRACING.get()
    if name:
        message = f"{what} while {name} is traced: once, and not in each call"
        raise usage_error(message, *hints)


CALL_OUTSIDE = "write its formula here, or call it outside and pass the result in; "
CALL_OUTSIDE += "a @tc.jit function becomes a part of the trace"


def misspelt(name: str, known: Iterable[str]) -> str:
    """Return what to add to a message about a name if it is one of these, misspelt."""
    meant = did_you_mean(name, known, alike=_CLOSE)
    return f"; {meant}" if meant else ""


def renamed(options: Mapping[str, object]) -> list[str]:
    """Return what to write for options that have another name here."""
    return [f"write `{o}=` for `{n}=`" for n, o in RENAMED.items() if n in options]


def not_an_option(name: str, known: Sequence[str]) -> list[str]:
    """Return what to write for an option that is none of those known."""
    if name in known:
        return []
    other = RENAMED.get(name)
    if other in known:
        return [f"write `{other}=` for `{name}=`"]
    meant = did_you_mean(name, known)
    return [NO_OPTIONS[name]] if name in NO_OPTIONS else [meant] if meant else []


def rendered(error: TensorcError) -> TensorcError:
    """Return an error of the class that NumPy's users expect, its text complete."""
    diagnostics = [_cleaned(d) for d in error.diagnostics]
    cls = _CLASSES.get(diagnostics[0].code) if diagnostics else None
    if cls is None or isinstance(error, ShapeError | UsageError):
        cls = type(error)  # type: ignore[assignment]
    assert cls is not None
    result = cls(*diagnostics)
    result.args = (render_error(result).rstrip(),)
    return result


def hide_our_frames(error: BaseException) -> None:
    """Take the frames of this package out of the traceback of an error.

    A bare `raise` after it adds none, so that the traceback ends at the user's line.
    An error that nobody here has written is a bug of ours, and keeps its frames; with
    TENSORC_DEBUG=1 every error does.
    """
    if COMMAND_LINE.get() or os.environ.get("TENSORC_DEBUG") == "1":
        return
    entries = _entries(error.__traceback__)
    if _is_written(error, entries):
        kept = [entry for entry in entries if is_users(entry.tb_frame)]
    elif entries and not is_ours(entries[-1].tb_frame):
        kept = [entry for entry in entries if not is_ours(entry.tb_frame)]
    else:
        return
    following = None
    for entry in reversed(kept):
        entry.tb_next = following
        following = entry
    error.__traceback__ = following


def _entries(entry: TracebackType | None) -> list[TracebackType]:
    found = []
    while entry is not None:
        found.append(entry)
        entry = entry.tb_next
    return found


def _is_written(error: BaseException, entries: list[TracebackType]) -> bool:
    """Tell errors that are for the user from those of a bug."""
    if isinstance(error, TensorcError | KeyboardInterrupt):
        return not isinstance(error, InternalError)
    last = itertools.takewhile(is_ours, (e.tb_frame for e in reversed(entries)))
    asked = any(frame.f_code.co_name == "__getattr__" for frame in last)
    return asked and isinstance(error, AttributeError)


def hiding(function: Callable[P, T]) -> Callable[P, T]:
    """Let a public function that calls doors raise their errors without its frame."""

    @functools.wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            hide_our_frames(error)
            raise

    return entered


def hiding_methods(cls: type[T]) -> type[T]:
    """Let all methods that a user calls, in words or by an operator, be `hiding`."""
    own = ("__init__", "__repr__", "__hash__", "__reduce__", "__deepcopy__")
    for name, member in list(vars(cls).items()):
        is_public = name.startswith("__") or not name.startswith("_")
        # A door has `__wrapped__`, and hides its frames itself.
        is_plain = isinstance(member, FunctionType) and not hasattr(
            member, "__wrapped__"
        )
        if is_plain and is_public and name not in own:
            setattr(cls, name, hiding(member))
    return cls


def _cleaned(diagnostic: Diagnostic) -> Diagnostic:
    return Diagnostic(
        diagnostic.code,
        _NUMBER.sub("", diagnostic.message),
        # The runtime does not know who calls.
        diagnostic.location if diagnostic.location.line else user_location(),
        diagnostic.label,
        diagnostic.labels,
        tuple([_NUMBER.sub("", n) for n in diagnostic.notes]),
        diagnostic.hints,
        diagnostic.severity,
    )


def door(function: Callable[P, T]) -> Callable[P, T]:
    """Let a public function raise its errors at the user's line, without our frames.

    The command line gets them as they are.
    """

    @functools.wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            try:
                return function(*args, **kwargs)
            except TensorcError as error:
                if COMMAND_LINE.get():
                    raise
                raise rendered(error) from None
            except TypeError as error:
                hints = renamed(kwargs)
                if not hints or "unexpected keyword argument" not in str(error):
                    raise
                raise rendered(usage_error(str(error), *hints)) from None
        except (Exception, KeyboardInterrupt) as error:
            hide_our_frames(error)
            raise

    return entered


def outside(
    what: str, hint: str = "call it outside of the function"
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return the decorator of a door that a traced function may not go through.

    `what` says what would be done, of the arguments {0}, {1}, …
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def entered(*args: P.args, **kwargs: P.kwargs) -> T:
            if TRACING.get():
                refuse_in_trace(what.format(*args), hint)
            return function(*args, **kwargs)

        return door(entered)

    return decorated


def calling(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate the call of a compiled function: a traced one may not make it."""
    return outside("{0!r} would run", CALL_OUTSIDE)(function)
