"""Derivatives as nodes, forward and backward: of several values by several."""

import copy

import numpy as np

import tensorc as tc
from tensorc.errors import UNKNOWN
from tensorc.frontend.library.operands import TensorOperand
from tensorc.frontend.python.graph.grad import region_derivatives
from tensorc.ir.ops.derivatives import Jvp, Vjp

V, W = np.array([0.5, -1.0, 2.0]), np.array([3.0, 0.25, -0.5])
x, y, t, u = (tc.dvector(name) for name in "xytu")
c = tc.bscalar("c")


def derived(kind, outs, primals, extra, held=()):
    parts = [[v.operand.value for v in part] for part in (outs, primals, extra, held)]
    made = region_derivatives(kind, *parts[:3], set(parts[3]), UNKNOWN)
    assert all(op.kind is kind for op in made)
    return [[tc.Tensor(TensorOperand(r)) for r in op.results] for op in made]


def test_forward_is_the_jacobian_times_the_tangents():
    outs = [tc.exp(x) * y, tc.sum(x * x)]
    ((first, second),) = derived(Jvp, outs, [x, y], [t, u])
    f = tc.function([x, y, t, u], [first, second])
    found = f(V, W, W, V)
    np.testing.assert_allclose(found[0], np.exp(V) * W * W + np.exp(V) * V)
    np.testing.assert_allclose(found[1], 2 * np.sum(V * W))


def test_backward_is_the_cotangents_times_the_jacobian():
    outs = [tc.exp(x) * y, x * x]
    ((first, second),) = derived(Vjp, outs, [x, y], [t, u])
    f = tc.function([x, y, t, u], [first, second])
    found = f(V, W, W, V)
    np.testing.assert_allclose(found[0], np.exp(V) * W * W + 2 * V * V)
    np.testing.assert_allclose(found[1], np.exp(V) * W)


def test_only_what_is_connected_is_differentiated():
    outs = [tc.exp(x), tc.exp(u), tc.argmax(x)]
    (made,) = derived(Vjp, outs, [x, y], [t, t, t])
    assert len(made) == 1  # by x, of the first
    (made,) = derived(Jvp, outs, [x, y], [t, t])
    assert len(made) == 1
    assert derived(Vjp, [tc.exp(u)], [x, y], [t]) == []
    assert derived(Vjp, [tc.exp(x)], [x], [t], held=[x]) == []


def test_of_primals_one_of_the_other_each_has_a_node():
    h = tc.exp(x)
    outs = [h * y]
    backward = derived(Vjp, outs, [x, h], [t])
    forward = derived(Jvp, outs, [x, h], [t, u])
    assert [len(part) for part in (*backward, *forward)] == [1, 1, 1, 1]
    (by_x,), (by_h,) = backward
    (of_x,), (of_h,) = forward
    f = tc.function([x, y, t, u], [by_x, by_h, of_x, of_h])
    found = f(V, W, W, V)
    wanted = [np.exp(V) * W * W, W * W, np.exp(V) * W * W, W * V]
    np.testing.assert_allclose(found, wanted)


def test_nodes_are_copied_and_differentiated_again_and_have_branches():
    out = tc.ifelse(c, tc.exp(x), x**3)
    ((forward,),) = derived(Jvp, [out], [x], [t])
    ((backward,),) = derived(Vjp, [forward], [x], [u])
    inputs = [c, x, t, u]
    f = tc.function(inputs, [forward, backward])
    again = copy.deepcopy(f)
    for condition, wanted in ((1, np.exp(V)), (0, 6 * V)):
        found = f(condition, V, W, V)
        np.testing.assert_allclose(found[1], wanted * W * V)
        np.testing.assert_array_equal(again(condition, V, W, V), found)
    assert "jvp f64[x0]" in tc.debugprint(forward, file="str")


def test_results_of_a_condition_that_do_not_depend_are_read():
    p, q = tc.ifelse(c, [x, y], [y, tc.tanh(y)])
    slope = tc.grad(tc.sum(p * q), x)
    f = tc.function([c, x, y], slope)
    np.testing.assert_array_equal(f(1, V, W), W)
    np.testing.assert_array_equal(f(0, V, W), 0 * W)
    along = tc.Rop(p * q, x, t)
    f = tc.function([c, x, y, t], along)
    np.testing.assert_array_equal(f(1, V, W, V), V * W)
    p, q, r = tc.ifelse(c, [x * y, y, x], [x**3, tc.tanh(y), y])
    slope = tc.grad(tc.sum(p * q * r), x)
    f = tc.function([c, x, y], tc.grad(tc.sum(slope), x))
    np.testing.assert_allclose(f(1, V, W), 2 * W * W)
    np.testing.assert_allclose(f(0, V, W), 6 * V * np.tanh(W) * W)


def test_an_own_gradient_reads_what_a_condition_gives_besides():
    k = tc.shared(W, "k")

    def both(a):
        inside = tc.ifelse(k[0] > 0, [a, k], [a * a, tc.tanh(k)])
        return tuple(inside)

    own = tc.custom_gradient(both, backward=lambda a, ct: ct[0] * 2 + ct[1])
    p, q = own(x)
    f = tc.function([x], tc.grad(tc.sum(p * q), x))
    np.testing.assert_array_equal(f(V), 2 * W + V)
