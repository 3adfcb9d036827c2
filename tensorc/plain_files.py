"""Plain files on disk: opened without a trap, replaced as a whole, and tidied after.

    with replacing(path) as file:  # a spare file, which takes the name at the end
        file.write(content)
    remove_leftovers(path.parent, lambda name: name == path.name, is_ours)

A writer that is killed leaves its spare file, `.NAME.PID-xxxxxxxx.tmp`. Such a file is
removed only if all of this shows that we wrote it, and that nobody writes it any more:
its name, its first bytes, that its process is gone, and that nobody holds its lock.
"""

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which removes no file that somebody has open
    fcntl = None  # type: ignore[assignment]

_SPARE = re.compile(
    r"\.(?P<target>.+)\.(?P<process>[1-9][0-9]{0,9})-[0-9a-f]{8}\.tmp", re.DOTALL
)
# Spare files that this process is writing: in a container, a process that was killed
# and the one that follows it often have the same number.
_WRITTEN: set[str] = set()


def open_plain(path: Path | str) -> BinaryIO:
    """Open a plain file to read bytes; never a link, nor a pipe, which would wait.

    Raises:
        OSError: that is not possible, or it is no plain file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("it is no plain file")
    return os.fdopen(handle, "rb")


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file beside `path`, which takes its name when the block ends.

    When the block raises, the file is removed and `path` is as it was.
    """
    name = f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    spare = path.parent / name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    _WRITTEN.add(name)
    try:
        handle = os.open(spare, flags, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                _try_lock(file, exclusive=True)
                yield file
            spare.replace(path)
        except BaseException:
            with suppress(OSError):
                spare.unlink()
            raise
    finally:
        _WRITTEN.discard(name)


def remove_leftovers(
    directory: Path,
    is_target: Callable[[str], bool],
    is_ours: Callable[[BinaryIO], bool],
) -> None:
    """Remove the spare files of writers that were killed.

    `is_target` says for which names of targets; `is_ours` gets the open file, and tells
    by its content whether we wrote it. What cannot be read or removed stays.
    """
    with suppress(OSError), os.scandir(directory) as items:
        for item in items:
            match = _SPARE.fullmatch(item.name)
            if not match or not is_target(match["target"]):
                continue
            with suppress(OSError):
                if _is_gone(item.name, int(match["process"])):
                    _remove_if_ours(item.path, is_ours)


def _remove_if_ours(path: str, is_ours: Callable[[BinaryIO], bool]) -> None:
    with open_plain(path) as file:
        # Its writer may run where process numbers say nothing: in another container.
        if _try_lock(file, exclusive=False) and is_ours(file):
            os.unlink(path)  # noqa: PTH108  (scandir gives texts)


def _is_gone(name: str, process: int) -> bool:
    """Tell whether the process that wrote a spare file has ended."""
    if process == os.getpid():
        return name not in _WRITTEN
    if os.name != "posix":
        return True  # `kill` would end it; and a file that is open stays anyway
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's, or no number of a process
        return False
    return False


def _try_lock(file: IO[bytes], exclusive: bool) -> bool:
    """Take the lock of a file that ends with its process; False if somebody has it."""
    if fcntl is None:
        return True
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        fcntl.flock(file.fileno(), kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the process number decides
    return True
