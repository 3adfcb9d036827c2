"""`tensorc fuzz`: random programs, interpreted and compiled in many ways."""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import rich_click as click

from tensorc.cli.completion import paths
from tensorc.cli.options import (
    check_output,
    make_directory,
    path_option,
    time_option,
    write_output,
)
from tensorc.fuzz import session
from tensorc.fuzz.case_file import case_text
from tensorc.fuzz.check import BUILDS, Mismatch
from tensorc.fuzz.reduce import Failure, reduced
from tensorc.fuzz.region_recipes import ALL_RECIPES
from tensorc.fuzz.session import CRASHES, Coverage, Finding
from tensorc.recipes import TIME, RecipeKind
from tensorc.runtime.threads import processors

MISMATCH = 4  # exit code: a numerical check failed
_DURATION = RecipeKind(
    *("a number of seconds above 0", TIME.has_type),
    lambda value: isinstance(value, float) and value > 0,
)
_MOST_CASES = 5  # failures that are made small and written
_REDUCE_SECONDS = 60.0
_LINE_SECONDS = 1.0  # between lines of progress


@dataclass
class _Watch:
    """The time of a run, what is known of it, and the line of progress."""

    seed: int
    seconds: float | None
    start: float = field(default_factory=time.monotonic)
    known: Coverage = field(default_factory=Coverage)
    shown: float = 0
    stop: float | None = None

    @property
    def elapsed(self) -> float:
        return (self.stop or time.monotonic()) - self.start

    def is_over(self, _: Coverage) -> bool:
        return self.seconds is not None and self.elapsed >= self.seconds

    def show(self, coverage: Coverage) -> None:
        """Note what is known; write a line where somebody looks."""
        self.known = coverage
        if sys.stderr.isatty() and self.elapsed - self.shown > _LINE_SECONDS:
            self.shown = self.elapsed
            line = f"{coverage.programs:,} programs, {len(coverage.findings)} findings"
            print(f"\r{line} ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line of progress, and stop the clock."""
        self.stop = time.monotonic()
        if self.shown:
            print(file=sys.stderr)


@click.command("fuzz")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, help="Which programs."
)
@time_option(
    "--seconds", kind=_DURATION, help="How long to go on; 60 without --programs."
)
@click.option(
    "--programs", "count", metavar="N", type=click.IntRange(1), help="How many at most."
)
@click.option(
    "--first", metavar="N", type=int, help="Begin with this program, not the survey."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    default=processors,
    show_default="one for each processor",
    help="How many processes.",
)
@click.option(
    "--out",
    metavar="DIR",
    shell_complete=paths,
    default=".",
    help="Where to write failing tests; it is made if it is not there.",
)
@path_option("--json", "report", metavar="FILE", help="Write the report, too.")
def command(
    seed: int,
    seconds: float | None,
    count: int | None,
    first: int | None,
    jobs: int,
    out: str,
    report: str | None,
) -> int:
    """Look for bugs of the compiler with random programs.

    Each program is interpreted, and compiled fused and not, at -O0 and at -O3, for one
    thread and for two, with inputs of any layout: all results are the same bits.
    Derivatives are compared with differences, too. The same seed gives the same
    programs. What fails is made small and written as a test; the exit code is 4 then.
    """
    make_directory(out)
    check_output(report)
    watch = _Watch(seed, 60.0 if seconds is None and count is None else seconds)
    try:
        session.run(
            seed, session.batches(first, count), jobs, watch.is_over, watch.show
        )
    finally:  # an interrupt leaves what is known by now
        watch.end()
        print(_table(watch))
    return _report(watch, Path(out), report)


def _report(watch: _Watch, out: Path, report: str | None) -> int:
    """Write the failures and the report; return the exit code."""
    files = _write_cases(watch.seed, watch.known.findings, out)
    if report is not None:
        write_output(report, _as_json(watch, files))
    return MISMATCH if watch.known.findings else 0


def _table(watch: _Watch) -> str:
    """Return the coverage as a table, and the rest of the report below it."""
    known = watch.known
    names = sorted(cls.name for cls in ALL_RECIPES)
    lines = [f"{'op':<22}{'times':>9}{'programs':>10}"]
    lines += [f"{n:<22}{known.ops[n]:>9,}{known.used_by[n]:>10,}" for n in names]
    minutes = watch.elapsed / 60
    each = 1000 * known.seconds / max(known.programs, 1)
    lines += [
        "",
        f"seed {watch.seed}: {known.programs:,} programs in {watch.elapsed:.1f} s, "
        f"{known.programs / minutes:,.0f} a minute, {each:.0f} ms of a processor each",
        f"ops of a program: {known.median} in the median; an op is used "
        f"{min(known.ops[n] for n in names):,} times at least",
    ]
    lines += [f"{what}: {number:,}" for what, number in sorted(known.counts.items())]
    lines += [f"mismatches: {len(known.findings):,}"]
    return "\n".join(lines)


def _write_cases(seed: int, findings: list[Finding], out: Path) -> dict[int, str]:
    """Make failures small and write them; return the files by the programs' numbers."""
    files: dict[int, str] = {}
    for finding in findings:
        if finding.number in files:
            continue
        again = f"tensorc fuzz --seed {seed} --first {finding.number} --programs 1"
        print(f"program {finding.number}: {finding.relation}: {finding.detail}")
        print(f"  again: {again}")
        if finding.relation != BUILDS and len(files) < _MOST_CASES:
            path = out / f"fuzz-{seed}-{finding.number}.mlir"
            write_output(str(path), _case(seed, finding))
            files[finding.number] = str(path)
            print(f"  test: {path}")
    return files


def _case(seed: int, finding: Finding) -> str:
    program, call = session.failing(seed, finding)
    found = Mismatch(program.name, finding.relation, finding.detail, finding.call)
    failure = Failure(program, call, found)
    if finding.relation != CRASHES:  # or this process would end, too
        failure = reduced(failure, _REDUCE_SECONDS)
    return case_text(failure.program, failure.call, failure.found)


def _as_json(watch: _Watch, files: dict[int, str]) -> str:
    known = watch.known
    return json.dumps(
        {
            "seed": watch.seed,
            "programs": known.programs,
            "seconds": watch.elapsed,
            "processor_seconds": known.seconds,
            "median_ops": known.median,
            "ops": {
                cls.name: {
                    "times": known.ops[cls.name],
                    "programs": known.used_by[cls.name],
                }
                for cls in ALL_RECIPES
            },
            "counts": dict(known.counts),
            "mismatches": [
                {
                    "program": f.number,
                    "relation": f.relation,
                    "detail": f.detail,
                    "file": files.get(f.number),
                }
                for f in known.findings
            ],
        },
        indent=2,
    )
