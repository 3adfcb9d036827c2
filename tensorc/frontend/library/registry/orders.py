"""The rows of functions that order elements, and of what is made of their order."""

import typing
from collections.abc import Callable, Mapping

from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import (
    AXES,
    AXIS,
    ENDS,
    FLAG,
    INTEGER,
    INTEGERS,
    SIZE,
    Option,
    one_of,
)
from tensorc.frontend.library.orders import counting, quantiles, searching, sorting

_ROW: Mapping[str, Option] = {"axis": Option(AXIS, -1, none=True)}

_MIDDLE: Mapping[str, Option] = {
    "axis": Option(AXES, None, none=True),
    "keepdims": Option(FLAG, False),
}
_QUANTILE: Mapping[str, Option] = {
    "axis": Option(AXES, None, none=True),
    "method": Option(one_of(*quantiles.METHODS), "linear"),
    "keepdims": Option(FLAG, False),
}

# NumPy's method `sort` sorts in place, which variables do not.
ROWS = (
    LibraryFunction(
        "sort", sorting.sort, options=_ROW, numpy="sort(a, axis, kind, order, stable)"
    ),
    LibraryFunction(
        "argsort",
        sorting.argsort,
        options=_ROW,
        numpy="argsort(a, axis, kind, order, stable)",
        method=True,
    ),
    LibraryFunction(
        "topk",
        typing.cast(Callable[..., Operand], sorting.topk),  # see `several`
        options={"k": Option(INTEGER), **_ROW},
        several=True,
    ),
    LibraryFunction(
        "searchsorted",
        searching.searchsorted,
        ("a", "v"),
        {"side": Option(one_of("left", "right"), "left")},
        "searchsorted(a, v, side, sorter)",
        aliases={"sorted_sequence": "a", "values": "v"},
    ),
    LibraryFunction(
        "partition",
        sorting.partition,
        options={"kth": Option(INTEGERS), **_ROW},
        numpy="partition(a, kth, axis, kind, order)",
    ),
    LibraryFunction(
        "argpartition",
        sorting.argpartition,
        options={"kth": Option(INTEGERS), **_ROW},
        numpy="argpartition(a, kth, axis, kind, order)",
        method=True,
    ),
    LibraryFunction(
        "median",
        quantiles.median,
        options=_MIDDLE,
        numpy="median(a, axis, out, overwrite_input, keepdims)",
    ),
    LibraryFunction(
        "quantile",
        quantiles.quantile,
        ("x", "q"),
        _QUANTILE,
        "quantile(a, q, axis, out, overwrite_input, method, keepdims, weights)",
    ),
    LibraryFunction(
        "percentile",
        quantiles.percentile,
        ("x", "q"),
        _QUANTILE,
        "percentile(a, q, axis, out, overwrite_input, method, keepdims, weights)",
    ),
    LibraryFunction(
        "digitize",
        counting.digitize,
        ("x", "bins"),
        {"right": Option(FLAG, False)},
        "digitize(x, bins, right)",
    ),
    LibraryFunction(
        "bincount",
        counting.bincount,
        ("x", "weights"),
        {"minlength": Option(SIZE, None, none=True)},
        "bincount(x, weights, minlength)",
        optional=("weights",),
        early=True,
    ),
    LibraryFunction(
        "histogram",
        typing.cast(Callable[..., Operand], counting.histogram),
        ("x", "bins"),
        {"range": Option(ENDS, None, none=True), "density": Option(FLAG, False)},
        "histogram(a, bins, range, density)",
        optional=("bins",),
        early=True,
        several=True,
    ),
    LibraryFunction(
        "diff",
        sorting.diff,
        options={"n": Option(INTEGER, 1), "axis": Option(AXIS, -1)},
        numpy="diff(a, n, axis, prepend, append)",
    ),
)
