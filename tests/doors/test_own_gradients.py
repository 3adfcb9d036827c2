"""What derivatives hold constant, and functions that say their own derivative."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.array([0.7, -1.3, 2.1])
V = np.array([0.2, 0.5, -0.4])
STOPS = (tc.stop_gradient, tc.disconnected_grad, tc.zero_grad)


@pytest.mark.parametrize("stop", STOPS)
def test_what_is_stopped_is_constant(stop):
    def f(x):
        return np.sum(stop(x * x) * x)

    np.testing.assert_allclose(tc.grad(f)(X), X * X, rtol=1e-15)
    value, slope = tc.jvp(f, (X,), (V,))
    assert value == pytest.approx(np.sum(X**3))
    assert slope == pytest.approx(np.sum(X * X * V))
    np.testing.assert_allclose(tc.hessian(f)(X), np.zeros((3, 3)))
    x = tc.dvector("x")
    found = tc.function([x], tc.grad(f(x), x))(X)
    np.testing.assert_allclose(found, X * X, rtol=1e-15)


def test_what_depends_through_a_stop_alone_does_not_depend():
    x = tc.dvector("x")
    cost = np.sum(tc.stop_gradient(x) ** 2)
    with pytest.raises(ValueError, match="the cost does not depend on <x"):
        tc.grad(cost, x)
    zeros = tc.grad(cost, x, disconnected_inputs="zeros")
    assert not tc.function([x], zeros, on_unused_input="ignore")(X).any()
    assert not tc.grad(lambda x: np.sum(tc.stop_gradient(x) ** 2))(X).any()


def test_a_stop_keeps_everything_and_each_member_of_a_group():
    f = tc.jit(
        lambda x, i: (tc.stop_gradient(x), tc.stop_gradient(i), tc.stop_gradient(2))
    )
    x = np.array([np.nan, -0.0, np.inf], "float32")
    same, numbers, two = f(x, np.arange(3))
    assert same.tobytes() == x.tobytes()
    assert numbers.tolist() == [0, 1, 2]
    assert two == 2
    W, b = tc.shared(X, "W"), tc.shared(V, "b")
    group = tc.stop_gradient(tc.group(W, b))
    assert group.names == ("W", "b")
    np.testing.assert_array_equal(group["b"].eval(), V)


def test_a_stop_keeps_nans_of_a_derivative_away():
    def f(x):
        return np.sum(np.where(x > 0, x, 0) + tc.stop_gradient(np.log(x)))

    np.testing.assert_array_equal(tc.grad(f)(X), [1, 0, 1])


DOORS = {
    "function": lambda cost: tc.grad(cost)(X),
    "values": lambda cost: tc.jit(lambda x: tc.grad(cost(x), x))(X),
    "symbolic": lambda cost: by_variables(cost),
    "jvp": lambda cost: tc.jvp(tc.grad(cost), (X,), (V,)),
}


def by_variables(cost):
    x = tc.dvector("x")
    return tc.function([x], tc.grad(cost(x), x))(X)


@pytest.mark.parametrize("door", DOORS)
def test_the_advice_of_a_missing_derivative_is_true(door):
    def wrong(x):
        return np.sum(x * np.argmax(x).astype("float64"))

    def right(x):
        return np.sum(x * tc.stop_gradient(np.argmax(x)).astype("float64"))

    def also(x):
        return np.sum(x * tc.stop_gradient(np.argmax(x).astype("float64")))

    with pytest.raises(tc.CompileError) as caught:
        DOORS[door](wrong)
    assert "wrap it in stop_gradient" in said(caught.value)
    for cost in (right, also):
        found = DOORS[door](cost)
        if door != "jvp":
            np.testing.assert_array_equal(found, [2, 2, 2])


def test_the_advice_is_true_in_a_file(tmp_path):
    path = tmp_path / "m.tc"
    text = "fn f(x: f64[3]) -> f64[3] {\n    y = sum(x * (WORD))\n"
    text += "    return grad(y, x)\n}\n"
    path.write_text(text.replace("WORD", "f64(argmax(x))"))
    with pytest.raises(tc.CompileError, match="wrap it in stop_gradient"):
        tc.load(str(path)).f(X)
    path.write_text(text.replace("WORD", "f64(stop_gradient(argmax(x)))"))
    np.testing.assert_array_equal(tc.load(str(path)).f(X), [2, 2, 2])


# Functions with a derivative of their own


@tc.custom_gradient(backward=lambda x, ct: ct)
def rounded(x):
    return np.round(x)


def test_a_function_with_the_derivative_of_another():
    np.testing.assert_array_equal(rounded(X), np.round(X))

    def f(x):
        return np.sum(rounded(x) ** 2 * x)

    r = np.round(X)
    np.testing.assert_allclose(tc.grad(f)(X), 2 * r * X + r * r, rtol=1e-15)
    value, pullback = tc.vjp(rounded, X)
    np.testing.assert_array_equal(value, r)
    np.testing.assert_array_equal(pullback(V)[0], V)
    np.testing.assert_array_equal(tc.jacobian(rounded)(X), np.eye(3))
    x = tc.dvector("x")
    g = tc.function([x], [f(x), tc.grad(f(x), x)])
    np.testing.assert_allclose(g(X)[1], 2 * r * X + r * r, rtol=1e-15)


@dataclass
class Params:
    a: object
    b: object


def test_structures_integers_and_what_is_captured():
    k = tc.shared(np.array([1.0, 2.0, 3.0]), "k")

    def forward(p, i, scale=2.0):
        return {"s": np.sum(p.a * k) * scale, "v": p.b[i]}

    def backward(p, i, scale, ct):
        return Params(ct["s"] * k * 10, None), None, None

    f = tc.custom_gradient(forward, backward)

    def cost(p, i):
        found = f(p, i)
        return found["s"] ** 2 + np.sum(found["v"])

    p, i = Params(X, V), np.array([0, 2])
    found = tc.grad(cost)(p, i)
    s = np.sum(X * k.get_value()) * 2
    np.testing.assert_allclose(found.a, 2 * s * k.get_value() * 10, rtol=1e-14)
    np.testing.assert_array_equal(found.b, np.zeros(3))
    # By what it captures nothing is differentiated.
    by_k = tc.jit(lambda p, i: tc.grad(cost(p, i) + np.sum(k), k))(p, i)
    np.testing.assert_array_equal(by_k, np.ones(3))


def test_arguments_by_keyword_go_to_both():
    def forward(x, y=2.0, *, power=1):
        return x**power * y

    def backward(x, y, ct, *, power=1):
        return ct * power, None

    f = tc.custom_gradient(forward, backward)
    assert tc.jit(lambda x: f(x, power=3))(2.0) == 16
    assert tc.grad(lambda x: f(x, power=3))(2.0) == 3
    assert tc.grad(lambda x: f(y=5.0, x=x))(2.0) == 1
    assert f(2.0, 3.0, power=2) == 12


def test_its_derivative_is_differentiated_as_it_is_written():
    f = tc.custom_gradient(np.sin, lambda x, ct: ct * x**3)
    first = tc.grad(lambda x: np.sum(f(x)))
    np.testing.assert_allclose(first(X), X**3, rtol=1e-14)
    second = tc.grad(lambda x: np.sum(first(x)))
    np.testing.assert_allclose(second(X), 3 * X**2, rtol=1e-14)
    third = tc.grad(lambda x: np.sum(second(x)))
    np.testing.assert_allclose(third(X), 6 * X, rtol=1e-14)


def test_one_within_another_and_in_a_condition():
    inner = tc.custom_gradient(np.exp, lambda x, ct: 2 * ct)
    outer = tc.custom_gradient(
        lambda x: inner(x) * x,
        lambda x, ct: ct * tc.grad(lambda x: np.sum(inner(x)))(x),
    )

    def f(x):
        return np.sum(tc.cond(x[0] > 0, lambda: outer(x), lambda: x * 7))

    np.testing.assert_array_equal(tc.grad(f)(X), [2, 2, 2])
    np.testing.assert_array_equal(tc.grad(f)(-X), [7, 7, 7])
    assert tc.jit(f)(X) == pytest.approx(np.sum(np.exp(X) * X))


def test_a_condition_and_a_derivative_within():
    def forward(x):
        slope = tc.grad(lambda x: np.sum(x**3))(x)
        return tc.cond(np.sum(x) > 0, lambda: slope, lambda: -slope)

    f = tc.custom_gradient(forward, lambda x, ct: tc.ifelse(x[0] > 0, ct, -ct))
    np.testing.assert_allclose(tc.jit(lambda x: f(x))(X), 3 * X * X, rtol=1e-15)
    np.testing.assert_allclose(tc.jit(lambda x: f(x))(-X), -3 * X * X, rtol=1e-15)
    np.testing.assert_array_equal(tc.vjp(f, X)[1](V)[0], V)
    np.testing.assert_array_equal(tc.vjp(f, -X)[1](V)[0], -V)


def test_theanos_clip_and_scale():
    x = tc.dvector("x")
    clipped, scaled = tc.grad_clip(x, -1, 1), tc.grad_scale(x, 10.0)
    f = tc.function([x], [clipped, tc.grad(np.sum(clipped**2), x)])
    same, slope = f(X)
    np.testing.assert_array_equal(same, X)
    np.testing.assert_allclose(slope, np.clip(2 * X, -1, 1), rtol=1e-15)
    g = tc.function([x], [scaled, tc.grad(np.sum(scaled**2), x)])
    np.testing.assert_allclose(g(X)[1], 20 * X, rtol=1e-15)


def test_graphs_are_copied_and_pickled():
    x, y = tc.dvector("x"), tc.shared(V, "y")
    own = tc.custom_gradient(lambda a: a * y + x, lambda a, ct: ct * x * 2)
    cost = np.sum(own(x * x) ** 2)
    slope = tc.grad(cost, x)
    expected = tc.function([x], [cost, slope])(X)
    for made in (copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))):
        inputs, results = made(([x], [cost, slope]))
        for one, other in zip(tc.function(inputs, results)(X), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_givens_and_sizes():
    x, data = tc.dvector("x"), tc.shared(np.arange(8.0), "data")
    own = tc.custom_gradient(
        lambda a: a[1:] - a[: a.shape[0] - 1] + tc.zeros(a.shape[0] - 1, "float64"),
        lambda a, ct: tc.ones(a.shape, "float64") * np.sum(ct),
    )
    slope = tc.grad(np.sum(own(x)), x)
    np.testing.assert_array_equal(tc.function([x], slope)(X), [2, 2, 2])
    i = tc.lscalar("i")
    f = tc.function([i], slope, givens={x: data[i : i + 4]})
    np.testing.assert_array_equal(f(2), [3, 3, 3, 3])


def test_what_is_wrong_says_so():
    def run(backward, f=np.sin):
        own = tc.custom_gradient(f, backward)
        return lambda: tc.grad(lambda x: np.sum(own(x)))(X)

    cases = {
        "takes a function backward": lambda: tc.custom_gradient(np.sin),
        "takes a function, got": lambda: tc.custom_gradient(3, np.sin),
        "says how cotangents go back": lambda: tc.jvp(rounded, (X,), (V,)),
        "np.sum(tc.grad(f)(x) * v)": lambda: tc.hvp(
            lambda x: np.sum(rounded(x) ** 2), (X,), (V,)
        ),
        "a tuple of 2, for 1 argument": run(lambda x, ct: (ct, ct)),
        "returns for argument 0 is": run(lambda x, ct: ([ct, ct],)),
        "it has the shape of what": run(lambda x, ct: np.sum(ct)),
        "sizes do not fit": run(lambda x, ct: ct[1:]),
        "only floats have derivatives": run(lambda x, ct: ct, np.argmax),
    }
    for words, use in cases.items():
        with pytest.raises((TypeError, ValueError, tc.TensorcError)) as caught:
            use()
        assert words in said(caught.value), words


# One of several results of a node


def results_of(kind, x):
    """Return two variables that one node makes, and what they are, with slopes."""
    if kind == "gradients":
        a, b = x * x, x * 3
        return tc.grad(np.sum(a * a * b + a * b), [a, b])
    if kind == "condition":
        return tc.cond(x[0] > 0, lambda: (x * x, x * 3), lambda: (x, x))
    if kind == "own":
        own = tc.custom_gradient(
            lambda x: (x * x, x * 3), lambda x, ct: 2 * x * ct[0] + 3 * ct[1]
        )
        return own(x)
    values, indices = tc.top1(np.stack([x * x, x]), axis=0)
    return values, values * 2 + indices


KINDS = ("gradients", "condition", "own", "top1")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "top1"])
@pytest.mark.parametrize("constant", [0, 1])
def test_one_of_two_results_is_held(kind, constant):
    x = tc.dvector("x")
    pair = results_of(kind, x)
    product = np.sum(pair[0] * pair[1])
    stopped = [tc.stop_gradient(p) if i == constant else p for i, p in enumerate(pair)]
    by_held = tc.grad(product, x, consider_constant=[pair[constant]])
    by_stop = tc.grad(np.sum(stopped[0] * stopped[1]), x)
    known = tc.Lop(pair[1 - constant], x, pair[constant])
    f = tc.function([x], [by_held, by_stop, known])
    for at in (X, -X):
        first, second, third = f(at)
        np.testing.assert_allclose(first, second, rtol=1e-13)
        np.testing.assert_allclose(second, third, rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_a_derivative_by_one_of_two_results(kind):
    x = tc.dvector("x")
    left, right = results_of(kind, x)
    found = tc.function([x], [tc.grad(np.sum(left * right), left), right, left])(X)
    expected = found[1] + 2 * found[2] if kind == "top1" else found[1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-13)
