"""What a trained program gives: errors over data, and results row by row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tensorc.errors import CallError, DataError, Diagnostic, TensorcError
from tensorc.recipes import Fit
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import open_data
from tensorc.runtime.training.epoch import count_columns, run_batches
from tensorc.runtime.training.preparing import (
    are_shares,
    function_for,
    located,
    prepare,
)

_ROLES = {"validation": "validate", "test": "test"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The mean of a function over the full batches of a part of the data.

    `share_of` is the number of examples if the error is a share of them, else 0; `rows`
    are all of the part, of which those that fill no batch are left out.
    """

    part: str
    function: str
    error: float
    examples: int
    share_of: int
    rows: int


def evaluate(
    functions: Mapping[str, CompiledFunction], recipe: Fit
) -> tuple[Evaluation, ...]:
    """Return what validation and test of a `fit` give now, without training.

    Raises:
        TensorcError: the recipe names no function to evaluate with, or there is no
            data for it (TC0602), or as `training.fit`.
    """
    dataset = open_data(recipe)
    pairs = (
        ("validation", dataset.valid, "validate"),
        ("test", dataset.test, "test" if recipe.test else "validate"),
    )
    found = []
    for part, split, role in pairs:
        if split is None or getattr(recipe, role) is None:
            continue
        function = function_for(functions, recipe, role)
        try:
            epoch = prepare(recipe, _ROLES[part], function, split)
            run_batches(epoch, 0, epoch.batches)
        except TensorcError as error:
            raise located(error, recipe.location_of(role)) from error
        values = epoch.results[0]
        error_ = float(values.astype(np.float64).mean())
        examples = epoch.batches * epoch.batch
        share_of = examples if are_shares(values, epoch.batch) else 0
        found.append(
            Evaluation(part, function.name, error_, examples, share_of, len(split))
        )
    if not found:
        detail = "fit: there is no function to validate or test with"
        location = recipe.location
        if recipe.validate or recipe.test:
            detail = f"'{dataset.name}' has no validation or test data"
            location = recipe.location_of("data")
        raise DataError(Diagnostic("TC0602", detail, location))
    return tuple(found)


def predict(
    function: CompiledFunction, columns: Mapping[str, Array], batch: int
) -> list[Array]:
    """Return a function's results for all rows of the columns, in their order.

    It is called with `batch` rows at a time, or with as many as its types say, and
    must return a row for each.

    Raises:
        CallError: a column is missing (TC0506), or a result has no row per example
            (TC0905).
        TensorcError: what a call raises.
    """
    used = _bound(function, columns)
    count = min(len(column) for column in used.values())
    inputs = [s.argument for s in function.signature.inputs if s.argument.name in used]
    rows = inputs[0].shape[0]
    if any(r.shape[:1] != (rows,) for r in function.info.results):
        raise _no_rows(function)
    if isinstance(rows, int):
        if rows == 0 or count % rows:
            detail = f"'{function.name}' takes {rows:,} rows at a time, the data has "
            raise CallError(Diagnostic("TC0905", f"{detail}{count:,}"))
        batch = rows
    pieces: list[tuple[Array, ...]] = []
    # Without any rows one call gives the types.
    for start in range(0, max(count, 1), batch):
        stop = min(start + batch, count)
        given = function(**{name: c[start:stop] for name, c in used.items()})
        pieces.append(given if isinstance(given, tuple) else (np.asarray(given),))
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def check_rows(function: CompiledFunction) -> None:
    """Refuse, before data are read, a function with a result that has no rows.

    Raises:
        CallError: it does not return a row for each example (TC0905).
    """
    results = function.info.results
    if not results or not all(result.shape for result in results):
        raise _no_rows(function)


def _no_rows(function: CompiledFunction) -> CallError:
    detail = f"'{function.name}' does not return a row for each example"
    hint = "give it a result such as float[B, 10] for x: float[B, 784]"
    return CallError(Diagnostic("TC0905", detail, hints=(hint,)))


def _bound(
    function: CompiledFunction, columns: Mapping[str, Array]
) -> Mapping[str, Array]:
    """Return the column of each input; one column fits one input of any name.

    An input without a column has its default.
    """
    fixed = function.signature.defaults
    inputs = [
        spec
        for spec in function.signature.inputs
        if spec.argument.name in columns or spec.argument.name not in fixed
    ]
    names = [spec.argument.name for spec in inputs]
    scalars = [spec for spec in inputs if not spec.argument.shape]
    missing = [name for name in names if name not in columns]
    if len(names) == 1 and len(columns) == 1 and not scalars:
        return dict(zip(names, columns.values(), strict=True))
    if missing or scalars or not names:
        detail = f"'{function.name}' takes no data"
        if names:
            name = missing[0] if missing else scalars[0].argument.name
            detail = f"'{function.name}' takes '{name}', the data has no such column"
        raise CallError(Diagnostic("TC0506", detail, notes=(count_columns(columns),)))
    return {name: columns[name] for name in names}
