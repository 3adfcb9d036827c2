"""What the machine can do at most, by code that tensorc emits for LOOP IR.

Each job runs in as many threads as `TENSORC_NUM_THREADS` says, each on memory of its
own. A unit is one multiplication, addition or byte, so its seconds are one over a rate.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
from peers.inputs import Arrays, Job

from tensorc.backend.llvm.codegen import emit_llvm, emit_object
from tensorc.backend.llvm.host import host_target
from tensorc.ir.levels import Level
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import verify
from tensorc.runtime.cpu import link_object
from tensorc.target import Options

THREADS = int(os.environ.get("TENSORC_NUM_THREADS", "1"))
TARGET = host_target()
VERSION = (
    f"limits by tensorc {version('tensorc')}, vectors of {TARGET.vector_bits} bits"
)
LANES = 16
# Independent chains: enough to hide the latency, few enough for the registers.
CHAINS = 12 if TARGET.vector_bits == 512 else 6
ROUNDS = 1_000_000
MEMORY = 64 << 20  # floats of an array that no cache holds
VECTOR = "vector<16xf32>"


def _loop(chains: int, body: Sequence[str], yields: str, step: int) -> list[str]:
    """Return a loop to the argument %n that carries so many vectors."""
    carried = ", ".join([f"%v{i}: {VECTOR}" for i in range(chains)])
    types = ", ".join([VECTOR] * chains)
    initial = "".join([", %zero"] * chains)
    given = f"%r:{chains} = " if chains else ""
    comma = ", " if chains else ""
    return [
        f'%step = "arith.constant"() <{{value = {step} : index}}> : () -> index',
        f'{given}"scf.for"(%c0, %n, %step{initial}) ({{',
        f"^bb0(%i: index{comma}{carried}):",
        *body,
        f'"scf.yield"({yields}) : ({types}) -> ()',
        f"}}) : (index, index, index{comma}{types}) -> ({types})",
    ]


def _module(memory: str, lines: Sequence[str]) -> str:
    types = ", ".join(["memref<?xf32>"] * len(memory))
    arguments = ", ".join([f"%{m}: memref<?xf32>" for m in memory])
    head = [
        f'"func.func"() <{{function_type = ({types}, index) -> (), '
        'sym_name = "limit"}> ({',
        f"^bb0({arguments}, %n: index):",
        '%c0 = "arith.constant"() <{value = 0 : index}> : () -> index',
        '%c16 = "arith.constant"() <{value = 16 : index}> : () -> index',
        '%0 = "arith.constant"() <{value = 0.0 : f32}> : () -> f32',
        f'%zero = "vector.broadcast"(%0) : (f32) -> {VECTOR}',
        '%k = "arith.constant"() <{value = 0.5 : f32}> : () -> f32',
        f'%half = "vector.broadcast"(%k) : (f32) -> {VECTOR}',
        '%all = "vector.create_mask"(%c16) : (index) -> vector<16xi1>',
    ]
    tail = ['"func.return"() : () -> ()', "}) : () -> ()", "}) : () -> ()"]
    return "\n".join(['"builtin.module"() ({', *head, *lines, *tail])


def _load(name: str, memory: str, at: str) -> str:
    types = f"(memref<?xf32>, index, vector<16xi1>, {VECTOR}) -> {VECTOR}"
    return f'%{name} = "vector.maskedload"(%{memory}, {at}, %all, %zero) : {types}'


def _store(value: str, memory: str, at: str) -> str:
    types = f"(memref<?xf32>, index, vector<16xi1>, {VECTOR}) -> ()"
    return f'"vector.maskedstore"(%{memory}, {at}, %all, {value}) : {types}'


def _sums(chains: int) -> list[str]:
    """Return ops that write what the chains hold, so that none is dropped."""
    lines, last = [], "%r#0"
    for i in range(1, chains):
        types = f"({VECTOR}, {VECTOR}) -> {VECTOR}"
        lines.append(f'%s{i} = "arith.addf"({last}, %r#{i}) : {types}')
        last = f"%s{i}"
    return [*lines, _store(last, "o", "%c0")]


def fma_text() -> str:
    """Return chains of fused multiply-adds in registers."""
    types = f"({VECTOR}, {VECTOR}, {VECTOR}) -> {VECTOR}"
    body = [f'%w{i} = "math.fma"(%v{i}, %half, %half) : {types}' for i in range(CHAINS)]
    yields = ", ".join([f"%w{i}" for i in range(CHAINS)])
    return _module("o", [*_loop(CHAINS, body, yields, 1), *_sums(CHAINS)])


def read_text() -> str:
    """Return a sum over memory, as wide as loads go."""
    body = []
    for i in range(8):
        offset = f'%a{i} = "arith.constant"() <{{value = {i * LANES} : index}}>'
        body += [
            f"{offset} : () -> index",
            f'%p{i} = "arith.addi"(%i, %a{i}) : (index, index) -> index',
            _load(f"x{i}", "x", f"%p{i}"),
            f'%w{i} = "arith.addf"(%v{i}, %x{i}) : ({VECTOR}, {VECTOR}) -> {VECTOR}',
        ]
    yields = ", ".join([f"%w{i}" for i in range(8)])
    return _module("xo", [*_loop(8, body, yields, 8 * LANES), *_sums(8)])


def triad_text() -> str:
    """Return o = x + y / 2."""
    types = f"({VECTOR}, {VECTOR}, {VECTOR}) -> {VECTOR}"
    body = [
        _load("a", "x", "%i"),
        _load("b", "y", "%i"),
        f'%w = "math.fma"(%b, %half, %a) : {types}',
        _store("%w", "o", "%i"),
    ]
    return _module("xyo", _loop(0, body, "", LANES))


def _compiled(text: str) -> Callable[[Sequence[np.ndarray], int], None]:
    module = parse_module(text)
    verify(module, Level.LOOP)
    code = emit_llvm(module, TARGET, Options(epochs=False))
    library = link_object(emit_object(code, TARGET, 3), ["limit"])
    function = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
    )(library.address("limit"))

    def run(arrays: Sequence[np.ndarray], n: int) -> None:
        record = np.zeros(4, np.int64)
        words = [a.ctypes.data for a in (*arrays, record)]
        slots = np.array([*words, n], np.int64)
        status = function(slots.ctypes.data, 0, 0)
        if status or library is None:
            raise RuntimeError(f"status {status}")

    return run


def _job(text: str, memory: int, extent: int, n: int, units: int) -> Job:
    """Return the job of running code on arrays of `extent` floats in each thread."""
    run_one = _compiled(text)
    given = [
        [np.ones(extent, np.float32) for _ in range(memory)] for _ in range(THREADS)
    ]
    pool = ThreadPoolExecutor(THREADS)

    def run() -> None:
        list(pool.map(run_one, given, [n] * THREADS))

    return Job(run, lambda: float(given[0][-1][0]), units * THREADS)


def fma(arrays: Arrays) -> Job:
    """Flops: a fused multiply-add of a lane is two."""
    return _job(fma_text(), 1, LANES, ROUNDS, 2 * LANES * CHAINS * ROUNDS)


def read(arrays: Arrays) -> Job:
    """Bytes read."""
    n = MEMORY // THREADS
    return _job(read_text(), 2, n, n, 4 * n)


def triad(arrays: Arrays) -> Job:
    """Bytes read and written."""
    n = MEMORY // 2 // THREADS
    return _job(triad_text(), 3, n, n, 12 * n)


JOBS: dict[str, Callable[[Arrays], Job]] = {"fma": fma, "read": read, "triad": triad}
