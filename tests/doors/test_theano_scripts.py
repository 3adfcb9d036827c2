"""The scripts of examples/theano, run as a user runs them, with short settings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tests.doors.test_examples import TRIVIAL

SCRIPTS = Path(__file__).parents[2] / "examples" / "theano"


def run(name, *arguments, floatX="float64"):
    """Return what a script prints; it must say nothing else."""
    command = [sys.executable, "-m", "tensorc.theano", str(SCRIPTS / name), *arguments]
    flags = {**os.environ, "THEANO_FLAGS": f"floatX={floatX}"}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=flags
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def numbers(pattern, printed):
    """Return the numbers that are printed behind some words."""
    return [float(n) for n in re.findall(rf"{pattern} ([\d.]+)", printed)]


def test_S0208_S0209_the_trivial_example_prints_the_tutorials_lines():
    printed = run("trivial.py")
    found = re.findall(r"(?:Weights|Output): +(.+)", printed)
    wanted = re.findall(r"(?:Weights|Output): +(.+)", TRIVIAL)
    # The tutorial prints a pass's weights, then its output.
    pairs = zip(wanted[2::2], wanted[1::2], strict=True)
    assert found == [wanted[0], *(line for pair in pairs for line in pair)]
    assert len(found) == 21


def test_S023_S025_S027_gradient_descent_prints_the_costs():
    lines = run("gradient_descent.py").splitlines()
    assert lines[0] == "[array([17., 39.])]"
    costs = [float(line) for line in lines[1:26]]
    wanted = [421.0, 67.99, 11.5084, 2.471344, 1.02541504]
    assert costs[:5] == pytest.approx(wanted, rel=1e-14)
    assert (costs[-1], float(lines[26])) == pytest.approx((0.75, -0.49999999769))


def test_S029_S02B_S02C_the_network_of_two_layers_learns():
    printed = run("two_layer.py", "4", "3000", floatX="float32")
    costs, errors = numbers(":", printed), numbers("/", printed)
    assert len(errors) == 4
    assert errors[-1] < 0.5 * errors[0]
    assert costs[-1] < costs[0]


def test_S040_to_S04E_the_pieces_of_the_notes():
    printed = run("notes.py")
    assert numbers("wrong:", printed.replace(",", "")) == [1, 1]
    assert numbers("entropy:", printed) == [1.3784, 0.6391]
    assert "[[0. 2. 0. 4. 0.]\n [0. 0. 0. 0. 0.]]" in printed  # S041's draw
    assert "(500, 784) int32" in printed
    assert "[[1. 0.]\n [0. 1.]\n [1. 0.]\n [0. 1.]\n [0. 1.]\n [1. 0.]]" in printed
    losses = numbers("loss is", printed)
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)


def test_S015_S031_logistic_regression_validates_each_epoch():
    printed = run("logistic_sgd.py", "3", "100", "1000")
    errors = numbers("validation error", printed)
    assert errors == pytest.approx(logistic(3, 100, 1000), abs=1e-4)


def logistic(epochs, batch, limit):
    """Return the validation errors of the same training in NumPy, in percent."""
    data = tc.data.mnist(SCRIPTS.parent / "data" / "mnist")
    (x, y), (valid_x, valid_y) = (
        (np.float64(p.columns["x"][:limit]), p.columns["y"][:limit])
        for p in (data.train, data.valid)
    )
    W, b, errors = np.zeros((784, 10)), np.zeros(10), []
    for _ in range(epochs):
        for start in range(0, limit, batch):
            part, labels = x[start : start + batch], y[start : start + batch]
            p = np.exp(part @ W + b)
            slope = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[labels]) / batch
            W, b = W - 0.13 * part.T @ slope, b - 0.13 * slope.sum(axis=0)
        errors.append(100 * np.mean((valid_x @ W + b).argmax(axis=1) != valid_y))
    return errors


@pytest.mark.slow
def test_logistic_regression_learns_all_digits():
    printed = run("logistic_sgd.py", "3", "600")
    errors = re.findall(r"validation error ([\d.]+)", printed)
    assert errors == ["12.458333", "11.010417", "10.312500"]


@pytest.mark.parametrize(
    ("script", "settings", "most"),
    [
        ("mlp.py", ("3", "2000"), 24),
        ("convolutional_mlp.py", ("3", "1000", "50"), 30),
    ],
)
def test_networks_learn(script, settings, most):
    printed = run(script, *settings, floatX="float32")
    errors = numbers("validation error", printed)
    assert len(errors) == 3
    assert errors[-1] < min(errors[0], most)
    (best,) = numbers("best validation", printed)
    assert best == min(errors)


def test_the_denoising_autoencoder_learns_with_noise_and_without():
    printed = run("dA.py", "3", "1000", floatX="float32")
    plain, noisy = (
        numbers(rf"corruption {level}, epoch \d, cost", printed)
        for level in ("0.0", "0.3")
    )
    for costs in (plain, noisy):
        assert len(costs) == 3
        assert costs[2] < costs[1] < costs[0] < 200
    assert plain[2] < noisy[2]


def test_the_stacked_autoencoder_learns_layer_by_layer_and_then_whole():
    printed = run("SdA.py", "2", "2", "1000", floatX="float32")
    for layer in (0, 1):
        first, second = numbers(rf"layer {layer}, epoch \d, cost", printed)
        assert second < first
    errors = numbers("validation error", printed)
    assert errors[1] < errors[0]
    assert errors[1] < 40


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
