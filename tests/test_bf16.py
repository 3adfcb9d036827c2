"""bf16 in all stages and doors: 16 bits in memory, computed in f32, and rounded."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tensorc.floats import bfloat16
from tensorc.ir.core import Op
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array, ordered_matmul, ordered_sum, same_bits
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.tensor import convolution, reductions
from tests.samples import SAMPLES, parse_type, sample_values, seed_of
from tests.test_pipeline import COMPUTED_INDICES, add_function, check

BF16 = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
ALL = np.arange(1 << 16, dtype=np.uint16).view(BF16)
WIDE = (reductions.Mean, convolution.Windows)  # of f32 and f64 alone; has a number


def of_bf16(types: tuple[str, ...]) -> tuple[str, ...]:
    """Return types with bf16 for the floats."""
    return tuple(t.replace("f64", "bf16").replace("f32", "bf16") for t in types)


FLOATING = [
    cls
    for cls, samples in SAMPLES.items()
    if cls not in WIDE and any(of_bf16(s.operands) != s.operands for s in samples)
]


@pytest.mark.parametrize("cls", FLOATING, ids=lambda cls: cls.name)
def test_an_op_agrees_at_every_stage(cls: type[Op]) -> None:
    module, cases = new_module(), []
    for number, given in enumerate(SAMPLES[cls]):
        sample = replace(given, operands=of_bf16(given.operands))
        name = f"{cls.__name__}_{number}"
        types = [parse_type(t) for t in sample.operands]
        add_function(
            module,
            name,
            types,
            lambda b, of, given=given.attributes: b.results(cls, *of, **given),  # type: ignore[misc]
        )
        cases.append((name, sample_values(sample, seed_of(name))))
    exact = EXACT in cls.traits or cls in COMPUTED_INDICES
    check(module, cases, exact=exact, levels=(0, 2))


def wide(values: Array) -> Array:
    return values.astype(np.float32)


@pytest.mark.parametrize("optimize", [0, 2])
def test_casts_of_all_values(optimize: int) -> None:
    with tc.options(optimize=optimize), np.errstate(all="ignore"):
        widened = tc.jit(lambda v: v.astype("float32"))(ALL)
        assert same_bits(widened, wide(ALL))
        back = tc.jit(lambda v: v.astype(tc.bf16))(widened)
        assert same_bits(back, ALL)
        doubles = tc.jit(lambda v: v.astype("f8"))(ALL)
        assert same_bits(doubles, wide(ALL).astype("f8"))
        halves = tc.jit(lambda v: v.astype("f2"))(ALL)
        assert same_bits(halves, wide(ALL).astype("f2"))
        every = np.arange(1 << 16, dtype=np.uint16).view("f2")
        assert same_bits(tc.jit(lambda v: v.astype(tc.bf16))(every), every.astype(BF16))


def test_f32_is_rounded_to_nearest_even() -> None:
    bits = np.arange(1 << 16, dtype=np.uint32) << 16
    low = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    values = (bits[:, None] | low).view(np.float32)
    with np.errstate(all="ignore"):
        wanted = values.astype(BF16)
    cast = tc.jit(lambda v: v.astype(tc.bf16))
    assert same_bits(cast(values), wanted)
    assert same_bits(cast(values[:, 3]), wanted[:, 3])


def pairs() -> tuple[Array, Array]:
    rng = np.random.default_rng(16)
    x, y = rng.integers(0, 1 << 16, (2, 50000), dtype=np.uint16)
    return x.view(BF16), y.view(BF16)


def test_arithmetic_is_that_of_f32_rounded() -> None:
    x, y = pairs()
    with np.errstate(all="ignore"):
        for f in (np.add, np.subtract, np.multiply, np.divide, np.maximum):
            given = tc.jit(lambda a, b, f=f: f(a, b))(x, y)  # type: ignore[misc]
            assert given.dtype == BF16
            wanted = f(wide(x), wide(y)).astype(BF16)
            assert same_bits(given[wanted != 0], wanted[wanted != 0]), f
        given = tc.jit(lambda a, b: np.sqrt(a) * b + a)(x, y)
        steps = np.sqrt(wide(x)).astype(BF16)
        steps = (wide(steps) * wide(y)).astype(BF16)
        assert same_bits(given, (wide(steps) + wide(x)).astype(BF16))


def test_sums_and_products_are_added_up_in_f32() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(37, 1100)).astype(BF16)
    y = rng.normal(size=(1100, 19)).astype(BF16)
    total, product = tc.jit(lambda a, b: (a.sum(axis=1), a @ b))(x, y)
    assert same_bits(total, ordered_sum(wide(x), 1).astype(BF16))
    assert same_bits(product, ordered_matmul(wide(x), wide(y)).astype(BF16))


def test_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "m.tc"
    file.write_text(
        "param W: float[3, 2] = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]\n"
        "fn f(x: bf16[B, 3]) -> bf16[B, 2] = x @ bf16(W) + 1\n"
        "step s(x: float[B, 3]) -> float {\n"
        "    cost = sum(x @ W)\n"
        "    W <- W - 0.1 * grad(cost, W)\n"
        "    return cost\n"
        "}\n"
    )
    x = np.arange(6).reshape(2, 3).astype(BF16)
    weights = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "f4").astype(BF16)
    wanted = ordered_matmul(wide(x), wide(weights)).astype(BF16) + BF16.type(1)
    assert same_bits(tc.load(file).f(x), wanted)
    program = tc.load(file, default_float="bf16")
    assert same_bits(program.f(x), wanted)
    assert program.s(x).dtype == BF16
    slope = wide(x).sum(axis=0)[:, None].astype(BF16)
    moved = weights - BF16.type(0.1) * np.broadcast_to(slope, (3, 2))
    assert same_bits(program.params["W"].get_value(), moved)


def test_without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    bfloat16.cache_clear()
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    try:
        with pytest.raises(TensorcError, match="bf16 needs the package ml_dtypes"):
            tc.jit(lambda v: v.astype(tc.bf16))(np.ones(3, "f4"))
    finally:
        bfloat16.cache_clear()


WITHOUT = """
import importlib, pkgutil, sys
sys.modules["ml_dtypes"] = None
import numpy as np
import tensorc as tc
for module in pkgutil.walk_packages(tc.__path__, "tensorc."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
x = tc.vector("x")
assert tc.function([x], x * 2)([3.0]) == [6]
assert tc.jit(lambda v: v.astype("float16") + 1)(np.ones(3))[0] == 2
"""


def test_nothing_else_needs_ml_dtypes() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=60)


def test_what_is_moved_keeps_all_bits() -> None:
    """Of NaN, too: transposed and reversed in registers, copied, joined."""
    square = ALL.reshape(256, 256)
    turned, back, joined = tc.jit(
        lambda v: (v.T, v[::-1, ::-1], tc.concatenate([v, v.T]))
    )(square)
    for given, wanted in (
        (turned, square.T),
        (back, square[::-1, ::-1]),
        (joined, np.concatenate([square, square.T])),
    ):
        assert (given.view(np.uint16) == wanted.view(np.uint16)).all()
