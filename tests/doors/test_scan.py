"""Loops in the Python doors: `tc.scan`."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.ops.scan import Scan
from tests.said import said

RNG = np.random.default_rng(7)
XS = RNG.standard_normal((5, 3))
U = RNG.standard_normal((3, 3)) / 2
H = np.array([0.5, -1.0, 2.0])


def rnn(xs, h, u):
    def step(h, x):
        new = np.tanh(h @ u + x)
        return new, new

    return tc.scan(step, h, xs)


def unrolled(f, carry, xs, reverse=False):
    """Return what a loop of Python gives: the carry, and the results stacked."""
    order = list(xs)[::-1] if reverse else list(xs)
    tops = []
    for x in order:
        carry, y = f(carry, x)
        tops.append(y)
    return carry, np.array(tops[::-1] if reverse else tops)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_recurrence(count):
    run = tc.jit(rnn)
    last, tops = run(XS[:count], H, U)

    def step(h, x):
        h = np.tanh(h @ U + x)
        return h, h

    wanted, stacked = unrolled(step, H, XS[:count])
    np.testing.assert_allclose(last, wanted, 1e-13)
    np.testing.assert_allclose(tops, stacked.reshape(count, 3), 1e-13)


def test_one_compiled_loop_serves_all_lengths():
    run = tc.jit(rnn)
    for count in (2, 3, 5):
        run(XS[:count], H, U)
    assert len(run.cache_info()) == 1


def test_in_reverse():
    @tc.jit
    def summed(xs):
        return tc.scan(lambda c, x: (c + x, c * x), np.zeros(3), xs, reverse=True)

    last, tops = summed(XS)
    wanted, stacked = unrolled(lambda c, x: (c + x, c * x), np.zeros(3), XS, True)
    np.testing.assert_array_equal(last, wanted)
    np.testing.assert_array_equal(tops, stacked)


@pytest.mark.parametrize(
    "xs",
    [np.arange(5.0), np.arange(5), np.arange(5, dtype=np.float32), np.ones(3, bool)],
    ids=lambda x: str(x.dtype),
)
def test_a_number_takes_the_type_that_a_step_gives(xs):
    dtype = np.int64 if xs.dtype == bool else xs.dtype
    total, tops = tc.jit(lambda xs: tc.scan(lambda c, x: (c + x, c), 0, xs))(xs)
    assert total == xs.sum()
    assert total.dtype == tops.dtype == dtype
    assert tops.tolist() == (np.cumsum(xs) - xs).tolist()


def test_a_number_that_steps_divide_is_a_float():
    halves, _ = tc.jit(lambda: tc.scan(lambda c, _: (c / 2, None), 8, length=3))()
    assert (halves, halves.dtype.kind) == (1.0, "f")


@dataclass
class State:
    h: object
    count: object


def test_carry_and_results_have_any_structure():
    @tc.jit
    def run(xs, ys):
        def step(state, each):
            x, y = each["x"], each["y"]
            new = State(state.h * x, {"n": state.count["n"] + 1})
            return new, {"both": (x, [y]), "none": None}

        init = State(np.ones(3), {"n": 0})
        return tc.scan(step, init, {"x": xs, "y": ys})

    state, made = run(XS, np.arange(5))
    np.testing.assert_allclose(state.h, XS.prod(0))
    assert state.count["n"] == 5
    np.testing.assert_array_equal(made["both"][0], XS)
    assert made["both"][1][0].tolist() == [0, 1, 2, 3, 4]
    assert made["none"] is None


def test_the_length_is_a_number_or_a_size_or_a_value():
    def power(x, n):
        return tc.scan(lambda c, _: (c * x, c), x * 0 + 1, length=n)

    last, tops = tc.jit(lambda x: power(x, 4))(2.0)
    assert (last, tops.tolist()) == (16.0, [1.0, 2.0, 4.0, 8.0])
    by_size = tc.jit(lambda x, like: power(x, like.shape[0]))
    assert [by_size(2.0, np.ones(n))[0] for n in (0, 1, 7)] == [1.0, 2.0, 128.0]
    x, n = tc.dscalar("x"), tc.iscalar("n")
    function = tc.function([x, n], power(x, n)[0])
    assert [function(3.0, n) for n in (0, 1, 4)] == [1.0, 3.0, 81.0]
    with pytest.raises(tc.ShapeError, match="the number of steps is negative"):
        function(3.0, -2)


def test_a_loop_in_a_loop():
    @tc.jit
    def run(xs):
        total = np.sum(xs)

        def outer(c, row):
            def inner(c, x):
                return c + x * total, c

            return tc.scan(inner, c, row)

        return tc.scan(outer, 0.0, xs)

    last, tops = run(XS)
    flat = XS.ravel() * XS.sum()
    np.testing.assert_allclose(last, flat.sum(), 1e-12)
    np.testing.assert_allclose(tops.ravel(), np.cumsum(flat) - flat, 1e-10, 1e-12)


def test_conditions_in_a_loop_and_around_it():
    @tc.jit
    def run(flag, xs):
        def step(c, x):
            new = tc.cond(x[0] > 0, lambda: c * x, lambda: c - np.sqrt(-x[0]))
            return new, tc.cond(x[1] > 0, lambda: 1, lambda: 0)

        def loop():
            return tc.scan(step, np.ones(3), xs)

        return tc.cond(flag, loop, lambda: (np.zeros(3), np.arange(xs.shape[0])))

    def step(c, x):
        return (c * x if x[0] > 0 else c - np.sqrt(-x[0])), int(x[1] > 0)

    last, tops = run(True, XS)
    wanted, stacked = unrolled(step, np.ones(3), XS)
    np.testing.assert_allclose(last, wanted, 1e-13)
    assert tops.tolist() == stacked.tolist()
    assert run(False, XS)[1].tolist() == [0, 1, 2, 3, 4]


def test_what_no_step_changes_stands_in_front_of_the_loop():
    x, u = tc.dvector("x"), tc.dmatrix("u")
    last, _ = tc.scan(lambda c, _: (c @ np.tanh(u), None), x, length=3)
    function = tc.function([x, u], last)
    text = function.emit("tensor")
    assert text.index("tc.tanh") < text.index("tc.scan")
    wanted = H @ np.tanh(U) @ np.tanh(U) @ np.tanh(U)
    np.testing.assert_allclose(function(H, U), wanted, 1e-13)


def test_shared_variables_and_captured_arrays_are_read():
    weights = tc.shared(U, "weights")
    table = RNG.standard_normal((40, 3))

    @tc.jit
    def run(xs):
        return tc.scan(lambda c, x: (c @ weights + x + table[3], None), H, xs)[0]

    def wanted(w):
        return unrolled(lambda c, x: (c @ w + x + table[3], 0), H, XS)[0]

    np.testing.assert_allclose(run(XS), wanted(U), 1e-12)
    weights.set_value(U * 2)
    np.testing.assert_allclose(run(XS), wanted(U * 2), 1e-12)


def test_a_step_updates_with_what_a_loop_gives():
    w = tc.shared(np.zeros(3), "w")

    @tc.step
    def train(xs):
        def step(w, x):
            slope = tc.grad(np.sum((w - x) ** 2), w)
            return w - 0.1 * slope, np.sum(slope**2)

        new, norms = tc.scan(step, w, xs)
        tc.update(w, new)
        return norms

    own = np.zeros(3)
    for _ in range(2):
        norms = train(XS)
        for x, norm in zip(XS, norms, strict=True):
            slope = 2 * (own - x)
            own = own - 0.1 * slope
            np.testing.assert_allclose(norm, np.sum(slope**2), 1e-12)
    np.testing.assert_allclose(w.get_value(), own, 1e-12)


def test_index_errors_are_those_of_a_step():
    @tc.jit
    def run(xs, at):
        return tc.scan(lambda c, i: (c + xs[i], None), np.zeros(3), at)[0]

    np.testing.assert_allclose(run(XS, np.array([0, -1])), XS[0] + XS[-1])
    with pytest.raises(IndexError, match="index 5 is out of range for axis 0"):
        run(XS, np.array([0, 5]))


def test_symbolic_functions_and_replacements():
    xs, h, other = tc.dmatrix("xs"), tc.dvector("h"), tc.dmatrix("other")
    last, tops = rnn(xs, h, U)
    function = tc.function([other, h], [last, tops], givens={xs: other * 2})
    wanted = tc.jit(rnn)(XS * 2, H, U)
    for given, own in zip(function(XS, H), wanted, strict=True):
        np.testing.assert_array_equal(given, own)
    np.testing.assert_array_equal(last.eval({xs: XS, h: H}), tc.jit(rnn)(XS, H, U)[0])


def pickled(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("again", [copy.deepcopy, pickled])
def test_copies_compute_the_same(again):
    xs, h = tc.dmatrix("xs"), tc.dvector("h")
    scale = tc.dscalar("scale")
    last, tops = rnn(xs * scale, h, U * scale)
    own = again({"in": [xs, h, scale], "out": [last, tops, last * 2]})
    function = tc.function(own["in"], own["out"])
    wanted = tc.function([xs, h, scale], [last, tops, last * 2])(XS, H, 0.5)
    for left, right in zip(function(XS, H, 0.5), wanted, strict=True):
        np.testing.assert_array_equal(left, right)


def test_loops_on_the_same_operands_are_not_taken_for_each_other():
    """Conditions that are written alike become one; these are not."""
    x = tc.dvector("x")
    up, _ = tc.scan(lambda c, v: (c + v, None), 0.0, x)
    down, _ = tc.scan(lambda c, v: (c - v, None), 0.0, x)
    first, second = tc.ifelse(up > 0, x, -x), tc.ifelse(down > 0, x, -x)
    left, right = tc.function([x], [first, second])(np.ones(2))
    assert (left.tolist(), right.tolist()) == ([1, 1], [-1, -1])


def test_a_derivative_beside_a_loop_and_through_what_is_held_constant():
    @tc.jit
    def cost(w, xs):
        total, _ = tc.scan(lambda c, x: (c + x, None), np.zeros(3), xs)
        count, _ = tc.scan(lambda c, x: (c + w, None), np.zeros(3), xs)
        return np.sum(w * total * tc.stop_gradient(count))

    slope = tc.grad(cost)(H, XS)
    np.testing.assert_allclose(slope, XS.sum(0) * 5 * H, 1e-12)


def test_a_derivative_through_a_loop_says_what_to_do():
    @tc.jit
    def cost(x):
        return tc.scan(lambda c, v: (c * v, None), 1.0, x)[0]

    for derive in (lambda: tc.grad(cost)(H), lambda: tc.jvp(cost, (H,), (H,))):
        with pytest.raises(tc.CompileError) as caught:
            derive()
        assert "TC0350" in str(caught.value)
        assert "a loop has no derivative yet" in said(caught.value)
        assert f"{__file__}:" in str(caught.value)


def test_the_line_that_asks_for_a_derivative_is_shown():
    xs = tc.dvector("xs")
    total, _ = tc.scan(lambda c, v: (c * v, None), 1.0, xs)
    slope = tc.grad(total, xs)
    with pytest.raises(tc.CompileError) as caught:
        slope.eval({xs: H})
    (found,) = caught.value.diagnostics
    (label,) = found.labels
    assert label.text == "its derivative is asked for here"
    assert label.location.line == found.location.line + 1


def test_a_call_with_other_lengths_names_the_loop():
    @tc.jit
    def counted(a):
        return tc.scan(lambda c, v: (c + v, None), 0.0, a, length=4)[0]

    @tc.jit
    def both(a, b):
        return tc.scan(lambda c, v: (c + v[0] * v[1], None), 0.0, (a, b))[0]

    calls = ((counted, (H,)), (both, (H, XS[:, 0])))
    for run, arguments in calls:
        with pytest.raises(tc.ShapeError) as caught:
            run(*arguments)
        assert "TC0503" in str(caught.value)
        line = run.__wrapped__.__code__.co_firstlineno + 2
        assert f"the loop at {__file__}:{line}:" in said(caught.value)


def test_a_loop_may_have_a_derivative_of_its_own():
    def last(a, xs):
        return tc.scan(lambda h, x: (a * h + x, None), np.zeros(3), xs)[0]

    def backward(a, xs, ct):
        _, states = tc.scan(lambda h, x: (a * h + x, h), np.zeros(3), xs)

        def step(carry, h):
            slope, by_a = carry
            return (a * slope, by_a + np.sum(slope * h)), slope

        (_, by_a), by_xs = tc.scan(step, (ct, 0.0), states, reverse=True)
        return by_a, by_xs

    own = tc.custom_gradient(last, backward)
    by_a, by_xs = tc.grad(lambda a, xs: np.sum(own(a, xs) ** 2), argnums=(0, 1))(
        0.7, XS
    )

    def written_out(a, xs):
        h = np.zeros(3)
        for t in range(5):
            h = a * h + xs[t]
        return np.sum(h**2)

    wanted = tc.grad(written_out, argnums=(0, 1))(0.7, XS)
    np.testing.assert_allclose(by_a, wanted[0], 1e-12)
    np.testing.assert_allclose(by_xs, wanted[1], 1e-12)


def test_dead_results_cost_nothing():
    @tc.jit
    def run(xs):
        return tc.scan(lambda c, x: (c + x, np.exp(x)), np.zeros(3), xs)[0]

    run(XS)
    assert "tc.exp" not in run.emit("tensor")


# Mistakes

x, y, n = tc.dvector("x"), tc.dmatrix("y"), tc.iscalar("n")
W = tc.shared(H, "W")


def pair(c, v):
    return c, v


WRONG = [
    (
        lambda: tc.scan(lambda c, v: (c + 0.5, v), np.int64(0), x),
        TypeError,
        "give it this type in init, or begin with a number of Python",
    ),
    (
        lambda: tc.scan(lambda c, v: ({"n": c["n"] + v}, v), {"n": np.int64(0)}, x),
        TypeError,
        "carry['n'] keeps its type in a loop: it is i64 before a turn",
    ),
    (
        lambda: tc.scan(lambda c, v: (np.concatenate((c, v)), v), H, XS + x[0]),
        ValueError,
        "a loop cannot grow a tensor; what it returns beside the carry is stacked",
    ),
    (lambda: tc.scan(x, x, x), TypeError, "a function f(carry, x), got f64[x0]"),
    (lambda: tc.scan(pair, 0.0), TypeError, "scan needs `xs`, or the number of steps"),
    (lambda: tc.scan(pair, 0.0, n), TypeError, "walks along the first axis, and xs is"),
    (lambda: tc.scan(pair, 0.0, {"a": 1.0}), TypeError, "and xs['a'] is 1.0"),
    (lambda: tc.scan(pair, 0.0, "xs"), TypeError, "xs of scan must be a variable"),
    (lambda: tc.scan(pair, pair, x), TypeError, "init of scan must be a variable"),
    (lambda: tc.scan(pair, 0.0, length=2.5), TypeError, "the length of scan must be"),
    (lambda: tc.scan(pair, 0.0, length=-1), ValueError, "the length of scan is -1"),
    (lambda: tc.scan(lambda c, v: c, 0.0, x), TypeError, "returns a pair, got f64"),
    (lambda: tc.scan(lambda c, v: (c, v, v), 0.0, x), TypeError, "return carry, None"),
    (
        lambda: tc.scan(lambda c, v: ((c, c), v), 0.0, x),
        TypeError,
        "init is one array, the function returns a tuple of 2",
    ),
    (
        lambda: tc.scan(lambda c, v: (c + v, v), np.float32(0), x),
        TypeError,
        "carry keeps its type in a loop: it is f32 before a turn, and f64 after it",
    ),
    (
        lambda: tc.scan(lambda c, v: (c + v, v), 0.0, y),
        ValueError,
        "give it this shape in init: np.zeros(shape)",
    ),
    (
        lambda: tc.scan(pair, 0.0, (np.ones(3), np.ones(4))),
        ValueError,
        "axes of one length, got 3 and 4",
    ),
    (
        lambda: tc.scan(pair, 0.0, np.ones(3), length=5),
        ValueError,
        "axes of one length, got 5 and 3",
    ),
    (
        lambda: tc.scan(fn=pair, outputs_info=0.0, sequences=x),
        TypeError,
        "write `init=` for `outputs_info=`",
    ),
    (
        lambda: tc.zeros(tc.scan(lambda c, v: (c + 1, None), 0, x)[0]),
        TypeError,
        "a loop computes it, while it runs",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "words"), WRONG)
def test_mistakes_are_errors_with_a_way_out(wrong, error, words):
    with pytest.raises(error) as caught:
        wrong()
    assert words in said(caught.value)
    assert f"{__file__}:{wrong.__code__.co_firstlineno}" in str(caught.value)


def test_memory_is_not_updated_in_a_loop():
    @tc.step
    def wrong(xs):
        def step(c, x):
            tc.update(W, W + x)
            return c, None

        return tc.scan(step, 0.0, xs)[0]

    with pytest.raises(TypeError) as caught:
        wrong(XS)
    assert "W is updated in a loop" in said(caught.value)


def test_the_loop_is_one_op():
    module = tc.function([y], tc.scan(lambda c, v: (c + v, v), H, y)[0])
    assert module.emit("tensor").count(Scan.name) == 1


# What escapes from a body


def kept_in_a_list(use, leaked):
    """Return what a loop carries, and use what its body put into a list."""
    kept = []

    def step(carry, v):
        kept.append(leaked(carry, v))
        return carry + v, None

    total, _ = tc.scan(step, 0.0, x)
    return use(total, kept[-1])


@pytest.mark.parametrize("leaked", [lambda c, v: c, lambda c, v: v * 2])
@pytest.mark.parametrize(
    "use",
    [
        lambda total, c: tc.function([x], [total, c]),
        lambda total, c: (total + c).eval({x: H}),
        lambda total, c: tc.grad(total * 0 + c * np.sum(x), x).eval({x: H}),
        lambda total, c: tc.jit(lambda a: a + c)(1.0),
        lambda total, c: tc.scan(lambda d, v: (d + c, v), 0.0, x)[0].eval({x: H}),
    ],
    ids=["function", "eval", "grad", "jit", "another loop"],
)
def test_a_value_of_a_body_has_none_outside(use, leaked):
    with pytest.raises(TypeError) as caught:
        kept_in_a_list(use, leaked)
    text = said(caught.value)
    assert "TC0601" in str(caught.value)
    assert "a value of the loop's body is used outside of it" in text
    assert "`return carry, c`" in text
    assert f"{__file__}:" in str(caught.value)


def test_the_use_of_an_escaped_value_is_shown():
    @tc.jit
    def run(xs):
        kept = []

        def step(carry, v):
            kept.append(v * 2)
            return carry + v, None

        total, _ = tc.scan(step, 0.0, xs)
        return total + np.exp(kept[0])

    with pytest.raises(TypeError) as caught:
        run(H)
    (found,) = caught.value.diagnostics
    first = run.__wrapped__.__code__.co_firstlineno
    assert found.location.line == first + 9
    assert [label.location.line for label in found.labels] == [first + 8]


def test_a_cotangent_has_no_value_outside_of_backward():
    kept = []

    def backward(x, ct):
        kept.append(ct)
        return 2 * ct

    own = tc.custom_gradient(np.exp, backward)
    with pytest.raises(TypeError, match="a cotangent is used outside of the backward"):
        tc.jit(lambda a: own(a) + kept[-1])(H)
