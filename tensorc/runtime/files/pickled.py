"""Read `mnist.pkl.gz`, which is a pickle; nothing that it names is imported or called.

A pickle is a program for a small stack machine, and most of its instructions can be
made to run any code. Python's own machine runs it here, with two things taken away.
Of the instructions those are left that make tuples, lists, numbers, texts and bytes,
and those that call a function. And there is nothing to call but what stands below for
`_reconstruct`, `ndarray` and `dtype` of NumPy and `encode` of `_codecs`, and only says
how bytes are read as an array.

It is the machine in Python: that in C cannot be cut down, and takes as much memory as
a number in the file says.
"""

import io
import math
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tensorc.errors import DataError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import (
    NUMBERS,
    PIECE,
    SMALL,
    Reader,
    data_error,
    is_addressable,
    unfolding,
)

_MAX_READS = 100_000
_MAX_RANK = 32
_MAX_COPIES = 4  # of what the file holds, in bytes
_MAX_ITEMS = 256  # of all tuples and lists; a data set has nine
_INSTEAD = "save the arrays with numpy.savez, and read them with npz(…)"

# Of the constants of a pickle those of one byte are its instructions.
_NAMES = {
    value[0]: name
    for name in pickle.__all__
    if isinstance(value := getattr(pickle, name), bytes) and len(value) == 1
}
_MAKING = """
    PROTO MARK STOP NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS
    PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
"""
_ALLOWED = frozenset([*_MAKING.split(), "GLOBAL", "REDUCE", "BUILD"])


class _Refused(Exception):
    """Why the file is not read."""


class _Type:
    """Stands for numpy.dtype; its state has the order of the bytes."""

    def __init__(self, spelling: str | bytes, *_: object) -> None:
        text = _text(spelling).lstrip("|<>=")
        if text not in NUMBERS:
            raise _Refused("it holds an array that is not of numbers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[int, str | bytes, *tuple[object, ...]]) -> None:
        order = _text(state[1])
        if order not in ("<", ">", "|", "="):
            raise _Refused("it holds numbers of an unknown order")
        self.dtype = np.dtype(f"{order}{self.dtype.str[1:]}")


class _Array:
    """Stands for numpy.ndarray: empty until its state is there."""

    def __init__(self) -> None:
        self.array: Array | None = None

    def __setstate__(
        self, state: tuple[int, tuple[int, ...], _Type, int, bytes]
    ) -> None:
        _, shape, type_, is_fortran, data = state
        sizes = [s for s in shape if type(s) is int and 0 <= s < 1 << 40]
        if len(sizes) < len(shape) or len(shape) > _MAX_RANK:
            raise _Refused("it holds an array without a shape")
        if not isinstance(data, bytes) or not isinstance(type_, _Type):
            raise _Refused("it holds an array whose elements are no bytes")
        dtype = type_.dtype
        if math.prod(sizes) * dtype.itemsize != len(data):
            spelled = " x ".join(map(str, sizes))
            detail = f"it holds an array of {spelled} elements in {len(data):,} bytes"
            raise _Refused(detail)
        if not is_addressable(sizes, dtype):
            raise _Refused("it holds an array with huge axes")
        flat = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
        if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
            raise _Refused("it holds a truth value that is neither 0 nor 1")
        self.array = flat.reshape(sizes, order="F" if is_fortran else "C")


def _text(value: str | bytes) -> str:
    """Return a short text; Python 2 wrote texts as bytes."""
    short = value[:32]
    return short if isinstance(short, str) else short.decode("latin-1")


class _Instructions(dict[int, Callable[[pickle.Unpickler], None]]):
    """What each instruction that is allowed does."""

    def __missing__(self, code: int) -> Callable[[pickle.Unpickler], None]:
        name = _NAMES.get(code, "an unknown instruction")
        raise _Refused(f"it holds {name}, which describes no array")


class _Machine(pickle._Unpickler):
    """Python's machine without most instructions, and without names."""

    dispatch = _Instructions(
        (code, pickle._Unpickler.dispatch[code])
        for code, name in _NAMES.items()
        if name in _ALLOWED
    )

    proto: int

    def __init__(self, file: "_File") -> None:
        super().__init__(file, encoding="bytes")
        self._file = file
        self._copied = 0
        self._globals: dict[str, Callable[..., object]] = {
            "numpy.core.multiarray _reconstruct": lambda *_: _Array(),
            "numpy._core.multiarray _reconstruct": lambda *_: _Array(),
            "numpy ndarray": _Array,
            "numpy dtype": _Type,
            "_codecs encode": self._encoded,
        }

    def find_class(self, module: str, name: str) -> object:
        """Return what stands for a name; nothing is imported."""
        found = self._globals.get(f"{module} {name}")
        if found is None:
            raise _Refused("it names what nothing here calls or makes")
        return found

    def _encoded(self, text: str, encoding: str) -> bytes:
        """Return bytes, which Python 3 writes in protocol 2 as a text of Latin-1."""
        self._count_copy(len(text))
        if encoding not in ("latin1", "latin-1"):
            raise _Refused("it encodes a text in another way than NumPy")
        return text.encode("latin-1")

    def finished(self, value: object) -> object:
        """Return a value of tuples, lists and arrays to the depth of a data set."""
        # A file may refer to one tuple or array, or an array's bytes, many times.
        copies: dict[_Array, Array] = {}
        items = 0

        def finish(value: object, depth: int) -> object:
            nonlocal items
            items += 1
            if items > _MAX_ITEMS:
                raise _Refused(f"its tuples hold more than {_MAX_ITEMS:,} items")
            if isinstance(value, _Array) and value.array is not None:
                if value not in copies:  # by identity
                    copies[value] = self._native(value.array)
                return copies[value]
            if isinstance(value, tuple | list) and depth < 4 and len(value) <= 16:
                return tuple(finish(element, depth + 1) for element in value)
            raise _Refused("it is no tuple of tuples of arrays")

        return finish(value, 0)

    def _native(self, array: Array) -> Array:
        """Return an array in the order of axes and bytes of the machine."""
        if not (array.flags.c_contiguous and array.dtype.isnative):
            self._count_copy(array.nbytes)
        native = array.dtype.newbyteorder("=")
        return np.ascontiguousarray(array, native).reshape(array.shape)

    def _count_copy(self, size: int) -> None:
        self._copied += size
        if self._copied > max(SMALL, _MAX_COPIES * self._file.size):
            raise _Refused("it copies its values again and again")


class _Content(io.RawIOBase):
    """What a reader gives, as Python's files give it."""

    def __init__(self, read: Reader) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._read(min(len(buffer), PIECE))
        buffer[: len(piece)] = piece
        return len(piece)


class _File:
    """The file as the machine reads it: at least once for each instruction."""

    def __init__(self, read: Reader) -> None:
        self._file = io.BufferedReader(_Content(read), PIECE)
        self._reads = 0
        self.size = 0

    def read(self, count: int, /) -> bytes:
        """Return the next bytes."""
        self._reads += 1
        if self._reads > _MAX_READS:
            raise _Refused(f"it is read in more than {_MAX_READS:,} pieces")
        piece = self._file.read(count)
        self.size += len(piece)
        return piece

    def readline(self) -> bytes:
        """Return the next line."""
        line = self._file.readline()
        self.size += len(line)
        return line


def read_pickled(path: Path) -> object:
    """Return tuples, lists and arrays that a pickle of protocol 0 to 2 describes.

    Raises:
        DataError: the file cannot be read (TC0401, TC0402, TC0405), or it holds an
            instruction or a name that is not of nested tuples of arrays (TC0409).
    """
    with unfolding(path) as source:
        file = _File(source.read)
        machine = _Machine(file)
        try:
            # A warning of a wrong escape quotes the file.
            with warnings.catch_warnings(action="ignore"):
                value = machine.load()
            if file.read(1):
                raise _Refused("more follows after its end")
            return machine.finished(value)
        except (DataError, OSError):
            raise
        except _Refused as error:
            detail = str(error)
        except Exception as error:  # whatever the instructions meet
            detail = f"a damaged one ({type(error).__name__})"
        if machine.proto > 2:
            detail = f"its protocol is {machine.proto}, at most 2 is read"
        raise refused(path, detail)


def refused(path: Path, detail: str) -> DataError:
    """Return the error that a pickle is not read."""
    return data_error(path, "TC0409", f"a pickle, but {detail}", _INSTEAD)
