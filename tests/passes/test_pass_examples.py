"""The Before and After in the docstring of a pass: parsed, run and compared."""

import inspect
import re

import pytest

from tensorc.ir.dims import evaluate
from tensorc.ir.parser import parse_module
from tensorc.ir.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.passes import autodiff, cse, dce, simplify, stabilize
from tests.samples import CPU, SIZES, run, same_bits, seed_of
from tests.test_op_contract import as_function, free_values

PASSES = {
    autodiff: autodiff.AUTODIFF,
    cse: cse.CSE,
    dce: dce.DCE,
    simplify: simplify.SIMPLIFY,
    stabilize: stabilize.STABILIZE,
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
