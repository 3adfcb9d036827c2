"""Ops that order rows at every stage: all types, ties, NaNs and zeros, bit for bit."""

from functools import partial

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.arrays.ordering import order_keys
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.tensor.order import ORDERS, ArgSort, SearchSorted, Sort, TopK
from tensorc.passes.loops.orders.ranking import SHORT
from tests.samples import parse_type
from tests.stages import all_results
from tests.test_indexing_pipeline import add_function

SHAPES = [
    ("[N]", (37,)),
    ("[3, N]", (3, 18)),
    ("[B, 5]", (19, 5)),
    ("[2, B, 17]", (2, 3, 17)),
    ("[N]", (1,)),
    ("[B, N]", (4, 0)),
    ("[B, N]", (0, 4)),
]
ELEMENTS = (
    "f16",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "ui8",
    "ui16",
    "ui32",
    "ui64",
)


def nasty(rng, shape, dtype):
    """Return many equal elements, the ends of the type, zeros of both signs, NaNs."""
    dtype = np.dtype(dtype)
    made = np.round(rng.normal(size=shape) * 4)
    if dtype.kind != "f":
        info = np.iinfo(dtype)
        made = np.where(dtype.kind == "u", np.abs(made), made).astype(dtype)
        few = np.array([info.min, info.max, 0, info.max - 1], dtype)
    else:
        made = made.astype(dtype)
        few = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan], dtype)
        few = np.append(
            few, np.array([1, -1], dtype) * np.finfo(dtype).smallest_subnormal
        )
    return np.where(rng.random(shape) < 0.5, rng.choice(few, shape), made)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_stage_gives_the_same_bits(element):
    rng = np.random.default_rng(5)
    module, cases, wanted = new_module(), [], []
    for number, (shape, sizes) in enumerate(SHAPES):
        type_ = parse_type(element + shape)
        given = nasty(rng, sizes, type_.element.dtype)
        for cls in ORDERS:
            counts = sorted({0, sizes[-1] // 2, sizes[-1]}) if cls is TopK else (None,)
            for count in counts:
                extra = {} if count is None else {"count": count}
                name = f"f{number}{cls.__name__}{count}"
                use = partial(applied, cls, extra)
                add_function(module, name, [type_], use)
                cases.append((name, [given]))
                made = cls.evaluate(None, given, **extra)
                wanted.append(made if isinstance(made, tuple) else (made,))
    for stage, results in all_results(module, cases, (0, 3)).items():
        for (name, _), got, want in zip(cases, results, wanted, strict=True):
            for one, other in zip(got, want, strict=True):
                assert same_bits(np.asarray(one), other), f"{name} at {stage}"


def test_rows_that_are_not_short_are_dealt_out_by_digits():
    given = nasty(np.random.default_rng(10), (2, SHORT + 6), np.int8)
    module, cases, wanted = new_module(), [], []
    for cls, extra in ((Sort, {}), (ArgSort, {}), (TopK, {"count": 17})):
        types = [parse_type("i8[2, N]")]
        add_function(module, cls.__name__, types, partial(applied, cls, extra))
        cases.append((cls.__name__, [given]))
        made = cls.evaluate(None, given, **extra)
        wanted.append(made if isinstance(made, tuple) else (made,))
    for stage, results in all_results(module, cases, (0, 3)).items():
        for (name, _), got, want in zip(cases, results, wanted, strict=True):
            for one, other in zip(got, want, strict=True):
                assert same_bits(np.asarray(one), other), f"{name} at {stage}"


@pytest.mark.parametrize("element", ELEMENTS)
def test_compiled_code_orders_rows_of_all_lengths(element):
    rng = np.random.default_rng(12)
    dtype = parse_type(element).element.dtype
    known = tc.jit(lambda x: (tc.sort(x), tc.argsort(x)))
    largest = [tc.jit(lambda x, k=k: tc.topk(x, k)) for k in (1, 10, 16, 17, 60)]
    for length in (60, 63, 64, 65, 300, 5000):
        for few in (True, False):
            given = nasty(rng, (3, length), dtype)
            if not few and dtype.kind == "f":
                given = rng.normal(size=(3, length)).astype(dtype)
            got, index = known(given)
            assert same_bits(got, Sort.evaluate(None, given)), length
            assert same_bits(index, ArgSort.evaluate(None, given)), length
            for f, count in zip(largest, (1, 10, 16, 17, 60), strict=True):
                made = TopK.evaluate(None, given, count=count)
                for one, other in zip(f(given), made, strict=True):
                    assert same_bits(one, other), (length, count)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_stage_searches_alike(element):
    rng = np.random.default_rng(7)
    module, cases, wanted = new_module(), [], []
    dtype = parse_type(element).element.dtype
    for number, (row, shape) in enumerate(
        [((9,), (40,)), ((64,), (3, 5)), ((0,), (4,)), ((1,), ()), ((33,), (2, 0))]
    ):
        given = [nasty(rng, row, dtype), nasty(rng, shape, dtype)]
        for in_order in (True, False):
            if in_order:
                given = [np.sort(given[0]), given[1]]
            for side in ("left", "right"):
                name = f"f{number}{in_order}{side}"
                types = [
                    parse_type(f"{element}[N]"),
                    parse_type(spelled(element, shape)),
                ]
                add_function(
                    module, name, types, partial(applied, SearchSorted, {"side": side})
                )
                cases.append((name, given))
                wanted.append(SearchSorted.evaluate(None, *given, side=side))
                if in_order:
                    np.testing.assert_array_equal(
                        wanted[-1], np.searchsorted(*given, side)
                    )
    for stage, results in all_results(module, cases, (0, 3)).items():
        for (name, _), (got,), want in zip(cases, results, wanted, strict=True):
            assert same_bits(np.asarray(got), want), f"{name} at {stage}"


def applied(cls, attributes, b, of):
    return b.results(cls, *of, **attributes)


def spelled(element, shape):
    return element + (str(list(shape)) if shape else "")


@pytest.mark.parametrize("element", ELEMENTS)
def test_the_order_is_numpys_stable_one(element):
    dtype = parse_type(element).element.dtype
    given = nasty(np.random.default_rng(6), (7, 300), dtype)
    order = np.argsort(given, axis=-1, kind="stable")
    np.testing.assert_array_equal(ArgSort.evaluate(None, given), order)
    sorted_ = np.take_along_axis(given, order, -1)
    got = Sort.evaluate(None, given)
    np.testing.assert_array_equal(got, sorted_)
    assert (np.diff(np.signbit(got).astype(int))[got[:, 1:] == 0] <= 0).all()
    np.testing.assert_array_equal(sorted_, np.sort(given))


def test_keys_are_in_the_order_of_the_elements():
    few = [-np.inf, -1.5, -1e-45, -0.0, 0.0, 1e-45, 2.0, np.inf, -np.nan, np.nan]
    keys = order_keys(np.array(few, np.float32))
    assert keys.dtype == np.uint32
    assert keys[3] == keys[4]
    assert keys[-1] == keys[-2]
    assert (np.diff(keys.astype(np.int64)) >= 0).all()
    assert len(set(keys.tolist())) == len(few) - 2


@pytest.mark.parametrize("element", ELEMENTS)
def test_the_largest_are_those_of_a_descending_order(element):
    dtype = parse_type(element).element.dtype
    given = nasty(np.random.default_rng(8), (7, 300), dtype)
    value, index = TopK.evaluate(None, given, count=60)
    assert same_bits(value, np.take_along_axis(given, index, -1))
    largest = np.sort(given)[:, :-61:-1]
    np.testing.assert_array_equal(value, largest)
    again = np.argsort(given[:, ::-1], axis=-1, kind="stable")[:, ::-1]
    np.testing.assert_array_equal(index, 299 - again[:, :60])
