"""Cumulative ops at every stage: the contract's order, all types, both layouts."""

from functools import partial

import numpy as np
import pytest

from tensorc.floats import is_float
from tensorc.ir.arrays.cumulation import ADD, MULTIPLY, cumulate
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import fma, same_bits
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE, CumProd, CumSum, Recurrence
from tensorc.ir.types import ELEMENTS
from tests.samples import parse_type
from tests.stages import all_results
from tests.test_indexing_pipeline import add_function

# Rows and columns, and the axis: one row and several side by side, strips of columns
# and what is left of them.
SHAPES = [
    ("[N]", (0,), 0),
    ("[N]", (37,), 0),
    ("[3, N]", (3, 40), 1),
    ("[B, 5, 2]", (19, 5, 2), 1),
    ("[11, 4]", (11, 4), 1),
    ("[N, 70]", (5, 70), 0),
    ("[B, N]", (4, 0), 1),
    ("[B, N]", (0, 4), 0),
]
LONG = [("[N]", (2100,), 0), ("[B, N]", (9, 1025), 1), ("[N, 20]", (1030, 20), 0)]


def attributes_of(cls, axis: int, reverse: bool) -> dict[str, object]:
    named = {"reverse": reverse} if "reverse" in cls.attribute_names else {}
    return {"axis": axis, **named}


def applied(cls, attributes, b, of):
    return [b(cls, *of, **attributes)]


@pytest.mark.parametrize(
    ("cls", "element"),
    [
        (cls, element)
        for cls in CUMULATIVE
        for element in ("f16", "bf16", "f32", "f64", "i8", "ui16", "i64")
        if cls is not Recurrence or ELEMENTS[element].is_float  # it is of floats alone
    ],
)
def test_every_stage_gives_the_bits_of_the_contract(cls, element):
    dtype = parse_type(element).element.dtype
    rng = np.random.default_rng(5)
    module, cases, wanted = new_module(), [], []
    adds = CUMULATIVE[cls] in (ADD, MULTIPLY)
    has_blocks = adds and element in ("f16", "bf16", "f32")
    shapes = SHAPES + (LONG if has_blocks else [])
    for number, (shape, sizes, axis) in enumerate(shapes):
        for reverse in (False, True)[: 1 + ("reverse" in cls.attribute_names)]:
            count = len(cls.operand_names)
            extra = attributes_of(cls, axis, reverse)
            name = f"f{number}{'r' * reverse}"
            types = [parse_type(element + shape)] * count
            add_function(module, name, types, partial(applied, cls, extra))
            scale = 1 if is_float(dtype) else 90
            given = [(rng.normal(size=sizes) * scale).astype(dtype) for _ in types]
            if cls is CumProd and is_float(dtype):
                given[0] = np.exp(given[0] / 8).astype(dtype)
            for values in given:
                values[rng.random(sizes) < 0.02] = 0
            cases.append((name, given))
            wanted.append(cumulate(CUMULATIVE[cls], given, axis, reverse))
    for stage, results in all_results(module, cases, (0, 3)).items():
        for (name, _), (got,), want in zip(cases, results, wanted, strict=True):
            assert same_bits(np.asarray(got), want), f"{name} at {stage}"


def test_the_order_of_the_contract():
    """Ascending in blocks of 1024, then with what is before the block; f16 in f32."""
    x = np.random.default_rng(6).normal(size=2500).astype(np.float16)
    want, before = np.empty(2500, np.float16), np.float32(-0.0)
    for start in range(0, 2500, 1024):
        own = np.float32(-0.0)
        for i in range(start, min(start + 1024, 2500)):
            own = own + np.float32(x[i])
            want[i] = before + own
        before = before + own
    got = CumSum.evaluate(None, x, axis=0, reverse=False)
    assert same_bits(got, want)
    back = CumSum.evaluate(None, x[::-1], axis=0, reverse=True)
    assert same_bits(back[::-1], want)


@pytest.mark.parametrize("dtype", ["i1", "i4", "i8", "u2", "u8"])
def test_integers_wrap_as_numpys_do(dtype):
    x = np.random.default_rng(7).integers(0, 100, (6, 2000)).astype(dtype)
    for axis in (0, 1):
        total = CumSum.evaluate(None, x, axis=axis, reverse=False)
        product = CumProd.evaluate(None, x, axis=axis)
        assert same_bits(total, np.cumsum(x, axis, dtype=dtype))
        assert same_bits(product, np.cumprod(x, axis, dtype=dtype))


def test_a_recurrence_starts_with_its_first_operand_and_anew_at_zeros():
    factor = np.array([np.inf, 2.0, 0.0, 0.5, np.nan])
    added = np.array([1.0, np.inf, 3.0, 4.0, 5.0])
    got = Recurrence.evaluate(None, factor, added, axis=0, reverse=False)
    np.testing.assert_array_equal(got, [1, np.inf, 3, 5.5, np.nan])
    one = np.array([0.1]), np.array([0.3])
    pair = [np.concatenate([one[0], v]) for v in one]
    got = Recurrence.evaluate(None, *pair, axis=0, reverse=False)
    assert same_bits(got[1:], fma(one[0], pair[1][:1], one[1]))
