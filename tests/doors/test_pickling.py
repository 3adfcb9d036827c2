"""Copies and pickles: of whatever the doors give, together with what they share."""

import copy
import multiprocessing
import pickle
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc import driver
from tensorc.frontend.python.graph.store import NESTED, landings

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def dumped(thing, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.loads(pickle.dumps(thing, protocol))


def slow(x):
    return (x * x).sum()


def squared(x):
    return x * x


@tc.jit
def doubled(x):
    return x * 2


@tc.step
def counted(x):
    return x


fast = tc.jit(slow)
slope = tc.grad(slow)
slope_of_fast = tc.value_and_grad(fast, argnums=(0,))
element = tc.jit(np.exp)
library = tc.jit(tc.tanh)

WAYS = {
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": lambda thing, p=p: dumped(thing, p) for p in PROTOCOLS},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_cost_and_its_derivatives_go_together(way):
    """The derivative's region refers to nodes that another variable brought along."""
    x = tc.dvector("x")
    cost = tc.sum(x * x * x)
    first = tc.grad(cost, x)
    second = tc.grad(tc.sum(first), x)
    for listed in ([cost, first, second, x], [x, second, first, cost]):
        again = way(listed)
        cost2, first2, second2, x2 = again if listed[0] is cost else again[::-1]
        third = tc.grad(tc.sum(second2), x2)
        results = tc.function([x2], [cost2, first2, second2, third])([1, 2])
        for got, wanted in zip(results, [9, [3, 12], [6, 12], [6, 6]], strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_training_function_goes_with_its_memory(way):
    x = tc.dvector("x")
    w = tc.shared(np.array([1.0, 2.0]), "w")
    cost = tc.sum((x * w) ** 2)
    updates = [(w, w - 0.25 * tc.grad(cost, w))]
    train = tc.function([tc.In(x, value=[1, 1])], cost, updates=updates, name="train")
    read = tc.function([], w * 1)
    group = tc.group(w=w)
    train2, read2, w2, group2 = way([train, read, w, group])
    assert group2["w"] is w2
    assert train2() == 5.0
    for value in (w2.get_value(), read2(), group2.get_value()["w"]):
        np.testing.assert_array_equal(value, [0.5, 1.0])
    np.testing.assert_array_equal(w.get_value(), [1.0, 2.0])


def test_copies_of_a_function_keep_its_memory():
    w = tc.shared(1.0, "w")
    f = tc.function([], w, updates=[(w, w + 1)])
    assert [float(g()) for g in (copy.copy(f), f, copy.copy(f))] == [1, 2, 3]


@pytest.mark.parametrize("way", [copy.copy, *WAYS.values()], ids=["copy", *WAYS])
def test_copies_are_compiled_as_the_original_was(way, monkeypatch):
    x = tc.dvector("x")
    with tc.options(optimize=0):
        f = tc.function([x], tc.exp(x))
        program = tc.load(Path(__file__).parents[2] / "examples" / "trivial.tc")
    chosen = []
    load = driver.load

    def seen(module, options):
        chosen.append(options.optimize)
        return load(module, options)

    monkeypatch.setattr(driver, "load", seen)
    for made in (f, way(f), way(way(f))):
        assert made([0.0]).tolist() == [1.0]
    again = way(program)
    again.functions[next(iter(again.functions))]
    assert chosen == [0, 0, 0, 0]
    tc.function([x], x)
    assert chosen[-1] == 2


def test_derivatives_of_one_cost_by_several_variables():
    x, y = tc.dvector("x"), tc.dvector("y")
    cost = tc.sum(tc.tanh(x) * y)
    parts = [tc.grad(cost, x), tc.grad(cost, y), tc.grad(cost, [y, x])]
    again = dumped([*parts, x, y])
    given = np.array([0.5, 1.0]), np.array([2.0, 3.0])
    flat = [parts[0], parts[1], *parts[2]]
    wanted = tc.function([x, y], flat)(*given)
    flat2 = [again[0], again[1], *again[2]]
    for a, b in zip(tc.function(again[3:], flat2)(*given), wanted, strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_memo_may_be_kept_from_copy_to_copy():
    x = tc.dvector("x")
    memo = {}
    parts = [copy.deepcopy(p, memo) for p in (x, x * 2, tc.grad(tc.sum(x * x), x))]
    f = tc.function([parts[0]], parts[1:])
    assert [v.tolist() for v in f([3.0])] == [[6.0], [6.0]]


def test_one_pickler_may_dump_again_and_again(tmp_path):
    x = tc.dvector("x")
    path = tmp_path / "graphs.pkl"
    with path.open("wb") as file:
        pickler = pickle.Pickler(file)
        for part in (x * 2, tc.grad(tc.sum(x * x), x), x):
            pickler.dump(part)
    with path.open("rb") as file:
        unpickler = pickle.Unpickler(file)
        double, slope, again = [unpickler.load() for _ in range(3)]
    f = tc.function([again], [double, slope])
    assert [v.tolist() for v in f([3.0])] == [[6.0], [6.0]]


def test_pickles_hold_nothing_but_what_is_needed():
    """However much of the graph other copies, alive or not, have to do with."""
    x = tc.dvector("x")
    lone = len(pickle.dumps(x * 2))
    memo = {}
    copy.deepcopy((x * 2 + tc.shared(np.zeros(10_000))).sum(), memo)
    assert len(pickle.dumps(x * 2)) == lone
    once = tc.tanh(x)
    assert pickle.dumps(once) == pickle.dumps(once)


def test_sizes_of_copies_are_those_of_their_inputs():
    x, y = tc.dvector("x"), tc.dvector("y")
    part = x[: x.shape[0] // 2].sum() + y.shape[0] * x.shape[0]
    assert copy.deepcopy((x, part))[1].eval is not None
    first, second = dumped((x, y, part)), dumped((x, y, part))
    # Inputs of two loads are different ones, and so are their sizes.
    f = tc.function([*first[:2], *second[:2]], [first[2], second[2]])
    results = f([1, 2], [1, 1, 1], [1, 2, 3, 4], [1])
    assert [float(r) for r in results] == [7, 7]


def test_a_part_of_a_copy_can_be_set():
    x = tc.dvector("x")
    x2, part = dumped((x, x[1:]))
    for made, wanted in (
        (tc.set_subtensor(part, 0.0), [1, 0, 0]),
        (tc.inc_subtensor(part, 1.0), [1, 3, 4]),
    ):
        assert tc.function([x2], made)([1, 2, 3]).tolist() == wanted


def test_traced_values_are_copied_as_what_they_are():
    w = tc.shared(2.0, "w")

    @tc.step
    def step(x):
        old = copy.deepcopy(w)
        kept = copy.deepcopy({"x": [x * 2, copy.copy(x)]})
        result = kept["x"][0] + kept["x"][1] + old
        tc.update(w, old + x)
        return result

    assert float(step(1.0)) == 5.0
    assert w.get_value() == 3.0


def test_deep_and_long_graphs_in_any_order():
    """Nested a few nodes deep, and not the square of the number of variables."""
    x = tc.scalar("x")
    states = [x]
    for _ in range(700):
        states.append(tc.tanh(states[-1] * 2 + x))
    nodes = 3 * 700
    assert len(landings(states[-1].operand.value)) < 1.1 * nodes / NESTED
    limit = sys.getrecursionlimit()
    for listed in (states, states[::-1]):
        text = pickle.dumps(listed)
        assert len(text) < 1_000_000
        assert len(pickle.loads(text)) == len(states)
    assert len(copy.deepcopy(states[::50])) == 15
    assert sys.getrecursionlimit() == limit


def test_a_second_chain_beside_the_landings_is_not_nested_deeper():
    x = tc.scalar("x")
    left = right = x
    for i in range(400):
        left = left + 1
        right = right * (left if i % (NESTED - 1) == 0 else 2)
    z = left + right
    for made in (copy.deepcopy(z), dumped(z), pickle._loads(pickle._dumps(z))):
        assert repr(made) == "<variable: f32>"


def test_public_names_are_pickled_by_name():
    names = [n for n in dir(tc) if not isinstance(getattr(tc, n), types.ModuleType)]
    assert len(names) > 100
    for name in names:
        found = getattr(tc, name)
        again = dumped(found)
        assert again is found or again == found, name


def test_traced_functions_are_pickled_by_name_or_by_what_they_are_of():
    for named in (doubled, counted, fast, slope):
        assert copy.deepcopy(named) is copy.copy(named) is named
    assert dumped(doubled) is doubled
    assert dumped(counted) is counted
    assert float(dumped(fast)(np.array([1.0, 2.0]))) == 5.0
    assert dumped(slope)(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    value, (slopes,) = dumped(slope_of_fast)(np.array([1.0, 2.0]))
    assert (float(value), slopes.tolist()) == (5.0, [2.0, 4.0])
    assert float(dumped(element)(0.0)) == 1.0
    assert float(dumped(library)(0.0)) == 0.0
    of_a_step = tc.step(slow, static=())
    assert type(dumped(of_a_step)) is type(of_a_step)


def test_local_functions_are_refused_as_pythons_own():
    @tc.jit
    def local(x):
        return x

    with pytest.raises((AttributeError, pickle.PicklingError), match=r"local"):
        pickle.dumps(local)


def test_machine_code_is_refused_with_the_way_out():
    f = tc.function([], tc.constant(1.0))
    for made in (f.compiled, doubled.specialize(1.0)):
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=r"machine code[\s\S]*tc\.function"):
                way(made)


PROGRAM = """
hyper lr = 0.5
param w: f64[3] = 1
state n: i64 = 0
fn cost(x: f64[3]) -> f64 = sum(w * x)
step train(x: f64[3]) -> f64 {
    c = cost(x)
    w <- w - lr * grad(c, w)
    n <- n + 1
    return c
}
"""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_program_goes_with_its_hypers_and_its_memory(tmp_path, way):
    path = tmp_path / "model.tc"
    path.write_text(PROGRAM)
    program = tc.load(path, lr=0.25)
    program.train([1, 2, 3])
    path.unlink()  # the pickle has the text
    again, train, w, params = way((program, program.train, program.w, program.params))
    assert again.w is w is params["w"]
    assert again.hypers == {"lr": 0.25}
    np.testing.assert_array_equal(w.get_value(), [0.75, 0.5, 0.25])
    assert float(train([1, 2, 3])) == 0.75 + 1 + 0.75
    np.testing.assert_array_equal(again.w.get_value(), [0.5, 0.0, -0.5])
    assert again.n.get_value() == 2
    assert program.n.get_value() == 1
    assert float(again.cost([1, 1, 1])) == 0.0
    assert (repr(again.fits), again.runs) == (repr(program.fits), program.runs)


def test_what_a_training_returns_is_pickled():
    w = tc.shared(np.zeros(2, "f4"), "w")

    @tc.step
    def train(x):
        cost = tc.mean((x @ w - 1) ** 2)
        tc.update(w, w - 0.1 * tc.grad(cost, w))
        return cost

    history = tc.fit(train, {"x": np.ones((4, 2), "f4")}, batch=2, epochs=2)
    assert dumped(history) == history == copy.deepcopy(history)


CHILD = """
import pickle, sys
import numpy as np
f, w, kept = pickle.load(open(sys.argv[1], "rb"))
assert "tensorc.driver" not in sys.modules or f is not None
out = [f(np.array([1.0, 2.0])), w.get_value(), kept["w"].get_value(), kept["act"](0.0)]
print([v.tolist() if hasattr(v, "tolist") else v.eval().tolist() for v in out])
"""


def test_a_fresh_process_computes_the_same(tmp_path):
    x = tc.dvector("x")
    w = tc.shared(np.array([1.0, 2.0]), "w")
    cost = tc.sum((x * w) ** 2)
    f = tc.function([x], cost, updates=[(w, w - 0.25 * tc.grad(cost, w))])
    path = tmp_path / "made.pkl"
    path.write_bytes(pickle.dumps((f, w, {"w": w, "act": tc.tanh})))
    command = [sys.executable, "-W", "ignore", "-c", CHILD, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "[17.0, [0.5, -2.0], [0.5, -2.0], 0.0]\n", result.stderr


def test_a_program_of_ir_goes_with_its_text(tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(PROGRAM)
    text = tc.emit(str(path), "tensor", None, {})
    ir = tmp_path / "model.mlir"
    ir.write_text(text)
    program = tc.load(ir)
    program.w.set_value([1, 2, 3])
    ir.unlink()
    again = dumped(program)
    again.train([1, 1, 1], 0.5)
    np.testing.assert_array_equal(again.w.get_value(), [0.5, 1.5, 2.5])


def test_a_spawned_worker_is_given_functions():
    x = tc.dvector("x")
    w = tc.shared(2.0, "w")
    f = tc.function([x], (x * w).sum(), updates=[(w, w + 1)])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = pool.map(f, [[1.0], [1.0], [1.0]], chunksize=3)
        slopes = pool.apply(slope, (np.array([3.0]),))
    # The chunk's calls are of one copy: the memory goes on in it, not here.
    assert [float(r) for r in results] == [2.0, 3.0, 4.0]
    assert w.get_value() == 2.0
    assert slopes == [6.0]
