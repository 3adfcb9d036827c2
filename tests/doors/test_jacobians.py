"""Jacobians and hessians, of functions and of variables, against differences."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.array([0.7, -1.3, 2.1])
STEP = 1e-5


def difference(f, x):
    """Return the jacobian of a function of arrays: its axes, then those of x."""
    rows = []
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = STEP
        e = e.reshape(x.shape)
        rows.append((np.asarray(f(x + e)) - np.asarray(f(x - e))) / (2 * STEP))
    return np.stack(rows, axis=-1).reshape(*np.shape(rows[0]), *x.shape)


FUNCTIONS = {
    "fewer rows": lambda x: np.stack([np.sum(x * x), np.prod(x)]),
    "fewer columns": lambda x: np.outer(x.reshape(3), np.sin(x)),
    "as many": lambda x: np.sin(x) * np.sum(x * x),
    "scalar": lambda x: np.sum(x**3),
    "constant": lambda x: np.ones((2, 2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_of_a_function(name, shape):
    f, x = FUNCTIONS[name], X.reshape(shape)
    found = tc.jacobian(f)(x)
    expected = difference(lambda x: tc.jit(f)(x), x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


def test_sizes_are_those_of_the_call():
    f = tc.jit(lambda x: tc.jacobian(np.sin)(x))
    for n in (3, 1, 0, 4):
        x = np.linspace(0, 1, n)
        np.testing.assert_allclose(f(x), np.diag(np.cos(x)), rtol=1e-14)
    assert len(f.cache_info()) == 4


def test_of_a_number():
    assert tc.jacobian(lambda x: x**3)(2.0) == 12
    assert tc.hessian(lambda x: x**3)(2.0) == 12
    found = tc.jacobian(lambda x: np.stack([x, x * x]))(3.0)
    np.testing.assert_array_equal(found, [1, 6])


def test_its_structure_is_that_of_the_results_with_that_of_the_arguments():
    def f(p, y):
        return {"a": p["u"] * y, "b": (np.sum(p["u"]) * p["v"],)}

    p = {"u": X, "v": np.array(2.0)}
    by_p, by_y = tc.jacobian(f, argnums=(0, 1))(p, X + 1)["a"]
    np.testing.assert_allclose(by_p["u"], np.diag(X + 1), rtol=1e-14)
    np.testing.assert_array_equal(by_p["v"], np.zeros(3))
    np.testing.assert_allclose(by_y, np.diag(X), rtol=1e-14)
    by_p = tc.jacobian(f)(p, X)["b"][0]
    np.testing.assert_allclose(by_p["u"], [2, 2, 2])
    assert by_p["v"] == pytest.approx(X.sum())


def test_auxiliary_results():
    found, aux = tc.jacobian(lambda x: (x * x, {"double": 2 * x}), has_aux=True)(2.0)
    assert (found, aux["double"]) == (4, 4)


def cost(x):
    return np.sum(x**4) * x[0] + np.exp(x[1])


def test_the_hessian_of_a_function():
    found = tc.hessian(cost)(X)
    np.testing.assert_allclose(found, difference(tc.grad(cost), X), rtol=1e-6)
    np.testing.assert_allclose(found, found.T, rtol=1e-12)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(tc.hvp(cost, (X,), (v,)), found @ v, rtol=1e-12)


def test_the_third_derivative():
    third = tc.jacobian(tc.hessian(cost))(X)
    expected = difference(tc.hessian(cost), X)
    np.testing.assert_allclose(third, expected, rtol=1e-6, atol=1e-5)


def test_the_blocks_of_a_hessian():
    def f(p):
        return np.sum(p["a"] ** 2 * p["b"])

    p = {"a": X, "b": X + 1}
    found = tc.hessian(f)(p)
    np.testing.assert_allclose(found["a"]["a"], np.diag(2 * p["b"]), rtol=1e-14)
    np.testing.assert_allclose(found["a"]["b"], np.diag(2 * p["a"]), rtol=1e-14)
    np.testing.assert_allclose(found["b"]["a"], np.diag(2 * p["a"]), rtol=1e-14)
    np.testing.assert_array_equal(found["b"]["b"], np.zeros((3, 3)))
    along = {"a": X, "b": None}
    product = tc.hvp(f, (p,), (along,))
    np.testing.assert_allclose(product["b"], 2 * p["a"] * X, rtol=1e-14)


def test_through_a_condition():
    def f(x):
        return tc.cond(x[0] > 0, lambda: x * x, lambda: np.sqrt(x))

    np.testing.assert_allclose(tc.jacobian(f)(X), np.diag(2 * X), rtol=1e-14)
    hessian = tc.hessian(lambda x: np.sum(f(x)))(X)
    np.testing.assert_allclose(hessian, 2 * np.eye(3), rtol=1e-14)


# Of variables, in Theano's words


def test_of_variables():
    W = tc.shared(X, "W")
    b = tc.shared(np.array(0.5), "b")
    y = np.sin(W) * np.sum(W * W) * b
    by_w, by_b = tc.function([], tc.jacobian(y, [W, b]))()
    expected = difference(lambda x: np.sin(x) * np.sum(x * x) * 0.5, X)
    np.testing.assert_allclose(by_w, expected, rtol=1e-7)
    np.testing.assert_allclose(by_b, np.sin(X) * np.sum(X * X), rtol=1e-14)
    found = tc.jacobian(y, tc.group(W, b))
    assert found.names == ("W", "b")


def test_the_hessian_of_variables_has_a_block_for_each():
    W, b = tc.shared(X, "W"), tc.shared(X + 1, "b")
    c = np.sum(W**3 * b)
    found = tc.function([], tc.hessian(c, [W, b]))()
    np.testing.assert_allclose(found[0], np.diag(6 * X * (X + 1)), rtol=1e-14)
    np.testing.assert_array_equal(found[1], np.zeros((3, 3)))
    v = tc.dvector("v")
    products = tc.function([v], tc.hvp(c, [W, b], [v, None]))(X)
    np.testing.assert_allclose(products[0], 6 * X * (X + 1) * X, rtol=1e-14)
    np.testing.assert_allclose(products[1], 3 * X * X * X, rtol=1e-14)


def test_one_known_side_is_enough():
    x = tc.dvector("x")
    y = np.stack([np.sum(x * x), x[0]])
    found = tc.function([x], tc.jacobian(y, x))(X)
    np.testing.assert_allclose(found, [2 * X, [1, 0, 0]], rtol=1e-14)
    row = tc.tensor("row", "float64", (2,))
    f = tc.function([row, x], tc.jacobian(np.outer(x, row), row))
    np.testing.assert_allclose(f(X[:2], X), np.einsum("i,jk->ijk", X, np.eye(2)))


def test_constants_and_what_does_not_depend():
    W, b = tc.shared(X, "W"), tc.shared(X, "b")
    s = np.sum(W * W)
    found = tc.jacobian(W * s, W, consider_constant=[s])
    expected = np.eye(3) * np.sum(X * X)
    np.testing.assert_allclose(tc.function([], found)(), expected, rtol=1e-14)
    with pytest.raises(ValueError, match="the expression does not depend on <b"):
        tc.jacobian(W * 2, [W, b])
    with pytest.raises(ValueError, match="the cost does not depend on <b"):
        tc.hessian(s, [W, b])
    zeros = tc.jacobian(W * 2, [W, b], disconnected_inputs="zeros")[1]
    np.testing.assert_array_equal(tc.function([], zeros)(), np.zeros((3, 3)))


def test_constants_of_a_product_and_what_the_cost_does_not_depend_on(recwarn):
    W, b = tc.shared(X, "W"), tc.shared(X, "b")
    s = np.sum(W * W)
    given = s * np.sum(W**3), [W, b], [X, X]
    with pytest.raises(ValueError, match="the cost does not depend on <b"):
        tc.hvp(*given)
    zeros = tc.hvp(*given, consider_constant=[s], disconnected_inputs="zeros")
    by_w, by_b = tc.function([], zeros)()
    np.testing.assert_allclose(by_w, np.sum(X * X) * 6 * X * X, rtol=1e-13)
    np.testing.assert_array_equal(by_b, np.zeros(3))
    assert not recwarn.list
    tc.hvp(*given, disconnected_inputs="warn")
    assert "does not depend on <b" in str(recwarn.list[0].message)


def test_what_is_not_possible_says_so():
    x = tc.dvector("x")
    i = tc.lvector("i")
    wide = tc.shared(np.ones(300), "wide")
    cases = {
        "the jacobian of f64[x0] by f64[x0]": lambda: tc.jacobian(x * x, x),
        "at most 256 elements": lambda: tc.jacobian(wide * wide, wide),
        "the hessian by f64[x0] is not": lambda: tc.hessian(np.sum(x * x), x),
        "the hessian by f64[300] is not": lambda: tc.hessian(cost)(np.ones(300)),
        'tc.tensor("x", "float64", (3,)) of': lambda: tc.hessian(np.sum(x * x), x),
        "tc.hessian(f)(x) take the sizes": lambda: tc.jacobian(x * x, x),
        "tc.Rop and tc.Lop of variables": lambda: tc.hessian(np.sum(x * x), x),
        "only floats have derivatives": lambda: tc.jacobian(i, x),
        "jacobian of a variable takes (cost, wrt)": lambda: tc.jacobian(x),
        "hessian of a function takes": lambda: tc.hessian(cost, "x"),
        "the cost must be a scalar": lambda: tc.hessian(x * x, x),
        "takes (x)": lambda: tc.jacobian(lambda x: x, 3),
    }
    for words, use in cases.items():
        with pytest.raises((TypeError, ValueError, tc.TensorcError)) as caught:
            use()
        assert words in said(caught.value), words
