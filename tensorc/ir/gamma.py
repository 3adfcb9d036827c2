"""The logarithm of the gamma function and its derivative, on NumPy's arrays."""

import math

import numpy as np

from tensorc.floats import Array

# B(2k) / (2k) for k from 1.
_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
_MOVED = 12


def gammaln(values: Array) -> Array:
    """Return ln |gamma|, in the type of the values; -inf at minus infinity."""
    found = [_gammaln(v) for v in values.astype(np.float64).ravel().tolist()]
    with np.errstate(over="ignore", under="ignore"):
        return np.array(found, np.float64).astype(values.dtype).reshape(values.shape)


def _gammaln(x: float) -> float:
    if x == -math.inf:
        return x
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def digamma(values: Array) -> Array:
    """Return the derivative of `gammaln`, in the type of the values.

    It is NaN at negative whole numbers; at 0 infinite, with the other sign.
    """
    x = values.astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(x)
        is_low = size < _MOVED
        y = np.where(is_low, size + _MOVED, size)
        inverse = 1 / (y * y)
        series = np.polynomial.polynomial.polyval(inverse, (0, *_SERIES))
        found = np.log(y) - 0.5 / y - series
        # 1 / size comes last: alone where x is negative it goes.
        moved = sum(1 / (size + i) for i in range(_MOVED - 1, 0, -1))
        found = np.where(is_low, found - moved, found + 1 / size)
        rest = size - np.rint(size)
        turned = found + math.pi / np.tan(math.pi * rest)
        found = np.where(x < 0, turned, found - 1 / size)
        found = np.where((x < 0) & (rest == 0), math.nan, found)
        found = np.where(size < 1e-30, -1 / x, found)
        return np.asarray(np.where(x == -math.inf, math.nan, found)).astype(
            values.dtype
        )
