"""Graphs do not depend on the order in which things are listed.

Pickled, copied, cloned, given and updated in random orders, in this process and in a
fresh one, they compute the same bits and share the same nodes. The number of graphs
and the seed come from the environment:

    TENSORC_GRAPHS=2000 TENSORC_GRAPH_SEED=7 pytest tests/graphs
"""

import itertools
import os
import pickle
from unittest import mock

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import function as functions
from tests.graphs.drive import Interpreted, main
from tests.graphs.random_graphs import form, make

COUNT = int(os.environ.get("TENSORC_GRAPHS", "0")) or 40
SEED = int(os.environ.get("TENSORC_GRAPH_SEED", "1"))


def test_random_graphs_in_random_orders():
    report = main(SEED, 0, COUNT)
    assert not report["failures"], report["failures"][:5]
    counts = report["counts"]
    assert counts["nodes"] > 5 * COUNT
    for often in ("grad", "condition", "updates", "givens"):
        assert counts[often] > COUNT // 2, often
    assert counts["Rop"] > COUNT // 10
    assert counts["Lop"] > COUNT // 10


def by_element(condition, ones, others):
    return [tc.where(condition, x, y) for x, y in zip(ones, others, strict=True)]


@pytest.mark.parametrize("number", range(COUNT))
def test_branches_give_what_choosing_by_element_gives(number):
    """Wherever nodes are emitted, derivatives of conditions and in them, too."""
    found = []
    for choose in (tc.ifelse, by_element):
        graph = make(SEED, number, choose)
        roots = [t.tensor for t in graph.terms]
        inputs = [x.tensor for x in graph.inputs]
        with mock.patch.object(functions, "compile_plan", Interpreted):
            f = tc.function(inputs, roots, on_unused_input="ignore")
        found.append(f(*graph.data))
    for lazy, eager in zip(*found, strict=True):
        np.testing.assert_allclose(lazy, eager, rtol=1e-5, atol=1e-8)


def test_a_seed_and_a_number_give_a_graph():
    for number in range(20):
        one, other = [make(3, number) for _ in range(2)]
        assert one.made_of == other.made_of
        assert form([t.tensor for t in one.terms]) == form(
            [t.tensor for t in other.terms]
        )


def test_the_comparison_of_forms_sees_nodes_that_are_not_shared():
    x = tc.dvector("x")
    h = x * 2
    together = pickle.loads(pickle.dumps([h, h + 1]))
    apart = [pickle.loads(pickle.dumps(v)) for v in (h, h + 1)]
    assert form(together) == form([h, h + 1]) != form(apart)


# Givens


def test_givens_stand_for_values_in_other_givens_in_any_order():
    x, y, z = tc.dvector("x"), tc.dvector("y"), tc.dvector("z")
    h = x * 3
    pairs = [(x, y + 1), (y, z * 2), (h, h + y)]
    for order in itertools.permutations(pairs):
        f = tc.function([z], [h, x, y], givens=list(order))
        # x = 2 z + 1, and h = 3 x + y of these.
        assert [v.tolist() for v in f([1.0, 2.0])] == [[11, 19], [3, 5], [2, 4]]


def test_sizes_in_givens_follow_in_any_order():
    data = tc.shared(np.arange(20.0), "data")
    x, i, k = tc.dvector("x"), tc.lscalar("i"), tc.lscalar("k")
    pairs = [(x, data[i : i + 3]), (i, 2 * k)]
    for order in (pairs, pairs[::-1]):
        f = tc.function([k], [x, x.shape[0] + i], givens=order)
        assert [v.tolist() for v in f(4)] == [[8, 9, 10], 11]


@pytest.mark.parametrize("turn", range(3))
def test_givens_that_need_each_other_are_refused_in_any_order(turn):
    x, y, z = tc.dvector("x"), tc.dvector("y"), tc.dvector("z")
    pairs = [(x, y + 1), (y, z * 2), (z, x - 1)]
    pairs = pairs[turn:] + pairs[:turn]
    with pytest.raises(ValueError, match="`givens` need each other"):
        tc.function([x, y, z], x.sum(), givens=pairs)
    # What is not needed is not in the way.
    v = tc.dvector("v")
    assert tc.function([v], v.sum(), givens=pairs)([2.0]) == 2


def test_a_given_may_hold_what_it_replaces():
    x = tc.dvector("x")
    h = x * 2
    f = tc.function([x], [h, x], givens=[(h, h + x), (x, x + 1)])
    assert [v.tolist() for v in f([1.0])] == [[6.0], [2.0]]
