"""The workloads in PyTorch, eager: its own fused functions where it has them."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from peers.inputs import (
    LOGREG_RATE,
    MLP_L2,
    MLP_RATE,
    Arrays,
    Job,
    kept,
    repeated,
)

VERSION = f"PyTorch {torch.__version__}"
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
Cost = Callable[[Sequence[torch.Tensor], torch.Tensor, torch.Tensor], torch.Tensor]


def _job(
    function: Callable[..., object],
    arrays: Sequence[np.ndarray],
    check: Callable[..., object],
) -> Job:
    given = [torch.from_numpy(a) for a in arrays]
    return kept(torch.no_grad()(lambda: function(*given)), check)


def _slopes(
    function: Callable[..., torch.Tensor],
    arrays: Sequence[np.ndarray],
    by: int,
    check: Callable[..., object],
) -> Job:
    """Return the job of a value and its gradient by the first arguments."""
    given = [torch.from_numpy(a) for a in arrays]
    wrt = [g.requires_grad_(True) for g in given[:by]]

    def slopes() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        cost = function(*given)
        return cost.detach(), torch.autograd.grad(cost, wrt)

    return kept(slopes, check)


def _trained(arrays: Arrays, names: Sequence[str], cost: Cost, rate: float) -> Job:
    batch = int(arrays["batch"])
    count = len(arrays["x"]) // batch
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    params = [torch.from_numpy(arrays[n].copy()).requires_grad_(True) for n in names]
    optimizer = torch.optim.SGD(params, lr=rate)
    total = [0.0]

    def run() -> None:
        costs = torch.zeros(())
        for i in range(count):
            part = slice(i * batch, (i + 1) * batch)
            c = cost(params, x[part], y[part])
            optimizer.zero_grad()
            c.backward()
            optimizer.step()
            costs += c.detach()
        total[0] = float(costs) / count

    return Job(run, lambda: total[0], count)


def logreg(arrays: Arrays) -> Job:
    """Softmax regression."""

    def cost(
        p: Sequence[torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        return F.cross_entropy(torch.addmm(p[1], x, p[0]), y)

    return _trained(arrays, "Wb", cost, LOGREG_RATE)


def mlp(arrays: Arrays) -> Job:
    """The perceptron."""

    def cost(
        p: Sequence[torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        h = torch.tanh(torch.addmm(p[1], x, p[0]))
        decay = (p[0] ** 2).sum() + (p[2] ** 2).sum()
        return F.cross_entropy(torch.addmm(p[3], h, p[2]), y) + MLP_L2 * decay

    return _trained(arrays, ("W1", "b1", "W2", "b2"), cost, MLP_RATE)


def _chain(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return (torch.exp(-((x - y) ** 2)) * torch.sigmoid(z)).sum()


def _norm(x: torch.Tensor, g: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, (x.shape[1],), g, b, 1e-5)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def call(arrays: Arrays) -> Job:
    """Many calls with little to do."""
    x = torch.from_numpy(arrays["x"])
    return repeated(lambda: x * 2 + 1, lambda r: r[-1])


def _of(
    function: Callable[..., object], names: str, check: Callable[..., object]
) -> Callable[[Arrays], Job]:
    return lambda arrays: _job(function, [arrays[n] for n in names], check)


JOBS: dict[str, Callable[[Arrays], Job]] = {
    "logreg": logreg,
    "mlp_b20": mlp,
    "mlp_b128": mlp,
    "chain": _of(_chain, "xyz", lambda r: r),
    "chain_grad": lambda a: _slopes(
        _chain, [a[n] for n in "xyz"], 3, lambda r: r[1][2][-1]
    ),
    "loss": _of(F.cross_entropy, "zy", lambda r: r),
    "loss_grad": lambda a: _slopes(
        F.cross_entropy, [a[n] for n in "zy"], 1, lambda r: r[1][0][-1, -1]
    ),
    "rownorm": _of(_norm, "xgb", lambda r: r[-1, -1]),
    **dict.fromkeys(
        ("gemm512", "gemm1024", "gemm2048"),
        _of(torch.matmul, "ab", lambda r: r[-1, -1]),
    ),
    "sum_channels": _of(lambda x: x.sum((0, 2, 3)), "x", lambda r: r[-1]),
    "pool": _of(lambda x: F.max_pool2d(x, 2), "x", lambda r: r[-1, -1, -1, -1]),
    "join": lambda arrays: _job(
        lambda *parts: torch.cat(parts, dim=1),
        list(arrays.values()),
        lambda r: r[-1, -1],
    ),
    "attention": _of(_attend, "qkv", lambda r: r[-1, -1, -1]),
    "call": call,
}
