"""Hostile inputs: whatever stands in a file, the answer is a diagnostic, and soon.

The number of inputs of each kind, and the seed, come from the environment:

    TENSORC_MUTATIONS=20000 TENSORC_MUTATION_SEED=7 pytest tests/hostile
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.files import File, files, sound, wrong_answer

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("TENSORC_MUTATIONS", "0"))
SEED = os.environ.get("TENSORC_MUTATION_SEED", "1")
# How many make some seconds; each kind has had its 20,000 with other seeds.
COUNTS = {"tc": 200, "mlir": 250, "data": 800, "cache": 500}
# What must be refused, at least: mutations that change nothing would test nothing.
REFUSED = {"tc": 0.5, "mlir": 0.5, "data": 0.7, "cache": 0.7}


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_inputs_give_diagnostics_only(kind: str, tmp_path: Path) -> None:
    """A process of its own for each kind, so that a crash of it is seen."""
    count = COUNT or COUNTS[kind]
    progress = tmp_path / "progress"
    environment = {**os.environ, "TENSORC_PROGRESS": str(progress)}
    command = [sys.executable, "-m", "tests.hostile.drive", kind, SEED, "0", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    reached = progress.read_text() if progress.exists() else "none"
    assert done.returncode in (0, 1), f"{kind} {SEED} {reached}: {done.stderr[-5000:]}"
    report = json.loads(done.stdout)
    for number, wrong in report["failures"][:10]:
        sys.stdout.write(f"--- {kind} {SEED} {number}\n{wrong}\n")
    assert not report["failures"]
    assert report["count"] == count
    assert REFUSED[kind] * count < count - report["accepted"] < count


@pytest.mark.parametrize("file", files(), ids=lambda f: f.name)
def test_files_cut_off_anywhere(file: File, tmp_path: Path) -> None:
    sound(file, tmp_path)
    refused = 0
    # The end and the start of each, and places between them.
    size = len(file.content)
    step = 1 if COUNT else max(1, size // 150)
    for length in {*range(0, size, step), *range(min(40, size)), size - 1, size - 2}:
        accepted, wrong = wrong_answer(file, file.content[:length], tmp_path)
        assert not wrong, f"{length} bytes: {wrong}"
        refused += not accepted
    assert refused > 0.8 * 40
