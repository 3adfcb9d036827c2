"""Diagnostics as text."""

from textwrap import dedent

import pytest

from tensorc.diagnostics import escape, render, render_error
from tensorc.errors import CompileError, Diagnostic, Label, Location
from tensorc.frontend.dsl.syntax.parser import parse

SOURCE = {"a.tc": 'W2 = 3\n\n\n    h = tanh(x @ W2 + b1)\n\t"\u4f60\u597d" @ y\n'}


def at(line, start, end, file="a.tc", end_line=0):
    return Location(file, line, start, end_line or line, end)


def lines(text):
    return dedent(text).removeprefix("\n")


def test_labels_on_one_line():
    diagnostic = Diagnostic(
        "TC0301",
        "matmul: inner dimensions differ: 784 and 10",
        at(4, 16, 17),
        labels=(
            Label(at(4, 14, 15), "f32[B, 784]"),
            Label(at(4, 18, 20), "f32[10, 784], declared at a.tc:1"),
        ),
        hints=("transpose the weight: x @ W2.T",),
    )
    assert render(diagnostic, SOURCE) == lines("""
        error[TC0301]: matmul: inner dimensions differ: 784 and 10
         --> a.tc:4:16
          |
        4 |     h = tanh(x @ W2 + b1)
          |              - ^ -- f32[10, 784], declared at a.tc:1
          |              |
          |              f32[B, 784]
          = help: transpose the weight: x @ W2.T
    """)


def test_labels_on_several_lines_and_notes():
    diagnostic = Diagnostic(
        "TC0302",
        "no",
        at(4, 9, 1, end_line=5),
        label="here",
        labels=(Label(at(1, 1, 3), "declared here"),),
        notes=("one\ntwo",),
        severity="warning",
    )
    assert render(diagnostic, SOURCE) == lines("""
        warning[TC0302]: no
         --> a.tc:4:9
          |
        1 | W2 = 3
          | -- declared here
        ...
        4 |     h = tanh(x @ W2 + b1)
          |         ^^^^^^^^^^^^^^^^^ here
          = note: one
                  two
    """)


def test_label_within_the_primary_place():
    diagnostic = Diagnostic(
        "TC1", "m", at(4, 14, 20), "whole", (Label(at(4, 14, 15), "part"),)
    )
    assert render(diagnostic, SOURCE).splitlines()[4:] == [
        "  |              -^^^^^ whole",
        "  |              |",
        "  |              part",
    ]


def test_tabs_and_wide_characters():
    shown = render(Diagnostic("TC1", "m", at(5, 7, 8)), SOURCE).splitlines()
    assert shown[3:] == ['5 |     "\u4f60\u597d" @ y', "  |            ^"]


def test_other_files_and_missing_files(tmp_path):
    other = tmp_path / "other.tc"
    other.write_text("x = 1\n")
    labels = (
        Label(at(1, 1, 2, str(other)), "there"),
        Label(at(3, 2, 3, "gone.tc"), "lost"),
    )
    shown = render(Diagnostic("TC1", "m", at(1, 1, 3), labels=labels), SOURCE)
    assert f" ::: {other}:1:1\n  |\n1 | x = 1\n  | - there\n" in shown
    assert "= gone.tc:3:2: lost" in shown
    assert render(Diagnostic("TC1", "m", at(9, 9, 9, "gone.tc"), "why"), {}) == (
        "error[TC1]: m\n --> gone.tc:9:9\n  = why\n"
    )
    assert render(Diagnostic("TC1", "m", Location("gone.tc")), {}) == (
        "error[TC1]: m\n --> gone.tc\n"
    )
    assert render(Diagnostic("TC1", "m"), {}) == "error[TC1]: m\n"
    assert render(Diagnostic("TC1", "m", at(99, 1, 2)), SOURCE).count("\n") == 2


def test_places_beyond_the_text():
    for column in (1, 7, 8, 500):
        shown = render(Diagnostic("TC1", "m", at(1, column, column)), SOURCE)
        assert shown.splitlines()[-1].count("^") == 1
    assert render(Diagnostic("TC1", "m", at(2, 1, 1)), SOURCE).endswith("  | ^\n")


def test_control_characters_are_escaped():
    source = {"a\x1b.tc": "x = \x1b[31m \x00 y"}
    diagnostic = Diagnostic(
        "TC1",
        "bad \x1b[2J",
        at(1, 13, 14, "a\x1b.tc"),
        "l\r",
        notes=("n\x07",),
        hints=("h\u202e",),
    )
    shown = render(diagnostic, source)
    assert "\\x1b[2J" in shown
    assert all(char == "\n" or char.isprintable() for char in shown)
    code, carets = shown.splitlines()[3:5]
    assert carets.index("^") == code.index("y")
    assert escape("\ud800\u2028\u200b\u9fff") == "\\ud800\\u2028\\u200b\u9fff"


@pytest.mark.parametrize("column", [1, 100, 5000, 9999])
def test_long_lines_are_cut(column):
    source = {"a.tc": "0123456789" * 1000}
    shown = render(Diagnostic("TC1", "m", at(1, column, column + 1)), source)
    code, carets = shown.splitlines()[3:5]
    assert len(code) <= 4 + 200 + 6
    assert code[carets.index("^")] == str((column - 1) % 10)


def test_colors():
    shown = render(Diagnostic("TC1", "m", at(1, 1, 3), "l"), SOURCE, color=True)
    assert "\x1b[1;31m^^ l\x1b[0m" in shown or "\x1b[1;31m^^" in shown
    plain = render(Diagnostic("TC1", "m", at(1, 1, 3), "l"), SOURCE)
    assert "\x1b" not in plain


def test_errors_of_the_parser_render():
    text = "fn f(x) {\n    y = (x\n    return y\n}\n"
    with pytest.raises(CompileError) as caught:
        parse(text, "a.tc")
    assert render_error(caught.value, {"a.tc": text}) == lines("""
        error[TC0104]: `(` is never closed
         --> a.tc:2:9
          |
        2 |     y = (x
          |         ^
        ...
        4 | }
          | - expected `)`
    """)
