"""A store of compiled code on disk, by content: what cannot be trusted is a miss.

    key = key_of("module text", "target", …)
    payload = load(key)                 # bytes, or None
    save(key, payload)

Entries are files of one directory: `TENSORC_CACHE_DIR`, else the user's directory for
caches; `TENSORC_CACHE_DIR=off` turns the cache off. Our own directories are marked; in
one that holds other files, entries go to a folder. An entry holds a magic number, a
digest of key and payload, and the payload. Writers write a file of their own and rename
it, so any number of processes may share the directory, and a reader sees a whole entry
or none. An entry that is cut off, altered, renamed, or not the user's own gives a
warning and is replaced. Nothing is synced to the disk: after a power failure the digest
tells. A file is deleted only if its name and its first bytes are those of an entry.
"""

import hashlib
import os
import re
import stat
import warnings
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tensorc.errors import CacheWarning
from tensorc.plain_files import open_plain, remove_leftovers, replacing

IN_USE: ContextVar[bool] = ContextVar("cache", default=True)  # tc.options(cache=False)
_MAGIC = b"tensorc1"
_DIGEST = 32
_SUFFIX = ".tca"
_NAME = re.compile(rf"[0-9a-f]{{{2 * _DIGEST}}}{re.escape(_SUFFIX)}")
FOLDER = "tensorc-cache"  # of a directory that has other files
# The name and the first line are a convention: backups leave such directories out.
MARKER = "CACHEDIR.TAG"
_MARK = b"Signature: 8a477f597d28d172789f06886806bc55\n# compiled code of tensorc\n"
LARGEST_ENTRY = 1 << 28  # bytes; far beyond any object, and soon read
LARGEST_STORE = 1 << 29  # bytes of all entries; then the longest unused ones go


@dataclass(frozen=True, slots=True)
class CacheEntry:
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
    """Return where entries are kept; None if the cache is turned off.

    It is the directory that is named, or a folder of it if others have files there.
    """
    return _located()[0]


def is_on() -> bool:
    """Return whether the cache is in use; without a look at the disk."""
    return os.environ.get("TENSORC_CACHE_DIR") not in ("", "off") and IN_USE.get()


def _located() -> tuple[Path | None, bool]:
    """Return where entries are kept, and whether that is known to be our own."""
    if not is_on():
        return None, False
    named = os.environ.get("TENSORC_CACHE_DIR")
    root = _user_directory() if named is None else Path(named)
    try:
        root = root.expanduser()
    except RuntimeError:  # nobody knows where the home of this user is
        return None, False
    return (root, True) if _is_own(root) else (root / FOLDER, False)


@cache
def _user_directory() -> Path:
    # Imported where it is needed: it takes as long as all else that a hit does.
    from platformdirs import user_cache_path

    return user_cache_path("tensorc", appauthor=False)


def load(key: str, touch: bool = True) -> bytes | None:
    """Return the payload of a key; None, perhaps after a warning, if there is none.

    `touch` notes that the entry was used.
    """
    folder = _usable()
    if folder is None:
        return None
    path = folder / f"{key}{_SUFFIX}"
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

    The reason may quote the entry: the warning has 200 characters of it.
    """
    _warn(f"the cache entry {key[:12]}… is not used: {reason:.200}")


def save(key: str, payload: bytes) -> None:
    """Store a payload; a warning if that is not possible."""
    folder = _usable(make=True)
    if folder is None or len(payload) > LARGEST_ENTRY:
        return
    try:
        with replacing(folder / f"{key}{_SUFFIX}", mode=0o600) as file:
            file.write(_MAGIC + _digest(key, payload) + payload)
        _prune(folder)
    except OSError as error:
        _warn(f"nothing is kept in {folder}: {error.strerror or error}")


def entries() -> list[CacheEntry]:
    """Return what is stored, the most recently used first."""
    folder = directory()
    if folder is None:
        return []
    with suppress(OSError):
        return [e for e in _named_as_entries(folder) if _is_written(e.path)]
    return []


def clear() -> tuple[int, int]:
    """Remove all entries; return their number and how many bytes they took."""
    count = size = 0
    for entry in entries():
        if _remove(entry):
            count, size = count + 1, size + entry.size
    folder = directory()
    if folder is not None:
        remove_leftovers(folder, _is_name, _has_magic)
    return count, size


def _digest(key: str, payload: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=_DIGEST)
    digest.update(payload)
    return digest.digest()


def _read(path: Path) -> bytes:
    """Return the content of a plain file of our own. Raises OSError."""
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        if not _is_ours(status):
            raise OSError("others can write it")
        if status.st_size > LARGEST_ENTRY + 4096:
            raise OSError(f"it has {status.st_size} bytes")
        return file.read()


def _is_ours(status: os.stat_result) -> bool:
    """Return whether nobody but the user can have written a file or directory."""
    if not hasattr(os, "getuid"):  # Windows: the user's directory is the user's
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _usable(make: bool = False) -> Path | None:
    """Return the directory if it can be trusted; a warning if it cannot."""
    folder, is_own = _located()
    if folder is None:
        return None
    try:
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"the cache directory {folder} is not used: {error.strerror or error}")
        return None
    if not stat.S_ISDIR(status.st_mode):
        _warn(f"the cache directory {folder} is not used: it is no directory")
        return None
    if not _is_ours(status):
        _warn(
            f"the cache directory {folder} is not used: others can write it; "
            f"`chmod go-w` it, or name one of your own in TENSORC_CACHE_DIR"
        )
        return None
    return folder if _is_prepared(folder, is_own, make) else None


def _is_prepared(folder: Path, is_own: bool, make: bool) -> bool:
    """Return whether a directory is ours; with `make`, mark it. Warns if it is not."""
    if not is_own and not _is_own(folder):
        _warn(
            f"the cache directory {folder} is not used: it holds files of others; "
            f"name an empty or a new one in TENSORC_CACHE_DIR"
        )
        return False
    if make:
        try:
            with (folder / MARKER).open("xb") as file:
                file.write(_MARK)
        except FileExistsError:
            pass
        except OSError as error:
            _warn(f"nothing is kept in {folder}: {error.strerror or error}")
            return False
    return True


def _is_own(folder: Path) -> bool:
    """Return whether a directory is marked as ours, or holds nothing but entries.

    One that is missing is nobody's: whoever uses it makes it.
    """
    # Another process may mark it, the first that it does there, while we look around.
    return _is_marked(folder) or _holds_entries_alone(folder) or _is_marked(folder)


def _is_marked(folder: Path) -> bool:
    with suppress(OSError), open_plain(folder / MARKER) as file:
        # Nothing: another process is just writing it.
        return file.read(len(_MARK)) in (b"", _MARK)
    return False


def _holds_entries_alone(folder: Path) -> bool:
    try:
        with os.scandir(folder) as items:
            return all(_is_written(Path(item.path)) for item in items)
    except OSError:
        return True  # it is missing, or whoever uses it finds out


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _has_magic(file: BinaryIO) -> bool:
    return file.read(len(_MAGIC)) == _MAGIC


def _is_written(path: Path) -> bool:
    """Return whether a file has the name and the first bytes of an entry."""
    if not _is_name(path.name):
        return False
    with suppress(OSError), open_plain(path) as file:
        return _has_magic(file)
    return False


def _named_as_entries(folder: Path) -> list[CacheEntry]:
    """Return what has the name of an entry, the most recently used first."""
    found = []
    with os.scandir(folder) as items:
        for item in items:
            if _is_name(item.name) and item.is_file(follow_symlinks=False):
                with suppress(OSError):
                    status = item.stat(follow_symlinks=False)
                    key = item.name.removesuffix(_SUFFIX)
                    path = Path(item.path)
                    found.append(CacheEntry(key, path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda e: e.used, reverse=True)


def _remove(entry: CacheEntry) -> bool:
    """Remove a file if we wrote it; return whether it is gone by that."""
    if _is_written(entry.path):
        with suppress(OSError):
            entry.path.unlink()
            return True
    return False


def _prune(folder: Path) -> None:
    """Remove the longest unused entries beyond the limit, and what writers left."""
    total = 0
    for entry in _named_as_entries(folder):
        total += entry.size
        if total > LARGEST_STORE:
            _remove(entry)
    remove_leftovers(folder, _is_name, _has_magic)


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=2)
