"""What random programs are made of, without compiling any."""

import random
from collections import Counter

import numpy as np
import pytest

from tensorc.fuzz import survey, values
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.generate import generate
from tensorc.fuzz.idioms import RULES, spell
from tensorc.fuzz.laws import laws_of
from tensorc.fuzz.maker import Maker, Theme, fits, theme_of
from tensorc.fuzz.program import ArgumentNode, shape_of, unbound
from tensorc.fuzz.recipes import RECIPES
from tensorc.fuzz.region_recipes import ALL_RECIPES
from tensorc.fuzz.session import Coverage, calls_of
from tensorc.fuzz.slopes import slopes_of
from tensorc.ir.dims import symbol
from tensorc.ir.levels import Level
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.opdef import ELEMENTWISE
from tensorc.ir.ops.tensor.elementwise import Cast, Compare, Select
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import ELEMENTS, F64, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common.rewriter import Match, match_op
from tensorc.passes.tensor.ad.rules import VJP_RULES
from tests.test_op_contract import TENSOR_OPS

PROGRAMS = 1500
SHARE = 0.003  # of the programs: 6 in a minute at least have each op


@pytest.fixture(scope="module")
def programs():
    return [generate(1, number) for number in range(PROGRAMS)]


def test_every_tensor_op_has_a_recipe():
    assert set(RECIPES) == set(TENSOR_OPS)


def test_programs_cover_every_op_and_are_long(programs):
    coverage = Coverage()
    for program in programs:
        coverage.note(program)
    rare = {c.name: coverage.used_by[c.name] for c in ALL_RECIPES}
    assert min(rare.values()) >= SHARE * PROGRAMS, rare
    assert coverage.median >= 4
    assert sum(n for size, n in coverage.lengths.items() if size >= 8) >= 0.1 * PROGRAMS


def test_programs_are_valid_and_have_no_unbound_size(programs):
    for program in programs:
        assert not unbound(program)
    verify(module_of(programs), Level.TENSOR)


@pytest.mark.parametrize("seed", range(2, 6))
def test_programs_of_other_seeds_are_valid(seed):
    made = [generate(seed, number) for number in range(200)]
    verify(module_of(made), Level.TENSOR)


def test_programs_have_all_sizes_and_element_types(programs):
    sizes, elements = Counter(), Counter()
    for program in programs:
        for given in program.givens:
            sizes.update(set(shape_of(given, program.sizes)))
            elements[given.type.element.name] += 1
    assert sizes.keys() >= set(values.SIZES)
    assert len(sizes.keys() & set(values.LONG)) > 10
    assert 2056 in sizes
    assert elements.keys() == ELEMENTS.keys() - {"index"}


def test_programs_share_operands_and_have_symbols_updates_and_costs(programs):
    twice = [p for p in programs if any(_repeats(op.operands) for op in p.ops)]
    symbols = [p for p in programs if p.sizes]
    by_value = [p for p in programs if any(n.startswith("$") for n in p.sizes)]
    updates = [p for p in programs if p.updates]
    costs = [p for p in programs if p.cost is not None and p.wrt]
    for found, least in ((twice, 60), (symbols, 300), (by_value, 3), (updates, 90)):
        assert len(found) >= least
    assert len(costs) >= 0.45 * PROGRAMS
    assert sum(slopes_of(p) is not None for p in costs) >= 0.75 * len(costs)


def test_laws_hold_for_some_programs(programs):
    laws = [laws_of(p) for p in programs]
    assert sum(bool(found.twins) for found in laws) >= 60
    assert sum(found.rows is not None for found in laws) >= 60


def test_most_rules_are_spelled():
    """What rewrites look for is there: their left sides match what was made of them."""
    spelled = set()
    for number in range(1500):
        m = Maker(random.Random(number), theme_of(7, number))
        rule = RULES[number % len(RULES)]
        place = spell(m, rule)
        op = None if place is None else m.values[place].op
        if op is not None and any(match_op(rule.left, op, Match(op))):
            spelled.add(rule.name)
    assert len(spelled) >= 0.75 * len({rule.name for rule in RULES})


@pytest.fixture(scope="module")
def survey_programs():
    return [survey.surveyed(1, number) for number in range(survey.count())]


def test_the_survey_is_valid_and_nearly_all_of_it_can_be_made(survey_programs):
    made = [p for p in survey_programs if p.ops]
    assert len(made) >= 0.92 * len(survey_programs)
    verify(module_of(made), Level.TENSOR)
    again = survey.surveyed(1, 300)
    assert print_module(module_of([again])) == print_module(
        module_of([survey_programs[300]])
    )


def test_the_survey_has_each_op_with_each_type_that_it_takes(survey_programs):
    seen = {
        (op.cls, program.entries[op.operands[0]].type.element)
        for program in survey_programs
        for op in program.ops
        if op.operands and isinstance(program.entries[op.operands[0]], ArgumentNode)
        if not program.light
    }
    for cls in RECIPES:
        if ELEMENTWISE not in cls.traits or cls in (Cast, Compare, Select):
            continue
        for element in survey.TYPES:
            wanted = fits(getattr(cls, "domain", "float"), element)
            assert ((cls, element) in seen) == wanted, (cls, element)
    assert {e for cls, e in seen if cls is Cast} == set(survey.TYPES)


def test_the_survey_has_derivatives_of_each_op(survey_programs):
    below = {op.cls for p in survey_programs if p.cost is not None for op in p.ops}
    assert below >= set(VJP_RULES)
    assert sum(slopes_of(p) is not None for p in survey_programs) >= len(VJP_RULES)


def _repeats(operands) -> bool:
    return len(set(operands)) < len(operands)


def test_a_seed_and_a_number_give_a_program(programs):
    for number in (0, 17, 301):
        again = generate(1, number)
        text = print_module(module_of([programs[number]]))
        assert print_module(module_of([again])) == text
        assert print_module(module_of([generate(2, number)])) != text
        for left, right in zip(
            calls_of(programs[number], 1, number),
            calls_of(again, 1, number),
            strict=True,
        ):
            for a, b in zip(left.arguments, right.arguments, strict=True):
                np.testing.assert_array_equal(a, b)


def test_nasty_values_hurt_and_tame_ones_do_not():
    rng = np.random.default_rng(1)
    for name in ("f16", "f32", "f64"):
        element = ELEMENTS[name]
        drawn = values.hurting(element, (4000,), rng)
        info = np.finfo(element.dtype)
        assert np.isnan(drawn).any()
        assert np.isinf(drawn).any()
        assert ((drawn == 0) & np.signbit(drawn)).any()
        assert (np.abs(drawn) == info.smallest_subnormal).any()
        assert (np.abs(drawn) == info.max).any()
        assert (np.abs(values.tame(element, (100,), rng)) <= 2).all()
    drawn = values.hurting(ELEMENTS["i32"], (4000,), rng)
    assert {-(2**31), 2**31 - 1, 2**20 - 1, 2**20 + 1} <= set(drawn.tolist())


def test_indices_are_inside_but_for_the_bad_one():
    rng = np.random.default_rng(2)
    for name in ("i8", "ui8", "i64"):
        good = values.indices(ELEMENTS[name], (50,), 7, rng, bad=False)
        assert ((good >= -7) & (good < 7)).all()
        bad = values.indices(ELEMENTS[name], (50,), 7, rng, bad=True).astype(int)
        assert ((bad < -7) | (bad >= 7)).sum() == 1


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 0, 3)])
def test_layouts_keep_the_values(shape):
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(40):
        array = rng.standard_normal(shape).astype("f4")
        other = values.strided(array, rng)
        assert (other.shape, other.dtype) == (array.shape, array.dtype)
        assert other.tobytes() == array.tobytes()
        seen.add((other.strides, other.flags.aligned))
    assert len(seen) > 2 or array.size < 2
    ones = values.strided(np.ones((3, 4)), np.random.default_rng(3))
    assert ones.strides == (0, 0)


def test_sizes_that_an_equation_contradicts_are_refused():
    """Of a column and its transpose one product has any rows, the other one row."""
    m = Maker(random.Random(1), Theme((symbol("N"), 1), {"N": 7}))
    column = m.given(TensorType((symbol("N"), 1), F64))
    one = m.given(TensorType((1, 1), F64))
    m.apply(MatMul, (column, one), order=FMA_ORDER)
    assert m.holds(m.sizes)
    m.apply(MatMul, (one, column), order=FMA_ORDER)
    assert not m.holds(m.sizes)
    assert m.holds({"N": 1})


def test_some_programs_exchange_the_values_of_shared_arguments(programs):
    arguments = [{a for a, _ in p.updates} for p in programs]
    pairs = zip(programs, arguments, strict=True)
    handed = [p for p, old in pairs if any(new in old for _, new in p.updates)]
    assert len(handed) >= 20


def test_numbers_that_have_to_do_with_others():
    rng = np.random.default_rng(3)
    for name in ("f16", "f64", "i8", "ui32", "i1"):
        given = values.hurting(ELEMENTS[name], (4000,), rng)
        others = values.hurting(ELEMENTS[name], (4000,), rng)
        found = values.related(given, others, rng)
        assert found.dtype == given.dtype
        if name == "i1":
            assert found is others
            continue
        same = np.mean(found == given)
        assert 0.15 < same < 0.6
        assert np.mean(found == np.negative(given)) > 0.1


def test_the_first_programs_of_the_survey_are_of_all_groups():
    order, items = survey._order(5, False), survey.items(False)
    groups = {(i.make.func, i.group) for i in items}
    first = {(items[n].make.func, items[n].group) for n in order[: len(groups)]}
    assert first == groups


def test_long_calls_of_the_survey_are_tame(survey_programs):
    asks = [
        a
        for p in survey_programs
        for a in p.asks
        if max(a.sizes.values(), default=0) > 600
    ]
    assert len(asks) > 50
    assert {a.kind for a in asks} == {"tame"}
