"""The workloads in PyTorch: its own fused functions where it has them.

`JOBS` runs them as they are; `torch_compile_peer` gives them to the compiler.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from peers.convolutions import BY_FILTERS, CONVOLUTIONS, FORWARD, Convolution
from peers.inputs import (
    LENET,
    LENET_RATE,
    LOGREG_RATE,
    MLP_L2,
    MLP_RATE,
    Arrays,
    Job,
    kept,
    last,
    middle,
    repeated,
)
from peers.products import FORMS, PRODUCTS

VERSION = f"PyTorch {torch.__version__}"
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
Cost = Callable[[Sequence[torch.Tensor], torch.Tensor, torch.Tensor], torch.Tensor]
Maker = Callable[[Arrays], Job]
Prepare = Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]


def trained(
    cost: Cost,
    names: Sequence[str],
    rate: float,
    arrays: Arrays,
    layout: torch.memory_format = torch.contiguous_format,
) -> Job:
    """Return the job of an epoch of steps; `layout` is that of filters."""
    batch = int(arrays["batch"])
    count = len(arrays["x"]) // batch
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    copies = [torch.from_numpy(arrays[n].copy()) for n in names]
    params = [
        (p.contiguous(memory_format=layout) if p.dim() == 4 else p).requires_grad_(True)
        for p in copies
    ]
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


def _logreg(
    p: Sequence[torch.Tensor], x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    return F.cross_entropy(torch.addmm(p[1], x, p[0]), y)


def _mlp(p: Sequence[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    h = torch.tanh(torch.addmm(p[1], x, p[0]))
    decay = (p[0] ** 2).sum() + (p[2] ** 2).sum()
    return F.cross_entropy(torch.addmm(p[3], h, p[2]), y) + MLP_L2 * decay


def lenet(
    p: Sequence[torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    layout: torch.memory_format = torch.contiguous_format,
) -> torch.Tensor:
    """Return the cost of LeNet for rows of 784 pixels."""
    h = x.reshape(-1, 1, 28, 28).contiguous(memory_format=layout)
    h = torch.tanh(F.max_pool2d(F.conv2d(h, p[0]), 2) + p[1][:, None, None])
    h = torch.tanh(F.max_pool2d(F.conv2d(h, p[2]), 2) + p[3][:, None, None])
    h = torch.tanh(torch.addmm(p[5], h.flatten(1), p[4]))
    return F.cross_entropy(torch.addmm(p[7], h, p[6]), y)


def convolution(
    given: Convolution, layout: torch.memory_format = torch.contiguous_format
) -> Maker:
    """Return the maker of a convolution's job, or of one of its gradients."""
    pairs = [given.stride] * 2, [given.padding] * 2
    masks = [given.kind != BY_FILTERS, given.kind == BY_FILTERS, False]
    backward = torch.ops.aten.convolution_backward

    def job(arrays: Arrays) -> Job:
        x, w, d = (
            torch.from_numpy(arrays[n]).contiguous(memory_format=layout) for n in "xwd"
        )

        def forward() -> torch.Tensor:
            return F.conv2d(x, w, None, given.stride, given.padding)

        def gradient() -> torch.Tensor:
            rest = (*pairs, [1, 1], False, [0, 0], 1, masks)
            made = backward(d, x, w, None, *rest)
            return made[1 if given.kind == BY_FILTERS else 0]

        function = forward if given.kind == FORWARD else gradient
        return kept(torch.no_grad()(function), last)

    return job


def _chain(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return (torch.exp(-((x - y) ** 2)) * torch.sigmoid(z)).sum()


def _norm(x: torch.Tensor, g: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, (x.shape[1],), g, b, 1e-5)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    # Only arrays of four dimensions get its fused kernels.
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]


def _attend_causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    four = (q[None], k[None], v[None])
    return F.scaled_dot_product_attention(*four, is_causal=True)[0]


def _weighted(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    return (_attend(q, k, v) * w).sum()


def _lstm(
    W: torch.Tensor, U: torch.Tensor, b: torch.Tensor, x: torch.Tensor
) -> torch.Tensor:
    """Its own LSTM, given the weights as it has them; gates in the same order."""
    h = x.new_zeros(1, x.shape[1], U.shape[0])
    weights = [W.T.contiguous(), U.T.contiguous(), b, torch.zeros_like(b)]
    states = torch.lstm(x, (h, h), weights, True, 1, 0.0, True, False, False)[0]
    return (states**2).sum()


def _of(
    prepare: Prepare,
    function: Callable[..., torch.Tensor],
    names: str,
    check: Callable[..., object],
) -> Maker:
    def job(arrays: Arrays) -> Job:
        given = [torch.from_numpy(arrays[n]) for n in names or arrays]
        prepared = prepare(function)
        return kept(torch.no_grad()(lambda: prepared(*given)), check)

    return job


def _slopes(
    prepare: Prepare,
    function: Callable[..., torch.Tensor],
    names: str,
    by: int,
    check: Callable[..., object],
) -> Maker:
    """Return the maker of a job: a value and its gradient by the first arguments."""

    def job(arrays: Arrays) -> Job:
        given = [torch.from_numpy(arrays[n]) for n in names]
        wrt = [g.requires_grad_(True) for g in given[:by]]
        prepared = prepare(function)

        def both() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
            cost = prepared(*given)
            return cost.detach(), torch.autograd.grad(cost, wrt)

        return kept(both, check)

    return job


def _calls(prepare: Prepare) -> Maker:
    """Many calls with little to do."""

    def job(arrays: Arrays) -> Job:
        x, prepared = torch.from_numpy(arrays["x"]), prepare(lambda x: x * 2 + 1)
        return repeated(lambda: prepared(x), lambda r: r[-1])

    return job


def jobs(prepare: Prepare) -> dict[str, Maker]:
    """Return the jobs of functions that were prepared: compiled, or left alone."""
    of, slopes = partial(_of, prepare), partial(_slopes, prepare)
    mlp = partial(trained, prepare(_mlp), ("W1", "b1", "W2", "b2"), MLP_RATE)
    products = {
        p.name: of(FORMS[p.form], "ab", last) for p in PRODUCTS if not p.training
    }
    rows = of(lambda x: x.sum((0, 2)), "x", lambda r: r[-1])
    return {
        "logreg": partial(trained, prepare(_logreg), ("W", "b"), LOGREG_RATE),
        "mlp_b20": mlp,
        "mlp_b128": mlp,
        "lenet": partial(trained, prepare(lenet), LENET, LENET_RATE),
        "chain": of(_chain, "xyz", lambda r: r),
        "chain_grad": slopes(_chain, "xyz", 3, lambda r: r[1][2][-1]),
        "loss": of(F.cross_entropy, "zy", lambda r: r),
        "loss_grad": slopes(F.cross_entropy, "zy", 1, lambda r: r[1][0][-1, -1]),
        "rownorm": of(_norm, "xgb", lambda r: r[-1, -1]),
        **products,
        "sum_channels": of(lambda x: x.sum((0, 2, 3)), "x", lambda r: r[-1]),
        **dict.fromkeys(("sum_rows49", "sum_rows3"), rows),
        "sum_turned": of(lambda x: x.T.sum(), "x", lambda r: r),
        "sum_down": of(lambda x: x.sum(0), "x", lambda r: r[-1]),
        "tanh": of(torch.tanh, "x", lambda r: r[-1, -1]),
        "relu": of(F.relu, "x", lambda r: abs(r[0, 0, 0]).sum()),
        "pool": of(lambda x: F.max_pool2d(x, 2), "x", lambda r: r[-1, -1, -1, -1]),
        "join": of(lambda *parts: torch.cat(parts, dim=1), "", lambda r: r[-1, -1]),
        "attention": of(_attend, "qkv", lambda r: r[0, 5, 7]),
        "attention_causal": of(_attend_causal, "qkv", lambda r: r[0, 5, 7]),
        "attention_grad": slopes(_weighted, "qkvw", 3, lambda r: last(r[1][1])),
        "lstm": slopes(_lstm, "WUbx", 3, lambda r: last(r[1][1])),
        "call": _calls(prepare),
    }


_AS_IT_IS = partial(_of, lambda function: function)
JOBS = {
    **jobs(lambda function: function),
    "sort": _AS_IT_IS(lambda x: x.sort()[0], "x", middle),
    "sort_rows": _AS_IT_IS(lambda x: x.sort(1)[0], "x", middle),
    "argsort": _AS_IT_IS(lambda x: x.sort(stable=True)[1], "x", middle),
    "topk": _AS_IT_IS(lambda x: x.topk(10)[0], "x", middle),
    "searchsorted": _AS_IT_IS(torch.searchsorted, "xv", middle),
    "cumsum": _AS_IT_IS(lambda x: x.cumsum(0), "x", middle),
    **{c.name: convolution(c) for c in CONVOLUTIONS},
}
