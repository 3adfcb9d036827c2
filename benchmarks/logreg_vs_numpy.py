"""Softmax regression on MNIST: tensorc's training step beside plain NumPy in float32.

    python benchmarks/logreg_vs_numpy.py [--epochs N] [--json FILE]

Both train the model of examples/logreg.tc (batch 600, learning rate 0.13) on the same
arrays, one epoch each in turn, so that neither has the quieter machine. Two processes:
one with NumPy's default number of threads, one with a single thread. Printed are
medians over the epochs, and how far the two models have drifted apart.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import llvmlite
import numpy as np
from llvmlite import binding

from tensorc.api import program as api
from tensorc.runtime.training.data import mnist
from tensorc.runtime.training.epoch import prepare_epoch, run_batches

ROOT = Path(__file__).parents[1]
BATCH = 600
RATE = np.float32(0.13)
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def numpy_epoch(W: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Train one epoch in place; return the mean cost of its batches."""
    rows = np.arange(BATCH)
    costs = []
    for start in range(0, len(x) - BATCH + 1, BATCH):
        images, labels = x[start : start + BATCH], y[start : start + BATCH]
        z = images @ W + b
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        costs.append(np.mean(np.log(total[:, 0]) - z[rows, labels]))
        p /= total
        p[rows, labels] -= 1
        p /= np.float32(BATCH)
        W -= RATE * (images.T @ p)
        b -= RATE * p.sum(axis=0)
    return float(np.mean(costs))


def measure(epochs: int) -> dict[str, float]:
    """Train both models, epoch by epoch in turn; return steps per second and drift."""
    program = api.load(str(ROOT / "examples" / "logreg.tc"), {})
    columns = mnist(ROOT / "examples" / "data" / "mnist").train.columns
    x, y = columns["x"], columns["y"]
    W, b = np.zeros((784, 10), np.float32), np.zeros(10, np.float32)
    step = program.functions["train"]
    epoch = prepare_epoch(step, columns, BATCH)
    seconds: dict[str, list[float]] = {"numpy": [], "tensorc": [], "calls": []}
    cost = 0.0
    for _ in range(epochs):
        start = time.perf_counter()
        cost = numpy_epoch(W, b, x, y)
        seconds["numpy"].append(time.perf_counter() - start)
        start = time.perf_counter()
        run_batches(epoch, 0, epoch.batches)
        seconds["tensorc"].append(time.perf_counter() - start)
    drift = float(np.abs(program.shared["W"].get_value() - W).max())
    ours = float(epoch.results[0].mean())
    # The same step called from Python, batch by batch: what the epoch driver saves.
    for _ in range(max(1, epochs // 4)):
        start = time.perf_counter()
        for i in range(0, epoch.batches * BATCH, BATCH):
            step(x[i : i + BATCH], y[i : i + BATCH])
        seconds["calls"].append(time.perf_counter() - start)
    speeds = {k: epoch.batches / statistics.median(v) for k, v in seconds.items()}
    return {**speeds, "cost_numpy": cost, "cost_tensorc": ours, "drift": drift}


def child(epochs: int, threads: str | None) -> dict[str, float]:
    """Measure in a fresh process, because BLAS reads its threads when it is loaded."""
    environment = {k: v for k, v in os.environ.items() if k not in THREADS}
    if threads is not None:
        environment |= dict.fromkeys(THREADS, threads)
    command = [sys.executable, __file__, "--measure", "--epochs", str(epochs)]
    done = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Print the table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=21)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.epochs)))
        return
    llvm = ".".join(map(str, binding.llvm_version_info))
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(f"llvmlite {llvmlite.__version__} (LLVM {llvm}), {os.cpu_count()} CPUs")
    print(f"steps per second, batch {BATCH}, median of {options.epochs} epochs in turn")
    print(f"{'NumPy threads':<15}{'NumPy':>10}{'tensorc':>10}{'ratio':>8}{'calls':>10}")
    results = {}
    for name, threads in (("default", None), ("1", "1")):
        r = results[name] = child(options.epochs, threads)
        ratio = r["tensorc"] / r["numpy"]
        print(f"{name:<15}{r['numpy']:>10.0f}{r['tensorc']:>10.0f}", end="")
        print(f"{ratio:>8.2f}{r['calls']:>10.0f}")
    print(f"cost of the last epoch: NumPy {r['cost_numpy']:.6f}, ", end="")
    print(f"tensorc {r['cost_tensorc']:.6f}; largest difference in W {r['drift']:.1e}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
