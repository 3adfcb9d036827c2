"""What programs of many ops cost to compile, stage by stage, and how it grows.

    python benchmarks/compile.py [--sizes N,...] [--programs NAME,...] [--stages]
    python benchmarks/compile.py --jax PYTHON [--sizes N,...] [--programs NAME,...]
                                 [--rounds N] [--page]

Seconds are the process's (all threads), without the cache. The exponent is the slope of
seconds over ops, both as logarithms, between the first and the last size from 5000 on:
1 is linear.

With `--jax` the same programs are compiled by JAX, too, in turn, a process each, and
the step of a perceptron of twelve layers beside that of softmax regression; least of
the rounds. `--page` writes this to a section of `benchmarks/RESULTS.md`.
"""

import argparse
import gc
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

os.environ["TENSORC_CACHE_DIR"] = "off"

import numpy as np
from counts import counts
from peers.long import LONG
from peers.report import COMPILING

import tensorc as tc
from tensorc import compiler
from tensorc.backend.llvm import codegen
from tensorc.backend.llvm.host import host_target
from tensorc.ir.ops.builtin import Module
from tensorc.passes.common.base import Pass
from tensorc.target import Target

HERE = Path(__file__).parent
Graph = tuple[list[tc.Tensor], list[tc.Tensor]]


def _long(name: str) -> Callable[[int], Graph]:
    """Return the maker of a graph of so many ops."""
    program, ranks = LONG[name]
    kinds = (tc.scalar, tc.vector, tc.matrix)

    def graph(n: int) -> Graph:
        given = [kinds[rank]("xw"[i]) for i, rank in enumerate(ranks)]
        return given, program(tc, n, *given)

    return graph


def gradient(n: int) -> Graph:
    """Return the derivative of a chain of n / 3 ops."""
    (x,), (y,) = _long("chain")(n // 3)
    return [x], [tc.grad(y.sum(), x)]


PROGRAMS: dict[str, Callable[[int], Graph]] = {
    **{name: _long(name) for name in LONG},
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


def beside_jax(python: str, tasks: list[str], rounds: int) -> dict[str, list[float]]:
    """Return the least seconds of rounds for each task: ours, and JAX's."""
    script = str(HERE / "peers" / "compiling.py")
    processes = [
        subprocess.Popen(
            [which, script, peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for peer, which in (("tensorc", sys.executable), ("jax", python))
    ]
    found = {task: [math.inf] * len(processes) for task in tasks}
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    for _ in range(rounds):
        for task in tasks:
            for i, process in enumerate(processes):
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(task + "\n")
                process.stdin.flush()
                seconds = float(process.stdout.readline())
                found[task][i] = min(found[task][i], seconds)
    for process in processes:
        process.kill()
    return found


def table(found: dict[str, list[float]]) -> list[str]:
    """Return the lines of what `beside_jax` measured."""
    lines = ["| program | tensorc | JAX | tensorc over JAX | ms an op |"]
    lines += ["|---|--:|--:|--:|--:|"]
    for task, (ours, theirs) in found.items():
        _, _, size = task.partition(" ")
        each = f"{ours / int(size) * 1000:.2f}" if size else ""
        row = [task, f"{ours:.2f}", f"{theirs:.2f}", f"**{ours / theirs:.2f}**", each]
        lines.append(f"| {' | '.join(row)} |")
    if "layers" in found:
        ours, theirs = (found["layers"][i] / found["logreg"][i] for i in range(2))
        kernels = counts("layers", host_target().vector_bits).split()[2:4]
        lines += [
            "",
            f"`layers` over `logreg`: {ours:.2f}; in JAX {theirs:.2f}. It has "
            f"{kernels[0]} launches of {kernels[1]} distinct kernels.",
        ]
    return lines


def write_page(lines: list[str]) -> None:
    """Replace the section of `benchmarks/RESULTS.md` on compiling."""
    page = HERE / "RESULTS.md"
    rest, _, _ = page.read_text().partition(f"\n{COMPILING}\n")
    head = [
        "Written by `python benchmarks/compile.py --jax PYTHON --page`: seconds of "
        "processors, nothing cached.",
        f"{time.strftime('%Y-%m-%d')}; programs are in `benchmarks/peers/long.py`; "
        "`layers` is the step of a perceptron of twelve layers.",
    ]
    page.write_text("\n".join([rest, COMPILING, "", *head, "", *lines, ""]))


def main() -> None:
    """Print a table for each program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes")
    parser.add_argument("--programs")
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--jax", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.jax:
        names = (given.programs or ",".join(LONG)).split(",")
        counted = (given.sizes or "1000,4000").split(",")
        tasks = [f"{name} {n}" for name in names for n in counted]
        tasks += [] if given.programs else ["logreg", "layers"]
        lines = table(beside_jax(given.jax, tasks, given.rounds))
        print("\n".join(lines))
        if given.page:
            write_page(lines)
        return
    sizes = [int(n) for n in (given.sizes or "1250,2500,5000,10000,20000").split(",")]
    tc.function([], tc.constant(1.0))  # what is loaded once is no program's
    for name in (given.programs or ",".join(PROGRAMS)).split(","):
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
