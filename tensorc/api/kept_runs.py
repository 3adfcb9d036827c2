"""What both ways to train from Python take of files, and who hears of epochs.

`tc.fit` and `Program.fit` read `save=`, `save_every=`, `resume=` and `callbacks=` here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tensorc.api.paths import path_of
from tensorc.errors import Diagnostic, TensorcError
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    ArgumentError,
    UsageError,
    usage_error,
    warn_user,
)
from tensorc.frontend.python.describing import describe, plain_number, whole_number
from tensorc.recipes import CODE, OPTIONS, SECONDS, RecipeOption
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.checkpoint import Checkpoint
from tensorc.runtime.training.content import digest_of_memory
from tensorc.runtime.training.history import EpochRecord, Footprint
from tensorc.runtime.training.keeping import Keeper, protect

ANEW = "TC0808"

OnEpoch: TypeAlias = Callable[[EpochRecord], object]

_LONGEST = 1e9  # seconds: some 30 years


@dataclass(frozen=True, slots=True)
class Kept:
    """The files of a run: where it is saved, how often at least, what it goes on from.

    `overwrite` lets it write over what `protect` keeps; `allow_nan` writes states that
    are not finite, too.
    """

    save: Path | None = None
    save_every: float = SECONDS
    resume: Path | None = None
    overwrite: bool = False
    allow_nan: bool = False

    @property
    def compares(self) -> bool:
        """Whether a run is compared with kept ones, so that its data must be known."""
        return self.save is not None or self.resume is not None

    def begun(self, last: Checkpoint | None, shared: Mapping[str, SharedCell]) -> str:
        """Return the digest of what a run began with; "" if nothing is kept of it."""
        if self.save is None:
            return ""
        return last.about.begun if last else digest_of_memory(shared)

    def protect(self, keeper: Keeper | None, epochs: int) -> str:
        """Return what of this run is started anew, or "".

        Raises TC0807 if a run of `epochs` would write over what it cannot make.
        """
        if keeper is None or self.overwrite:
            return ""
        return protect(keeper, epochs, self.resume)


def read_kept(
    save: object, save_every: object, resume: object, overwrite: object, nan: object
) -> Kept:
    """Return what a caller says of the files of a run.

    Raises `TypeError` or `ValueError` for what cannot be.
    """
    given = {"save_every": save_every, "overwrite": overwrite, "allow_nan": nan}
    plain = {n: checked(OPTIONS["keep"][n], value) for n, value in given.items()}
    seconds = plain["save_every"]
    assert isinstance(seconds, int | float)  # as `checked` says
    return Kept(
        _path(save, "save"),
        float(min(seconds, _LONGEST)),
        _path(resume, "resume"),
        bool(plain["overwrite"]),
        bool(plain["allow_nan"]),
    )


def checked(option: RecipeOption, given: object) -> object:
    """Return an option as a plain value, which numbers of NumPy are made.

    Raises TypeError for a value of another type, and ValueError for the rest.
    """
    whole = whole_number(given)
    plain = plain_number(given) if whole is None else whole
    if words := option.wrong(plain):
        hints = ["stop=tc.patience(5000)"] if option.name == "stop" else []
        raise wrong_value(words, given, option.kind.has_type, *hints)
    return plain


def wrong_value(
    words: str, given: object, has_type: Callable[[object], bool], *hints: str
) -> TensorcError:
    """Return the error of a value, by whether another one of its type is right."""
    message = f"{words}, got {describe(given)}"
    diagnostic = Diagnostic(CODE, message, user_location(), hints=hints)
    is_value = has_type(plain_number(given))
    return ArgumentError(diagnostic) if is_value else UsageError(diagnostic)


def warn_left_out(footprint: Footprint) -> None:
    """Warn of rows that are neither validated nor tested, at the user's line."""
    if warning := footprint.warning():
        warn_user(replace(warning, location=user_location()))


@contextmanager
def resumable(keeper: Keeper | None) -> Iterator[None]:
    """Let an interrupt of the block say how the run goes on, if it was kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        if keeper is not None and keeper.has_written:
            error.add_note(f"go on with resume={str(keeper.directory)!r}")
        raise


def warn_anew(unfinished: str) -> None:
    """Warn of a run that is started anew, at the user's line, if there is one."""
    if unfinished:
        warn_user(Diagnostic(ANEW, unfinished, user_location()))


def warn_differences(differences: Iterable[str]) -> None:
    """Warn of what a run has otherwise than the checkpoint that it goes on from."""
    for difference in differences:
        message = f"{difference} (the checkpoint)"
        warn_user(Diagnostic("TC0804", message, user_location()))


def epoch_callback(given: object) -> Callable[[EpochRecord], bool]:
    """Return one function for a user's callbacks: true if any of them ends the run.

    Raises TypeError for what cannot be called.
    """
    called = [given] if callable(given) else given
    if not isinstance(called, Iterable) or not all(map(callable, called)):
        raise usage_error(f"callbacks are functions, got {describe(given)}")
    functions: list[OnEpoch] = list(called)

    def on_epoch(record: EpochRecord) -> bool:
        # Each of them hears of the epoch, also of the last one.
        answers = [function(record) for function in functions]
        return any(isinstance(a, bool | np.bool_) and bool(a) for a in answers)

    return on_epoch


def refuse_settings(path: str, unknown: Iterable[str]) -> None:
    """Raise TypeError for what a `fit` of a file takes from the file alone."""
    for name in unknown:
        message = f"fit of a program takes no `{name}=`"
        hint = f"tc.load({path!r}, {name}=…) sets hypers and values of recipes"
        raise usage_error(message, hint)


def _path(given: object, name: str) -> Path | None:
    return None if given is None else path_of(given, name)
