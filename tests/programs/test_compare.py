"""`benchmarks/compare.py` measures, and writes a page and a plot."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_run_writes_a_page_and_a_plot(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    script = str(ROOT / "benchmarks" / "compare.py")
    command = [sys.executable, script, "--threads=1", "--only=join,call,loss_grad"]
    command += ["--rounds=1", "--seconds=0.01", f"--out={page}"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    text = page.read_text()
    for name in ("join", "call", "loss_grad"):
        # Unit, ours, NumPy's, the ratio.
        assert re.search(rf"\| {name} \| [mu]s \| [\d.]+ .*\*\*[\d.]+\*\*", text)
    # All peers computed the same.
    assert "failed" not in text
    assert not re.search(r"gave .* not", text)
    assert re.search(r"registers \| 1 \| [\d.]+ GFLOP/s", text)
    assert (tmp_path / "results.svg").read_text().startswith("<svg")
