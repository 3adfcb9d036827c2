"""Products of more than 8192 terms: blocks ascending, superblocks in a tree."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array, fma, ordered_matmul
from tensorc.passes.schedule.products import DOT_SPLIT
from tests import stages
from tests.samples import parse_type, same_bits
from tests.stages import Case, all_results
from tests.test_pipeline import add_function, check

FIVE = 3 * 8192 + 5
DEPTHS = (8191, 8192, 8193, FIVE, 7 * 8192 + 1024)


def one_by_one(left: Array, right: Array) -> Array:
    """Return the dot product of vectors, term by term, as docs/numerics.md has it."""
    zero, blocks = np.zeros((), left.dtype), []
    for i in range(0, len(left), 512):
        total = zero
        for a, b in zip(left[i : i + 512], right[i : i + 512], strict=True):
            total = fma(a, b, total)
        blocks.append(total)
    sums = []
    for i in range(0, len(blocks), 16):
        total = blocks[i]
        for block in blocks[i + 1 : i + 16]:
            total = total + block
        sums.append(total)
    while len(sums) > 1:
        pairs = [sums[i] + sums[i + 1] for i in range(0, len(sums) - 1, 2)]
        sums = pairs + (sums[-1:] if len(sums) % 2 else [])
    return np.asarray(sums[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_order_is_that_of_the_contract(dtype: str) -> None:
    rng = np.random.default_rng(1)
    for depth in DEPTHS if dtype == "float32" else DEPTHS[2:4]:
        left, right = (rng.standard_normal(depth).astype(dtype) for _ in range(2))
        given = ordered_matmul(left[None], right[:, None])
        assert same_bits(given[0, 0], one_by_one(left, right)), depth


@pytest.mark.parametrize(
    ("element", "bits", "depth"),
    [("f32", 128, 8193), ("f32", 512, FIVE), ("f64", 256, 8193)],
)
def test_deep_products_agree_at_every_stage(
    element: str, bits: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(bits)
    module, cases = new_module(), list[Case]()
    for known in ("K", depth):
        name = f"f{known}"
        types = [parse_type(f"{element}[{s}]") for s in (f"2, {known}", f"{known}, 3")]
        add_function(module, name, types, lambda b, of: [b.matmul(*of)])
        dtype = types[0].element.dtype
        shapes = ((2, depth), (depth, 3))
        cases.append((name, [rng.standard_normal(s).astype(dtype) for s in shapes]))
    outcome = all_results(module, cases, (0,))
    for stage, results in outcome.items():
        for (name, _), (left,), (right,) in zip(
            cases, outcome["tensor"], results, strict=True
        ):
            assert same_bits(left, right), f"{name} at {stage}"


SHAPES = ((1, 1), (2, 17), (50, 3), (33, 300), (53, 20))


@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
def test_deep_products_of_all_forms(transposed: bool, tmp_path: Path) -> None:
    """Rows in groups, copied strips, transposed left sides; sizes known and unknown."""
    rng = np.random.default_rng(3)
    written, cases = [], []
    left_side = "x.T" if transposed else "x"
    for rows, columns in SHAPES:
        for depth in DEPTHS[2:4]:
            left = rng.standard_normal((rows, depth)).astype("float32")
            right = rng.standard_normal((depth, columns)).astype("float32")
            given = np.ascontiguousarray(left.T) if transposed else left
            name = f"f_{rows}_{columns}_{depth}"
            types = [f"float[{', '.join(map(str, a.shape))}]" for a in (given, right)]
            header = f"fn {name}(x: {types[0]}, y: {types[1]})"
            written.append(f"{header} -> float[{rows}, {columns}] = {left_side} @ y")
            cases.append((name, given, right, ordered_matmul(left, right)))
    path = tmp_path / "known.tc"
    path.write_text("\n".join(written) + "\n")
    program = tc.load(path)
    traced = tc.jit(lambda x, y: (x.T if transposed else x) @ y)
    for name, x, y, wanted in cases:
        assert same_bits(np.asarray(traced(x, y)), wanted), f"{name}, unknown"
        assert same_bits(np.asarray(getattr(program, name)(x, y)), wanted), name


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_dot_product_of_a_million(threads: int) -> None:
    x = np.full(10**6, 0.1, "float32")
    y = np.random.default_rng(4).standard_normal(10**6).astype("float32")
    dot = tc.jit(lambda a, b: a @ b)
    with tc.options(threads=threads):
        wanted = ordered_matmul(x[None], y[:, None])[0, 0]
        assert same_bits(np.asarray(dot(x, y)), wanted)
        assert abs(float(dot(x, np.ones_like(x))) / 10**5 - 1) < 5e-6


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_parts_of_a_dot_product_run_apart(threads: int, tmp_path: Path) -> None:
    """Around whole parts, in a kernel with what follows; depths known and unknown."""
    rng = np.random.default_rng(threads)
    norm = tc.jit(lambda a, b: 1 / (1 + (a @ b) ** 2))
    path = tmp_path / "known.tc"
    path.write_text(f"fn f(x: f32[{3 * DOT_SPLIT}], y: f32[{3 * DOT_SPLIT}]) -> f32")
    with path.open("a") as file:
        file.write(" = 1 / (1 + (x @ y) ** 2)\n")
    known = tc.load(path)
    with tc.options(threads=threads):
        for depth in (0, 5, DOT_SPLIT, DOT_SPLIT + 1, 3 * DOT_SPLIT, 5 * DOT_SPLIT - 9):
            x, y = (rng.standard_normal(depth).astype("float32") for _ in range(2))
            dot = ordered_matmul(x[None], y[:, None])[0, 0]
            wanted = np.float32(1) / (1 + dot**2)
            assert same_bits(np.asarray(norm(x, y)), np.asarray(wanted)), depth
            if depth == 3 * DOT_SPLIT:
                assert same_bits(np.asarray(known.f(x, y)), np.asarray(wanted))


def test_dot_products_in_kernels_with_others() -> None:
    """Parts run first: what else a kernel makes is not there yet."""
    rng = np.random.default_rng(15)
    halves = tc.jit(lambda x, y: x @ y)
    beside = tc.jit(lambda x, y: x @ y + (x * 2).sum(1))
    doubled = tc.jit(lambda x, y: (x * 2, (x * 2) @ y + (x * 2).sum(1)))
    total = tc.jit(lambda x: (x * 2).sum(1))
    for depth in (0, 5, 2 * DOT_SPLIT + 9):
        x, y = (rng.standard_normal((n, depth)).astype("float32") for n in (1, 1))
        half = [v[0].astype("float16") for v in (x, y)]
        wide = [v.astype("float32") for v in half]
        wanted = ordered_matmul(wide[0][None], wide[1][:, None])[0, 0]
        assert same_bits(np.asarray(halves(*half)), np.asarray(np.float16(wanted)))
        made, found = doubled(x, y.T)
        assert same_bits(np.asarray(made), x * 2)
        added = np.asarray(total(x))
        assert same_bits(np.asarray(found), ordered_matmul(x * 2, y.T) + added)
        found = np.asarray(beside(x, y.T))
        assert same_bits(found, ordered_matmul(x, y.T) + added)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_dot_products_of_all_depths(element: str) -> None:
    """Whole superblocks run 16 blocks side by side, what is left four and one."""
    rng = np.random.default_rng(5)
    module, cases = new_module(), list[Case]()
    for known in ("K", 600):
        types = [parse_type(f"{element}[{s}]") for s in (f"1, {known}", f"{known}, 1")]
        add_function(module, f"f{known}", types, lambda b, of: [b.matmul(*of)])
        for depth in (0, 1, 511, 512, 513, 2049) if known == "K" else (known,):
            pair = [rng.standard_normal(s) for s in ((1, depth), (depth, 1))]
            dtype = types[0].element.dtype
            cases.append((f"f{known}", [v.astype(dtype) for v in pair]))
    outcome = all_results(module, cases, (0, 2))
    for stage, results in outcome.items():
        for number, ((left,), (right,)) in enumerate(
            zip(outcome["tensor"], results, strict=True)
        ):
            assert same_bits(left, right), f"{number} at {stage}"
    assert outcome["O2"][0][0].tobytes() == bytes(4 if element == "f32" else 8)


@pytest.mark.parametrize("depth", [2047, 4100, 8191, 8192, 16384, 5 * 8192 + 2500])
def test_dot_products_of_batches_and_columns(depth: int) -> None:
    rng = np.random.default_rng(depth)
    left = rng.standard_normal((3, 1, depth)).astype("float32")
    right = rng.standard_normal((3, depth, 1)).astype("float32")
    product = tc.jit(lambda x, y: x @ y)
    assert same_bits(np.asarray(product(left, right)), ordered_matmul(left, right))
    rows = rng.standard_normal((depth, 2)).astype("float32")
    column = tc.jit(lambda x, y: x[:, 1] @ y)(rows, right[0, :, 0])
    wanted = ordered_matmul(rows[:, 1][None], right[0])
    assert same_bits(np.asarray(column), wanted[0, 0])


@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.parametrize("bits", [256, 512])
def test_deep_rows_share_a_column(
    element: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows at a time, then one; the terms of the last case are no neighbours."""
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(9)
    module, cases = new_module(), list[Case]()
    dtype = parse_type(element).element.dtype
    for name, rows, known in (("unknown", 2, "K"), ("known", 3, 8193)):
        sides = (f"{rows}, {known}", f"{known}, 1")
        types = [parse_type(f"{element}[{s}]") for s in sides]
        add_function(module, name, types, lambda b, of: [b.matmul(*of)])
        shapes = ((rows, 8193), (8193, 1))
        cases.append((name, [rng.standard_normal(s).astype(dtype) for s in shapes]))
    outcome = all_results(module, cases, (0, 2))
    for stage, results in outcome.items():
        pairs = zip(cases, outcome["tensor"], results, strict=True)
        for (name, _), (left,), (right,) in pairs:
            assert same_bits(left, right), f"{name} at {stage}"
    wide = rng.standard_normal((3, 3 * 8200)).astype(dtype)
    given = np.asarray(tc.jit(lambda x, y: x[:, ::3] @ y)(wide, wide[0, :8200]))
    assert same_bits(given, ordered_matmul(wide[:, ::3], wide[:1, :8200].T)[:, 0])


def test_a_dot_product_keeps_the_sign_of_what_vanishes() -> None:
    tiny = np.full(3, 1e-30, "float32")
    product = np.asarray(tc.jit(lambda x, y: x @ y)(tiny, -tiny))
    assert np.signbit(product)
    assert product == 0


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_a_matrix_times_a_vector_of_all_sizes(element: str) -> None:
    """Groups of 16 rows, of which 16 terms are transposed at a time, and the rest."""
    rng = np.random.default_rng(6)
    traced = tc.jit(lambda x, y: x @ y)
    dtype = parse_type(element).element.dtype
    for rows in (1, 15, 16, 17, 100):
        for depth in (0, 1, 15, 16, 17, 511, 513, 1030, 8192, 8193):
            left = rng.standard_normal((rows, depth)).astype(dtype)
            right = rng.standard_normal(depth).astype(dtype)
            wanted = ordered_matmul(left, right[:, None])[:, 0]
            given = np.asarray(traced(left, right))
            assert same_bits(given, wanted), (rows, depth)


@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.parametrize("bits", [256, 512])
def test_a_matrix_times_a_vector_agrees_at_every_stage(
    element: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(7)
    module, cases = new_module(), list[Case]()
    for name, m, k in (("unknown", "M", "K"), ("known", 35, 530)):
        types = [parse_type(f"{element}[{s}]") for s in (f"{m}, {k}", f"{k}, 1")]
        add_function(module, name, types, lambda b, of: [b.matmul(*of)])
    dtype = types[0].element.dtype
    for rows, depth in ((35, 530), (16, 0), (16, 20), (20, 16)):
        pair = [rng.standard_normal(s) for s in ((rows, depth), (depth, 1))]
        given = [v.astype(dtype) for v in pair]
        cases += [("unknown", given)] + [("known", given)] * (depth == 530)
    check(module, cases, exact=True, levels=(0, 2))
