"""The functions of `tc.fit`, made ready to run over batches of columns."""

import functools
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeGuard

import numpy as np

from tensorc.api.function import Function
from tensorc.api.jit import Jitted, changes_nothing
from tensorc.errors import did_you_mean
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.python.describing import describe
from tensorc.frontend.python.signatures import VARIADIC
from tensorc.recipes import OPTIONS
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.data import Dataset, Split
from tensorc.runtime.training.epoch import count_columns
from tensorc.runtime.training.preparing import Roles

Trainable: TypeAlias = Jitted | Function | CompiledFunction
Numbers: TypeAlias = Mapping[str, object]


def ready(
    dataset: Dataset,
    batch: int,
    hypers: Numbers,
    step: object,
    validate: object,
    test: object,
) -> tuple[Roles, Numbers]:
    """Return functions that run over batches of a data set, and the step's numbers.

    Raises:
        TensorcError: what is given is no such function, or lacks a column; the step
            has no such number, or changes nothing.
    """
    rest, last = dataset.valid or dataset.train, dataset.test or dataset.train
    made, numbers = _compiled(step, dataset.train, batch, "step", hypers)
    others = [
        None if given is None else _compiled(given, part, batch, role, {})[0]
        for given, part, role in ((validate, rest, "validate"), (test, last, "test"))
    ]
    return Roles(made, *others), numbers


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
    """Return whether a function may change memory: of a file, whether it is a step."""
    home = getattr(function, "home", None)
    if home is None:
        return bool(function.shared)
    steps: Sequence[str] = home.source.steps
    return function.name in steps


# The options of `fit` by name, besides the numbers of a step.
OF_FIT = (
    *[name for name in OPTIONS["fit"] if name not in ("data", "step")],
    *("callbacks", *OPTIONS["keep"]),
)
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
        meant = did_you_mean(hyper, [*OF_FIT, *numbers], "`{}=`")
        hints = [_ELSEWHERE[hyper]] if hyper in _ELSEWHERE else []
        hints += [meant] if meant and not hints else []
        takes = ", ".join([f"{n}=" for n in numbers]) or "no numbers"
        hints.append(f"'{name}' takes {takes}; fit takes {', '.join(OF_FIT)}")
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
