"""Which run is the same: for `save`, which writes over no other, and for `resume`."""

import json

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli import main
from tensorc.runtime.files.tensor_file import read_tensors, write_tensors
from tensorc.runtime.training.content import digest_of_data

RNG = np.random.default_rng(5)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = RNG.integers(0, 2, 50)
DATA = {"x": X, "y": Y}
OTHERS = {
    "values": {"x": X + np.float32(1), "y": Y},
    "fewer rows": {"x": X[:30], "y": Y[:30]},
    "last row": {"x": np.vstack([X[:-1], X[:1]]), "y": Y},
}


def run(data=DATA, start=0.0, **options):
    W = tc.shared(np.full((3, 2), start, "float32"), "W")

    @tc.step
    def train(x, y, lr=0.1):
        cost = tc.mean(tc.cross_entropy(x @ W, y))
        tc.update(W, W - lr * tc.grad(cost, W))
        return cost

    tc.fit(train, data, **{"batch": 10, "epochs": 2, **options})
    return W.get_value().tobytes()


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_are_another_run(tmp_path, name):
    run(save=tmp_path)
    last = tmp_path / "last.safetensors"
    before = last.read_bytes()
    with pytest.raises(tc.TensorcError, match=r"TC0807.*data have changed") as caught:
        run(OTHERS[name], save=tmp_path)
    assert "continue that run" not in str(caught.value)
    with pytest.raises(tc.TensorcError, match=r"TC0804.*data have changed"):
        run(OTHERS[name], resume=tmp_path, epochs=3)
    assert last.read_bytes() == before
    run(OTHERS[name], save=tmp_path, overwrite=True)
    assert last.read_bytes() != before


def test_copies_of_the_data_are_the_same_run(tmp_path):
    run(save=tmp_path)
    run({"y": Y.copy(), "x": np.asfortranarray(X)}, save=tmp_path)
    run({"y": Y.copy(), "x": X[::-1].copy()[::-1]}, resume=tmp_path, epochs=3)


def test_another_start_is_another_run(tmp_path):
    run(save=tmp_path)
    run(save=tmp_path)
    words = r"TC0807.*it is of a run that began with other values"
    with pytest.raises(tc.TensorcError, match=words) as caught:
        run(start=1.0, save=tmp_path)
    assert "continue that run" in str(caught.value)
    # What it goes on from, it began with: the same command is that run again.
    whole = run(epochs=3)
    assert run(start=1.0, save=tmp_path, resume=tmp_path, epochs=3) == whole
    assert run(save=tmp_path, epochs=3) == whole


def test_a_best_alone_is_not_written_over(tmp_path):
    run(save=tmp_path)
    last, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    last.rename(best)
    words = r"TC0807.*best\.safetensors would be written over: it is a checkpoint of"
    with pytest.raises(tc.TensorcError, match=words) as caught:
        run(batch=5, save=tmp_path)
    assert "continue that run" not in str(caught.value)
    run(save=tmp_path)
    best.write_bytes(b"weights of somebody")
    with pytest.raises(tc.TensorcError, match=r"TC0807.*best\.safetensors"):
        run(save=tmp_path)


def test_a_checkpoint_of_before_goes_on_with_any_data(tmp_path):
    run(save=tmp_path)
    path = tmp_path / "last.safetensors"
    file = read_tensors(path, 1 << 30)
    document = json.loads(file.metadata["tensorc"])
    del document["same"]["content"], document["begun"]
    write_tensors(path, file.arrays, {"tensorc": json.dumps(document)})
    run(OTHERS["values"], start=2.0, resume=tmp_path, epochs=3)
    run(OTHERS["values"], start=2.0, save=tmp_path)


MODEL = """\
param w: float[3] = 0
step train(x: float[B, 3]) -> float {
    cost = mean((x @ w - 1)**2)
    w <- w - 0.1 * grad(cost, w)
    return cost
}
fit { data = npz("d.npz")  batch = 10  step = train  epochs = 2 }
"""


def test_data_are_summed_up_once_and_only_for_runs_that_are_kept(tmp_path, monkeypatch):
    (tmp_path / "m.tc").write_text(MODEL)
    np.savez(tmp_path / "d.npz", x_train=X)
    summed = []

    def counting(data):
        summed.append(data)
        return digest_of_data(data)

    monkeypatch.setattr("tensorc.api.program.digest_of_data", counting)
    command = ["train", str(tmp_path / "m.tc"), "--quiet"]
    kept = ["--save", str(tmp_path / "kept")]
    assert main.run(command) == 0
    tc.load(str(tmp_path / "m.tc")).fit()
    assert len(summed) == 0
    assert main.run([*command, *kept]) == 0
    assert len(summed) == 1
    assert main.run([*command, *kept, "--resume", kept[1], "--set", "epochs=3"]) == 0
    assert len(summed) == 2
