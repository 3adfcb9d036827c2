"""Functions of networks: classes, their probabilities and costs, for all doors."""

from collections.abc import Sequence

from tensorc.frontend.library.elementwise import as_float, elementwise
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    broadcast_together,
    cast,
    materialize,
    number,
    size_error,
    spell_shape,
    spell_type,
    strong,
    type_error,
)
from tensorc.frontend.library.reductions import (
    Axes,
    argmax,
    mean,
    normal_axes,
    require_elements,
)
from tensorc.frontend.library.suspicions import warn_of_softmax
from tensorc.ir import stable
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.tensor.elementwise import Compare
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.nn import LogSoftmax
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, I64


def log_softmax(
    b: Emitter, x: Operand, where: Operand | None = None, axis: Axes = -1
) -> Operand:
    """Return the logarithm of the softmax; -inf where `where` is false."""
    given, axes = _softmax_operands(b, x, where, axis, "log_softmax")
    t = TensorBuilder(b.builder)

    def make(values: Sequence[Value], axis: int) -> Value:
        return stable.log_softmax(t, values[0], values[1:], axis)

    return TensorOperand(stable.along_one_axis(t, given, axes, make))


def softmax(
    b: Emitter, x: Operand, where: Operand | None = None, axis: Axes = -1
) -> Operand:
    """Return exp(x) / sum(exp(x)), without overflow; 0 where `where` is false."""
    given, axes = _softmax_operands(b, x, where, axis, "softmax")
    return TensorOperand(stable.softmax(TensorBuilder(b.builder), given, axes))


def _softmax_operands(
    b: Emitter, x: Operand, where: Operand | None, axis: Axes, what: str
) -> tuple[list[Value], list[int]]:
    """Return floats, a mask of their shape if there is one, and the axes."""
    given = [as_float(b, x).value]
    if where is not None:
        given = broadcast_together(b, [*given, _mask(b, where, what).value], what)
    return given, _softmax_axes(b, TensorOperand(given[0]), axis, what)


def _mask(b: Emitter, where: Operand, what: str) -> TensorOperand:
    mask = strong(b, where)
    if mask.type.element != I1:
        message = f"{what}: where must be booleans, got {spell_type(mask.type)}"
        raise type_error(b, message, "compare it: `where=mask != 0`")
    return mask


def _softmax_axes(b: Emitter, x: TensorOperand, axis: Axes, what: str) -> list[int]:
    if not x.type.rank:
        raise size_error(b, f"{what} needs an axis, got a scalar")
    axes = normal_axes(b, axis, x.type.rank)
    for each in axes:
        require_elements(b, b.shape(x), each)
    if not axes:
        raise size_error(b, f"{what} needs an axis, got ()")
    return axes


def cross_entropy(b: Emitter, logits: Operand, labels: Operand) -> Operand:
    """Return the negative log-likelihood of the labels, one number per example."""
    scores, y = as_float(b, logits), strong(b, labels)
    warn_of_softmax(b, scores.value)
    classes = _checked_labels(b, scores, y, "cross_entropy")
    axis = scores.type.rank - 1
    t = TensorBuilder(b.builder)
    likelihood = t(LogSoftmax, scores.value, axis=axis)
    picked = t(TakeAlongAxis, likelihood, classes, axis=axis)
    return elementwise(b, "neg", [TensorOperand(picked)])


def binary_cross_entropy(b: Emitter, logits: Operand, labels: Operand) -> Operand:
    """Return -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)), elementwise.

    `logits` are what a sigmoid would be taken of, `labels` t are from 0 to 1: numbers
    or booleans of the logits' shape. No logit overflows.
    """
    z, t = as_float(b, logits), strong(b, labels)
    if t.type.element == I1:
        t = TensorOperand(materialize(b, t, z.type.element))
    whole = elementwise(b, "softplus", [z])
    return elementwise(b, "sub", [whole, elementwise(b, "mul", [t, z])])


def binary_crossentropy(b: Emitter, output: Operand, target: Operand) -> Operand:
    """Return -t log(p) - (1 - t) log(1 - p) of probabilities p, Theano's function.

    A formula of sigmoid(z) is computed from z, without cancellation.
    """
    p, t = as_float(b, output), strong(b, target)
    if t.type.element == I1:
        t = TensorOperand(materialize(b, t, p.type.element))
    yes = elementwise(b, "mul", [t, elementwise(b, "log", [p])])
    rest = elementwise(b, "log", [elementwise(b, "sub", [number(1), p])])
    no = elementwise(b, "mul", [elementwise(b, "sub", [number(1), t]), rest])
    return elementwise(b, "neg", [elementwise(b, "add", [yes, no])])


def error_rate(b: Emitter, logits: Operand, labels: Operand) -> Operand:
    """Return the fraction of examples whose largest logit is not the label's."""
    scores, y = strong(b, logits), strong(b, labels)
    classes = _checked_labels(b, scores, y, "error_rate")
    found = argmax(b, scores, scores.type.rank - 1)
    return mean(b, elementwise(b, "ne", [found, TensorOperand(classes)]))


def _checked_labels(
    b: Emitter, scores: TensorOperand, labels: TensorOperand, what: str
) -> Value:
    """Return labels that are numbers of classes: from 0, never counted from the end."""
    if not labels.type.element.is_integer:
        message = f"{what}: labels must be integers, got {spell_type(labels.type)}"
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
    """Return 1 at each label's index on a new last axis of size n, 0 elsewhere.

    A label is the number of a class, from 0 to n - 1; any other one is an index error.
    """
    labels = strong(b, x)
    if not labels.type.element.is_integer:
        message = f"one_hot: labels must be integers, got {spell_type(labels.type)}"
        raise type_error(b, message)
    if isinstance(n, int) and n < 0:
        raise size_error(b, f"one_hot: the number of classes is negative: {n}")
    shape = (*b.shape(labels), n)
    t = TensorBuilder(b.builder)
    classes = t.iota(shape, len(shape) - 1, I64)
    known = t.check_index(labels.value, len(shape) - 1, n, from_end=False)
    column = t.reshape(cast(b, known, I64), (*shape[:-1], 1))
    pair = broadcast_together(b, [classes, column], "one_hot")
    return TensorOperand(cast(b, t(Compare, *pair, predicate="eq"), b.default_float))
