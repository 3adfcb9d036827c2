"""The reverse sweep: what is active, what is refused, places, nesting, size."""

import time

import numpy as np
import pytest

from tensorc.errors import CompileError, Location
from tensorc.ir.dims import symbol
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.ops.derivatives import Grad
from tensorc.ir.ops.tensor.elementwise import Add, Compare, Div, Exp, Log, Mul, Neg, Sub
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.nn import LogSoftmax
from tensorc.ir.ops.tensor.reductions import ArgMax
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import F16, F32, F64, I64
from tensorc.ir.verifier import verify
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.simplify import SIMPLIFY
from tensorc.passes.tensor.stabilize import STABILIZE
from tests.samples import CPU, build_module, grad, parse_type, run, total

B = symbol("B")
MESSAGE = "unsupported: tc.argmax has no derivative; wrap it in stop_gradient"


def expanded(types, body):
    module = AUTODIFF.run(build_module(types, body), CPU)
    verify(module)
    assert not any(isinstance(op, Grad) for op in module.walk())
    return module


def scalars(types, body, *arguments):
    return [
        float(v) for v in run(expanded(types, body), list(map(np.array, arguments)))
    ]


def test_the_same_value_as_two_operands_gives_two_derivatives():
    def body(b, of):
        return grad(b, [of[0], of[0]], lambda b, w: b(Mul, w[0], b(Mul, w[1], w[1])))

    assert scalars(["f64"], body, 3.0) == [9.0, 18.0]


def test_a_captured_value_is_a_constant_even_if_it_is_an_operand():
    def body(b, of):
        return grad(b, of, lambda b, w: b(Mul, w[0], of[0]))

    assert scalars(["f64"], body, 3.0) == [3.0]


def test_no_path_gives_zeros_of_the_type():
    def body(b, of):
        return grad(b, of, lambda b, w: total(b, w[0]))

    module = expanded(["f64[B, 3]", "f32[B, 2]"], body)
    used, unused = run(module, [np.ones((4, 3)), np.ones((4, 2), np.float32)])
    assert used.tolist() == np.ones((4, 3)).tolist()
    assert unused.tolist() == np.zeros((4, 2)).tolist()
    assert unused.dtype == np.float32


def test_cost_that_is_the_argument_itself():
    assert scalars(["f64"], lambda b, of: grad(b, of, lambda b, w: w[0]), 3.0) == [1.0]


def test_third_derivative_of_x_to_the_fourth():
    def power(b, w):
        square = b(Mul, w[0], w[0])
        return b(Mul, square, square)

    def first(b, w):
        return grad(b, w, power)[0]

    def second(b, w):
        return grad(b, w, first)[0]

    assert scalars(["f64"], lambda b, of: grad(b, of, second), 2.0) == [48.0]


def test_inner_gradient_of_another_variable():
    # d/dx of d/dy of x * y * y is 2 * y.
    def inner(b, x, y):
        return grad(b, [y], lambda b, w: b(Mul, x, b(Mul, w[0], w[0])))[0]

    def body(b, of):
        return grad(b, of[:1], lambda b, w: inner(b, w[0], of[1]))

    assert scalars(["f64", "f64"], body, 5.0, 7.0) == [14.0]


def test_a_gradient_may_use_an_earlier_gradient():
    def body(b, of):
        (slope,) = grad(b, of, lambda b, w: b(Mul, w[0], w[0]))
        return grad(b, of, lambda b, w: b(Mul, w[0], slope))

    assert scalars(["f64"], body, 3.0) == [6.0]


def test_argmax_in_the_cost_is_refused_at_its_place():
    place = Location("f.tc", 7, 3)

    def cost(b, w):
        with b.builder.at(place):
            index = b(ArgMax, w[0], axes=(0,))
        return b.cast(index, F32)

    with pytest.raises(CompileError) as caught:
        expanded(["f32[3]"], lambda b, of: grad(b, of, cost))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("TC0350", MESSAGE)
    assert diagnostic.location == place


def test_argmax_as_an_index_is_no_path():
    def cost(b, w):
        return b(TakeAlongAxis, w[0], b(ArgMax, w[0], axes=(0,)), axis=0)

    module = expanded(["f64[3]"], lambda b, of: grad(b, of, cost))
    assert run(module, [np.array([1.0, 3, 2])])[0].tolist() == [0, 1, 0]


def test_a_comparison_stops_the_derivative():
    def cost(b, w):
        positive = b(Compare, w[0], b.zeros_like(w[0]), predicate="gt")
        return total(b, b(Mul, b.cast(positive, F64), w[0]))

    module = expanded(["f64[3]"], lambda b, of: grad(b, of, cost))
    assert run(module, [np.array([1.0, -3, 2])])[0].tolist() == [1, 0, 1]


def test_a_cast_to_integers_stops_the_derivative():
    def cost(b, w):
        return b(Sub, w[0], b.cast(b.cast(w[0], I64), F64))

    assert scalars(["f64"], lambda b, of: grad(b, of, cost), 2.75) == [1.0]


def test_mixed_precision_cotangents_have_the_types_of_their_values():
    def cost(b, w):
        return total(b, b.cast(b(Mul, b.cast(w[0], F16), w[1]), F32))

    module = expanded(["f32[2]", "f16[2]"], lambda b, of: grad(b, of, cost))
    wide, narrow = run(module, [np.full(2, 3, np.float32), np.full(2, 5, np.float16)])
    assert (wide.dtype, narrow.dtype) == (np.float32, np.float16)
    assert (wide.tolist(), narrow.tolist()) == ([5, 5], [3, 3])


@pytest.mark.parametrize("type_", ["f64[2]", "f64[1]"])
def test_cost_must_be_a_scalar(type_):
    with pytest.raises(CompileError, match=r"TC0351.*one float scalar, got f64\["):
        expanded([type_], lambda b, of: grad(b, of, lambda b, w: w[0]))


def test_cost_must_be_a_float():
    def body(b, of):
        return grad(b, of, lambda b, w: b.cast(w[0], I64))

    with pytest.raises(CompileError, match="TC0351"):
        expanded(["f64"], body)


def test_backward_ops_have_the_place_of_their_forward_op():
    place = Location("f.tc", 4, 9)

    def cost(b, w):
        with b.builder.at(place):
            return b(Exp, w[0])

    module = expanded(["f64"], lambda b, of: grad(b, of, cost))
    ops = module.functions[0].body.block.ops
    places = {op.name: op.location for op in ops}
    assert places["tc.exp"] == places["tc.mul"] == place


def test_expansion_is_deterministic():
    def cost(b, w):
        x = w[0]
        return total(b, b(Add, b(Mul, x, b(Exp, x)), b(Sub, b(Mul, x, x), x)))

    def body(b, of):
        return grad(b, of, cost)

    texts = {print_module(expanded(["f64[B]"], body)) for _ in range(3)}
    assert len(texts) == 1


def test_equal_by_a_guard_only_keeps_each_type():
    function, builder = open_function(
        "f", [Parameter(parse_type("f64[A]")), Parameter(parse_type("f64[C]"))]
    )
    b = TensorBuilder(builder)
    x, y = function.body.block.arguments
    # The sum makes A + 1 and C + C equal by a guard.
    tail = b.unslice(x, (0,), (symbol("A") + 1,), (1,))
    twice = b.unslice(y, (0,), (symbol("C") * 2,), (1,))
    results = grad(
        b, [tail, twice], lambda b, w: total(b, b(Mul, b(Add, w[0], w[1]), w[1]))
    )
    close_function(function, builder, results)
    assert "tc.guards" in function.attributes
    module = new_module()
    module.body.block.append(function)
    AUTODIFF.run(module, CPU)
    verify(module)
    left, right = run(module, [np.ones(3), np.ones(2)])
    assert (left.tolist(), right.tolist()) == ([1, 1, 0, 0], [3, 3, 1, 0])


def chain(length):
    def cost(b, w):
        value = w[0]
        for i in range(length):
            value = b(Neg, value) if i % 2 else b(Mul, value, w[1])
        return value

    return build_module(["f64", "f64"], lambda b, of: grad(b, of, cost))


def test_a_long_chain_needs_no_recursion_and_linear_time():
    times = {}
    for length in (2500, 5000, 20000):
        module = chain(length)
        start = time.process_time()
        for pass_ in (CSE, AUTODIFF, CSE, DCE):
            pass_.run(module, CPU)
        times[length] = time.process_time() - start
    # 8 is linear; a quadratic pass gives 64.
    assert times[20000] < 25 * times[2500] + 0.5
    slope, _ = run(module, [np.array(1.0), np.array(-1.0)])
    assert slope == 1.0


def test_many_gradients_in_one_block_take_linear_time():
    def body(b, of):
        total_ = of[0]
        for _ in range(1500):
            (slope,) = grad(b, of, lambda b, w: b(Mul, w[0], w[0]))
            total_ = b(Add, total_, slope)
        return [total_]

    start = time.process_time()
    module = expanded(["f64"], body)
    assert time.process_time() - start < 20
    assert run(module, [np.array(1.0)])[0] == 3001


def test_logistic_regression_step_against_numpy():
    def cost(b, w, x, y):
        weights, bias = w
        logits = b.matmul(x, weights)
        logits = b(Add, logits, b.broadcast(bias, (B, 3), (1,)))
        picked = b(TakeAlongAxis, b(LogSoftmax, logits, axis=1), y, axis=1)
        count = b.cast(b.size(x, 0), F64)
        return b(Neg, b(Div, b.sum(picked, 0), count))

    def body(b, of):
        return grad(b, of[2:], lambda b, w: cost(b, w, of[0], of[1]))

    module = expanded(["f64[B, 4]", "i64[B]", "f64[4, 3]", "f64[3]"], body)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    w, bias = rng.standard_normal((4, 3)), rng.standard_normal(3)
    logits = x @ w + bias
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p[np.arange(5), y] -= 1
    for pipeline in ((), (CSE, DCE)):
        for pass_ in pipeline:
            pass_.run(module, CPU)
        got = run(module, [x, y, w, bias])
        np.testing.assert_allclose(got[0], x.T @ p / 5, rtol=1e-12)
        np.testing.assert_allclose(got[1], p.sum(0) / 5, rtol=1e-12)


def test_naive_softmax_trains_far_out_through_a_reshape():
    """The gradient of log(reshape(softmax)) is finite where the spelling overflows."""

    def cost(b, w, y):
        e = b(Exp, w[0])
        p = b(Div, e, b.insert_axis(b.sum(e, 1), w[0].type.shape, 1))
        flat = b.reshape(b(TakeAlongAxis, p, y, axis=1), (B, 1))
        return b(Neg, total(b, b(Log, flat)))

    def body(b, of):
        return grad(b, of[:1], lambda b, w: cost(b, w, of[1]))

    module = build_module(["f32[B, 3]", "i64[B]"], body)
    for pass_ in (CSE, STABILIZE, AUTODIFF, SIMPLIFY, CSE, DCE):
        module = pass_.run(module, CPU)
        verify(module)
    x = np.array([[1000, 0, -1000], [0, 0, 0]], np.float32)
    (gradient,) = run(module, [x, np.array([1, -1])])
    third = np.float32(1) / 3
    expected = [[1, -1, 0], [third, third, third - 1]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
