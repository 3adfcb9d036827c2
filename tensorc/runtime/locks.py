"""The locks of the package, which a fork does not break.

A child that is forked has one thread, and copies of all locks: one that another thread
held is held forever there. So each lock is made here. Before a fork all of them are
taken, which waits for steps that run: what the child sees of shared variables is as
after whole steps. After it they are released, in parent and child. Who holds a lock for
longer than `WAIT` is not waited for: its lock is free in the child, and what that
thread was about to write may be half done there.
"""

import os
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

WAIT = 2.0  # seconds that a fork waits for other threads


class Lock(Protocol):
    """A lock of the standard library, of either kind."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; tell whether it was taken."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...

    def _at_fork_reinit(self) -> None:
        """Make it a lock that nobody holds, in a child."""
        ...


L = TypeVar("L")

_LOCKS: dict[int, "weakref.ref[object]"] = {}
# What the thread that forks has taken, by its number: two threads may fork at once.
_TAKEN: dict[int, list[Lock]] = {}


def keep(lock: L) -> L:
    """Let forks take care of a lock: every lock of the package goes through here."""
    number = id(lock)
    _LOCKS[number] = weakref.ref(lock, lambda _: _LOCKS.pop(number, None))
    return lock


def reentrant_lock() -> threading.RLock:
    """Return a lock that a thread may take again while it holds it."""
    return keep(threading.RLock())


def _known() -> list[Lock]:
    found = [reference() for reference in list(_LOCKS.values())]
    return [cast(Lock, lock) for lock in found if lock is not None]


def _take_all(locks: Sequence[Lock], seconds: float) -> list[Lock]:
    """Take the locks, or those of them that can be had in so much time.

    While it waits for one it holds no other, so that two threads never wait for each
    other, in whatever order they take them.
    """
    until = time.monotonic() + seconds
    first: Lock | None = None
    while True:
        taken: list[Lock] = []
        busy = None
        if first is not None:
            left = until - time.monotonic()
            if not first.acquire(timeout=max(left, 0)):
                break
            taken.append(first)
        for lock in locks:
            if lock is first:
                continue
            if not lock.acquire(blocking=False):
                busy = lock
                break
            taken.append(lock)
        if busy is None:
            return taken
        for lock in reversed(taken):
            lock.release()
        first = busy
    return [lock for lock in locks if lock.acquire(blocking=False)]


def _before_fork() -> None:
    _TAKEN[threading.get_ident()] = _take_all(_known(), WAIT)


def _release() -> list[Lock]:
    taken = _TAKEN.pop(threading.get_ident(), [])
    for lock in reversed(taken):
        lock.release()
    return taken


def _after_fork_in_child() -> None:
    taken = set(map(id, _release()))
    _TAKEN.clear()
    for lock in _known():
        if id(lock) not in taken:  # held by a thread that does not exist here
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_release,
        after_in_child=_after_fork_in_child,
    )
