"""Keep a training run on disk while it goes on: `best` and `last` in a directory.

While a run is kept, Ctrl-C, SIGTERM and SIGHUP, which a closed terminal sends, are held
back until the batch that runs has ended and the state is on disk; then they have their
usual effect. A second one does not wait, unless one of them is a SIGHUP: a terminal,
its shell and the system may all send theirs.
"""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tensorc.errors import Diagnostic, TensorcError, TensorcWarning, way
from tensorc.recipes import SECONDS
from tensorc.runtime.arrays import Array, not_finite
from tensorc.runtime.files.weights import BEST, LAST, newest
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.checkpoint import (
    About,
    compare,
    read_checkpoint,
    write_checkpoint,
)
from tensorc.runtime.training.fit_state import Event, FitState, Snapshot

_SHARE = 20
# Windows has no SIGHUP.
_HANGUP = signal.Signals.__members__.get("SIGHUP")
_SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, _HANGUP)))
_Handler = Callable[[int, FrameType | None], object] | int | None


@dataclass(slots=True)
class Keeper:
    """Writes checkpoints of a run to `best.safetensors` and `last.safetensors`.

    `stem` stands before both names, where several runs are kept in one directory.
    `last` is written after each validation as long as that takes less than a twentieth
    of the time, when training ends, and `seconds` after it was written last. `best` is
    the state at the best validation so far; it is written when `last` is. If the first
    file cannot be written, training ends with that error; later it goes on with a
    warning. A state in which a variable has become NaN or infinite, which was finite
    at the start, is not written, unless `allow_nan`: the files before it stay.
    """

    directory: Path
    about: About
    shared: Mapping[str, SharedCell]
    seconds: float = SECONDS
    stem: str = ""
    allow_nan: bool = False
    written: float = field(default_factory=time.monotonic)
    cost: float = 0.0
    best: tuple[FitState, Mapping[str, Array]] | None = None
    has_written: bool = False
    caught: signal.Signals | None = None
    handlers: dict[signal.Signals, _Handler] = field(default_factory=dict)
    infinite: frozenset[str] = frozenset()  # on purpose; `fit` finds them at the start

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.directory / f"{self.stem}{LAST}"

    @property
    def best_file(self) -> Path:
        """The checkpoint at the best validation."""
        return self.directory / f"{self.stem}{BEST}"

    def hear(self, event: Event, snapshot: Snapshot) -> None:
        """Write what is due, and deliver a signal that was held back."""
        if event == "best" and not self._lost(memory := self._memory()):
            self.best = snapshot(), memory
        passed = time.monotonic() - self.written
        is_due = passed >= self.seconds or event == "end" or self.caught is not None
        if event != "slice":
            is_due = is_due or passed >= _SHARE * self.cost
        if is_due:
            self._write(snapshot())
        if self.caught is not None:
            caught, self.caught = self.caught, None
            signal.signal(caught, self.handlers[caught])
            signal.raise_signal(caught)

    def _memory(self) -> dict[str, Array]:
        return {name: cell.get_value() for name, cell in self.shared.items()}

    def _lost(self, memory: Mapping[str, Array]) -> str:
        """Return a variable that must not be kept as it is, or ""."""
        found = [] if self.allow_nan else not_finite(memory)
        return next((name for name in found if name not in self.infinite), "")

    def _write(self, state: FitState) -> None:
        start = time.monotonic()
        memory = self._memory()
        if lost := self._lost(memory):
            text = f"TC0604: no checkpoint: '{lost}' holds what is no finite number"
            warnings.warn(text, TensorcWarning, stacklevel=2)
            self.written = start
            return
        try:
            # A run that goes on from `last` meets the best again only if it is later.
            if self.best is not None:
                write_checkpoint(self.best_file, self.about, *self.best)
                self.best = None
            write_checkpoint(self.last, self.about, state, memory)
            self.has_written = True
        except TensorcError as error:
            if not self.has_written:
                raise
            # What a day of training gave must not be lost with the disk.
            text = f"TC0902: no checkpoint: {error}"
            warnings.warn(text, TensorcWarning, stacklevel=2)
        self.written = time.monotonic()
        self.cost = self.written - start


def find_last(path: Path) -> Path:
    """Return the checkpoint to go on from: a file, or the newest `last` of a directory.

    There are several where runs of several recipes are kept.
    """
    return newest(path, LAST) if os.path.isdir(path) else path  # noqa: PTH112


def protect(keeper: Keeper, epochs: int, resume: Path | None) -> str:
    """Refuse to write over a checkpoint that a run of `epochs` would not make again.

    Returns:
        "", or that the checkpoint is of this very run, which had not ended.

    Raises:
        TensorcError: it is of another or a longer run, or is none (TC0807).
    """
    if resume is not None:
        goes_on = find_last(resume)
        if goes_on.exists() and goes_on.samefile(keeper.last):
            return ""
    path, given = str(keeper.directory), way("overwrite=True", "--overwrite")
    resumed = way(f"resume={path!r}", f"--resume {path}")
    unfinished = ""
    for file in filter(Path.exists, (keeper.last, keeper.best_file)):
        why, state = _what_is_lost(keeper, file, epochs)
        is_last = state is not None and file == keeper.last
        if why:
            message = f"{file} would be written over: {why}"
            hints = [f"continue that run: {resumed}"] if is_last else []
            hints += [f"keep this run in another directory, or give {given}"]
            raise TensorcError(Diagnostic("TC0807", message, hints=tuple(hints)))
        if is_last and state and not _has_ended(state, epochs):
            unfinished = f"{file} holds epoch {state.epoch:,} of this run, "
            unfinished += f"which starts anew: {resumed} goes on"
    return unfinished


def _what_is_lost(
    keeper: Keeper, file: Path, epochs: int
) -> tuple[str, FitState | None]:
    """Return why a run does not make a checkpoint again, or "".

    With it comes the state there, if a run may go on from it.
    """
    try:
        found = read_checkpoint(file, keeper.shared)
        differing = compare(found, keeper.about, keeper.shared)
    except TensorcError as error:
        message = error.diagnostics[0].message.removeprefix(f"{file}: ")
        return message.replace(f"{file} is", "it is", 1), None
    state = found.state
    reached = state.epoch if state.position else state.epoch - 1
    if reached > epochs:
        why = f"it is of epoch {reached:,}, this run ends with {epochs:,}"
        return why, state
    begun = {keeper.about.begun, found.about.begun} - {""}
    if len(begun) > 1:
        differing = [*differing, "it is of a run that began with other values"]
    return (differing[0] if differing else ""), state


def _has_ended(state: FitState, epochs: int) -> bool:
    reached = state.epoch if state.position else state.epoch - 1
    return state.done or (reached == epochs and not state.pending)


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Make the directory, and hold signals back while the block runs.

    Raises:
        TensorcError: there is no such directory and none can be made (TC0902).
    """
    try:
        keeper.directory.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) else None
        message = f"{keeper.directory}: cannot be made: {detail or error}"
        raise TensorcError(Diagnostic("TC0902", message)) from error
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return

    def catch(number: int, frame: FrameType | None) -> None:
        if keeper.caught is None or keeper.caught == _HANGUP:
            keeper.caught = signal.Signals(number)
        elif number != _HANGUP:
            raise KeyboardInterrupt

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            keeper.handlers[number] = signal.signal(number, catch) or signal.SIG_DFL
    try:
        yield
    finally:
        for number, handler in keeper.handlers.items():
            signal.signal(number, handler)
    if keeper.caught is not None:  # after the last point that hears of it
        signal.raise_signal(keeper.caught)
