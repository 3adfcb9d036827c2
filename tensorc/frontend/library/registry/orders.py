"""The rows of functions that order elements, and of what is made of their order."""

import typing
from collections.abc import Callable, Mapping

from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import AXIS, INTEGER, Option, one_of
from tensorc.frontend.library.orders import searching, sorting

_ROW: Mapping[str, Option] = {"axis": Option(AXIS, -1, none=True)}

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
)
