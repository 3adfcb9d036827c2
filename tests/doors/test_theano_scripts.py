"""The scripts of examples/theano, run as a user runs them, with short settings."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doors.test_examples import TRIVIAL

SCRIPTS = Path(__file__).parents[2] / "examples" / "theano"


def run(name, *arguments):
    """Return what a script prints; it must say nothing else."""
    command = [sys.executable, "-m", "tensorc.theano", str(SCRIPTS / name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_S0208_S0209_the_trivial_example_prints_the_tutorials_lines():
    printed = run("trivial.py")
    found = re.findall(r"(?:Weights|Output): +(.+)", printed)
    wanted = re.findall(r"(?:Weights|Output): +(.+)", TRIVIAL)
    # The tutorial prints a pass's weights, then its output.
    pairs = zip(wanted[2::2], wanted[1::2], strict=True)
    assert found == [wanted[0], *(line for pair in pairs for line in pair)]
    assert len(found) == 21


def test_logistic_regression_learns_the_digits():
    printed = run("logistic_sgd.py", "3", "600")
    errors = re.findall(r"validation error ([\d.]+)", printed)
    assert errors == ["12.458333", "11.010417", "10.312500"]


def test_a_script_that_is_not_there_is_named():
    command = [sys.executable, "-m", "tensorc.theano", "no_such.py"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "there is no file no_such.py" in result.stderr


@pytest.mark.parametrize("argument", [[], ["--help"]])
def test_usage_is_said(argument):
    command = [sys.executable, "-m", "tensorc.theano", *argument]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "usage: python -m tensorc.theano SCRIPT.py" in result.stdout + result.stderr
    assert result.returncode == (0 if argument else 2)
