"""The Before and After in the docstring of a pass: parsed, run and compared.

Passes of the TENSOR level have their ops in MLIR's text. Those below it, and the one
that must know what a function updates, have a Source in the language, and the short
form of what the pass gets and makes of it; a line "…" stands for any lines.
"""

import inspect
import re

import pytest

from tensorc.compiler import CPU as PIPELINE
from tensorc.compiler import PASSES as ALL
from tensorc.compiler import run_passes
from tensorc.frontend.dsl.irgen.generator import generate
from tensorc.frontend.dsl.syntax import parser
from tensorc.ir.dims import evaluate
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module, print_short
from tensorc.ir.verifier import verify
from tensorc.passes.common import cse, dce
from tensorc.passes.loops import to_loops
from tensorc.passes.math import expand_math
from tensorc.passes.memory import bufferize, outline, plan_memory
from tensorc.passes.schedule import schedule
from tensorc.passes.structured import fuse, gathers, merge, recompute, to_structured
from tensorc.passes.tensor import few_rows, simplify, stabilize
from tensorc.passes.tensor.ad import autodiff
from tests.samples import CPU, SIZES, run, same_bits, seed_of
from tests.test_op_contract import as_function, free_values

PASSES = {
    autodiff: autodiff.AUTODIFF,
    cse: cse.CSE,
    dce: dce.DCE,
    simplify: simplify.SIMPLIFY,
    stabilize: stabilize.STABILIZE,
}
LOWER = {
    few_rows: few_rows.FEW_ROWS,
    to_structured: to_structured.TO_STRUCTURED,
    gathers: gathers.READ_THROUGH,
    merge: merge.MERGE,
    recompute: recompute.RECOMPUTE,
    fuse: fuse.FUSE,
    schedule: schedule.SCHEDULE_CPU,
    bufferize: bufferize.BUFFERIZE,
    plan_memory: plan_memory.PLAN_MEMORY,
    outline: outline.OUTLINE,
    to_loops: to_loops.TO_LOOPS,
    expand_math: expand_math.EXPAND_MATH,
}


def examples_of(module) -> tuple[str, str]:
    """Return the functions before and after; both take what Before takes."""
    text = inspect.getdoc(module) or ""
    before, after = re.findall(
        r"^(?:Before|After):\n((?:  .*\n?)+)", text, re.MULTILINE
    )
    before, after = inspect.cleandoc(before), inspect.cleandoc(after)
    whole = as_function(after)
    arguments = free_values(before)
    head = ", ".join(f"{name}: {type_}" for name, type_ in arguments.items())
    whole = re.sub(r"\^bb0\(.*?\):", f"^bb0({head}):", whole, count=1)
    types = ", ".join(arguments.values())
    whole = re.sub(
        r"function_type = \(.*?\) ->", f"function_type = ({types}) ->", whole, count=1
    )
    return as_function(before), whole


@pytest.mark.parametrize("module", PASSES, ids=lambda m: m.__name__)
def test_docstring_example_is_what_the_pass_does(module):
    before, after = examples_of(module)
    given = parse_module(before)
    verify(given)
    result = PASSES[module].run(given, CPU)
    verify(result)
    assert print_module(result) == print_module(parse_module(after))


@pytest.mark.parametrize("module", [cse, dce, simplify, stabilize])
def test_docstring_example_keeps_its_meaning(module):
    rng = seed_of(module.__name__)
    before, after = (parse_module(text) for text in examples_of(module))
    arguments = [
        np_random(rng, a.type) for a in before.functions[0].body.block.arguments
    ]
    (left,), (right,) = run(before, arguments), run(after, arguments)
    if module is stabilize:
        assert abs(left - right).max() < 1e-6
    else:
        assert same_bits(left, right)


def np_random(rng, type_):
    shape = [evaluate(d, SIZES) for d in type_.shape]
    return rng.standard_normal(shape).astype(type_.element.dtype)


def part_of(module, heading) -> str:
    """Return the indented lines below a heading of a docstring."""
    text = inspect.getdoc(module) or ""
    found = re.search(rf"^{heading}:\n((?:  .*\n?)+)", text, re.MULTILINE)
    assert found, f"{module.__name__}: no '{heading}:' in the docstring"
    return inspect.cleandoc(found[1])


def fits(shown: str, text: str) -> bool:
    """Tell whether a text is what is shown, where "…" stands for any lines."""
    parts = re.split(r"^ *…$", shown, flags=re.MULTILINE)
    pattern = r"(?:.*\n)*".join(re.escape(part.strip("\n")) for part in parts)
    pattern = pattern.replace(r"(?:.*\n)*", r"\n(?:.*\n)*")
    return (
        re.fullmatch(pattern, text.strip("\n") + "\n" * shown.endswith("…")) is not None
    )


def short(module) -> str:
    return "".join(print_short(function) for function in module.functions)


@pytest.mark.parametrize("module", LOWER, ids=lambda m: m.__name__)
def test_source_before_and_after(module):
    pass_ = LOWER[module]
    given = generate(parser.parse(part_of(module, "Source"), "example.tc"), {}).emit()
    number = PIPELINE.index(pass_)
    given = run_passes(given, CPU, PIPELINE[:number]) if number else given
    before = short(given)
    assert fits(part_of(module, "Before"), before), before
    result = pass_.run(given, CPU)
    verify(result, pass_.writes)
    after = short(result)
    assert fits(part_of(module, "After"), after), after


def test_every_pass_has_an_example():
    apart = {fuse.SEPARATE, simplify.TIDY}  # of a module that has another pass
    assert {*PASSES.values(), *LOWER.values()} == set(ALL.values()) - apart


def test_what_is_shown_must_be_there():
    assert fits("a\n…\nc", "a\nb\nb\nc")
    assert fits("a\n…", "a\nb")
    assert fits("a\nb", "a\nb")
    assert not fits("a\n…\nc", "a\nb\nd")
    assert not fits("a", "a\nb")
    assert not fits("b\n…", "a\nb")
