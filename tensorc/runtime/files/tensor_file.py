"""Safetensors files: arrays by name, and texts by key; nothing in them is trusted.

Eight bytes tell the length of a JSON header, which tells each array's type, shape and
bytes. The bytes must cover the rest of the file without a gap or an overlap.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import numpy as safetensors

from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import data_error, read_file, replace_file

# The header of ten thousand arrays, and of the names that programs give, is shorter.
MAX_HEADER = 1 << 20
MAX_ENTRIES = 10_000
# What a checkpoint may hold besides the memory: costs and records, 256 MiB.
MAX_EXTRA = 1 << 28

_DTYPES: dict[str, np.dtype[np.generic]] = {
    **{f"F{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    **{f"I{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    "BOOL": np.dtype(np.bool_),
}
_MAX_RANK = 32
_METADATA = "__metadata__"
_DIGEST = "tensorc.sha256"
# The dotted names of a program's memory, and the driver's own `fit:…`.
_NAME = re.compile(r"(fit:)?[^\W\d]\w*(\.\w+)*")


@dataclass(frozen=True, slots=True)
class TensorFile:
    """What a file holds; the arrays are read-only.

    `is_verified` tells that it has the digest with which we write files.
    """

    arrays: Mapping[str, Array]
    metadata: Mapping[str, str]
    is_verified: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    shown: str  # in messages, which show no texts of a file
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    begin: int
    end: int


def write_tensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write a file so that it is the old or the new one whenever the machine stops.

    A digest over everything joins the metadata, so that readers see any damage.

    Raises:
        TensorcError: it cannot be written (TC0902), or its header would be larger than
            readers take (TC0805).
    """
    contiguous = {
        name: np.ascontiguousarray(array).reshape(array.shape)
        for name, array in arrays.items()
    }
    digest = digest_of(contiguous, metadata)
    content = safetensors.save(contiguous, {**metadata, _DIGEST: digest})
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER or len(arrays) > MAX_ENTRIES:
        detail = f"{path}: {len(arrays):,} arrays with a header of {length:,} bytes, "
        detail += f"at most {MAX_ENTRIES:,} and {MAX_HEADER:,} can be read"
        raise TensorcError(Diagnostic("TC0805", detail))
    replace_file(path, content, _is_written_by_us)


def _is_written_by_us(file: BinaryIO) -> bool:
    """Tell by its first bytes, all that a killed writer may leave, who wrote a file."""
    head = file.read(8 + MAX_HEADER)
    length = int.from_bytes(head[:8], "little")
    header = head[8 : 8 + length]
    opening = f'{{"{_METADATA}":{{'.encode()
    # Quotes within a text of the header are escaped: this is a key of the metadata.
    key = f'"{_DIGEST}":"'.encode()
    return 0 < length <= MAX_HEADER and header.startswith(opening) and key in header


def limit_for(arrays: Iterable[Array]) -> int:
    """Return how large a file of such arrays can be, of wider types and with notes."""
    return 8 * sum(array.nbytes for array in arrays) + MAX_EXTRA


def read_tensors(path: Path, limit: int) -> TensorFile:
    """Return what a safetensors file of at most `limit` bytes holds.

    Raises:
        DataError: the file is missing (TC0401) or larger (TC0405), or it is damaged or
            of another form (TC0801). Damage to elements shows where there is a digest.
    """
    content = read_file(path, limit)
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > MAX_HEADER or length > len(content) - 8:
        detail = f"the header is said to have {length:,} bytes, the file has "
        raise _damaged(path, f"{detail}{len(content):,}")
    header = _parse(path, content[8 : 8 + length])
    metadata = _metadata(path, header.pop(_METADATA, {}))
    if len(header) > MAX_ENTRIES:
        raise _damaged(
            path, f"{len(header):,} arrays, at most {MAX_ENTRIES:,} are read"
        )
    data = memoryview(content)[8 + length :]
    entries = {
        name: _entry(path, number, name, value)
        for number, (name, value) in enumerate(header.items(), 1)
    }
    _check_cover(path, entries, len(data))
    arrays = {name: _array(path, e, data) for name, e in entries.items()}
    digest = metadata.pop(_DIGEST, None)
    if digest is not None and digest != digest_of(arrays, metadata):
        raise _damaged(path, "the digest is not that of its content")
    return TensorFile(arrays, metadata, digest is not None)


def digest_of(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """Return a digest of names, types, shapes, elements and metadata."""
    about = [[n, arrays[n].dtype.str, arrays[n].shape] for n in sorted(arrays)]
    head = json.dumps([sorted(metadata.items()), about])
    digest = hashlib.sha256(head.encode())
    for name in sorted(arrays):
        if arrays[name].size:
            digest.update(np.ascontiguousarray(arrays[name]).data.cast("B"))
    return digest.hexdigest()


def _damaged(path: Path, detail: str) -> TensorcError:
    return data_error(path, "TC0801", f"is no checkpoint, or a damaged one: {detail}")


def _parse(path: Path, text: bytes) -> dict[str, object]:
    try:
        header = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise _damaged(path, "the header is nested too deep") from None
    except ValueError as error:
        # Their own texts may quote the file, ours do not.
        position = getattr(error, "pos", getattr(error, "start", None))
        detail = str(error) if position is None else f"at byte {position:,}"
        raise _damaged(path, f"the header is not JSON: {detail}") from None
    if not isinstance(header, dict):
        raise _damaged(path, "the header is no object")
    return header


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number of JSON")


def _metadata(path: Path, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _damaged(path, "the metadata is no object")
    if not all(isinstance(text, str) for text in value.values()):
        raise _damaged(path, "the metadata holds something else than texts")
    return value


def _entry(path: Path, number: int, name: str, value: object) -> _Entry:
    """Return an entry of the header, its size checked against its type and shape."""
    shown = f"array {number:,}"
    if len(name) > 1000 or not _NAME.fullmatch(name):
        raise _damaged(path, f"{shown} has no name of an array")
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{shown} has not just a dtype, a shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise _damaged(path, f"{shown} has a dtype that is not of {known}")
    if not _are_sizes(shape) or len(shape) > _MAX_RANK:
        raise _damaged(path, f"{shown} has no shape")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise _damaged(path, f"{shown} has no data_offsets")
    size = math.prod(shape) * _DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != size:
        takes = f"{size:,} bytes" if size < 1 << 60 else "more bytes than there are"
        detail = f"{shown} takes {takes}, its data_offsets say "
        raise _damaged(path, f"{detail}{offsets[1] - offsets[0]:,}")
    return _Entry(shown, _DTYPES[dtype], tuple(shape), offsets[0], offsets[1])


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(
        type(size) is int and 0 <= size < 1 << 48 for size in value
    )


def _check_cover(path: Path, entries: Mapping[str, _Entry], size: int) -> None:
    """Check that the arrays cover the data, each byte once."""
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.begin):
        if entry.begin != position:
            detail = f"{entry.shown} starts at byte {entry.begin:,} of the data, "
            raise _damaged(path, f"{detail}{position:,} is expected")
        position = entry.end
    if position != size:
        detail = f"the arrays take {position:,} bytes, the data has {size:,}"
        raise _damaged(path, detail)


def _array(path: Path, entry: _Entry, data: memoryview) -> Array:
    piece = data[entry.begin : entry.end]
    flat = np.frombuffer(piece, entry.dtype) if piece else np.empty(0, entry.dtype)
    if entry.dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        raise _damaged(path, f"{entry.shown} holds a truth value other than 0 and 1")
    return flat.reshape(entry.shape)
