"""Places in the user's source, diagnostics, and the error classes of every room.

A user error is a `TensorcError` that carries one or more `Diagnostic`s; a fault of
the compiler is an `InternalError`, which names the pass. The classes that NumPy's
users expect (`IndexError`, `ValueError`, `TypeError`) are bases of the specific ones.
"""

import difflib
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field

_FAR = 1000  # how far divisors are looked for
LONGEST_NAME = 100  # characters of a misspelt name that are compared
# Whether a person at the command line reads what is said, not a caller in Python.
COMMAND_LINE: ContextVar[bool] = ContextVar("command_line", default=False)


def way(argument: str, flag: str) -> str:
    """Return a way out as the reader takes it: an argument of Python, or a flag."""
    return flag if COMMAND_LINE.get() else argument


def divisor_hint(count: int, divisor: int) -> str:
    """Return the way out where `count` has to be a multiple of `divisor`, and is not.

    The nearest divisors on both sides are named, and the nearest multiples.
    """
    below = range(divisor - 1, max(divisor - _FAR, 1), -1)
    above = range(divisor + 1, min(divisor + _FAR, count))
    near = [next((d for d in side if count % d == 0), 0) for side in (below, above)]
    listed = " or ".join(str(d) for d in near if d)
    low = count // divisor * divisor
    multiples = f"{low} or {low + divisor}" if low else str(divisor)
    instead = f"make {count} a multiple of {divisor}: {multiples}"
    if not listed:
        return instead
    return f"take a divisor of {count} for {divisor}: {listed}; or {instead}"


def nearest(
    name: str, known: Iterable[str], alike: float = 0.6, count: int = 1
) -> list[str]:
    """Return those of some names that a misspelt one may stand for, the best first.

    `alike` is how near they must be, from 0 to 1; letters of another case are near.
    """
    name, names = name[:LONGEST_NAME], list(known)
    same = [n for n in names if n.lower() == name.lower()]
    return same[:count] or difflib.get_close_matches(name, names, count, alike)


def did_you_mean(
    name: str, known: Iterable[str], form: str = "`{}`", alike: float = 0.6
) -> str:
    """Return the question that follows a message about a name, "" if none is near."""
    near = nearest(name, known, alike)
    return f"did you mean {form.format(near[0])}?" if near else ""


@dataclass(frozen=True, slots=True)
class Location:
    """A location in a user's file: 1-based line and columns, `end_column` exclusive.

    `line` 0 means that it is unknown. `end_line` is 0 for a location on one line.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else "<unknown>"


UNKNOWN = Location()


@dataclass(frozen=True, slots=True)
class Label:
    """A secondary location of a diagnostic, with what is to be said there."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message to the user: what is wrong, where, and the way out.

    `code` is stable ("TC0301"); `message` starts in lower case and has no final period;
    `label` is what stands under the caret; `notes` and `hints` follow the source lines.
    """

    code: str
    message: str
    location: Location = UNKNOWN
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    severity: str = "error"

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location.line else ""
        return f"{where}{self.severity}[{self.code}]: {self.message}"


# A mistake may be made a thousand times: more diagnostics are counted, not shown.
MOST_SHOWN = 20


def shortened(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], str]:
    """Return the diagnostics to show, and a line on the others, if there are others.

    Where some are left out, errors are shown before warnings.
    """
    found = list(diagnostics)
    if len(found) <= MOST_SHOWN:
        return found, ""
    ordered = sorted(found, key=lambda d: d.severity != "error")
    return ordered[:MOST_SHOWN], f"and {len(found) - MOST_SHOWN:,} more"


class TensorcError(Exception):
    """The user's program, data or call is wrong; carries the diagnostics to print."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        shown, others = shortened(diagnostics)
        super().__init__("\n".join([*map(str, shown), *filter(None, [others])]))
        self.diagnostics = diagnostics


class TensorcWarning(UserWarning):
    """A program that compiles, and most likely means something else."""


class CompileError(TensorcError):
    """The source cannot be compiled."""


class ShapeError(CompileError, ValueError):
    """Sizes or ranks do not fit."""


class DTypeError(CompileError, TypeError):
    """Element types do not fit."""


class DataError(TensorcError, ValueError):
    """A data file is missing, damaged or of the wrong form."""


class CallError(TensorcError, TypeError):
    """A compiled function was called with arguments that do not fit."""


class IndexOutOfRange(TensorcError, IndexError):
    """Compiled code met an index outside its axis."""


class DivergedError(TensorcError, ArithmeticError):
    """A training whose numbers are no longer finite."""


class NotFiniteError(DivergedError, FloatingPointError):
    """A checked call made a NaN or an infinity; names the op that made the first."""


class CacheWarning(UserWarning):
    """Compiled code could not be taken from the cache, or not be kept in it."""


class VerifyError(TensorcError):
    """IR breaks an invariant; the text names the op."""


@dataclass
class InternalError(Exception):
    """A fault of the compiler itself; names the pass and, if written, a reproducer."""

    message: str
    pass_name: str = ""
    notes: list[str] = field(default_factory=list)
    reproducer: str = ""

    def __str__(self) -> str:
        where = f" in pass '{self.pass_name}'" if self.pass_name else ""
        return "\n".join([f"internal error{where}: {self.message}", *self.notes])
