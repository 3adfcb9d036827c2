"""Reductions of what lies the other way round take the order of memory."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.text.parser import parse_module
from tests.samples import same_bits
from tests.stages import all_results

RNG = np.random.default_rng(5)
SHAPE = (37, 5, 40)

# A reduction of a view, and the same of what the view is of; x is of rank 3.
TURNED = {
    "max": (
        lambda x: np.max(np.transpose(x, (1, 2, 0)), axis=2),
        lambda x: np.max(x, axis=0),
    ),
    "sum": (
        lambda x: np.sum(np.transpose(x, (2, 1, 0)), axis=2),
        lambda x: np.transpose(np.sum(x, axis=0)),
    ),
    "prod of one axis": (
        lambda x: np.prod(np.transpose(x, (0, 2, 1)), axis=2),
        lambda x: np.prod(x, axis=1),
    ),
    "mean": (
        lambda x: np.mean(np.transpose(x, (1, 2, 0)) * 2, axis=-1),
        lambda x: np.mean(x * 2, axis=0),
    ),
    "two axes": (
        lambda x: np.sum(np.transpose(x, (2, 0, 1)), axis=(1, 2)),
        lambda x: np.sum(x, axis=(0, 1)),
    ),
    "argmax": (
        lambda x: np.argmax(np.transpose(x, (1, 2, 0)), axis=2),
        lambda x: np.argmax(x, axis=0),
    ),
    "part": (
        lambda x: np.max(np.transpose(x[3:, :, 2:30], (1, 2, 0)), axis=2),
        lambda x: np.max(x[3:, :, 2:30], axis=0),
    ),
    "softmax": (
        lambda x: np.transpose(tc.softmax(np.transpose(x, (1, 2, 0)), axis=2)),
        lambda x: np.transpose(tc.softmax(x, axis=0), (0, 2, 1)),
    ),
}
# What has other operands along the rows keeps its order.
KEPT = {
    "two ways": lambda x: np.sum(np.transpose(x[0, :, :5]) * x[1, :, :5], axis=1),
    "rows": lambda x: np.max(x, axis=2),
    "all": lambda x: np.sum(np.transpose(x), axis=(0, 1, 2)),
}


def text_of(program, shape):
    x = tc.tensor("x", "float32", shape)
    function = tc.function([x], program(x))
    return function.emit("tensor"), function.emit("structured")


def reductions(text):
    return [
        (op.reductions, op.maps[0].results, str(op.iterator_types))
        for op in parse_module(text).walk()
        if isinstance(op, Generic) and op.reductions
    ]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", TURNED)
def test_bits_are_those_of_the_plain_form(name, known):
    shape = SHAPE if known else (None, None, None)
    arrays = [RNG.standard_normal(s).astype(np.float32) for s in (SHAPE, (37, 5, 41))]
    arrays = arrays[: 1 if known else 2]
    arrays[0][3] = arrays[0][7]  # of equals, the first
    found = []
    for program in TURNED[name]:
        text, _ = text_of(program, shape)
        module = parse_module(text)
        (function,) = module.functions
        cases = [(function.sym_name, [a]) for a in arrays]
        outcome = all_results(module, cases, (0, 3))
        exact = name != "softmax"  # whose exponentials are expanded below
        for stage, results in outcome.items():
            if exact or stage in ("structured", "buffer"):
                for given, wanted in zip(results, outcome["tensor"], strict=True):
                    assert same_bits(given[0], wanted[0]), stage
        found.append(outcome)
    # Only what is small has the stage "bounds".
    for stage in found[0].keys() & found[1].keys():
        for given, wanted in zip(found[0][stage], found[1][stage], strict=True):
            assert same_bits(given[0], wanted[0]), stage


@pytest.mark.parametrize("name", [n for n in TURNED if n not in ("sum", "softmax")])
def test_the_iteration_is_that_of_the_plain_form(name):
    turned, plain = (reductions(text_of(p, SHAPE)[1]) for p in TURNED[name])
    assert turned == plain
    assert turned[0][0][0] < len(SHAPE) - 1


@pytest.mark.parametrize("name", KEPT)
def test_rows_that_lie_along_memory_stay(name):
    text, structured = text_of(KEPT[name], SHAPE)
    for reduced, results, _ in reductions(structured):
        dims = max([*reduced, *[r for r in results if isinstance(r, int)]]) + 1
        assert reduced == tuple(range(dims - len(reduced), dims))
    module = parse_module(text)
    (function,) = module.functions
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    outcome = all_results(module, [(function.sym_name, [x])], (3,))
    for results in outcome.values():
        assert same_bits(results[0][0], outcome["tensor"][0][0])
