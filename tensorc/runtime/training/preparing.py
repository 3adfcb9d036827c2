"""What training and evaluation share: functions by their roles, made ready to run."""

from collections.abc import Mapping

import numpy as np

from tensorc.errors import (
    UNKNOWN,
    DataError,
    Diagnostic,
    Location,
    TensorcError,
    way,
)
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import Split
from tensorc.runtime.training.epoch import Epoch, prepare_epoch


def prepare(
    function: CompiledFunction,
    split: Split,
    batch: int,
    purpose: str,
    location: Location = UNKNOWN,
    hypers: Mapping[str, object] | None = None,
) -> Epoch:
    """Return a function set up to run over a part of the data.

    Raises:
        TensorcError: there are too few examples for a batch (TC0602), or the function
            returns not just one number and the purpose is not "training" (TC0601), or
            as `prepare_epoch`.
    """
    if not len(split):
        detail = f"the {purpose} data has no examples"
        raise DataError(Diagnostic("TC0602", detail, location))
    if len(split) < batch:
        smaller = f"batch={len(split)}"
        detail = f"the {purpose} data has {len(split):,} examples, a batch {batch:,}"
        hints = (f"use smaller batches: {way(smaller, f'--set {smaller}')}",)
        raise DataError(Diagnostic("TC0602", detail, location, hints=hints))
    if purpose != "training" and [r.shape for r in function.info.results] != [()]:
        detail = f"'{function.name}' must return one number for {purpose}"
        raise TensorcError(Diagnostic("TC0601", detail, location))
    return prepare_epoch(function, split.columns, batch, hypers)


def function_for(
    functions: Mapping[str, CompiledFunction],
    role: str,
    name: str,
    location: Location,
) -> CompiledFunction:
    """Return the function that a recipe names; TC0601 if there is none."""
    if name not in functions:
        known = ", ".join(f"'{known}'" for known in functions)
        detail = f"fit: {role} = {name}, but there is no such function"
        raise TensorcError(
            Diagnostic("TC0601", detail, location, notes=(f"there are {known}",))
        )
    return functions[name]


def located(error: TensorcError, location: Location) -> TensorcError:
    """Return the error with `location` where its diagnostics have none."""
    if all(d.location.line for d in error.diagnostics):
        return error
    return type(error)(
        *(
            d
            if d.location.line
            else Diagnostic(
                d.code, d.message, location, d.label, d.labels, d.notes, d.hints
            )
            for d in error.diagnostics
        )
    )


def are_shares(values: Array, batch: int) -> bool:
    """Tell whether results are shares k / batch, as functions give that count.

    It only decides how people read them: as a percentage.
    """
    wide = values.astype(np.float64)
    if values.dtype.kind != "f" or not np.isfinite(wide).all():
        return False
    nearest = np.rint(wide * batch) / batch
    resolution = 2 * np.abs(np.spacing(values)).astype(np.float64)
    is_near = np.abs(nearest - wide) <= resolution
    return bool(((wide >= 0) & (wide <= 1) & is_near).all())
