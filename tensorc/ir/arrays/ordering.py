"""Sorting and searching, in numpy: by keys, integers in the order of the elements.

Integers are in their order. Floats ascend, -0 and 0 are equal, and NaNs, which are all
equal, come after infinity. What is equal keeps its order; where no index says which of
the zeros were first, those with a sign are.
"""

import numpy as np

from tensorc.floats import is_float
from tensorc.ir.numerics import Array

# What is given of the elements of a row in their order.
VALUES, INDICES, LARGEST = "values", "indices", "largest"

# Where a search stands among equal elements: before the first or after the last.
LEFT, RIGHT = "left", "right"


def order_keys(values: Array, zeros_differ: bool = False) -> Array:
    """Return integers without a sign, of the same width, in the order of the values.

    With `zeros_differ` -0 comes before 0, and all but a NaN can be told from its key.
    """
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
    if not zeros_differ:
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
    """Return the elements along the last axis in ascending order, -0 before 0."""
    found = np.sort(order_keys(values, zeros_differ=True), axis=-1)
    keys = np.asarray(found, np.dtype(f"u{values.dtype.itemsize}"))
    kind, width = values.dtype.kind, values.dtype.itemsize * 8
    top = keys.dtype.type(1 << (width - 1))
    bits = keys if kind == "u" else keys ^ top
    if is_float(values.dtype):
        bits = np.where(keys < top, np.invert(keys), bits)
    return np.ascontiguousarray(bits).view(values.dtype).reshape(values.shape)


def topk(values: Array, count: int) -> tuple[Array, Array]:
    """Return the largest elements along the last axis, descending, and their indices.

    Of equal ones the first come first; NaNs are largest.
    """
    order = np.argsort(np.invert(order_keys(values)), axis=-1, kind="stable")[
        ..., :count
    ]
    return np.take_along_axis(values, order, -1), np.asarray(order, np.int64)


def ordered(values: Array, gives: str, count: int) -> tuple[Array, ...]:
    """Return what is given of rows in their order; `count` is how many are largest."""
    if gives == LARGEST:
        return topk(values, count)
    return (sort(values),) if gives == VALUES else (argsort(values),)


def search(ordered: Array, values: Array, side: str) -> Array:
    """Return how many elements of a row in order come before each of some values.

    It halves what may be: of a row that is in no order, the result follows from that.
    """
    row, wanted = order_keys(ordered), order_keys(values)
    comes_before = np.less if side == LEFT else np.less_equal
    found = np.zeros(values.shape, np.int64)
    for bit in reversed(range(len(row).bit_length())):
        following = found + (1 << bit)
        at = np.minimum(following, len(row)) - 1
        goes_on = (following <= len(row)) & comes_before(row[at], wanted)
        found = np.where(goes_on, following, found)
    return found
