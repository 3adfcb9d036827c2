"""How a block of Python compiles and runs: `with tc.options(threads=1):`."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TypeVar

from tensorc import cache as cache_
from tensorc import target
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.python.describing import whole_number
from tensorc.frontend.python.symbolic_operands import (
    DOOR,
    describe,
    element_named,
)
from tensorc.ir.types import Element
from tensorc.runtime import threads as pool
from tensorc.runtime.checking import checking
from tensorc.runtime.locks import keep

T = TypeVar("T")

_KNOWN = "there are optimize, threads, cache, check_nan, check_bounds and floatX"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a block changes; None keeps what holds outside."""

    optimize: int | None
    threads: int | None
    cache: bool | None
    check_nan: bool | None
    check_bounds: bool | None
    float_x: Element | None

    def of(self, options: target.Options) -> target.Options:
        """Return options of the compiler with those that are changed."""
        names = ("optimize", "check_nan", "check_bounds")
        changed = {name: getattr(self, name) for name in names}
        return replace(options, **{n: v for n, v in changed.items() if v is not None})


@door
def options(
    *,
    optimize: int | None = None,
    threads: int | None = None,
    cache: bool | None = None,
    check_nan: bool | None = None,
    check_bounds: bool | None = None,
    floatX: str | None = None,
    **unknown: object,
) -> AbstractContextManager[None]:
    """Choose how what stands in a `with` block is compiled and run.

    The block may be left by an exception; then, too, holds what held before. But for
    `threads`, which the process has in common, other threads are not concerned.

    Args:
        optimize: LLVM's level, 0 to 3, for functions that are compiled in the block.
        threads: how many threads compute.
        cache: False neither reads nor writes compiled code on disk.
        check_nan: True lets a call fail that makes a NaN or an infinity, and names the
            op that made the first. It holds for calls in the block; what `function`
            and `load` make in it is always checked.
        check_bounds: True compiles code that compares each of its indices with the
            extent of the memory, to find faults of the compiler.
        floatX: "float32" or "float64", the type of `tc.matrix("x")`, of Python floats
            and of what integers become, where Theano has its `floatX`.
        unknown: a mistake.

    Raises:
        TypeError: there is no such option, or a value is of another kind.
        ValueError: a value is out of range.
    """
    if unknown:
        message = f"options takes no '{next(iter(unknown))}'"
        raise usage_error(message, _KNOWN)
    optimize = _integer("optimize", optimize, 0, 3)
    threads = _integer("threads", threads, 1, pool.MOST)
    flags = {"cache": cache, "check_nan": check_nan, "check_bounds": check_bounds}
    for name, flag in flags.items():
        if flag is not None and not isinstance(flag, bool):
            raise usage_error(f"{name} must be True or False, got {describe(flag)}")
    if floatX not in (None, "float32", "float64"):
        message = f"floatX is 'float32' or 'float64', got {floatX!r:.40}"
        raise argument_error(message)
    element = None if floatX is None else element_named(floatX)
    return _Block(_Chosen(optimize, threads, cache, check_nan, check_bounds, element))


def _integer(name: str, value: object, least: int, most: int) -> int | None:
    if value is None:
        return None
    whole = whole_number(value)
    if whole is None:
        raise usage_error(f"{name} must be an integer, got {describe(value)}")
    if not least <= whole <= most:
        raise argument_error(f"{name} is from {least} to {most}, got {whole}")
    return whole


@dataclass(frozen=True, slots=True)
class _Block(AbstractContextManager[None]):
    """What a `with` statement takes, as often as it likes."""

    chosen: _Chosen
    entered: list[AbstractContextManager[None]] = field(default_factory=list)

    def __enter__(self) -> None:
        """Change what holds."""
        self.entered.append(_holding(self.chosen))
        self.entered[-1].__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put back what held before."""
        self.entered.pop().__exit__(kind, error, traceback)


@contextmanager
def _holding(chosen: _Chosen) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(target.choosing(chosen.of(target.CHOSEN.get())))
        if chosen.check_nan is not None:
            stack.enter_context(checking(chosen.check_nan))
        if chosen.cache is not None:
            stack.enter_context(_set(cache_.IN_USE, chosen.cache))
        if chosen.float_x is not None:
            changed_door = replace(DOOR.get(), default_float=chosen.float_x)
            stack.enter_context(_set(DOOR, changed_door))
        if chosen.threads is not None:
            stack.enter_context(_using(chosen.threads))
        yield


# The numbers of threads of all blocks that run, by the block, in order; before them,
# under None, what held outside. Blocks of several Python threads end in any order.
_USED: dict[object, int | None] = {}
_LOCK = keep(threading.Lock())


@contextmanager
def _using(number: int) -> Iterator[None]:
    block = object()
    with _LOCK:
        if not _USED:
            _USED[None] = pool.wanted()
        _USED[block] = number
        pool.use(number)
    try:
        yield
    finally:
        with _LOCK:
            is_last = next(reversed(_USED)) is block
            del _USED[block]
            before = next(reversed(_USED))
            number_before = _USED[before]
            if before is None:
                _USED.clear()
            if is_last:
                pool.use(number_before)


@contextmanager
def _set(variable: ContextVar[T], value: T) -> Iterator[None]:
    outer = variable.set(value)
    try:
        yield
    finally:
        variable.reset(outer)
