"""What was measured of a function: tables, JSON, a trace."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path

from tensorc.profiling.limits import Limits
from tensorc.tables import (
    Table,
    html_of,
    spell_rate,
    spell_seconds,
    text_of,
)

FORMAT = 1  # of the JSON
_RATES = ["GFLOP/s", "GB/s", "of limit"]
_COLUMNS = ["kernel", "time", "share", *_RATES, "source", "computes"]


@dataclass(frozen=True, slots=True)
class KernelTime:
    """What a kernel takes in a call: median and least seconds of all its launches.

    `runs` is how often it runs in a call. `flops` and `bytes` are those of a call,
    `possible` the seconds that they take at the limits of the machine, of which
    `bound` is the one that counts: "arithmetic" or "memory"; "" where sizes are not
    known.
    """

    number: str
    source: str
    computes: str
    runs: int
    seconds: float
    least: float
    flops: int
    bytes: int
    possible: float
    bound: str


@dataclass(frozen=True, slots=True)
class Event:
    """A launch in one call: its kernel by index, and seconds from the begin."""

    kernel: int
    begin: float
    end: float


def subject_of(name: str, sizes: Mapping[str, object]) -> str:
    """Return a function with the sizes of its arguments, as titles name it."""
    return ", ".join([name, *[f"{symbol}={size}" for symbol, size in sizes.items()]])


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured of a function; printed, it is a table.

    `unit` is what `seconds` and those of kernels are for: a "call", or an "epoch" of a
    training, of which there were `calls`. `lost` are launches whose times had no room.
    """

    name: str
    sizes: Mapping[str, int]
    limits: Limits
    unit: str
    calls: int
    seconds: float
    least: float
    kernels: tuple[KernelTime, ...]
    lines: Mapping[str, float]
    lost: int
    events: tuple[Event, ...]

    @property
    def subject(self) -> str:
        """The function with its sizes: `train, B=600`."""
        return subject_of(self.name, self.sizes)

    @property
    def between(self) -> float:
        """The seconds of a call outside of kernels: the call itself, and its memory."""
        return max(self.seconds - sum(k.seconds for k in self.kernels), 0.0)

    def __str__(self) -> str:
        return text_of(self._title(), self._tables()) + "\n"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(self._title(), self._tables())

    def _title(self) -> str:
        threads = f"{self.limits.threads} thread{'s'[: self.limits.threads - 1]}"
        return (
            f"{self.subject}: {spell_seconds(self.seconds)} for one {self.unit}, "
            f"the least {spell_seconds(self.least)}, of {self.calls:,}; {threads}"
            + (f"; without {self.lost:,} launches, too many" if self.lost else "")
        )

    def _tables(self) -> list[Table]:
        return [self._limit_table(), self._kernel_table(), self._line_table()]

    def _limit_table(self) -> Table:
        limits = self.limits
        flops = [f"{rate / 1e9:.0f} GFLOP/s {e}" for e, rate in limits.flops.items()]
        shown = [
            limits.bytes[0],
            limits.bytes[len(limits.bytes) // 2],
            limits.bytes[-1],
        ]
        moved = [f"{rate / 1e9:.0f} GB/s at {_spell_size(s)}" for s, rate in shown]
        rows = [["arithmetic", ", ".join(flops)], ["memory", ", ".join(moved)]]
        return Table("the machine, measured now", rows)

    def _kernel_table(self) -> Table:
        share = self.between / self.seconds if self.seconds else 0.0
        rest = ["", spell_seconds(self.between), f"{share:.1%}"]
        rows = [
            _COLUMNS,
            *[self._row(kernel) for kernel in self.kernels],
            [*rest, "", "", "", "", "between kernels"],
        ]
        return Table("kernels", rows, (), frozenset({1, 2, 3, 4, 5}))

    def _row(self, kernel: KernelTime) -> list[str]:
        seconds = kernel.seconds
        share = seconds / self.seconds if self.seconds else 0.0
        rates = ["", "", ""]
        if seconds and kernel.bound:
            of_limit = f"{kernel.possible / seconds:.0%}"
            rates = [spell_rate(kernel.flops / seconds) if kernel.flops else ""]
            rates += [spell_rate(kernel.bytes / seconds), of_limit]
        times = f" x {kernel.runs:,}" if kernel.runs != 1 else ""
        return [
            f"{kernel.number}{times}",
            spell_seconds(seconds),
            f"{share:.1%}",
            *rates,
            kernel.source,
            kernel.computes,
        ]

    def _line_table(self) -> Table:
        rows = [
            [line, spell_seconds(seconds), f"{seconds / max(self.seconds, 1e-12):.1%}"]
            for line, seconds in self.lines.items()
        ]
        heading = "lines (a kernel's time is shared out by what its parts compute)"
        return Table(heading, rows, (), frozenset({1, 2}))

    def to_json(self) -> str:
        """Return all of it as JSON."""
        document = {"format": FORMAT, **asdict(self), "between": self.between}
        return json.dumps(document, indent=1)

    def trace(self) -> str:
        """Return the launches of one call in the format of Chrome's traces."""
        events = [
            {
                "name": f"{self.kernels[e.kernel].computes}",
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": e.begin * 1e6,
                "dur": (e.end - e.begin) * 1e6,
                "args": {
                    "kernel": self.kernels[e.kernel].number,
                    "source": self.kernels[e.kernel].source,
                    "flops": self.kernels[e.kernel].flops,
                    "bytes": self.kernels[e.kernel].bytes,
                },
            }
            for e in self.events
        ]
        return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"})

    def save_trace(self, path: str | PathLike[str]) -> None:
        """Write the launches of one call as a Chrome trace, which Perfetto shows."""
        Path(fspath(path)).write_text(self.trace(), encoding="utf-8")


def _spell_size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
