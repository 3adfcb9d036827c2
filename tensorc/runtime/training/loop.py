"""The loop of minibatch training, with early stopping, in the tutorials' exact order.

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
from collections.abc import Callable, Container
from dataclasses import dataclass, field

import numpy as np

from tensorc.errors import Diagnostic, DivergedError
from tensorc.recipes import Fit
from tensorc.runtime.arrays import Array, not_finite
from tensorc.runtime.training.epoch import (
    Epoch,
    cost_of,
    diverged_hints,
    run_batches,
)
from tensorc.runtime.training.fit_state import Event, FitState, OnState
from tensorc.runtime.training.history import EpochRecord, Progress
from tensorc.runtime.training.keeping import Keeper
from tensorc.runtime.training.preparing import are_shares
from tensorc.runtime.training.shuffling import Shuffled

OnEpoch = Callable[[EpochRecord], bool | None]  # True ends the training
OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class TrainingState:
    """The state of a training run: what the tutorial keeps in local variables.

    `position` batches of epoch `epoch` are done; `pending` tells that what follows the
    last of them is not. `started` is when this epoch began, or would have begun if
    training had not been stopped since.
    """

    recipe: Fit
    allow_nan: bool
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
        at_end = self.done or len(self.records) >= self.recipe.epochs
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
            sizes=self.sizes(),
            costs=costs_of(self.training, self.position),
            order=order,
            records=tuple(self.records),
        )

    def sizes(self) -> tuple[int, int, int]:
        """Return the batches of training, validation and test data."""
        validation, test = self.validation, self.test
        return (
            self.training.batches,
            validation.batches if validation else 0,
            test.batches if test else 0,
        )


def run_epochs(
    run: TrainingState,
    keeper: Keeper | None,
    on_epoch: OnEpoch | None,
    on_progress: OnProgress | None,
) -> None:
    """Run all epochs that are left, and report them.

    Raises:
        DivergedError: as `fit`.
    """
    infinite = frozenset(_not_finite(run))  # on purpose
    if keeper:
        keeper.infinite = infinite
    while not run.is_over():
        _run_epoch(run, on_progress)
        _check_memory(run, infinite)
        if on_epoch and _ends(run, on_epoch):
            run.done = True
    run.hear("end", run.snapshot)


def _run_epoch(run: TrainingState, on_progress: OnProgress | None) -> None:
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
        watched = 0 if run.allow_nan else run.epoch
        run_batches(run.training, run.position, until, report, watched)
    record = EpochRecord(
        run.epoch,
        _train_cost(run.training, run.position),
        run.error,
        time.perf_counter() - run.started,
        examples_of(run.validation) if run.is_fraction and run.error is not None else 0,
    )
    run.records.append(record)
    run.epoch, run.position, run.error, run.elapsed = run.epoch + 1, 0, None, 0.0


def _ends(run: TrainingState, on_epoch: OnEpoch) -> bool:
    """Report an epoch; what it gave is kept if that fails."""
    try:
        return bool(on_epoch(run.records[-1]))
    except BaseException:
        run.hear("end", run.snapshot)
        raise


def _not_finite(run: TrainingState) -> list[str]:
    shared = run.training.function.shared
    return not_finite({n: cell.get_value(borrow=True) for n, cell in shared.items()})


def _check_memory(run: TrainingState, infinite: Container[str]) -> None:
    """Raise TC0604 for a variable that has become NaN or infinite.

    A cost need not show it: it may read no element that is lost.
    """
    if run.allow_nan:
        return
    for name in _not_finite(run):
        if name not in infinite:
            message = f"'{name}' holds what is no finite number after epoch "
            message += f"{run.records[-1].epoch:,}, though each cost is finite"
            location, hints = run.recipe.location_of("step"), diverged_hints()
            raise DivergedError(Diagnostic("TC0604", message, location, hints=hints))


def _after_batch(run: TrainingState, iteration: int) -> None:
    """Do what follows a batch: steps 2 and 3 of the loop."""
    event: Event = "slice"
    if run.validation and (iteration + 1) % run.frequency == 0:
        event = _validate(run, run.validation, iteration)
    run.done = run.patience <= iteration
    run.pending = False
    if event != "slice":
        run.hear(event, run.snapshot)


def _next_event(run: TrainingState, iteration: int) -> int:
    """Return the first batch after `iteration` before which there is work to do."""
    validation = (iteration // run.frequency + 1) * run.frequency
    if math.isinf(run.patience):
        return validation
    # The first batch i with patience <= i is still run.
    return min(validation, max(iteration, math.ceil(run.patience)) + 1)


def _validate(run: TrainingState, validation: Epoch, iteration: int) -> Event:
    """Validate, and update best, patience and test error: step 2 of the loop.

    The run changes at the end, all at once: a state that is taken before validates
    again.
    """
    error, is_fraction = _mean_result(run, validation)
    if math.isnan(error) and not run.allow_nan:
        name = validation.function.name
        raise DivergedError(
            Diagnostic(
                "TC0603",
                f"validation by '{name}' gave nan in epoch {run.epoch}",
                run.recipe.location_of("validate"),
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
    stop = run.recipe.stop
    if stop and error < run.best * stop.threshold:
        run.patience = max(run.patience, iteration * stop.increase)
    run.best, run.test_error = error, tested
    return "best"


def _mean_result(run: TrainingState, epoch: Epoch) -> tuple[float, bool]:
    """Run all batches; return the mean in float64, and whether all are shares."""
    run_batches(epoch, 0, epoch.batches, lambda _: run.hear("slice", run.snapshot))
    values = epoch.results[0]
    mean = float(values.astype(np.float64).mean())
    return mean, are_shares(values, epoch.batch)


def _train_cost(training: Epoch, batches: int) -> float | None:
    costs = costs_of(training, batches)
    return None if costs is None else float(costs.astype(np.float64).mean())


def costs_of(training: Epoch, batches: int) -> Array | None:
    """Return what the step gave for each batch; None if that is no number."""
    cost = cost_of(training.function.info)
    return None if cost is None else training.results[cost][:batches].copy()


def examples_of(epoch: Epoch | None) -> int:
    """Return the examples in the full batches of a part of the data."""
    return epoch.batches * epoch.batch if epoch else 0
