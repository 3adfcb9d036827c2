"""`tensorc opt`: its flags, its errors, and what a crash of a pass leaves behind."""

import io
import re
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tensorc import compiler
from tensorc.cli import main
from tensorc.cli.instruments import timing_table
from tensorc.cli.verify_diagnostics import mismatches
from tensorc.errors import CompileError, Diagnostic, Label, Location
from tensorc.passes.common.pipelines import parse_pipeline, spell_pipeline

TWICE = """\
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%2) : (tensor<4xf32>) -> ()
}) : () -> ()
"""
WRONG = TWICE.replace('"tc.add"(%0, %1)', '"tc.add"(%0, %3)')


@pytest.fixture
def opt(tmp_path, capfdbinary):
    """Run `tensorc opt` on a text: its exit code, stdout and stderr."""
    path = tmp_path / "a.mlir"

    def run(text, *arguments):
        path.write_text(text)
        code = main.run(["opt", str(path), *arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode().replace(str(path), "a.mlir")

    return run


def test_flags_are_passes_in_their_order(opt):
    code, text, err = opt(TWICE, "--cse", "-dce")
    assert (code, err) == (0, "")
    assert text.count('"tc.exp"') == 1
    assert opt(TWICE, "--pass-pipeline=builtin.module(cse,any(dce))")[1] == text
    assert opt(TWICE, "-pass-pipeline", "cse,dce")[1] == text
    code, _, err = opt(TWICE, "--cse", "--pass-pipeline=dce")
    assert code == main.USAGE
    assert "not both" in err


def test_without_a_pass_the_text_is_made_canonical(opt):
    code, text, _ = opt(TWICE)
    assert code == 0
    assert text.startswith('"builtin.module"()')
    assert opt(text)[1] == text
    assert 'loc("' in opt(TWICE, "--mlir-print-debuginfo")[1]
    assert opt(TWICE, "--emit=none")[1] == ""


def test_compile_prints_places_when_asked(tmp_path, capsys):
    path = tmp_path / "m.tc"
    path.write_text("fn f(x: f32[4]) -> f32[4] = exp(x)\n")
    command = ["compile", str(path), "--emit=tensor"]
    assert main.run(command) == 0
    assert "loc(" not in capsys.readouterr().out
    dump = "--mlir-print-ir-after=cse"
    assert main.run([*command, "--mlir-print-debuginfo", dump]) == 0
    printed = capsys.readouterr()
    assert f'loc("{path}":1:29)' in printed.out
    assert f'loc("{path}":1:29)' in printed.err


def test_stdin_is_read_and_named(capfdbinary, monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(WRONG.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert main.run(["opt", "-"]) == main.USER_ERROR
    err = capfdbinary.readouterr().err.decode()
    assert " --> <stdin>:5:21\n" in err
    assert '5 |   %2 = "tc.add"(%0, %3)' in err


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("cse,", "unexpected end", 5),
        ("builtin.module(cse", "unexpected end", 19),
        ("builtin.module", "there is no pass 'builtin.module'", 1),
        ("cse)", "a pass is expected, got ')'", 4),
        ("cse,,dce", "a pass is expected, got ','", 5),
        ("cse dce", "a pass is expected, got 'dce'", 5),
        ("cse(dce)", "a pass is expected, got '('", 4),
        ("cse{max=1}", "pass 'cse' has no options", 4),
        ("cse,fus", "there is no pass 'fus'", 5),
        ("cse,fuse", "reads level structured, the pipeline is at tensor", 5),
        ("to-structured,cse", "reads level tensor, the pipeline is at structured", 15),
    ],
)
def test_a_wrong_pipeline_is_shown_in_place(opt, text, message, column):
    with pytest.raises(CompileError) as caught:
        parse_pipeline(text, compiler.PASSES)
    (diagnostic,) = caught.value.diagnostics
    assert message in diagnostic.message
    assert diagnostic.location.column == column
    code, out, err = opt(TWICE, f"--pass-pipeline={text}")
    assert (code, out) == (main.USAGE, "")
    assert f" --> --pass-pipeline:1:{column}\n" in err


def test_pipelines_are_spelled_as_they_are_read():
    for text in ("", "cse", "builtin.module()", "func.func(cse, dce) ,simplify"):
        passes = parse_pipeline(text, compiler.PASSES)
        assert parse_pipeline(spell_pipeline(passes), compiler.PASSES) == passes
    assert parse_pipeline(spell_pipeline(compiler.CPU), compiler.PASSES) == compiler.CPU


def test_ir_is_printed_around_passes(opt):
    dumps = ["IR Dump Before cse", "IR Dump After cse"]
    for flags, expected in (
        (["--mlir-print-ir-before=cse"], dumps[:1]),
        (["-print-ir-after=cse"], dumps[1:]),
        (["--mlir-print-ir-before", "--mlir-print-ir-after=cse,dce"], [*dumps, "dce"]),
        (["--mlir-print-ir-after-all"], [dumps[1], "IR Dump After dce"]),
        (["--mlir-print-ir-before-all"], [dumps[0], "IR Dump Before dce"]),
        (["--mlir-print-ir-after-change"], dumps[1:]),  # dce changes nothing here
    ):
        code, out, err = opt(TWICE, "--cse", "--dce", *flags)
        assert code == 0
        assert out.startswith('"builtin.module"')
        for dump in expected:
            assert dump in err
    assert "dce" not in err
    code, _, err = opt(TWICE, "--cse", "--mlir-print-ir-after=cs")
    assert code == main.USAGE
    assert "no pass 'cs'" in " ".join(err.split())


def test_times_are_a_table(opt):
    code, _, err = opt(TWICE, "--cse", "--dce", "--mlir-timing")
    assert code == 0
    assert [x.split()[-1] for x in err.splitlines()[-4:]] == [
        *("cse", "dce", "Rest", "Total")
    ]
    table = timing_table([("cse", 0.25)], 1.0)
    assert "0.2500 ( 25.0%)  cse\n" in table
    assert "0.7500 ( 75.0%)  Rest\n" in table


def test_modules_are_split_and_keep_their_lines(opt):
    code, out, err = opt(
        f"{TWICE}// -----\n{WRONG}// -----\n{TWICE}", "--cse", "--split-input-file"
    )
    assert code == main.USER_ERROR
    assert out.count("// -----\n") == 1
    assert out.count('"tc.exp"') == 2
    assert " --> a.mlir:13:21\n" in err


def test_a_pass_that_fails_leaves_a_reproducer(opt, tmp_path, monkeypatch, capfdbinary):
    def crash(module, target):
        raise ZeroDivisionError("a bug")

    broken = replace(compiler.PASSES["dce"], run=crash)
    monkeypatch.setitem(compiler.PASSES, "dce", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = opt(TWICE, "--cse", "--dce")
    assert (code, out) == (main.BUG, "")
    assert "internal error in pass 'dce': ZeroDivisionError: a bug" in err
    path = Path(err.splitlines()[-1])
    text = path.read_text()
    assert text.count('"tc.exp"') == 1  # the IR before the pass, after cse
    command = shlex.split(text.splitlines()[0].removeprefix("// "))
    assert command[0] == "tensorc"
    assert main.run(command[1:]) == main.BUG
    assert "ZeroDivisionError" in capfdbinary.readouterr().err.decode()
    wanted = tmp_path / "here.mlir"
    flag = f"--mlir-pass-pipeline-crash-reproducer={wanted}"
    assert opt(TWICE, "--dce", flag)[2].splitlines()[-1] == str(wanted)
    assert wanted.read_text().count('"tc.exp"') == 2


def test_a_pass_that_makes_invalid_ir_is_a_bug(opt, monkeypatch):
    def spoil(module, target):
        module.functions[0].body.block.ops[0].operands = []
        return module

    broken = replace(compiler.PASSES["dce"], run=spoil)
    monkeypatch.setitem(compiler.PASSES, "dce", broken)
    for flag in ("--verify-each", "--verify-each=false"):
        code, _, err = opt(TWICE, flag, "--dce")
        assert code == main.BUG
        assert "in pass 'dce': invalid IR" in err


def test_compile_prints_and_leaves_a_reproducer(tmp_path, monkeypatch, capfdbinary):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[4]) -> float[4] = exp(x)\n")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    flags = ["--emit=structured", "--mlir-print-ir-after=schedule", "--mlir-timing"]
    assert main.run(["compile", str(path), *flags]) == 0
    out, err = capfdbinary.readouterr()
    assert out in err  # schedule is the last pass of the stage
    assert b"  schedule\n" in err

    def crash(module, target):
        raise ZeroDivisionError

    broken = [replace(p, run=crash) if p.name == "fuse" else p for p in compiler.CPU]
    monkeypatch.setattr(compiler, "CPU", tuple(broken))
    assert main.run(["compile", str(path), "--emit=obj", "-o", "-"]) == main.BUG
    reproducer = Path(capfdbinary.readouterr().err.decode().splitlines()[-1])
    assert main.run(["opt", str(reproducer), "--fuse", "--emit=short"]) == 0
    assert b"tc.group" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "x // expected-error {{bad}}",
        "x // expected-error@+0 {{bad}}",
        "// expected-error @+1 {{bad}}\nx",
        "x\n// expected-error @-1 {{bad}}",
        "x\n// expected-error @above {{bad}}",
        "// expected-error @below {{bad}}\nx",
        "// expected-error-re @below {{b{{[a-z]}}d thing [TC}}\nx",
        "x // expected-error {{a bad thing [TC0001]}}",
    ],
)
def test_expected_diagnostics(text):
    line = text.split("\n").index(next(x for x in text.split("\n") if x[0] == "x")) + 1
    given = Diagnostic("TC0001", "a bad thing", Location("a", line, 1))
    assert mismatches(text, "a", [given]) == []
    for wrong in (
        replace(given, location=Location("a", line + 1, 1)),
        replace(given, location=Location("b", line, 1)),
        replace(given, message="a good thing"),
        replace(given, severity="warning"),
    ):
        unexpected, missing = mismatches(text, "a", [wrong])
        assert unexpected.message.startswith(f"unexpected {wrong.severity}: ")
        assert missing.message.endswith("was not produced")
    assert len(mismatches(text, "a", [])) == 1
    assert len(mismatches(text, "a", [given, given])) == 1


def test_expectations_meet_in_pairs():
    above = "// expected-error @below {{one}}\n// expected-error @below {{two}}\nx"
    given = [Diagnostic("", word, Location("a", 3, 1)) for word in ("two", "one")]
    assert mismatches(above, "a", given) == []
    label = Label(Location("a", 1, 1), "defined here")
    noted = Diagnostic("", "one", Location("a", 1, 1), labels=(label,))
    both = "x // expected-error {{one}}"
    (unexpected,) = mismatches(both, "a", [noted])
    assert unexpected.message == "unexpected note: defined here"
    unknown = "// expected-error @unknown {{one}}"
    assert mismatches(unknown, "a", [Diagnostic("", "one")]) == []
    assert len(mismatches("x // expected-error-re {{{{(}}}}", "a", [])) == 1


def test_every_pass_has_one_line_of_docs(capsys):
    assert main.run(["opt", "--list-passes"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(compiler.PASSES)
    for pass_, line in zip(compiler.PASSES.values(), printed, strict=True):
        assert line.startswith(f"--{pass_.name} ")
        assert len(pass_.summary) > 20
        assert line.endswith(pass_.summary)
        assert pass_.reads.value in line


@pytest.mark.parametrize(
    "name", ["fuse", "separate", "schedule", "bufferize", "plan-memory", "to-loops"]
)
def test_a_pass_of_a_lower_level_names_those_before_it(name, tmp_path, capsys):
    (tmp_path / "m.tc").write_text("fn f(x: f32[3]) -> f32[3] = exp(x) + 1\n")
    path = str(tmp_path / "m.mlir")
    words = ["compile", str(tmp_path / "m.tc"), "--emit=tensor", "-o", path]
    assert main.run(words) == 0
    assert main.run(["opt", path, f"--{name}"]) == 1
    (before,) = re.findall(r"help: run (.*) first", capsys.readouterr().err)
    assert main.run(["opt", path, *before.split(), f"--{name}", "--emit=none"]) == 0


def test_what_is_no_pass_says_where_they_are_listed(capsys):
    assert main.run(["opt", "--lower"]) == 2
    shown = capsys.readouterr().err
    assert "No such option '--lower'. `tensorc opt --list-passes` lists" in shown
