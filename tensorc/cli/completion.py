"""`tensorc completion`: what a shell needs to complete commands, options and files.

The shell asks `tensorc` itself: `_TENSORC_COMPLETE` says for which shell, `COMP_WORDS`
what stands in the line. What a word may be follows from the metavar of its parameter.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import rich_click as click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)

VARIABLE = "_TENSORC_COMPLETE"
_LARGEST = 1 << 20  # bytes of a file whose functions are looked up

# Names of functions stand after `::`, where bash ends a word; a directory is no end.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line
    COMPREPLY=()
    for line in $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
            %(complete_var)s=bash_complete "$1"); do
        COMPREPLY+=("${line#*,}")
        [[ $line == */ ]] && compopt -o nospace
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the word at it, which bash split."""
        words = os.environ["COMP_WORDS"].split("\n")
        whole = list(_joined(words[1 : int(os.environ["COMP_CWORD"]) + 1]))
        return whole[:-1], whole[-1] if whole else ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what may stand there, without what stands before bash's word."""
        found = super().get_completions(args, incomplete)
        start = incomplete.rfind(":") + 1
        return [CompletionItem(item.value[start:], item.type) for item in found]


def _joined(words: Iterable[str]) -> Iterator[str]:
    """Yield words as they stood in the line: bash splits them at `:` and `=`."""
    whole: list[str] = []
    for word in words:
        is_sign = bool(word) and not word.strip(":=")
        after_sign = bool(whole) and whole[-1][-1:] in (":", "=") and word != ""
        if whole and (is_sign or after_sign):
            whole[-1] += word
        else:
            whole.append(word)
    yield from whole


SHELLS: Mapping[str, type[ShellComplete]] = {
    "bash": _Bash,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print a script that completes `tensorc` in a shell, to be read when it starts.

    bash: `eval "$(tensorc completion bash)"` in ~/.bashrc; zsh: the same with zsh in
    ~/.zshrc, after compinit; fish: `tensorc completion fish | source` in
    ~/.config/fish/config.fish.
    """
    made = SHELLS[shell](command, {}, "tensorc", VARIABLE)
    print(made.source_template % made.source_vars())


def answer(program: click.Command, asked: str) -> int:
    """Print what may stand at the cursor; `asked` is such as bash_complete."""
    shell, _, what = asked.partition("_")
    if shell not in SHELLS or what != "complete":
        return 1
    print(SHELLS[shell](program, {}, "tensorc", VARIABLE).complete())
    return 0


def paths(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the paths, and names of functions in files, that a metavar allows."""
    allowed = str(param.metavar)
    path, sign, _ = incomplete.partition("::")
    if sign:
        kinds = "fn" if ctx.info_name == "predict" else "fn|step"
        names = [f"{path}::{name}" for name in _names(Path(path), kinds)]
    else:
        names = list(_paths(incomplete, allowed))
    return [CompletionItem(n) for n in names if n.startswith(incomplete)]


def _paths(incomplete: str, metavar: str) -> Iterator[str]:
    """Yield directories, which end in a slash, and the files of a metavar's kind."""
    head, slash, _ = incomplete.rpartition("/")
    suffixes = (".tc", ".mlir") if ".tc" in metavar else (".mlir",)
    is_free = ".tc" not in metavar and ".mlir" not in metavar
    try:
        found = sorted(Path(head + slash or ".").iterdir())
    except OSError:
        return
    for path in found:
        name = f"{head}{slash}{path.name}"
        if path.is_dir():
            yield f"{name}/"
        elif "FILE" in metavar and (is_free or path.suffix in suffixes):
            yield name


def _names(path: Path, kinds: str) -> list[str]:
    """Return the names of the functions in a file, as far as their lines tell."""
    pattern = rf"^\s*(?:{kinds})\s+([A-Za-z_]\w*)"
    if path.suffix == ".mlir":
        pattern = r'^"func\.func".*\bsym_name = "([A-Za-z_]\w*)"'
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return re.findall(pattern, file.read(_LARGEST), re.MULTILINE)
    except OSError:
        return []
