"""`benchmarks/bits.py`, which compares the bits of two versions, runs on this one."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bits(*arguments: str) -> list[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "bits.py"), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.splitlines()


def test_programs_are_kept_and_hashed(tmp_path: Path) -> None:
    bits("write", str(tmp_path), "--programs", "3")
    lines = bits("hash", str(tmp_path))
    # One hash for each call: code that is fused and code that is not agree.
    assert len(lines) == 6
    assert all(re.fullmatch(r"p[0-2] (tame|nasty) \w+", line) for line in lines)
    assert lines == bits("hash", str(tmp_path))


def test_the_kept_lines_are_of_that_form() -> None:
    head, *lines = (ROOT / "benchmarks" / "bits.txt").read_text().splitlines()
    assert head.startswith("# ")
    programs = [line for line in lines if line.startswith("p")]
    assert len(programs) == 4000
    assert all(re.fullmatch(r"p\d+ (tame|nasty) \w+", line) for line in programs)
