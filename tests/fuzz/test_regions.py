"""Branches and derivatives in random programs: where what is computed, and the laws."""

import dataclasses

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange
from tensorc.fuzz.check import ALL_WAYS, LAWS, SubjectCall, Way, check_meaning
from tensorc.fuzz.check import Subject as SubjectOf
from tensorc.fuzz.emission import function_of, module_of, paths_of
from tensorc.fuzz.generate import generate
from tensorc.fuzz.laws import Dual, laws_of
from tensorc.fuzz.program import (
    ArgumentNode,
    OpNode,
    RandomProgram,
    ResultNode,
    without_dead,
)
from tensorc.fuzz.reduce import Failure, check_program, reduced
from tensorc.ir.interpreter import interpret
from tensorc.ir.levels import Level
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Grad, Jvp, Vjp
from tensorc.ir.ops.tensor.elementwise import Add, Exp, Mul, Neg, Sub
from tensorc.ir.ops.tensor.indexing import Gather
from tensorc.ir.ops.tensor.reductions import Sum, Top1
from tensorc.ir.types import F64, I1, I64, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common import structured_builder
from tensorc.passes.structured import to_structured
from tensorc.passes.tensor.ad import forward
from tensorc.passes.tensor.ad.rules import JVP_RULES

VECTOR, SCALAR = TensorType((4,), F64), TensorType((), I1)
X, C = ArgumentNode("a0", VECTOR), ArgumentNode("a1", SCALAR)
VALUES = np.array([1.0, -2.0, 0.5, 3.0])


def op(cls, *operands, **attributes):
    return OpNode(cls, operands, attributes)


def program(entries, results, **more):
    return RandomProgram("f", tuple(entries), tuple(results), {}, **more)


# A product is outside since both need it; the sum and its negation are inside.
CHOICE = (
    *(X, C, op(Mul, 0, 0), op(Exp, 0), op(Neg, 2)),
    *(op(Add, 3, 2), op(If, 1, 4, 5)),
)


def names_in(region):
    return [inner.name for inner in region.block.ops]


def test_what_one_branch_alone_needs_is_computed_in_it():
    made = program(CHOICE, [6])
    inside = ((6, 0),), ((6, 1),)
    assert paths_of(made) == [(), (), (), inside[1], inside[0], inside[1], ()]
    function = function_of(made)
    ops = function.body.block.ops
    assert [o.name for o in ops] == ["tc.mul", "tc.if", "func.return"]
    then, otherwise = ops[1].regions
    assert names_in(then) == ["tc.neg", "tc.yield"]
    assert names_in(otherwise) == ["tc.exp", "tc.add", "tc.yield"]


def test_what_is_a_result_as_well_is_outside():
    ops = function_of(program(CHOICE, [6, 5])).body.block.ops
    names = [o.name for o in ops]
    assert names == ["tc.mul", "tc.exp", "tc.add", "tc.if", "func.return"]


def test_branches_nest_and_give_several_results():
    entries = (
        *(X, C, op(Neg, 0), op(Exp, 0), op(If, 1, 2, 3, 3, 2), ResultNode(4, 1)),
        *(op(Mul, 4, 5), op(If, 1, 6, 0)),
    )
    made = program(entries, [7])
    assert paths_of(made)[4:6] == [((7, 0),)] * 2
    assert paths_of(made)[2:4] == [((7, 0),)] * 2
    module = module_of([made])
    verify(module, Level.TENSOR)
    for chosen, expected in ((True, -VALUES * np.exp(VALUES)), (False, VALUES)):
        (found,) = interpret(module, "f", [VALUES, np.array(chosen)])
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_an_index_error_of_the_other_branch_does_not_happen():
    index = ArgumentNode("a2", TensorType((4,), I64), below=4)
    made = program((X, C, index, op(Gather, 0, 2, axes=(0,)), op(If, 1, 3, 0)), [4])
    bad, module = np.array([0, 1, 2, 9]), module_of([made])
    (kept,) = interpret(module, "f", [VALUES, np.array(False), bad])
    assert kept.tolist() == VALUES.tolist()
    with pytest.raises(IndexOutOfRange):
        interpret(module, "f", [VALUES, np.array(True), bad])
    for chosen in (True, False):
        call = SubjectCall((VALUES, np.array(chosen), bad))
        assert check_program(made, [call], ALL_WAYS[:2]) == []


def test_a_derivative_computes_branches_anew():
    entries = (*CHOICE, op(Sum, 6, axes=(0,), order="lanes"))
    made = program(entries, [], cost=7, wrt=(0,))
    module = module_of([made])
    verify(module, Level.TENSOR)
    (slope,) = [o for o in module.walk() if isinstance(o, Grad)]
    inner = [o.name for o in slope.walk()]
    assert inner.count("tc.if") == 1
    assert inner.count("tc.exp") == 1
    for chosen in (True, False):
        call = SubjectCall((VALUES, np.array(chosen)), is_tame=True)
        assert check_program(made, [call], ALL_WAYS[:2]) == []


def directed(by, *ways):
    """Return a program with both directions of the derivative of x sin(x) or so."""
    entries = (X, op(Exp, 0), op(Mul, 1, 0), *ways)
    outs = {"outs": 1}
    both = (
        OpNode(Jvp, (2, by, 3), outs),
        OpNode(Vjp, (2, by, 4), outs),
    )
    return program((*entries, *both), [5, 6])


WAYS = ArgumentNode("a1", VECTOR), ArgumentNode("a2", VECTOR)


@pytest.mark.parametrize("by", [0, 1])
def test_both_directions_are_found_by_what_they_are_of_and_by(by):
    made = directed(by, *WAYS)
    assert laws_of(made).duals == (Dual((1,), (1,), (2,), (0,)),)
    exp = np.exp(VALUES)
    slope = exp * (1 + VALUES) if by == 0 else VALUES
    tangent, cotangent = np.arange(4.0), np.ones(4) * 2
    call = SubjectCall((VALUES, tangent, cotangent), is_tame=True)
    assert check_program(made, [call], ALL_WAYS[:2]) == []
    module = module_of([made])
    report = check_meaning(module, [SubjectOf("f", (call,), laws=laws_of(made))])
    assert report.counts["both directions"] == 1
    assert np.isfinite(slope).all()


def test_directions_of_different_values_have_no_law():
    made = directed(0, *WAYS)
    entries = list(made.entries)
    entries[6] = OpNode(Vjp, (1, 0, 4), {"outs": 1})
    assert laws_of(dataclasses.replace(made, entries=tuple(entries))).duals == ()
    assert laws_of(dataclasses.replace(made, results=(5,))).duals == ()
    assert laws_of(directed(0, WAYS[0], op(Neg, 3))).duals == ()


def test_a_wrong_derivative_forward_breaks_the_law_and_is_made_small(monkeypatch):
    def wrong(b, op, tangents):
        (tangent,) = JVP_RULES[Exp](b, op, tangents)
        return (b(Mul, tangent, b.full_like(tangent, 1.01)),)

    monkeypatch.setattr(forward, "JVP_RULES", {**JVP_RULES, Exp: wrong})
    made = directed(0, *WAYS)
    more = program((*made.entries, op(Neg, 1)), [*made.results, 7])
    call = SubjectCall((VALUES, np.ones(4), np.arange(4.0)), is_tame=True)
    found = check_program(more, [call], [Way(0, True)])
    assert [m.relation for m in found] == [LAWS]
    assert "forward gives" in found[0].detail
    small = reduced(Failure(more, call, found[0]), 20)
    assert [o.cls for o in small.program.ops] == [Exp, Jvp, Vjp]


def test_a_fault_inside_a_branch_is_taken_out_of_it(monkeypatch):
    right = structured_builder.apply_scalar

    def wrong(b, cls, values, attributes):
        return right(b, cls, values[::-1] if cls is Sub else values, attributes)

    monkeypatch.setattr(to_structured, "apply_scalar", wrong)
    entries = (X, C, op(Exp, 0), op(Sub, 2, 0), op(If, 1, 3, 0), op(Neg, 4))
    made, call = program(entries, [5]), SubjectCall((VALUES, np.array(True)))
    found = check_program(made, [call], [Way(0, True)])
    small = reduced(Failure(made, call, found[0]), 20)
    assert [o.cls for o in small.program.ops] == [Sub]


def test_results_of_an_op_go_together(monkeypatch):
    """A program is made smaller around an op with two results, one of them unread."""
    right = structured_builder.apply_scalar

    def wrong(b, cls, values, attributes):
        return right(b, cls, values[::-1] if cls is Sub else values, attributes)

    monkeypatch.setattr(to_structured, "apply_scalar", wrong)
    entries = (
        *(X, op(Top1, 0, axes=(0,)), ResultNode(1, 1), op(Exp, 1), op(Sub, 3, 1)),
        op(Mul, 4, 4),
    )
    made = program(entries, [2, 4])
    assert without_dead(made).entries == entries[:5]
    call = SubjectCall((VALUES,))
    found = check_program(made, [call], [Way(0, True)])
    small = reduced(Failure(made, call, found[0]), 20)
    assert [o.cls for o in small.program.ops] == [Sub]


@pytest.fixture(scope="module")
def programs():
    return [generate(3, number) for number in range(1500)]


def test_programs_have_branches_and_derivatives_of_all_kinds(programs):
    choices = [o for p in programs for o in module_of([p]).walk() if isinstance(o, If)]
    inner = [[i.name for i in o.walk()][1:] for o in choices]
    assert len(choices) >= 120
    assert sum("tc.if" in names for names in inner) >= 6
    reads = ("tc.gather", "tc.take_along_axis", "tc.scatter")
    assert sum(any(n in names for n in reads) for names in inner) >= 12
    assert sum(len(o.results) > 1 for o in choices) >= 12
    several = [len(r.block.ops) > 1 for o in choices for r in o.regions]
    assert sum(several) >= 0.5 * len(several)
    duals = [p for p in programs if laws_of(p).duals]
    assert len(duals) >= 12
    slopes = [p for p in programs if p.cost is not None]
    inside = [
        o
        for p in slopes
        for o in module_of([p]).walk()
        if isinstance(o, Grad) and any(isinstance(i, If) for i in o.walk())
    ]
    assert len(inside) >= 6
