"""`for`: what the names and the values that it yields are behind it."""

from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CompileError
from tensorc.ir.ops.scan import Scan
from tensorc.passes.common.dce import remove_unused
from tests.frontend.irgen_helpers import diagnostics, prepare, run
from tests.said import said

X = np.array([1.5, -0.5, 2.0, 0.25])


def scan_of(f, carry, xs):
    tops = []
    for x in xs:
        carry, top = f(carry, x)
        tops.append(top)
    return carry, np.array(tops)


LOOPS = {
    "total": ("s = 0  for v in x { s = s + v }  return s", lambda x: sum(x, 0.0)),
    "fibonacci": (
        "a, b = 0, 1  for v in x { a, b = b, a + b }  return a * x[0]",
        lambda x: [0, 1, 1, 2, 3][len(x)] * x[0],
    ),
    "tuple": (
        """p = (0.0, x)
        for v in x { p = (p[0] + v, p[1] * v) }
        return sum(p[1]) + p[0]""",
        lambda x: (x * np.prod(x)).sum() + x.sum(),
    ),
    "yielded": (
        """s = 1
        ps = for v in x { s = s * v  yield s }
        return sum(ps)""",
        lambda x: np.cumprod(x).sum(),
    ),
    "two": (
        """y = x * 2
        a, b = for v, w in x, y { u = v * w  yield u, v + w }
        return sum(a) - sum(b)""",
        lambda x: (2 * x * x - 3 * x).sum(),
    ),
    "counted": (
        "s = x[0]  for i in range(3) { s = s * 2 + i }  return s",
        lambda x: ((x[0] * 2 + 0) * 2 + 1) * 2 + 2,
    ),
    "by_a_size": (
        "s = 0.0  for i in range(N) { s = s + x[i] * i }  return s",
        lambda x: (x * np.arange(len(x))).sum(),
    ),
    "branches": (
        """s = 0  n = 0
        for v in x {
            if v > 0 { s = s + v } else { n = n + 1 }
        }
        return s * 10 + n""",
        lambda x: x[x > 0].sum() * 10 + (x <= 0).sum(),
    ),
    "nested": (
        """s = 0
        for v in x {
            t = v
            for w in x { t = t * 0.5 + w }
            s = s + t
        }
        return s""",
        lambda x: sum(scan_of(lambda t, w: (t * 0.5 + w, 0), v, x)[0] for v in x),
    ),
    "a_name_of_a_turn": (
        """y = 1  s = 0
        for v in x { y = v * v  s = s + y }
        return s""",
        lambda x: (x * x).sum(),
    ),
    "hidden_by_a_turn": (
        "v = 5  s = 0  for v in x { s = s + v }  return s + v",
        lambda x: x.sum() + 5,
    ),
    "of_functions": (
        """k = 2
        fn scaled(v) = k * v
        s = 0
        for v in x { k = k + 1  s = s + scaled(v) }
        return s + k""",
        lambda x: (np.arange(3, 3 + len(x)) * x).sum() + 2 + len(x),
    ),
    "list": (
        "return sum([v * v + i for v, i in x, range(N)])",
        lambda x: (x * x).sum() + 6,
    ),
    "literal": (
        "s = 0  for v in [1, 2, 3] { s = s + v * x[0] }  return s",
        lambda x: 6 * x[0],
    ),
    "a_number_fills": (
        """h = x
        for v in x { if v > 1 { h = h + v } else { h = 0 * x } }
        return sum(h)""",
        lambda x: sum(scan_of(lambda h, v: (h + v if v > 1 else h * 0, 0), x, x)[0]),
    ),
    "reset": (
        "h = x  for v in x { h = 3 }  return sum(h)",
        lambda x: 3.0 * len(x),
    ),
    "derivative_of_a_turn": (
        """w = 1.0 * x
        for v in x { w = w - 0.1 * grad(sum((w - v) ** 2), w) }
        return sum(w)""",
        lambda x: sum(scan_of(lambda w, v: (w - 0.2 * (w - v), 0), x, x)[0]),
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_mean_what_loops_of_python_mean(name):
    body, meant = LOOPS[name]
    (got,), _ = run(f"fn f(x: f64[N]) -> f64 {{ {body} }}", "f", X)
    np.testing.assert_allclose(got, meant(X), 1e-12)


def test_compiled_code_does_as_the_interpreter(tmp_path):
    functions = [
        f"fn {name}(x: f64[N]) -> f64 {{ {body} }}\n"
        for name, (body, _) in LOOPS.items()
    ]
    path = tmp_path / "loops.tc"
    path.write_text("".join(functions))
    program = tc.load(path)
    for name, (_, meant) in LOOPS.items():
        np.testing.assert_allclose(
            getattr(program, name)(X), meant(X), 1e-12, err_msg=name
        )


RECURRENT = """
param U: float[3, 3] ~ uniform(-0.5, 0.5, seed=3)

fn states(xs: float[T, B, 3]) -> float[T, B, 3] {
    h: float[B, 3] = 0
    hs = for x in xs {
        h = tanh(h @ U + x)
        yield h
    }
    return hs
}
"""


@pytest.mark.parametrize(("count", "batch"), [(0, 2), (1, 1), (5, 4)])
def test_a_recurrence(tmp_path, count, batch):
    path = tmp_path / "rnn.tc"
    path.write_text(RECURRENT)
    program = tc.load(path)
    weights = program.U.get_value()
    xs = np.random.default_rng(0).standard_normal((count, batch, 3)).astype(np.float32)
    h, found = np.zeros((batch, 3), np.float32), program.states(xs)
    assert found.shape == xs.shape
    for t in range(count):
        h = np.tanh(h @ weights + xs[t])
        np.testing.assert_allclose(found[t], h, 1e-5, 1e-6)


def test_only_what_is_needed_is_carried():
    text = """fn f(x: float[N]) {
        unread, s, y = 7, 0, 1
        for v in x {
            unread = unread * v
            y = v + 1
            s = s + y
        }
        return s
    }"""
    module = prepare(text, "f").module
    (op,) = [op for op in module.walk() if isinstance(op, Scan)]
    assert op.carried == 2  # `y` is bound before it is read
    remove_unused(module.functions[0])
    assert (op.carried, op.sliced, op.stacked) == (1, 1, 0)


def test_deep_nests_take_linear_time():
    head = "".join(f"for v{i} in x {{ " for i in range(40))
    text = f"fn f(x: float[N]) {{ s = 0  {head} s = s + v0 {'}' * 40}  return s }}"
    assert diagnostics(text) == []
    head = "".join(f"for v{i} in x {{ " for i in range(70))
    text = f"fn f(x: float[N]) {{ s = 0.0  {head} s = s + v0 {'}' * 70}  return s }}"
    (found,) = diagnostics(text)
    assert "nested too deep" in found.message


def test_a_derivative_through_a_loop_is_refused_at_the_loop(tmp_path):
    path = tmp_path / "slope.tc"
    path.write_text(
        "fn f(x: float[N]) {\n"
        "    s = 0\n"
        "    for v in x { s = s * 0.5 + v * v }\n"
        "    return grad(s, x)\n}\n".replace("\\\n", "\n")
    )
    with pytest.raises(CompileError) as caught:
        tc.load(path).f(np.ones(3, np.float32))
    (found,) = caught.value.diagnostics
    assert (found.code, found.location.line) == ("TC0350", 3)
    assert "a loop has no derivative yet" in found.message


def test_an_index_error_in_a_turn(tmp_path):
    path = tmp_path / "index.tc"
    path.write_text(
        "fn f(x: float[N], at: int[M]) {\n"
        "    s = 0\n    for i in at { s = s + x[i] }\n    return s\n}\n"
    )
    program = tc.load(path)
    x = np.arange(3, dtype=np.float32)
    assert program.f(x, np.array([2, -1])) == 4
    with pytest.raises(IndexError, match="index 3 is out of range"):
        program.f(x, np.array([0, 3]))


def test_a_call_with_other_lengths_names_the_loop(tmp_path):
    path = tmp_path / "pairs.tc"
    path.write_text(
        "fn f(x: float[N], y: float[M]) {\n"
        "    s = 0\n    for a, b in x, y { s = s + a * b }\n    return s\n}\n"
    )
    with pytest.raises(tc.ShapeError) as caught:
        tc.load(path).f(np.ones(2, np.float32), np.ones(3, np.float32))
    assert f"the loop at {path}:3:20 walks along this axis" in said(caught.value)


def test_a_step_may_loop(tmp_path):
    path = tmp_path / "step.tc"
    path.write_text(
        "param W: float[3] = 0\n"
        "step train(xs: float[T, 3]) -> float[T] {\n"
        "    w = W\n"
        "    costs = for x in xs {\n"
        "        cost = sum((w - x) ** 2)\n"
        "        w = w - 0.1 * grad(cost, w)\n"
        "        yield cost\n    }\n"
        "    W <- w\n    return costs\n}\n"
    )
    program = tc.load(path)
    xs = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    own = np.zeros(3)
    for _ in range(2):
        costs = program.train(xs)
        for x, cost in zip(xs, costs, strict=True):
            np.testing.assert_allclose(cost, ((own - x) ** 2).sum(), 1e-5)
            own = own - 0.2 * (own - x)
    np.testing.assert_allclose(program.W.get_value(), own, 1e-5)


def test_a_tensor_that_grows_by_a_size_is_suspected_and_refused_by_the_call(tmp_path):
    path = tmp_path / "grown.tc"
    path.write_text(
        "fn f(x: float[N, M]) -> float[M] {\n"
        "    h: float[M] = 0\n"
        "    for v in x { h = concatenate((h, v)) }\n"
        "    return h\n}\n"
    )
    program = tc.load(path)
    with pytest.warns(tc.TensorcWarning, match="`h` keeps its type in a loop"):
        made = program.f(np.ones((2, 0), np.float32))
    assert made.shape == (0,)
    with pytest.raises(tc.ShapeError) as caught:
        program.f(np.ones((2, 2), np.float32))
    words = "it is f32[M] before a turn, and f32[2*M] after it"
    assert f"`h` keeps its type in a loop: {words}" in said(caught.value)


def test_the_example_is_what_numpy_computes():
    program = tc.load(Path(__file__).parents[2] / "examples" / "rnn.tc")
    xs = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)
    u, w, v = (getattr(program, name).get_value() for name in "UWV")
    h, wanted = np.zeros(4, np.float32), []
    for x in xs:
        h = np.tanh(x @ u + h @ w)
        wanted.append(h)
    np.testing.assert_allclose(program.states(xs), wanted, 1e-5, 1e-6)
    np.testing.assert_allclose(program.output(xs), h @ v, 1e-5, 1e-6)
