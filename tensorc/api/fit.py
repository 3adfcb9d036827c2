"""Train from Python: `fit` with the driver of `.tc` files, `patience`, `data`.

history = tc.fit(train, tc.data.mnist("data/mnist"), batch=600, epochs=100,
                 validate=error, stop=tc.patience(5000))
"""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path

from tensorc.api.batched import Numbers, Trainable, ready
from tensorc.api.data import split
from tensorc.api.kept_runs import (
    Kept,
    OnEpoch,
    checked,
    epoch_callback,
    read_kept,
    resumable,
    warn_anew,
    warn_differences,
    warn_left_out,
    wrong_value,
)
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    UsageError,
    door,
    outside,
    usage_error,
)
from tensorc.frontend.python.describing import describe, plain_number
from tensorc.recipes import (
    INCREASE,
    OPTIONS,
    PATIENCE,
    SECONDS,
    THRESHOLD,
    DataCall,
    Fit,
    Patience,
    wrong_patience,
)
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import fit as training
from tensorc.runtime.training.checkpoint import (
    About,
    Checkpoint,
    compare,
    read_checkpoint,
)
from tensorc.runtime.training.content import digest_of_data
from tensorc.runtime.training.data import Dataset
from tensorc.runtime.training.history import EpochRecord, History
from tensorc.runtime.training.keeping import Keeper, find_last
from tensorc.runtime.training.preparing import Roles


@door
def patience(
    steps: int, increase: float = INCREASE, threshold: float = THRESHOLD
) -> Patience:
    """Stop early: train at least `steps` batches, longer while it gets better.

    When the validation error falls below `threshold` times the best so far at batch i,
    training goes on to batch i * `increase` at least.

    Raises:
        TypeError: an argument is no number.
        ValueError: `steps` or `increase` is below 1 or not finite, or `threshold` is
            not above 0 and at most 1.
    """
    given = {"steps": steps, "increase": increase, "threshold": threshold}
    numbers = {name: plain_number(value) for name, value in given.items()}
    if wrong := wrong_patience(numbers):
        name, words = wrong
        raise wrong_value(words, given[name], PATIENCE[name].has_type)
    return Patience(**numbers)  # type: ignore[arg-type]  # they are numbers


@outside("fit would train")
def fit(
    step: Trainable,
    data: Dataset | Mapping[str, object],
    *,
    batch: int | None = None,
    epochs: int = 1,
    validate: Trainable | None = None,
    test: Trainable | None = None,
    stop: Patience | None = None,
    every: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    callbacks: OnEpoch | Iterable[OnEpoch] = (),
    save: str | PathLike[str] | None = None,
    save_every: float = SECONDS,
    resume: str | PathLike[str] | None = None,
    overwrite: bool = False,
    allow_nan: bool = False,
    **hypers: object,
) -> History:
    """Train: run `step` over the batches of the data, epoch after epoch.

    Args:
        step: a `tc.step`, a `tc.function` with updates, or a step of a `.tc` file.
        data: a data set of `tc.data`, or a dictionary of columns. Columns bind to the
            arguments of the same name; other arguments must have a default.
        batch: the examples in a batch, needed; an incomplete last one is left out.
        epochs: the most passes over the data.
        validate: a function averaged over the validation data; lower is better.
        test: likewise over the test data when validation is the best so far.
        stop: `tc.patience(…)`.
        every: batches between validations, if not once per epoch or as `stop` says.
        shuffle: take the examples in a new order each epoch, drawn from `seed`.
        seed: of the order.
        callbacks: called with an `EpochRecord` after an epoch; True ends the training.
        save: a directory for `last.safetensors` and `best.safetensors`.
        save_every: seconds after which `last` is written at least.
        resume: such a directory, or a file of it: continue, to the same bits.
        overwrite: let `save` write over the checkpoints of another or a longer run.
        allow_nan: go on when a cost is NaN or infinite, which otherwise is an error.
        hypers: the step's numbers besides columns, compiled once for all values.

    Raises:
        TensorcError: step, data, options or checkpoint do not fit, or a file fails.
        DivergedError: a cost is not finite, or a validation error is no number.
        KeyboardInterrupt: within 0.2 s of Ctrl-C, after the last completed batch.
    """
    if batch is None:
        raise _no_batch(hypers)
    dataset, called = _dataset(data), epoch_callback(callbacks)
    given = {"batch": batch, "epochs": epochs, "every": every, "stop": stop}
    given |= {"shuffle": shuffle, "seed": seed}
    options = {n: checked(OPTIONS["fit"][n], value) for n, value in given.items()}
    rows = options["batch"]
    assert isinstance(rows, int)
    functions, numbers = ready(dataset, rows, hypers, step, validate, test)
    kept = read_kept(save, save_every, resume, overwrite, allow_nan)
    return _fit(functions, dataset, options, numbers, called, kept)


def _no_batch(hypers: Numbers) -> UsageError:
    words = "write batch= for batch_size=" if "batch_size" in hypers else "batch=20"
    return usage_error("fit needs batch=, the examples in a batch", words)


def _fit(
    functions: Roles,
    dataset: Dataset,
    options: Mapping[str, object],
    numbers: Numbers,
    on_epoch: Callable[[EpochRecord], bool],
    kept: Kept,
) -> History:
    """Run the batches, with checkpoints if they are asked for."""
    recipe = Fit(
        data=DataCall(dataset.name),
        step=functions.step.name,
        validate=functions.validate.name if functions.validate else None,
        test=functions.test.name if functions.test else None,
        location=user_location(),
        **options,  # type: ignore[arg-type]  # they are checked
    )
    about = _about(recipe, functions, numbers)
    if kept.compares:
        about = about.over(digest_of_data(dataset))
    shared = functions.step.shared
    last = None if kept.resume is None else _read_last(kept.resume, about, shared)
    keeper = _keeper(kept, about.beginning(kept.begun(last, shared)), shared)
    warn_anew(kept.protect(keeper, recipe.epochs))
    with resumable(keeper):
        return training.fit(
            recipe,
            functions,
            dataset,
            hypers=numbers,
            on_start=warn_left_out,
            on_epoch=on_epoch,
            keeper=keeper,
            start=None if last is None else last.start(shared),
            allow_nan=kept.allow_nan,
        )


def _about(recipe: Fit, functions: Roles, numbers: Numbers) -> About:
    """Return what a run is of, for its checkpoints."""
    used = [f for f in (functions.step, functions.validate, functions.test) if f]
    hypers = {name: v for name, v in numbers.items() if isinstance(v, int | float)}
    return About(recipe.identity(" ".join(f.info.digest for f in used)), hypers)


def _read_last(
    resume: Path, about: About, shared: Mapping[str, SharedCell]
) -> Checkpoint:
    """Return the checkpoint to go on from, which is of the same run."""
    checkpoint = read_checkpoint(find_last(resume), shared)
    warn_differences(compare(checkpoint, about, shared))
    return checkpoint


def _keeper(
    kept: Kept, about: About, shared: Mapping[str, SharedCell]
) -> Keeper | None:
    """Return what writes the checkpoints that are asked for."""
    if kept.save is None:
        return None
    return Keeper(kept.save, about, shared, kept.save_every, allow_nan=kept.allow_nan)


def _dataset(given: object) -> Dataset:
    if isinstance(given, Dataset):
        return given
    if isinstance(given, Mapping):
        return Dataset("arrays", split(given, "train"))
    message = (
        f"data must be a data set or a dictionary of columns, got {describe(given)}"
    )
    raise usage_error(message, 'tc.data.mnist("…"), or {"x": x, "y": y}')
