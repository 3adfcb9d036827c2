"""The functions of the prelude, for all doors: NumPy's names and arguments over ops.

Each takes the emitter, its tensor arguments and options that are known while
compiling. `PRELUDE` names them; it knows nothing of any door's syntax.
"""

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.errors import CompileError
from tensorc.frontend.library import (
    joining,
    making,
    networks,
    pointwise,
    products,
    reductions,
    shapes,
)
from tensorc.frontend.library.elementwise import (
    FUNCTIONS,
    elementwise,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
)
from tensorc.frontend.library.options import (
    AXES,
    AXES_OF_TWO,
    AXIS,
    FLAG,
    INTEGER,
    INTEGERS,
    NUMBER,
    PARTS,
    SHAPE,
    SIZE,
    TEXT,
    WIDTHS,
    Given,
    Option,
    checked_all,
    one_of,
)
from tensorc.frontend.library.reductions import (
    all_,
    any_,
    argmax,
    argmin,
    max_,
    mean,
    min_,
    prod,
    sum_,
)


@dataclass(frozen=True, slots=True)
class Composite:
    """A function of the prelude: tensor arguments first, then options.

    With `sequence` the first tensor argument is a sequence of tensors, with `several`
    the result is one. Tensors in `optional` may be left out, they are None then.
    `is_elementwise` tells that a group is taken member by member. `name` is for
    messages.
    """

    function: Callable[..., Operand]
    tensors: tuple[str, ...] = ("x",)
    options: Mapping[str, Option] = field(default_factory=dict)
    sequence: bool = False
    several: bool = False
    optional: tuple[str, ...] = ()
    is_elementwise: bool = False
    name: str = ""


def invoke(
    b: Emitter,
    composite: Composite,
    tensors: Sequence[Operand | Sequence[Operand] | None],
    options: Mapping[str, Given],
    name: str = "",
) -> Operand | tuple[Operand, ...]:
    """Call a function of the prelude; `name` is what the user called.

    Raises:
        CompileError: an option is not of its kind, or the arguments do not fit; the
            message names the function.
    """
    called = name or composite.name
    values = checked_all(b, called, composite.options, options)
    try:
        return composite.function(b, *tensors, **values)
    except CompileError as failure:
        raise _named_in(failure, called) from None


def _named_in(failure: CompileError, name: str) -> CompileError:
    """Return an error of which each message names the function."""
    return type(failure)(
        *[
            d
            if re.search(rf"\b{name}\b", d.message)
            else dataclasses.replace(d, message=f"`{name}`: {d.message}")
            for d in failure.diagnostics
        ]
    )


# The table


def _named(name: str) -> Callable[..., Operand]:
    def apply(b: Emitter, *operands: Operand) -> Operand:
        return elementwise(b, name, operands)

    apply.__name__ = apply.__qualname__ = name
    op = FUNCTIONS[name].op
    summary = (op.__doc__ or "").splitlines()[0] if op else f"Return {name}."
    apply.__doc__ = f"{summary} Elementwise, with NumPy's broadcasting."
    return apply


_UNARY = (
    *("abs", "sign", "exp", "log", "sqrt", "tanh", "sigmoid", "softplus"),
    *("log1p", "expm1", "erf", "erfc", "gelu", "silu"),
    *("sin", "cos", "floor", "ceil", "round", "isnan", "isfinite"),
)
_AXES = Option(AXES, None, none=True)
_ONE_AXIS = Option(
    AXIS, None, none=True, hint="for several axes join them first: reshape"
)
_KEEPDIMS = Option(FLAG, False)
_DIAGONAL = Option(INTEGER, 0)
_REDUCTION: Mapping[str, Option] = {"axis": _AXES, "keepdims": _KEEPDIMS}
_INDEX: Mapping[str, Option] = {"axis": _ONE_AXIS, "keepdims": _KEEPDIMS}
_SPREAD: Mapping[str, Option] = {**_REDUCTION, "ddof": Option(INTEGER, 0)}
_MATRIX: Mapping[str, Option] = {
    "n": Option(SIZE),
    "m": Option(SIZE, None, none=True),
    "k": _DIAGONAL,
}
_REPEATS = Option(SIZE, hint="a number of times for each element is not compiled")


def _each(function: Callable[..., Operand], *tensors: str) -> Composite:
    return Composite(function, tensors or ("x",), is_elementwise=True)


_FUNCTIONS: Mapping[str, Composite] = {
    # reductions
    "sum": Composite(sum_, options=_REDUCTION),
    "mean": Composite(mean, options=_REDUCTION),
    "var": Composite(reductions.var, options=_SPREAD),
    "std": Composite(reductions.std, options=_SPREAD),
    "max": Composite(max_, options=_REDUCTION),
    "min": Composite(min_, options=_REDUCTION),
    "any": Composite(any_, options=_REDUCTION),
    "all": Composite(all_, options=_REDUCTION),
    "prod": Composite(prod, options=_REDUCTION),
    "norm": Composite(reductions.norm, options=_REDUCTION),
    "logsumexp": Composite(reductions.logsumexp, options=_REDUCTION),
    "argmax": Composite(argmax, options=_INDEX),
    "argmin": Composite(argmin, options=_INDEX),
    # elementwise
    **{name: _each(_named(name)) for name in _UNARY},
    "maximum": _each(_named("maximum"), "x", "y"),
    "minimum": _each(_named("minimum"), "x", "y"),
    "where": _each(pointwise.where, "condition", "x", "y"),
    "clip": Composite(
        pointwise.clip,
        ("x", "low", "high"),
        optional=("low", "high"),
        is_elementwise=True,
    ),
    "relu": _each(pointwise.relu),
    "square": _each(pointwise.square),
    "reciprocal": _each(pointwise.reciprocal),
    "trunc": _each(pointwise.trunc),
    "rint": _each(pointwise.rint),
    "isinf": _each(pointwise.isinf),
    "logical_xor": _each(pointwise.logical_xor, "x", "y"),
    "logaddexp": _each(pointwise.logaddexp, "x", "y"),
    "xlogy": _each(pointwise.xlogy, "x", "y"),
    # shapes
    "reshape": Composite(shapes.reshape, options={"shape": Option(SHAPE)}),
    "transpose": Composite(shapes.transpose, options={"axes": _AXES}),
    "flatten": Composite(shapes.flatten, options={"start": Option(INTEGER, 1)}),
    "ravel": Composite(shapes.ravel),
    "broadcast_to": Composite(shapes.broadcast_to, options={"shape": Option(SHAPE)}),
    "take": Composite(joining.take, ("x", "indices"), {"axis": _ONE_AXIS}),
    "expand_dims": Composite(shapes.expand_dims, options={"axis": Option(AXES)}),
    "squeeze": Composite(shapes.squeeze, options={"axis": _AXES}),
    "swapaxes": Composite(
        shapes.swapaxes, options={"axis1": Option(AXIS), "axis2": Option(AXIS)}
    ),
    "moveaxis": Composite(
        shapes.moveaxis, options={"source": Option(AXES), "destination": Option(AXES)}
    ),
    "tile": Composite(shapes.tile, options={"reps": Option(SHAPE)}),
    "repeat": Composite(
        shapes.repeat, options={"repeats": _REPEATS, "axis": _ONE_AXIS}
    ),
    "flip": Composite(shapes.flip, options={"axis": _AXES}),
    "roll": Composite(shapes.roll, options={"shift": Option(INTEGERS), "axis": _AXES}),
    "pad": Composite(
        shapes.pad,
        options={
            "width": Option(WIDTHS),
            "mode": Option(
                one_of("constant"),
                "constant",
                hint="join parts of the tensor: concatenate",
            ),
            "constant_values": Option(NUMBER, 0.0),
        },
    ),
    "concatenate": Composite(
        joining.concatenate,
        ("arrays",),
        {"axis": Option(AXIS, 0, none=True)},
        sequence=True,
    ),
    "stack": Composite(joining.stack, ("arrays",), {"axis": Option(AXIS, 0)}, True),
    "split": Composite(
        typing.cast(Callable[..., Operand], joining.split),  # see `several`
        options={"parts": Option(PARTS), "axis": Option(AXIS, 0)},
        several=True,
    ),
    # making
    "range": Composite(
        making.range_,
        (),
        {
            "start": Option(SIZE),
            "stop": Option(SIZE, None, none=True),
            "step": Option(INTEGER, None, none=True),
        },
    ),
    "linspace": Composite(
        making.linspace, ("start", "stop"), {"num": Option(SIZE, 50)}
    ),
    "eye": Composite(making.eye, (), _MATRIX),
    "tri": Composite(making.tri, (), _MATRIX),
    "tril": Composite(making.tril, options={"k": _DIAGONAL}),
    "triu": Composite(making.triu, options={"k": _DIAGONAL}),
    "zeros_like": _each(making.zeros_like),
    "ones_like": _each(making.ones_like),
    "full_like": _each(making.full_like, "x", "value"),
    # products
    "matmul": Composite(products.matmul, ("x", "y")),
    "dot": Composite(products.dot, ("x", "y")),
    "outer": Composite(products.outer, ("x", "y")),
    "tensordot": Composite(
        products.tensordot, ("x", "y"), {"axes": Option(AXES_OF_TWO, 2)}
    ),
    "einsum": Composite(
        products.einsum, ("operands",), {"spec": Option(TEXT)}, sequence=True
    ),
    # networks
    "log_softmax": Composite(
        networks.log_softmax, options={"axis": Option(AXES, -1, none=True)}
    ),
    "softmax": Composite(
        networks.softmax, options={"axis": Option(AXES, -1, none=True)}
    ),
    "cross_entropy": Composite(networks.cross_entropy, ("logits", "labels")),
    "binary_cross_entropy": Composite(
        networks.binary_cross_entropy, ("logits", "labels")
    ),
    "error_rate": Composite(networks.error_rate, ("logits", "labels")),
    "one_hot": Composite(networks.one_hot, options={"n": Option(SIZE)}),
}
PRELUDE: Mapping[str, Composite] = {
    name: dataclasses.replace(composite, name=name)
    for name, composite in _FUNCTIONS.items()
}
