"""Commands that the docs show: their verbs and flags exist."""

import importlib
import re
import shlex

import pytest

from tensorc.cli import main
from tensorc.cli.instruments import MlirCommand
from tensorc.compiler import PASSES
from tests.snippets import PAGES

COMMAND = re.compile(r"^(?:// RUN: |    )(?:\S*/)?tensorc (\w+) (.*)$", re.MULTILINE)
LINES = sorted(
    {m.groups() for page in PAGES for m in COMMAND.finditer(page.read_text("utf-8"))}
)


def test_the_docs_show_commands():
    assert {"train", "compile", "opt", "explain"} <= {verb for verb, _ in LINES}


@pytest.mark.parametrize(("verb", "rest"), LINES)
def test_a_command_of_the_docs_has_known_flags(verb, rest):
    assert verb in main.VERBS
    command = importlib.import_module(f"tensorc.cli.{verb}").command
    options = {o for p in command.params for o in p.opts}
    words = shlex.split(rest, comments=True)
    assert words or verb == "cache"
    for word in words:
        if isinstance(command, MlirCommand):
            word = command.spell(word, options)
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            assert flag in options, word
        if equals and flag == "--pass":
            assert value in PASSES
