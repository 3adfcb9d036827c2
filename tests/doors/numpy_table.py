"""The table of NumPy's functions that are there: calls, types, values, what is refused.

Calls are made from the tables of the package: ufuncs that it takes, and functions with
the options that their rows name. So what it gains is tried here by itself.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tensorc.errors import TensorcError
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.python import numpy_functions

INTEGERS = tuple(f"{k}{n}" for k in ("int", "uint") for n in (8, 16, 32, 64))
FLOATS = ("float16", "float32", "float64")
TYPES = ("bool", *INTEGERS, *FLOATS)
WEAK = (True, 2, -3, 300, 0.5, float("inf"), float("nan"))
COUNT = 20  # of the values of a type


def values(dtype: str) -> np.ndarray:
    """Return the nasty values of a type."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.resize(np.array([False, True, True]), COUNT)
    if kind == "f":
        f = np.finfo(dtype)
        few = [0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -7, 10.25, f.max, -f.max]
        ends = [f.tiny, f.smallest_subnormal, -f.smallest_subnormal]
        return np.resize(np.array([*few, *ends, np.inf, -np.inf, np.nan], dtype), COUNT)
    i = np.iinfo(dtype)
    ends = [i.min, i.max, i.min + 1, i.max - 1, i.max // 2, i.max // 2 + 1]
    signed = [-1, -2, -7] if kind == "i" else [200]
    return np.resize(np.array([0, 1, 2, 3, 7, *ends, *signed], dtype), COUNT)


def mild(dtype: str) -> np.ndarray:
    """Return values whose sums and products are exact in every order."""
    return np.resize(np.array([1, 2, 0, 1, 3, 1, 1, 2, 1, 0, 1, 1]), COUNT).astype(
        dtype
    )


@dataclass(frozen=True)
class Call:
    """A call: of what, how it is spelled, and of which types (or plain numbers)."""

    function: Callable
    name: str
    types: tuple[object, ...]
    # From the arrays, or the variables in their places, to the result.
    make: Callable
    # What is given beside the arrays, in order and by name.
    given: tuple = ()
    options: tuple = ()

    @property
    def key(self) -> str:
        """Its text, unlike that of any other."""
        return f"{self.name} of {', '.join(map(str, self.types))}"


def _pairs() -> Iterator[tuple[object, object]]:
    yield from itertools.product(TYPES, repeat=2)
    for dtype, number in itertools.product(TYPES, WEAK):
        yield dtype, number
        yield number, dtype


PAIRS = tuple(_pairs())


# Elementwise functions


def ufuncs() -> list[np.ufunc]:
    """Return the ufuncs that the package takes, but for products of matrices."""
    found = []
    for name in sorted(dir(np)):
        ufunc = getattr(np, name)
        if not isinstance(ufunc, np.ufunc) or ufunc.__name__ != name:
            continue
        try:
            numpy_functions.of_ufunc(ufunc, "__call__", {})
        except TensorcError:
            continue
        found.append(ufunc)
    return [u for u in found if u is not np.matmul]


def calls_of_ufunc(ufunc: np.ufunc) -> list[Call]:
    """Return the calls of an elementwise function: of all types and pairs of them."""
    name = ufunc.__name__
    if ufunc.nin == 1:
        return [Call(ufunc, name, (t,), ufunc) for t in TYPES]
    pairs = PAIRS
    if ufunc is np.ldexp:
        # NumPy takes no other exponents, and numbers as float16.
        exponents = ("int8", "int16", "int32", "int64", "uint8", "uint16", 2)
        typed = itertools.product(TYPES, exponents)
        pairs = tuple(p for p in typed if p[0] != "bool")
    return [Call(ufunc, name, pair, ufunc) for pair in pairs]


def arrays_of_ufunc(types: tuple[object, ...]) -> list[object]:
    """Return flat arrays in which each value of one meets each of the other."""
    left = [np.repeat(values(t), COUNT) if isinstance(t, str) else t for t in types[:1]]
    return left + [
        np.tile(values(t), COUNT) if isinstance(t, str) else t for t in types[1:]
    ]


# Functions with options

SHAPE = (3, 4)
CONDITION = np.array([[True, False, True, False]] * 3)
INDICES = np.array([2, 0, -1])

# What options are given: alone, and with the axes. A tuple is one value of several.
OPTIONS: dict[str, tuple[object, ...]] = {
    "axis": (0, -1, (0, 1), None, 2),
    "keepdims": (True,),
    "dtype": TYPES,
    "ddof": (1, 2),
    "k": (-1, 0, 1, 4),
    "axes": ((1, 0), (0, 1), (-1, -2), (0, 0)),
    "constant_values": (1,),
    "mode": ("constant", "edge", "mean", "reflect", "wrap", "full", "same", "valid"),
    "end_values": (2,),
    "stat_length": (1, 2),
    "offset": (1, -5),
    "axis1": (1,),
    "axis2": (0,),
    "base": (2,),
    "N": (2, 6, 0),
    "increasing": (True,),
    "indexing": ("ij",),
    "sparse": (True,),
    "rowvar": (False,),
    "bias": (True,),
    "subok": (False,),
    "num": (7,),
    "order": ("C",),
    "method": ("lower", "nearest"),
    "right": (True,),
    "minlength": (9,),
    "density": (True,),
    "range": ((0, 2),),
    "bins": (4, [0, 1, 2.5]),
    "n": (2,),
    "copy": (True,),
    "nan": (1.5,),
    "posinf": (3.0, None),
    "neginf": (-2,),
    "rtol": (0.25,),
    "atol": (0.5,),
    "equal_nan": (True,),
}
# What must be given, each a call of its own.
REQUIRED: dict[Callable, tuple[tuple[object, ...], ...]] = {
    np.reshape: (((2, 6),), ((-1,),), ((4, -1),), ((5, 2),)),
    np.swapaxes: ((0, 1), (-1, 0), (0, 2)),
    np.moveaxis: ((0, 1), ((0, 1), (1, 0)), (0, 2)),
    np.expand_dims: ((0,), (-1,), ((0, 2),), (4,)),
    np.broadcast_to: (((2, 3, 4),), ((3, 4),), ((4, 3),)),
    np.split: ((3,), (2, 1), ([1, 2],), (2,)),
    np.array_split: ((3,), (5, 1), ([1, 2],), (2,)),
    np.linalg.matrix_power: ((0,), (1,), (5,)),
    np.tile: ((2,), ((2, 1),), ((2, 1, 2),), (0,)),
    np.repeat: ((2,), (3, 0), (0, 1)),
    np.pad: ((1,), ((1, 2),), (((0, 1), (2, 0)),)),
    np.partition: ((2,), ((0, -1),)),
    np.argpartition: ((2,),),
    np.roll: ((1,), (-2, 0), (5, 1), ((1, 2), (0, 1))),
}


# What a call is followed by: NumPy leaves an order open, results are several.
AFTER: dict[Callable, Callable] = {
    **dict.fromkeys((np.partition, np.argpartition), np.sort),
    np.histogram: lambda both: np.concatenate([*both]),
}


def _same(x):
    return x


def _end(x):
    """Return a number as it is, of an array the largest element."""
    return np.max(x) if np.ndim(x) else x


# Options of every call: equal elements of NumPy's keep their order only so.
ALWAYS: dict[Callable, dict[str, object]] = {np.argsort: {"stable": True}}


def _few(x):
    """Return a number as it is, of an array an exponent of which powers are finite."""
    return np.max(x) * 0 + 2 if np.ndim(x) else x


# Functions of two arrays, x and y, of any two types.
OF_TWO: dict[Callable, Callable] = {
    np.where: lambda x, y: np.where(CONDITION, x, y),
    np.clip: lambda x, y: np.clip(x, 1, y),
    np.concatenate: lambda x, y: np.concatenate([x, y]),
    np.stack: lambda x, y: np.stack([x, y], axis=1),
    np.full_like: lambda x, y: np.full_like(x, y),
    np.linspace: lambda x, y: np.linspace(_end(x), _end(y), 5),
    np.searchsorted: lambda x, y: np.searchsorted(np.sort(x, None), y),
    np.dot: lambda x, y: np.dot(x, np.transpose(y)),
    np.matmul: lambda x, y: np.matmul(x, np.transpose(y)),
    np.outer: lambda x, y: np.outer(x, y),
    np.kron: lambda x, y: np.kron(x, y[:2]),
    np.linalg.cross: lambda x, y: np.linalg.cross(x, y, axis=0),
    np.convolve: lambda x, y: np.convolve(x[0], y[:, 0]),
    np.correlate: lambda x, y: np.correlate(x[0], y[:, 0], "full"),
    np.average: lambda x, y: np.average(x, 0, y),
    np.cov: lambda x, y: np.cov(x, y),
    np.corrcoef: lambda x, y: np.corrcoef(x, y),
    np.meshgrid: lambda x, y: np.meshgrid(x[0], y[:, 0]),
    np.logspace: lambda x, y: np.logspace(_few(x), _few(y), 5),
    np.tensordot: lambda x, y: np.tensordot(x, y, 2),
    np.einsum: lambda x, y: np.einsum("ij,ij->i", x, y),
    np.isclose: lambda x, y: np.isclose(x, y, 0.25, equal_nan=True),
    np.allclose: lambda x, y: np.allclose(x, y, atol=0.5),
}
# Those that take numbers, which get the type of the array. Of products NumPy makes
# arrays of them, of their own type.
_OF_NUMBERS = (np.where, np.clip, np.full_like, np.linspace, np.logspace)
# Functions with an array that is no second operand.
WITH_ARRAY: dict[Callable, tuple[object, ...]] = {
    np.take: (INDICES,),
    np.quantile: (0.25,),
    np.percentile: (40,),
    np.digitize: (np.array([0, 1.5, 3]),),
    np.bincount: (None,),
    np.histogram: (4,),
}


def rows() -> list[tuple[Callable, LibraryFunction]]:
    """Return NumPy's functions that have rows in the registry."""
    return [(f, r) for f, r in numpy_functions.rows().items() if r.parameters]


def calls_of_row(function: Callable, row: LibraryFunction) -> list[Call]:
    """Return the calls of a function: with each option, of all types."""
    if function in OF_TWO:
        return calls_of_two(function)
    first = WITH_ARRAY.get(function, ())
    required = [*first, *(() for _ in row.tensors[1 + len(first) :])]
    given = numpy_functions.taken(row)[len(row.tensors) :]
    calls: list[Call] = []
    for must in REQUIRED.get(function, ((),)):
        free = given[len(must) :] if function in REQUIRED else given
        for options in _options(free):
            calls += _calls(function, (*required, *must), options)
    return calls


def _options(names: list[str]) -> Iterator[dict[str, object]]:
    yield {}
    for name in names:
        for value in OPTIONS[name]:
            yield {name: value}
            if name != "axis" and "axis" in names:
                yield {name: value, "axis": -1}


def _calls(function: Callable, given: tuple, options: dict) -> list[Call]:
    def make(x):
        made = function(x, *given, **options, **ALWAYS.get(function, {}))
        return AFTER.get(function, _same)(made)

    shown = [*map(repr, given), *(f"{k}={v!r}" for k, v in options.items())]
    name = f"{name_of(function)}({', '.join(['x', *shown])})"
    named = tuple(options.items())
    return [Call(function, name, (t,), make, given, named) for t in TYPES]


def calls_of_two(function: Callable) -> list[Call]:
    """Return the calls of a function of two operands: of all pairs of types."""
    name, make = name_of(function), OF_TWO[function]
    pairs = PAIRS if function in _OF_NUMBERS else PAIRS[: len(TYPES) ** 2]
    if function is np.clip:
        pairs = tuple([p for p in pairs if isinstance(p[0], str)])
    return [Call(function, name, pair, make) for pair in pairs]


def name_of(function: Callable) -> str:
    """Return a function's own name."""
    return str(function.__name__)


# Where sums are made, so that their order may matter, or floats become integers, which
# NumPy leaves open beyond their range.
_SUMS = (
    np.sum,
    np.cumsum,
    np.cumprod,
    np.mean,
    np.prod,
    np.var,
    np.std,
    np.linalg.norm,
    np.linspace,
)
_MEANS = (np.mean, np.var, np.std, np.linalg.norm, np.linspace)
_MEANS = (*_MEANS, np.quantile, np.percentile)
_SUMS = (*_SUMS, np.full_like, np.dot, np.matmul, np.outer, np.tensordot, np.einsum)
_SUMS = (*_SUMS, np.kron, np.trace, np.convolve, np.correlate, np.nansum, np.nanprod)
_SUMS = (*_SUMS, np.nancumsum, np.nancumprod, np.linalg.cross, np.linalg.matrix_power)
_MEANS = (*_MEANS, np.average, np.cov, np.corrcoef, np.nanmean, np.nanvar, np.nanstd)
_SUMS = (*_SUMS, *_MEANS, np.vander, np.logspace, np.pad)


def arrays_of_row(call: Call) -> list[object]:
    """Return the matrices of a call; where floats are added up, mild ones."""
    arrays: list[object] = []
    in_floats = "dtype='float" in call.name
    for i, dtype in enumerate(call.types):
        if not isinstance(dtype, str):
            arrays.append(dtype)
            continue
        is_float = in_floats or np.dtype(dtype).kind == "f" or call.function in _MEANS
        is_sum = call.function in _SUMS and is_float
        flat = np.roll((mild if is_sum else values)(dtype), 3 * i)
        arrays.append(flat[: SHAPE[0] * SHAPE[1]].reshape(SHAPE))
    return arrays
