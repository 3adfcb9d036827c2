"""The workloads in NumPy, written as a careful user of it would."""

from collections.abc import Callable

import numpy as np
from peers.inputs import (
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
from peers.products import FORMS, PRODUCTS, Product

VERSION = f"NumPy {np.__version__}"


def _softmax_slope(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy and its gradient; z is used up."""
    rows = np.arange(len(z))
    z -= z.max(axis=1, keepdims=True)
    picked = z[rows, y]
    np.exp(z, out=z)
    total = z.sum(axis=1, keepdims=True)
    cost = (np.log(total[:, 0]) - picked).mean()
    z /= total
    z[rows, y] -= 1
    z *= np.float32(1 / len(z))
    return float(cost), z


def _trained(arrays: Arrays, step: Callable[[np.ndarray, np.ndarray], float]) -> Job:
    """Return the job of going through all batches once; checked is the mean cost."""
    x, y, batch = arrays["x"], arrays["y"], int(arrays["batch"])
    count = len(x) // batch
    costs: list[float] = []

    def run() -> None:
        costs.clear()
        for i in range(count):
            part = slice(i * batch, (i + 1) * batch)
            costs.append(step(x[part], y[part]))

    return Job(run, lambda: float(np.mean(costs)), count)


def logreg(arrays: Arrays) -> Job:
    """Softmax regression."""
    W, b = arrays["W"].copy(), arrays["b"].copy()
    rate = np.float32(LOGREG_RATE)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        cost, slope = _softmax_slope(x @ W + b, y)
        np.subtract(W, rate * (x.T @ slope), out=W)
        np.subtract(b, rate * slope.sum(axis=0), out=b)
        return cost

    return _trained(arrays, step)


def mlp(arrays: Arrays) -> Job:
    """The perceptron."""
    W1, b1, W2, b2 = (arrays[n].copy() for n in ("W1", "b1", "W2", "b2"))
    rate, decay = np.float32(MLP_RATE), np.float32(2 * MLP_L2)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        h = x @ W1
        h += b1
        np.tanh(h, out=h)
        cost, slope = _softmax_slope(h @ W2 + b2, y)
        cost += MLP_L2 * float(np.vdot(W1, W1) + np.vdot(W2, W2))
        back = slope @ W2.T
        back *= 1 - h * h
        np.subtract(W2, rate * (h.T @ slope + decay * W2), out=W2)
        np.subtract(b2, rate * slope.sum(axis=0), out=b2)
        first = x.T @ back
        first += decay * W1
        first *= rate
        np.subtract(W1, first, out=W1)
        np.subtract(b1, rate * back.sum(axis=0), out=b1)
        return cost

    return _trained(arrays, step)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def chain(arrays: Arrays) -> Job:
    """A chain of elementwise ops, summed up."""
    x, y, z = (arrays[n] for n in "xyz")
    return kept(lambda: (np.exp(-((x - y) ** 2)) * _sigmoid(z)).sum(), float)


def chain_grad(arrays: Arrays) -> Job:
    """Its gradient, written by hand."""
    x, y, z = (arrays[n] for n in "xyz")

    def slopes() -> tuple[np.ndarray, ...]:
        u = x - y
        bell, share = np.exp(-u * u), _sigmoid(z)
        to_x = bell * share * u * np.float32(-2)
        return to_x, -to_x, bell * share * (1 - share)

    return kept(slopes, lambda r: r[2][-1])


def loss(arrays: Arrays) -> Job:
    """Softmax cross-entropy."""
    z, y = arrays["z"], arrays["y"]
    rows = np.arange(len(z))

    def value() -> np.ndarray:
        shifted = z - z.max(axis=1, keepdims=True)
        picked = shifted[rows, y]
        np.exp(shifted, out=shifted)
        return (np.log(shifted.sum(axis=1)) - picked).mean()

    return kept(value, float)


def loss_grad(arrays: Arrays) -> Job:
    """The loss and its gradient."""
    z, y = arrays["z"], arrays["y"]
    return kept(lambda: _softmax_slope(z.copy(), y), lambda r: r[1][-1, -1])


def rownorm(arrays: Arrays) -> Job:
    """Rows of mean 0 and variance 1."""
    x, g, b = (arrays[n] for n in "xgb")

    def norm() -> np.ndarray:
        u = x - x.mean(axis=1, keepdims=True)
        spread = np.sqrt((u * u).mean(axis=1, keepdims=True) + np.float32(1e-5))
        return u / spread * g + b

    return kept(norm, lambda r: r[-1, -1])


def _product(product: Product) -> Callable[[Arrays], Job]:
    """Return the maker of a product's job."""
    form = FORMS[product.form]

    def job(arrays: Arrays) -> Job:
        a, b = arrays["a"], arrays["b"]
        return kept(lambda: form(a, b), last)

    return job


def _of(
    function: Callable[[np.ndarray], np.ndarray], check: Callable[..., float]
) -> Callable[[Arrays], Job]:
    """Return a maker of the job of a function of one array."""
    return lambda arrays: kept(lambda: function(arrays["x"]), check)


def pool(arrays: Arrays) -> Job:
    """Pooling by four views, NumPy's fastest way."""
    x = arrays["x"]

    def largest() -> np.ndarray:
        left = np.maximum(x[..., ::2, ::2], x[..., ::2, 1::2])
        return np.maximum(left, np.maximum(x[..., 1::2, ::2], x[..., 1::2, 1::2]))

    return kept(largest, lambda r: r[-1, -1, -1, -1])


def join(arrays: Arrays) -> Job:
    """A concatenation."""
    parts = list(arrays.values())
    return kept(lambda: np.concatenate(parts, axis=1), lambda r: r[-1, -1])


def _shares(q: np.ndarray, k: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Return the softmax of the scores, where they are seen."""
    scores = q @ k.swapaxes(1, 2)
    scores *= np.float32(1 / 8)
    if seen is not None:
        scores = np.where(seen, scores, np.float32(-np.inf))
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    return scores


def attention(arrays: Arrays, causal: bool = False) -> Job:
    """Scores, softmax, values."""
    q, k, v = (arrays[n] for n in "qkv")
    times = np.arange(q.shape[1])
    seen = times[:, None] >= times if causal else None
    return kept(lambda: _shares(q, k, seen) @ v, lambda r: r[0, 5, 7])


def attention_grad(arrays: Arrays) -> Job:
    """Its gradient, written by hand."""
    q, k, v, w = (arrays[n] for n in "qkvw")

    def slopes() -> tuple[float, tuple[np.ndarray, ...]]:
        shares = _shares(q, k, None)
        made = shares @ v
        to_v = shares.swapaxes(1, 2) @ w
        back = w @ v.swapaxes(1, 2)
        back -= (w * made).sum(axis=2, keepdims=True)
        back *= shares
        back *= np.float32(1 / 8)
        to_k = back.swapaxes(1, 2) @ q
        return float(np.vdot(made, w)), (back @ k, to_k, to_v)

    return kept(slopes, lambda r: last(r[1][1]))


def call(arrays: Arrays) -> Job:
    """Many calls with little to do."""
    x = arrays["x"]
    return repeated(lambda: x * 2 + 1, lambda r: r[-1])


def _largest(x: np.ndarray) -> np.ndarray:
    """Return the ten largest elements of each row, the largest first."""
    part = -np.partition(-x, 9, axis=1)[:, :10]
    return np.asarray(-np.sort(-part, axis=1))


JOBS: dict[str, Callable[[Arrays], Job]] = {
    "logreg": logreg,
    "mlp_b20": mlp,
    "mlp_b128": mlp,
    "chain": chain,
    "chain_grad": chain_grad,
    "loss": loss,
    "loss_grad": loss_grad,
    "rownorm": rownorm,
    **{product.name: _product(product) for product in PRODUCTS},
    "sum_channels": _of(lambda x: x.sum(axis=(0, 2, 3)), lambda r: r[-1]),
    **dict.fromkeys(
        ("sum_rows49", "sum_rows3"),
        _of(lambda x: x.sum(axis=(0, 2)), lambda r: r[-1]),
    ),
    "sum_turned": _of(lambda x: x.T.sum(), float),
    "sum_down": _of(lambda x: x.sum(axis=0), lambda r: r[-1]),
    "tanh": _of(np.tanh, lambda r: r[-1, -1]),
    "relu": _of(lambda x: np.maximum(x, 0), lambda r: abs(r[0, 0, 0]).sum()),
    "pool": pool,
    "join": join,
    "attention": attention,
    "attention_causal": lambda arrays: attention(arrays, causal=True),
    "attention_grad": attention_grad,
    "call": call,
    "sort": _of(np.sort, middle),
    "sort_rows": _of(lambda x: np.sort(x, axis=1), middle),
    "argsort": _of(lambda x: np.argsort(x, kind="stable"), middle),
    "topk": _of(_largest, middle),
    "searchsorted": lambda arrays: kept(
        lambda: np.searchsorted(arrays["x"], arrays["v"]), middle
    ),
    "cumsum": _of(np.cumsum, middle),
}
