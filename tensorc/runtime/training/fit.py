"""Minibatch training: a `Fit` is made ready and run, and a `History` reports it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext

import numpy as np

from tensorc.artifact import evaluate_dim
from tensorc.errors import DataError, Diagnostic, TensorcError, way
from tensorc.recipes import RANDOM_STATE, Fit
from tensorc.runtime.arrays import address_of
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import Dataset
from tensorc.runtime.training.epoch import cost_of
from tensorc.runtime.training.fit_state import (
    Event,
    FitState,
    OnState,
    Snapshot,
    Start,
)
from tensorc.runtime.training.history import Footprint, History
from tensorc.runtime.training.keeping import Keeper, keeping
from tensorc.runtime.training.loop import (
    OnEpoch,
    OnProgress,
    TrainingState,
    costs_of,
    examples_of,
    run_epochs,
)
from tensorc.runtime.training.preparing import Roles, located, prepare

OnStart = Callable[[Footprint], None]


def fit(
    recipe: Fit,
    functions: Roles,
    dataset: Dataset,
    *,
    hypers: Mapping[str, object] | None = None,
    on_start: OnStart | None = None,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
    on_state: OnState | None = None,
    keeper: Keeper | None = None,
    start: Start | None = None,
    compile_seconds: float = 0.0,
    allow_nan: bool = False,
) -> History:
    """Train: run a step over the batches of the training data, epoch after epoch.

    Columns bind to arguments by name; `hypers` go to the step alone. What validates is
    averaged over the full batches of the validation data, in float64; lower is better.
    What tests (by default the same) is averaged over the test data whenever validation
    is the best so far. `on_state` hears of points where the state can be taken, and so
    does `keeper`, who writes it; training goes on from `start`, whose memory is put
    back if it fits. Training ends at the first cost (the step's first float), variable
    or validation error that is no finite number, unless `allow_nan`.

    Raises:
        TensorcError: too little data for a batch (TC0602), a column that is missing
            (TC0506), a `start` that does not fit (TC0804), a function that returns not
            just one number (TC0601), or a call that fails; at the options of the
            recipe where no better location is known.
        DivergedError: a validation error is no number (TC0603), or the cost of a batch
            or a variable is not finite (TC0604).
        KeyboardInterrupt: within 0.2 s of Ctrl-C, after the last completed batch.
    """
    hear = _all([on_state, keeper.hear if keeper else None])
    with keeping(keeper) if keeper else nullcontext():
        run = _make_run(recipe, functions, dataset, hypers, hear, allow_nan)
        if start is not None:
            _go_on(run, start.state)
            # Only now: a run that cannot go on leaves the memory as it is.
            start.put_back()
        else:
            _seed_draws(functions.step, recipe.seed)
        footprint = _footprint(run, dataset)
        if on_start:
            on_start(footprint)
        try:
            run_epochs(run, keeper, on_epoch, on_progress)
        except TensorcError as error:
            raise located(error, recipe.location_of("step")) from error
        return _history(run, footprint, compile_seconds)


def _seed_draws(step: CompiledFunction, seed: int) -> None:
    """Let what a step of a file draws begin with the seed of the recipe."""
    state = step.shared.get(RANDOM_STATE)
    if state is not None:
        state.set_value(np.array([seed % 2**64, 0], np.uint64))


def _all(listeners: Iterable[OnState | None]) -> OnState:
    """Return one listener for all that there are, in their order."""
    present = [listener for listener in listeners if listener]

    def hear(event: Event, snapshot: Snapshot) -> None:
        for listener in present:
            listener(event, snapshot)

    return hear


def _make_run(
    recipe: Fit,
    functions: Roles,
    dataset: Dataset,
    hypers: Mapping[str, object] | None,
    hear: OnState,
    allow_nan: bool,
) -> TrainingState:
    if allow_nan and functions.step.origin.is_checked():
        both = f"{way('check_nan=True', '--check-nan')} ends where a number is lost, "
        both += f"{way('allow_nan=True', '--allow-nan')} goes on"
        hints = ("leave one of them out",)
        raise TensorcError(Diagnostic("TC0601", both, hints=hints))
    training = prepare(recipe, "step", functions.step, dataset.train, hypers)
    validation = tested = None
    if validate := functions.validate:
        if dataset.valid is None:
            detail = f"'{dataset.name}' has no validation data for '{validate.name}'"
            given = "they are a reader's second: arrays(train, valid={…}), csv(a, b)"
            without = "without them leave out validate="
            at = recipe.location_of("validate")
            raise DataError(Diagnostic("TC0602", detail, at, hints=(given, without)))
        validation = prepare(recipe, "validate", validate, dataset.valid)
        if dataset.test is not None:
            tested = prepare(recipe, "test", functions.test or validate, dataset.test)
    batches = training.batches
    patience = recipe.stop.steps if recipe.stop else math.inf
    frequency = batches if math.isinf(patience) else min(batches, int(patience) // 2)
    return TrainingState(
        recipe,
        allow_nan,
        training,
        validation,
        tested,
        training.shuffle(recipe.seed) if recipe.shuffle else None,
        frequency=recipe.every or max(1, frequency),
        patience=patience,
        hear=hear,
    )


def _history(
    run: TrainingState, footprint: Footprint, compile_seconds: float
) -> History:
    seconds = run.seconds + run.training.spent
    best = run.best if math.isfinite(run.best) else None
    return History(
        tuple(run.records),
        best_validation_error=best,
        test_error=run.test_error,
        steps_per_second=run.steps / seconds if seconds else 0.0,
        compile_seconds=compile_seconds,
        validation_examples=examples_of(run.validation),
        test_examples=examples_of(run.test),
        is_fraction=run.is_fraction and best is not None,
        stopped_early=run.done,
        footprint=footprint,
    )


def _footprint(run: TrainingState, dataset: Dataset) -> Footprint:
    """Return what the step costs at the batch size, and the bytes of all data."""
    training = run.training
    info, plan = training.function.info, training.frame.plan
    assert plan is not None
    symbols = dict(zip(info.symbols, plan.symbols, strict=True))
    held = [a for e in (training, run.validation, run.test) if e for a in e.columns]
    for split in (dataset.train, dataset.valid, dataset.test):
        held += split.columns.values() if split else ()
    if run.shuffled:
        held += run.shuffled.windows
    sizes = {address_of(a): a.nbytes for a in held}
    return Footprint(
        info.name,
        training.batch,
        info.kernels,
        evaluate_dim(info.flops, symbols),
        plan.arena,
        sum(sizes.values()),
        tuple(_left_out(run, dataset)),
    )


def _left_out(run: TrainingState, dataset: Dataset) -> Iterator[tuple[str, int, int]]:
    """Yield the parts that are validated without their last rows."""
    pairs = ((run.validation, dataset.valid), (run.test, dataset.test))
    for name, (epoch, split) in zip(("validation", "test"), pairs, strict=True):
        if epoch and split and len(split) > examples_of(epoch):
            yield name, len(split) - examples_of(epoch), len(split)


def _go_on(run: TrainingState, start: FitState) -> None:
    """Set a run to a state of an earlier one, or say why that cannot be."""
    batches = run.training.batches
    wrong, location = "", run.recipe.location
    if start.sizes != run.sizes():
        here, there = (", ".join(map(str, s)) for s in (run.sizes(), start.sizes))
        wrong = (
            f"{here} batches of training, validation and test data here, {there} there"
        )
    elif (start.order is None) != (run.shuffled is None):
        wrong = "shuffled examples in one of both only"
    elif start.position > batches or len(start.records) != start.epoch - 1:
        wrong = f"{start.position:,} batches of epoch {start.epoch:,} there"
    elif (costs := costs_of(run.training, start.position)) is not None and (
        start.costs is None
        or (start.costs.shape, start.costs.dtype) != (costs.shape, costs.dtype)
    ):
        wrong = "the costs of the batches are missing there"
    elif start.epoch - (not start.position) > run.recipe.epochs:
        location = run.recipe.location_of("epochs")
        wrong = f"epochs is {run.recipe.epochs:,}, and it has reached epoch "
        wrong += f"{start.epoch - (not start.position):,}"
    if wrong:
        detail = f"training cannot go on from the checkpoint: {wrong}"
        raise TensorcError(Diagnostic("TC0804", detail, location))
    for name in _KEPT:
        setattr(run, name, getattr(start, name))
    run.records = list(start.records)
    if start.costs is not None:
        cost = cost_of(run.training.function.info)
        assert cost is not None  # as `_costs` says
        run.training.results[cost][: start.position] = start.costs
    if run.shuffled and start.order is not None:
        run.shuffled.go_back(start.order)


_KEPT = (
    *("epoch", "position", "pending", "done", "best", "patience", "test_error"),
    *("error", "is_fraction", "steps", "seconds", "elapsed"),
)
