"""The workloads: their arrays, and the least that a machine must do for them.

Needs NumPy alone, so that environments of other frameworks can import it. Floats are
float32 unless a product says otherwise, all peers get the same arrays. `MNIST` names
an `.npz` file with `x` and `y`, which `compare.py` writes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from peers.convolutions import CONVOLUTIONS, Convolution
from peers.products import PRODUCTS, Product

Arrays = dict[str, np.ndarray]

LOGREG_RATE = 0.13
MLP_RATE, MLP_L2 = 0.01, 1e-4
LENET_RATE = 0.1
# Of examples/lenet.tc, in the order of the layers.
LENET = tuple(
    f"{layer}.{name}"
    for layer in ("conv1", "conv2", "hidden", "output")
    for name in ("W", "b")
)
EXAMPLES = 10_000  # that one block of a training workload goes through
CALLS = 2000  # of `call` in a run
# Tables of the page, and what `--only` takes for all their workloads.
STEPS, LARGE, TRAINING = "steps", "products", "training"
CONVS, ORDERS = "convolutions", "orders"
LSTM_SIZES = {"x": 64, "h": 128, "steps": 16, "batch": 32}

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


def last(array: object) -> float:
    """Return the last element of a peer's array, or its only one."""
    return float(np.asarray(array).reshape(-1)[-1])


def middle(array: object) -> float:
    """Return the element in the middle of a peer's array."""
    flat = np.asarray(array).reshape(-1)
    return float(flat[flat.size // 2])


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    `flops` are multiplications and additions, `read` and `written` bytes of memory that
    a step cannot avoid beyond its caches; 0 where that says nothing. `bits` are those
    of a number that is multiplied. A block takes `share` of the seconds of others.
    """

    name: str
    unit: str  # "us" or "ms"
    arrays: Callable[[], Arrays]
    what: str
    flops: float = 0
    read: float = 0
    written: float = 0
    part: str = STEPS
    bits: int = 32
    share: float = 1


def _normal(seed: int, **shapes: tuple[int, ...]) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(s, dtype=np.float32) for name, s in shapes.items()
    }


def _logits() -> Arrays:
    labels = np.random.default_rng(2).integers(0, 1000, 8192)
    return {**_normal(1, z=(8192, 1000)), "y": labels}


def _digits(batch: int, most: int = EXAMPLES) -> Arrays:
    count = most // batch * batch
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


def _lenet() -> Arrays:
    """Five batches of 500, and the tutorial's first weights."""
    rng = np.random.RandomState(23455)
    bounds = {"conv1.W": 150, "conv2.W": 812, "hidden.W": 1300}
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.W": (20, 1, 5, 5),
        "conv1.b": (20,),
        "conv2.W": (50, 20, 5, 5),
        "conv2.b": (50,),
        "hidden.W": (800, 500),
        "hidden.b": (500,),
        "output.W": (500, 10),
        "output.b": (10,),
    }
    weights = {
        name: rng.uniform(-1, 1, shape) * np.sqrt(6 / bounds[name])
        if name in bounds
        else np.zeros(shape)
        for name, shape in shapes.items()
    }
    floats = {name: w.astype(np.float32) for name, w in weights.items()}
    return {**_digits(500, 2500), **floats}


def _convolution(convolution: Convolution) -> Workload:
    return Workload(
        convolution.name,
        convolution.unit,
        convolution.arrays,
        convolution.what,
        convolution.flops,
        part=CONVS,
        share=0.25,
    )


def _product(product: Product) -> Workload:
    """Return the workload of a product; for whole numbers no limit is measured."""
    dtype = np.dtype(product.dtype)
    return Workload(
        product.name,
        product.unit,
        product.arrays,
        product.what,
        product.flops if dtype.kind == "f" else 0.0,
        product.read,
        part=TRAINING if product.training else LARGE,
        bits=8 * dtype.itemsize,
        share=0.25 if product.training else 0.5,
    )


def _attention(*names: str) -> Arrays:
    return _normal(7, **dict.fromkeys(names, (8, 1024, 64)))


def _lstm() -> Arrays:
    inputs, hidden, steps, batch = LSTM_SIZES.values()
    rng = np.random.default_rng(14)
    shapes = {"W": (inputs, 4 * hidden), "U": (hidden, 4 * hidden), "b": (4 * hidden,)}
    weights = {
        name: rng.uniform(-0.08, 0.08, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    return {**_normal(15, x=(steps, batch, inputs)), **weights}


def _mlp_flops(batch: int) -> float:
    return 2.0 * batch * (2 * 784 * 500 + 3 * 500 * 10)


def _lenet_flops(batch: int) -> float:
    first, second, hidden, output = 24 * 24 * 20 * 25, 64 * 50 * 500, 800 * 500, 5000
    # Forward and both gradients; the first layer has one.
    return 2.0 * batch * (2 * first + 3 * (second + hidden + output))


_IMAGES = (500, 20, 24, 24)
_MIB = float(1 << 20)
_SCORES = 2.0 * 8 * 1024 * 1024 * 64  # a product of attention

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
        "lenet",
        "ms",
        _lenet,
        "a step of LeNet on MNIST, 20 and 50 filters of 5 x 5, 500 units, batch 500",
        _lenet_flops(500),
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
        lambda: _attention(*"qkv"),
        "softmax(q k^T / 8) v, 8 heads of [1024, 64]",
        _SCORES * 2,
    ),
    Workload(
        "attention_causal",
        "ms",
        lambda: _attention(*"qkv"),
        "the same, where keys that come later are hidden",
        _SCORES,
    ),
    Workload(
        "attention_grad",
        "ms",
        lambda: _attention(*"qkvw"),
        "attention and its gradient by q, k and v (the scores are computed once more)",
        _SCORES * 7,
    ),
    Workload(
        "lstm",
        "ms",
        _lstm,
        "sum of squares of the states of an LSTM, 64 to 128 units, 16 steps, batch 32, "
        "and its gradient by three weights; written out step by step",
        3 * 2.0 * 16 * 32 * (64 + 128) * 512,
    ),
    Workload(
        "call",
        "us",
        lambda: {"x": np.arange(10, dtype=np.float32)},
        "x * 2 + 1 of ten numbers: what a call costs",
    ),
    Workload(
        "sort",
        "ms",
        lambda: _normal(13, x=(1_000_000,)),
        "10^6 numbers in ascending order",
        part=ORDERS,
    ),
    Workload(
        "sort_rows",
        "ms",
        lambda: _normal(13, x=(1000, 1000)),
        "the rows of [1000, 1000] in ascending order",
        part=ORDERS,
    ),
    Workload(
        "argsort",
        "ms",
        lambda: _normal(13, x=(1_000_000,)),
        "their indices in that order (equal ones keep theirs)",
        part=ORDERS,
    ),
    Workload(
        "topk",
        "ms",
        lambda: _normal(14, x=(4096, 1000)),
        "the ten largest of each row of [4096, 1000], in order",
        part=ORDERS,
    ),
    Workload(
        "searchsorted",
        "ms",
        lambda: {
            **_normal(15, v=(1_000_000,)),
            "x": np.sort(_normal(16, x=(100_000,))["x"]),
        },
        "where 10^6 numbers stand among 10^5 in order",
        part=ORDERS,
    ),
    Workload(
        "cumsum",
        "ms",
        lambda: _normal(17, x=(10_000_000,)),
        "sums so far of 10^7 numbers",
        read=40e6,
        written=40e6,
        part=ORDERS,
    ),
    *(_product(product) for product in PRODUCTS),
    *(_convolution(convolution) for convolution in CONVOLUTIONS),
)
LIMITS = (
    Workload("fma", "GFLOP/s", dict, "fused multiply-adds in registers"),
    Workload("read", "GB/s", dict, "reading 256 MB"),
    Workload("triad", "GB/s", dict, "o = x + y / 2 on 3 x 128 MB"),
)
BY_NAME = {workload.name: workload for workload in (*WORKLOADS, *LIMITS)}
