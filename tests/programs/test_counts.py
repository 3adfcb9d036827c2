"""`benchmarks/counts.txt` says what some programs become."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAY_OUT = (
    "python benchmarks/counts.py > benchmarks/counts.txt, and say why in the commit"
)


def test_programs_become_what_the_table_says() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "counts.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found = done.stdout.splitlines()
    assert all(re.fullmatch(r"\w+ (256|512)( \d+){4}", line) for line in found[1:])
    kept = (ROOT / "benchmarks" / "counts.txt").read_text().splitlines()
    assert found == kept, WAY_OUT
