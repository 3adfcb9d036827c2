"""Products with jacobians, of functions and of variables, against differences."""

from dataclasses import dataclass

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.array([0.7, -1.3, 2.1])
V = np.array([0.2, 0.5, -0.4])
STEP = 1e-6


def difference(f, x, v, step=STEP):
    """Return the derivative of a function of arrays along v, by a difference."""
    return (np.asarray(f(x + step * v)) - np.asarray(f(x - step * v))) / (2 * step)


FUNCTIONS = {
    "elementwise": lambda x: np.sin(x) * np.exp(-x * x),
    "sum": lambda x: np.sum(x * x) * x,
    "product": lambda x: np.outer(x, x) @ x,
    "softmax": lambda x: tc.softmax(x),
    "maximum": lambda x: np.maximum(x, 0.5 * x) ** 3,
    "index": lambda x: x[1:] * x[0],
    "scalar": lambda x: np.prod(x),
    "constant": lambda x: np.ones(2),
}


def by_numpy(f):
    return lambda x: np.asarray(tc.jit(f)(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_is_a_difference_and_backward_its_transpose(name):
    f = FUNCTIONS[name]
    value, slope = tc.jvp(f, (X,), (V,))
    np.testing.assert_array_equal(value, by_numpy(f)(X))
    expected = difference(by_numpy(f), X, V)
    np.testing.assert_allclose(slope, expected, rtol=1e-7, atol=1e-9)
    again, pullback = tc.vjp(f, X)
    np.testing.assert_array_equal(again, value)
    weights = np.linspace(1, 2, np.size(value)).reshape(np.shape(value))
    (found,) = pullback(weights)
    np.testing.assert_allclose(found @ V, np.sum(weights * slope), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "constant"])
def test_orders_two_and_three(name):
    f = FUNCTIONS[name]

    def first(x):
        return tc.jvp(f, (x,), (V,))[1]

    def second(x):
        return tc.jvp(first, (x,), (V,))[1]

    def third(x):
        return tc.jvp(second, (x,), (V,))[1]

    for lower, higher in ((first, second), (second, third)):
        expected = difference(by_numpy(lower), X, V)
        found = by_numpy(higher)(X)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "constant"])
def test_forward_of_backward_is_backward_of_forward(name):
    f = FUNCTIONS[name]

    def cost(x):
        return np.sum(f(x) ** 2)

    def forward(x):
        return tc.jvp(tc.grad(cost), (x,), (V,))[1]

    def backward(x):
        return tc.grad(lambda x: tc.jvp(cost, (x,), (V,))[1])(x)

    def twice(x):
        return tc.grad(lambda x: np.sum(tc.grad(cost)(x) * V))(x)

    expected = difference(tc.grad(cost), X, V)
    for way in (forward, backward, twice, lambda x: tc.hvp(cost, (x,), (V,))):
        np.testing.assert_allclose(by_numpy(way)(X), expected, rtol=1e-6, atol=1e-6)


@dataclass
class Params:
    W: object
    b: object


def affine(params, x):
    return {"out": np.tanh(x @ params.W + params.b), "norm": np.sum(params.b**2)}


def test_structures_go_in_and_out():
    params = Params(np.arange(6.0).reshape(3, 2) / 5, np.array([0.1, -0.2]))
    along = Params(np.ones((3, 2)), np.array([1.0, 2.0]))
    value, slope = tc.jvp(affine, (params, X), (along, None))

    def moved(t):
        at = Params(params.W + t * along.W, params.b + t * along.b)
        return np.tanh(X @ at.W + at.b)

    np.testing.assert_allclose(value["out"], moved(0), rtol=1e-14)
    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    np.testing.assert_allclose(slope["out"], expected, rtol=1e-7)
    np.testing.assert_allclose(slope["norm"], 2 * params.b @ along.b, rtol=1e-12)
    _, pullback = tc.vjp(affine, params, X)
    back, by_x = pullback({"norm": 1.0, "out": np.zeros(2)})
    assert type(back) is Params
    np.testing.assert_allclose(back.b, 2 * params.b, rtol=1e-12)
    np.testing.assert_array_equal(back.W, np.zeros((3, 2)))
    np.testing.assert_array_equal(by_x, np.zeros(3))


def test_a_part_of_a_direction_may_be_left_out():
    params = {"a": X, "b": V}
    _, slope = tc.jvp(lambda p: p["a"] * p["b"], (params,), ({"b": V, "a": None},))
    np.testing.assert_allclose(slope, X * V, rtol=1e-15)
    _, pullback = tc.vjp(lambda x: (x, x * x), X)
    np.testing.assert_allclose(pullback([None, V])[0], 2 * X * V, rtol=1e-15)


def test_integers_stay():
    def picked(x, i):
        return x[i] * 2

    value, slope = tc.jvp(picked, (X, np.array([2, 0])), (V, None))
    np.testing.assert_array_equal(value, 2 * X[[2, 0]])
    np.testing.assert_array_equal(slope, 2 * V[[2, 0]])
    _, pullback = tc.vjp(picked, X, np.array([2, 0]))
    back, none = pullback(np.array([1.0, 10.0]))
    assert none is None
    np.testing.assert_array_equal(back, [20, 0, 2])


def test_auxiliary_results():
    def f(x):
        return x * x, {"double": 2 * x}

    value, slope, aux = tc.jvp(f, (3.0,), (1.0,), has_aux=True)
    assert (value, slope, aux["double"]) == (9, 6, 6)
    value, pullback, aux = tc.vjp(f, 3.0, has_aux=True)
    assert (value, pullback(1.0)[0], aux["double"]) == (9, 6, 6)
    inside = tc.jit(lambda x: tc.vjp(f, x, has_aux=True)[1](1.0)[0])
    assert inside(3.0) == 6


def test_a_pullback_keeps_the_arguments_as_they_were():
    x = X.copy()
    _, pullback = tc.vjp(np.sin, x)
    x[:] = 0
    np.testing.assert_allclose(pullback(V)[0], np.cos(X) * V, rtol=1e-14)


def test_words_choose_the_program():
    def f(x, how):
        return np.sum(x) if how == "sum" else x

    back, none = tc.vjp(f, X, "sum")[1](2.0)
    assert none is None
    np.testing.assert_array_equal(back, [2, 2, 2])
    value, slope = tc.jvp(f, (X, "sum"), (V, None))
    assert (value, slope) == (pytest.approx(X.sum()), pytest.approx(V.sum()))


def test_numbers_fill_a_direction_and_types_stay():
    value, slope = tc.jvp(np.sin, (X.astype("float32"),), (1.0,))
    assert (value.dtype, slope.dtype) == ("float32", "float32")
    np.testing.assert_allclose(slope, np.cos(X), rtol=1e-6)
    wide = tc.jvp(lambda x: x.astype("float64"), (X.astype("float32"),), (2.0,))[1]
    assert wide.dtype == "float64"
    np.testing.assert_array_equal(wide, [2, 2, 2])


def test_they_are_parts_of_what_is_traced():
    @tc.jit
    def both(x, v):
        value, slope = tc.jvp(np.sin, (x,), (v,))
        again, pullback = tc.vjp(np.sin, x)
        return value - again, slope, pullback(v)[0]

    zero, slope, back = both(X, V)
    np.testing.assert_array_equal(zero, np.zeros(3))
    np.testing.assert_allclose(slope, np.cos(X) * V, rtol=1e-14)
    np.testing.assert_allclose(back, np.cos(X) * V, rtol=1e-14)


def test_a_step_may_use_them():
    W = tc.shared(X, "W")

    @tc.step
    def train(x):
        cost, pullback = tc.vjp(lambda w: np.sum((w * x) ** 2), W)
        tc.update(W, W - 0.1 * pullback(1.0)[0])
        return cost

    assert train(V) == pytest.approx(np.sum((X * V) ** 2))
    np.testing.assert_allclose(W.get_value(), X - 0.2 * X * V * V, rtol=1e-14)


def test_a_compiled_function_keeps_its_products():
    f = tc.jit(lambda x: x**3)
    _, pullback = tc.vjp(f, X)
    np.testing.assert_allclose(pullback(V)[0], 3 * X * X * V, rtol=1e-14)
    np.testing.assert_allclose(tc.jvp(f, (X,), (V,))[1], 3 * X * X * V, rtol=1e-14)


def test_conditions_go_along():
    def f(x):
        return tc.cond(np.sum(x) > 0, lambda: x * x, lambda: np.log(x))

    _, slope = tc.jvp(f, (X,), (V,))
    np.testing.assert_allclose(slope, 2 * X * V, rtol=1e-14)
    low = np.array([0.5, -0.6])
    value, slope = tc.jvp(f, (low,), (np.ones(2),))
    np.testing.assert_array_equal(np.isnan(value), [False, True])
    np.testing.assert_allclose(slope, 1 / low, rtol=1e-14)
    second = tc.jvp(lambda x: tc.jvp(f, (x,), (V,))[1], (X,), (V,))[1]
    np.testing.assert_allclose(second, 2 * V * V, rtol=1e-14)


# Of variables


def variables():
    x, v = tc.dvector("x"), tc.dvector("v")
    return x, v, np.sin(x) * np.sum(x * x)


def jacobian_of_y():
    f = by_numpy(lambda x: np.sin(x) * np.sum(x * x))
    return np.stack([difference(f, X, e) for e in np.eye(3)], axis=1)


def test_theanos_operators():
    x, v, y = variables()
    f = tc.function([x, v], [tc.Rop(y, x, v), tc.Lop(y, x, v)])
    right, left = f(X, V)
    np.testing.assert_allclose(right, jacobian_of_y() @ V, rtol=1e-7)
    np.testing.assert_allclose(left, V @ jacobian_of_y(), rtol=1e-7)


def test_several_of_each():
    x, v, y = variables()
    z = y * v
    right = tc.Rop([y, z], [x, v], [v, x])
    assert isinstance(right, list)
    left = tc.Lop([y, z], [x, v], [v, x])
    f = tc.function([x, v], [*right, *left])
    found = f(X, V)
    y0 = np.sin(X) * np.sum(X * X)
    J = jacobian_of_y()
    np.testing.assert_allclose(found[0], J @ V, rtol=1e-7)
    np.testing.assert_allclose(found[1], J @ V * V + y0 * X, rtol=1e-7)
    np.testing.assert_allclose(found[2], V @ J + (X * V) @ J, rtol=1e-7)
    np.testing.assert_allclose(found[3], X * y0, rtol=1e-12)


def test_by_a_variable_and_by_what_is_computed_from_it():
    x, v, _ = variables()
    y = x * x
    z = y * x
    right = tc.Rop(z, [x, y], [v, v])
    left = tc.Lop(z, [x, y], v)
    found = tc.function([x, v], [right, *left])(X, V)
    np.testing.assert_allclose(found[0], 3 * X * X * V + X * V, rtol=1e-14)
    np.testing.assert_allclose(found[1], 3 * X * X * V, rtol=1e-14)
    np.testing.assert_allclose(found[2], X * V, rtol=1e-14)


def test_groups_and_memory():
    W, b = tc.shared(np.eye(2) + 1, "W"), tc.shared(np.ones(2), "b")
    params = tc.group(W, b)
    y = np.tanh(W @ b)
    along = params.map(lambda p: 0.1 * p)
    (right,) = tc.function([], [tc.Rop(y, params, along)])()
    W0, b0 = W.get_value(), b.get_value()

    def moved(t):
        return np.tanh((W0 * (1 + 0.1 * t)) @ (b0 * (1 + 0.1 * t)))

    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    np.testing.assert_allclose(right, expected, rtol=1e-7)
    assert tc.Lop(y, params, np.ones(2)).names == ("W", "b")


def test_what_does_not_depend():
    x, v, y = variables()
    z = tc.dvector("z")
    with pytest.raises(ValueError, match="does not depend on wrt"):
        tc.Rop([y, z], x, v)
    with pytest.raises(ValueError, match="f does not depend on <z"):
        tc.Lop(y, [x, z], v)
    right = tc.Rop([y, z], x, v, disconnected_outputs="zeros")[1]
    left = tc.Lop(y, [x, z], v, disconnected_inputs="ignore")[1]
    found = tc.function([z], [right, left])(V)
    assert not np.any(found)
    constant = tc.Lop(y, x, v, consider_constant=[np.sum(x * x)])
    with pytest.raises(ValueError, match="f does not depend on <x"):
        tc.Lop(np.sin(x), x, v, consider_constant=[x])
    assert tc.function([x, v], constant)(X, V).shape == (3,)


def test_theanos_warnings_of_what_does_not_depend(recwarn):
    x, v, y = variables()
    z, other = tc.dvector("z"), tc.dvector("other")
    uses = {
        "the cost does not depend on <z": lambda: tc.grad(
            np.sum(y), z, disconnected_inputs="warn"
        ),
        "f does not depend on <z": lambda: tc.Lop(y, z, v, disconnected_inputs="warn"),
        "<other: f64[other0]> does not depend": lambda: tc.Rop(
            [y, other], x, v, disconnected_outputs="warn"
        ),
    }
    for words, use in uses.items():
        recwarn.clear()
        use()
        (seen,) = recwarn.list
        assert words in str(seen.message)
        assert "TC0319" in str(seen.message)
        assert seen.filename == __file__


def test_known_derivatives():
    x, v, y = variables()
    by_x = tc.grad(None, x, known_grads={y: v})
    np.testing.assert_allclose(
        tc.function([x, v], by_x)(X, V), V @ jacobian_of_y(), rtol=1e-7
    )
    # What is known counts instead of what would be computed.
    cost = np.sum(y**2) + np.sum(x)
    by_x, by_y = tc.grad(cost, [x, y], known_grads={y: v})
    found = tc.function([x, v], [by_x, by_y])(X, V)
    np.testing.assert_allclose(found[0], V @ jacobian_of_y() + 1, rtol=1e-7)
    np.testing.assert_array_equal(found[1], V)
    # Of two, of which one is computed from the other.
    z = y * y
    by_x = tc.grad(None, x, known_grads={y: v, z: np.ones(3)})
    found = tc.function([x, v], by_x)(X, V)
    np.testing.assert_allclose(found, V @ jacobian_of_y(), rtol=1e-7)


def test_what_fits_nothing_says_so():
    x, v, y = variables()
    i, W = tc.lvector("i"), tc.shared(X, "W")
    cases = {
        "jvp takes a function": lambda: tc.jvp(y, (x,), (v,)),
        "vjp takes a function": lambda: tc.vjp(y, x),
        "primals of jvp is a tuple": lambda: tc.jvp(np.sin, X, V),
        "1 primals and 2 tangents": lambda: tc.jvp(np.sin, (X,), (V, V)),
        "only floats have derivatives": lambda: tc.Rop(i, x, v),
        "cast it: v.astype": lambda: tc.jvp(np.sin, (X,), (np.arange(3),)),
        "is f64[2], that of f64[3]": lambda: tc.Rop(W * 2, W, np.ones(2)),
        "the rest besides, with has_aux=True": lambda: tc.jvp(np.argmax, (X,), (V,)),
        "write 2.0 for 2": lambda: tc.jvp(np.sin, (2,), (1.0,)),
        "is a list of 2, where one array is": lambda: tc.jvp(np.sin, (X,), ([V, V],)),
        "differentiate, got a tuple of 2": lambda: tc.grad(lambda x: (x, x))(1.0),
        "give one for each leaf": lambda: tc.jvp(np.sin, (X,), ([V, V],)),
        "must be one of raise": lambda: tc.Rop(y, x, v, disconnected_outputs="warm"),
        "the cost must be a variable": lambda: tc.grad(None, x, known_grads={}),
        "is of variables, hvp takes a": lambda: tc.hvp(np.sum, (X,), (V,), [W]),
        "f: tc.stop_gradient(x)": lambda: tc.grad(np.sum, consider_constant=[W]),
        "known_grads is of variables": lambda: tc.grad(np.sum, known_grads={y: v}),
        "tc.grad(None, wrt,": lambda: tc.grad(np.sum, x, known_grads={y: v}),
        "a variable of known_grads": lambda: tc.grad(None, x, known_grads={i: v}),
    }
    for words, use in cases.items():
        with pytest.raises((TypeError, ValueError, tc.TensorcError)) as caught:
            use()
        assert words in said(caught.value), words
