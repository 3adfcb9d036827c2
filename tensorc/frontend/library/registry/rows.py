"""The rows of functions that are made of ops, and what follows from all rows."""

import typing
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.frontend.library import (
    joining,
    making,
    maps,
    networks,
    padding,
    pointwise,
    reductions,
    shapes,
)
from tensorc.frontend.library.algebra import products
from tensorc.frontend.library.algebra.einsum import einsum
from tensorc.frontend.library.images import signals
from tensorc.frontend.library.library_function import (
    FRACTION,
    OPERANDS,
    RESULT,
    LibraryFunction,
)
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import (
    AXES,
    AXES_OF_TWO,
    AXIS,
    FLAG,
    INTEGER,
    INTEGERS,
    NUMBER,
    PARTS,
    PATTERN,
    SHAPE,
    SIZE,
    TEXT,
    WIDTHS,
    Option,
    one_of,
)
from tensorc.frontend.library.registry import (
    elementary,
    images,
    matrices,
    orders,
    statistics,
)

_XY = ("x", "y")
_AXES = Option(AXES, None, none=True)
_JOINED = "for several axes join them first: reshape(x, (B, H * W)), then axis=1"
_ONE_AXIS = Option(AXIS, None, none=True, hint=_JOINED)
_KEEPDIMS = Option(FLAG, False)
_DIAGONAL = Option(INTEGER, 0)
_REDUCTION: Mapping[str, Option] = {"axis": _AXES, "keepdims": _KEEPDIMS}
_INDEX: Mapping[str, Option] = {"axis": _ONE_AXIS, "keepdims": _KEEPDIMS}
_SPREAD: Mapping[str, Option] = {**_REDUCTION, "ddof": Option(INTEGER, 0)}
_SOFTMAX: Mapping[str, Option] = {"axis": Option(AXES, -1, none=True)}
_MATRIX: Mapping[str, Option] = {
    "n": Option(SIZE),
    "m": Option(SIZE, None, none=True),
    "k": _DIAGONAL,
}
_COUNT: Mapping[str, Option] = {
    "start": Option(SIZE),
    "stop": Option(SIZE, None, none=True),
    "step": Option(INTEGER, None, none=True),
}
_PAD: Mapping[str, Option] = {
    "width": Option(WIDTHS),
    "mode": Option(one_of(*padding.MODES), "constant"),
    "constant_values": Option(NUMBER, 0.0),
    "end_values": Option(NUMBER, 0.0),
    "stat_length": Option(INTEGER, None, none=True),
}
_REPEAT: Mapping[str, Option] = {
    "repeats": Option(SHAPE, hint="numbers of times that only the call knows are none"),
    "axis": _ONE_AXIS,
}
_JOIN: Mapping[str, Option] = {"axis": Option(AXIS, 0)}
_FLATTEN = Option(INTEGER, 1, hint="`ndim` axes are left: x.flatten(2)")


def _each(
    name: str,
    function: Callable[..., Operand],
    tensors: Sequence[str] = ("x",),
    numpy: str = "",
    python: str | None = None,
) -> LibraryFunction:
    return LibraryFunction(
        name, function, tuple(tensors), numpy=numpy, python=python, is_elementwise=True
    )


def _reduction(
    name: str,
    function: Callable[..., Operand],
    numpy: str = "",
    options: Mapping[str, Option] = _REDUCTION,
    dtype: str = "",
    joined: str = "",
    method: bool = True,
) -> LibraryFunction:
    return LibraryFunction(
        name,
        function,
        options=options,
        numpy=numpy,
        dtype=dtype,
        joined=joined,
        method=method,
    )


def _so_far(
    name: str, function: Callable[..., Operand], numpy: str = ""
) -> LibraryFunction:
    return LibraryFunction(
        name,
        function,
        options={"axis": _ONE_AXIS},
        numpy=numpy,
        dtype=OPERANDS if numpy else "",
        method=bool(numpy),
    )


def _softmax(name: str, function: Callable[..., Operand]) -> LibraryFunction:
    tensors = ("x", "where")
    return LibraryFunction(name, function, tensors, _SOFTMAX, optional=("where",))


_ELEMENTWISE = (
    _each(
        "where",
        pointwise.where,
        ("condition", *_XY),
        "where(condition, x, y)",
        "where switch",
    ),
    LibraryFunction(
        "clip",
        pointwise.clip,
        ("x", "low", "high"),
        numpy="clip(a, a_min, a_max, out)",
        method=True,
        optional=("low", "high"),
        is_elementwise=True,
    ),
    _each("relu", pointwise.relu),
    _each("square", pointwise.square, numpy="square", python="square sqr"),
    _each("reciprocal", pointwise.reciprocal, numpy="reciprocal"),
    _each("trunc", pointwise.trunc, numpy="trunc"),
    _each("rint", pointwise.rint, numpy="rint"),
    _each("isinf", pointwise.isinf, numpy="isinf"),
    _each("logical_xor", pointwise.logical_xor, _XY, "logical_xor"),
    _each("logaddexp", pointwise.logaddexp, _XY, "logaddexp"),
    _each("xlogy", pointwise.xlogy, _XY),
    _each(
        "stop_gradient",
        pointwise.stop_gradient,
        python="stop_gradient disconnected_grad zero_grad",
    ),
)
_REDUCTIONS = (
    _reduction(
        "sum",
        reductions.sum_,
        "sum(a, axis, dtype, out, keepdims)",
        dtype=OPERANDS,
        joined="add",
    ),
    _reduction(
        "mean", reductions.mean, "mean(a, axis, dtype, out, keepdims)", dtype=FRACTION
    ),
    _reduction(
        "var",
        reductions.var,
        "var(a, axis, dtype, out, ddof, keepdims)",
        _SPREAD,
        FRACTION,
    ),
    _reduction(
        "std",
        reductions.std,
        "std(a, axis, dtype, out, ddof, keepdims)",
        _SPREAD,
        FRACTION,
    ),
    _reduction(
        "max", reductions.max_, "max amax(a, axis, out, keepdims)", joined="maximum"
    ),
    _reduction(
        "min", reductions.min_, "min amin(a, axis, out, keepdims)", joined="minimum"
    ),
    _reduction("any", reductions.any_, "any(a, axis, out, keepdims)", joined="or"),
    _reduction("all", reductions.all_, "all(a, axis, out, keepdims)", joined="and"),
    _reduction(
        "prod",
        reductions.prod,
        "prod(a, axis, dtype, out, keepdims)",
        dtype=OPERANDS,
        joined="mul",
    ),
    _reduction(
        "norm",
        reductions.norm,
        "linalg.norm(x, ord, axis, keepdims)",
        joined="norm",
    ),
    _reduction("logsumexp", reductions.logsumexp, method=False),
    _reduction("argmax", reductions.argmax, "argmax(a, axis, out, keepdims)", _INDEX),
    _reduction("argmin", reductions.argmin, "argmin(a, axis, out, keepdims)", _INDEX),
    LibraryFunction(
        "top1",
        typing.cast(Callable[..., Operand], reductions.top1),  # see `several`
        options=_INDEX,
        python="top1 max_and_argmax",
        several=True,
    ),
)
_CUMULATIVE = (
    _so_far("cumsum", reductions.cumsum, "cumsum(a, axis, dtype, out)"),
    _so_far("cumprod", reductions.cumprod, "cumprod(a, axis, dtype, out)"),
    _so_far("cummax", reductions.cummax),
    _so_far("cummin", reductions.cummin),
    _so_far("logcumsumexp", reductions.logcumsumexp),
)
_SHAPES = (
    LibraryFunction(
        "reshape",
        shapes.reshape,
        options={"shape": Option(SHAPE)},
        numpy="reshape(a, shape, order)",
        method=True,
        spread="shape",
    ),
    LibraryFunction(
        "transpose",
        shapes.transpose,
        options={"axes": _AXES},
        numpy="transpose(a, axes)",
        method=True,
        spread="axes",
    ),
    # A file joins all axes but the batch; in Python it is Theano's function.
    LibraryFunction(
        "flatten", shapes.flatten, options={"start": Option(INTEGER, 1)}, python=""
    ),
    LibraryFunction(
        "flatten",
        shapes.flatten_to,
        options={"ndim": _FLATTEN},
        language=False,
        method=True,
    ),
    LibraryFunction(
        "dimshuffle",
        shapes.dimshuffle,
        options={"pattern": Option(PATTERN)},
        python="",
        language=False,
        method=True,
        spread="pattern",
    ),
    LibraryFunction("ravel", shapes.ravel, numpy="ravel(a, order)", method=True),
    LibraryFunction(
        "broadcast_to",
        shapes.broadcast_to,
        options={"shape": Option(SHAPE)},
        numpy="broadcast_to(array, shape, subok)",
    ),
    LibraryFunction(
        "take",
        joining.take,
        ("x", "indices"),
        {"axis": _ONE_AXIS},
        "take(a, indices, axis, out, mode)",
        method=True,
    ),
    LibraryFunction(
        "expand_dims",
        shapes.expand_dims,
        options={"axis": Option(AXES)},
        numpy="expand_dims(a, axis)",
    ),
    LibraryFunction(
        "squeeze",
        shapes.squeeze,
        options={"axis": _AXES},
        numpy="squeeze(a, axis)",
        method=True,
    ),
    LibraryFunction(
        "swapaxes",
        shapes.swapaxes,
        options={"axis1": Option(AXIS), "axis2": Option(AXIS)},
        numpy="swapaxes(a, axis1, axis2)",
        method=True,
    ),
    LibraryFunction(
        "moveaxis",
        shapes.moveaxis,
        options={"source": Option(AXES), "destination": Option(AXES)},
        numpy="moveaxis(a, source, destination)",
    ),
    LibraryFunction(
        "tile", shapes.tile, options={"reps": Option(SHAPE)}, numpy="tile(A, reps)"
    ),
    LibraryFunction(
        "repeat",
        shapes.repeat,
        options=_REPEAT,
        numpy="repeat(a, repeats, axis)",
        method=True,
    ),
    LibraryFunction(
        "flip", shapes.flip, options={"axis": _AXES}, numpy="flip(m, axis)"
    ),
    LibraryFunction(
        "roll",
        shapes.roll,
        options={"shift": Option(INTEGERS), "axis": _AXES},
        numpy="roll(a, shift, axis)",
    ),
    LibraryFunction(
        "pad",
        padding.pad,
        options=_PAD,
        numpy="pad(array, pad_width=width, mode, constant_values, end_values, "
        "stat_length)",
    ),
    LibraryFunction(
        "concatenate",
        joining.concatenate,
        ("arrays",),
        {"axis": Option(AXIS, 0, none=True)},
        "concatenate(arrays, axis, out)",
        sequence=True,
    ),
    LibraryFunction(
        "stack",
        joining.stack,
        ("arrays",),
        _JOIN,
        "stack(arrays, axis, out)",
        sequence=True,
    ),
)
_SPLITS = tuple(
    LibraryFunction(
        name,
        typing.cast(Callable[..., Operand], function),  # see `several`
        options={"parts": Option(PARTS), **_JOIN},
        numpy=f"{name}(ary, indices_or_sections=parts, axis)",
        several=True,
    )
    for name, function in (
        ("split", joining.split),
        ("array_split", joining.array_split),
    )
)
_MAKING = (
    LibraryFunction("range", making.range_, (), _COUNT, python="arange", dtype=RESULT),
    LibraryFunction(
        "linspace",
        making.linspace,
        ("start", "stop"),
        {"num": Option(SIZE, 50)},
        "linspace(start, stop, num, endpoint, retstep)",
        dtype=RESULT,
    ),
    LibraryFunction(
        "logspace",
        making.logspace,
        ("start", "stop"),
        {"num": Option(SIZE, 50), "base": Option(NUMBER, 10.0)},
        "logspace(start, stop, num, endpoint, base)",
        dtype=RESULT,
    ),
    LibraryFunction("eye", making.eye, (), _MATRIX, dtype=RESULT),
    LibraryFunction("tri", making.tri, (), _MATRIX, dtype=RESULT),
    LibraryFunction("tril", making.tril, options={"k": _DIAGONAL}, numpy="tril(m, k)"),
    LibraryFunction("triu", making.triu, options={"k": _DIAGONAL}, numpy="triu(m, k)"),
    LibraryFunction(
        "zeros_like",
        making.zeros_like,
        numpy="zeros_like(a, dtype, order, subok, shape)",
        is_elementwise=True,
        dtype=OPERANDS,
    ),
    LibraryFunction(
        "ones_like",
        making.ones_like,
        numpy="ones_like(a, dtype, order, subok, shape)",
        is_elementwise=True,
        dtype=OPERANDS,
    ),
    LibraryFunction(
        "full_like",
        making.full_like,
        ("x", "value"),
        numpy="full_like(a, fill_value, dtype, order, subok, shape)",
        is_elementwise=True,
        dtype=OPERANDS,
    ),
)
_PRODUCTS = (
    LibraryFunction("matmul", products.matmul, _XY, numpy="matmul"),
    LibraryFunction(
        "dot",
        products.dot,
        _XY,
        numpy="dot(a, b, out)",
        method=True,
        joined="add",
        of_members=products.inner,
    ),
    LibraryFunction("outer", products.outer, _XY, numpy="outer(a, b, out)"),
    LibraryFunction(
        "tensordot",
        products.tensordot,
        _XY,
        {"axes": Option(AXES_OF_TWO, 2)},
        "tensordot(a, b, axes)",
    ),
    LibraryFunction(
        "einsum",
        einsum,
        ("operands",),
        {"spec": Option(TEXT)},
        "einsum(operands, subscripts=spec, out)",
        python="",
        sequence=True,
    ),
)
_SIGNALS = (
    LibraryFunction(
        "convolve",
        signals.convolve,
        _XY,
        {"mode": Option(one_of(*signals.MODES), "full")},
        "convolve(a, v, mode)",
    ),
    LibraryFunction(
        "correlate",
        signals.correlate,
        _XY,
        {"mode": Option(one_of(*signals.MODES), "valid")},
        "correlate(a, v, mode)",
    ),
)
_NETWORKS = (
    _softmax("log_softmax", networks.log_softmax),
    _softmax("softmax", networks.softmax),
    LibraryFunction("cross_entropy", networks.cross_entropy, ("logits", "labels")),
    LibraryFunction(
        "binary_cross_entropy", networks.binary_cross_entropy, ("logits", "labels")
    ),
    LibraryFunction(
        "binary_crossentropy",
        networks.binary_crossentropy,
        ("output", "target"),
        language=False,
    ),
    LibraryFunction("error_rate", networks.error_rate, ("logits", "labels")),
    LibraryFunction("one_hot", networks.one_hot, options={"n": Option(SIZE)}),
)

GROUPS: Mapping[str, Sequence[LibraryFunction]] = {
    "elementwise": (*maps.ROWS, *_ELEMENTWISE, *elementary.ROWS),
    "reductions": _REDUCTIONS,
    "cumulative": _CUMULATIVE,
    "orders": orders.ROWS,
    "shapes": (*_SHAPES, *_SPLITS),
    "making": _MAKING,
    "products": (*_PRODUCTS, *_SIGNALS),
    "matrices": matrices.ROWS,
    "statistics": statistics.ROWS,
    "images": images.ROWS,
    "networks": _NETWORKS,
}
FUNCTIONS: Sequence[LibraryFunction] = tuple(
    [row for rows in GROUPS.values() for row in rows]
)
# What a file calls by name, and what Python has as `tc.NAME`.
LANGUAGE: Mapping[str, LibraryFunction] = MappingProxyType(
    {row.name: row for row in FUNCTIONS if row.language}
)
PYTHON: Mapping[str, LibraryFunction] = MappingProxyType(
    {name: row for row in FUNCTIONS for name in row.names}
)
# Every function by its own name; of two that share one, Python's.
BY_NAME: Mapping[str, LibraryFunction] = MappingProxyType(
    {row.name: row for row in FUNCTIONS}
)
