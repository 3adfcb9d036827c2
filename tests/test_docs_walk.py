"""The walk of docs/architecture.md: each stage is the text that the compiler makes.

TENSORC_UPDATE_GOLDEN=1 writes it anew.
"""

import json
import re
from functools import cache

import pytest

import tensorc
from tensorc import artifact_file, compiler
from tensorc.api import program as api
from tensorc.api import stages
from tensorc.frontend.dsl.syntax import parser
from tensorc.frontend.dsl.syntax.ast_printer import print_ast
from tensorc.ir.core import Op
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import places_of, schedule_of, stage_of
from tensorc.ir.text.printer import attribute_text, print_short
from tensorc.target import Options, Target
from tests.snippets import ROOT, Block, blocks, same_text

PAGE = ROOT / "docs" / "architecture.md"
PROGRAM = "examples/trivial.tc"
TARGET = Target("cpu", vector_bits=512)
RAW = Options(optimize=0)  # as it is before LLVM's passes
# The stage, where a part of it begins, how many of its first lines are shown.
MARK = re.compile(r"<!-- walk: (\w+)(?:, at `(.*)`)?(?:, (\d+) lines)? -->\n$")
LAST = 3  # lines that are shown, too


@cache
def stage(name: str) -> str:
    """Return the text of a stage of the program's step."""
    if name == "rooms":
        return "".join(
            re.findall(r"^    [a-z].*\n", tensorc.__doc__ or "", re.MULTILINE)
        )
    if name == "source":
        return (ROOT / PROGRAM).read_text("utf-8")
    if name == "syntax":
        return print_ast(parser.parse_file(PROGRAM))
    if name in MIDDLE:
        return MIDDLE[name]()
    module = stages.module_of(PROGRAM, "train", {})
    if name == "made":
        return print_short(module)
    if name == "llvm":
        return compiler.compile(module, TARGET, RAW, "llvm").text()
    if name == "artifact":
        return artifact_text()
    if name == "printed":
        program = api.load(PROGRAM)
        return "".join(f"{program.train([1, 1, 1, 1], 100)}\n" for _ in range(10))
    return print_short(compiler.compile(module, TARGET, upto=name).module)


def step(upto: str, *names: str) -> Module:
    """Return logreg's step at the end of a level, or after some of its passes."""
    module = stages.module_of("examples/logreg.tc", "train", {})
    if names:
        passes = compiler.passes_of(compiler.Level.STRUCTURED)
        module = compiler.compile(module, TARGET, upto="tensor").module
        chosen = [pass_ for pass_ in passes if pass_.name in names]
        return compiler.run_passes(module, TARGET, chosen)
    return compiler.compile(module, TARGET, upto=upto).module


def outline(module: Module) -> str:
    """Return a line for each group and generic: what is in it, and its schedule."""
    lines = []
    for op in module.walk():
        if isinstance(op, KernelGroup):
            lines.append(f"group {schedule_text(op)}")
        elif isinstance(op, Generic):
            names = [o.name.partition(".")[2] for o in op.body.block.ops]
            words = " ".join(
                n for n in names if n not in ("constant", "yield", "index")
            )
            kind = "reduces: " if op.reductions else ""
            about = f"stage {stage_of(op)}, {' '.join(places_of(op))}: "
            head = "  " + about if places_of(op) else ""
            tail = f" {schedule_text(op)}" if schedule_of(op) else ""
            lines.append(f"{head}{kind}{words or 'copy'}{tail}")
    return "".join(f"{line}\n" for line in lines)


def schedule_text(op: Op) -> str:
    return attribute_text(op.attributes["tc.schedule"]).replace("#tc.dims", "")


def launches() -> str:
    """Return the launches of the step, in order."""
    text = print_short(step("loop"))
    entry = text[text.index("func.func @train(") :]
    return "".join(re.findall(r"^ *(tc\.launch .*\n)", entry, re.MULTILINE))


MIDDLE = {
    "generics": lambda: outline(step("", "to-structured", "read-through")),
    "merged": lambda: outline(step("", "to-structured", "read-through", "merge")),
    "scheduled": lambda: outline(step("structured")),
    "launches": launches,
}


def artifact_text() -> str:
    """Return the header of the program's artifact, a line for each fact."""
    module = stages.module_of(PROGRAM, "train", {})
    target = compiler.host_target()
    data = artifact_file.encode(compiler.compile(module, target).artifact)
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    (function,) = json.loads(header)["functions"]
    return "".join(f"{name}: {json.dumps(v)}\n" for name, v in function.items())


def part_of(text: str, start: str | None) -> str:
    """Return the lines from one that begins with `start` to the end of its block."""
    if start is None:
        return text
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.lstrip().startswith(start))
    indent = len(lines[first]) - len(lines[first].lstrip())
    last = first
    for i in range(first + 1, len(lines)):
        deeper = lines[i].startswith(" " * (indent + 1))
        closing = re.match(rf" {{{indent}}}([}}]|\^bb|\w+:$)", lines[i])
        if not deeper and not closing:
            break
        last = i
        if lines[i].startswith(" " * indent + "}"):
            break
    return "\n".join(line[indent:] for line in lines[first : last + 1]) + "\n"


def steps() -> list[tuple[str, str | None, int, Block]]:
    text = PAGE.read_text("utf-8")
    found = []
    for block in blocks(PAGE):
        before = text[: block.start].rpartition("```")[0]
        if mark := MARK.search(before):
            found.append((mark[1], mark[2], int(mark[3] or 0), block))
    return found


def shortened(text: str, count: int) -> str:
    """Return the first lines, and the last ones, of a text."""
    lines = text.splitlines(keepends=True)
    if not count or len(lines) <= count + LAST + 1:
        return text
    return "".join([*lines[:count], "  …\n", *lines[-LAST:]])


STEPS = steps()


def test_the_walk_has_every_stage():
    names = {name for name, *_ in STEPS}
    others = {
        "rooms",
        "source",
        "syntax",
        "made",
        "llvm",
        "artifact",
        "printed",
        *MIDDLE,
    }
    assert names == {*compiler.STAGES} | others


@pytest.mark.parametrize(
    ("name", "start", "count", "block"), STEPS, ids=[f"{s[0]}-{s[1]}" for s in STEPS]
)
def test_a_step_of_the_walk(name, start, count, block, monkeypatch):
    monkeypatch.chdir(ROOT)
    same_text(block, shortened(part_of(stage(name), start), count))
