"""Wrong programs: each comment `#! CODE column: words` is an error of its line."""

import re
import time
from pathlib import Path

import pytest

from tensorc.api import stages
from tensorc.diagnostics import render
from tensorc.errors import CompileError
from tests.frontend.irgen_helpers import diagnostics

PROGRAMS = sorted(Path(__file__).parent.glob("*.tc"))
EXPECTED = re.compile(r"#! (TC\d+) (\d+): (.*)$")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_messages_and_places(path):
    text = path.read_text()
    expected = []
    for number, line in enumerate(text.splitlines(), 1):
        match = EXPECTED.search(line)
        if match:
            expected.append((match[1], number, int(match[2]), match[3].strip()))
    found = diagnostics(text)
    shown = "\n".join(render(d, {"test.tc": text}) for d in found)
    assert len(found) == len(expected), shown
    for diagnostic, (code, line, column, words) in zip(found, expected, strict=True):
        place = diagnostic.location
        where = (diagnostic.code, place.line, place.column)
        assert where == (code, line, column), shown
        said = [diagnostic.message, *diagnostic.hints]
        said += [label.text for label in diagnostic.labels]
        for part in words.split(" & "):
            assert any(part in s for s in said), f"{part!r} not in\n{shown}"
        first = diagnostic.message[0]
        assert first.islower() or first in "`.0123456789"
        assert not diagnostic.message.endswith(".")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lrr", "1", "no setting `lrr`"),
        ("epoch", "1", "no setting `epoch`"),
        ("lr", "[1, 2]", "a hyper must be a number"),
        ("lr", "1 / 0", "division by zero"),
        ("epochs", "0", "`epochs` is a positive integer"),
        ("step", "f", "`step` names a step, `f` is not one"),
        ("stop", "patiense(3)", "`stop` is one of `patience(...)`"),
    ],
)
def test_wrong_settings(name, value, words):
    text = """hyper lr = 0.1
param W: float[2] = 0
fn f(x: float) = x * lr
step s(x: float[B, 2]) { W <- x[0] }
fit { data = mnist("d")  batch = 2  step = s }
"""
    (found,) = diagnostics(text, **{name: value})
    assert words in found.message
    assert found.location.file in ("--set", "test.tc")
    if name in ("lrr", "epoch"):
        assert "did you mean" in found.hints[0]
    if name == "stop":
        assert found.hints == ("did you mean `patience`?",)


def test_a_value_that_does_not_fit_is_labelled_with_its_type():
    text = """param b: float[7] = 0
step s(x: float[3]) { b <- x }
"""
    (found,) = diagnostics(text)
    assert render(found, {"test.tc": text}) == (
        """error[TC0301]: `b` has shape [7], got [3]
 --> test.tc:2:28
  |
1 | param b: float[7] = 0
  | --------------------- `b` is declared here
2 | step s(x: float[3]) { b <- x }
  |                            ^ f32[3], declared at test.tc:2
"""
    )


def test_a_program_of_many_calls_is_given_up_soon():
    calls = [f"fn p{i}(x) = p{i + 1}(x) + p{i + 1}(x)" for i in range(60)]
    text = "\n".join([*calls, "fn p60(x) = x", "fn g(x: float) { y = p0(x) return y }"])
    start = time.process_time()
    found = diagnostics(text)
    assert time.process_time() - start < 10
    assert [d.code for d in found] == ["TC0311"]


def test_a_mistake_that_many_calls_meet_is_told_once_and_soon():
    functions = ["fn g0(x) {", "    a = x + nothing", "    return a", "}"]
    for n in range(1, 30):
        calls = [f"    {name} = g{n - 1}(x)" for name in "ab"]
        functions += [f"fn g{n}(x) {{", *calls, "    return a + b", "}"]
    found = diagnostics("\n".join([*functions, "fn main(x: float[3]) = g29(x)"]))
    assert [(d.code, d.location.line) for d in found] == [("TC0303", 2)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fn f(x: float[N, 4000000000, 4000000000]) = sum(x)", "4000000000, 4000"),
        (
            "fn f(x: float[3000000000], y: float[3000000000]) = "
            "sum(x[:, none] * y[none, :])",
            "f32[3000000000, 3000000000] is larger than any memory",
        ),
    ],
)
def test_sizes_that_no_memory_has_are_refused(tmp_path, text, words):
    path = tmp_path / "large.tc"
    path.write_text(text)
    with pytest.raises(CompileError, match=re.escape(words)) as refused:
        stages.emit(str(path), "loop", "f", {})
    (diagnostic,) = refused.value.diagnostics
    assert (diagnostic.code, diagnostic.location.line) == ("TC0301", 1)
