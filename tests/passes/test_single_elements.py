"""Softmaxes and logarithms of sums along axes of one element, which sizes of 1 make."""

import numpy as np
import pytest

import tensorc as tc

X = np.array([[1000.0], [-1000.0], [0.5]])
SHARES = {
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True),
    "weighted": lambda x: 3 * np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True) / 3,
    "scaled": lambda x: np.exp(x) * (1 / np.sum(np.exp(x), axis=1, keepdims=True)),
}
LOGS = {
    "sum": lambda x: np.log(np.sum(np.exp(x), axis=1)),
    "kept sum": lambda x: np.log(np.sum(np.exp(x), axis=1, keepdims=True))[:, 0],
    "mean": lambda x: np.log(np.mean(np.exp(x), axis=1)),
    "weighted": lambda x: np.log(np.sum((x * 0 + 1) * np.exp(x), axis=1)),
    "weighted mean": lambda x: np.log(np.mean((x * 0 + 1) * np.exp(x), axis=1)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHARES)
def test_the_share_of_one_is_all(name, dtype):
    f, x = SHARES[name], X.astype(dtype)
    np.testing.assert_allclose(tc.jit(f)(x), np.ones_like(x), rtol=1e-6)
    np.testing.assert_array_equal(tc.grad(lambda x: tc.sum(f(x)))(x), np.zeros_like(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOGS)
def test_the_log_of_one_exponential_in_a_sum_is_its_exponent(name, dtype):
    f, x = LOGS[name], X.astype(dtype)
    value, slope = tc.value_and_grad(lambda x: tc.sum(f(x)[:1]))(x)
    np.testing.assert_allclose([value, slope[0, 0]], [1000, 1], rtol=1e-6)
    np.testing.assert_allclose(tc.jit(f)(x), X[:, 0], rtol=1e-6)


def test_other_sums_of_one_element_are_taken_away():
    f = tc.jit(lambda x: np.sum(x * x, axis=1) + np.mean(x, axis=1))
    text = f.emit("tensor", X)
    assert "tc.sum" not in text
    assert "tc.mean" not in text
