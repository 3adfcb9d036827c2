"""Where the user's Python stands: the innermost frame outside of this package."""

import sys
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType

from tensorc.errors import COMMAND_LINE, Location

_PACKAGE = str(Path(__file__).parents[2]) + "/"


def user_location() -> Location:
    """Return where the innermost frame outside of this package and NumPy stands.

    There is none where the command line calls, which has no Python of its own.
    """
    frame = None if COMMAND_LINE.get() else user_frame()
    return Location() if frame is None else location_of(frame)


def user_frame() -> FrameType | None:
    """Return the innermost frame outside of this package and NumPy, if there is one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


def location_of(frame: FrameType) -> Location:
    """Return where a frame stands in the source."""
    return _location(frame.f_code, frame.f_lasti, frame.f_lineno)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is of this package."""
    return is_ours_file(frame.f_code.co_filename)


def is_ours_file(name: str) -> bool:
    """Whether a file of source is of this package."""
    return name.startswith(_PACKAGE)


def is_users(frame: FrameType) -> bool:
    """Whether a frame is of the user's code: not ours, nor NumPy's, which calls us."""
    if frame.f_code.co_filename.startswith(_PACKAGE):  # `is_ours`, of many frames
        return False
    return not str(frame.f_globals.get("__name__")).startswith("numpy.")


def _location(code: CodeType, instruction: int, line: int) -> Location:
    # Two bytes an instruction; columns are 0-based there, None where they are unknown.
    found = next(islice(code.co_positions(), instruction // 2, None), None)
    if found is None or None in found:
        return Location(code.co_filename, line, 1)
    first, last, start, stop = (x or 0 for x in found)
    end = last if last != first else 0
    return Location(code.co_filename, first, start + 1, end, stop + 1)
