"""Sorting and searching, in numpy: by keys, integers in the order of the elements.

Integers are in their order. Floats ascend, -0 and 0 are equal, and NaNs, which are all
equal, come after infinity. What is equal keeps its order.
"""

import numpy as np

from tensorc.ir.numerics import Array

# What is given of the elements of a row in their order.
VALUES, INDICES = "values", "indices"


def order_keys(values: Array) -> Array:
    """Return integers without a sign, of the same width, in the order of the values."""
    width = values.dtype.itemsize * 8
    unsigned, signed = np.dtype(f"u{width // 8}"), np.dtype(f"i{width // 8}")
    bits = np.ascontiguousarray(values).view(unsigned).reshape(values.shape)
    top = unsigned.type(1 << (width - 1))
    if values.dtype.kind == "u":
        return bits
    if values.dtype.kind == "i":
        return np.asarray(bits ^ top)
    negative = bits.view(signed) < 0
    keys = np.where(negative, ~bits, bits | top)
    keys = np.where(bits == top, top, keys)  # -0 as 0
    return np.where(np.isnan(values), unsigned.type(~unsigned.type(0)), keys)


def infinity_bits(dtype: "np.dtype[np.generic]") -> int:
    """Return the bits of infinity in a float type; those of a NaN are more."""
    return int(np.array(np.inf, dtype).view(f"i{dtype.itemsize}"))


def argsort(values: Array) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """Return the indices that sort along the last axis; equal ones stay in order."""
    order = np.argsort(order_keys(values), axis=-1, kind="stable")
    return np.asarray(order, np.int64)


def sort(values: Array) -> Array:
    """Return the elements along the last axis in that order."""
    return np.take_along_axis(values, argsort(values), -1)


def ordered(values: Array, gives: str) -> tuple[Array, ...]:
    """Return what is given of rows in their order."""
    return (sort(values),) if gives == VALUES else (argsort(values),)
