"""What a training run did, as data."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tensorc.errors import Diagnostic, way
from tensorc.tables import Table, html_of

_SHOWN = 20  # epochs in a notebook: the first and the last ones


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of a training run.

    `train_cost` is the mean over its batches, None if the step returns no number.
    `validation_error` is that of the last validation within the epoch, None without
    one; `share_of` is the number of examples that it is a share of, 0 if it is none.
    `seconds` is wall time, validation included.
    """

    epoch: int
    train_cost: float | None
    validation_error: float | None
    seconds: float
    share_of: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training run is: `done` of an epoch's `batches`, counted from 1.

    `cost` is the mean over these batches, None if the step returns no number.
    """

    epoch: int
    done: int
    batches: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step costs at the batch size of a run.

    A batch runs `kernels` kernels and `flops` operations on floats, with `arena` bytes
    of scratch memory. `data` are the bytes of all data in memory. `left_out` are the
    parts that are validated without their last rows, which fill no batch: name, rows
    left out, rows in all.
    """

    step: str
    batch: int
    kernels: int
    flops: int
    arena: int
    data: int
    left_out: tuple[tuple[str, int, int], ...] = ()

    def warning(self) -> Diagnostic | None:
        """Return the warning of rows that are left out, if there are some (TC0605)."""
        return rows_left_out(self.left_out, self.batch)


def rows_left_out(
    parts: Iterable[tuple[str, int, int]], batch: int
) -> Diagnostic | None:
    """Return the warning of parts with name, rows left out and rows in all (TC0605)."""
    spelled = [f"{n:,} of {rows:,} {part}" for part, n, rows in parts if n]
    if not spelled:
        return None
    message = f"{' and '.join(spelled)} rows fill no batch of {batch:,}"
    hint = f"they are left out: {way('batch=…', '--set batch=…')} takes a divisor of "
    hints = (f"{hint}their number",)
    return Diagnostic("TC0605", message, hints=hints, severity="warning")


@dataclass(frozen=True, slots=True, repr=False)
class History:
    """A training run. Errors are what the functions return: 0.075 is 7.5 %.

    `test_error` was computed when the best validation error was met, over
    `test_examples` examples (0 without test data). `is_fraction` tells that every
    result of validating a batch was a share of its examples. `steps_per_second` is the
    number of training steps by the time spent in them, without validation and testing;
    `compile_seconds` is what the caller measured. `stopped_early` is true if the rule
    of early stopping or a callback ended training before the last epoch. `footprint`
    is what the step costs.
    """

    epochs: tuple[EpochRecord, ...]
    best_validation_error: float | None
    test_error: float | None
    steps_per_second: float
    compile_seconds: float
    validation_examples: int = 0
    test_examples: int = 0
    is_fraction: bool = False
    stopped_early: bool = False
    footprint: Footprint | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        words = [f"{len(self)} epoch{'' if len(self) == 1 else 's'}"]
        cost = self.epochs[-1].train_cost if self.epochs else None
        named = {
            "last cost": cost,
            "best validation error": self.best_validation_error,
            "test error": self.test_error,
        }
        words += [f"{name} {v:.6g}" for name, v in named.items() if v is not None]
        return f"<History: {', '.join(words)}>"

    def _repr_html_(self) -> str:
        """Return a table of the epochs for a notebook; of many the first and last."""
        rows: list[Sequence[str]] = [_row(record) for record in self.epochs]
        if len(rows) > _SHOWN:
            rows[_SHOWN // 2 : -_SHOWN // 2] = [("…", "", "", "")]
        columns = ("epoch", "train cost", "validation error", "seconds")
        table = Table("epochs", rows, columns, frozenset(range(4)))
        return html_of(repr(self), [table])

    def to_json(self, **more: object) -> str:
        """Return the run as JSON; errors are fractions, what is no number is null.

        `more` are further entries of the document.
        """
        history = [
            {
                "epoch": record.epoch,
                "train_cost": _finite(record.train_cost),
                "validation_error": _finite(record.validation_error),
                "seconds": record.seconds,
            }
            for record in self.epochs
        ]
        document = {
            "epochs": len(self.epochs),
            "best_validation_error": _finite(self.best_validation_error),
            "test_error": _finite(self.test_error),
            "steps_per_second": self.steps_per_second,
            "compile_seconds": self.compile_seconds,
            "footprint": asdict(self.footprint) if self.footprint else None,
            **more,
            "history": history,
        }
        return json.dumps(document, indent=2, allow_nan=False)


def _row(record: EpochRecord) -> tuple[str, str, str, str]:
    numbers = record.train_cost, record.validation_error
    cost, error = ("" if number is None else f"{number:.6g}" for number in numbers)
    return f"{record.epoch:,}", cost, error, f"{record.seconds:.2f}"


def _finite(value: float | None) -> float | None:
    # JSON has no spelling for NaN and infinity.
    return value if value is not None and math.isfinite(value) else None
