"""tensorc beside NumPy, JAX and PyTorch, and beside what the machine can do.

    python benchmarks/compare.py [--jax PYTHON] [--torch PYTHON [--torch-compile]]
                                 [--only NAME,...] [--threads 1,2] [--rounds N]
                                 [--seconds S] [--out PAGE]

`--only` takes names (`gemm1024`), patterns (`gemm*_tn`) and parts of the page (`steps`,
`convolutions`, `products`, `training`); what it measures is printed, and written only
with `--out`.

Each peer has a process for each number of threads, which lives for the whole run; for
each workload they run one short block in turn, so that none has the quieter machine.
Medians of the rounds, and the least, go to `benchmarks/RESULTS.md`, with a plot. JAX
and PyTorch need environments of their own: `--jax` and `--torch` name their Pythons.
Peers run as they are installed: settings that choose kernels for them are taken out of
the environment.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from peers.inputs import BY_NAME, EXAMPLES, LARGE, LIMITS, STEPS, WORKLOADS
from peers.report import Key, Record, kept_sections, page, plot

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
# These make OpenBLAS choose other kernels or blocks than it would.
HINDERING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
CALM = 0.3  # processors that others may use meanwhile
AGREE = 1e-3  # by which checks may differ, relatively


@dataclass
class Peer:
    """A peer's process."""

    name: str
    threads: int
    process: subprocess.Popen[str]
    version: str = ""

    def ask(self, **order: object) -> dict[str, float | str]:
        """Give an order and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, float | str]:
        """Return the next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return {"lacks": f"{self.name} ended"}
        answer: dict[str, float | str] = json.loads(line)
        return answer


def start(name: str, python: str, threads: int) -> Peer | None:
    """Return a peer that has begun, or None if it does not run here."""
    count = str(threads)
    environment = {**os.environ, **dict.fromkeys(THREADS, count)}
    environment["TENSORC_NUM_THREADS"] = count
    for variable in HINDERING:
        environment.pop(variable, None)
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    command = [python, str(HERE / "peers" / "worker.py"), name]
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    peer = Peer(name, threads, process)
    answer = peer.read()
    if "lacks" in answer:
        print(f"{name} does not run here", file=sys.stderr)
        return None
    peer.version = str(answer["version"])
    return peer


def measure(
    name: str, peers: Sequence[Peer], rounds: int, seconds: float, notes: list[str]
) -> dict[Key, Record]:
    """Return what the rounds of a workload gave in each peer."""
    records: dict[Key, Record] = {}
    present = []
    for peer in peers:
        answer = peer.ask(begin=name)
        if "check" in answer:
            present.append(peer)
            records[peer.name, peer.threads] = Record(float(answer["check"]))
        elif not str(answer["lacks"]).startswith("no "):
            notes.append(f"{name}: {peer.name} failed: {answer['lacks']}")
    block = seconds * BY_NAME[name].share
    for _ in range(rounds):
        for peer in present:
            answer = peer.ask(run=block)
            record = records[peer.name, peer.threads]
            record.seconds.append(float(answer["seconds"]))
            record.others.append(float(answer["others"]))
    for peer in present:
        if BY_NAME[name].part in (STEPS, LARGE) and peer.threads == 1:
            record = records[peer.name, peer.threads]
            record.memory = float(peer.ask(memory=name)["bytes"])
    for peer in peers:
        peer.ask(end=name)
    notes += remarks(name, records)
    return records


def remarks(name: str, records: dict[Key, Record]) -> list[str]:
    """Return what a reader must know: peers that disagree, and a busy machine."""
    found = []
    checks = [record.check for record in records.values()]
    middle = statistics.median(checks) if checks else 0.0
    if name not in {limit.name for limit in LIMITS}:
        for (peer, _), record in records.items():
            if abs(record.check - middle) > AGREE * max(abs(middle), 1e-6):
                found.append(f"{name}: {peer} gave {record.check}, not {middle}")
    busy = [o for record in records.values() for o in record.others]
    if busy and statistics.median(busy) > CALM:
        found.append(f"{name}: others used {statistics.median(busy):.1f} processors")
    return found


def write_digits(path: Path) -> None:
    """Write the images and labels of the training workloads."""
    from tensorc.runtime.training.data import mnist

    columns = mnist(HERE.parent / "examples" / "data" / "mnist").train.columns
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x=columns["x"][:EXAMPLES], y=columns["y"][:EXAMPLES])


def machine() -> str:
    """Return the processor's name and number."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} processors"


def chosen(only: str) -> list[str]:
    """Return the names of workloads that `--only` means, in the order of the page.

    Raises:
        SystemExit: an item of it means none.
    """
    items, found = only.split(","), set()
    for item in items:
        some = {w.name for w in WORKLOADS if item == w.part or fnmatch(w.name, item)}
        if not some:
            sys.exit(f"compare.py: no workload is called {item}")
        found |= some
    return [w.name for w in WORKLOADS if w.name in found]


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jax", metavar="PYTHON")
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--torch-compile", action="store_true")
    parser.add_argument("--only", metavar="NAME,...")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--out", type=Path, metavar="PAGE")
    given = parser.parse_args()
    if given.only is None and given.out is None:
        given.out = HERE / "RESULTS.md"
    return given


def main() -> None:
    """Measure, and write the page and the plot."""
    given = arguments()
    names = chosen(given.only or "*")
    digits = HERE.parent / "build" / "peers-mnist.npz"
    write_digits(digits)
    os.environ["MNIST"] = str(digits)
    pythons = {"tensorc": sys.executable, "numpy": sys.executable}
    if given.jax:
        pythons["jax"] = given.jax
    if given.torch:
        pythons["torch"] = pythons["torch_channels_last"] = given.torch
        if given.torch_compile:
            pythons["torch_compile"] = given.torch
            pythons["torch_compile_step"] = given.torch
    counts = [int(t) for t in given.threads.split(",")]
    found = [start(n, p, t) for t in counts for n, p in pythons.items()]
    peers = [peer for peer in found if peer is not None]
    meters = [p for t in counts if (p := start("limits", sys.executable, t))]
    notes: list[str] = []
    rates: dict[int, dict[str, float]] = {t: {} for t in counts}
    for limit in LIMITS:
        records = measure(limit.name, meters, given.rounds, given.seconds, notes)
        for (_, threads), record in records.items():
            rates[threads][limit.name] = 1 / min(record.seconds)
    results = {}
    for name in names:
        results[name] = measure(name, peers, given.rounds, given.seconds, notes)
        medians = {k: f"{r.median:.3g}" for k, r in results[name].items()}
        print(name, medians, file=sys.stderr)
    versions = ", ".join(sorted({p.version for p in peers}))
    head = [
        f"{machine()}; Python {platform.python_version()}; {versions}; "
        f"{time.strftime('%Y-%m-%d')}.",
        f"{given.rounds} rounds in turn of {given.seconds} s; medians, the least in "
        "brackets. Bold: our median over the best peer's; below 1 we are faster.",
    ]
    text = page(results, rates, head, notes)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text + kept_sections(given.out))
        given.out.with_name("results.svg").write_text(plot(results))
    for peer in [*peers, *meters]:
        peer.process.kill()


if __name__ == "__main__":
    main()
