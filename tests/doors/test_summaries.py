"""`program.summary()` and what notebooks show of programs, parts and functions."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import tensorc as tc

PROGRAM = """\
hyper lr = 0.1
hyper deep = true
param W: float[4, 3] = 0
state t: int = 0
fn logits(x: float[B, 4]) -> float[B, 3] = x @ W
step train(x: float[B, 4], k: int[B]) -> float {
    cost = mean(logits(x)) + mean(k)
    W <- W - lr * grad(cost, W)
    t <- t + 1
    return cost
}
fit slow { data = npz("d.npz")  batch = 10  step = train  epochs = 4 }
run { call = logits([[1, 2, 3, 4]])  times = 2 }
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tc").write_text(PROGRAM)
    return tc.load("m.tc")


def test_the_summary_of_a_program(program):
    assert program.summary() == (
        "program m.tc\n"
        "\n"
        "params and states\n"
        "  W       f32[4, 3]  12  48 bytes\n"
        "  t       i64         1   8 bytes\n"
        "  in all             13  56 bytes\n"
        "\n"
        "hypers\n"
        "  lr    0.1\n"
        "  deep  true\n"
        "\n"
        "functions\n"
        "  logits(x: f32[B, 4]) -> f32[B, 3]\n"
        "  train(x: f32[B, 4], k: i64[B], lr: f64) -> f32  changes W, t\n"
        "\n"
        "recipes\n"
        "  fit  slow  train over npz, batch 10, 4 epochs\n"
        "  run        logits, 2 times\n"
    )
    assert program.compile_seconds == 0
    assert repr(program.summary()) == program.summary()


def test_a_program_of_little_and_one_that_does_not_compile(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("fn f(x: float[3], y: float[4]) = x @ y\nfn g(x: float) = x\n")
    lines = tc.load(path).summary().splitlines()
    assert lines[-3:] == [
        "functions",
        "  f                 does not compile: TC0301",
        "  g(x: f32) -> f32",
    ]
    assert "hypers" not in lines


def cells(html):
    """Return the headings and rows of HTML, which must be well-formed."""
    root = ElementTree.fromstring(f"<x>{html}</x>")
    rows = [["".join(c.itertext()) for c in row] for row in root.iter("tr")]
    return [b.text for b in root.iter("b")], rows


def test_a_notebook_shows_the_same_tables(program):
    headings, rows = cells(program._repr_html_())
    assert headings == ["params and states", "hypers", "functions", "recipes"]
    assert ["W", "f32[4, 3]", "12", "48 bytes"] in rows
    assert "<table" in program._repr_html_()


def test_a_notebook_shows_functions(program):
    x = tc.matrix("x")
    V = tc.shared(np.ones((4, 3), "f"), "V")
    symbolic = tc.function([x], tc.tanh(x @ V), updates=[(V, V * 2)], name="f")

    @tc.jit
    def traced(x):
        return np.exp(x)

    assert cells(traced._repr_html_()) == ([], [])  # it has no form yet
    traced(np.ones(3))
    for function, row in (
        (symbolic, ["V", "f32[4, 3]", "new value"]),
        (traced, ["x", "f64[x0]", "input"]),
        (program.train, ["k", "i64[B]", "input"]),
        (program.train, ["lr", "f64", "hyper"]),
    ):
        headings, rows = cells(function._repr_html_())
        assert headings == ["takes", "gives", "a call costs"]
        assert row in rows
        assert ["kernels", str(function.cost().kernels)] in rows


def test_parts_and_texts(program, tmp_path):
    text = program.emit("graph")
    assert ElementTree.fromstring(text._repr_html_()).text == str(text).rstrip("\n")
    named = text.replace('tc.name = "W"', 'tc.name = "hidden.W"')
    (tmp_path / "m.mlir").write_text(named)
    whole = tc.load("m.mlir")
    headings, rows = cells(whole.hidden._repr_html_())
    assert headings == ["params and states"]
    assert rows[1:] == [
        ["hidden.W", "f32[4, 3]", "12", "48 bytes"],
        ["in all", "", "12", "48 bytes"],
    ]


def test_what_a_file_says_is_no_markup(tmp_path):
    folder = tmp_path / "<b>&\x1b[31m"
    folder.mkdir()
    path = folder / "m.tc"
    path.write_text('hyper s = "<script>"\nfn f(x: float) = x\n')
    program = tc.load(path)
    html = program._repr_html_()
    assert "<script>" not in html
    assert not re.search("[\x00-\x09\x1b]", html + program.summary())


def test_histories_and_data_sets_are_tables(tmp_path):
    x, w = tc.matrix("x"), tc.shared(np.zeros(2), "w")
    step = tc.function([x], x.sum(), updates=[(w, w + 1)])
    data = tc.data.arrays({"x": np.ones((4, 2))}, {"x": np.zeros((1, 2))})
    headings, rows = cells(data._repr_html_())
    assert headings == ["training data", "validation data"]
    assert rows[1] == ["x", "f64[4, 2]"]
    headings, rows = cells(tc.fit(step, data, batch=2, epochs=3)._repr_html_())
    assert headings == ["epochs"]
    assert [row[:3] for row in rows[1:]] == [[n, "4", ""] for n in "123"]
    _, rows = cells(tc.fit(step, data, batch=2, epochs=1000)._repr_html_())
    shown = [row[0] for row in rows[1:]]
    assert [*shown[:2], *shown[9:12], shown[-1]] == [
        "1",
        "2",
        "10",
        "…",
        "991",
        "1,000",
    ]
    (tmp_path / "a.csv").write_text("<b>\n1\n")
    assert "&lt;b&gt;" in tc.data.csv(tmp_path / "a.csv")._repr_html_()
