"""Files as bytes: read with limits, decompressed with limits, replaced as a whole.

Nothing in a file is trusted: no reader takes more memory than it is allowed to,
whatever the file announces.
"""

import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tensorc.errors import DataError, Diagnostic, TensorcError
from tensorc.plain_files import remove_leftovers, replacing

# More than this is taken for a mistake or an attack, before or after decompression.
MAX_BYTES = 1 << 30
GZIP_MAGIC = b"\x1f\x8b"
AGAIN = "the file is damaged: fetch it again"

# Give the next n bytes of the content, fewer at its end.
Reader = Callable[[int], bytes | memoryview]


def data_error(path: Path, code: str, detail: str, *hints: str) -> DataError:
    """Return the error that `detail` is wrong with the file at `path`."""
    return DataError(Diagnostic(code, f"{path}: {detail}", hints=hints))


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a plain file.

    Raises:
        DataError: there is no such file or it cannot be read (TC0401), or it has more
            than `limit` bytes (TC0405).
    """
    try:
        if path.is_dir():
            raise data_error(path, "TC0401", "is a directory, a file is expected")
        if path.exists() and not path.is_file():
            raise data_error(path, "TC0401", "is not a regular file")
        size = path.stat().st_size
        if size > limit:
            raise too_large(path, size, limit)
        return path.read_bytes()
    except FileNotFoundError:
        raise data_error(path, "TC0401", "no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise data_error(path, "TC0401", f"cannot be read: {reason}") from error


def too_large(path: Path, size: int, limit: int = MAX_BYTES) -> DataError:
    """Return the error that a file holds `size` bytes, more than are read."""
    detail = f"{size:,} bytes, at most {limit:,} are read"
    return data_error(path, "TC0405", detail, "split the file")


def plain_reader(content: bytes) -> Reader:
    """Return a reader of bytes as they are."""
    rest = memoryview(content)

    def read(count: int) -> memoryview:
        nonlocal rest
        chunk, rest = rest[:count], rest[count:]
        return chunk

    return read


def gzip_reader(path: Path, content: bytes) -> Reader:
    """Return a reader that decompresses no more than it is asked for.

    It raises DataError (TC0402) when it meets damage.
    """
    stream = zlib.decompressobj(wbits=31)
    pending = content

    def read(count: int) -> bytes:
        nonlocal stream, pending
        chunks: list[bytes] = []
        while (missing := count - sum(map(len, chunks))) > 0:
            try:
                chunks.append(stream.decompress(pending, missing))
            except zlib.error as error:
                detail = f"the gzip stream is damaged: {error}"
                raise data_error(path, "TC0402", detail, AGAIN) from None
            if not stream.eof:
                pending = stream.unconsumed_tail
                if len(chunks[-1]) < missing and not pending:
                    detail = f"the gzip stream ends early, after {len(content):,} bytes"
                    raise data_error(path, "TC0402", detail, AGAIN)
            elif stream.unused_data:
                # A gzip file may have several members, one after the other.
                pending = stream.unused_data
                stream = zlib.decompressobj(wbits=31)
            else:
                break
        # An image file is one chunk: joining one copies nothing.
        return b"".join(chunks)

    return read


def unzipped(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a file, decompressed if it is a gzip file.

    Raises:
        DataError: as `read_file`, or the stream is damaged (TC0402), or it holds more
            than `limit` bytes (TC0405).
    """
    content = read_file(path, limit)
    if content[:2] != GZIP_MAGIC:
        return content
    plain = bytes(gzip_reader(path, content)(limit + 1))
    if len(plain) > limit:
        raise too_large(path, len(plain), limit)
    return plain


def replace_file(
    path: Path, content: bytes, is_ours: Callable[[BinaryIO], bool]
) -> None:
    """Write a file so that it is the old or the new one whenever the machine stops.

    The bytes go to a new file in the same directory, reach the disk, and take the
    name; then the directory reaches the disk. What earlier writers of this file left
    when they were killed is removed before, where `is_ours` knows its content.

    Raises:
        TensorcError: that is not possible (TC0902); the old file is untouched.
    """
    whole = path.absolute()
    remove_leftovers(whole.parent, lambda name: name == path.name, is_ours)
    try:
        with replacing(whole) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(whole.parent)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise TensorcError(Diagnostic("TC0902", message)) from error


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # Windows opens no directories
    handle = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems refuse it: the file itself is on the disk.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
