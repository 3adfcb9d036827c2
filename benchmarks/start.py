"""From the start of a process to its first training step: tensorc, NumPy and JAX.

    python benchmarks/start.py [--rounds N] [--threads N] [--jax PYTHON] [--json FILE]

Each program makes the weights of examples/mlp.tc (784-500-10, batch 20, float32), takes
one step and prints its cost. tensorc does it three ways: the file by `tc.load`, the
same model traced by `tc.step`, and built by `tc.function`; with an empty cache and with
one that an earlier run has filled. The programs run in turn, and a round that fills
caches of bytecode comes first. Printed are medians of seconds until the cost is there,
and of the processor time until then, which says more on a busy machine; `+` is over
NumPy's program. The commands `--help` and `check`, and imports, are measured to their
ends. JAX need not be installed here: `--jax` names the Python of an environment that
has it.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
Times = tuple[float, float]  # seconds, and seconds of processors

WEIGHTS = """
import numpy as np
bound = np.float32((6 / 1284) ** 0.5)
W1 = np.random.default_rng(1).uniform(-bound, bound, (784, 500)).astype(np.float32)
b1, W2, b2 = (np.zeros(s, np.float32) for s in ((500,), (500, 10), (10,)))
x = np.linspace(0, 1, 20 * 784, dtype=np.float32).reshape(20, 784)
y = np.arange(20, dtype=np.int32) % 10
"""
NUMPY = """
def step(x, y):
    global W1, b1, W2, b2
    h = np.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    cost = np.mean(np.log(total[:, 0]) - z[np.arange(20), y])
    cost += np.float32(1e-4) * ((W1 * W1).sum() + (W2 * W2).sum())
    p /= total
    p[np.arange(20), y] -= 1
    p /= np.float32(20)
    dh = (p @ W2.T) * (1 - h * h)
    g1, g2 = x.T @ dh + np.float32(2e-4) * W1, h.T @ p + np.float32(2e-4) * W2
    W1, b1 = W1 - np.float32(0.01) * g1, b1 - np.float32(0.01) * dh.sum(axis=0)
    W2, b2 = W2 - np.float32(0.01) * g2, b2 - np.float32(0.01) * p.sum(axis=0)
    return cost
cost = step(x, y)
"""
SHARED = """
import tensorc as tc
params = W1, b1, W2, b2 = [tc.shared(p) for p in (W1, b1, W2, b2)]
"""
STEP = """
@tc.step
def step(x, y):
    z = np.tanh(x @ W1 + b1) @ W2 + b2
    penalty = np.sum(W1 * W1) + np.sum(W2 * W2)
    cost = np.mean(tc.cross_entropy(z, y)) + 1e-4 * penalty
    for p, g in zip(params, tc.grad(cost, params)):
        tc.update(p, p - 0.01 * g)
    return cost
cost = step(x, y)
"""
FUNCTION = """
a, b = tc.matrix("x"), tc.ivector("y")
z = tc.tanh(a @ W1 + b1) @ W2 + b2
penalty = tc.sum(W1 * W1) + tc.sum(W2 * W2)
cost = tc.mean(tc.cross_entropy(z, b)) + 1e-4 * penalty
updates = [(p, p - 0.01 * g) for p, g in zip(params, tc.grad(cost, params))]
cost = tc.function([a, b], cost, updates=updates)(x, y)
"""
LOAD = """
import tensorc as tc
model = tc.load("examples/mlp.tc")
cost = model.train(x, y)
"""
JAX = """
import jax, jax.numpy as jnp
def loss(params, x, y):
    W1, b1, W2, b2 = params
    z = jax.nn.log_softmax(jnp.tanh(x @ W1 + b1) @ W2 + b2)
    nll = -jnp.take_along_axis(z, y[:, None], 1).mean()
    return nll + 1e-4 * ((W1 ** 2).sum() + (W2 ** 2).sum())
@jax.jit
def step(params, x, y):
    cost, gradients = jax.value_and_grad(loss)(params, x, y)
    return jax.tree.map(lambda p, g: p - 0.01 * g, params, gradients), cost
params, cost = step([jnp.asarray(p) for p in (W1, b1, W2, b2)], x, y)
cost.block_until_ready()
"""
SHOW = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, float(cost), flush=True)
import os
os._exit(0)
"""
OURS = {
    "tc.load": WEIGHTS + LOAD,
    "tc.step": WEIGHTS + SHARED + STEP,
    "tc.function": WEIGHTS + SHARED + FUNCTION,
}
COMMANDS = {
    "python": ("-c", "pass"),
    "import numpy": ("-c", "import numpy"),
    "import tensorc": ("-c", "import tensorc"),
    "tensorc --help": ("-m", "tensorc", "--help"),
    "tensorc check logreg.tc": ("-m", "tensorc", "check", "examples/logreg.tc"),
}


def environment(threads: int, cache: str) -> dict[str, str]:
    """Return what the programs run in: bytecode is kept, as it is for users."""
    changed = dict.fromkeys(THREADS, str(threads))
    changed |= {"TENSORC_NUM_THREADS": str(threads), "TENSORC_CACHE_DIR": cache}
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | changed


def first_step(python: str, code: str, threads: int, cache: str) -> Times:
    """Return the times from the start of a process until its step is done."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [python, "-c", code + SHOW],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(threads, cache),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - begun
    used, cost = line.split()
    assert 2 < float(cost) < 3, line
    return seconds, float(used)


def whole(arguments: tuple[str, ...], threads: int) -> Times:
    """Return the times of a process from its start to its end."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    settings = environment(threads, "off")
    subprocess.run(
        command, stdout=subprocess.DEVNULL, cwd=ROOT, env=settings, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, used


def one_round(threads: int, jax: str, full: str) -> dict[str, Times]:
    """Return the times of every program, each run once."""
    python = sys.executable
    times = {"numpy": first_step(python, WEIGHTS + NUMPY, threads, "off")}
    if jax:
        times["jax"] = first_step(jax, WEIGHTS + JAX, threads, "off")
    for name, code in OURS.items():
        with tempfile.TemporaryDirectory() as empty:
            times[f"{name}, empty cache"] = first_step(python, code, threads, empty)
        times[f"{name}, filled cache"] = first_step(python, code, threads, full)
    times |= {name: whole(words, threads) for name, words in COMMANDS.items()}
    return times


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jax", default="", metavar="PYTHON")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as full:
        one_round(options.threads, options.jax, full)  # fills caches
        rounds = [
            one_round(options.threads, options.jax, full) for _ in range(options.rounds)
        ]
    medians = {
        name: [statistics.median(r[name][kind] for r in rounds) for kind in (0, 1)]
        for name in rounds[0]
    }
    about = f"Python {platform.python_version()}, NumPy {version('numpy')}, "
    about += f"llvmlite {version('llvmlite')}, {options.threads} threads"
    print(f"{about}; medians of {options.rounds} rounds, seconds")
    print(f"{'':26}{'until':>8}{'+':>8}{'processor':>12}{'+':>8}")
    base = medians["numpy"]
    for name, (seconds, used) in medians.items():
        more = [f"{seconds - base[0]:+8.2f}", f"{used - base[1]:+8.2f}"]
        if name in COMMANDS or name == "numpy":
            more = [" " * 8] * 2
        print(f"{name:26}{seconds:8.2f}{more[0]}{used:12.2f}{more[1]}")
    if options.json:
        Path(options.json).write_text(json.dumps({"about": about, "medians": medians}))


if __name__ == "__main__":
    main()
