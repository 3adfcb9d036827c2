"""Random numbers that are drawn while a function is traced: constants of its form.

That something was drawn shows in the generators; where, in the source of the function.
"""

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import NamedTuple

from tensorc.errors import Diagnostic, Location
from tensorc.frontend.library.locations import is_ours_file
from tensorc.frontend.library.mistakes import warn_user
from tensorc.frontend.python.asked_calls import found_in, module_of

_MOST_FUNCTIONS = 100  # that are searched
# Where the functions of a generator that all share are from.
_MODULES = {"random": "random", "np.random": "numpy.random.mtrand"}


@contextmanager
def warned_of_draws(
    function: Callable[..., object], name: str, location: Location
) -> Iterator[None]:
    """Warn of random numbers that are drawn in a trace: all calls have the same.

    The warning is at the call that draws, if the source of the function has it, or of
    what the function calls; else at `location`, where the function is.
    """
    before = _generators()
    yield
    drawn = [
        source
        for source, now in _generators().items()
        if now != before.get(source, now._replace(position=_FRESH[source]))
    ]
    if drawn:
        message = f"{name} draws numbers of {' and '.join(drawn)} while it is traced: "
        message += "they are constants, the same in each call"
        hint = "draw from tc.random.default_rng(seed), or outside, and pass them in"
        drawn_at = _location_of_draw(function, drawn) or location
        warn_user(
            Diagnostic("TC0319", message, drawn_at, hints=(hint,), severity="warning")
        )


class _Generator(NamedTuple):
    """Where a generator stands: in which words, at which, and what is left over."""

    first: object
    position: object
    rest: object


# The positions of those that have drawn nothing.
_FRESH = {"random": 624, "np.random": 623}


def _generators() -> dict[str, _Generator]:
    """Return where the generators stand that Python and NumPy have in common.

    Those that are loaded: loading them takes longer than most traces.
    """
    found: dict[str, _Generator] = {}
    if "random" in sys.modules:
        _, words, rest = sys.modules["random"].getstate()
        found["random"] = _Generator(words[0], words[-1], rest)
    if "numpy.random" in sys.modules:
        state = sys.modules["numpy.random"].get_state(legacy=False)
        inner, rest = state["state"], state.get("gauss")
        first = [int(word) for word in inner.get("key", ())[:1]]
        found["np.random"] = _Generator(first, inner.get("pos", inner), rest)
    return found


# Where


def _location_of_draw(
    function: Callable[..., object], drawn: Sequence[str]
) -> Location | None:
    modules = [_MODULES[source] for source in drawn]
    pending: list[object] = [function]
    for number in range(_MOST_FUNCTIONS):
        if number >= len(pending):
            break
        searched = _plain(pending[number])
        if searched is None or is_ours_file(searched.__code__.co_filename):
            continue
        for location, called in _calls(searched):
            if module_of(called) in modules:
                return location
            if not any(called is other for other in pending):
                pending.append(called)
    return None


def _plain(function: object) -> FunctionType | None:
    """Return the function with source that is called; None if there is none."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            break
    if isinstance(function, MethodType):
        function = function.__func__
    return function if isinstance(function, FunctionType) else None


def _calls(function: FunctionType) -> Iterator[tuple[Location, object]]:
    """Give what a function calls by a name, and where, from top to bottom."""
    try:
        lines, first = inspect.getsourcelines(function)
        text = textwrap.dedent("".join(lines))
        tree = ast.parse(text)
    except (OSError, SyntaxError):
        return
    indent = len(lines[0]) - len(text.split("\n", 1)[0]) - 1
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closed = {name: cell.cell_contents for name, cell in cells if _is_set(cell)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        called = found_in((closed, function.__globals__), node.func)
        if called is not None:
            line, last = node.lineno + first - 1, (node.end_lineno or 0) + first - 1
            start, stop = node.col_offset, node.end_col_offset or 0
            yield (
                Location(
                    function.__code__.co_filename,
                    line,
                    start + indent + 1,
                    last if last != line else 0,
                    stop + indent + 1,
                ),
                called,
            )


def _is_set(cell: object) -> bool:
    try:
        cell.cell_contents  # type: ignore[attr-defined]  # noqa: B018
    except ValueError:
        return False
    return True
