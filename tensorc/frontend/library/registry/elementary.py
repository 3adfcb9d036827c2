"""The rows of NumPy's functions of elements that are formulas of others."""

from collections.abc import Callable, Mapping, Sequence

from tensorc.frontend.library import pointwise
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import FLAG, NUMBER, Option

_XY = ("x", "y")
_CLOSE: Mapping[str, Option] = {
    "rtol": Option(NUMBER, 1e-5),
    "atol": Option(NUMBER, 1e-8),
    "equal_nan": Option(FLAG, False),
}
_NUMBERS: Mapping[str, Option] = {
    "nan": Option(NUMBER, 0.0),
    "posinf": Option(NUMBER, None, none=True),
    "neginf": Option(NUMBER, None, none=True),
}


def _each(
    name: str,
    function: Callable[..., Operand],
    tensors: Sequence[str] = ("x",),
    numpy: str | None = None,
    python: str | None = None,
    options: Mapping[str, Option] | None = None,
) -> LibraryFunction:
    return LibraryFunction(
        name,
        function,
        tuple(tensors),
        options or {},
        name if numpy is None else numpy,
        python,
        is_elementwise=True,
    )


ROWS = (
    _each("deg2rad", pointwise.radians, ("x",), "deg2rad radians", "deg2rad radians"),
    _each("rad2deg", pointwise.degrees, ("x",), "rad2deg degrees", "rad2deg degrees"),
    _each("sinc", pointwise.sinc, numpy="sinc(x)"),
    _each("fabs", pointwise.fabs),
    _each("fmax", pointwise.fmax, _XY),
    _each("fmin", pointwise.fmin, _XY),
    _each("ldexp", pointwise.ldexp, ("x", "n")),
    _each("logaddexp2", pointwise.logaddexp2, _XY),
    _each("isposinf", pointwise.isposinf, numpy="isposinf(x, out)"),
    _each("isneginf", pointwise.isneginf, numpy="isneginf(x, out)"),
    _each(
        "nan_to_num",
        pointwise.nan_to_num,
        numpy="nan_to_num(x, copy, nan, posinf, neginf)",
        options=_NUMBERS,
    ),
    _each(
        "isclose",
        pointwise.isclose,
        _XY,
        "isclose(a, b, rtol, atol, equal_nan)",
        options=_CLOSE,
    ),
    LibraryFunction(
        "allclose",
        pointwise.allclose,
        _XY,
        _CLOSE,
        "allclose(a, b, rtol, atol, equal_nan)",
    ),
)
