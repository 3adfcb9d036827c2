"""Variables are told apart by identity, in all of Python's containers."""

import copy
import operator
import pickle

import numpy as np
import pytest

import tensorc as tc

V = tc.shared(np.zeros((2, 3)), "V")
V2 = tc.shared(np.zeros((2, 3)), "V2")
W = tc.shared(np.zeros((4, 5), "f4"), "W")  # no shape that V could be compared with
x, y = tc.dvector("x"), tc.ivector("y")
n = tc.lscalar("n")
LEAVES = [V, W, x, y, n]
GROUP = tc.group(V=V, W=W)


@pytest.mark.parametrize("i", range(len(LEAVES)), ids=[v.name for v in LEAVES])
def test_leaves_are_found_in_lists(i):
    leaf = LEAVES[i]
    others = LEAVES[:i] + LEAVES[i + 1 :]
    assert leaf in LEAVES
    assert leaf in tuple(reversed(LEAVES))
    assert leaf not in others
    assert leaf not in [None]
    assert LEAVES.index(leaf) == i
    assert (LEAVES + LEAVES).count(leaf) == 2
    assert others.count(leaf) == 0
    with pytest.raises(ValueError, match="not in list"):
        others.index(leaf)
    left = list(LEAVES)
    left.remove(leaf)
    assert [id(v) for v in left] == [id(v) for v in others]
    assert {*LEAVES} - {*others} == {leaf}
    assert {v: k for k, v in enumerate(LEAVES)}[leaf] == i
    assert leaf not in dict.fromkeys(others)
    assert leaf in {"a": V, "b": W, "c": x, "d": y, "e": n}.values()
    assert list(LEAVES) == LEAVES
    assert [*others, leaf] != LEAVES or i == len(LEAVES) - 1
    assert leaf in tc.group(a=leaf, b=V)


def test_comparisons_of_leaves_are_still_elementwise():
    z = tc.dvector("z")
    f = tc.function([x, z], [x == z, x != z, (x == z).sum()])
    for got, wanted in zip(
        f([1, 2], [1, 3]), ([True, False], [False, True], 1), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    again = (x == z, x, z)
    for made in (copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert tc.function(list(made[1:]), made[0])([1], [1]).tolist() == [True]
    truths = [bool(op(x, v)) for op in (operator.eq, operator.ne) for v in (x, z)]
    assert truths == [True, False, False, True]


def test_what_cannot_be_compared_says_so_where_it_is_used():
    same = V == W
    for use in (
        lambda: same.sum(),
        lambda: tc.function([], same),
        lambda: tc.where(same, V, 0.0),
        lambda: same.shape,
        lambda: pickle.dumps(same),
        lambda: same == x,
        lambda: setattr(same, "name", "s"),
    ):
        with pytest.raises(tc.ShapeError, match=r"same = V == W"):
            use()
    assert V.operand.value.hint == "V"


@pytest.mark.parametrize(
    "ask",
    [
        lambda: bool(x == 1.0),
        lambda: bool(x == x * 1),
        lambda: bool(x * 1 != x),
        lambda: bool(tc.constant(1.0) == tc.constant(1.0)),
        lambda: bool(x.shape[0] == x.shape[0] + 1),
        lambda: bool(x < x),
        lambda: bool((x == x) & (x == x)),
        lambda: x * 1 in [x * 2],
        lambda: bool(x),
    ],
)
def test_all_other_truths_are_refused(ask):
    with pytest.raises(TypeError, match=r"neither true nor false[\s\S]*`x is y`"):
        ask()


def equal(a, b):
    return a if a == b else b


def listed(a, b):
    return a if a in [b, a] else b


@pytest.mark.parametrize("function", [equal, listed])
@pytest.mark.parametrize("door", [tc.jit, tc.step, tc.grad, tc.value_and_grad])
def test_arguments_that_are_traced_are_values(function, door):
    """Two of them may be equal, so identity would answer another question."""
    made = door(function)
    for given in ((x, tc.dvector("z")), (V, V), (V, V2)):
        with pytest.raises(TypeError, match="neither true nor false"):
            made(*given)


def test_arguments_that_are_numbers_are_compared_by_value():
    """Python asks for their values, which are facts of the form."""
    for a, b in ((1.0, 1.0), (1.0, 3.0), (3.0, 1.0), (2.0, 2.0)):
        assert tc.jit(lambda a, b: 2 * a if a == b else b)(a, b) == (
            2 * a if a == b else b
        )
        assert tc.jit(listed)(a, b) == a


def test_members_of_groups_are_found():
    assert W in GROUP
    assert x not in GROUP
    assert W in list(GROUP)
    assert list(GROUP).index(W) == 1
