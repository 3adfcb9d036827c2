"""The third tutorial on real data: LeNet, against PyTorch in double precision.

The validation errors are those of the same program in PyTorch, float32; that of the
first epoch is the tutorial's own figure.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli.main import run

EXAMPLES = Path(__file__).parents[2] / "examples"
LENET = EXAMPLES / "lenet.tc"

# Validation errors after each epoch, in percent.
ERRORS = (9.23, 6.17, 4.64, 3.50, 3.02)
# The costs of the first batches, and what the params add up to behind them, in f64.
COSTS = (2.3025851, 2.2841619, 2.2632814, 2.2402787, 2.2195895, 2.1938308)
SUMS = {
    "conv1.W": 48.56072115401117,
    "conv1.b": 0.039075607455796434,
    "conv2.W": 1080.4595902641718,
    "conv2.b": 0.02388988291228377,
    "hidden.W": 13588.227305161348,
    "hidden.b": 0.017959145250490596,
    "output.W": 14.971646660324934,
    "output.b": 0.03374817103222462,
}


def first_weights():
    """Return the tutorial's, whose convolution flips them: a correlation does not."""
    rng = np.random.RandomState(23455)

    def uniform(fans, shape):
        bound = np.sqrt(6 / fans)
        return rng.uniform(-bound, bound, shape).astype("f")

    weights = {"conv1.W": uniform(150, (20, 1, 5, 5))[:, :, ::-1, ::-1]}
    weights["conv2.W"] = uniform(812, (50, 20, 5, 5))[:, :, ::-1, ::-1]
    weights["hidden.W"] = uniform(1300, (800, 500))
    shapes = {"conv1.b": 20, "conv2.b": 50, "hidden.b": 500}
    shapes |= {"output.W": (500, 10), "output.b": 10}
    return {**weights, **{name: np.zeros(s, "f") for name, s in shapes.items()}}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("lenet") / "lenet.npz"
    np.savez(path, **first_weights())
    return path


def trained(weights, epochs, report):
    options = ["--init", str(weights), "--json", str(report), "--quiet"]
    assert run(["train", str(LENET), "--set", f"epochs={epochs}", *options]) == 0
    history = json.loads(report.read_text())["history"]
    return [100 * record["validation_error"] for record in history]


def test_the_first_steps_are_those_of_the_reference(weights):
    model = tc.load(LENET)
    assert model.restore(weights) == []
    rows = tc.data.mnist(EXAMPLES / "data" / "mnist").train.columns
    costs = []
    for i in range(len(COSTS)):
        batch = slice(500 * i, 500 * i + 500)
        costs.append(float(model.train(rows["x"][batch], rows["y"][batch])))
    np.testing.assert_allclose(costs, COSTS, rtol=1e-6)
    for name, total in SUMS.items():
        value = model.shared[name].get_value().astype(float)
        assert np.abs(value).sum() == pytest.approx(total, rel=1e-6), name


@pytest.mark.slow
def test_the_first_epoch_is_the_tutorials(weights, tmp_path):
    found = trained(weights, 1, tmp_path / "out.json")
    np.testing.assert_allclose(found, ERRORS[:1], rtol=0, atol=0.05)


@pytest.mark.slow
def test_the_tutorials_script_learns_the_same():
    """Layers as objects, and a graph: its kernels are flipped when it runs."""
    command = [sys.executable, str(EXAMPLES / "lenet.py"), "1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"epoch 1: cost ([\d.]+), validation error ([\d.]+)%", printed)
    assert found
    assert float(found[1]) == pytest.approx(0.9168, abs=1e-3)
    assert float(found[2]) == pytest.approx(ERRORS[0], abs=0.05)


def test_one_object_serves_all_batches(weights):
    """A row has the same bits in every batch."""
    model = tc.load(LENET)
    model.restore(weights)
    x = tc.data.mnist(EXAMPLES / "data" / "mnist").valid.columns["x"][:1000]
    whole = model.logits(x)
    for size in (1, 2, 7, 500):
        assert model.logits(x[:size]).tobytes() == whole[:size].tobytes()
    assert model.logits(x[:0]).shape == (0, 10)


def test_first_weights_are_drawn_as_the_tutorial_draws_them():
    model = tc.load(LENET)
    for name, own in first_weights().items():
        value = model.shared[name].get_value()
        assert value.shape == own.shape
        if not own.any():
            assert not value.any()
            continue
        assert np.abs(value).max() <= np.abs(own).max() * 1.02
        assert value.std() == pytest.approx(own.std(), rel=0.06)
