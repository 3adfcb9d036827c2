"""Checkpoints: the memory of a program, and where its training stands, in one file.

A checkpoint is a safetensors file: params and states under their names, what the driver
keeps as arrays under names that start with `fit:`, all else as JSON in the metadata. It
tells what the run is of (`About`), so that it goes on only with the program, the recipe
and the sizes that it began with.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from tensorc.errors import DataError, Diagnostic, TensorcError, way
from tensorc.runtime.arrays import Array, describe
from tensorc.runtime.files.columns import data_error
from tensorc.runtime.files.tensor_file import (
    TensorFile,
    limit_for,
    read_tensors,
    write_tensors,
)
from tensorc.runtime.files.weights import (
    BEST,
    checkpoint_of,
    load_weights,
    set_exactly,
)
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.fit_state import FitState, GeneratorState, Start
from tensorc.runtime.training.history import EpochRecord
from tensorc.runtime.training.shuffling import is_generator_state

VERSION = 1
_KEY = "tensorc"
_COSTS, _RECORDS = "fit:costs", "fit:records"
# What follows from hypers, among what is compared: the digest of code, types of memory.
_PROGRAM, _MEMORY = "program", "memory "
# The digest of the data, which older checkpoints lack.
_CONTENT = "content"

Plain = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class About:
    """What a run is of.

    All of `same` must be the same when it goes on; `hypers` may differ, which is
    reported. `fit` is the number of the recipe in its file. `begun` is a digest of the
    memory that the run began with, "" if it is not known.
    """

    same: Mapping[str, Plain]
    hypers: Mapping[str, Plain]
    fit: int = 0
    begun: str = ""

    def over(self, content: str) -> "About":
        """Return what a run over data of this digest is of."""
        return replace(self, same={**self.same, _CONTENT: content})

    def beginning(self, begun: str) -> "About":
        """Return what a run is of that began with memory of this digest."""
        return replace(self, begun=begun)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and checked in itself, not yet against a program."""

    path: Path
    about: About
    state: FitState
    memory: Mapping[str, Array]

    def start(self, shared: Mapping[str, SharedCell]) -> Start:
        """Return where a run of these variables goes on, if `compare` finds them so."""
        return Start(self.state, partial(set_exactly, self.memory, shared))


def write_checkpoint(
    path: Path, about: About, state: FitState, memory: Mapping[str, Array]
) -> None:
    """Write a checkpoint; the file is the old or the new one at any time.

    `memory` holds the params and states by name.

    Raises:
        TensorcError: it cannot be written (TC0902) or is too large (TC0805).
    """
    arrays = {**memory, _RECORDS: _table(state.records)}
    if state.costs is not None:
        arrays[_COSTS] = state.costs
    document = {
        "version": VERSION,
        "same": dict(about.same),
        "hypers": _finite(about.hypers),
        "fit": about.fit,
        "begun": about.begun,
        "state": {name: _encoded(getattr(state, name)) for name in _FIELDS},
    }
    text = json.dumps(document, allow_nan=False, sort_keys=True)
    write_tensors(path, arrays, {_KEY: text})


def read_checkpoint(path: Path, shared: Mapping[str, SharedCell]) -> Checkpoint:
    """Return the checkpoint in a file, which may be one of `shared`.

    Raises:
        DataError: the file is missing (TC0401) or too large (TC0405), it is damaged or
            no checkpoint of a run (TC0801).
    """
    held = [cell.get_value(borrow=True) for cell in shared.values()]
    file = read_tensors(path, limit_for(held))
    text = file.metadata.get(_KEY)
    if text is None:
        detail = "holds arrays, but no state of a run"
        raise data_error(path, "TC0801", detail, f"start from them: {_start(path)}")
    if not file.is_verified:
        raise _damaged(path, "there is no digest")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _damaged(path, "the state is not JSON") from None
    found = document.get("version") if isinstance(document, dict) else None
    if type(found) is not int or found != VERSION:
        # A text of the file is not shown.
        shown = f"version {found}" if _count(found) else "no version"
        detail = f"the state has {shown}, version {VERSION} is read"
        raise _damaged(path, detail)
    memory = {n: a for n, a in file.arrays.items() if n not in (_COSTS, _RECORDS)}
    state = _state(path, document.get("state"), file)
    return Checkpoint(path, _about(path, document), state, memory)


def _start(path: Path) -> str:
    return way(f"tc.restore({str(path)!r}, …)", f"--init {path}")


def compare(
    checkpoint: Checkpoint, about: About, shared: Mapping[str, SharedCell]
) -> list[str]:
    """Compare a checkpoint with a run that is to go on from it.

    Returns what differs and may: hyperparameters, as texts.

    Raises:
        DataError: the checkpoint is of another program, recipe or memory (TC0804).
    """
    there, here = dict(checkpoint.about.same), dict(about.same)
    there |= {f"{_MEMORY}{n}": describe(a) for n, a in checkpoint.memory.items()}
    here |= {
        f"{_MEMORY}{n}": describe(cell.get_value(borrow=True))
        for n, cell in shared.items()
    }
    if _CONTENT not in there:
        here.pop(_CONTENT, None)
    differing = _differences(here, there)
    if differing:
        hints = [f"start from its arrays alone: {_start(checkpoint.path)}"]
        follow = [n for n in here if n == _PROGRAM or n.startswith(_MEMORY)]
        if any(here[n] != there.get(n) for n in follow):
            settings = _other_settings(about.hypers, checkpoint.about.hypers)
            hints += [settings] if settings else []
        raise DataError(
            Diagnostic(
                "TC0804",
                f"{checkpoint.path} is a checkpoint of another run: {differing[0]}",
                notes=tuple(differing[1:10]),
                hints=tuple(hints),
            )
        )
    return _differences(_finite(about.hypers), checkpoint.about.hypers)


def restore(
    path: Path, shared: Mapping[str, SharedCell], hypers: Mapping[str, Plain]
) -> list[str]:
    """Set variables as `load_weights`; an error names a checkpoint's other settings."""
    try:
        return load_weights(path, shared)
    except DataError as error:
        hint = _other_settings(hypers, _settings_of(path, shared))
        if not hint:
            raise
        advised = [replace(d, hints=(*d.hints, hint)) for d in error.diagnostics]
        raise DataError(*advised) from None


def _other_settings(hypers: Mapping[str, Plain], there: Mapping[str, Plain]) -> str:
    """Return how the settings of a checkpoint are given, or "" if they are the same."""
    here = _finite(hypers)
    names = [n for n in there if n in here and here[n] != there[n]]
    if not names:
        return ""
    given = [f"{name}={_spelled(there, name)}" for name in names]
    flags = " ".join(f"--set {setting}" for setting in given)
    made = "the checkpoint was made with other settings: "
    return made + way(", ".join(given), flags)


def tell_source(
    path: Path, shared: Mapping[str, SharedCell], fits: Sequence[str | None]
) -> str:
    """Return what `restore` reads: the file, and where a run stood that wrote it.

    `fits` has the names of the recipes of the program.
    """
    path = checkpoint_of(path)
    found = _checkpoint(path, shared)
    if found is None:
        return str(path)
    kind = "best" if path.name.endswith(BEST) else "last"
    state, number = found.state, found.about.fit
    epoch = f"epoch {state.epoch if state.position else state.epoch - 1:,}"
    if 0 < state.position < state.sizes[0]:
        epoch += f", batch {state.position:,} of {state.sizes[0]:,}"
    fit = ""
    if len(fits) > 1:
        fit = f" of fit {(number < len(fits) and fits[number]) or number + 1}"
    return f"{path}: {kind}{fit}, {epoch}"


def _settings_of(path: Path, shared: Mapping[str, SharedCell]) -> Mapping[str, Plain]:
    """Return the hypers of a checkpoint, or of one in a directory; {} if it is none."""
    found = _checkpoint(checkpoint_of(path), shared)
    return found.about.hypers if found else {}


def _checkpoint(path: Path, shared: Mapping[str, SharedCell]) -> Checkpoint | None:
    try:
        return read_checkpoint(path, shared)
    except TensorcError:
        return None


def _differences(here: Mapping[str, Plain], there: Mapping[str, Plain]) -> list[str]:
    differing = [
        name
        for name in dict.fromkeys([*here, *there])
        if name not in here or name not in there or here[name] != there[name]
    ]
    return [_difference(name, here, there) for name in differing]


def _difference(
    name: str, here: Mapping[str, Plain], there: Mapping[str, Plain]
) -> str:
    if name == _PROGRAM and name in here and name in there:
        return "the functions have changed"  # what is compared is their digest
    if name == _CONTENT and name in here and name in there:
        return "the data have changed"
    return f"{name[:80]} is {_spelled(here, name)} here, {_spelled(there, name)} there"


def _finite(values: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return values as JSON can hold them: what is no finite number is a text."""
    return {
        name: str(v) if isinstance(v, float) and not math.isfinite(v) else v
        for name, v in values.items()
    }


def _spelled(values: Mapping[str, Plain], name: str) -> str:
    if name not in values:
        return "missing"
    value = values[name]
    return "none" if value is None else str(value)[:200]


def _damaged(path: Path, detail: str) -> DataError:
    return data_error(path, "TC0801", f"is no checkpoint, or a damaged one: {detail}")


def _no_constant(word: str) -> object:
    raise ValueError(word)


# The plain fields of a state: how a value is read, or why not.


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    if type(value) is int:
        return abs(value) < 1 << 62
    return type(value) is float and math.isfinite(value)


def _maybe(value: object) -> bool:
    return value is None or _number(value)


def _sizes(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_count, value))


def _order(value: object) -> bool:
    return value is None or is_generator_state(value)


_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "epoch": lambda value: _count(value) and value != 0,
    "position": _count,
    "pending": _truth,
    "done": _truth,
    "best": _maybe,
    "patience": _maybe,
    "test_error": _maybe,
    "error": _maybe,
    "is_fraction": _truth,
    "steps": _count,
    "seconds": _number,
    "elapsed": _number,
    "sizes": _sizes,
    "order": _order,
}


def _encoded(value: Plain | tuple[int, ...] | GeneratorState) -> object:
    """Return a field as JSON can hold it: infinity, which it cannot, is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if type(value) is int and not _number(value):
        return None  # so much patience has no end
    return value


def _state(path: Path, value: object, file: TensorFile) -> FitState:
    if not isinstance(value, dict) or set(value) != set(_FIELDS):
        raise _damaged(path, "the state lacks fields, or has others")
    for name, fits in _FIELDS.items():
        if not fits(value[name]):
            raise _damaged(path, f"the field '{name}' has a value that it cannot have")
    order = value["order"]
    infinite = {n: math.inf if value[n] is None else value[n] for n in _INFINITE}
    given = {
        **value,
        **infinite,
        "sizes": tuple(value["sizes"]),
        "order": order and {name: tuple(words) for name, words in order.items()},
    }
    costs = file.arrays.get(_COSTS)
    if costs is not None and costs.shape != (value["position"],):
        raise _damaged(path, f"costs of {describe(costs)} batches")
    return FitState(**given, costs=costs, records=_records(path, file))


_INFINITE = ("best", "patience")


def _table(records: tuple[EpochRecord, ...]) -> Array:
    """Return the records as f64[n, 4]; None is nan, which no record holds there."""
    table = np.empty((len(records), 4))
    for row, record in zip(table, records, strict=True):
        cost, error = record.train_cost, record.validation_error
        row[0] = math.nan if cost is None else cost
        row[1] = math.nan if error is None else error
        row[2:] = record.seconds, record.share_of
    return table


def _records(path: Path, file: TensorFile) -> tuple[EpochRecord, ...]:
    table = file.arrays.get(_RECORDS)
    if table is None or table.shape[1:] != (4,) or table.dtype != np.float64:
        raise _damaged(path, "there is no table of its epochs")
    if not np.isfinite(table[:, 2:]).all() or table[:, 2:].min(initial=0.0) < 0.0:
        raise _damaged(path, "the table of its epochs holds what is no time or count")
    has_costs = _COSTS in file.arrays
    return tuple(
        EpochRecord(
            number,
            cost if has_costs else None,
            None if math.isnan(error) else error,
            seconds,
            int(share),
        )
        for number, (cost, error, seconds, share) in enumerate(table.tolist(), 1)
    )


def _about(path: Path, document: Mapping[str, object]) -> About:
    parts = {}
    for key in ("same", "hypers"):
        value = document.get(key)
        plain = isinstance(value, dict) and all(
            item is None or isinstance(item, bool | int | float | str)
            for item in value.values()
        )
        if not plain or not isinstance(value, dict):
            raise _damaged(path, f"'{key}' is missing")
        parts[key] = value
    fit = document.get("fit")
    if not isinstance(fit, int) or not _count(fit):
        raise _damaged(path, "'fit' is missing")
    begun = document.get("begun", "")
    if not isinstance(begun, str):
        raise _damaged(path, "'begun' is no digest")
    return About(parts["same"], parts["hypers"], fit, begun)
