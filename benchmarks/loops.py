"""Loops over steps: all steps in one kernel, a launch for each step, and JAX's scan.

    python benchmarks/loops.py [--threads N] [--rounds N] [--jax PYTHON] [--only TEXT]

Each loop runs in a process of its own, the ways in turn; printed are the least
microseconds of a call, and the ratios of the first way to the others. Sizes are known.
Results of the first two ways are compared bit for bit. JAX need not be installed here:
`--jax` names the Python of an environment that has it.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
WAYS = ("kernel", "launches", "jax")
ROUND = 0.3  # seconds

# `scan` and `np` are those of the way; a step gives what is carried, and is stacked.
PROGRAMS = {
    "decay": "lambda h, xs, a: scan(lambda h, x: (h * a + x, None), h, xs)[0]",
    "stacked": "lambda h, xs, a: scan(lambda h, x: (h * a + x,) * 2, h, xs)[1]",
    "orbit": """lambda x, v: scan(
        lambda c, _: ((c[0] + 0.01 * c[1], c[1] - 0.01 * c[0]), None),
        (x, v), length=1000)[0][0]""",
    "tanh": "lambda h, xs, a: scan(lambda h, x: (np.tanh(h * a + x), None), h, xs)[0]",
    "softmax": """lambda h, xs: scan(
        lambda h, x: ((e := np.exp(h + x)) / e.sum(-1, keepdims=True), None),
        h, xs)[0]""",
    "rnn": "lambda h, xs, u: scan(lambda h, x: (np.tanh(h @ u + x), None), h, xs)[0]",
    "lstm": """lambda h, c, xs, u: scan(
        lambda s, x: (
            g := s[0] @ u + x,
            d := g.shape[1] // 4,
            i := 1 / (1 + np.exp(-g[:, :d])),
            f := 1 / (1 + np.exp(-g[:, d:2 * d])),
            o := 1 / (1 + np.exp(-g[:, 2 * d:3 * d])),
            c := f * s[1] + i * np.tanh(g[:, 3 * d:]),
            ((o * np.tanh(c), c), None))[-1],
        (h, c), xs)[0][0]""",
}
CASES = {
    "decay, 64 elements, 1000 steps": ("decay", (64,), (1000, 64), (64,)),
    "decay, 1000 elements, 100 steps": ("decay", (1000,), (100, 1000), (1000,)),
    "decay, 100k elements, 100 steps": ("decay", (10**5,), (100, 10**5), (10**5,)),
    "stacked, 32x256, 200 steps": ("stacked", (32, 256), (200, 32, 256), (256,)),
    "orbit, 10k elements, 1000 steps": ("orbit", (10**4,), (10**4,)),
    "orbit, 1M elements, 1000 steps": ("orbit", (10**6,), (10**6,)),
    "tanh, 32x64, 50 steps": ("tanh", (32, 64), (50, 32, 64), (64,)),
    "softmax, 32x100, 50 steps": ("softmax", (32, 100), (50, 32, 100)),
    "rnn, 32x64, 50 steps": ("rnn", (32, 64), (50, 32, 64), (64, 64)),
    "rnn, 32x128, 50 steps": ("rnn", (32, 128), (50, 32, 128), (128, 128)),
    "rnn, 32x256, 50 steps": ("rnn", (32, 256), (50, 32, 256), (256, 256)),
    "rnn, 1024x64, 50 steps": ("rnn", (1024, 64), (50, 1024, 64), (64, 64)),
    "lstm, 32x64, 50 steps": ("lstm", (32, 64), (32, 64), (50, 32, 256), (64, 256)),
}


def main() -> None:
    """Measure all loops, or do what a process of its own does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jax", metavar="PYTHON", default="")
    parser.add_argument("--only", metavar="TEXT", default="")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measured(options.only, options.way, options.threads)))
        return
    ways = WAYS if options.jax else WAYS[:2]
    print(f"| loop, {options.threads} threads | {' | '.join(ways)} | over |")
    print(f"|---|{'--:|' * (len(ways) + 1)}")
    for case in [c for c in CASES if options.only in c]:
        rounds = [
            {way: run_alone(case, way, options) for way in ways}
            for _ in range(options.rounds)
        ]
        best = [min(times[way][0] for times in rounds) for way in ways]
        same = rounds[0]["kernel"][1] == rounds[0]["launches"][1]
        over = ", ".join(f"{best[0] / other:.2f}" for other in best[1:])
        spelled = " | ".join(f"{us:,.1f}" for us in best)
        print(f"| {case} | {spelled} | {over}{'' if same else ' DIFFERENT'} |")


def run_alone(case: str, way: str, options: argparse.Namespace) -> tuple[float, str]:
    """Run a case one way in a process of its own: microseconds, and what it gave."""
    python = options.jax if way == "jax" else sys.executable
    command = [python, __file__, "--way", way, "--only", case]
    command += ["--threads", str(options.threads)]
    several = f"--xla_cpu_multi_thread_eigen={str(options.threads > 1).lower()}"
    around = os.environ | {
        "TENSORC_CACHE_DIR": "off",  # its keys do not know how loops run
        "XLA_FLAGS": f"{several} intra_op_parallelism_threads={options.threads}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, env=around, capture_output=True, check=True)
    best, digest = json.loads(done.stdout)
    return best, digest


def measured(case: str, way: str, threads: int) -> tuple[float, str]:
    """Return the least microseconds of a call, and a digest of its result."""
    name, *shapes = CASES[case]
    rng = np.random.default_rng(0)
    given = [(rng.standard_normal(s) / 4).astype(np.float32) for s in shapes]
    call = made(PROGRAMS[name], way, threads, given)
    best, end = float("inf"), time.perf_counter() + ROUND
    while time.perf_counter() < end or best == float("inf"):
        begun = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - begun)
    return best * 1e6, hashlib.sha256(np.asarray(result).tobytes()).hexdigest()


def made(
    program: str, way: str, threads: int, given: list[np.ndarray]
) -> Callable[[], object]:
    """Return a call of a program, compiled."""
    if way == "jax":
        import jax

        names = {"scan": jax.lax.scan, "np": jax.numpy}
        compiled = jax.jit(eval(program, names))
        arrays = [jax.numpy.asarray(a) for a in given]
        compiled(*arrays).block_until_ready()
        return lambda: compiled(*arrays).block_until_ready()
    import tensorc as tc
    from tensorc.passes.schedule import schedule
    from tensorc.runtime import threads as pool

    pool.use(threads)
    if way == "launches":
        schedule.schedule_scan = lambda op, target: None
    names = [tc.tensor(f"v{i}", "float32", a.shape) for i, a in enumerate(given)]
    function = tc.function(names, eval(program, {"scan": tc.scan, "np": np})(*names))
    function(*given)
    return lambda: function(*given)


if __name__ == "__main__":
    main()
