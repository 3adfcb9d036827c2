"""Digests of what a run is of: its data, and the memory that it starts from."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from tensorc.floats import text_of
from tensorc.runtime.arrays import Array
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.data import Dataset

_BLOCK = 1 << 20  # bytes that are read at once
# Of a larger column evenly spread blocks are read, as many as this has, and the last.
_WHOLE = 1 << 30


def digest_of_data(data: Dataset) -> str:
    """Return a digest of columns: names, types, shapes and elements, of each part."""
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    found = {name: _about(part.columns) for name, part in parts.items() if part}
    return _hash(found)


def digest_of_memory(shared: Mapping[str, SharedCell]) -> str:
    """Return a digest of variables by name, as they are now."""
    return _hash(_about({n: cell.get_value(borrow=True) for n, cell in shared.items()}))


def _about(arrays: Mapping[str, Array]) -> list[list[object]]:
    return [
        [name, text_of(array.dtype), array.shape, _sum(array)]
        for name, array in sorted(arrays.items())
    ]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _sum(array: Array) -> int:
    """Return a check sum of the elements; what is no array of numbers has none."""
    if array.dtype.hasobject or not array.nbytes:
        return 0
    check = 0
    for block in _blocks(np.atleast_1d(array)):
        flat = np.ascontiguousarray(block).reshape(-1)
        check = zlib.crc32(flat.view(np.uint8).data, check)
    return check


def _blocks(array: Array) -> Iterator[Array]:
    rows = max(1, _BLOCK // (array.nbytes // len(array)))
    step = -(-array.nbytes // _WHOLE)
    count = -(-len(array) // rows)
    for number in sorted({*range(0, count, step), count - 1}):
        yield array[number * rows : (number + 1) * rows]
