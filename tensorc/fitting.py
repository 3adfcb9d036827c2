"""Train from Python: `fit` with the driver of `.tc` files, `patience`, `data`.

history = tc.fit(train, tc.data.mnist("data/mnist"), batch=600, epochs=100,
                 validate=error, stop=tc.patience(5000))
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from tensorc.data import split
from tensorc.frontend.places import door, usage_error, user_location
from tensorc.frontend.symbolic_operands import describe
from tensorc.functions import Function
from tensorc.runtime import training
from tensorc.runtime.data import Dataset, Split
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.history import EpochRecord, History
from tensorc.runtime.recipes import Patience
from tensorc.tracing import Jitted

Trainable: TypeAlias = Jitted | Function | CompiledFunction
OnEpoch: TypeAlias = Callable[[EpochRecord], object]


@door
def patience(steps: int, increase: float = 2, threshold: float = 0.995) -> Patience:
    """Stop early: train at least `steps` batches, longer while it gets better.

    When the validation error falls below `threshold` times the best so far at batch i,
    training goes on to batch i * `increase` at least.
    """
    for name, value in (
        ("steps", steps),
        ("increase", increase),
        ("threshold", threshold),
    ):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise usage_error(f"patience: {name} is a number, got {describe(value)}")
    return Patience(steps, increase, threshold)


@door
def fit(
    step: Trainable,
    data: Dataset | Mapping[str, object],
    *,
    batch: int,
    epochs: int = 1,
    validate: Trainable | None = None,
    test: Trainable | None = None,
    stop: Patience | None = None,
    every: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    callbacks: OnEpoch | Iterable[OnEpoch] = (),
    **hypers: object,
) -> History:
    """Train: run `step` over the batches of the data, epoch after epoch.

    Args:
        step: a `tc.step`, a `tc.function` with updates, or a step of a `.tc` file.
        data: a data set of `tc.data`, or a dictionary of columns. Columns bind to the
            arguments of the same name; other arguments must have a default.
        batch: the examples in a batch; an incomplete last one is left out.
        epochs: the most passes over the data.
        validate: a function averaged over the validation data; lower is better.
        test: likewise over the test data when validation is the best so far.
        stop: `tc.patience(…)`.
        every: batches between validations, if not once per epoch or as `stop` says.
        shuffle: take the examples in a new order each epoch, from `seed`.
        seed: of the order.
        callbacks: one or several, called with a record of each epoch when it ends.
        hypers: hyperparameters of the step by name.

    Raises:
        TensorcError: the step, the data and the options do not fit.
        KeyboardInterrupt: within 0.2 s of Ctrl-C, after the last completed batch.
    """
    dataset = _dataset(data)
    called = _callbacks(callbacks)
    _check(batch, stop)
    train = _compiled(step, dataset.train, batch, "step", hypers)
    checked = _check_compiled(
        validate, dataset.valid or dataset.train, batch, "validate"
    )
    tested = _check_compiled(test, dataset.test or dataset.train, batch, "test")
    return training.fit(
        train,
        dataset,
        batch=batch,
        epochs=epochs,
        validate=checked,
        test=tested,
        stop=stop,
        every=every,
        shuffle=shuffle,
        seed=seed,
        hypers=hypers if train.signature.hypers else None,
        on_epoch=called,
        location=user_location(),
    )


def _callbacks(given: object) -> Callable[[EpochRecord], None]:
    called = [given] if callable(given) else given
    if not isinstance(called, Iterable) or not all(map(callable, called)):
        raise usage_error(f"callbacks are functions, got {describe(given)}")
    functions: list[OnEpoch] = list(called)

    def on_epoch(record: EpochRecord) -> None:
        for function in functions:
            function(record)

    return on_epoch


def _check(batch: object, stop: object) -> None:
    if isinstance(batch, bool) or not isinstance(batch, int):
        raise usage_error(f"batch is an integer, got {describe(batch)}")
    if stop is not None and not isinstance(stop, Patience):
        message = f"stop is tc.patience(…), got {describe(stop)}"
        raise usage_error(message, "stop=tc.patience(5000)")


def _dataset(given: object) -> Dataset:
    if isinstance(given, Dataset):
        return given
    if isinstance(given, Mapping):
        return Dataset("arrays", split(given, "train"))
    message = f"data is a data set or a dictionary of columns, got {describe(given)}"
    raise usage_error(message, 'tc.data.mnist("…"), or {"x": x, "y": y}')


def _check_compiled(
    function: object, part: Split, batch: int, role: str
) -> CompiledFunction | None:
    return None if function is None else _compiled(function, part, batch, role, {})


def _compiled(
    function: object,
    part: Split,
    batch: int,
    role: str,
    hypers: Mapping[str, object],
) -> CompiledFunction:
    if isinstance(function, CompiledFunction):
        _require_hypers(function.name, function.signature.hypers, hypers)
        return function
    if isinstance(function, Function):
        _require_hypers(function.name, (), hypers)
        return function.compiled
    if isinstance(function, Jitted):
        return _specialized(function, part, batch, role, hypers)
    message = f"fit: {role} is a compiled function, got {describe(function)}"
    hint = "decorate it: @tc.step" if role == "step" else "decorate it: @tc.jit"
    raise usage_error(message, *([hint] if callable(function) else []))


def _require_hypers(
    name: str, known: Iterable[str], hypers: Mapping[str, object]
) -> None:
    for hyper in hypers:
        if hyper not in known:
            names = ", ".join(known)
            hints = [f"it has {names}"] if names else []
            raise usage_error(f"'{name}' has no hyperparameter '{hyper}'", *hints)


def _specialized(
    function: Jitted,
    part: Split,
    batch: int,
    role: str,
    hypers: Mapping[str, object],
) -> CompiledFunction:
    """Compile a traced function for batches: other arguments keep their defaults.

    The arguments that are no columns are the same for all batches, so they become a
    part of the program.
    """
    parameters = function.signature.parameters
    _require_hypers(function.name, parameters, hypers)
    rows = {n: c[:batch] for n, c in part.columns.items() if n in parameters}
    missing = [
        name
        for name, parameter in parameters.items()
        if name not in rows
        and name not in hypers
        and parameter.default is inspect.Parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if missing:
        names = ", ".join(f"'{name}'" for name in part.columns)
        message = f"fit: '{function.name}' takes '{missing[0]}', "
        hint = "columns bind to the arguments of the same name"
        raise usage_error(f"{message}the data has the columns {names}", hint)
    others = [n for n in parameters if n not in rows]
    if not others:
        return function.specialize(**rows)
    fixed = {n: parameters[n].default for n in others}
    fixed = {n: v for n, v in fixed.items() if v is not inspect.Parameter.empty}
    return _with_fixed(function, {**fixed, **hypers}, list(rows)).specialize(**rows)


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
