"""The second tutorial on real data: the published errors of its first epochs."""

import json
from pathlib import Path

import numpy as np

import tensorc as tc
from tensorc.cli.main import run

MLP = Path(__file__).parents[2] / "examples" / "mlp.tc"

# Validation errors of the tutorial's script in percent, with these first weights.
PUBLISHED = (9.62, 8.61, 8.00, 7.60, 7.30, 7.02, 6.68, 6.26, 5.97, 5.74)
EPOCHS = 2  # ten take half a minute


def test_the_perceptron_follows_the_tutorial(tmp_path):
    bound = np.sqrt(6 / (784 + 500))
    W1 = np.random.RandomState(1234).uniform(-bound, bound, (784, 500))
    zeros = {"b1": np.zeros(500), "W2": np.zeros((500, 10)), "b2": np.zeros(10)}
    start, report = tmp_path / "w.npz", tmp_path / "out.json"
    np.savez(start, W1=W1.astype(np.float32), **zeros)
    options = ["--init", str(start), "--json", str(report), "--quiet"]
    assert run(["train", str(MLP), "--set", f"epochs={EPOCHS}", *options]) == 0
    history = json.loads(report.read_text())["history"]
    found = [100 * record["validation_error"] for record in history]
    np.testing.assert_allclose(found, PUBLISHED[:EPOCHS], rtol=0, atol=0.02)


def test_its_own_first_weights_are_those_of_glorot():
    model = tc.load(MLP)
    bound = np.sqrt(6 / 1284)
    values = model.W1.get_value()
    assert values.dtype == np.float32
    assert np.abs(values).max() < bound
    assert abs(values.std() - bound / np.sqrt(3)) < 1e-4
    assert not model.W2.get_value().any()
    assert (tc.load(MLP, seed=1).W1.get_value() != values).mean() > 0.99
