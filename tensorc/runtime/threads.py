"""Threads for compiled kernels: one pool per process, and how many of it to use.

The results of a program do not depend on the number: kernels are cut into chunks by
their shapes alone, and a chunk is computed by one thread.

A child that was forked has no threads but the one that forked: it computes alone until
it asks for threads itself.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from tensorc.artifact import POOL_CLOSED, POOL_WORDS, PoolSymbol, PoolWord
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.locks import keep

MOST = 256  # threads that may be asked for
SCRATCH_LIMIT = 1 << 30  # bytes that a call takes for the scratch of several threads

_RUN_TAKE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_RUN_WORK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)  # without the GIL, which is what makes these threads worth having

# Compiled code and workers hold addresses of these words until the process ends.
_MEMORY = (ctypes.c_int64 * (POOL_WORDS + 8))()
_BLOCK = -(-ctypes.addressof(_MEMORY) // 64) * 64
_WORDS = (ctypes.c_int64 * POOL_WORDS).from_address(_BLOCK)


class ThreadedLibrary(Protocol):
    """Linked code, as far as a function must know it."""

    def address(self, symbol: str) -> int:
        """Return the address of an exported symbol."""
        ...


class _Pool:
    """What a process knows of its pool."""

    def __init__(self) -> None:
        self.lock = keep(threading.Lock())
        self.load: Callable[[], ThreadedLibrary] | None = None
        self.library: ThreadedLibrary | None = None
        self.wanted: int | None = None  # None: what the environment says
        self.workers = 0


_POOL = _Pool()


def block_address() -> int:
    """Return the address of the pool's block, for the records of calls."""
    return _BLOCK


def count() -> int:
    """Return how many threads compiled functions may use.

    That is what `use` or TENSORC_NUM_THREADS says, else the processors that this
    process may run on.

    Raises:
        TensorcError: TENSORC_NUM_THREADS is no number of threads (TC0509).
    """
    if _POOL.wanted is not None:
        return _POOL.wanted
    text = os.environ.get("TENSORC_NUM_THREADS", "").strip()
    if not text:
        return min(processors(), MOST)
    return checked(text, "TENSORC_NUM_THREADS")


def checked(number: object, what: str) -> int:
    """Return a number of threads. Raises `TensorcError` (TC0509) if it is none."""
    text = str(number)
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST:
        return int(text)
    message = f"{what} is a number of threads from 1 to {MOST}, got {text!r:.40}"
    raise TensorcError(Diagnostic("TC0509", message))


def workers_for(size: int) -> int:
    """Return how many threads of a call have scratch of so many bytes each.

    The processors count even where fewer threads are wanted now: that may change, and
    memory that no thread touches costs nothing. A few threads with much scratch use
    all that memory can do.
    """
    wanted = max(count(), min(processors(), MOST))
    return min(wanted, max(SCRATCH_LIMIT // max(size, 1), 1))


def use(number: int | None) -> None:
    """Set how many threads compiled functions use from now on; None: the default.

    Raises:
        TensorcError: it is no number of threads (TC0509).
    """
    _POOL.wanted = None if number is None else checked(number, "threads")
    _adjust()


def wanted() -> int | None:
    """Return what `use` was given last; None: the default."""
    return _POOL.wanted


def jobs() -> int:
    """Return how many kernels were cut into ranges for several threads so far."""
    return int(_WORDS[PoolWord.GENERATION])


def start(load: Callable[[], ThreadedLibrary]) -> None:
    """Make the pool ready for `count()` threads; `load` gives its code, if needed."""
    _POOL.load = load
    _adjust()


def _adjust() -> None:
    wanted = count()
    if _POOL.load is None or max(_WORDS[PoolWord.ACTIVE], 1) == wanted:
        return
    if os.name != "posix":
        return  # there is no pool for other systems yet: everything in one thread
    with _POOL.lock:
        if _POOL.library is None:
            _POOL.library = _POOL.load()
        _grow(_POOL.library, wanted)


def _grow(library: ThreadedLibrary, wanted: int) -> None:
    """Let `wanted` threads take part, starting those that are missing."""
    take = _RUN_TAKE(library.address(PoolSymbol.TAKE))
    work = _RUN_WORK(library.address(PoolSymbol.WORK))
    while take(_BLOCK):  # a job runs: some milliseconds at most
        time.sleep(0.0001)
    try:
        if not _WORDS[PoolWord.RUN]:
            _prepare(library)
        generation = _WORDS[PoolWord.GENERATION]
        for number in range(_POOL.workers + 1, wanted):
            arguments = (_BLOCK, number, generation)
            name = f"tensorc-{number}"
            thread = threading.Thread(
                target=work, args=arguments, name=name, daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # there is no memory for its stack
                detail = f"there is none for thread {number + 1:,} of {wanted:,}"
                raise MemoryError(f"{detail}: TENSORC_NUM_THREADS=1") from error
            _POOL.workers = number
        _WORDS[PoolWord.ACTIVE] = wanted
    finally:
        _WORDS[PoolWord.BUSY] = 0


def _prepare(library: ThreadedLibrary) -> None:
    process = ctypes.CDLL(None)
    process.pthread_mutex_init(
        ctypes.c_void_p(_BLOCK + 8 * PoolWord.MUTEX), ctypes.c_void_p(None)
    )
    process.pthread_cond_init(
        ctypes.c_void_p(_BLOCK + 8 * PoolWord.CONDITION), ctypes.c_void_p(None)
    )
    _WORDS[PoolWord.JOINED] = POOL_CLOSED
    _WORDS[PoolWord.RUN] = library.address(PoolSymbol.RUN)


def processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _forget() -> None:
    """Start without a pool: a forked child has none of its parent's threads."""
    ctypes.memset(_BLOCK, 0, 8 * POOL_WORDS)
    _POOL.workers = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
