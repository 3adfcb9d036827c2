"""The rows of functions that order elements, and of what is made of their order."""

from collections.abc import Mapping

from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.options import AXIS, Option
from tensorc.frontend.library.orders import sorting

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
)
