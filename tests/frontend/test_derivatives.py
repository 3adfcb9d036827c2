"""`jvp`, `vjp`, `jacobian`, `hessian` and `stop_gradient` of values."""

import numpy as np
import pytest

from tests.frontend.irgen_helpers import diagnostics, run

X = np.array([0.3, -1.2, 0.7])
A = np.array([[1.0, 2, 3], [-1, 0.5, 2]])
# f(x) = A tanh(x), and its jacobian.
SLOPES = A * (1 - np.tanh(X) ** 2)
MATRIX = "param A: f64[2, 3] = [[1, 2, 3], [-1, 0.5, 2]]\n"


def results(text, *inputs):
    found, _ = run(MATRIX + text, "f", *inputs)
    return found


def test_a_product_with_a_direction():
    text = "fn f(x: f64[3], t: f64[3]) -> f64[2] = jvp(A @ tanh(x), x, t)"
    t = np.array([1.0, -2, 0.5])
    np.testing.assert_allclose(results(text, X, t)[0], SLOPES @ t, rtol=1e-14)


def test_a_product_with_weights():
    text = "fn f(x: f64[3], w: f64[2]) -> f64[3] = vjp(A @ tanh(x), x, w)"
    w = np.array([2.0, -3])
    np.testing.assert_allclose(results(text, X, w)[0], w @ SLOPES, rtol=1e-14)


def test_structures_come_back():
    text = """fn f(x: f64[3], k: f64) -> (f64[2], f64, f64[3], f64) {
        y = k * (A @ tanh(x))
        s = sum(x) * k**2
        ty, ts = jvp((y, s), (x, k), (1, 0.5))
        wx, wk = vjp((y, s), (x, k), ([1, 2], 3))
        return ty, ts, wx, wk
    }"""
    ty, ts, wx, wk = results(text, X, 2.0)
    y = A @ np.tanh(X)
    np.testing.assert_allclose(ty, 2 * SLOPES.sum(axis=1) + 0.5 * y, rtol=1e-13)
    np.testing.assert_allclose(ts, 3 * 4 + 0.5 * 4 * X.sum(), rtol=1e-13)
    np.testing.assert_allclose(wx, 2 * np.array([1, 2]) @ SLOPES + 12, rtol=1e-13)
    np.testing.assert_allclose(wk, np.array([1, 2]) @ y + 12 * X.sum(), rtol=1e-13)


def test_by_a_value_and_by_what_it_was_computed_from():
    text = """fn f(x: f64) -> (f64, f64, f64, f64) {
        y = x**2
        z = y**3
        along = jvp(z, (x, y), (1, 10))
        by_x, by_y = vjp(z, (x, y), 2)
        twice = jvp(z, (x, x), (1, 2))
        return along, by_x, by_y, twice
    }"""
    along, by_x, by_y, twice = results(text, 2.0)
    assert (by_x, by_y) == (2 * 6 * 2**5, 2 * 3 * 4**2)
    assert along == 6 * 2**5 + 10 * 3 * 4**2
    assert twice == 3 * 6 * 2**5


JACOBIANS = {
    "of_few": ("x: f64[3]", "jacobian(A @ tanh(x), x)", [X], lambda x: SLOPES),
    "by_few": (
        "x: f64[2], y: f64[N]",
        "jacobian(y[:, none] * x**2, x)",
        [X[:2], X],
        lambda x, y: np.einsum("n,ij,j->nij", y, np.eye(2), 2 * x),
    ),
    "of_a_scalar": (
        "x: f64[M, N]",
        "jacobian(sum(x**3), x)",
        [A],
        lambda x: 3 * x**2,
    ),
    "by_a_scalar": (
        "x: f64, y: f64[N]",
        "jacobian(y * x**2, x)",
        [3.0, X],
        lambda x, y: 2 * x * y,
    ),
    "of_matrices": (
        "x: f64[2, 3]",
        "jacobian(x.T * 2, x)",
        [A],
        lambda x: 2 * np.einsum("ik,jl->jikl", np.eye(2), np.eye(3)),
    ),
    "of_nothing": (
        "x: f64[3]",
        "jacobian(x[1:1], x)",
        [X],
        lambda x: np.zeros((0, 3)),
    ),
    "of_one": (
        "x: f64[3]",
        "jacobian(x[1:2] ** 2, x)",
        [X],
        lambda x: np.array([[0, 2 * x[1], 0]]),
    ),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobians(name):
    formals, formula, inputs, meant = JACOBIANS[name]
    (got,) = results(f"fn f({formals}) {{ return {formula} }}", *inputs)
    wanted = meant(*inputs)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)


def test_jacobians_have_the_axes_of_the_value_then_of_wrt():
    text = """fn f(x: f64[3], k: f64) -> (f64[2, 3], f64[2], f64[3], f64) {
        of_y, of_s = jacobian((k * (A @ tanh(x)), k * sum(x)), (x, k))
        return of_y[0], of_y[1], of_s[0], of_s[1]
    }"""
    yx, yk, sx, sk = results(text, X, 2.0)
    np.testing.assert_allclose(yx, 2 * SLOPES, rtol=1e-13)
    np.testing.assert_allclose(yk, A @ np.tanh(X), rtol=1e-13)
    assert np.array_equal(sx, [2, 2, 2])
    assert sk == X.sum()


def test_hessians():
    text = "fn f(x: f64[3]) -> f64[3, 3] = hessian(prod(x) + sum(x**3), x)"
    (got,) = results(text, X)
    a, b, c = X
    wanted = np.array([[6 * a, c, b], [c, 6 * b, a], [b, a, 6 * c]])
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_hessians_of_a_tuple_are_blocks():
    text = """fn f(x: f64[2], k: f64) -> (f64[2, 2], f64[2], f64[2], f64) {
        of_x, of_k = hessian(k * sum(x**2) + 3 * k, (x, k))
        return of_x[0], of_x[1], of_k[0], of_k[1]
    }"""
    xx, xk, kx, kk = results(text, X[:2], 2.0)
    assert np.array_equal(xx, 4 * np.eye(2))
    np.testing.assert_allclose([xk, kx], [2 * X[:2]] * 2, rtol=1e-14)
    assert kk == 0


def test_a_hessian_of_what_is_linear_is_zero():
    (got,) = results("fn f(x: f64[2]) -> f64[2, 2] = hessian(sum(3 * x), x)", X[:2])
    assert np.array_equal(got, np.zeros((2, 2)))


def test_derivatives_of_products():
    text = """fn f(x: f64[3], t: f64[3]) -> (f64[3], f64) {
        along = jvp(sum(x**3), x, t)
        return grad(along, x), jvp(along, x, t)
    }"""
    t = np.array([1.0, -2, 0.5])
    by_x, twice = results(text, X, t)
    np.testing.assert_allclose(by_x, 6 * X * t, rtol=1e-13)
    np.testing.assert_allclose(twice, (6 * X * t * t).sum(), rtol=1e-13)


def test_what_is_stopped_is_a_constant():
    text = """fn f(x: f64[3]) -> (f64[3], f64[3], f64) {
        y = stop_gradient(x**2)
        return y, grad(sum(y * x), x), stop_gradient(2)
    }"""
    y, slope, two = results(text, X)
    assert np.array_equal(y, X**2)
    assert np.array_equal(slope, X**2)
    assert two == 2
    text = "fn f(x: f64[3]) -> f64[3] = grad(sum(stop_gradient(x)), x)"
    (found,) = diagnostics(text)
    assert found.code == "TC0308"
    assert "the cost does not depend on `x`" in found.message


def test_what_does_not_depend_may_be_zero():
    text = """fn f(x: f64[3], k: f64) -> (f64[3], f64, f64[3], f64[3, 2, 2]) {
        a, b = vjp(k * 2, (x, k), 1, disconnected="zero")
        t = jvp(x * 2, (x, k), (1, 1), disconnected="zero")
        return a, b, t, jacobian(x, A[:, :2], disconnected="zero")
    }"""
    a, b, t, j = results(text, X, 2.0)
    assert np.array_equal(a, [0, 0, 0])
    assert b == 2
    assert np.array_equal(t, [2, 2, 2])
    assert np.array_equal(j, np.zeros((3, 2, 2)))


THROUGH = """fn cost(x: f64, y: f64) -> f64 {
    if x > y { z = x**3 * y } else if x > 0 { z = x * log(y) } else { z = 5 }
    return z
}
fn f(x: f64, y: f64) -> (f64, f64, f64, f64, f64, f64) {
    c = cost(x, y)
    by_x, by_y = grad(c, (x, y))
    xx, xy = hessian(c, (x, y))[0]
    return by_x, by_y, xx, xy, grad(by_x, y), jvp(by_y, x, 1)
}
"""


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        (3, 2, [54, 27, 36, 27, 27, 27]),
        (1, 2, [np.log(2), 0.5, 0, 0.5, 0.5, 0.5]),
        # The logarithm of the branch that is not taken has no derivative here.
        (0.5, 0, [0, 0.125, 0, 0.75, 0.75, 0.75]),
        (-1, -2, [-6, -1, 12, 3, 3, 3]),
        (-1, 2, [0] * 6),
    ],
)
def test_derivatives_go_through_the_branch_that_is_taken(x, y, wanted):
    found = results(THROUGH, float(x), float(y))
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_a_derivative_in_a_branch_of_what_was_computed_before_it():
    text = """state W: f64[3] = [1, 2, 3]
    step f(x: f64[3]) -> f64 {
        cost = sum(W**2 * x)
        if cost > 0 {
            half = cost / 2
            W <- W - grad(half, W)
        }
        return cost
    }"""
    for sign in (1, -1):
        (cost,), new = run(text, "f", sign * X)
        w = np.array([1.0, 2, 3])
        np.testing.assert_allclose(cost, (w**2 * sign * X).sum())
        step = w * sign * X if cost > 0 else 0
        np.testing.assert_allclose(new["W"], w - step, rtol=1e-14)


def test_a_derivative_by_what_no_branch_reads_for_the_cost():
    text = """fn f(x: float, y: float) -> float {
        if x > 0 { a = x  b = y } else { a = 2 * x  b = 3 * y }
        s = b
        return grad(a, y) + s
    }"""
    (found,) = diagnostics(text)
    assert (found.code, found.location.line) == ("TC0308", 4)
    assert "the cost does not depend on `y`" in found.message
