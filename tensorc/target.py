"""Frozen descriptions of targets: what passes and backends may know of a machine."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for.

    `vector_bits` is the preferred vector width. It chooses schedules only: results
    never depend on it.
    """

    name: str
    triple: str = ""
    cpu: str = ""
    features: str = ""
    vector_bits: int = 512


@dataclass(frozen=True, slots=True)
class Options:
    """How to compile. `optimize` is LLVM's level, 0 to 3: it never changes results."""

    optimize: int = 2


# What functions are compiled with where nobody says otherwise (`tc.options`).
CHOSEN: ContextVar[Options] = ContextVar("options", default=Options())  # noqa: B039
