"""Train from Python: `fit` with the driver of `.tc` files, `patience`, `data`.

history = tc.fit(train, tc.data.mnist("data/mnist"), batch=600, epochs=100,
                 validate=error, stop=tc.patience(5000))
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias, TypeGuard

import numpy as np

from tensorc.api.data import split
from tensorc.api.function import Function
from tensorc.api.jit import Jitted, changes_nothing
from tensorc.api.kept_runs import (
    Kept,
    OnEpoch,
    epoch_callback,
    read_kept,
    truth,
    warn_differences,
    warn_left_out,
)
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    UsageError,
    argument_error,
    door,
    outside,
    usage_error,
)
from tensorc.frontend.python.describing import describe, plain_number, whole_number
from tensorc.frontend.python.signatures import VARIADIC
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import Shared
from tensorc.runtime.training import fit as training
from tensorc.runtime.training.checkpoint import (
    About,
    Checkpoint,
    Plain,
    compare,
    read_checkpoint,
)
from tensorc.runtime.training.data import Dataset, Split
from tensorc.runtime.training.epoch import count_columns
from tensorc.runtime.training.history import EpochRecord, History
from tensorc.runtime.training.keeping import SECONDS, Keeper, find_last
from tensorc.runtime.training.recipes import Patience

Trainable: TypeAlias = Jitted | Function | CompiledFunction
Numbers: TypeAlias = Mapping[str, object]

_MOST_STEPS = 1 << 62  # in an integer; without an end is float("inf")


@door
def patience(steps: int, increase: float = 2, threshold: float = 0.995) -> Patience:
    """Stop early: train at least `steps` batches, longer while it gets better.

    When the validation error falls below `threshold` times the best so far at batch i,
    training goes on to batch i * `increase` at least.
    """
    found = [plain_number(given) for given in (steps, increase, threshold)]
    for name, value in zip(("steps", "increase", "threshold"), found, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise usage_error(f"patience: {name} is a number, got {describe(value)}")
        if not abs(value) < _MOST_STEPS and isinstance(value, int):
            raise argument_error(f"patience: {name} is too large a number")
    return Patience(*found)  # type: ignore[arg-type]  # they are numbers


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
    options = _options(batch, epochs, stop, every, shuffle, seed)
    train, numbers = _compiled(step, dataset.train, options.batch, "step", hypers)
    rest, last = dataset.valid or dataset.train, dataset.test or dataset.train
    checked = _check_compiled(validate, rest, options.batch, "validate")
    tested = _check_compiled(test, last, options.batch, "test")
    kept = read_kept(save, save_every, resume, overwrite, allow_nan)
    return _fit(
        _Functions(train, checked, tested), dataset, options, numbers, called, kept
    )


def _no_batch(hypers: Numbers) -> UsageError:
    words = "write batch= for batch_size=" if "batch_size" in hypers else "batch=20"
    return usage_error("fit needs batch=, the examples in a batch", words)


@dataclass(frozen=True, slots=True)
class _Functions:
    step: CompiledFunction
    validate: CompiledFunction | None
    test: CompiledFunction | None


@dataclass(frozen=True, slots=True)
class _Options:
    batch: int
    epochs: int
    stop: Patience | None
    every: int | None
    shuffle: bool
    seed: int


def _fit(
    functions: _Functions,
    dataset: Dataset,
    options: _Options,
    numbers: Numbers,
    on_epoch: Callable[[EpochRecord], bool],
    kept: Kept,
) -> History:
    """Run the batches, with checkpoints if they are asked for."""
    about = _about(dataset.name, functions, options, numbers)
    shared = functions.step.shared
    keeper = _keeper(kept, about, shared)
    last = None if kept.resume is None else _read_last(kept.resume, about, shared)
    kept.protect(keeper, options.epochs)
    return training.fit(
        functions.step,
        dataset,
        batch=options.batch,
        epochs=options.epochs,
        validate=functions.validate,
        test=functions.test,
        stop=options.stop,
        every=options.every,
        shuffle=options.shuffle,
        seed=options.seed,
        hypers=numbers,
        on_start=warn_left_out,
        on_epoch=on_epoch,
        keeper=keeper,
        start=None if last is None else last.start(shared),
        location=user_location(),
        allow_nan=kept.allow_nan,
    )


def _about(
    data: str, functions: _Functions, options: _Options, numbers: Numbers
) -> About:
    """Return what a run is of, for its checkpoints."""
    named = {
        "step": functions.step,
        "validate": functions.validate,
        "test": functions.test,
    }
    stop = options.stop
    same: dict[str, Plain] = {
        "data": data,
        **{role: f.name if f else None for role, f in named.items()},
        "batch": options.batch,
        "every": options.every,
        "shuffle": options.shuffle,
        "seed": options.seed,
        "stop": f"{stop.patience}, {stop.increase}, {stop.threshold}" if stop else None,
        "program": " ".join(f.info.digest for f in named.values() if f),
    }
    hypers = {name: v for name, v in numbers.items() if isinstance(v, int | float)}
    return About(same, hypers)


def _read_last(resume: Path, about: About, shared: Mapping[str, Shared]) -> Checkpoint:
    """Return the checkpoint to go on from, which is of the same run."""
    checkpoint = read_checkpoint(find_last(resume), shared)
    warn_differences(compare(checkpoint, about, shared))
    return checkpoint


def _keeper(kept: Kept, about: About, shared: Mapping[str, Shared]) -> Keeper | None:
    """Return what writes the checkpoints that are asked for."""
    if kept.save is None:
        return None
    return Keeper(kept.save, about, shared, kept.seconds, allow_nan=kept.allow_nan)


def _options(
    batch: object,
    epochs: object,
    stop: object,
    every: object,
    shuffle: object,
    seed: object,
) -> _Options:
    """Return options of the right kinds; `training` checks their ranges."""
    if stop is not None and not isinstance(stop, Patience):
        message = f"stop must be tc.patience(…), got {describe(stop)}"
        raise usage_error(message, "stop=tc.patience(5000)")
    return _Options(
        _integer(batch, "batch"),
        _integer(epochs, "epochs"),
        stop,
        None if every is None else _integer(every, "every"),
        truth(shuffle, "shuffle"),
        _integer(seed, "seed"),
    )


def _integer(given: object, name: str) -> int:
    whole = whole_number(given)
    if whole is None:
        raise usage_error(f"{name} must be an integer, got {describe(given)}")
    return whole


def _dataset(given: object) -> Dataset:
    if isinstance(given, Dataset):
        return given
    if isinstance(given, Mapping):
        return Dataset("arrays", split(given, "train"))
    message = (
        f"data must be a data set or a dictionary of columns, got {describe(given)}"
    )
    raise usage_error(message, 'tc.data.mnist("…"), or {"x": x, "y": y}')


def _check_compiled(
    function: object, part: Split, batch: int, role: str
) -> CompiledFunction | None:
    return None if function is None else _compiled(function, part, batch, role, {})[0]


def _compiled(
    function: object,
    part: Split,
    batch: int,
    role: str,
    hypers: Numbers,
) -> tuple[CompiledFunction, Numbers]:
    """Return what runs the batches, and the values of its hyperparameters."""
    if isinstance(function, CompiledFunction):
        if role == "step" and not _is_step(function):
            raise changes_nothing(function)
        _require_hypers(function.name, function.signature.hypers, hypers)
        return function, hypers
    if isinstance(function, Function):
        if role == "step" and not function.plan().updates:
            raise changes_nothing(function)
        return function.batched(part.columns, hypers)
    if isinstance(function, Jitted):
        if role == "step" and not function.is_step:
            raise changes_nothing(function)
        return _specialized(function, part, batch, role, hypers)
    message = f"fit: {role} must be a compiled function, got {describe(function)}"
    hint = "decorate it: @tc.step" if role == "step" else "decorate it: @tc.jit"
    raise usage_error(message, *([hint] if callable(function) else []))


def _is_step(function: CompiledFunction) -> bool:
    """Tell whether a function may change memory: of a file, whether it is a step."""
    home = getattr(function, "home", None)
    if home is None:
        return bool(function.shared)
    steps: Sequence[str] = home.source.steps
    return function.name in steps


# What other frameworks call the options of `fit`, and what they do that it does not.
_ELSEWHERE: Mapping[str, str] = {
    "batch_size": "write batch=",
    "validation_data": "write tc.data.arrays(train, valid), and validate=error",
    "verbose": "callbacks=print prints each epoch",
    "callback": "write callbacks=",
    "optimizer": "the step says how variables change: tc.update(W, W - lr * g)",
    "loss": "the step returns the cost",
    "metrics": "write validate=, test=",
}


def _require_hypers(
    name: str, known: Iterable[str], hypers: Mapping[str, object]
) -> None:
    """Raise TypeError for an option that neither `fit` nor the step has."""
    numbers = list(known)
    for hyper in hypers:
        if hyper in numbers:
            continue
        options = inspect.signature(fit).parameters.values()
        ours = [p.name for p in options if p.kind == p.KEYWORD_ONLY]
        close = difflib.get_close_matches(hyper, [*ours, *numbers], 1)
        hints = [_ELSEWHERE[hyper]] if hyper in _ELSEWHERE else []
        hints += [f"did you mean `{close[0]}=`?"] if close and not hints else []
        takes = ", ".join([f"{n}=" for n in numbers]) or "no numbers"
        hints.append(f"'{name}' takes {takes}; fit takes {', '.join(ours)}")
        raise usage_error(f"neither fit nor '{name}' has an option '{hyper}'", *hints)


def _specialized(
    function: Jitted,
    part: Split,
    batch: int,
    role: str,
    hypers: Numbers,
) -> tuple[CompiledFunction, Numbers]:
    """Compile a traced function for batches: other arguments keep their defaults.

    The numbers among them are hyperparameters of a step. All else that is no column is
    the same for all batches, so it becomes a part of the program.
    """
    parameters = function.signature.parameters
    numbered = [n for n in parameters if n not in part.columns or n in hypers]
    _require_hypers(function.name, numbered, hypers)
    rows = {n: c[:batch] for n, c in part.columns.items() if n in parameters}
    both = [n for n in rows if n in hypers]
    if both:
        message = f"fit: '{both[0]}' is a column of the data and a hyperparameter"
        raise usage_error(message, "leave one of them out")
    missing = [
        name
        for name, parameter in parameters.items()
        if name not in rows
        and name not in hypers
        and parameter.default is inspect.Parameter.empty
        and parameter.kind not in VARIADIC
    ]
    if missing:
        message = f"fit: '{function.name}' takes '{missing[0]}', "
        hints = ["columns bind to the arguments of the same name"]
        spare = [n for n in part.columns if n not in parameters]
        hints += _renaming(spare, missing) if part.is_own else []
        raise usage_error(f"{message}{_columns_of(part)}", *hints)
    fixed = {n: p.default for n, p in parameters.items() if n not in rows}
    fixed = {
        n: v for n, v in {**fixed, **hypers}.items() if v is not inspect.Parameter.empty
    }
    numbers = {
        n: v
        for n, v in fixed.items()
        if role == "step" and n not in function.static and _is_number(v)
    }
    fixed = {n: v for n, v in fixed.items() if n not in numbers}
    if fixed:
        function = _with_fixed(function, fixed, [*rows, *numbers])
    if role == "step":
        return function.training(rows, numbers), numbers
    return function.specialize(**rows), {}


def _columns_of(part: Split) -> str:
    """Return the names of columns; if these may be texts of a file, their number."""
    if not part.is_own:
        return count_columns(part.columns)
    return f"the data has {', '.join(map(repr, part.columns))}"


def _renaming(spare: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Return which columns may be meant for arguments that have none."""
    lowered = {name.lower(): name for name in reversed(spare)}
    found = [(lowered[n.lower()], n) for n in missing if n.lower() in lowered]
    if not found and len(spare) == len(missing) == 1:
        found = [(spare[0], missing[0])]
    pairs = ", ".join([f"`{old}` -> `{new}`" for old, new in found])
    return [f"rename columns: {pairs}"] if pairs else []


def _is_number(value: object) -> TypeGuard[int | float]:
    plain = isinstance(value, int | float | np.integer | np.floating)
    return plain and not isinstance(value, bool)


def _with_fixed(
    function: Jitted, fixed: Mapping[str, object], names: Sequence[str]
) -> Jitted:
    """Return a function of the named parameters alone."""
    signature = function.signature

    @functools.wraps(function.function)
    def called(**columns: object) -> object:
        given = {**fixed, **columns}
        ordered = {n: given[n] for n in signature.parameters if n in given}
        bound = inspect.BoundArguments(signature, ordered)
        return function.function(*bound.args, **bound.kwargs)

    kept = [signature.parameters[n] for n in names]
    by_name = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept]
    called.__signature__ = signature.replace(parameters=by_name)  # type: ignore[attr-defined]
    return type(function)(called)
