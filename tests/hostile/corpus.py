"""What mutations start from: the project's own programs, and all their stages."""

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tensorc import compiler
from tensorc.api import stages
from tensorc.ir.text.printer import print_module
from tests.hostile.mutate import TOKEN
from tests.ir.programs import EVERYTHING
from tests.samples import SAMPLES, one_op

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"
FEATURES = Path(__file__).parent / "features.tc"
RUN = re.compile(r"^// RUN: (?:not )?tensorc opt %s (.*)$", re.MULTILINE)
LONG = 12_000  # a text above this is taken less often: reading it takes its time


@dataclass(frozen=True, slots=True)
class Text:
    """A program, and what `tensorc opt` is to do with it."""

    name: str
    text: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Programs, how often each is taken, and tokens to put into them."""

    texts: tuple[Text, ...]
    weights: tuple[float, ...]
    words: tuple[str, ...]


@cache
def tc_corpus() -> Corpus:
    """Return all `.tc` files of the examples and the tests."""
    right = [*sorted(EXAMPLES.glob("*.tc")), FEATURES, FEATURES, FEATURES] * 2
    paths = [*right, *sorted(TESTS.rglob("*.tc"))]
    return _corpus([Text(path.name, path.read_text("utf-8")) for path in paths])


@cache
def mlir_corpus() -> Corpus:
    """Return the golden files, stages of programs, and an op each of the samples."""
    texts = [Text("everything", EVERYTHING)]
    for path in sorted((TESTS / "golden").glob("*.mlir")):
        text = path.read_text("utf-8")
        runs = [shlex.split(found) for found in RUN.findall(text)]
        texts += [Text(path.name, text, tuple(run)) for run in runs]
    for path in [*sorted(EXAMPLES.glob("*.tc")), FEATURES]:
        for stage in compiler.STAGES:
            text = stages.emit(str(path), stage, None, {})
            assert isinstance(text, str)
            name = f"{path.stem} {stage}"
            texts += [Text(name, part, from_stage(stage)) for part in _parts(text)]
    for cls, samples in SAMPLES.items():
        text = print_module(one_op(cls, samples[-1]))
        texts.append(Text(cls.__name__, text, from_stage("tensor")))
    return _corpus(texts)


def from_stage(stage: str) -> tuple[str, ...]:
    """Return the passes that are still to run on a text of a stage."""
    begun = compiler.STAGES.index(stage)
    ended = compiler.STAGES[: begun + 1] if begun else ()
    passes = [p.name for p in compiler.CPU if p.writes.value not in ended]
    # The last stage has none left: its last pass leaves its own result alone.
    return (f"--pass-pipeline={','.join(passes or [compiler.CPU[-1].name])}",)


def _parts(text: str) -> list[str]:
    """Return a module, and if it is long also some of its functions."""
    if len(text) < LONG:
        return [text]
    functions = re.findall(r"^  \"func.func\".*?^  }\).*?\n", text, re.S | re.M)
    alone = [f for f in functions if "tc.launch" not in f and len(f) < LONG]
    step = max(1, len(alone) // 6)
    heads = [f'"builtin.module"() ({{\n{f}}}) : () -> ()\n' for f in alone[::step]]
    return [text, *heads]


def _corpus(texts: list[Text]) -> Corpus:
    weights = [1.0 if len(t.text) < LONG else (LONG / len(t.text)) ** 2 for t in texts]
    words = {w for t in texts for w in TOKEN.findall(t.text) if len(w) < 100}
    return Corpus(tuple(texts), tuple(weights), tuple(sorted(words)))
