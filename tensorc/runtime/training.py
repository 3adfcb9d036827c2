"""Minibatch training with early stopping by patience, in the tutorials' exact order.

The loop, with the batches counted from 0 in `i` (deeplearning.net, logistic_sgd):

  1. Run batch i.
  2. If (i + 1) is a multiple of the validation frequency, validate. If the error is
     below threshold * best, patience = max(patience, i * increase). If it is below the
     best, it is the best, and the test error is computed.
  3. If patience <= i, stop.

Between two validations nothing can change, so these batches run in one native call, or
a few. Parameters stay as the last batch left them: the rule does not restore the best.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.errors import UNKNOWN, DataError, Diagnostic, Location, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.data import Dataset, Split, open_dataset
from tensorc.runtime.epoch import Epoch, prepare_epoch, run_batches
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.history import EpochRecord, History
from tensorc.runtime.recipes import FitRecipe, Patience

OnEpoch = Callable[[EpochRecord], bool | None]  # True ends the training
# Epoch (from 1), batches done in it, batches in it.
OnProgress = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class _Options:
    batch: int
    epochs: int
    stop: Patience | None
    every: int | None
    shuffle: bool
    seed: int
    hypers: Mapping[str, object] | None
    location: Location


def fit(
    step: CompiledFunction,
    dataset: Dataset,
    *,
    batch: int,
    epochs: int,
    validate: CompiledFunction | None = None,
    test: CompiledFunction | None = None,
    stop: Patience | None = None,
    every: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    hypers: Mapping[str, object] | None = None,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
    compile_seconds: float = 0.0,
    location: Location = UNKNOWN,
) -> History:
    """Train: run `step` over the batches of the training data, epoch after epoch.

    Columns bind to arguments by name. `validate` is averaged over the full batches of
    the validation data, in float64; lower is better. `test` (default: `validate`) is
    averaged over the test data whenever validation is the best so far. Without `stop`
    training lasts `epochs` epochs and validates after each, or after every `every`
    batches. `shuffle` takes the examples in a new order each epoch, from `seed`.
    `hypers` go to the step alone. `location` is where to report what is wrong.

    Raises:
        TensorcError: options that fit nothing (TC0601), too little data for a batch
            (TC0602), a column that is missing (TC0506), a validation error that is not
            a number (TC0603), or whatever a call raises.
        KeyboardInterrupt: within 0.2 s of Ctrl-C, after the last completed batch.
    """
    options = _Options(batch, epochs, stop, every, shuffle, seed, hypers, location)
    _check_options(options, validate)
    run = _make_run(step, dataset, options, validate, test)
    records: list[EpochRecord] = []
    while len(records) < epochs and not run.done:
        record = _run_epoch(run, len(records) + 1, on_progress)
        records.append(record)
        if on_epoch and on_epoch(record):
            run.done = True
    best = run.best if math.isfinite(run.best) else None
    return History(
        tuple(records),
        best_validation_error=best,
        test_error=run.test_error,
        steps_per_second=run.steps / run.seconds if run.seconds else 0.0,
        compile_seconds=compile_seconds,
        validation_examples=_examples(run.validation),
        test_examples=_examples(run.test),
        is_fraction=run.is_fraction and best is not None,
        stopped_early=run.done,
    )


def train(
    functions: Mapping[str, CompiledFunction],
    recipe: FitRecipe,
    *,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
    compile_seconds: float = 0.0,
) -> History:
    """Run a `fit` of a program; its data paths are relative to the program's file.

    Raises:
        TensorcError: as `fit` does, at the recipe's place where no better one is known.
    """
    directory = Path(recipe.location.file).parent
    dataset = open_dataset(recipe.data, directory, recipe.location)
    chosen = {
        role: _function(functions, role, name, recipe.location)
        for role, name in (
            ("step", recipe.step),
            ("validate", recipe.validate),
            ("test", recipe.test),
        )
        if name is not None
    }
    try:
        return fit(
            chosen["step"],
            dataset,
            batch=recipe.batch,
            epochs=recipe.epochs,
            validate=chosen.get("validate"),
            test=chosen.get("test"),
            stop=recipe.stop,
            every=recipe.every,
            shuffle=recipe.shuffle,
            seed=recipe.seed or 0,
            on_epoch=on_epoch,
            on_progress=on_progress,
            compile_seconds=compile_seconds,
            location=recipe.location,
        )
    except TensorcError as error:
        raise _located(error, recipe.location) from error


@dataclass(slots=True)
class _Run:
    """The state of a training run: what the tutorial keeps in local variables."""

    options: _Options
    training: Epoch
    validation: Epoch | None
    test: Epoch | None
    shuffled: "_Shuffled | None"
    frequency: int
    patience: float
    best: float = math.inf
    test_error: float | None = None
    is_fraction: bool = True
    done: bool = False
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Shuffled:
    """Columns in the order of the data, and those that the step reads."""

    sources: tuple[Array, ...]
    columns: tuple[Array, ...]
    generator: np.random.Generator

    def reorder(self) -> None:
        """Fill the columns with the rows in a new order."""
        order = self.generator.permutation(min(len(s) for s in self.sources))
        for source, column in zip(self.sources, self.columns, strict=True):
            # Clipping changes nothing here, but spares NumPy a copy of the result.
            np.take(source, order, axis=0, out=column[: len(order)], mode="clip")


def _make_run(
    step: CompiledFunction,
    dataset: Dataset,
    options: _Options,
    validate: CompiledFunction | None,
    test: CompiledFunction | None,
) -> _Run:
    split = dataset.train
    shuffled = None
    if options.shuffle:
        split = Split({name: column.copy() for name, column in split.columns.items()})
    training = _prepare(step, split, options, "training", options.hypers)
    if options.shuffle:
        sources = tuple(column.copy() for column in training.columns)
        generator = np.random.Generator(np.random.Philox(options.seed))
        shuffled = _Shuffled(sources, training.columns, generator)
    validation = tested = None
    if validate:
        if dataset.valid is None:
            detail = f"'{dataset.name}' has no validation data for '{validate.name}'"
            raise DataError(Diagnostic("TC0602", detail, options.location))
        validation = _prepare(validate, dataset.valid, options, "validation")
        if dataset.test is not None:
            tested = _prepare(test or validate, dataset.test, options, "test")
    batches = training.batches
    patience = options.stop.patience if options.stop else math.inf
    frequency = batches if math.isinf(patience) else min(batches, int(patience) // 2)
    return _Run(
        options,
        training,
        validation,
        tested,
        shuffled,
        frequency=options.every or max(1, frequency),
        patience=patience,
    )


def _run_epoch(run: _Run, number: int, on_progress: OnProgress | None) -> EpochRecord:
    start = time.perf_counter()
    batches = run.training.batches
    before = (number - 1) * batches
    position = 0
    error = None
    if run.shuffled:
        run.shuffled.reorder()

    def report(done: int) -> None:
        if on_progress:
            on_progress(number, done, batches)

    while position < batches and not run.done:
        until = min(batches, _next_event(run, before + position) - before)
        run.seconds += run_batches(run.training, position, until, report)
        run.steps += until - position
        position = until
        iteration = before + position - 1
        if run.validation and (iteration + 1) % run.frequency == 0:
            error = _validate(run, run.validation, iteration, number)
        run.done = run.patience <= iteration
    return EpochRecord(
        number,
        _train_cost(run.training, position),
        error,
        time.perf_counter() - start,
        _examples(run.validation) if run.is_fraction and error is not None else 0,
    )


def _next_event(run: _Run, iteration: int) -> int:
    """Return the first batch after `iteration` before which there is work to do."""
    validation = (iteration // run.frequency + 1) * run.frequency
    if math.isinf(run.patience):
        return validation
    # The first batch i with patience <= i is still run.
    return min(validation, max(iteration, math.ceil(run.patience)) + 1)


def _validate(run: _Run, validation: Epoch, iteration: int, number: int) -> float:
    """Validate, and update best, patience and test error: steps 2 of the loop."""
    error, is_fraction = _mean_result(validation)
    run.is_fraction = run.is_fraction and is_fraction
    if math.isnan(error):
        name = validation.function.name
        raise TensorcError(
            Diagnostic(
                "TC0603",
                f"validation by '{name}' gave nan in epoch {number}",
                run.options.location,
                notes=("the training diverged, or the data holds what is no number",),
                hints=("try smaller steps: --set lr=…",),
            )
        )
    if error < run.best:
        stop = run.options.stop
        if stop and error < run.best * stop.threshold:
            run.patience = max(run.patience, iteration * stop.increase)
        run.best = error
        if run.test:
            run.test_error, _ = _mean_result(run.test)
    return error


def _mean_result(epoch: Epoch) -> tuple[float, bool]:
    """Run all batches; return the mean in float64, and whether all are shares."""
    run_batches(epoch, 0, epoch.batches)
    values = epoch.results[0]
    mean = float(values.astype(np.float64).mean())
    return mean, are_shares(values, epoch.batch)


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


def _train_cost(training: Epoch, batches: int) -> float | None:
    if not training.results or training.function.info.results[0].shape:
        return None
    return float(training.results[0][:batches].astype(np.float64).mean())


def _prepare(
    function: CompiledFunction,
    split: Split,
    options: _Options,
    purpose: str,
    hypers: Mapping[str, object] | None = None,
) -> Epoch:
    batch = options.batch
    if len(split) < batch:
        raise DataError(
            Diagnostic(
                "TC0602",
                f"the {purpose} data has {len(split):,} examples, a batch {batch:,}",
                options.location,
                hints=(f"use smaller batches: --set batch={max(1, len(split))}",),
            )
        )
    if purpose != "training" and [r.shape for r in function.info.results] != [()]:
        detail = f"'{function.name}' must return one number for {purpose}"
        raise TensorcError(Diagnostic("TC0601", detail, options.location))
    return prepare_epoch(function, split.columns, batch, hypers)


def _check_options(options: _Options, validate: CompiledFunction | None) -> None:
    wrong = ""
    if options.batch < 1:
        wrong = f"batch is {options.batch}, at least 1 is expected"
    elif options.epochs < 1:
        wrong = f"epochs is {options.epochs}, at least 1 is expected"
    elif options.every is not None and options.every < 1:
        wrong = f"every is {options.every}, at least 1 is expected"
    elif options.seed < 0:
        wrong = f"seed is {options.seed}, at least 0 is expected"
    elif options.stop and validate is None:
        wrong = "'stop' needs 'validate': patience follows the validation error"
    elif options.stop and not options.stop.patience >= 1:
        wrong = f"patience is {options.stop.patience}, at least 1 is expected"
    if wrong:
        raise TensorcError(Diagnostic("TC0601", f"fit: {wrong}", options.location))


def _function(
    functions: Mapping[str, CompiledFunction],
    role: str,
    name: str,
    location: Location,
) -> CompiledFunction:
    if name not in functions:
        known = ", ".join(f"'{known}'" for known in functions)
        detail = f"fit: {role} = {name}, but there is no such function"
        raise TensorcError(
            Diagnostic("TC0601", detail, location, notes=(f"there are {known}",))
        )
    return functions[name]


def _examples(epoch: Epoch | None) -> int:
    return epoch.batches * epoch.batch if epoch else 0


def _located(error: TensorcError, location: Location) -> TensorcError:
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
