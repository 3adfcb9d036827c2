"""Completion: every path has one, and bash gets what stands behind its own words."""

import importlib
import shutil
import subprocess
import sys

import pytest

from tensorc.cli import main
from tensorc.cli.completion import SHELLS, VARIABLE, paths


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "a.tc").write_text(
        "fn f(x: float) -> float = x\nstep s() { }\n# fn no\nfn fg(x: float) = x\n"
    )
    (tmp_path / "b.mlir").write_text('"func.func"() <{sym_name = "k"}> ({\n')
    (tmp_path / "data.csv").write_text("1,2\n")
    return tmp_path


def offered(monkeypatch, capsys, words, shell="bash"):
    """Return what is offered at the end of a line, as bash splits it."""
    monkeypatch.setenv(VARIABLE, f"{shell}_complete")
    separator = "\n" if shell == "bash" else " "
    monkeypatch.setenv("COMP_WORDS", separator.join(("tensorc", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    if shell == "fish":
        monkeypatch.setenv("COMP_CWORD", words[-1])
    assert main.run([]) == 0
    lines = capsys.readouterr().out.split()
    if shell == "zsh":
        return [w for w in lines if w not in ("plain", "_")]
    return [line.removeprefix("plain,") for line in lines]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tr", ["train"]),
        ("completion|", ["bash", "zsh", "fish"]),
        ("train|--sav", ["--save", "--save-every"]),
        ("train|", ["a.tc", "b.mlir", "runs/"]),
        ("check|a.tc|b", ["b.mlir"]),
        ("opt|", ["b.mlir", "runs/"]),
        ("train|a.tc|--save|", ["runs/"]),
        ("train|a.tc|--save|=|r", ["runs/"]),
        ("train|a.tc|--init|d", ["data.csv"]),
        ("predict|--data|=|d", ["data.csv"]),
        ("run|a.tc|::", ["f", "s", "fg"]),
        ("run|a.tc|::|f", ["f", "fg"]),
        ("predict|a.tc|::", ["f", "fg"]),
        ("compile|b.mlir|::|k", ["k"]),
        ("compile|none.tc|::", []),
        ("train|none/", []),
    ],
)
def test_what_bash_is_offered(folder, monkeypatch, capsys, words, expected):
    assert offered(monkeypatch, capsys, words.split("|")) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_what_other_shells_are_offered(folder, monkeypatch, capsys, shell):
    given = ["run", "a.tc::f"]
    assert offered(monkeypatch, capsys, given, shell) == ["a.tc::f", "a.tc::fg"]
    assert offered(monkeypatch, capsys, ["run", "b"], shell) == ["b.mlir"]


def test_every_file_and_directory_is_completed():
    found = 0
    for verb in main.VERBS:
        command = importlib.import_module(f"tensorc.cli.{verb}").command
        for param in command.params:
            metavar = str(param.metavar)
            if "FILE" in metavar or "DIR" in metavar or "PATH" in metavar:
                # Another test may have loaded the module of `paths` once more.
                name = getattr(param._custom_shell_complete, "__qualname__", "")
                known = name == paths.__qualname__
                assert known or metavar == "STAGE[=PATH],…", (verb, param.name)
                found += known
    assert found > 20


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(capsys, shell):
    assert main.run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{VARIABLE}={shell}_complete" in script
    assert "tensorc" in script


def test_other_shells_are_refused(capsys, monkeypatch):
    assert main.run(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
    monkeypatch.setenv(VARIABLE, "tcsh_complete")
    assert main.run([]) == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes(folder):
    script = (
        f'tensorc() {{ "{sys.executable}" -m tensorc "$@"; }}\n'
        'eval "$(tensorc completion bash)"\n'
        "complete -p tensorc\n"
        "compopt() { echo compopt $*; }\n"
        "COMP_WORDS=(tensorc train ru) COMP_CWORD=2\n"
        "_tensorc_completion tensorc\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=True
    )
    assert "-F _tensorc_completion tensorc" in done.stdout
    assert done.stdout.splitlines()[1:] == ["compopt -o nospace", "runs/"]
    assert not done.stderr
