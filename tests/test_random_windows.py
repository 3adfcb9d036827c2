"""Random convolutions and poolings: values, derivatives, and the same bits always.

Direct loops say what they are; some are compiled with known sizes and with unknown
ones, in several ways, for one thread and for two, and give the bits of the interpreter.
"""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.fuzz.check import Subject, SubjectCall, check_module
from tensorc.ir.arrays.windows import WindowAxis
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import Array
from tensorc.ir.ops.builtin import Module
from tensorc.ir.tensor_builder import TensorBuilder
from tests.samples import same_bits
from tests.stages import TARGET, inputs
from tests.window_cases import (
    TOLERANCES,
    WindowCase,
    body_of,
    direct,
    random_case,
    values_of,
)

IN_A_MODULE = 12
FEW, MANY = 2, 168  # modules of cases: 2,016 in all
COMPILED = 14  # modules that are compiled, too: code takes most of the time


def module_of(cases: dict[int, WindowCase]) -> tuple[Module, list[Subject]]:
    """Return a module of each case with known and with unknown sizes, and its calls."""
    module, subjects = new_module(), []
    for seed, case in cases.items():
        call = SubjectCall(tuple(values_of(case, seed)))
        for unknown in (False, True):
            name = f"f{seed}_{unknown}"
            function, builder = open_function(name, inputs(*case.types(unknown)))
            b = TensorBuilder(builder)
            results = body_of(case)(b, function.body.block.arguments)
            close_function(function, builder, results)
            module.body.block.append(function)
            subjects.append(Subject(name, (call,)))
    return module, subjects


def cases_of(number: int) -> dict[int, WindowCase]:
    seeds = range(number * IN_A_MODULE, (number + 1) * IN_A_MODULE)
    return {seed: random_case(seed) for seed in seeds}


def check_values(number: int) -> None:
    """Check cases against loops, and that both kinds of sizes give the same bits."""
    cases = cases_of(number)
    module, _ = module_of(cases)
    made = compiler.compile(module, TARGET, upto="tensor").module
    for seed, case in cases.items():
        values = values_of(case, seed)
        known, unknown = (
            interpret(made, f"f{seed}_{name}", values) for name in (False, True)
        )
        assert all(map(same_bits, known, unknown)), case
        for found, wanted in zip(known, direct(case, values), strict=True):
            assert_near(case, found, wanted)


def assert_near(case: WindowCase, found: Array, wanted: Array) -> None:
    """Assert that a result is what loops gave; integers wrap."""
    assert found.shape == wanted.shape, case
    if found.dtype.kind != "f":
        assert (found == wanted.astype(found.dtype)).all(), case
        return
    near = TOLERANCES[case.element]
    np.testing.assert_allclose(
        found.astype(np.float64), wanted, rtol=near, atol=near * 8, err_msg=str(case)
    )


def check_code(number: int) -> None:
    """Check that cases compiled in several ways give the interpreter's bits."""
    cases = cases_of(number)
    report = check_module(*module_of(cases), number)
    assert not report.mismatches, [
        (m, cases[int(m.function[1:].split("_")[0])]) for m in report.mismatches
    ]


@pytest.mark.parametrize("number", range(FEW))
def test_random_windows_are_what_loops_say(number: int) -> None:
    check_values(number)


@pytest.mark.parametrize("number", range(FEW))
def test_compiled_windows_have_the_same_bits(number: int) -> None:
    check_code(number)


def _along(*axes: tuple[int, int, int, int]) -> tuple[WindowAxis, ...]:
    return tuple(WindowAxis(*axis) for axis in axes)


# More terms than a superblock: of channels, of images and their positions, of filters.
LONG = {
    1: WindowCase(
        *("conv", "f32", (1, 1, 1030), 3, (4, 5), (3, 3)),
        *(_along((1, 1, 1, 1), (1, 1, 0, 1)), (0, 0)),
    ),
    2: WindowCase(
        *("conv", "f32", (3, 1, 1), 2, (65, 64), (2, 3)),
        *(_along((1, 1, 1, 0), (1, 1, 1, 1)), (0, 0)),
    ),
    3: WindowCase(
        *("transpose", "f16", (1, 1, 2), 1100, (5, 4), (2, 2)),
        *(_along((2, 1, 0, 0), (1, 1, 1, 1)), (0, 0)),
    ),
    4: WindowCase(
        *("sum", "f32", (2, 1, 1), 1, (70, 40), (40, 33)),
        *(_along((3, 1, 2, 0), (2, 1, 0, 1)), (0, 0)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(2))
def test_long_sums_have_the_same_bits(turn: int) -> None:
    report = check_module(*module_of(LONG), turn)
    assert not report.mismatches


@pytest.mark.slow
@pytest.mark.parametrize("number", range(FEW, MANY))
def test_many_random_windows_are_what_loops_say(number: int) -> None:
    check_values(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(FEW, COMPILED))
def test_many_compiled_windows_have_the_same_bits(number: int) -> None:
    check_code(number)
