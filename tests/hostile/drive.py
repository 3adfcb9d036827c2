"""Feed damaged inputs to `tensorc`, and say which of them it did not take well.

    python -m tests.hostile.drive tc 1 0 500      # kind, seed, first number, count
    python -m tests.hostile.drive tc 1 17 1 -v    # number 17 alone, with its output

Each number is an input of its own, so that one can be had again without the others.
A process does not survive a crash: whoever starts it sees that, and in the file
`progress` which input it was. What is written to stdout is a `Report` as JSON.
"""

import contextlib
import faulthandler
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tensorc.cli import main
from tests.hostile.corpus import mlir_corpus, tc_corpus
from tests.hostile.files import files, wrong_answer, wrong_entry
from tests.hostile.mutate import damage_bytes, damage_text

SECONDS = 1.0  # of the processor, for one input
COMPILING = 20.0  # for one that is right, down to object code
MEMORY = 512 << 20
KEPT = 50  # failures that are described


class TooSlowError(BaseException):
    """Not an Exception: nothing may catch it on its way."""


@dataclass
class Report:
    """How many inputs there were, what became of them, and what went wrong."""

    count: int = 0
    accepted: int = 0
    deeper: int = 0
    slowest: float = 0.0
    codes: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)


Case = Callable[[random.Random, Path, Report], str]


def main_of(arguments: Sequence[str]) -> int:
    """Run the inputs that the arguments name, and print the report."""
    kind, seed, first, count = arguments[0], *map(int, arguments[1:4])
    faulthandler.enable()
    # A second net below the timer: what does not come back to Python at all.
    faulthandler.dump_traceback_later(max(60, count), exit=True)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        os.environ["TENSORC_DEBUG"] = "1"
        run(KINDS[kind], kind, seed, range(first, first + count), Path(folder), report)
        if "-v" in arguments:
            sys.stdout.write((Path(folder) / "said").read_text("utf-8", "replace"))
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 1 if report.failures else 0


def run(
    case: Case, kind: str, seed: int, numbers: range, folder: Path, report: Report
) -> None:
    """Run inputs and note what went wrong with each."""
    case(random.Random(0), folder, Report())  # imports, tables, caches
    progress = Path(os.environ.get("TENSORC_PROGRESS", folder / "progress"))
    for number in numbers:
        progress.write_text(str(number))
        source = random.Random(f"{kind} {seed} {number}")
        wrong = case(source, folder, report)
        report.count += 1
        if wrong and len(report.failures) < KEPT:
            report.failures.append((number, wrong))


@contextlib.contextmanager
def limits(seconds: float, memory: int) -> Iterator[None]:
    """Raise `TooSlowError` after a time, and MemoryError above a size."""

    def stop(*_: object) -> None:
        raise TooSlowError

    signal.signal(signal.SIGPROF, stop)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def command(
    arguments: Sequence[str], folder: Path, report: Report, seconds: float
) -> tuple[int, str]:
    """Run `tensorc` here; return its exit code and what is wrong with how it ended."""
    # As Python opens them: strict where text is data, escapes where it is a message.
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    start = time.process_time()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
            limits(2 * seconds, MEMORY),
        ):
            warnings.simplefilter("ignore")
            code = main.run(arguments)
    except TooSlowError as error:
        where = "".join(traceback.format_tb(error.__traceback__)[-6:])
        return -1, f"more than {2 * seconds} s\n{where}"
    except BaseException:
        return -1, f"an exception left the command\n{traceback.format_exc()}"
    taken = time.process_time() - start
    report.slowest = max(report.slowest, taken)
    err.flush()
    said = err.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    (folder / "said").write_text(said)
    return code, _wrong(code, said, taken, seconds, report)


def _wrong(code: int, said: str, taken: float, seconds: float, report: Report) -> str:
    if code not in (main.OK, main.USER_ERROR):
        return f"exit code {code}\n{said[-3000:]}"
    if "Traceback" in said or "too little memory" in said:
        return said[-3000:]
    if taken > seconds:
        return f"{taken:.2f} s"
    if not all(c.isprintable() or c == "\n" for c in said):
        return f"control characters in the message: {said!r}"[:2000]
    if code == main.USER_ERROR:
        if not said.startswith(("error[TC", "warning[TC")):
            return f"no diagnostic: {said[:500]}"
        found = said.split("[", 1)[1][:6]
        report.codes[found] = report.codes.get(found, 0) + 1
    return ""


def tc_case(source: random.Random, folder: Path, report: Report) -> str:
    """Check a damaged `.tc` file; some of those that are right are compiled."""
    corpus = tc_corpus()
    (text,) = source.choices(corpus.texts, corpus.weights)
    others = [t.text for t in corpus.texts]
    data = damage_text(source, text.text, corpus.words, others)
    file = folder / "input.tc"
    file.write_bytes(data)
    code, wrong = command(["check", str(file)], folder, report, SECONDS)
    if wrong or code:
        return wrong
    report.accepted += 1
    depth = source.random()
    if depth > 0.3:
        return ""
    report.deeper += 1
    kind = "--emit=obj" if depth < 0.05 else "--emit=loop"
    arguments = ["compile", str(file), kind, "-o", str(folder / "out")]
    return command(arguments, folder, report, COMPILING)[1]


def mlir_case(source: random.Random, folder: Path, report: Report) -> str:
    """Run passes on a damaged `.mlir` file."""
    corpus = mlir_corpus()
    (text,) = source.choices(corpus.texts, corpus.weights)
    others = [t.text for t in corpus.texts if len(t.text) < 20_000]
    file = folder / "input.mlir"
    file.write_bytes(damage_text(source, text.text, corpus.words, others))
    arguments = ["opt", str(file), *text.arguments, "-o", str(folder / "out")]
    code, wrong = command(arguments, folder, report, SECONDS)
    report.accepted += not code
    return wrong


def data_case(source: random.Random, folder: Path, report: Report) -> str:
    """Read a damaged file of data or weights."""
    file = source.choice(files())
    whole = file.inside is not None and source.random() < 0.4
    damage = file.inside if whole else partial(damage_bytes, data=file.content)
    content = damage(source)
    with limits(2 * SECONDS, MEMORY):
        accepted, wrong = wrong_answer(file, content, folder, whole)
    report.accepted += accepted
    return f"{file.name}: {wrong}" if wrong else ""


def cache_case(source: random.Random, folder: Path, report: Report) -> str:
    """Take compiled code from a damaged entry of the cache."""
    accepted, wrong = wrong_entry(source, folder)
    report.accepted += accepted
    return wrong


KINDS: dict[str, Case] = {
    "tc": tc_case,
    "mlir": mlir_case,
    "data": data_case,
    "cache": cache_case,
}


if __name__ == "__main__":
    sys.exit(main_of(sys.argv[1:]))
