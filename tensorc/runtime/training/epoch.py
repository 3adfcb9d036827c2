"""Run a compiled function over the batches of resident columns, in native code.

The epoch driver of a function loops over batches without Python in between. It is
called in slices of some 50 ms, so that Ctrl-C and progress work between them.
"""

import ctypes
import functools
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tensorc.artifact import STATUS_NOT_FINITE, EpochWatch, FunctionInfo
from tensorc.errors import (
    CallError,
    Diagnostic,
    DivergedError,
    IndexOutOfRange,
    InternalError,
    NotFiniteError,
    TensorcError,
    way,
)
from tensorc.floats import is_float
from tensorc.runtime.arrays import (
    Array,
    address_of,
    aligned_empty,
    numpy_dtype,
    spelling_of,
)
from tensorc.runtime.checking import IN_USE
from tensorc.runtime.convert import convert
from tensorc.runtime.finite import AS_BEFORE, Explanation, unexplained
from tensorc.runtime.function import CallFrame, CompiledFunction
from tensorc.runtime.training.checked import RunBatches, run_slice
from tensorc.runtime.training.shuffling import Shuffled, shuffled

SLICE_SECONDS = 0.05
_SHOWN = 8  # rows of a shuffled batch in a message

_DRIVER = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_int32),
    ctypes.POINTER(ctypes.c_int32),
    ctypes.c_void_p,
)
# By element type: the mask of the exponent in a float's sixteen high bits.
_EXPONENTS = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F80, "f64": 0x7FF0}


@dataclass(slots=True)
class Epoch:
    """A function set up to run over `batches` batches of `batch` rows each.

    `results` holds, for each result of the function, a row per batch if the result is a
    scalar, and otherwise the value of the last batch. `seconds` is the time of one
    batch as measured last, 0 before; `spent` is that of all batches so far. Where
    `shuffled` is set, batches are rows of its windows instead of the columns.
    """

    function: CompiledFunction
    batch: int
    batches: int
    results: tuple[Array, ...]
    frame: CallFrame
    strides: "ctypes.Array[ctypes.c_int64]"
    stop: ctypes.c_int32
    columns: tuple[Array, ...]
    slots: tuple[int, ...]  # of the columns
    seconds: float = 0.0
    spent: float = 0.0
    shuffled: Shuffled | None = None

    def shuffle(self, seed: int) -> Shuffled:
        """Take the rows in the orders of `reorder` from now on, drawn from `seed`."""
        self.shuffled = shuffled(self.columns, self.batch, seed)
        return self.shuffled

    def request_stop(self) -> None:
        """Make a slice that runs in another thread end after its current batch."""
        self.stop.value = 1


def prepare_epoch(
    function: CompiledFunction,
    columns: Mapping[str, Array],
    batch: int,
    hypers: Mapping[str, object] | None = None,
) -> Epoch:
    """Bind columns to the function's inputs of the same names; nothing runs yet.

    Inputs without a column have their defaults, the same for all batches.
    Rows that do not fill a batch are left out. A column is converted by the rule of
    calls, once; one that fits is used where it lies. An `Epoch` is for one thread at a
    time.

    Raises:
        CallError: an input has no column (TC0506), sizes depend on the value of one
            (TC0510), or an element type does not fit.
        ShapeError: the shape of a batch does not fit.
    """
    inputs = function.signature.inputs
    names = [s.argument.name for s in inputs]
    used = _arrays_of(function, columns)
    is_column = [name in columns for name in names]
    pairs = list(zip(used, is_column, strict=True))
    bound = tuple([column for column, own in pairs if own])
    batches = min(map(len, bound)) // batch
    first = [c[:batch] if own else c for c, own in pairs]
    plan = function.bind(first)
    results = tuple(
        aligned_empty(shape or (batches,), numpy_dtype(result.dtype))
        for (shape, *_), result in zip(plan.fresh, function.info.results, strict=True)
    )
    numbers = function.hypers(hypers or {})
    frame = function.take_frame(plan, numbers)
    if function.fill(frame, first):
        # A column lies in a shared variable: all of it must move, not the first batch.
        copies = {
            name: column.copy()
            for name, column in zip(names, used, strict=True)
            if name in columns
        }
        return prepare_epoch(function, copies, batch, hypers)
    for number, array in enumerate(results):
        frame.slots[len(function.info.arguments) + number] = address_of(array)
    strides = (ctypes.c_int64 * len(frame.slots))()
    slots = []
    for spec, array, own in zip(inputs, first, is_column, strict=True):
        if own:  # what is no column is the same for all batches
            slots.append(function.info.arguments.index(spec.argument))
            strides[slots[-1]] = array.nbytes
    for number, (shape, *_) in enumerate(plan.fresh):
        itemsize = results[number].itemsize
        strides[len(function.info.arguments) + number] = 0 if shape else itemsize
    stop = ctypes.c_int32(0)
    return Epoch(
        function, batch, batches, results, frame, strides, stop, bound, tuple(slots)
    )


def _arrays_of(function: CompiledFunction, columns: Mapping[str, Array]) -> list[Array]:
    """Return the column of each input in its type, or the default."""
    inputs, fixed = function.signature.inputs, function.signature.defaults
    names = [s.argument.name for s in inputs]
    missing = [name for name in names if name not in columns and name not in fixed]
    if missing or not any(name in columns for name in names):
        raise _no_column(function, missing, columns)
    for spec in inputs:
        if spec.value is not None and spec.argument.name in columns:
            raise _no_batch(function, spec.argument.name)
    return [
        _column(function, name, columns[name], s.dtype)
        if name in columns
        else fixed[name]
        for name, s in zip(names, inputs, strict=True)
    ]


def _column(
    function: CompiledFunction, name: str, column: Array, dtype: np.dtype[np.generic]
) -> Array:
    what = f"column '{name}' for '{function.name}'"
    if column.ndim == 1 and is_float(column.dtype) and dtype.kind in "iu":
        row = int(np.argmax(column != np.rint(column)))
        type_ = spelling_of(dtype)
        detail = (
            f"{what}: {type_} expected, row {row:,}, counted from 0, is {column[row]}"
        )
        hint = f"declare it as float: `{name}: float[B]`"
        raise CallError(Diagnostic("TC0502", detail, hints=(hint,)))
    return convert(column, dtype, what)


def run_batches(
    epoch: Epoch,
    first: int,
    last: int,
    progress: Callable[[int], None] | None = None,
    watched: int = 0,
) -> float:
    """Run the batches [first, last) in order and return the seconds spent in them.

    `progress` is called after each slice with the next batch. A KeyboardInterrupt comes
    after the running slice: the shared variables are then as after its last batch.
    `watched` is the number of the epoch, from 1, if its costs must be finite.

    Raises:
        DivergedError: a cost that is watched is not finite (TC0604); the shared
            variables are as that batch left them.
        NotFiniteError: the function is checked, and a batch made a NaN or an infinity
            (TC0512); the shared variables are as before it.
        IndexOutOfRange: a batch indexed outside an axis; the batches before it are
            done, it has changed nothing.
    """
    function = epoch.function
    driver = _DRIVER(function.library.address(function.info.epoch_symbol))
    status = ctypes.c_int32(0)
    watch = _watch(function.info, watched)
    run = _runner(epoch, driver, status, watch)
    is_checked = bool(IN_USE) and function.origin.is_checked()
    failed = functools.partial(_not_finite, watched)
    spent = 0.0
    position = first
    epoch.stop.value = 0
    while position < last and not epoch.stop.value:
        until = min(last, position + _slice_length(epoch))
        start = time.perf_counter()
        if epoch.shuffled:
            until = min(until, position + epoch.shuffled.span)
            _gather(epoch, epoch.shuffled, position, until)
        gathered = time.perf_counter() - start
        if is_checked:
            if any(result.shape for result in function.info.results):
                until = position + 1  # an array is that of the last batch
            slice_ = (epoch, run, status, position, until, failed)
            reached, seconds = function.locked(run_slice, slice_)
        else:
            reached, seconds = function.locked(run, (position, until))
        if status.value == STATUS_NOT_FINITE:
            raise _diverged(epoch, reached, watched)
        if status.value:
            raise _in_batch(epoch, function.failure(status.value, epoch.frame), reached)
        seconds += gathered
        spent += seconds
        epoch.spent += seconds
        if reached > position:
            epoch.seconds = seconds / (reached - position)
        position = reached
        if progress:
            progress(position)
    return spent


def cost_of(info: FunctionInfo) -> int | None:
    """Return which result of a step is its cost: the first float that is a scalar.

    Without one it is the first result, if that is one number; else there is none.
    """
    scalars = [n for n, result in enumerate(info.results) if not result.shape]
    floats = [n for n in scalars if info.results[n].dtype in _EXPONENTS]
    return next(iter(floats), 0 if 0 in scalars else None)


def _watch(info: FunctionInfo, watched: int) -> "ctypes.Array[ctypes.c_int64]":
    """Return what the driver is to watch, as it reads it."""
    words = (ctypes.c_int64 * len(EpochWatch))()
    number = cost_of(info) if watched else None
    exponent = 0 if number is None else _EXPONENTS.get(info.results[number].dtype, 0)
    if number is not None and exponent:
        high = numpy_dtype(info.results[number].dtype).itemsize - 2
        words[EpochWatch.SLOT] = len(info.arguments) + number
        words[EpochWatch.OFFSET] = high if sys.byteorder == "little" else 0
        words[EpochWatch.EXPONENT] = exponent
    return words


def _diverged(epoch: Epoch, batch: int, number: int) -> DivergedError:
    """Return the error that the cost of a batch is not finite."""
    info = epoch.function.info
    cost = cost_of(info)
    assert cost is not None
    value = epoch.results[cost][batch]
    # Batches and epochs count from 1.
    message = f"the cost of '{info.name}' is {value} in batch {batch + 1:,} of epoch "
    message += f"{number:,}"
    notes = (
        _rows_of(epoch, batch),
        "the training diverged, or the data hold what is no finite number",
        "the shared variables are as this batch left them",
    )
    hints = diverged_hints()
    return DivergedError(Diagnostic("TC0604", message, notes=notes, hints=hints))


def diverged_hints() -> tuple[str, str]:
    """Return what to do about numbers that are not finite."""
    smaller, going_on = way("lr=…", "--set lr=…"), way("allow_nan=True", "--allow-nan")
    return f"try smaller steps: {smaller}", f"or go on in spite of it: {going_on}"


def _gather(epoch: Epoch, shuffled: Shuffled, first: int, last: int) -> None:
    """Gather the rows of the batches [first, last), and let the slots point to them."""
    shuffled.gather(first * epoch.batch, last * epoch.batch)
    for slot, window in zip(epoch.slots, shuffled.windows, strict=True):
        # The driver adds the number of the batch times the stride.
        epoch.frame.slots[slot] = address_of(window) - first * epoch.strides[slot]


def _runner(
    epoch: Epoch,
    driver: Callable[..., int],
    status: ctypes.c_int32,
    watch: "ctypes.Array[ctypes.c_int64]",
) -> RunBatches:
    """Return what runs batches, and returns the next one and the seconds.

    Those of waiting for a lock do not count.
    """
    before = (epoch.frame.address, ctypes.addressof(epoch.strides))
    after = (ctypes.byref(epoch.stop), ctypes.byref(status), ctypes.addressof(watch))

    def run(first: int, last: int) -> tuple[int, float]:
        start = time.perf_counter()
        reached = driver(*before, first, last, *after)
        return reached, time.perf_counter() - start

    return run


def _not_finite(
    number: int, epoch: Epoch, found: Explanation | None, batch: int
) -> NotFiniteError:
    """Return the error of a batch that made a NaN or an infinity; epochs are from 1."""
    made = unexplained(epoch.function) if found is None else found.diagnostic
    where = _rows_of(epoch, batch)
    where += f", of epoch {number:,}" if number else ""
    notes = (*made.notes, where, *AS_BEFORE[bool(epoch.function.shared)])
    smaller = way("lr=…", "--set lr=…")
    hints = (*made.hints, *([f"or try smaller steps: {smaller}"] if number else []))
    return NotFiniteError(replace(made, notes=notes, hints=hints))


def _slice_length(epoch: Epoch) -> int:
    if not epoch.seconds:
        return 1
    return max(1, int(SLICE_SECONDS / epoch.seconds))


def _in_batch(
    epoch: Epoch, error: IndexOutOfRange | InternalError, batch: int
) -> TensorcError | InternalError:
    """Return the error with a note that says which rows of the data it met."""
    if isinstance(error, InternalError):
        return error
    note = _rows_of(epoch, batch)
    return IndexOutOfRange(
        *(
            Diagnostic(d.code, d.message, d.location, d.label, notes=(note, *d.notes))
            for d in error.diagnostics
        )
    )


def _rows_of(epoch: Epoch, batch: int) -> str:
    start = batch * epoch.batch
    note = f"in batch {batch + 1:,} of the data, "
    if epoch.shuffled:
        rows = epoch.shuffled.order[start : start + epoch.batch].tolist()
        shown = [*map(str, rows[:_SHOWN]), *["…"] * (len(rows) > _SHOWN)]
        return f"{note}shuffled: rows {', '.join(shown)}, counted from 0"
    if epoch.batch == 1:
        return f"{note}row {start:,}, counted from 0"
    return f"{note}rows {start:,} to {start + epoch.batch - 1:,}, counted from 0"


def _no_batch(function: CompiledFunction, name: str) -> CallError:
    detail = f"'{function.name}' computes sizes from the number '{name}', "
    detail += "which a column of data does not give"
    hint = "call it for each number, or let the data hold the rows themselves"
    return CallError(Diagnostic("TC0510", detail, hints=(hint,)))


def count_columns(columns: Mapping[str, Array]) -> str:
    """Return how many columns data has; their names are texts of a file."""
    return f"the data has {len(columns):,} column{'' if len(columns) == 1 else 's'}"


def _no_column(
    function: CompiledFunction, missing: list[str], columns: Mapping[str, Array]
) -> CallError:
    detail = (
        f"'{function.name}' takes '{missing[0]}', the data has no such column"
        if missing
        else f"'{function.name}' takes no data"
    )
    return CallError(
        Diagnostic(
            "TC0506",
            detail,
            notes=(count_columns(columns),),
            hints=("columns bind to the arguments of the same name",),
        )
    )
