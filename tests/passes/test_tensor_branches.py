"""What the passes of TENSOR do to branches: what moves in, what goes, what stays."""

import numpy as np
import pytest

from tensorc.ir.interpreter import interpret
from tensorc.ir.levels import Level
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.control import If
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Compare,
    Exp,
    Log,
    Maximum,
    Mul,
    Neg,
    Not,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import CheckIndex
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.shape import Broadcast, Transpose
from tensorc.ir.types import F64, I1, I64, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.simplify import SIMPLIFY, TIDY
from tensorc.passes.tensor.stabilize import STABILIZE
from tests.branching import CONDITION, branches, branches_of, build
from tests.stages import TARGET, round_trip

VECTOR = TensorType((4,), F64)
SQUARE = TensorType((3, 3), F64)
X = np.array([0.5, 1.0, -2.0, 3.0])
Y = np.array([2.0, -1.0, 0.25, 4.0])


def transformed(fill, *passes, types=(CONDITION, VECTOR, VECTOR)):
    """Return a module after passes; it must mean what it meant before them."""
    before, module = build(types, fill), build(types, fill)
    for pass_ in passes:
        module = round_trip(pass_.run(module, TARGET))
        verify(module, Level.TENSOR)
    values = {1: (X, Y), 2: (np.outer(X, Y)[:3, :3], np.outer(Y, X)[:3, :3])}
    for c in (True, False):
        given = iter(values[len(types[-1].shape)])
        arguments = [np.array(c) if t == CONDITION else next(given) for t in types]
        wanted = interpret(before, "f", arguments)
        for left, right in zip(wanted, interpret(module, "f", arguments), strict=True):
            assert same_bits(np.asarray(left), np.asarray(right))
    return module


def ops_in(block):
    return [type(op) for op in block.ops[:-1]]


def regions_of(module):
    (op,) = branches_of(module)
    return [ops_in(region.block) for region in op.regions]


# cse


def test_cse_merges_inside_a_branch():
    def fill(b, c, x, y):
        def then():
            return [b(Sub, b(Exp, x), b(Exp, x))]

        return branches(b, c, then, lambda: [y])

    assert regions_of(transformed(fill, CSE)) == [[Exp, Sub], []]


def test_cse_takes_what_stands_before_as_a_capture():
    def fill(b, c, x, y):
        e = b(Exp, b(Mul, x, y))

        def then():
            return [b(Neg, b(Exp, b(Mul, y, x)))]

        return [*branches(b, c, then, lambda: [y]), e]

    module = transformed(fill, CSE, DCE)
    assert regions_of(module) == [[Neg], []]
    (op,) = branches_of(module)
    assert [type(v.op) for v in op.captures] == [type(None), Exp]


def test_cse_takes_through_several_borders():
    def fill(b, c, d, x):
        e = b(Exp, x)

        def inner():
            return branches(b, d, lambda: [b(Neg, b(Exp, x))], lambda: [x])

        return [*branches(b, c, inner, lambda: [x]), e]

    module = transformed(fill, CSE, DCE, types=(CONDITION, CONDITION, VECTOR))
    outer, inner = branches_of(module)
    assert [type(op) for op in inner.then.block.ops[:-1]] == [Neg]
    assert [type(v.op) for v in outer.captures].count(Exp) == 1


def test_cse_takes_nothing_out_of_a_branch():
    def fill(b, c, x, y):
        results = branches(b, c, lambda: [b(Exp, x)], lambda: [b(Exp, x)])
        return [*results, b(Exp, x)]

    module = transformed(fill, CSE)
    assert regions_of(module) == [[Exp], [Exp]]
    assert ops_in(module.functions[0].body.block) == [If, Exp]


def test_what_costs_nothing_is_repeated_inside():
    """A transposed or broadcast capture would be a copy; a constant hides no rule."""

    def fill(b, c, x, y):
        total = b.sum(x, 0)

        def parts():
            twos = b.full_like(x, 2.0)
            return b.transpose(x, (1, 0)), b.broadcast(total, (3, 3), (1,)), twos

        def then():
            turned, row, twos = parts()
            return [b(Sub, b(Sub, turned, row), twos)]

        turned, row, twos = parts()
        outside = b(Mul, b(Mul, turned, row), twos)
        return [*branches(b, c, then, lambda: [y]), outside]

    module = transformed(fill, CSE, DCE, types=(CONDITION, SQUARE, SQUARE))
    then, _ = regions_of(module)
    assert {Transpose, Broadcast, Constant} <= set(then)


def test_what_is_made_of_views_is_still_taken_from_outside():
    def fill(b, c, x, y):
        outside = b(Exp, b.transpose(x, (1, 0)))

        def then():
            return [b(Neg, b(Exp, b.transpose(x, (1, 0))))]

        return [*branches(b, c, then, lambda: [y]), outside]

    module = transformed(fill, CSE, DCE, types=(CONDITION, SQUARE, SQUARE))
    assert regions_of(module) == [[Neg], []]


def test_equal_results_of_branches_on_one_condition_are_one():
    def fill(b, c, x, y):
        first = branches(b, c, lambda: [b(Exp, x), x], lambda: [y, b(Neg, y)])
        second = branches(b, c, lambda: [x, b(Exp, x)], lambda: [b(Neg, y), y])
        third = branches(b, c, lambda: [b(Exp, x)], lambda: [x])
        return [*first, *second, *third]

    module = transformed(fill, CSE, DCE)
    first, second = branches_of(module)
    assert (len(first.results), len(second.results)) == (2, 1)
    returned = module.functions[0].body.block.terminator.operands
    assert [v.op for v in returned] == [first] * 4 + [second]
    assert [v.index for v in returned] == [0, 1, 1, 0, 0]


def test_a_check_outside_serves_inside_and_not_the_other_way_round():
    def fill(b, c, x, i):
        checked = b.gather(x, [b.check_index(i, 0, 4)], [0])

        def then():
            return [b(Neg, b.gather(x, [b.check_index(i, 0, 4)], [0]))]

        return [*branches(b, c, then, lambda: [x]), checked]

    def other(b, c, x, i):
        return fill(b, c, x, i)[:1]

    types = [CONDITION, VECTOR, TensorType((4,), I64)]
    both, inside = (CSE.run(build(types, f), TARGET) for f in (fill, other))
    checks = [sum(isinstance(o, CheckIndex) for o in m.walk()) for m in (both, inside)]
    assert checks[0] == 1
    (op,) = branches_of(DCE.run(inside, TARGET))
    assert CheckIndex in ops_in(inside.functions[0].body.block)
    assert CheckIndex not in ops_in(op.then.block)


def test_what_an_earlier_branch_on_the_condition_gives_is_captured():
    def fill(b, c, x, y):
        (first,) = branches(b, c, lambda: [b(Exp, x)], lambda: [y])
        (second,) = branches(b, c, lambda: [b(Neg, b(Exp, x))], lambda: [b(Exp, x)])
        return [first, second]

    earlier, later = branches_of(transformed(fill, CSE, DCE))
    assert [ops_in(region.block) for region in later.regions] == [[Neg], [Exp]]
    assert earlier.results[0] in later.captures
    assert len(earlier.results) == 1


def test_a_product_of_an_earlier_branch_becomes_a_result_of_it():
    """Zeros from the other region; what costs less than memory is made again."""

    def fill(b, c, x, y):
        (first,) = branches(b, c, lambda: [b(Exp, b(Neg, b.matmul(x, y)))], lambda: [y])
        (second,) = branches(
            b, c, lambda: [b(Neg, b.matmul(x, y))], lambda: [b.matmul(x, y)]
        )
        return [first, second]

    module = transformed(fill, CSE, DCE, types=(CONDITION, SQUARE, SQUARE))
    earlier, later = branches_of(module)
    assert [ops_in(region.block) for region in later.regions] == [[Neg], [MatMul]]
    assert [ops_in(region.block) for region in earlier.regions] == [
        [MatMul, Neg, Exp],
        [Constant, Broadcast],
    ]
    assert earlier.results[1] in later.captures


def test_a_product_is_not_taken_from_another_condition_or_from_the_branch_itself():
    def fill(b, c, d, x):
        def product():
            return [b.matmul(x, x)]

        def again():
            return branches(b, c, product, lambda: [x])

        return [
            *branches(b, d, product, lambda: [x]),
            *branches(b, c, lambda: [b(Exp, *product())], again),
        ]

    module = transformed(fill, CSE, types=(CONDITION, CONDITION, SQUARE))
    assert all(len(op.results) == 1 for op in branches_of(module))
    products = [op for op in module.walk() if isinstance(op, MatMul)]
    assert len(products) == 3


def test_a_product_reaches_a_later_branch_through_a_border():
    def fill(b, c, d, x):
        def product():
            return [b(Neg, b.matmul(x, x))]

        def inner():
            return branches(b, d, product, lambda: [x])

        return [
            *branches(b, d, lambda: [b(Exp, *product())], lambda: [x]),
            *branches(b, c, inner, lambda: [x]),
        ]

    module = transformed(fill, CSE, DCE, types=(CONDITION, CONDITION, SQUARE))
    assert [type(op) for op in module.walk()].count(MatMul) == 1


# dce


def test_dce_drops_results_captures_and_branches_that_nobody_uses():
    def fill(b, c, x, y):
        def then():
            return [b(Exp, x), b(Mul, x, y), y]

        kept, *_ = branches(b, c, then, lambda: [b(Neg, x), x, b(Log, y)])
        branches(b, c, lambda: [b(Exp, y)], lambda: [y])
        return [kept]

    module = transformed(fill, DCE)
    assert regions_of(module) == [[Exp], [Neg]]
    (op,) = branches_of(module)
    _, x, _ = module.functions[0].body.block.arguments
    assert op.captures == [x]
    assert len(op.results) == 1


def test_dce_sees_what_only_an_inner_branch_uses():
    def fill(b, c, d, x):
        unused = b(Exp, x)
        e = b(Log, x)

        def inner():
            kept, _ = branches(b, d, lambda: [e, unused], lambda: [x, x])
            return [kept]

        return branches(b, c, inner, lambda: [x])

    module = transformed(fill, DCE, types=(CONDITION, CONDITION, VECTOR))
    assert ops_in(module.functions[0].body.block) == [Log, If]
    outer, inner = branches_of(module)
    assert (len(outer.captures), len(inner.captures)) == (3, 2)


# simplify and its kin


def test_branches_on_one_condition_become_one():
    def fill(b, c, x, y):
        e, kept = branches(b, c, lambda: [b(Exp, x), x], lambda: [b(Neg, x), y])
        outside = b(Mul, x, y)

        def later():
            return [b(Sub, b(Exp, x), kept)]

        (second,) = branches(b, c, later, lambda: [b(Add, kept, outside)])
        return [e, second, kept]

    module = transformed(fill, SIMPLIFY, CSE, DCE)
    assert ops_in(module.functions[0].body.block) == [Mul, If]
    assert regions_of(module) == [[Exp, Sub], [Neg, Add]]
    assert len(branches_of(module)[0].results) == 3


def test_branches_stay_apart_where_something_between_needs_the_first():
    def fill(b, c, x, y):
        (first,) = branches(b, c, lambda: [b(Exp, x)], lambda: [b(Neg, x)])
        between = b(Mul, first, y)
        (second,) = branches(b, c, lambda: [b(Exp, x)], lambda: [between])
        (third,) = branches(b, c, lambda: [b(Log, y)], lambda: [x])
        return [first, second, third]

    module = transformed(fill, SIMPLIFY)
    assert ops_in(module.functions[0].body.block) == [If, Mul, If]
    first, second = branches_of(module)
    assert (len(first.results), len(second.results)) == (1, 2)


def test_branches_of_other_conditions_and_inner_ones_are_joined_by_themselves():
    def fill(b, c, d, x):
        def inner():
            (e,) = branches(b, d, lambda: [b(Exp, x)], lambda: [x])
            (n,) = branches(b, d, lambda: [b(Neg, e)], lambda: [e])
            return [n]

        (first,) = branches(b, c, inner, lambda: [b(Log, b(Mul, x, x))])
        (other,) = branches(b, d, lambda: [b(Neg, x)], lambda: [x])
        (last,) = branches(b, c, lambda: [b(Mul, x, x)], lambda: [b(Mul, x, x)])
        return [first, other, last]

    module = transformed(fill, SIMPLIFY, CSE, DCE, types=(CONDITION, CONDITION, VECTOR))
    assert [len(op.results) for op in branches_of(module)] == [1, 2, 1]
    outer = branches_of(module)[1]
    assert ops_in(outer.then.block) == [If, Mul]
    assert ops_in(outer.otherwise.block) == [Mul, Log]


def test_branches_are_joined_within_branches_that_are_joined():
    def fill(b, c, d, x):
        def inner():
            (e,) = branches(b, d, lambda: [b(Exp, x)], lambda: [x])
            (n,) = branches(b, d, lambda: [b(Neg, x)], lambda: [b(Log, x)])
            return [b(Mul, e, n)]

        first = branches(b, c, inner, lambda: [x])
        return first + branches(b, c, lambda: [b(Neg, x)], inner)

    module = transformed(fill, SIMPLIFY, DCE, types=(CONDITION, CONDITION, VECTOR))
    outer, *inner = branches_of(module)
    assert [len(op.results) for op in (outer, *inner)] == [2, 2, 2]
    assert [ops_in(r.block) for r in outer.regions] == [[If, Mul, Neg], [If, Mul]]


def constant_condition(value):
    def fill(b, c, x, y):
        known = b.scalar(value, I1)

        def then():
            return [b(Exp, x), x]

        return branches(b, known, then, lambda: [b(Neg, y), x])

    return fill


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("pass_", [SIMPLIFY, TIDY], ids=lambda p: p.name)
def test_a_known_condition_keeps_one_branch(value, pass_):
    module = transformed(constant_condition(value), pass_)
    assert ops_in(module.functions[0].body.block) == [Exp if value else Neg]


def test_what_is_found_to_be_constant_keeps_one_branch():
    def fill(b, c, x, y):
        low = b(Compare, b.scalar(1.0, F64), b.scalar(2.0, F64), predicate="lt")

        def inner():
            return branches(b, b(Not, c), lambda: [b(Exp, y)], lambda: [b(Neg, x)])

        def then():
            return branches(b, c, inner, lambda: [x])

        return branches(b, low, then, lambda: [y])

    assert regions_of(transformed(fill, SIMPLIFY)) == [[Neg], []]


def test_a_negated_condition_exchanges_the_branches():
    def fill(b, c, x, y):
        return branches(b, b(Not, c), lambda: [b(Exp, x)], lambda: [y])

    module = transformed(fill, SIMPLIFY)
    assert regions_of(module) == [[], [Exp]]
    assert ops_in(module.functions[0].body.block) == [If]


def test_the_same_capture_in_both_branches_is_the_capture():
    def fill(b, c, x, y):
        def then():
            return [x, b(Exp, x), y]

        return branches(b, c, then, lambda: [x, b(Neg, x), b(Neg, y)])

    module = transformed(fill, SIMPLIFY)
    (op,) = branches_of(module)
    _, x, _ = module.functions[0].body.block.arguments
    assert len(op.results) == 2
    assert module.functions[0].body.block.terminator.operands[0] is x


def test_constants_found_outside_are_known_inside():
    def fill(b, c, x, y):
        one = b(Neg, b.scalar(-1.0, F64))  # which is folded
        ones = b.broadcast(one, (4,), ())
        return branches(b, c, lambda: [b(Mul, x, ones)], lambda: [b(Add, y, ones)])

    module = transformed(fill, SIMPLIFY)
    then, otherwise = regions_of(module)
    assert (then, Add in otherwise) == ([], True)
    (op,) = branches_of(module)
    assert all(v.op is None for v in op.captures)


def test_rules_hold_inside_branches_and_cross_no_border():
    def fill(b, c, x, y):
        negated = b(Neg, x)

        def then():
            return [b(Add, y, b(Neg, x)), b(Neg, negated)]

        return branches(b, c, then, lambda: [y, negated])

    then, otherwise = regions_of(transformed(fill, SIMPLIFY))
    assert then == [Sub, Neg]
    assert otherwise == []


def test_stable_spellings_are_found_inside_branches():
    def fill(b, c, x, y):
        def then():
            powers = b(Exp, x)
            total = b.sum(powers, 0)
            return [b(Log, total)]

        return branches(b, c, then, lambda: [b.sum(y, 0)])

    module = STABILIZE.run(build([CONDITION, VECTOR, VECTOR], fill), TARGET)
    big = np.full(4, 1e5)
    (found,) = interpret(module, "f", [np.array(True), big, big])
    np.testing.assert_allclose(found, 1e5 + np.log(4))
    assert regions_of(module)[0] != [Exp, Maximum]
