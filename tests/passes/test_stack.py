"""What kernels allocate on the stack stays below a budget, so small stacks will do."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api.stages import module_of
from tensorc.ir.ops.memory.memory import Alloca, View
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import MemRefType
from tensorc.passes.schedule.cpu import STACK_AT_ONCE, STACK_BYTES
from tests.stages import TARGET

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/*.tc"), *ROOT.glob("benchmarks/programs/*.tc")])
LAYERS, OPERANDS = 4, 40


def chain(x, *weights):
    """Products of unknown depth, one after the other, which share a kernel."""
    for weight in weights:
        x = x @ weight
    return x


def across(x, *others):
    """Matrices that are all read across their memory."""
    total = x.T
    for other in others:
        total = total + other.T
    return total


def sums(*xs):
    """Reductions whose accumulators are not at hand in registers."""
    return tuple([x.sum(axis=0) for x in xs])


def bests(*xs):
    """Reductions that find an index, side by side."""
    return tuple([x.argmax(axis=1) for x in xs])


def deep(x, y):
    """Few columns of a product whose left side is transposed, and a deep one."""
    return x.T @ y, y.T @ x


# Each program, the shapes of its arguments, and its types as far as they are known.
SHAPES = [(2, 5, 40), *[(2, 40, 40)] * LAYERS]
PROGRAMS = {
    "chain": (chain, SHAPES, [(None, None, None)] * (LAYERS + 1)),
    "across": (across, [(64, 80)] * OPERANDS, [(64, 80)] * OPERANDS),
    "sums": (sums, [(64, 1500)] * OPERANDS, [(64, 1500)] * OPERANDS),
    "bests": (bests, [(8, 50)] * OPERANDS, [(None, None)] * OPERANDS),
    "deep": (deep, [(70, 30), (70, 3)], [(None, None), (None, 3)]),
}


def function_of(name):
    program, _, shapes = PROGRAMS[name]
    given = [
        tc.tensor(dtype="float64", shape=shape, name=f"x{i}")
        for i, shape in enumerate(shapes)
    ]
    return tc.function(given, program(*given))


def on_stack(module):
    """Return the bytes of each value that each kernel of a module has on its stack."""
    loops = compiler.compile(module, TARGET, upto="loop").module
    found = {}
    for function in loops.functions:
        sizes = found.setdefault(function.sym_name, [])
        for op in function.walk():
            if isinstance(op, Alloca):
                type_ = op.result.type
                assert isinstance(type_, MemRefType)
                sizes.append(type_.shape[0] * type_.element.bytes)
    return found


def assert_within_budget(found):
    for name, sizes in found.items():
        assert sum(sizes) <= STACK_BYTES, name
        assert max(sizes, default=0) <= STACK_AT_ONCE, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kernels_of_files_stay_within_the_budget(path):
    assert_within_budget(on_stack(module_of(str(path), None, {})))


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_of_many_operands_stay_within_the_budget(name):
    found = on_stack(parse_module(function_of(name).emit("graph")))
    assert_within_budget(found)
    if name == "bests":  # what is small lies there all the same
        assert any(sizes for sizes in found.values())


def test_products_one_after_the_other_share_their_scratch():
    def views(count):
        x = [tc.tensor(shape=(None, None, None), name=f"x{i}") for i in range(count)]
        module = parse_module(tc.function(x, chain(*x)).emit("graph"))
        loops = compiler.compile(module, TARGET, upto="loop").module
        kernels = [f for f in loops.functions if "tc.kernel" in f.attributes]
        return [sum(isinstance(op, View) for op in f.walk()) for f in kernels]

    # Products of one form are one function, where few columns and many have superblocks
    # of their own. Its scratch is a part of the kernel's, and one product passes on
    # what it makes. What a third product passes on is one more, and nothing else.
    (form, few), (same, more) = views(2), views(3)
    assert form == same == 3
    assert few == 1
    assert more == 2


def run_in_a_small_thread(name):
    """Run a program in a thread with 512 KB of stack, and compare with NumPy."""
    import threading

    program, shapes, _ = PROGRAMS[name]
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(shape) for shape in shapes]
    function = function_of(name)
    outcome = []
    threading.stack_size(512 << 10)
    thread = threading.Thread(target=lambda: outcome.append(function(*values)))
    thread.start()
    thread.join()
    wanted = program(*values)
    (got,) = outcome
    np.testing.assert_equal(len(got), len(wanted))
    for given, expected in zip(got, wanted, strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_thread_with_a_small_stack_runs_them(name):
    code = f"from tests.passes.test_stack import *; run_in_a_small_thread({name!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
