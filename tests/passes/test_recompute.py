"""What outgrows its operands is computed again for its readers, with the same bits."""

import re

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import program as api
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import evaluate
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.generics import AGAIN
from tensorc.passes.structured import recompute
from tests.samples import same_bits
from tests.stages import TARGET, all_results

HEAD = """
fn attend(q: float[2, T, 3], k: float[2, T, 3], v: float[2, T, 4]) -> float[2, T, 4] =
    softmax(q @ swapaxes(k, 1, 2) * 0.5, axis=2) @ v
fn layer(x: float[2, T, 3], a: float[3, 3], b: float[3, 3]) -> float[2, T, 3] =
    x + softmax((x @ a) @ swapaxes(x @ b, 1, 2), axis=2) @ (x @ b * 2)
"""
QKV = "q: float[2, T, 3], k: float[2, T, 3], v: float[2, T, 4]"
SLOPES = "grad(cost, q), grad(cost, k), grad(cost, v)"
SHAPES = [(2, "T", 3), (2, "T", 3), (2, "T", 4)]

# A function's arguments and body, their shapes, and how many generics are made again.
PROGRAMS = {
    "attention": (QKV, f"cost = sum(attend(q, k, v) ** 2)\nreturn {SLOPES}", SHAPES, 5),
    "a loss between": (
        QKV,
        f"cost = log(sum(attend(q, k, v) ** 2))\nreturn {SLOPES}",
        SHAPES,
        8,
    ),
    "without a batch": (
        "q: float[T, 5], k: float[T, 5], v: float[T, E]",
        "cost = sum((softmax(q @ k.T * 0.5, axis=1) @ v) ** 3)\n"
        "return grad(cost, q), grad(cost, k), grad(cost, v)",
        [("T", 5), ("T", 5), ("T", 20)],
        5,
    ),
    "a mask of positions": (
        QKV,
        "s = where(range(T)[:, none] >= range(T), q @ swapaxes(k, 1, 2), -inf)\n"
        f"cost = sum((softmax(s, axis=2) @ v) ** 2)\nreturn {SLOPES}",
        SHAPES,
        6,
    ),
    "a mask that is given": (
        f"{QKV}, m: bool[T, T]",
        "s = softmax(q @ swapaxes(k, 1, 2), axis=2, where=m)\n"
        f"cost = sum((s @ v) ** 2)\nreturn {SLOPES}",
        [*SHAPES, ("T", "T")],
        11,
    ),
    "layers": (
        "x: float[2, T, 3], a: float[3, 3], b: float[3, 3]",
        "cost = mean(layer(layer(x, a, b), b, a) ** 2)\n"
        "return grad(cost, a), grad(cost, b), grad(cost, x)",
        [(2, "T", 3), (3, 3), (3, 3)],
        13,
    ),
    "a product alone": (
        "q: float[T, 5], v: float[T, 5]",
        "return (q @ v.T * 2).T @ q",
        [("T", 5), ("T", 5)],
        2,
    ),
    "in a branch": (
        "q: float[T, 5], v: float[T, 5]",
        "if q[0, 0] > 0 { z = (q @ v.T * 2).T @ q } else { z = v }\nreturn z",
        [("T", 5), ("T", 5)],
        2,
    ),
}
# What is stored in any case.
STORED = {
    "weights that are returned": (
        QKV,
        "w = softmax(q @ swapaxes(k, 1, 2), axis=2)\ncost = sum((w @ v) ** 2)\n"
        "return w, grad(cost, q), grad(cost, k)",
    ),
    "columns that are added up": (
        "q: float[T, 5], v: float[T, 5]",
        "s = q @ v.T * 2\nreturn s.T @ q, sum(s, axis=0)",
    ),
    "other columns than rows": (
        "q: float[T, 5], v: float[S, 5]",
        "return (q @ v.T * 2).T @ q",
    ),
    "a right side": ("q: float[T, 5], v: float[T, 5]", "return q.T @ (q @ v.T * 2)"),
}


def module_of(tmp_path, arguments, body, size=None):
    path = tmp_path / "m.tc"
    lines = "\n".join(f"  {line}" for line in body.split("\n"))
    source = f"{HEAD}fn f({arguments}) {{\n{lines}\n}}\n"
    if size is not None:
        source = re.sub(r"(?<!\.)\bT\b", str(size), source)
    path.write_text(source)
    return api.load(path).functions.source.emit(["f"])


def made_again(module):
    lowered = compiler.compile(module, TARGET, upto="structured").module
    return sum(isinstance(o, Generic) and AGAIN in o.attributes for o in lowered.walk())


def arrays(shapes, size):
    rng = np.random.default_rng(7)
    given = [rng.standard_normal([size if n == "T" else n for n in s]) for s in shapes]
    masks = [s == ("T", "T") for s in shapes]
    return [
        a > -1 if mask else a.astype(np.float32)
        for a, mask in zip(given, masks, strict=True)
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_how_much_is_made_again(tmp_path, name):
    arguments, body, _, wanted = PROGRAMS[name]
    assert made_again(module_of(tmp_path, arguments, body)) == wanted


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_in_any_case_is_not(tmp_path, name):
    assert made_again(module_of(tmp_path, *STORED[name])) == 0


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_bit_changes(tmp_path, name):
    """At each stage that has kernels, and as without: known sizes are too small."""
    arguments, body, shapes, _ = PROGRAMS[name]
    module = module_of(tmp_path, arguments, body)
    for size in (1, 13):
        case = ("f", arrays(shapes, size))
        found = all_results(module, [case], (0, 3))
        assert made_again(module_of(tmp_path, arguments, body, size)) == 0
        stored = module_of(tmp_path, arguments, body, size)
        (plain,) = all_results(stored, [case], (3,))["O3"]
        for stage in ("loop", "O0", "O3"):
            for left, right in zip(found[stage][0], plain, strict=True):
                assert same_bits(left, right), (stage, size)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_matrix_is_in_the_arena(tmp_path, name):
    """From 64 rows to 4096, the arena grows as they do."""
    arguments, body, _, _ = PROGRAMS[name]
    made = compiler.compile(module_of(tmp_path, arguments, body), TARGET, upto="loop")
    (entry,) = [f for f in made.module.functions if f.sym_name == "f"]
    arena = entry.attribute("tc.arena")
    assert isinstance(arena, Dims)
    few, many = (evaluate(arena.dims[0], {"T": t, "E": 7}) for t in (64, 4096))
    assert many <= 64 * few


def test_sizes_that_are_known_decide(tmp_path, monkeypatch):
    arguments, body, _, wanted = PROGRAMS["attention"]
    assert made_again(module_of(tmp_path, arguments, body, 19)) == 0
    monkeypatch.setattr(recompute, "LEAST_BYTES", 2 * 19 * 19 * 4)
    assert made_again(module_of(tmp_path, arguments, body, 19)) == wanted
