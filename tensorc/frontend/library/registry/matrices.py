"""The rows of functions of matrices: diagonals, grids, products, turns."""

import typing
from collections.abc import Callable, Mapping, Sequence

from tensorc.frontend.library.algebra import matrices
from tensorc.frontend.library.library_function import OPERANDS, LibraryFunction
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import (
    AXES,
    AXIS,
    FLAG,
    INTEGER,
    SIZE,
    Option,
    one_of,
)

_XY = ("x", "y")
_DIAGONAL: Mapping[str, Option] = {"k": Option(INTEGER, 0)}
_OF_TWO_AXES: Mapping[str, Option] = {
    "offset": Option(INTEGER, 0),
    "axis1": Option(AXIS, 0),
    "axis2": Option(AXIS, 1),
}

ROWS: Sequence[LibraryFunction] = (
    LibraryFunction(
        "diagonal",
        matrices.diagonal,
        options=_OF_TWO_AXES,
        numpy="diagonal(a, offset, axis1, axis2)",
        method=True,
    ),
    LibraryFunction("diag", matrices.diag, options=_DIAGONAL, numpy="diag(v, k)"),
    LibraryFunction(
        "diagflat", matrices.diagflat, options=_DIAGONAL, numpy="diagflat(v, k)"
    ),
    LibraryFunction(
        "trace",
        matrices.trace,
        options=_OF_TWO_AXES,
        numpy="trace(a, offset, axis1, axis2, dtype, out)",
        dtype=OPERANDS,
        method=True,
    ),
    LibraryFunction("kron", matrices.kron, _XY, numpy="kron(a, b)"),
    LibraryFunction(
        "cross",
        matrices.cross,
        _XY,
        {"axis": Option(AXIS, -1)},
        "linalg.cross(x1, x2, axis)",
    ),
    LibraryFunction(
        "matrix_power",
        matrices.matrix_power,
        options={"n": Option(INTEGER)},
        numpy="linalg.matrix_power(a, n)",
    ),
    LibraryFunction(
        "vander",
        matrices.vander,
        options={
            "n": Option(SIZE, None, none=True),
            "increasing": Option(FLAG, False),
        },
        numpy="vander(x, N=n, increasing)",
    ),
    LibraryFunction(
        "meshgrid",
        typing.cast(Callable[..., Operand], matrices.meshgrid),  # see `several`
        ("arrays",),
        {"indexing": Option(one_of("xy", "ij"), "xy"), "sparse": Option(FLAG, False)},
        "meshgrid(xi=arrays, indexing, sparse)",
        python="",
        sequence=True,
        several=True,
    ),
    LibraryFunction(
        "rot90",
        matrices.rot90,
        options={"k": Option(INTEGER, 1), "axes": Option(AXES, (0, 1))},
        numpy="rot90(m, k, axes)",
    ),
)
