"""NumPy's functions that are made of its others: np.vstack, np.trapezoid.

Each is NumPy's own definition, written for variables: what it calls comes back to the
variables through NumPy.
"""

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.library.reductions import ordered_axes
from tensorc.frontend.python.assigning.numpy_stores import STORES
from tensorc.frontend.python.numpy_arrangements import ARRANGED, Array, array_of
from tensorc.frontend.python.symbolic_operands import emitter

Axis = int | tuple[int, ...] | None
_MOST_SLOPES = 1000  # of a polynomial, one after the other


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
    x = array_of(x)
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
    return np.concatenate([array_of(arr), array_of(values)], axis=axis)


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
    a, b = array_of(a), array_of(b)
    scalar = not np.ndim(a) or not np.ndim(b)
    return a * b if scalar else np.tensordot(a, b, axes=(-1, -1))


def _polyval(p: Array, x: Array) -> Array:
    y = np.zeros_like(x)
    for coefficient in array_of(p):
        y = y * x + coefficient
    return y


def _divmod(x: Array, y: Array) -> tuple[Array, Array]:
    return x // y, x % y


# Differences


def _ediff1d(ary: Array) -> Array:
    made: Array = np.diff(np.ravel(ary))
    return made


def _gradient(
    f: Array, *varargs: float, axis: Axis = None, edge_order: int = 1
) -> Array | tuple[Array, ...]:
    axes = ordered_axes(emitter(), axis, f.ndim)
    steps = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if len(steps) != len(axes) or edge_order not in (1, 2):
        message = f"np.gradient: {len(steps)} steps for {len(axes)} axes"
        raise argument_error(
            message if edge_order in (1, 2) else "edge_order is 1 or 2"
        )
    if any(np.ndim(h) for h in steps):
        message = "np.gradient of unequal steps is not compiled"
        raise usage_error(message, "differences of slices by those of the coordinates")
    x = f.astype("float64") if np.dtype(f.dtype).kind in "iu" else f
    made = [
        _slopes(np.moveaxis(x, a, 0), h, edge_order)
        for a, h in zip(axes, steps, strict=True)
    ]
    back = [np.moveaxis(m, 0, a) for m, a in zip(made, axes, strict=True)]
    return back[0] if len(back) == 1 else tuple(back)


def _slopes(x: Array, h: float, edge_order: int) -> Array:
    inner = (x[2:] - x[:-2]) / (2.0 * h)
    if edge_order == 1:
        first, last = (x[1:2] - x[:1]) / h, (x[-1:] - x[-2:-1]) / h
    else:
        first = -1.5 / h * x[:1] + 2.0 / h * x[1:2] - 0.5 / h * x[2:3]
        last = 0.5 / h * x[-3:-2] - 2.0 / h * x[-2:-1] + 1.5 / h * x[-1:]
    return np.concatenate([first, inner, last])


# Products


def _vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    left, right = (np.moveaxis(array_of(x), axis, -1) for x in (x1, x2))
    product: Array = np.matmul(left[..., np.newaxis, :], right[..., np.newaxis])
    return product[..., 0, 0]


def _cross(
    a: Array,
    b: Array,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    pair = [np.moveaxis(x, at, -1) for x, at in ((a, axisa), (b, axisb))]
    made: Array = np.linalg.cross(*pair)  # type: ignore[assignment]
    return np.moveaxis(made, -1, axisc) if np.ndim(made) > 1 else made


def _matvec(x1: Array, x2: Array, /) -> Array:
    column: Array = np.matmul(x1, x2[..., np.newaxis])
    return column[..., 0]


def _vecmat(x1: Array, x2: Array, /) -> Array:
    row: Array = np.matmul(x1[..., np.newaxis, :], x2)
    return row[..., 0, :]


def _multi_dot(arrays: Sequence[Array]) -> Array:
    """Multiply from the left; a vector at the end makes all products small."""
    if len(arrays) < 2:
        raise argument_error("np.linalg.multi_dot takes at least two arrays")
    if np.ndim(arrays[-1]) == 1:
        made: Array = functools.reduce(lambda y, x: np.dot(x, y), arrays[::-1])
    else:
        made = functools.reduce(np.dot, arrays)
    return made


def _vector_norm(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    made: Array = np.linalg.norm(x, axis=axis, keepdims=keepdims)
    return made


def _matrix_norm(x: Array, /, *, keepdims: bool = False) -> Array:
    made: Array = np.linalg.norm(x, axis=(-2, -1), keepdims=keepdims)
    return made


def _outer(x1: Array, x2: Array, /) -> Array:
    return np.outer(x1, x2)


def _diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return np.diagonal(x, offset, -2, -1)


def _trace(x: Array, /, *, offset: int = 0) -> Array:
    made: Array = np.trace(x, offset, -2, -1)
    return made


# So far, and of several axes


def _cumulative(name: str) -> Callable[..., Array]:
    def so_far(
        x: Array, /, *, axis: int | None = None, include_initial: bool = False
    ) -> Array:
        if axis is None and x.ndim != 1:
            raise argument_error("an array of several axes needs `axis`")
        index = ordered_axes(emitter(), axis or 0, x.ndim)[0]
        made: Array = getattr(np, name)(x, axis=index)
        if not include_initial:
            return made
        first = np.zeros if name == "cumsum" else np.ones
        edge = np.sum(made, axis=index, keepdims=True) * 0
        return np.concatenate([first(1) + edge, made], axis=index).astype(made.dtype)

    return so_far


def _apply_over_axes(
    func: Callable[..., Array], a: Array, axes: int | Sequence[int]
) -> Array:
    for axis in [axes] if isinstance(axes, int) else axes:
        made = func(a, axis)
        a = np.expand_dims(made, axis) if made.ndim < a.ndim else made
    return a


def _empty_like(prototype: Array, dtype: DTypeLike | None = None) -> Array:
    return np.zeros_like(prototype, dtype=dtype)


# Polynomials, from the highest coefficient


def _polyadd(a1: Array, a2: Array) -> Array:
    return _polynomial_sum(a1, a2, 1)


def _polysub(a1: Array, a2: Array) -> Array:
    return _polynomial_sum(a1, a2, -1)


def _polynomial_sum(a1: Array, a2: Array, sign: int) -> Array:
    pair = [np.atleast_1d(array_of(a)) for a in (a1, a2)]
    most = max(len(a) for a in pair)
    first, second = (np.pad(a, (most - len(a), 0)) for a in pair)
    return first + second if sign > 0 else first - second


def _polyder(p: Array, m: int = 1) -> Array:
    if not 0 <= m <= _MOST_SLOPES:
        message = f"np.polyder: m must be from 0 to {_MOST_SLOPES}, got {m}"
        raise argument_error(message)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


COMPOSITIONS: Mapping[Callable[..., object], Callable[..., object]] = MappingProxyType(
    {
        **ARRANGED,
        **STORES,
        np.copy: _copy,
        np.astype: _astype,
        np.real: _real,
        np.size: _size,
        np.round: rounded,
        np.around: rounded,
        np.ptp: _ptp,
        np.count_nonzero: _count_nonzero,
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
        np.ediff1d: _ediff1d,
        np.gradient: _gradient,
        np.cross: _cross,
        np.vecdot: _vecdot,
        np.linalg.vecdot: _vecdot,
        np.matvec: _matvec,
        np.vecmat: _vecmat,
        np.linalg.multi_dot: _multi_dot,
        np.linalg.vector_norm: _vector_norm,
        np.linalg.matrix_norm: _matrix_norm,
        np.linalg.outer: _outer,
        np.linalg.diagonal: _diagonal,
        np.linalg.trace: _trace,
        np.cumulative_sum: _cumulative("cumsum"),
        np.cumulative_prod: _cumulative("cumprod"),
        np.apply_over_axes: _apply_over_axes,
        np.empty_like: _empty_like,
        np.polyadd: _polyadd,
        np.polysub: _polysub,
        np.polyder: _polyder,
    }
)
