"""Float types of arrays, bfloat16 among them, which NumPy itself does not have.

The package `ml_dtypes` has it (the extra `bf16`): two bytes, a type of NumPy's with all
of its functions, and what JAX and others give out. It is loaded where a program has the
type, and by nothing else.
"""

from functools import cache
from importlib.util import find_spec
from typing import Literal, cast

import numpy as np

from tensorc.errors import Diagnostic, TensorcError

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
BFLOAT16 = "bfloat16"  # its name as a type of NumPy


@cache
def bfloat16() -> "np.dtype[np.generic]":
    """Return NumPy's type of bfloat16.

    Raises:
        TensorcError: `ml_dtypes` is not installed (TC0703).
    """
    try:
        import ml_dtypes
    except ImportError as error:
        message = "bf16 needs the package ml_dtypes, which is not installed"
        hint = "pip install 'tensorc[bf16]'"
        raise TensorcError(Diagnostic("TC0703", message, hints=(hint,))) from error
    found: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
    return found


def has_bfloat16() -> bool:
    """Return whether `ml_dtypes` is installed."""
    return find_spec("ml_dtypes") is not None


def limits(dtype: "np.dtype[np.generic]") -> "np.finfo[np.floating]":
    """Return the limits of a float type, those of bfloat16 as `ml_dtypes` has them."""
    if not is_bfloat16(dtype):
        return np.finfo(dtype.name)
    import ml_dtypes

    return cast("np.finfo[np.floating]", ml_dtypes.finfo(dtype))


def is_bfloat16(dtype: "np.dtype[np.generic]") -> bool:
    """Return whether a NumPy type is bfloat16."""
    return dtype.kind == "V" and dtype.name == BFLOAT16


def is_float(dtype: "np.dtype[np.generic]") -> bool:
    """Return whether a NumPy type is a float; bfloat16 says that it is none."""
    return dtype.kind == "f" or is_bfloat16(dtype)


def letter_of(dtype: "np.dtype[np.generic]") -> str:
    """Return NumPy's letter of a type's kind, that of floats for bfloat16, too."""
    return "f" if is_bfloat16(dtype) else dtype.kind


def text_of(dtype: "np.dtype[np.generic]") -> str:
    """Return a text that no other NumPy type has: that of `dtype.str`, or a name."""
    return dtype.name if is_bfloat16(dtype) else dtype.str


def as_single(values: Array) -> Array:
    """Return numbers as NumPy can compute with them: bfloat16 as float32, exactly."""
    return values.astype(np.float32) if is_bfloat16(values.dtype) else values


def bytes_of(values: Array, order: Literal["<", ">"] = "<") -> bytes:
    """Return elements in memory order, each with its low byte first, or last (">")."""
    whole = np.ascontiguousarray(values)
    if is_bfloat16(whole.dtype):  # it has the machine's order alone
        whole = whole.view(np.uint16)
    return whole.astype(whole.dtype.newbyteorder(order)).tobytes()


def from_bytes(data: bytes, dtype: "np.dtype[np.generic]") -> Array:
    """Return the elements that `bytes_of` gave, as a vector."""
    words: np.dtype[np.generic] = dtype
    if is_bfloat16(dtype):
        words = np.dtype(np.uint16)
    found = np.frombuffer(data, words.newbyteorder("<"))
    return found.astype(words).view(dtype)
