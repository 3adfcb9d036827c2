"""The examples of the symbolic door, run as a user runs them."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc

EXAMPLES = Path(__file__).parents[2] / "examples"

TRIVIAL = """Weights:  [0.1  0.25 0.15 0.3 ]
Output:  0.8
Weights:  [19.94 20.09 19.99 20.14]
Output:  80.16000000000001
Weights:  [23.908 24.058 23.958 24.108]
Output:  96.03200000000001
Weights:  [24.7016 24.8516 24.7516 24.9016]
Output:  99.2064
Weights:  [24.86032 25.01032 24.91032 25.06032]
Output:  99.84128
Weights:  [24.892064 25.042064 24.942064 25.092064]
Output:  99.968256
Weights:  [24.8984128 25.0484128 24.9484128 25.0984128]
Output:  99.9936512
Weights:  [24.89968256 25.04968256 24.94968256 25.09968256]
Output:  99.99873024
Weights:  [24.89993651 25.04993651 24.94993651 25.09993651]
Output:  99.99974604799999
Weights:  [24.8999873 25.0499873 24.9499873 25.0999873]
Output:  99.99994920960002
Weights:  [24.89999746 25.04999746 24.94999746 25.09999746]
"""


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not result.stderr
    return result.stdout


def test_trivial_prints_seed_002():
    assert run("trivial.py") == TRIVIAL


def test_gradient_descent_prints_S025():
    lines = run("gradient_descent.py").splitlines()
    costs = [float(line) for line in lines[:-1]]
    assert len(costs) == 25
    assert costs[0] == 421.0
    assert costs[1:5] == pytest.approx([67.99, 11.5084, 2.471344, 1.02541504])
    assert costs[-1] == 0.75
    assert float(lines[-1].split()[-1]) == pytest.approx(-0.49999999769, abs=1e-11)


def test_logreg_learns():
    last = run("logreg.py", "2").splitlines()[-1]
    found = re.fullmatch(r"epoch 2: cost ([\d.]+), error ([\d.]+)%", last)
    assert found
    assert float(found[1]) == pytest.approx(0.535, abs=1e-3)
    assert float(found[2]) == pytest.approx(11.0104, abs=0.05)


def test_two_layer_learns():
    last = run("two_layer.py", "1").splitlines()[-1]
    assert float(last.split()[-1]) < 0.15


ONE_HOT = """One-hot: [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
Zero-one loss: 1.0000 against 1.0000
Classification error: 0.3333 against 0.3333
Negative log-likelihood: 4.1352 against 1.9173
Cross-entropy: 1.3784 against 0.6391
Squared error: 0.8067 against 0.3400
"""


def test_one_hot_and_losses_prints_seed_004():
    printed = run("one_hot_and_losses.py")
    assert printed.startswith(ONE_HOT)
    found = re.findall(r"Step (\d+): NLL ([\d.]+), L1 ([\d.]+), L2 ([\d.]+)", printed)
    assert [int(step) for step, *_ in found] == [0, 33, 66, 99]
    likelihoods = [float(nll) for _, nll, _, _ in found]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert likelihoods[0] == pytest.approx(1.1102, abs=1e-3)
    assert likelihoods[-1] == pytest.approx(0.7144, abs=1e-3)


# Of the same program in PyTorch, float32.
RESIDUAL = (2.3025854, 2.3043597, 2.2972953, 2.3072567, 2.2965302, 2.2997661)


@pytest.mark.slow
def test_the_residual_network_begins_as_the_reference_does():
    spec = importlib.util.spec_from_file_location("resnet", EXAMPLES / "resnet.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    rows = tc.data.mnist(EXAMPLES / "data" / "mnist").train.columns
    parts = [slice(100 * i, 100 * i + 100) for i in range(len(RESIDUAL))]
    costs = [float(model.train(rows["x"][p], rows["y"][p])) for p in parts]
    np.testing.assert_allclose(costs, RESIDUAL, rtol=1e-6)
    assert model.error(rows["x"][:100], rows["y"][:100]) <= 1


@pytest.mark.slow
def test_the_residual_network_learns():
    last = run("resnet.py", "1").splitlines()
    found = re.fullmatch(r"epoch 1: cost ([\d.]+), error ([\d.]+)%", last[0])
    assert found
    assert float(found[1]) == pytest.approx(1.063, abs=0.01)
    assert float(found[2]) < 12


def test_an_autoencoder_finds_the_image_again():
    spec = importlib.util.spec_from_file_location(
        "denoising", EXAMPLES / "autoencoder.py"
    )
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    images = tc.data.mnist(EXAMPLES / "data" / "mnist").train.columns["x"]
    before = model.error(images[:200])
    costs = [float(model.train(images[20 * i : 20 * i + 20])) for i in range(200)]
    assert model.error(images[:200]) < before / 3
    assert np.mean(costs[-20:]) < 0.6 * np.mean(costs[:20])
    assert model.rng.state.get_value()[1] == 200


def test_dropout_trains():
    model = tc.load(str(EXAMPLES / "mlp_dropout.tc"), n=100, seed=2)
    rows = tc.data.mnist(EXAMPLES / "data" / "mnist").train.columns
    x, y = rows["x"], rows["y"]
    costs = [
        float(model.train(x[i : i + 100], y[i : i + 100]))
        for i in range(0, 30_000, 100)
    ]
    assert np.mean(costs[-20:]) < 0.5 * np.mean(costs[:20])
    assert model.error(x[-5000:], y[-5000:]) < 0.1
