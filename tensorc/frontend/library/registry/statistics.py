"""The rows of weighted means, covariances, and reductions that leave out NaN."""

from collections.abc import Callable, Mapping, Sequence

from tensorc.frontend.library.algebra import statistics
from tensorc.frontend.library.library_function import (
    FRACTION,
    OPERANDS,
    LibraryFunction,
)
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import AXES, AXIS, FLAG, INTEGER, Option

_REDUCTION: Mapping[str, Option] = {
    "axis": Option(AXES, None, none=True),
    "keepdims": Option(FLAG, False),
}
_ONE_AXIS: Mapping[str, Option] = {"axis": Option(AXIS, None, none=True)}
_SPREAD: Mapping[str, Option] = {**_REDUCTION, "ddof": Option(INTEGER, 0)}
_ROWS: Mapping[str, Option] = {"rowvar": Option(FLAG, True)}


def _row(
    name: str,
    function: Callable[..., Operand],
    options: Mapping[str, Option] = _REDUCTION,
    dtype: str = "",
) -> LibraryFunction:
    given = ["dtype"] if dtype else []
    others = [n for n in ("ddof", "keepdims") if n in options]
    parameters = ", ".join(["a", "axis", *given, "out", *others])
    return LibraryFunction(
        name, function, options=options, numpy=f"{name}({parameters})", dtype=dtype
    )


ROWS: Sequence[LibraryFunction] = (
    LibraryFunction(
        "average",
        statistics.average,
        ("x", "weights"),
        _REDUCTION,
        "average(a, weights, axis, keepdims)",
        optional=("weights",),
    ),
    LibraryFunction(
        "cov",
        statistics.cov,
        ("x", "y"),
        {
            **_ROWS,
            "bias": Option(FLAG, False),
            "ddof": Option(INTEGER, None, none=True),
        },
        "cov(m, y, rowvar, bias, ddof)",
        optional=("y",),
        early=True,
    ),
    LibraryFunction(
        "corrcoef",
        statistics.corrcoef,
        ("x", "y"),
        _ROWS,
        "corrcoef(x, y, rowvar)",
        optional=("y",),
        early=True,
    ),
    _row("nansum", statistics.nansum, dtype=OPERANDS),
    _row("nanprod", statistics.nanprod, dtype=OPERANDS),
    _row("nanmax", statistics.nanmax),
    _row("nanmin", statistics.nanmin),
    _row("nanmean", statistics.nanmean, dtype=FRACTION),
    _row("nanvar", statistics.nanvar, _SPREAD, FRACTION),
    _row("nanstd", statistics.nanstd, _SPREAD, FRACTION),
    _row("nancumsum", statistics.nancumsum, _ONE_AXIS, dtype=OPERANDS),
    _row("nancumprod", statistics.nancumprod, _ONE_AXIS, dtype=OPERANDS),
)
