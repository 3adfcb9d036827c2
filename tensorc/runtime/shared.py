"""Shared variables: memory that compiled code reads and updates in place."""

import threading

import numpy as np

from tensorc.errors import Diagnostic, ShapeError
from tensorc.floats import is_bfloat16
from tensorc.runtime.arrays import Array, address_of, aligned_empty, describe
from tensorc.runtime.convert import convert
from tensorc.runtime.locks import keep


class SharedCell:
    """A named array that lives where the compiled code lives.

    It owns a 64-byte aligned, C-contiguous copy of its first value. Element type and
    shape never change. `lock` is held while a compiled function uses the memory.
    """

    __slots__ = ("_array", "address", "lock", "name")

    def __init__(self, name: str, value: object) -> None:
        given = np.asarray(value)
        self.name = name
        self.lock = keep(threading.Lock())
        self._array = aligned_empty(given.shape, given.dtype)
        self._array[...] = given
        self.address = address_of(self._array)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The element type."""
        return self._array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._array.shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def nbytes(self) -> int:
        """The size of the memory in bytes."""
        return self._array.nbytes

    def get_value(self, borrow: bool = False) -> Array:
        """Return a copy of the value or, with `borrow`, a read-only view of the memory.

        The view costs nothing, and shows every later update. Nobody can write to it, so
        nothing but updates and `set_value` ever changes a variable.
        """
        if borrow:
            # Of a read-only buffer, so that `flags.writeable` cannot be set again.
            if is_bfloat16(self.dtype):  # which buffers do not know
                words = np.asarray(self._array.view(np.uint16).data.toreadonly())
                return words.view(self.dtype)
            return np.asarray(self._array.data.toreadonly())
        with self.lock:
            return self._array.copy()

    def set_value(self, value: object) -> None:
        """Replace the value; on an error nothing has changed.

        Raises:
            CallError: the element type does not fit.
            ShapeError: the shape is another one.
        """
        array = convert(value, self.dtype, f"shared variable '{self.name}'")
        if array.shape != self.shape:
            raise ShapeError(
                Diagnostic(
                    "TC0503",
                    f"shared variable '{self.name}' is {describe(self._array)}, "
                    f"the new value is {describe(array)}",
                )
            )
        with self.lock:
            self._array[...] = array

    def put_back(self, value: Array) -> None:
        """Restore an earlier value; the caller holds the lock."""
        self._array[...] = value

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.get_value())

    def __repr__(self) -> str:
        return f"Shared({self.name!r}, {describe(self._array)})"
