"""Call a function that is timed again and again, and say what its kernels took."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.api.benching.drawing import Probed, drawn
from tensorc.api.benching.result import Bench, Event, KernelTime
from tensorc.api.benching.timed import TimedFunction, Work
from tensorc.ir.dims import VALUE, evaluate
from tensorc.profiling.limits import Limits, limits_now
from tensorc.profiling.times import Times
from tensorc.runtime.arrays import Array
from tensorc.runtime.cpu import Library
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.signature import CallPlan

SECONDS = 1.0
_BLOCK = 0.1  # seconds between which shared variables get their first values back
_LEAST, _MOST = 5, 10_000  # calls


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a timed function, and what it is bound to.

    Without `inputs` they are drawn, with these `sizes`.
    """

    timed: TimedFunction
    library: Library
    shared: Mapping[str, SharedCell]
    hypers: Mapping[str, bool | int | float]
    inputs: Sequence[object] | None
    sizes: Mapping[str, int]


def measure(subject: Subject, seconds: float = SECONDS) -> Bench:
    """Call a timed function for about so many seconds, and return what it took.

    Its shared variables are copied, and have their first values again and again.
    """
    timed = subject.timed
    cells = {n: SharedCell(n, c.get_value(True)) for n, c in subject.shared.items()}
    function = Probed(timed.info, subject.library, cells, subject.hypers)
    times = Times()
    function.times = times.address
    if subject.inputs is None:
        arrays = drawn(function, subject.sizes)
    else:
        arrays, _ = function.signature.collect(subject.inputs, {})
    plan = function.bind(arrays)
    limits = limits_now()
    calls, taken = _called(function, plan, arrays, times, seconds)
    spent = [spent_in(timed, launches) for launches in taken]
    shown = taken[calls.index(min(calls))]
    one = "call", statistics.median(calls), min(calls)
    return result_of(timed, plan, limits, spent, one, times.lost, shown)


def result_of(
    timed: TimedFunction,
    plan: CallPlan,
    limits: Limits,
    spent: Sequence["Spent"],
    one: tuple[str, float, float],
    lost: int,
    shown: Array,
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> Bench:
    """Return a result: what calls, or epochs, took, and the launches of a trace.

    `one` says what each of them is, and how long one took: usually, and at least.
    """
    values = dict(zip(timed.info.symbols, plan.symbols, strict=True))
    found = _kernels_of(timed, spent, values, limits, middle)
    unit, usual, least = one
    return Bench(
        timed.info.name,
        {name.removeprefix(VALUE): size for name, size in values.items()},
        limits,
        unit,
        len(spent),
        usual,
        least,
        tuple(found.values()),
        _lines_of({timed.works[i]: k.seconds for i, k in found.items()}, values),
        lost,
        _events_of(timed, shown, list(found)),
    )


def _called(
    function: CompiledFunction,
    plan: CallPlan,
    arrays: Sequence[Array],
    times: Times,
    seconds: float,
) -> tuple[list[float], list[Array]]:
    """Return the seconds of each call, and its launches."""
    initial = {name: cell.get_value() for name, cell in function.shared.items()}
    calls: list[float] = []
    taken: list[Array] = []
    until = time.perf_counter() + seconds
    while len(calls) < _LEAST or (len(calls) < _MOST and time.perf_counter() < until):
        for name, cell in function.shared.items():
            cell.set_value(initial[name])
        function.run(plan, arrays)
        times.take()
        block = time.perf_counter() + _BLOCK
        while not calls or time.perf_counter() < block:
            begun = time.perf_counter()
            function.run(plan, arrays)
            calls.append(time.perf_counter() - begun)
            taken.append(times.take())
            if len(calls) >= _MOST:
                break
    return calls, taken


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call, or an epoch, took: seconds and runs, by the indices of `works`."""

    seconds: tuple[float, ...]
    runs: tuple[int, ...]


def spent_in(timed: TimedFunction, launches: Array) -> Spent:
    """Return what launches took, i64[launches, 3] as `Times.take` gives them."""
    owners, works = timed.owners, timed.works
    number, begun, ended = (launches[:, i].astype(np.int64) for i in range(3))
    seconds = np.bincount(number, (ended - begun) * 1e-9, len(owners)).tolist()
    counts = np.bincount(number, minlength=len(owners)).tolist()
    spent, runs = [0.0] * len(works), [0] * len(works)
    for owner, lasted, count in zip(owners, seconds, counts, strict=True):
        spent[owner] += lasted
        # A kernel may be several launches, as what packs a matrix and what reads it.
        runs[owner] = max(runs[owner], count)
    return Spent(tuple(spent), tuple(runs))


def _kernels_of(
    timed: TimedFunction,
    spent: Sequence[Spent],
    values: Mapping[str, int],
    limits: Limits,
    middle: Callable[[Sequence[float]], float],
) -> dict[int, KernelTime]:
    """Return what was done, by the indices of `works`, in their order."""
    found = {}
    for i, work in enumerate(timed.works):
        if runs := spent[-1].runs[i]:
            seconds = [s.seconds[i] for s in spent]
            times = middle(seconds), min(seconds)
            found[i] = _kernel(work, runs, times, values, limits)
    return found


def _kernel(
    work: Work,
    runs: int,
    seconds: tuple[float, float],
    values: Mapping[str, int],
    limits: Limits,
) -> KernelTime:
    flops, size = evaluate(work.flops, values), evaluate(work.bytes, values)
    times = runs * evaluate(work.steps, values)
    bound = limits.bound(flops, size, work.element) if size else ""
    return KernelTime(
        work.number,
        work.source,
        work.computes,
        runs,
        *seconds,
        times * flops,
        times * size,
        times * limits.seconds(flops, size, work.element),
        bound,
    )


def _lines_of(
    times: Mapping[Work, float], values: Mapping[str, int]
) -> dict[str, float]:
    """Return the seconds of each line of the source, the longest first."""
    found: dict[str, float] = {}
    for work, seconds in times.items():
        weights = [(s.lines, evaluate(s.weight, values)) for s in work.shares]
        total = sum(weight for lines, weight in weights if lines)
        for lines, weight in weights:
            for line in lines:
                part = seconds * weight / max(total, 1) / len(lines)
                found[line] = found.get(line, 0.0) + part
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _events_of(
    timed: TimedFunction, launches: Array, works: Sequence[int]
) -> tuple[Event, ...]:
    """Return the launches of a call, given the work that each kernel is."""
    kernels = {work: kernel for kernel, work in enumerate(works)}
    begun = int(launches[0, 1]) if len(launches) else 0
    return tuple(
        Event(kernels[timed.owners[n]], (first - begun) * 1e-9, (last - begun) * 1e-9)
        for n, first, last in launches.tolist()
    )
