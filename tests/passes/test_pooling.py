"""Windows that are reduced, and their derivatives: vectors go along the image."""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Dims, Typed
from tensorc.ir.dims import floordiv, symbol
from tensorc.ir.functions import new_module
from tensorc.ir.ops.tensor.convolution import Windows
from tensorc.ir.ops.tensor.elementwise import Mul
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
