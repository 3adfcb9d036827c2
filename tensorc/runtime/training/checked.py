"""Batches that must give finite numbers: a slice that does not is run again by batches.

Native code runs a slice without a look at its numbers. Only if these are not finite at
its end, the variables go back to what they were before it, and the batches are run one
by one, to the same bits, up to the one that made the first NaN or infinity.
"""

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING

from tensorc.artifact import STATUS_NOT_FINITE, STATUS_OK
from tensorc.errors import TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.finite import (
    Explanation,
    explained,
    is_finite,
    keep,
    lost,
    put_back,
)

if TYPE_CHECKING:
    from tensorc.runtime.training.epoch import Epoch

# Runs the batches [first, last): the next one, and the seconds that it took.
RunBatches = Callable[[int, int], tuple[int, float]]
Failed = Callable[["Epoch", Explanation | None, int], TensorcError]


def run_slice(
    epoch: "Epoch",
    run: RunBatches,
    status: ctypes.c_int32,
    first: int,
    last: int,
    failed: Failed,
) -> tuple[int, float]:
    """Run the batches of a slice as `run` does; the caller holds the locks.

    Raises what `failed` makes of the explanation of a batch; the variables are then as
    before this batch.
    """
    cells = epoch.function.shared
    kept = keep(cells)
    reached, seconds = run(first, last)
    if not _is_lost(epoch, status, first, reached) and not lost(cells, kept):
        return reached, seconds
    put_back(cells, kept)
    for batch in range(first, last):
        status.value = STATUS_OK
        kept = keep(cells)
        reached, spent = run(batch, batch + 1)
        seconds += spent
        must_be_finite = status.value == STATUS_NOT_FINITE
        if _is_lost(epoch, status, batch, reached) or lost(cells, kept):
            inputs = _inputs(epoch, batch)
            found = explained(epoch.function, epoch.frame, kept, inputs)
            if found is None or found.is_made or must_be_finite:
                put_back(cells, kept)
                raise failed(epoch, found, batch)
        if status.value or reached == batch:
            break
    return reached, seconds


def _is_lost(epoch: "Epoch", status: ctypes.c_int32, first: int, reached: int) -> bool:
    """Tell whether batches gave what is not finite; an index error is another fault."""
    if status.value:
        return status.value == STATUS_NOT_FINITE
    pairs = zip(epoch.function.info.results, epoch.results, strict=True)
    return not all(is_finite(a if r.shape else a[first:reached]) for r, a in pairs)


def _inputs(epoch: "Epoch", batch: int) -> list[Array]:
    """Return what a batch gives the inputs of the function."""
    start, stop = batch * epoch.batch, (batch + 1) * epoch.batch
    function, shuffled = epoch.function, epoch.shuffled
    rows = slice(start, stop) if shuffled is None else shuffled.order[start:stop]
    columns = dict(zip(epoch.slots, epoch.columns, strict=True))
    found = []
    for spec in function.signature.inputs:
        slot = function.info.arguments.index(spec.argument)
        if slot in columns:
            found.append(columns[slot][rows])
        else:
            found.append(function.signature.defaults[spec.argument.name])
    return found
