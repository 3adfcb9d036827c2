"""Run the fuzzer on each planted fault, and say which it finds.

    python -m tests.planted.drive                      # 60 s for each at most
    python -m tests.planted.drive --seconds 20 --seed 7 plan-reuses-one-too-early

Seconds are those that the processes compute: a busy machine finds no less. A fault is
killed when the fuzzer finds anything, or fails itself; it stops there.
`--list` prints what each one breaks.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.planted.faults import Fault, all_faults, plant

SLOWER = 10  # times the seconds given, and so many more, after which the fuzzer hangs
LIMIT = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        sys.exit(fuzz_here(given.seed, given.seconds, given.jobs))
    faults = all_faults()
    unknown = set(given.names) - {f.name for f in faults}
    if unknown:
        parser.error(f"no fault of that name: {', '.join(sorted(unknown))}")
    chosen = [f for f in faults if not given.names or f.name in given.names]
    if given.list:
        for fault in chosen:
            say(f"{fault.name}: {fault.says}")
        return
    killed = 0
    for fault in chosen:
        start = time.monotonic()
        found = hunt(fault, given.seed, given.seconds, given.jobs)
        killed += bool(found)
        verdict = f"killed   {found}" if found else "SURVIVED"
        say(f"{fault.name:<36} {time.monotonic() - start:5.1f} s  {verdict}")
    say(f"{killed} of {len(chosen)} killed")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def hunt(fault: Fault | None, seed: int, seconds: float, jobs: int) -> str:
    """Return what the fuzzer finds in sources with a fault, or ""."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant(fault, folder)
        command = [sys.executable, "-m", "tests.planted.drive", "--inside"]
        command += [f"--seed={seed}", f"--seconds={seconds}", f"--jobs={jobs}"]
        # No object of other sources: not the thread pool's either.
        cache = {"TENSORC_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": name}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **cache},
                capture_output=True,
                text=True,
                timeout=seconds * SLOWER + LIMIT,
            )
        except subprocess.TimeoutExpired:
            return "the fuzzer hangs"
        if done.returncode == 0:
            return done.stdout.strip()
        errors = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        return f"the fuzzer fails: {errors[-1][:100]}"


def fuzz_here(seed: int, seconds: float, jobs: int) -> int:
    """Fuzz the sources of the current folder; print the first finding."""
    # Not above: these are the sources with the fault.
    from tensorc.fuzz import session

    assert Path(session.__file__).is_relative_to(Path.cwd())

    def is_over(known: session.Coverage) -> bool:
        return bool(known.findings) or known.seconds > seconds * jobs

    known = session.run(
        seed, session.batches(None, None), jobs, is_over, lambda _: None
    )
    for finding in known.findings[:1]:
        say(f"by {known.programs:,}: {finding.relation}: {finding.detail[:100]}")
    return 0


if __name__ == "__main__":
    main()
