"""Every op through every stage: interpreted and compiled results agree.

Exact ops agree bit for bit; what contains exp or log agrees between the last stage
(after `expand-math`) and compiled code, and within a bound with the stages before.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tensorc.api import program as api
from tensorc.errors import IndexOutOfRange, ShapeError
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import symbol
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import Add, Maximum, Minimum, Mul
from tensorc.ir.ops.tensor.indexing import Gather, Scatter, TakeAlongAxis
from tensorc.ir.ops.tensor.reductions import ArgMax, Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import F32, TensorType
from tests.samples import (
    SAMPLES,
    parse_type,
    same_bits,
    sample_values,
    seed_of,
)
from tests.stages import Case, all_results, inputs

Body = Callable[[TensorBuilder, list[Value]], Sequence[Value]]
COMPUTED_INDICES = (TakeAlongAxis, Gather, Scatter)  # exact, but they can fail


def add_function(
    module: Module, name: str, types: Sequence[TensorType], body: Body
) -> None:
    function, builder = open_function(name, inputs(*types))
    results = body(TensorBuilder(builder), function.body.block.arguments)
    close_function(function, builder, results)
    module.body.block.append(function)


def check(
    module: Module, cases: Sequence[Case], exact: bool, levels: Sequence[int] = (2,)
) -> None:
    outcome = all_results(module, cases, levels)
    first = outcome["tensor"]
    for stage, results in outcome.items():
        for (name, _), expected, given in zip(cases, first, results, strict=True):
            for left, right in zip(expected, given, strict=True):
                message = f"{name} at {stage}: {left} and {right}"
                if exact:
                    assert same_bits(left, right), message
                else:
                    np.testing.assert_allclose(
                        left, right, rtol=2e-6, atol=1e-7, err_msg=message
                    )
    for name, left_results in outcome.items():
        if name.startswith("O"):
            for a, b in zip(outcome["loop"], left_results, strict=True):
                assert all(same_bits(x, y) for x, y in zip(a, b, strict=True)), name


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.name)
def test_an_op_agrees_at_every_stage(cls: type[Op]) -> None:
    module, cases = new_module(), []
    for number, sample in enumerate(SAMPLES[cls]):
        name = f"{cls.__name__}_{number}"
        types = [parse_type(t) for t in sample.operands]
        add_function(
            module,
            name,
            types,
            lambda b, of, given=sample.attributes: b.results(cls, *of, **given),  # type: ignore[misc]
        )
        cases.append((name, sample_values(sample, seed_of(name))))
    exact = EXACT in cls.traits or cls in COMPUTED_INDICES
    check(module, cases, exact=exact, levels=(0, 2))


EXTENTS = (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 65, 1023, 1024, 1025, 2049, 5000)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_sums_keep_their_order(element: str) -> None:
    rng = np.random.default_rng(1)
    module, cases = new_module(), []
    vector, matrix = parse_type(f"{element}[B]"), parse_type(f"{element}[B, N]")
    add_function(module, "whole", [vector], lambda b, of: [b.sum(of[0], 0)])
    add_function(module, "rows", [matrix], lambda b, of: [b.sum(of[0], 1)])
    add_function(module, "columns", [matrix], lambda b, of: [b.sum(of[0], 0)])
    add_function(
        module,
        "largest",
        [matrix],
        lambda b, of: [b(Max, of[0], axes=(0,)), b(Max, of[0], axes=(1,))],
    )
    dtype = vector.element.dtype
    for extent in EXTENTS:
        cases.append(("whole", [rng.standard_normal(extent).astype(dtype)]))
    for shape in (
        (3, 5),
        (5, 3),
        (1, 17),
        (17, 1),
        (40, 33),
        (1030, 3),
        (3, 1030),
        (0, 3),
        (3, 0),
    ):
        array = rng.standard_normal(shape).astype(dtype)
        cases += [("rows", [array]), ("columns", [array]), ("largest", [array])]
    check(module, cases, exact=True)


def test_sums_of_static_extents_keep_their_order() -> None:
    rng = np.random.default_rng(2)
    module, cases = new_module(), []
    for extent in EXTENTS:
        types = [parse_type(f"f32[{extent}, 3]")]
        name = f"sum_{extent}"
        add_function(
            module, name, types, lambda b, of: [b.sum(of[0], 0), b.sum(of[0], 1)]
        )
        cases.append((name, [rng.standard_normal((extent, 3)).astype("f4")]))
    check(module, cases, exact=True)


def test_a_sum_of_negative_zeros_is_negative_zero_and_of_nothing_zero() -> None:
    module = new_module()
    add_function(
        module, "total", [parse_type("f32[B]")], lambda b, of: [b.sum(of[0], 0)]
    )
    cases: list[Case] = [
        ("total", [np.full(n, -0.0, np.float32)]) for n in (0, 1, 20, 1030)
    ]
    check(module, cases, exact=True)


@pytest.mark.parametrize("element", ["f32", "f64", "i64"])
def test_products_of_all_sizes(element: str) -> None:
    rng = np.random.default_rng(3)
    module, cases = new_module(), []
    lhs, rhs = parse_type(f"{element}[M, K]"), parse_type(f"{element}[K, N]")
    add_function(module, "plain", [lhs, rhs], lambda b, of: [b.matmul(*of)])
    add_function(
        module,
        "left",
        [parse_type(f"{element}[K, M]"), rhs],
        lambda b, of: [b.matmul(b.transpose(of[0], (1, 0)), of[1])],
    )
    add_function(
        module,
        "right",
        [lhs, parse_type(f"{element}[N, K]")],
        lambda b, of: [b.matmul(of[0], b.transpose(of[1], (1, 0)))],
    )
    dtype = lhs.element.dtype
    for m, k, n in (
        (1, 1, 1),
        (5, 8, 3),
        (13, 7, 17),
        (49, 5, 50),
        (3, 0, 4),
        (0, 3, 2),
        (4, 3, 0),
        (2, 515, 3),
    ):
        a, b = _numbers(rng, (m, k), dtype), _numbers(rng, (k, n), dtype)
        cases += [
            ("plain", [a, b]),
            ("left", [np.ascontiguousarray(a.T), b]),
            ("right", [a, np.ascontiguousarray(b.T)]),
        ]
    check(module, cases, exact=True)


def _numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: object) -> Array:
    if np.issubdtype(np.dtype(dtype), np.integer):  # type: ignore[arg-type]
        return rng.integers(-9, 9, shape)
    return rng.standard_normal(shape).astype(dtype)  # type: ignore[arg-type]


@pytest.mark.parametrize("columns", [1, 3, 10, 16, 17])
def test_transposed_products_of_static_columns(columns: int) -> None:
    rng = np.random.default_rng(columns)
    module, cases = new_module(), []
    types = [parse_type("f32[B, 20]"), parse_type(f"f32[B, {columns}]")]
    add_function(
        module,
        "gradient",
        types,
        lambda b, of: [b.matmul(b.transpose(of[0], (1, 0)), of[1])],
    )
    # The empty batch comes last: scratch must not show what the others left in it.
    for rows in (1, 5, 511, 513, 0):
        shapes = ((rows, 20), (rows, columns))
        values = [rng.standard_normal(shape).astype("f4") for shape in shapes]
        cases.append(("gradient", values))
    check(module, cases, exact=True)


@pytest.mark.parametrize("columns", [1, 3, 10, 16, 17, 50])
def test_products_of_static_columns(columns: int) -> None:
    rng = np.random.default_rng(columns)
    module = new_module()
    types = [
        parse_type("f32[B, 20]"),
        parse_type(f"f32[20, {columns}]"),
        parse_type(f"f32[{columns}]"),
    ]

    def layer(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        x, w, bias = of
        z = b.matmul(x, w)
        shifted = b(Add, z, b.broadcast(bias, z.type.shape, (1,)))  # type: ignore[union-attr]
        return [shifted, b(Max, shifted, axes=(1,)), b.sum(b(Mul, shifted, z), 0)]

    add_function(module, "layer", types, layer)
    cases: list[Case] = [
        (
            "layer",
            [
                rng.standard_normal((rows, 20)).astype("f4"),
                rng.standard_normal((20, columns)).astype("f4"),
                rng.standard_normal(columns).astype("f4"),
            ],
        )
        for rows in (0, 1, 11, 12, 13, 47, 48, 49, 100)
    ]
    check(module, cases, exact=True)


def test_a_reduction_of_what_repeats_along_its_axis() -> None:
    rng = np.random.default_rng(4)
    module, cases = new_module(), []
    batch = symbol("B")

    def reductions(b: TensorBuilder, value: Value) -> list[Value]:
        return [b.sum(value, 1), b(Max, value, axes=(1,)), b(ArgMax, value, axes=(1,))]

    def row(b: TensorBuilder, of: list[Value]) -> list[Value]:
        twice = b(Add, of[0], of[0])
        spread = [b.broadcast(twice, (batch, 4, 4), axes) for axes in ((0, 1), (0, 2))]
        return [r for value in spread for r in reductions(b, value)]

    def column(b: TensorBuilder, of: list[Value]) -> list[Value]:
        matrix = b.broadcast(of[0], (batch, 4, batch), (0, 1))
        return reductions(b, b.transpose(matrix, (0, 2, 1)))

    def constant(b: TensorBuilder, of: list[Value]) -> list[Value]:
        ones = b.full((3, batch), 1.0, F32)
        return [*reductions(b, ones), b.matmul(ones, of[0])]

    for name, body in (("row", row), ("column", column), ("constant", constant)):
        add_function(module, name, [parse_type("f32[B, 4]")], body)
        for rows in (1, 3, 20):
            cases.append((name, [rng.standard_normal((rows, 4)).astype("f4")]))
    check(module, cases, exact=True)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_extremes_of_zeros_have_the_contract_s_sign(element: str) -> None:
    vector, matrix = parse_type(f"{element}[B]"), parse_type(f"{element}[B, N]")
    module = new_module()
    add_function(
        module,
        "pairs",
        [vector, vector],
        lambda b, of: [b(Maximum, *of), b(Minimum, *of)],
    )
    add_function(
        module,
        "largest",
        [matrix],
        lambda b, of: [b(Max, of[0], axes=(0,)), b(Max, of[0], axes=(1,))],
    )
    zeros = np.array([0.0, -0.0, 0.0, -0.0] * 9, vector.element.dtype)
    others = np.array([-0.0, 0.0, 0.0, -0.0] * 9, vector.element.dtype)
    cases: list[Case] = [("pairs", [zeros, others])]
    for array in (zeros.reshape(2, 18), zeros.reshape(18, 2), -abs(zeros)[None]):
        cases.append(("largest", [array]))
    check(module, cases, exact=True)


def test_a_part_of_an_unsliced_tensor_may_be_empty() -> None:
    size = symbol("N")
    module = new_module()

    def grown(b: TensorBuilder, of: list[Value]) -> list[Value]:
        shape, steps = (size + 2, 5), (1, 1)
        inner = b.slice(of[0], (1, 0), (size - 1, 3), steps)
        return [b.unslice(v, (1, 1), shape, steps) for v in (of[0], inner)]

    add_function(module, "grown", [parse_type("f32[N, 3]")], grown)
    values = np.arange(9, dtype=np.float32).reshape(3, 3)
    check(module, [("grown", [values[:n]]) for n in (1, 2, 3)], exact=True)


def test_a_product_that_overflows_inside_a_multiply_add() -> None:
    matrix = parse_type("f64[2, 2]")
    module = new_module()
    add_function(module, "square", [matrix], lambda b, of: [b.matmul(of[0], of[0])])
    values = np.array([[-np.inf, 1e200], [1.0, 1e200]])
    check(module, [("square", [values])], exact=True)


def test_programs_that_broke_the_compiler_once(tmp_path: Path) -> None:
    # LLVM's NewGVN ends the process on the first; the second needs more scratch than a
    # stack has; the third's sizes leave 64 bits; the fourth divides by a size of 0.
    chain = "y = x[::-1] + x  x = y " * 60
    path = tmp_path / "odd.tc"
    path.write_text(
        "fn cube(x: float[A, A, A]) -> float[A, A] = sum(x, axis=0)\n"
        f"fn long(x: float[2000]) -> float[2000] {{ {chain} return x }}\n"
        "fn wide(x: float[N]) -> int = sum(range(N * N * N * N * N))\n"
        "fn part(x: float[N], y: float[K]) -> float = sum(x[: N // K])\n"
        "fn last(x: float[N], y: u64[N]) -> float[N] = x_of(x, y)\n"
        "fn x_of(x, y) = reshape(x, (N_of(x), 1))[range(N_of(x)), y]\n"
        "fn N_of(x) = x.shape[0]\n"
    )
    functions = api.load(str(path)).functions
    cube = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    np.testing.assert_array_equal(np.asarray(functions["cube"](cube)), cube.sum(0))
    x = np.ones(2000, np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            np.asarray(functions["long"](x)), x * np.float32(2.0**60)
        )
    with pytest.raises(ShapeError, match="a size cannot be computed"):
        functions["wide"](np.ones(9000, np.float32))
    with pytest.raises(ShapeError, match="a size cannot be computed"):
        functions["part"](x, x[:0])
    with pytest.raises(IndexOutOfRange, match="axis 1 with size 1"):
        functions["last"](x[:2], np.array([0, 2**64 - 1], np.uint64))
