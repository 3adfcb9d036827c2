"""Random convolutions and poolings, and direct loops that say what they are."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.ir.arrays.windows import WindowAxis, pairs_of
from tensorc.ir.attributes import Attribute, Dims, Typed
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, floordiv, symbol
from tensorc.ir.numerics import FMA_ORDER, Array
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.ops.tensor.reductions import Top1
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import ELEMENTS, Element, TensorType
from tests.samples import vjp

KINDS = ("conv", "transpose", "largest", "sum")
ELEMENT_SHARES = {"f64": 5, "f32": 3, "f16": 1, "i32": 1, "i8": 1}
TOLERANCES = {"f64": 1e-12, "f32": 3e-5, "f16": 2e-2}
NAMES = "HWD"


@dataclass(frozen=True)
class WindowCase:
    """One op on windows, with sizes; `less` is how many windows are not asked for."""

    kind: str
    element: str
    lead: tuple[int, int, int]  # batch, groups, channels of images
    filters: int
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    axes: tuple[WindowAxis, ...]
    less: tuple[int, ...]

    @property
    def is_float(self) -> bool:
        return self.element.startswith("f")

    @property
    def type(self) -> Element:
        return ELEMENTS[self.element]

    def counts(self, sizes: Sequence[Dim]) -> list[Dim]:
        """Return how many windows there are along axes of these sizes."""
        walked = zip(self.axes, sizes, self.window, self.less, strict=True)
        return [
            floordiv(a.room(size, 1, extent), a.stride) + (1 - less)
            for a, size, extent, less in walked
        ]

    def types(self, unknown: bool) -> list[TensorType]:
        """Return the operands' types; `unknown` sizes are symbols."""
        batch, groups, channels = self.lead
        sizes: list[Dim] = [*self.sizes]
        if unknown:
            sizes = [symbol(NAMES[i]) for i in range(len(sizes))]
        first: Dim = symbol("B") if unknown else batch
        filters = TensorType((groups, self.filters, channels, *self.window), self.type)
        shape: tuple[Dim, ...] = (first, groups, channels, *sizes)
        if self.kind == "transpose":
            positions = sizes if unknown else self.counts(self.sizes)
            shape = (first, groups, self.filters, *positions)
        images = TensorType(shape, self.type)
        return [images, filters] if self.kind in ("conv", "transpose") else [images]

    def images(self, positions: Sequence[Dim]) -> list[Dim]:
        """Return the sizes of images that have so many windows, as the case's have."""
        walked = zip(
            self.axes, self.sizes, self.counts(self.sizes), positions, strict=True
        )
        return [size + (n - own) * a.stride for a, size, own, n in walked]

    def attributes(self, output: Sequence[Dim]) -> dict[str, Attribute]:
        return {
            "strides": tuple(a.stride for a in self.axes),
            "padding": pairs_of([(a.low, a.high) for a in self.axes]),
            "dilation": tuple(a.dilation for a in self.axes),
            "output": Dims(tuple(output)),
        }


def random_case(seed: int) -> WindowCase:
    """Return a case that is decided by a number."""
    rng = np.random.default_rng(seed)

    def choose(*options: int) -> int:
        return int(rng.choice(options))

    rank = choose(1, 2, 2, 2, 3)
    shares = np.array([*ELEMENT_SHARES.values()], float)
    element = str(rng.choice([*ELEMENT_SHARES], p=shares / shares.sum()))
    kind = str(rng.choice(KINDS))
    axes, sizes, window, less = [], [], [], []
    for _ in range(rank):
        extent, dilation = choose(1, 2, 2, 3, 3), choose(1, 1, 1, 2, 3)
        low, high = choose(0, 0, 1, 2), choose(0, 0, 1, 2)
        stride = choose(1, 1, 2, 3)
        least = max((extent - 1) * dilation + 1 - low - high, 1)
        size = least + choose(0, 0, 1, 2, 3, 5 if rank < 3 else 2)
        axis = WindowAxis(stride, dilation, low, high)
        count = axis.room(size, 1, extent) // stride + 1
        axes.append(axis)
        sizes.append(size)
        window.append(extent)
        less.append(int(count > 1 and rng.random() < 0.2))
    depthwise = rng.random() < 0.2
    lead = (
        (choose(0, 1, 2, 3), choose(2, 3), 1)
        if depthwise
        else (choose(1, 2, 3, 3), choose(1, 1, 2), choose(1, 2, 3))
    )
    filters = 1 if depthwise else choose(1, 2, 3, 5)
    return WindowCase(
        kind,
        element,
        lead,
        filters,
        tuple(sizes),
        tuple(window),
        tuple(axes),
        tuple(less),
    )


def values_of(case: WindowCase, seed: int) -> list[Array]:
    """Return operands: numbers, of poolings some of them equal, or -inf."""
    rng = np.random.default_rng(seed)
    found = []
    for type_ in case.types(False):
        values = rng.standard_normal(tuple(map(int, type_.shape)))  # type: ignore[arg-type]
        if case.kind == "largest":
            values = np.round(values * 2) / 2
            values[rng.random(values.shape) < 0.1] = -np.inf
        if not case.is_float:
            values = np.round(np.where(np.isfinite(values), values, 0) * 40)
        found.append(values.astype(case.type.dtype))
    return found


def body_of(case: WindowCase) -> Callable[[TensorBuilder, list[Value]], list[Value]]:
    """Return what a case computes: the result, and of floats its derivatives by it."""

    def made(b: TensorBuilder, of: list[Value]) -> list[Value]:
        shape = tensor_type(of[0]).shape[3:]
        images = case.kind == "transpose"
        output = case.images(shape) if images else case.counts(shape)
        given = case.attributes(output)
        if case.kind == "conv":
            return [b(convolution.Conv, *of, order=FMA_ORDER, **given)]
        if case.kind == "transpose":
            return [b(convolution.ConvTranspose, *of, order=FMA_ORDER, **given)]
        lowest = -np.inf if case.is_float else np.iinfo(case.type.dtype).min
        fill = lowest if case.kind == "largest" else 0
        taken = b(
            convolution.Windows,
            *of,
            window=Dims(case.window),
            fill=Typed(fill, case.type),
            **given,
        )
        inner = tuple(range(3 + len(case.axes), 3 + 2 * len(case.axes)))
        if case.kind == "largest":
            return b.results(Top1, taken, axes=inner)
        return [b.sum(taken, inner)]

    def with_slopes(b: TensorBuilder, of: list[Value]) -> list[Value]:
        results = made(b, of)
        if not case.is_float:
            return results
        slopes = vjp(b, of, results[:1], lambda b, of: made(b, of)[:1])
        return [*results, *slopes]

    return with_slopes


def direct(case: WindowCase, values: Sequence[Array]) -> list[Array]:
    """Return what a case gives, in loops over windows and their elements, in f64."""
    wide = [v.astype(np.float64 if case.is_float else np.int64) for v in values]
    ways = {"conv": _conv, "transpose": _transpose}
    if case.kind in ways:
        return ways[case.kind](case, *wide)
    return _pool(case, *wide)


def _padded(case: WindowCase, values: Array, fill: float) -> Array:
    pads = [(0, 0)] * 3 + [(a.low, a.high) for a in case.axes]
    return np.pad(values, pads, constant_values=fill)  # type: ignore[arg-type]


def _inside(case: WindowCase, padded: Array) -> Array:
    pairs = zip(case.axes, case.sizes, strict=True)
    cut = tuple([slice(a.low, a.low + size) for a, size in pairs])  # type: ignore[operator]
    return padded[(slice(None), slice(None), slice(None), *cut)]


def _points(case: WindowCase):
    """Yield each window, each element of it, and where that is in the padded image."""
    counts = [int(n) for n in case.counts(case.sizes)]  # type: ignore[arg-type]
    for o in itertools.product(*map(range, counts)):
        for u in itertools.product(*map(range, case.window)):
            walked = zip(case.axes, o, u, strict=True)
            yield o, u, tuple(a.stride * i + a.dilation * j for a, i, j in walked)


def _conv(case: WindowCase, x: Array, w: Array) -> list[Array]:
    batch, groups, _ = case.lead
    padded = _padded(case, x, 0)
    y = np.zeros((batch, groups, case.filters, *case.counts(case.sizes)), x.dtype)
    for o, u, at in _points(case):
        y[(..., *o)] += np.einsum("ngc,gfc->ngf", padded[(..., *at)], w[(..., *u)])
    to_x, to_w = np.zeros_like(padded), np.zeros_like(w)
    for o, u, at in _points(case):
        to_x[(..., *at)] += np.einsum("ngf,gfc->ngc", y[(..., *o)], w[(..., *u)])
        to_w[(..., *u)] += np.einsum("ngf,ngc->gfc", y[(..., *o)], padded[(..., *at)])
    return [y, _inside(case, to_x), to_w] if case.is_float else [y]


def _transpose(case: WindowCase, y: Array, w: Array) -> list[Array]:
    batch, groups, channels = case.lead
    padded = _padded(case, np.zeros((batch, groups, channels, *case.sizes), y.dtype), 0)
    for o, u, at in _points(case):
        padded[(..., *at)] += np.einsum("ngf,gfc->ngc", y[(..., *o)], w[(..., *u)])
    x = _inside(case, padded)
    if not case.is_float:
        return [x]
    padded = _padded(case, x, 0)
    to_y, to_w = np.zeros_like(y), np.zeros_like(w)
    for o, u, at in _points(case):
        to_y[(..., *o)] += np.einsum("ngc,gfc->ngf", padded[(..., *at)], w[(..., *u)])
        to_w[(..., *u)] += np.einsum("ngf,ngc->gfc", y[(..., *o)], padded[(..., *at)])
    return [x, to_y, to_w]


def _pool(case: WindowCase, x: Array) -> list[Array]:
    largest = case.kind == "largest"
    lowest = -np.inf if case.is_float else np.iinfo(case.type.dtype).min
    padded = _padded(case, x, lowest if largest else 0)
    shape = (*case.lead, *[int(n) for n in case.counts(case.sizes)])  # type: ignore[arg-type]
    y = np.full(shape, lowest if largest else 0, x.dtype)
    first = np.zeros(shape, np.int64)
    for o, u, at in _points(case):
        here, held = padded[(..., *at)], y[(..., *o)]
        if largest:
            number = np.ravel_multi_index(u, case.window)
            first[(..., *o)] = np.where(here > held, number, first[(..., *o)])
            y[(..., *o)] = np.maximum(held, here)
        else:
            y[(..., *o)] += here
    slopes = np.zeros_like(padded)
    for o, u, at in _points(case):
        number = np.ravel_multi_index(u, case.window)
        counts = first[(..., *o)] == number if largest else True
        with np.errstate(invalid="ignore"):
            slopes[(..., *at)] += np.where(counts, y[(..., *o)], 0)
    found = [y, first] if largest else [y]
    return [*found, _inside(case, slopes)] if case.is_float else found
