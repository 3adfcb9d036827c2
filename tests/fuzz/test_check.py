"""The relations: they hold for some programs, and planted bugs break them."""

import ctypes
import dataclasses
import os

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz import session, survey
from tensorc.fuzz.case_file import case_text, read_case
from tensorc.fuzz.check import (
    ALL_WAYS,
    COMPILES,
    NEAR,
    PASSES,
    SLOPES,
    Mismatch,
    Way,
    _structure,
    check_module,
)
from tensorc.fuzz.emission import function_of, module_of
from tensorc.fuzz.generate import _SHARES, generate
from tensorc.fuzz.laws import broken_law, laws_of
from tensorc.fuzz.outcomes import Compiled, _between_guards, difference, interpreted
from tensorc.fuzz.program import (
    ArgumentNode,
    OpNode,
    RandomProgram,
    shape_of,
)
from tensorc.fuzz.reduce import Failure, check_program, reduced
from tensorc.fuzz.reference import MEANINGS, _require_near
from tensorc.ir.dims import symbol
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.tensor import transcendental
from tensorc.ir.ops.tensor.elementwise import Add, Exp, Mul, Neg, Select, Sub
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import Sum
from tensorc.ir.ops.tensor.shape import Transpose
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import F64, TensorType
from tensorc.passes.common import structured_builder
from tensorc.passes.common.rewriter import apply_to_fixpoint, var
from tensorc.passes.structured import to_structured
from tensorc.passes.tensor import stabilize
from tensorc.passes.tensor.ad import reverse
from tensorc.passes.tensor.ad.rules import VJP_RULES
from tensorc.target import Options

SEED = 5


def test_relations_hold_for_some_programs():
    covered = session.check_batch(SEED, 0, session.BATCH)
    assert covered.findings == []
    assert covered.programs == session.BATCH
    seen = ("jobs of two threads", "sharp slopes", "twins", "by rows")
    assert all(covered.counts[what] > 0 for what in seen), covered.counts


def failure_with(
    wanted, relation: str, seed: int = SEED, numbers: int = 2000
) -> Failure:
    """Return a failure among the first programs that pass a test."""
    for number in range(numbers):
        program = generate(seed, number)
        if not wanted(program):
            continue
        calls = session.calls_of(program, seed, number)
        found = check_program(program, calls, [Way(0, True)])
        if found and found[0].relation.startswith(relation):
            return Failure(program, calls[found[0].call], found[0])
    raise AssertionError("no program shows it")


def uses(cls):
    return lambda program: any(op.cls is cls for op in program.ops)


def subtracts(program):
    """Tell that a program subtracts itself.

    Derivatives of other ops do as well, and what is stabilised needs all of its ops.
    """
    exact = all(EXACT in op.cls.traits for op in program.ops)
    return program.cost is None and exact and uses(Sub)(program)


def sub_the_wrong_way(monkeypatch):
    right = structured_builder.apply_scalar

    def wrong(b, cls, values, attributes):
        values = values[::-1] if cls is Sub else values
        return right(b, cls, values, attributes)

    monkeypatch.setattr(to_structured, "apply_scalar", wrong)


def test_a_wrong_lowering_is_found_made_small_and_written(monkeypatch, tmp_path):
    with monkeypatch.context() as planted:
        sub_the_wrong_way(planted)
        failure = failure_with(subtracts, "interpreted")
        small = reduced(failure, 30)
        assert [op.cls for op in small.program.ops] == [Sub]
        assert sum(a.size for a in small.call.arguments) <= 8
        path = tmp_path / "case.mlir"
        path.write_text(case_text(small.program, small.call, small.found))
        module, subject = read_case(path)
        assert check_module(module, [subject], ways=ALL_WAYS).mismatches
    module, subject = read_case(path)
    assert check_module(module, [subject], ways=ALL_WAYS).mismatches == []


def test_a_wrong_rewrite_is_found(monkeypatch):
    def spoil(module, target):
        for op in module.walk():
            if isinstance(op, Sub):
                op.operands.reverse()
        return module

    broken = [
        dataclasses.replace(p, run=spoil) if p.name == "dce" else p
        for p in compiler.CPU
    ]
    monkeypatch.setattr(compiler, "CPU", tuple(broken))
    small = reduced(failure_with(subtracts, PASSES), 20)
    assert [op.cls for op in small.program.ops] == [Sub]


def test_a_wrong_derivative_is_found(monkeypatch):
    def wrong(b, op, cts):
        (ct,) = cts
        return VJP_RULES[Mul](b, op, (b(Mul, ct, b.full_like(ct, 1.1)),))

    monkeypatch.setattr(reverse, "VJP_RULES", {**VJP_RULES, Mul: wrong})
    failure = failure_with(lambda p: p.cost is not None and uses(Mul)(p), SLOPES)
    small = reduced(failure, 20)
    assert Mul in [op.cls for op in small.program.ops]
    assert len(small.program.ops) <= len(failure.program.ops)


def test_a_pass_that_stops_is_found_in_its_program(monkeypatch):
    rules = dict(to_structured.RULES)
    right = to_structured._elementwise

    def stop(low, op):
        if isinstance(op, Add):
            raise AssertionError("planted")
        return right(low, op)

    monkeypatch.setattr(to_structured, "RULES", {**rules, Add: stop})
    # No function of floats: of these `stabilize` might leave no addition.
    adds = next(
        n
        for n in range(200)
        if uses(Add)(generate(SEED, n))
        and not any(op.cls in _SHARES for op in generate(SEED, n).ops)
    )
    covered = session.check_batch(SEED, adds, 2)
    assert adds in [f.number for f in covered.findings]
    assert {f.relation for f in covered.findings} == {COMPILES}
    assert all("planted" in f.detail for f in covered.findings)


def test_a_stable_form_that_is_another_function_is_found(monkeypatch):
    wrong = [
        dataclasses.replace(rule, right=var("x"))
        if rule.name == "exp-minus-one"
        else rule
        for rule in stabilize.FIRST_RULES
    ]
    monkeypatch.setattr(stabilize, "PHASES", (apply_to_fixpoint(wrong),))

    def spells(program):
        return program.cost is None and uses(Exp)(program) and uses(Sub)(program)

    small = reduced(failure_with(spells, NEAR, seed=7, numbers=3000), 20)
    assert {op.cls for op in small.program.ops} >= {Exp, Sub}


# Laws


def laws_fail(program: RandomProgram, spoil, seed: int = SEED) -> str:
    """Return what a law says of a program whose results something spoils."""
    (call, _) = session.calls_of(program, seed, 3)
    module = module_of([program])
    function = module.functions[0]

    def given(arguments):
        outcome = interpreted(module, function, arguments, MEANINGS)
        return spoil(outcome)

    rng = np.random.default_rng(1)
    return broken_law(given, call.arguments, laws_of(program), rng)


def first_with(wanted) -> RandomProgram:
    return next(p for p in (generate(SEED, n) for n in range(900)) if wanted(p))


def test_twins_are_found_and_compared():
    for cls in (MatMul, Select):

        def twins(program, cls=cls):
            pairs, sizes = laws_of(program).twins, program.sizes.values()
            plain = program.cost is None and 0 not in sizes
            return pairs and uses(cls)(program) and plain

        program = first_with(twins)
        second = laws_of(program).twins[0][1]
        assert laws_fail(program, lambda outcome: outcome) == ""

        def spoil(outcome, second=second):
            value = outcome[second]
            outcome[second] = (value == 0).astype(value.dtype)  # another everywhere
            return outcome

        assert "are the same by a law" in laws_fail(program, spoil)


def test_rows_are_found_and_compared():
    program = first_with(lambda p: laws_of(p).rows is not None and _gives_floats(p))
    assert laws_fail(program, lambda outcome: outcome) == ""
    rows = laws_of(program).rows
    at = rows.results.index(True)

    def first_is_other(outcome):
        outcome[at] = outcome[at].copy()
        outcome[at][:1] = 77
        return outcome

    assert "rows: result" in laws_fail(program, first_is_other)


def _gives_floats(program: RandomProgram) -> bool:
    rows, function = laws_of(program).rows, function_of(program)
    values = function.body.block.terminator.operands
    pairs = zip(rows.results, values, strict=True)
    return any(has and v.type.element.is_float for has, v in pairs)


def test_what_mixes_rows_has_no_law():
    lead = TensorType((symbol("R"), 3), F64)
    given, sizes = ArgumentNode("a0", lead), {"R": 4}
    for cls, attributes, kept in (
        (Sum, {"axes": (1,), "order": "lanes"}, True),
        (Sum, {"axes": (0,), "order": "lanes"}, False),
        (Transpose, {"permutation": (1, 0)}, False),
        (Neg, {}, True),
    ):
        entries = (given, OpNode(cls, (0,), attributes))
        program = RandomProgram("f", entries, (1,), sizes)
        assert (laws_of(program).rows is not None) is kept


def test_a_function_that_is_off_by_two_units_is_found():
    x = np.array([-3, -0.5, 0.5, 3], np.float32)
    wrong = np.spacing(np.tanh(x)) * 2
    with pytest.raises(ArithmeticError, match="tanh gives"):
        _require_near("tanh", np.tanh(x) + wrong, np.tanh(x.astype(np.float64)))


# Processes


def die_at_five(seed, pipe):
    """Serve as `session._serve` does; program 5 ends the process."""
    while True:
        numbers = pipe.recv()
        if numbers is None:
            return
        first, count = numbers
        if first <= 5 < first + count:
            os._exit(9)
        pipe.send(session.Coverage(programs=count))


def test_a_program_that_ends_its_process_is_found(monkeypatch):
    monkeypatch.setattr(session, "_serve", die_at_five)
    seen = []
    covered = session.run(
        SEED,
        session.batches(0, 40, 16),
        2,
        lambda coverage: False,
        lambda coverage: seen.append(coverage.programs),
    )
    assert covered.programs == 40
    assert [f.number for f in covered.findings] == [5]
    assert covered.findings[0].relation == session.CRASHES
    assert "9" in covered.findings[0].detail
    assert seen[-1] == 40


def test_batches_are_all_programs_once():
    assert list(session.batches(3, 20, 16)) == [(3, 16), (19, 4)]
    endless = session.batches(0, None)  # without the survey
    assert [next(endless) for _ in range(2)] == [(0, 64), (64, 64)]


def test_the_survey_comes_first_and_all_programs_once():
    endless = session.batches(None, None)
    numbers = []
    while survey.count() > sum(n < 0 for n in numbers):
        first, count = next(endless)
        numbers += range(first, first + count)
    first, count = next(endless)
    numbers += range(first, first + count)
    assert sorted(numbers) == list(range(-survey.count(), first + count))
    assert first < survey.count()


def test_relations_hold_for_a_part_of_the_survey():
    light = len(survey.items(True))
    for first, count in ((-30, 30), (-light - 8, 8)):
        covered = session.check_batch(SEED, first, count)
        assert covered.findings == []
        assert covered.programs + covered.counts["light programs"] == count


def test_a_finding_of_the_survey_has_the_sizes_of_its_call():
    heavy = range(-len(survey.items(True)) - 1, -survey.count(), -1)
    number = next(n for n in heavy if len(session.program_of(SEED, n).asks) > 3)
    asks = session.program_of(SEED, number).asks
    for call, ask in enumerate(asks):
        finding = session.Finding(number, PASSES, "", call)
        program, given = session.failing(SEED, finding)
        assert program.sizes == ask.sizes
        shapes = [shape_of(g, ask.sizes) for g in program.givens]
        assert [a.shape for a in given.arguments] == shapes


def test_a_wrong_rule_is_found_by_light_programs(monkeypatch):
    """No other program is needed for what the passes of the TENSOR level do."""
    numbers = [n for n in range(-60, 0) if uses(Sub)(session.program_of(SEED, n))]

    def spoil(module, target):
        for op in module.walk():
            if isinstance(op, Sub):
                op.operands.reverse()
        return module

    broken = [
        dataclasses.replace(p, run=spoil) if p.name == "dce" else p
        for p in compiler.CPU
    ]
    monkeypatch.setattr(compiler, "CPU", tuple(broken))
    found = [f for n in numbers for f in session.check_batch(SEED, n, 1).findings]
    assert {f.relation for f in found} >= {PASSES}


def test_values_that_json_has_no_word_for(tmp_path):
    program = next(
        p for p in (generate(SEED, n) for n in range(200)) if _takes_floats(p)
    )
    call = session.calls_of(program, SEED, 7)[1]
    assert not call.is_tame
    found = Mismatch(program.name, PASSES, "result 0")
    path = tmp_path / "case.mlir"
    path.write_text(case_text(program, call, found))
    _, subject = read_case(path)
    (again,) = subject.calls
    for a, b in zip(call.arguments, again.arguments, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            kept = np.signbit(a) == np.signbit(b)
            assert (kept | np.isnan(a)).all()


def _takes_floats(program: RandomProgram) -> bool:
    return any(g.type.element.is_float for g in program.givens)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_the_reference_takes_near_and_far_angles_in_one_array(name, dtype):
    """The far ones go through a loop, which the near ones do not."""
    x = np.array([0.5, 2**50, -3, -1e30, 0, np.inf, np.nan, 2**46, -(2**46)], dtype)
    cls = {"sin": transcendental.Sin, "cos": transcendental.Cos}[name]
    wanted = tc.jit(getattr(tc, name))(x)
    np.testing.assert_array_equal(MEANINGS[cls](x), wanted)
    np.testing.assert_array_equal(MEANINGS[cls](x[:1]), wanted[:1])
    assert MEANINGS[cls](x[:0]).shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_what_lies_around_an_input_shows(dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    guarded = _between_guards(array)
    np.testing.assert_array_equal(guarded, array)
    assert guarded.ctypes.data % 64 == 0
    start = guarded.ctypes.data + guarded.nbytes
    behind = np.frombuffer((ctypes.c_char * 64).from_address(start), dtype)
    assert (np.isnan(behind) if dtype != np.int64 else behind == -1).all()
    turned = array.T
    assert _between_guards(turned) is turned


class Entry:
    """What a function of f64[4] calls: it writes `count` numbers where a slot says."""

    def __init__(self, count: int, slot: int = 1) -> None:
        self.count = count
        self.slot = slot

    def __call__(self, slots: int, begin: int, end: int) -> int:
        result = ctypes.c_int64.from_address(slots + 8 * self.slot).value
        np.ctypeslib.as_array((ctypes.c_double * self.count).from_address(result))[
            :
        ] = 1
        return 0


@pytest.mark.parametrize("count", [3, 4, 5])
def test_what_is_written_beside_a_result_shows_and_what_is_not_written_is_nan(count):
    given = ArgumentNode("a0", TensorType((4,), F64))
    program = RandomProgram("f", (given, OpNode(Neg, (0,), {})), (1,), {})
    code = compiled(program, [])
    x = np.arange(4.0)
    assert difference([-x], code.call("f", [x])) == ""
    ((function, _),) = code._functions.values()
    function._entry = Entry(count)
    outcome = code.call("f", [x])
    if count > 4:
        assert "bytes beside result 0 have changed" in outcome
    else:
        assert list(np.isnan(outcome[0])) == [False] * count + [True] * (4 - count)


@pytest.mark.parametrize("count", [4, 5])
def test_what_is_written_beside_a_shared_variable_shows(count):
    given = ArgumentNode("a0", TensorType((4,), F64), shared=True)
    entries = (given, OpNode(Neg, (0,), {}))
    code = compiled(RandomProgram("f", entries, (), {}, updates=((0, 1),)), [0])
    x = np.arange(4.0)
    assert difference([-x], code.call("f", [x])) == ""
    ((function, _),) = code._functions.values()
    function._entry = Entry(count, slot=0)
    outcome = code.call("f", [x])
    if count > 4:
        assert "bytes beside 'a0' have changed" in outcome
    else:
        assert difference([np.ones(4)], outcome) == ""


def compiled(program: RandomProgram, updated: list[int]) -> Compiled:
    options = Options(0, True, epochs=False)
    host = compiler.host_target()
    made = compiler.compile(module_of([program]), host, options)
    return Compiled(made.artifact, {program.name: updated})


SAME_OPS = """"func.func"() <{function_type = (tensor<3xf64>, tensor<3xf64>) ->
  (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>), sym_name = "f"}> ({
^bb0(%x: tensor<3xf64>, %zero: tensor<3xf64>):
  %0 = "tc.maximum"(%x, %zero) : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
  %1 = "tc.abs"(%x) : (tensor<3xf64>) -> tensor<3xf64>
  %2 = "tc.neg"(%1) : (tensor<3xf64>) -> tensor<3xf64>
  %3 = "tc.softplus"(%2) : (tensor<3xf64>) -> tensor<3xf64>
  %4 = "tc.add"(%0, %3) : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
  "func.return"(%4, %0, %2) : (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> ()
}) : () -> ()
"""


def test_the_structure_of_functions_tells_what_a_pass_has_changed():
    """Other operands are a change, though each op stands there as often."""
    module = parse_module(SAME_OPS)
    other = parse_module(SAME_OPS.replace('"tc.softplus"(%2)', '"tc.softplus"(%1)'))
    again = parse_module(SAME_OPS)
    assert _structure(module) == _structure(again) != _structure(other)
