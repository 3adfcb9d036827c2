"""Read IDX files, the format of MNIST, plain or compressed by gzip.

An IDX file is a big-endian magic number (two zero bytes, an element type, a rank), one
u32 size per axis and the elements. Nothing in a file is trusted: the sizes are checked
against what is really there before memory is reserved for it.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.runtime.arrays import Array
from tensorc.runtime.files import (
    AGAIN,
    GZIP_MAGIC,
    MAX_BYTES,
    Reader,
    data_error,
    gzip_reader,
    plain_reader,
    read_file,
    too_large,
)

_MAX_RANK = 8
_DTYPES: dict[int, np.dtype[np.generic]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx(path: Path) -> Array:
    """Return the array that an IDX file holds, in the machine's byte order.

    Raises:
        DataError: the file is missing (TC0401), its gzip stream is damaged (TC0402),
            it is not IDX (TC0403), its size is not what its header says (TC0404), or
            it is larger than 1 GiB (TC0405).
    """
    content = read_file(path, MAX_BYTES)
    if content[:2] == GZIP_MAGIC:
        reader = gzip_reader(path, content)
    elif path.suffix == ".gz":
        raise data_error(
            path, "TC0402", f"gzip starts with 1f 8b, found {_hex(content[:2])}", AGAIN
        )
    else:
        reader = plain_reader(content)
    header = _read_header(path, reader)
    return _read_elements(path, reader, header)


@dataclass(frozen=True, slots=True)
class _Header:
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


def _hex(content: bytes | memoryview) -> str:
    return content.hex(" ") or "nothing"


def _read_header(path: Path, read: Reader) -> _Header:
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
            path, "TC0403", f"rank {rank}, from 1 to {_MAX_RANK} is expected", AGAIN
        )
    sizes = read(4 * rank)
    if len(sizes) < 4 * rank:
        detail = f"the header has {4 + len(sizes)} bytes, {4 + 4 * rank} are expected"
        raise data_error(path, "TC0404", detail, AGAIN)
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    return _Header(_DTYPES[magic[2]], shape)


def _read_elements(path: Path, read: Reader, header: _Header) -> Array:
    expected = math.prod(header.shape) * header.dtype.itemsize
    if expected > MAX_BYTES:
        raise too_large(path, expected, MAX_BYTES)
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
            AGAIN,
        )
    elements = np.frombuffer(content, header.dtype).reshape(header.shape)
    return elements.astype(header.dtype.newbyteorder("="), copy=False)
