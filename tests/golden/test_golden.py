"""Files with a RUN line: the command is run, its output checked against the file.

    // RUN: tensorc opt %s --cse
    // CHECK-LABEL: sym_name = "f"
    // CHECK:       %[[E:.*]] = "tc.exp"
    // CHECK-NOT:   "tc.exp"

The checks are FileCheck's. `not` before the command expects exit code 1, and stderr is
checked below stdout. With TENSORC_UPDATE_GOLDEN=1 the checks of files that hold the
line NOTE are written anew; all others are written by hand and never touched.
"""

import contextlib
import io
import os
import re
import shlex
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options
from filecheck.parser import Parser, pattern_for_opts

from tensorc.cli import main
from tensorc.compiler import PASSES

HERE = Path(__file__).parent
FILES = sorted(p for p in HERE.rglob("*") if p.suffix in (".mlir", ".tc"))
UPDATE = os.environ.get("TENSORC_UPDATE_GOLDEN") == "1"
NOTE = "NOTE: these checks are written by TENSORC_UPDATE_GOLDEN=1"
RUN = re.compile(r"^(?://|#) RUN: (.*)$", re.MULTILINE)
CHECK = re.compile(r"^(?://|#) CHECK[A-Z-]*:.*\n", re.MULTILINE)


def output_of(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> str:
    """Run the commands of a file and return what they print."""
    printed = ""
    commands = RUN.findall(path.read_text(encoding="utf-8"))
    assert commands, f"{path.name} has no RUN line"
    for command in commands:
        words = [w.replace("%s", str(path)) for w in shlex.split(command)]
        expected = 1 if words[0] == "not" else 0
        del words[:expected]
        assert words[0] == "tensorc"
        code = main.run(words[1:])
        out, err = capfdbinary.readouterr()
        assert code == expected, err.decode()
        printed += out.decode() + err.decode()
    return printed.replace(str(path), path.name)


def filecheck(text: str, checks: str) -> str:
    """Return what FileCheck says against a text; nothing if all checks hold."""
    options = Options(match_filename="checks")
    parser = Parser(options, io.StringIO(checks), *pattern_for_opts(options))
    matcher = Matcher(options, FInput("output", text), parser)
    said = io.StringIO()
    matcher.stderr = said
    with contextlib.redirect_stderr(said):
        return "" if matcher.run() == 0 else f"{said.getvalue()}\n{text}"


def rewritten(source: str, text: str) -> str:
    """Return a golden file with the checks that its output asks for."""
    sign = "#" if source.startswith("#") else "//"
    lines = []
    for line in text.splitlines():
        label = re.search(r'^  "func.func".*(sym_name = "[^"]*")', line)
        if label:
            lines.append(f"{sign} CHECK-LABEL: {label[1]}")
        elif line.startswith(("    ", "  ^bb")):
            lines.append(f"{sign} CHECK-NEXT:  {line}")
    return CHECK.sub("", source).rstrip() + "\n\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_golden(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    text = output_of(path, capfdbinary)
    source = path.read_text(encoding="utf-8")
    if UPDATE and NOTE in source:
        path.write_text(rewritten(source, text), encoding="utf-8")
        return
    complaint = filecheck(text, source)
    assert not complaint, complaint


def test_every_pass_has_a_golden_file() -> None:
    assert {p.stem for p in FILES} >= {name.replace("-", "_") for name in PASSES}


def test_a_wrong_check_fails() -> None:
    output = '  "tc.exp"(%x)\n  "tc.neg"(%x)\n'
    assert not filecheck(output, '// CHECK: "tc.exp"\n// CHECK-NEXT: "tc.neg"\n')
    assert "error" in filecheck(output, '// CHECK: "tc.log"\n')
    assert "excluded" in filecheck(output, '// CHECK-NOT: "tc.neg"\n')


def test_the_update_writes_checks_that_hold() -> None:
    text = (
        '  "func.func"() <{sym_name = "f"}> ({\n  ^bb0(%x: f32):\n'
        '    "func.return"() : () -> ()\n  }) : () -> ()\n'
    )
    source = f"// {NOTE}\nthe input\n// CHECK: stale\n"
    fresh = rewritten(source, text)
    assert "stale" not in fresh
    assert "the input" in fresh
    assert not filecheck(text, fresh)
    assert rewritten(fresh, text) == fresh
