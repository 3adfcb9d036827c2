"""Windows that are reduced, and their derivatives: vectors go along the image."""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Dims, Typed
from tensorc.ir.dims import floordiv, symbol
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.tensor.convolution import Conv, ConvTranspose, Windows
from tensorc.ir.ops.tensor.elementwise import Add, Mul, Sub
from tensorc.ir.ops.tensor.reductions import Max, Min, Top1
from tensorc.ir.types import F32, I64, TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.tensor.ad import windows as derivatives
from tensorc.passes.tensor.ad.linear import placed
from tests.stages import TARGET
from tests.test_pipeline import add_function, check

# window, strides, padding in front and behind, dilation
CASES = [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 0), (1, 1)),
    ((3, 2), (1, 3), (0, 0), (1, 1)),
    ((2, 5), (2, 1), (2, 1), (2, 1)),
    ((3, 3), (6, 6), (0, 0), (1, 2)),
]


def windows_of(b, x, case, fill=0.0):
    """Return as many windows of the last two axes as fit."""
    window, strides, (low, high), dilation = case
    sizes = x.type.shape[-2:]
    steps = zip(sizes, window, strides, dilation, strict=True)
    counts = [
        floordiv(n + low + high - 1 - (k - 1) * by, step) + 1
        for n, k, step, by in steps
    ]
    return b(
        Windows,
        x,
        window=Dims(window),
        strides=strides,
        padding=pairs_of([(low, high)] * 2),
        dilation=dilation,
        output=Dims(tuple(counts)),
        fill=Typed(fill, F32),
    )


def pooled(b, x, case):
    taken = windows_of(b, x, case, -np.inf)
    axes = (x.type.rank, x.type.rank + 1)
    best, at = b.results(Top1, taken, axes=axes)
    found = placed(b, taken, axes, at, b(Mul, best, best))
    (slope,) = derivatives.windows(b, taken.op, (found,))
    zeros = windows_of(b, x, case)
    return [
        *(best, at, slope, b(Max, taken, axes=axes)),
        *(
            b(Min, zeros, axes=axes),
            b.sum(zeros, axes),
            b.mean(zeros, b.scalar(9, I64), axes),
        ),
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("known", [True, False])
def test_pooling_agrees_at_every_stage(case, known):
    shapes = [(2, 3, 9, 11), (1, 2, 24, 40), (0, 1, 7, 7)]
    rng = np.random.default_rng(3)
    for given in shapes if known else [("B", "C", "H", "W")]:
        dims = given if known else tuple(map(symbol, given))
        module = new_module()
        types = [TensorType(dims, F32)]
        add_function(module, "f", types, lambda b, of: pooled(b, of[0], case))
        sizes = [given] if known else shapes
        data = [rng.integers(-3, 4, s).astype(np.float32) for s in sizes]
        check(module, [("f", [x]) for x in data], exact=True, levels=(0, 3))


def test_the_slope_of_a_window_is_computed_where_it_is_added():
    module = new_module()
    case = CASES[0]
    types = [TensorType((symbol("B"), 3, 24, 24), F32)]
    add_function(module, "f", types, lambda b, of: pooled(b, of[0], case)[2:3])
    made = compiler.compile(module, TARGET, upto="structured").module
    ranks = [
        len(tensor_of(r).shape)
        for op in made.walk()
        for r in op.results
        if isinstance(r.type, TensorType)
    ]
    assert max(ranks) == 4  # there are no windows in memory


def convolved(b, x, w, groups=1):
    """Return images [N, C, H, W] convolved with filters [F, C / groups, 3, 2]."""
    batch, channels, *sizes = x.type.shape
    filters = w.type.shape[0]
    images = b.reshape(x, (batch, groups, floordiv(channels, groups), *sizes))
    split = b.reshape(w, (groups, floordiv(filters, groups), *w.type.shape[1:]))
    positions = [n - k + 1 for n, k in zip(sizes, w.type.shape[2:], strict=True)]
    same = {
        "strides": (1, 1),
        "padding": pairs_of([(0, 0)] * 2),
        "dilation": (1, 1),
        "order": FMA_ORDER,
    }
    made = b(Conv, images, split, output=Dims(tuple(positions)), **same)
    given = {**same, "output": Dims(tuple(sizes))}

    def back(slope):
        grouped = b.reshape(slope, made.type.shape)
        return b.reshape(b(ConvTranspose, grouped, split, **given), x.type.shape)

    return b.reshape(made, (batch, filters, *positions)), back


def network(b, of, groups, case):
    """Convolve, take the largest of windows and square it, twice; and back."""
    x, first, second, offset = of
    wide, _ = convolved(b, x, first)
    taken = windows_of(b, wide, case, -np.inf)
    best, at = b.results(Top1, taken, axes=(4, 5))
    spread = b.broadcast(offset, best.type.shape, (1,))
    h = b(Add, best, spread)
    h = b(Mul, h, h)
    made, back = convolved(b, h, second, groups)
    again = windows_of(b, made, case, -np.inf)
    top, place = b.results(Top1, again, axes=(4, 5))
    (slope,) = derivatives.windows(b, again.op, (placed(b, again, (4, 5), place, top),))
    to_h = b(Mul, back(slope), b(Sub, b.full_like(h, 1.0), b(Mul, h, h)))
    (given,) = derivatives.windows(b, taken.op, (placed(b, taken, (4, 5), at, to_h),))
    return [b(Mul, top, top), given, b.sum(to_h, (0, 2, 3))]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("case", [CASES[0], CASES[1]], ids=str)
def test_stages_of_images_agree_at_every_stage(known, groups, case):
    rng = np.random.default_rng(4)
    channels, shapes = 4, [(3, 2, 13, 12), (1, 1, 17, 30), (0, 1, 12, 12)]
    for given in shapes if known else [("B", "C", "H", "W")]:
        dims = given if known else tuple(map(symbol, given))
        types = [
            TensorType(dims, F32),
            TensorType((channels, dims[1], 3, 2), F32),
            TensorType((6, channels // groups, 3, 2), F32),
            TensorType((channels,), F32),
        ]
        module, cases = new_module(), []
        add_function(module, "f", types, lambda b, of: network(b, of, groups, case))
        for shape in [given] if known else shapes:
            all_shapes = [shape, (channels, shape[1], 3, 2)]
            all_shapes += [types[2].shape, (channels,)]
            cases.append(
                ("f", [rng.normal(size=s).astype(np.float32) for s in all_shapes])
            )
        check(module, cases, exact=True, levels=(0, 3))


def test_what_stages_of_images_pass_on_is_no_memory():
    types = [
        TensorType((symbol("B"), 2, 28, 28), F32),
        TensorType((20, 2, 5, 5), F32),
        TensorType((50, 20, 5, 5), F32),
        TensorType((20,), F32),
    ]
    module = new_module()
    add_function(module, "f", types, lambda b, of: network(b, of, 1, CASES[0]))
    made = compiler.compile(module, TARGET, upto="structured").module
    groups = [op for op in made.walk() if isinstance(op, KernelGroup)]
    given = [tensor_of(r).shape for op in groups for r in op.results]
    assert (symbol("B"), 20, 24, 24) in given  # what is returned
    assert given.count((symbol("B"), 20, 24, 24)) == 1
    assert all(len(shape) < 5 for shape in given)
