"""Scratch of workers: who runs chunks at the same time has other memory."""

import numpy as np
import pytest

from tensorc import driver
from tensorc.artifact import RecordWord
from tensorc.ir.attributes import SymbolRef
from tensorc.ir.functions import new_module
from tensorc.ir.ops.memory import kernels, memory
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import F64, I64, INDEX
from tensorc.passes.loops.accumulate import worker_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.runtime import threads
from tests.backend.harness import ARENA, Code, entry, flat, make_function

CHUNKS, LENGTH = 64, 4096


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.use(None)


def summed():
    """Chunk i fills scratch with its number, and stores the sum of what is there."""
    module = new_module()
    taken = []

    def kernel(b, out, length, begin, end, scratch):
        k = LoopBuilder(b.block, {})
        k.scratch = scratch
        worker_scratch(k, F64, 3)  # what comes after it is aligned all the same
        held = worker_scratch(k, I64, LENGTH)
        with k.loop(begin, end, 1) as chunk:
            for _ in range(8):  # so long that several workers are at it
                with k.loop(k.index(0), length, 1) as loop:
                    number = k.op(conversions.IndexCast, chunk.index, types=[I64])
                    k.do(memory.Store, number, held, loop.index)
            with k.loop(k.index(0), length, 1, [k.constant(0, I64)]) as loop:
                value = k.op(memory.Load, held, loop.index)
                loop.yields = [k.op(arith.AddI, loop.carried[0], value)]
            k.do(memory.Store, loop.results[0], out, chunk.index)
        taken.append(k.scratch_bytes)

    types = [flat(I64), INDEX, INDEX, INDEX, ARENA]
    make_function(module, "sums", types, kernel, kernel=True)

    def fill(b, out, scratch, length, chunks, work):
        operands = out, length, chunks, work, scratch
        b.create(kernels.Launch, *operands, types=[], callee=SymbolRef("sums"))

    return entry([I64], 3, fill, module), taken[0]


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_workers_have_scratch_of_their_own(workers):
    module, size = summed()
    assert size == 64 + 8 * LENGTH
    code = Code(module)
    threads.start(driver._load_pool)
    threads.use(4)
    code.arena = np.full(workers * size + 64, 77, np.uint8)
    code.record[RecordWord.POOL] = threads.block_address()
    code.record[RecordWord.BYTES] = size
    code.record[RecordWord.WORKERS] = workers
    expected = np.arange(CHUNKS) * LENGTH
    jobs = threads.jobs()
    for _ in range(20):
        out = np.full(CHUNKS, -1)
        assert code(out, symbols=(LENGTH, CHUNKS, 1 << 40)) == 0
        np.testing.assert_array_equal(out, expected)
        assert (code.arena[workers * size :] == 77).all()
    assert threads.jobs() == jobs + 20
