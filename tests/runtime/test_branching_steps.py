"""Steps with branches in epochs: each batch takes its own, as a call would."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import program as api

SOURCE = """
param W: f64[4, 2] = 0.5
state skipped: i64 = 0

step train(x: f64[B, 4], y: f64[B, 2], i: int[B]) -> (cost: f64) {
    cost = mean((x @ W - y) ** 2)
    if cost > 3 {
        W <- W - 0.05 * grad(cost, W)
    } else {
        skipped <- skipped + 1
        if sum(x) > 0 {
            cost = cost + sum(x[i])
        }
    }
    return cost
}
"""
ROWS, BATCH = 60, 6


def load(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(SOURCE)
    return api.load(path)


def data(last_index):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(ROWS, 4)), rng.normal(size=(ROWS, 2)) * 2
    i = rng.integers(0, BATCH, ROWS)
    i[-1] = last_index
    return {"x": x, "y": y, "i": i}


def test_an_epoch_takes_the_branches_that_calls_take(tmp_path):
    columns = data(0)
    native, called = load(tmp_path), load(tmp_path)
    history = tc.fit(native.train, columns, batch=BATCH, epochs=3)
    costs = []
    for _ in range(3):
        for k in range(0, ROWS, BATCH):
            costs.append(called.train(*[c[k : k + BATCH] for c in columns.values()]))
    for name in ("W", "skipped"):
        left, right = (getattr(p, name).get_value() for p in (native, called))
        assert left.tobytes() == right.tobytes()
    taken = int(called.skipped.get_value())
    assert 0 < taken < len(costs)
    assert history.epochs[-1].train_cost == pytest.approx(np.mean(costs[-10:]))


@pytest.mark.parametrize("last", range(2))
def test_an_index_of_a_branch_that_is_not_taken_is_not_looked_at(tmp_path, last):
    columns = data(BATCH)  # out of range
    k = ROWS - BATCH
    columns["x"][k:] = -np.abs(columns["x"][k:]) * (1 if last else -1)
    columns["y"][k:] = columns["x"][k:] @ np.full((4, 2), 0.5)  # the cost is 0
    program = load(tmp_path)
    before = program.W.get_value()
    arguments = [c[k:] for c in columns.values()]
    if last:
        assert program.train(*arguments) == 0
        assert program.skipped.get_value() == 1
    else:
        with pytest.raises(IndexError, match=f"index {BATCH} is out of range"):
            program.train(*arguments)
        assert program.skipped.get_value() == 0
    assert (program.W.get_value() == before).all()
