"""Every derivative forward: against differences, and against what goes backward."""

from collections.abc import Sequence

import numpy as np
import pytest

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array
from tensorc.ir.ops.builtin import Module
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import TensorType
from tensorc.passes.tensor.ad import forward, reverse
from tensorc.passes.tensor.ad.rules import JVP_RULES, VJP_RULES
from tests.samples import (
    SAMPLES,
    Outs,
    Sample,
    build_module,
    jvp,
    parse_type,
    run,
    sample_values,
    seed_of,
    vjp,
)
from tests.test_gradients import differentiated, scaled

CASES = [
    pytest.param(cls, sample, id=f"{cls.name} {sample}")
    for cls in JVP_RULES
    for sample in SAMPLES[cls]
]


def is_float(type_: TensorType) -> bool:
    return type_.element.is_float


class Derivatives:
    """The derivatives of an op at a sample, as numbers.

    `point` are its operands, of which the floats vary; `moves` are two directions and
    `weights` a cotangent for each of its results that is a float.
    """

    def __init__(self, cls: type[Op], sample: Sample) -> None:
        self.cls, self.sample = cls, sample
        self.types = [parse_type(t) for t in sample.operands]
        self.floats = [t for t in self.types if is_float(t)]
        module = build_module(self.types, self.plain)
        (function,) = module.functions
        returned = function.body.block.terminator.operands
        self.outs = [tensor_type(v) for v in returned]
        rng = seed_of(cls.name, sample, "tangents")
        self.point = sample_values(sample, rng)
        moved = [v for v, t in zip(self.point, self.types, strict=True) if is_float(t)]
        self.moves = [[few_bits(rng, v) for v in moved] for _ in range(2)]
        self.weights = [few_bits(rng, v) for v in run(module, self.point)]

    def plain(self, b: TensorBuilder, of: list[Value]) -> list[Value]:
        results = b.results(self.cls, *of, **self.sample.attributes)
        return [r for r in results if is_float(tensor_type(r))]

    def run(self, derive, point: Sequence[Array] | None = None) -> list[Array]:
        """Run a function of b, the op, its operands, the moves and the weights."""
        types = [*self.types, *self.floats, *self.floats, *self.outs]
        count, few = len(self.types), len(self.floats)

        def body(b: TensorBuilder, of: list[Value]) -> list[Value]:
            operands, t = of[:count], of[count : count + few]
            u, ct = of[count + few : count + 2 * few], of[count + 2 * few :]

            def op(b: TensorBuilder, w: list[Value]) -> list[Value]:
                moving = iter(w)
                given = [next(moving) if is_float(v.type) else v for v in operands]
                return self.plain(b, given)

            x = [v for v in operands if is_float(tensor_type(v))]
            return derive(b, op, x, t, u, ct)

        module: Module = differentiated(build_module(types, body))
        given = self.point if point is None else point
        return run(module, [*given, *self.moves[0], *self.moves[1], *self.weights])

    def moved(self, direction: int, step: float) -> list[Array]:
        moving = iter(self.moves[direction])
        return [
            (v + step * next(moving)).astype(v.dtype) if is_float(t) else v
            for v, t in zip(self.point, self.types, strict=True)
        ]

    def difference(self, derive, direction: int) -> list[Array]:
        """Return the central difference of what a function gives along a move."""
        step = self.sample.step
        ahead, back = (
            self.run(derive, self.moved(direction, sign * step)) for sign in (1, -1)
        )
        pairs = zip(ahead, back, strict=True)
        return [(a.astype(np.float64) - b) / (2 * step) for a, b in pairs]


def few_bits(rng: np.random.Generator, like: Array) -> Array:
    """Return numbers that casts to f32 keep."""
    return np.asarray(rng.integers(-8, 9, like.shape) / 4, like.dtype)


def dot(left: Sequence[Array], right: Sequence[Array]) -> float:
    pairs = zip(left, right, strict=True)
    return sum(float(np.sum(a.astype(np.float64) * b)) for a, b in pairs)


def value(b, op: Outs, x, t, u, ct):
    return op(b, x)


def tangent(b, op: Outs, x, t, u, ct):
    return jvp(b, x, t, op)


def cotangent(b, op: Outs, x, t, u, ct):
    return vjp(b, x, ct, op)


def tangent_of_tangent(b, op: Outs, x, t, u, ct):
    return jvp(b, x, u, lambda b, w: jvp(b, w, t, op))


def tangent_of_cotangent(b, op: Outs, x, t, u, ct):
    return jvp(b, x, u, lambda b, w: vjp(b, w, ct, op))


def cotangent_of_tangent(b, op: Outs, x, t, u, ct):
    return vjp(b, x, ct, lambda b, w: jvp(b, w, t, op))


def near(found, wanted, rtol: float, atol: float) -> None:
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def check_first(cls: type[Op], sample: Sample) -> None:
    of = Derivatives(cls, sample)
    forward_, backward = of.run(tangent), of.run(cotangent)
    near(forward_, of.difference(value, 0), 1e-5, 1e-7)
    near([dot(of.weights, forward_)], [dot(backward, of.moves[0])], 1e-9, 1e-12)


@pytest.mark.parametrize(("cls", "sample"), CASES)
def test_tangent_equals_differences_and_cotangents(cls, sample):
    check_first(cls, sample)


@pytest.mark.parametrize(("cls", "sample"), CASES)
def test_second_tangent_equals_differences_and_cotangents(cls, sample):
    of = Derivatives(cls, sample)
    second = of.run(tangent_of_tangent)
    near(second, of.difference(tangent, 1), 1e-4, 1e-6)
    wanted = dot(of.weights, second)
    t, u = of.moves
    found = [
        dot(of.run(tangent_of_cotangent), t),
        dot(of.run(cotangent_of_tangent), u),
    ]
    near(found, [wanted, wanted], 1e-9, 1e-12)


@pytest.mark.parametrize("cls", JVP_RULES, ids=lambda c: c.name)
@pytest.mark.parametrize("module", [forward, reverse], ids=["forward", "backward"])
def test_the_check_finds_a_planted_wrong_rule(cls, module, monkeypatch):
    """Scale what a rule is given by 1.001: the second sample of every op shows it."""
    name = "JVP_RULES" if module is forward else "VJP_RULES"
    table = JVP_RULES if module is forward else VJP_RULES

    def wrong(b: TensorBuilder, op: Op, values):
        return table[cls](b, op, scaled(b, values, 1.001))

    monkeypatch.setattr(module, name, {**table, cls: wrong})
    with pytest.raises(AssertionError, match="tolerance"):
        check_first(cls, SAMPLES[cls][1])
