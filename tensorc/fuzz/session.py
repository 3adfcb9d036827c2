"""Many programs: batches of them, what they covered, and what they found.

A batch is one module, so that LLVM is asked once for many programs. Batches run in
processes of their own: if compiled code or LLVM ends one of them, that is a finding.
"""

import gc
import itertools
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import numpy as np

from tensorc.errors import TensorcError
from tensorc.fuzz.check import (
    BUILDS,
    FailedModule,
    Mismatch,
    Report,
    Subject,
    SubjectCall,
    check_meaning,
    check_module,
)
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.generate import generate
from tensorc.fuzz.laws import laws_of
from tensorc.fuzz.program import Ask, RandomProgram
from tensorc.fuzz.slopes import slopes_of
from tensorc.fuzz.survey import count as count_of_survey
from tensorc.fuzz.survey import items, surveyed
from tensorc.fuzz.values import KINDS, TAME, draw_arguments

BATCH = 64
SMALL_BATCH = 8  # compiled programs of the survey: the first findings come early
LIGHT_BATCH = 96
CRASHES = "the process lives"

Numbers = tuple[int, int]  # the first program of a batch, and how many


@dataclass(frozen=True, slots=True)
class Finding:
    """A relation that does not hold for the program of that number."""

    number: int
    relation: str
    detail: str
    call: int = 0


@dataclass
class Coverage:
    """What programs were made of, and what was found. `seconds` are of computing."""

    programs: int = 0
    seconds: float = 0
    lengths: Counter[int] = field(default_factory=Counter)
    ops: Counter[str] = field(default_factory=Counter)
    used_by: Counter[str] = field(default_factory=Counter)  # programs, by op
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: "Coverage") -> None:
        """Add what another one covered."""
        self.programs += other.programs
        self.seconds += other.seconds
        self.lengths += other.lengths
        self.ops += other.ops
        self.used_by += other.used_by
        self.counts += other.counts
        self.findings += other.findings

    def note(self, program: RandomProgram) -> None:
        """Count a program and its ops; light ones are not among `programs`."""
        names = [op.cls.name for op in program.ops]
        if program.light:
            self.counts["light programs"] += 1
            return
        self.programs += 1
        self.lengths[len(names)] += 1
        self.ops.update(names)
        self.used_by.update(set(names))
        self.counts["with a derivative"] += program.cost is not None
        self.counts["with updates"] += bool(program.updates)

    @property
    def median(self) -> int:
        """The median of the ops of a program."""
        lengths = sorted(self.lengths.elements())
        return lengths[len(lengths) // 2] if lengths else 0


def calls_of(program: RandomProgram, seed: int, number: int) -> tuple[SubjectCall, ...]:
    """Return the calls that a program is checked with."""
    rng = np.random.default_rng([seed, abs(number), number < 0])
    asks = program.asks or [Ask(kind, program.sizes) for kind in KINDS]
    return tuple(
        SubjectCall(
            tuple(draw_arguments(replace(program, sizes=ask.sizes), ask.kind, rng)),
            ask.kind in TAME,
        )
        for ask in asks
    )


def program_of(seed: int, number: int) -> RandomProgram:
    """Return a program: of the survey, whose numbers are -1, -2, …, or a random one."""
    return surveyed(seed, -number - 1) if number < 0 else generate(seed, number)


def failing(seed: int, finding: Finding) -> tuple[RandomProgram, SubjectCall]:
    """Return the program of a finding, with the sizes of the call, and the call."""
    program = program_of(seed, finding.number)
    call = calls_of(program, seed, finding.number)[finding.call]
    if program.asks:
        sizes = program.asks[finding.call].sizes
        program = replace(program, sizes=sizes, asks=(), light=False)
    return program, call


def check_batch(seed: int, first: int, count: int) -> Coverage:
    """Generate and check programs; findings are in their order."""
    start = time.process_time()
    coverage = Coverage()
    programs = [program_of(seed, n) for n in range(first, first + count)]
    for program in programs:
        coverage.note(program)
    calls = {
        program.name: calls_of(program, seed, number)
        for number, program in enumerate(programs, first)
    }
    numbers = {program.name: n for n, program in enumerate(programs, first)}
    for light in (True, False):
        part = [p for p in programs if p.light == light]
        report = _checked(part, calls, _turn(first)) if part else Report()
        coverage.counts += report.counts
        coverage.findings += [
            Finding(numbers[m.function], m.relation, m.detail, m.call)
            for m in report.mismatches
        ]
    coverage.findings.sort(key=lambda finding: finding.number)
    coverage.seconds = time.process_time() - start
    return coverage


def _turn(number: int) -> int:
    """Return which pair of ways a program is compiled in: alone as in its batch."""
    if number >= 0:
        return number // BATCH
    return (-number - 1 - len(items(True))) // SMALL_BATCH


def _checked(
    programs: Sequence[RandomProgram],
    calls: dict[str, tuple[SubjectCall, ...]],
    turn: int,
) -> Report:
    """Check programs in one module; where it fails as a whole, in two.

    All of them are light, or none is.
    """
    subjects = [
        Subject(p.name, calls[p.name], slopes_of(p), laws_of(p)) for p in programs
    ]
    try:
        if programs[0].light:
            return check_meaning(module_of(programs), subjects)
        return check_module(module_of(programs), subjects, turn)
    except (FailedModule, TensorcError) as error:
        if len(programs) == 1:
            relation = error.relation if isinstance(error, FailedModule) else BUILDS
            detail = error.detail if isinstance(error, FailedModule) else str(error)
            return Report([Mismatch(programs[0].name, relation, detail)])
    middle = len(programs) // 2
    report = _checked(programs[:middle], calls, turn)
    other = _checked(programs[middle:], calls, turn)
    report.mismatches += other.mismatches
    report.counts += other.counts
    return report


def batches(
    first: int | None, count: int | None, size: int = BATCH
) -> Iterator[Numbers]:
    """Yield the batches of `count` programs, or without an end.

    Without `first` and `count` the survey comes before most of them.
    """
    if first is None and count is None:
        first = 0
        for numbers in _survey_batches():
            yield numbers
            if numbers[1] == SMALL_BATCH:  # not all the time for the survey
                yield first, SMALL_BATCH
                first += SMALL_BATCH
    first = first or 0
    for start in itertools.count(first, size):
        left = size if count is None else min(size, first + count - start)
        if left <= 0:
            return
        yield start, left


def _survey_batches() -> Iterator[Numbers]:
    """Yield batches of the survey: light ones and others take turns."""
    light, all_ = len(items(True)), count_of_survey()
    ranges = (0, light, LIGHT_BATCH), (light, all_, SMALL_BATCH)
    columns = [
        [
            (-min(start + size, stop), min(size, stop - start))
            for start in range(begin, stop, size)
        ]
        for begin, stop, size in ranges
    ]
    for row in itertools.zip_longest(*columns):
        yield from filter(None, row)


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection


def _serve(seed: int, pipe: Connection) -> None:
    """Check batches as they come, until there is none."""
    gc.disable()  # a fifth of the time of passes, for what a batch leaves behind
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    while True:
        numbers: Numbers | None = pipe.recv()
        if numbers is None:
            return
        pipe.send(check_batch(seed, *numbers))
        gc.collect()


def _start(seed: int) -> _Worker:
    # Not forked: a child would share the memory of a parent with threads.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(seed, there), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def run(
    seed: int,
    work: Iterator[Numbers],
    jobs: int,
    is_over: Callable[[Coverage], bool],
    show: Callable[[Coverage], None],
) -> Coverage:
    """Check batches in so many processes until there are none, or `is_over`.

    An interrupt ends the processes; `show` has seen all that is known by then.
    """
    total = Coverage()
    busy: dict[Connection, tuple[_Worker, Numbers]] = {}
    idle: list[_Worker] = []
    pending = iter(work)
    try:
        while True:
            while len(busy) < jobs and not is_over(total):
                numbers = next(pending, None)
                if numbers is None:
                    break
                worker = idle.pop() if idle else _start(seed)
                worker.pipe.send(numbers)
                busy[worker.pipe] = worker, numbers
            if not busy:
                return total
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker, numbers = busy.pop(pipe)
                try:
                    total.add(pipe.recv())
                    idle.append(worker)
                except (EOFError, OSError):  # at an end, or in the middle of a word
                    pending = itertools.chain(
                        _after_crash(total, worker, numbers), pending
                    )
                show(total)
    finally:
        for worker in [*idle, *(w for w, _ in busy.values())]:
            worker.process.kill()


def _after_crash(total: Coverage, worker: _Worker, numbers: Numbers) -> list[Numbers]:
    """Return what is left to check when a process has ended: each program alone."""
    worker.process.join()
    first, count = numbers
    if count > 1:
        return [(number, 1) for number in range(first, first + count)]
    detail = f"it ended with code {worker.process.exitcode}"
    total.programs += 1
    total.findings.append(Finding(first, CRASHES, detail))
    return []
