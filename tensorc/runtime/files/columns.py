"""Files as bytes: read piece by piece, unfolded with limits, replaced as a whole.

Nothing in a file is trusted: no reader takes more memory than in proportion to what the
file has, whatever the file announces. A file that is not compressed may be of any size,
one that is unfolds to at most `RATIO` times its bytes.
"""

import math
import mmap
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tensorc.errors import DataError, Diagnostic, TensorcError
from tensorc.plain_files import remove_leftovers, replacing
from tensorc.runtime.arrays import Array

# Images unfold to 10 times their bytes, sparse data to 200 times; what unfolds further
# and is large is taken for an attack. Deflate makes at most 1032 bytes of one.
RATIO = 256
SMALL = 1 << 26  # bytes that any file may unfold to
PIECE = 1 << 20  # bytes that are read at once
GZIP_MAGIC = b"\x1f\x8b"
AGAIN = "the file is damaged: fetch it again"

# The numbers that arrays of files hold, as NumPy spells them without their order.
NUMBERS = frozenset(
    {"b1", "f2", "f4", "f8"}
    | {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)}
)

_MAX_BYTES = (1 << 63) - 1  # that NumPy can address

# Give the next n bytes of the content, fewer at its end.
Reader = Callable[[int], bytes]

# What files begin with, by what they are; no message shows what a file holds.
_KINDS = {
    GZIP_MAGIC: "a gzip file",
    b"PK": "a zip archive",
    b"\x93NUM": "an .npy file",
    b"\0\0": "an IDX file of another form",
    b"\x80": "a pickle",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "an image",
    b"<": "HTML or XML",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is read from its beginning; `size` is that on disk.

    `available` is how many bytes it holds, None if it is compressed: then at most
    `limit` come.
    """

    path: Path
    read: Reader
    size: int
    limit: int
    available: int | None


def data_error(path: Path, code: str, detail: str, *hints: str) -> DataError:
    """Return the error that `detail` is wrong with the file at `path`."""
    return DataError(Diagnostic(code, f"{path}: {detail}", hints=hints))


def is_addressable(shape: Sequence[int], dtype: np.dtype[np.generic]) -> bool:
    """Tell whether NumPy makes an array of a shape, empty ones with huge axes, too."""
    return math.prod(size or 1 for size in shape) * dtype.itemsize <= _MAX_BYTES


def kind_of(head: bytes) -> str:
    """Return what a file is by its first bytes, without showing them."""
    if not head:
        return "nothing"
    known = (kind for magic, kind in _KINDS.items() if head.startswith(magic))
    is_text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
    return next(known, "text" if is_text else "other bytes")


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file to read bytes; give its size, too.

    Raises:
        DataError: there is no such file or it cannot be read (TC0401), in the block
            either.
    """
    try:
        if path.is_dir():
            raise data_error(path, "TC0401", "is a directory, a file is expected")
        if path.exists() and not path.is_file():
            raise data_error(path, "TC0401", "is not a regular file")
        with path.open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise data_error(path, "TC0401", "no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, TensorcError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise data_error(path, "TC0401", f"cannot be read: {reason}") from error


@contextmanager
def unfolding(path: Path, widening: int = 1) -> Iterator[Source]:
    """Give the content of a file, decompressed as it is read if it is a gzip file.

    `widening` is how many bytes of memory a byte of the content may become.

    Raises:
        DataError: as `opened`; in the block also that the stream is damaged (TC0402) or
            unfolds too far (TC0405).
    """
    with opened(path) as (file, size):
        head = file.read(len(GZIP_MAGIC))
        file.seek(0)
        limit = unfolded_limit(size, widening)
        if head == GZIP_MAGIC:
            yield Source(path, gzip_reader(path, file, limit), size, limit, None)
        else:
            yield Source(path, file.read, size, size, size)


def unfolded_limit(size: int, widening: int = 1) -> int:
    """Return how many bytes a compressed file of `size` bytes may unfold to."""
    return max(SMALL // widening, RATIO * size)


def unfolds_too_far(path: Path, size: int, limit: int) -> DataError:
    """Return the error that a compressed file holds `size` bytes or more."""
    detail = f"unfolds to {size:,} bytes or more, at most {limit:,} are read "
    detail += "from a compressed file of this size"
    return data_error(
        path, "TC0405", detail, "decompress the file, and name the result"
    )


def gzip_reader(path: Path, file: BinaryIO, limit: int) -> Reader:
    """Return a reader that decompresses no more than it is asked for.

    It raises DataError when it meets damage (TC0402), or when it has given `limit`
    bytes and there are more (TC0405).
    """
    members = _Members(path, file)
    given = 0

    def read(count: int) -> bytes:
        nonlocal given
        chunks: list[bytes] = []
        while count and (chunk := members.decompress(count)):
            chunks.append(chunk)
            count -= len(chunk)
            given += len(chunk)
            if given > limit:
                raise unfolds_too_far(path, given, limit)
        return b"".join(chunks)

    return read


@dataclass(slots=True)
class _Members:
    """A gzip file, which may have several members, one after the other."""

    path: Path
    file: BinaryIO
    stream: "zlib._Decompress" = field(default_factory=lambda: zlib.decompressobj(31))
    pending: bytes = b""

    def decompress(self, most: int) -> bytes:
        """Return some bytes; none at the end."""
        while True:
            if self.stream.eof:
                self.pending = self.pending or self.file.read(PIECE)
                if not self.pending:
                    return b""
                self.stream = zlib.decompressobj(31)
            try:
                # Also with no more input: some output may not have been asked for.
                found = self.stream.decompress(self.pending, most)
            except zlib.error as error:
                raise self._damaged(f"is damaged: {error}") from None
            stream = self.stream
            self.pending = stream.unused_data if stream.eof else stream.unconsumed_tail
            if found:
                return found
            self.pending = self.pending or self.file.read(PIECE)
            if not self.pending and not stream.eof:
                raise self._damaged(f"ends early, after {self.file.tell():,} bytes")

    def _damaged(self, detail: str) -> DataError:
        return data_error(self.path, "TC0402", f"the gzip stream {detail}", AGAIN)


def read_elements(
    read: Reader, dtype: np.dtype[np.generic], count: int
) -> tuple[Array, int]:
    """Return `count` elements from a reader, and how many bytes of them there were.

    They are read into their memory piece by piece: no more of it is touched than the
    content fills.
    """
    elements = np.empty(count, dtype)
    memory = elements.view(np.uint8)
    position = 0
    while position < len(memory):
        piece = read(min(PIECE, len(memory) - position))
        if not piece:
            break
        memory[position : position + len(piece)] = np.frombuffer(piece, np.uint8)
        position += len(piece)
    return elements, position


def mapped_elements(
    file: BinaryIO, offset: int, dtype: np.dtype[np.generic], count: int
) -> Array | None:
    """Return elements of a file where they are on disk, if memory is short of them.

    None if they take less than half of the machine's memory: a copy is safe from
    whoever changes or shortens the file.
    """
    if 2 * count * dtype.itemsize <= _machine_memory():
        return None
    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, dtype, count, offset)


def _machine_memory() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf  # it is not known: nothing is mapped


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
