"""Cases 54 to 66 of the casebook: derivatives."""

import numpy as np
import pytest

import tensorc as tc
from tests.semantics.running import LEVELS, same_bits

FLOATS = ("f4", "f8")
INF, NAN = np.inf, np.nan

# Case 54: the slope of a program at a point, by table 3.1 of the casebook.
AT_EDGES = {
    "abs at 0": (lambda x: np.abs(x), 0.0, 0.0),
    "relu at 0": (tc.relu, 0.0, 0.0),
    "clip at its bound": (lambda x: np.clip(x, 0, 1), 1.0, 0.5),
    "sqrt at 0": (np.sqrt, 0.0, INF),
    "0 to 0": (lambda x: x**0.0, 0.0, 0.0),
    "0 to 1": (lambda x: x**1.0, 0.0, 1.0),
    "0 to 2": (lambda x: x**2.0, 0.0, 0.0),
    "-2 to 2": (lambda x: x**2.0, -2.0, -4.0),
    "exponent of 0": (lambda x: 0.0**x, 2.0, 0.0),
    "norm at 0": (lambda x: np.linalg.norm(np.stack([x, x])), 0.0, 0.0),
    "std of a constant": (lambda x: np.std(np.stack([x, x])), 3.0, 0.0),
    "two zeros": (lambda x: np.prod(np.stack([x, x * 0 + 3, x])), 0.0, 0.0),
    "one zero": (lambda x: np.prod(np.stack([x, x * 0 + 3])), 0.0, 3.0),
    "softplus far out": (tc.softplus, 800.0, 1.0),
    "sigmoid far out": (tc.sigmoid, -800.0, 0.0),
    "xlogy by x": (lambda x: tc.xlogy(x, 2.0), 0.0, np.log(2.0)),
    "x log x": (lambda x: x * np.log(x), 0.0, NAN),
    "round": (np.rint, 0.3, 0.0),
    "floor": (np.floor, 0.3, 0.0),
    "sign": (np.sign, 0.0, 0.0),
    "remainder by y": (lambda y: 5.0 % y, 3.0, -1.0),
    "of a negative one": (lambda y: -5.0 % y, 3.0, 2.0),
    "log1p at -1": (np.log1p, -1.0, INF),
    "an unsafe choice": (lambda x: np.where(x > 0, np.sqrt(x), 0), 0.0, NAN),
    "a safe choice": (
        lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0),
        0.0,
        0.0,
    ),
}


@pytest.mark.parametrize("dtype", FLOATS)
def test_slopes_at_edges(dtype):
    """Cases 54, 56: -O0 and -O3 give one slope."""
    points = {n: np.array(at, dtype) for n, (_, at, _) in AT_EDGES.items()}

    def slopes(points):
        return {
            n: tc.grad(AT_EDGES[n][0](x).sum(), x, disconnected_inputs="ignore")
            for n, x in points.items()
        }

    for level in LEVELS:
        with tc.options(optimize=level):
            found = tc.jit(slopes)(points)
        for name, (_, _, wanted) in AT_EDGES.items():
            given = found[name]
            assert given.dtype == dtype, name
            np.testing.assert_allclose(given, wanted, rtol=1e-6, err_msg=name)


def test_ties_are_shared():
    """Case 54: of a pair in halves, of a reduction in equal parts."""
    x = np.array([1.0, 2, 2, 2])
    for level in LEVELS:
        with tc.options(optimize=level):
            parts = tc.jit(tc.grad(np.max))(x)
            pair = tc.jit(lambda a, b: tc.grad(np.maximum(a, b), [a, b]))(1.0, 1.0)
        np.testing.assert_allclose(parts, [0, 1 / 3, 1 / 3, 1 / 3])
        assert [float(p) for p in pair] == [0.5, 0.5]


@pytest.mark.parametrize("dtype", FLOATS)
def test_windows_of_equal_elements_give_one_of_them(dtype):
    """Case 55: the first; windows that overlap add up; the second order is defined."""
    x = np.zeros((1, 1, 5, 5), dtype)
    program = tc.jit(tc.grad(lambda x: tc.max_pool(x, 3, stride=2).sum()))
    wanted = np.zeros((5, 5), dtype)
    wanted[::2, ::2][:2, :2] = 1
    assert same_bits(program(x)[0, 0], wanted)
    overlapping = tc.jit(tc.grad(lambda x: tc.max_pool(x, 3, stride=1).sum()))(x)
    assert overlapping.sum() == 9
    ramp = np.arange(25, dtype=dtype).reshape(1, 1, 5, 5)

    def twice(x):
        first = tc.grad((tc.max_pool(x, 2) ** 3).sum(), x)
        return tc.grad((first * first).sum(), x)

    given = tc.jit(twice)(ramp)
    top = ramp[0, 0, 1:4:2, 1:4:2]
    np.testing.assert_allclose(given[0, 0, 1:4:2, 1:4:2], 36 * top**3, rtol=1e-6)
    assert np.count_nonzero(given) == 4


def test_a_value_that_is_used_twice():
    """Case 57: within a program, and as two inputs that are one array."""
    x = np.linspace(0.5, 2, 5)
    both = tc.jit(lambda a, b: tc.grad(np.sum(a * b * a), [a, b]))(x, x)
    np.testing.assert_allclose(both[0], 2 * x * x)
    np.testing.assert_allclose(both[1], x * x)
    one = tc.jit(tc.grad(lambda x: np.sum(x * x * x)))(x)
    np.testing.assert_allclose(one, 3 * x * x)


def test_what_has_no_derivative_is_refused():
    """Case 58: integers and what the cost does not depend on, when it is built."""
    i, x, y = tc.lvector("i"), tc.dvector("x"), tc.dvector("y")
    with pytest.raises(TypeError, match="float"):
        tc.grad((x * i).sum(), i)
    with pytest.raises(ValueError, match="depend"):
        tc.grad(x.sum(), y)
    zero = tc.grad(x.sum(), y, disconnected_inputs="ignore")
    assert not tc.function([x, y], zero, on_unused_input="ignore")(
        np.ones(2), np.ones(3)
    ).any()


def test_a_stop_is_not_merged_with_what_it_stops():
    """Case 59."""
    x = np.array([2.0, 3.0])
    for level in LEVELS:
        with tc.options(optimize=level):
            slope = tc.jit(tc.grad(lambda x: np.sum(tc.stop_gradient(x * x) * (x * x))))
            assert same_bits(slope(x), 2 * x**3)


def test_the_derivative_of_a_constant_is_zero():
    """Case 62: with its shape and type."""
    for dtype in FLOATS:
        slope = tc.jit(tc.grad(lambda x: np.sum(np.floor(x))))(np.ones((2, 3), dtype))
        assert same_bits(slope, np.zeros((2, 3), dtype))


def test_both_arguments_of_new_values():
    """Case 63: what is set has no slope in the old values; bounds of clip have one."""
    x, v = np.arange(4.0), np.array([5.0, 6.0])
    dx, dv = tc.jit(lambda x, v: tc.grad(np.sum(x.at[1:3].set(v) ** 2), [x, v]))(x, v)
    assert same_bits(dx, np.array([0.0, 0, 0, 6]))
    assert same_bits(dv, 2 * v)
    low, high = tc.jit(lambda x, a, b: tc.grad(np.sum(np.clip(x, a, b)), [a, b]))(
        np.array([-3.0, 0, 9]), -1.0, 4.0
    )
    assert (float(low), float(high)) == (1, 1)


@pytest.mark.parametrize("level", LEVELS)
def test_sums_over_axes_of_no_and_one_element(level):
    """Case 65: and 64, -O does not change a derivative."""
    with tc.options(optimize=level):
        for shape in ((0, 3), (1, 3), (2, 0)):
            x = np.ones(shape)
            for function in (np.sum, np.prod):
                slope = tc.jit(tc.grad(lambda x, f=function: np.sum(f(x, axis=0))))(x)
                assert same_bits(slope, np.ones(shape))
        slope = tc.jit(tc.grad(lambda x: np.sum(np.mean(x, axis=0))))(np.ones((0, 3)))
    assert slope.shape == (0, 3)
