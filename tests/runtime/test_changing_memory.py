"""Indices that another thread or process writes while compiled code reads them.

What is read at is what was checked: such a call gives a result or an index error. Each
case runs in a process of its own, where a crash is an exit code.
"""

import re
import subprocess
import sys

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.ir.ops.memory.kernels import CheckIndexInto
from tensorc.ir.ops.tensor.indexing import CheckIndex, Gather, Scatter, TakeAlongAxis
from tensorc.runtime.arrays import DTYPES
from tensorc.runtime.shared import SharedCell
from tests.samples import SAMPLES, one_op
from tests.stages import name_arguments

# A process writes indices far outside and back again until its parent ends; a thread
# would write between the calls, when it is its turn. The last of each batch is checked
# long before it is used: many a call that read the memory again would crash.
SCRIPT = """
import mmap, os, sys, time
import numpy as np

N = 50_000
rng = np.random.default_rng(0)
x = rng.random(1000).astype(np.float32)
m = rng.random((N, 8)).astype(np.float32)
good = rng.integers(0, 8, N)
good.tofile(sys.argv[2])
with open(sys.argv[2], "r+b") as file:
    idx = np.frombuffer(mmap.mmap(file.fileno(), 0), good.dtype)
begins, flips = os.pipe()
parent = os.getpid()
if os.fork() == 0:
    os.close(flips)
    os.read(begins, 1)
    while os.getppid() == parent:
        for _ in range(1000):
            idx[::-10_000] = 1 << 40
            idx[::-10_000] = 7
    os._exit(0)

import tensorc as tc

def shared_step(build):
    w = tc.shared(np.zeros(1000, np.float32), "w")
    i = tc.lvector("i")
    return tc.function([i], [], updates=[(w, build(w, i))])

def fitted(columns, step, **options):
    def call(_):
        tc.fit(step, columns, batch=10_000, epochs=2, **options)
    return call

V = tc.shared(np.zeros((8, 8), np.float32), "V")

@tc.step
def train(m, y):
    cost = tc.mean(tc.cross_entropy(m @ V, y))
    tc.update(V, V - 0.1 * tc.grad(cost, V))
    return cost

def memory_mapped():
    return {"m": m, "y": np.memmap(sys.argv[2], good.dtype, "r")}

def loaded():
    path = sys.argv[2] + ".tc"
    with open(path, "w") as file:
        file.write("fn f(x: float[N], i: int[M]) -> float[M] = x[i]")
    return tc.load(path).f

def of(function):
    # A call of a function of data that stay, and of the indices.
    return lambda: (tc.jit(function), x)

MADE = {
    "take": of(lambda x, i: tc.take(x, i)),
    "x[idx]": of(lambda x, i: tc.sum(x[i] * 2)),
    "x[idx] transposed": of(lambda x, i: x[tc.reshape(i, (N // 10, 10)).T]),
    "pairs": lambda: (tc.jit(lambda m, i: m[i, i]), m),
    "at.set": of(lambda x, i: x.at[i].set(1.0)),
    "at.add": of(lambda x, i: x.at[i].add(1.0)),
    "slope of x[idx]": of(tc.grad(lambda x, i: tc.sum(x[i] ** 2))),
    "inc_subtensor": lambda: (shared_step(lambda w, i: tc.inc_subtensor(w[i], 1.0)),),
    "cross_entropy": lambda: (tc.jit(tc.cross_entropy), m),
    "error_rate": lambda: (tc.jit(tc.error_rate), m),
    "one_hot": lambda: (tc.jit(lambda i: tc.one_hot(i, 8)),),
    "a .tc file": lambda: (loaded(), x),
    "fit": lambda: (fitted({"m": m, "y": idx}, train),),
    "fit shuffled": lambda: (fitted({"m": m, "y": idx}, train, shuffle=True),),
    "fit of a mapped file": lambda: (fitted(memory_mapped(), train),),
}
call, *arguments = MADE[sys.argv[1]]()
call(*arguments, idx)
os.write(flips, b"x")
outcomes = {"result": 0, "IndexOutOfRange": 0}
until = time.monotonic() + 0.2
while time.monotonic() < until:
    try:
        call(*arguments, idx)
        outcomes["result"] += 1
    except tc.errors.IndexOutOfRange:
        outcomes["IndexOutOfRange"] += 1
print(outcomes)
assert sum(outcomes.values()) > 2
"""
CASES = re.findall(r'^    "([^"]+)": ', SCRIPT, re.MULTILINE)


def test_the_table_is_read():
    assert len(CASES) == 15


@pytest.mark.parametrize("case", CASES)
def test_indices_that_change_during_a_call_are_no_crash(case, tmp_path):
    command = [sys.executable, "-c", SCRIPT, case, str(tmp_path / "indices")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("cls", "sample"),
    [
        (cls, sample)
        for cls in (CheckIndex, Gather, Scatter, TakeAlongAxis)
        for sample in SAMPLES[cls]
    ],
    ids=str,
)
def test_indices_of_an_argument_are_read_once_by_their_check(cls, sample):
    module = one_op(cls, sample)
    (function,) = module.functions
    name_arguments(function)
    for step in compiler.CPU[: [p.name for p in compiler.CPU].index("bufferize") + 1]:
        module = step.run(module, compiler.host_target())
    block = function.body.block
    checks = [op for op in block.ops if isinstance(op, CheckIndexInto)]
    assert checks
    for check in checks:
        users = [op for op in block.ops if check.indices in op.operands]
        assert users == [check]
        assert len(check.target) == (check.indices in block.arguments)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_a_borrowed_value_can_never_be_written(dtype, shape):
    cell = SharedCell("w", np.ones(shape, DTYPES[dtype]))
    view = cell.get_value(borrow=True)
    assert (view.dtype, view.shape) == (cell.dtype, shape)
    with pytest.raises(ValueError, match="WRITEABLE"):
        view.flags.writeable = True
    cell.set_value(np.zeros(shape, cell.dtype))
    np.testing.assert_array_equal(view, 0)


def test_a_number_that_sizes_follow_from_is_read_once():
    x, i = tc.vector("x"), tc.iscalar("i")
    f = tc.function([x, i], [x[: i + 1], i])
    (spec,) = [s for s in f.compiled.signature.inputs if s.value is not None]
    given = np.array(2, np.int32)
    arrays, _ = f.compiled.signature.collect([np.ones(4, np.float32), given], {})
    assert spec.argument.name == "i"
    assert not np.shares_memory(arrays[1], given)
