"""A traceback of an error ends at the user's own line, without frames of tensorc."""

from pathlib import Path
from traceback import walk_tb

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import InternalError
from tensorc.frontend.library.mistakes import hide_our_frames, hiding

MODEL = "param W: f64[3] = 0\nfn f(x: f64[B, 3]) -> f64[B] = x @ W\n"
PACKAGE = str(Path(tc.__file__).parent)
X, Y, V, N = tc.dmatrix("x"), tc.dmatrix("y"), tc.dvector("v"), tc.lscalar("n")
W = tc.shared(np.ones(3), "W")
GROUP = tc.group(W)
DOUBLE = tc.function([X], X * 2)
TRACED = tc.jit(lambda a: a + 1)
FOUR = tc.shared(np.ones(4))

# What is wrong at each door; `p` is a program, `d` an empty directory.
DIRECT = {
    "method": lambda p, d: W.reshape((2, -1)),
    "operator": lambda p, d: W + FOUR,
    "product": lambda p, d: W @ FOUR,
    "reflected": lambda p, d: "a" + W,
    "comparison": lambda p, d: W < "a",
    "truth": lambda p, d: bool(X),
    "iteration": lambda p, d: list(N),
    "length": lambda p, d: len(N),
    "attribute": lambda p, d: X.foo,
    "index": lambda p, d: W[9],
    "kind of index": lambda p, d: W["a"],
    "store": lambda p, d: W.__setitem__(0, 1),
    "place": lambda p, d: W.at["q"].set(1),
    "new values": lambda p, d: W.at[0].set("a"),
    "axis": lambda p, d: tc.sum(W, axis=4),
    "option": lambda p, d: tc.sum(W, axes=1),
    "nothing": lambda p, d: tc.sum(),
    "text": lambda p, d: tc.exp("a"),
    "name": lambda p, d: tc.foo,
    "planned name": lambda p, d: tc.vmap,
    "of NumPy": lambda p, d: np.sum(W, axis=4),
    "of NumPy alone": lambda p, d: np.linalg.svd(W),
    "sequence": lambda p, d: np.concatenate([X, V]),
    "type": lambda p, d: W.astype("foo"),
    "variable": lambda p, d: tc.vector(3),
    "derivative": lambda p, d: tc.grad(X, X),
    "evaluation": lambda p, d: X.eval({X: np.ones(2)}),
    "graph": lambda p, d: tc.function([X], [Y]),
    "too many": lambda p, d: DOUBLE(1, 2),
    "shape": lambda p, d: DOUBLE(np.ones(3)),
    "argument": lambda p, d: DOUBLE(q=1),
    "traced too many": lambda p, d: TRACED(1, 2, 3),
    "traced text": lambda p, d: TRACED("a"),
    "specialization": lambda p, d: TRACED.specialize(),
    "no function": lambda p, d: tc.jit(3),
    "value": lambda p, d: tc.shared("a"),
    "other value": lambda p, d: W.set_value(np.ones(4)),
    "group": lambda p, d: GROUP.set_value([1, 2]),
    "no file": lambda p, d: tc.load(d / "none.tc"),
    "program's shape": lambda p, d: p.f(np.ones(3)),
    "program's name": lambda p, d: p.q,
    "save": lambda p, d: tc.save(d / "a.x", [W]),
    "restore": lambda p, d: tc.restore(d / "a.npz", [W]),
    "batch": lambda p, d: tc.fit(DOUBLE, {"x": np.ones((4, 4))}, batch=9),
    "data": lambda p, d: tc.data.npz(d / "no.npz"),
    "update": lambda p, d: tc.update(W, 1),
    "traced derivative": lambda p, d: tc.grad(lambda a: a)(np.ones(3)),
}
# What is wrong in a function that is traced, at a line of its own.
INSIDE = {
    "method": lambda a: a.reshape("four"),
    "operator": lambda a: a + "b",
    "of NumPy": lambda a: np.concatenate([a, 1]),
    "attribute": lambda a: a.foo,
    "store": lambda a: a.__setitem__(0, 1),
    "function": lambda a: tc.sum(a, axis=8),
    "number": lambda a: float(a),
    "own error": lambda a: a + 1 / 0,
    "own type error": lambda a: a + (1 + "b"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.tc"
    path.write_text(MODEL)
    return tc.load(path)


def files_of(error):
    return [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]


@pytest.mark.parametrize("name", DIRECT)
def test_it_ends_at_the_call(name, program, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (of many classes)
        DIRECT[name](program, tmp_path)
    files = files_of(caught.value)
    assert files[-1] == __file__
    assert not [file for file in files if file.startswith(PACKAGE)]


@pytest.mark.parametrize("door", [tc.jit, tc.step, tc.grad], ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", INSIDE)
def test_it_ends_at_the_line_in_a_trace(name, door):
    def outer(a):
        return tc.jit(INSIDE[name])(a)  # a part of the other

    with pytest.raises(Exception) as caught:  # noqa: PT011
        door(outer)(np.ones((2, 3)))
    files = files_of(caught.value)
    # The test, the function, and the function in it.
    assert files == [__file__] * 3


def test_all_frames_are_there_on_request(monkeypatch):
    monkeypatch.setenv("TENSORC_DEBUG", "1")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        W.reshape((2, -1))
    assert files_of(caught.value)[-1].startswith(PACKAGE)


@pytest.mark.parametrize("error", [AssertionError(), InternalError("a"), KeyError("a")])
def test_a_bug_of_ours_keeps_its_frames(error):
    source = "def fails(error):\n    raise error\n"
    space = {}
    exec(compile(source, f"{PACKAGE}/nowhere.py", "exec"), space)
    with pytest.raises(type(error)) as caught:
        hiding(space["fails"])(error)
    assert files_of(caught.value)[-1] == f"{PACKAGE}/nowhere.py"


def test_the_frames_of_numpy_stay_in_its_own_errors():
    with pytest.raises(np.linalg.LinAlgError) as caught:
        np.linalg.inv(np.ones((2, 3)))
    before = files_of(caught.value)
    assert len(before) > 1
    hide_our_frames(caught.value)
    assert files_of(caught.value) == before
