"""Graphs of symbolic variables: copies, depth, derivatives, names, lazy imports."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tensorc as tc

DEPTH = 10_000


def chain(x, depth=DEPTH):
    for _ in range(depth):
        x = x + 1
    return x


def test_a_pickled_variable_evaluates_in_a_fresh_process(tmp_path):
    x = tc.shared(np.arange(3.0), "x")
    path = tmp_path / "graph.pkl"
    path.write_bytes(pickle.dumps((x + 1).sum()))
    program = f"import pickle; print(pickle.load(open({str(path)!r}, 'rb')).eval())"
    command = [sys.executable, "-W", "ignore", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "6.0\n"


def test_deep_graphs_are_copied_and_pickled_without_recursion():
    x = tc.scalar("x")
    z = chain(x)
    for again in (copy.copy(z), copy.deepcopy(z), pickle.loads(pickle.dumps(z))):
        assert repr(again) == "<variable: f32>"
    (same_x, same_z) = pickle.loads(pickle.dumps((x, chain(x, 5))))
    assert same_z.eval({same_x: 1.0}) == 6.0


def test_copies_share_what_the_originals_share():
    x = tc.vector("x")
    h = x * 2
    out = (h + h.shape[0]).sum()
    for made in (copy.deepcopy([x, h, out]), pickle.loads(pickle.dumps([out, h, x]))):
        names = [v.ndim for v in made]
        again_x, again_h, again_out = made if names == [1, 1, 0] else made[::-1]
        by_h = tc.grad(again_out, again_h)
        f = tc.function([again_x], [again_out, by_h])
        total, slope = f([1, 2, 3])
        assert total == 21
        np.testing.assert_array_equal(slope, [1, 1, 1])
    with pytest.raises(ValueError, match="needed"):
        tc.function([x], copy.deepcopy(out))


def test_derivatives_and_their_derivatives_are_pickled():
    x = tc.dscalar("x")
    cube = tc.grad(x**3, x)
    again_x, again = pickle.loads(pickle.dumps((x, cube)))
    f = tc.function([again_x], [again, tc.grad(again, again_x)])
    assert [float(v) for v in f(2.0)] == [12.0, 12.0]


def test_functions_are_copied_with_memory_of_their_own():
    w = tc.shared(1.0, "w")
    x = tc.dscalar("x")
    f = tc.function([tc.In(x, value=2.0)], w, updates=[(w, w * x)])
    for g in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert [float(g()), float(g(x=3.0)), float(g())] == [1.0, 2.0, 6.0]
    assert w.get_value() == 1.0


@pytest.mark.slow
def test_deep_graphs_compile():
    x = tc.scalar("x")
    assert tc.function([x], chain(x))(1.0) == DEPTH + 1


def test_second_derivatives_agree_with_differences():
    x = tc.dvector("x")
    W = tc.shared(np.linspace(-1, 1, 9).reshape(3, 3), "W")
    cost = (tc.tanh(x @ W) ** 2).sum()
    first = tc.grad(cost, x)
    direction = np.array([0.5, -1.0, 0.25])
    second = tc.grad((first * direction).sum(), x)
    f = tc.function([x], [first, second])
    at, step = np.array([0.1, -0.2, 0.3]), 1e-5
    ahead, behind = f(at + step * direction)[0], f(at - step * direction)[0]
    np.testing.assert_allclose(f(at)[1], (ahead - behind) / (2 * step), rtol=1e-7)


def test_consider_constant_stops_a_derivative():
    x = tc.dscalar("x")
    h = x**2
    f = tc.function([x], tc.grad(h * x, x, consider_constant=[h]))
    assert f(3.0) == 9.0
    assert tc.grad(h, x, consider_constant=[h], disconnected_inputs="zeros").eval() == 0


def test_a_derivative_by_a_value_and_by_what_it_comes_from():
    x = tc.dscalar("x")
    h = x**2
    by_x, by_h = tc.grad(h * x, [x, h])
    f = tc.function([x], [by_x, by_h])
    assert [float(v) for v in f(3.0)] == [27.0, 3.0]


def test_givens_reach_into_derivatives():
    x, y = tc.dvector("x"), tc.dvector("y")
    slope = tc.grad((x**2).sum() / x.shape[0], x)
    f = tc.function([y], slope, givens={x: y[1:] * 10})
    np.testing.assert_array_equal(f([1, 2, 3]), [20.0, 30.0])


def test_sizes_are_values_of_inputs_that_nothing_else_reads():
    x = tc.matrix("x")
    f = tc.function([x], [tc.arange(x.shape[0]), x.shape[1] * 2, tc.zeros(x.shape)])
    counted, double, zeros = f(np.ones((3, 4)))
    np.testing.assert_array_equal(counted, [0, 1, 2])
    assert double == 8
    assert zeros.shape == (3, 4)


def test_names_of_arguments_may_be_anything():
    names = [None, "x", "x", "two words", "lambda", "naïve", "%0", "x_2", "malloc"]
    inputs = [tc.dscalar(name) for name in names]
    total = sum((v * 10**i for i, v in enumerate(inputs)), start=0.0)
    f = tc.function(inputs, total, name="printf")
    assert f(*range(1, 10)) == 987654321
    assert f(*range(1, 8), malloc=9, **{"x_2": 8}) == 987654321


def test_defaults_and_names_of_inputs():
    x, lr = tc.dscalar("x"), tc.dscalar("lr")
    f = tc.function([x, tc.In(lr, value=0.5)], x * lr)
    assert [float(f(4)), float(f(4, 2)), float(f(lr=3, x=4))] == [2.0, 8.0, 12.0]


def test_unused_inputs_are_reported_as_asked():
    x, y = tc.scalar("x"), tc.scalar("y")
    with pytest.warns(UserWarning, match="y is not used"):
        f = tc.function([x, y], x, on_unused_input="warn")
    assert f(1, 2) == 1
    assert tc.function([x, y], x, on_unused_input="ignore")(3, 4) == 3


def test_numpy_functions_and_arrays_meet_variables():
    x = tc.dvector("x")
    f = tc.function([x], [np.exp(x), np.arange(3.0) * x, np.float32(2) + x])
    given = np.array([0.0, 1.0, 2.0])
    exp, product, total = f(given)
    np.testing.assert_allclose(exp, np.exp(given), rtol=1e-15)
    np.testing.assert_array_equal(product, given * np.arange(3.0))
    np.testing.assert_array_equal(total, given + 2)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[1:3],
        np.s_[-1],
        np.s_[:, None],
        np.s_[..., 0],
        np.s_[::-2, 1:],
        np.s_[1, -2],
        np.s_[:],
        np.s_[5:2],
        np.s_[np.int64(1) :],
    ],
    ids=str,
)
def test_indexing_is_numpys(index):
    x = tc.dmatrix("x")
    given = np.arange(20.0).reshape(4, 5)
    np.testing.assert_array_equal(x[index].eval({x: given}), given[index])


def test_methods_agree_with_numpy():
    x = tc.dtensor3("x")
    given = np.arange(24.0).reshape(2, 3, 4) - 7
    pairs = [
        (x.sum(axis=(0, 2)), given.sum(axis=(0, 2))),
        (x.mean(axis=-1, keepdims=True), given.mean(axis=-1, keepdims=True)),
        (x.max(axis=1), given.max(axis=1)),
        (x.min(), given.min()),
        (x.argmax(axis=2), given.argmax(axis=2)),
        (x.T, given.T),
        (x.transpose(1, 0, 2), given.transpose(1, 0, 2)),
        (x.dimshuffle(1, "x", 0, 2), given.transpose(1, 0, 2)[:, None]),
        (x.flatten(), given.ravel()),
        (x.flatten(2), given.reshape(2, 12)),
        (x.reshape((4, 6)), given.reshape(4, 6)),
        (x.reshape((x.shape[0] * 3, -1)), given.reshape(6, 4)),
        (x.ravel(), given.ravel()),
        (x.astype("int32"), given.astype("int32")),
        (x[0].dot(x[1].T), given[0] @ given[1].T),
        (x.mean(dtype="float32"), given.astype("f4").mean()),
        ((x > 0) & ~(x > 5), (given > 0) & ~(given > 5)),
        (abs(-x), abs(given)),
        ((x > 0).mean(), (given > 0).mean(dtype="f4")),
    ]
    results = tc.function([x], [symbolic for symbolic, _ in pairs])(given)
    for result, (_, expected) in zip(results, pairs, strict=True):
        np.testing.assert_array_equal(result, expected)
        assert result.dtype == np.asarray(expected).dtype


def test_results_are_fresh_writable_arrays():
    x = tc.dvector("x")
    w = tc.shared(np.zeros(3), "w")
    f = tc.function([x], [x, w, w])
    given = np.ones(3)
    first, second, third = f(given)
    for array in (first, second, third):
        array += 1
    np.testing.assert_array_equal(given, np.ones(3))
    np.testing.assert_array_equal(w.get_value(), np.zeros(3))
    assert type(tc.function([], w.sum())()) is np.ndarray


def test_importing_loads_neither_the_compiler_nor_the_grammar():
    program = """
import sys, tensorc as tc
assert "numpy" not in sys.modules
x = tc.matrix("x")
y = tc.grad((x @ x.T).sum(), x)
print([m for m in ("llvmlite", "lark") if m in sys.modules])
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_only_a_file_of_weights_loads_what_reads_it(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("param W: float[2] = 1\nfn f(x: float[2]) -> float[2] = x * W\n")
    program = """
import sys, tensorc as tc
model = tc.load(sys.argv[1])
model.f([1, 2])
print("safetensors" in sys.modules)
model.save(sys.argv[1] + ".safetensors")
print("safetensors" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "False\nTrue\n"


def test_nodes_stand_in_no_block():
    """Else each would hold those made with it, and copies would go through them."""
    x = tc.dvector("x")
    made = tc.scan(lambda c, v: (c + v, None), 0.0, x + 1)[0] * tc.softmax(x)
    met, stack = set(), [made.operand.value]
    while stack:
        op = stack.pop().op
        if op is not None and op not in met:
            met.add(op)
            stack += op.operands
    assert len(met) > 5
    assert [op for op in met if not op.is_node] == []
