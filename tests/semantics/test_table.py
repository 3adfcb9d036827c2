"""Each case of the casebook has tests that are there."""

import ast
import functools

import pytest

from tests.semantics.table import CASES
from tests.snippets import ROOT


@functools.cache
def names(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / f"{path}.py").read_text("utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef))


def test_every_number_is_there():
    assert sorted(CASES) == [*range(1, 121)]


@pytest.mark.parametrize("number", CASES)
def test_the_tests_of_a_case_are_there(number):
    _, tests = CASES[number]
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        assert name in names(path), test
