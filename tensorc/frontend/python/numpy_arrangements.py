"""NumPy's functions that part, join and choose: np.block, np.insert, np.select.

Each is NumPy's own definition, written for variables: what it calls comes back to the
variables through NumPy.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.library.reductions import ordered_axes
from tensorc.frontend.python.symbolic_operands import emitter, is_symbolic

# For type checkers; elements are of any type.
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
_Index = tuple[slice | int, ...]


def array_of(x: Array) -> Array:
    """Return a number or a list as an array, whose type is not weak."""
    return x if is_symbolic(x) else np.asarray(x)


# Parts


def _hsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> Sequence[Array]:
    if np.ndim(ary) == 0:
        raise argument_error("np.hsplit takes an array of at least one axis")
    return np.split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1)


def _vsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> Sequence[Array]:
    if np.ndim(ary) < 2:
        raise argument_error("np.vsplit takes an array of at least two axes")
    return np.split(ary, indices_or_sections, 0)


def _dsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> Sequence[Array]:
    if np.ndim(ary) < 3:
        raise argument_error("np.dsplit takes an array of at least three axes")
    return np.split(ary, indices_or_sections, 2)


def _unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    return tuple(np.moveaxis(x, axis, 0))


def _rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    axis = ordered_axes(emitter(), axis, a.ndim)[0]
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise argument_error(f"np.rollaxis: start must be up to {a.ndim}, got {start}")
    return np.moveaxis(a, axis, start - (axis < start))


def _delete(arr: Array, obj: int | slice, axis: int | None = None) -> Array:
    x, at = (np.ravel(arr), 0) if axis is None else (arr, axis)
    index = ordered_axes(emitter(), at, x.ndim)[0]
    before = [slice(None)] * index
    if isinstance(obj, slice):
        message = "np.delete of a slice of a variable is not compiled"
        raise usage_error(message, "np.concatenate([x[:i], x[j:]])")
    first = operator.index(obj)
    tail = slice(first + 1, None) if first != -1 else slice(0, 0)
    # The element itself, so that an index out of range is an error.
    there: _Index = (*before, first)
    x[there]
    parts = [x[(*before, slice(None, first))], x[(*before, tail)]]
    return np.concatenate(parts, axis=index)


def _insert(arr: Array, obj: int, values: Array, axis: int | None = None) -> Array:
    x, at = (np.ravel(arr), 0) if axis is None else (arr, axis)
    index = ordered_axes(emitter(), at, x.ndim)[0]
    before = [slice(None)] * index
    first = operator.index(obj)
    new = np.expand_dims(array_of(values), tuple(range(x.ndim - np.ndim(values))))
    if np.ndim(values) and axis is not None:
        # A number inserts values of the other axes: NumPy's rule for obj = 1.
        new = np.moveaxis(new, 0, index)
    sizes = [*x.shape]
    sizes[index] = new.shape[index]
    new = np.broadcast_to(new, sizes).astype(x.dtype)
    parts = [x[(*before, slice(None, first))], new, x[(*before, slice(first, None))]]
    return np.concatenate(parts, axis=index)


def _broadcast_arrays(*args: Array) -> tuple[Array, ...]:
    arrays = [array_of(a) for a in args]
    shape = np.shape(sum([np.zeros_like(a, dtype="int8") for a in arrays]))
    return tuple([np.broadcast_to(a, shape) for a in arrays])


def _block(arrays: object) -> Array:
    depth, rest = 0, arrays
    while isinstance(rest, list):
        if not rest:
            raise argument_error("np.block: a list is empty")
        depth, rest = depth + 1, rest[0]
    return _blocks(arrays, depth, _rank_of_block(arrays, depth))


def _rank_of_block(arrays: object, depth: int) -> int:
    if isinstance(arrays, list):
        return max(_rank_of_block(part, depth) for part in arrays)
    return max(depth, np.ndim(arrays))  # type: ignore[arg-type]


def _blocks(arrays: object, depth: int, rank: int) -> Array:
    """Join the innermost lists along the last axis, those around along those before."""
    if not isinstance(arrays, list):
        x = array_of(arrays)  # type: ignore[arg-type]
        return np.expand_dims(x, tuple(range(rank - np.ndim(x))))
    parts = [_blocks(part, depth - 1, rank) for part in arrays]
    return np.concatenate(parts, axis=-depth)


# Choices


def _select(
    condlist: Sequence[Array], choicelist: Sequence[Array], default: float = 0
) -> Array:
    if len(condlist) != len(choicelist) or not len(condlist):
        message = "np.select takes as many conditions as choices, "
        raise argument_error(f"{message}got {len(condlist)} and {len(choicelist)}")
    dtype = np.result_type(*[array_of(c).dtype for c in choicelist], default)
    result: Array = default  # type: ignore[assignment]
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result.astype(dtype)


def _isin(element: Array, test_elements: Array, *, invert: bool = False) -> Array:
    others = np.ravel(array_of(test_elements))
    found: Array = np.any(array_of(element)[..., np.newaxis] == others, axis=-1)
    return np.logical_not(found) if invert else found


# Indices


def _ravel_multi_index(multi_index: Sequence[Array], dims: Sequence[int]) -> Array:
    if len(multi_index) != len(dims):
        message = f"np.ravel_multi_index: {len(multi_index)} indices for {len(dims)} "
        raise argument_error(f"{message}axes")
    flat = multi_index[0] + 0
    for index, size in zip(multi_index[1:], dims[1:], strict=True):
        flat = flat * size + index
    return flat


def _unravel_index(indices: Array, shape: int | Sequence[int]) -> tuple[Array, ...]:
    sizes = [shape] if isinstance(shape, int) else [*shape]
    parts: list[Array] = []
    for size in sizes[::-1]:
        parts.append(indices % size)
        indices = indices // size
    return tuple(parts[::-1])


ARRANGED: Mapping[Callable[..., object], Callable[..., object]] = MappingProxyType(
    {
        np.hsplit: _hsplit,
        np.vsplit: _vsplit,
        np.dsplit: _dsplit,
        np.unstack: _unstack,
        np.rollaxis: _rollaxis,
        np.delete: _delete,
        np.insert: _insert,
        np.broadcast_arrays: _broadcast_arrays,
        np.block: _block,
        np.select: _select,
        np.isin: _isin,
        np.ravel_multi_index: _ravel_multi_index,
        np.unravel_index: _unravel_index,
    }
)
