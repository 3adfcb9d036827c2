"""Merging equal ops and removing unused ones: what goes, and what must stay."""

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange
from tensorc.ir.attributes import ArrayAttr, SymbolRef, make_dict
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.numerics import same_bits
from tensorc.ir.opdef import COMMUTATIVE
from tensorc.ir.ops import OPS
from tensorc.ir.ops.builtin import Call
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Binary,
    Div,
    Exp,
    Maximum,
    Mul,
    Neg,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.types import F32, F64, I32
from tensorc.ir.verifier import verify
from tensorc.passes.common.cse import CSE, attribute_key
from tensorc.passes.common.dce import DCE
from tests.samples import CPU, apply_op, build_module, grad, one, run, total


def merged(types, body):
    module = CSE.run(build_module(types, body), CPU)
    verify(module)
    return module


def cleaned(types, body):
    module = DCE.run(build_module(types, body), CPU)
    verify(module)
    return module


def names_of(module) -> list[str]:
    return [op.name for op in module.functions[0].walk()][1:-1]


def test_cse_merges_what_became_equal():
    def body(b, of):
        first = b(Exp, b(Neg, of[0]))
        second = b(Exp, b(Neg, of[0]))
        return [b(Sub, first, second)]

    module = merged(["f64"], body)
    assert names_of(module) == ["tc.neg", "tc.exp", "tc.sub"]


def test_cse_merges_swapped_sums():
    module = merged(
        ["f64", "f64"], lambda b, of: [b(Div, b(Add, *of), b(Add, *of[::-1]))]
    )
    assert names_of(module) == ["tc.add", "tc.div"]


def test_cse_merges_swapped_maxima_and_keeps_swapped_differences():
    # Of +0 and -0 the maximum is +0, in either order.
    def body(b, of):
        swapped = of[::-1]
        return [b(Sub, *of), b(Sub, *swapped), b(Maximum, *of), b(Maximum, *swapped)]

    module = merged(["f64", "f64"], body)
    assert names_of(module) == ["tc.sub", "tc.sub", "tc.maximum"]


def test_the_order_of_operands_shows_in_no_op_that_is_commutative():
    nasty = np.array([0.0, -0.0, 1.5, -np.inf, np.nan])
    left, right = (a.ravel() for a in np.meshgrid(nasty, nasty))
    for op in (o for o in OPS if issubclass(o, Binary) and COMMUTATIVE in o.traits):
        pair = (left, right) if op.domain == "number" else (left == 0, right == 0)
        with np.errstate(all="ignore"):
            both = [op.evaluate(None, *of) for of in (pair, pair[::-1])]
        assert same_bits(*both), op.name


def test_cse_keeps_ops_with_different_attributes():
    def body(b, of):
        return [b.sum(of[0], 0), b.sum(of[0], 1), b(Max, of[0], axes=(0,))]

    assert len(names_of(merged(["f64[3, 3]"], body))) == 3


def test_cse_merges_constants_by_bits():
    def body(b, of):
        numbers = [np.nan, np.nan, 0.0, -0.0, 0.0]
        return [b.scalar(n, F64) for n in numbers] + [b.scalar(0, F32)]

    assert len(names_of(merged(["f64"], body))) == 4


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (ArrayAttr((0.0,)), ArrayAttr((-0.0,))),
        (make_dict(a=1), make_dict(a=True)),
        (F32, F64),
        (I32, "i32"),
    ],
)
def test_attribute_keys_tell_apart(left, right):
    assert attribute_key(left) != attribute_key(right)


def test_attribute_key_of_nan_equals_itself():
    assert attribute_key(float("nan")) == attribute_key(float("nan"))


def test_cse_does_not_reach_into_or_out_of_a_gradient():
    def body(b, of):
        outside = b(Exp, of[0])
        slopes = grad(
            b,
            of,
            lambda b, w: total(b, b(Mul, w[0], b(Mul, b(Exp, of[0]), b(Exp, of[0])))),
        )
        return [outside, *slopes, b(Neg, of[0])]

    names = names_of(merged(["f64[2]"], body))
    assert names.count("tc.exp") == 2


def test_cse_inside_a_gradient_does_not_leak_out():
    def body(b, of):
        slopes = grad(b, of, lambda b, w: total(b, b(Mul, w[0], b(Exp, of[0]))))
        return [*slopes, b(Exp, of[0])]

    assert names_of(merged(["f64[2]"], body)).count("tc.exp") == 2


def test_cse_keeps_the_first_error():
    def body(b, of):
        return [b(Add, *(b(TakeAlongAxis, of[0], of[1], axis=0) for _ in range(2)))]

    module = merged(["f64[3]", "i64"], body)
    assert names_of(module) == ["tc.take_along_axis", "tc.add"]
    with pytest.raises(IndexOutOfRange, match="index 3"):
        run(module, [np.zeros(3), np.array(3)])


def test_dce_removes_chains_and_keeps_what_is_returned():
    def body(b, of):
        b(Exp, b(Neg, b(Exp, of[0])))
        return [b(Neg, of[0])]

    assert names_of(cleaned(["f64"], body)) == ["tc.neg"]


def test_dce_removes_an_unused_index_error():
    def body(b, of):
        apply_op(b, TakeAlongAxis, one(axis=0), of)
        return [of[0]]

    module = cleaned(["f64[3]", "i64"], body)
    assert names_of(module) == []
    assert run(module, [np.zeros(3), np.array(9)])[0].tolist() == [0, 0, 0]


def test_dce_removes_an_unused_gradient_with_its_region():
    def body(b, of):
        grad(b, of, lambda b, w: total(b, b(Exp, w[0])))
        return [of[0]]

    assert names_of(cleaned(["f64[3]"], body)) == []


def test_dce_works_inside_regions_and_keeps_what_they_capture():
    def body(b, of):
        captured = b(Exp, of[0])

        def cost(b, w):
            b(Neg, w[0])
            return total(b, b(Mul, w[0], captured))

        return grad(b, of, cost)

    names = names_of(cleaned(["f64[2]"], body))
    assert names == ["tc.exp", "tc.grad", "tc.mul", "tc.sum", "tc.yield"]


def test_dce_keeps_ops_with_effects():
    function, builder = open_function("f", [])
    builder.create(Call, types=(), callee=SymbolRef("g"))
    close_function(function, builder, [])
    module = new_module()
    module.body.block.append(function)
    assert names_of(DCE.run(module, CPU)) == ["func.call"]


def test_long_chains_need_no_recursion():
    def body(b, of):
        value, dead = of[0], of[0]
        for _ in range(5000):
            value, dead = b(Neg, value), b(Neg, b(Neg, dead))
        return [value]

    module = merged(["i64"], body)
    assert len(names_of(DCE.run(module, CPU))) == 5000
    assert run(module, [np.array(7)])[0] == 7
