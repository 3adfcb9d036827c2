"""What a call costs: a compiled `x + 1` on ten numbers beside NumPy's, and memory.

    python benchmarks/calls.py [--rounds N] [--growth CALLS]

Times are microseconds a call: medians over rounds of 1000 calls, the functions in turn
in each round, so that none has the quieter machine. `--growth 1000000` makes that many
calls of each kind, and prints the resident memory of the process before and after;
sizes that differ from call to call are a kind of their own, a tenth as many calls.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import llvmlite
import numpy as np
from llvmlite import binding

import tensorc as tc

CALLS = 1000
SIZES = 100_000


def functions(dtype: str) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    x = np.arange(10, dtype=dtype)
    strided = np.arange(20, dtype=dtype)[::2]
    v = tc.tensor("x", dtype, (None,))
    increment = tc.jit(lambda x: x + 1)
    function = tc.function([v], v + 1)
    total = tc.shared(np.zeros(10, dtype), "total")
    add = tc.function([v], v.sum(), updates=[(total, total + v)])
    state = tc.shared(np.zeros(10, dtype), "state")

    @tc.step
    def step(x: object, rate: float) -> object:
        tc.update(state, state + rate * x)
        return tc.sum(x)

    return {
        "numpy": lambda: x + 1,
        "jit": lambda: increment(x),
        "function": lambda: function(x),
        "jit, strided view": lambda: increment(strided),
        "jit, by name": lambda: increment(x=x),
        "function, update": lambda: add(x),
        "step(x, 0.1)": lambda: step(x, 0.1),
    }


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return microseconds a call, by name."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(CALLS):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            seconds[name].append(time.perf_counter() - start)
    return {n: statistics.median(s) / CALLS * 1e6 for n, s in seconds.items()}


def resident() -> int:
    """Return the resident memory of this process in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def of_many_sizes() -> Callable[[], object]:
    """Return a call of a compiled function with one of many sizes, each in its turn."""
    data = np.zeros(SIZES + 2)
    increment = tc.jit(lambda x: x[:3] + x[-1])

    def sizes() -> Iterator[int]:
        while True:
            yield from range(4, SIZES + 2)

    turn = sizes()
    return lambda: increment(data[: next(turn)])


def grow(name: str, call: Callable[[], object], count: int) -> None:
    """Make calls, and print the memory before and after them."""
    for _ in range(20_000):
        call()
    before = resident()
    for _ in range(count):
        call()
    after = resident()
    print(f"{name:<22}{count:>10}{before:>12}{after:>12}{after - before:>8}")


def main() -> None:
    """Print the table of times and, if asked to, that of memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--growth", type=int, default=0, metavar="CALLS")
    options = parser.parse_args()
    llvm = ".".join(map(str, binding.llvm_version_info))
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(f"llvmlite {llvmlite.__version__} (LLVM {llvm}), {os.cpu_count()} CPUs")
    columns = {d: functions(d) for d in ("float64", "float32")}
    times = {d: measure(calls, options.rounds) for d, calls in columns.items()}
    print(f"{'us a call':<22}" + "".join(f"{dtype:>12}" for dtype in times))
    for name in times["float64"]:
        print(f"{name:<22}" + "".join(f"{t[name]:>12.2f}" for t in times.values()))
    if options.growth:
        print(
            f"{'KiB resident':<22}{'calls':>10}{'before':>12}{'after':>12}{'grown':>8}"
        )
        for name, call in columns["float64"].items():
            grow(name, call, options.growth)
        grow("jit, many sizes", of_many_sizes(), options.growth // 10)


if __name__ == "__main__":
    main()
