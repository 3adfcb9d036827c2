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
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tensorc.artifact import evaluate_dim
from tensorc.errors import (
    UNKNOWN,
    DataError,
    Diagnostic,
    DivergedError,
    Location,
    TensorcError,
)
from tensorc.runtime.arrays import Array, address_of, not_finite
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import Dataset, open_dataset
from tensorc.runtime.training.epoch import (
    Epoch,
    cost_of,
    diverged_hints,
    run_batches,
)
from tensorc.runtime.training.fit_state import (
    Event,
    FitState,
    OnState,
    Snapshot,
    Start,
)
from tensorc.runtime.training.history import EpochRecord, Footprint, History, Progress
from tensorc.runtime.training.keeping import Keeper, keeping
from tensorc.runtime.training.preparing import (
    are_shares,
    function_for,
    located,
    prepare,
)
from tensorc.runtime.training.recipes import FitRecipe, Patience
from tensorc.runtime.training.shuffling import Shuffled

OnEpoch = Callable[[EpochRecord], bool | None]  # True ends the training
OnProgress = Callable[[Progress], None]
OnStart = Callable[[Footprint], None]


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
    allow_nan: bool


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
    on_start: OnStart | None = None,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
    on_state: OnState | None = None,
    keeper: Keeper | None = None,
    start: Start | None = None,
    compile_seconds: float = 0.0,
    location: Location = UNKNOWN,
    allow_nan: bool = False,
) -> History:
    """Train: run `step` over the batches of the training data, epoch after epoch.

    Columns bind to arguments by name; `hypers` go to the step alone. `validate` is
    averaged over the full batches of the validation data, in float64; lower is
    better. `test` (default: `validate`) is averaged over the test data whenever
    validation is the best so far. Without `stop` training lasts `epochs` epochs and
    validates after each, or after `every` batches. `shuffle` takes the
    examples in a new order each epoch, from `seed`. `location` is where to report
    what is wrong. `on_state` hears of points where the state can be taken, and so
    does `keeper`, who writes it; training goes on from `start`, whose memory is put
    back if it fits. Training ends at the first cost (the step's first float),
    variable or validation error that is no finite number, unless `allow_nan`.

    Raises:
        TensorcError: options that fit nothing (TC0601), too little data for a batch
            (TC0602), a column that is missing (TC0506), a `start` that does not fit
            (TC0804), or a call that fails.
        DivergedError: a validation error is no number (TC0603), or the cost of a batch
            or a variable is not finite (TC0604).
        KeyboardInterrupt: within 0.2 s of Ctrl-C, after the last completed batch.
    """
    options = _Options(
        batch, epochs, stop, every, shuffle, seed, hypers, location, allow_nan
    )
    hear = _all([on_state, keeper.hear if keeper else None])
    with keeping(keeper) if keeper else nullcontext():
        run = _make_run(step, dataset, options, validate, test, hear)
        if start is not None:
            _go_on(run, start.state)
            # Only now: a run that cannot go on leaves the memory as it is.
            start.put_back()
        footprint = _footprint(run, dataset)
        if on_start:
            on_start(footprint)
        _run_epochs(run, keeper, on_epoch, on_progress)
        return _history(run, footprint, compile_seconds)


def _all(listeners: Iterable[OnState | None]) -> OnState:
    """Return one listener for all that there are, in their order."""
    present = [listener for listener in listeners if listener]

    def hear(event: Event, snapshot: Snapshot) -> None:
        for listener in present:
            listener(event, snapshot)

    return hear


def train(
    functions: Mapping[str, CompiledFunction],
    recipe: FitRecipe,
    *,
    on_start: OnStart | None = None,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
    on_state: OnState | None = None,
    keeper: Keeper | None = None,
    start: Start | None = None,
    compile_seconds: float = 0.0,
    allow_nan: bool = False,
) -> History:
    """Run a `fit` of a program; its data paths are relative to the program's file.

    Raises:
        TensorcError: as `fit` does, at the recipe's place where no better one is known.
    """
    directory = Path(recipe.location.file).parent
    dataset = open_dataset(recipe.data, directory, recipe.location)
    chosen = {
        role: function_for(functions, role, name, recipe.location)
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
            on_start=on_start,
            on_epoch=on_epoch,
            on_progress=on_progress,
            on_state=on_state,
            keeper=keeper,
            start=start,
            compile_seconds=compile_seconds,
            location=recipe.location,
            allow_nan=allow_nan,
        )
    except TensorcError as error:
        raise located(error, recipe.location) from error


@dataclass(slots=True)
class _Run:
    """The state of a training run: what the tutorial keeps in local variables.

    `position` batches of epoch `epoch` are done; `pending` tells that what follows the
    last of them is not. `started` is when this epoch began, or would have begun if
    training had not been stopped since.
    """

    options: _Options
    training: Epoch
    validation: Epoch | None
    test: Epoch | None
    shuffled: Shuffled | None
    frequency: int
    patience: float
    hear: OnState
    epoch: int = 1
    position: int = 0
    pending: bool = False
    best: float = math.inf
    error: float | None = None
    test_error: float | None = None
    is_fraction: bool = True
    done: bool = False
    steps: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    started: float = 0.0
    records: list[EpochRecord] = field(default_factory=list)

    def is_over(self) -> bool:
        """Tell whether all is done; an epoch that has begun is always ended."""
        at_end = self.done or len(self.records) >= self.options.epochs
        return at_end and not self.position

    def snapshot(self) -> FitState:
        """Return the state after the last batch."""
        shuffled = self.shuffled
        order = None
        if shuffled:
            order = shuffled.before if self.position else shuffled.state()
        return FitState(
            epoch=self.epoch,
            position=self.position,
            pending=self.pending,
            done=self.done,
            best=self.best,
            patience=self.patience,
            test_error=self.test_error,
            error=self.error,
            is_fraction=self.is_fraction,
            steps=self.steps,
            seconds=self.seconds + self.training.spent,
            elapsed=time.perf_counter() - self.started if self.position else 0.0,
            sizes=_sizes(self),
            costs=_costs(self.training, self.position),
            order=order,
            records=tuple(self.records),
        )


def _make_run(
    step: CompiledFunction,
    dataset: Dataset,
    options: _Options,
    validate: CompiledFunction | None,
    test: CompiledFunction | None,
    hear: OnState,
) -> _Run:
    _check_options(options, validate)
    batch, place = options.batch, options.location
    training = prepare(step, dataset.train, batch, "training", place, options.hypers)
    validation = tested = None
    if validate:
        if dataset.valid is None:
            detail = f"'{dataset.name}' has no validation data for '{validate.name}'"
            raise DataError(Diagnostic("TC0602", detail, options.location))
        validation = prepare(validate, dataset.valid, batch, "validation", place)
        if dataset.test is not None:
            tested = prepare(test or validate, dataset.test, batch, "test", place)
    batches = training.batches
    patience = options.stop.patience if options.stop else math.inf
    frequency = batches if math.isinf(patience) else min(batches, int(patience) // 2)
    return _Run(
        options,
        training,
        validation,
        tested,
        training.shuffle(options.seed) if options.shuffle else None,
        frequency=options.every or max(1, frequency),
        patience=patience,
        hear=hear,
    )


def _history(run: _Run, footprint: Footprint, compile_seconds: float) -> History:
    seconds = run.seconds + run.training.spent
    best = run.best if math.isfinite(run.best) else None
    return History(
        tuple(run.records),
        best_validation_error=best,
        test_error=run.test_error,
        steps_per_second=run.steps / seconds if seconds else 0.0,
        compile_seconds=compile_seconds,
        validation_examples=_examples(run.validation),
        test_examples=_examples(run.test),
        is_fraction=run.is_fraction and best is not None,
        stopped_early=run.done,
        footprint=footprint,
    )


def _footprint(run: _Run, dataset: Dataset) -> Footprint:
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
    places = {address_of(a): a.nbytes for a in held}
    return Footprint(
        info.name,
        training.batch,
        info.kernels,
        evaluate_dim(info.flops, symbols),
        plan.arena,
        sum(places.values()),
        tuple(_left_out(run, dataset)),
    )


def _left_out(run: _Run, dataset: Dataset) -> Iterator[tuple[str, int, int]]:
    """Yield the parts that are validated without their last rows."""
    pairs = ((run.validation, dataset.valid), (run.test, dataset.test))
    for name, (epoch, split) in zip(("validation", "test"), pairs, strict=True):
        if epoch and split and len(split) > _examples(epoch):
            yield name, len(split) - _examples(epoch), len(split)


def _go_on(run: _Run, start: FitState) -> None:
    """Set a run to a state of an earlier one, or say why that cannot be."""
    batches = run.training.batches
    wrong = ""
    if start.sizes != _sizes(run):
        wrong = f"{_spell_sizes(run)} batches of training, validation and test data "
        wrong += f"here, {', '.join(map(str, start.sizes))} there"
    elif (start.order is None) != (run.shuffled is None):
        wrong = "shuffled examples in one of both only"
    elif start.position > batches or len(start.records) != start.epoch - 1:
        wrong = f"{start.position:,} batches of epoch {start.epoch:,} there"
    elif (costs := _costs(run.training, start.position)) is not None and (
        start.costs is None
        or (start.costs.shape, start.costs.dtype) != (costs.shape, costs.dtype)
    ):
        wrong = "the costs of the batches are missing there"
    elif start.epoch - (not start.position) > run.options.epochs:
        wrong = f"epochs is {run.options.epochs:,}, and it has reached epoch "
        wrong += f"{start.epoch - (not start.position):,}"
    if wrong:
        detail = f"training cannot go on from the checkpoint: {wrong}"
        raise TensorcError(Diagnostic("TC0804", detail, run.options.location))
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


def _run_epochs(
    run: _Run,
    keeper: Keeper | None,
    on_epoch: OnEpoch | None,
    on_progress: OnProgress | None,
) -> None:
    infinite = frozenset(_not_finite(run))  # on purpose
    if keeper:
        keeper.infinite = infinite
    while not run.is_over():
        _run_epoch(run, on_progress)
        _check_memory(run, infinite)
        if on_epoch and _ends(run, on_epoch):
            run.done = True
    run.hear("end", run.snapshot)


def _run_epoch(run: _Run, on_progress: OnProgress | None) -> None:
    """Run an epoch, or the rest of one that has begun; keep its record."""
    batches = run.training.batches
    before = (run.epoch - 1) * batches
    run.started = time.perf_counter() - run.elapsed
    until = run.position
    if run.shuffled:
        run.shuffled.reorder()

    def report(done: int) -> None:
        run.steps += done - run.position
        run.position = done
        run.pending = done == until
        if on_progress:
            cost = _train_cost(run.training, done)
            on_progress(Progress(run.epoch, done, batches, cost))
        run.hear("slice", run.snapshot)

    while True:
        if run.pending:
            _after_batch(run, before + run.position - 1)
        if run.position >= batches or run.done:
            break
        until = min(batches, _next_event(run, before + run.position) - before)
        watched = 0 if run.options.allow_nan else run.epoch
        run_batches(run.training, run.position, until, report, watched)
    record = EpochRecord(
        run.epoch,
        _train_cost(run.training, run.position),
        run.error,
        time.perf_counter() - run.started,
        _examples(run.validation) if run.is_fraction and run.error is not None else 0,
    )
    run.records.append(record)
    run.epoch, run.position, run.error, run.elapsed = run.epoch + 1, 0, None, 0.0


def _ends(run: _Run, on_epoch: OnEpoch) -> bool:
    """Report an epoch; what it gave is kept if that fails."""
    try:
        return bool(on_epoch(run.records[-1]))
    except BaseException:
        run.hear("end", run.snapshot)
        raise


def _not_finite(run: _Run) -> list[str]:
    shared = run.training.function.shared
    return not_finite({n: cell.get_value(borrow=True) for n, cell in shared.items()})


def _check_memory(run: _Run, infinite: Container[str]) -> None:
    """Raise TC0604 for a variable that has become NaN or infinite.

    A cost need not show it: it may read no place that is lost.
    """
    if run.options.allow_nan:
        return
    for name in _not_finite(run):
        if name not in infinite:
            message = f"'{name}' holds what is no finite number after epoch "
            message += f"{run.records[-1].epoch:,}, though each cost is finite"
            place, hints = run.options.location, diverged_hints()
            raise DivergedError(Diagnostic("TC0604", message, place, hints=hints))


def _after_batch(run: _Run, iteration: int) -> None:
    """Do what follows a batch: steps 2 and 3 of the loop."""
    event: Event = "slice"
    if run.validation and (iteration + 1) % run.frequency == 0:
        event = _validate(run, run.validation, iteration)
    run.done = run.patience <= iteration
    run.pending = False
    if event != "slice":
        run.hear(event, run.snapshot)


def _next_event(run: _Run, iteration: int) -> int:
    """Return the first batch after `iteration` before which there is work to do."""
    validation = (iteration // run.frequency + 1) * run.frequency
    if math.isinf(run.patience):
        return validation
    # The first batch i with patience <= i is still run.
    return min(validation, max(iteration, math.ceil(run.patience)) + 1)


def _validate(run: _Run, validation: Epoch, iteration: int) -> Event:
    """Validate, and update best, patience and test error: step 2 of the loop.

    The run changes at the end, all at once: a state that is taken before validates
    again.
    """
    error, is_fraction = _mean_result(run, validation)
    if math.isnan(error) and not run.options.allow_nan:
        name = validation.function.name
        raise DivergedError(
            Diagnostic(
                "TC0603",
                f"validation by '{name}' gave nan in epoch {run.epoch}",
                run.options.location,
                notes=(
                    "the training diverged, or the data holds what is not a number",
                ),
                hints=diverged_hints(),
            )
        )
    is_best = error < run.best
    tested = _mean_result(run, run.test)[0] if is_best and run.test else run.test_error
    run.error = error
    run.is_fraction = run.is_fraction and is_fraction
    if not is_best:
        return "validation"
    stop = run.options.stop
    if stop and error < run.best * stop.threshold:
        run.patience = max(run.patience, iteration * stop.increase)
    run.best, run.test_error = error, tested
    return "best"


def _mean_result(run: _Run, epoch: Epoch) -> tuple[float, bool]:
    """Run all batches; return the mean in float64, and whether all are shares."""
    run_batches(epoch, 0, epoch.batches, lambda _: run.hear("slice", run.snapshot))
    values = epoch.results[0]
    mean = float(values.astype(np.float64).mean())
    return mean, are_shares(values, epoch.batch)


def _train_cost(training: Epoch, batches: int) -> float | None:
    costs = _costs(training, batches)
    return None if costs is None else float(costs.astype(np.float64).mean())


def _costs(training: Epoch, batches: int) -> Array | None:
    """Return what the step gave for each batch; None if that is no number."""
    cost = cost_of(training.function.info)
    return None if cost is None else training.results[cost][:batches].copy()


def _sizes(run: _Run) -> tuple[int, int, int]:
    validation, test = run.validation, run.test
    return (
        run.training.batches,
        validation.batches if validation else 0,
        test.batches if test else 0,
    )


def _spell_sizes(run: _Run) -> str:
    return ", ".join(map(str, _sizes(run)))


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


def _examples(epoch: Epoch | None) -> int:
    return epoch.batches * epoch.batch if epoch else 0
