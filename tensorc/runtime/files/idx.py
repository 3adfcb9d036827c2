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
from tensorc.runtime.files.columns import (
    AGAIN,
    GZIP_MAGIC,
    Source,
    data_error,
    is_addressable,
    kind_of,
    read_elements,
    unfolding,
    unfolds_too_far,
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
            it unfolds too far (TC0405).
    """
    with unfolding(path) as source:
        header = _read_header(source)
        return _read_elements(source, header)


@dataclass(frozen=True, slots=True)
class _Header:
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


def _read_header(source: Source) -> _Header:
    path, read = source.path, source.read
    magic = read(4)
    if source.available is not None and path.suffix == ".gz":
        detail = f"gzip starts with {GZIP_MAGIC.hex(' ')}, found {kind_of(magic)}"
        raise data_error(path, "TC0402", detail, AGAIN)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise data_error(
            path,
            "TC0403",
            f"IDX starts with 00 00, a type and a rank, found {kind_of(magic)}",
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


def _read_elements(source: Source, header: _Header) -> Array:
    count = math.prod(header.shape)
    expected = count * header.dtype.itemsize
    if source.available is None and expected > source.limit:
        raise unfolds_too_far(source.path, expected, source.limit)
    there = source.available
    if there is not None:
        # Known before memory is taken: no more than the file has.
        there -= 4 + 4 * len(header.shape)
    if there is None or there == expected:
        elements, there = read_elements(source.read, header.dtype, count)
        # The end of the stream must be met: there its check sum is.
        there += bool(source.read(1))
    if there != expected:
        sizes = " x ".join(map(str, header.shape))
        given = "more follow" if there > expected else f"there are {there:,}"
        raise data_error(
            source.path,
            "TC0404",
            f"the header announces {sizes} elements, {expected:,} bytes, but {given}",
            AGAIN,
        )
    if not is_addressable(header.shape, header.dtype):
        spelled = " x ".join(map(str, header.shape))
        detail = f"the header announces {spelled} elements, more than memory can have"
        raise data_error(source.path, "TC0404", detail, AGAIN)
    if not header.dtype.isnative:
        elements = elements.byteswap(inplace=True).view(header.dtype.newbyteorder())
    return elements.reshape(header.shape)
