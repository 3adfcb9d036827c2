"""What the machine can do at most, by code that tensorc emits for LOOP IR.

Arithmetic is chains of fused multiply-adds in registers. Memory is the faster one of a
sum over it and of o = x + y / 2, by the size of what is read and written: from that of
the nearest cache to what no cache holds. Each thread has memory of its own.
"""

import ctypes
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from tensorc.backend.llvm.codegen import emit_llvm, emit_object
from tensorc.backend.llvm.host import host_target
from tensorc.ir.levels import Level
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import verify
from tensorc.runtime import threads as pool
from tensorc.runtime.arrays import Array, aligned_empty
from tensorc.runtime.cpu import link_object
from tensorc.target import Options, Target

# Bytes that a thread reads and writes again and again.
SIZES = (1 << 14, 1 << 17, 1 << 20, 1 << 22, 1 << 24, 1 << 27)
_ARITHMETIC = 1 << 19  # fused multiply-adds of a chain
_MOVED = 1 << 24  # bytes of a run at least
_RUNS, _LONG = 5, 0.05  # runs at least, and seconds of all of them
_LANES = {"f32": 16, "f64": 8}
_READS = 8  # vectors of one turn of the sum


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates of so many threads together, a second.

    `flops` are by element type; `bytes` are pairs of the bytes that one thread works
    on, ascending, and the rate.
    """

    threads: int
    flops: Mapping[str, float]
    bytes: tuple[tuple[int, float], ...]

    def bytes_rate(self, size: int) -> float:
        """Return the bytes a second of what reads and writes so many bytes in all.

        Between two sizes that were measured it is between their rates.
        """
        each = max(size / self.threads, 1)
        for (below, fast), (above, slow) in pairwise(self.bytes):
            if each <= below:
                return fast
            if each < above:
                part = math.log(each / below) / math.log(above / below)
                return fast * math.pow(slow / fast, part)
        return self.bytes[-1][1]

    def seconds(self, flops: int, size: int, element: str = "f32") -> float:
        """Return the least seconds of so many flops on so many bytes."""
        return max(flops / self.flops[element], size / self.bytes_rate(size))

    def bound(self, flops: int, size: int, element: str = "f32") -> str:
        """Return what takes longer at the limits: "arithmetic" or "memory"."""
        is_longer = flops / self.flops[element] > size / self.bytes_rate(size)
        return "arithmetic" if is_longer else "memory"


@lru_cache(8)
def limits(threads: int) -> Limits:
    """Return what so many threads can do, measured once in a process."""
    with ThreadPoolExecutor(threads) as workers:
        flops = {element: _flops(workers, threads, element) for element in _LANES}
        rates = _bytes(workers, threads)
    return Limits(threads, flops, rates)


def limits_now() -> Limits:
    """Return what as many threads can do as compiled functions use now."""
    return limits(pool.count())


def _flops(workers: ThreadPoolExecutor, threads: int, element: str) -> float:
    target = host_target()
    run = compiled(fma_text(target, element), target)
    given = [[np.ones(64, _dtype(element))] for _ in range(threads)]
    seconds = _best(workers, [(run, arrays, _ARITHMETIC, 1) for arrays in given])
    return 2 * _LANES[element] * chains(target) * _ARITHMETIC * threads / seconds


def _bytes(workers: ThreadPoolExecutor, threads: int) -> tuple[tuple[int, float], ...]:
    target = host_target()
    sums, triads = (compiled(text(), target) for text in (read_text, triad_text))
    given = [_memory(SIZES[-1] // 4) for _ in range(threads)]
    found = []
    for size in SIZES:
        turns = max(_MOVED // size, 1)
        count = size // 4 // 512 * 512
        part = size // 12 // 512 * 512
        reads = [(sums, arrays[::2], count, turns) for arrays in given]
        triples = [
            (triads, [x[:part], x[part : 2 * part], x[2 * part :]], part, turns)
            for x, _, _ in given
        ]
        rate = max(
            4 * count * turns * threads / _best(workers, reads),
            12 * part * turns * threads / _best(workers, triples),
        )
        found.append((size, rate))
    return tuple(found)


def _memory(count: int) -> list[Array]:
    """Return memory to read, nothing, and a little to write."""
    given = [aligned_empty((size,), np.dtype(np.float32)) for size in (count, 0, 16)]
    for array in given:
        array.fill(1)
    return given


Code = Callable[[Sequence[Array], int, int], None]
Job = tuple[Code, Sequence[Array], int, int]


def _best(workers: ThreadPoolExecutor, jobs: Sequence[Job]) -> float:
    """Return the least seconds of some runs, in as many threads as there are jobs.

    Runs are short and many: other programs take turns with these threads, and a run
    counts that none of them had a part in.
    """

    def timed(job: Job) -> tuple[float, float]:
        begun = time.perf_counter()
        job[0](*job[1:])
        return begun, time.perf_counter()

    best, until, runs = math.inf, time.perf_counter() + _LONG, 0
    while runs < _RUNS or time.perf_counter() < until:
        begun, ended = zip(*workers.map(timed, jobs), strict=True)
        best = min(best, max(ended) - min(begun))
        runs += 1
    return best


def compiled(text: str, target: Target) -> Code:
    """Return one of the texts below as a call: of arrays, a count and turns."""
    module = parse_module(text)
    assert isinstance(module, Module)
    verify(module, Level.LOOP)
    code = emit_llvm(module, target, Options(epochs=False))
    library = link_object(emit_object(code, target, 3), ["limit"])
    word = ctypes.c_int64
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, word, word)
    function = prototype(library.address("limit"))

    def run(arrays: Sequence[Array], count: int, turns: int) -> None:
        words = [a.ctypes.data for a in arrays]
        # There is no record: this code does not fail, and launches nothing.
        slots = np.array([*words, 0, count, turns], np.int64)
        if function(slots.ctypes.data, 0, 0) or library is None:
            raise AssertionError("code without checks has failed")

    return run


# The text of what is measured


def chains(target: Target) -> int:
    """Return how many independent chains hide the latency and fit the registers."""
    return 12 if target.vector_bits == 512 else 6


def fma_text(target: Target, element: str = "f32") -> str:
    """Return chains of fused multiply-adds in registers: limit(o, count, turns)."""
    lanes = f"vector<{_LANES[element]}x{element}>"
    types = f"({lanes}, {lanes}, {lanes}) -> {lanes}"
    numbers = range(chains(target))
    body = [f'%w{i} = "math.fma"(%v{i}, %half, %half) : {types}' for i in numbers]
    loop = _loop(body, len(numbers), lanes, 1)
    return _module("o", element, [*_turns(loop, len(numbers), lanes)])


def read_text() -> str:
    """Return a sum over memory, as wide as loads go: limit(x, o, count, turns)."""
    lanes, body = "vector<16xf32>", []
    for i in range(_READS):
        offset = f'%a{i} = "arith.constant"() <{{value = {i * 16} : index}}>'
        body += [
            f"{offset} : () -> index",
            f'%p{i} = "arith.addi"(%i, %a{i}) : (index, index) -> index',
            _load(f"x{i}", "x", f"%p{i}"),
            f'%w{i} = "arith.addf"(%v{i}, %x{i}) : ({lanes}, {lanes}) -> {lanes}',
        ]
    loop = _loop(body, _READS, lanes, _READS * 16)
    return _module("xo", "f32", _turns(loop, _READS, lanes))


def triad_text() -> str:
    """Return o = x + y / 2: limit(x, y, o, count, turns)."""
    lanes = "vector<16xf32>"
    body = [
        _load("a", "x", "%i"),
        _load("b", "y", "%i"),
        f'%w = "math.fma"(%b, %half, %a) : ({lanes}, {lanes}, {lanes}) -> {lanes}',
        _store("%w", "o", "%i", lanes, "f32"),
    ]
    return _module("xyo", "f32", _turns(_loop(body, 0, lanes, 16), 0, lanes))


def _loop(body: Sequence[str], carried: int, lanes: str, step: int) -> list[str]:
    """Return a loop to %n that carries so many vectors, %u to %r."""
    given = "".join([f", %v{i}: {lanes}" for i in range(carried)])
    types = ", ".join([lanes] * carried)
    initial = "".join([f", %u{i}" for i in range(carried)])
    results = f"%r:{carried} = " if carried else ""
    comma = ", " if carried else ""
    yields = ", ".join([f"%w{i}" for i in range(carried)])
    return [
        f'%step = "arith.constant"() <{{value = {step} : index}}> : () -> index',
        f'{results}"scf.for"(%c0, %n, %step{initial}) ({{',
        f"^bb0(%i: index{given}):",
        *body,
        f'"scf.yield"({yields}) : ({types}) -> ()',
        f"}}) : (index, index, index{comma}{types}) -> ({types})",
    ]


def _turns(loop: Sequence[str], carried: int, lanes: str) -> list[str]:
    """Return a loop of so many turns around one, and what writes its vectors."""
    given = "".join([f", %u{i}: {lanes}" for i in range(carried)])
    types = ", ".join([lanes] * carried)
    zeros = "".join([", %zero"] * carried)
    results = f"%t:{carried} = " if carried else ""
    comma = ", " if carried else ""
    yields = ", ".join([f"%r#{i}" for i in range(carried)])
    lines = [
        f'{results}"scf.for"(%c0, %m, %c1{zeros}) ({{',
        f"^bb0(%turn: index{given}):",
        *loop,
        f'"scf.yield"({yields}) : ({types}) -> ()',
        f"}}) : (index, index, index{comma}{types}) -> ({types})",
    ]
    last = "%t#0"
    for i in range(1, carried):
        types = f"({lanes}, {lanes}) -> {lanes}"
        lines.append(f'%s{i} = "arith.addf"({last}, %t#{i}) : {types}')
        last = f"%s{i}"
    # Written, so that nothing is dropped.
    element = lanes[-4:-1]
    return [*lines, *([_store(last, "o", "%c0", lanes, element)] if carried else [])]


def _module(memory: str, element: str, lines: Sequence[str]) -> str:
    lanes, count = f"vector<{_LANES[element]}x{element}>", _LANES[element]
    kind = f"memref<?x{element}>"
    types = ", ".join([kind] * len(memory))
    arguments = ", ".join([f"%{m}: {kind}" for m in memory])
    head = [
        f'"func.func"() <{{function_type = ({types}, index, index) -> (), '
        'sym_name = "limit"}> ({',
        f"^bb0({arguments}, %n: index, %m: index):",
        '%c0 = "arith.constant"() <{value = 0 : index}> : () -> index',
        '%c1 = "arith.constant"() <{value = 1 : index}> : () -> index',
        f'%lanes = "arith.constant"() <{{value = {count} : index}}> : () -> index',
        f'%0 = "arith.constant"() <{{value = 0.0 : {element}}}> : () -> {element}',
        f'%zero = "vector.broadcast"(%0) : ({element}) -> {lanes}',
        f'%k = "arith.constant"() <{{value = 0.5 : {element}}}> : () -> {element}',
        f'%half = "vector.broadcast"(%k) : ({element}) -> {lanes}',
        f'%all = "vector.create_mask"(%lanes) : (index) -> vector<{count}xi1>',
    ]
    tail = ['"func.return"() : () -> ()', "}) : () -> ()", "}) : () -> ()"]
    return "\n".join(['"builtin.module"() ({', *head, *lines, *tail])


def _load(name: str, memory: str, at: str) -> str:
    lanes = "vector<16xf32>"
    types = f"(memref<?xf32>, index, vector<16xi1>, {lanes}) -> {lanes}"
    return f'%{name} = "vector.maskedload"(%{memory}, {at}, %all, %zero) : {types}'


def _store(value: str, memory: str, at: str, lanes: str, element: str) -> str:
    types = f"(memref<?x{element}>, index, vector<{_LANES[element]}xi1>, {lanes})"
    return f'"vector.maskedstore"(%{memory}, {at}, %all, {value}) : {types} -> ()'


def _dtype(element: str) -> np.dtype[np.generic]:
    return np.dtype({"f32": np.float32, "f64": np.float64}[element])
