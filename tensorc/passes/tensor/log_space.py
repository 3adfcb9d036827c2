"""Logarithms of what is made of exponentials, computed without the exponentials.

`has_log` tells such values: exponentials, sigmoids, softmaxes, one less a softmax, and
products, quotients, powers, sums, choices and moved copies of them. Each is positive,
so that its logarithm is a formula of theirs: of a sum of exponentials the `logsumexp`,
of a quotient the difference. `log_of` makes it. What the user has shifted by its
largest element already is kept as it is.
"""

import math
import typing
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.ir import stable
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Cast,
    Compare,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import Gather, TakeAlongAxis
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import Max, Mean, Prod, Sum
from tensorc.ir.ops.tensor.rounding import IsFinite
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Concatenate,
    Reshape,
    Size,
    Slice,
    Transpose,
)
from tensorc.ir.ops.tensor.transcendental import Pow, Sigmoid, Softplus
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.passes.common.rewriter import (
    FARTHEST,
    Match,
    Splat,
    Spread,
    match_op,
    splat_of,
    term,
    var,
)

Memo = dict[Value, Value]
LogRule = Callable[[TensorBuilder, Op, Memo], Value]

MOVEMENT = (Reshape, Transpose, Broadcast, Slice, TakeAlongAxis, Gather)
MOST_LOOKED_AT = 64  # ops below one logarithm

x, p = var("x"), var("p")
one = Splat("one", lambda number: bool(number == 1))
sum_exp = term(Sum, term(Exp, x), name="reduce")
softmax = term(Div, term(Exp, x), Spread(sum_exp, "reduce"))
scaled = term(Mul, term(Exp, x), Spread(term(Div, one, sum_exp), "reduce"))
scaled_late = term(Mul, term(Exp, x), term(Div, one, Spread(sum_exp, "reduce")))
SOFTMAXES = {
    "log-of-softmax": softmax,
    "log-of-scaled-exp": scaled,
    "log-of-exp-by-sum": scaled_late,
}


def axes_of(match: Match) -> tuple[int, ...]:
    """Return the axes of the reduction in a match."""
    axes = match.ops["reduce"].attributes["axes"]
    assert isinstance(axes, tuple)
    return axes


def is_put_back(match: Match) -> bool:
    """Return whether the reduction is repeated along the axes that it took away."""
    axes = axes_of(match)
    kept = match.axes["reduce"]
    return kept == tuple(stable.kept_axes(len(kept) + len(axes), axes))


def is_row_put_back(match: Match) -> bool:
    """Return whether so along one axis, as `tc.log_softmax` has."""
    return len(axes_of(match)) == 1 and is_put_back(match)


def softmax_of(value: Value) -> tuple[Value, int] | None:
    """Return what a value is the softmax of, and along which axis."""
    op = value.op
    if isinstance(op, Softmax) and not op.mask:
        return op.operand, op.axis
    if isinstance(op, Exp) and isinstance(op.operand.op, LogSoftmax):
        inner = op.operand.op
        return inner.operand, inner.axis
    if isinstance(op, Div | Mul):
        for pattern in SOFTMAXES.values():
            for match in match_op(pattern, op, Match(op)):
                if is_row_put_back(match):
                    return match.values["x"], axes_of(match)[0]
    return None


def source_of(value: Value, block: Block | None) -> Value:
    """Return what a value is a moved or cast copy of, in the same block."""
    for _ in range(FARTHEST):
        op = value.op
        if op is None or op.parent is not block or not is_copy(op):
            return value
        value = op.operands[0]
    return value


def is_copy(op: Op) -> bool:
    """Return whether an op only moves elements, or casts floats."""
    if isinstance(op, Cast):
        return op.element.is_float and tensor_type(op.operand).element.is_float
    return isinstance(op, MOVEMENT)


def is_probability(value: Value, block: Block | None) -> bool:
    """Return whether a value is a copy of a sigmoid or of a softmax."""
    source = source_of(value, block)
    here = source.op is not None and source.op.parent is block
    if not here:
        return False
    return isinstance(source.op, Sigmoid | Softmax) or softmax_of(source) is not None


def is_shifted(value: Value) -> bool:
    """Return whether a value is less the largest of a row, or of two, already."""
    if isinstance(value.op, Minimum):
        value = value.op.lhs
    if not isinstance(value.op, Sub):
        return False
    value = value.op.rhs
    for _ in range(FARTHEST):
        match value.op:
            case Max() | Maximum():
                return True
            case Select() as op:
                value = op.operands[1]
            case Broadcast() | Reshape() | StopGradient() as op:
                value = op.operands[0]
            case _:
                return False
    return False


def is_positive_number(value: Value) -> bool:
    """Return whether a value is one positive constant, or a count."""
    number = splat_of(value)
    if number is not None:
        return tensor_type(value).element.is_float and 0 < float(number) < math.inf
    for _ in range(FARTHEST):
        match value.op:
            case Cast() | Broadcast() | Reshape() as op:
                value = op.operand
            case Size():
                return True
            case _:
                return False
    return False


def has_log(value: Value, block: Block | None) -> bool:
    """Return whether `log_of` knows the logarithm of a value."""
    return _Search(block).has_log(value)


class _Search:
    """Which values below one logarithm have a logarithm of their own."""

    def __init__(self, block: Block | None) -> None:
        self.block = block
        self.known: dict[Value, bool] = {}

    def has_log(self, value: Value) -> bool:
        if value not in self.known:
            self.known[value] = False  # where the search ends
            if len(self.known) <= MOST_LOOKED_AT:
                self.known[value] = self.decide(value)
        return self.known[value]

    def decide(self, value: Value) -> bool:
        op = value.op
        if op is None or op.parent is not self.block:
            return False
        match op:
            case Exp() | Sigmoid() | Softmax():
                return True
            case Sub():
                number = splat_of(op.lhs)
                rest = source_of(op.rhs, self.block)
                less = number is not None and number == 1
                return less and softmax_of(rest) is not None
            case Mul() | Div():
                pair = [self.has_log(v) for v in op.operands]
                both = pair[0] or is_positive_number(op.lhs)
                return any(pair) and both and (pair[1] or is_positive_number(op.rhs))
            case Add():
                return self.of_sum(op)
            case Select():
                parts = op.operands[1:]
                pair = [self.has_log(v) for v in parts]
                ones = [splat_of(v) == 1 for v in parts]
                return any(pair) and all(map(any, zip(pair, ones, strict=True)))
            case Concatenate():
                return all(self.has_log(v) for v in op.operands)
            case Pow() | Sum() | Mean() | Prod() | Sqrt():
                return self.has_log(op.operands[0])
        return is_copy(op) and self.has_log(op.operands[0])

    def of_sum(self, op: Add) -> bool:
        """Numbers count where the other summand can overflow."""
        pair = [self.has_log(v) for v in op.operands]
        for mine, value in zip(pair, op.operands[::-1], strict=True):
            if mine and not all(pair) and is_positive_number(value):
                return isinstance(op.operands[pair.index(True)].op, Exp | Add)
        return all(pair)


def log_of(b: TensorBuilder, value: Value, memo: Memo) -> Value:
    """Return the logarithm of a value that has one; equal parts are made once."""
    if value not in memo:
        memo[value] = _log_of(b, value, memo)
    return memo[value]


def _log_of(b: TensorBuilder, value: Value, memo: Memo) -> Value:
    number, found, op = splat_of(value), softmax_of(value), value.op
    if number is not None:
        return b.full_like(value, math.log(float(number)))
    if found is not None:
        logits, axis = found
        return stable.log_softmax(b, logits, (), axis)
    if op is None or is_positive_number(value):
        return b(Log, value)
    return _LOGS.get(type(op), _log_of_copy)(b, op, memo)


def _log_of_copy(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    operands = [log_of(b, op.operands[0], memo), *op.operands[1:]]
    return b(type(op), *operands, **op.attributes)


def _log_of_sum(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    assert isinstance(op, Sum)
    if isinstance(op.operand.op, Exp) and is_shifted(op.operand.op.operand):
        return b(Log, op.result)
    return stable.logsumexp(b, log_of(b, op.operand, memo), op.axes)


def _log_of_mean(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    assert isinstance(op, Mean)
    if isinstance(op.operand.op, Exp) and is_shifted(op.operand.op.operand):
        return b(Log, op.result)
    total = stable.logsumexp(b, log_of(b, op.operand, memo), op.axes)
    return less_log_of_count(b, total, op.count)


def less_log_of_count(b: TensorBuilder, log: Value, count: Value) -> Value:
    """Return the logarithm of a sum less that of an i64 scalar."""
    type_ = tensor_type(log)
    number = b(Log, b.cast(count, type_.element))
    return b(Sub, log, b.everywhere(number, type_.shape))


def _log_of_power(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    """Return t log p; 0 to the power of 0 is 1, so its logarithm is 0, with slope 0."""
    base, exponent = op.operands
    log = log_of(b, base, memo)
    zero = b.zeros_like(log)
    none = b(Not, b(IsFinite, log))
    at_zero = b(And, none, b(Compare, exponent, zero, predicate="eq"))
    return b(Mul, exponent, b(Select, at_zero, zero, log))


def log_softmax(b: TensorBuilder, op: Op) -> Value:
    """Return the logarithm of a softmax op."""
    assert isinstance(op, Softmax)
    return stable.log_softmax(b, op.operand, op.mask, op.axis)


def _log_of_join(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    assert isinstance(op, Concatenate)
    return b(Concatenate, *[log_of(b, v, memo) for v in op.operands], axis=op.axis)


def _pairwise(join: Callable[[TensorBuilder, Value, Value], Value]) -> LogRule:
    """Return the rule of an op whose logarithm joins those of its operands."""
    return lambda b, op, memo: join(b, *[log_of(b, v, memo) for v in op.operands])


def _log_of_cast(b: TensorBuilder, op: Op, memo: Memo) -> Value:
    assert isinstance(op, Cast)
    source = tensor_type(op.operand).element
    if not source.is_float:
        return b(Log, op.result)
    if source.bits > op.element.bits or isinstance(op.operand.op, Cast):
        return b.cast(log_of(b, op.operand, memo), op.element)
    return log_of(b, widened(b, op.operand, op, {}), memo)


def widened(
    b: TensorBuilder, value: Value, cast: Cast, made: dict[Value, Value]
) -> Value:
    """Return a value computed in a wider type from the casts of what it is made of."""
    if value in made:
        return made[value]
    op = value.op
    leaf = op is None or op.parent is not cast.parent
    if leaf or not isinstance(op, (*MOVEMENT, *_WIDENED)):
        made[value] = b.cast(value, cast.element)
        return made[value]
    assert op is not None
    operands = [
        v
        if not tensor_type(v).element.is_float
        # What an exponential is of has its value already.
        else b.cast(v, cast.element)
        if isinstance(op, Exp | Sigmoid)
        else widened(b, v, cast, made)
        for v in op.operands
    ]
    made[value] = b(type(op), *operands, **op.attributes)
    return made[value]


_WIDENED = (
    *(Exp, Sigmoid, Sub, Mul, Div, Add, Select, Concatenate),
    *(Pow, Sum, Mean, Prod, Sqrt, Softmax, LogSoftmax, Max),
)


def _log_of_rest(b: TensorBuilder, share: Value) -> Value:
    """Return the logarithm of 1 less a moved softmax."""
    found = softmax_of(share)
    if found is not None:
        return stable.log_of_others(b, *found)
    op = share.op
    assert op is not None
    operands = [_log_of_rest(b, op.operands[0]), *op.operands[1:]]
    return b(type(op), *operands, **op.attributes)


_LOGS: Mapping[type[Op], LogRule] = MappingProxyType(
    {
        Exp: lambda b, op, memo: op.operands[0],
        Softmax: lambda b, op, memo: log_softmax(b, op),
        Sigmoid: lambda b, op, memo: b(Neg, b(Softplus, b(Neg, op.operands[0]))),
        Sub: lambda b, op, memo: _log_of_rest(b, op.operands[1]),
        Sum: _log_of_sum,
        Mean: _log_of_mean,
        Prod: lambda b, op, memo: b.sum(
            log_of(b, op.operands[0], memo),
            typing.cast(tuple[int, ...], op.attributes["axes"]),
        ),
        Add: _pairwise(stable.logaddexp),
        Mul: _pairwise(lambda b, x, y: b(Add, x, y)),
        Div: _pairwise(lambda b, x, y: b(Sub, x, y)),
        Pow: _log_of_power,
        Sqrt: lambda b, op, memo: b(
            Mul, b.full_like(op.result, 0.5), log_of(b, op.operands[0], memo)
        ),
        Select: lambda b, op, memo: b(
            Select, op.operands[0], *[log_of(b, v, memo) for v in op.operands[1:]]
        ),
        Concatenate: _log_of_join,
        Cast: _log_of_cast,
    }
)


def log_of_weighted(
    b: TensorBuilder, pairs: list[tuple[Value, Value]], axes: Sequence[int]
) -> Value:
    """Return log(w1 p1 + w2 p2 + …), summed along axes too if there are any.

    The weights have any sign; the largest term that counts is taken off first.
    """
    memo: Memo = {}
    logs = [(w, log_of(b, share, memo)) for w, share in pairs]
    largest: Value | None = None
    for weight, log in logs:
        nothing = b(Compare, weight, b.zeros_like(weight), predicate="eq")
        counted = b(Select, nothing, b.full_like(log, -math.inf), log)
        counted = b.reduce(Max, counted, axes)
        largest = counted if largest is None else b(Maximum, largest, counted)
    assert largest is not None
    largest = b(Select, b(IsFinite, largest), largest, b.zeros_like(largest))
    total: Value | None = None
    for weight, log in logs:
        shift = stable.spread(b, largest, log, axes) if axes else largest
        distance = b(Sub, log, shift)
        # What does not count may be larger: no more than keeps 0 from meeting infinity.
        most = b.full_like(log, 80.0)
        term_ = b(Mul, weight, b(Exp, b(Minimum, distance, most)))
        term_ = b.sum(term_, axes)
        total = term_ if total is None else b(Add, total, term_)
    assert total is not None
    return b(Add, b(Log, total), largest)
