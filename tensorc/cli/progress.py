"""What a training run shows on stderr: a bar on a terminal, else a line per epoch.

A run goes on, and is kept, when nobody can be shown anything any more: the terminal was
closed, or who read the lines has ended.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from tensorc.runtime.history import EpochRecord


class Reporter(Protocol):
    """What hears of the progress of a run."""

    def on_epoch(self, record: EpochRecord) -> None:
        """Hear that an epoch is complete."""
        ...

    def on_progress(self, epoch: int, done: int, batches: int) -> None:
        """Hear that `done` of an epoch's batches are complete."""
        ...


@contextmanager
def reporter(epochs: int, quiet: bool) -> Iterator[Reporter]:
    """Give the reporter that fits stderr."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(epochs) as bar:
            yield bar
    else:
        yield _Lines()


def spell_error(error: float | None, share_of: int) -> str:
    """Return an error for people, to six decimals: a share of examples in percent.

    It is computed from the count, as a mean of float32 is not quite the quotient.
    """
    if error is None:
        return "none"
    if share_of:
        return f"{100 * round(error * share_of) / share_of:.6f} %"
    return f"{error:.6f}"


def spell_epoch(record: EpochRecord) -> str:
    """Return what happened in an epoch, in one line."""
    parts = []
    if record.train_cost is not None:
        parts.append(f"train cost {record.train_cost:.6f}")
    if record.validation_error is not None:
        error = spell_error(record.validation_error, record.share_of)
        parts.append(f"validation {error}")
    parts.append(f"{record.seconds:.2f} s")
    return f"epoch {record.epoch}: {', '.join(parts)}"


class _Silent:
    def on_epoch(self, record: EpochRecord) -> None:
        pass

    def on_progress(self, epoch: int, done: int, batches: int) -> None:
        pass


class _Lines(_Silent):
    def on_epoch(self, record: EpochRecord) -> None:
        with suppress(OSError):
            print(spell_epoch(record), file=sys.stderr, flush=True)


@contextmanager
def _bar(epochs: int) -> Iterator[Reporter]:
    # Lazy by intent: importing rich.progress takes longer than compiling a small file.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    progress = Progress(
        TextColumn("epoch {task.fields[epoch]} of " + f"{epochs:,}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )

    @dataclass
    class Bar:
        state: str = ""

        def on_epoch(self, record: EpochRecord) -> None:
            self.state = spell_epoch(record).partition(": ")[2]

        def on_progress(self, epoch: int, done: int, batches: int) -> None:
            progress.update(
                task, completed=done, total=batches, epoch=epoch, state=self.state
            )

    progress.start()
    try:
        task = progress.add_task("", total=None, epoch=1, state="")
        yield Bar()
    finally:
        with suppress(OSError):
            progress.stop()
