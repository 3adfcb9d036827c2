"""Gathers and scatters through every stage: types, sizes, memory that is shared."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from tensorc.errors import TensorcError
from tensorc.ir.core import Value
from tensorc.ir.dims import symbol
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array
from tensorc.ir.ops.tensor.elementwise import Add, Mul, Neg, Sub
from tensorc.ir.ops.tensor.indexing import ADD, SET
from tensorc.ir.ops.tensor.rounding import Mod
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import verify
from tensorc.passes.structured import fuse
from tests.ir.programs import function
from tests.samples import parse_type, same_bits
from tests.stages import Case, all_results
from tests.test_pipeline import add_function

Values = list[Value]


def check_stages(
    wanted: Sequence[Sequence[Array]], module, cases: Sequence[Case]
) -> None:
    for stage, results in all_results(module, cases, (0, 3)).items():
        for (name, _), got, right in zip(cases, results, wanted, strict=True):
            for g, r in zip(got, right, strict=True):
                assert same_bits(np.asarray(g), np.asarray(r)), f"{name} at {stage}"


@pytest.mark.parametrize("element", ["f16", "bf16", "f32", "f64", "i8", "ui16", "i64"])
def test_sums_at_a_place_are_sequential_and_integers_wrap(element):
    rng = np.random.default_rng(3)
    dtype = parse_type(element).element.dtype
    module, cases, wanted = new_module(), [], []
    for columns in (1, 5, 16, 33):
        types = [parse_type(f"{element}[N, {columns}]")]
        types += [parse_type(f"{element}[B, {columns}]"), parse_type("i64[B]")]
        name = f"f{columns}"
        add_function(
            module,
            name,
            types,
            lambda b, of: [
                b.scatter(of[0], of[1], of[2:], (0,), ADD),
                b.scatter(of[0], of[1], of[2:], (0,), SET),
                b.gather(of[0], of[2:], (0,)),
            ],
        )
        for rows in (0, 1, 70):
            base = (rng.normal(size=(4, columns)) * 100).astype(dtype)
            values = (rng.normal(size=(rows, columns)) * 100).astype(dtype)
            index = rng.integers(-4, 4, rows)
            total, last = base.copy(), base.copy()
            for row, place in zip(values, index, strict=True):
                total[place] += row
                last[place] = row
            cases.append((name, [base, values, index]))
            wanted.append([total, last, base[index]])
    check_stages(wanted, module, cases)


def chains(b: TensorBuilder, of: Values) -> Values:
    """Scatter into memory that others read, that is returned, and that is neither."""
    x, v, i = of
    double = b(Add, x, x)
    first = b.scatter(double, v, [i], (0,), ADD)
    second = b.scatter(first, v, [i], (0,), SET)
    kept = b(Mul, x, x)
    third = b.scatter(kept, v, [i], (0,), ADD)
    fourth = b.scatter(kept, b.gather(kept, [i], (0,)), [i], (0,), ADD)
    of_argument = b.scatter(x, v, [i], (0,), SET)
    reshaped = b.reshape(b(Neg, x), (2, 2))
    fifth = b.scatter(reshaped, b.reshape(v, (1, 2)), [b.full((1,), 1, I64)], (0,), ADD)
    return [second, third, kept, fourth, of_argument, of_argument, fifth]


I64 = parse_type("i64").element


@pytest.mark.parametrize("fused", [True, False])
def test_a_scatter_writes_over_nothing_that_is_still_read(fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(fuse, "misfit", lambda *_: "apart")
    x, v, i = np.array([1.0, 2, 3, 4]), np.array([10.0, 20]), np.array([3, -4])
    module = new_module()
    types = [parse_type(t) for t in ("f64[4]", "f64[2]", "i64[2]")]
    add_function(module, "f", types, chains)
    twice = np.array([20.0, 4, 6, 10])
    squares = x * x
    wanted = [
        twice,
        squares + np.array([20.0, 0, 0, 10]),
        squares,
        squares + np.array([1.0, 0, 0, 16]),
        *[np.array([20.0, 2, 3, 10])] * 2,
        np.array([[-1.0, -2], [7, 16]]),
    ]
    check_stages([wanted], module, [("f", [x, v, i])])


X, Y = "tensor<4x3xf32>", "tensor<5xi64>"


def gather(axes, operands="%0, %1", types=f"{X}, {Y}", result="tensor<5x3xf32>"):
    properties = f"<{{axes = array<i64{axes}>}}>"
    return f'"tc.gather"({operands}) {properties} : ({types}) -> {result}'


def scatter(combine, values="tensor<5x3xf32>", axes=": 0", result=X):
    properties = f'<{{axes = array<i64{axes}>, combine = "{combine}"}}>'
    types = f"{X}, {values}, {Y}"
    return f'"tc.scatter"(%0, %2, %1) {properties} : ({types}) -> {result}'


# An op, the type of the third argument, and what the verifier must say.
HOSTILE = [
    (gather(": 2"), Y, "C1"),
    (gather(": -1"), Y, "C1"),
    (gather(""), Y, "C1"),
    (gather(": 0, 1"), Y, "C1"),
    (gather(": 1, 0", "%0, %1, %1", f"{X}, {Y}, {Y}"), Y, "C1"),
    (gather(": 0, 0", "%0, %1, %1", f"{X}, {Y}, {Y}"), Y, "C1"),
    (gather(": 0", "%0, %0", f"{X}, {X}"), Y, "C2"),
    (gather(": 0, 1", "%0, %1, %2", f"{X}, {Y}, tensor<4xi64>"), "tensor<4xi64>", "C3"),
    (gather(": 0", result="tensor<5x4xf32>"), Y, "f32[5, 3]"),
    (gather(": 99999999999999999999"), Y, ""),
    (scatter("add", "tensor<4x3xf32>"), "tensor<4x3xf32>", "C4"),
    (scatter("add", "tensor<5x3xf64>"), "tensor<5x3xf64>", "C4"),
    (scatter("max"), "tensor<5x3xf32>", "C5"),
    (scatter("add", axes=": 1"), "tensor<5x3xf32>", "C4"),
    (scatter("add", result="tensor<5x3xf32>"), "tensor<5x3xf32>", ""),
]


FLAT = "memref<4xf32>, memref<5xf32>, memref<5xi64>"
WRITES = [
    (": 1", FLAT, "C2"),
    ("", FLAT, "C2"),
    (": 0", "memref<4xf32>, memref<5xf64>, memref<5xi64>", "C1"),
    (": 0", "memref<4xf32>, memref<5xf32>, memref<5xf32>", "C3"),
    (": 0", "memref<4xf32>, memref<5x5xf32>, memref<5xi64>", "C4"),
]


@pytest.mark.parametrize(("axes", "types", "words"), WRITES)
def test_wrong_writes_to_memory_are_refused(axes, types, words):
    properties = f'<{{axes = array<i64{axes}>, combine = "add"}}>'
    op = f'"tc.scatter_into"(%0, %1, %2) {properties} : ({types}) -> ()'
    with pytest.raises(TensorcError) as caught:
        verify(parse_module(function(f'{op}\n"func.return"() : () -> ()', types)))
    assert words in caught.value.diagnostics[0].message


@pytest.mark.parametrize(("op", "third", "words"), HOSTILE)
def test_wrong_gathers_and_scatters_are_refused(op, third, words):
    text = function(f'%9 = {op}\n"func.return"() : () -> ()', f"{X}, {Y}, {third}")
    with pytest.raises(TensorcError) as caught:
        verify(parse_module(text))
    assert words in caught.value.diagnostics[0].message


N = symbol("N")
ROWS = (1, 3, 17, 49, 200)


def random_moves(b: TensorBuilder, of: Values, rng: np.random.Generator) -> Values:
    """Return results of gathers and scatters of each other, some of them updated."""
    pool, indices = list(of[:2]), [of[2]]
    size = b.broadcast(b.size(of[0], 0), (N,), ())
    for _ in range(14):
        x, y = (pool[k] for k in rng.integers(0, len(pool), 2))
        i, j = (indices[k] for k in rng.integers(0, len(indices), 2))
        column = b.full((N,), int(rng.integers(-3, 3)), I64)
        kind = rng.integers(0, 9)
        if kind == 0:
            indices.append(b.gather(i, [j], (0,)))
        elif kind == 1:
            indices.append(b(Sub, b(Mod, b(Add, i, j), size), size))
        elif kind == 2:
            pool.append(b.gather(x, [i], (0,)))
        elif kind == 3:
            picked = b.gather(x, [i, column], (0, 1))
            pool.append(b.scatter(y, picked, [j, column], (0, 1), ADD))
        elif kind == 4:
            total = b.insert_axis(b.sum(x, 1), (N, 3), 1)
            pool.append(b(Add, total, y))
        elif kind == 5:
            indices.append(b.scatter(i, j, [i], (0,), SET))
        else:
            combine = str(rng.choice([ADD, SET]))
            pool.append(b.scatter(b(Neg, x) if kind > 6 else x, y, [i], (0,), combine))
    return [*pool[-1:1:-2], *indices[-1:]]


@pytest.mark.parametrize("fused", [True, False])
def test_random_moves_agree_at_every_stage(fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(fuse, "misfit", lambda *_: "apart")
    module, cases = new_module(), []
    types = [parse_type(t) for t in ("f64[N, 3]", "f64[N, 3]", "i64[N]")]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        add_function(module, f"f{seed}", types, partial(random_moves, rng=rng))
        rows = ROWS[seed % len(ROWS)]
        arguments = [rng.normal(size=(rows, 3)) for _ in range(2)]
        cases.append((f"f{seed}", [*arguments, rng.integers(-rows, rows, rows)]))
    outcome = all_results(module, cases, (0, 2))
    for stage, results in outcome.items():
        for case, got, right in zip(cases, results, outcome["tensor"], strict=True):
            pairs = zip(got, right, strict=True)
            assert all(same_bits(g, r) for g, r in pairs), f"{case[0]} at {stage}"
