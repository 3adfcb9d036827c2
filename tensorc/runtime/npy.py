"""Read NumPy's .npy and .npz files, strictly: numbers only, and no more than there are.

An .npy file is a magic, a version, a header in a Python dictionary's text and the
elements; an .npz is a zip of them. The text is matched, not evaluated, and the sizes it
tells must be those of the bytes that follow.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tensorc.errors import DataError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files import MAX_BYTES, data_error, read_file, too_large

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{ ?'descr': ?'(?P<order>[<>|=]?)(?P<kind>[biuf])(?P<size>[1248])', "
    r"?'fortran_order': ?(?P<fortran>True|False), "
    r"?'shape': ?\((?P<shape>[0-9, ]{0,1000})\),? ?\} *\n?"
)
_END = b"PK\5\6"  # where the directory of a zip ends
_MAX_RANK = 32
_MAX_MEMBERS = 10_000
_ALLOWED = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})
_FLOATS = frozenset({"f2", "f4", "f8"})


def read_npy(path: Path) -> Array:
    """Return the array of an .npy file.

    Raises:
        DataError: the file is missing (TC0401), too large (TC0405), or not an .npy
            file of numbers whose size is as its header says (TC0408).
    """
    return _parse(path, read_file(path), "")


def read_npz(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz file by name.

    Raises:
        DataError: as `read_npy`, for the archive and for its members.
    """
    content = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(path, members)
            _check_count(path, content, len(members))
            return {
                member.filename.removesuffix(".npy"): _parse(
                    path, _extract(archive, member), f"{member.filename}: "
                )
                for member in members
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
        detail = f"is no .npz file, or a damaged one: {_one_line(error)}"
        raise data_error(path, "TC0408", detail) from None


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member; what it holds beyond its announced size is not decompressed."""
    with archive.open(member) as stream:
        return stream.read(member.file_size + 1)


def _check_count(path: Path, content: bytes, found: int) -> None:
    """Refuse a directory with fewer members than its end tells: zipfile does not."""
    end = content[content.rfind(_END) :]
    count = int.from_bytes(end[10:12], "little")
    if count not in (found, 0xFFFF):  # the latter where a larger field has it
        detail = f"the archive is said to have {count:,} members, {found:,} are found"
        raise data_error(path, "TC0408", f"is damaged: {detail}")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MAX_MEMBERS:
        detail = f"{len(members):,} members, at most {_MAX_MEMBERS:,} are read"
        raise data_error(path, "TC0408", detail)
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise too_large(path, total)
    seen = set()
    for member in members:
        name = member.filename
        if not name.endswith(".npy") or name in seen:
            wrong = "stands in it twice" if name in seen else "is no .npy file"
            raise data_error(path, "TC0408", f"the member {name[:80]!r} {wrong}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            detail = f"the member {name[:80]!r} is compressed by a method of its own"
            raise data_error(path, "TC0408", detail, "use numpy.savez")
        seen.add(name)


def _parse(path: Path, content: bytes, where: str) -> Array:
    """Return the array of an .npy file's bytes."""
    start, header = _header(path, content, where)
    match = _HEADER.fullmatch(header)
    if match is None:
        detail = f"{where}the header is none of an array of numbers: {header[:80]!r}"
        raise data_error(path, "TC0408", detail, "save numbers with numpy.save")
    code = match["kind"] + match["size"]
    sizes = [size.strip() for size in match["shape"].split(",")]
    listed = sizes[:-1] if sizes[-1] == "" else sizes
    wrong_sizes = not all(re.fullmatch(r"[0-9]{1,18}", s) for s in listed)
    if code not in _ALLOWED | _FLOATS or wrong_sizes or len(listed) > _MAX_RANK:
        detail = f"{where}the header tells no type or shape: {header[:80]!r}"
        raise data_error(path, "TC0408", detail)
    shape = tuple(map(int, listed))
    dtype = np.dtype(f"{match['order'].replace('|', '')}{code}")
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if expected != found:
        spelled = " x ".join(map(str, shape)) or "one"
        detail = f"{where}the header announces {spelled} elements, {expected:,} bytes, "
        raise data_error(path, "TC0408", f"{detail}{found:,} follow")
    order = "F" if match["fortran"] == "True" else "C"
    flat = (
        np.frombuffer(memoryview(content)[start:], dtype)
        if found
        else np.empty(0, dtype)
    )
    if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        detail = f"{where}a truth value is neither 0 nor 1"
        raise data_error(path, "TC0408", detail)
    array = flat.reshape(shape, order=order)  # type: ignore[call-overload]
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)


def _header(path: Path, content: bytes, where: str) -> tuple[int, str]:
    """Return where the elements start, and the header's text."""
    if content[:6] != _MAGIC:
        found = content[:6].hex(" ") or "nothing"
        detail = f"{where}.npy starts with 93 4e 55 4d 50 59, found {found}"
        raise data_error(path, "TC0408", detail)
    width = {1: 2, 2: 4, 3: 4}.get(content[6] if len(content) > 6 else 0)
    if width is None:
        detail = f"{where}the version of the format is not 1, 2 or 3"
        raise data_error(path, "TC0408", detail)
    length = int.from_bytes(content[8 : 8 + width], "little")
    start = 8 + width + length
    if length > 1 << 16 or start > len(content):
        detail = f"{where}the header is said to have {length:,} bytes"
        raise data_error(path, "TC0408", detail)
    return start, content[8 + width : start].decode("latin-1")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
