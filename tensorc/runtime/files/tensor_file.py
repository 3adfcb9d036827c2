"""Safetensors files: arrays by name, and texts by key; nothing in them is trusted.

The library `safetensors` reads them: a header in JSON has each array's type and shape,
and the arrays cover the rest of the file without a gap or an overlap. Checked besides
are names, types, sizes, truth values, and the digest that files of ours have.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tensorc.errors import Diagnostic, TensorcError
from tensorc.floats import bfloat16, text_of
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import (
    data_error,
    is_addressable,
    opened,
    replace_file,
)

if TYPE_CHECKING:
    from safetensors import safe_open

# The header of ten thousand arrays, and of the names that programs give, is shorter.
MAX_HEADER = 1 << 20
MAX_ENTRIES = 10_000
# What a checkpoint may hold besides the memory: costs and records, 256 MiB.
MAX_EXTRA = 1 << 28

# In an order, for messages.
_DTYPES = (
    *("BOOL", *(f"{kind}{bits}" for kind in "IU" for bits in (8, 16, 32, 64))),
    *("F16", "BF16", "F32", "F64"),
)
_MAX_RANK = 32
_MAX_SIZE = 1 << 48
_MAX_NAME = 1_000  # characters
# What the library finds wrong, as a part of its text, and as it is said here.
_REASONS = {
    "invalid JSON in header": "the header is not the JSON of arrays",
    "invalid UTF-8 in header": "the header is not UTF-8",
    "not fully covered": "the arrays do not fill the file: it was cut off, or extended",
    "invalid offset": "the bytes of an array are not behind those of another",
    "overflow": "an array takes more bytes than there are",
    "invalid shape": "the shape of an array takes other bytes than it has",
}
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


def write_tensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write a file so that it is the old or the new one whenever the machine stops.

    A digest over everything joins the metadata, so that readers see any damage.

    Raises:
        TensorcError: it cannot be written (TC0902), or readers would not take its
            header, or a name or shape (TC0805).
    """
    from safetensors import numpy as safetensors

    check_readable(path, arrays)
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


def check_readable(path: Path, arrays: Mapping[str, Array]) -> None:
    """Refuse to write what readers refuse: names and shapes that programs lack.

    Raises:
        TensorcError: there is such an array (TC0805).
    """
    for name, array in arrays.items():
        if not _is_name(name):
            detail = f"{path}: {name[:80]!r} is no name that is read from such a file"
            hint = (
                "a name is words of letters, digits and _, with points between them, "
            )
            hint += f"as W or layer.W, of at most {_MAX_NAME:,} characters"
            raise TensorcError(Diagnostic("TC0805", detail, hints=(hint,)))
        if not _is_shape(array.shape):
            detail = (
                f"{path}: {name[:80]!r} has more axes, or larger ones, than is read"
            )
            raise TensorcError(Diagnostic("TC0805", detail))


def _is_name(name: str) -> bool:
    is_word = len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None
    return is_word and name != _METADATA


def _is_shape(shape: Sequence[int]) -> bool:
    """Tell whether a shape is read, whatever the type of its elements."""
    is_short = len(shape) <= _MAX_RANK and all(size < _MAX_SIZE for size in shape)
    return is_short and is_addressable(shape, np.dtype(np.float64))


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
    with opened(path) as (file, size):
        _check_size(path, size, limit, file.read(8))
        # The library takes a path: that of the open file, for another may have taken
        # the name since. Where the system has no such paths it is the name again.
        checked = Path(f"/dev/fd/{file.fileno()}")
        arrays, metadata = _read(path, checked if checked.exists() else path)
    digest = metadata.pop(_DIGEST, None)
    if digest is not None and digest != digest_of(arrays, metadata):
        raise _damaged(path, "the digest is not that of its content")
    return TensorFile(arrays, metadata, digest is not None)


def digest_of(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """Return a digest of names, types, shapes, elements and metadata."""
    about = [[n, text_of(arrays[n].dtype), arrays[n].shape] for n in sorted(arrays)]
    head = json.dumps([sorted(metadata.items()), about])
    digest = hashlib.sha256(head.encode())
    for name in sorted(arrays):
        if arrays[name].size:
            flat = np.ascontiguousarray(arrays[name]).reshape(-1)
            digest.update(flat.view(np.uint8).data)
    return digest.hexdigest()


def _damaged(path: Path, detail: str) -> TensorcError:
    return data_error(path, "TC0801", f"is no checkpoint, or a damaged one: {detail}")


def _check_size(path: Path, size: int, limit: int, head: bytes) -> None:
    if size > limit:
        detail = f"{size:,} bytes, at most {limit:,} are read"
        raise data_error(path, "TC0405", detail, "split the file")
    length = int.from_bytes(head, "little")
    if len(head) < 8 or length > min(MAX_HEADER, size - 8):
        detail = f"the header is said to have {length:,} bytes, the file has {size:,}"
        raise _damaged(path, detail)


def _read(path: Path, checked: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return arrays and metadata, as the library reads and checks them.

    `path` is for messages, and `checked` is what is read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        # Read, not mapped: who shortens the file meanwhile does not end this process.
        with safe_open(checked, framework="numpy", backend="pread") as file:
            names = file.offset_keys()
            if len(names) > MAX_ENTRIES:
                detail = f"{len(names):,} arrays, at most {MAX_ENTRIES:,} are read"
                raise _damaged(path, detail)
            arrays = {
                name: _array(path, f"array {number:,}", name, file)
                for number, name in enumerate(names, 1)
            }
            return arrays, dict(file.metadata() or {})
    except SafetensorError as error:
        # Its text may quote the file: it chooses among ours.
        found = (ours for theirs, ours in _REASONS.items() if theirs in str(error))
        raise _damaged(path, next(found, "its header is wrong")) from None


def _array(path: Path, shown: str, name: str, file: "safe_open") -> Array:
    """Return an array of a name, type and shape that a program may have."""
    if not _is_name(name):
        raise _damaged(path, f"{shown} has no name of an array")
    about = file.get_slice(name)
    if about.get_dtype() not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise _damaged(path, f"{shown} has a dtype that is not of {known}")
    shape = about.get_shape()
    if not _is_shape(shape):
        raise _damaged(path, f"{shown} has more than {_MAX_RANK} axes, or a huge one")
    if about.get_dtype() == "BF16":
        bfloat16()  # without it the library has no such type
    array: Array = file.get_tensor(name)
    if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise _damaged(path, f"{shown} holds a truth value other than 0 and 1")
    array.flags.writeable = False
    return array
