"""`benchmarks/compare.py` and `compile.py` measure, and write a page and a plot."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "benchmarks" / "compare.py")
STEPS = ("join", "call", "loss_grad", "attention_grad")
PRODUCTS = ("gemm512_tn", "gemm512_tt", "gemm512_known", "batched_wide", "dot")
TRAINING = ("20x784x10", "20x784x10_dW", "20x784x10_dx")
KEPT = "## Compiling\n\nWritten by another script.\n"


@pytest.mark.slow
def test_a_short_run_writes_a_page_and_a_plot(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(f"An older page.\n\n{KEPT}")
    only = ",".join([*STEPS, *PRODUCTS, "20x784x10*"])
    command = [sys.executable, SCRIPT, "--threads=1", f"--only={only}"]
    command += ["--rounds=1", "--seconds=0.01", f"--out={page}"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    text = page.read_text()
    for name in (*STEPS, *PRODUCTS, *TRAINING):
        # Unit, ours, NumPy's, the ratio.
        assert re.search(rf"\| {name} \| [mu]s \| [\d.]+ .*\*\*[\d.]+\*\*", text)
    for name in (*PRODUCTS, *TRAINING):
        assert re.search(rf"\| {name} \| .* \| \d+ \| \d+% \|", text)
    for name in (*STEPS, *PRODUCTS):  # the most megabytes, ours and NumPy's
        assert re.search(rf"\| {name} \| [\d.]+ \| [\d.]+ \| [\d.]* \|", text)
    # All peers computed the same.
    assert "failed" not in text
    assert not re.search(r"gave .* not", text)
    assert re.search(r"registers \| 1 \| [\d.]+ GFLOP/s", text)
    assert re.search(r"mean of the ratios \*\*[\d.]+\*\*, the worst .* of 3 are", text)
    assert text.endswith(KEPT)
    assert "An older page" not in text
    assert (tmp_path / "results.svg").read_text().startswith("<svg")


def test_a_workload_that_there_is_not() -> None:
    command = [sys.executable, SCRIPT, "--only=join,gem1024"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "no workload is called gem1024" in done.stderr


@pytest.mark.slow
def test_programs_are_compiled_as_often_as_they_are_named() -> None:
    script = str(ROOT / "benchmarks" / "peers" / "compiling.py")
    done = subprocess.run(
        [sys.executable, script, "tensorc"],
        input="chain 20\nchain 20\nlogreg\n",
        check=True,
        capture_output=True,
        text=True,
    )
    ready, *seconds = done.stdout.splitlines()
    assert ready == ""
    assert len(seconds) == 3
    # Nothing is kept between them.
    assert all(float(given) > 0.01 for given in seconds)
