"""tc.jvp, tc.vjp, stops, own gradients and branches: what autodiff makes of each."""

from functools import partial

import numpy as np
import pytest

from tensorc.errors import CompileError, IndexOutOfRange, Location
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.ops.derivatives import (
    DERIVATIVES,
    CustomGradient,
    StopGradient,
)
from tensorc.ir.ops.tensor.elementwise import Add, Compare, Exp, Log, Mul
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import ArgMax, Top1
from tensorc.ir.ops.tensor.rounding import Floor
from tensorc.ir.ops.tensor.transcendental import Sin
from tensorc.ir.types import F64, I64
from tensorc.ir.verifier import verify
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.simplify import SIMPLIFY
from tensorc.pipeline import TENSOR
from tests.branching import branches
from tests.samples import CPU, build_module, grad, jvp, run, total, vjp
from tests.stages import all_results, name_arguments


def expanded(types, body):
    """Return a module after autodiff, and check that the rest of TENSOR keeps it."""
    module = AUTODIFF.run(build_module(types, body), CPU)
    verify(module)
    gone = (*DERIVATIVES, CustomGradient)
    assert not any(isinstance(op, gone) for op in module.walk())
    return module


def values_of(types, body, *arguments):
    module = expanded(types, body)
    arrays = [np.array(a) for a in arguments]
    found = [v.tolist() for v in run(module, arrays)]
    for pass_ in (SIMPLIFY, CSE, DCE):
        module = pass_.run(module, CPU)
        verify(module)
    assert [v.tolist() for v in run(module, arrays)] == found
    return found


def cube(b, w):
    return [b(Mul, w[0], b(Mul, w[0], w[0]))]


def test_jvp_of_a_product():
    def body(b, of):
        return jvp(b, of[:2], of[2:], lambda b, w: [b(Mul, *w), w[0]])

    assert values_of(["f64"] * 4, body, 2.0, 3.0, 10.0, 100.0) == [230.0, 10.0]


def test_vjp_of_two_results():
    def body(b, of):
        return vjp(b, of[:2], of[2:], lambda b, w: [b(Mul, *w), w[0]])

    assert values_of(["f64"] * 4, body, 2.0, 3.0, 10.0, 100.0) == [130.0, 20.0]


def test_the_same_value_yielded_twice_gets_both_cotangents():
    def body(b, of):
        return vjp(b, of[:1], of[1:], lambda b, w: [w[0], w[0]])

    assert values_of(["f64"] * 3, body, 2.0, 10.0, 100.0) == [110.0]


def test_no_path_gives_zeros_in_both_directions():
    def body(b, of):
        def other(b, w):
            return [of[0]]

        return [*jvp(b, of, of, other), *vjp(b, of, of, other)]

    assert values_of(["f64[2]"], body, [1.0, 2.0]) == [[0, 0], [0, 0]]


@pytest.mark.parametrize("outer", ["jvp", "vjp", "grad"])
@pytest.mark.parametrize("inner", ["jvp", "vjp", "grad"])
def test_second_derivatives_mix_all_directions(outer, inner):
    """d2/dx2 of x^3 is 6 x."""

    def once(b, x, kind, of):
        one = b.full_like(x, 1)
        if kind == "grad":
            return grad(b, [x], lambda b, w: of(b, w)[0])
        return (jvp if kind == "jvp" else vjp)(b, [x], [one], of)

    def body(b, of):
        return once(b, of[0], outer, lambda b, w: once(b, w[0], inner, cube))

    assert values_of(["f64"], body, 2.0) == [12.0]


def test_third_derivative_of_all_three():
    def body(b, of):
        def first(b, w):
            return vjp(b, w, [b.full_like(w[0], 1)], cube)

        def second(b, w):
            return jvp(b, w, [b.full_like(w[0], 1)], first)

        return grad(b, of, lambda b, w: second(b, w)[0])

    assert values_of(["f64"], body, 2.0) == [6.0]


def test_an_inner_tangent_may_depend_on_the_outer_variable():
    # d/dx of the directional derivative of x^3 along x: d/dx 3 x^3.
    def body(b, of):
        return grad(b, of, lambda b, w: jvp(b, w, w, cube)[0])

    assert values_of(["f64"], body, 2.0) == [36.0]


def test_stop_gradient_is_a_constant_in_both_directions():
    def stopped(b, w):
        return [b(Mul, w[0], b(StopGradient, w[0]))]

    def body(b, of):
        forward = jvp(b, of, [b.full_like(of[0], 1)], stopped)
        return [*grad(b, of, lambda b, w: stopped(b, w)[0]), *forward]

    assert values_of(["f64"], body, 3.0) == [3.0, 3.0]


def test_argmax_behind_a_stop_is_allowed_and_without_refused():
    def cost(b, w):
        index = b.cast(b(ArgMax, w[0], axes=(0,)), F64)
        return b(Mul, b(StopGradient, index), b.sum(w[0], 0))

    assert values_of(["f64[3]"], lambda b, of: grad(b, of, cost), [1, 3, 2.0]) == [
        [1, 1, 1]
    ]


@pytest.mark.parametrize("derive", [jvp, vjp])
@pytest.mark.parametrize("cls", [ArgMax, Top1])
def test_an_index_used_as_a_number_is_refused_at_its_source(derive, cls):
    at = Location("f.tc", 7, 3)

    def cost(b, w):
        with b.builder.at(at):
            index = b.results(cls, w[0], axes=(0,))[-1]
        return [b(Mul, w[0], b.full_like(w[0], 1)), b.cast(index, F64)][1:]

    def body(b, of):
        vector = of[0] if derive is jvp else b.scalar(1, F64)
        return derive(b, of, [vector], cost)

    with pytest.raises(CompileError, match="has no derivative; wrap it") as caught:
        expanded(["f64[3]"], body)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.location == at


def custom(b, x, forward, backward):
    """Append a `tc.custom_gradient` of one operand and one result."""
    with b.builder.region([x.type]) as (ahead, arguments):
        y = forward(b, *arguments)
        b.builder.create(Yield, y)
    with b.builder.region([x.type, y.type]) as (back, arguments):
        b.builder.create(Yield, backward(b, *arguments))
    return b.builder.create(
        CustomGradient, x, types=[y.type], regions=[ahead, back]
    ).result


def straight_through(b, x):
    return custom(b, x, lambda b, x: b(Floor, x), lambda b, x, ct: b(Mul, ct, x))


def test_custom_gradient_is_used_and_its_program_runs():
    def body(b, of):
        return [
            straight_through(b, of[0]),
            *grad(b, of, lambda b, w: straight_through(b, w[0])),
        ]

    assert values_of(["f64"], body, 2.5) == [2.0, 2.5]


def test_second_derivative_of_a_custom_gradient_is_that_of_what_goes_back():
    def body(b, of):
        def first(b, w):
            return grad(b, w, lambda b, v: straight_through(b, v[0]))[0]

        return grad(b, of, first)

    assert values_of(["f64"], body, 2.5) == [1.0]


def test_custom_gradients_within_each_other():
    def outer(b, x):
        return custom(
            b,
            x,
            lambda b, x: straight_through(b, b(Mul, x, x)),
            lambda b, x, ct: b(Mul, ct, straight_through(b, x)),
        )

    def body(b, of):
        return [outer(b, of[0]), *grad(b, of, lambda b, w: outer(b, w[0]))]

    assert values_of(["f64"], body, 2.5) == [6.0, 2.0]


def test_custom_gradient_without_a_derivative_around_it_is_its_program():
    assert values_of(["f64"], lambda b, of: [straight_through(b, of[0])], 2.5) == [2.0]


def test_jvp_through_a_custom_gradient_is_refused_at_its_source():
    at = Location("f.tc", 7, 3)

    def cost(b, w):
        with b.builder.at(at):
            return [straight_through(b, w[0])]

    with pytest.raises(CompileError, match="not how tangents go forward") as caught:
        expanded(["f64"], lambda b, of: jvp(b, of, of, cost))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.location) == ("TC0350", at)
    assert "tc.hvp" in diagnostic.hints[1]


# Branches


def positive(b, x):
    return b(Compare, x, b.zeros_like(x), predicate="gt")


def log_or_cube(b, w):
    """log x of what is positive, x^3 of others: each is wrong for the other."""
    return branches(b, positive(b, w[0]), lambda: [b(Log, w[0])], lambda: cube(b, w))


@pytest.mark.parametrize(
    ("x", "first", "second"), [(4.0, 0.25, -0.0625), (-2.0, 12.0, -12.0), (0.0, 0, 0)]
)
def test_derivatives_of_a_branch_of_two_orders(x, first, second):
    def slope(b, w):
        return grad(b, w, lambda b, v: log_or_cube(b, v)[0])

    def push(b, w):
        return jvp(b, w, [b.full_like(w[0], 1)], log_or_cube)

    def body(b, of):
        one = [b.full_like(of[0], 1)]
        return [
            *(*slope(b, of), *push(b, of)),
            *grad(b, of, lambda b, w: slope(b, w)[0]),
            *grad(b, of, lambda b, w: push(b, w)[0]),
            *jvp(b, of, one, slope),
            *jvp(b, of, one, push),
        ]

    assert values_of(["f64"], body, x) == [first] * 2 + [second] * 4


def test_captures_get_cotangents_from_the_branch_that_is_taken():
    def cost(b, w):
        return branches(
            b, positive(b, w[0]), lambda: [b(Mul, w[0], w[1])], lambda: [b(Exp, w[1])]
        )[0]

    def body(b, of):
        return grad(b, of, cost)

    assert values_of(["f64", "f64"], body, 2.0, 0.0) == [0.0, 2.0]
    assert values_of(["f64", "f64"], body, -2.0, 0.0) == [0.0, 1.0]


def test_what_no_branch_uses_for_the_cost_is_no_result_of_the_derivative():
    """Constants around the derivative, integers, and what only a condition reads."""

    def body(b, of):
        def cost(b, w):
            picked = lambda: b(TakeAlongAxis, w[0], of[1], axis=0)  # noqa: E731
            return branches(
                b,
                positive(b, of[2]),
                lambda: [b(Mul, picked(), of[2])],
                lambda: [picked()],
            )[0]

        return grad(b, of[:1], cost)

    module = expanded(["f64[3]", "i64", "f64"], body)
    *_, derivative = [op for op in module.walk() if isinstance(op, If)]
    assert len(derivative.results) == 1
    x, index = np.array([1.0, 2, 3]), np.array(1)
    assert run(module, [x, index, np.array(5.0)])[0].tolist() == [0, 5, 0]
    assert run(module, [x, index, np.array(-5.0)])[0].tolist() == [0, 1, 0]


def test_an_argmax_of_a_constant_in_a_branch_is_allowed():
    def body(b, of):
        def cost(b, w):
            index = lambda: b.cast(b(ArgMax, of[1], axes=(0,)), F64)  # noqa: E731
            return branches(
                b, positive(b, w[0]), lambda: [b(Mul, w[0], index())], lambda: w
            )[0]

        return grad(b, of[:1], cost)

    assert values_of(["f64", "f64[3]"], body, 2.0, [1.0, 2, 3]) == [2.0]


@pytest.mark.parametrize("derive", ["grad", "jvp"])
def test_an_argmax_of_the_variable_in_a_branch_is_refused(derive):
    at = Location("f.tc", 7, 3)

    def cost(b, w):
        def index():
            with b.builder.at(at):
                return [b.cast(b(ArgMax, w[0], axes=(0,)), F64)]

        return branches(b, positive(b, b.sum(w[0], 0)), index, lambda: [b.sum(w[0], 0)])

    def body(b, of):
        if derive == "jvp":
            return jvp(b, of, of, cost)
        return grad(b, of, lambda b, w: cost(b, w)[0])

    with pytest.raises(CompileError, match=r"tc\.argmax has no derivative") as caught:
        expanded(["f64[3]"], body)
    assert caught.value.diagnostics[0].location == at


@pytest.mark.parametrize("derive", ["grad", "jvp"])
def test_errors_of_the_other_branch_do_not_happen_in_the_derivative(derive):
    def cost(b, w, of):
        def picked():
            return [b(TakeAlongAxis, b(Log, w[0]), of[1], axis=0)]

        return branches(b, positive(b, of[2]), picked, lambda: [b.sum(w[0], 0)])

    def body(b, of):
        if derive == "jvp":
            return jvp(b, of[:1], of[:1], lambda b, w: cost(b, w, of))
        return grad(b, of[:1], lambda b, w: cost(b, w, of)[0])

    module = expanded(["f64[2]", "i64", "f64"], body)
    x = np.array([-1.0, 0.0])
    wanted = -1.0 if derive == "jvp" else [1, 1]
    assert run(module, [x, np.array(7), np.array(-1.0)])[0].tolist() == wanted
    with pytest.raises(IndexOutOfRange):
        run(module, [x, np.array(7), np.array(1.0)])
    DCE.run(module, CPU)
    assert run(module, [x, np.array(7), np.array(-1.0)])[0].tolist() == wanted


def test_branches_in_branches_and_derivatives_in_them():
    """d/dx of: x > 0 ? (x > 1 ? d/dx x^3 : x) : x * x."""

    def cost(b, w):
        above = b(Compare, w[0], b.full_like(w[0], 1), predicate="gt")

        def slope():
            return grad(b, w, lambda b, v: cube(b, v)[0])

        return branches(
            b,
            positive(b, w[0]),
            lambda: branches(b, above, slope, lambda: [w[0]]),
            lambda: [b(Mul, w[0], w[0])],
        )

    def body(b, of):
        one = [b.full_like(of[0], 1)]
        return [*grad(b, of, lambda b, w: cost(b, w)[0]), *jvp(b, of, one, cost)]

    for x, slope in ((2.0, 12.0), (0.5, 1.0), (-3.0, -6.0)):
        assert values_of(["f64"], body, x) == [slope, slope]


def test_two_results_of_which_one_is_used():
    def cost(b, w):
        first, _ = branches(
            b,
            positive(b, w[0]),
            lambda: [b(Sin, w[0]), b.cast(b.cast(w[0], I64), F64)],
            lambda: [w[0], b(Exp, w[0])],
        )
        return [first]

    def body(b, of):
        one = [b.full_like(of[0], 1)]
        return [*grad(b, of, lambda b, w: cost(b, w)[0]), *jvp(b, of, one, cost)]

    assert values_of(["f64"], body, -2.0) == [1.0, 1.0]
    assert values_of(["f64"], body, 0.5) == [np.cos(0.5)] * 2


def test_a_sum_of_branches_adds_their_cotangents():
    def cost(b, w):
        parts = [log_or_cube(b, w)[0] for _ in range(3)]
        return b(Add, total(b, parts[0]), b(Add, parts[1], parts[2]))

    assert values_of(["f64"], lambda b, of: grad(b, of, cost), -1.0) == [9.0]


@pytest.mark.parametrize(("order", "more"), [(1, 0), (2, 1)])
def test_a_branch_makes_its_products_once_for_its_value_and_derivatives(order, more):
    """As many as without a branch: the backward one finds those of the forward one.

    Two branches of order 2 give parts of one cotangent, which meet behind a product.
    """

    def network(b, x, v, w):
        return b.matmul(b(Sin, b.matmul(x, v)), w)

    def body(b, of, branching):
        condition, x, v, w = of

        def cost(b, by):
            def then():
                return [network(b, x, *by)]

            made = branches(b, condition, then, lambda: [x]) if branching else then()
            return total(b, b(Mul, *made, *made))

        def squares(b, by):
            g = grad(b, by, cost)
            return b(Add, *[total(b, b(Mul, s, s)) for s in g])

        wanted = cost if order == 1 else squares
        return [wanted(b, [v, w]), *grad(b, [v, w], wanted)]

    counts = []
    for branching in (False, True):
        types = ["i1", *["f64[3, 3]"] * 3]
        module = build_module(types, partial(body, branching=branching))
        for pass_ in TENSOR:
            module = pass_.run(module, CPU)
            verify(module)
        counts.append([type(op) for op in module.walk()].count(MatMul))
    assert counts[1] == counts[0] + more


def test_vjp_within_a_branch_of_a_program():
    def body(b, of):
        return branches(
            b,
            positive(b, of[0]),
            lambda: vjp(b, of[:1], of[1:], cube),
            lambda: jvp(b, of[:1], of[1:], cube),
        )

    assert values_of(["f64", "f64"], body, 2.0, 10.0) == [120.0]
    assert values_of(["f64", "f64"], body, -1.0, 10.0) == [30.0]


def test_compiled_code_gives_what_every_stage_gives():
    """A branch with a product and a checked index, of two orders, both directions."""

    def cost(b, w, of):
        (x,) = w

        def then():
            row = b(TakeAlongAxis, b(Log, x), of[1], axis=0)
            product = b(Sin, b.matmul(of[2], x))
            return [b(Mul, product, b.broadcast(row, (2, 2), (1,)))]

        def otherwise():
            return [b(Mul, b(Sin, x), x)]

        above = positive(b, total(b, x))
        return [total(b, branches(b, above, then, otherwise)[0])]

    def body(b, of):
        def slope(b, w):
            return grad(b, w, lambda b, v: cost(b, v, of)[0])

        def squares(b, w):
            (g,) = slope(b, w)
            return total(b, b(Mul, g, g))

        return [
            *(*cost(b, of[:1], of), *slope(b, of[:1]), *grad(b, of[:1], squares)),
            *jvp(b, of[:1], of[3:], slope),
            *jvp(b, of[:1], of[3:], lambda b, w: cost(b, w, of)),
        ]

    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    tangent = np.array([[0.5, -1.0], [2.0, 1.0]])
    good, bad = np.array([0, 1]), np.array([9, 9])
    module = build_module(["f64[2, 2]", "i64[2]", "f64[2, 2]", "f64[2, 2]"], body)
    (function,) = module.functions
    name_arguments(function)
    points = [[matrix, good], [-matrix, good], [-matrix, bad]]
    cases = [("f", [*point, matrix, tangent]) for point in points]
    wanted = expanded(["f64[2, 2]", "i64[2]", "f64[2, 2]", "f64[2, 2]"], body)
    for stage, found in all_results(module, cases).items():
        for (_, arguments), results in zip(cases, found, strict=True):
            for a, e in zip(results, run(wanted, arguments), strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-13, err_msg=stage)


def test_derivatives_of_a_nest_of_branches_have_linear_size():
    """What is unused in branches goes before the next order copies them."""

    def nested(b, w, depth):
        x = w[0]
        if depth == 0:
            return [b(Exp, x)]
        above = b(Compare, x, b.full_like(x, float(depth)), predicate="gt")
        return branches(
            b, above, lambda: [b(Mul, b(Sin, x), x)], lambda: nested(b, w, depth - 1)
        )

    def body(b, of, depth):
        def first(b, w):
            return grad(b, w, lambda b, v: nested(b, v, depth)[0])[0]

        return grad(b, of, first)

    sizes = []
    for depth in (5, 10, 20):
        module = expanded(["f64"], partial(body, depth=depth))
        sizes.append(sum(1 for _ in module.walk()))
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])
