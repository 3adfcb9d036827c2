"""What was measured, as a page and a plot."""

import html
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peers.inputs import (
    BY_NAME,
    CONVS,
    LARGE,
    LIMITS,
    ORDERS,
    STEPS,
    TRAINING,
    WORKLOADS,
    Workload,
)

OURS = "tensorc"
COMPILING = "## Compiling"  # the section that compile.py writes
_SCALE = {"us": 1e6, "ms": 1e3}
Key = tuple[str, int]  # a peer, and its threads


@dataclass
class Record:
    """What the rounds of a workload gave in a peer: seconds, and what others used."""

    check: float
    seconds: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    memory: float | None = None  # the most bytes beyond its arrays, if measured

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)


Results = Mapping[str, Mapping[Key, Record]]


def bound(workload: Workload, limits: Mapping[str, float]) -> float:
    """Return the least seconds that arithmetic and memory allow, 0 if unknown.

    `limits` are rates: flops and bytes a second.
    """
    if not limits:
        return 0.0
    both = workload.read + workload.written
    memory = limits["triad"] if workload.written else limits["read"]
    return max(_work(workload) / limits["fma"], both / memory)


def _work(workload: Workload) -> float:
    """Return flops as if of 32 bits: a vector has half as many numbers of 64."""
    return workload.flops * workload.bits / 32


def best_peer(
    records: Mapping[Key, Record], threads: int, only: str = ""
) -> tuple[str, Record] | None:
    """Return the fastest of the others with so many threads, or one of a name."""
    found = [
        (peer, record)
        for (peer, count), record in records.items()
        if count == threads and peer != OURS and only in ("", peer)
    ]
    return min(found, key=lambda pair: pair[1].median, default=None)


def ratios(results: Results, threads: int, peer: str = "") -> dict[str, float]:
    """Return our median over the best peer's, for each workload that both ran.

    Or over that of one peer.
    """
    found = {}
    for name, records in results.items():
        ours, other = records.get((OURS, threads)), best_peer(records, threads, peer)
        if ours is not None and other is not None:
            found[name] = ours.median / other[1].median
    return found


def page(
    results: Results,
    limits: Mapping[int, Mapping[str, float]],
    head: Sequence[str],
    notes: Sequence[str],
) -> str:
    """Return the page of results in Markdown."""
    lines = ["# Results", "", "Written by `python benchmarks/compare.py`.", ""]
    lines += [*head, "", "![our time over the best peer's](results.svg)", ""]
    lines += ["## Limits of the machine, in the same run", ""]
    lines += ["| | threads | |", "|---|--:|--:|"]
    for limit in LIMITS:
        for threads, rates in limits.items():
            if limit.name in rates:
                rate = f"{rates[limit.name] / 1e9:.1f} {limit.unit}"
                lines.append(f"| {limit.what} | {threads} | {rate} |")
    for threads in sorted({t for r in results.values() for _, t in r}):
        lines += ["", f"## {threads} thread{'s' if threads > 1 else ''}", ""]
        lines += _tables(results, threads, limits.get(threads, {}))
    lines += [*_scaling(results), *_memory(results)]
    listed = [w for w in WORKLOADS if w.name in results]
    named = [w for w in listed if w.part not in (TRAINING, CONVS)]
    lines += ["", "## Workloads", "", *[f"- `{w.name}`: {w.what}" for w in named]]
    if any(w.part == TRAINING and w.name in results for w in WORKLOADS):
        lines.append(
            "- `MxKxN`: the product of a layer, `x [M, K] @ W [K, N]`; `_dW` the "
            "weight's gradient, `x.T @ d`; `_dx` the input's, `d @ W.T`"
        )
    if any(w.part == CONVS for w in listed):
        lines.append(
            "- `lenet_conv1`, `b8_64x56_3x3_128s2`: a layer of LeNet at batch 500, one "
            "of ResNet-18 (batch 8, 64 channels of 56 x 56, 128 filters of 3 x 3, "
            "stride 2); `_dw` the gradient by its filters, `_dx` by its images"
        )
    if notes:
        lines += ["", "## Notes", "", *[f"- {note}" for note in notes]]
    return "\n".join(lines) + "\n"


def _tables(results: Results, threads: int, limits: Mapping[str, float]) -> list[str]:
    """Return the tables of a number of threads, one for each part that was measured."""
    lines: list[str] = []
    for part, title in (
        (STEPS, ""),
        (ORDERS, "### Orders"),
        (CONVS, "### Convolutions"),
        (LARGE, "### Products"),
        (TRAINING, "### Products of training"),
    ):
        some = {
            w.name: results[w.name]
            for w in WORKLOADS
            if w.part == part and w.name in results
        }
        if some:
            lines += ["", title, ""] if title else []
            lines += _table(some, threads, limits, products=part not in (STEPS, ORDERS))
        if some and part in (TRAINING, CONVS):
            lines += _summary(some, threads)
        if some and part == CONVS:
            some = {n: r for n, r in some.items() if not n.startswith("lenet")}
            lines += _summary(
                some, threads, "torch", "ResNet's over PyTorch as it is: "
            )
    return lines


def _summary(
    results: Results, threads: int, peer: str = "", words: str = ""
) -> list[str]:
    """Return a line on many workloads: the geometric mean of ratios, and the worst.

    They are those to one peer, or to the best.
    """
    over = ratios(results, threads, peer)
    if not over:
        return []
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in over.values()))
    worst = max(over, key=lambda name: over[name])
    above = sum(ratio > 1.05 for ratio in over.values())
    text = f"{words}Geometric mean of the ratios **{mean:.2f}**, the worst "
    text += f"**{over[worst]:.2f}** ({worst}); {above} of {len(over)} are above 1.05."
    return ["", text]


def _memory(results: Results) -> list[str]:
    """Return the part of the page on the most memory that a run takes."""
    found = {
        name: {p: r.memory for (p, _), r in records.items() if r.memory is not None}
        for name, records in results.items()
    }
    peers = sorted({p for r in found.values() for p in r} - {OURS})
    if not peers:
        return []
    lines = ["", "## Peak memory", ""]
    lines += ["The most megabytes that a run takes beyond the arrays it is given: "]
    lines[-1] += "weights, results and what lies between; one thread."
    lines += ["", f"| workload | {OURS} | {' | '.join(peers)} | over the least |"]
    lines += [f"|---|{'--:|' * (len(peers) + 2)}"]
    for name, most in found.items():
        least = min((most[p] for p in peers if p in most), default=0.0)
        cells = [f"{most[p] / 1e6:.1f}" if p in most else "" for p in (OURS, *peers)]
        ratio = f"{most[OURS] / least:.2f}" if OURS in most and least else ""
        if most:
            lines.append(f"| {name} | {' | '.join(cells)} | {ratio} |")
    return lines


def kept_sections(path: Path) -> str:
    """Return what another script wrote to the page: all from `COMPILING` on."""
    text = path.read_text() if path.exists() else ""
    _, found, rest = text.partition(f"\n{COMPILING}\n")
    return f"\n{COMPILING}\n{rest}" if found else ""


def _scaling(results: Results) -> list[str]:
    """Return the part of the page on what a second thread brings."""
    shares = {}
    for name, records in results.items():
        alone, both = (records.get((OURS, threads)) for threads in (1, 2))
        if alone is not None and both is not None:
            shares[name] = both.median / alone.median
    if not shares:
        return []
    lines = ["", "## Our time with 2 threads over 1", ""]
    lines.append(", ".join(f"{name} {share:.2f}" for name, share in shares.items()))
    return [*lines[:-1], f"{lines[-1]}."]


def _table(
    results: Results, threads: int, limits: Mapping[str, float], products: bool
) -> list[str]:
    peers = sorted({p for r in results.values() for p, t in r if t == threads})
    peers = [OURS, *[p for p in peers if p != OURS]]
    last = ["over the limit", *(["GFLOP/s", "of peak"] if products else [])]
    columns = [*peers, "over the best", "over NumPy", *last]
    lines = [f"| workload | unit | {' | '.join(columns)} |"]
    lines += [f"|---|---|{'--:|' * len(columns)}"]
    over = ratios(results, threads)
    for name, records in results.items():
        workload = BY_NAME[name]
        scale = _SCALE[workload.unit]
        cells = []
        for peer in peers:
            record = records.get((peer, threads))
            cells.append("" if record is None else _spell(record, scale))
        ratio = over.get(name)
        least, ours = bound(workload, limits), records.get((OURS, threads))
        times = f"{ours.median / least:.1f}" if ours is not None and least else ""
        numpy = records.get(("numpy", threads))
        both = ours is not None and numpy is not None
        over_numpy = f"{ours.median / numpy.median:.2f}" if both else ""
        row = [name, workload.unit, *cells]
        row += ["" if ratio is None else f"**{ratio:.2f}**", over_numpy, times]
        row += _speed(workload, ours, limits) if products else []
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _speed(
    workload: Workload, ours: Record | None, limits: Mapping[str, float]
) -> list[str]:
    """Return the cells on arithmetic: its rate, and the share of what can be."""
    if ours is None or not workload.flops:
        return ["", ""]
    rate = f"{workload.flops / ours.median / 1e9:.0f}"
    if not limits:
        return [rate, ""]
    return [rate, f"{_work(workload) / ours.median / limits['fma']:.0%}"]


def _spell(record: Record, scale: float) -> str:
    median, least = record.median * scale, min(record.seconds) * scale
    return f"{median:.3g} ({least:.3g})"


def plot(results: Results) -> str:
    """Return a picture: our time over the best peer's, a bar for each thread count."""
    by_threads = {t: ratios(results, t) for t in (1, 2)}
    shown = [w.name for w in WORKLOADS if w.part not in (TRAINING, CONVS, ORDERS)]
    names = [name for name in shown if any(name in r for r in by_threads.values())]
    width, left, row = 640, 130, 30
    zero, unit = left + 240, 100  # where 1 is, and how long a factor of 2 is
    parts = []
    for i, name in enumerate(names):
        y = 40 + i * row
        parts.append(_text(left - 8, y + 15, name, "end"))
        for j, colour in ((1, "#4c78a8"), (2, "#f58518")):
            ratio = by_threads[j].get(name)
            if ratio is None:
                continue
            end = zero + max(-2.3, min(2.3, math.log2(ratio))) * unit
            x, length = min(zero, end), abs(end - zero)
            top = y + (j - 1) * 11
            parts.append(
                f'<rect x="{x:.1f}" y="{top}" width="{length:.1f}" height="10" '
                f'fill="{colour}"/>'
            )
            parts.append(_text(max(zero, end) + 4, top + 9, f"{ratio:.2f}", "start"))
    height = 60 + len(names) * row
    parts.append(
        f'<line x1="{zero}" x2="{zero}" y1="30" y2="{height - 20}" stroke="#888"/>'
    )
    title = "time over the best peer's (1 thread above, 2 below); left is faster"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        + _text(width / 2, 18, title, "middle")
        + "".join(parts)
        + "</svg>\n"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )
