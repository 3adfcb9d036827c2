"""What training and evaluation share: functions by their roles, made ready to run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tensorc.errors import (
    DataError,
    Diagnostic,
    Location,
    TensorcError,
    way,
)
from tensorc.floats import is_float
from tensorc.recipes import Fit
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import Split
from tensorc.runtime.training.epoch import Epoch, prepare_epoch


@dataclass(frozen=True, slots=True)
class Roles:
    """The functions of a run, by what they do in it."""

    step: CompiledFunction
    validate: CompiledFunction | None = None
    test: CompiledFunction | None = None


# What a function does with its part of the data.
_PURPOSES = {"step": "training", "validate": "validation", "test": "test"}


def prepare(
    recipe: Fit,
    role: str,
    function: CompiledFunction,
    split: Split,
    hypers: Mapping[str, object] | None = None,
) -> Epoch:
    """Return a function set up to run over a part of the data.

    Raises:
        TensorcError: there are too few examples for a batch (TC0602), or what is no
            step returns not just one number (TC0601), or as `prepare_epoch`.
    """
    purpose, batch = _PURPOSES[role], recipe.batch
    if not len(split):
        detail = f"the {purpose} data has no examples"
        raise DataError(Diagnostic("TC0602", detail, recipe.location_of("data")))
    if len(split) < batch:
        smaller = f"batch={len(split)}"
        detail = f"the {purpose} data has {len(split):,} examples, a batch {batch:,}"
        hints = (f"use smaller batches: {way(smaller, f'--set {smaller}')}",)
        raise DataError(
            Diagnostic("TC0602", detail, recipe.location_of("batch"), hints=hints)
        )
    location = recipe.location_of(role, "validate")
    if role != "step" and [r.shape for r in function.info.results] != [()]:
        detail = f"'{function.name}' must return one number for {purpose}"
        raise TensorcError(Diagnostic("TC0601", detail, location))
    try:
        return prepare_epoch(function, split.columns, batch, hypers)
    except TensorcError as error:
        raise located(error, location) from error


def roles_of(functions: Mapping[str, CompiledFunction], recipe: Fit) -> Roles:
    """Return the functions that a recipe names; TC0601 if there is none."""
    step = function_for(functions, recipe, "step")
    others = [
        function_for(functions, recipe, role) if getattr(recipe, role) else None
        for role in ("validate", "test")
    ]
    return Roles(step, *others)


def function_for(
    functions: Mapping[str, CompiledFunction], recipe: Fit, role: str
) -> CompiledFunction:
    """Return the function that a recipe names for a role; TC0601 if there is none."""
    name = getattr(recipe, role)
    if name not in functions:
        known = ", ".join(f"'{known}'" for known in functions)
        detail = f"fit: {role} = {name}, but there is no such function"
        location, notes = recipe.location_of(role), (f"there are {known}",)
        raise TensorcError(Diagnostic("TC0601", detail, location, notes=notes))
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
    if not is_float(values.dtype) or not np.isfinite(wide).all():
        return False
    nearest = np.rint(wide * batch) / batch
    resolution = 2 * np.abs(np.spacing(values)).astype(np.float64)
    is_near = np.abs(nearest - wide) <= resolution
    return bool(((wide >= 0) & (wide <= 1) & is_near).all())
