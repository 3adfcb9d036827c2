"""The examples of the tracer, run as a user runs them."""

import re
import subprocess
import sys

from tests.doors.test_examples import run


def test_jit():
    lines = run("jit.py").splitlines()
    assert lines[0] == "step 0: loss 3.372449"
    assert "y = 3.000 x + -0.500" in lines
    assert lines[-1] == "compiled for x: f64[_, _], W: f64[_, _]: the first call"


def test_mlp_learns():
    first, last = run("mlp.py", "1").splitlines()
    found = re.fullmatch(r"epoch 1: cost ([\d.]+), error ([\d.]+)%", first)
    assert found
    assert float(found[1]) < 0.9
    assert float(found[2]) < 11
    assert re.fullmatch(r"test error [\d.]+%, [\d,]+ steps/s", last)


def test_the_first_five_minutes_of_the_language_page():
    text = """
import numpy as np, tensorc as tc

@tc.jit
def predict(x, W): return np.tanh(x @ W).sum(axis=1)
print(predict(np.ones((3, 4)), np.ones((4, 2))).shape)
"""
    command = [sys.executable, "-W", "error", "-"]
    result = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr) == ("(3,)\n", "")
