"""Random programs through every stage and compiled, fused and unfused.

Rows, columns, products, flips and broadcasts of symbolic sizes, on nasty values: every
stage, every optimisation level and both ways of grouping give the same bits.
"""

import numpy as np
import pytest

from tensorc.ir.core import Value
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import Add
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.structured import fuse
from tests.passes.test_random_programs import N, random_step
from tests.passes.test_rules import nasty
from tests.samples import parse_type, same_bits
from tests.stages import Case, all_results, inputs

PROGRAMS = 8  # in one module, which is compiled at once
ROWS = (1, 3, 16, 17, 49, 1100)


def wide_step(b: TensorBuilder, pool: list[Value], rng: np.random.Generator) -> Value:
    """Return a value of type f32[N, 3] made of earlier ones, across rows too."""
    x, y = (pool[i] for i in rng.integers(0, len(pool), 2))
    kind = rng.integers(0, 8)
    if kind == 0:
        square = b.matmul(b.transpose(x, (1, 0)), y)
        return b.matmul(x, square)
    if kind == 1:
        columns = b.sum(x, 0) if rng.integers(2) == 0 else b(Max, x, axes=(0,))
        return b.broadcast(columns, (N, 3), (1,))
    if kind == 2:
        return b.slice(x, (N - 1, 2), (N, 3), (-1, -1))
    if kind == 3:
        total = b.sum(b.sum(x, 1), 0)
        return b(Add, b.broadcast(total, (N, 3), ()), y)
    return random_step(b, pool, rng)


def module_of(seeds: range, steps: int) -> Module:
    module = new_module()
    for seed in seeds:
        types = [parse_type("f32[N, 3]")] * 2
        function, builder = open_function(f"f{seed}", inputs(*types))
        rng = np.random.default_rng(seed)
        pool = list(function.body.block.arguments)
        b = TensorBuilder(builder)
        for _ in range(steps):
            pool.append(wide_step(b, pool, rng))
        # Some values are results, others live only inside their groups.
        close_function(function, builder, pool[-1:2:-3])
        module.body.block.append(function)
    return module


@pytest.mark.parametrize("start", [0, 100, 200])
def test_random_programs_agree_at_every_stage_fused_or_not(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = range(start, start + PROGRAMS)
    cases: list[Case] = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows = int(rng.choice(ROWS))
        # Two arguments: one nasty, one of numbers that stay finite for longer.
        values = [rng.choice(nasty("f32"), (rows, 3)), rng.standard_normal((rows, 3))]
        cases.append((f"f{seed}", [v.astype(np.float32) for v in values]))
    fused = all_results(module_of(seeds, 14), cases, (0, 2, 3))
    monkeypatch.setattr(fuse, "misfit", lambda *_: "apart")
    unfused = all_results(module_of(seeds, 14), cases, (2,))
    outcomes = {**fused, **{f"unfused {k}": v for k, v in unfused.items()}}
    for stage, results in outcomes.items():
        for (name, _), expected, given in zip(
            cases, fused["tensor"], results, strict=True
        ):
            for left, right in zip(expected, given, strict=True):
                assert same_bits(left, right), f"{name} at {stage}"
