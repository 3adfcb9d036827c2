"""What the kernels of a step take while it trains: `tensorc train --profile`."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tensorc.api.benching.measuring import Spent, result_of, spent_in
from tensorc.api.benching.result import Bench
from tensorc.api.benching.timed import TimedFunction, compile_timed
from tensorc.api.program import Program
from tensorc.profiling.limits import limits_now
from tensorc.profiling.times import Times
from tensorc.recipes import Fit
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CallFrame, CompiledFunction
from tensorc.runtime.signature import CallPlan
from tensorc.runtime.training.history import History, Progress

_SHOWN = 10_000  # launches of the trace


class Profiled(CompiledFunction):
    """A function that keeps the plan of its last call."""

    plan: CallPlan | None = None

    def take_frame(self, plan: CallPlan, hypers: Mapping[str, Array]) -> CallFrame:
        """Return a frame, as ever."""
        self.plan = plan
        return super().take_frame(plan, hypers)


@dataclass(slots=True)
class Profile:
    """The launches of a step, epoch by epoch."""

    timed: TimedFunction
    function: Profiled
    times: Times
    batches: int = 0  # of an epoch
    slices: list[Array] = field(default_factory=list)  # of the epoch that runs
    epochs: list[Spent] = field(default_factory=list)
    first: Array | None = None

    def on_progress(self, progress: Progress) -> None:
        """Take what ran since the last slice, before there is no room for more."""
        self.batches = progress.batches
        self.slices.append(self.times.take())

    def on_epoch(self) -> None:
        """End an epoch."""
        launches = np.concatenate([*self.slices, self.times.take()])
        self.slices.clear()
        if self.first is None:
            self.first = launches[:_SHOWN]
        self.epochs.append(spent_in(self.timed, launches))

    def result(self, history: History) -> Bench | None:
        """Return means over the whole epochs of a training; None if there was none."""
        if self.first is None or self.function.plan is None:
            return None
        limits = limits_now()
        # The last epoch may have ended early.
        epochs = [e for e in self.epochs if e.runs == self.epochs[0].runs]
        seconds = self.batches / max(history.steps_per_second, 1e-9)
        one = "epoch", seconds, min([seconds, *[sum(e.seconds) for e in epochs]])
        return result_of(
            self.timed,
            self.function.plan,
            limits,
            epochs,
            one,
            self.times.lost,
            self.first,
            statistics.fmean,
        )


def profile(program: Program, recipe: Fit) -> Profile:
    """Compile the step of a recipe so that it is timed; training then runs it."""
    functions, begun = program.functions, time.perf_counter()
    code = compile_timed(functions.source.emit([recipe.step]), functions.options)
    (timed,) = code.functions
    function = functions.keep(timed.info, code.library, Profiled)
    functions.compile_seconds += time.perf_counter() - begun
    times = Times()
    function.times = times.address
    return Profile(timed, function, times)
