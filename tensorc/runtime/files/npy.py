"""Read NumPy's .npy and .npz files, strictly: numbers only, and no more than there are.

An .npy file is a magic, a version, a header in a Python dictionary's text and the
elements; an .npz is a zip of them. NumPy reads the header, which names no code; the
sizes in it must be those of the bytes that follow.
"""

import io
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from tensorc.errors import DataError, Diagnostic, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import (
    NUMBERS,
    data_error,
    is_addressable,
    kind_of,
    mapped_elements,
    opened,
    read_elements,
    unfolded_limit,
    unfolds_too_far,
)

_MAGIC = b"\x93NUMPY"
_VERSIONS = {
    b"\1\0": np.lib.format.read_array_header_1_0,
    b"\2\0": np.lib.format.read_array_header_2_0,
    # In UTF-8, for the names of fields; the headers of numbers are ASCII.
    b"\3\0": np.lib.format.read_array_header_2_0,
}
_MAX_HEADER = 10_000  # characters, which NumPy reads as a literal of Python
_END = b"PK\5\6"  # where the directory of a zip ends
_MAX_END = 22 + 0xFFFF  # bytes of it, with a comment
_MAX_RANK = 32
_MAX_MEMBERS = 10_000
_MAX_NAME = 1_000  # characters, that are written


def read_npy(path: Path) -> Array:
    """Return the array of an .npy file; one that fills the memory stays on disk.

    Raises:
        DataError: the file is missing (TC0401), or not an .npy file of numbers whose
            size is as its header says (TC0408).
    """
    with opened(path) as (file, size):
        return _parse(
            path,
            file,
            size,
            "",
            lambda dtype, count: mapped_elements(file, file.tell(), dtype, count),
        )


def read_npz(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz file by name.

    Raises:
        DataError: as `read_npy`, for the archive and for its members; or they unfold
            too far (TC0405).
    """
    with opened(path) as (file, size):
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(path, members, unfolded_limit(size))
                _check_count(path, file, size, len(members))
                return {
                    member.filename.removesuffix(".npy"): _member(
                        path, archive, number, member
                    )
                    for number, member in enumerate(members, 1)
                }
        except DataError:
            raise
        except (
            *(
                zipfile.BadZipFile,
                ValueError,
                IndexError,
                struct.error,
                zlib.error,
                EOFError,
                NotImplementedError,
            ),
            *(RuntimeError, OSError, KeyError, OverflowError),
        ) as error:
            # What went wrong may quote the file: its kind is enough.
            detail = f"is no .npz file, or a damaged one ({type(error).__name__})"
            raise data_error(path, "TC0408", detail) from None


def npz_of(path: Path, arrays: Mapping[str, Array]) -> bytes:
    """Return an .npz file of arrays, the same bytes for the same arrays.

    Raises:
        TensorcError: more of them, longer names or more axes than are read (TC0805).
    """
    if len(arrays) > _MAX_MEMBERS:
        detail = f"{path}: {len(arrays):,} arrays, at most {_MAX_MEMBERS:,} are read"
        raise TensorcError(Diagnostic("TC0805", detail))
    for name, array in arrays.items():
        if len(name) > _MAX_NAME or not _is_shape(array.shape, array.dtype):
            wrong = (
                f"a name of {len(name):,} characters" if len(name) > _MAX_NAME else ""
            )
            wrong = wrong or f"{array.ndim:,} axes, or huge ones"
            limits = f"at most {_MAX_NAME:,} characters and {_MAX_RANK} axes are read"
            detail = f"{path}: {name[:80]!r} has {wrong}: {limits}"
            raise TensorcError(Diagnostic("TC0805", detail))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # of 1980, whenever it is written
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
    return content.getvalue()


def _member(
    path: Path, archive: zipfile.ZipFile, number: int, member: zipfile.ZipInfo
) -> Array:
    """Return a member's array; what it holds beyond its size is not decompressed."""
    with archive.open(member) as stream:
        return _parse(path, stream, member.file_size, f"member {number:,}: ")


def _check_count(path: Path, file: BinaryIO, size: int, found: int) -> None:
    """Refuse a directory with fewer members than its end tells: zipfile does not."""
    position = file.tell()
    file.seek(max(0, size - _MAX_END))
    content = file.read(_MAX_END)
    file.seek(position)
    end = content[content.rfind(_END) :]
    count = int.from_bytes(end[10:12], "little")
    if count not in (found, 0xFFFF):  # the latter where a larger field has it
        detail = f"the archive is said to have {count:,} members, {found:,} are found"
        raise data_error(path, "TC0408", f"is damaged: {detail}")


def _check_members(path: Path, members: list[zipfile.ZipInfo], limit: int) -> None:
    if len(members) > _MAX_MEMBERS:
        detail = f"{len(members):,} members, at most {_MAX_MEMBERS:,} are read"
        raise data_error(path, "TC0408", detail)
    total = sum(member.file_size for member in members)
    if total > limit:
        raise unfolds_too_far(path, total, limit)
    seen = set()
    for number, member in enumerate(members, 1):
        name = member.filename
        if not name.endswith(".npy") or name in seen:
            wrong = "has the name of another" if name in seen else "is no .npy file"
            raise data_error(path, "TC0408", f"member {number:,} {wrong}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            detail = f"member {number:,} is compressed by a method of its own"
            raise data_error(path, "TC0408", detail, "use numpy.savez")
        seen.add(name)


# Elements that stay where they are, by their type and number; None to read them.
_Mapping = Callable[[np.dtype[np.generic], int], Array | None]


def _parse(
    path: Path,
    file: IO[bytes],
    size: int,
    where: str,
    mapped: _Mapping = lambda dtype, count: None,
) -> Array:
    """Return the array of an .npy file of `size` bytes."""
    shape, is_fortran, dtype = _header(path, file, where)
    count = math.prod(shape)
    expected, found = count * dtype.itemsize, size - file.tell()
    if expected != found:
        spelled = " x ".join(map(str, shape)) or "one"
        detail = f"{where}the header announces {spelled} elements, {expected:,} bytes, "
        raise data_error(path, "TC0408", f"{detail}{found:,} follow")
    flat = mapped(dtype, count)
    if flat is None:
        flat, found = read_elements(file.read, dtype, count)
        # A member's check sum is compared at its end.
        if found != expected or file.read(1):
            detail = f"{where}{expected:,} bytes of elements, other than {found:,} come"
            raise data_error(path, "TC0408", detail)
        if not dtype.isnative:
            flat = flat.byteswap(inplace=True).view(dtype.newbyteorder())
    if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        detail = f"{where}a truth value is neither 0 nor 1"
        raise data_error(path, "TC0408", detail)
    array = flat.reshape(shape, order="F" if is_fortran else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)


def _header(
    path: Path, file: IO[bytes], where: str
) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, order and type; the elements are next in the file."""
    head = file.read(8)
    if head[:6] != _MAGIC:
        detail = f"{where}.npy starts with {_MAGIC.hex(' ')}, found {kind_of(head)}"
        raise data_error(path, "TC0408", detail)
    read_header = _VERSIONS.get(head[6:])
    if read_header is None:
        detail = f"{where}the version of the format is not 1, 2 or 3"
        raise data_error(path, "TC0408", detail)
    try:
        # What NumPy warns of quotes the file, as its errors do.
        with warnings.catch_warnings(action="ignore"):
            found = read_header(file, max_header_size=_MAX_HEADER)
    except OSError:
        raise
    except Exception:  # of the parsers of Python and NumPy, whatever they choose
        found = ((), False, np.dtype(object))
    shape, _, dtype = found
    if dtype.str[1:] not in NUMBERS or not _is_shape(shape, dtype):
        detail = f"{where}the header is not that of an array of numbers"
        raise data_error(path, "TC0408", detail, "save numbers with numpy.save")
    return found


def _is_shape(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bool:
    # A truth value is an int to Python, and to NumPy's reader of headers.
    sizes = [n for n in shape if type(n) is int and n >= 0]
    return len(sizes) == len(shape) <= _MAX_RANK and is_addressable(sizes, dtype)
