"""NumPy's functions that change an array, and those that index along an axis.

An array of the trace changes as by an assignment; all else is refused as there.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.reductions import ordered_axes
from tensorc.frontend.python.describing import is_symbolic
from tensorc.frontend.python.numpy_arrangements import Array
from tensorc.frontend.python.symbolic_operands import emitter

_MODES = ("raise", "wrap", "clip")


def _along(a: Array, indices: Array, axis: int) -> tuple[Array, ...]:
    """Return an index array per axis: these along one, else each its own."""
    if a.ndim != indices.ndim:
        message = f"indices along an axis have the rank of the array, {a.ndim}, "
        raise usage_error(f"{message}got {indices.ndim}")
    index = ordered_axes(emitter(), axis, a.ndim)[0]
    found = []
    for i in range(a.ndim):
        # Indices of the axes beside, of which one of size 1 goes along all of them.
        own = np.cumsum(np.ones_like(indices, dtype="int64"), axis=i) - 1
        found.append(indices if i == index else own)
    return tuple(found)


def _take_along_axis(arr: Array, indices: Array, axis: int | None = -1) -> Array:
    if axis is None:
        arr, axis = arr.reshape(-1), 0
    taken: Array = arr[_along(arr, indices, axis)]
    return taken


def _put_along_axis(arr: Array, indices: Array, values: Array, axis: int) -> None:
    _require_variable("put_along_axis", arr)
    arr[_along(arr, indices, axis)] = values


def _put(a: Array, ind: Array, v: Array, mode: str = "raise") -> None:
    _require_variable("put", a)
    if mode not in _MODES:
        raise usage_error(f"np.put: mode is {', '.join(_MODES)}, got {mode!r}")
    flat = a.reshape(-1).copy()
    if not is_symbolic(ind):
        ind = np.asarray(ind)
    if mode == "wrap":
        ind = ind % flat.size
    if mode == "clip":
        ind = np.minimum(np.maximum(ind, 0), flat.size - 1)
    flat[ind.reshape(-1)] = v.reshape(-1) if is_symbolic(v) else np.ravel(v)
    a[...] = flat.reshape(a.shape)


def _putmask(a: Array, mask: Array, values: Array) -> None:
    _require_variable("putmask", a)
    if np.ndim(values) not in (0, a.ndim):
        message = "np.putmask: values are one number, or of the shape of the array"
        raise usage_error(message, "a[...] = np.where(mask, values, a) broadcasts them")
    a[...] = np.where(mask, values, a)


def _copyto(
    dst: Array, src: Array, casting: str = "same_kind", where: object = True
) -> None:
    _require_variable("copyto", dst)
    if casting != "same_kind":
        raise usage_error(f"np.copyto: casting is 'same_kind', got {casting!r}")
    dst[...] = src if where is True else np.where(where, src, dst)  # type: ignore[call-overload]


def _require_variable(name: str, a: object) -> None:
    if not is_symbolic(a):
        message = f"np.{name}: an array from outside of the trace holds no variables"
        ways = ["begin with np.zeros(n) in the function, or x.copy()"]
        if name == "copyto":  # np.full_like calls it
            ways.append("write tc.full_like(a, v)")
        raise usage_error(message, *ways)


CHANGING: Mapping[Callable[..., object], Callable[..., object]] = MappingProxyType(
    {
        np.copyto: _copyto,
        np.put: _put,
        np.put_along_axis: _put_along_axis,
        np.putmask: _putmask,
    }
)
STORES: Mapping[Callable[..., object], Callable[..., object]] = MappingProxyType(
    {**CHANGING, np.take_along_axis: _take_along_axis}
)
