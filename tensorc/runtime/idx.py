"""Read IDX files, the format of MNIST, plain or compressed by gzip.

An IDX file is a big-endian magic number (two zero bytes, an element type, a rank), one
u32 size per axis and the elements. Nothing in a file is trusted: the sizes are checked
against what is really there before memory is reserved for it.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.errors import DataError, Diagnostic
from tensorc.runtime.arrays import Array

# More than this is taken for a mistake or an attack, before or after decompression.
MAX_BYTES = 1 << 30

_MAX_RANK = 8
_GZIP_MAGIC = b"\x1f\x8b"
_DTYPES: dict[int, np.dtype[np.generic]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

# Give the next n bytes of the content, fewer at its end.
_Reader = Callable[[int], bytes | memoryview]


def data_error(path: Path, code: str, detail: str, *hints: str) -> DataError:
    """Return the error that `detail` is wrong with the file at `path`."""
    return DataError(Diagnostic(code, f"{path}: {detail}", hints=hints))


def read_idx(path: Path) -> Array:
    """Return the array that an IDX file holds, in the machine's byte order.

    Raises:
        DataError: the file is missing (TC0401), its gzip stream is damaged (TC0402),
            it is not IDX (TC0403), its size is not what its header says (TC0404), or
            it is larger than 1 GiB (TC0405).
    """
    content = _read_file(path)
    if content[:2] == _GZIP_MAGIC:
        reader = _gzip_reader(path, content)
    elif path.suffix == ".gz":
        raise data_error(
            path, "TC0402", f"gzip starts with 1f 8b, found {_hex(content[:2])}", _AGAIN
        )
    else:
        reader = _plain_reader(content)
    header = _read_header(path, reader)
    return _read_elements(path, reader, header)


_AGAIN = "the file is damaged: fetch it again"


@dataclass(frozen=True, slots=True)
class _Header:
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise data_error(path, "TC0401", "is a directory, an IDX file is expected")
        if path.exists() and not path.is_file():
            raise data_error(path, "TC0401", "is not a regular file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(path, size)
        return path.read_bytes()
    except FileNotFoundError:
        raise data_error(path, "TC0401", "no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise data_error(path, "TC0401", f"cannot be read: {reason}") from error


def _too_large(path: Path, size: int) -> DataError:
    return data_error(
        path,
        "TC0405",
        f"{size:,} bytes, at most {MAX_BYTES:,} are read",
        "split the file",
    )


def _hex(content: bytes | memoryview) -> str:
    return content.hex(" ") or "nothing"


def _plain_reader(content: bytes) -> _Reader:
    rest = memoryview(content)

    def read(count: int) -> memoryview:
        nonlocal rest
        chunk, rest = rest[:count], rest[count:]
        return chunk

    return read


def _gzip_reader(path: Path, content: bytes) -> _Reader:
    """Return a reader that decompresses no more than it is asked for."""
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
                raise data_error(path, "TC0402", detail, _AGAIN) from None
            if not stream.eof:
                pending = stream.unconsumed_tail
                if len(chunks[-1]) < missing and not pending:
                    detail = f"the gzip stream ends early, after {len(content):,} bytes"
                    raise data_error(path, "TC0402", detail, _AGAIN)
            elif stream.unused_data:
                # A gzip file may have several members, one after the other.
                pending = stream.unused_data
                stream = zlib.decompressobj(wbits=31)
            else:
                break
        # An image file is one chunk: joining one copies nothing.
        return b"".join(chunks)

    return read


def _read_header(path: Path, read: _Reader) -> _Header:
    magic = read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise data_error(
            path,
            "TC0403",
            f"IDX starts with 00 00, a type and a rank, found {_hex(magic)}",
            "give an IDX file, such as train-images-idx3-ubyte.gz",
        )
    rank = magic[3]
    if not 1 <= rank <= _MAX_RANK:
        raise data_error(
            path, "TC0403", f"rank {rank}, from 1 to {_MAX_RANK} is expected", _AGAIN
        )
    sizes = read(4 * rank)
    if len(sizes) < 4 * rank:
        detail = f"the header has {4 + len(sizes)} bytes, {4 + 4 * rank} are expected"
        raise data_error(path, "TC0404", detail, _AGAIN)
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    return _Header(_DTYPES[magic[2]], shape)


def _read_elements(path: Path, read: _Reader, header: _Header) -> Array:
    expected = math.prod(header.shape) * header.dtype.itemsize
    if expected > MAX_BYTES:
        raise _too_large(path, expected)
    # One more byte than there may be: so the end of the stream is met and checked.
    content = read(expected + 1)
    if len(content) != expected:
        many = len(content) > expected
        sizes = " x ".join(map(str, header.shape))
        given = "more follow" if many else f"there are {len(content):,}"
        raise data_error(
            path,
            "TC0404",
            f"the header announces {sizes} elements, {expected:,} bytes, but {given}",
            _AGAIN,
        )
    elements = np.frombuffer(content, header.dtype).reshape(header.shape)
    return elements.astype(header.dtype.newbyteorder("="), copy=False)
