"""f16 and bf16 are added up in f32, and rounded once: all stages, and derivatives."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array, ordered_matmul, ordered_product, ordered_sum
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.reductions import Prod
from tensorc.ir.types import ELEMENTS
from tests.samples import parse_type, same_bits
from tests.stages import Case
from tests.test_pipeline import add_function, check

AXES = (0, 1)
BOTH = pytest.mark.parametrize("element", ["f16", "bf16"])


def type_of(element: str) -> "np.dtype[np.generic]":
    return ELEMENTS[element].dtype


def halves(element: str, rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(type_of(element))


@BOTH
def test_reductions_agree_at_every_stage(element: str) -> None:
    rng = np.random.default_rng(1)
    module, cases = new_module(), list[Case]()
    matrix = parse_type(f"{element}[B, N]")
    add_function(
        module, "sums", [matrix], lambda b, of: [b.sum(of[0], i) for i in AXES]
    )
    add_function(
        module,
        "products",
        [matrix],
        lambda b, of: [b(Prod, of[0], axes=(i,), order="lanes") for i in AXES],
    )
    for shape in ((3, 5), (0, 2), (2, 0), (17, 33), (1030, 2), (2, 1030)):
        values = halves(element, rng, *shape)
        cases += [("sums", [values]), ("products", [values])]
    check(module, cases, exact=True, levels=(0, 2))


@BOTH
def test_products_agree_at_every_stage(element: str) -> None:
    rng = np.random.default_rng(2)
    module, cases = new_module(), list[Case]()
    types = [parse_type(f"{element}[M, K]"), parse_type(f"{element}[K, N]")]
    add_function(module, "plain", types, lambda b, of: [b.matmul(*of)])
    add_function(
        module,
        "transposed",
        [parse_type(f"{element}[K, M]"), parse_type(f"{element}[N, K]")],
        lambda b, of: [b.matmul(*[b.transpose(v, (1, 0)) for v in of])],
    )
    for m, k, n in ((1, 1, 1), (3, 0, 2), (5, 40, 17), (13, 600, 3), (1, 30, 9)):
        left, right = halves(element, rng, m, k), halves(element, rng, k, n)
        cases += [("plain", [left, right])]
        cases += [("transposed", [np.ascontiguousarray(v.T) for v in (left, right)])]
    check(module, cases, exact=True, levels=(0, 2))


@pytest.mark.parametrize(
    ("function", "truth"),
    [
        (lambda x: tc.sum(x, axis=0), lambda x: ordered_sum(x, 0)),
        (lambda x: tc.prod(x, axis=0), lambda x: ordered_product(x, 0)),
        (lambda x: x.T @ x, lambda x: ordered_matmul(x.T, x)),
    ],
    ids=["sum", "prod", "matmul"],
)
@BOTH
def test_what_is_added_up_in_f32_is_rounded_once(function, truth, element) -> None:
    values = halves(element, np.random.default_rng(3), 1100, 7)
    wide = truth(values.astype(np.float32))
    assert wide.dtype == np.float32
    given = np.asarray(tc.jit(function)(values))
    assert same_bits(given, wide.astype(values.dtype))
    assert same_bits(given, truth(values))


@BOTH
def test_many_tenths_are_what_numpy_gives_in_f32(element: str) -> None:
    dtype = type_of(element)
    x = np.full(4096, 0.1, dtype)
    wanted = x.astype(np.float32).sum().astype(dtype)
    assert abs(float(wanted) - 409.6) <= np.spacing(wanted)
    assert tc.jit(tc.sum)(x) == wanted
    assert tc.jit(lambda v: v @ np.ones(4096, dtype))(x) == wanted
    assert tc.jit(tc.mean)(x) == x[0]


def test_a_sum_that_overflows_between_but_not_at_the_end_is_finite() -> None:
    x = np.array([60000, 60000, -60000, -49984], np.float16)
    assert tc.jit(tc.sum)(x) == 10016 == tc.jit(lambda v: v @ (0 * v + 1))(x)


@BOTH
def test_derivatives_are_added_up_in_f32(element: str) -> None:
    # The slope by a number that is repeated is a sum, that by a factor a product.
    dtype = type_of(element)
    rows = np.full((4096, 2), 0.1, dtype)
    wanted = rows[:, 0].astype(np.float32).sum().astype(dtype)
    slope = tc.grad(lambda b, x: tc.sum((x + b) * x), argnums=0)
    given = np.asarray(slope(np.zeros(2, dtype), rows))
    assert given.dtype == dtype
    assert (given == wanted).all()
    by_weights = tc.grad(lambda w, x: tc.sum(x @ w))
    assert (by_weights(np.ones((2, 3), dtype), rows) == wanted).all()


@pytest.mark.parametrize("masked", [False, True])
@BOTH
def test_a_softmax_is_computed_in_f32(element: str, masked: bool) -> None:
    values = halves(element, np.random.default_rng(4), 5, 300)
    values = values * values.dtype.type(4)
    counts = values < 3
    where = {"where": counts} if masked else {}
    shares = tc.jit(lambda x: tc.softmax(x, axis=1, **where))
    given = np.asarray(shares(values))
    assert given.dtype == values.dtype
    powers = np.exp(values.astype(float)) * (counts if masked else 1)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    unit = np.spacing(np.maximum(given, given.dtype.type(1e-7))).astype(float)
    assert (abs(given - wanted) <= 0.51 * unit).all()


@BOTH
def test_a_softmax_of_more_than_f16_can_count(element: str) -> None:
    x = np.zeros(70000, type_of(element))
    share = x.dtype.type(1 / 70000)
    assert (tc.jit(lambda v: tc.softmax(v, axis=0))(x) == share).all()
    logarithm = tc.jit(lambda v: tc.log_softmax(v, axis=0))(x)
    assert (logarithm == x.dtype.type(-np.log(70000))).all()


@BOTH
def test_softmax_agrees_at_every_stage(element: str) -> None:
    module = new_module()
    types = [parse_type(f"{element}[B, N]"), parse_type("i1[B, N]")]
    add_function(
        module,
        "both",
        types,
        lambda b, of: [
            b(Softmax, of[0], axis=1),
            b(Softmax, *of, axis=0),
            b(LogSoftmax, of[0], axis=1),
        ],
    )
    rng = np.random.default_rng(5)
    cases = [
        ("both", [halves(element, rng, *shape), rng.random(shape) < 0.7])
        for shape in ((3, 5), (2, 40), (17, 3))
    ]
    check(module, cases, exact=False, levels=(0, 2))
