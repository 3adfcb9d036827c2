"""What the machine can do at most, by the code that `tensorc bench` measures with.

Each job runs in as many threads as `TENSORC_NUM_THREADS` says, each on memory of its
own. A unit is one multiplication, addition or byte, so its seconds are one over a rate.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
from peers.inputs import Arrays, Job

from tensorc.backend.llvm.host import host_target
from tensorc.profiling.limits import (
    chains,
    compiled,
    fma_text,
    read_text,
    triad_text,
)
from tensorc.runtime.arrays import aligned_empty

THREADS = int(os.environ.get("TENSORC_NUM_THREADS", "1"))
TARGET = host_target()
VERSION = (
    f"limits by tensorc {version('tensorc')}, vectors of {TARGET.vector_bits} bits"
)
LANES = 16
ROUNDS = 1_000_000
MEMORY = 64 << 20  # floats of an array that no cache holds


def _job(text: str, memory: int, extent: int, n: int, units: int) -> Job:
    """Return the job of running code on arrays of `extent` floats in each thread."""
    run_one = compiled(text, TARGET)
    given = [
        [aligned_empty((extent,), np.dtype(np.float32)) for _ in range(memory)]
        for _ in range(THREADS)
    ]
    for arrays in given:
        for array in arrays:
            array.fill(1)
    pool = ThreadPoolExecutor(THREADS)

    def run() -> None:
        list(pool.map(lambda arrays: run_one(arrays, n, 1), given))

    return Job(run, lambda: float(given[0][-1][0]), units * THREADS)


def fma(arrays: Arrays) -> Job:
    """Flops: a fused multiply-add of a lane is two."""
    units = 2 * LANES * chains(TARGET) * ROUNDS
    return _job(fma_text(TARGET), 1, LANES, ROUNDS, units)


def read(arrays: Arrays) -> Job:
    """Bytes read."""
    n = MEMORY // THREADS
    return _job(read_text(), 2, n, n, 4 * n)


def triad(arrays: Arrays) -> Job:
    """Bytes read and written."""
    n = MEMORY // 2 // THREADS
    return _job(triad_text(), 3, n, n, 12 * n)


JOBS: dict[str, Callable[[Arrays], Job]] = {"fma": fma, "read": read, "triad": triad}
