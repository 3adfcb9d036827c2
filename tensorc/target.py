"""Frozen descriptions of targets: what passes and backends may know of a machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

# Element operations, some 10 us: less is not worth a second thread.
PARALLEL_WORK = 1 << 15


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
    """How to compile; no option changes results.

    `optimize` is LLVM's level, 0 to 3. Without `fuse` each op is a kernel of its own.
    A kernel with less than `parallel_work` element operations runs in one thread.
    Without `epochs` functions have no driver that runs them over many batches. With
    `timed` calls write when each launch began and ended (`artifact.TimesWord`).
    With `check_bounds` code compares each index with the extent of its memory.
    `check_nan` is for who calls the code, which is the same: no key knows of it.
    """

    optimize: int = 2
    fuse: bool = True
    parallel_work: int = PARALLEL_WORK
    epochs: bool = True
    timed: bool = False
    check_bounds: bool = False
    check_nan: bool = field(default=False, repr=False)


DEFAULT = Options()
# What functions are compiled with where nobody says otherwise (`tc.options`).
CHOSEN: ContextVar[Options] = ContextVar("options", default=DEFAULT)


@contextmanager
def choosing(options: Options) -> Iterator[None]:
    """Compile functions with these options in a block."""
    outer = CHOSEN.set(options)
    try:
        yield
    finally:
        CHOSEN.reset(outer)
