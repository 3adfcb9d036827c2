"""Stabilising rules: the form they give, against a truth of higher precision."""

from collections.abc import Callable

import numpy as np
import pytest

from tensorc.ir.numerics import Array
from tensorc.ir.types import ELEMENTS
from tensorc.passes import stabilize
from tensorc.passes.rewriter import STABILISING
from tests.passes.test_rules import (
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
    e = b.exp(x)
    return b.div(e, put(b, b.sum(b.exp(x), axis), x, axis))


def shifted(b, x, axis, put=spread):
    return b.sub(x, put(b, b.max(x, axis), x, axis))


def log_softmax_truth(x: Array, axis: int) -> Array:
    wide = x.astype(np.longdouble)
    z = wide - wide.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def scaled(b, x, early: bool):
    e = b.exp(x)
    total = b.sum(e, 1)
    put = spread(b, total if not early else b.div(like(b, total, 1), total), x, 1)
    return b.log(b.mul(e, put if early else b.div(like(b, put, 1), put)))


X = "f32[N, 3]"
Y = ("f32[N, 3]", "i64[N]")
STABLE_CASES: dict[str, list[tuple]] = {
    "log-of-softmax": [
        ((X,), lambda b, x: b.log(softmax(b, x, 1))),
        ((X,), lambda b, x: b.log(softmax(b, x, 1, spread_keepdims))),
        ((X,), lambda b, x: b.log(softmax(b, shifted(b, x, 1), 1))),
    ],
    "log-of-scaled-exp": [((X,), lambda b, x: scaled(b, x, True))],
    "log-of-exp-by-sum": [((X,), lambda b, x: scaled(b, x, False))],
    "minus-log-sum-exp": [
        ((X,), lambda b, x: b.sub(x, spread(b, b.log(b.sum(b.exp(x), 1)), x, 1))),
    ],
    "log-softmax-of-shifted": [
        ((X,), lambda b, x: b.log(softmax(b, shifted(b, x, 1), 1))),
        (
            (X,),
            lambda b, x: b.log(softmax(b, shifted(b, x, 1, spread_keepdims), 1)),
        ),
    ],
    "log-of-moved-softmax-reshape": [
        ((X,), lambda b, x: b.log(b.reshape(softmax(b, x, 1), (N * 3,)))),
    ],
    "log-of-moved-softmax-transpose": [
        ((X,), lambda b, x: b.log(b.transpose(softmax(b, x, 1), (1, 0)))),
    ],
    "log-of-moved-softmax-broadcast": [
        ((X,), lambda b, x: b.log(b.broadcast(softmax(b, x, 1), (2, N, 3), (1, 2)))),
    ],
    "log-of-moved-softmax-slice": [
        ((X,), lambda b, x: b.log(b.slice(softmax(b, x, 1), (0, 2), (N, 2), (1, -1)))),
    ],
    "log-of-moved-softmax-take_along_axis": [
        (Y, lambda b, x, y: b.log(b.take_along_axis(softmax(b, x, 1), y, 1))),
        (
            Y,
            lambda b, x, y: b.log(
                b.reshape(b.take_along_axis(softmax(b, x, 1), y, 1), (N, 1))
            ),
        ),
    ],
}


def one_plus(b, x):
    return b.add(like(b, x, 1), x)


def naive_sigmoid(b, x):
    return b.div(like(b, x, 1), one_plus(b, b.exp(b.neg(x))))


def softplus_truth(x: Array) -> Array:
    return np.logaddexp(0, x)


def sigmoid_truth(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


# Naive spellings of elementwise functions: those of f32 and f64, and the truth.
STABLE_FUNCTIONS: dict[str, tuple] = {
    "log-of-one-plus": (lambda b, x: b.log(one_plus(b, b.exp(x))), softplus_truth),
    "log1p-of-exp": (lambda b, x: b.log1p(b.exp(x)), softplus_truth),
    "log-of-sigmoid": (
        lambda b, x: b.log(naive_sigmoid(b, x)),
        lambda x: -softplus_truth(-x),
    ),
    "exp-minus-one": (lambda b, x: b.sub(b.exp(x), like(b, x, 1)), np.expm1),
    "one-by-one-plus-exp-of-neg": (naive_sigmoid, sigmoid_truth),
    "one-by-one-plus-exp": (
        lambda b, x: b.div(like(b, x, 1), one_plus(b, b.exp(x))),
        lambda x: sigmoid_truth(-x),
    ),
}


def test_every_rule_has_a_case():
    assert {*STABLE_CASES, *STABLE_FUNCTIONS} == set(STABLE_RULES)
    assert {rule.kind for rule in stabilize.RULES} == {STABILISING}


@pytest.mark.parametrize("name", STABLE_FUNCTIONS)
@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_stabilised_function_is_close_to_the_truth(name, element):
    make, truth = STABLE_FUNCTIONS[name]
    x = seed_of(name).standard_normal(400) * 10.0 ** np.arange(-8, 4).repeat(400)[::12]
    x = np.append(x, [0, -0.0, 1000, -1000, np.inf, -np.inf, np.nan])
    x = x.astype(ELEMENTS[element].dtype)
    module = module_of((f"{element}[N]",), make)
    assert name in apply_rules(module, stabilize.RULES)
    (value,) = run(module, [x])
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.longdouble)).astype(x.dtype)
    np.testing.assert_allclose(value, expected, rtol=4 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("number", [1 + 2.0**-20, 0.0, 2.0, -1.0, np.nan])
def test_only_an_exact_one_makes_a_stable_form(number):
    def make(b, x):
        near = like(b, x, number)
        one = like(b, x, 1)
        e = b.exp(b.neg(x))
        parts = [b.log(b.add(near, x)), b.sub(b.exp(x), near)]
        parts += [b.div(one, b.add(near, e)), b.div(near, b.add(one, e))]
        return b.concatenate(parts, 0)

    assert apply_rules(module_of(("f32[N]",), make), stabilize.RULES) == {}


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
        if name.endswith(f"softmax-{key}"):
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
    fired = apply_rules(module, stabilize.RULES)
    assert name in fired
    (value,) = run(module, [x, y][: len(types)])
    truth = moved_truth(name, log_softmax_truth(x, 1), y)
    np.testing.assert_allclose(value, truth.reshape(value.shape), rtol=3e-7, atol=2e-7)


def test_shifted_softmax_becomes_one_op():
    module = module_of((X,), lambda b, x: b.log(softmax(b, shifted(b, x, 1), 1)))
    stabilize.STABILIZE.run(module, CPU)
    (function,) = module.functions
    names = [op.name for op in function.body.block.ops]
    assert names == ["tc.log_softmax", "func.return"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda b, x: b.log(
                b.div(b.exp(x), b.insert_axis(b.sum(b.exp(x), 0), x.type.shape, 1))
            ),
            id="summed along the other axis",
        ),
        pytest.param(
            lambda b, x: b.log(
                b.div(b.exp(x), b.insert_axis(b.max(b.exp(x), 1), x.type.shape, 1))
            ),
            id="largest, not sum",
        ),
        pytest.param(
            lambda b, x: b.log(
                b.div(b.exp(x), spread(b, b.sum(b.exp(b.neg(x)), 1), x, 1))
            ),
            id="exp of two values",
        ),
        pytest.param(lambda b, x: b.log(b.reshape(b.exp(x), (9,))), id="no softmax"),
    ],
)
def test_what_is_no_softmax_is_kept(make):
    module = module_of(("f64[3, 3]",), make)
    assert apply_rules(module, stabilize.RULES) == {}
