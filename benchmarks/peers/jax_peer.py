"""The workloads in JAX: all compiled, an epoch as one scan, state donated."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
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
from peers.products import FORMS, PRODUCTS, Product

VERSION = f"JAX {jax.__version__}"
State = list[jax.Array]
Cost = Callable[[State, jax.Array, jax.Array], jax.Array]


def _job(
    function: Callable[..., object],
    arrays: Sequence[np.ndarray],
    check: Callable[..., object],
) -> Job:
    """Return the job of a compiled function on arrays of the device."""
    compiled = jax.jit(function)
    given = [jnp.asarray(a) for a in arrays]
    return kept(lambda: jax.block_until_ready(compiled(*given)), check)


def _cross_entropy(z: jax.Array, y: jax.Array) -> jax.Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()


def _trained(arrays: Arrays, names: Sequence[str], cost: Cost, rate: float) -> Job:
    batch = int(arrays["batch"])
    count = len(arrays["x"]) // batch
    x, y = jnp.asarray(arrays["x"]), jnp.asarray(arrays["y"])

    def epoch(p: State, x: jax.Array, y: jax.Array) -> tuple[State, jax.Array]:
        def step(p: State, i: jax.Array) -> tuple[State, jax.Array]:
            part = lax.dynamic_slice_in_dim(x, i * batch, batch)
            labels = lax.dynamic_slice_in_dim(y, i * batch, batch)
            c, g = jax.value_and_grad(cost)(p, part, labels)
            return jax.tree.map(lambda p, g: p - rate * g, p, g), c

        return lax.scan(step, p, jnp.arange(count))

    compiled = jax.jit(epoch, donate_argnums=0)
    state = [jnp.array(arrays[n]) for n in names]
    costs: list[jax.Array] = []

    def run() -> None:
        state[:], made = compiled(list(state), x, y)
        costs[:] = [jax.block_until_ready(made)]

    return Job(run, lambda: float(np.mean(np.asarray(costs[0]))), count)


def logreg(arrays: Arrays) -> Job:
    """Softmax regression."""

    def cost(p: State, x: jax.Array, y: jax.Array) -> jax.Array:
        return _cross_entropy(x @ p[0] + p[1], y)

    return _trained(arrays, "Wb", cost, LOGREG_RATE)


def mlp(arrays: Arrays) -> Job:
    """The perceptron."""

    def cost(p: State, x: jax.Array, y: jax.Array) -> jax.Array:
        z = jnp.tanh(x @ p[0] + p[1]) @ p[2] + p[3]
        return _cross_entropy(z, y) + MLP_L2 * ((p[0] ** 2).sum() + (p[2] ** 2).sum())

    return _trained(arrays, ("W1", "b1", "W2", "b2"), cost, MLP_RATE)


def lenet(arrays: Arrays) -> Job:
    """LeNet with channels last, which XLA's convolutions are fastest with.

    A call for each step: in a scan they take seconds.
    """
    batch = int(arrays["batch"])
    count = len(arrays["x"]) // batch
    images = jnp.asarray(arrays["x"]).reshape(-1, 28, 28, 1)
    y = jnp.asarray(arrays["y"])

    def cost(p: State, x: jax.Array, y: jax.Array) -> jax.Array:
        h = jnp.tanh(_pool_last(_conv(x, p[0])) + p[1])
        h = jnp.tanh(_pool_last(_conv(h, p[2])) + p[3]).reshape(batch, 800)
        return _cross_entropy(jnp.tanh(h @ p[4] + p[5]) @ p[6] + p[7], y)

    def step(p: State, at: jax.Array) -> tuple[State, jax.Array]:
        part = lax.dynamic_slice_in_dim(images, at, batch)
        labels = lax.dynamic_slice_in_dim(y, at, batch)
        c, g = jax.value_and_grad(cost)(p, part, labels)
        return jax.tree.map(lambda p, g: p - LENET_RATE * g, p, g), c

    compiled = jax.jit(step, donate_argnums=0)
    given = {**arrays, **{n: _turned(arrays[n]) for n in LENET if "conv" in n}}
    hidden = arrays["hidden.W"].reshape(50, 4, 4, 500).transpose(1, 2, 0, 3)
    given["hidden.W"] = hidden.reshape(800, 500)
    state = [jnp.array(given[n]) for n in LENET]
    costs: list[jax.Array] = []

    def run() -> None:
        costs.clear()
        for i in range(count):
            state[:], made = compiled(list(state), i * batch)
            costs.append(made)
        jax.block_until_ready(state)

    return Job(run, lambda: float(np.mean([float(c) for c in costs])), count)


def _turned(filters: np.ndarray) -> np.ndarray:
    """Return filters with their windows first, which go with channels last."""
    return filters.transpose(2, 3, 1, 0) if filters.ndim == 4 else filters


def _pool_last(x: jax.Array) -> jax.Array:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def _conv(x: jax.Array, w: jax.Array, stride: int = 1, padding: int = 0) -> jax.Array:
    both = [(padding, padding)] * 2
    names = ("NHWC", "HWIO", "NHWC")
    given = {"window_strides": (stride, stride), "padding": both}
    return lax.conv_general_dilated(x, w, **given, dimension_numbers=names)


def _convolution(given: Convolution) -> Callable[[Arrays], Job]:
    """Return the maker of a convolution's job, or of one of its gradients.

    Channels lie last before it begins.
    """

    def forward(x: jax.Array, w: jax.Array) -> jax.Array:
        return _conv(x, w, given.stride, given.padding)

    def by_filters(x: jax.Array, w: jax.Array, d: jax.Array) -> jax.Array:
        return jax.vjp(lambda w: forward(x, w), w)[1](d)[0]

    def by_images(x: jax.Array, w: jax.Array, d: jax.Array) -> jax.Array:
        return jax.vjp(lambda x: forward(x, w), x)[1](d)[0]

    def job(arrays: Arrays) -> Job:
        x, d = (arrays[n].transpose(0, 2, 3, 1) for n in "xd")
        if given.kind == FORWARD:
            return _job(forward, [x, _turned(arrays["w"])], last)
        function = by_filters if given.kind == BY_FILTERS else by_images
        return _job(function, [x, _turned(arrays["w"]), d], last)

    return job


def _chain(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    return (jnp.exp(-((x - y) ** 2)) * jax.nn.sigmoid(z)).sum()


def _norm(x: jax.Array, g: jax.Array, b: jax.Array) -> jax.Array:
    u = x - x.mean(1, keepdims=True)
    return u * lax.rsqrt((u * u).mean(1, keepdims=True) + 1e-5) * g + b


def _attend(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    return jax.nn.softmax(q @ k.swapaxes(1, 2) / 8, axis=2) @ v


def _attend_causal(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    times = jnp.arange(q.shape[1])
    seen = times[:, None] >= times
    return jax.nn.softmax(q @ k.swapaxes(1, 2) / 8, axis=2, where=seen) @ v


def _weighted(q: jax.Array, k: jax.Array, v: jax.Array, w: jax.Array) -> jax.Array:
    return (_attend(q, k, v) * w).sum()


def _lstm(W: jax.Array, U: jax.Array, b: jax.Array, x: jax.Array) -> jax.Array:
    def cell(s: State, a: jax.Array) -> tuple[State, jax.Array]:
        i, f, g, o = jnp.split(a + s[0] @ U, 4, axis=1)
        c = jax.nn.sigmoid(f) * s[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return [h, c], (h * h).sum()

    zero = jnp.zeros((x.shape[1], U.shape[0]))
    return lax.scan(cell, [zero, zero], x @ W + b)[1].sum()


def _product(product: Product) -> Callable[[Arrays], Job]:
    """Return the maker of a product's job; JAX has 64 bits where they are enabled."""
    compiled = jax.jit(FORMS[product.form])
    wide = np.dtype(product.dtype).itemsize == 8

    def job(arrays: Arrays) -> Job:
        with jax.enable_x64(wide):
            a, b = (jnp.asarray(arrays[n]) for n in "ab")
            ready = compiled.lower(a, b).compile()
        return kept(lambda: jax.block_until_ready(ready(a, b)), last)

    return job


def _pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def call(arrays: Arrays) -> Job:
    """Many calls with little to do."""
    compiled = jax.jit(lambda x: x * 2 + 1)
    x = jnp.asarray(arrays["x"])
    return repeated(lambda: compiled(x).block_until_ready(), lambda r: r[-1])


def _of(
    function: Callable[..., object], names: str, check: Callable[..., object]
) -> Callable[[Arrays], Job]:
    return lambda arrays: _job(function, [arrays[n] for n in names], check)


JOBS: dict[str, Callable[[Arrays], Job]] = {
    "logreg": logreg,
    "mlp_b20": mlp,
    "mlp_b128": mlp,
    "lenet": lenet,
    "chain": _of(_chain, "xyz", lambda r: r),
    "chain_grad": _of(jax.grad(_chain, (0, 1, 2)), "xyz", lambda r: r[2][-1]),
    "loss": _of(_cross_entropy, "zy", lambda r: r),
    "loss_grad": _of(jax.value_and_grad(_cross_entropy), "zy", lambda r: r[1][-1, -1]),
    "rownorm": _of(_norm, "xgb", lambda r: r[-1, -1]),
    **{p.name: _product(p) for p in PRODUCTS if not p.training},
    **{c.name: _convolution(c) for c in CONVOLUTIONS},
    "sum_channels": _of(lambda x: x.sum((0, 2, 3)), "x", lambda r: r[-1]),
    **dict.fromkeys(
        ("sum_rows49", "sum_rows3"),
        _of(lambda x: x.sum((0, 2)), "x", lambda r: r[-1]),
    ),
    "sum_turned": _of(lambda x: x.T.sum(), "x", float),
    "sum_down": _of(lambda x: x.sum(0), "x", lambda r: r[-1]),
    "tanh": _of(jnp.tanh, "x", lambda r: r[-1, -1]),
    "relu": _of(lambda x: jnp.maximum(x, 0), "x", lambda r: abs(r[0, 0, 0]).sum()),
    "pool": _of(_pool, "x", lambda r: r[-1, -1, -1, -1]),
    "join": lambda arrays: _job(
        lambda *parts: jnp.concatenate(parts, axis=1),
        list(arrays.values()),
        lambda r: r[-1, -1],
    ),
    "attention": _of(_attend, "qkv", lambda r: r[0, 5, 7]),
    "attention_causal": _of(_attend_causal, "qkv", lambda r: r[0, 5, 7]),
    "attention_grad": _of(
        jax.value_and_grad(_weighted, (0, 1, 2)), "qkvw", lambda r: last(r[1][1])
    ),
    "lstm": _of(jax.value_and_grad(_lstm, (0, 1, 2)), "WUbx", lambda r: last(r[1][1])),
    "call": call,
    "sort": _of(jnp.sort, "x", middle),
    "sort_rows": _of(lambda x: jnp.sort(x, axis=1), "x", middle),
    "argsort": _of(jnp.argsort, "x", middle),
    "topk": _of(lambda x: lax.top_k(x, 10)[0], "x", middle),
    "searchsorted": _of(jnp.searchsorted, "xv", middle),
    "cumsum": _of(jnp.cumsum, "x", middle),
}
