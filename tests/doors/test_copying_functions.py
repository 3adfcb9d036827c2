"""`f.copy(swap=)`: the same function with other shared variables."""

import copy
import pickle

import numpy as np
import pytest

import tensorc as tc


def function():
    """Return a step with two variables and a slope, its variables, and its call."""
    x = tc.vector("x")
    W, b = tc.shared(np.ones(3, "f"), "W"), tc.shared(np.float32(2), "b")
    cost = ((x * W).sum() + b) ** 2
    updates = [(W, W - 0.1 * tc.grad(cost, W)), (b, b + 1)]
    return tc.function([x], cost, updates=updates, name="step"), W, b


X = np.arange(3, dtype="f")


def values(*variables):
    return [v.get_value().tolist() for v in variables]


def test_a_copy_reads_and_updates_the_new_ones():
    f, W, b = function()
    _, V, c = function()
    h = f.copy(swap={W: V, b: c}, name="other")
    before = values(W, b)
    assert h(X) == f.copy(swap=[(W, tc.shared(W.get_value()))])(X)
    assert values(W) == [before[0]]
    assert values(b) == [3]  # it was not swapped in the second copy
    expected = values(V, c)
    f.copy(swap={b: tc.shared(np.float32(2))})(X)
    assert values(W)[0] == expected[0]
    assert repr(h) == "<function other(x)>"
    assert h.cost() == f.cost()


def test_without_swap_the_memory_is_common():
    f, W, b = function()
    f.copy()(X)
    g, V, c = function()
    g(X)
    assert values(W, b) == values(V, c)


def test_variables_change_places_and_groups_swap_together():
    x = tc.vector("x")
    A, B = tc.shared(np.float32([1, 2]), "A"), tc.shared(np.float32([3, 5]), "B")
    f = tc.function([x], x * A - B)
    one = np.ones(2, "f")
    assert f.copy(swap={A: B, B: A})(one).tolist() == [2, 3]
    news = tc.group(A=tc.shared(np.float32([7, 7])), B=tc.shared(np.float32([1, 1])))
    g = f.copy(swap=[(tc.group(A, B), news)])
    assert g(one).tolist() == [6, 6]
    # A copy of a copy swaps what the copy has.
    back = g.copy(swap={news["A"]: A})
    assert back(one).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"(?s)no shared variable <A.*it has"):
        g.copy(swap={A: B})


def test_copies_are_copied_and_pickled():
    f, W, _ = function()
    V = tc.shared(np.zeros(3, "f"), "V")
    g = f.copy(swap={W: V}, name="g")
    for again in (lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy):
        h, W2, V2 = again((g, W, V))
        assert h.name == "g"
        h(X)
        assert values(W2) == values(W)
        assert values(V2) != values(V)
    g(X)
    assert values(V2) == values(V)


def test_a_copy_trains():
    x = tc.matrix("x")
    W = tc.shared(np.ones(2, "f"), "W")
    lr = tc.scalar("lr")
    cost = ((x @ W) ** 2).mean()
    updates = [(W, W - lr * tc.grad(cost, W))]
    f = tc.function([x, tc.In(lr, value=0.1)], cost, updates=updates)
    V = tc.shared(np.ones(2, "f"), "V")
    data = {"x": np.float32([[1, 2], [3, 4], [5, 6], [7, 8]])}
    copied = tc.fit(f.copy(swap={W: V}), data, batch=2, lr=0.01)
    assert values(W) == [[1, 1]]
    original = tc.fit(f, data, batch=2, lr=0.01)
    assert values(W) == values(V)
    assert original.epochs[0].train_cost == copied.epochs[0].train_cost


@pytest.mark.parametrize(
    ("swap", "error", "words"),
    [
        (lambda W, b: {W: tc.shared(np.ones(3), "V")}, TypeError, "f64.3., not f32.3."),
        (lambda W, b: {W: tc.shared(np.ones(4, "f"))}, ValueError, "f32.4., not f32"),
        (lambda W, b: {W: np.ones(3)}, TypeError, "swap takes shared variables"),
        (lambda W, b: {"W": W}, TypeError, "swap takes shared variables"),
        (lambda W, b: {W: W.sum()}, TypeError, "swap takes shared variables"),
        (lambda W, b: {tc.shared(1.0, "V"): b}, ValueError, "(?s)no shared.*W, b"),
        (lambda W, b: [(b, tc.shared(np.float32(1)))] * 2, ValueError, "twice"),
        (lambda W, b: 3, TypeError, "swap must be a list of pairs or a dictionary"),
    ],
)
def test_what_cannot_be_swapped(swap, error, words):
    f, W, b = function()
    with pytest.raises(error, match=words) as caught:
        f.copy(swap=swap(W, b))
    assert "test_copying_functions.py" in str(caught.value)


def test_two_arguments_have_two_memories():
    x = tc.vector("x")
    A, B = tc.shared(np.float32([1, 2]), "A"), tc.shared(np.float32([3, 5]), "B")
    f = tc.function([x], x * A - B)
    C = tc.shared(np.zeros(2, "f"), "C")
    for swap in ({A: B}, {A: C, B: C}):
        with pytest.raises(ValueError, match="would stand for two shared variables"):
            f.copy(swap=swap)
