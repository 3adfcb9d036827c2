"""What becomes one kernel, and that it computes what its parts compute."""

import time

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import program as api
from tensorc.ir.ops.control import KernelGroup
from tensorc.passes.structured import fuse
from tests.samples import same_bits
from tests.stages import TARGET, all_results

HEAD = """
param W: float[6, 4] = 0
param V: float[6, 4] = 0
param b: float[4] = 0
param Q: float[4, 4] = 0
param P: float[4, 300] = 0
param W2: float[60, 60] = 0
param V2: float[60, 60] = 0
param R: float[300, 4] = 0
"""

# A step, and how many kernels it is.
STEPS = {
    "elements on their way to a sum": ("return sum(exp(x) * 2 + 1)", 1),
    "two sums of the same rows": (
        "return sum(abs(W), axis=1), sum(W * W, axis=1)",
        1,
    ),
    "what waits joins its reader": (
        "a = W * 2\nc = sum(x)\nreturn (x @ W.T) @ a + a[:3]",
        3,
    ),
    "rows before a narrow product": ("return exp(x) @ (W.T @ W)", 2),
    "rows before and after it": (
        "h = exp(x) / 2\nz = h @ (W.T @ W) + h\nreturn z / sum(z, axis=1)[:, none]",
        2,
    ),
    "two products": ("return (x @ Q) @ Q", 1),
    "a product that others read, too": ("h = x @ Q\nreturn h @ Q, sum(h, axis=0)", 3),
    "a product that is transposed": ("return (x2.T @ W).T", 1),
    "a product that is read both ways": ("h = x2.T @ W\nreturn h.T, h", 2),
    "a product of wide columns": ("h = x @ P\nreturn h @ R", 2),
    "rows of wide columns": (
        "h = x @ P\nreturn (h / max(h, axis=1)[:, none]) @ R",
        1,
    ),
    "momentum": ("v = 0.5 * V - W\nV <- v\nW <- W + v\nb <- b * 2", 2),
    "adam": (
        "g = W * W\nm = 0.9 * V + 0.1 * g\nV <- m\nW <- W - m / (sqrt(g) + 1)",
        1,
    ),
    "scalars": ("return sum(x), sum(abs(x)), max(x) + 1", 1),
    "sums of as many elements": (
        "return sum(W2), sum(V2), max(abs(W2)), sum(W2[:50])",
        2,
    ),
    "one reads what the other replaces": ("y = W * 2 + x2\nW <- W + x2\nreturn y", 2),
}


def module_of(tmp_path, step):
    path = tmp_path / "m.tc"
    body = "\n".join(f"  {line}" for line in step.split("\n"))
    path.write_text(f"{HEAD}step go(x: float[3, 4], x2: float[6, 4]) {{\n{body}\n}}\n")
    return api.load(path).functions.source.emit(["go"])


def kernels(module):
    lowered = compiler.compile(module, TARGET, upto="structured").module
    return [op for op in lowered.walk() if isinstance(op, KernelGroup)]


@pytest.mark.parametrize("name", STEPS)
def test_kernels(tmp_path, name):
    step, wanted = STEPS[name]
    assert len(kernels(module_of(tmp_path, step))) == wanted


@pytest.mark.parametrize("name", STEPS)
def test_fused_as_apart(tmp_path, name, monkeypatch):
    step, _ = STEPS[name]
    rng = np.random.default_rng(5)
    module = module_of(tmp_path, step)
    (function,) = module.functions
    shapes = [a.type.shape for a in function.body.block.arguments]
    case = ("go", [rng.standard_normal(s).astype(np.float32) for s in shapes])
    fused = all_results(module, [case], (0, 3))
    monkeypatch.setattr(fuse, "misfit", lambda *_: "apart")
    (apart,) = all_results(module_of(tmp_path, step), [case], (3,))["O3"]
    for stage in ("loop", "O0", "O3"):
        for left, right in zip(fused[stage][0], apart, strict=True):
            assert same_bits(left, right), stage


@pytest.mark.parametrize(
    "step",
    [
        "return (x2.T @ W).T",
        "return (x @ P).T * 3, ((Q @ x.T).T @ Q).T",
        "h = reshape(x2, [2, 3, 4])\nreturn swapaxes(h @ swapaxes(h * 2, 1, 2), 1, 2)",
        "return grad(sum((x @ Q) * x * x), Q)",
    ],
)
def test_transposes_of_products_are_products(tmp_path, step):
    """What is made transposed has the bits of what was written, at every stage."""
    rng = np.random.default_rng(6)
    module = module_of(tmp_path, step)
    (function,) = module.functions
    shapes = [a.type.shape for a in function.body.block.arguments]
    case = ("go", [rng.standard_normal(s).astype(np.float32) for s in shapes])
    found = all_results(module, [case], (0, 3))
    for stage in ("structured", "buffer", "loop", "O0", "O3"):
        for left, right in zip(found[stage][0], found["tensor"][0], strict=True):
            assert same_bits(left, right), stage


@pytest.mark.parametrize(("file", "wanted"), [("logreg", 5), ("mlp", 11)])
def test_steps_of_the_examples(file, wanted):
    module = api.load(f"examples/{file}.tc").functions.source.emit(["train"])
    assert len(kernels(module)) == wanted


def test_many_that_fit_no_kernel_of_each_other(tmp_path):
    """Each reads across the rows of the one before; all wait for the last."""
    seconds = []
    for count in (250, 1000):
        lines = ["y = W[:4]", *["y = y[::-1] + 1"] * count, "return y"]
        module = compiler.compile(
            module_of(tmp_path, "\n".join(lines)), TARGET, upto="tensor"
        ).module
        start = time.process_time()
        assert len(kernels(module)) >= count
        seconds.append(time.process_time() - start)
    assert seconds[1] < 8 * seconds[0]
