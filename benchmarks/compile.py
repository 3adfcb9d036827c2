"""What programs of many ops cost to compile, stage by stage, and how it grows.

    python benchmarks/compile.py [--sizes N,...] [--programs NAME,...] [--stages]

Seconds are the process's (all threads), without the cache. The exponent is the slope of
seconds over ops, both as logarithms, between the first and the last size from 5000 on:
1 is linear.
"""

import argparse
import gc
import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest import mock

os.environ["TENSORC_CACHE_DIR"] = "off"

import numpy as np

import tensorc as tc
from tensorc import compiler
from tensorc.backend.llvm import codegen
from tensorc.ir.ops.builtin import Module
from tensorc.passes.common.base import Pass
from tensorc.target import Target

Graph = tuple[list[tc.Tensor], list[tc.Tensor]]

# Constants differ, so that no two kernels are alike.
_STEPS: tuple[Callable[[tc.Tensor, int], tc.Tensor], ...] = (
    lambda v, i: v * (1 + 1 / (i + 1)),
    lambda v, i: tc.tanh(v),
    lambda v, i: v + 1 / (i + 1),
    lambda v, i: -v,
    lambda v, i: tc.maximum(v, -0.75),
)


def chain(n: int) -> Graph:
    """Return n ops, each of which reads the one before: vectors."""
    x = tc.vector("x")
    y = x
    for i in range(n):
        y = _STEPS[i % len(_STEPS)](y, i)
    return [x], [y]


def numbers(n: int) -> Graph:
    """Return the same chain of scalars."""
    x = tc.scalar("x")
    y = x
    for i in range(n):
        y = _STEPS[i % len(_STEPS)](y, i)
    return [x], [y]


def straight(n: int) -> Graph:
    """Return n ops, dependent and independent: maps, reductions, products."""
    x, w = tc.matrix("x"), tc.matrix("w")
    row, outputs = x, []
    for i in range(0, n, 10):
        near = tc.tanh(row * (1 + 1 / (i + 1)))  # 2: on the chain
        apart = tc.exp(-(x + i))  # 3: of the argument alone
        total = (near * apart).sum(axis=1)  # 2
        row = row + near @ w if i % 100 == 0 else row + near * 0.5  # 2
        outputs.append((total - total.max()).sum())  # 3, less one that counts above
    return [x, w], [row, *outputs]


def gradient(n: int) -> Graph:
    """Return the derivative of a chain of n / 3 ops."""
    (x,), (y,) = chain(n // 3)
    return [x], [tc.grad(y.sum(), x)]


PROGRAMS: dict[str, Callable[[int], Graph]] = {
    "chain": chain,
    "numbers": numbers,
    "straight": straight,
    "gradient": gradient,
}


def stages(
    program: Callable[[int], Graph], n: int, seconds: dict[str, float]
) -> dict[str, float]:
    """Return process seconds of each stage of compiling a program of n ops."""
    last = [time.process_time()]

    def lap(name: str) -> None:
        now = time.process_time()
        seconds[name] = seconds.get(name, 0.0) + now - last[0]
        last[0] = now

    def around(pass_: Pass, module: Module, target: Target) -> Module:
        lap("between passes")
        module = pass_.run(module, target)
        lap(pass_.name)
        return module

    def timed(
        name: str, before: str, of: Callable[..., object]
    ) -> Callable[..., object]:
        def run(*given: object) -> object:
            lap(before)
            result = of(*given)
            lap(name)
            return result

        return run

    inputs, outputs = program(n)
    lap("graph")
    compile_ = compiler.compile
    with ExitStack() as stack:
        for name in ("emit_llvm", "emit_object"):
            of = timed(name, "between passes", getattr(codegen, name))
            stack.enter_context(mock.patch.object(compiler, name, of))
        stack.enter_context(
            mock.patch.object(
                compiler,
                "compile",
                lambda m, t, o: (lap("emit"), compile_(m, t, o, around=around))[1],
            )
        )
        f = tc.function(inputs, outputs)
    lap("load")
    given = [np.full((3,) * v.ndim, 0.5, v.dtype) for v in inputs]
    f(*given)
    lap("call")
    return seconds


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return the slope of seconds over sizes between the ends, as logarithms."""
    first = next((i for i, n in enumerate(sizes[:-1]) if n >= 5000), 0)
    if len(sizes) == 1:
        return math.nan
    rise = math.log(seconds[-1] / seconds[first])
    return rise / math.log(sizes[-1] / sizes[first])


def main() -> None:
    """Print a table for each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1250,2500,5000,10000,20000")
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--stages", action="store_true")
    given = parser.parse_args()
    sizes = [int(n) for n in given.sizes.split(",")]
    tc.function([], tc.constant(1.0))  # what is loaded once is no program's
    for name in given.programs.split(","):
        columns = []
        for n in sizes:
            gc.collect()
            columns.append(stages(PROGRAMS[name], n, {}))
        totals = [sum(c.values()) for c in columns]
        print(f"{name:16}", *(f"{n:9}" for n in sizes), " exponent", flush=True)
        if given.stages:
            for stage in dict.fromkeys(s for c in columns for s in c):
                row = [c.get(stage, 0.0) for c in columns]
                slope = exponent(sizes, [max(v, 1e-3) for v in row])
                print(f"  {stage:14}", *(f"{v:9.2f}" for v in row), f"{slope:9.2f}")
        slope = exponent(sizes, totals)
        print("  total         ", *(f"{v:9.2f}" for v in totals), f"{slope:9.2f}")


if __name__ == "__main__":
    main()
