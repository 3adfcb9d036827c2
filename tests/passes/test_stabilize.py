"""Stabilising rules: the form they give, against a truth of higher precision."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from tensorc.ir.numerics import LANES_ORDER, Array
from tensorc.ir.ops.tensor.elementwise import (
    Add,
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
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import Max, Sum
from tensorc.ir.ops.tensor.rounding import Abs, Floor
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.ops.tensor.transcendental import Log1p, Pow, Sigmoid
from tensorc.ir.types import ELEMENTS, F32, F64, I64
from tensorc.passes.common.rewriter import STABILISING, Splat, Spread, Var
from tensorc.passes.tensor import stabilize
from tests.passes.test_rules import (
    Make,
    N,
    apply_rules,
    like,
    module_of,
)
from tests.samples import (
    CPU,
    run,
    seed_of,
)

STABLE_RULES = {rule.name: rule for rule in stabilize.RULES}


def spread(b, v, x, axis):
    return b.insert_axis(v, x.type.shape, axis)


def spread_keepdims(b, v, x, axis):
    """Return the value repeated as numpy's keepdims spells it: by a size of 1."""
    kept = [1 if i == axis else d for i, d in enumerate(x.type.shape)]
    return b.broadcast(b.reshape(v, kept), x.type.shape, range(len(kept)))


def softmax(b, x, axis, put=spread):
    e = b(Exp, x)
    return b(Div, e, put(b, b.sum(b(Exp, x), axis), x, axis))


def shifted(b, x, axis, put=spread):
    return b(Sub, x, put(b, b(Max, x, axes=(axis,)), x, axis))


def log_softmax_truth(x: Array, axis: int) -> Array:
    wide = x.astype(np.longdouble)
    z = wide - wide.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def scaled(b, x, early: bool):
    e = b(Exp, x)
    total = b.sum(e, 1)
    put = spread(b, total if not early else b(Div, like(b, total, 1), total), x, 1)
    return b(Log, b(Mul, e, put if early else b(Div, like(b, put, 1), put)))


X = "f32[N, 3]"
Y = ("f32[N, 3]", "i64[N]")
STABLE_CASES: dict[str, list[tuple]] = {
    "log-of-softmax": [
        ((X,), lambda b, x: b(Log, softmax(b, x, 1))),
        ((X,), lambda b, x: b(Log, softmax(b, x, 1, spread_keepdims))),
        ((X,), lambda b, x: b(Log, softmax(b, shifted(b, x, 1), 1))),
    ],
    "log-of-share": [((X,), lambda b, x: b(Log, b(Softmax, x, axis=1)))],
    "log-of-scaled-exp": [((X,), lambda b, x: scaled(b, x, True))],
    "log-of-exp-by-sum": [((X,), lambda b, x: scaled(b, x, False))],
    "minus-log-sum-exp": [
        ((X,), lambda b, x: b(Sub, x, spread(b, b(Log, b.sum(b(Exp, x), 1)), x, 1))),
    ],
    "log-softmax-of-shifted": [
        ((X,), lambda b, x: b(Log, softmax(b, shifted(b, x, 1), 1))),
        (
            (X,),
            lambda b, x: b(Log, softmax(b, shifted(b, x, 1, spread_keepdims), 1)),
        ),
    ],
    "log-of-reshape": [
        ((X,), lambda b, x: b(Log, b.reshape(softmax(b, x, 1), (N * 3,)))),
    ],
    "log-of-transpose": [
        ((X,), lambda b, x: b(Log, b.transpose(softmax(b, x, 1), (1, 0)))),
    ],
    "log-of-broadcast": [
        ((X,), lambda b, x: b(Log, b.broadcast(softmax(b, x, 1), (2, N, 3), (1, 2)))),
    ],
    "log-of-slice": [
        ((X,), lambda b, x: b(Log, b.slice(softmax(b, x, 1), (0, 2), (N, 2), (1, -1)))),
    ],
    "log-of-take-along-axis": [
        (Y, lambda b, x, y: b(Log, b(TakeAlongAxis, softmax(b, x, 1), y, axis=1))),
    ],
}


def stabilised(module) -> dict[str, int]:
    """Apply the phases of the pass; returns how often each rule fired."""
    fired: Counter[str] = Counter()
    for rules in (stabilize.FIRST_RULES, stabilize.RULES):
        fired.update(apply_rules(module, rules))
    return dict(fired)


def one_plus(b, x):
    return b(Add, like(b, x, 1), x)


def naive_sigmoid(b, x):
    return b(Div, like(b, x, 1), one_plus(b, b(Exp, b(Neg, x))))


def softplus_truth(x: Array) -> Array:
    return np.logaddexp(0, x)


def sigmoid_truth(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


# Naive spellings of elementwise functions: those of f32 and f64, and the truth.
STABLE_FUNCTIONS: dict[str, tuple] = {
    "log-of-one-plus": (lambda b, x: b(Log, one_plus(b, b(Exp, x))), softplus_truth),
    "log1p-of-exp": (lambda b, x: b(Log1p, b(Exp, x)), softplus_truth),
    "log-of-sigmoid": (
        lambda b, x: b(Log, naive_sigmoid(b, x)),
        lambda x: -softplus_truth(-x),
    ),
    "exp-minus-one": (lambda b, x: b(Sub, b(Exp, x), like(b, x, 1)), np.expm1),
    "one-by-one-plus-exp-of-neg": (naive_sigmoid, sigmoid_truth),
    "one-by-one-plus-exp": (
        lambda b, x: b(Div, like(b, x, 1), one_plus(b, b(Exp, x))),
        lambda x: sigmoid_truth(-x),
    ),
}


def moved_sigmoid(b, x):
    return b(Sub, b.full((3, 4), 1, F64), b.transpose(b(Sigmoid, x), (1, 0)))


def likelihood(b, x):
    return b(Pow, b(Sigmoid, x), b(Abs, x))


def mean_of_all(b, x):
    return b.mean(x, b.scalar(12, I64), (0, 1))


def two_weighted(b, x):
    weight, p = b(Abs, x), b(Sigmoid, x)
    return b(
        Add, b(Mul, weight, p), b(Mul, b(Neg, b(Floor, b(Neg, weight))), b(Exp, x))
    )


# Rules whose left side is a class of formulas: one that each must change.
SHAPED: dict[str, Make] = {
    "log1p-of-minus-share": lambda b, x: b(Log1p, b(Neg, b(Sigmoid, x))),
    "one-minus-moved-sigmoid": moved_sigmoid,
    "log-of-exp-of-log-softmax": lambda b, x: b(Log, b(Exp, b(LogSoftmax, x, axis=1))),
    "log-of-gather": lambda b, x: b(
        Log, b.gather(softmax(b, x, 1), [b.iota((2,), 0, I64)], (0,))
    ),
    "log-of-concatenate": lambda b, x: b(
        Log, b(Concatenate, b(Sigmoid, x), b(Exp, x), axis=0)
    ),
    "log-of-cast": lambda b, x: b(Log, b.cast(b.cast(b(Sigmoid, x), F32), F64)),
    "log-of-select": lambda b, x: b(
        Log,
        b(
            Select,
            b(Compare, x, like(b, x, 0), predicate="gt"),
            b(Sigmoid, x),
            like(b, x, 1),
        ),
    ),
    "log-of-sum": lambda b, x: b(Log, b.sum(b(Exp, x), 0)),
    "weighted-exp-by-sum": lambda b, x: b(
        Div, b(Mul, b(Abs, x), b(Exp, x)), b.insert_axis(b.sum(b(Exp, x), 1), (4, 3), 1)
    ),
    "log-of-weighted-share": lambda b, x: b(
        Log,
        b(
            Div,
            b.sum(b(Mul, b(Abs, x), b(Exp, x)), 1),
            b.sum(b(Exp, x), 1),
        ),
    ),
    "share-plus-zero": lambda b, x: b(Add, b(Sigmoid, x), like(b, x, 0)),
    "clip-above-zero": lambda b, x: b(Maximum, b(Sigmoid, x), like(b, x, -0.5)),
    "clip-below-one": lambda b, x: b(Minimum, b(Sigmoid, x), like(b, x, 1)),
    "log-of-mean": lambda b, x: b(Log, mean_of_all(b, b(Exp, x))),
    "log-of-weighted-mean": lambda b, x: b(
        Log, mean_of_all(b, b(Mul, b(Abs, x), b(Sigmoid, x)))
    ),
    "log-of-prod": lambda b, x: b(Log, b.prod(b(Sigmoid, x), 1)),
    "log-of-add": lambda b, x: b(Log, b(Add, b(Exp, x), b(Sigmoid, x))),
    "log-of-share": lambda b, x: b(
        Log,
        b(Softmax, x, b(Compare, x, like(b, x, -0.5), predicate="gt"), axis=1),
    ),
    "log-of-sub": lambda b, x: b(Log, b(Sub, like(b, x, 1), softmax(b, x, 1))),
    "log-of-mul": lambda b, x: b(Log, b(Mul, b(Sigmoid, x), like(b, x, 3))),
    "log-of-div": lambda b, x: b(Log, b(Div, b(Exp, x), b(Sigmoid, x))),
    "log-of-pow": lambda b, x: b(Log, likelihood(b, x)),
    "log-of-sqrt": lambda b, x: b(Log, b(Sqrt, b(Sigmoid, x))),
    "log-of-weighted-sum": lambda b, x: b(
        Log, b.sum(b(Mul, b(Abs, x), b(Sigmoid, x)), 1)
    ),
    "log-of-two-weighted": lambda b, x: b(Log, two_weighted(b, x)),
    "log-softmax-of-shifted": lambda b, x: b(LogSoftmax, shifted(b, x, 1), axis=1),
}

OWN_ATTRIBUTES = {
    Sum: {"axes": (1,), "order": LANES_ORDER},
    Max: {"axes": (1,)},
    LogSoftmax: {"axis": 1},
    Softmax: {"axis": 1},
}


def spelled(b, pattern, values):
    """Return the formula that the left side of a rule says."""
    if isinstance(pattern, Var):
        return values[pattern.name]
    if isinstance(pattern, Spread):
        inner = spelled(b, pattern.inner, values)
        whole = values["x"].type.shape
        return inner if inner.type.rank == 2 else b.insert_axis(inner, whole, 1)
    operands = [
        None if isinstance(p, Splat) else spelled(b, p, values)
        for p in pattern.operands
    ]
    beside = next(v for v in operands if v is not None and v.type.element == F64)
    for i, part in enumerate(pattern.operands):
        if isinstance(part, Splat):
            number = next(n for n in (1, 0, 0.5, 2, -2) if part.test(np.float64(n)))
            operands[i] = b.full_like(beside, number)
    attributes = OWN_ATTRIBUTES.get(pattern.cls, dict(pattern.attributes))
    return b(pattern.cls, *operands, **attributes)


# Of moved softmaxes there are cases of their own.
ALONE = [n for n in STABLE_RULES if n in SHAPED or n not in STABLE_CASES]


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.filterwarnings("ignore:overflow")
def test_rules_keep_ordinary_values(name):
    """Each rule alone fires on its own left side, and changes nothing but rounding."""
    rule = STABLE_RULES[name]

    def make(b, x, y):
        if name in SHAPED:
            return SHAPED[name](b, x)
        return spelled(b, rule.left, {"x": x, "y": y})

    rng = seed_of(name)
    x, y = (np.round(rng.standard_normal((4, 3)) * 8) / 4 + 0.125 for _ in range(2))
    if "minus-exp" in name:
        x = -abs(x)  # where it has a logarithm
    types = ("f64[4, 3]", "f64[4, 3]")
    (before,) = run(module_of(types, make), [x, y])
    module = module_of(types, make)
    assert name in apply_rules(module, [rule])
    bound = 1e-6 if name == "log-of-cast" else 1e-13
    np.testing.assert_allclose(run(module, [x, y])[0], before, bound, bound)


def test_every_rule_has_a_case_where_it_is_needed():
    """The left sides of all others are made of their patterns, above."""
    classes = {n for n, rule in STABLE_RULES.items() if has_head(rule.left)}
    assert classes <= {*STABLE_CASES, *SHAPED}
    assert {rule.kind for rule in stabilize.RULES} == {STABILISING}
    assert len(STABLE_RULES) == len(stabilize.RULES)


def has_head(pattern) -> bool:
    inner = getattr(pattern, "operands", ())
    return getattr(pattern, "is_open", False) or any(map(has_head, inner))


@pytest.mark.parametrize("name", STABLE_FUNCTIONS)
@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_stabilised_function_is_close_to_the_truth(name, element):
    make, truth = STABLE_FUNCTIONS[name]
    x = seed_of(name).standard_normal(400) * 10.0 ** np.arange(-8, 4).repeat(400)[::12]
    x = np.append(x, [0, -0.0, 1000, -1000, np.inf, -np.inf, np.nan])
    x = x.astype(ELEMENTS[element].dtype)
    module = module_of((f"{element}[N]",), make)
    assert name in stabilised(module)
    (value,) = run(module, [x])
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.longdouble)).astype(x.dtype)
    np.testing.assert_allclose(value, expected, rtol=4 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("number", [1 + 2.0**-20, 0.0, 2.0, -1.0, np.nan])
def test_only_an_exact_one_makes_a_stable_form(number):
    def make(b, x):
        near = like(b, x, number)
        one = like(b, x, 1)
        e = b(Exp, b(Neg, x))
        parts = [b(Log, b(Add, near, x)), b(Sub, b(Exp, x), near)]
        parts += [b(Div, one, b(Add, near, e)), b(Div, near, b(Add, one, e))]
        return b(Concatenate, *parts, axis=0)

    assert stabilised(module_of(("f32[N]",), make)) == {}


def moved_truth(name: str, rows: Array, y: Array) -> Array:
    """Return what the case of a rule does to the rows of a log softmax."""
    by_name: dict[str, Callable[[Array], Array]] = {
        "reshape": lambda v: v.reshape(-1),
        "transpose": lambda v: v.T,
        "broadcast": lambda v: np.broadcast_to(v, (2, *v.shape)),
        "slice": lambda v: v[:, :0:-1],
        "take_along_axis": lambda v: v[np.arange(len(v)), y],
    }
    for key, move in by_name.items():
        if name == f"log-of-{key.replace('_', '-')}":
            return move(rows)
    return rows


@pytest.mark.parametrize(
    ("name", "types", "make"),
    [
        pytest.param(name, types, make, id=f"{name} {i}")
        for name, cases in STABLE_CASES.items()
        for i, (types, make) in enumerate(cases)
    ],
)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_stabilised_is_close_to_the_truth(name, types, make, scale):
    rng = seed_of(name, scale)
    x = (rng.standard_normal((50, 3)) * scale).astype(np.float32)
    y = rng.integers(-3, 3, 50)
    module = module_of(types, make)
    fired = stabilised(module)
    assert name in fired
    (value,) = run(module, [x, y][: len(types)])
    truth = moved_truth(name, log_softmax_truth(x, 1), y)
    np.testing.assert_allclose(value, truth.reshape(value.shape), rtol=3e-7, atol=2e-7)


def test_shifted_softmax_becomes_one_op():
    module = module_of((X,), lambda b, x: b(Log, softmax(b, shifted(b, x, 1), 1)))
    stabilize.STABILIZE.run(module, CPU)
    (function,) = module.functions
    names = [op.name for op in function.body.block.ops]
    assert names == ["tc.log_softmax", "func.return"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda b, x: b(
                Log,
                b(Div, b(Exp, x), b.insert_axis(b.sum(b(Exp, x), 0), x.type.shape, 1)),
            ),
            id="summed along the other axis",
        ),
        pytest.param(
            lambda b, x: b(
                Log,
                b(
                    Div,
                    b(Exp, x),
                    b.insert_axis(b(Max, b(Exp, x), axes=(1,)), x.type.shape, 1),
                ),
            ),
            id="largest, not sum",
        ),
        pytest.param(
            lambda b, x: b(
                Log, b(Div, b(Exp, x), spread(b, b.sum(b(Exp, b(Neg, x)), 1), x, 1))
            ),
            id="exp of two values",
        ),
        pytest.param(lambda b, x: b(Log, b.reshape(b(Exp, x), (9,))), id="no softmax"),
    ],
)
def test_what_is_no_softmax_is_none(make):
    rng = seed_of("no softmax")
    x = rng.standard_normal((3, 3))
    (before,) = run(module_of(("f64[3, 3]",), make), [x])
    module = module_of(("f64[3, 3]",), make)
    stabilised(module)
    names = [op.name for op in module.functions[0].body.block.ops]
    assert "tc.log_softmax" not in names
    np.testing.assert_allclose(run(module, [x])[0], before, 1e-14, 1e-14)
