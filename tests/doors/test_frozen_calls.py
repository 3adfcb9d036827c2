"""What would be done once, while a function is traced, is refused there."""

import pickle

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

MODEL = """\
param W: f64[3] = 0
fn f(x: f64[B, 3]) -> f64[B] = x @ W
step train(x: f64[B, 3]) -> f64 {
    cost = mean(x @ W)
    W <- W - 0.1 * grad(cost, W)
    return cost
}
"""
W, V = tc.shared(np.ones(3), "W"), tc.shared(np.ones(3))
GROUP = tc.group(W)
A = tc.dvector("a")
TIMES = tc.function([A], A * W, name="times")
TRIPLE = tc.jit(lambda a: a * 3 + W)
FORM = TRIPLE.specialize(np.ones(3))
PLAIN = tc.function([A], A * 2, name="plain")


@tc.step
def trained(x):
    tc.update(W, W + tc.sum(x))


# What is done, and what the message says to do.
CALLS = {
    "get_value": (lambda p, d, x: W.get_value() * x, "write `W`"),
    "borrowed": (lambda p, d, x: W.get_value(borrow=True) * x, "write `W`"),
    "added to": (lambda p, d, x: added(W.get_value(), x), "write `W`"),
    "unnamed": (lambda p, d, x: V.get_value() * x, "write `W`"),
    "set_value": (lambda p, d, x: W.set_value(np.zeros(3)), "write `tc.update(W, …)`"),
    "set to x": (lambda p, d, x: W.set_value(x), "write `tc.update(W, …)`"),
    "group": (lambda p, d, x: GROUP.get_value()[0] * x, "write `W`"),
    "set group": (
        lambda p, d, x: GROUP.set_value([np.zeros(3)]),
        "tc.update(params, …)",
    ),
    "of a file": (lambda p, d, x: p.W.get_value() * x, "write `W`"),
    "params": (lambda p, d, x: p.params.get_value()[0] * x, "write `W`"),
    "function": (lambda p, d, x: TIMES(np.ones(3)) * x, "write its formula here"),
    "function of x": (lambda p, d, x: TIMES(x), "write its formula here"),
    "no memory": (lambda p, d, x: PLAIN(np.ones(3)) * x, "call it outside"),
    "copy": (lambda p, d, x: TIMES.copy()(np.ones(3)), "write its formula here"),
    "eval": (lambda p, d, x: W.sum().eval() * x, "use it as it is"),
    "eval of x": (lambda p, d, x: x.sum().eval(), "use it as it is"),
    "program": (lambda p, d, x: p.f(np.ones((2, 3))), "call it outside"),
    "step": (lambda p, d, x: p.train(np.ones((2, 3))), "call it outside"),
    "program of x": (lambda p, d, x: p.f(x[None]), "write its formula here"),
    "specialize": (lambda p, d, x: TRIPLE.specialize(np.ones(3)), "call it outside"),
    "form": (lambda p, d, x: FORM(np.ones(3)) * x, "call it outside"),
    "cell": (lambda p, d, x: p.shared["W"].get_value() * x, "write `program.W`"),
    "borrowed cell": (
        lambda p, d, x: p.shared["W"].get_value(borrow=True) * x,
        "write `program.W`",
    ),
    "set cell": (
        lambda p, d, x: p.shared["W"].set_value(np.zeros(3)),
        "write `tc.update(program.W, …)`",
    ),
    "train": (lambda p, d, x: p.fit(), "call it outside"),
    "fit": (
        lambda p, d, x: tc.fit(trained, {"x": np.ones(4)}, batch=2),
        "call it outside",
    ),
    "save": (lambda p, d, x: tc.save(d / "a.npz", [W]), "call it outside"),
    "restore": (lambda p, d, x: tc.restore(d / "a.npz", [W]), "call it outside"),
    "save all": (lambda p, d, x: p.save(d / "a.npz"), "call it outside"),
    "restore all": (lambda p, d, x: p.restore(d / "a.npz"), "call it outside"),
}


def added(total, x):
    total += x
    return total


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.tc"
    path.write_text(MODEL)
    return tc.load(path)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("door", [tc.jit, tc.step, tc.grad])
def test_what_would_be_done_once_is_refused(name, door, program, tmp_path):
    call, way_out = CALLS[name]

    def f(x):
        call(program, tmp_path, x)
        return tc.sum(x)

    before = W.get_value()
    with pytest.raises(TypeError, match=r"test_frozen_calls\.py") as caught:
        door(f)(np.ones(3))
    assert "f is traced: once, and not in each call" in said(caught.value)
    assert way_out in said(caught.value)
    np.testing.assert_array_equal(W.get_value(), before)
    assert not list(tmp_path.iterdir())


def test_outside_of_a_trace_all_is_as_before():
    value = W.get_value()
    assert tc.jit(lambda x: x + W)(np.ones(3)).tolist() == (value + 1).tolist()
    W.set_value(value)
    assert TIMES(np.ones(3)).tolist() == value.tolist()
    assert W.sum().eval() == value.sum()
    assert FORM(np.ones(3)).tolist() == (value + 3).tolist()


def test_cells_of_a_program_are_read_and_set_outside(program):
    cell = program.shared["W"]
    before = cell.get_value()
    cell.set_value(before + 1)
    assert program.W.get_value().tolist() == (before + 1).tolist()
    again = pickle.loads(pickle.dumps(program)).shared["W"]
    with pytest.raises(TypeError, match=r"write `program\.W`"):
        tc.jit(lambda x: again.get_value() * x)(np.ones(3))
    cell.set_value(before)
