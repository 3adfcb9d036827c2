"""`tc.debugprint`: graphs as short texts with types."""

import io

import numpy as np
import pytest

import tensorc as tc


def text(obj, **options):
    return tc.debugprint(obj, file="str", **options)


@pytest.fixture
def variables():
    x, W = tc.matrix("x"), tc.shared(np.ones((3, 2), "f"), "W")
    h = tc.tanh(x @ W)
    h.name = "h"
    return x, W, h


def test_a_graph_with_types_and_what_is_shared_once(variables):
    _, _, h = variables
    assert text((h * h + 0.1).sum(axis=0)) == (
        "sum f32[2] {axes=[0]}\n"
        "└─ add f32[x0, 2]\n"
        "   ├─ mul f32[x0, 2]\n"
        "   │  ├─ h = tanh f32[x0, 2]\n"
        "   │  │  └─ matmul f32[x0, 2]\n"
        "   │  │     ├─ x f32[x0, x1]\n"
        "   │  │     └─ W f32[3, 2], shared\n"
        "   │  └─ h\n"
        "   └─ 0.1 f32\n"
    )


def test_names_that_stand_for_nothing_else():
    A, B = tc.vector("A"), tc.vector("B")
    twice = tc.exp(A)
    assert text(twice * twice - B) == (
        "sub f32[A0]\n"
        "├─ mul f32[A0]\n"
        "│  ├─ C = exp f32[A0]\n"
        "│  │  └─ A f32[A0]\n"
        "│  └─ C\n"
        "└─ B f32[B0]\n"
    )


def test_lines_end_however_deep_a_graph_is():
    v = tc.vector("v")
    for _ in range(5000):
        v = v * v
    lines = text(v).splitlines()
    assert max(map(len, lines)) < 120
    # Each product is a line, and is named in one line or two.
    assert 10_000 <= len(lines) <= 10_700
    for deepest in (1, np.int64(3)):
        cut = text(tc.sum(tc.exp(tc.vector("x")) * 2), depth=deepest)
        indents = [line.index(line.lstrip("│├└─ ")) for line in cut.split("\n")]
        assert max(indents) <= 3 * deepest
        assert cut.count("exp") == 1
        assert ("below" in cut) == (deepest == 1)


def test_several_a_group_and_a_derivative(variables):
    x, W, h = variables
    assert text([x, W]) == "x f32[x0, x1]\nW f32[3, 2], shared\n"
    assert text({"a": x}) == "a:\nx f32[x0, x1]\n"
    assert text(tc.group(W)) == "W:\nW f32[3, 2], shared\n"
    V = tc.shared(np.ones(2, "f"), "V")
    first, second = tc.grad(tc.sum((h * V) ** 2), [W, V])
    shown = text([first, second])
    assert shown.startswith("A = grad[0] f32[3, 2]\n")
    assert shown.count("tanh") == 1
    assert shown.endswith("A[1]\n")


def test_functions(variables, capsys):
    x, W, h = variables
    f = tc.function([x], h, updates=[(W, W * 2)], name="f")
    expected = (
        "f(x f32[x0, x1])\n"
        "returns:\n"
        "h = tanh f32[x0, 2]\n"
        "└─ matmul f32[x0, 2]\n"
        "   ├─ x f32[x0, x1]\n"
        "   └─ W f32[3, 2], shared\n"
        "W becomes:\n"
        "mul f32[3, 2]\n"
        "├─ W f32[3, 2], shared\n"
        "└─ 2.0 f32\n"
    )
    assert tc.debugprint(f) is None
    assert capsys.readouterr().out == expected
    sink = io.StringIO()
    tc.debugprint(f, file=sink)
    assert sink.getvalue() == expected
    g = f.copy(swap={W: tc.shared(np.ones((3, 2), "f"), "V")})
    assert "V becomes:" in text(g)
    given = tc.function([], h, givens={x: np.ones((4, 3), "f")})
    assert "x is given as:\nconstant f32[4, 3]\n" in text(given)


def test_traced_functions():
    @tc.jit
    def f(x):
        return np.exp(x)

    with pytest.raises(TypeError, match="f was not called yet"):
        tc.debugprint(f)
    f(np.ones(3))
    assert text(f) == "f(x f64[x0])\nreturns:\nexp f64[x0]\n└─ x f64[x0]\n"


@pytest.mark.parametrize(
    ("obj", "options", "error", "words"),
    [
        (3, {}, TypeError, "takes a variable or a function of them, got 3"),
        ([np.ones(3)], {}, TypeError, "debugprint takes variables, got an array"),
        (tc.scalar("x"), {"depth": 0}, ValueError, "depth is 1 or more, or -1, got 0"),
        (
            tc.scalar("x"),
            {"depth": 1.5},
            TypeError,
            "depth must be an integer, got 1.5",
        ),
        (tc.scalar("x"), {"file": 3}, TypeError, "file is None, 'str' or an open file"),
    ],
)
def test_what_has_no_graph(obj, options, error, words):
    with pytest.raises(error, match=words) as caught:
        tc.debugprint(obj, **options)
    assert "test_debugprint.py" in str(caught.value)


def test_a_program_says_where_its_text_is(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("fn f(x: float) = x + 1\n")
    for obj in (tc.load(path), tc.load(path).f):
        with pytest.raises(TypeError, match=r'f.emit\("graph"\)'):
            tc.debugprint(obj)
