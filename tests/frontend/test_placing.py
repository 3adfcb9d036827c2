"""Where nodes of a graph are emitted: what one branch alone needs stands in it."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.frontend.python.graph.emission import MOST_NESTED
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.frontend.python.symbolic_operands import value_of
from tensorc.ir.interpreter import interpret
from tensorc.ir.verifier import verify


def module_of(inputs, *outputs):
    """Return the module of a function that is not compiled."""
    plan = EmissionPlan(
        "f",
        (),
        tuple(x.operand.value for x in inputs),
        tuple(x.name for x in inputs),
        tuple(value_of(o, "an output") for o in outputs),
        (),
        (),
    )
    module = graph_emit.emit(plan)
    verify(module)
    return module


def places(module, name):
    """Return where each op of a name stands: "", "then", "else", "then grad", …"""

    def walk(block, path):
        for op in block.ops:
            if op.name == f"tc.{name}":
                yield " ".join(path)
            labels = ("then", "else") if op.name == "tc.if" else ("grad",)
            for region, label in zip(op.regions, labels, strict=False):
                yield from walk(region.block, (*path, label))

    (function,) = module.functions
    return list(walk(function.body.block, ()))


def run(module, *arguments):
    found = interpret(module, "f", [np.asarray(a) for a in arguments])
    return found[0] if len(found) == 1 else found


x, y, w = tc.dvector("x"), tc.dvector("y"), tc.dvector("w")
c, d = tc.tensor("c", "bool", ()), tc.tensor("d", "bool", ())
V = np.array([0.5, -1.0, 2.0])


def test_what_one_branch_needs_stands_in_it_wherever_it_was_written():
    only, both = tc.exp(x), tc.tanh(x)
    module = module_of([c, x], tc.ifelse(c, only + both, both))
    assert places(module, "exp") == ["then"]
    assert places(module, "tanh") == [""]
    np.testing.assert_allclose(run(module, True, V), np.exp(V) + np.tanh(V))
    np.testing.assert_allclose(run(module, False, V), np.tanh(V))


def test_what_is_needed_besides_stands_outside():
    shown = tc.exp(x)
    module = module_of([c, x], tc.ifelse(c, shown * 2, x), shown)
    assert places(module, "exp") == [""]
    assert places(module, "mul") == ["then"]


def test_conditions_in_branches_have_branches_in_them():
    inner = tc.ifelse(d, tc.exp(x), tc.tanh(x))
    module = module_of([c, d, x], tc.ifelse(c, x, inner))
    assert places(module, "if") == ["", "else"]
    assert places(module, "exp") == ["else then"]
    assert places(module, "tanh") == ["else else"]
    for first in (True, False):
        for second in (True, False):
            wanted = V if first else np.exp(V) if second else np.tanh(V)
            np.testing.assert_allclose(run(module, first, second, V), wanted)


def test_two_branches_of_a_branch_share_what_both_need_in_it():
    shared = tc.exp(x)
    inner = tc.ifelse(d, shared * 2, shared * 3)
    module = module_of([c, d, x], tc.ifelse(c, inner, x))
    assert places(module, "exp") == ["then"]


def test_a_condition_that_one_branch_needs_is_computed_there():
    deep = tc.ifelse(tc.sum(tc.exp(x)) > 1, x, y)
    module = module_of([c, x, y], tc.ifelse(c, deep, x))
    assert places(module, "exp") == ["then"]


def test_conditions_on_one_value_are_one_and_share_in_their_branches():
    """The updates of a step that may be skipped."""
    slope = tc.exp(x)
    first, second = tc.ifelse(c, x - slope, x), tc.ifelse(c, y - slope, y)
    module = module_of([c, x, y], first, second)
    assert places(module, "if") == [""]
    assert places(module, "exp") == ["then"]
    np.testing.assert_allclose(run(module, True, V, V), [V - np.exp(V)] * 2)
    np.testing.assert_allclose(run(module, False, V, V), [V, V])


def test_conditions_that_are_written_alike_are_one():
    first = tc.ifelse(tc.sum(x) > 1, tc.exp(x), x)
    second = tc.ifelse(tc.sum(x) > 1, tc.exp(x) + 1, x)
    other = tc.ifelse(tc.sum(x) > 2, tc.exp(x), x)
    assert len(places(module_of([x], first, second), "if")) == 1
    assert len(places(module_of([x], first, other), "if")) == 2


def test_conditions_meet_whatever_else_one_of_them_needs():
    """One gradient is clipped, and both updates may be skipped."""
    slope = tc.exp(x)
    clipped = tc.ifelse(tc.sum(slope) > 3, slope / tc.sum(slope), slope)
    first, second = tc.ifelse(c, x - clipped, x), tc.ifelse(c, y - slope, y)
    module = module_of([c, x, y], first, second)
    assert sorted(places(module, "if")) == ["", "then"]
    assert places(module, "exp") == ["then"]


def test_conditions_of_which_one_needs_the_other_are_two():
    first = tc.ifelse(c, tc.exp(x), x)
    module = module_of([c, x], tc.ifelse(c, first * 2, first))
    assert places(module, "if") == ["", ""]
    np.testing.assert_allclose(run(module, True, V), 2 * np.exp(V))


def test_a_condition_in_a_branch_stays_there_beside_one_on_its_value_outside():
    lazy = tc.ifelse(d, tc.exp(x), x)
    module = module_of([c, d, x], tc.ifelse(c, lazy, x), tc.ifelse(d, x * 2, x))
    assert sorted(places(module, "if")) == ["", "", "then"]
    assert places(module, "exp") == ["then then"]


def test_a_result_that_nobody_needs_is_not_computed():
    kept, _ = tc.ifelse(c, [x + 1, tc.exp(x)], [x, y])
    module = module_of([c, x], kept)
    assert places(module, "exp") == []
    np.testing.assert_allclose(run(module, True, V), V + 1)


# Derivatives


def test_a_cost_with_a_condition_has_branches_in_its_derivative():
    """Also what the derivative reads, and one branch of it alone."""
    only = tc.exp(y)
    cost = tc.ifelse(c, tc.sum(only * w), tc.sum(w * w))
    module = module_of([c, w, y], tc.grad(cost, w))
    assert places(module, "if") == ["grad"]
    assert places(module, "exp") == ["grad then"]


def test_what_a_derivative_reads_in_both_branches_stands_outside_of_it():
    read = tc.exp(y)
    cost = tc.ifelse(c, tc.sum(read * w), tc.sum(read * w * w))
    module = module_of([c, w, y], tc.grad(cost, w))
    assert places(module, "exp") == [""]


def test_a_derivative_that_one_branch_needs_is_computed_there():
    read = tc.exp(y)
    slope = tc.grad(tc.sum(read * w * w), w)
    module = module_of([c, w, y], tc.ifelse(c, w - slope, w))
    assert places(module, "grad") == ["then"]
    assert places(module, "exp") == ["then"]


def test_a_condition_of_what_is_differentiated_by():
    cost = tc.ifelse(tc.sum(w) > 0, tc.sum(tc.exp(w)), tc.sum(w))
    module = module_of([w], tc.grad(cost, w))
    assert places(module, "if") == ["grad"]
    assert places(module, "exp") == ["grad then"]


def test_second_derivatives_have_the_branches_of_the_first():
    cost = tc.ifelse(c, tc.sum(tc.exp(w)), tc.sum(w**3))
    slope = tc.grad(cost, w)
    module = module_of([c, w], tc.grad(tc.sum(slope * slope), w))
    assert places(module, "exp") == ["grad grad then"]


# Many


def chained(n):
    value = x
    for i in range(n):
        value = tc.ifelse(w[i] > 0, tc.tanh(value), value * 2)
    return value


def nested(n):
    value = x
    for i in range(n):
        value = tc.ifelse(w[i] > 0, tc.tanh(value), x * 2)
    return value


def beside(n):
    return sum(tc.ifelse(w[i] > 0, tc.tanh(x), x * i) for i in range(n))


@pytest.mark.parametrize("many", [chained, nested, beside])
@pytest.mark.parametrize("slope", [False, True], ids=["value", "slope"])
def test_the_program_grows_as_the_graph_does(many, slope):
    """A chain of two thousand nodes, too, without recursion."""
    counts = []
    for n in (60, 120):
        value = many(n)
        made = tc.grad(tc.sum(value), x) if slope else value
        counts.append(sum(1 for _ in module_of([x, w], made).walk()))
    assert counts[1] < 2 * counts[0]


@pytest.mark.parametrize(("many", "count"), [(chained, 1000), (nested, MOST_NESTED)])
def test_depth_is_no_recursion(many, count):
    value = many(count)
    plan = EmissionPlan(
        "f",
        (),
        (x.operand.value, w.operand.value),
        ("x", "w"),
        (value_of(value, "an output"),),
        (),
        (),
    )
    module = graph_emit.emit(plan)
    assert sum(op.name == "tc.if" for op in module.walk()) == count


def test_a_chain_computes_what_numpy_does():
    signs = np.sign(np.random.default_rng(0).normal(size=50))
    wanted = V
    for sign in signs:
        wanted = np.tanh(wanted) if sign > 0 else wanted * 2
    found = run(module_of([x, w], chained(50)), V, signs)
    np.testing.assert_allclose(found, wanted)
