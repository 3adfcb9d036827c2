"""`--log FILE.jsonl`: what happens in a training run, a JSON object a line."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.training.fit_state import Event, Snapshot
from tensorc.runtime.training.history import EpochRecord, History


class Log:
    """Appends events to a file, each of them complete at once; without one, nothing."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def write(self, event: str, **values: object) -> None:
        """Append an event; numbers that JSON lacks become null."""
        if self._file is None:
            return
        plain = {name: _plain(value) for name, value in values.items()}
        line = {"event": event, "time": round(time.time(), 3), **plain}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()

    def on_epoch(self, record: EpochRecord) -> None:
        """Append the record of an epoch."""
        self.write("epoch", **asdict(record))

    def on_state(self, event: Event, snapshot: Snapshot) -> None:
        """Append what a validation gave."""
        if self._file is None or event not in ("validation", "best"):
            return
        state = snapshot()
        self.write(
            "validation",
            epoch=state.epoch,
            batch=state.position,
            validation_error=state.error,
            is_best=event == "best",
            test_error=state.test_error if event == "best" else None,
            patience=state.patience,
        )

    def on_end(self, history: History) -> None:
        """Append the result of a run."""
        self.write(
            "end",
            epochs=len(history.epochs),
            best_validation_error=history.best_validation_error,
            test_error=history.test_error,
            steps_per_second=history.steps_per_second,
            stopped_early=history.stopped_early,
        )


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def open_log(path: str | None) -> Iterator[Log]:
    """Give the log that appends to `path`; one that writes nothing for None.

    Raises:
        TensorcError: the file cannot be opened (TC0902).
    """
    if path is None:
        yield Log(None)
        return
    try:
        file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  (closed below)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise TensorcError(Diagnostic("TC0902", message)) from error
    with file:
        yield Log(file)
