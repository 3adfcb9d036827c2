"""Reductions of all axes and extents: the same bits for all schedules and threads."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tensorc import abi, compiler, driver
from tensorc.artifact import Artifact
from tensorc.backend.llvm import codegen
from tensorc.ir.builder import Builder
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.numerics import LANES_ORDER, SEQUENTIAL, Array, ordered_sum
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.scalar import arith
from tensorc.ir.schedules import schedule_of
from tensorc.ir.types import TensorType
from tensorc.passes.schedule import cpu
from tensorc.passes.schedule.schedule import SCHEDULE_CPU
from tensorc.passes.structured.fuse import FUSE, SEPARATE
from tensorc.passes.structured.views import Lowering, MappedRead
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests.passes.test_reduced_dims import (
    REDUCTIONS,
    Reduce,
    build,
    combined,
    expected,
    flat,
)
from tests.samples import parse_type, same_bits
from tests.stages import (
    TARGET,
    Case,
    compiled_results,
    inputs,
    results_below,
    verified,
)

SHAPES: dict[int, list[tuple[int, ...]]] = {
    1: [(n,) for n in (0, 1, 15, 16, 17, 1023, 1024, 1025, 2049, 5000)],
    2: [(2, 0), (0, 5), (3, 17), (17, 1025), (1025, 3), (2050, 16), (1040, 40)],
    3: [(5, 17, 49), (70, 3, 31), (1025, 2, 3), (3, 1025, 2), (40, 1, 64), (0, 2, 2)],
    4: [(3, 5, 7, 24), (50, 4, 6, 6), (2, 1, 1030, 3), (5, 2, 3, 130), (9, 2, 0, 2)],
}
WHOLE: Reduce = combined(arith.AddI, 0, SEQUENTIAL)
DOUBLE: Reduce = combined(arith.AddF, -0.0, LANES_ORDER)
KINDS: dict[str, tuple[str, Reduce]] = {
    "sum": ("f32", REDUCTIONS["sum"]),
    "product": ("f32", REDUCTIONS["product"]),
    "largest": ("f32", REDUCTIONS["largest"]),
    "above": ("f32", REDUCTIONS["above"]),
    "whole": ("i32", WHOLE),
    "double": ("f64", DOUBLE),
}
# Small pieces, chunks and parts, so that arrays of a few thousand have all of them.
SMALL = {
    "CHUNK_WORK": 1,
    "SPLIT_WORK": 1,
    "KEPT_LEAST": 1,
    "KEPT_OF_PARTS": 16,
    "ACCUMULATORS": 512,
    "KEPT": 32,
    "TURNED_COLUMNS": 2,
    "TURNED_ROWS": 1024,
}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(cpu, name, value)


@pytest.fixture(autouse=True)
def _default_threads() -> Iterator[None]:
    yield
    threads.use(None)


def axes_of(rank: int) -> list[tuple[int, ...]]:
    return [a for n in range(rank) for a in combinations(range(rank), n + 1)]


def values_of(element: str, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(len(shape))
    if element == "i32":
        return rng.integers(-(2**30), 2**30, shape, dtype=np.int32)
    return rng.standard_normal(shape).astype("float32" if element == "f32" else float)


def wanted_of(kind: str, values: Array, axes: Sequence[int]) -> list[Array]:
    if kind == "whole":
        return [flat(values, axes).sum(axis=0, dtype=np.int32)]
    return expected("sum" if kind == "double" else kind, values, axes)


def module_of(kind: str, known: bool) -> tuple[Module, list[Case], list[list[Array]]]:
    """Return functions of all ranks and axes, calls of them, and what these give."""
    element, reduce = KINDS[kind]
    module, cases, wanted = new_module(), [], []
    for rank, shapes in SHAPES.items():
        for axes in axes_of(rank):
            for number, shape in enumerate(shapes):
                name = f"f{rank}_{'_'.join(map(str, axes))}" + f"_{number}" * known
                if known or not number:
                    dims = ", ".join(map(str, shape) if known else "ABCD"[:rank])
                    type_ = parse_type(f"{element}[{dims}]")
                    made = build(reduce, type_, axes, name)
                    module.body.block.append(made.functions[0])
                values = values_of(element, shape)
                cases.append((name, [values]))
                wanted.append(wanted_of(kind, values, axes))
    return module, cases, wanted


def compiled(module: Module, optimize: int, fuse: bool = True) -> Artifact:
    signatures = abi.signatures(module)
    for pass_ in (FUSE if fuse else SEPARATE, SCHEDULE_CPU):
        module = verified(pass_, module, TARGET)
    made = compiler.compile(module, TARGET, upto="loop", after="structured")
    functions = abi.with_memory(signatures, made.module)
    options = replace(DEFAULT, parallel_work=1)
    text = codegen.emit_llvm(made.module, TARGET, options)
    return Artifact("cpu", codegen.emit_object(text, TARGET, optimize), functions)


def check(kind: str, known: bool, optimize: int, fuse: bool = True) -> None:
    module, cases, wanted = module_of(kind, known)
    updated = {name: [] for name, _ in cases}
    artifact = compiled(module, optimize, fuse)
    threads.start(driver._load_pool)
    for number in (1, 2, 4):
        threads.use(number)
        outcome = compiled_results(artifact, cases, updated)
        for (name, values), left, right in zip(cases, wanted, outcome, strict=True):
            for a, b in zip(left, right, strict=True):
                assert same_bits(a, b), (name, values[0].shape, number)


@pytest.mark.parametrize("kind", KINDS)
def test_all_axes_of_unknown_extents(kind: str) -> None:
    check(kind, known=False, optimize=2)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("kind", KINDS)
def test_all_axes_in_small_parts(kind: str) -> None:
    check(kind, known=False, optimize=3, fuse=False)


@pytest.mark.parametrize("kind", ["sum", "largest"])
def test_all_axes_of_known_extents(kind: str) -> None:
    check(kind, known=True, optimize=0)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", ["sum", "largest"])
def test_parts_mean_the_same_at_every_stage(kind: str, known: bool) -> None:
    shapes = [((2050, 2), (0,)), ((2, 1030, 2), (0, 1)), ((3, 4, 800), (0, 2))]
    for shape, axes in shapes:
        dims = ", ".join(map(str, shape) if known else "ABC"[: len(shape)])
        module = build(KINDS[kind][1], parse_type(f"f32[{dims}]"), axes, "f")
        values = values_of("f32", shape)
        signatures = abi.signatures(module)
        for pass_ in (FUSE, SCHEDULE_CPU):
            module = verified(pass_, module, TARGET)
        (group,) = (op for op in module.walk() if isinstance(op, KernelGroup))
        chosen = schedule_of(group)
        assert chosen is not None
        assert chosen.split == 1024
        wanted = wanted_of(kind, values, axes)
        outcome = results_below(module, signatures, [("f", [values])], (0, 3))
        for stage, (given,) in outcome.items():
            for left, right in zip(wanted, given, strict=True):
                assert same_bits(left, right), (stage, shape)


def transposed(dims: str, name: str) -> Module:
    """Return a function that sums a transposed matrix."""
    type_ = parse_type(f"f32[{dims}]")
    given = TensorType(type_.shape[::-1], type_.element)
    module = new_module()
    function, builder = open_function(name, inputs(type_))
    low = Lowering(Builder(function.body.block))
    source = MappedRead(given, function.body.block.arguments[0], (1, 0))
    results = low.loop(
        [(source, (0, 1))],
        [(TensorType((), type_.element), (), -0.0)],
        lambda v: [low.b.value(arith.AddF, v[1], v[0])],
        (0, 1),
        LANES_ORDER,
    )
    close_function(function, builder, results)
    module.body.block.append(function)
    return module


TURNED = [(17, 16), (16, 17), (33, 70), (1030, 100), (129, 127), (5, 40), (40, 5)]
TURNED += [(1, 20), (1500, 33), (1024, 20), (1031, 18), (2048, 3), (3001, 40)]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("parts", [True, False])
def test_sums_of_transposed_matrices(
    known: bool, parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parts:
        for name, value in SMALL.items():
            monkeypatch.setattr(cpu, name, value)
    module, cases, wanted = new_module(), [], []
    for number, shape in enumerate(TURNED):
        name = f"f{number}" if known else "f"
        if known or not number:
            dims = ", ".join(map(str, shape) if known else "AB")
            module.body.block.append(transposed(dims, name).functions[0])
        values = values_of("f32", shape)
        cases.append((name, [values]))
        wanted.append(ordered_sum(np.ascontiguousarray(values.T).reshape(-1), 0))
    artifact = compiled(module, 3)
    threads.start(driver._load_pool)
    for number in (1, 2):
        threads.use(number)
        outcome = compiled_results(artifact, cases, {name: [] for name, _ in cases})
        for (_, (values,)), left, (right,) in zip(cases, wanted, outcome, strict=True):
            assert same_bits(left, right), (values.shape, number)


@pytest.mark.parametrize("dims", ["17, 16", "1000, 300", "16, 1025", "70, 3000"])
def test_short_columns_are_read_as_panels(dims: str) -> None:
    """Columns of 16 to 1,024 elements are copied as rows: no lane reads on its own."""
    module = transposed(dims, "f")
    for pass_ in (FUSE, SCHEDULE_CPU):
        module = verified(pass_, module, TARGET)
    made = compiler.compile(module, TARGET, upto="loop", after="structured").module
    names = {op.name for op in made.walk()}
    assert "vector.gather" not in names
    assert "vector.shuffle" in names


def schedules(shape: str, axes: Sequence[int]) -> object:
    module = build(REDUCTIONS["sum"], parse_type(f"f32[{shape}]"), axes, "f")
    for pass_ in (FUSE, SCHEDULE_CPU):
        module = verified(pass_, module, TARGET)
    (group,) = (op for op in module.walk() if isinstance(op, KernelGroup))
    chosen = schedule_of(group)
    assert chosen is not None
    return chosen.kept, chosen.split


def test_long_reductions_are_cut_into_parts_and_wide_ones_into_columns() -> None:
    assert schedules("20, 500", (0,)) == (None, None)
    assert schedules("1000000", (0,)) == (None, 131072)
    assert schedules("3000, 3000", (0, 1)) == (None, 131072)
    assert schedules("8192, 1000", (0,)) == (None, 1024)
    kept, split = schedules("100, 1000000", (0,))  # type: ignore[misc]
    assert kept % 16 == 0
    assert split is None
