"""Conditions in the Python doors: `tc.cond` and Theano's `tc.ifelse`."""

import copy
import pickle
import time
from dataclasses import dataclass

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

V = np.array([0.5, -1.0, 2.0])


@tc.jit
def chosen(x, scale):
    """A condition on elements, with operands."""
    return tc.cond(np.sum(x) > 1, lambda v: np.exp(v) * scale, np.tanh, x)


def test_a_traced_function_chooses_by_value():
    np.testing.assert_allclose(chosen(V, 2.0), np.exp(V) * 2)
    np.testing.assert_allclose(chosen(-V, 2.0), np.tanh(-V))
    assert len(chosen.cache_info()) == 1


@tc.jit
def looked_up(x, i):
    return tc.cond(i < x.shape[0], lambda: x[i], lambda: -1.0)


def test_the_branch_that_is_not_taken_raises_nothing():
    assert looked_up(V, 2) == 2.0
    assert looked_up(V, 3) == -1.0


def test_a_nan_of_the_other_branch_does_not_reach_the_derivative():
    @tc.jit
    def root(x):
        return tc.cond(x > 0, lambda: np.sqrt(x), lambda: x * 0)

    slope = tc.grad(root)
    assert (slope(4.0), slope(-4.0), slope(0.0)) == (0.25, 0.0, 0.0)
    assert tc.grad(slope)(4.0) == -1 / 32


@dataclass
class State:
    h: object
    count: object


def test_results_have_any_structure():
    @tc.jit
    def stepped(x, n):
        state = State(x, {"n": n, "none": None})
        return tc.cond(
            n > 1,
            lambda s: State(s.h * 2, {"n": s.count["n"] + 1, "none": None}),
            lambda s: s,
            state,
        )

    found = stepped(V, 2)
    assert isinstance(found, State)
    np.testing.assert_array_equal(found.h, V * 2)
    assert found.count == {"n": 3, "none": None}
    assert stepped(V, 1).count["n"] == 1


@pytest.mark.parametrize(
    ("then", "other", "dtype"),
    [
        ("float32", "float64", "float64"),
        ("int32", "int64", "int64"),
        ("bool", "int8", "int8"),
        ("int64", "float32", "float64"),
    ],
)
def test_types_meet_as_in_numpy(then, other, dtype):
    f = tc.jit(lambda c, x, y: tc.cond(c, lambda: x, lambda: y))
    x, y = np.ones(2, then), np.zeros(2, other)
    for condition in (np.array([True])[0], np.array([False])[0]):
        found = tc.jit(lambda x, y, c: tc.cond(c.sum() > 0, lambda: x, lambda: y))(
            x, y, np.array([condition])
        )
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, (x if condition else y).astype(dtype))
    assert f(True, x, y).dtype == then  # one branch, as `if` keeps


def test_numbers_of_python_take_the_type_of_what_they_meet():
    @tc.jit
    def rate(x):
        lr = tc.cond(np.sum(x) > 0, lambda: 0.5, lambda: 1)
        return lr * x

    x = np.ones(2, "float32")
    assert rate(x).dtype == "float32"
    assert [rate(x)[0], rate(-x)[0]] == [0.5, -1]


# What is known decides at once


@pytest.mark.parametrize("known", [True, 1, 2.5, np.True_, np.int32(3), np.array(1)])
def test_what_is_known_keeps_one_branch(known):
    def never():
        raise AssertionError

    assert tc.cond(known, lambda v: v + 1, never, 2) == 3
    assert tc.cond(not known, never, lambda v: v, 2) == 2
    x = tc.dvector("x")
    assert tc.ifelse(known, x, "anything") is x
    found = tc.jit(lambda v: tc.cond(known, lambda: v * 2, never))(V)
    np.testing.assert_array_equal(found, V * 2)


def test_a_number_argument_is_no_part_of_the_program():
    @tc.jit
    def scaled(x, n):
        return tc.cond(n, lambda: x * n, lambda: x)

    for n in (0, 1, 7):
        np.testing.assert_array_equal(scaled(V, n), V * n if n else V)
    assert len(scaled.cache_info()) == 1


def test_a_size_is_a_condition():
    @tc.jit
    def mean(x):
        return tc.cond(x.shape[0] > 3, lambda: np.mean(x), lambda: 0.0)

    assert mean(np.ones(4)) == 1
    assert mean(np.ones(2)) == 0
    assert len(mean.cache_info()) == 1


# Symbolic functions


def test_ifelse_is_theanos():
    a, b = tc.dscalar("a"), tc.dscalar("b")
    x, y = tc.dmatrix("x"), tc.dmatrix("y")
    z = tc.ifelse(tc.lt(a, b), tc.mean(x), tc.mean(y), name="z")
    assert z.name == "z"
    f = tc.function([a, b, x, y], z)
    big = np.ones((10, 10))
    assert f(0.0, 1.0, big, big * 2) == 1
    assert f(1.0, 0.0, big, big * 2) == 2


def test_lists_give_lists():
    c, x = tc.lscalar("c"), tc.dvector("x")
    made = tc.ifelse(c, [x, x * 2], [x + 1, x])
    assert isinstance(made, list)
    f = tc.function([c, x], made)
    for number in (0, 5):
        wanted = [V, V * 2] if number else [V + 1, V]
        np.testing.assert_array_equal(f(number, V), wanted)


def test_a_result_that_is_alike_in_both_is_no_condition():
    c, x, y = tc.lscalar("c"), tc.dvector("x"), tc.dvector("y")
    same, other = tc.ifelse(c, (x, x), (x, y))
    assert same is x
    assert other is not x


def test_eval_and_givens_take_conditions():
    c, x, y = tc.bscalar("c"), tc.dvector("x"), tc.dvector("y")
    z = tc.ifelse(c, tc.exp(x), y)
    np.testing.assert_allclose(z.eval({c: 1, x: V, y: V}), np.exp(V))
    f = tc.function([c, x], z, givens={y: tc.ifelse(c, x, x * 3)})
    np.testing.assert_allclose(f(0, V), V * 3)
    again = tc.function([x], z, givens=[(c, np.int8(0)), (y, x * 2)])
    np.testing.assert_allclose(again(V), V * 2)


def test_what_givens_put_into_one_branch_is_computed_there():
    """Also what a replacement is made of that stands for another value itself."""
    data = tc.shared(np.arange(10.0), "data")
    c, i, x, y = tc.bscalar("c"), tc.lscalar("i"), tc.dvector("x"), tc.dvector("y")
    k = tc.lscalar("k")
    z = tc.ifelse(c, tc.sum(x * y), tc.sum(y))
    f = tc.function([c, i, y], z, givens={x: data[k] * y, k: i + 1})
    assert f(1, 2, V) == 3 * np.sum(V * V)
    assert f(0, 77, V) == np.sum(V)  # there is no element 78
    both = tc.function([c, i, y], [z, tc.sum(x)], givens=[(x, data[k] * y), (k, i + 1)])
    with pytest.raises(IndexError):
        both(0, 77, V)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("condition", [0, 1])
def test_derivatives_are_those_of_the_branch(order, condition):
    c, w = tc.bscalar("c"), tc.dvector("w")
    cost = tc.ifelse(c, tc.sum(w**4), tc.sum(tc.sin(w)))
    slope = tc.grad(cost, w)
    if order == 2:
        slope = tc.grad(tc.sum(slope), w)
    wanted = {
        (1, 1): 4 * V**3,
        (2, 1): 12 * V**2,
        (1, 0): np.cos(V),
        (2, 0): -np.sin(V),
    }
    found = tc.function([c, w], slope)(condition, V)
    np.testing.assert_allclose(found, wanted[order, condition])


def test_value_and_grad_of_a_traced_condition():
    @tc.jit
    def cost(w, x):
        return tc.cond(np.sum(x) > 0, lambda: np.sum(w * x), lambda: np.sum(w * w * x))

    value, slope = tc.value_and_grad(cost)(V, V)
    np.testing.assert_allclose((value, *slope), (np.sum(V * V), *V))
    value, slope = tc.value_and_grad(cost)(V, -V)
    np.testing.assert_allclose((value, *slope), (-np.sum(V**3), *(-2 * V * V)))


def test_what_a_condition_does_not_depend_on_has_no_derivative():
    c, w, u = tc.bscalar("c"), tc.dvector("w"), tc.dvector("u")
    first, _ = tc.ifelse(c, [tc.sum(w), tc.sum(u)], [tc.sum(w * w), tc.sum(u)])
    with pytest.raises(ValueError, match="does not depend on <u"):
        tc.grad(first, u)
    truth = tc.ifelse(tc.sum(u) > 0, tc.sum(w), tc.sum(w * w))
    with pytest.raises(ValueError, match="does not depend on <u"):
        tc.grad(truth, u)


@tc.jit
def bent(x):
    return tc.cond(np.sum(x) > 0, lambda: np.sum(x**3), lambda: np.sum(np.sin(x)))


@pytest.mark.parametrize("sign", [1, -1])
def test_all_derivatives_of_functions_go_through_the_branch(sign):
    x, direction = sign * V, np.array([1.0, 2.0, -1.0])
    slope, curve = (3 * x**2, 6 * x) if sign > 0 else (np.cos(x), -np.sin(x))
    value, tangent = tc.jvp(bent, (x,), (direction,))
    np.testing.assert_allclose([value, tangent], [bent(x), slope @ direction])
    np.testing.assert_allclose(tc.vjp(bent, x)[1](2.0)[0], 2 * slope)
    np.testing.assert_allclose(tc.jacobian(bent)(x), slope)
    np.testing.assert_allclose(tc.hessian(bent)(x), np.diag(curve))
    along = tc.hvp(bent, (x,), (direction,))
    np.testing.assert_allclose(along, curve * direction)


def test_conditions_stand_in_own_gradients_and_these_in_branches():
    @tc.custom_gradient(
        backward=lambda x, ct: tc.cond(np.sum(ct) > 0, lambda: ct * 10, lambda: ct * 20)
    )
    def halved(x):
        return tc.cond(np.sum(x) > 0, lambda: x / 2, lambda: x)

    @tc.jit
    def cost(x, weight):
        chosen = tc.cond(weight < 5, lambda: halved(x), lambda: tc.stop_gradient(x))
        return np.sum(chosen * weight)

    for weight, slope in ((1.0, 10), (-1.0, -20), (7.0, 0)):
        np.testing.assert_array_equal(tc.grad(cost)(V, weight), np.full(3, slope))
        scale = 0.5 if weight < 5 else 1
        np.testing.assert_allclose(cost(V, weight), np.sum(V * scale * weight))


# Steps


def skipping():
    W = tc.shared(V, "W")
    b = tc.shared(1.0, "b")

    @tc.step
    def train(x, limit):
        cost = np.sum((W * x + b) ** 2)
        slopes = tc.grad(cost, (W, b))

        def taken():
            tc.update(W, W - 0.1 * slopes[0])
            tc.update(b, b - 0.1 * slopes[1])
            return 1

        return cost, tc.cond(cost < limit, taken, lambda: 0)

    return W, b, train


def test_updates_in_a_branch_happen_if_it_is_taken():
    W, b, train = skipping()
    cost, taken = train(V, 1e9)
    assert taken == 1
    slope = 2 * (V * V + 1)
    assert cost == np.sum((V * V + 1) ** 2)
    np.testing.assert_allclose(W.get_value(), V - 0.1 * slope * V)
    np.testing.assert_allclose(b.get_value(), 1 - 0.1 * slope.sum())
    before = W.get_value(), b.get_value()
    assert train(V, 0.0)[1] == 0
    np.testing.assert_array_equal(W.get_value(), before[0])
    assert b.get_value() == before[1]


def test_both_branches_may_update_and_nest():
    n = tc.shared(0, "n")

    @tc.step
    def count(x):
        def down():
            tc.cond(
                np.sum(x) < -10,
                lambda: tc.update(n, 0),
                lambda: tc.update(n, n - 1),
            )

        tc.cond(np.sum(x) > 0, lambda: tc.update(n, n + 1), down)

    for x, wanted in ((1.0, 1), (1.0, 2), (-1.0, 1), (1.0, 2), (-9.0, 0)):
        count(np.full(3, x))
        assert n.get_value() == wanted


def test_memory_is_read_in_the_other_branch_and_not_below_the_condition():
    W = tc.shared(V, "W")

    @tc.step
    def read(x):
        return tc.cond(np.sum(x) > 0, lambda: tc.update(W, x) or 0.0, lambda: np.sum(W))

    assert read(-V) == np.sum(V)
    read(V * 2)
    np.testing.assert_array_equal(W.get_value(), V * 2)

    @tc.step
    def below(x):
        tc.cond(np.sum(x) > 0, lambda: tc.update(W, x), lambda: None)
        return W + 1

    with pytest.raises(ValueError, match="read after its update"):
        below(V)

    @tc.step
    def twice(x):
        tc.update(W, x)
        tc.cond(np.sum(x) > 0, lambda: tc.update(W, x), lambda: None)

    with pytest.raises(ValueError, match="updated twice"):
        twice(V)


def test_an_update_of_a_function_may_be_a_condition():
    W, x = tc.shared(V, "W"), tc.dvector("x")
    f = tc.function([x], [], updates=[(W, tc.ifelse(tc.sum(x) > 0, W + x, W))])
    f(-V)
    np.testing.assert_array_equal(W.get_value(), V)
    f(V)
    np.testing.assert_array_equal(W.get_value(), 2 * V)
    other = tc.shared(np.zeros(3), "V")
    f.copy(swap={W: other})(V)
    np.testing.assert_array_equal(other.get_value(), V)


def test_an_update_outside_of_a_step_is_one_in_a_branch_too():
    W = tc.shared(V, "W")
    wrong = tc.jit(
        lambda x: tc.cond(np.sum(x) > 0, lambda: tc.update(W, x), lambda: None)
    )
    with pytest.raises(TypeError, match=r"only allowed in a `@tc\.step`"):
        wrong(V)


# Copies


def test_conditions_are_copied_and_pickled():
    c, x = tc.bscalar("c"), tc.dvector("x")
    z = tc.ifelse(c, tc.exp(x), x * 2)
    slope = tc.grad(tc.sum(z), x)
    f = tc.function([c, x], [z, slope])
    wanted = f(1, V)
    again, (u, v, s) = pickle.loads(pickle.dumps((f, (c, x, slope))))
    np.testing.assert_array_equal(again(1, V), wanted)
    np.testing.assert_array_equal(s.eval({u: 1, v: V}), wanted[1])
    np.testing.assert_array_equal(copy.deepcopy(f)(1, V), wanted)


@pytest.mark.parametrize("count", [40, 3000])
def test_long_chains_of_conditions_are_pickled(count):
    x = tc.dvector("x")
    long = x
    for i in range(count):
        long = tc.ifelse(x[i % 3] > 0, tc.tanh(long), long * 0.5)
    v, copied = pickle.loads(pickle.dumps((x, long)))
    shown = tc.debugprint(copied, file="str")
    assert shown == tc.debugprint(long, file="str")
    if count < 100:
        np.testing.assert_array_equal(copied.eval({v: V}), long.eval({x: V}))


def test_the_branch_that_is_not_taken_costs_nothing():
    c, x = tc.bscalar("c"), tc.dmatrix("x")
    f = tc.function([c, x], tc.ifelse(c, tc.sum(x @ x @ x), tc.sum(x[0])))
    data = np.ones((700, 700))
    seconds = {}
    for condition in (1, 0):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            f(condition, data)
            times.append(time.perf_counter() - start)
        seconds[condition] = min(times)
    assert seconds[0] < seconds[1] / 10


def test_a_condition_is_shown_as_an_if():
    c, x = tc.bscalar("c"), tc.dvector("x")
    text = tc.debugprint(tc.ifelse(c, tc.exp(x), x), file="str")
    assert text.splitlines() == [
        "if f64[x0]",
        "├─ cast bool",
        "│  └─ c i8",
        "├─ exp f64[x0]",
        "│  └─ x f64[x0]",
        "└─ x f64[x0]",
    ]


def test_operands_of_several_results_name_their_branch():
    c, x = tc.bscalar("c"), tc.dvector("x")
    made = tc.ifelse(c, [tc.exp(x), x], [x, x * 2])
    text = tc.debugprint(made, file="str")
    assert text.splitlines() == [
        "A = if[0] f64[x0]",
        "├─ cast bool",
        "│  └─ c i8",
        "├─ then[0]: exp f64[x0]",
        "│  └─ x f64[x0]",
        "├─ then[1]: x f64[x0]",
        "├─ else[0]: x f64[x0]",
        "└─ else[1]: mul f64[x0]",
        "   ├─ x f64[x0]",
        "   └─ 2.0 f64",
        "A[1]",
    ]


# Mistakes

x, y, c = tc.dvector("x"), tc.dmatrix("y"), tc.bscalar("c")
W = tc.shared(V, "W")
WRONG = [
    (lambda: tc.cond(x > 0, lambda: x, lambda: x), TypeError, "scalar, got bool[x0]"),
    (lambda: tc.cond(x > 0, lambda: x, lambda: x), TypeError, "tc.where(condition"),
    (lambda: tc.ifelse(x, x, x), TypeError, "the condition of ifelse is a scalar"),
    (lambda: tc.ifelse(np.ones(2), x, x), TypeError, "tc.where(condition"),
    (lambda: tc.cond("yes", lambda: x, lambda: x), TypeError, "scalar, got 'yes'"),
    (lambda: tc.cond(None, lambda: x, lambda: x), TypeError, "scalar, got None"),
    (lambda: tc.cond(c, x, lambda: x), TypeError, "tc.ifelse(c, x, y)"),
    (lambda: tc.cond(c, lambda: x, 1.0), TypeError, "a function for `else`, got 1.0"),
    (
        lambda: tc.cond(c, lambda: x, lambda: (x,)),
        TypeError,
        "one array, `else` a tuple of 1",
    ),
    (lambda: tc.ifelse(c, {"a": x}, {"b": x}), TypeError, "a dictionary of a, `else`"),
    (lambda: tc.ifelse(c, [x], [x, x]), TypeError, "a list of 1, `else` a list of 2"),
    (lambda: tc.ifelse(c, [x], [[x]]), TypeError, "returns [*], `else` [[*]]"),
    (lambda: tc.ifelse(c, tc.group(W=W), ()), TypeError, "a Group of W, `else` a tup"),
    (lambda: tc.cond(c, lambda: None, lambda: x), TypeError, "`then` returns nothing,"),
    (
        lambda: tc.cond(c, true_fun=lambda: x, false_fun=lambda: x),
        TypeError,
        "write `then_function=` for `true_fun=`",
    ),
    (lambda: tc.ifelse(c, "a", "b"), TypeError, "gives 'a' (str), which is not"),
    (lambda: tc.ifelse(c, abs, abs), TypeError, "of functions: tc.cond("),
    (lambda: tc.zeros(tc.ifelse(c, 3, 4)), TypeError, "a condition decides it"),
    (lambda: tc.ifelse(c, [x, y], [x, x]), ValueError, "it[1] is f64[y0, y1] if"),
    (lambda: tc.ifelse(c, x, 0.0), ValueError, "np.full_like(x, 0.0)"),
    (
        lambda: tc.ifelse(c, tc.zeros(3), np.ones(4)),
        ValueError,
        "f64[3] if the condition holds, and f64[4] if not",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "words"), WRONG)
def test_mistakes_are_errors_with_a_way_out(wrong, error, words):
    with pytest.raises(error) as caught:
        wrong()
    assert words in said(caught.value)
    assert f"{__file__}:{wrong.__code__.co_firstlineno}" in str(caught.value)


@pytest.mark.parametrize("derive", [lambda y, x: y, tc.grad], ids=["value", "grad"])
@pytest.mark.parametrize("count", [60, 129, 3000])
def test_conditions_that_are_nested_too_deep_are_an_error(count, derive):
    x = tc.dscalar("x")
    y = x
    for i in range(count):
        y = tc.ifelse(x < i, x * i, y)
    out = derive(y, x)
    if count == 60:
        assert tc.function([x], out)(50.5) == (50.5 * 59 if out is y else 59)
        return
    with pytest.raises(tc.CompileError, match="more than 128 deep") as caught:
        tc.function([x], out)
    assert f"{__file__}:" in str(caught.value)


def test_sizes_that_a_call_gives_otherwise_are_an_error_there():
    a, b = tc.dvector("a"), tc.dvector("b")
    f = tc.function([c, a, b], tc.ifelse(c, a, b))
    with pytest.raises(ValueError, match="has size 2, 3 expected"):
        f(1, V, np.ones(2))


def test_if_on_an_element_names_cond():
    def wrong(x):
        return x if x.sum() > 0 else -x

    with pytest.raises(TypeError, match=r"tc\.cond\(condition, f, g, x\)"):
        tc.jit(wrong)(V)


def test_sizes_are_checked_for_both_branches_and_values_in_theirs():
    known = tc.jit(lambda x: tc.cond(x.sum() > 5, lambda: x[5], lambda: -1.0))
    with pytest.raises(tc.TensorcError, match="index 5 is out of range"):
        known(np.ones(3))
    value = tc.jit(lambda x, i: tc.cond(x.sum() > 5, lambda: x[i], lambda: -1.0))
    assert value(np.ones(3), 5) == -1
    assert value(np.arange(8.0), 5) == 5

    @tc.jit
    def chosen(x):
        return x[5] if len(x) > 5 else -1.0 * x.sum()

    assert chosen(np.ones(3)) == -3
    assert chosen(np.arange(8.0)) == 5
