"""Products of few columns, whose number is known at the call alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import ordered_matmul
from tests import stages
from tests.samples import drawn, parse_type, same_bits
from tests.stages import Case
from tests.test_pipeline import add_function, check

FORMS = {
    "plain": lambda x, y: x @ y,
    "left": lambda x, y: x.T @ y,
    "right": lambda x, y: x @ y.T,
    "both": lambda x, y: x.T @ y.T,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint32", "int64"])
def test_few_columns_of_unknown_sizes(form: str, dtype: str) -> None:
    """One vector of columns or more, all heights of tiles, some blocks of terms."""
    rng = np.random.default_rng(11)
    product = tc.jit(FORMS[form])
    for rows, columns, depth in (
        *((rows, 10, 20) for rows in (1, 2, 3, 7, 11, 12, 20, 23, 49)),
        *((13, columns, 9) for columns in (2, 7, 8, 9, 15, 16, 17, 31)),
        *((21, 10, depth) for depth in (0, 1, 512, 513, 1100)),
        (5, 3, 8200),
    ):
        left = drawn(rng, (rows, depth), np.dtype(dtype))
        right = drawn(rng, (depth, columns), np.dtype(dtype))
        given = [left, right]
        if form in ("left", "both"):
            given[0] = np.ascontiguousarray(left.T)
        if form in ("right", "both"):
            given[1] = np.ascontiguousarray(right.T)
        found = np.asarray(product(*given))
        assert same_bits(found, ordered_matmul(left, right)), (rows, columns, depth)


@pytest.mark.parametrize("element", ["f32", "f64", "i8", "i16", "ui64"])
def test_known_columns_of_a_transposed_left_side(element: str, tmp_path: Path) -> None:
    """A tile has all columns or half of them; one column is written in place."""
    rng = np.random.default_rng(13)
    written, cases = [], []
    for columns in (1, 2, 5, 10, 14, 15, 16, 17):
        for rows, depth in ((1, 5), (15, 5), (16, 0), (300, 3), (70, 515)):
            dtype = parse_type(element).element.dtype
            left = drawn(rng, (depth, rows), dtype)
            right = drawn(rng, (depth, columns), dtype)
            word = element.replace("ui", "u")
            types = [f"{word}[{depth}, {n}]" for n in (rows, columns)]
            name = f"f_{rows}_{columns}_{depth}"
            result = f"{word}[{rows}, {columns}]"
            header = f"fn {name}(x: {types[0]}, y: {types[1]}) -> {result}"
            written.append(f"{header} = x.T @ y")
            cases.append((name, left, right))
    path = tmp_path / "known.tc"
    path.write_text("\n".join(written) + "\n")
    program = tc.load(path)
    for name, x, y in cases:
        found = np.asarray(getattr(program, name)(x, y))
        assert same_bits(found, ordered_matmul(x.T, y)), name


@pytest.mark.parametrize("form", FORMS)
def test_known_sizes_of_nothing(form: str, tmp_path: Path) -> None:
    """A sum of no terms is +0; a result may have no elements."""
    written, cases = [], []
    for number, (rows, columns, depth) in enumerate(
        (
            (1, 1, 0),
            (2, 1, 0),
            (40, 1, 0),
            (40, 3, 0),
            (1, 40, 0),
            (16, 0, 5),
            (0, 1, 5),
        )
    ):
        left, right = np.ones((rows, depth), "f4"), np.ones((depth, columns), "f4")
        given = [left.T if form in ("left", "both") else left]
        given += [right.T if form in ("right", "both") else right]
        types = [f"f32[{v.shape[0]}, {v.shape[1]}]" for v in given]
        sides = ["x.T" if form in ("left", "both") else "x"]
        sides += ["y.T" if form in ("right", "both") else "y"]
        header = f"fn f{number}(x: {types[0]}, y: {types[1]}) -> f32[{rows}, {columns}]"
        written.append(f"{header} = {sides[0]} @ {sides[1]}")
        cases.append((f"f{number}", given, np.zeros((rows, columns), "f4")))
    path = tmp_path / "nothing.tc"
    path.write_text("\n".join(written) + "\n")
    program = tc.load(path)
    for name, given, wanted in cases:
        found = np.asarray(getattr(program, name)(*given))
        assert found.shape == wanted.shape
        assert same_bits(found, wanted), name


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_vectors_times_matrices(threads: int) -> None:
    rng = np.random.default_rng(14)
    product = tc.jit(lambda x, y: x @ y)
    turned = tc.jit(lambda x, y: x.T @ y)
    with tc.options(threads=threads):
        for depth, columns in ((0, 5), (3, 1), (20, 255), (513, 257), (900, 1000)):
            row = rng.standard_normal(depth).astype("float32")
            matrix = rng.standard_normal((depth, columns)).astype("float32")
            wanted = ordered_matmul(row[None], matrix)[0]
            assert same_bits(np.asarray(product(row, matrix)), wanted)
            assert same_bits(np.asarray(turned(matrix, row)), wanted)


@pytest.mark.parametrize("bits", [256, 512])
def test_few_columns_agree_at_every_stage(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(12)
    module, cases = new_module(), list[Case]()
    types = [parse_type(f"f32[{sizes}]") for sizes in ("M, K", "K, N")]
    add_function(module, "f", types, lambda b, of: [b.matmul(*of)])
    for rows, columns, depth in ((20, 10, 30), (14, 17, 5), (9, 8, 0), (3, 1, 20)):
        pair = [rng.standard_normal(s) for s in ((rows, depth), (depth, columns))]
        cases.append(("f", [v.astype("float32") for v in pair]))
    check(module, cases, exact=True, levels=(0, 2))


@pytest.mark.parametrize("element", ["f32", "f64", "i8", "i64"])
@pytest.mark.parametrize("bits", [128, 256, 512])
def test_chunks_of_columns_write_their_own(
    bits: int, element: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A narrow machine shares few columns out to chunks, of unknown number too.

    Its tiles have fewer columns than what is called few.
    """
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(15)
    dtype = parse_type(element).element.dtype
    module, cases = new_module(), list[Case]()
    for rows in ("8", "40", "M"):
        types = [parse_type(f"{element}[{s}]") for s in (f"1, {rows}", "1, N")]
        add_function(
            module,
            f"f{rows}",
            types,
            lambda b, of: [b.matmul(b.transpose(of[0], (1, 0)), of[1])],
        )
        count = 21 if rows == "M" else int(rows)
        for columns in (1, 3, 5, 9, 15, 16, 17, 33):
            pair = [drawn(rng, (1, n), dtype) for n in (count, columns)]
            cases.append((f"f{rows}", pair))
    check(module, cases, exact=True, levels=(0, 2))
