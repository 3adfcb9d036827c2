"""Groups of several stages: what they pass on lies in scratch for a chunk of rows."""

import re

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import program as api
from tensorc.errors import VerifyError
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import evaluate
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import places_of, schedule_of, stage_of
from tensorc.ir.text.parser import parse_module
from tensorc.passes.analysis.stages import in_turn, kernel_of
from tensorc.passes.schedule import cpu
from tests.samples import same_bits
from tests.stages import TARGET, all_results

# A program, its arguments' shapes by size T, the stages of its last kernel.
PROGRAMS = {
    "attention": (
        "fn f(q: float[2, T, 5], k: float[2, 5, T], v: float[2, T, 7]) -> "
        "float[2, T, 7] = softmax(q @ k * 0.5, axis=2) @ v",
        lambda t: [(2, t, 5), (2, 5, t), (2, t, 7)],
        3,
    ),
    "what came before": (
        "fn f(q: float[2, T, 5], k: float[2, 5, T], v: float[2, T, 7]) -> "
        "float[2, T, 7] = softmax(where(range(T)[:, none] >= range(T), q @ k, -inf), "
        "axis=2) @ v",
        lambda t: [(2, t, 5), (2, 5, t), (2, t, 7)],
        3,
    ),
    "scores of rank four": (
        "fn f(q: float[2, 2, T, 5], k: float[2, 2, 5, 20]) -> float[2, 2, T] = "
        "sum(exp(q @ k), axis=3)",
        lambda t: [(2, 2, t, 5), (2, 2, 5, 20)],
        2,
    ),
    "rows before products": (
        "fn f(x: float[T, 20], w: float[20, 6], v: float[6, 9]) -> float[T, 9] = "
        "tanh(exp(x) @ w) @ v + 1",
        lambda t: [(t, 20), (20, 6), (6, 9)],
        5,
    ),
    "three products": (
        "fn f(x: float[T, 4], w: float[4, 4], v: float[4, 30]) -> float[T, 4] = "
        "((x @ w) @ w) @ w",
        lambda t: [(t, 4), (4, 4), (4, 30)],
        3,
    ),
    "over what a stage read": (
        "fn f(x: float[T, 20], w: float[20, 20]) -> float[T, 20] = "
        "tanh(tanh(x @ w) @ w) @ w",
        lambda t: [(t, 20), (20, 20)],
        5,
    ),
    "what is read once more": (
        "fn f(x: float[T, 20], w: float[20, 20]) -> (float[T, 20], float[T]) {\n"
        "    s = x @ w\n"
        "    t = exp(s - max(s, axis=1)[:, none])\n"
        "    return t @ w, sum(s * t / sum(t, axis=1)[:, none], axis=1)\n"
        "}",
        lambda t: [(t, 20), (20, 20)],
        4,
    ),
    "no columns": (
        "fn f(x: float[T, 4], w: float[4, 0]) -> float[T] = sum(exp(x @ w), axis=1)",
        lambda t: [(t, 4), (4, 0)],
        2,
    ),
    "columns in strips": (
        "fn f(x: float[T, 4], w: float[4, 300]) -> float[T, 300] = exp(x @ w) * 2",
        lambda t: [(t, 4), (4, 300)],
        2,
    ),
}


def module_of(tmp_path, name, known=None):
    source = PROGRAMS[name][0]
    if known is not None:
        source = re.sub(r"\bT\b", str(known), source)
    path = tmp_path / "m.tc"
    path.write_text(source + "\n")
    return api.load(path).functions.source.emit(["f"])


def last_group(module):
    lowered = compiler.compile(module, TARGET, upto="structured").module
    return [op for op in lowered.walk() if isinstance(op, KernelGroup)][-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_stages_of_the_kernel(tmp_path, name):
    group = last_group(module_of(tmp_path, name))
    members = [op for op in group.body.block.ops if isinstance(op, Generic)]
    assert stage_of(members[-1]) + 1 == PROGRAMS[name][2]
    chosen = schedule_of(group)
    assert chosen is not None
    assert chosen.block == chosen.rows is not None
    assert any("block" in places_of(m) for m in members)


@pytest.mark.parametrize(
    ("name", "passed", "taken"),
    [
        ("attention", 2, 1),
        ("three products", 2, 2),
        ("over what a stage read", 4, 2),
        ("what is read once more", 2, 2),
    ],
)
def test_what_nobody_reads_any_more_is_written_over(tmp_path, name, passed, taken):
    kernel = kernel_of(last_group(module_of(tmp_path, name)))
    found = in_turn(kernel.stages, dict.fromkeys(kernel.lasting, "one kind"))
    assert len(found) == passed
    assert len({*found.values()}) == taken


@pytest.mark.parametrize("name", ["attention", "what came before"])
def test_attention_is_one_kernel(tmp_path, name):
    """A mask of positions is computed where scores are masked: no kernel makes it."""
    module = module_of(tmp_path, name)
    lowered = compiler.compile(module, TARGET, upto="structured").module
    assert sum(isinstance(op, KernelGroup) for op in lowered.walk()) == 1


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("budget", [1 << 18, 1500])
@pytest.mark.parametrize("known", [True, False])
def test_every_stage_agrees(tmp_path, name, budget, known, monkeypatch):
    """A small budget makes small blocks: these end within a matrix of a batch."""
    monkeypatch.setattr(cpu, "BLOCK_BYTES", budget)
    rng = np.random.default_rng(7)
    for size in (1, 19) if known else (0, 1, 3, 19, 50):
        shapes = PROGRAMS[name][1](size)
        arrays = [rng.standard_normal(s).astype(np.float32) for s in shapes]
        case = ("f", arrays)
        module = module_of(tmp_path, name, size if known else None)
        found = all_results(module, [case], (0, 3))
        monkeypatch.setattr(compiler, "CPU", apart())
        again = module_of(tmp_path, name, size if known else None)
        (separate,) = all_results(again, [case], (3,))["O3"]
        monkeypatch.undo()
        monkeypatch.setattr(cpu, "BLOCK_BYTES", budget)
        for stage in ("loop", "O0", "O3"):
            assert same_bits(found[stage][0][0], separate[0]), (stage, size)


def apart():
    return tuple(
        compiler.PASSES["separate"] if p.name == "fuse" else p for p in compiler.CPU
    )


def test_scores_of_attention_are_no_memory(tmp_path):
    """Whatever T is, the arena holds no matrix of T x T that stages pass on."""
    module = module_of(tmp_path, "attention")
    made = compiler.compile(module, TARGET, upto="loop").module
    (entry,) = [f for f in made.functions if f.sym_name == "f"]
    scratch = entry.attribute("tc.scratch")
    assert isinstance(scratch, Dims)
    for size in (64, 1024, 4096):
        taken = evaluate(scratch.dims[0], {"T": size})
        assert taken <= max(cpu.BLOCK_BYTES, 48 * 2 * 4 * size) + 64


def test_blocks_are_whole_tiles_within_the_budget(tmp_path):
    group = last_group(module_of(tmp_path, "attention"))
    chosen = schedule_of(group)
    products = [m for m in group.body.block.ops if schedule_of(m) is not None]
    heights = [schedule_of(m).tile[0] for m in products]
    for size in (600, 1024):
        rows = evaluate(chosen.block, {"T": size})
        assert all(rows % height == 0 for height in heights)
        assert max(heights) < rows
        # Weights are written over the scores.
        assert rows * 4 * size <= cpu.BLOCK_BYTES < 2 * rows * 2 * 4 * size
    for size in (0, 1):
        assert evaluate(chosen.block, {"T": size}) >= 1
    assert evaluate(chosen.block, {"T": 1 << 20}) == max(heights)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("block = ", "kept = ", "no block of rows"),
        ("tc.stage = 1 :", "tc.stage = 0 :", "a contraction is a stage of its own"),
    ],
)
def test_what_stages_are_not_is_refused(tmp_path, old, new, words):
    module = module_of(tmp_path, "rows before products", known=9)
    made = compiler.compile(module, TARGET, upto="buffer")
    text = made.text()
    assert old in text
    changed = parse_module(text.replace(old, new))
    with pytest.raises(VerifyError, match=words):
        compiler.compile(changed, TARGET, upto="loop")
