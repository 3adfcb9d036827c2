"""Paths as users give them to the Python doors."""

from os import PathLike, fspath
from pathlib import Path

from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.python.describing import describe


def path_of(given: object, name: str) -> Path:
    """Return a path that is given as the argument `name`; `~` is the user's home.

    Raises TypeError for what is none, and ValueError for an empty text: it would be the
    working directory, which is spelled ".".
    """
    if not isinstance(given, str | PathLike):
        raise usage_error(f"{name} is a path, got {describe(given)}")
    spelled = fspath(given)
    if not isinstance(spelled, str):
        raise usage_error(f"{name} is a path, got {describe(spelled)}")
    if not spelled:
        message = f"{name} is a path, got an empty text"
        raise argument_error(message, f'the working directory is {name}="."')
    return Path(spelled).expanduser()
