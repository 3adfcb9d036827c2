"""The tutorial's multilayer perceptron: tensorc's epoch beside NumPy's and JAX's.

    python benchmarks/mlp_vs_peers.py [--rounds N] [--batch B] [--jax PYTHON]

All train the model of examples/mlp.tc (784-500-10, tanh, L1 and L2, float32) from the
same weights. Each has a process of its own for one and for two threads, which stays
there for the whole run; the processes train a fifth of an epoch in turn, so that none
has the quieter machine. JAX compiles the scan over these batches as one program; it
need not be installed here: `--jax` names the Python of an environment that has it.
Printed are medians of microseconds per step, and the mean cost of the first round: it
tells who computes something else.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RATE, L1, L2 = 0.01, 0.0, 0.0001
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
PEERS = ("numpy", "jax", "tensorc")
Round = Callable[[], float]  # train some batches, return their mean cost


def weights() -> list[np.ndarray]:
    """Return W1, b1, W2, b2 as the tutorial starts."""
    bound = np.sqrt(6 / 1284)
    W1 = np.random.RandomState(1234).uniform(-bound, bound, (784, 500))
    zeros = [np.zeros(shape, np.float32) for shape in ((500,), (500, 10), (10,))]
    return [W1.astype(np.float32), *zeros]


def data(batch: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images and labels of a fifth of an epoch, and how many batches they are.

    Written to a file by the parent, so that JAX's environment needs no tensorc.
    """
    arrays = np.load(os.environ["BENCH_DATA"])
    count = 10_000 // batch
    return arrays["x"][: count * batch], arrays["y"][: count * batch], count


def numpy_round(batch: int) -> Round:
    """Train in plain NumPy."""
    W1, b1, W2, b2 = weights()
    x, y, count = data(batch)
    rows = np.arange(batch)
    rate, l1, l2 = np.float32(RATE), np.float32(L1), np.float32(L2)

    def step(images: np.ndarray, labels: np.ndarray) -> float:
        nonlocal W1, b1, W2, b2
        h = np.tanh(images @ W1 + b1)
        z = h @ W2 + b2
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        cost = np.mean(np.log(total[:, 0]) - z[rows, labels])
        cost += l1 * (np.abs(W1).sum() + np.abs(W2).sum())
        cost += l2 * ((W1 * W1).sum() + (W2 * W2).sum())
        p /= total
        p[rows, labels] -= 1
        p /= np.float32(batch)
        dh = (p @ W2.T) * (1 - h * h)
        g1 = images.T @ dh + l1 * np.sign(W1) + 2 * l2 * W1
        g2 = h.T @ p + l1 * np.sign(W2) + 2 * l2 * W2
        W1 -= rate * g1
        b1 -= rate * dh.sum(axis=0)
        W2 -= rate * g2
        b2 -= rate * p.sum(axis=0)
        return float(cost)

    def run() -> float:
        slices = (slice(i * batch, (i + 1) * batch) for i in range(count))
        return float(np.mean([step(x[s], y[s]) for s in slices]))

    return run


def jax_round(batch: int) -> Round:
    """Train with a scan that JAX compiles as a whole, its state donated."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    images, labels, count = data(batch)
    x, y = jnp.asarray(images), jnp.asarray(labels)
    state = [jnp.array(w) for w in weights()]

    def cost(
        p: list[jax.Array], x: jax.Array, y: jax.Array, l1: jax.Array, l2: jax.Array
    ) -> jax.Array:
        z = jax.nn.log_softmax(jnp.tanh(x @ p[0] + p[1]) @ p[2] + p[3])
        nll = -jnp.take_along_axis(z, y[:, None], 1).mean()
        absolute = jnp.abs(p[0]).sum() + jnp.abs(p[2]).sum()
        return nll + l1 * absolute + l2 * ((p[0] ** 2).sum() + (p[2] ** 2).sum())

    def epoch(
        p: list[jax.Array], x: jax.Array, y: jax.Array, *scalars: jax.Array
    ) -> tuple[list[jax.Array], jax.Array]:
        rate, l1, l2 = scalars

        def step(p: list[jax.Array], i: jax.Array) -> tuple[list[jax.Array], jax.Array]:
            part = lax.dynamic_slice_in_dim(x, i * batch, batch)
            targets = lax.dynamic_slice_in_dim(y, i * batch, batch)
            c, g = jax.value_and_grad(cost)(p, part, targets, l1, l2)
            return jax.tree.map(lambda p, g: p - rate * g, p, g), c

        return lax.scan(step, p, jnp.arange(count))

    compiled = jax.jit(epoch, donate_argnums=0)
    scalars = [jnp.float32(v) for v in (RATE, L1, L2)]

    def run() -> float:
        nonlocal state
        state, costs = compiled(state, x, y, *scalars)
        return float(np.mean(np.asarray(costs)))

    return run


def tensorc_round(batch: int) -> Round:
    """Train with tensorc's compiled epoch loop."""
    from tensorc.api import program as api
    from tensorc.runtime.training.epoch import prepare_epoch, run_batches

    program = api.load(str(ROOT / "examples" / "mlp.tc"), {})
    for name, value in zip(("W1", "b1", "W2", "b2"), weights(), strict=True):
        program.shared[name].set_value(value)
    x, y, count = data(batch)
    step = program.functions["train"]
    epoch = prepare_epoch(step, {"x": x, "y": y}, batch)

    def run() -> float:
        run_batches(epoch, 0, count)
        return float(epoch.results[0].mean())

    return run


def serve(peer: str, batch: int) -> None:
    """Run a round for each line on stdin; answer its seconds per step and mean cost."""
    run = {"numpy": numpy_round, "jax": jax_round, "tensorc": tensorc_round}[peer](
        batch
    )
    steps = 10_000 // batch
    for _ in sys.stdin:
        start = time.perf_counter()
        cost = run()
        print(json.dumps([(time.perf_counter() - start) / steps, cost]), flush=True)


def start(
    peer: str, threads: int, options: argparse.Namespace
) -> subprocess.Popen[str]:
    """Start a peer's process."""
    count = str(threads)
    environment = {**os.environ, **dict.fromkeys(THREADS, count)}
    environment["TENSORC_NUM_THREADS"] = count
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    python = options.jax if peer == "jax" else sys.executable
    command = [python, __file__, "--serve", peer, "--batch", str(options.batch)]
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ask(worker: subprocess.Popen[str]) -> tuple[float, float] | None:
    """Have one round run; None if the process is gone."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write("\n")
        worker.stdin.flush()
        seconds, cost = json.loads(worker.stdout.readline())
    except (BrokenPipeError, json.JSONDecodeError):
        return None
    return seconds, cost


def main() -> None:
    """Print the table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--jax", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", choices=PEERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.batch)
        return
    from tensorc.runtime.training.data import mnist

    columns = mnist(ROOT / "examples" / "data" / "mnist").train.columns
    path = ROOT / "build" / "bench-mlp.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x=columns["x"][:10_000], y=columns["y"][:10_000])
    os.environ["BENCH_DATA"] = str(path)
    workers = {(p, t): start(p, t, options) for t in (1, 2) for p in PEERS}
    first = {key: ask(worker) for key, worker in workers.items()}
    for (peer, threads), answer in first.items():
        if answer is None:
            print(f"{peer} does not run here ({threads} threads)", file=sys.stderr)
    present = [key for key, answer in first.items() if answer]
    times: dict[tuple[str, int], list[float]] = {key: [] for key in present}
    for _ in range(options.rounds):
        for key in present:
            answer = ask(workers[key])
            assert answer is not None
            times[key].append(answer[0] * 1e6)
    for worker in workers.values():
        worker.kill()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(
        f"{os.cpu_count()} CPUs; batch {options.batch}, {options.rounds} rounds in turn"
    )
    print(f"{'us per step':<12}{'threads':>8}{'median':>10}{'least':>10}{'cost':>12}")
    rows = []
    for (peer, threads), values in times.items():
        median, cost = statistics.median(values), first[peer, threads]
        assert cost is not None
        print(
            f"{peer:<12}{threads:>8}{median:>10.1f}{min(values):>10.1f}{cost[1]:>12.6f}"
        )
        rows.append({"peer": peer, "threads": threads, "us": median, "cost": cost[1]})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
