"""A store of compiled code on disk, by content: what cannot be trusted is a miss.

    key = key_of("module text", "target", …)
    payload = load(key)                 # bytes, or None
    save(key, payload)

Entries are files of one directory: `TENSORC_CACHE_DIR`, else the user's directory for
caches; `TENSORC_CACHE_DIR=off` turns the cache off. An entry holds a magic number, a
digest of key and payload, and the payload. Writers write a file of their own and rename
it, so any number of processes may share the directory, and a reader sees a whole entry
or none. An entry that is cut off, altered, renamed, or not the user's own gives a
warning and is replaced. Nothing is synced to the disk: after a power failure the digest
tells.
"""

import hashlib
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tensorc.errors import CacheWarning

IN_USE: ContextVar[bool] = ContextVar("cache", default=True)  # tc.options(cache=False)
_MAGIC = b"tensorc1"
_DIGEST = 32
_SUFFIX = ".tca"
LARGEST_ENTRY = 1 << 28  # bytes; far beyond any object, and soon read
LARGEST_STORE = 1 << 29  # bytes of all entries; then the longest unused ones go
_STALE = 3600.0  # seconds after which a writer's file is taken as left behind


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored file: its key, its size in bytes, when it was last used (epoch)."""

    key: str
    path: Path
    size: int
    used: float


def key_of(*parts: str | bytes) -> str:
    """Return the key of what these parts determine; their borders count."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def directory() -> Path | None:
    """Return where entries are kept; None if the cache is turned off."""
    named = os.environ.get("TENSORC_CACHE_DIR")
    if named in ("", "off") or not IN_USE.get():
        return None
    place = _user_directory() if named is None else Path(named)
    try:
        return place.expanduser()
    except RuntimeError:  # nobody knows where the home of this user is
        return None


@cache
def _user_directory() -> Path:
    # Imported where it is needed: it takes as long as all else that a hit does.
    from platformdirs import user_cache_path

    return user_cache_path("tensorc", appauthor=False)


def load(key: str, touch: bool = True) -> bytes | None:
    """Return the payload of a key; None, perhaps after a warning, if there is none.

    `touch` notes that the entry was used.
    """
    place = _usable()
    if place is None:
        return None
    path = place / f"{key}{_SUFFIX}"
    try:
        content = _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"{path} cannot be read: {error.strerror or error}")
        return None
    head = len(_MAGIC) + _DIGEST
    payload = content[head:]
    if content[: len(_MAGIC)] != _MAGIC or len(content) < head:
        _warn(f"{path} is no cache entry; it is replaced")
    elif content[len(_MAGIC) : head] != _digest(key, payload):
        _warn(f"{path} is damaged; it is replaced")
    else:
        if touch:
            with suppress(OSError):
                os.utime(path)  # the longest unused entries are removed first
        return payload
    return None


def reject(key: str, reason: str) -> None:
    """Warn that a payload is not what its reader expects, and is to be replaced.

    The reason may quote the entry: no more of it than 200 characters are told.
    """
    _warn(f"the cache entry {key[:12]}… is not used: {reason:.200}")


def save(key: str, payload: bytes) -> None:
    """Store a payload; a warning if that is not possible."""
    place = _usable(make=True)
    if place is None or len(payload) > LARGEST_ENTRY:
        return
    try:
        handle, name = tempfile.mkstemp(dir=place, prefix=f".{key[:12]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _digest(key, payload) + payload)
            Path(name).replace(place / f"{key}{_SUFFIX}")
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
        _prune(place)
    except OSError as error:
        _warn(f"nothing is kept in {place}: {error.strerror or error}")


def entries() -> list[Entry]:
    """Return what is stored, the most recently used first."""
    place = directory()
    if place is None:
        return []
    with suppress(OSError):
        return sorted(_entries(place), key=lambda e: e.used, reverse=True)
    return []


def clear() -> tuple[int, int]:
    """Remove all entries; return their number and how many bytes they took."""
    count = size = 0
    for entry in entries():
        with suppress(OSError):
            entry.path.unlink()
            count, size = count + 1, size + entry.size
    return count, size


def _digest(key: str, payload: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=_DIGEST)
    digest.update(payload)
    return digest.digest()


def _read(path: Path) -> bytes:
    """Return the content of a plain file of our own. Raises OSError."""
    # Not blocking: opening a pipe that lies there would wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no plain file")
        if not _is_ours(status):
            raise OSError("others can write it")
        if status.st_size > LARGEST_ENTRY + 4096:
            raise OSError(f"it has {status.st_size} bytes")
        return file.read()


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether nobody but the user can have written a file or directory."""
    if not hasattr(os, "getuid"):  # Windows: the user's directory is the user's
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _usable(make: bool = False) -> Path | None:
    """Return the directory if it can be trusted; a warning if it cannot."""
    place = directory()
    if place is None:
        return None
    try:
        if make:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = place.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"the cache directory {place} is not used: {error.strerror or error}")
        return None
    if not stat.S_ISDIR(status.st_mode):
        _warn(f"the cache directory {place} is not used: it is no directory")
        return None
    if not _is_ours(status):
        _warn(
            f"the cache directory {place} is not used: others can write it; "
            f"`chmod go-w` it, or name one of your own in TENSORC_CACHE_DIR"
        )
        return None
    return place


def _entries(place: Path) -> Iterator[Entry]:
    with os.scandir(place) as found:
        for item in found:
            if item.name.endswith(_SUFFIX) and item.is_file(follow_symlinks=False):
                with suppress(OSError):
                    status = item.stat(follow_symlinks=False)
                    key = item.name.removesuffix(_SUFFIX)
                    path = Path(item.path)
                    yield Entry(key, path, status.st_size, status.st_mtime)


def _prune(place: Path) -> None:
    """Remove the longest unused entries beyond the limit, and what writers left."""
    found = sorted(_entries(place), key=lambda e: e.used, reverse=True)
    total = 0
    for entry in found:
        total += entry.size
        if total > LARGEST_STORE:
            with suppress(OSError):
                entry.path.unlink()
    for path in place.glob(".*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=2)
