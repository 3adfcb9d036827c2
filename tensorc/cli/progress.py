"""What a training run shows on stderr: a bar on a terminal, else a line per epoch.

A run goes on, and is kept, when nobody can be shown anything any more: the terminal was
closed, or who read the lines has ended.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from tensorc.runtime.training.history import EpochRecord, Progress
from tensorc.runtime.training.loop import OnProgress


class Reporter(Protocol):
    """What hears of the progress of a run."""

    def on_epoch(self, record: EpochRecord) -> None:
        """Hear that an epoch is complete."""
        ...

    @property
    def on_progress(self) -> OnProgress | None:
        """What hears that more batches of an epoch are complete, if it is shown."""
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
    return spell_cost(error)


def spell_cost(cost: float) -> str:
    """Return a cost for people: to six decimals, or with an exponent if it is large."""
    return f"{cost:.6f}" if abs(cost) < 1e9 else f"{cost:.6g}"


def spell_epoch(record: EpochRecord) -> str:
    """Return what happened in an epoch, in one line."""
    parts = []
    if record.train_cost is not None:
        parts.append(f"train cost {spell_cost(record.train_cost)}")
    if record.validation_error is not None:
        error = spell_error(record.validation_error, record.share_of)
        parts.append(f"validation {error}")
    parts.append(f"{record.seconds:.2f} s")
    return f"epoch {record.epoch}: {', '.join(parts)}"


class _Silent:
    def on_epoch(self, record: EpochRecord) -> None:
        pass

    @property
    def on_progress(self) -> OnProgress | None:
        # The running cost is not computed where nobody sees it.
        return None


class _Lines(_Silent):
    def on_epoch(self, record: EpochRecord) -> None:
        with suppress(OSError):
            print(spell_epoch(record), file=sys.stderr, flush=True)


@contextmanager
def _bar(epochs: int) -> Iterator[Reporter]:
    """Give a bar of one line: epoch, share of all steps, speed, costs, time left.

    The time left is that of all epochs; a rule of stopping may end the run sooner.
    """
    # Lazy by intent: importing rich.progress takes longer than compiling a small file.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Display

    display = Display(
        TextColumn("{task.fields[epoch]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[state]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )

    class Bar:
        def __init__(self) -> None:
            self.started: float | None = None
            self.first = 0  # steps before this process: a run that goes on
            self.validation = ""

        def on_epoch(self, record: EpochRecord) -> None:
            if record.validation_error is not None:
                error = spell_error(record.validation_error, record.share_of)
                self.validation = error.replace("0000 %", " %")

        def on_progress(self, at: Progress) -> None:
            steps = (at.epoch - 1) * at.batches + at.done
            now = time.perf_counter()
            if self.started is None:
                self.started, self.first = now, steps
            total = epochs * at.batches
            speed = (steps - self.first) / max(now - self.started, 1e-9)
            state = spell_state(at, speed, total - steps, self.validation)
            epoch = f"epoch {at.epoch:,}/{epochs:,}"
            display.update(task, completed=steps, total=total, epoch=epoch, state=state)

    display.start()
    try:
        task = display.add_task("", total=None, epoch="compiling", state="")
        yield Bar()
    finally:
        with suppress(OSError):
            display.stop()


def spell_state(at: Progress, speed: float, left: int, validation: str) -> str:
    """Return what stands behind the bar: 1,953/s  cost 0.3123  valid 7.50 %  0:12 left.

    `speed` is steps per second, 0 if not known; `left` how many steps there are still.
    """
    parts = [f"{speed:,.0f}/s"] if speed >= 1 else []
    if at.cost is not None:
        parts.append(f"cost {at.cost:.4g}")
    if validation:
        parts.append(f"valid {validation}")
    if speed > 0:
        seconds = round(left / speed)
        hours, minutes = divmod(seconds // 60, 60)
        clock = f"{hours}:{minutes:02}:{seconds % 60:02}"
        parts.append(f"{clock.removeprefix('0:')} left")
    return "  ".join(parts)
