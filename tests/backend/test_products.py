"""Products with vectors other than this machine's, compiled beside interpreted."""

from dataclasses import replace

import numpy as np
import pytest

from tensorc import compiler
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.ops.tensor.elementwise import Add
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.schedule import products
from tensorc.target import Options
from tests.samples import parse_type, same_bits
from tests.stages import (
    TARGET,
    all_results,
    compiled_results,
    inputs,
    tensor_results,
    updates_of,
)


def product_of(left, right):
    module = new_module()
    function, builder = open_function("product", inputs(left, right))
    arguments = function.body.block.arguments
    result = TensorBuilder(builder).matmul(*arguments)
    close_function(function, builder, [result])
    module.body.block.append(function)
    return module


def check(element, given, extents, bits):
    m, k, n = given
    left, right = parse_type(f"{element}[{m}, {k}]"), parse_type(f"{element}[{k}, {n}]")
    rng = np.random.default_rng(3)
    cases = []
    for shape in extents:
        pairs = (shape[:2], shape[1:])
        dtype = left.element.dtype
        values = [rng.standard_normal(s).astype(dtype) for s in pairs]
        cases.append(("product", values))
    expected = tensor_results(product_of(left, right), cases)
    module = product_of(left, right)
    updated = updates_of(module)
    target = replace(TARGET, vector_bits=bits)
    artifact = compiler.compile(module, target, Options(optimize=1)).artifact
    results = compiled_results(artifact, cases, updated)
    for (right_one,), (given_one,) in zip(expected, results, strict=True):
        assert same_bits(right_one, given_one), right_one.shape


# On both sides of what makes a copy of strips pay; once the call decides, once not.
STRIPS = {
    ("M", "K", "N"): [
        *((r, 130, 259) for r in (1, 31, 33)),
        *((33, 127, 256), (33, 128, 255), (32, 515, 256)),
    ],
    ("M", 130, 259): [(1, 130, 259), (50, 130, 259)],
    (50, 130, 259): [(50, 130, 259)],
}


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("element", ["f32", "f64", "f16", "bf16"])
@pytest.mark.parametrize("given", STRIPS)
def test_products_whose_strips_are_copied(element, given, bits):
    check(element, given, STRIPS[given], bits)


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("element", ["f32", "f64", "f16", "bf16"])
@pytest.mark.parametrize("columns", [1, 7, 10, 16, 17, 31, 33, 47, 48, 49])
def test_panels_of_static_columns(element, columns, bits):
    check(element, ("M", 20, columns), [(5, 20, columns), (49, 20, columns)], bits)


@pytest.mark.parametrize("element", ["f32", "i32"])
@pytest.mark.parametrize("columns", [1, 3, 40])
def test_a_row_by_a_transposed_matrix(element, columns):
    """The matrix is read where it lies; the result goes on, as rows and as a sum."""
    rng = np.random.default_rng(columns)
    types = [parse_type(f"{element}[1, 30]"), parse_type(f"{element}[N, 30]")]

    def build():
        module = new_module()
        function, builder = open_function("product", inputs(*types))
        a, w = function.body.block.arguments
        b = TensorBuilder(builder)
        row = b.matmul(a, b.transpose(w, (1, 0)))
        results = [row, b(Add, row, row), b.sum(row, 1), b.transpose(row, (1, 0))]
        close_function(function, builder, results)
        module.body.block.append(function)
        return module

    shapes = (1, 30), (columns, 30)
    values = [rng.integers(-9, 9, s).astype(types[0].element.dtype) for s in shapes]
    for stage, results in all_results(build(), [("product", values)], (0, 3)).items():
        expected = values[0] @ values[1].T
        wanted = [expected, expected + expected, expected.sum(1), expected.T]
        for left, right in zip(wanted, results[0], strict=True):
            assert np.array_equal(left, right), stage


@pytest.mark.parametrize("given", [("M", "K", "N"), ("M", 130, 700), (150, 130, 700)])
def test_products_whose_chunks_are_taller(given, monkeypatch):
    """Whole tiles and rows that are left over share the copies of a chunk."""
    monkeypatch.setattr(products, "FEW_CHUNKS", 2)
    extents = [(150, 130, 700), *([(1, 130, 700)] if given[0] == "M" else [])]
    for bits in (256, 512):
        check("f32", given, extents, bits)
