"""The workloads: their arrays, and the least that a machine must do for them.

Needs NumPy alone, so that environments of other frameworks can import it. All floats
are float32, all peers get the same arrays. `MNIST` names an `.npz` file with `x` and
`y`, which `compare.py` writes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Arrays = dict[str, np.ndarray]

LOGREG_RATE = 0.13
MLP_RATE, MLP_L2 = 0.01, 1e-4
EXAMPLES = 10_000  # that one block of a training workload goes through
CALLS = 2000  # of `call` in a run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A workload in a peer: `run` does it `units` times, and waits for the result.

    `check` gives a number of what the last run gave: peers must agree about it.
    """

    run: Callable[[], object]
    check: Callable[[], float]
    units: int = 1


def kept(function: Callable[[], T], check: Callable[[T], float]) -> Job:
    """Return the job of a function whose result is checked."""
    last: list[T] = []

    def run() -> None:
        last[:] = [function()]

    return Job(run, lambda: float(check(last[0])))


def repeated(function: Callable[[], T], check: Callable[[T], float]) -> Job:
    """Return the job of calling a function many times."""
    return Job(
        lambda: [function() for _ in range(CALLS)],
        lambda: float(check(function())),
        CALLS,
    )


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    `flops` are multiplications and additions, `read` and `written` bytes of memory that
    a step cannot avoid beyond its caches; 0 where that says nothing.
    """

    name: str
    unit: str  # "us" or "ms"
    arrays: Callable[[], Arrays]
    what: str
    flops: float = 0
    read: float = 0
    written: float = 0


def _normal(seed: int, **shapes: tuple[int, ...]) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(s, dtype=np.float32) for name, s in shapes.items()
    }


def _logits() -> Arrays:
    labels = np.random.default_rng(2).integers(0, 1000, 8192)
    return {**_normal(1, z=(8192, 1000)), "y": labels}


def _digits(batch: int) -> Arrays:
    count = EXAMPLES // batch * batch
    with np.load(os.environ["MNIST"]) as arrays:
        x, y = arrays["x"][:count], arrays["y"][:count]
    return {"x": x, "y": y, "batch": np.array(batch)}


def _logreg() -> Arrays:
    zeros = {"W": np.zeros((784, 10), np.float32), "b": np.zeros(10, np.float32)}
    return {**_digits(600), **zeros}


def _mlp(batch: int) -> Arrays:
    bound = np.sqrt(6 / 1284)
    first = np.random.RandomState(1234).uniform(-bound, bound, (784, 500))
    shapes = {"b1": (500,), "W2": (500, 10), "b2": (10,)}
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return {**_digits(batch), "W1": first.astype(np.float32), **zeros}


def _square(n: int) -> Callable[[], Arrays]:
    return lambda: _normal(n, a=(n, n), b=(n, n))


def _mlp_flops(batch: int) -> float:
    return 2.0 * batch * (2 * 784 * 500 + 3 * 500 * 10)


_IMAGES = (500, 20, 24, 24)
_MIB = float(1 << 20)

WORKLOADS = (
    Workload(
        "logreg",
        "us",
        _logreg,
        "a step of softmax regression on MNIST, batch 600",
        2 * 2.0 * 600 * 784 * 10,
        600 * 784 * 4.0,
    ),
    *(
        Workload(
            f"mlp_b{batch}",
            "us",
            lambda batch=batch: _mlp(batch),
            f"a step of the 784-500-10 tanh perceptron with L2, batch {batch}",
            _mlp_flops(batch),
        )
        for batch in (20, 128)
    ),
    Workload(
        "chain",
        "ms",
        lambda: _normal(3, x=(10_000_000,), y=(10_000_000,), z=(10_000_000,)),
        "sum(exp(-(x - y)**2) * sigmoid(z)), 10^7 elements",
        read=120e6,
    ),
    Workload(
        "chain_grad",
        "ms",
        lambda: _normal(3, x=(10_000_000,), y=(10_000_000,), z=(10_000_000,)),
        "its gradient by x, y and z",
        read=120e6,
        written=120e6,
    ),
    Workload(
        "loss",
        "ms",
        _logits,
        "mean softmax cross-entropy of [8192, 1000], sizes unknown to the compiler",
        read=8192 * 4000.0,
    ),
    Workload(
        "loss_grad",
        "ms",
        _logits,
        "the loss and its gradient",
        read=8192 * 4000.0,
        written=8192 * 4000.0,
    ),
    Workload(
        "rownorm",
        "ms",
        lambda: _normal(4, x=(4096, 1024), g=(1024,), b=(1024,)),
        "(x - mean) / sqrt(var + 1e-5) * g + b along rows of [4096, 1024]",
        read=4096 * 4096.0,
        written=4096 * 4096.0,
    ),
    *(
        Workload(
            f"gemm{n}", "ms", _square(n), f"a product of two [{n}, {n}]", 2.0 * n**3
        )
        for n in (512, 1024, 2048)
    ),
    Workload(
        "sum_channels",
        "ms",
        lambda: _normal(5, x=_IMAGES),
        "sums over axes 0, 2 and 3 of [500, 20, 24, 24]",
        read=4.0 * np.prod(_IMAGES),
    ),
    *(
        Workload(
            f"sum_rows{length}",
            "ms",
            lambda n=n, length=length: _normal(8, x=(n, 64, length)),
            f"sums over axes 0 and 2 of [{n}, 64, {length}]",
            read=4.0 * n * 64 * length,
        )
        for n, length in ((1913, 49), (31250, 3))
    ),
    Workload(
        "sum_turned",
        "ms",
        lambda: _normal(9, x=(3000, 3000)),
        "the sum of the transpose of [3000, 3000]",
        read=36e6,
    ),
    Workload(
        "sum_down",
        "us",
        lambda: _normal(10, x=(20, 500)),
        "sums over the rows of [20, 500], a bias gradient",
    ),
    Workload(
        "tanh",
        "ms",
        lambda: _normal(11, x=(8, 1_000_000)),
        "tanh of [8, 10^6]",
        read=32e6,
        written=32e6,
    ),
    Workload(
        "relu",
        "ms",
        lambda: _normal(12, x=(32, 64, 56, 56)),
        "the larger of 0 and [32, 64, 56, 56]",
        read=4.0 * 32 * 64 * 56 * 56,
        written=4.0 * 32 * 64 * 56 * 56,
    ),
    Workload(
        "pool",
        "ms",
        lambda: _normal(5, x=_IMAGES),
        "2 x 2 max pooling of [500, 20, 24, 24] as a reshape and a maximum",
        read=4.0 * np.prod(_IMAGES),
        written=float(np.prod(_IMAGES)),
    ),
    Workload(
        "join",
        "ms",
        lambda: _normal(6, **{f"x{i}": (4096, 128) for i in range(4)}),
        "four [4096, 128] put side by side",
        read=8 * _MIB,
        written=8 * _MIB,
    ),
    Workload(
        "attention",
        "ms",
        lambda: _normal(7, q=(8, 1024, 64), k=(8, 1024, 64), v=(8, 1024, 64)),
        "softmax(q k^T / 8) v, 8 heads of [1024, 64]",
        4.0 * 8 * 1024 * 1024 * 64,
    ),
    Workload(
        "call",
        "us",
        lambda: {"x": np.arange(10, dtype=np.float32)},
        "x * 2 + 1 of ten numbers: what a call costs",
    ),
)
LIMITS = (
    Workload("fma", "GFLOP/s", dict, "fused multiply-adds in registers"),
    Workload("read", "GB/s", dict, "reading 256 MB"),
    Workload("triad", "GB/s", dict, "o = x + y / 2 on 3 x 128 MB"),
)
BY_NAME = {workload.name: workload for workload in (*WORKLOADS, *LIMITS)}
