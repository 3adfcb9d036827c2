"""Derivatives of Python functions, and that one `grad` takes functions and values."""

from dataclasses import dataclass

import numpy as np

import tensorc as tc


@dataclass
class Params:
    W: object
    b: object


def loss(params, x):
    return np.sum((x @ params.W + params.b) ** 2)


def test_the_derivative_has_the_structure_of_the_argument():
    params = Params(np.arange(6.0).reshape(3, 2), np.ones(2))
    x = np.linspace(0, 1, 12).reshape(4, 3)
    gradient = tc.grad(loss)(params, x)
    error = 2 * (x @ params.W + params.b)
    assert type(gradient) is Params
    np.testing.assert_allclose(gradient.W, x.T @ error, rtol=1e-12)
    np.testing.assert_allclose(gradient.b, error.sum(axis=0), rtol=1e-12)


def test_defaults_that_mean_not_given_are_left_to_the_function():
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(tc.grad(np.sum)(x), np.ones(3))
    value, slope = tc.value_and_grad(np.prod)(x)
    assert value == 8
    np.testing.assert_array_equal(slope, [8, 4, 2])
    found = tc.jacobian(np.sum)(np.ones((2, 2)), axis=1)
    np.testing.assert_array_equal(found, [[[1, 1], [0, 0]], [[0, 0], [1, 1]]])

    def scaled(x, s=3.0, *, k=2.0):
        return np.sum(x) * s * k

    by_x, by_s = tc.grad(scaled, argnums=(0, 1))(x)
    np.testing.assert_array_equal(by_x, [6, 6, 6])
    assert by_s == 14


def test_value_and_derivative_by_several_arguments():
    value, (dx, dy) = tc.value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    assert (value, dx, dy) == (6, 3, 2)
    assert tc.grad(lambda x, y: x * y, 1)(2.0, 3.0) == 2
    assert tc.grad(lambda x, y: x * y, argnums=-1)(2.0, y=3.0) == 2


def test_auxiliary_results():
    def f(x):
        return x * x, {"double": 2 * x}

    gradient, aux = tc.grad(f, has_aux=True)(3.0)
    assert (gradient, aux["double"]) == (6, 6)
    (value, aux), gradient = tc.value_and_grad(f, has_aux=True)(3.0)
    assert (value, aux["double"], gradient) == (9, 6, 6)


def test_derivatives_of_derivatives():
    third = tc.grad(tc.grad(tc.grad(lambda x: x**4)))
    assert third(2.0) == 48
    assert tc.jit(lambda x: third(x) + tc.grad(np.exp)(x))(0.0) == 1


def test_what_the_function_captures_is_constant():
    @tc.jit
    def f(x):
        y = 2 * x
        return tc.grad(lambda v: v * y)(x)

    assert f(3.0) == 6


def test_derivatives_within_a_derivative_do_not_mix():
    def f(x):
        return x * tc.grad(lambda y: x + y)(1.0)

    assert tc.grad(f)(1.0) == 1
    assert tc.grad(lambda x: tc.grad(lambda y: x * y * y)(x))(3.0) == 12


def test_what_the_cost_does_not_use_has_derivative_0():
    gradient = tc.grad(lambda p: p["a"] * 2)({"a": 1.0, "b": np.ones(3)})
    assert gradient["a"] == 2
    np.testing.assert_array_equal(gradient["b"], np.zeros(3))
    assert tc.grad(lambda x: 1.0)(2.0) == 0


def test_a_compiled_function_can_be_differentiated():
    @tc.jit(static="n")
    def power(x, n):
        result = x
        for _ in range(n - 1):
            result = result * x
        return result

    assert tc.grad(power)(2.0, 3) == 12
    assert tc.grad(power)(np.float32(2), n=4).dtype == np.float32


def test_by_shared_variables_and_values_inside_of_a_function():
    W = tc.shared(np.arange(3.0), "W")

    @tc.jit
    def f(x):
        hidden = x * W
        return tc.grad((hidden * hidden).sum(), [W, hidden])

    by_memory, by_value = f(np.ones(3))
    np.testing.assert_array_equal(by_memory, 2 * np.arange(3.0))
    np.testing.assert_array_equal(by_value, 2 * np.arange(3.0))
    assert tc.grad(lambda W, x: (W * x).sum())(W, np.ones(3)).tolist() == [1, 1, 1]


def test_grad_of_values_is_the_symbolic_one():
    x = tc.dscalar("x")
    assert tc.grad(x * x, x).eval({x: 3.0}) == 6
    assert isinstance(tc.grad(x * x, [x]), list)


def test_derivatives_agree_with_central_differences():
    def f(x):
        y = np.tanh(x @ x.T) + np.log(1 + np.exp(x.sum(axis=1)))
        return np.mean(np.where(y > 0, y, y * y) / (1 + np.sqrt(y * y)))

    x = np.random.default_rng(0).normal(size=(3, 4))
    gradient = tc.grad(f)(x)
    for index in np.ndindex(3, 4):
        step = np.zeros((3, 4))
        step[index] = 1e-6
        expected = (f(x + step) - f(x - step)) / 2e-6
        np.testing.assert_allclose(gradient[index], expected, atol=1e-8)
