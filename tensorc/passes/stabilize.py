"""Replace naive spellings that overflow by the ops that do not.

A closed list, part of the language: it runs at every -O, before autodiff. A logarithm
moves up through reshapes and gathers only where it meets a softmax at the end. So
log(1 + exp(x)) is a softplus, 1 / (1 + exp(-x)) a sigmoid, exp(x) - 1 an expm1.

Before:
  %0 = "tc.exp"(%x) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = "tc.sum"(%0) <{axis = 1 : i64, order = "lanes"}> : (tensor<4x3xf32>) -> tensor<4xf32>
  %2 = "tc.broadcast"(%1) <{axes = array<i64: 0>, shape = #tc.dims<[4, 3]>}> : (tensor<4xf32>) -> tensor<4x3xf32>
  %3 = "tc.div"(%0, %2) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %4 = "tc.log"(%3) : (tensor<4x3xf32>) -> tensor<4x3xf32>
After:
  %0 = "tc.log_softmax"(%x) <{axis = 1 : i64}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
"""  # noqa: E501

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.elementwise import Add, Div, Exp, Log, Mul, Neg, Sub
from tensorc.ir.ops.indexing import TakeAlongAxis
from tensorc.ir.ops.nn import LogSoftmax
from tensorc.ir.ops.reductions import Max, Sum
from tensorc.ir.ops.shape import Broadcast, Reshape, Slice, Transpose
from tensorc.ir.ops.transcendental import Expm1, Log1p, Sigmoid, Softplus
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.base import Level, Pass
from tensorc.passes.rewriter import (
    STABILISING,
    Match,
    Rule,
    Splat,
    Spread,
    apply_to_fixpoint,
    match_op,
    term,
    var,
)

x, p = var("x"), var("p")
one = Splat("one", lambda number: bool(number == 1))
sum_exp = term(Sum, term(Exp, x), name="reduce")
softmax = term(Div, term(Exp, x), Spread(sum_exp, "reduce"))
scaled = term(Mul, term(Exp, x), Spread(term(Div, one, sum_exp), "reduce"))
scaled_late = term(Mul, term(Exp, x), term(Div, one, Spread(sum_exp, "reduce")))
largest = Spread(term(Max, x, name="reduce"), "reduce")

SOFTMAXES = (softmax, scaled, scaled_late)
MOVEMENT = (Reshape, Transpose, Broadcast, Slice, TakeAlongAxis)


def _axis(match: Match) -> int:
    axis = match.ops["reduce"].attributes["axis"]
    assert isinstance(axis, int)
    return axis


def _is_put_back(match: Match) -> bool:
    """Tell whether the reduction is repeated along the axis that it took away."""
    axis = _axis(match)
    rank = len(match.axes["reduce"]) + 1
    return match.axes["reduce"] == tuple(i for i in range(rank) if i != axis)


def _log_softmax(b: TensorBuilder, match: Match) -> Value:
    return b.log_softmax(match.values["x"], _axis(match))


def _is_shift(match: Match) -> bool:
    return _is_put_back(match) and _axis(match) == match.root.attributes["axis"]


def _ends_in_softmax(match: Match) -> bool:
    """Tell whether the operand of the logarithm is a moved softmax."""
    value = match.values["p"]
    while value.op is not None and value.op.parent is match.root.parent:
        op = value.op
        if not isinstance(op, MOVEMENT):
            return _is_softmax(op)
        value = op.operand
    return False


def _is_softmax(op: Op) -> bool:
    return any(
        _is_put_back(match)
        for pattern in SOFTMAXES
        for match in match_op(pattern, op, Match(op))
    )


def _move_after(b: TensorBuilder, match: Match) -> Value:
    """Take the logarithm first, then move."""
    moved = match.ops["move"]
    operands = [b.log(match.values["p"]), *moved.operands[1:]]
    return b.apply(type(moved), operands, moved.attributes)


STABLE = (lambda match: True, STABILISING)

RULES = (
    *(
        Rule(name, term(Log, left), _log_softmax, _is_put_back, STABILISING)
        for name, left in (
            ("log-of-softmax", softmax),
            ("log-of-scaled-exp", scaled),
            ("log-of-exp-by-sum", scaled_late),
        )
    ),
    Rule(
        "minus-log-sum-exp",
        term(Sub, x, Spread(term(Log, sum_exp), "reduce")),
        _log_softmax,
        _is_put_back,
        STABILISING,
    ),
    Rule(
        "log-softmax-of-shifted",
        term(LogSoftmax, term(Sub, x, largest)),
        _log_softmax,
        _is_shift,
        STABILISING,
    ),
    *(
        Rule(
            f"log-of-moved-softmax-{cls.name.removeprefix('tc.')}",
            term(Log, term(cls, p, *more, name="move")),
            _move_after,
            _ends_in_softmax,
            STABILISING,
        )
        for cls, more in (
            (Reshape, ()),
            (Transpose, ()),
            (Broadcast, ()),
            (Slice, ()),
            (TakeAlongAxis, (var("indices"),)),
        )
    ),
    # Only where the 1 is exactly 1: 1 / (2 + e^-x) is no sigmoid.
    Rule("log-of-one-plus", term(Log, term(Add, one, x)), term(Log1p, x), *STABLE),
    Rule("log1p-of-exp", term(Log1p, term(Exp, x)), term(Softplus, x), *STABLE),
    Rule(
        "log-of-sigmoid",
        term(Log, term(Sigmoid, x)),
        term(Neg, term(Softplus, term(Neg, x))),
        *STABLE,
    ),
    Rule("exp-minus-one", term(Sub, term(Exp, x), one), term(Expm1, x), *STABLE),
    Rule(
        "one-by-one-plus-exp-of-neg",
        term(Div, one, term(Add, one, term(Exp, term(Neg, x)))),
        term(Sigmoid, x),
        *STABLE,
    ),
    Rule(
        "one-by-one-plus-exp",
        term(Div, one, term(Add, one, term(Exp, x))),
        term(Sigmoid, term(Neg, x)),
        *STABLE,
    ),
)

STABILIZE = Pass(
    "stabilize", Level.TENSOR, Level.TENSOR, apply_to_fixpoint(RULES), __doc__
)
