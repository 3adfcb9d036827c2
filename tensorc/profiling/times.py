"""Memory for the times of launches, which code that is compiled `timed` writes."""

import ctypes
import sys
import time

import numpy as np

from tensorc.artifact import TIMES_OF_A_LAUNCH, TimesWord
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.arrays import Array

# Launches: 48 MiB of addresses, of which pages are used that are written to. A slice of
# a training, 0.05 s, has fewer: each asks twice for the time.
ROOM = 1 << 21


class Times:
    """The words that `TimesWord` lists, for the calls of one thread at a time."""

    __slots__ = ("_launches", "_words", "address", "lost")

    def __init__(self, room: int = ROOM) -> None:
        head = len(TimesWord)
        self._words = np.zeros(head + TIMES_OF_A_LAUNCH * room, np.int64)
        self._launches = self._words[head:].reshape(room, TIMES_OF_A_LAUNCH)
        self._words[TimesWord.CLOCK] = _clock_address()
        self._words[TimesWord.WHICH] = time.CLOCK_MONOTONIC
        self._words[TimesWord.ROOM] = room
        self.address = self._words.ctypes.data
        self.lost = 0  # launches for which there was no room

    def take(self) -> Array:
        """Return the launches since the last `take`, and forget them.

        i64[launches, 3]: the number of each, and the nanoseconds when it began and
        ended.
        """
        count = int(self._words[TimesWord.COUNT])
        self._words[TimesWord.COUNT] = 0
        self.lost += max(count - len(self._launches), 0)
        taken: Array = self._launches[:count].copy()
        return taken


def _clock_address() -> int:
    """Return the address of C's `clock_gettime`. TensorcError where there is none."""
    if sys.platform == "win32":
        message = "kernels are timed by POSIX's clock, which this system lacks"
        raise TensorcError(Diagnostic("TC0702", message))
    clock = ctypes.CDLL(None).clock_gettime
    address = ctypes.cast(clock, ctypes.c_void_p).value
    assert address is not None
    return address
