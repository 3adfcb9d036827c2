"""What is read once is computed where it is read, with the same bits."""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import program as api
from tensorc.api import stages
from tensorc.cli import main
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.cost import computes
from tests.samples import same_bits
from tests.stages import TARGET, all_results

HEAD = "param W: float[3, 5] = 0\nparam b: float[5] = 0\n"

# What a step does with x and y of [3, 5], how many generics it has without `merge` and
# with it.
STEPS = {
    "a chain": ("return tanh(exp(x) * y + 1)", 4, 1),
    "elements of a sum along rows": ("return sum(exp(x) * y, axis=1)", 3, 1),
    "elements of a sum down the rows": ("return sum(exp(x) * y, axis=0)", 3, 1),
    "a function of what is read twice": ("e = exp(x)\nreturn e * y + e", 3, 2),
    "what is cheap, read twice": ("e = -x\nreturn exp(e), e * y", 3, 2),
    "two of its operands": ("return exp(x) * exp(x + 1)", 4, 1),
    "a row, read for each": ("return x + exp(b)", 2, 2),
    "a mask of positions": (
        "seen = range(3)[:, none] >= range(5)\nreturn where(seen, x, y), seen",
        4,
        2,
    ),
    "positions as floats": ("return x * range(5)", 3, 2),
    "a reduction at its positions": ("return sum(where(range(5) > 1, x, 0))", 4, 2),
    "a transpose": ("return exp(x).T * 2", 2, 1),
    "both ways": ("e = exp(x)\nreturn e[:, :3] + e[:, :3].T", 2, 2),
    "before a product": ("return exp(x) @ y.T", 2, 2),
    "behind a product": ("return exp(x @ y.T) + 1", 3, 2),
    "a function behind a product": ("return sum(exp(x @ y.T), axis=0)", 3, 3),
    "rows at indices": ("return x[argmax(y, axis=0)[:3] % 3] * 2", 4, 3),
    "an update": ("W <- W - 0.5 * (x * y)", 3, 1),
    "an update that is read": (
        "n = W - 0.5 * x\nW <- n\nreturn sum(n * y, axis=1)",
        4,
        2,
    ),
    "a branch": (
        "if x[0, 0] > 0 { z = exp(x) + 1 } else { z = -y * 2 }\nreturn z",
        5,
        3,
    ),
}


def module_of(tmp_path, step):
    path = tmp_path / "m.tc"
    body = "\n".join(f"  {line}" for line in step.split("\n"))
    head = "step go(x: float[3, 5], y: float[3, 5])"
    path.write_text(f"{HEAD}{head} {{\n{body}\n}}\n")
    return api.load(path).functions.source.emit(["go"])


def generics(module, merged):
    passes = compiler.passes_of(compiler.Level.STRUCTURED)
    names = ("to-structured", "merge") if merged else ("to-structured",)
    passes = [p for p in passes if p.name in names]
    lowered = compiler.compile(module, TARGET, upto="tensor").module
    lowered = compiler.run_passes(lowered, TARGET, passes, verify_each=True)
    return sum(isinstance(op, Generic) for op in lowered.walk())


@pytest.mark.parametrize("name", STEPS)
def test_how_many_are_left(tmp_path, name):
    step, before, after = STEPS[name]
    assert generics(module_of(tmp_path, step), False) == before
    assert generics(module_of(tmp_path, step), True) == after


@pytest.mark.parametrize("name", STEPS)
def test_every_stage_agrees_with_what_is_not_merged(tmp_path, name, monkeypatch):
    step, *_ = STEPS[name]
    rng = np.random.default_rng(3)
    module = module_of(tmp_path, step)
    (function,) = module.functions
    shapes = [a.type.shape for a in function.body.block.arguments]
    case = ("go", [rng.standard_normal(s).astype(np.float32) for s in shapes])
    merged = all_results(module, [case], (0, 3))
    plain = tuple(p for p in compiler.CPU if p.name != "merge")
    monkeypatch.setattr(compiler, "CPU", plain)
    (apart,) = all_results(module_of(tmp_path, step), [case], (3,))["O3"]
    for stage in ("loop", "O0", "O3"):
        for left, right in zip(merged[stage][0], apart, strict=True):
            assert same_bits(left, right), stage


def test_lines_of_the_source_stay(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(
        "fn f(x: float[B, 3]) -> float[3] {\n"
        "    e = exp(x)\n"
        "    m = e * 2\n"
        "    return sum(m, axis=0)\n"
        "}\n"
    )
    assert main.run(["explain", f"{path}::f"]) == 0
    _head, kernel, _hint = capsys.readouterr().out.split("\n\n")
    assert f"source   {path}:2-4\n" in kernel
    assert "computes reduction by exp, mulf, addf\n" in kernel


@pytest.mark.parametrize("file", ["logreg", "mlp"])
def test_examples_have_fewer_generics(file):
    def count(merged):
        module = stages.module_of(f"examples/{file}.tc", None, {})
        return generics(module, merged)

    assert count(True) < 0.8 * count(False)


def test_bodies_have_an_end(tmp_path):
    """A chain of cheap ops becomes bodies of at most so many, not one of all."""
    lines = "".join(f"  y = y * {1 + i / 64} + 1\n" for i in range(200))
    module = module_of(tmp_path, f"{lines.strip()}\n  return y")
    lowered = compiler.compile(module, TARGET, upto="structured").module
    found = [op for op in lowered.walk() if isinstance(op, Generic)]
    sizes = [sum(map(computes, op.body.block.ops)) for op in found]
    assert len(sizes) > 3
    assert max(sizes) <= 64
