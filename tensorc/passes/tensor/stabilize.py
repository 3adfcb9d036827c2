"""Replace naive spellings that overflow by the ops that do not.

A closed list, part of the language: it runs at every -O, before autodiff. So
log(1 + exp(x)) is a softplus, 1 / (1 + exp(-x)) a sigmoid, 1 less that the sigmoid of
-x, exp(x) - 1 an expm1, and the logarithm of a softmax is one op. Where a logarithm is
left of what is made of exponentials, `log_space` computes it without them; that comes
last, since what the first rules find has better names.

Before:
  %0 = "tc.exp"(%x) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = "tc.sum"(%0) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<4x3xf32>) -> tensor<4xf32>
  %2 = "tc.broadcast"(%1) <{axes = array<i64: 0>, shape = #tc.dims<[4, 3]>}> : (tensor<4xf32>) -> tensor<4x3xf32>
  %3 = "tc.div"(%0, %2) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %4 = "tc.log"(%3) : (tensor<4x3xf32>) -> tensor<4x3xf32>
After:
  %0 = "tc.log_softmax"(%x) <{axis = 1 : i64}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
"""  # noqa: E501

from collections.abc import Callable
from dataclasses import replace

from tensorc.ir import stable
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Cast,
    Compare,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import Max, Mean, Prod, Sum
from tensorc.ir.ops.tensor.rounding import Abs
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.ops.tensor.transcendental import (
    Expm1,
    Log1p,
    Pow,
    Sigmoid,
    Softplus,
    Tanh,
)
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.rewriter import (
    STABILISING,
    Match,
    Pattern,
    Recipe,
    Rule,
    Splat,
    Spread,
    Term,
    apply_to_fixpoint,
    head,
    term,
    var,
)
from tensorc.passes.tensor.log_space import (
    MOVEMENT,
    SOFTMAXES,
    axes_of,
    has_log,
    is_copy,
    is_positive_number,
    is_probability,
    is_put_back,
    is_row_put_back,
    is_shifted,
    less_log_of_count,
    log_of,
    log_of_weighted,
    log_softmax,
    one,
    p,
    softmax_of,
    source_of,
    sum_exp,
    widened,
    x,
)
from tensorc.target import Target

y, q, c, n = var("y"), var("q"), var("c"), var("n")
zero = Splat("zero", lambda number: bool(number == 0))
half = Splat("half", lambda number: bool(number == 0.5))
two = Splat("two", lambda number: bool(number == 2))
minus_two = Splat("minus_two", lambda number: bool(number == -2))
largest = Spread(term(Max, x, name="reduce"), "reduce")


def _always(match: Match) -> bool:
    return True


def _rule(
    name: str,
    left: Term,
    right: Pattern | Recipe,
    guard: Callable[[Match], bool] = _always,
) -> Rule:
    return Rule(name, left, right, guard, STABILISING)


# Softmaxes


def _log_softmax(b: TensorBuilder, match: Match) -> Value:
    return b(LogSoftmax, match.values["x"], axis=axes_of(match)[0])


def _is_shift(match: Match) -> bool:
    return is_put_back(match) and axes_of(match) == (match.root.attributes["axis"],)


def _is_put_back_twice(match: Match) -> bool:
    """Tell so of a sum that keeps its axis, as size 1, until it is repeated."""
    outer = match.axes["outer"]
    axes = tuple(outer[a] for a in match.axes["reduce"])
    return is_row_put_back(replace(match, axes={"reduce": axes}))


def _is_softmax(match: Match) -> bool:
    """Return whether `_softmax` makes something else: it has to end."""
    again = len(axes_of(match)) > 1 and is_shifted(match.values["x"])
    return is_put_back(match) and not again


def _softmax(b: TensorBuilder, match: Match) -> Value:
    return stable.softmax(b, [match.values["x"]], axes_of(match))


def _softmax_of_log(b: TensorBuilder, match: Match) -> Value:
    axis = match.ops["log"].attributes["axis"]
    return b(Softmax, match.values["x"], axis=axis)


def _softmax_of_rows(b: TensorBuilder, match: Match) -> Value:
    """Give the op the rows as they are; its mask, if it has one, holds for them."""
    op = match.root
    return b(Softmax, match.values["x"], *op.operands[1:], **op.attributes)


def _log_of_share(b: TensorBuilder, match: Match) -> Value:
    op = match.root.operands[0].op
    assert op is not None
    return log_softmax(b, op)


def _weighted_softmax(b: TensorBuilder, match: Match) -> Value:
    return b(Mul, match.values["c"], _softmax(b, match))


SOFTMAX_RULES = (
    *(
        _rule(name, term(Log, left), _log_softmax, is_row_put_back)
        for name, left in SOFTMAXES.items()
    ),
    _rule("log-of-share", term(Log, head(Softmax)), _log_of_share),
    _rule(
        "exp-of-log-softmax",
        term(Exp, term(LogSoftmax, x, name="log")),
        _softmax_of_log,
    ),
    _rule(
        "log-of-exp-of-log-softmax",
        term(Log, term(Exp, x)),
        x,
        lambda match: isinstance(match.values["x"].op, LogSoftmax),
    ),
    _rule(
        "minus-log-sum-exp",
        term(Sub, x, Spread(term(Log, sum_exp), "reduce")),
        _log_softmax,
        is_row_put_back,
    ),
    _rule(
        "minus-log-of-kept-sum",
        term(Sub, x, Spread(term(Log, Spread(sum_exp, "reduce")), "outer")),
        _log_softmax,
        _is_put_back_twice,
    ),
    _rule(
        "log-softmax-of-shifted",
        term(LogSoftmax, term(Sub, x, largest)),
        _log_softmax,
        _is_shift,
    ),
    _rule(
        "softmax-of-shifted",
        term(Softmax, term(Sub, x, largest)),
        _softmax_of_rows,
        _is_shift,
    ),
)

# Sigmoids and what they are spelled by. Only where the 1 is exactly 1: 1 / (2 + e^-x)
# is no sigmoid.


def _of_probability(match: Match) -> bool:
    return is_probability(match.values["p"], match.root.parent)


def _of_moved_sigmoid(match: Match) -> bool:
    value = match.values["p"]
    source = source_of(value, match.root.parent)
    return value is not source and isinstance(source.op, Sigmoid)


def _rest_moved(b: TensorBuilder, match: Match) -> Value:
    """Take a moved sigmoid from 1 first, then move; a cast to a wider type is first."""
    op = match.values["p"].op
    assert op is not None
    inner = op.operands[0]
    if isinstance(op, Cast) and tensor_type(inner).element.bits < op.element.bits:
        wide = widened(b, inner, op, {})
        return b(Sub, b.full_like(wide, 1), wide)
    rest = b(Sub, b.full_like(inner, 1), inner)
    return b(type(op), rest, *op.operands[1:], **op.attributes)


def _log_of_rest(b: TensorBuilder, match: Match) -> Value:
    share = match.values["p"]
    return b(Log, b(Sub, b.full_like(share, 1), share))


def _sigmoid_of_twice(sign: str) -> Recipe:
    def make(b: TensorBuilder, match: Match) -> Value:
        twice = b(Add, match.values["y"], match.values["y"])
        return b(Sigmoid, b(Neg, twice) if sign == "-" else twice)

    return make


def _is_no_log_softmax(match: Match) -> bool:
    return not isinstance(match.values["x"].op, LogSoftmax)


def _log_1m_exp(b: TensorBuilder, match: Match) -> Value:
    return stable.log1mexp(b, match.values["x"])


def _is_sure_bound(match: Match) -> bool:
    """Return whether a bound leaves each probability as it is."""
    bound = float(match.numbers["bound"])
    keeps = bound <= 0 if isinstance(match.root, Maximum) else bound >= 1
    return keeps and _of_probability(match)


bound = Splat("bound", lambda number: True)
neg_x = term(Neg, x)
tanh = term(Tanh, y)
one_plus_exp = term(Add, one, term(Exp, x))
one_less_exp = term(Neg, term(Expm1, x))

SIGMOID_RULES = (
    _rule("log-of-one-plus", term(Log, term(Add, one, x)), term(Log1p, x)),
    _rule("log1p-of-exp", term(Log1p, term(Exp, x)), term(Softplus, x)),
    _rule(
        "log-of-sigmoid",
        term(Log, term(Sigmoid, x)),
        term(Neg, term(Softplus, neg_x)),
    ),
    _rule(
        "log-of-odds",
        term(Log, term(Div, term(Sigmoid, x), term(Sigmoid, neg_x))),
        x,
    ),
    _rule(
        "minus-softplus",
        term(Sub, x, term(Softplus, x)),
        term(Neg, term(Softplus, neg_x)),
    ),
    _rule("exp-minus-one", term(Sub, term(Exp, x), one), term(Expm1, x)),
    _rule(
        "one-minus-exp", term(Sub, one, term(Exp, x)), one_less_exp, _is_no_log_softmax
    ),
    _rule("log-of-one-minus-exp", term(Log, one_less_exp), _log_1m_exp),
    _rule(
        "log1p-of-minus-exp",
        term(Log1p, term(Neg, term(Exp, x))),
        _log_1m_exp,
        _is_no_log_softmax,
    ),
    _rule(
        "log1p-of-minus-share", term(Log1p, term(Neg, p)), _log_of_rest, _of_probability
    ),
    _rule(
        "one-by-one-plus-exp-of-neg",
        term(Div, one, term(Add, one, term(Exp, neg_x))),
        term(Sigmoid, x),
    ),
    _rule("one-by-one-plus-exp", term(Div, one, one_plus_exp), term(Sigmoid, neg_x)),
    _rule(
        "exp-by-one-plus-exp", term(Div, term(Exp, x), one_plus_exp), term(Sigmoid, x)
    ),
    _rule(
        "exp-by-two-exps",
        term(Div, term(Exp, x), term(Add, term(Exp, x), term(Exp, y))),
        term(Sigmoid, term(Sub, x, y)),
    ),
    _rule("one-minus-sigmoid", term(Sub, one, term(Sigmoid, x)), term(Sigmoid, neg_x)),
    _rule(
        "sigmoid-minus-one",
        term(Sub, term(Sigmoid, x), one),
        term(Neg, term(Sigmoid, neg_x)),
    ),
    _rule("share-plus-zero", term(Add, p, zero), p, _of_probability),
    _rule("clip-above-zero", term(Maximum, p, bound), p, _is_sure_bound),
    _rule("clip-below-one", term(Minimum, p, bound), p, _is_sure_bound),
    _rule("one-minus-moved-sigmoid", term(Sub, one, p), _rest_moved, _of_moved_sigmoid),
    *(
        _rule(f"{name}-tanh-{sign}", left, _sigmoid_of_twice(sign))
        for sign, cls in (("+", Add), ("-", Sub))
        for name, left in (
            ("half-of-one", term(Mul, half, term(cls, one, tanh))),
            ("one-by-two", term(Div, term(cls, one, tanh), two)),
            ("half", term(cls, half, term(Mul, half, tanh))),
            ("half-of", term(cls, half, term(Div, tanh, two))),
        )
    ),
)

# Smooth functions that are spelled with kinks: their second derivative at 0 is theirs.

size = term(Abs, x)
tail = term(Softplus, term(Neg, size))
softplus = term(Softplus, x)
PARTS = {  # the larger of x and 0
    "maximum": term(Maximum, x, zero),
    "le": term(Select, term(Compare, x, zero, predicate="le"), zero, x),
    "lt": term(Select, term(Compare, x, zero, predicate="lt"), zero, x),
    "gt": term(Select, term(Compare, x, zero, predicate="gt"), x, zero),
    "ge": term(Select, term(Compare, x, zero, predicate="ge"), x, zero),
}


def _log_cosh(b: TensorBuilder, match: Match) -> Value:
    """Return softplus(2 x) - x; far out, where 2 x may overflow, it is |x|."""
    given = match.values["x"]
    size = b(Abs, given)
    is_far = b(Compare, size, b.full_like(given, 1000), predicate="gt")
    near = b(Select, is_far, b.zeros_like(given), given)
    log = b(Sub, b(Softplus, b(Add, near, near)), near)
    return b(Select, is_far, size, log)


KINK_RULES = (
    *(
        _rule(f"softplus-by-{how}-{name}", left, right)
        for name, part in PARTS.items()
        for how, left, right in (
            ("sum", term(Add, part, tail), softplus),
            ("difference", term(Add, term(Sub, part, y), tail), term(Sub, softplus, y)),
            ("tail", term(Add, term(Sub, tail, y), part), term(Sub, softplus, y)),
            ("three", term(Add, term(Add, part, y), tail), term(Add, softplus, y)),
            ("rest", term(Add, term(Add, tail, y), part), term(Add, softplus, y)),
        )
    ),
    _rule(
        "log-sigmoid-by-minimum",
        term(Sub, term(Minimum, x, zero), tail),
        term(Neg, term(Softplus, neg_x)),
    ),
    *(
        _rule(f"log-cosh-{name}", term(Add, size, term(Softplus, twice)), _log_cosh)
        for name, twice in (
            ("by-minus-two", term(Mul, minus_two, size)),
            ("by-two", term(Neg, term(Mul, two, size))),
        )
    ),
    _rule("square-of-abs", term(Mul, size, size), term(Mul, x, x)),
)

# What is left: logarithms of other formulas of exponentials.


def _has_log(match: Match) -> bool:
    """Return whether a logarithm is known, and not only of a moved exponential."""
    root = match.root
    value = root.operands[0]
    source = source_of(value, root.parent)
    plain = isinstance(source.op, Exp) and softmax_of(source) is None
    if plain or _is_kept(value.op):
        return False
    return has_log(value, root.parent)


def _is_kept(op: Op | None) -> bool:
    """Return whether the user has shifted a sum, and at most scaled or guarded it."""
    if isinstance(op, Div | Mul | Select):
        parts = [v for v in op.operands[-2:] if not is_positive_number(v)]
        return len(parts) == 1 and _is_kept(parts[0].op)
    while op is not None and is_copy(op):
        op = op.operands[0].op
    summed = op.operand.op if isinstance(op, Sum | Mean) else None
    return isinstance(summed, Exp) and is_shifted(summed.operand)


def _log(b: TensorBuilder, match: Match) -> Value:
    return log_of(b, match.root.operands[0], {})


def _is_weighted(match: Match) -> bool:
    """Return whether what the weights multiply has a logarithm, and they have none."""
    block, values = match.root.parent, match.values
    weights = [values[name] for name in ("c", "y") if name in values]
    shares = [values[name] for name in ("p", "q") if name in values]
    plain = any(not is_positive_number(w) and not has_log(w, block) for w in weights)
    return plain and all(
        has_log(v, block) and not (isinstance(v.op, Exp) and is_shifted(v.op.operand))
        for v in shares
    )


def _log_of_weighted_sum(b: TensorBuilder, match: Match) -> Value:
    pairs = [(match.values["c"], match.values["p"])]
    return log_of_weighted(b, pairs, axes_of(match))


def _log_of_weighted_share(b: TensorBuilder, match: Match) -> Value:
    """Weigh the shares of a softmax; of another total, take its logarithm off."""
    weight, part, total = (match.values[name] for name in ("c", "p", "q"))
    axes, whole = axes_of(match), total.op
    of_all = isinstance(whole, Sum) and whole.operand is part and whole.axes == axes
    if isinstance(part.op, Exp) and of_all and len(axes) == 1:
        share = b(Softmax, part.op.operand, axis=axes[0])
        return log_of_weighted(b, [(weight, share)], axes)
    log = log_of(b, total, {})
    return b(Sub, log_of_weighted(b, [(weight, part)], axes), log)


def _log_of_weighted_mean(b: TensorBuilder, match: Match) -> Value:
    mean = match.ops["mean"]
    assert isinstance(mean, Mean)
    pairs = [(match.values["c"], match.values["p"])]
    total = log_of_weighted(b, pairs, mean.axes)
    return less_log_of_count(b, total, mean.count)


def _log_of_two(b: TensorBuilder, match: Match) -> Value:
    values = match.values
    pairs = [(values["c"], values["p"]), (values["y"], values["q"])]
    return log_of_weighted(b, pairs, ())


LOGS = (
    *MOVEMENT,
    *(Concatenate, Cast, Select, Sum, Mean, Prod, Add, Sub, Mul, Div, Pow, Sqrt),
)
LAST_RULES = (
    *(
        _rule(
            f"log-of-{cls.name.removeprefix('tc.').replace('_', '-')}",
            term(Log, head(cls)),
            _log,
            _has_log,
        )
        for cls in LOGS
    ),
    _rule(
        "log-of-weighted-sum",
        term(Log, term(Sum, term(Mul, c, p), name="reduce")),
        _log_of_weighted_sum,
        _is_weighted,
    ),
    _rule(
        "log-of-weighted-share",
        term(Log, term(Div, term(Sum, term(Mul, c, p), name="reduce"), q)),
        _log_of_weighted_share,
        _is_weighted,
    ),
    _rule(
        "log-of-weighted-mean",
        term(Log, term(Mean, term(Mul, c, p), n, name="mean")),
        _log_of_weighted_mean,
        _is_weighted,
    ),
    _rule(
        "log-of-two-weighted",
        term(Log, term(Add, term(Mul, c, p), term(Mul, y, q))),
        _log_of_two,
        _is_weighted,
    ),
    _rule(
        "weighted-exp-by-sum",
        term(Div, term(Mul, c, term(Exp, x)), Spread(sum_exp, "reduce")),
        _weighted_softmax,
        _is_softmax,
    ),
    *(
        _rule(name.removeprefix("log-of-"), left, _softmax, _is_softmax)
        for name, left in SOFTMAXES.items()
    ),
)

FIRST_RULES = (*SOFTMAX_RULES, *SIGMOID_RULES, *KINK_RULES)
RULES = (*FIRST_RULES, *LAST_RULES)
# Those of whole logarithms come last.
PHASES = (apply_to_fixpoint(FIRST_RULES), apply_to_fixpoint(RULES))


def stabilize(module: Module, target: Target) -> Module:
    """Apply the rules of each phase."""
    for apply in PHASES:
        module = apply(module, target)
    return module


STABILIZE = Pass("stabilize", Level.TENSOR, Level.TENSOR, stabilize, __doc__)
