"""What compiled code is, as data: the contract between compiler and runtime.

An artifact is one object file and, for each compiled function, its signature, the
guards to check at entry, the formula of its arena and the sites that may fail.
The runtime needs nothing else: it does not know the IR.

The entry of a function is `i32 symbol(i64* slots, i64 begin, i64 end)`; status 0 is
success, `STATUS_INDEX` an index out of range. `slots` holds, in this order, one
machine word each:

  1. a pointer per argument (0-d arrays for scalars), shared ones are read and written;
  2. a pointer per result (memory of the caller);
  3. the arena (64-byte aligned, `arena` bytes);
  4. the scratch of workers (64-byte aligned), `scratch` bytes for each;
  5. the record: seven i64, owned by the caller (`RecordWord`);
  6. one i64 per symbol, in the order of `symbols`.

A kernel is `i32 kernel(i64* slots, i64 begin, i64 end, scratch)`: it runs its chunks
from begin to end, and has the scratch of the worker that calls it for itself.

The epoch driver of a function is `i64 epoch_symbol(i64* slots, i64* strides, i64 first,
i64 last, i32* stop, i32* status, i64* watch)`: for each batch i in [first, last) it
adds i * strides[s] (bytes, or units for a symbol; mostly 0) to a private copy of slot s
and calls the entry. It ends early when `*stop` is not 0 or the entry returns a status,
which it stores, and returns the next batch (the failed batch itself after an error).
`watch` is three words (`EpochWatch`): a slot whose float must be finite after each
batch, or else the batch, though it is done, fails with `STATUS_NOT_FINITE`.
"""

import operator as operators
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

from tensorc.errors import Location

STATUS_OK = 0
STATUS_INDEX = 1
STATUS_NOT_FINITE = 2  # of an epoch driver alone
STATUS_BOUNDS = 3  # of code with `check_bounds`: SITE is the address of a text


class EpochWatch(IntEnum):
    """The words that say what an epoch driver watches.

    SLOT is the slot of a float, OFFSET are the bytes before its sixteen high bits and
    EXPONENT is the mask of the exponent in them; 0 if nothing is watched.
    """

    SLOT = 0
    OFFSET = 1
    EXPONENT = 2


class RecordWord(IntEnum):
    """The 64-bit words of a call's record.

    The first four say what failed. POOL is the address of the thread pool's block, or 0
    to compute in one thread. BYTES is a worker's scratch: worker w has that at the
    address in the slot + w * BYTES, and WORKERS is for how many there is some. The
    caller is worker 0. TIMES is the address of words for the times of launches
    (`TimesWord`), or 0; code that is not compiled for it does not look there.
    """

    SITE = 0
    AXIS = 1
    INDEX = 2
    SIZE = 3
    POOL = 4
    BYTES = 5
    WORKERS = 6
    TIMES = 7


RECORD_WORDS = len(RecordWord)


class TimesWord(IntEnum):
    """The 64-bit words where a call that is timed writes.

    CLOCK is the address of C's `clock_gettime`, WHICH is the clock. COUNT is how many
    launches there were, ROOM for how many of them the words behind have room: for each
    its number in the function, and the nanoseconds when it began and ended.
    """

    CLOCK = 0
    WHICH = 1
    COUNT = 2
    ROOM = 3


TIMES_OF_A_LAUNCH = 3  # words


class PoolWord(IntEnum):
    """The 64-bit words of the thread pool's block, by cache lines of eight.

    RUN is the address of `PoolSymbol.RUN`, 0 while there is no pool. ACTIVE is how many
    threads may take part in a job, the caller included. SCRATCH, BYTES and WORKERS say
    where the workers of a job have scratch. JOINED counts the workers in a job, plus
    POOL_CLOSED while there is none. The last two have 128 bytes each, for POSIX's mutex
    and condition.
    """

    RUN = 0
    ACTIVE = 1
    GENERATION = 8
    KERNEL = 16
    SLOTS = 17
    CHUNKS = 18
    RANGES = 19
    SCRATCH = 20
    BYTES = 21
    WORKERS = 22
    NEXT = 24
    JOINED = 56
    STATUS = 32
    SLEEPERS = 40
    BUSY = 48
    MUTEX = 64
    CONDITION = 80


POOL_WORDS = 96
POOL_CLOSED = 1 << 32


class PoolSymbol(StrEnum):
    """The functions of the thread pool.

    `i32 RUN(block, record, kernel, slots, scratch, i64 chunks)` runs a kernel over its
    chunks;
    `void WORK(block, i64 worker, i64 generation)` is what a worker does, forever;
    `i64 TAKE(block)` takes the pool, so that no job runs, and returns 0 if it could.
    """

    RUN = "tc.pool.run"
    WORK = "tc.pool.work"
    TAKE = "tc.pool.take"


# A dimension: an integer, the name of a symbol, or (operator, operand, operand) with
# "+", "*", "//" (floor), "min", "max" and "bound" (of a slice: the left one clamped
# into [0, right], negative ones counted from the end).
DimExpr = int | str | tuple[str, "DimExpr", "DimExpr"]


# Native code computes sizes in 64 bits; formulas that leave this range are refused.
SIZE_LIMIT = 1 << 62


def evaluate_dim(expr: DimExpr, symbols: Mapping[str, int]) -> int:
    """Return the value of a dimension, given the value of each symbol.

    Raises:
        ZeroDivisionError: it divides by a size of 0.
        OverflowError: it, or a part of it, is beyond `SIZE_LIMIT`.
    """
    value = _evaluate(expr, symbols)
    if not -SIZE_LIMIT < value < SIZE_LIMIT:
        raise OverflowError(f"{value} does not fit 64 bits")
    return value


def _evaluate(expr: DimExpr, symbols: Mapping[str, int]) -> int:
    if isinstance(expr, int):
        return expr
    if isinstance(expr, str):
        return symbols[expr]
    operator, left, right = expr
    if operator not in OPERATORS:
        raise ValueError(f"dimension operator '{operator}'")
    return OPERATORS[operator](
        evaluate_dim(left, symbols), evaluate_dim(right, symbols)
    )


def _bound(index: int, size: int) -> int:
    return max(index + size, 0) if index < 0 else min(index, size)


OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "+": operators.add,
    "*": operators.mul,
    "//": operators.floordiv,
    "min": min,
    "max": max,
    "bound": _bound,
}


@dataclass(frozen=True, slots=True)
class Default:
    """What a call need not give: sizes, and the bytes of the elements."""

    shape: tuple[int, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a compiled function.

    `kind` is "shared" (memory that the function may update), "input" (given at each
    call), "hyper" (a number with a default, given by name) or "captured" (an array that
    is a part of the program; no call gives it, it is `default`). `dtype` is the IR's
    spelling ("f32", "i64", "i1"); `shape` has one DimExpr per axis. `value` is the
    symbol ("$i") that stands for the value of an integer scalar, "" if none does.
    `default` is what an input is that a call leaves out, if it may.
    """

    name: str
    kind: Literal["shared", "input", "hyper", "captured"]
    dtype: str
    shape: tuple[DimExpr, ...]
    value: str = ""
    default: Default | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One result: fresh memory of the caller. `name` may be empty."""

    name: str
    dtype: str
    shape: tuple[DimExpr, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """An equation between dimensions that must hold at entry.

    `is_index` tells that where it does not, an index is outside its axis.
    """

    left: DimExpr
    right: DimExpr
    message: str
    location: Location
    is_index: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an axis of an argument got a formula for its size, and its own name.

    The name is "" where a loop needs a number of turns, whatever that is.
    """

    argument: str
    axis: int
    size: str
    location: Location


@dataclass(frozen=True, slots=True)
class Site:
    """An operation in compiled code that can fail: where it is in the source.

    `is_unsigned` tells that an index which fails there counts from 0 up to 2^64.
    """

    location: Location
    is_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """Everything the runtime knows of one compiled function.

    `sizes` are the dimensions inside it that are computed; native code relies on them.
    `arena` are bytes for a call, `scratch` for each worker that takes part in it.
    A call runs `kernels` kernels, and `flops` operations on floats. `digest` is that of
    its program: of what a front end made, before the passes.
    `epoch_symbol` is "" where there is no epoch driver.
    """

    name: str
    symbol: str
    epoch_symbol: str
    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]
    symbols: tuple[str, ...]
    guards: tuple[Guard, ...]
    arena: DimExpr
    sites: tuple[Site, ...]
    sizes: tuple[DimExpr, ...] = ()
    kernels: int = 0
    flops: DimExpr = 0
    digest: str = ""
    origins: tuple[Origin, ...] = ()
    scratch: DimExpr = 0


@dataclass(frozen=True, slots=True)
class Artifact:
    """Compiled code: position-independent object bytes and its functions by name."""

    target: str
    object: bytes
    functions: tuple[FunctionInfo, ...]
