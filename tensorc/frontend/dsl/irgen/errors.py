"""The codes of the IR generator's diagnostics, and how they are made."""

import dataclasses
from collections.abc import Iterable, Sequence

from tensorc.errors import CompileError, Diagnostic, Label, Location, did_you_mean
from tensorc.frontend.dsl.programs.program import UNKNOWN_NAME as UNKNOWN_NAME
from tensorc.frontend.dsl.syntax import ast

NOT_COMPILED = "TC0190"
SIZES = "TC0301"
TYPES = "TC0302"
TWICE = "TC0304"
CALL = "TC0305"
UPDATE_ORDER = "TC0306"
UPDATE_PLACE = "TC0307"
GRADIENT = "TC0308"
NOT_KNOWN = "TC0309"
ASSERTION = "TC0310"
DEPTH = "TC0311"
INDEX = "TC0312"
RECIPE = "TC0313"
SETTING = "TC0314"
NUMBER = "TC0315"
SIZE_NAME = "TC0316"
NO_VALUE = "TC0317"
COUNT = "TC0318"
NEVER_REACHED = "TC0321"


def error(
    code: str,
    message: str,
    location: Location,
    *hints: str,
    label: str = "",
    labels: Sequence[Label] = (),
    notes: Sequence[str] = (),
) -> CompileError:
    """Return a compile error with one diagnostic."""
    return CompileError(
        Diagnostic(
            code, message, location, label, tuple(labels), tuple(notes), tuple(hints)
        )
    )


def not_compiled(what: str, location: Location, *hints: str) -> CompileError:
    """Return the error that something is parsed and not yet compiled."""
    message = f"{what} is parsed but not compiled yet"
    return error(NOT_COMPILED, message, location, *hints)


def with_labels(
    failure: CompileError, labels: Sequence[Label], *hints: str
) -> CompileError:
    """Return an error whose diagnostics have more labels, and perhaps hints."""
    diagnostics = [
        dataclasses.replace(d, labels=(*d.labels, *labels), hints=(*d.hints, *hints))
        for d in failure.diagnostics
    ]
    return type(failure)(*diagnostics)


def moved(
    failure: CompileError, location: Location, label: str | None = None
) -> CompileError:
    """Return an error at another place, perhaps with a text under its caret."""
    return type(failure)(
        *[
            dataclasses.replace(
                d, location=location, label=d.label if label is None else label
            )
            for d in failure.diagnostics
        ]
    )


def joined(failures: Sequence[CompileError]) -> CompileError:
    """Return several errors as one; each location is reported once."""
    if len(failures) == 1:
        return failures[0]
    reports = Reports()
    for failure in failures:
        reports.add(failure)
    return CompileError(*reports.diagnostics)


def is_fatal(failure: CompileError) -> bool:
    """Tell whether a program is too large to look at the rest of it."""
    return any(d.code == DEPTH for d in failure.diagnostics)


def suggestion(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return a hint that names the nearest of the known names, if one is near."""
    meant = did_you_mean(name, known)
    return (meant,) if meant else ()


def spelled(node: ast.Node) -> str:
    """Return a simple expression as written: `W.T`, `x[0]`; "" for others."""
    match node:
        case ast.Name(name):
            return name
        case ast.Number(_, text):
            return text
        case ast.Field(operand, name):
            inner = spelled(operand)
            return f"{inner}.{name}" if inner else ""
        case _:
            return ""


class Reports:
    """Diagnostics so far: each place is reported once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[str, Location]] = set()

    def add(self, failure: CompileError) -> None:
        """Take over the diagnostics of an error."""
        for diagnostic in failure.diagnostics:
            key = (diagnostic.code, diagnostic.location)
            if key not in self._seen:
                self._seen.add(key)
                self.diagnostics.append(diagnostic)

    def check(self) -> None:
        """Raise what was reported, in source order."""
        if self.diagnostics:
            location = [(d.location.line, d.location.column) for d in self.diagnostics]
            order = sorted(range(len(location)), key=location.__getitem__)
            raise CompileError(*[self.diagnostics[i] for i in order])
