"""Programs of thousands of ops compile, without recursion and in nearly linear time."""

import gc
import math
import time
from unittest import mock

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler, driver
from tensorc.api import stages
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.memory.kernels import Launch
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.passes.structured import open_groups, order
from tensorc.target import Options
from tests.frontend.irgen_helpers import program
from tests.samples import SAMPLES, one_op
from tests.snippets import ROOT
from tests.stages import name_arguments

OPS = 20_000
RAW = Options(optimize=0)  # the text before LLVM's passes
DEEP = 5_000  # five times as deep as Python recurses
# For a tensor or a number; constants differ, so that no two kernels are alike.
STEPS = (
    lambda v, i: v * (1 + 1 / (i + 1)),
    lambda v, i: v + 1 / (i + 1),
    lambda v, i: -v,
    lambda v, i: v - 0.25,
)


def steps(value, count):
    for i in range(count):
        value = STEPS[i % len(STEPS)](value, i)
    return value


def chain(count):
    x = tc.vector("x")
    y = x
    for i in range(count):
        y = tc.tanh(y) if i % 5 == 4 else STEPS[i % len(STEPS)](y, i)
    return [x], [y]


def straight(count):
    """Independent and shared values, reductions, products, several results."""
    x, w = tc.matrix("x"), tc.matrix("w")
    row, outputs = x, []
    for i in range(0, count, 10):
        near = tc.tanh(row * (1 + 1 / (i + 1)))
        total = (near * tc.exp(-(x + i))).sum(axis=1)
        row = row + (near @ w if i % 100 == 0 else near * 0.5)
        outputs.append((total - total.max()).sum())
    return [x, w], [row, *outputs]


def gradient(count):
    (x,), (y,) = chain(count // 3)
    return [x], [tc.grad(y.sum(), x)]


class Emitted(Exception):
    """Carries a module out of `tc.function`, before it is compiled."""


def module_of(work):
    def take(module, options):
        raise Emitted(module)

    with mock.patch.object(driver, "load", take), pytest.raises(Emitted) as caught:
        work()
    return caught.value.args[0]


def seconds(work):
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def check_exponent(small, large, start):
    """Check the slope of seconds over ops, as logarithms; the best of four tries.

    Beside another process of the suite it is up to 0.1 higher: caches are shared.

    `start` prepares a program of so many ops, and returns what is timed.
    """
    found = []
    while len(found) < 4 and min(found, default=2.0) > 1.3:
        rise = seconds(start(large)) / seconds(start(small))
        found.append(math.log(rise) / math.log(large / small))
    assert min(found) < 1.45, found  # quadratic is 2


def test_a_chain_compiles_in_nearly_linear_time():
    tc.function([], tc.constant(1.0))  # what is loaded once is no program's
    check_exponent(400, 1600, lambda n: lambda: tc.function(*chain(n)))


@pytest.mark.parametrize("program", [straight, gradient])
@pytest.mark.parametrize(
    ("small", "large"), [(100, 400), pytest.param(400, 1600, marks=pytest.mark.slow)]
)
def test_passes_take_nearly_linear_time(program, small, large):
    def start(count):
        module = module_of(lambda: tc.function(*program(count)))
        return lambda: compiler.compile(
            module, driver.host_target(), RAW, "llvm"
        ).text()

    check_exponent(small, large, start)


def test_a_long_row_is_cut_into_kernels():
    """The reason stands at the kernel, and cutting changes no bit."""
    x = tc.vector("x")
    y = steps(x, 200)
    whole = tc.function([x], y)
    assert whole.emit("structured").count('"tc.group"') == 1
    with (
        mock.patch.object(open_groups, "MOST_OPS", 100),
        mock.patch.object(order, "MOST_OPS", 100),
    ):
        f = tc.function([x], y)
        text = f.emit("structured")
        given = np.linspace(-1, 1, 100, dtype=np.float32)
        made = f(given)
    assert text.count('"tc.group"') > 1
    assert "operations, a kernel at most 100" in text
    assert whole(given).tobytes() == made.tobytes()


def test_equal_kernels_are_compiled_once():
    x, w = tc.vector("x"), tc.matrix("w")
    y = x
    for _ in range(50):
        y = tc.tanh(y @ w)
    with tc.options(optimize=0):
        f = tc.function([x, w], y)
    assert f.emit("structured").count('"tc.group"') >= 50
    text = f.emit("llvm")
    assert text.count("define internal i32") < 8
    rng = np.random.default_rng(1)
    given = rng.normal(size=20), rng.normal(size=(20, 20)) / 5
    given = [a.astype(np.float32) for a in given]
    expected = given[0]
    for _ in range(50):
        expected = np.tanh(expected @ given[1])
    np.testing.assert_allclose(f(*given), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("program", [chain, straight], ids=lambda p: p.__name__)
def test_kernels_grow_no_more_when_a_program_repeats_itself(program):
    """All constants differ, and so do the launches."""
    counts = []
    for count in (2000, 4000):
        module = module_of(lambda n=count: tc.function(*program(n)))
        loops = compiler.compile(module, driver.host_target(), RAW, "loop").module
        (entry,) = loops.entries
        launched = [op.callee for op in entry.walk() if isinstance(op, Launch)]
        counts.append((len(loops.functions) - 1, len(launched)))
    (few, some), (same, more) = counts
    assert few == same
    assert more > 1.8 * some


def test_scalars_that_need_nothing_of_each_other_are_small_kernels():
    x = tc.matrix("x")
    f = tc.function([x], [(x[i] * (i + 2.5)).sum() for i in range(100)])
    assert 5 <= f.emit("structured").count('"tc.group"') < 50
    given = np.arange(300, dtype=np.float32).reshape(100, 3)
    expected = [(row * np.float32(i + 2.5)).sum() for i, row in enumerate(given)]
    assert [*map(float, f(given))] == [*map(float, expected)]


def test_long_bodies_are_emitted_once_and_mask_the_tail():
    inputs, (y,) = chain(64)
    with tc.options(optimize=0):
        f = tc.function(inputs, y)
        few = tc.function(*chain(4))
    text = f.emit("llvm")
    if driver.host_target().vector_bits < 512:
        assert text.count("call void @llvm.masked.store") == 1
        assert few.emit("llvm").count("call void @llvm.masked.store") == 2
    given = np.linspace(-2, 2, 37, dtype=np.float32)
    parts = [f(given[i : i + 16]) for i in (0, 16, 32)]
    assert f(given).tobytes() == np.concatenate(parts).tobytes()
    alone = np.concatenate([f(given[i : i + 1]) for i in range(37)])
    assert f(given).tobytes() == alone.tobytes()


@pytest.mark.slow
def test_20_000_ops_deep_compile():
    x = tc.dscalar("x")
    f = tc.function([x], steps(x, OPS))
    assert f(0.5) == steps(np.float64(0.5), OPS)


@pytest.mark.slow
def test_20_000_ops_in_a_line_compile():
    x, v = tc.dscalar("x"), tc.dvector("v")
    count = OPS // 11

    def parts(x, v):
        return [steps(v * x if i % 16 == 0 else x * i, 9) for i in range(count)]

    sums = [part.sum() if part.ndim else part for part in parts(x, v)]
    total = sums[0]
    for part in sums[1:]:
        total = total + part
    f = tc.function([x, v], [total, sums[16], sums[-1]])
    given = np.float64(0.5), np.array([0.25, -0.5, 2.0])
    expected = [part.sum() for part in parts(*given)]
    wanted = [np.sum(expected), expected[16], expected[-1]]
    np.testing.assert_allclose(f(*given), wanted, rtol=1e-9)


def test_thousands_of_ops_pass_the_other_doors(tmp_path):
    traced = module_of(lambda: tc.jit(lambda x: steps(x, DEEP))(0.5))
    lines = [f"    v{i + 1} = v{i} * 0.75 + 0.25\n" for i in range(DEEP // 2)]
    path = tmp_path / "deep.tc"
    last = f"    return v{DEEP // 2}\n"
    path.write_text("fn f(v0: f64) -> f64 {\n" + "".join(lines) + last + "}\n")
    written = stages.module_of(str(path), "f", {})
    ours = compiler.compile(traced, driver.host_target(), upto="tensor").module
    text = print_module(written, locations=True)  # what the cache's key is made of
    again = parse_module(text)
    verify(again)
    assert print_module(again, locations=True) == text
    value = 0.5
    for _ in range(DEEP // 2):
        value = value * 0.75 + 0.25
    for module, expected in ((again, value), (ours, steps(0.5, DEEP))):
        assert sum(1 for _ in module.walk()) > DEEP
        (function,) = module.functions
        (found,) = interpret(module, function.sym_name, [np.array(0.5)])
        assert found == expected


@pytest.mark.slow
def test_no_op_compiles_longer_than_one_and_a_half_times_logistic_regression():
    """Two samples of each op alone, beside the example's step, without the cache."""

    def least(make, times):
        modules = [make() for _ in range(times)]
        return min(seconds(lambda m=m: driver.load(m, Options())) for m in modules)

    def alone(cls, sample):
        module = one_op(cls, sample)
        for function in module.functions:
            name_arguments(function)
        return module

    whole = program((ROOT / "examples" / "logreg.tc").read_text("utf-8"))
    driver.load(whole.emit(["train"]), Options())  # imports what compiles
    most = 1.5 * least(lambda: whole.emit(["train"]), 4)
    slow = {}
    for cls, samples in SAMPLES.items():
        for sample in samples[-2:]:  # those of the most axes, mostly
            found = least(lambda c=cls, s=sample: alone(c, s), 2)
            if found > most:
                slow[cls.__name__, str(sample)] = found
    assert not slow
