"""How a value that a user gives becomes the array that compiled code reads.

The rule: a float array may be rounded to the declared float type; everything else must
be exact. So no float becomes an integer, and no number that does not fit is accepted.
"""

import numpy as np

from tensorc.errors import CallError, Diagnostic
from tensorc.floats import as_single, letter_of
from tensorc.runtime.arrays import Array, contiguous, describe, spelling_of

_PLAIN = "booleans, integers and floats are arguments"
# The way out, by NumPy's kind of what is no argument.
_HINTS = {
    "c": "pass the real and the imaginary part: z.real, z.imag",
    "O": "are its rows of one length? give a dtype: np.asarray(v, 'float32')",
}
# Every integer up to this magnitude is exact in the type.
_EXACT_INTEGERS = {"f16": 2**11, "bf16": 2**8, "f32": 2**24, "f64": 2**53}


def convert(value: object, dtype: np.dtype[np.generic], what: str) -> Array:
    """Return `value` as a C-contiguous, aligned array of `dtype`; no copy if it is one.

    Takes arrays, Python numbers, nested lists, and whatever NumPy or DLPack can read.
    `what` names the value in messages ("argument 'x' of 'train'").

    Raises:
        CallError: the value is not an array of numbers, or does not fit `dtype`.
    """
    array = _as_array(value, dtype, what)
    if array.dtype != dtype:
        array = _cast(array, dtype, what)
    return contiguous(array)


def _error(what: str, detail: str, *hints: str) -> CallError:
    return CallError(Diagnostic("TC0502", f"{what}: {detail}", hints=hints))


_NAMES = {"U": "texts", "S": "bytes", "O": "objects"}


def _as_array(value: object, dtype: np.dtype[np.generic], what: str) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        raise _error(what, "a masked array is given", "fill it: x.filled(0)")
    try:
        array: Array = np.asarray(value)
        foreign = array is not value and hasattr(value, "__dlpack__")
        if foreign and array.dtype == object:
            array = np.from_dlpack(value)  # type: ignore[arg-type]  # hasattr above
    except (ValueError, TypeError, OverflowError, BufferError, RuntimeError) as error:
        detail = f"cannot be read as an array: {error}"
        raise _error(what, detail, _HINTS["O"]) from error
    kind = letter_of(array.dtype)
    if kind not in "biuf":
        given = type(value).__name__
        if array.ndim or array is value:
            given += f" of {_NAMES.get(kind, array.dtype)}"
        detail = f"{spelling_of(dtype)} expected, {given} given"
        raise _error(what, detail, _HINTS.get(kind, _PLAIN))
    if array.size == 0 and not isinstance(value, np.ndarray):
        return array.astype(dtype)  # `[]` says nothing about the type
    return array


def _cast(array: Array, dtype: np.dtype[np.generic], what: str) -> Array:
    match letter_of(array.dtype), letter_of(dtype):
        case "f", "f":
            return _round(array, dtype, what)
        case "f", _:
            name = dtype.name
            raise _error(
                what,
                f"{spelling_of(dtype)} expected, {describe(array)} given",
                f"a float is not made an integer silently: x.astype(np.{name})",
            )
        case "b", _:
            return array.astype(dtype)
        case _, "f":
            return _integers_to_float(array, dtype, what)
        case _:
            return _integers(array, dtype, what)


def _round(array: Array, dtype: np.dtype[np.generic], what: str) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        rounded = array.astype(dtype)
    if rounded.dtype.itemsize < array.dtype.itemsize:
        lost = np.isinf(rounded) & np.isfinite(as_single(array))
        if lost.any():
            raise _outside(array[lost].flat[0], dtype, what)
    return rounded


def _integers_to_float(array: Array, dtype: np.dtype[np.generic], what: str) -> Array:
    with np.errstate(over="ignore"):
        result = array.astype(dtype)
    limit = _EXACT_INTEGERS[spelling_of(dtype)]
    # As Python integers: abs(-2**63) does not fit an int64.
    if array.size and max(-int(array.min()), int(array.max())) > limit:
        for given, got in zip(array.ravel(), result.ravel(), strict=True):
            if not np.isfinite(got) or int(given) != int(got):
                raise _error(
                    what,
                    f"{int(given)} is not exact in {spelling_of(dtype)}",
                    f"round it yourself: x.astype(np.{dtype.name})",
                )
    return result


def _integers(array: Array, dtype: np.dtype[np.generic], what: str) -> Array:
    low, high = (0, 1) if dtype.kind == "b" else _integer_range(dtype)
    if array.size:
        for extreme in (array.min(), array.max()):
            if not low <= int(extreme) <= high:
                raise _outside(extreme, dtype, what)
    return array.astype(dtype)


def _integer_range(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    bits = 8 * dtype.itemsize
    return (
        (0, 2**bits - 1)
        if dtype.kind == "u"
        else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def _outside(value: object, dtype: np.dtype[np.generic], what: str) -> CallError:
    return _error(what, f"{value} does not fit {spelling_of(dtype)}")
