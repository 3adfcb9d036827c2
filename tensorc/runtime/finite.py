"""Calls that must give finite numbers: `tc.options(check_nan=True)`, `--check-nan`.

A call that is checked keeps the shared variables that it begins with. If what it gives
holds a NaN or an infinity, whoever made the function explains it: the runtime does not
know the IR. Then the variables are put back, and the call fails.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tensorc.errors import Diagnostic, NotFiniteError
from tensorc.floats import as_single, is_float
from tensorc.runtime.arrays import Array
from tensorc.runtime.checking import CHECKS
from tensorc.runtime.shared import SharedCell

if TYPE_CHECKING:
    from tensorc.runtime.function import CallFrame, CompiledFunction


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a call made what is not finite, for people.

    `is_made` is false where it only passed on infinities that it was given.
    """

    diagnostic: Diagnostic
    is_made: bool


# Given the arguments of a call but those that are captured; None if nothing is found.
Explain = Callable[[Sequence[Array]], Explanation | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a function can say of itself: how to explain a call, and whether to check.

    A function that is made where calls are checked stays checked.
    """

    explain: Explain | None = None
    checks: bool = False

    def is_checked(self) -> bool:
        """Tell whether a call that is made now is checked."""
        wanted = CHECKS.get()
        return self.checks if wanted is None else wanted


UNKNOWN_ORIGIN = Origin()

CODE = "TC0512"
# What is said of shared variables, if the function has some.
AS_BEFORE = ((), ("no shared variable has changed",))


def keep(cells: Mapping[str, SharedCell]) -> dict[str, Array]:
    """Return copies of shared variables, whose locks the caller holds."""
    return {n: cell.get_value(borrow=True).copy() for n, cell in cells.items()}


def put_back(cells: Mapping[str, SharedCell], kept: Mapping[str, Array]) -> None:
    """Give shared variables, whose locks the caller holds, their values back."""
    for name, cell in cells.items():
        cell.put_back(kept[name])


def lost(cells: Mapping[str, SharedCell], kept: Mapping[str, Array]) -> list[str]:
    """Return the variables that have a NaN or an infinity that they did not have."""
    found = []
    for name, cell in cells.items():
        array, before = cell.get_value(borrow=True), kept[name]
        if is_finite(array):
            continue
        is_new = np.isnan(array) & ~np.isnan(before)
        is_new |= np.isinf(array) & ~np.isinf(before)
        found += [name] if is_new.any() else []
    return found


def is_finite(array: Array) -> bool:
    """Tell whether an array holds neither NaN nor infinity."""
    return not is_float(array.dtype) or bool(np.isfinite(as_single(array)).all())


def run_checked(
    function: "CompiledFunction",
    frame: "CallFrame",
    inputs: Sequence[Array],
    results: Sequence[Array],
) -> int:
    """Make a call that is ready, and return its status; a failed one changes nothing.

    Raises:
        NotFiniteError: a result or a variable is not finite.
    """
    given = [function.apart(a) for a in inputs]

    def called() -> int:
        kept = keep(function.shared)
        status = function.enter(frame)
        if status or (all(map(is_finite, results)) and not lost(function.shared, kept)):
            return status
        found = explained(function, frame, kept, given)
        if found is None or found.is_made:
            put_back(function.shared, kept)
            made = found.diagnostic if found else unexplained(function)
            notes = (*made.notes, *AS_BEFORE[bool(function.shared)])
            raise NotFiniteError(replace(made, notes=notes))
        return status

    return function.locked(called, ())


def explained(
    function: "CompiledFunction",
    frame: "CallFrame",
    kept: Mapping[str, Array],
    inputs: Sequence[Array],
) -> Explanation | None:
    """Return the explanation of a call with these variables and inputs.

    Variables are put back where that fails: there was no room for it, or Ctrl-C.
    """
    explain = function.origin.explain
    if explain is None:
        return None
    by_kind = {
        "shared": iter(kept.values()),
        "input": iter(inputs),
        "hyper": iter(frame.cells),
    }
    used = [a for a in function.info.arguments if a.kind in by_kind]
    try:
        return explain([next(by_kind[a.kind]) for a in used])
    except BaseException:
        put_back(function.shared, kept)
        raise


def unexplained(function: "CompiledFunction") -> Diagnostic:
    """Return what is said of a call of which nothing is known but that it failed."""
    message = f"a call of '{function.name}' gave a NaN or an infinity"
    return Diagnostic(CODE, message)
