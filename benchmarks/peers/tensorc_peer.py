"""The workloads in tensorc: traced functions, and steps with the compiled epoch."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from peers.convolutions import BY_FILTERS, BY_IMAGES, CONVOLUTIONS, Convolution
from peers.inputs import LSTM_SIZES, Arrays, Job, kept, last, middle, repeated
from peers.products import FORMS, PRODUCTS, Product

import tensorc as tc
from tensorc.api import program as api
from tensorc.runtime.training.epoch import prepare_epoch, run_batches

VERSION = f"tensorc {version('tensorc')}"
EXAMPLES = Path(__file__).parents[2] / "examples"


def _trained(arrays: Arrays, file: str) -> Job:
    """Return the job of an example's step over all batches."""
    program = api.load(str(EXAMPLES / file), {})
    for name, cell in program.shared.items():
        cell.set_value(arrays[name])
    columns = {"x": arrays["x"], "y": arrays["y"]}
    count = len(arrays["x"]) // int(arrays["batch"])
    epoch = prepare_epoch(program.functions["train"], columns, int(arrays["batch"]))

    def run() -> None:
        run_batches(epoch, 0, count)

    return Job(run, lambda: float(epoch.results[0].mean()), count)


def _chain(x: tc.Tensor, y: tc.Tensor, z: tc.Tensor) -> tc.Tensor:
    return (np.exp(-((x - y) ** 2)) * tc.sigmoid(z)).sum()


def _loss(z: tc.Tensor, y: tc.Tensor) -> tc.Tensor:
    return tc.cross_entropy(z, y).mean()


def _norm(x: tc.Tensor, g: tc.Tensor, b: tc.Tensor) -> tc.Tensor:
    u = x - x.mean(axis=1, keepdims=True)
    return u / np.sqrt((u * u).mean(axis=1, keepdims=True) + 1e-5) * g + b


def _pool(x: tc.Tensor) -> tc.Tensor:
    n, c, h, w = x.shape
    return x.reshape((n, c, h // 2, 2, w // 2, 2)).max(axis=(3, 5))


def _attend(q: tc.Tensor, k: tc.Tensor, v: tc.Tensor) -> tc.Tensor:
    return tc.softmax(q @ k.swapaxes(1, 2) / 8, axis=2) @ v


def _attend_causal(q: tc.Tensor, k: tc.Tensor, v: tc.Tensor) -> tc.Tensor:
    times = np.arange(q.shape[1])
    seen = times[:, None] >= times
    return tc.softmax(q @ k.swapaxes(1, 2) / 8, axis=2, where=seen) @ v


def _weighted(q: tc.Tensor, k: tc.Tensor, v: tc.Tensor, w: tc.Tensor) -> tc.Tensor:
    return (_attend(q, k, v) * w).sum()


def _lstm(W: tc.Tensor, U: tc.Tensor, b: tc.Tensor, x: tc.Tensor) -> tc.Tensor:
    n, batch = LSTM_SIZES["h"], LSTM_SIZES["batch"]
    h = c = np.zeros((batch, n), np.float32)
    gates, total = x @ W + b, 0.0
    for t in range(LSTM_SIZES["steps"]):
        i, f, g, o = np.split(gates[t] + h @ U, 4, axis=1)
        c = tc.sigmoid(f) * c + tc.sigmoid(i) * np.tanh(g)
        h = tc.sigmoid(o) * np.tanh(c)
        total = total + (h * h).sum()
    return total


def _product(product: Product) -> Callable[[Arrays], Job]:
    """Return the maker of a product's job."""
    form = FORMS[product.form]

    def job(arrays: Arrays) -> Job:
        a, b = arrays["a"], arrays["b"]
        if product.known:
            x, y = (tc.tensor(n, v.dtype, v.shape) for n, v in arrays.items())
            function = tc.function([x, y], form(x, y))
        else:
            function = tc.jit(form)
        return kept(lambda: function(a, b), last)

    return job


def _convolution(convolution: Convolution) -> Callable[[Arrays], Job]:
    """Return the maker of a convolution's job, or of one of its gradients."""
    given = {"stride": convolution.stride, "padding": convolution.padding}

    def forward(x: tc.Tensor, w: tc.Tensor) -> tc.Tensor:
        return tc.conv2d(x, w, **given)

    def weighted(x: tc.Tensor, w: tc.Tensor, d: tc.Tensor) -> tc.Tensor:
        return (forward(x, w) * d).sum()

    if convolution.kind == BY_FILTERS:
        return _of(tc.grad(weighted, wrt=1), "xwd", last)
    if convolution.kind == BY_IMAGES:
        return _of(tc.grad(weighted, wrt=0), "xwd", last)
    return _of(forward, "xw", last)


def _of(
    function: Callable[..., object], names: str, check: Callable[..., float]
) -> Callable[[Arrays], Job]:
    def job(arrays: Arrays) -> Job:
        compiled, given = tc.jit(function), [arrays[n] for n in names]
        return kept(lambda: compiled(*given), check)

    return job


def join(arrays: Arrays) -> Job:
    """A concatenation."""
    compiled = tc.jit(lambda a, b, c, d: np.concatenate([a, b, c, d], axis=1))
    return kept(lambda: compiled(*arrays.values()), lambda r: r[-1, -1])


def call(arrays: Arrays) -> Job:
    """Many calls with little to do."""
    compiled, x = tc.jit(lambda x: x * 2 + 1), arrays["x"]
    return repeated(lambda: compiled(x), lambda r: r[-1])


JOBS: dict[str, Callable[[Arrays], Job]] = {
    "logreg": lambda arrays: _trained(arrays, "logreg.tc"),
    "mlp_b20": lambda arrays: _trained(arrays, "mlp.tc"),
    "mlp_b128": lambda arrays: _trained(arrays, "mlp.tc"),
    "lenet": lambda arrays: _trained(arrays, "lenet.tc"),
    "chain": _of(_chain, "xyz", float),
    "chain_grad": _of(tc.grad(_chain, wrt=(0, 1, 2)), "xyz", lambda r: r[2][-1]),
    "loss": _of(_loss, "zy", float),
    "loss_grad": _of(tc.value_and_grad(_loss), "zy", lambda r: r[1][-1, -1]),
    "rownorm": _of(_norm, "xgb", lambda r: r[-1, -1]),
    **{product.name: _product(product) for product in PRODUCTS},
    **{convolution.name: _convolution(convolution) for convolution in CONVOLUTIONS},
    "sum_channels": _of(lambda x: x.sum(axis=(0, 2, 3)), "x", lambda r: r[-1]),
    **dict.fromkeys(
        ("sum_rows49", "sum_rows3"),
        _of(lambda x: x.sum(axis=(0, 2)), "x", lambda r: r[-1]),
    ),
    "sum_turned": _of(lambda x: x.T.sum(), "x", float),
    "sum_down": _of(lambda x: x.sum(axis=0), "x", lambda r: r[-1]),
    "tanh": _of(np.tanh, "x", lambda r: r[-1, -1]),
    "relu": _of(lambda x: np.maximum(x, 0), "x", lambda r: abs(r[0, 0, 0]).sum()),
    "pool": _of(_pool, "x", lambda r: r[-1, -1, -1, -1]),
    "join": join,
    "attention": _of(_attend, "qkv", lambda r: r[0, 5, 7]),
    "attention_causal": _of(_attend_causal, "qkv", lambda r: r[0, 5, 7]),
    "attention_grad": _of(
        tc.value_and_grad(_weighted, argnums=(0, 1, 2)), "qkvw", lambda r: last(r[1][1])
    ),
    "lstm": _of(
        tc.value_and_grad(_lstm, argnums=(0, 1, 2)), "WUbx", lambda r: last(r[1][1])
    ),
    "call": call,
    "sort": _of(np.sort, "x", middle),
    "sort_rows": _of(lambda x: np.sort(x, axis=1), "x", middle),
    "argsort": _of(np.argsort, "x", middle),
    "topk": _of(lambda x: tc.topk(x, 10)[0], "x", middle),
    "searchsorted": _of(np.searchsorted, "xv", middle),
    "cumsum": _of(np.cumsum, "x", middle),
}
