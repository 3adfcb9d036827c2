"""Whole programs against straightforward numpy transcriptions."""

from pathlib import Path

import numpy as np

from tensorc.frontend.dsl.irgen.generator import generate
from tensorc.frontend.dsl.syntax.parser import parse_expression, parse_file
from tensorc.ir.text.printer import print_module
from tensorc.recipes import DataCall, Patience
from tests.frontend.irgen_helpers import program, run

EXAMPLES = Path(__file__).parents[2] / "examples"

# Softmax regression on small sizes, so that the interpreter is quick.
LOGREG = (EXAMPLES / "logreg.tc").read_text().replace("784", "8").replace("10]", "3]")


def softmax_regression(w, b, x, y):
    z = x @ w + b
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    n = len(y)
    cost = -np.log(p[np.arange(n), y]).mean()
    error = p - np.eye(p.shape[1])[y]
    return cost, x.T @ error / n, error.mean(axis=0)


def test_logreg_declarations():
    p = generate(parse_file(EXAMPLES / "logreg.tc"), {})
    assert [(m.name, m.kind, str(m.type)) for m in p.memories] == [
        ("W", "param", "f32[784, 10]"),
        ("b", "param", "f32[10]"),
    ]
    assert p.entries == ("logits", "loss", "error", "train")
    assert p.hypers == {"lr": 0.13}
    (fit,) = p.recipes
    assert fit.stop == Patience(5000, 2, 0.995)
    assert fit.step == "train"
    assert fit.data == DataCall("mnist", ("data/mnist",))
    lines = [
        fit.location_of(name).line - fit.location.line for name in ("data", "batch")
    ]
    assert lines == [1, 2]


def test_logreg_steps_match_numpy():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 8)).astype("f4"), rng.integers(0, 3, 5)
    w, b = rng.normal(size=(8, 3)).astype("f4"), rng.normal(size=3).astype("f4")
    p = program(LOGREG)
    for _ in range(3):
        memory = {"W": w, "b": b}
        cost, by_w, by_b = softmax_regression(*(v.astype("f8") for v in (w, b, x)), y)
        (got,), new = run(p, "train", x, y, memory=memory)
        np.testing.assert_allclose(got, cost, rtol=1e-5)
        np.testing.assert_allclose(new["W"], w - 0.13 * by_w, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(new["b"], b - 0.13 * by_b, rtol=1e-4, atol=1e-6)
        w, b = new["W"], new["b"]
    (error,), _ = run(p, "error", x, y, memory={"W": w, "b": b})
    wrong = np.argmax(x @ w + b, axis=1) != y
    np.testing.assert_allclose(error, wrong.mean(), rtol=1e-6)


def test_a_setting_changes_no_ir():
    first = print_module(program(LOGREG).emit())
    assert print_module(program(LOGREG, lr="1").emit()) == first
    assert program(LOGREG, lr="1").hypers == {"lr": 1.0}


def test_settings_reach_recipes_and_hypers_win():
    p = program(LOGREG, batch="300", epochs="2 * 5", seed="3")
    (fit,) = p.recipes
    assert (fit.batch, fit.epochs, fit.seed) == (300, 10, 3)
    text = "hyper batch = 20\nfn f(x: float) = x * batch\nrun { call = f(1) }"
    assert program(text, batch="7").hypers == {"batch": 7}


def test_trivial_prints_the_published_numbers():
    p = generate(parse_file(EXAMPLES / "trivial.tc"), {"times": parse_expression("3")})
    (call,) = p.recipes
    assert call.times == 3
    assert call.arguments == ([1, 1, 1, 1], 100)
    w, memory = np.array([0.1, 0.25, 0.15, 0.3]), {}
    for _ in range(10):
        (y,), memory = run(p, "train", *call.arguments, memory=memory)
        expected = ((w[0] + w[1]) + w[2]) + w[3]
        w = w - 0.1 * (-(100 - expected) - (100 - expected))
        assert y == expected
        assert memory["W"].tobytes() == w.tobytes()


def test_arguments_stand_in_the_documented_order():
    text = """
    hyper k = 2, lr = 0.5
    param a: float = 1
    state b: float = 2
    step s(x: float, n: int) -> (sum: float, float) {
        y = lr * b * x
        b, a <- a, b * k
        return y, x
    }
    """
    p = program(text)
    (f,) = p.emit().functions
    infos = [f.argument_info(i) for i in range(6)]
    names = [(i.get("tc.kind"), i.get("tc.name")) for i in infos]
    assert names == [
        ("shared", "a"),
        ("shared", "b"),
        ("input", "x"),
        ("input", "n"),
        ("hyper", "k"),
        ("hyper", "lr"),
    ]
    types = [str(t) for t in f.function_type.inputs]
    assert types == ["f32", "f32", "f32", "i64", "i64", "f64"]
    results = [f.result_info(i) for i in range(4)]
    assert [r.get("tc.name") for r in results] == ["sum", "", None, None]
    assert [r.get("tc.updates") for r in results] == [None, None, 0, 1]
    outputs, new = run(p, "s", 3, 1)
    assert [float(o) for o in outputs] == [3.0, 3.0]
    assert {k: float(v) for k, v in new.items()} == {"a": 4.0, "b": 1.0}


def test_every_op_has_a_place_in_the_source():
    for function in program(LOGREG).emit().functions:
        for op in function.walk():
            assert op.location.line, op
            assert op.location.file == "test.tc"


def test_second_derivatives():
    text = """
    fn f(x: f64, y: f64) {
        z = x**3 * y**2
        gx, gy = grad(z, (x, y))
        return gx, gy, grad(gx, x), grad(gx, y), grad(grad(gx, x), x)
    }
    """
    outputs, _ = run(text, "f", 2.0, 3.0)
    expected = [3 * 4 * 9, 8 * 6, 6 * 2 * 9, 3 * 4 * 6, 6 * 9]
    np.testing.assert_allclose(outputs, expected)


def test_grad_by_locals_tuples_and_through_each_other():
    text = """
    param W: f64[3] = [1, 2, 3]
    fn square_of(w) = w * w
    step s(x: f64[3]) {
        h = square_of(W)
        cost = sum(h * x)
        by_w, by_h = grad(cost, (W, h))
        by_x, none_of = grad(cost, (x, W[0:0]), disconnected="zero")
        return by_w, by_h, by_x, none_of
    }
    """
    x = np.array([5.0, 7.0, 11.0])
    (by_w, by_h, by_x, none_of), _ = run(text, "s", x)
    np.testing.assert_allclose(by_w, 2 * np.array([1, 2, 3]) * x)
    np.testing.assert_allclose(by_h, x)
    np.testing.assert_allclose(by_x, [1, 4, 9])
    assert none_of.shape == (0,)


def test_functions_take_defaults_names_and_any_type():
    text = """
    hyper wide = true
    fn scale(x, by = 2, shift = 0) = x * by + shift
    fn pair(x: float[..., n], n) -> (float, float) { return sum(x), mean(x) }
    fn f(x: float[B, 3]) {
        assert 3 % 3 == 0, "never"
        fn local(v) = scale(v, shift=1)
        a, b = pair(x, 3)
        if wide { y = local(x) } else { y = x }
        h: float[R, 3] = scale(x, by=x)
        z: float[R] = 5
        return y, h, a, b, z / R, B * 2
    }
    """
    text = text.replace("pair(x: float[..., n], n)", "pair(x: float[..., 3])")
    text = text.replace("pair(x, 3)", "pair(x)")
    x = np.arange(6.0, dtype="f4").reshape(2, 3)
    (y, h, a, b, z, size), _ = run(text, "f", x)
    np.testing.assert_array_equal(y, x * 2 + 1)
    np.testing.assert_array_equal(h, x * x)
    assert (float(a), float(b), int(size)) == (15.0, 2.5, 4)
    np.testing.assert_array_equal(z, np.float32([2.5, 2.5]))


def test_deep_nesting_and_long_chains_of_calls():
    deep = "(" * 150 + "x" + " + 1)" * 150
    chain = "\n".join(f"fn g{i}(x) = g{i - 1}({deep})" for i in range(1, 50))
    text = f"fn g0(x) = x\n{chain}\nfn f(x: float) -> float = g49(x)"
    (result,), _ = run(text, "f", 0)
    assert float(result) == 49 * 150


def test_shared_formulas_of_hypers_are_computed_once():
    doubled = "a = a + a\n" * 60
    text = f"hyper lr = 0.5\nfn f(x: f64) {{ a = lr\n{doubled} return x * a }}"
    (result,), _ = run(text, "f", 1)
    assert float(result) == 0.5 * 2.0**60


def test_hypers_as_exponents_and_in_integer_division():
    text = "hyper n = 5, lr = 0.5\nfn f(x: f64) = x**n + lr**2 + x * (n // 2) + n % 2"
    (result,), _ = run(text, "f", 2)
    assert float(result) == 32 + 0.25 + 4 + 1
