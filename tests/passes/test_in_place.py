"""New values written over old ones: where that is safe, and only there."""

import re

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api import program as api
from tensorc.ir.ops.memory.memory import Copy
from tests.samples import same_bits
from tests.stages import TARGET, all_results

HEAD = """
param W: float[3, 4] = 0
param V: float[3, 4] = 0
param b: float[4] = 0
"""

# What a step does, and which of W, V, b are written in place.
STEPS = {
    "plain": ("W <- W - 0.5 * x", "W"),
    "of nothing old": ("W <- x * x", "W"),
    "output is the new value": ("new = W + x\nW <- new\nreturn new", "W"),
    "output is made of the old value": ("y = W * 2\nW <- W + x\nreturn y", "W"),
    "output is the old value": ("y = W\nW <- W + x\nreturn y", ""),
    "momentum": ("v = 0.5 * V - x\nV <- v\nW <- W + v", "W V"),
    "each by the other": ("W, V <- V + x, W - x", "V"),
    "swap": ("W, V <- V, W", ""),
    "one takes the other's old value": ("W, V <- W + x, W", ""),
    "one reads the other's old value": ("W <- W + x\nV <- V * 3", "W V"),
    "rows are sums of the old value": (
        "W <- W / sum(abs(W) + 1, axis=1)[:, none]",
        "W",
    ),
    "sums over rows of the old value": ("W <- W / sum(abs(W) + 1, axis=0)", "W"),
    "another row of the old value": ("W <- W + W[::-1]", ""),
    "another element of the old value": ("W <- W + W[:, ::-1]", ""),
    "one row of the old value": ("W <- W + W[0]", ""),
    "a product with the old value": ("W <- W + (W @ W.T) @ W", ""),
    "a product": ("W <- x @ (W.T @ W)", ""),
    "a product that is added": ("W <- W + 0.1 * (x @ x.T) @ x", "W"),
    "a check before": (
        "picked = W[range(3), int(x[:, 0])]\nW <- W + picked[:, none]",
        "W",
    ),
    "running sums of the old value": ("W <- W + cumsum(W, axis=0)", "W"),
    "running products are given": ("y = cumprod(W, axis=1)\nW <- W + x\nreturn y", "W"),
    "running sums are the new value": ("W <- cumsum(W, axis=1)", ""),
    "a vector": ("b <- b + sum(x, axis=0)", "b"),
    "a vector and its matrix": ("b, W <- b + sum(W, axis=0), W + b", "W"),
    "the same value twice": ("new = W + x\nW, V <- new, new", "W"),
    "read again after": ("new = W + x\nc = sum(new * W)\nW <- new\nreturn c", ""),
}


def the_module(tmp_path, step):
    path = tmp_path / "m.tc"
    body = "\n".join(f"  {line}" for line in step.split("\n"))
    path.write_text(f"{HEAD}step go(x: float[3, 4]) {{\n{body}\n}}\n")
    return api.load(path).functions.source.emit(["go"])


def arguments_of(module, rng):
    (function,) = module.functions
    shapes = [a.type.shape for a in function.body.block.arguments]
    return [rng.integers(0, 4, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("name", STEPS)
def test_results_are_those_of_copies_at_the_end(tmp_path, name):
    step, _ = STEPS[name]
    module = the_module(tmp_path, step)
    arguments = arguments_of(module, np.random.default_rng(3))
    outcome = all_results(module, [("go", arguments)], (0, 2, 3))
    expected = outcome.pop("tensor")[0]
    for stage, (given,) in outcome.items():
        assert len(given) == len(expected)
        for left, right in zip(expected, given, strict=True):
            assert same_bits(left, right), stage


@pytest.mark.parametrize("name", STEPS)
def test_only_what_is_safe_is_written_in_place(tmp_path, name):
    step, wanted = STEPS[name]
    module = compiler.compile(the_module(tmp_path, step), TARGET, upto="buffer").module
    (function,) = module.functions
    arguments = function.body.block.arguments
    copied = {
        op.operands[1].hint
        for op in function.body.block.ops
        if isinstance(op, Copy) and op.operands[1] in arguments
    }
    updated = {
        target for target in "WVb" if f"{target} <-" in step or f"{target}," in step
    }
    assert updated - copied == set(wanted.split())


def test_a_scatter_that_reads_the_old_value_is_no_other_name_of_it():
    """It changes a copy of its base: so its reader may be written over."""
    w, v = (tc.shared(np.ones((3, 4), np.float32), name=name) for name in "WV")
    x = tc.tensor("x", "float32", (3, 4))
    added = tc.inc_subtensor(w[np.array([0, 0, 2])], x)
    step = tc.function([x], [], updates=[(w, w + x), (v, added)])
    targets = re.findall(r'memref.copy"\(%\w+, %(\w+)\)', step.emit("buffer"))
    assert "W" not in targets
    step(np.ones((3, 4), np.float32))
    assert np.array_equal(w.get_value(), np.full((3, 4), 2))
    assert np.array_equal(v.get_value()[:, 0], [3, 1, 2])


def test_an_index_error_leaves_all_memory_as_it_was(tmp_path):
    path = tmp_path / "m.tc"
    step = "  W <- W + x\n  V <- V + x[range(3), i][:, none]\n"
    path.write_text(f"{HEAD}step go(x: float[3, 4], i: int[3]) {{\n{step}}}\n")
    program = api.load(path)
    x = np.ones((3, 4), np.float32)
    program.go(x, [0, 1, 2])
    with pytest.raises(IndexError):
        program.go(x, [0, 1, 4])
    assert (program.W.get_value() == 1).all()
    assert (program.V.get_value() == 1).all()
