"""Formulas computed together give what each gives alone."""

import random

import pytest

from tensorc.artifact import OPERATORS, SIZE_LIMIT, DimExpr, evaluate_dim
from tensorc.runtime.formulas import make_formulas

SYMBOLS = ("N", "M", "$i")


def formula(source: random.Random, depth: int) -> DimExpr:
    if depth == 0:
        return source.choice([*SYMBOLS, -3, 0, 1, 20])
    operator = source.choice(list(OPERATORS))
    sides = [formula(source, source.randrange(depth)) for _ in range(2)]
    return operator, sides[0], sides[1]


def alone(formulas: list[DimExpr], values: dict[str, int]) -> list[int] | type:
    try:
        return [evaluate_dim(f, values) for f in formulas]
    except ArithmeticError as error:
        return type(error)


def together(formulas: list[DimExpr], values: dict[str, int]) -> list[int] | type:
    made = make_formulas(formulas, SYMBOLS)
    try:
        return list(made.evaluate([values[s] for s in SYMBOLS]))
    except ArithmeticError as error:
        return type(error)


def test_together_as_alone() -> None:
    source = random.Random(3)
    finished = 0
    for _ in range(400):
        formulas = [formula(source, 4) for _ in range(3)]
        for i in (-7, 0, 5):
            values = {"N": source.randrange(4), "M": source.randrange(9), "$i": i}
            expected = alone(formulas, values)
            assert together(formulas, values) == expected
            finished += isinstance(expected, list)
    assert finished > 200


def test_each_part_is_computed_once() -> None:
    part: DimExpr = ("bound", ("*", 20, "$i"), "N")
    made = make_formulas([part, ("+", part, 1), ("*", part, part)], SYMBOLS)
    assert len(made.steps) == 4
    assert list(made.evaluate([30, 0, 1])) == [20, 21, 400]


@pytest.mark.parametrize("value", [SIZE_LIMIT, -SIZE_LIMIT, 1 << 70])
def test_numbers_beyond_the_machine_are_refused(value: int) -> None:
    made = make_formulas(["N"], SYMBOLS)
    with pytest.raises(OverflowError, match="does not fit"):
        made.evaluate([0, 0, value])  # even one that no formula names
    with pytest.raises(OverflowError, match="does not fit"):
        make_formulas([value], SYMBOLS).evaluate([0, 0, 0])
    with pytest.raises(OverflowError, match="does not fit"):
        make_formulas([("*", "N", "M")], SYMBOLS).evaluate([1 << 40, 1 << 40, 0])


def test_long_sums_are_no_nesting() -> None:
    total: DimExpr = "N"
    for number in range(3000):
        total = ("+", total, ("*", number, "M"))
    made = make_formulas([total], SYMBOLS)
    assert list(made.evaluate([5, 1, 0])) == [5 + sum(range(3000))]
