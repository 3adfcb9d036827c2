"""Reductions along several axes: one op in all doors, along their flat index."""

import itertools

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.numerics import flatten, ordered_product, ordered_sum, same_bits

RNG = np.random.default_rng(5)
SHAPE = (7, 33, 5)
X = RNG.standard_normal(SHAPE).astype(np.float32)
# As it is written, and the axes that it means.
AXES = {
    "(0, 2)": (0, 2),
    "(2, 0)": (0, 2),
    "(-1, -2)": (1, 2),
    "(1, 0)": (0, 1),
    "none": (0, 1, 2),
}


def total(x, axes):
    return ordered_sum(flatten(x, axes), 0)


def product(x, axes):
    return ordered_product(flatten(x, axes), 0)


def average(x, axes):
    count = np.prod([x.shape[a] for a in axes])
    return np.divide(total(x, axes), x.dtype.type(count))


MEANINGS = {
    "sum": total,
    "prod": product,
    "mean": average,
    "max": lambda x, axes: np.max(x, axis=axes),
    "min": lambda x, axes: np.min(x, axis=axes),
}


def written(name, axes, tmp_path, keepdims="false"):
    """Return what a file gives."""
    path = tmp_path / "model.tc"
    path.write_text(
        f"fn f(x: f32[A, B, C]) = {name}(x, axis={axes}, keepdims={keepdims})\n"
    )
    return tc.load(path).f


@pytest.mark.parametrize("name", MEANINGS)
@pytest.mark.parametrize("spelled", AXES)
def test_all_doors_give_the_same_bits_of_one_op(name, spelled, tmp_path):
    axes = AXES[spelled]
    given = None if spelled == "none" else eval(spelled)
    want = np.asarray(MEANINGS[name](X, axes))
    by_numpy = tc.jit(lambda x: getattr(np, name)(x, axis=given))
    by_method = tc.jit(lambda x: getattr(x, name)(axis=given))
    x = tc.tensor3("x", dtype="float32")
    by_variable = tc.function([x], getattr(tc, name)(x, axis=given))
    in_file = written(name, spelled, tmp_path)
    for f in (by_numpy, by_method, by_variable, in_file):
        got = np.asarray(f(X))
        assert same_bits(got, want)
        assert f.emit("tensor").count(f'"tc.{name}"') == 1


@pytest.mark.parametrize("keepdims", ["true", "false"])
def test_axes_stay_with_size_1_where_that_is_asked_for(keepdims, tmp_path):
    got = written("sum", "(2, 0)", tmp_path, keepdims)(X)
    assert got.shape == ((1, 33, 1) if keepdims == "true" else (33,))
    assert same_bits(got.reshape(33), total(X, (0, 2)))


def test_a_sum_of_all_is_that_of_the_vector():
    for shape in ((40, 60), (3, 1000), (1000, 3), (17, 19, 23)):
        x = RNG.standard_normal(shape).astype(np.float32)
        whole, flat = tc.jit(lambda x: (x.sum(), x.ravel().sum()))(x)
        assert same_bits(np.asarray(whole), np.asarray(flat))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_an_index_of_all_elements_is_flat_and_the_first(name):
    x = RNG.integers(0, 4, (9, 7, 8)).astype(np.float32)
    f = tc.jit(lambda x: getattr(np, name)(x))
    assert f(x) == getattr(np, name)(x)
    assert "tc.reshape" not in f.emit("tensor")
    x[4, 2, 3] = x[5, 0, 0] = np.nan
    assert f(x) == 4 * 56 + 2 * 8 + 3
    value, index = tc.jit(lambda x: tc.top1(x))(np.nan_to_num(x))
    assert (value, index) == (3, np.nan_to_num(x).argmax())


def test_booleans_are_asked_along_all_axes_at_once():
    x = RNG.random((4, 6, 5)) < 0.9
    f = tc.jit(lambda x: (x.any(axis=(0, 2)), x.all(axis=(2, 1)), x.all()))
    for got, want in zip(
        f(x), (x.any(axis=(0, 2)), x.all(axis=(1, 2)), x.all()), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_all_ties_share_the_slope_of_an_extreme():
    x = np.array([[3.0, 3.0, 1.0], [0.0, 3.0, 2.0]])
    slopes = tc.jit(tc.grad(lambda x: np.max(x)))(x)
    np.testing.assert_array_equal(slopes, (x == 3) / 3)


def test_the_slope_of_the_first_largest_is_at_its_flat_index():
    x = np.array([[3.0, 5.0, 1.0], [5.0, 3.0, 2.0]])
    slopes = tc.jit(tc.grad(lambda x: tc.top1(x)[0] ** 2))(x)
    np.testing.assert_array_equal(slopes, [[0, 10, 0], [0, 0, 0]])


def test_the_slope_of_a_product_over_axes_with_a_zero():
    x = np.array([[[2.0, 3.0], [5.0, 0.0]], [[7.0, 1.0], [2.0, 4.0]]])
    slopes = tc.jit(tc.grad(lambda x: np.sum(np.prod(x, axis=(0, 2)))))(x)
    want = [[[21, 14], [0, 40]], [[6, 42], [0, 0]]]
    np.testing.assert_array_equal(slopes, want)


def test_softmaxes_over_two_axes_spelled_naively_do_not_overflow():
    x = RNG.standard_normal((3, 4, 5)) * 1000
    want = tc.jit(lambda x: tc.softmax(x, axis=(1, 2)))(x)

    def naive(x):
        powers = np.exp(x)
        return powers / np.sum(powers, axis=(1, 2), keepdims=True)

    np.testing.assert_allclose(tc.jit(naive)(x), want, rtol=1e-12)
    logs = tc.jit(lambda x: np.log(np.sum(np.exp(x), axis=(2, 1))))(x)
    np.testing.assert_allclose(logs, x.max(axis=(1, 2)), rtol=1e-3)


@pytest.mark.parametrize(("threads", "optimize"), [(1, 0), (2, 3), (4, 2)])
def test_threads_and_levels_change_no_bit(threads, optimize):
    shapes = ((9, 64, 49), (130, 7, 3), (5, 40, 2, 26))
    for shape in shapes:
        x = RNG.standard_normal(shape).astype(np.float32)
        last = len(shape) - 1
        for axes in ((0, last), (0, 1), (1, last), tuple(range(len(shape)))):
            with tc.options(threads=threads, optimize=optimize):
                f = tc.jit(lambda x, axes=axes: (x.sum(axis=axes), x.max(axis=axes)))
                sums, largest = (np.asarray(v) for v in f(x))
            assert same_bits(sums, np.asarray(total(x, axes))), (shape, axes)
            np.testing.assert_array_equal(largest, x.max(axis=axes))


@pytest.mark.parametrize("few", [3, 16, 17])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("turned", list(itertools.permutations(range(3))))
def test_few_elements_reduce_to_results_in_another_order(few, known, turned):
    """What is kept lies in memory in another order than the results."""
    x = np.random.default_rng(3).standard_normal((5, few, 6))

    def reductions(x):
        y = x.transpose(turned)
        kinds = (np.sum, np.max, np.argmax)
        return tuple(f(y, axis=axis) for f in kinds for axis in range(3))

    sizes = x.shape if known else ("N", few, "M")
    reductions.__annotations__["x"] = tc.f64[sizes]
    for got, want in zip(tc.jit(reductions)(x), reductions(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
