"""Memory of the runtime: element types, aligned buffers, and their reuse.

Fresh pages cost more than the arithmetic on them, so large results and arenas come from
free lists. A result is an ordinary ndarray; its buffer returns to the pool when the
array and all its views are gone.
"""

import ctypes
import math
from collections import deque
from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from numpy.typing import DTypeLike

from tensorc.errors import InternalError
from tensorc.floats import as_single, bfloat16, is_bfloat16, is_float

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
# Element types and shapes, in turn: dtype, shape, dtype, shape, … A door may have
# numbers of Python among them, by their class and, where it counts, their value.
Kinds = tuple[Hashable, ...]

ALIGNMENT = 64
# Below this size a result is not worth a slot in the pool: the allocator of C serves
# it from warm memory, and a lease costs more.
SMALL = 64 * 1024

DTYPES: dict[str, np.dtype[np.generic]] = {
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "ui8": np.dtype(np.uint8),
    "ui16": np.dtype(np.uint16),
    "ui32": np.dtype(np.uint32),
    "ui64": np.dtype(np.uint64),
    "i1": np.dtype(np.bool_),
}
_SPELLINGS = {dtype: spelling for spelling, dtype in DTYPES.items()}


def numpy_dtype(spelling: str) -> np.dtype[np.generic]:
    """Return NumPy's dtype of an element type of the IR ("f32", "i64", "i1").

    Raises:
        InternalError: NumPy has no such type.
        TensorcError: it is bf16, and `ml_dtypes` is not installed (TC0703).
    """
    if spelling == "bf16":
        return bfloat16()
    if spelling not in DTYPES:
        raise InternalError(f"element type '{spelling}' has no NumPy dtype", "runtime")
    return DTYPES[spelling]


def spelling_of(dtype: np.dtype[np.generic]) -> str:
    """Return the IR's spelling of a NumPy dtype, else NumPy's name."""
    return "bf16" if is_bfloat16(dtype) else _SPELLINGS.get(dtype, str(dtype))


def not_finite(memory: Mapping[str, Array]) -> list[str]:
    """Return the names of the arrays that hold a NaN or an infinity."""
    return [
        name
        for name, array in memory.items()
        if is_float(array.dtype) and not np.isfinite(as_single(array)).all()
    ]


def describe(array: Array) -> str:
    """Return the type of an array as the language writes it: "f32[600, 784]"."""
    shape = f"[{', '.join(map(str, array.shape))}]" if array.ndim else ""
    spelling = spelling_of(array.dtype)
    word = "bool" if spelling == "i1" else spelling.replace("ui", "u")
    return word + shape


def address_of(array: Array) -> int:
    """Return the address of the first element."""
    try:
        # A third of the time of asking NumPy; calls are short enough to notice.
        # NumPy's stubs know of the buffer protocol from Python 3.12 on.
        return _addressof(_byte(array))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        # Read-only, empty or not contiguous.
        if array.size == 0:
            # Code may read the first element of nothing in vain.
            return _addressof(_nothing)
        address: int = array.__array_interface__["data"][0]
        return address


def kinds_of(values: Iterable[object]) -> Kinds | None:
    """Return the element types and shapes of plain arrays, None for anything else.

    It is the key under which a checked call is remembered, and it is made at each call.
    """
    kinds: Kinds = ()
    for value in values:
        # Subclasses (masked arrays) mean more than their elements.
        if type(value) is not _ndarray:
            return None
        kinds += (value.dtype, value.shape)
    return kinds


def contiguous(array: Array) -> Array:
    """Return an array as compiled code reads it: C-contiguous and aligned."""
    flags = array.flags
    if flags.c_contiguous and flags.aligned:
        return array
    # np.ascontiguousarray would make a 0-d array one-dimensional.
    return np.require(array, requirements=["C", "A"])


def aligned_bytes(size: int) -> Array:
    """Return `size` fresh bytes (u8[size]) that start on a 64-byte boundary."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -address_of(raw) % ALIGNMENT
    return raw[start : start + size]


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return a fresh C-contiguous array whose first element is 64-byte aligned."""
    element = np.dtype(dtype)
    size = math.prod(shape) * element.itemsize
    return aligned_bytes(size).view(element).reshape(shape)


# Looked up once: small calls are short enough to notice.
_ndarray = np.ndarray
_byte = ctypes.c_char.from_buffer
_addressof = ctypes.addressof
_nothing = (ctypes.c_int64 * 8)()


class _Lease:
    """The owner of a pooled result: NumPy keeps it as the base of the array."""

    __slots__ = ("__array_interface__", "buffer", "pool")

    def __init__(
        self, pool: "Pool", buffer: Array, shape: tuple[int, ...], typestr: str
    ) -> None:
        self.pool = pool
        self.buffer = buffer
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": typestr,
            "data": (address_of(buffer), False),
        }

    def __del__(self) -> None:
        self.pool.give_back(self.buffer)


class Pool:
    """Buffers of past results, by size class, at most `limit` bytes of them.

    Safe to use from several threads and from finalizers: it takes no lock, only single
    operations on deques and dictionaries.
    """

    def __init__(self, limit: int = 256 * 1024 * 1024) -> None:
        self._limit = limit
        self._free: dict[int, deque[Array]] = {}

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        """Return an uninitialised array that nobody else refers to."""
        size = math.prod(shape) * dtype.itemsize
        held = np.asarray(_Lease(self, self._take(size), shape, dtype.str))
        return held if held.dtype == dtype else held.view(dtype)

    def give_back(self, buffer: Array) -> None:
        """Keep a buffer for later, or drop it when the pool is full."""
        held = sum(size * len(free) for size, free in list(self._free.items()))
        if held + buffer.size <= self._limit:
            self._free.setdefault(buffer.size, deque()).append(buffer)

    def _take(self, size: int) -> Array:
        # Eight classes per power of two: at most 12.5 % of a buffer is unused.
        step = 1 << max(size.bit_length() - 4, 12)
        rounded = -(-size // step) * step
        try:
            return self._free[rounded].pop()
        except (KeyError, IndexError):
            return aligned_bytes(rounded)
