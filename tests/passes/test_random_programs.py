"""Random programs on nasty values: passes that are exact keep every bit.

Every intermediate value is returned, so that no later op can hide a wrong one.
"""

import numpy as np
import pytest

from tensorc.ir.core import Value
from tensorc.ir.dims import symbol
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Compare,
    Div,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import ELEMENTS, F32
from tensorc.ir.verifier import verify
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.simplify import SIMPLIFY
from tests.passes.test_rules import nasty
from tests.samples import CPU, Body, build_module, grad, run, same_bits, total

N = symbol("N")
NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.25, 3.0, np.inf, np.nan, 1e30)
UNARY = (Neg, Sqrt)
BINARY = (Add, Sub, Mul, Div, Maximum, Minimum)


def random_step(b: TensorBuilder, pool: list[Value], rng: np.random.Generator) -> Value:
    """Return a value of type f32[N, 3] made of earlier ones."""
    x, y = (pool[i] for i in rng.integers(0, len(pool), 2))
    kind = rng.integers(0, 12)
    if kind in (0, 9, 10):
        y = b.full_like(x, float(rng.choice(NUMBERS)))
        x, y = (x, y) if rng.integers(2) else (y, x)
    if kind == 1:
        return b(UNARY[rng.choice(len(UNARY))], x)
    if kind == 2:
        predicate = rng.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        condition = b(Compare, x, y, predicate=str(predicate))
        if rng.integers(2):
            condition = b(Not, condition)
        return b(Select, condition, x, y)
    if kind == 3:
        wide = b.cast(x, ELEMENTS[str(rng.choice(["f64", "f16", "i32", "f32"]))])
        return b.cast(wide, F32)
    if kind == 4:
        return b.transpose(b.transpose(x, (1, 0)), (1, 0))
    if kind == 5:
        return b.reshape(b.reshape(x, (N * 3,)), (N, 3))
    if kind == 6:
        row = b.sum(x, 1) if rng.integers(2) == 0 else b(Max, x, axes=(1,))
        return b.broadcast(b.broadcast(row, (N, 1), (0,)), (N, 3), (0, 1))
    return b(BINARY[rng.choice(len(BINARY))], x, y)


def random_body(seed: int, steps: int) -> Body:
    def body(b: TensorBuilder, arguments: list[Value]) -> list[Value]:
        rng = np.random.default_rng(seed)
        pool = list(arguments)
        for _ in range(steps):
            pool.append(random_step(b, pool, rng))
        return pool[len(arguments) :]

    return body


def after(module: Module, *passes) -> Module:
    for pass_ in passes:
        module = pass_.run(module, CPU)
        verify(module)
    return module


def arguments_for(seed: int):
    rng = np.random.default_rng(seed)
    return [rng.choice(nasty("f32"), (17, 3)) for _ in range(2)]


@pytest.mark.parametrize("seed", range(150))
def test_exact_passes_keep_every_bit(seed):
    types = ["f32[N, 3]"] * 2
    arguments = arguments_for(seed)
    expected = run(build_module(types, random_body(seed, 25)), arguments)
    for passes in ((SIMPLIFY,), (CSE,), (DCE,), (SIMPLIFY, CSE, SIMPLIFY, DCE)):
        module = after(build_module(types, random_body(seed, 25)), *passes)
        for left, right in zip(expected, run(module, arguments), strict=True):
            assert same_bits(left, right)


@pytest.mark.parametrize("seed", range(60))
def test_exact_passes_after_autodiff_keep_every_bit(seed):
    def body(b: TensorBuilder, arguments: list[Value]) -> list[Value]:
        def cost(b: TensorBuilder, wrt: list[Value]) -> Value:
            return total(b, random_body(seed, 10)(b, wrt)[-1])

        return grad(b, arguments, cost)

    types = ["f32[N, 3]"] * 2
    arguments = arguments_for(seed)
    expected = run(after(build_module(types, body), AUTODIFF), arguments)
    module = after(build_module(types, body), AUTODIFF, SIMPLIFY, CSE, DCE)
    for left, right in zip(expected, run(module, arguments), strict=True):
        assert same_bits(left, right)
