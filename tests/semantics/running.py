"""Programs of the casebook, compiled at two levels, of arrays in two layouts."""

from collections.abc import Callable, Mapping

import numpy as np

import tensorc as tc

LEVELS = (0, 3)  # -O
Arrays = Mapping[str, tuple[np.ndarray, ...]]


def strided(array: np.ndarray) -> np.ndarray:
    """Return a view with the same elements, backwards in memory with gaps."""
    if not array.ndim:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    view = wide[..., ::-2]
    view[...] = array
    return view


def same_bits(given: object, wanted: object) -> bool:
    """Tell results of one type and shape with equal elements: NaN is NaN, -0 is -0."""
    a, b = np.asarray(given), np.asarray(wanted)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return bool(np.all(a == b))
    nan = np.isnan(a) & np.isnan(b)
    return bool(np.all(nan | ((a == b) & (np.signbit(a) == np.signbit(b)))))


def results(programs: Mapping[str, Callable], arrays: Arrays) -> list[dict]:
    """Return what programs give at each level and of each layout, compiled as one."""

    def whole(given):
        return {name: programs[name](*given[name]) for name in programs}

    found = []
    for level in LEVELS:
        with tc.options(optimize=level):
            compiled = tc.jit(whole)  # one form takes both layouts
            for lay in (np.copy, strided):
                given = {n: tuple([lay(a) for a in arrays[n]]) for n in programs}
                found.append(compiled(given))
    return found
