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
from tensorc.frontend.library import joining, pointwise, products, reductions, shapes
from tensorc.frontend.library.elementwise import (
    FUNCTIONS,
    as_float,
    elementwise,
    select,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    Shape,
    Tensor,
    broadcast,
    broadcast_together,
    cast,
    common_element,
    common_shape,
    kind_of,
    materialize,
    number,
    pinned,
    require_sizes,
    size_error,
    size_value,
    spell_shape,
    spell_type,
    strong,
    type_error,
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
    Axes,
    all_,
    any_,
    argmax,
    argmin,
    max_,
    mean,
    min_,
    normal_axes,
    prod,
    product_of,
    require_elements,
    sum_,
)
from tensorc.frontend.library.suspicions import warn_of_count, warn_of_softmax
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, ceildiv, floordiv, maximum
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I8, I64


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


# Elementwise


def _named(name: str) -> Callable[..., Operand]:
    def apply(b: Emitter, *operands: Operand) -> Operand:
        return elementwise(b, name, operands)

    apply.__name__ = apply.__qualname__ = name
    op = FUNCTIONS[name].op
    summary = (op.__doc__ or "").splitlines()[0] if op else f"Return {name}."
    apply.__doc__ = f"{summary} Elementwise, with NumPy's broadcasting."
    return apply


def where(b: Emitter, condition: Operand, yes: Operand, no: Operand) -> Operand:
    """Choose elementwise: yes where the condition holds, no elsewhere."""
    return select(b, condition, yes, no)


def relu(b: Emitter, x: Operand) -> Operand:
    """Return x where it is positive, 0 elsewhere: NaN stays, the slope at 0 is 0."""
    if isinstance(x, Scalar):
        return elementwise(b, "maximum", [x, number(0)])
    below = elementwise(b, "le", [x, number(0)])
    return select(b, below, number(0), x)


def square(b: Emitter, x: Operand) -> Operand:
    """Return x * x; booleans become i8, as in numpy."""
    if kind_of(x) == "bool":
        x = Tensor(materialize(b, x, I8))
    return elementwise(b, "mul", [x, x])


def reciprocal(b: Emitter, x: Operand) -> Operand:
    """Return 1 / x; of integers its whole part, and 0 of 0. Booleans become i8."""
    if kind_of(x) == "float":
        return elementwise(b, "div", [number(1), x])
    if kind_of(x) == "bool":
        return Tensor(materialize(b, x, I8))
    is_unit = elementwise(b, "eq", [elementwise(b, "abs", [x]), number(1)])
    return elementwise(b, "mul", [x, is_unit])


# Shapes


def reshape(b: Emitter, x: Operand, shape: Dim | Sequence[Dim]) -> Operand:
    """Give the same elements another shape; one size may be -1."""
    tensor = strong(b, x)
    own = b.shape(tensor)
    dims = list(shape) if isinstance(shape, Sequence) else [shape]
    dims = [-1 if b.is_rest(d) else d for d in dims]
    open_ = [i for i, d in enumerate(dims) if d == -1]
    if len(open_) > 1:
        raise size_error(b, "reshape: only one size may be -1")
    if any(isinstance(d, int) and d < -1 for d in dims):
        raise size_error(b, f"a size in {spell_shape(tuple(dims))} is negative")
    total, rest = product_of(own), product_of([d for d in dims if d != -1])
    message = f"reshape: {spell_type(tensor.type)} has {total} elements, "
    message += f"{spell_shape(tuple(dims))} "
    if open_:
        known = isinstance(total, int) and isinstance(rest, int)
        if rest == 0 or (known and total % rest):  # type: ignore[operator]
            raise size_error(b, f"{message}needs a multiple of {rest}")
        dims[open_[0]] = floordiv(total, rest)
    elif not b.match(total, rest, f"{message}has {rest}: they fit"):
        raise size_error(b, f"{message}has {rest}")
    else:
        warn_of_count(b, total, rest, message)
    # The sizes as they are given: what `unify` found out is not all of the condition.
    return Tensor(TensorBuilder(b.builder).reshape(tensor.value, tuple(dims)))


def transpose(b: Emitter, x: Operand, axes: Axes = None) -> Operand:
    """Reorder the axes; without `axes`, reverse them."""
    tensor = strong(b, x)
    rank = tensor.type.rank
    if axes is None:
        order = list(range(rank))[::-1]
    else:
        given = (axes,) if isinstance(axes, int) else tuple(axes)
        order = [a + rank if a < 0 else a for a in given]
        if sorted(order) != list(range(rank)):
            message = f"transpose needs each of {rank} axes once, got {given}"
            raise size_error(b, message)
    if order == list(range(rank)):
        return tensor
    return Tensor(TensorBuilder(b.builder).transpose(tensor.value, order))


def flatten(b: Emitter, x: Operand, start: int = 1) -> Operand:
    """Join all axes from `start` on: by default all but the batch."""
    tensor = strong(b, x)
    shape = b.shape(tensor)
    if not 0 <= start < max(len(shape), 1):
        raise size_error(b, f"flatten from axis {start}, but rank is {len(shape)}")
    return reshape(b, tensor, (*shape[:start], product_of(shape[start:])))


def broadcast_to(b: Emitter, x: Operand, shape: Dim | Sequence[Dim]) -> Operand:
    """Repeat along new and size-1 axes."""
    tensor = strong(b, x)
    dims = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    require_sizes(b, dims)
    joined = common_shape(b, [b.shape(tensor), dims], "broadcast_to")
    fits = len(joined) == len(dims)
    if not fits or not all(b.unify(a, d) for a, d in zip(joined, dims, strict=True)):
        message = f"broadcast_to: {spell_type(tensor.type)} does not fill "
        raise size_error(b, message + spell_shape(dims))
    own = pinned(b, tensor, b.shape(tensor))
    if own.type.shape == dims:
        return own
    axes = tuple(range(len(dims) - own.type.rank, len(dims)))
    value = b.builder.value(Broadcast, own.value, axes=axes, shape=Dims(dims))
    return Tensor(value)


def range_(
    b: Emitter, start: Dim, stop: Dim | None = None, step: int | None = None
) -> Operand:
    """Count: numpy's arange, of integers."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if step == 0:
        raise size_error(b, "the step is 0")
    start, stop = b.resolve((start, stop))
    span = stop - start if step > 0 else start - stop
    length = maximum(0, ceildiv(span, abs(step)))
    result: Operand = Tensor(TensorBuilder(b.builder).iota((length,), 0, I64))
    if step != 1:
        result = elementwise(b, "mul", [result, number(step)])
    if start != 0:
        first = Tensor(size_value(b, start))
        result = elementwise(b, "add", [result, first])
    return result


# Products


def matmul(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply matrices, stacks of them and vectors, as numpy's `@`."""
    pair = [strong(b, x), strong(b, y)]
    _check_matmul(b, pair[0], pair[1])
    element = common_element(b, pair)
    if element == I1:
        raise type_error(b, "`@` is not defined on booleans", "cast: `float(a)`")
    t = TensorBuilder(b.builder)
    lhs, rhs = (materialize(b, o, element) for o in pair)
    left, right = b.shape(Tensor(lhs)), b.shape(Tensor(rhs))
    vector_left, vector_right = len(left) == 1, len(right) == 1
    if vector_left:
        left = (1, *left)
        lhs = t.reshape(lhs, left)
    if vector_right:
        right = (*right, 1)
        rhs = t.reshape(rhs, right)
    batch = common_shape(b, [left[:-2], right[:-2]], "`@`")
    lhs = broadcast(b, lhs, (*batch, *left[-2:]))
    rhs = broadcast(b, rhs, (*batch, *right[-2:]))
    result = t.matmul(lhs, rhs)
    rows: Shape = () if vector_left else (left[-2],)
    columns: Shape = () if vector_right else (right[-1],)
    if vector_left or vector_right:
        result = t.reshape(result, b.resolve((*batch, *rows, *columns)))
    return Tensor(result)


def _check_matmul(b: Emitter, x: Tensor, y: Tensor) -> None:
    left, right = b.shape(x), b.shape(y)
    if not left or not right:
        raise size_error(b, "`@` needs vectors or matrices, got a scalar", "write `*`")
    inner = right[-2] if len(right) > 1 else right[0]
    if not b.unify(left[-1], inner):
        message = f"matmul: inner dimensions differ: {left[-1]} and {inner}"
        raise size_error(b, message)


def dot(b: Emitter, x: Operand, y: Operand) -> Operand:
    """Multiply vectors and matrices; numpy's dot: a number multiplies all elements.

    A tensor of rank 3 or more on the right is summed over its last axis but one, for
    each matrix of the left: not as by `@`, which pairs the matrices.
    """
    other = products.dot(b, x, y)
    return matmul(b, x, y) if other is None else other


# Networks


def _softmax_axes(b: Emitter, x: Tensor, axis: Axes, what: str) -> list[int]:
    if not x.type.rank:
        raise size_error(b, f"{what} needs an axis, got a scalar")
    axes = normal_axes(b, axis, x.type.rank)
    for place in axes:
        require_elements(b, b.shape(x), place)
    if not axes:
        raise size_error(b, f"{what} needs an axis, got ()")
    return axes


def log_softmax(b: Emitter, x: Operand, axis: Axes = -1) -> Operand:
    """Return the logarithm of the softmax."""
    tensor = as_float(b, x)
    axes = _softmax_axes(b, tensor, axis, "log_softmax")
    t = TensorBuilder(b.builder)
    if len(axes) == 1:
        return Tensor(t.log_softmax(tensor.value, axes[0]))
    kept = [i for i in range(tensor.type.rank) if i not in axes]
    order = [*kept, *axes]
    moved = strong(b, transpose(b, tensor, order))
    shape = b.shape(moved)
    joined = (*shape[: len(kept)], product_of(shape[len(kept) :]))
    flat = t.log_softmax(t.reshape(moved.value, joined), len(kept))
    back = [order.index(i) for i in range(len(order))]
    return transpose(b, Tensor(t.reshape(flat, shape)), back)


def softmax(b: Emitter, x: Operand, axis: Axes = -1) -> Operand:
    """Return exp(x) / sum(exp(x)), with the largest element taken off first."""
    tensor = as_float(b, x)
    axes = _softmax_axes(b, tensor, axis, "softmax")
    largest = max_(b, tensor, axes, keepdims=True)
    powers = elementwise(b, "exp", [elementwise(b, "sub", [tensor, largest])])
    total = sum_(b, powers, axes, keepdims=True)
    return elementwise(b, "div", [powers, total])


def cross_entropy(b: Emitter, logits: Operand, labels: Operand) -> Operand:
    """Return the negative log-likelihood of the labels, one number per example."""
    scores, y = as_float(b, logits), strong(b, labels)
    warn_of_softmax(b, scores.value)
    classes = _checked_labels(b, scores, y, "cross_entropy")
    axis = scores.type.rank - 1
    t = TensorBuilder(b.builder)
    likelihood = t.log_softmax(scores.value, axis)
    picked = t.take_along_axis(likelihood, classes, axis)
    return elementwise(b, "neg", [Tensor(picked)])


def error_rate(b: Emitter, logits: Operand, labels: Operand) -> Operand:
    """Return the fraction of examples whose largest logit is not the label's."""
    scores, y = strong(b, logits), strong(b, labels)
    classes = _checked_labels(b, scores, y, "error_rate")
    found = argmax(b, scores, scores.type.rank - 1)
    return mean(b, elementwise(b, "ne", [found, Tensor(classes)]))


def _checked_labels(b: Emitter, scores: Tensor, labels: Tensor, what: str) -> Value:
    """Return labels that are numbers of classes: from 0, never counted from the end."""
    if not labels.type.element.is_integer:
        message = f"{what}: labels are integers, got {spell_type(labels.type)}"
        raise type_error(b, message, f"{what}(logits, labels) takes class numbers")
    wanted, given = b.shape(scores)[:-1], b.shape(labels)
    fits = scores.type.rank > 0 and len(wanted) == len(given)
    if not fits or not all(b.unify(w, g) for w, g in zip(wanted, given, strict=True)):
        message = f"{what}: logits {spell_type(scores.type)} need labels of shape "
        message += f"{spell_shape(wanted)}, got {spell_type(labels.type)}"
        raise size_error(b, message)
    axis = scores.type.rank - 1
    classes = b.shape(scores)[axis]
    t = TensorBuilder(b.builder)
    return t.check_index(labels.value, axis, classes, from_end=False)


def one_hot(b: Emitter, x: Operand, n: Dim) -> Operand:
    """Return 1 at each label's place on a new last axis of size n, 0 elsewhere.

    A label is the number of a class, from 0 to n - 1; any other one is an index error.
    """
    labels = strong(b, x)
    if not labels.type.element.is_integer:
        message = f"one_hot: labels are integers, got {spell_type(labels.type)}"
        raise type_error(b, message)
    if isinstance(n, int) and n < 0:
        raise size_error(b, f"one_hot: the number of classes is negative: {n}")
    shape = (*b.shape(labels), n)
    t = TensorBuilder(b.builder)
    classes = t.iota(shape, len(shape) - 1, I64)
    known = t.check_index(labels.value, len(shape) - 1, n, from_end=False)
    column = t.reshape(cast(b, known, I64), (*shape[:-1], 1))
    pair = broadcast_together(b, [classes, column], "one_hot")
    return Tensor(cast(b, t.compare("eq", *pair), b.default_float))


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
    "where": _each(where, "condition", "x", "y"),
    "clip": Composite(
        pointwise.clip,
        ("x", "low", "high"),
        optional=("low", "high"),
        is_elementwise=True,
    ),
    "relu": _each(relu),
    "square": _each(square),
    "reciprocal": _each(reciprocal),
    "trunc": _each(pointwise.trunc),
    "rint": _each(pointwise.rint),
    "isinf": _each(pointwise.isinf),
    "logical_xor": _each(pointwise.logical_xor, "x", "y"),
    "logaddexp": _each(pointwise.logaddexp, "x", "y"),
    "xlogy": _each(pointwise.xlogy, "x", "y"),
    # shapes
    "reshape": Composite(reshape, options={"shape": Option(SHAPE)}),
    "transpose": Composite(transpose, options={"axes": _AXES}),
    "flatten": Composite(flatten, options={"start": Option(INTEGER, 1)}),
    "ravel": Composite(shapes.ravel),
    "broadcast_to": Composite(broadcast_to, options={"shape": Option(SHAPE)}),
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
        range_,
        (),
        {
            "start": Option(SIZE),
            "stop": Option(SIZE, None, none=True),
            "step": Option(INTEGER, None, none=True),
        },
    ),
    "linspace": Composite(
        shapes.linspace, ("start", "stop"), {"num": Option(SIZE, 50)}
    ),
    "eye": Composite(shapes.eye, (), _MATRIX),
    "tri": Composite(shapes.tri, (), _MATRIX),
    "tril": Composite(shapes.tril, options={"k": _DIAGONAL}),
    "triu": Composite(shapes.triu, options={"k": _DIAGONAL}),
    "zeros_like": _each(shapes.zeros_like),
    "ones_like": _each(shapes.ones_like),
    "full_like": _each(shapes.full_like, "x", "value"),
    # products
    "matmul": Composite(matmul, ("x", "y")),
    "dot": Composite(dot, ("x", "y")),
    "outer": Composite(products.outer, ("x", "y")),
    "tensordot": Composite(
        products.tensordot, ("x", "y"), {"axes": Option(AXES_OF_TWO, 2)}
    ),
    "einsum": Composite(
        products.einsum, ("operands",), {"spec": Option(TEXT)}, sequence=True
    ),
    # networks
    "log_softmax": Composite(
        log_softmax, options={"axis": Option(AXES, -1, none=True)}
    ),
    "softmax": Composite(softmax, options={"axis": Option(AXES, -1, none=True)}),
    "cross_entropy": Composite(cross_entropy, ("logits", "labels")),
    "binary_cross_entropy": Composite(
        pointwise.binary_cross_entropy, ("logits", "labels")
    ),
    "error_rate": Composite(error_rate, ("logits", "labels")),
    "one_hot": Composite(one_hot, options={"n": Option(SIZE)}),
}
PRELUDE: Mapping[str, Composite] = {
    name: dataclasses.replace(composite, name=name)
    for name, composite in _FUNCTIONS.items()
}
