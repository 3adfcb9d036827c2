"""NumPy's functions that are made of its others: np.diff, np.vstack, np.trapezoid.

Each is NumPy's own definition, written for variables: what it calls comes back to the
variables through NumPy.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.library.reductions import ordered_axes
from tensorc.frontend.python.symbolic_operands import emitter, is_symbolic

# For type checkers; elements are of any type.
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Axis = int | tuple[int, ...] | None


def _copy(a: Array) -> Array:
    return a.copy()


def _astype(x: Array, dtype: DTypeLike) -> Array:
    return x.astype(dtype)


def _real(val: Array) -> Array:
    return +val


def _size(a: Array, axis: Axis = None) -> int:
    if axis is None:
        return a.size
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(a.shape[i] for i in axes)


def _ptp(a: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    highest: Array = np.max(a, axis=axis, keepdims=keepdims)
    lowest: Array = np.min(a, axis=axis, keepdims=keepdims)
    return highest - lowest


def _count_nonzero(a: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    counted: Array = np.sum(a != 0, axis=axis, keepdims=keepdims)
    return counted


def rounded(a: Array, decimals: int = 0) -> Array:
    """Round to so many decimals, as np.round: halves to even, integers stay."""
    decimals = operator.index(decimals)
    if np.dtype(a.dtype).kind in "iu":
        if decimals < 0:
            message = "np.round of integers to tens is not in this version"
            raise usage_error(message, "write x // 10 * 10, or x.astype('float64')")
        return +a
    if not decimals:
        whole: Array = np.rint(a)
        return whole
    power = 10.0 ** abs(decimals)
    made: Array = np.rint(a * power) / power
    return made if decimals > 0 else np.rint(a / power) * power


def _diff(a: Array, n: int = 1, axis: int = -1) -> Array:
    if n < 0:
        raise argument_error(f"np.diff: n must be 0 or more, got {n}")
    index = ordered_axes(emitter(), axis, a.ndim)[0]
    before = [slice(None)] * index
    for _ in range(n):
        high, low = a[(*before, slice(1, None))], a[(*before, slice(None, -1))]
        a = high != low if a.dtype == "bool" else high - low
    return a


def _trapezoid(
    y: Array, x: Array | None = None, dx: float = 1.0, axis: int = -1
) -> Array:
    index = ordered_axes(emitter(), axis, np.ndim(y))[0]
    before = [slice(None)] * index
    high, low = (*before, slice(1, None)), (*before, slice(None, -1))
    widths: Array | float = dx
    if x is not None:
        widths = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        if np.ndim(x) == 1:
            widths = widths[(slice(None), *[None] * (np.ndim(y) - index - 1))]
    # The product may have more axes than y, and NumPy counts those.
    area: Array = np.sum(widths * (y[high] + y[low]) / 2.0, axis=axis)
    return area


def _array(x: Array) -> Array:
    """Return a number or a list as an array, whose type is not weak."""
    return x if is_symbolic(x) else np.asarray(x)


# Where NumPy puts the axes that an array of a rank lacks: (rank asked for, rank).
_NEW_AXES: Mapping[tuple[int, int], tuple[int, ...]] = {
    (1, 0): (0,),
    (2, 0): (0, 1),
    (2, 1): (0,),
    (3, 0): (0, 1, 2),
    (3, 1): (0, 2),
    (3, 2): (2,),
}


def _at_least(rank: int, x: Array) -> Array:
    x = _array(x)
    axes = _NEW_AXES.get((rank, np.ndim(x)))
    return x if axes is None else np.expand_dims(x, axes)


def _of_rank(rank: int) -> Callable[..., object]:
    def at_least(*arrays: Array) -> Array | tuple[Array, ...]:
        made = tuple([_at_least(rank, x) for x in arrays])
        return made[0] if len(made) == 1 else made

    return at_least


def _vstack(tup: Sequence[Array]) -> Array:
    return np.concatenate([_at_least(2, x) for x in tup])


def _hstack(tup: Sequence[Array]) -> Array:
    rows = [_at_least(1, x) for x in tup]
    return np.concatenate(rows, axis=0 if np.ndim(rows[0]) == 1 else 1)


def _dstack(tup: Sequence[Array]) -> Array:
    return np.concatenate([_at_least(3, x) for x in tup], axis=2)


def _column_stack(tup: Sequence[Array]) -> Array:
    columns = [np.expand_dims(_at_least(1, x), 1) if np.ndim(x) < 2 else x for x in tup]
    return np.concatenate(columns, axis=1)


def _append(arr: Array, values: Array, axis: int | None = None) -> Array:
    return np.concatenate([_array(arr), _array(values)], axis=axis)


def _flipud(m: Array) -> Array:
    return np.flip(m, 0)


def _fliplr(m: Array) -> Array:
    return np.flip(m, 1)


def _matrix_transpose(x: Array, /) -> Array:
    return np.swapaxes(x, -1, -2)


def _vdot(a: Array, b: Array, /) -> Array:
    product: Array = np.dot(np.ravel(a), np.ravel(b))
    return product


def _inner(a: Array, b: Array, /) -> Array:
    a, b = _array(a), _array(b)
    scalar = not np.ndim(a) or not np.ndim(b)
    return a * b if scalar else np.tensordot(a, b, axes=(-1, -1))


def _polyval(p: Array, x: Array) -> Array:
    y = np.zeros_like(x)
    for coefficient in _array(p):
        y = y * x + coefficient
    return y


def _divmod(x: Array, y: Array) -> tuple[Array, Array]:
    return x // y, x % y


def _times(factor: float) -> Callable[[Array], Array]:
    return lambda x: x * factor


COMPOSITIONS: Mapping[Callable[..., object], Callable[..., object]] = MappingProxyType(
    {
        np.copy: _copy,
        np.astype: _astype,
        np.real: _real,
        np.size: _size,
        np.round: rounded,
        np.around: rounded,
        np.ptp: _ptp,
        np.count_nonzero: _count_nonzero,
        np.diff: _diff,
        np.trapezoid: _trapezoid,
        np.atleast_1d: _of_rank(1),
        np.atleast_2d: _of_rank(2),
        np.atleast_3d: _of_rank(3),
        np.vstack: _vstack,
        np.hstack: _hstack,
        np.dstack: _dstack,
        np.column_stack: _column_stack,
        np.append: _append,
        np.flipud: _flipud,
        np.fliplr: _fliplr,
        np.matrix_transpose: _matrix_transpose,
        np.linalg.matrix_transpose: _matrix_transpose,
        np.linalg.matmul: np.matmul,
        np.linalg.tensordot: np.tensordot,
        np.vdot: _vdot,
        np.inner: _inner,
        np.polyval: _polyval,
        np.positive: _real,
        np.conjugate: _real,
        np.divmod: _divmod,
        np.deg2rad: _times(np.pi / 180),
        np.radians: _times(np.pi / 180),
        np.rad2deg: _times(180 / np.pi),
        np.degrees: _times(180 / np.pi),
    }
)
